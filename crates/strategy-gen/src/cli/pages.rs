//! The pages that a run leaves for a browser.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use strategy_gen::GenerateError;
use strategy_gen::backtest::Report;
use strategy_gen::data::Dataset;
use strategy_gen::output::{Existing, can_write, write};
use strategy_gen::python::quoted;
use strategy_gen::report::{Subject, is_page, page, plot};

use super::args::Run;
use super::{Failure, say};

/// What is to be written, and where: known to be possible before anything is run.
pub(crate) struct Pages {
    report: Option<PathBuf>,
    /// One for each set of prices.
    plots: Vec<PathBuf>,
}

impl Pages {
    pub(crate) fn wanted(args: &Run, data: &[Dataset]) -> Result<Self, Failure> {
        let plots = args.plot.as_ref().map_or_else(Vec::new, |path| {
            let usual =
                || PathBuf::from(args.file.file_name().unwrap_or_default()).with_extension("plot.html");
            let path = path.clone().unwrap_or_else(usual);
            match data {
                [_] => vec![path],
                several => several.iter().map(|data| beside(&path, &data.prices.name)).collect(),
            }
        });
        let pages = Self { report: args.report.clone(), plots };
        for path in pages.report.iter().chain(&pages.plots) {
            can_write(path, existing(path)).map_err(GenerateError::from)?;
        }
        Ok(pages)
    }

    pub(crate) fn plots(&self) -> bool {
        !self.plots.is_empty()
    }

    pub(crate) fn write(
        &self,
        args: &Run,
        source: &str,
        data: &[Dataset],
        report: &Report,
    ) -> Result<(), Failure> {
        if let Some(path) = &self.report {
            let subject = Subject::of(report, data, source, !args.no_check, command());
            save(path, &page(&subject))?;
        }
        for (path, result) in self.plots.iter().zip(&report.results) {
            if let Some(chart) = &result.plot {
                let name = report.strategy.name.as_deref().unwrap_or(&report.strategy.path);
                save(path, &plot(&format!("{name}, {}", result.dataset), chart))?;
            }
        }
        Ok(())
    }
}

fn save(path: &Path, html: &str) -> Result<(), Failure> {
    write(path, html, existing(path)).map_err(GenerateError::from)?;
    say(&format!("written: {}", path.display()));
    Ok(())
}

/// A page of ours may be replaced by the next, and nothing else.
fn existing(path: &Path) -> Existing {
    let mut beginning = Vec::new();
    let read = File::open(path).and_then(|file| file.take(2_048).read_to_end(&mut beginning));
    if read.is_ok() && is_page(&String::from_utf8_lossy(&beginning)) {
        Existing::Replace
    } else {
        Existing::Keep
    }
}

/// `a.html` for the set `own.csv`: `a-own.csv.html`. What no file name may hold becomes `_`.
fn beside(path: &Path, set: &str) -> PathBuf {
    let set: String =
        set.chars().map(|c| if c.is_alphanumeric() || "._-".contains(c) { c } else { '_' }).collect();
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!("{stem}-{set}.html"))
}

/// What was typed.
fn command() -> String {
    let plain = |word: &str| word.chars().all(|c| c.is_ascii_alphanumeric() || "-_./=:,".contains(c));
    let word = |word: String| if plain(&word) && !word.is_empty() { word } else { quoted(&word) };
    let args = std::env::args_os().skip(1).map(|arg| word(arg.to_string_lossy().into_owned()));
    ["strategy-gen".to_owned()].into_iter().chain(args).collect::<Vec<_>>().join(" ")
}
