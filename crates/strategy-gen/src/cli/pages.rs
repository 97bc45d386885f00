//! The pages that a run leaves for a browser.

use std::path::{Path, PathBuf};

use keyrot::UntrustedText;
use strategy_gen::GenerateError;
use strategy_gen::backtest::{Report, Trial};
use strategy_gen::output::free_names;
use strategy_gen::report::{self, Subject, can_save, page, plot};

use super::args::PageArgs;
use super::{Failure, say};

impl PageArgs {
    /// Whether anything is to be written.
    pub(crate) fn any(&self) -> bool {
        self.report.is_some() || self.plot.is_some()
    }

    /// Whether every place that is known already can be written to: before anything is run or paid for. `strategy` is
    /// the strategy's file, where that is known.
    pub(crate) fn can_be_written(&self, strategy: Option<&Path>, trial: &Trial) -> Result<(), Failure> {
        let plots = self.plots(strategy, trial);
        if let Some(report) = self.report.as_ref().filter(|report| plots.contains(report)) {
            return Err(Failure::usage(format!(
                "`--report` and `--plot` would both write `{}`\nhint: name two files",
                keyrot::untrusted::path(&report)
            )));
        }
        for path in self.report.iter().chain(&plots) {
            can_save(path).map_err(GenerateError::from)?;
        }
        Ok(())
    }

    /// Writes the pages about a run of `strategy`, whose text is `source`.
    pub(crate) fn write(
        &self,
        strategy: &Path,
        trial: &Trial,
        source: &str,
        checked: bool,
        command: String,
        report: &Report,
    ) -> Result<(), Failure> {
        if let Some(path) = &self.report {
            let subject = Subject::of(report, trial.data_of(report), source, checked, command);
            save(path, &page(&subject))?;
        }
        for (path, result) in self.plots(Some(strategy), trial).iter().zip(&report.results) {
            if let Some(chart) = &result.plot {
                let name = report
                    .strategy
                    .name
                    .as_ref()
                    .map_or(report.strategy.path.as_str(), UntrustedText::as_str);
                save(path, &plot(&format!("{name}, {}", result.dataset), chart))?;
            }
        }
        Ok(())
    }

    /// One for each set of prices that was asked for.
    fn plots(&self, strategy: Option<&Path>, trial: &Trial) -> Vec<PathBuf> {
        let Some(given) = &self.plot else { return Vec::new() };
        let usual = || Some(PathBuf::from(strategy?.file_name()?).with_extension("plot.html"));
        let Some(path) = given.clone().or_else(usual) else { return Vec::new() };
        match trial.data() {
            [_] => vec![path],
            several => several.iter().fold(Vec::new(), |mut paths, data| {
                // Two files in two folders may have one name.
                let path = beside(&path, &data.prices.name);
                paths.extend(free_names(&path).find(|path| !paths.contains(path)));
                paths
            }),
        }
    }
}

fn save(path: &Path, html: &str) -> Result<(), Failure> {
    report::save(path, html).map_err(GenerateError::from)?;
    say(&format!("written: {}", keyrot::untrusted::path(&path)));
    Ok(())
}

/// `a.html` for the set `own.csv`: `a-own.csv.html`. What no file name may hold becomes `_`.
fn beside(path: &Path, set: &str) -> PathBuf {
    let set: String =
        set.chars().map(|c| if c.is_alphanumeric() || "._-".contains(c) { c } else { '_' }).collect();
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!("{stem}-{set}.html"))
}
