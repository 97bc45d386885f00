//! What is going on, on stderr: a spinner on a terminal, plain lines elsewhere.

use std::io::IsTerminal as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use keyrot::{Event, Observer, Outcome, in_words};
use serde::Serialize;
use strategy_gen::{MAX_REPAIRS, Round};

use super::say;

/// Shows the pool's events and keeps the attempts for the result.
#[derive(Clone, Default)]
pub(crate) struct Progress {
    spinner: Option<ProgressBar>,
    attempts: Arc<Mutex<Vec<Attempt>>>,
}

/// One attempt, for `--json`.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Attempt {
    key_id: String,
    project: String,
    model: String,
    outcome: &'static str,
    took_ms: u128,
    condemned: Option<String>,
}

impl Attempt {
    /// The key that was used.
    pub(crate) fn key_id(&self) -> &str {
        &self.key_id
    }
}

impl Progress {
    /// A spinner on a terminal, lines elsewhere; the spinner goes with what is given back.
    pub(crate) fn start(what: &str) -> Shown {
        Shown(Self::new(what))
    }

    fn new(what: &str) -> Self {
        if !std::io::stderr().is_terminal() {
            return Self::default();
        }
        let style = ProgressStyle::with_template("{spinner} {msg} ({elapsed})");
        let spinner = ProgressBar::new_spinner();
        if let Ok(style) = style {
            spinner.set_style(style);
        }
        spinner.set_message(what.to_owned());
        spinner.enable_steady_tick(Duration::from_millis(100));
        Self { spinner: Some(spinner), attempts: Arc::default() }
    }

    /// A line that stays.
    pub(crate) fn line(&self, line: &str) {
        match &self.spinner {
            Some(spinner) => spinner.suspend(|| say(line)),
            None => say(line),
        }
    }

    /// What is wrong with an answer of the model, unless it is good.
    pub(crate) fn round(&self, round: &Round) {
        let Some((first, others)) = round.problems.split_first().filter(|_| !round.valid) else { return };
        let more = if others.is_empty() { String::new() } else { format!(" (and {} more)", others.len()) };
        let next = match round.n {
            MAX_REPAIRS => "giving up".to_owned(),
            n => format!("asking for repair {} of {MAX_REPAIRS}", n + 1),
        };
        self.line(&format!("not valid: {first}{more}; {next}"));
    }

    /// Takes the spinner away.
    pub(crate) fn finish(&self) {
        if let Some(spinner) = &self.spinner {
            spinner.finish_and_clear();
        }
    }

    /// The attempts so far.
    pub(crate) fn attempts(&self) -> Vec<Attempt> {
        self.attempts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The progress while its work goes on. The pool's own handles may outlive the work, and an error must not be
/// written beside a spinner.
pub(crate) struct Shown(Progress);

impl std::ops::Deref for Shown {
    type Target = Progress;
    fn deref(&self) -> &Progress {
        &self.0
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        self.finish();
    }
}

impl Observer for Progress {
    fn observe(&self, event: &Event) {
        match event {
            Event::Waiting { model, eta, ahead, .. } => {
                self.line(&format!("waiting {} for quota of {model} ({ahead} ahead)", in_words(*eta)));
            }
            Event::Started { key, project, model, attempt } => {
                if let Some(spinner) = &self.spinner {
                    spinner
                        .set_message(format!("{model}, key {key} of project {project}, attempt {attempt}"));
                }
            }
            Event::Ended { key, project, model, attempt, outcome, took, condemned } => {
                let then = condemned.as_ref().map_or_else(String::new, |what| format!("; out: {what}"));
                self.line(&format!(
                    "attempt {attempt}: key {key} (project {project}): {}, {}{then}",
                    words(outcome),
                    in_words(*took)
                ));
                self.attempts.lock().unwrap_or_else(PoisonError::into_inner).push(Attempt {
                    key_id: key.to_string(),
                    project: project.to_string(),
                    model: model.to_string(),
                    outcome: outcome.label(),
                    took_ms: took.as_millis(),
                    condemned: condemned.clone(),
                });
            }
            Event::FellBack { from, to } => self.line(&format!("{from} cannot be had now: asking {to}")),
            Event::LastResort { key } => self.line(&format!("no key of the pool is usable: {key} serves")),
            _ => {}
        }
    }
}

pub(super) fn words(outcome: &Outcome) -> String {
    outcome
        .effect()
        .condemn
        .map_or_else(|| outcome.label().replace('_', " "), |c| c.reason.in_words().to_owned())
}
