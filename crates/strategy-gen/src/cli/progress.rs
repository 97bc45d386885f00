//! What is going on, on stderr: a spinner on a terminal, plain lines elsewhere.

use std::io::IsTerminal as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use keyrot::{Event, Observer, Outcome, in_words, untrusted};
use serde::Serialize;
use strategy_gen::{Round, Then};

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
        spinner.set_message(untrusted::for_terminal(what));
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

    /// Things to look at, a line each.
    pub(crate) fn warn(&self, warnings: impl IntoIterator<Item = String>) {
        for warning in warnings {
            self.line(&format!("warning: {warning}"));
        }
    }

    /// What an answer of the model is worth, and what follows.
    pub(crate) fn round(&self, round: &Round) {
        self.line(&told(round));
        if let Then::Repair { n, of, differently } = round.then {
            let how = if differently { ", differently, as the model repeats itself" } else { "" };
            self.line(&format!("asking for repair {n} of {of}{how}"));
        }
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
            Event::Started { key, project, model, attempt, .. } => {
                if let Some(spinner) = &self.spinner {
                    let what = format!("{model}, key {key} of project {project}, attempt {attempt}");
                    spinner.set_message(untrusted::for_terminal(&what));
                }
            }
            Event::Ended { key, project, model, attempt, outcome, took, condemned, .. } => {
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
            other => {
                if let Some(line) = plain(other) {
                    self.line(&line);
                }
            }
        }
    }
}

/// What is told of an event in the same words wherever it is told.
pub(crate) fn plain(event: &Event) -> Option<String> {
    match event {
        Event::TakenBack { answer, .. } => {
            let answer = answer.replace('_', " ");
            Some(format!(
                "every key answered alike ({answer}): the request is at fault, and no key is kept out"
            ))
        }
        Event::FellBack { from, to, .. } => Some(format!("{from} cannot be had now: asking {to}")),
        Event::LastResort { key, .. } => Some(format!("no key of the pool is usable: {key} serves")),
        _ => None,
    }
}

/// A line for a round: who answered, how long it took, how far it got, and the first thing that is wrong.
fn told(round: &Round) -> String {
    let what = match (&round.model, round.n) {
        (None, _) => "the file".to_owned(),
        (Some(_), 0) => "the answer".to_owned(),
        (Some(_), n) => format!("repair {n}"),
    };
    let mut details: Vec<String> = round.model.iter().map(ToString::to_string).collect();
    details.extend(round.key_id.iter().map(|key| format!("key {key}")));
    if round.model.is_some() {
        details.push(format!("{}.{} s", round.ms / 1_000, round.ms % 1_000 / 100));
    }
    if let (Some(input), Some(output)) = (round.tokens.input, round.tokens.output) {
        details.push(format!("{input} + {output} tokens"));
    }
    let details = if details.is_empty() { String::new() } else { format!(" ({})", details.join(", ")) };
    let mended = if round.mended.is_empty() {
        String::new()
    } else {
        format!("; mended: {}", round.mended.join(", "))
    };
    let mut errors = round.errors();
    match (errors.next(), errors.count()) {
        (None, _) => format!("{what}{details}: good{mended}"),
        (Some(first), 0) => format!("{what}{details}: not valid, {}: {first}{mended}", round.stage),
        (Some(first), n) => {
            format!("{what}{details}: not valid, {}: {first} (and {n} more){mended}", round.stage)
        }
    }
}

pub(super) fn words(outcome: &Outcome) -> String {
    outcome
        .effect()
        .condemn
        .map_or_else(|| outcome.label().replace('_', " "), |c| c.reason.in_words().to_owned())
}
