//! What is wrong with a strategy, whoever found it: the extraction, the check, or a run.

use std::fmt;

use serde::Serialize;

use crate::backtest::{Failure, Frame, Report};
use crate::check::{Code, Diagnostic, Severity};
use crate::sandbox::Limit;

/// How far a strategy got; a later stage means that everything before it was passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Stage {
    /// The answer holds no whole file.
    Extract,
    /// The file is no Python.
    Parse,
    /// The check found errors.
    Check,
    /// The strategy failed, or was stopped at a limit, when it was run.
    Run,
    /// Its decisions depend on the future.
    LookAhead,
    /// Nothing is wrong.
    Done,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

/// One thing that is wrong, or to look at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Finding {
    /// What kind: a code of the check, or `no-code`, `cut-off`, `other-name`, `failed`, `limit`, `look-ahead`.
    pub code: String,
    /// How bad.
    pub severity: Severity,
    /// Line, from 1.
    pub line: Option<usize>,
    /// Column in characters, from 1.
    pub column: Option<usize>,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// The lines of the strategy that an error passed, the innermost last.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub frames: Vec<Frame>,
}

impl Finding {
    /// An error without a place.
    pub(crate) fn error(code: &str, message: impl Into<String>, hint: &str) -> Self {
        Self {
            code: code.to_owned(),
            severity: Severity::Error,
            line: None,
            column: None,
            message: message.into(),
            hint: (!hint.is_empty()).then(|| hint.to_owned()),
            frames: Vec::new(),
        }
    }

    /// Whether the strategy must be repaired.
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }

    /// The same where `lines` more stand above it.
    pub(crate) fn moved(mut self, lines: usize) -> Self {
        self.line = self.line.map(|line| line + lines);
        for frame in &mut self.frames {
            frame.line += lines;
        }
        self
    }

    /// Warnings that a model is told of, too: what the description asks for and the file lacks.
    pub(crate) fn is_lost(&self) -> bool {
        [Code::LostNumber, Code::LostIndicator].iter().any(|code| self.code == code.to_string())
    }
}

impl From<&Diagnostic> for Finding {
    fn from(found: &Diagnostic) -> Self {
        let Diagnostic { code, severity, line, column, message, hint } = found;
        Self {
            code: code.to_string(),
            severity: *severity,
            line: Some(*line),
            column: Some(*column),
            message: message.clone(),
            hint: hint.clone(),
            frames: Vec::new(),
        }
    }
}

impl fmt::Display for Finding {
    /// `line:column code message`, the lines that an error passed, then the hint.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { code, severity: _, line, column, message, hint, frames } = self;
        match (line, column) {
            (Some(line), Some(column)) => write!(f, "{line}:{column} ")?,
            (Some(line), None) => write!(f, "{line} ")?,
            (None, _) => {}
        }
        write!(f, "{code} {message}")?;
        for Frame { line, function, code } in frames {
            let function = if function.is_empty() { "the file".to_owned() } else { function.to_string() };
            write!(f, "; line {line} in {function}: `{code}`")?;
        }
        match hint {
            Some(hint) => write!(f, "; hint: {hint}"),
            None => Ok(()),
        }
    }
}

/// What a run found, and how far the strategy got. That there was no trade is no finding.
pub(crate) fn of_run(report: &Report) -> (Stage, Vec<Finding>) {
    let mut found: Vec<Finding> = Vec::new();
    let mut failed = |failure: &Failure, data: &str| {
        let finding = of_failure(failure, data);
        // The same mistake on several sets is one mistake.
        let known = |other: &Finding| other.line == finding.line && other.frames == finding.frames;
        if !found.iter().any(|other| known(other) && other.code == finding.code) {
            found.push(finding);
        }
    };
    for result in &report.results {
        if let Some(failure) = &result.failure {
            failed(failure, &result.dataset);
        }
    }
    if let Some(failure) = &report.failure {
        failed(failure, "");
    }
    if !found.is_empty() {
        return (Stage::Run, found);
    }
    for result in &report.results {
        if let Some(seen) = result.warnings.iter().find(|warning| warning.code == "look_ahead") {
            let message = format!("on {}: {}", result.dataset, seen.message);
            found.push(Finding::error("look-ahead", message, seen.hint.as_deref().unwrap_or_default()));
        }
    }
    (if found.is_empty() { Stage::Done } else { Stage::LookAhead }, found)
}

fn of_failure(failure: &Failure, data: &str) -> Finding {
    let on = if data.is_empty() { String::new() } else { format!("on {data}: ") };
    match failure {
        Failure::Limit { limit, message } => {
            let told = message.split("; hint: ").next().unwrap_or(message);
            let hint = match limit {
                Limit::Time => "do the work once in `init`, and let every loop end",
                Limit::Memory => "keep no copies of the data",
                Limit::Output => "print nothing",
                Limit::FileSize | Limit::Files => "write nothing",
                Limit::Threads => "start no threads",
            };
            Finding::error("limit", format!("{on}{told}"), hint)
        }
        Failure::Strategy { stage, errors, hint } => {
            let chain: Vec<String> = errors
                .iter()
                .map(|error| match error.message.to_string().trim() {
                    "" => error.class.to_string(),
                    message => format!("{}: {message}", error.class),
                })
                .collect();
            let mut frames: Vec<Frame> = Vec::new();
            for frame in errors.iter().flat_map(|error| &error.frames) {
                if !frames.contains(frame) {
                    frames.push(frame.clone());
                }
            }
            let told = match chain.as_slice() {
                [] => format!("failed in stage `{stage}`"),
                chain => chain.join("; because of "),
            };
            let finding =
                Finding::error("failed", format!("{on}{told}"), hint.as_deref().unwrap_or_default());
            Finding { line: frames.last().map(|frame| frame.line), frames, ..finding }
        }
    }
}
