//! Files that exist: mended until they run, or changed as their user asks.

use crate::failure::{GenerateError, StillInvalid};
use crate::finding::{Finding, Stage};
use crate::prompt;
use crate::python::{Header, assumptions_in, description_in, header_of};

use super::candidate::{Candidate, Measure};
use super::repair::Repair;
use super::task::{Head, Task};
use super::{MAX_DESCRIPTION, Strategy, StrategyGenerator};

impl StrategyGenerator {
    /// Mends a file: what the check, or a run, finds goes to the model until nothing is left. A file that is fine
    /// comes back as it is, and nobody is asked; so does one whose faults need no model.
    ///
    /// `description` is what the file should do; without one, what its header says.
    ///
    /// # Errors
    /// As [`generate`](Self::generate).
    pub async fn fix(&self, file: &str, description: Option<&str>) -> Result<Strategy, GenerateError> {
        let text = file.replace("\r\n", "\n");
        let (head, code) = header_of(&text);
        let description = description.or_else(|| description_in(file)).unwrap_or_default();
        let mut task = Task {
            description: described(description)?.to_owned(),
            class: None,
            head: Head::Kept(head.to_owned()),
        };
        let given = Candidate::of_file(code, self.measure(&task)).await?;
        if given.is_good() {
            return self.left(&task, file, &text, given);
        }
        // A file that cannot be read as Python may still tell its class.
        task.class = only(&given.classes);
        let Some(asked) = self.connected().await? else {
            return Err(unasked(given, &task));
        };
        let repair = Repair::new(self, asked, &task);
        let model = repair.model();
        self.finished(&task, model, repair.mend(given).await?).await
    }

    /// Changes a file as `request` says, and keeps the rest. What the answer gets wrong is repaired as anywhere.
    ///
    /// # Errors
    /// As [`generate`](Self::generate).
    pub async fn improve(
        &self,
        file: &str,
        description: Option<&str>,
        request: &str,
    ) -> Result<Strategy, GenerateError> {
        let text = file.replace("\r\n", "\n");
        let (head, code) = header_of(&text);
        let request = request.trim();
        if request.is_empty() {
            return Err(GenerateError::Empty);
        }
        let before = described(description.or_else(|| description_in(file)).unwrap_or_default())?;
        let given =
            Candidate::checked(code.to_owned(), Measure { description: "", class: None, trial: None })?;
        let class = only(&given.classes);
        let task = Task {
            description: match before {
                "" => request.to_owned(),
                before => format!("{before}; {request}"),
            },
            class: class.clone(),
            head: match head {
                "" => Head::Kept(String::new()),
                head => Head::Written { name: class, assumptions: assumptions_in(head) },
            },
        };
        described(&task.description)?;
        let Some(asked) = self.connected().await?.filter(|_| !too_large(&given)) else {
            return Err(unasked(given, &task));
        };
        self.by_a_model(asked, &task, prompt::improve(before, code, request)).await
    }

    /// A file that is good, or was mended without a model.
    fn left(&self, task: &Task, file: &str, text: &str, given: Candidate) -> Result<Strategy, GenerateError> {
        let Candidate { code, run, not_run, mut mended, .. } = given;
        let (mut kept, assumptions) = task.file(&code, self.by("", ""));
        if kept == text {
            // Line ends alone are no fault.
            kept = file.to_owned();
        } else if text != file {
            mended.insert(0, "line ends".to_owned());
        }
        let saved = Candidate::checked(kept, self.measure(task))?;
        Ok(Strategy {
            name: saved.classes.into_iter().next().unwrap_or_default(),
            code: saved.code,
            description: task.description.clone(),
            // It is still whose it was.
            model: Header::read(file).and_then(|header| header.model),
            assumptions,
            warnings: saved.findings,
            rounds: Vec::new(),
            mended,
            run,
            not_run,
        })
    }
}

fn described(description: &str) -> Result<&str, GenerateError> {
    let description = description.trim();
    if description.len() > MAX_DESCRIPTION { Err(GenerateError::TooLong) } else { Ok(description) }
}

/// The class of a file that has exactly one.
fn only(classes: &[String]) -> Option<String> {
    match classes {
        [class] => Some(class.clone()),
        _ => None,
    }
}

fn too_large(given: &Candidate) -> bool {
    given.findings.iter().any(|finding| finding.code == crate::check::Code::TooLarge.to_string())
}

/// Where there is no model to ask.
fn unasked(given: Candidate, task: &Task) -> GenerateError {
    let above = match &task.head {
        Head::Kept(head) => head.lines().count(),
        Head::Written { .. } => 0,
    };
    let errors = given.findings.into_iter().filter(Finding::is_error);
    GenerateError::StillInvalid(Box::new(StillInvalid {
        repairs: 0,
        stuck: false,
        stage: Stage::min(given.stage, Stage::LookAhead),
        findings: errors.map(|finding| finding.moved(above)).collect(),
        draft: String::new(),
        rounds: Vec::new(),
    }))
}
