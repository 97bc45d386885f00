//! Opening the file, and every reason not to.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, MAIN_DB, OpenFlags};

use super::checkpoints::Checkpoints;
use super::failure::{Failure, wait};
use super::schema;

/// The name of a database that is no file.
pub(super) const IN_MEMORY: &str = ":memory:";
/// How long SQLite waits for another process by itself, and how often it is asked to: not every step
/// of creating a file waits. Ten seconds at least.
const LOCKED: Duration = Duration::from_millis(100);
const ROUNDS: i32 = 100;
/// Statements kept prepared: more than there are.
const STATEMENTS: usize = 64;

/// The state file cannot be used. It was left as it is.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// It is something else.
    #[error(
        "`{}` is not a state file of keyrot\nhint: name another file; this one was not touched",
        keyrot_core::untrusted::path(&path)
    )]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// A newer release made it.
    #[error(
        "state file `{}` has version {found}, this build knows versions up to {known}\n\
         hint: use the newer release, or name another file",
        keyrot_core::untrusted::path(&path)
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u32,
        /// The newest version known here.
        known: u32,
    },
    /// It is damaged.
    #[error(
        "state file `{}` is damaged: {why}\n\
         hint: move it away; a new one is begun, and what the old one counted is forgotten",
        keyrot_core::untrusted::path(&path)
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What SQLite says.
        why: String,
    },
    /// It cannot be written.
    #[error(
        "state file `{}` cannot be written: {why}\n\
         hint: give this user the right to write the file and its folder, or name another file",
        keyrot_core::untrusted::path(&path)
    )]
    ReadOnly {
        /// The file.
        path: PathBuf,
        /// What the system says.
        why: String,
    },
    /// Anything else.
    #[error("state file `{}` cannot be opened: {why}", keyrot_core::untrusted::path(&path))]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        why: String,
    },
}

/// The connection, and what to know it by.
#[derive(Debug)]
pub(super) struct Base {
    /// `None` where there is no log. They end before the connection does: who closes a file last moves
    /// what is left and takes the log away.
    checkpoints: Option<Checkpoints>,
    pub(super) connection: Connection,
    /// `None` for one in memory.
    file: Option<Identity>,
}

/// Which file a path named when it was opened.
#[derive(Debug, Clone)]
pub(super) struct Identity {
    pub(super) path: PathBuf,
    number: Option<(u64, u64)>,
}

impl Identity {
    fn of(path: &Path) -> Self {
        Self { path: path.to_owned(), number: number(path) }
    }

    /// Whether the path still names that file.
    pub(super) fn is_there(&self) -> bool {
        self.number.is_none() || self.number == number(&self.path)
    }
}

impl Base {
    /// Opens `path`, which is created with its folder if it is not there.
    pub(super) fn open(path: &Path) -> Result<Self, OpenError> {
        if path.as_os_str() == IN_MEMORY {
            return Self::in_memory().map_err(|error| refused(path, &error));
        }
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            create_folder(folder).map_err(|error| unwritable(path, &error))?;
        }
        create_file(path).map_err(|error| unwritable(path, &error))?;
        look(path)?;
        let mut connection = patiently(|| connect(path)).map_err(|error| refused(path, &error))?;
        let logged = check(&mut connection, path)?;
        let file = Identity::of(path);
        let checkpoints = if logged {
            let checkpoints = Checkpoints::start(file.clone()).map_err(|error| unwritable(path, &error))?;
            checkpoints.follow(&mut connection).map_err(|error| refused(path, &error))?;
            Some(checkpoints)
        } else {
            None
        };
        Ok(Self { checkpoints, connection, file: Some(file) })
    }

    /// An empty base in memory.
    pub(super) fn in_memory() -> rusqlite::Result<Self> {
        let mut connection = Connection::open_in_memory()?;
        keep_statements(&connection)?;
        schema::migrate(&mut connection)?;
        Ok(Self { checkpoints: None, connection, file: None })
    }

    /// What was opened, in words.
    pub(super) fn name(&self) -> String {
        self.file
            .as_ref()
            .map_or_else(|| IN_MEMORY.to_owned(), |file| keyrot_core::untrusted::path(&file.path))
    }

    /// Whether the path still names the file that was opened.
    pub(super) fn is_there(&self) -> bool {
        self.file.as_ref().is_none_or(Identity::is_there)
    }

    /// Whether a commit leaves the disk to others.
    pub(super) fn commits_at_once(&self) -> bool {
        self.checkpoints.is_some() || self.file.is_none()
    }
}

#[cfg(unix)]
fn create_folder(folder: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

#[cfg(not(unix))]
fn create_folder(folder: &Path) -> std::io::Result<()> {
    fs::create_dir_all(folder)
}

/// Made before SQLite would, for nobody else to read: SQLite gives its other files the same rights.
fn create_file(path: &Path) -> std::io::Result<()> {
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

/// Device and number of the file that `path` names now.
#[cfg(unix)]
fn number(path: &Path) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    fs::metadata(path).ok().map(|data| (data.dev(), data.ino()))
}

/// A file that is open cannot be deleted.
#[cfg(not(unix))]
fn number(_: &Path) -> Option<(u64, u64)> {
    None
}

/// Refuses what is not ours before it is opened for writing, which may change a file.
///
/// The file is read by SQLite alone: closing a file that was opened in another way would release the
/// locks that this process holds on it by its other connections.
fn look(path: &Path) -> Result<(), OpenError> {
    if fs::metadata(path).map_err(|error| unwritable(path, &error))?.len() == 0 {
        return Ok(());
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let look = || {
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(LOCKED)?;
        Ok::<_, rusqlite::Error>((application(&connection)?, schema::version(&connection)?))
    };
    match patiently(look) {
        Ok((schema::APPLICATION, version)) => newer(path, version),
        Ok(_) => Err(OpenError::Foreign { path: path.to_owned() }),
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::NotADatabase) => {
            Err(OpenError::Foreign { path: path.to_owned() })
        }
        Err(error) => Err(refused(path, &error)),
    }
}

fn application(connection: &Connection) -> rusqlite::Result<u32> {
    connection.query_row("PRAGMA application_id", [], |row| row.get(0))
}

fn newer(path: &Path, found: u32) -> Result<(), OpenError> {
    if found > schema::NEWEST {
        return Err(OpenError::Newer { path: path.to_owned(), found, known: schema::NEWEST });
    }
    Ok(())
}

/// A connection to a file that is there.
pub(super) fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(LOCKED)?;
    keep_statements(&connection)?;
    Ok(connection)
}

/// Makes a new file ours, an older one new, and refuses the rest; whether it has a write-ahead log.
fn check(connection: &mut Connection, path: &Path) -> Result<bool, OpenError> {
    let error = |error: rusqlite::Error| refused(path, &error);
    if connection.is_readonly(MAIN_DB).map_err(error)? {
        let why = "it is read-only".to_owned();
        return Err(OpenError::ReadOnly { path: path.to_owned(), why });
    }
    // Set before anything else, and before the write-ahead log: a file is ours or empty.
    match patiently(|| application(connection)).map_err(error)? {
        schema::APPLICATION => {}
        0 => {
            let sql = format!("PRAGMA application_id = {}", schema::APPLICATION);
            patiently(|| connection.execute_batch(&sql)).map_err(error)?;
        }
        _ => return Err(OpenError::Foreign { path: path.to_owned() }),
    }
    newer(path, patiently(|| schema::version(connection)).map_err(error)?)?;
    // Where the file system has no shared memory, SQLite keeps its older journal, which is as safe.
    let log = || connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get::<_, String>(0));
    let logged = patiently(log).map_err(error)? == "wal";
    connection.execute_batch("PRAGMA synchronous = NORMAL").map_err(error)?;
    patiently(|| schema::migrate(connection)).map_err(error)?;
    newer(path, patiently(|| schema::version(connection)).map_err(error)?)?;
    Ok(logged)
}

/// Prepares each statement once: left to itself, SQLite does it again for each value it is run with.
fn keep_statements(connection: &Connection) -> rusqlite::Result<()> {
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map(drop)
}

/// Tries again while another process is creating or changing the file.
fn patiently<T>(mut step: impl FnMut() -> rusqlite::Result<T>) -> rusqlite::Result<T> {
    for round in 0..ROUNDS {
        match step() {
            Err(error) if Failure::is_busy(&error) => wait(round),
            done => return done,
        };
    }
    step()
}

fn refused(path: &Path, error: &rusqlite::Error) -> OpenError {
    let (path, why) = (path.to_owned(), error.to_string());
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => OpenError::Damaged { path, why },
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => OpenError::ReadOnly { path, why },
        _ => OpenError::Unusable { path, why },
    }
}

fn unwritable(path: &Path, error: &std::io::Error) -> OpenError {
    let (path, why) = (path.to_owned(), error.to_string());
    match error.kind() {
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => OpenError::ReadOnly { path, why },
        _ => OpenError::Unusable { path, why },
    }
}
