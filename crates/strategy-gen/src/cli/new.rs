//! `strategy-gen "DESCRIPTION"`: the default verb.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use keyrot::leak;
use keyrot::settings::SHUTDOWN;
use serde_json::{Value, json};
use strategy_gen::backtest::{Status, Trial};
use strategy_gen::history::Kind;
use strategy_gen::output::{Existing, can_write, can_write_in, file_name, write, write_free};
use strategy_gen::python::{ClassName, Linkage, Meaning, meaning};
use strategy_gen::{GenerateError, MAX_DESCRIPTION, OpenAi, Strategy, StrategyGenerator};

use super::args::{Asked, Made, New, Provider};
use super::conditions::{Ready, ready};
use super::draft::{self, Draft};
use super::progress::Progress;
use super::{
    Failure, apart, demo, env, holds_a_key, print, print_code, print_json, print_json_line, run as runs, say,
    strictly, table,
};

/// Generates, writes, reports.
pub(crate) async fn run(args: New) -> Result<u8, Failure> {
    let description = match args.description.as_deref() {
        Some("-") => apart(from_stdin).await?,
        given => taken(given.unwrap_or_default())?,
    };
    let existing = if args.force { Existing::Replace } else { Existing::Keep };
    // Before a call is paid for.
    match args.output.as_deref() {
        Some(path) if path == Path::new("-") => {}
        Some(path) => {
            can_write(path, existing).map_err(GenerateError::from)?;
            warned_of(path);
        }
        None => can_write_in(Path::new(".")).map_err(|error| {
            Failure::usage(format!(
                "cannot write here: {error}\nhint: choose another place with `-o`, or print with `-o -`"
            ))
        })?,
    }
    let progress = Progress::start("reading the description");
    if args.tried.no_run && args.pages.any() {
        return Err(Failure::usage("`--report` and `--plot` need a run\nhint: leave out `--no-run`"));
    }
    let ready = ready(&args.tried, args.insists()).await?.drawn(args.pages.plot.is_some());
    if let Some(trial) = ready.trial() {
        let file = args.output.as_deref().filter(|path| *path != Path::new("-"));
        args.pages.can_be_written(file, trial)?;
    }
    if args.demo {
        return demo::run(&description, &args, existing, &ready).await;
    }
    let draft = Draft::beside(args.output.as_deref(), args.name.as_deref());
    let mut generator = watched(making(&args.made, &ready)?, &progress, &draft);
    if let Some(name) = &args.name {
        generator = generator.name(name);
    }
    let made = make(&generator, &description, &progress).await;
    progress.finish();
    generator.shutdown(SHUTDOWN).await;
    let strategy = match made {
        Ok(strategy) => strategy,
        Err(error) => {
            progress.warn(args.keep.failed(Kind::New, &description, &error).await);
            return given_up(error, draft, args.json, &progress);
        }
    };
    // Until it is saved, it may have to be saved elsewhere.
    let path = save(&strategy, args.output.as_deref(), existing, &ready, &progress)?;
    draft.done();
    let command = args.command(&strategy.description);
    progress.warn(args.keep.made(Kind::New, &strategy, path.as_deref(), command).await);
    report(&args, &strategy, path.as_deref(), &ready, &progress, Value::Null)?;
    let ran = strategy.run.iter().flat_map(|run| &run.results);
    let noted = !strategy.warnings.is_empty() || ran.into_iter().any(|result| !result.warnings.is_empty());
    Ok(strictly(args.strict, ended(&strategy, args.insists())?, noted))
}

/// How a program ends whose strategy was made, by what came of running it.
pub(crate) fn ended(strategy: &Strategy, insists: bool) -> Result<u8, Failure> {
    match (&strategy.run, &strategy.not_run) {
        (Some(run), _) => Ok(run.exit_code()),
        (None, Some(why)) if insists => Err(Failure { exit_code: 5, message: why.clone() }),
        (None, _) => Ok(0),
    }
}

/// Why there is no strategy, with the best answer kept.
pub(crate) fn given_up(
    error: GenerateError,
    draft: Draft,
    json: bool,
    progress: &Progress,
) -> Result<u8, Failure> {
    let kept = draft.save();
    if let Some(path) = &kept {
        draft::said(path, Some(progress));
    }
    let (exit_code, invalid) = match error {
        GenerateError::StillInvalid(invalid) if json => {
            (GenerateError::StillInvalid(invalid.clone()).exit_code(), invalid)
        }
        error => return Err(error.into()),
    };
    progress.line(&format!("error: {invalid}"));
    let result = json!({
        "schema": 1, "status": "error", "exit_code": exit_code, "error": invalid.to_string(),
        "stage": invalid.stage, "stuck": invalid.stuck, "diagnostics": invalid.findings,
        "draft": kept.map(|path| path.display().to_string()), "rounds": invalid.rounds,
        "attempts": progress.attempts(),
    });
    print_json(result)?;
    Ok(exit_code)
}

/// Prints what a model would be sent.
pub(crate) fn prompt(description: &str) -> Result<u8, Failure> {
    let description = match description {
        "-" => from_stdin()?,
        given => taken(given)?,
    };
    let asked = strategy_gen::prompt::generate(&description);
    print(&format!("[system]\n{}\n[user]\n{}", asked.system.trim_end(), asked.user.trim_end()))?;
    Ok(0)
}

async fn make(
    generator: &StrategyGenerator,
    description: &str,
    progress: &Progress,
) -> Result<Strategy, GenerateError> {
    progress.warn(generator.warnings().await?);
    generator.generate(description).await
}

/// A generator that shows what comes of it and keeps the best answer.
pub(crate) fn watched(generator: StrategyGenerator, progress: &Progress, draft: &Draft) -> StrategyGenerator {
    let (shown, keeper) = (progress.clone(), draft.keeper());
    generator.observer(Arc::new(progress.clone())).on_round(move |round| {
        keeper.keep(round);
        shown.round(round);
    })
}

/// A generator of strategies, in the form that the flags say.
pub(crate) fn making(args: &Made, ready: &Ready) -> Result<StrategyGenerator, Failure> {
    let generator = asking(&args.asked, args.offline, ready)?;
    Ok(generator.linkage(linkage(args)))
}

pub(crate) const fn linkage(args: &Made) -> Linkage {
    if args.standalone { Linkage::Standalone } else { Linkage::Imported }
}

/// A generator that asks whom the flags name.
pub(crate) fn asking(args: &Asked, offline: bool, ready: &Ready) -> Result<StrategyGenerator, Failure> {
    if args.base_url.is_some() && args.provider == Provider::Gemini {
        return Err(Failure::usage(
            "`--base-url` belongs to `--provider openai`\nhint: for Gemini set `GEMINI_BASE_URL`",
        ));
    }
    let mut generator = match (args.provider, offline) {
        (_, true) => StrategyGenerator::offline(),
        (Provider::Gemini, false) => StrategyGenerator::from_env_map(env().clone()),
        (Provider::Openai, false) => StrategyGenerator::openai(server(args)?),
    };
    if args.single_key {
        generator = generator.single_key();
    }
    if args.multi_key {
        generator = generator.multi_key();
    }
    if let Some(model) = &args.model {
        generator = generator.model(model);
    }
    if let Some(seconds) = args.max_wait {
        generator = generator.max_wait(Duration::from_secs(seconds));
    }
    if let Some(trial) = ready.trial() {
        generator = generator.tried_on(trial.clone());
    }
    Ok(generator.max_repairs(args.max_repairs))
}

/// The server that `--provider openai` is about.
fn server(args: &Asked) -> Result<OpenAi, Failure> {
    let Some(model) = &args.model else {
        return Err(Failure::usage("`--provider openai` needs a model\nhint: name it with `--model`"));
    };
    OpenAi::new(env(), args.base_url.as_deref(), model).map_err(|error| GenerateError::from(error).into())
}

pub(crate) fn from_stdin() -> Result<String, Failure> {
    let mut bytes = Vec::new();
    // One byte more than is taken, so that too much is noticed without reading it all.
    let most = MAX_DESCRIPTION as u64 + 1;
    let read = std::io::stdin().lock().take(most).read_to_end(&mut bytes);
    read.map_err(|error| Failure::usage(format!("cannot read the description from stdin: {error}")))?;
    if bytes.len() > MAX_DESCRIPTION {
        return Err(GenerateError::TooLong.into());
    }
    let text = String::from_utf8(bytes)
        .map_err(|_| Failure::usage("the description on stdin is not UTF-8 text\nhint: send it as UTF-8"))?;
    taken(&text)
}

/// The description, if it can be one.
fn taken(text: &str) -> Result<String, Failure> {
    match text.trim() {
        fine if leak::looks_like_a_key(fine) => {
            Err(holds_a_key("the description", "a model would be sent it"))
        }
        "" => Err(GenerateError::Empty.into()),
        long if long.len() > MAX_DESCRIPTION => Err(GenerateError::TooLong.into()),
        fine => Ok(fine.to_owned()),
    }
}

/// Writes the strategy; gives where, or `None` when it is printed.
pub(crate) fn save(
    strategy: &Strategy,
    output: Option<&Path>,
    existing: Existing,
    ready: &Ready,
    progress: &Progress,
) -> Result<Option<PathBuf>, Failure> {
    match output {
        Some(path) if path == Path::new("-") => return Ok(None),
        Some(path) => {
            write(path, &strategy.code, existing).map_err(GenerateError::from)?;
            return Ok(Some(path.to_path_buf()));
        }
        None => {}
    }
    let wanted = unnamed(strategy, ready);
    // Nobody chose the name, and a strategy that was paid for is not given up for it.
    let path = write_free(&wanted, &strategy.code, existing).map_err(GenerateError::from)?;
    if path != wanted {
        progress.line(&format!(
            "`{}` exists: the strategy is in `{}`",
            keyrot::untrusted::path(&wanted),
            keyrot::untrusted::path(&path)
        ));
    }
    Ok(Some(path))
}

/// The file that a strategy gets when its user names none.
fn unnamed(strategy: &Strategy, ready: &Ready) -> PathBuf {
    file_name(&ClassName::new(&strategy.name), Path::new("."), ready.trial().map(Trial::python))
}

/// Warns of a name that Python gives a meaning: the file is its user's, and so is the choice.
fn warned_of(path: &Path) {
    let shown = keyrot::untrusted::path(path);
    let what = match meaning(path) {
        Some(Meaning::Imported) => {
            "every Python that is started in its folder loads it in place of the real module"
        }
        Some(Meaning::RunByItself) => "Python or its tools run a file of this name without being asked",
        None => return,
    };
    say(&format!("warning: `{shown}`: {what}\nhint: end the name in `_strategy.py`"));
}

/// Says what was made: on stdout the path, the code or the JSON; the rest on stderr.
pub(crate) fn report(
    args: &New,
    strategy: &Strategy,
    path: Option<&Path>,
    ready: &Ready,
    progress: &Progress,
    more: Value,
) -> Result<(), Failure> {
    for assumption in &strategy.assumptions {
        progress.line(&format!("assumed: {assumption}"));
    }
    found(strategy, ready, progress);
    if let (Some(trial), Some(run)) = (ready.trial(), &strategy.run) {
        let unnamed = unnamed(strategy, ready);
        let command = args.command(&strategy.description);
        args.pages.write(path.unwrap_or(&unnamed), trial, &strategy.code, true, command, run)?;
    }
    if args.json {
        print_document(strategy, path, ready, progress, more)
    } else {
        match path {
            Some(path) => print(&keyrot::untrusted::path(&path)),
            None => print_code(strategy.code.trim_end()),
        }
    }
}

/// What to look at, and what came of running it.
pub(crate) fn found(strategy: &Strategy, ready: &Ready, progress: &Progress) {
    progress.warn(strategy.warnings.iter().map(ToString::to_string));
    if let Some(run) = &strategy.run {
        progress.line(&table::results(&run.results));
        for warning in run.results.iter().flat_map(runs::warnings) {
            progress.line(&warning);
        }
        if let Some(failure) = &run.failure {
            progress.line(&format!("error: {}", failure.line()));
        }
        progress.line(&format!("sandbox: {}", run.sandbox.join(", ")));
    }
    if let Some(why) = strategy.not_run.as_deref().or(ready.missing()) {
        progress.line(&format!("not run: {}", why.replace("\nhint: ", "; hint: ")));
    }
}

/// Prints the result as JSON, with what a run of the file would print.
pub(crate) fn print_document(
    strategy: &Strategy,
    path: Option<&Path>,
    ready: &Ready,
    progress: &Progress,
    more: Value,
) -> Result<(), Failure> {
    let run = strategy.run.as_ref();
    let mut result = json!({
        "schema": 1,
        "status": run.map_or(Status::Ok, |run| run.status),
        "path": path.map(|path| path.display().to_string()),
        "strategy": strategy,
        "attempts": progress.attempts(),
        "results": run.map(|run| &run.results),
        "sandbox": run.map(|run| &run.sandbox),
        "not_run": strategy.not_run.as_deref().or(ready.missing()),
    });
    if let (Value::Object(result), Value::Object(more)) = (&mut result, more) {
        result.extend(more);
    }
    // Every trade and the equity of every bar are no longer for eyes.
    if run.is_some() { print_json_line(result) } else { print_json(result) }
}
