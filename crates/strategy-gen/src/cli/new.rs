//! `strategy-gen "DESCRIPTION"`: the default verb.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use keyrot::settings::SHUTDOWN;
use serde_json::{Value, json};
use strategy_gen::output::{Existing, WriteError, can_write, can_write_in, file_name, write};
use strategy_gen::python::{ClassName, Linkage};
use strategy_gen::{GenerateError, MAX_DESCRIPTION, OpenAi, Strategy, StrategyGenerator};

use super::args::{New, Provider};
use super::progress::Progress;
use super::{Failure, apart, demo, keep, print};

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
        Some(path) => can_write(path, existing).map_err(GenerateError::from)?,
        None => can_write_in(Path::new(".")).map_err(|error| {
            Failure::usage(format!(
                "cannot write here: {error}\nhint: choose another place with `-o`, or print with `-o -`"
            ))
        })?,
    }
    if args.demo {
        return demo::run(&description, &args, existing).await;
    }
    let progress = Progress::start("reading the description");
    let generator = generator(&args, &progress)?;
    let made = make(&generator, &description, &progress).await;
    progress.finish();
    generator.shutdown(SHUTDOWN).await;
    let strategy = match made {
        Ok(strategy) => strategy,
        Err(error) => {
            keep::failed(&args, &description, &error).await;
            return Err(error.into());
        }
    };
    let path = save(&strategy, args.output.as_deref(), existing, &progress)?;
    keep::made(&args, &strategy, path.as_deref(), &progress).await;
    report(&args, &strategy, path.as_deref(), &progress, Value::Null)?;
    Ok(0)
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
    for warning in generator.warnings().await? {
        progress.line(&format!("warning: {warning}"));
    }
    generator.generate(description).await
}

fn generator(args: &New, progress: &Progress) -> Result<StrategyGenerator, Failure> {
    if args.base_url.is_some() && args.provider == Provider::Gemini {
        return Err(Failure::usage(
            "`--base-url` belongs to `--provider openai`\nhint: for Gemini set `GEMINI_BASE_URL`",
        ));
    }
    let mut generator = match (args.provider, args.offline) {
        (_, true) => StrategyGenerator::offline(),
        (Provider::Gemini, false) => StrategyGenerator::from_env(),
        (Provider::Openai, false) => {
            StrategyGenerator::openai(server(args.model.as_deref(), args.base_url.as_deref())?)
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
    if let Some(name) = &args.name {
        generator = generator.name(name);
    }
    if let Some(seconds) = args.max_wait {
        generator = generator.max_wait(Duration::from_secs(seconds));
    }
    let rounds = progress.clone();
    Ok(generator.observer(Arc::new(progress.clone())).on_round(move |round| rounds.round(round)))
}

/// The server that `--provider openai` is about.
pub(super) fn server(model: Option<&str>, base_url: Option<&str>) -> Result<OpenAi, Failure> {
    let Some(model) = model else {
        return Err(Failure::usage("`--provider openai` needs a model\nhint: name it with `--model`"));
    };
    OpenAi::new(&keyrot::process_env(), base_url, model).map_err(|error| GenerateError::from(error).into())
}

fn from_stdin() -> Result<String, Failure> {
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
    let wanted = file_name(&ClassName::new(&strategy.name));
    // Nobody chose the name, and a strategy that was paid for is not given up for it.
    let mut path = wanted.clone();
    for n in 2_u32.. {
        match write(&path, &strategy.code, existing) {
            Ok(()) => break,
            Err(WriteError::Exists { .. } | WriteError::IsDirectory { .. }) => {
                let stem = wanted.file_stem().unwrap_or_default().to_string_lossy();
                path = PathBuf::from(format!("{stem}_{n}.py"));
            }
            Err(error) => return Err(GenerateError::from(error).into()),
        }
    }
    if path != wanted {
        progress.line(&format!("`{}` exists: the strategy is in `{}`", wanted.display(), path.display()));
    }
    Ok(Some(path))
}

/// Says what was made: on stdout the path, the code or the JSON; the rest on stderr.
pub(crate) fn report(
    args: &New,
    strategy: &Strategy,
    path: Option<&Path>,
    progress: &Progress,
    more: Value,
) -> Result<(), Failure> {
    for assumption in &strategy.assumptions {
        progress.line(&format!("assumed: {assumption}"));
    }
    for warning in &strategy.warnings {
        progress.line(&format!("warning: {warning}"));
    }
    if args.json {
        let mut result = json!({
            "schema": 1,
            "status": "ok",
            "path": path.map(|path| path.display().to_string()),
            "strategy": strategy,
            "attempts": progress.attempts(),
        });
        if let (Value::Object(result), Value::Object(more)) = (&mut result, more) {
            result.extend(more);
        }
        print(&format!("{result:#}"))
    } else {
        match path {
            Some(path) => print(&path.display().to_string()),
            None => print(strategy.code.trim_end()),
        }
    }
}
