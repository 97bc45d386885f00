//! The Python beside the strategy: what it is given, and what it reports.

mod message;

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use serde_json::{Value, json};

use crate::data::{Bar, Dataset};
use crate::python;

pub(crate) use message::{Bounds, FRAMES, Message, Told, ToldLine, at_most};

/// The file's text.
const HARNESS: &str = include_str!("harness.py");

/// The name of the harness among the input files.
pub(crate) const FILE: &str = "harness.py";

/// What the harness is asked to do.
#[derive(Debug)]
pub(crate) struct Job<'a> {
    pub(crate) strategy: &'a str,
    pub(crate) data: &'a [Dataset],
    pub(crate) set: &'a BTreeMap<String, Value>,
    pub(crate) look_ahead: bool,
    pub(crate) plot: bool,
    /// Hexadecimal; see [`crate::sandbox::closing_filter`].
    pub(crate) filter: String,
}

impl Job<'_> {
    /// Puts everything into a folder that the strategy can only read.
    pub(crate) fn write(&self, folder: &Path) -> io::Result<()> {
        fs::write(folder.join(FILE), HARNESS)?;
        fs::write(folder.join("strategy.py"), self.strategy)?;
        fs::write(folder.join("indicators.py"), python::MODULE)?;
        let mut data = Vec::new();
        for (i, Dataset { prices, costs }) in self.data.iter().enumerate() {
            let file = format!("prices-{i}");
            fs::write(folder.join(&file), column_bytes(&prices.bars))?;
            data.push(json!({
                "file": file, "cash": costs.cash, "commission": costs.commission, "spread": costs.spread,
            }));
        }
        let job = json!({
            "data": data, "set": self.set, "look_ahead": self.look_ahead, "plot": self.plot,
            "filter": self.filter,
        });
        fs::write(folder.join("job.json"), job.to_string())
    }
}

/// One column after the other, each number as eight bytes.
pub(crate) fn column_bytes(bars: &[Bar]) -> Vec<u8> {
    #[expect(clippy::cast_precision_loss, reason = "seconds of any date fit into 53 bits")]
    let time = |bar: &Bar| bar.time as f64;
    let columns: [&dyn Fn(&Bar) -> f64; 6] =
        [&time, &|b| b.open, &|b| b.high, &|b| b.low, &|b| b.close, &|b| b.volume];
    columns.iter().flat_map(|column| bars.iter().flat_map(|bar| column(bar).to_le_bytes())).collect()
}
