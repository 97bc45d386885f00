//! A server described in JSON, for the program and for demonstrations.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::answer::Answer;
use crate::body::Pace;
use crate::catalogue::ModelSpec;
use crate::fault::Fault;
use crate::local::Sim;
use crate::project::{KeySpec, KeyState, ProjectSpec, ProjectState, Quota, Tier};
use crate::quota::Window;
use crate::rule::FaultRule;
use crate::sim::SimBuilder;

/// A checked script. [`Script::into_builder`] makes it a server.
///
/// ```
/// let script = gemini_sim::Script::parse(r#"{
///     "projects": [{"id": "demo", "quotas": {"gemini-2.5-flash": {"rpm": 5, "rpd": 20}}}],
///     "keys": [{"secret": "AIza-demo", "project": "demo"}],
///     "answers": [{"match": "weather", "text": "Sunny."}, {"match": "*", "text": "OK"}]
/// }"#)?;
/// let builder = script.into_builder().port(0);
/// # drop(builder);
/// # Ok::<(), gemini_sim::ScriptError>(())
/// ```
#[derive(Debug)]
pub struct Script {
    builder: SimBuilder,
}

/// What is wrong with a script, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {message}")]
#[non_exhaustive]
pub struct ScriptError {
    /// Line, from 1.
    pub line: usize,
    /// Column in bytes, from 1.
    pub column: usize,
    /// What is wrong, without the place.
    pub message: String,
}

impl Script {
    /// Reads and checks a script.
    ///
    /// # Errors
    /// On the first thing that is no JSON, unknown, of the wrong type, declared twice, or a reference to a project
    /// that is not declared.
    pub fn parse(text: &str) -> Result<Self, ScriptError> {
        let raw: Raw<'_> = serde_json::from_str(text).map_err(|error| {
            let message = message(&error);
            ScriptError { line: error.line(), column: error.column(), message }
        })?;
        Ok(Self { builder: raw.assemble(text)? })
    }

    /// The server the script describes, not yet listening.
    pub fn into_builder(self) -> SimBuilder {
        self.builder
    }
}

/// serde_json's message without the place it appends.
fn message(error: &serde_json::Error) -> String {
    let place = format!(" at line {} column {}", error.line(), error.column());
    error.to_string().replace(&place, "")
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw<'a> {
    #[serde(default)]
    window: Window,
    #[serde(default)]
    count_rejected: bool,
    #[serde(default)]
    pace: RawPace,
    #[serde(default)]
    models: Vec<RawModel>,
    #[serde(borrow)]
    projects: Vec<RawProject<'a>>,
    #[serde(borrow)]
    keys: Vec<RawKey<'a>>,
    /// `files/…` and `cachedContents/…`, each with its project.
    #[serde(default, borrow)]
    owners: BTreeMap<String, Name<'a>>,
    #[serde(default)]
    faults: Vec<RawRule>,
    #[serde(default)]
    answers: Vec<RawAnswer>,
}

/// A string that remembers where it stands.
#[derive(Deserialize, Clone, Copy)]
#[serde(transparent)]
struct Name<'a>(#[serde(borrow)] &'a RawValue);

impl Name<'_> {
    fn read(self, script: &str) -> Result<String, ScriptError> {
        serde_json::from_str(self.0.get()).map_err(|error| self.error(script, message(&error)))
    }

    /// An error at this string, which is a part of the script's memory.
    fn error(self, script: &str, message: String) -> ScriptError {
        let offset = self.0.get().as_ptr().addr().saturating_sub(script.as_ptr().addr());
        let before = script.get(..offset).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        ScriptError { line: before.matches('\n').count() + 1, column: before.len() - line_start + 1, message }
    }
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct RawPace {
    time_to_first_byte_ms: u64,
    between_chunks_ms: u64,
    text_chunk_chars: Option<usize>,
    tcp_split: Option<usize>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawModel {
    id: String,
    bucket: Option<String>,
    input_limit: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawProject<'a> {
    #[serde(borrow)]
    id: Name<'a>,
    #[serde(default)]
    tier: Tier,
    number: Option<String>,
    #[serde(default)]
    state: ProjectState,
    #[serde(default)]
    quotas: BTreeMap<String, Quota>,
    #[serde(default)]
    default_quota: Quota,
    #[serde(default)]
    gated_models: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawKey<'a> {
    #[serde(borrow)]
    secret: Name<'a>,
    #[serde(borrow)]
    project: Name<'a>,
    #[serde(default)]
    state: KeyState,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRule {
    fault: Fault,
    on_key: Option<String>,
    on_project: Option<String>,
    on_model: Option<String>,
    on_operation: Option<String>,
    #[serde(default)]
    after: u64,
    #[serde(default = "once")]
    times: u64,
    #[serde(default)]
    in_array: bool,
}

const fn once() -> u64 {
    1
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawAnswer {
    /// A part of the prompt, or `*`.
    #[serde(rename = "match")]
    part: String,
    #[serde(default)]
    text: String,
    #[serde(default)]
    finish_reason: String,
    thoughts: Option<String>,
    prompt_tokens: Option<u64>,
    output_tokens: Option<u64>,
    block_reason: Option<String>,
    parts: Option<Vec<Value>>,
}

impl Raw<'_> {
    fn assemble(self, script: &str) -> Result<SimBuilder, ScriptError> {
        let (mut projects, mut secrets) = (HashSet::new(), HashSet::new());
        let mut builder =
            Sim::builder().window(self.window).count_rejected(self.count_rejected).pace(self.pace.read());
        for model in self.models {
            builder = builder.model(model.read());
        }
        for project in self.projects {
            let id = project.id.read(script)?;
            if !projects.insert(id.clone()) {
                return Err(project.id.error(script, format!("project `{id}` is declared twice")));
            }
            builder = builder.project(project.read(id));
        }
        let declared = |name: Name<'_>| {
            let id = name.read(script)?;
            if projects.contains(&id) {
                return Ok(id);
            }
            let known: Vec<&str> = projects.iter().map(String::as_str).collect();
            let hint = if known.is_empty() { "none is".to_owned() } else { known.join(", ") };
            Err(name.error(script, format!("project `{id}` is not declared; hint: declared: {hint}")))
        };
        for key in self.keys {
            let secret = key.secret.read(script)?;
            if !secrets.insert(secret.clone()) {
                return Err(key.secret.error(script, "this secret is declared twice".to_owned()));
            }
            builder = builder.key(KeySpec::new(secret, declared(key.project)?).state(key.state));
        }
        for (name, owner) in self.owners {
            builder = builder.file(name, declared(owner)?);
        }
        for rule in self.faults {
            builder = builder.fault(rule.read());
        }
        let answers: Vec<(String, Answer)> = self.answers.into_iter().map(RawAnswer::read).collect();
        Ok(builder.answer(Arc::new(move |asked| {
            let fits = |part: &str| part == "*" || asked.prompt_text.contains(part);
            let found = answers.iter().find(|(part, _)| fits(part));
            found.map_or_else(|| Answer::text("OK"), |(_, answer)| answer.clone())
        })))
    }
}

impl RawPace {
    fn read(&self) -> Pace {
        let default = Pace::default();
        Pace {
            time_to_first_byte: Duration::from_millis(self.time_to_first_byte_ms),
            between_chunks: Duration::from_millis(self.between_chunks_ms),
            text_chunk_chars: self.text_chunk_chars.unwrap_or(default.text_chunk_chars),
            tcp_split: self.tcp_split,
        }
    }
}

impl RawModel {
    fn read(self) -> ModelSpec {
        let mut model = ModelSpec::new(self.id);
        if let Some(bucket) = self.bucket {
            model = model.bucket(bucket);
        }
        if let Some(tokens) = self.input_limit {
            model = model.input_limit(tokens);
        }
        model
    }
}

impl RawProject<'_> {
    fn read(self, id: String) -> ProjectSpec {
        let mut project =
            ProjectSpec::new(id).tier(self.tier).state(self.state).default_quota(self.default_quota);
        if let Some(number) = self.number {
            project = project.number(number);
        }
        for model in self.gated_models {
            project = project.gated(model);
        }
        self.quotas.into_iter().fold(project, |project, (bucket, quota)| project.quota(bucket, quota))
    }
}

impl RawRule {
    fn read(self) -> FaultRule {
        let mut rule = FaultRule::new(self.fault).after(self.after).times(self.times);
        if let Some(secret) = self.on_key {
            rule = rule.on_key(secret);
        }
        if let Some(project) = self.on_project {
            rule = rule.on_project(project);
        }
        if let Some(model) = self.on_model {
            rule = rule.on_model(model);
        }
        if let Some(operation) = self.on_operation {
            rule = rule.on_operation(operation);
        }
        if self.in_array { rule.in_array() } else { rule }
    }
}

impl RawAnswer {
    fn read(self) -> (String, Answer) {
        let answer = Answer {
            text: self.text,
            finish_reason: self.finish_reason,
            thoughts: self.thoughts,
            prompt_tokens: self.prompt_tokens,
            output_tokens: self.output_tokens,
            block_reason: self.block_reason,
            parts: self.parts,
        };
        (self.part, answer)
    }
}
