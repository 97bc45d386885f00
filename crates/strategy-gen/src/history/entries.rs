//! Keeping entries and finding them again.

use std::path::{Path, PathBuf};

use keyrot::{Timestamp, untrusted};
use rusqlite::types::Type;
use rusqlite::{Connection, Params, Row, params};

use super::open::{open, refused};
use super::{Entries, Entry, HistoryError, Kind};

/// Entries that are kept; the oldest make room.
const MOST: i64 = 20_000;

const KINDS: [Kind; 5] = [Kind::New, Kind::Batch, Kind::Fix, Kind::Improve, Kind::Run];
const COLUMNS: &str = "id, at, kind, exit_code, description, name, path, sha256, model, rounds, prompt_tokens, \
     output_tokens, error, run";

/// The history, open. Other processes may have it open as well.
#[derive(Debug)]
pub struct History {
    connection: Connection,
    path: PathBuf,
}

impl History {
    /// Opens the file at `path`, which is created with its folder if it is not there.
    ///
    /// # Errors
    /// [`HistoryError`]; a file that is there was not touched.
    pub fn open(path: &Path) -> Result<Self, HistoryError> {
        Ok(Self { connection: open(path)?, path: path.to_owned() })
    }

    /// Keeps an entry; gives its number.
    ///
    /// # Errors
    /// [`HistoryError`].
    pub fn keep(&self, entry: &Entry) -> Result<i64, HistoryError> {
        let run = entry.run.as_ref().and_then(|run| serde_json::to_value(run).ok()).map(untrusted::json_line);
        let clean = |text: &Option<String>| text.as_deref().map(untrusted::redact);
        let insert = "INSERT INTO entry (at, kind, exit_code, description, name, path, sha256, model, rounds, \
                      prompt_tokens, output_tokens, error, run) \
                      VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)";
        self.ask(|file| {
            file.execute(
                insert,
                params![
                    whole(entry.at.as_millis()),
                    entry.kind.name(),
                    entry.exit_code,
                    untrusted::redact(&entry.description),
                    clean(&entry.name),
                    clean(&entry.path),
                    entry.sha256,
                    clean(&entry.model),
                    entry.rounds,
                    entry.prompt_tokens.map(whole),
                    entry.output_tokens.map(whole),
                    clean(&entry.error),
                    run,
                ],
            )?;
            let id = file.last_insert_rowid();
            file.execute("DELETE FROM entry WHERE id <= ?1", [id - MOST])?;
            Ok(id)
        })
    }

    /// The newest entries that can be read, at most `limit`; with `words`, those that have all of them, or begin with them, in
    /// description, name or path.
    ///
    /// # Errors
    /// [`HistoryError`].
    pub fn entries(&self, words: Option<&str>, limit: u32) -> Result<Entries, HistoryError> {
        let Some(words) = words.map(str::trim).filter(|words| !words.is_empty()) else {
            return self.list(&format!("SELECT {COLUMNS} FROM entry ORDER BY id DESC"), [], limit);
        };
        let Some(query) = query(words) else {
            // Signs alone, such as `<`: the index holds words.
            let sql =
                format!("SELECT {COLUMNS} FROM entry WHERE instr(description, ?1) > 0 ORDER BY id DESC");
            return self.list(&sql, params![words], limit);
        };
        let sql = format!(
            "SELECT {COLUMNS} FROM entry WHERE id IN (SELECT rowid FROM word WHERE word MATCH ?1) \
             ORDER BY id DESC"
        );
        self.list(&sql, params![query], limit)
    }

    /// The entry with this number.
    ///
    /// # Errors
    /// [`HistoryError`].
    pub fn entry(&self, id: i64) -> Result<Option<Entry>, HistoryError> {
        let sql = format!("SELECT {COLUMNS} FROM entry WHERE id = ?1");
        let found = self.list(&sql, [id], 1)?;
        match found.odd {
            0 => Ok(found.read.into_iter().next()),
            _ => Err(HistoryError::Odd { path: self.path.clone(), id }),
        }
    }

    /// The newest entries about what is called `name`, at most `limit`: a file in full, or a class whatever the case.
    ///
    /// # Errors
    /// [`HistoryError`].
    pub fn about(&self, name: &str, limit: u32) -> Result<Entries, HistoryError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM entry WHERE path = ?1 OR name = ?1 COLLATE NOCASE ORDER BY id DESC"
        );
        self.list(&sql, params![name], limit)
    }

    /// Forgets everything, on the disk too; gives how many entries that were.
    ///
    /// # Errors
    /// [`HistoryError`].
    pub fn clear(&self) -> Result<usize, HistoryError> {
        let gone = self.ask(|file| {
            let all = file.unchecked_transaction()?;
            let gone = all.execute("DELETE FROM entry", [])?;
            // The index keeps the words of what is gone until it is tidied.
            all.execute("INSERT INTO word (word) VALUES ('delete-all')", [])?;
            all.commit()?;
            Ok(gone)
        })?;
        // What is merely marked as free could still be read. While others read, it stays until the next time.
        let _ = self.connection.execute_batch("VACUUM; PRAGMA wal_checkpoint(TRUNCATE)");
        Ok(gone)
    }

    /// The first `limit` rows that can be read: one that cannot hides no other.
    fn list(&self, sql: &str, params: impl Params, limit: u32) -> Result<Entries, HistoryError> {
        self.ask(|file| {
            let mut statement = file.prepare(sql)?;
            let mut rows = statement.query(params)?;
            let mut entries = Entries::default();
            while entries.read.len() < limit as usize
                && let Some(row) = rows.next()?
            {
                match read(row) {
                    Ok(entry) => entries.read.push(entry),
                    Err(_) => entries.odd += 1,
                }
            }
            Ok(entries)
        })
    }

    fn ask<T>(&self, ask: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, HistoryError> {
        ask(&self.connection).map_err(|error| refused(&self.path, &error))
    }
}

/// Each word quoted, so that none is an operator; `None` where there is no word.
fn query(words: &str) -> Option<String> {
    let words = words.split_whitespace().filter(|word| word.contains(char::is_alphanumeric));
    let quoted: Vec<String> = words.map(|word| format!("\"{}\"*", word.replace('"', "\"\""))).collect();
    (!quoted.is_empty()).then(|| quoted.join(" "))
}

fn whole(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn natural(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

fn read(row: &Row<'_>) -> rusqlite::Result<Entry> {
    let kind: String = row.get("kind")?;
    let kind = KINDS.into_iter().find(|known| known.name() == kind);
    let of_column = |column: &str| row.get::<_, Option<i64>>(column).map(|number| number.map(natural));
    let run: Option<String> = row.get("run")?;
    Ok(Entry {
        id: row.get("id")?,
        at: Timestamp::from_millis(natural(row.get("at")?)),
        kind: kind.ok_or_else(|| rusqlite::Error::InvalidColumnType(2, "kind".to_owned(), Type::Text))?,
        exit_code: row.get("exit_code")?,
        description: row.get("description")?,
        name: row.get("name")?,
        path: row.get("path")?,
        sha256: row.get("sha256")?,
        model: row.get("model")?,
        rounds: row.get("rounds")?,
        prompt_tokens: of_column("prompt_tokens")?,
        output_tokens: of_column("output_tokens")?,
        error: row.get("error")?,
        run: run.and_then(|run| serde_json::from_str(&run).ok()),
    })
}
