//! The loop: an answer is judged, and what is wrong with it goes back to the model in a prompt that needs no chat
//! before it, until nothing is wrong, no repair is left, or the model repeats itself.

use keyrot::{Clock, SystemClock};

use crate::failure::{GenerateError, StillInvalid};
use crate::finding::Stage;
use crate::model::{Answer, Model};
use crate::prompt::{self, Prompt};
use crate::python::Origin;

use super::candidate::{Candidate, Measure};
use super::round::{Round, Then, Tokens, best};
use super::task::{By, Task};
use super::{StrategyGenerator, today};

/// A good file, and how it came about.
pub(super) struct Made {
    pub(super) candidate: Candidate,
    pub(super) rounds: Vec<Round>,
}

/// One task being worked on with one model.
pub(super) struct Repair<'g> {
    pub(super) generator: &'g StrategyGenerator,
    pub(super) asked: &'g Model,
    pub(super) task: &'g Task,
    rounds: Vec<Round>,
    /// What was wrong with every answer so far, and its code.
    seen: Vec<(String, String)>,
    /// The model has been asked differently, and nothing new has come since.
    warmed: bool,
}

impl<'g> Repair<'g> {
    pub(super) fn new(generator: &'g StrategyGenerator, asked: &'g Model, task: &'g Task) -> Self {
        Self { generator, asked, task, rounds: Vec::new(), seen: Vec::new(), warmed: false }
    }

    pub(super) fn model(&self) -> &'g str {
        self.generator.model.as_deref().unwrap_or_else(|| self.asked.default_name())
    }

    /// Beginning with a prompt.
    pub(super) async fn write(self, first: Prompt) -> Result<Made, GenerateError> {
        self.go_on(0, first).await
    }

    /// Beginning with a file that is not good.
    pub(super) async fn mend(mut self, given: Candidate) -> Result<Made, GenerateError> {
        let then = self.then(0, &given);
        self.note(0, None, &given, then);
        match self.next(&given, then) {
            Ok(prompt) => self.go_on(1, prompt).await,
            Err(error) => Err(error),
        }
    }

    async fn go_on(mut self, first: u32, mut prompt: Prompt) -> Result<Made, GenerateError> {
        let clock = SystemClock::start();
        let mut n = first;
        loop {
            if let Some(class) = &self.task.class {
                prompt = prompt.named(class);
            }
            let start = clock.now();
            let answer = self.asked.ask(self.model(), prompt, self.generator.max_wait).await?;
            let took = clock.now().since(start);
            let candidate = Candidate::of_answer(&answer, self.generator.measure(self.task)).await?;
            let then = self.then(n, &candidate);
            let ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
            self.note(n, Some((&answer, ms)), &candidate, then);
            if candidate.is_good() {
                return Ok(Made { candidate, rounds: self.rounds });
            }
            prompt = self.next(&candidate, then)?;
            n += 1;
        }
    }

    /// What follows: decided before it is told.
    fn then(&mut self, n: u32, candidate: &Candidate) -> Then {
        if candidate.is_good() {
            return Then::Done;
        }
        let print = candidate.fingerprint();
        let repeats = self.seen.iter().any(|(seen, code)| *seen == print && candidate.resembles(code));
        self.seen.push((print, candidate.code.clone()));
        let of = self.generator.max_repairs;
        let stuck = repeats && self.warmed;
        self.warmed = repeats;
        match (stuck, n >= of) {
            (true, _) => Then::Stuck,
            (false, true) => Then::GiveUp,
            (false, false) => Then::Repair { n: n + 1, of, differently: repeats },
        }
    }

    fn note(&mut self, n: u32, answer: Option<(&Answer, u64)>, candidate: &Candidate, then: Then) {
        let model = answer.map(|(answer, _)| answer.version.clone().unwrap_or_else(|| self.model().into()));
        let today = today();
        let by = self.generator.by(self.model(), &today);
        let (draft, above) = self.task.draft(&candidate.code, by);
        let round = Round {
            n,
            model,
            key_id: answer.and_then(|(answer, _)| answer.key_id.clone()),
            tokens: answer.map_or_else(Tokens::default, |(answer, _)| Tokens {
                input: answer.prompt_tokens,
                output: answer.output_tokens,
            }),
            ms: answer.map_or(0, |(_, ms)| ms),
            stage: candidate.stage,
            diagnostics: candidate.findings.clone(),
            mended: candidate.mended.clone(),
            draft,
            above,
            then,
        };
        if let Some(told) = &self.generator.told {
            told(&round);
        }
        self.rounds.push(round);
    }

    fn next(&self, candidate: &Candidate, then: Then) -> Result<Prompt, GenerateError> {
        match then {
            Then::Repair { differently, .. } => {
                let prompt = prompt::repair(&self.task.description, &candidate.code, &candidate.problems());
                Ok(if differently { prompt.differently() } else { prompt })
            }
            Then::Done | Then::GiveUp | Then::Stuck => Err(self.given_up(then == Then::Stuck)),
        }
    }

    fn given_up(&self, stuck: bool) -> GenerateError {
        let repairs = self.rounds.last().map_or(0, |round| round.n);
        let best = best(&self.rounds);
        let findings = best.map_or_else(Vec::new, |best| {
            best.errors().map(|finding| finding.clone().moved(best.above)).collect()
        });
        GenerateError::StillInvalid(Box::new(StillInvalid {
            repairs,
            stuck,
            stage: best.map_or(Stage::Extract, |best| best.stage),
            findings,
            draft: best.map(|best| best.draft.clone()).unwrap_or_default(),
            rounds: self.rounds.clone(),
        }))
    }
}

impl StrategyGenerator {
    /// What files of this task are held against.
    pub(super) fn measure<'a>(&'a self, task: &'a Task) -> Measure<'a> {
        Measure { description: &task.description, class: task.class.as_deref(), trial: self.trial.as_ref() }
    }

    /// Who writes, today.
    pub(super) fn by<'a>(&self, model: &'a str, date: &'a str) -> By<'a> {
        let origin = match self.at_hand() {
            _ if self.simulated => Origin::Offline,
            Some(Model::OpenAi(_)) => Origin::OpenAi(model),
            Some(Model::Gemini(_)) | None => Origin::Model(model),
        };
        By { origin, date, linkage: self.linkage }
    }
}
