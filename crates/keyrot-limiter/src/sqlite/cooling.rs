//! The cooldowns as this process knows them, and what others have changed since.

use std::collections::VecDeque;
use std::time::Duration;

use keyrot_core::{Cooldown, Domain, Scope, Timestamp};
use rusqlite::params;
use serde_json::{from_str, to_string};

use super::failure::{Done, Failure};
use super::rows::{Pool, Rows, to_sql};
use crate::guard::Guard;
use crate::scopes::Scopes;

/// A copy of the file's cooldowns. Asking it costs no reading unless somebody changed something.
#[derive(Debug)]
pub(super) struct Cooling {
    pub(super) scopes: Scopes,
    /// The newest version and the epoch of what was read.
    read: Option<(u64, u64)>,
    /// Whether it holds what a transaction wrote that may not have ended yet.
    written: bool,
}

impl Cooling {
    pub(super) fn unread() -> Self {
        Self { scopes: Scopes::with_journal(), read: None, written: false }
    }

    /// Forgets what a transaction changed that came to nothing.
    pub(super) fn undo(&mut self) {
        if self.written || !self.scopes.changed().is_empty() {
            *self = Self::unread();
        }
    }

    /// Reads what others have changed.
    pub(super) fn sync(&mut self, rows: Rows<'_>, pool: &Pool) -> Done {
        let now = (pool.version, pool.epoch);
        self.written = false;
        if self.read == Some(now) {
            return Ok(());
        }
        let since = match self.read {
            Some((version, epoch)) if epoch == pool.epoch => to_sql(version),
            _ => {
                *self = Self::unread();
                -1
            }
        };
        let sql = "SELECT scope, state FROM cooldown WHERE version > ?1 ORDER BY version";
        let mut statement = rows.0.prepare_cached(sql)?;
        let mut changed = statement.query([since])?;
        while let Some(row) = changed.next()? {
            let scope: Scope = read(row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?)?;
            let state: Cooldown = read(row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?)?;
            self.scopes.set(&scope, state);
        }
        let sql = "SELECT guard, throttled FROM pool WHERE one = 1";
        let (guard, throttled): (String, String) =
            rows.0.prepare_cached(sql)?.query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        if !guard.is_empty() {
            self.scopes.guard = Guard::from_parts(read::<(Duration, Option<Timestamp>)>(&guard)?);
            self.scopes.set_throttled(read::<VecDeque<(Timestamp, Domain)>>(&throttled)?);
        }
        self.read = Some(now);
        Ok(())
    }

    /// Writes what has changed here.
    pub(super) fn save(&mut self, rows: Rows<'_>, pool: &mut Pool) -> Done {
        let changed = self.scopes.changed();
        if changed.is_empty() {
            return Ok(());
        }
        self.written = true;
        pool.version += 1;
        let version = to_sql(pool.version);
        for scope in changed {
            let name = text(&scope)?;
            if let Some(state) = self.scopes.get(&scope) {
                let sql = "INSERT OR REPLACE INTO cooldown VALUES (?1, ?2, ?3)";
                rows.0.prepare_cached(sql)?.execute(params![name, version, text(state)?])?;
            } else if rows.0.prepare_cached("DELETE FROM cooldown WHERE scope = ?1")?.execute([name])? > 0 {
                pool.epoch = pool.version;
            }
        }
        let guard = text(&self.scopes.guard.to_parts())?;
        let throttled = text(self.scopes.throttled())?;
        let sql = "UPDATE pool SET guard = ?1, throttled = ?2 WHERE one = 1";
        rows.0.prepare_cached(sql)?.execute([guard, throttled])?;
        self.read = Some((pool.version, pool.epoch));
        Ok(())
    }
}

fn read<'a, T: serde::Deserialize<'a>>(text: &'a str) -> Done<T> {
    from_str(text).map_err(|_| Failure::nonsense("cooldown"))
}

fn text<T: serde::Serialize>(value: &T) -> Done<String> {
    to_string(value).map_err(|error| Failure::Broken(error.to_string()))
}
