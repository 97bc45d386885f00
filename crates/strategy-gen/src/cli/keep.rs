//! What is kept of what was made and run: the file beside it, and a line in the history. Whatever goes wrong with
//! either is a warning: the strategy is there.

use std::path::{Path, PathBuf};

use keyrot::{Clock as _, SystemClock, Timestamp};
use strategy_gen::backtest::Report;
use strategy_gen::history::{Entry, History, Kind, place};
use strategy_gen::shelf::{Book, LastRun, Made, Record, RecordKey, RecordKeyError, Sidecar, digest};
use strategy_gen::{GenerateError, Round, Strategy};

use super::args::Keep;
use super::{apart, env, say};

impl Keep {
    /// Where the history is; `None` where none is to be kept.
    pub(crate) fn place(&self) -> Option<PathBuf> {
        if self.no_history { None } else { place(env()) }
    }

    /// Keeps a strategy; `command` makes it again. Gives what went wrong.
    pub(crate) async fn made(
        &self,
        kind: Kind,
        strategy: &Strategy,
        path: Option<&Path>,
        command: String,
    ) -> Vec<String> {
        let mut warnings = Vec::new();
        if let Some(path) = path {
            let made = Made { path, date: now().to_string(), command };
            let key = record_key_or_made();
            let written = Sidecar::of(strategy, made).and_then(|mut sidecar| {
                if let Kind::Fix | Kind::Improve = kind
                    && let Some(Record { sidecar: before, verified: true, .. }) =
                        Sidecar::read(path, key.as_ref())?
                {
                    sidecar.command = before.command;
                    if kind == Kind::Fix && sidecar.rounds.is_empty() {
                        // What was mended without a model is still the model's.
                        sidecar.rounds = before.rounds;
                    }
                }
                sidecar.write(path, key.as_ref())
            });
            warnings.extend(written.err().map(|error| error.to_string()));
        }
        warnings.extend(self.entry(entry_of(kind, strategy, path)).await);
        warnings
    }

    /// Keeps that there is no strategy. Gives what went wrong.
    pub(crate) async fn failed(
        &self,
        kind: Kind,
        description: &str,
        error: &GenerateError,
    ) -> Option<String> {
        self.entry(entry_of_failure(kind, description, &error.to_string(), error.exit_code())).await
    }

    /// Keeps what the run of a file gave. Gives what went wrong. Waits for the disk.
    pub(crate) fn ran(&self, file: &Path, source: &str, report: &Report) -> Vec<String> {
        let at = now();
        let run = LastRun::of(report, source, at.to_string());
        let key = record_key();
        let beside = Sidecar::ran(file, &run, key.as_ref()).err().map(|error| error.to_string());
        let entry = Entry {
            description: Book::open(file, key.as_ref())
                .ok()
                .and_then(|book| book.description)
                .unwrap_or_default()
                .as_str()
                .to_owned(),
            name: report.strategy.name.as_ref().map(ToString::to_string),
            path: Some(in_full(file)),
            sha256: Some(run.sha256.clone()),
            error: run.failed().map(ToString::to_string),
            run: Some(run),
            ..Entry::new(Kind::Run, at, report.exit_code())
        };
        beside.into_iter().chain(self.place().and_then(|place| kept(&place, &entry))).collect()
    }

    async fn entry(&self, entry: Entry) -> Option<String> {
        let place = self.place()?;
        apart(move || Ok(kept(&place, &entry))).await.unwrap_or_else(|failure| Some(failure.message))
    }
}

/// What tells the records of this installation from others; `None` where there is nothing of the kind yet.
pub(crate) fn record_key() -> Option<RecordKey> {
    let place = RecordKey::place(env())?;
    RecordKey::read(&place).unwrap_or_else(|error| warned(&error))
}

/// The same, made first where there is none; `None` where nothing outlives the process.
pub(crate) fn record_key_or_made() -> Option<RecordKey> {
    let place = RecordKey::place(env())?;
    RecordKey::read_or_make(&place).map_or_else(|error| warned(&error), Some)
}

fn warned(error: &RecordKeyError) -> Option<RecordKey> {
    say(&format!("warning: {error}"));
    None
}

/// What the history says of a strategy that was made.
pub(crate) fn entry_of(kind: Kind, strategy: &Strategy, path: Option<&Path>) -> Entry {
    let sum =
        |of: fn(&Round) -> Option<u64>| strategy.rounds.iter().filter_map(of).reduce(u64::saturating_add);
    let at = now();
    let run = strategy.run.as_ref().map(|report| LastRun::of(report, &strategy.code, at.to_string()));
    Entry {
        description: strategy.description.clone(),
        name: Some(strategy.name.clone()),
        path: path.map(in_full),
        sha256: Some(digest(&strategy.code)),
        model: strategy.model.clone(),
        rounds: u32::try_from(strategy.rounds.len()).unwrap_or(u32::MAX),
        prompt_tokens: sum(|round| round.tokens.input),
        output_tokens: sum(|round| round.tokens.output),
        error: run.as_ref().and_then(LastRun::failed).map(ToString::to_string),
        run,
        ..Entry::new(kind, at, strategy.run.as_ref().map_or(0, Report::exit_code))
    }
}

/// What the history says of a description that did not become one.
pub(crate) fn entry_of_failure(kind: Kind, description: &str, error: &str, exit_code: u8) -> Entry {
    Entry {
        description: description.to_owned(),
        error: Some(error.to_owned()),
        ..Entry::new(kind, now(), exit_code)
    }
}

fn kept(place: &Path, entry: &Entry) -> Option<String> {
    History::open(place).and_then(|history| history.keep(entry)).err().map(|error| error.to_string())
}

pub(crate) fn in_full(path: &Path) -> String {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned()).display().to_string()
}

pub(crate) fn now() -> Timestamp {
    SystemClock::start().now()
}
