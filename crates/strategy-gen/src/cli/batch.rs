//! `strategy-gen batch`: a strategy of every line of a file.

mod bars;

use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

use keyrot::file::{self, Links, ReadError};
use keyrot::leak;
use keyrot::settings::DEFAULT_MODEL;
use parking_lot::Mutex;
use serde_json::json;
use strategy_gen::MAX_REPAIRS;
use strategy_gen::batch::{Batch, BatchError, Done, Idea, State, Step, ideas};
use strategy_gen::history::{Entry, History, HistoryError, Kind};
use strategy_gen::python::quoted;

use super::args::{self, Provider};
use super::command::word;
use super::conditions::ready;
use super::{Failure, apart, env, holds_a_key, keep, new, print, print_json, say, table};
use bars::Bars;

/// Ideas that are read, in bytes.
const MOST: u64 = 16 << 20;

impl From<BatchError> for Failure {
    fn from(error: BatchError) -> Self {
        match error {
            BatchError::Generate(error) => error.into(),
            error => Self { exit_code: error.exit_code(), message: error.to_string() },
        }
    }
}

/// Makes, runs and ranks; 1 when something failed.
pub(crate) async fn run(args: args::Batch) -> Result<u8, Failure> {
    let file = args.ideas.clone();
    let ideas = apart(move || read(&file)).await?;
    let ready = ready(&args.tried, args.tried.on.insists()).await?;
    if let Some(why) = ready.missing() {
        say(&format!("warning: the strategies are not run: {why}"));
    }
    let generator = new::making(&args.made, &ready)?;
    let args = Arc::new(args);
    let repeated = Arc::clone(&args);
    let health = generator.sharing();
    let key = apart(|| Ok(keep::record_key_or_made())).await?;
    if key.is_none() {
        say(
            "warning: nothing signs the log of this batch, so it cannot be continued: the next one begins anew\n\
             hint: name a file that can be written with `KEYROT_STATE`",
        );
    }
    let batch = Batch::new(&args.out_dir, generator, &options(&args.made))
        .jobs(usize::from(args.jobs))
        .signed_with(key)
        .command(move |idea| command(&repeated, idea));
    let descriptions = ideas.iter().map(|idea| idea.description.clone()).collect();
    let bars = Arc::new(Bars::new(descriptions, usize::from(args.jobs), health));
    let unfinished = Unfinished(Some(Arc::clone(&bars)));
    let place = args.keep.place();
    let history = Mutex::new(apart(move || Ok(place.map(|place| History::open(&place)))).await?);
    let told = Arc::clone(&bars);
    let items = batch.run(
        ideas,
        Arc::new(move |item, step: &Step<'_>| {
            told.step(item, step);
            if let Some(warning) = item.and_then(|item| kept(&history, told.description(item), step)) {
                told.line(&format!("warning: {warning}"));
            }
        }),
    );
    let done = items.await;
    unfinished.done();
    show(&args, &done?)
}

/// What to say when the batch does not come to its end: it is dropped, by Ctrl-C for one.
struct Unfinished(Option<Arc<Bars>>);

impl Unfinished {
    fn done(mut self) {
        if let Some(bars) = self.0.take() {
            bars.finish();
        }
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if let Some(bars) = self.0.take() {
            bars.finish();
            say(&format!("{}; the same command goes on with the rest", bars.so_far()));
        }
    }
}

fn read(file: &Path) -> Result<Vec<Idea>, Failure> {
    let name = keyrot::untrusted::path(&file);
    let read = match file.to_str() {
        Some("-") => {
            let mut bytes = Vec::new();
            let read = std::io::stdin().lock().take(MOST + 1).read_to_end(&mut bytes);
            let whole = || {
                if bytes.len() as u64 > MOST { Err(ReadError::TooLarge { most: MOST }) } else { Ok(bytes) }
            };
            read.map_err(ReadError::Io).and_then(|_| whole())
        }
        _ => file::read(file, Links::Follow, MOST),
    };
    let bytes = read.map_err(|error| {
        let hint = match error {
            ReadError::TooLarge { .. } => "split it",
            _ => "name a text file with one description a line",
        };
        Failure::usage(format!("cannot read `{name}`: {error}\nhint: {hint}"))
    })?;
    let text = String::from_utf8(bytes)
        .map_err(|_| Failure::usage(format!("`{name}` is not UTF-8 text\nhint: save it as UTF-8")))?;
    if let Some((line, _)) = (1..).zip(text.lines()).find(|(_, line)| leak::looks_like_a_key(line)) {
        return Err(holds_a_key(&format!("`{name}` line {line}"), "a model would be sent it"));
    }
    ideas(&text).map_err(|error| Failure::usage(format!("`{name}`: {error}")))
}

/// What decides on the outcome, apart from the description.
fn options(args: &args::Made) -> String {
    let asked = &args.asked;
    let model = || {
        let env = env();
        asked.model.as_deref().or(env.filled("GEMINI_MODEL")).unwrap_or(DEFAULT_MODEL).to_owned()
    };
    let who = match (args.offline, asked.provider) {
        (true, _) => "offline".to_owned(),
        (false, Provider::Gemini) => format!("gemini {}", model()),
        (false, Provider::Openai) => {
            let env = env();
            let server = asked.base_url.as_deref().or(env.filled("OPENAI_BASE_URL"));
            format!("openai {} {}", server.unwrap_or_default(), model())
        }
    };
    let form = if args.standalone { " standalone" } else { "" };
    format!("{who}{form}")
}

/// The command that makes this one alone.
fn command(args: &args::Batch, idea: &Idea) -> String {
    let made = &args.made;
    let mut command = "strategy-gen new".to_owned();
    let provider = made.asked.provider == Provider::Openai;
    let flags = [
        (made.offline, " --offline"),
        (made.standalone, " --standalone"),
        (args.tried.no_run, " --no-run"),
        (provider, " --provider openai"),
        (made.asked.single_key, " --single-key"),
        (made.asked.multi_key, " --multi-key"),
    ];
    for (_, flag) in flags.iter().filter(|(given, _)| *given) {
        command.push_str(flag);
    }
    let base_url = made.asked.base_url.clone();
    let values = [("base-url", base_url), ("model", made.asked.model.clone()), ("name", idea.name.clone())];
    let repairs = (made.asked.max_repairs != MAX_REPAIRS).then(|| made.asked.max_repairs.to_string());
    let values = values.into_iter().chain([("max-repairs", repairs)]);
    let values = values.filter_map(|(flag, value)| Some((flag, value?)));
    for (flag, value) in values.chain(args.tried.on.flags()) {
        command.push_str(&format!(" --{flag} {}", word(&value)));
    }
    format!("{command} -- {}", quoted(&idea.description))
}

/// Leaves a line in the history; gives a warning, once, where that cannot be.
fn kept(
    history: &Mutex<Option<Result<History, HistoryError>>>,
    description: &str,
    step: &Step<'_>,
) -> Option<String> {
    let entry = match step {
        Step::Made { strategy, path, .. } => keep::entry_of(Kind::Batch, strategy, Some(path)),
        Step::Failed { error, exit_code, .. } => {
            keep::entry_of_failure(Kind::Batch, description, error, *exit_code)
        }
        Step::Ran { path, run } => Entry {
            description: description.to_owned(),
            path: Some(keep::in_full(path)),
            sha256: Some(run.sha256.clone()),
            error: run.failed().map(ToString::to_string),
            run: Some((*run).clone()),
            ..Entry::new(Kind::Run, keep::now(), run.exit_code)
        },
        _ => return None,
    };
    let mut history = history.lock();
    let kept = match history.as_ref()? {
        Ok(open) => open.keep(&entry).err().map(|error| error.to_string()),
        Err(error) => Some(error.to_string()),
    };
    if kept.is_some() {
        *history = None;
    }
    kept
}

fn show(args: &args::Batch, Done { items, board, .. }: &Done) -> Result<u8, Failure> {
    let board = board.as_ref().map(|board| board.display().to_string());
    let count = |state: State| items.iter().filter(|item| item.state == state).count();
    let (done, kept, failed) = (count(State::Done), count(State::Kept), count(State::Failed));
    if args.json {
        let result = json!({
            "schema": 1,
            "status": if failed == 0 { "ok" } else { "findings" },
            "folder": args.out_dir.display().to_string(),
            "board": board,
            "done": done, "kept": kept, "failed": failed,
            "items": items,
        });
        print_json(result)?;
    } else {
        print(&table::ranking(items))?;
    }
    let ranking = board.map(|board| format!("; the ranking is in `{board}`")).unwrap_or_default();
    say(&format!("{done} done, {kept} done before, {failed} failed{ranking}"));
    if failed > 0 {
        say("hint: the same command tries again what failed");
    }
    Ok(u8::from(failed > 0))
}
