//! `strategy-gen "DESCRIPTION"`: the default verb.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use keyrot::settings::SHUTDOWN;
use serde_json::{Value, json};
use strategy_gen::output::{Existing, WriteError, file_name, write};
use strategy_gen::python::ClassName;
use strategy_gen::{GenerateError, MAX_DESCRIPTION, Strategy, StrategyGenerator};

use super::args::New;
use super::progress::Progress;
use super::{Failure, demo, print};

/// Generates, writes, reports.
pub(crate) async fn run(args: New) -> Result<u8, Failure> {
    let description = description(args.description.as_deref())?;
    let existing = if args.force { Existing::Replace } else { Existing::Keep };
    // Before a call is paid for.
    if let Some(path) = args.output.as_deref().filter(|path| *path != Path::new("-")) {
        strategy_gen::output::can_write(path, existing).map_err(GenerateError::from)?;
    }
    if args.demo {
        return demo::run(&description, &args, existing).await;
    }
    let progress = Progress::start("reading the description");
    let generator = generator(&args, &progress);
    let made = make(&generator, &description, &progress).await;
    progress.finish();
    generator.shutdown(SHUTDOWN).await;
    let strategy = made?;
    let path = save(&strategy, args.output.as_deref(), existing)?;
    report(&args, &strategy, path.as_deref(), &progress, Value::Null);
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

fn generator(args: &New, progress: &Progress) -> StrategyGenerator {
    let mut generator =
        if args.offline { StrategyGenerator::offline() } else { StrategyGenerator::from_env() };
    if args.single_key {
        generator = generator.single_key();
    }
    if args.multi_key {
        generator = generator.multi_key();
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
    generator.observer(Arc::new(progress.clone()))
}

/// The description, from the argument or from stdin.
fn description(argument: Option<&str>) -> Result<String, Failure> {
    let text = match argument {
        Some("-") => {
            let mut text = String::new();
            // One byte more than is taken, so that too much is noticed without reading it all.
            let most = MAX_DESCRIPTION as u64 + 1;
            let read = std::io::stdin().lock().take(most).read_to_string(&mut text);
            read.map_err(|error| Failure::usage(format!("cannot read the description from stdin: {error}")))?;
            text
        }
        other => other.unwrap_or_default().to_owned(),
    };
    match text.trim() {
        "" => Err(GenerateError::Empty.into()),
        long if long.len() > MAX_DESCRIPTION => Err(GenerateError::TooLong { bytes: long.len() }.into()),
        fine => Ok(fine.to_owned()),
    }
}

/// Writes the strategy; gives where, or `None` when it is printed.
pub(crate) fn save(
    strategy: &Strategy,
    output: Option<&Path>,
    existing: Existing,
) -> Result<Option<PathBuf>, Failure> {
    if output == Some(Path::new("-")) {
        return Ok(None);
    }
    let path = output.map_or_else(|| file_name(&ClassName::new(&strategy.name)), Path::to_path_buf);
    match write(&path, &strategy.code, existing) {
        Ok(()) => Ok(Some(path)),
        Err(error @ WriteError::Exists { .. }) if output.is_none() => Err(GenerateError::from(error).into()),
        Err(error) => Err(GenerateError::from(error).into()),
    }
}

/// Says what was made: on stdout the path, the code or the JSON; the rest on stderr.
pub(crate) fn report(args: &New, strategy: &Strategy, path: Option<&Path>, progress: &Progress, more: Value) {
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
        print(&format!("{result:#}"));
    } else {
        match path {
            Some(path) => print(&path.display().to_string()),
            None => print(strategy.code.trim_end()),
        }
    }
}
