//! `--demo`: the real path over real HTTP, with a simulated Gemini at its other end.

use std::sync::Arc;

use gemini_client::wire::GenerateRequest;
use gemini_client::{Client, Config};
use gemini_sim::{Answer, Asked, KeySpec, KeyState, ProjectSpec, Quota, Sim, SimServer};
use keyrot::settings::{DEFAULT_MODEL, SHUTDOWN};
use keyrot::{Assembly, Gemini, Key, KeyId, KeySet, PoolConfig, Project};
use strategy_gen::history::Kind;
use strategy_gen::output::Existing;
use strategy_gen::{Strategy, StrategyGenerator, prompt};

use super::args::New;
use super::conditions::Ready;
use super::progress::Progress;
use super::{Failure, new, print, say, table};

/// Three keys in two projects, in the order they are tried: revoked, at its daily quota, healthy.
const KEYS: [(&str, &str); 3] = [("revoked", "demo-a"), ("used_up", "demo-b"), ("healthy", "demo-a")];

/// Runs the demo.
pub(crate) async fn run(
    description: &str,
    args: &New,
    existing: Existing,
    ready: &Ready,
) -> Result<u8, Failure> {
    // What the engine does not understand is better told by itself than by the model it plays.
    StrategyGenerator::offline().translate(description)?;
    let progress = Progress::start("starting a simulated Gemini");
    let server = start_server().await?;
    progress.line(&format!(
        "demo: a simulated Gemini listens on {}; the code comes from the offline engine behind it, not from a model",
        server.base_url()
    ));
    let gemini = connect(&server, &progress).await?;
    let mut generator = StrategyGenerator::with(gemini.clone(), DEFAULT_MODEL).simulated();
    generator = generator.linkage(new::linkage(&args.made));
    if let Some(name) = &args.name {
        generator = generator.name(name);
    }
    if let Some(trial) = ready.trial() {
        generator = generator.tried_on(trial.clone());
    }
    let made = generator.generate(description).await;
    let status = gemini.rotator().status(DEFAULT_MODEL).await;
    gemini.rotator().shutdown(SHUTDOWN).await;
    server.shutdown().await;
    progress.finish();
    let strategy = made?;
    let path = new::save(&strategy, args.output.as_deref(), existing, ready, &progress)?;
    let command = args.command(&strategy.description);
    progress.warn(args.keep.made(Kind::New, &strategy, path.as_deref(), command).await);
    new::report(
        args,
        &strategy,
        path.as_deref(),
        ready,
        &progress,
        serde_json::json!({ "demo": true, "health": status }),
    )?;
    match (args.json, path) {
        (true, _) => {}
        (false, Some(_)) => print(&table::health(&status))?,
        // Stdout holds the code, and may be on its way into a file.
        (false, None) => say(&table::health(&status)),
    }
    new::ended(&strategy, args.insists())
}

fn secret(key: &str) -> String {
    format!("AIza-demo-{key}")
}

async fn start_server() -> Result<SimServer, Failure> {
    let one_a_day = Quota { rpd: Some(1), ..Quota::UNLIMITED };
    let mut sim = Sim::builder()
        .answer(Arc::new(answer))
        .project(ProjectSpec::new("demo-a"))
        .project(ProjectSpec::new("demo-b").default_quota(one_a_day));
    for (key, project) in KEYS {
        let state = if key == "revoked" { KeyState::Invalid } else { KeyState::Valid };
        sim = sim.key(KeySpec::new(secret(key), project).state(state));
    }
    let cannot = |error: String| Failure { exit_code: 5, message: format!("the demo cannot start: {error}") };
    let server = sim.start().await.map_err(|error| cannot(error.to_string()))?;
    // The second key's one request of the day.
    let client = Client::new(&Config::at(server.base_url())).map_err(|error| cannot(error.to_string()))?;
    let used_up = secret("used_up").into();
    let spent = client.generate(&used_up, DEFAULT_MODEL, &GenerateRequest::text("one a day")).await;
    spent.map_err(|error| cannot(error.to_string()))?;
    Ok(server)
}

/// What the simulated model says: the offline engine's file, or its refusal.
fn answer(asked: &Asked) -> Answer {
    let Some(description) = prompt::description_of(&asked.prompt_text) else { return Answer::text("OK") };
    let mut engine = StrategyGenerator::offline();
    if let Some((_, name)) = asked.prompt_text.rsplit_once("Call the class `")
        && let Some((name, _)) = name.split_once('`')
    {
        engine = engine.name(name);
    }
    match engine.translate(description) {
        Ok(strategy) => Answer::text(reply(&strategy)),
        Err(error) => Answer::text(format!("I cannot write that: {error}")),
    }
}

/// The file as a model would send it: without our header, its assumptions as it was told to state
/// them.
fn reply(strategy: &Strategy) -> String {
    let assumptions: String = strategy.assumptions.iter().map(|a| format!("# assumption: {a}\n")).collect();
    let code = strategy.code.lines().skip_while(|line| line.is_empty() || line.starts_with('#'));
    let code: String = code.flat_map(|line| [line, "\n"]).collect();
    format!("Here is the strategy.\n\n```python\n{assumptions}{code}```\n")
}

async fn connect(server: &SimServer, progress: &Progress) -> Result<Gemini, Failure> {
    let mut keys = Vec::new();
    for (priority, (key, project)) in (1..).zip(KEYS) {
        let id = KeyId::new(key).map_err(|error| Failure::usage(error.to_string()))?;
        let project = Project::new(project);
        keys.push(Key { project, project_given: true, priority, ..Key::new(id) });
    }
    let secrets = KEYS.map(|(key, _)| (format!("GEMINI_KEY_{key}"), secret(key)));
    // What became of these keys is nobody's business but the demo's.
    let alone = ("KEYROT_STATE".to_owned(), ":memory:".to_owned());
    let made = Assembly::new(secrets.into_iter().chain([alone]).collect())
        .keys(KeySet { keys, config: PoolConfig::default() })
        .observer(Arc::new(progress.clone()))
        .make()
        .await
        .map_err(strategy_gen::GenerateError::from)?;
    let client =
        Client::new(&Config::at(server.base_url())).map_err(|error| Failure::usage(error.to_string()))?;
    Ok(Gemini::new(made.rotator, client))
}
