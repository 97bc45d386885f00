//! A [`StrategySpec`] as the text of a Python file for backtesting.py.
//!
//! The file holds one `Strategy` subclass with every number as a class attribute, plain ASCII and Python 3.10. It
//! imports its indicators from the shipped module ([`MODULE`]) or, made [`standalone`], holds them itself.
//!
//! ```
//! use strategy_gen::python::{ClassName, Linkage, Origin, Provenance, render};
//! let description = "Buy when RSI < 30, sell when RSI > 70";
//! let spec = strategy_gen::english::translate(description).unwrap();
//! let (origin, linkage) = (Origin::Offline, Linkage::Imported);
//! let provenance = Provenance { description, origin, date: "2026-01-31", name: None, linkage };
//! let code = render(&spec, &ClassName::for_spec(&spec), &provenance);
//! assert!(code.contains("class RsiStrategy(Strategy):\n    rsi_period = 14\n"));
//! ```

mod class;
mod header;
mod indicators;
mod modules;
mod names;
mod orders;

use std::fmt::Write as _;

pub use header::{Header, Origin, Provenance, description_in, header, quoted};
pub(crate) use header::{assumptions_in, header_of};
pub(crate) use indicators::{Function, functions};
pub use indicators::{Linkage, MODULE, standalone};
pub(crate) use modules::is_installed;
pub use modules::{Meaning, meaning};
pub use names::ClassName;

use crate::spec::StrategySpec;
use class::Body;

/// Writes the file; [`standalone`] makes it independent of the module.
pub fn render(spec: &StrategySpec, name: &ClassName, provenance: &Provenance<'_>) -> String {
    let mut body = Body::new(spec);
    let init = body.init();
    let mut text = header(provenance, &spec.rules(), &spec.assumptions);
    text.push_str("\nfrom backtesting import Strategy\n");
    if !body.functions.is_empty() {
        let mut functions = body.functions.clone();
        functions.sort_unstable();
        let _ = writeln!(text, "from indicators import {}", functions.join(", "));
    }
    let _ = writeln!(text, "\n\nclass {name}(Strategy):");
    for (parameter, value) in &body.parameters {
        let _ = writeln!(text, "    {parameter} = {value}");
    }
    let blank = if body.parameters.is_empty() { "" } else { "\n" };
    let _ = writeln!(text, "{blank}    def init(self):");
    for line in init {
        let _ = writeln!(text, "        {line}");
    }
    text.push_str("\n    def next(self):\n");
    text.push_str(&body.next());
    text.push_str(&body.methods);
    text
}

#[cfg(test)]
mod tests;
