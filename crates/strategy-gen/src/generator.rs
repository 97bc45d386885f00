//! The generator: a description goes in, a strategy comes out that was checked and, with a [`Trial`], run; what a model
//! gets wrong goes back to it with the exact findings.

mod amend;
mod candidate;
mod mend;
mod repair;
mod round;
mod task;

use std::sync::Arc;
use std::time::Duration;

use keyrot::{Clock, EnvMap, Gemini, Mode, Observer, Status, SystemClock};
use serde::Serialize;
use tokio::sync::OnceCell;

use crate::backtest::{self, Trial};
use crate::english;
use crate::failure::{GenerateError, StillInvalid};
use crate::finding::Finding;
use crate::model::{Model, OpenAi, Pooled};
use crate::prompt::{self, Prompt};
use crate::python::{ClassName, Linkage, Origin, Provenance, render, standalone};

use candidate::{Candidate, Measure};
use repair::{Made, Repair};
pub use round::{Round, Then, Tokens};
use task::Task;

/// Longest description sent to a model, in bytes.
pub const MAX_DESCRIPTION: usize = 16 * 1024;
/// How often an answer that is not valid goes back to the model, unless told otherwise.
pub const MAX_REPAIRS: u32 = 3;

/// Makes strategies out of descriptions, by a model or by the offline engine.
///
/// ```no_run
/// # async fn example() -> Result<(), strategy_gen::GenerateError> {
/// use strategy_gen::StrategyGenerator;
///
/// // Rotation if `ENABLE_KEY_ROTATION` says so, else the single key; or force either.
/// let generator = StrategyGenerator::from_env().multi_key();
/// let strategy = generator.generate("Buy when RSI < 30, sell when RSI > 70").await?;
/// println!("{}", strategy.code);
/// # Ok(()) }
/// ```
///
/// Without any key:
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), strategy_gen::GenerateError> {
/// let generator = strategy_gen::StrategyGenerator::offline();
/// let strategy = generator.generate("Buy when RSI < 30, sell when RSI > 70").await?;
/// assert!(strategy.code.contains("class RsiStrategy(Strategy):"));
/// # Ok(()) }
/// ```
pub struct StrategyGenerator {
    source: Arc<Source>,
    model: Option<String>,
    name: Option<String>,
    max_wait: Option<Duration>,
    observer: Option<Arc<dyn Observer>>,
    told: Option<Told>,
    trial: Option<Trial>,
    max_repairs: u32,
    simulated: bool,
    linkage: Linkage,
}

type Told = Box<dyn Fn(&Round) + Send + Sync>;

enum Source {
    Offline,
    Pool { env: EnvMap, mode: Mode, made: OnceCell<Model> },
    Ready(Model),
}

/// A finished strategy.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Strategy {
    /// The name of its class.
    pub name: String,
    /// The whole file.
    pub code: String,
    /// The user's words.
    pub description: String,
    /// The model that wrote it; `None` for the offline engine.
    pub model: Option<String>,
    /// What the text left open and was filled in.
    pub assumptions: Vec<String>,
    /// What to look at; errors are repaired or refused, never returned.
    pub warnings: Vec<Finding>,
    /// What was found in each answer of the model, in order; the last is without errors.
    pub rounds: Vec<Round>,
    /// What was mended without a model, of a file that was given; see also each round.
    pub mended: Vec<String>,
    /// What came of running it, where that was asked for.
    #[serde(skip)]
    pub run: Option<backtest::Report>,
    /// Why it was not run though that was asked for: something is missing here.
    pub not_run: Option<String>,
}

impl StrategyGenerator {
    /// By the process's environment: rotation if `ENABLE_KEY_ROTATION` says so, else the single key.
    /// Keys and secrets are read at the first [`generate`](Self::generate).
    #[must_use]
    pub fn from_env() -> Self {
        Self::from_env_map(keyrot::process_env())
    }

    /// By the settings in `env`.
    #[must_use]
    pub fn from_env_map(env: EnvMap) -> Self {
        Self::new(Source::Pool { env, mode: Mode::Auto, made: OnceCell::new() })
    }

    /// With a pool that is already made, asking `model` unless told otherwise.
    #[must_use]
    pub fn with(gemini: Gemini, model: &str) -> Self {
        let pooled = Pooled { gemini, model: model.to_owned(), warnings: Vec::new() };
        Self::new(Source::Ready(Model::Gemini(pooled)))
    }

    /// By a server that speaks OpenAI's protocol, such as a local Ollama: no pool, no rotation.
    #[must_use]
    pub fn openai(server: OpenAi) -> Self {
        Self::new(Source::Ready(Model::OpenAi(server)))
    }

    /// What answers is no model but a simulator over the offline engine: files and results say so.
    #[must_use]
    pub fn simulated(mut self) -> Self {
        self.simulated = true;
        self
    }

    /// By the offline engine: no key, no network, the same answer every time.
    #[must_use]
    pub fn offline() -> Self {
        Self::new(Source::Offline)
    }

    fn new(source: Source) -> Self {
        Self {
            source: Arc::new(source),
            model: None,
            name: None,
            max_wait: None,
            observer: None,
            told: None,
            trial: None,
            max_repairs: MAX_REPAIRS,
            simulated: false,
            linkage: Linkage::Imported,
        }
    }

    /// Another one over the same pool, with the same settings. Who watches the pool watches both; whom to tell of answers
    /// is its own.
    #[must_use]
    pub fn sharing(&self) -> Self {
        Self {
            source: Arc::clone(&self.source),
            model: self.model.clone(),
            name: self.name.clone(),
            max_wait: self.max_wait,
            observer: self.observer.clone(),
            told: None,
            trial: self.trial.clone(),
            max_repairs: self.max_repairs,
            simulated: self.simulated,
            linkage: self.linkage,
        }
    }

    /// The single key, whatever the settings say. Before anything is shared or asked.
    #[must_use]
    pub fn single_key(self) -> Self {
        self.mode(Mode::Single)
    }

    /// The pool, whatever the settings say. Before anything is shared or asked.
    #[must_use]
    pub fn multi_key(self) -> Self {
        self.mode(Mode::Multi)
    }

    fn mode(mut self, forced: Mode) -> Self {
        if let Some(Source::Pool { mode, .. }) = Arc::get_mut(&mut self.source) {
            *mode = forced;
        }
        self
    }

    /// Another model than `GEMINI_MODEL`.
    #[must_use]
    pub fn model(mut self, model: &str) -> Self {
        self.model = Some(model.to_owned());
        self
    }

    /// The name of the class; made from the rules or the model's own otherwise.
    #[must_use]
    pub fn name(mut self, name: &str) -> Self {
        self.name = Some(name.to_owned());
        self
    }

    /// How the file gets at the indicators; imported unless told otherwise.
    #[must_use]
    pub fn linkage(mut self, linkage: Linkage) -> Self {
        self.linkage = linkage;
        self
    }

    fn linked(&self, code: String) -> String {
        match self.linkage {
            Linkage::Imported => code,
            Linkage::Standalone => standalone(&code),
        }
    }

    /// The longest a call may wait for capacity and between retries.
    #[must_use]
    pub fn max_wait(mut self, wait: Duration) -> Self {
        self.max_wait = Some(wait);
        self
    }

    /// Somebody who watches the pool's attempts.
    #[must_use]
    pub fn observer(mut self, observer: Arc<dyn Observer>) -> Self {
        self.observer = Some(observer);
        self
    }

    /// Strategies are run, too: what fails is repaired like what the check finds. What is missing on this machine is
    /// nobody's mistake and goes to no model; see [`Strategy::not_run`].
    #[must_use]
    pub fn tried_on(mut self, trial: Trial) -> Self {
        self.trial = Some(trial);
        self
    }

    /// What strategies are run on.
    pub(crate) fn trial(&self) -> Option<&Trial> {
        self.trial.as_ref()
    }

    /// How often an answer that is not valid goes back to the model; 0 takes the first or none.
    #[must_use]
    pub fn max_repairs(mut self, most: u32) -> Self {
        self.max_repairs = most;
        self
    }

    /// Somebody who is told of each answer of the model as soon as it is judged.
    #[must_use]
    pub fn on_round(mut self, told: impl Fn(&Round) + Send + Sync + 'static) -> Self {
        self.told = Some(Box::new(told));
        self
    }

    /// What a user should know about settings and keys. Reads them if that has not happened yet.
    ///
    /// # Errors
    /// As [`generate`](Self::generate), for settings and keys.
    pub async fn warnings(&self) -> Result<Vec<String>, GenerateError> {
        Ok(self.connected().await?.map(Model::warnings).unwrap_or_default())
    }

    /// The same, of settings that were read already: nothing where nobody was asked yet.
    #[must_use]
    pub fn warnings_so_far(&self) -> Vec<String> {
        self.at_hand().map(Model::warnings).unwrap_or_default()
    }

    /// How the pool's keys stand for the model that is asked; `None` where there is no pool, or none yet.
    pub async fn health(&self) -> Option<Status> {
        self.at_hand()?.health(self.model.as_deref()).await
    }

    /// Makes the strategy.
    ///
    /// # Errors
    /// [`GenerateError`]: a description that cannot be used, settings or keys with errors, a call
    /// that failed for good, or answers that stayed invalid after all repairs.
    pub async fn generate(&self, description: &str) -> Result<Strategy, GenerateError> {
        let description = description.trim();
        if description.is_empty() {
            return Err(GenerateError::Empty);
        }
        if description.len() > MAX_DESCRIPTION {
            return Err(GenerateError::TooLong);
        }
        match self.connected().await? {
            None => self.run_of_the_engine(self.by_the_engine(description, &today())?).await,
            Some(model) => {
                let task = Task::new(description, self.name.as_deref());
                self.by_a_model(model, &task, prompt::generate(description)).await
            }
        }
    }

    /// Settles what is left in the background; programs call it before they end.
    pub async fn shutdown(&self, timeout: Duration) {
        if let Some(model) = self.at_hand() {
            model.shutdown(timeout).await;
        }
    }

    /// Whoever was asked, or could be without reading settings.
    fn at_hand(&self) -> Option<&Model> {
        match &*self.source {
            Source::Pool { made, .. } => made.get(),
            Source::Ready(model) => Some(model),
            Source::Offline => None,
        }
    }

    async fn connected(&self) -> Result<Option<&Model>, GenerateError> {
        match &*self.source {
            Source::Offline => Ok(None),
            Source::Ready(model) => Ok(Some(model)),
            Source::Pool { env, mode, made } => {
                let connect =
                    async || Pooled::connect(env, *mode, self.observer.as_ref()).await.map(Model::Gemini);
                made.get_or_try_init(connect).await.map(Some)
            }
        }
    }

    /// The offline engine's strategy, whatever this generator would ask: the same as
    /// [`generate`](Self::generate) of [`offline`](Self::offline), without waiting and without a run.
    ///
    /// # Errors
    /// [`GenerateError::Refused`] for a description the engine does not understand.
    pub fn translate(&self, description: &str) -> Result<Strategy, GenerateError> {
        self.by_the_engine(description, &today())
    }

    fn by_the_engine(&self, description: &str, today: &str) -> Result<Strategy, GenerateError> {
        let spec = english::translate(description)?;
        let name = self.name.as_deref().map_or_else(|| ClassName::for_spec(&spec), ClassName::new);
        let (origin, linkage) = (Origin::Offline, self.linkage);
        let provenance = Provenance { description, origin, date: today, name: self.name.as_deref(), linkage };
        let code = self.linked(render(&spec, &name, &provenance));
        let measure = Measure { description, class: None, trial: None };
        let candidate = Candidate::checked(code, measure)?;
        if !candidate.is_good() {
            return Err(candidate.of_the_engine());
        }
        Ok(Strategy {
            name: name.as_str().to_owned(),
            code: candidate.code,
            description: description.to_owned(),
            model: None,
            assumptions: spec.assumptions,
            warnings: candidate.findings,
            rounds: Vec::new(),
            mended: Vec::new(),
            run: None,
            not_run: None,
        })
    }

    /// The engine's strategies are run as well: one that fails is a mistake of ours.
    async fn run_of_the_engine(&self, strategy: Strategy) -> Result<Strategy, GenerateError> {
        let Some(trial) = &self.trial else { return Ok(strategy) };
        let measure = Measure { description: &strategy.description, class: None, trial: Some(trial) };
        let candidate = Candidate::of_file(&strategy.code, measure).await?;
        let at_a_limit = candidate.run.as_ref().is_some_and(|run| run.status == backtest::Status::Limit);
        if !candidate.is_good() && !at_a_limit {
            return Err(candidate.of_the_engine());
        }
        Ok(Strategy { run: candidate.run, not_run: candidate.not_run, ..strategy })
    }

    async fn by_a_model(&self, asked: &Model, task: &Task, first: Prompt) -> Result<Strategy, GenerateError> {
        let repair = Repair::new(self, asked, task);
        let model = repair.model();
        self.finished(task, model, repair.write(first).await?).await
    }

    async fn finished(&self, task: &Task, model: &str, made: Made) -> Result<Strategy, GenerateError> {
        let Made { candidate, rounds } = made;
        let today = today();
        let (code, assumptions) = task.file(&candidate.code, self.by(model, &today));
        let linked = self.linked(code.clone());
        // Again, as it is saved: its lines have moved, and functions that were written into it are new.
        let measure = self.measure(task);
        let saved = match linked == code {
            true => {
                let checked = Candidate::checked(code, measure)?;
                Candidate { run: candidate.run, not_run: candidate.not_run, ..checked }
            }
            false => Candidate::of_file(&linked, measure).await?,
        };
        if !saved.is_good() {
            return Err(GenerateError::StillInvalid(Box::new(StillInvalid {
                repairs: rounds.last().map_or(0, |round| round.n),
                stuck: false,
                stage: saved.stage,
                findings: saved.findings.into_iter().filter(Finding::is_error).collect(),
                draft: saved.code,
                rounds,
            })));
        }
        Ok(Strategy {
            name: saved.classes.into_iter().next().unwrap_or_default(),
            code: saved.code,
            description: task.description.clone(),
            model: (!self.simulated).then(|| model.to_owned()),
            assumptions,
            warnings: saved.findings,
            rounds,
            mended: Vec::new(),
            run: saved.run,
            not_run: saved.not_run,
        })
    }
}

/// The day, such as `2026-01-31`, in UTC.
fn today() -> String {
    SystemClock::start().now().to_string().chars().take(10).collect()
}

impl std::fmt::Debug for StrategyGenerator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StrategyGenerator")
            .field("model", &self.model)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}
