//! The Python beside the strategy: what it is given, and what it tells.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use keyrot::UntrustedText;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::backtest::{Difference, ErrorInChain, IndicatorRange, OpenTrade, Trade};
use crate::data::{Bar, Dataset};
use crate::python;

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
            fs::write(folder.join(&file), columns(&prices.bars))?;
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
fn columns(bars: &[Bar]) -> Vec<u8> {
    #[expect(clippy::cast_precision_loss, reason = "seconds of any date fit into 53 bits")]
    let time = |bar: &Bar| bar.time as f64;
    let columns: [&dyn Fn(&Bar) -> f64; 6] =
        [&time, &|b| b.open, &|b| b.high, &|b| b.low, &|b| b.close, &|b| b.volume];
    columns.iter().flat_map(|column| bars.iter().flat_map(|bar| column(bar).to_le_bytes())).collect()
}

/// One line of the harness. Nothing in it is to be trusted.
#[derive(Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum Message {
    Environment {
        message: UntrustedText,
    },
    /// From here on the strategy may have its hand in what is told.
    Started,
    Loaded {
        name: UntrustedText,
        parameters: Map<String, Value>,
        unknown: Vec<UntrustedText>,
    },
    Failed {
        stage: UntrustedText,
        dataset: Option<usize>,
        errors: Vec<ErrorInChain>,
    },
    Result(Box<Told>),
    LookAhead {
        dataset: usize,
        cuts: usize,
        differences: Vec<Difference>,
    },
    Drawn {
        dataset: usize,
        failure: Option<UntrustedText>,
    },
    Done,
}

/// The file of a chart, in the folder of the run.
pub(crate) fn plot(dataset: usize) -> String {
    format!("plot-{dataset}.html")
}

/// What is told of one backtest.
#[derive(Debug, Deserialize)]
pub(crate) struct Told {
    pub(crate) dataset: usize,
    pub(crate) stats: Map<String, Value>,
    pub(crate) trades: Vec<Trade>,
    #[serde(default)]
    pub(crate) open: Vec<OpenTrade>,
    pub(crate) equity: Vec<Option<f64>>,
    pub(crate) indicators: Vec<IndicatorRange>,
    pub(crate) orders: usize,
    pub(crate) rejected_orders: usize,
    pub(crate) warnings: Vec<UntrustedText>,
}

/// The lines of the channel; `None` for one that the harness does not write.
pub(crate) fn messages(channel: &[u8]) -> Vec<Option<Message>> {
    let lines = channel.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines.map(|line| serde_json::from_slice(line).ok()).collect()
}
