//! The folders of one process: what it reads, and what it may fill.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Once;

use super::report::Warning;
use crate::sandbox::{RunFolder, sweep};

/// Deleted with all that is in them.
#[derive(Debug)]
pub(super) struct Folders {
    /// Read by the process.
    pub(super) input: PathBuf,
    /// Filled by the process.
    pub(super) scratch: PathBuf,
    whole: RunFolder,
    /// What runs of programs that were killed have left and cannot be removed.
    leftovers: Vec<String>,
}

impl Folders {
    /// Makes them below `temporary`; the first time in a process, the leftovers of killed programs are removed.
    pub(super) fn new(temporary: &Path) -> io::Result<Self> {
        static SWEPT: Once = Once::new();
        let mut leftovers = Vec::new();
        SWEPT.call_once(|| leftovers = sweep(temporary));
        let whole = RunFolder::create(temporary)?;
        let (input, scratch) = (whole.subfolder("input")?, whole.subfolder("scratch")?);
        Ok(Self { input, scratch, whole, leftovers })
    }

    /// Removes them; what is left for good is a warning.
    pub(super) fn close(self) -> impl Iterator<Item = Warning> {
        let path = keyrot::untrusted::path(self.whole.path());
        let left = self.whole.close().err();
        let left = left.map(|error| format!("cannot remove the folder of the run, `{path}`: {error}"));
        self.leftovers.into_iter().chain(left).map(|message| Warning {
            code: "leftover",
            message: message.into(),
            hint: Some("remove it yourself".to_owned()),
        })
    }
}
