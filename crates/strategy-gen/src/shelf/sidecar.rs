//! The file beside a strategy's file that says how it was made.
//!
//! `rsi.py` has `rsi.strategy.json`. The ending has two parts because `rsi.json` is a name that people give to files
//! of their own; even so, a file of that name which is not ours is never replaced.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use keyrot::file::{self, Links, ReadError};
use keyrot::{UntrustedText, untrusted};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::record_key::has_code;
use super::{LastRun, RecordKey, Signer, digest};
use crate::check::{CheckError, parameters};
use crate::finding::Finding;
use crate::generator::Strategy;
use crate::output::{Existing, WriteError, write};
use crate::report::Verdict;

const SCHEMA: u32 = 1;
const TOOL: &str = "strategy-gen";
/// More than any of ours; a file that is larger is somebody else's.
const MOST: u64 = 4 << 20;

/// How a strategy was made, and what its last run gave.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Sidecar {
    /// 1; another number where fields change their meaning.
    pub schema: u32,
    /// The program and its version.
    pub tool: UntrustedText,
    /// The name of the strategy's file, without its folder.
    pub file: UntrustedText,
    /// Of the file as it was saved.
    pub sha256: String,
    /// The class.
    pub name: UntrustedText,
    /// The user's words.
    pub description: UntrustedText,
    /// The model that wrote it; `None` for the offline engine.
    pub model: Option<UntrustedText>,
    /// When, such as `2026-01-31T12:00:00Z`.
    pub date: UntrustedText,
    /// The parameters of the class, as they stand in the file.
    pub parameters: Map<String, Value>,
    /// What the words left open and was filled in.
    pub assumptions: Vec<UntrustedText>,
    /// What to look at.
    pub warnings: Vec<UntrustedText>,
    /// What was checked when it was saved.
    pub checks: Checks,
    /// Each answer of the model, in order, with what was wrong with it.
    pub rounds: Vec<Value>,
    /// What repeats it, to be pasted into a shell.
    pub command: UntrustedText,
    /// The last run of the file, as long as it is unchanged.
    pub run: Option<LastRun>,
}

/// A sidecar as it was found.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Record {
    /// What it says.
    pub sidecar: Sidecar,
    /// Whether this installation has written it, and nobody has changed it since.
    pub verified: bool,
    /// Whether some installation has signed it.
    pub signed: bool,
}

/// What was checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checks {
    /// It is Python.
    pub syntax: Verdict,
    /// Imports, names and calls are those of a strategy, and none of them looks into the future.
    pub policy: Verdict,
    /// The numbers and indicators of the description are there.
    pub fidelity: Verdict,
}

/// What a strategy does not say of itself.
#[derive(Debug, Clone)]
pub struct Made<'a> {
    /// The file.
    pub path: &'a Path,
    /// When.
    pub date: String,
    /// What repeats it.
    pub command: String,
}

/// Why a sidecar could not be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SidecarError {
    /// There is a file of that name that is not ours.
    #[error("`{}` is not of this program and was left as it is\nhint: give the strategy another name", keyrot::untrusted::path(&path))]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// It cannot be read.
    #[error("cannot read `{}`: {source}\nhint: give this user the right to read it", keyrot::untrusted::path(&path))]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The strategy's own text could not be looked at.
    #[error(transparent)]
    Check(#[from] CheckError),
    /// It cannot be written.
    #[error(transparent)]
    Write(#[from] WriteError),
}

impl Sidecar {
    /// What is known of `strategy` when it is saved.
    ///
    /// # Errors
    /// [`SidecarError::Check`].
    pub fn of(strategy: &Strategy, made: Made<'_>) -> Result<Self, SidecarError> {
        Ok(Self {
            schema: SCHEMA,
            tool: concat!("strategy-gen ", env!("CARGO_PKG_VERSION")).into(),
            file: UntrustedText::whole(&made.path.file_name().unwrap_or_default().to_string_lossy()),
            sha256: digest(&strategy.code),
            name: strategy.name.as_str().into(),
            description: UntrustedText::whole(&strategy.description),
            model: strategy.model.as_deref().map(UntrustedText::from),
            run: strategy.run.as_ref().map(|report| LastRun::of(report, &strategy.code, made.date.clone())),
            date: made.date.into(),
            parameters: parameters(&strategy.code)?.into_iter().collect(),
            assumptions: strategy.assumptions.iter().map(|text| UntrustedText::whole(text)).collect(),
            warnings: strategy
                .warnings
                .iter()
                .map(|found| UntrustedText::whole(&found.to_string()))
                .collect(),
            checks: Checks::of(&strategy.warnings),
            rounds: strategy.rounds.iter().filter_map(|round| serde_json::to_value(round).ok()).collect(),
            command: UntrustedText::whole(&made.command),
        })
    }

    /// Where it is kept: beside the strategy's file.
    #[must_use]
    pub fn path(strategy: &Path) -> PathBuf {
        strategy.with_extension("strategy.json")
    }

    /// Reads the one beside `strategy`, and whether it was signed with `key`; `None` where there is none.
    ///
    /// # Errors
    /// [`SidecarError::Foreign`] and [`SidecarError::Unreadable`].
    pub fn read(strategy: &Path, key: Option<&RecordKey>) -> Result<Option<Record>, SidecarError> {
        let path = Self::path(strategy);
        let text = match file::read(&path, Links::Refuse, MOST) {
            Ok(bytes) => String::from_utf8(bytes).unwrap_or_default(),
            Err(ReadError::Io(error)) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(ReadError::Io(source)) => return Err(SidecarError::Unreadable { path, source }),
            Err(_) => return Err(SidecarError::Foreign { path }),
        };
        let ours = |read: &Self| read.schema == SCHEMA && read.tool.as_str().starts_with(TOOL);
        let sidecar = serde_json::from_str(&text).ok().filter(ours);
        let sidecar = sidecar.ok_or(SidecarError::Foreign { path })?;
        let verified = key.is_some_and(|key| key.signed(Signer::Sidecar, &text));
        Ok(Some(Record { sidecar, verified, signed: has_code(&text) }))
    }

    /// Keeps what a run of the file gave in the one beside `strategy`, if there is one and it is about the same text.
    /// One that somebody else signed is left as it is, and one that nobody signed is not signed for it.
    ///
    /// # Errors
    /// [`SidecarError`].
    pub fn ran(strategy: &Path, run: &LastRun, key: Option<&RecordKey>) -> Result<(), SidecarError> {
        match Self::read(strategy, key)? {
            Some(Record { sidecar, verified, signed })
                if sidecar.sha256 == run.sha256 && verified == signed =>
            {
                let key = key.filter(|_| verified);
                Self { run: Some(run.clone()), ..sidecar }.write(strategy, key)
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Writes it beside `strategy`, whole or not at all, signed where there is a key; replaces only one of ours.
    ///
    /// # Errors
    /// [`SidecarError`].
    pub fn write(&self, strategy: &Path, key: Option<&RecordKey>) -> Result<(), SidecarError> {
        let existing = match Self::read(strategy, None)? {
            Some(_) => Existing::Replace,
            None => Existing::Keep,
        };
        let text = serde_json::to_value(self).map(untrusted::json).unwrap_or_default();
        let text = key.map_or_else(|| text.clone(), |key| key.sign(Signer::Sidecar, &text)) + "\n";
        Ok(write(&Self::path(strategy), &text, existing)?)
    }
}

impl Checks {
    /// Of a strategy that was saved, and so has no errors.
    fn of(warnings: &[Finding]) -> Self {
        let noted = |any: bool| if any { Verdict::Noted } else { Verdict::Passed };
        Self {
            syntax: Verdict::Passed,
            policy: noted(warnings.iter().any(|found| !found.is_lost())),
            fidelity: noted(warnings.iter().any(Finding::is_lost)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::generator::StrategyGenerator;

    fn made(path: &Path) -> Sidecar {
        let strategy = StrategyGenerator::offline().translate("Buy when RSI(7) < 25, sell when RSI(7) > 75");
        let made = Made { path, date: String::new(), command: String::new() };
        Sidecar::of(&strategy.expect("understood"), made).expect("checked")
    }

    #[test]
    fn what_is_written_is_read_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("rsi.py");
        let sidecar = made(&path);
        assert_eq!(Sidecar::read(&path, None).expect("nothing"), None);
        sidecar.write(&path, None).expect("written");
        let record = Record { sidecar: sidecar.clone(), verified: false, signed: false };
        assert_eq!(Sidecar::read(&path, None).expect("read"), Some(record));
        assert_eq!(sidecar.parameters.get("rsi_period"), Some(&Value::from(7)));
        // Its own is replaced.
        sidecar.write(&path, None).expect("written again");
        assert_eq!(fs::read_dir(folder.path()).expect("read").count(), 1);
    }

    #[test]
    fn a_file_of_somebody_else_is_never_replaced() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("rsi.py");
        let sidecar = made(&path);
        let json = serde_json::to_value(&sidecar).expect("JSON");
        let mut other_tool = json.clone();
        other_tool["tool"] = "another 1.0".into();
        let mut newer = json;
        newer["schema"] = 2.into();
        for theirs in ["".to_owned(), "{}".to_owned(), other_tool.to_string(), newer.to_string()] {
            fs::write(Sidecar::path(&path), &theirs).expect("written");
            let error = sidecar.write(&path, None).expect_err("foreign").to_string();
            assert!(error.contains("rsi.strategy.json` is not of this program"), "{error}");
            assert_eq!(fs::read_to_string(Sidecar::path(&path)).expect("read"), theirs);
        }
    }
}
