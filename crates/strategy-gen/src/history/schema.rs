//! What the file looks like, and how an older one becomes like that.

use rusqlite::{Connection, TransactionBehavior};

/// "stra": whose file it is, in its header.
pub(super) const APPLICATION: u32 = 0x7374_7261;

/// Each brings a file from the version of its place to the next. Only ever add one, and one that processes which
/// are still running can live with: they share the file.
const MIGRATIONS: &[&str] = &["
    CREATE TABLE entry (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        -- Milliseconds since 1970.
        at INTEGER NOT NULL,
        kind TEXT NOT NULL,
        exit_code INTEGER NOT NULL,
        description TEXT NOT NULL,
        name TEXT,
        path TEXT,
        sha256 TEXT,
        model TEXT,
        rounds INTEGER NOT NULL,
        prompt_tokens INTEGER,
        output_tokens INTEGER,
        error TEXT,
        -- The headlines of a run, as JSON.
        run TEXT
    );
    CREATE INDEX entry_path ON entry (path);

    CREATE VIRTUAL TABLE word USING fts5(description, name, path, content = 'entry', content_rowid = 'id');
    CREATE TRIGGER entry_kept AFTER INSERT ON entry BEGIN
        INSERT INTO word (rowid, description, name, path) VALUES (new.id, new.description, new.name, new.path);
    END;
    CREATE TRIGGER entry_gone AFTER DELETE ON entry BEGIN
        INSERT INTO word (word, rowid, description, name, path)
        VALUES ('delete', old.id, old.description, old.name, old.path);
    END;
"];

/// The version this build writes.
pub(super) const NEWEST: u32 = MIGRATIONS.len() as u32;

/// The version of a file.
pub(super) fn version(file: &Connection) -> rusqlite::Result<u32> {
    file.query_row("PRAGMA user_version", [], |row| row.get(0))
}

/// Whose file it is; 0 is nobody's.
pub(super) fn application(file: &Connection) -> rusqlite::Result<u32> {
    file.query_row("PRAGMA application_id", [], |row| row.get(0))
}

/// Brings a file to [`NEWEST`]; one that is newer is left as it is.
pub(super) fn migrate(file: &mut Connection) -> rusqlite::Result<()> {
    if version(file)? >= NEWEST {
        return Ok(());
    }
    let step = file.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Somebody else may have done it meanwhile.
    let from = version(&step)?;
    for sql in MIGRATIONS.iter().skip(from as usize) {
        step.execute_batch(sql)?;
    }
    if from < NEWEST {
        let marks = format!("PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {NEWEST}");
        step.execute_batch(&marks)?;
    }
    step.commit()
}
