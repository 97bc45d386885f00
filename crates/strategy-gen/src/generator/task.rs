//! What is to be made: the words, the class's name, and what stands above the code when it is saved.

use crate::prompt;
use crate::python::{ClassName, Linkage, Origin, Provenance, assumptions_in, header};

/// A task for a model.
#[derive(Debug)]
pub(super) struct Task {
    /// What the file is held against; empty where nobody says.
    pub(super) description: String,
    /// What the class must be called.
    pub(super) class: Option<String>,
    pub(super) head: Head,
}

/// What stands above the code.
#[derive(Debug)]
pub(super) enum Head {
    /// A header of our own, with assumptions from before.
    Written {
        /// The name the user asked for, for the command to repeat.
        name: Option<String>,
        assumptions: Vec<String>,
    },
    /// What stood there, to the letter.
    Kept(String),
}

/// Who wrote the code, and when.
#[derive(Debug, Clone, Copy)]
pub(super) struct By<'a> {
    pub(super) origin: Origin<'a>,
    pub(super) date: &'a str,
    pub(super) linkage: Linkage,
}

/// A line of a draft's header.
const DRAFT: &str = "# draft: not valid yet; `strategy-gen fix` with this file goes on\n";

impl Task {
    /// A new strategy.
    pub(super) fn new(description: &str, name: Option<&str>) -> Self {
        Self {
            description: description.to_owned(),
            class: name.map(|name| ClassName::new(name).as_str().to_owned()),
            head: Head::Written { name: name.map(str::to_owned), assumptions: Vec::new() },
        }
    }

    /// What is saved of a good file, and its assumptions.
    pub(super) fn file(&self, code: &str, by: By<'_>) -> (String, Vec<String>) {
        match &self.head {
            Head::Kept(head) => (format!("{}{code}", head.replace(DRAFT, "")), assumptions_in(head)),
            Head::Written { name, assumptions } => {
                let (told, code) = prompt::without_assumptions(code);
                let mut assumptions = assumptions.clone();
                assumptions.extend(told);
                let head = self.header(by, name.as_deref(), &assumptions);
                (format!("{head}\n{code}"), assumptions)
            }
        }
    }

    /// What is saved of a file that is not good, and how many lines stand above its code.
    pub(super) fn draft(&self, code: &str, by: By<'_>) -> (String, usize) {
        if code.trim().is_empty() {
            return (String::new(), 0);
        }
        let head = match &self.head {
            Head::Kept(head) => head.clone(),
            Head::Written { name, assumptions } => {
                format!("{}{DRAFT}\n", self.header(by, name.as_deref(), assumptions))
            }
        };
        let lines = head.lines().count();
        (head + code, lines)
    }

    fn header(&self, by: By<'_>, name: Option<&str>, assumptions: &[String]) -> String {
        let By { origin, date, linkage } = by;
        let provenance = Provenance { description: &self.description, origin, date, name, linkage };
        header(&provenance, &[], assumptions)
    }
}
