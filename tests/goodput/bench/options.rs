//! What is run: `--only ROW`, `--demand N`, `--pool`, `--seed N`, `--quick`, `--keep FILE`, `--commit HASH`.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use crate::bench::policy::Kind;
use crate::bench::rows;
use crate::bench::scenario::{Case, Span};

const USAGE: &str = "\
usage: goodput [--only TEXT] [--demand PER_CENT] [--pool] [--seed N] [--quick] [--keep FILE] [--commit HASH]

  --only TEXT    the row of that name, or else rows with TEXT in their names
  --demand N     one demand, in per cent of the limits: 50, 100 or 300
  --pool         keyrot alone, without the plain policies
  --seed N       another load; the default is 1
  --quick        a third of the time
  --keep FILE    keep the report there
  --commit HASH  what the report says it is of";

/// See the module's docs.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    only: Option<String>,
    demand: Option<u64>,
    pool_alone: bool,
    pub(crate) seed: u64,
    quick: bool,
    pub(crate) keep: Option<PathBuf>,
    pub(crate) commit: String,
}

impl Options {
    pub(crate) fn parse(args: impl IntoIterator<Item = String>) -> Result<Self> {
        let mut options = Self {
            only: None,
            demand: None,
            pool_alone: false,
            seed: 1,
            quick: false,
            keep: None,
            commit: "unknown".to_owned(),
        };
        let mut args = args.into_iter();
        while let Some(arg) = args.next() {
            let mut value = || args.next().with_context(|| format!("`{arg}` needs a value\n{USAGE}"));
            match arg.as_str() {
                "--only" => options.only = Some(value()?),
                "--demand" => options.demand = Some(value()?.parse().context("`--demand` takes a number")?),
                "--pool" => options.pool_alone = true,
                "--seed" => options.seed = value()?.parse().context("`--seed` takes a number")?,
                "--quick" => options.quick = true,
                "--keep" => options.keep = Some(value()?.into()),
                "--commit" => options.commit = value()?,
                // cargo adds it to what it runs.
                "--bench" => {}
                _ => bail!("`{arg}` is not an option\n{USAGE}"),
            }
        }
        Ok(options)
    }

    pub(crate) fn policies(&self) -> &'static [Kind] {
        if self.pool_alone { &Kind::ALL[..1] } else { &Kind::ALL }
    }

    /// Every row asked for at every demand asked for.
    pub(crate) fn cases(&self) -> Result<Vec<Case>> {
        let span = if self.quick { Span::windows(1, 4) } else { Span::windows(2, 10) };
        let mut cases = Vec::new();
        let mut rows = rows::all();
        if let Some(only) = &self.only {
            let exact = rows.iter().any(|row| row.name == *only);
            rows.retain(|row| if exact { row.name == *only } else { row.name.contains(only) });
        }
        for scenario in rows {
            for demand in rows::demands(&scenario) {
                if self.demand.is_none_or(|only| only == *demand) {
                    cases.push(Case { scenario: scenario.clone(), demand: *demand, span, seed: self.seed });
                }
            }
        }
        if cases.is_empty() {
            let names: Vec<String> = rows::all().into_iter().map(|row| row.name).collect();
            bail!("no such row; hint: the rows are:\n  {}", names.join("\n  "));
        }
        Ok(cases)
    }
}
