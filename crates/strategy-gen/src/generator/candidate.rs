//! What a file is worth: how far it gets from the answer to a clean run.

use crate::backtest::{self, RunError, Trial};
use crate::check::{Code, check_against};
use crate::extract::{ExtractError, extract};
use crate::failure::GenerateError;
use crate::finding::{self, Finding, Stage};
use crate::model::Answer;

use super::mend::mended;

/// A file and what was found of it.
#[derive(Debug, Clone)]
pub(super) struct Candidate {
    /// Without header; may be empty.
    pub(super) code: String,
    pub(super) stage: Stage,
    pub(super) findings: Vec<Finding>,
    /// What was mended without asking.
    pub(super) mended: Vec<String>,
    /// The classes that are strategies.
    pub(super) classes: Vec<String>,
    /// What came of running it.
    pub(super) run: Option<backtest::Report>,
    /// Why it was not run though it was to be.
    pub(super) not_run: Option<String>,
}

/// Against what a file is held.
#[derive(Debug, Clone, Copy)]
pub(super) struct Measure<'a> {
    pub(super) description: &'a str,
    /// What the class must be called.
    pub(super) class: Option<&'a str>,
    pub(super) trial: Option<&'a Trial>,
}

impl Candidate {
    fn without_code(finding: Finding, code: String) -> Self {
        Self {
            code,
            stage: Stage::Extract,
            findings: vec![finding],
            mended: Vec::new(),
            classes: Vec::new(),
            run: None,
            not_run: None,
        }
    }

    /// The file in an answer, judged.
    pub(super) async fn of_answer(answer: &Answer, measure: Measure<'_>) -> Result<Self, GenerateError> {
        if let Some(reason) = &answer.refused {
            return Err(GenerateError::Blocked { reason: reason.clone() });
        }
        let cut = |message: &str, code| {
            Self::without_code(Finding::error("cut-off", message, "write a shorter file"), code)
        };
        match extract(answer.text.as_str()) {
            Ok(extracted) if answer.cut && extracted.unclosed => {
                Ok(cut("the answer was cut off", extracted.code))
            }
            Ok(extracted) => Self::of_file(&extracted.code, measure).await,
            Err(ExtractError::Truncated { partial }) => {
                Ok(cut("the answer stops in the middle of the code", partial))
            }
            Err(error @ (ExtractError::Empty | ExtractError::NoCode)) => {
                let hint = "answer with the file in one ```python block";
                Ok(Self::without_code(Finding::error("no-code", error.to_string(), hint), String::new()))
            }
        }
    }

    /// A file, judged.
    pub(super) async fn of_file(code: &str, measure: Measure<'_>) -> Result<Self, GenerateError> {
        let (code, mended) = mended(code)?;
        let mut candidate = Self::checked(code.into_owned(), measure)?;
        candidate.mended = mended;
        if let (Stage::Done, Some(trial)) = (candidate.stage, measure.trial) {
            candidate.run_on(trial).await?;
        }
        Ok(candidate)
    }

    /// As far as can be told without running it.
    pub(super) fn checked(code: String, measure: Measure<'_>) -> Result<Self, GenerateError> {
        let report = check_against(&code, measure.description)?;
        let mut findings: Vec<Finding> = report.diagnostics.iter().map(Finding::from).collect();
        if let (Some(name), [class]) = (measure.class, report.strategies.as_slice())
            && name != class
        {
            let message = format!("the class is called `{class}`");
            findings.push(Finding::error("other-name", message, &format!("call it `{name}`")));
        }
        let stage = match findings.iter().any(Finding::is_error) {
            false => Stage::Done,
            true if report.has(Code::Syntax) => Stage::Parse,
            true => Stage::Check,
        };
        let (mended, classes) = (Vec::new(), report.strategies);
        Ok(Self { code, stage, findings, mended, classes, run: None, not_run: None })
    }

    async fn run_on(&mut self, trial: &Trial) -> Result<(), GenerateError> {
        match trial.run(&self.code, "the strategy").await {
            Ok(report) => {
                let (stage, found) = finding::of_run(&report);
                self.stage = stage;
                self.findings.extend(found);
                self.run = Some(report);
            }
            // Nothing of this is the strategy's doing, and no model can mend it.
            Err(RunError::Environment(fault)) => self.not_run = Some(fault.to_string()),
            Err(RunError::Cancelled) => self.not_run = Some("the run was interrupted".to_owned()),
        }
        Ok(())
    }

    /// Of the offline engine nothing may be wrong.
    pub(super) fn of_the_engine(self) -> GenerateError {
        let findings = self.findings.into_iter().filter(Finding::is_error).collect();
        GenerateError::Engine { findings, draft: self.code }
    }

    pub(super) fn is_good(&self) -> bool {
        self.stage == Stage::Done
    }

    /// What a model is told: every error, and what of the description is lost.
    pub(super) fn problems(&self) -> Vec<&Finding> {
        self.findings.iter().filter(|finding| finding.is_error() || finding.is_lost()).collect()
    }

    /// The same for answers that fail for the same reasons, whatever their lines and numbers.
    pub(super) fn fingerprint(&self) -> String {
        let mut parts: Vec<String> = self
            .findings
            .iter()
            .filter(|finding| finding.is_error())
            .map(|finding| format!("{} {}", finding.code, without_numbers(&finding.message)))
            .collect();
        parts.sort();
        parts.dedup();
        format!("{} {}", self.stage, parts.join("\n"))
    }

    /// Whether the other one is much the same text.
    pub(super) fn resembles(&self, other: &str) -> bool {
        /// Share of lines that two texts have in common.
        const MUCH: f32 = 0.85;
        similar::TextDiff::from_lines(other, self.code.as_str()).ratio() >= MUCH
    }
}

fn without_numbers(message: &str) -> String {
    let mut text = String::new();
    for c in message.chars() {
        match c {
            c if c.is_ascii_digit() => {
                if !text.ends_with('#') {
                    text.push('#');
                }
            }
            c => text.push(c),
        }
    }
    text
}
