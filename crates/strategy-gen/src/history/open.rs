//! Opening the file, and every reason not to.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, MAIN_DB, OpenFlags};

use super::{HistoryError, schema};

/// How long SQLite waits for another process that is writing.
const LOCKED: Duration = Duration::from_secs(5);

/// Opens `path`, which is created with its folder if it is not there.
pub(super) fn open(path: &Path) -> Result<Connection, HistoryError> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        create_folder(folder).map_err(|error| unusable(path, &error))?;
    }
    create_file(path).map_err(|error| unusable(path, &error))?;
    let refused = |error: rusqlite::Error| refused(path, &error);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags).map_err(refused)?;
    connection.busy_timeout(LOCKED).map_err(refused)?;
    check(&connection, path)?;
    schema::migrate(&mut connection).map_err(refused)?;
    newer(&connection, path)?;
    // Two that do this to a new file at once: one is told that it is busy, and finds it done at its next step. Where
    // the file system has no shared memory, SQLite keeps its older journal, which is as safe.
    match connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get::<_, String>(0)) {
        Err(error) if error.sqlite_error_code() != Some(ErrorCode::DatabaseBusy) => {
            return Err(refused(error));
        }
        _ => {}
    }
    connection.execute_batch("PRAGMA synchronous = NORMAL").map_err(refused)?;
    Ok(connection)
}

/// Refuses what is not ours before anything is changed: a file is ours, or nothing is in it.
fn check(connection: &Connection, path: &Path) -> Result<(), HistoryError> {
    let refused = |error: rusqlite::Error| refused(path, &error);
    if connection.is_readonly(MAIN_DB).map_err(refused)? {
        return Err(HistoryError::Unusable { path: path.to_owned(), why: "it is read-only".to_owned() });
    }
    let foreign = HistoryError::Foreign { path: path.to_owned() };
    match schema::application(connection) {
        Ok(schema::APPLICATION) => newer(connection, path),
        Ok(0) => {
            let tables = "SELECT count(*) FROM sqlite_schema";
            let tables: i64 = connection.query_row(tables, [], |row| row.get(0)).map_err(refused)?;
            // Somebody else may be beginning it just now.
            let begun = schema::application(connection).map_err(refused)? == schema::APPLICATION;
            if tables == 0 || begun { Ok(()) } else { Err(foreign) }
        }
        Ok(_) => Err(foreign),
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::NotADatabase) => Err(foreign),
        Err(error) => Err(refused(error)),
    }
}

fn newer(connection: &Connection, path: &Path) -> Result<(), HistoryError> {
    let found = schema::version(connection).map_err(|error| refused(path, &error))?;
    if found > schema::NEWEST {
        return Err(HistoryError::Newer { path: path.to_owned(), found, known: schema::NEWEST });
    }
    Ok(())
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

/// What SQLite says about the file at `path`.
pub(super) fn refused(path: &Path, error: &rusqlite::Error) -> HistoryError {
    let (path, why) = (path.to_owned(), error.to_string());
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => HistoryError::Damaged { path, why },
        _ => HistoryError::Unusable { path, why },
    }
}

fn unusable(path: &Path, error: &std::io::Error) -> HistoryError {
    HistoryError::Unusable { path: path.to_owned(), why: error.to_string() }
}
