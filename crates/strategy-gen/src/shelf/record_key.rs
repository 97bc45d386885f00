//! The key that tells what this installation wrote from what anybody else did.
//!
//! Records lie beside strategies, in folders that are copied, cloned and shared. Each ends with a code (HMAC-SHA-256)
//! over all of its text, made with a key that only this user of this machine has. The code says nothing of where the
//! record lies, so records move with their strategies.
//!
//! ```
//! use strategy_gen::shelf::{RecordKey, Signer};
//! let folder = tempfile::tempdir().unwrap();
//! let place = folder.path().join("records.key");
//! assert!(RecordKey::read(&place).unwrap().is_none());
//! let key = RecordKey::read_or_make(&place).unwrap();
//! let record = key.sign(Signer::Sidecar, "{\n  \"a\": 1\n}");
//! assert!(RecordKey::read(&place).unwrap().unwrap().signed(Signer::Sidecar, &record));
//! assert!(!key.signed(Signer::Sidecar, &record.replace('1', "2")));
//! ```

use std::fmt;
use std::fs::OpenOptions;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use hmac::{Hmac, KeyInit as _, Mac as _};
use keyrot::EnvMap;
use keyrot::file::{self, Links, ReadError};
use keyrot::settings::StatePlace;
use sha2::Sha256;

/// The file, beside keyrot's own.
const FILE: &str = "records.key";
/// Bytes of the key, and of a code.
const SIZE: usize = 32;
/// How a code begins in a record, with and without spaces.
const FIELDS: [&str; 2] = ["\"mac\": \"", "\"mac\":\""];

/// Which sort of record is signed: one never passes for the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signer {
    /// The file beside a strategy.
    Sidecar,
    /// A line of a batch's log.
    Log,
}

/// The key.
#[derive(Clone)]
pub struct RecordKey(Hmac<Sha256>);

impl fmt::Debug for RecordKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecordKey")
    }
}

/// The key cannot be used: nothing is signed, and nothing counts as signed.
#[derive(Debug, thiserror::Error)]
#[error("the key for records `{}` cannot be used: {why}\nhint: see to the file and its folder; when it is removed, a new key is made, and older records are no longer recognized", keyrot::untrusted::path(&path))]
pub struct RecordKeyError {
    /// The file.
    path: PathBuf,
    /// What is wrong with it.
    why: String,
}

impl RecordKey {
    /// Where the key of this user is; `None` where nothing outlives the process.
    #[must_use]
    pub fn place(env: &EnvMap) -> Option<PathBuf> {
        StatePlace::read(env).beside(FILE)
    }

    /// Reads the key; `None` where there is none yet.
    ///
    /// # Errors
    /// [`RecordKeyError`], also where others can read the key.
    pub fn read(path: &Path) -> Result<Option<Self>, RecordKeyError> {
        let failed = |why: String| RecordKeyError { path: path.to_owned(), why };
        let mut file = match file::open(path, Links::Refuse, OpenOptions::new().read(true)) {
            Ok(file) => file,
            Err(ReadError::Io(error)) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(error.to_string())),
        };
        let what = file.metadata().map_err(|error| failed(error.to_string()))?;
        if !is_private(&what) {
            return Err(failed("other users can read or change it".to_owned()));
        }
        let mut bytes = [0; SIZE];
        file.read_exact(&mut bytes).map_err(|_| failed("it is too short".to_owned()))?;
        Self::of(&bytes).map(Some).ok_or_else(|| failed("it is no key".to_owned()))
    }

    /// Reads the key, which is made first where there is none. Of several that make it at once, one wins.
    ///
    /// # Errors
    /// [`RecordKeyError`].
    pub fn read_or_make(path: &Path) -> Result<Self, RecordKeyError> {
        if let Some(key) = Self::read(path)? {
            return Ok(key);
        }
        make(path).map_err(|error| RecordKeyError { path: path.to_owned(), why: error.to_string() })?;
        Self::read(path)?
            .ok_or_else(|| RecordKeyError { path: path.to_owned(), why: "it was removed".to_owned() })
    }

    fn of(bytes: &[u8]) -> Option<Self> {
        Hmac::new_from_slice(bytes).ok().map(Self)
    }

    fn code(&self, signer: Signer, text: &str) -> Hmac<Sha256> {
        let mut code = self.0.clone();
        code.update(match signer {
            Signer::Sidecar => b"sidecar\0",
            Signer::Log => b"log\0",
        });
        code.update(text.as_bytes());
        code
    }

    /// A JSON object with one field more, `mac`, which is about all the others.
    #[must_use]
    pub fn sign(&self, signer: Signer, json: &str) -> String {
        let Some(fields) = json.trim_end().strip_suffix('}').map(str::trim_end) else {
            return json.to_owned();
        };
        let code = self.code(signer, fields).finalize().into_bytes();
        let code: String = code.iter().map(|byte| format!("{byte:02x}")).collect();
        let [spaced, dense] = FIELDS;
        if fields.contains('\n') {
            format!("{fields},\n  {spaced}{code}\"\n}}")
        } else {
            format!("{fields},{dense}{code}\"}}")
        }
    }

    /// Whether this is exactly what [`sign`](Self::sign) has given.
    #[must_use]
    pub fn signed(&self, signer: Signer, json: &str) -> bool {
        let checked = split(json).and_then(|(fields, code)| {
            let digits = code.as_bytes().chunks_exact(2).map(std::str::from_utf8);
            let bytes = digits.map(|digits| u8::from_str_radix(digits.ok()?, 16).ok());
            let bytes: Vec<u8> = bytes.collect::<Option<_>>()?;
            Some(self.code(signer, fields).verify_slice(&bytes).is_ok())
        });
        checked.unwrap_or(false)
    }
}

/// Whether a record has a code, whoever made it.
pub(super) fn has_code(json: &str) -> bool {
    split(json).is_some()
}

/// A signed object as the text that was signed and the code in hexadecimal.
fn split(json: &str) -> Option<(&str, &str)> {
    let text = json.trim_end().strip_suffix('}')?.trim_end().strip_suffix('"')?;
    let (text, code) = text.split_at_checked(text.len().checked_sub(2 * SIZE)?)?;
    let text = FIELDS.iter().find_map(|field| text.strip_suffix(field))?;
    Some((text.trim_end().strip_suffix(',')?, code))
}

#[cfg(unix)]
fn is_private(what: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;

    let own = rustix::process::geteuid().as_raw();
    what.mode() & 0o077 == 0 && (what.uid() == own || what.uid() == 0)
}

#[cfg(not(unix))]
const fn is_private(_: &std::fs::Metadata) -> bool {
    true
}

/// Makes a key, whole from the moment it has its name. One that somebody else has made meanwhile stays.
fn make(path: &Path) -> std::io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut builder = std::fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(folder)?;
    let mut bytes = [0; SIZE];
    getrandom::fill(&mut bytes)?;
    // Temporary files are for their owner alone.
    let mut file = tempfile::Builder::new().prefix(".records-").tempfile_in(folder)?;
    file.write_all(&bytes)?;
    file.as_file().sync_all()?;
    match file.persist_noclobber(path) {
        Err(error) if error.error.kind() != std::io::ErrorKind::AlreadyExists => Err(error.error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::thread;

    use super::*;

    fn key(byte: u8) -> RecordKey {
        RecordKey::of(&[byte; SIZE]).expect("a key")
    }

    #[test]
    fn only_what_was_signed_counts_to_the_last_byte() {
        for json in ["{\"a\":1}", "{\n  \"a\": \"}\"\n}\n"] {
            let signed = key(1).sign(Signer::Log, json);
            assert!(serde_json::from_str::<serde_json::Value>(&signed).expect("JSON")["mac"].is_string());
            assert!(key(1).signed(Signer::Log, &signed) && has_code(&signed));
            assert!(!key(2).signed(Signer::Log, &signed) && !key(1).signed(Signer::Sidecar, &signed));
            for at in
                (0..signed.trim_end_matches(['"', '}', '\n']).len()).filter(|at| signed.is_char_boundary(*at))
            {
                let mut forged = signed.clone();
                let other = if forged.as_bytes()[at] == b'0' { "1" } else { "0" };
                forged.replace_range(at..=at, other);
                assert!(!key(1).signed(Signer::Log, &forged), "{forged}");
            }
        }
        for none in ["", "{}", "}", "{\"mac\":\"\"}", "{\"a\":1,\"mac\":\"00\"}", "\u{416}"] {
            assert!(!key(1).signed(Signer::Log, none), "{none}");
        }
    }

    #[test]
    fn many_make_it_at_once_and_all_have_the_same() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("deep/records.key");
        let signed: BTreeSet<String> = thread::scope(|scope| {
            let make = || RecordKey::read_or_make(&path).expect("made").sign(Signer::Log, "{\"a\":1}");
            let all: Vec<_> = (0..8).map(|_| scope.spawn(make)).collect();
            all.into_iter().map(|one| one.join().expect("joined")).collect()
        });
        assert_eq!(signed.len(), 1);
        assert_eq!(fs::read_dir(folder.path().join("deep")).expect("read").count(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn a_key_that_others_know_is_none() {
        use std::os::unix::fs::{PermissionsExt as _, symlink};
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("records.key");
        RecordKey::read_or_make(&path).expect("made");
        assert_eq!(fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o600);
        symlink(&path, folder.path().join("link")).expect("linked");
        fs::write(folder.path().join("short"), "short").expect("written");
        fs::set_permissions(folder.path().join("short"), fs::Permissions::from_mode(0o600)).expect("set");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("set");
        for (name, told) in
            [("records.key", "other users"), ("link", "symbolic link"), ("short", "too short")]
        {
            let error = RecordKey::read_or_make(&folder.path().join(name)).expect_err(name).to_string();
            assert!(error.contains(told) && error.contains("\nhint: "), "{error}");
        }
    }
}
