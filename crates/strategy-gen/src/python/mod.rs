//! A [`StrategySpec`] as the text of a Python file for backtesting.py.
//!
//! The file holds one `Strategy` subclass, every number as a class attribute, and the indicator functions it uses; it
//! needs backtesting, numpy and pandas, is plain ASCII and Python 3.10.
//!
//! ```
//! use strategy_gen::python::{ClassName, Origin, Provenance, render};
//! let description = "Buy when RSI < 30, sell when RSI > 70";
//! let spec = strategy_gen::english::translate(description).unwrap();
//! let provenance = Provenance { description, origin: Origin::Offline, date: "2026-01-31", name: None };
//! let code = render(&spec, &ClassName::for_spec(&spec), &provenance);
//! assert!(code.contains("class RsiStrategy(Strategy):\n    rsi_period = 14\n"));
//! ```

mod class;
mod header;
mod indicators;
mod names;

use std::fmt::Write as _;

pub use header::{Origin, Provenance, header};
pub(crate) use indicators::Recipe;
pub use names::ClassName;

use crate::spec::StrategySpec;
use class::Body;

/// Writes the file.
pub fn render(spec: &StrategySpec, name: &ClassName, provenance: &Provenance<'_>) -> String {
    let body = Body::new(spec);
    let recipes = Recipe::needed(spec);
    let mut text = header(provenance, &spec.rules(), &spec.assumptions);
    text.push('\n');
    let functions: Vec<&str> = recipes.iter().map(|recipe| recipe.text()).collect();
    if functions.iter().any(|function| function.contains("np.")) {
        text.push_str("import numpy as np\n");
    }
    if functions.iter().any(|function| function.contains("pd.")) {
        text.push_str("import pandas as pd\n");
    }
    text.push_str("from backtesting import Strategy\n");
    for function in functions {
        text.push_str("\n\n");
        text.push_str(function);
    }
    let _ = write!(text, "\n\nclass {name}(Strategy):\n");
    for (parameter, value) in &body.parameters {
        let _ = writeln!(text, "    {parameter} = {value}");
    }
    text.push_str("\n    def init(self):\n");
    for line in body.init() {
        let _ = writeln!(text, "        {line}");
    }
    text.push_str("\n    def next(self):\n");
    text.push_str(&body.next());
    text.push_str(&body.methods);
    text
}

#[cfg(test)]
mod tests;
