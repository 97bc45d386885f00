//! `strategy-gen batch`: a strategy of every line of a file.

mod bars;

use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Duration;

use keyrot::process_env;
use keyrot::settings::DEFAULT_MODEL;
use parking_lot::Mutex;
use serde_json::json;
use strategy_gen::StrategyGenerator;
use strategy_gen::backtest::Runner;
use strategy_gen::batch::{BOARD, Batch, BatchError, Idea, Item, Runs, State, Step, ideas};
use strategy_gen::data::{Costs, Dataset, Period};
use strategy_gen::environment::EnvironmentFault;
use strategy_gen::history::{Entry, History, Kind};
use strategy_gen::interpreter::Python;
use strategy_gen::python::{Linkage, quoted};
use strategy_gen::sandbox::Level;

use super::args::{self, Provider};
use super::{Failure, apart, keep, new, print, say, table};
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
    let generator = generator(&args)?;
    let args = Arc::new(args);
    let for_runs = Arc::clone(&args);
    let runs = apart(move || runs(&for_runs)).await?;
    let repeated = Arc::clone(&args);
    let health = generator.sharing();
    let batch = Batch::new(&args.out_dir, generator, &options(&args))
        .jobs(usize::from(args.jobs))
        .runs(runs)
        .command(move |idea| command(&repeated, idea));
    let descriptions = ideas.iter().map(|idea| idea.description.clone()).collect();
    let bars = Arc::new(Bars::new(descriptions, usize::from(args.jobs), health));
    let unfinished = Unfinished(Some(Arc::clone(&bars)));
    let history = Mutex::new(args.keep.place().map(|place| History::open(&place)));
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
    let items = items.await;
    unfinished.done();
    show(&args, &items?)
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
    let name = file.display();
    let cannot = |error: std::io::Error| {
        Failure::usage(format!(
            "cannot read `{name}`: {error}\nhint: name a text file with one description a line"
        ))
    };
    let mut bytes = Vec::new();
    let input: Box<dyn std::io::Read> = match file.to_str() {
        Some("-") => Box::new(std::io::stdin().lock()),
        _ => Box::new(std::fs::File::open(file).map_err(cannot)?),
    };
    input.take(MOST + 1).read_to_end(&mut bytes).map_err(cannot)?;
    if bytes.len() as u64 > MOST {
        return Err(Failure::usage(format!("`{name}` is larger than {} MiB\nhint: split it", MOST >> 20)));
    }
    let text = String::from_utf8(bytes)
        .map_err(|_| Failure::usage(format!("`{name}` is not UTF-8 text\nhint: save it as UTF-8")))?;
    ideas(&text).map_err(|error| Failure::usage(format!("`{name}`: {error}")))
}

fn generator(args: &args::Batch) -> Result<StrategyGenerator, Failure> {
    if args.base_url.is_some() && args.provider == Provider::Gemini {
        return Err(Failure::usage(
            "`--base-url` belongs to `--provider openai`\nhint: for Gemini set `GEMINI_BASE_URL`",
        ));
    }
    let mut generator = match (args.provider, args.offline) {
        (_, true) => StrategyGenerator::offline(),
        (Provider::Gemini, false) => StrategyGenerator::from_env(),
        (Provider::Openai, false) => {
            StrategyGenerator::openai(new::server(args.model.as_deref(), args.base_url.as_deref())?)
        }
    };
    if args.single_key {
        generator = generator.single_key();
    }
    if args.multi_key {
        generator = generator.multi_key();
    }
    if args.standalone {
        generator = generator.linkage(Linkage::Standalone);
    }
    if let Some(model) = &args.model {
        generator = generator.model(model);
    }
    if let Some(seconds) = args.max_wait {
        generator = generator.max_wait(Duration::from_secs(seconds));
    }
    Ok(generator)
}

/// What backtests need; nothing where they are not wanted, or cannot be had here, which is told.
fn runs(args: &args::Batch) -> Result<Option<Runs>, Failure> {
    if args.no_run {
        return Ok(None);
    }
    let env = process_env();
    let python = match Python::find(args.python.as_deref(), &env) {
        Ok(python) => python,
        // One that was named must serve.
        Err(fault @ EnvironmentFault::NoPython { .. }) => {
            say(&format!("warning: the strategies are not run: {fault}"));
            return Ok(None);
        }
        Err(fault) => return Err(fault.into()),
    };
    let one = |source: &strategy_gen::data::Source| {
        let prices = source.load(python.library_folder(), Period::default())?;
        Ok(Dataset { prices, costs: Costs::usual(source) })
    };
    let data = args.data.iter().map(one).collect::<Result<Vec<_>, Failure>>()?;
    let program = std::env::current_exe().map_err(EnvironmentFault::from)?;
    let home = env.filled("HOME").map(std::path::PathBuf::from);
    let runner = match Runner::new(python, program, args.sandbox) {
        Ok(runner) => runner.home(home),
        Err(fault @ EnvironmentFault::Sandbox { .. }) if args.sandbox == Level::Auto => {
            say(&format!("warning: the strategies are not run: {fault}"));
            return Ok(None);
        }
        Err(fault) => return Err(fault.into()),
    };
    if args.sandbox == Level::None {
        say("warning: without a sandbox the strategies may do whatever you may");
    }
    Ok(Some(Runs::new(runner, data, available_parallelism().map_or(1, usize::from))))
}

/// What decides on the outcome, apart from the description.
fn options(args: &args::Batch) -> String {
    let model = || {
        let env = process_env();
        args.model.as_deref().or(env.filled("GEMINI_MODEL")).unwrap_or(DEFAULT_MODEL).to_owned()
    };
    let who = match (args.offline, args.provider) {
        (true, _) => "offline".to_owned(),
        (false, Provider::Gemini) => format!("gemini {}", model()),
        (false, Provider::Openai) => {
            format!("openai {} {}", args.base_url.as_deref().unwrap_or_default(), model())
        }
    };
    let form = if args.standalone { " standalone" } else { "" };
    format!("{who}{form}")
}

/// The command that makes this one alone.
fn command(args: &args::Batch, idea: &Idea) -> String {
    let mut command = "strategy-gen new".to_owned();
    for (given, flag) in [(args.offline, " --offline"), (args.standalone, " --standalone")] {
        command.push_str(if given { flag } else { "" });
    }
    if args.provider == Provider::Openai {
        command.push_str(" --provider openai");
    }
    let values = [(" --base-url ", &args.base_url), (" --model ", &args.model), (" -n ", &idea.name)];
    for (flag, value) in values {
        if let Some(value) = value {
            command.push_str(flag);
            command.push_str(&quoted(value));
        }
    }
    format!("{command} -- {}", quoted(&idea.description))
}

/// Leaves a line in the history; gives a warning, once, where that cannot be.
fn kept(
    history: &Mutex<Option<Result<History, strategy_gen::history::HistoryError>>>,
    description: &str,
    step: &Step<'_>,
) -> Option<String> {
    let entry = match step {
        Step::Made { strategy, path, .. } => keep::entry_of(Kind::Batch, strategy, Some(path)),
        Step::Failed { error, .. } => keep::entry_of_failure(Kind::Batch, description, error),
        Step::Ran { path, run } => Entry {
            description: description.to_owned(),
            path: Some(keep::in_full(path)),
            sha256: Some(run.sha256.clone()),
            error: run.failed().map(str::to_owned),
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

fn show(args: &args::Batch, items: &[Item]) -> Result<u8, Failure> {
    let count = |state: State| items.iter().filter(|item| item.state == state).count();
    let (done, kept, failed) = (count(State::Done), count(State::Kept), count(State::Failed));
    if args.json {
        let result = json!({
            "schema": 1,
            "status": if failed == 0 { "ok" } else { "findings" },
            "folder": args.out_dir.display().to_string(),
            "board": args.out_dir.join(BOARD).display().to_string(),
            "done": done, "kept": kept, "failed": failed,
            "items": items,
        });
        print(&format!("{result:#}"))?;
    } else {
        print(&table::ranking(items))?;
    }
    say(&format!(
        "{done} done, {kept} done before, {failed} failed; the ranking is in `{}`",
        args.out_dir.join(BOARD).display()
    ));
    if failed > 0 {
        say("hint: the same command tries again what failed");
    }
    Ok(u8::from(failed > 0))
}
