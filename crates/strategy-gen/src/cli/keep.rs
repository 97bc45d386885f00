//! What is kept of what was made and run: the file beside it, and a line in the history. Whatever goes wrong with
//! either is a warning: the strategy is there.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use keyrot::{Clock as _, SystemClock, Timestamp, process_env};
use strategy_gen::backtest::Report;
use strategy_gen::history::{Entry, History, Kind, place};
use strategy_gen::python::quoted;
use strategy_gen::shelf::{Book, Condition, LastRun, Made, Sidecar, digest};
use strategy_gen::{GenerateError, Round, Strategy};

use super::args::{Keep, New, Provider};
use super::progress::Progress;
use super::{apart, say};

impl Keep {
    /// Where the history is; `None` where none is to be kept.
    pub(crate) fn place(&self) -> Option<PathBuf> {
        if self.no_history { None } else { place(&process_env()) }
    }
}

/// Keeps a strategy that was made, and saved at `path`.
pub(crate) async fn made(args: &New, strategy: &Strategy, path: Option<&Path>, progress: &Progress) {
    if let Some(path) = path {
        let made = Made {
            path,
            date: now().to_string(),
            command: command(args, &strategy.description),
            keys: keys(progress),
        };
        let written = Sidecar::of(strategy, made).and_then(|sidecar| sidecar.write(path));
        if let Err(error) = written {
            progress.line(&format!("warning: {error}"));
        }
    }
    let entry = entry_of(Kind::New, strategy, path);
    if let Some(warning) = kept_apart(args.keep.place(), entry).await {
        progress.line(&format!("warning: {warning}"));
    }
}

/// Keeps that there is no strategy.
pub(crate) async fn failed(args: &New, description: &str, error: &GenerateError) {
    let entry = entry_of_failure(Kind::New, description, error);
    if let Some(warning) = kept_apart(args.keep.place(), entry).await {
        say(&format!("warning: {warning}"));
    }
}

/// Keeps what the run of a file gave. Waits for the disk.
pub(crate) fn ran(keep: &Keep, file: &Path, source: &str, report: &Report) {
    let at = now();
    let run = LastRun::of(report, &digest(source), at.to_string());
    let book = Book::open(file).ok();
    let mut warnings = Vec::new();
    // What is beside a file is about the file as it was saved.
    let sidecar =
        book.as_ref().filter(|book| book.condition == Condition::Saved).and_then(|book| book.sidecar.clone());
    if let Some(mut sidecar) = sidecar.filter(|sidecar| sidecar.sha256 == run.sha256) {
        sidecar.run = Some(run.clone());
        warnings.extend(sidecar.write(file).err().map(|error| error.to_string()));
    }
    let entry = Entry {
        description: book.and_then(|book| book.description).unwrap_or_default(),
        name: report.strategy.name.clone(),
        path: Some(in_full(file)),
        sha256: Some(run.sha256.clone()),
        error: run.failed().map(str::to_owned),
        run: Some(run),
        ..Entry::new(Kind::Run, at, report.exit_code())
    };
    warnings.extend(kept(keep.place(), &entry));
    for warning in warnings {
        say(&format!("warning: {warning}"));
    }
}

/// What the history says of a strategy that was made.
pub(crate) fn entry_of(kind: Kind, strategy: &Strategy, path: Option<&Path>) -> Entry {
    let sum =
        |of: fn(&Round) -> Option<u64>| strategy.rounds.iter().filter_map(of).reduce(u64::saturating_add);
    Entry {
        description: strategy.description.clone(),
        name: Some(strategy.name.clone()),
        path: path.map(in_full),
        sha256: Some(digest(&strategy.code)),
        model: strategy.model.clone(),
        rounds: u32::try_from(strategy.rounds.len()).unwrap_or(u32::MAX),
        prompt_tokens: sum(|round| round.prompt_tokens),
        output_tokens: sum(|round| round.output_tokens),
        ..Entry::new(kind, now(), 0)
    }
}

/// What the history says of a description that did not become one.
pub(crate) fn entry_of_failure(kind: Kind, description: &str, error: &GenerateError) -> Entry {
    Entry {
        description: description.to_owned(),
        error: Some(error.to_string()),
        ..Entry::new(kind, now(), error.exit_code())
    }
}

/// Keeps an entry; gives a warning where that failed. Waits for the disk.
pub(crate) fn kept(place: Option<PathBuf>, entry: &Entry) -> Option<String> {
    let kept = History::open(&place?).and_then(|history| history.keep(entry));
    kept.err().map(|error| error.to_string())
}

async fn kept_apart(place: Option<PathBuf>, entry: Entry) -> Option<String> {
    place.as_ref()?;
    apart(move || Ok(kept(place, &entry))).await.unwrap_or_else(|failure| Some(failure.message))
}

/// The keys that were used, by id.
fn keys(progress: &Progress) -> BTreeSet<String> {
    progress.attempts().iter().map(|attempt| attempt.key_id().to_owned()).collect()
}

/// The command that does it again.
fn command(args: &New, description: &str) -> String {
    let mut command = "strategy-gen new".to_owned();
    let mut add = |flag: &str, value: Option<&str>| {
        command.push_str(flag);
        command.push_str(&value.map(quoted).unwrap_or_default());
    };
    let flags = [(args.offline, " --offline"), (args.demo, " --demo"), (args.standalone, " --standalone")];
    for (_, flag) in flags.iter().filter(|(given, _)| *given) {
        add(flag, None);
    }
    if args.provider == Provider::Openai {
        add(" --provider openai", None);
    }
    let base_url = args.base_url.as_deref();
    for (flag, value) in
        [(" --base-url ", base_url), (" --model ", args.model.as_deref()), (" -n ", args.name.as_deref())]
    {
        if value.is_some() {
            add(flag, value);
        }
    }
    if let Some(output) = &args.output {
        add(" -o ", Some(&output.to_string_lossy()));
    }
    add(" -- ", Some(description));
    command
}

pub(crate) fn in_full(path: &Path) -> String {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned()).display().to_string()
}

pub(crate) fn now() -> Timestamp {
    SystemClock::start().now()
}
