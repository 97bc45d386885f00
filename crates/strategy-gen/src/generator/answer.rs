//! What an answer of the model is worth.

use serde::Serialize;

use crate::check::{Report, Severity, check_against};
use crate::extract::{ExtractError, extract};
use crate::failure::GenerateError;
use crate::model::Answer;
use crate::python::ClassName;

/// One answer of the model.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Round {
    /// 0 is the first answer, the rest are repairs.
    pub n: u32,
    /// The version of the model that answered.
    pub model: String,
    /// Input tokens of the call, where reported.
    pub prompt_tokens: Option<u64>,
    /// Output tokens of the call, where reported.
    pub output_tokens: Option<u64>,
    /// Whether the answer is a strategy without errors.
    pub valid: bool,
    /// What was wrong with the answer, one line each; warnings included.
    pub problems: Vec<String>,
}

/// An answer, judged.
pub(super) enum Judged {
    Valid { code: String, report: Report },
    Invalid { code: String, found: Vec<String> },
}

impl Round {
    pub(super) fn new(n: u32, model: &str, answer: &Answer, judged: &Judged) -> Self {
        Self {
            n,
            model: answer.version.clone().unwrap_or_else(|| model.to_owned()),
            prompt_tokens: answer.prompt_tokens,
            output_tokens: answer.output_tokens,
            valid: matches!(judged, Judged::Valid { .. }),
            problems: match judged {
                Judged::Valid { report, .. } => report.diagnostics.iter().map(ToString::to_string).collect(),
                Judged::Invalid { found, .. } => found.clone(),
            },
        }
    }
}

/// What is in an answer, and what is wrong with it.
pub(super) fn judge(
    answer: &Answer,
    description: &str,
    name: Option<&ClassName>,
) -> Result<Judged, GenerateError> {
    if let Some(reason) = &answer.refused {
        return Err(GenerateError::Blocked { reason: reason.clone() });
    }
    let invalid = |code: String, problem: &str| Judged::Invalid { code, found: vec![problem.to_owned()] };
    let extracted = match extract(&answer.text) {
        Ok(extracted) if answer.cut && extracted.unclosed => {
            return Ok(invalid(extracted.code, "the answer was cut off: write a shorter file"));
        }
        Ok(extracted) => extracted,
        Err(ExtractError::Truncated { partial }) => {
            return Ok(invalid(partial, "the answer stops in the middle of the code: write a shorter file"));
        }
        Err(error @ (ExtractError::Empty | ExtractError::NoCode)) => {
            let problem = format!("{error}: answer with the file in one ```python block");
            return Ok(invalid(String::new(), &problem));
        }
    };
    let report = check_against(&extracted.code, description)?;
    let mut found = problems(&report);
    if let (Some(name), [class]) = (name, report.strategies.as_slice())
        && name.as_str() != class
    {
        found.push(format!("the class is called `{class}`: call it `{name}`"));
    }
    Ok(match found.is_empty() {
        true => Judged::Valid { code: extracted.code, report },
        false => Judged::Invalid { code: extracted.code, found },
    })
}

/// The errors of a report, one line each.
pub(super) fn problems(report: &Report) -> Vec<String> {
    let errors = report.diagnostics.iter().filter(|d| d.severity == Severity::Error);
    errors.map(ToString::to_string).collect()
}
