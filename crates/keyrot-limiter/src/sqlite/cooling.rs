//! The cooldowns as this process knows them, and what others have changed since.

use std::collections::VecDeque;
use std::time::Duration;

use keyrot_core::{Cooldown, Domain, Endpoint, Lifted, Scope, Timestamp};
use rusqlite::params;
use serde_json::{from_str, to_string};

use super::failure::{Done, Failure};
use super::rows::{Pool, Rows, to_sql};
use crate::guard::Guard;
use crate::lifts::{REMEMBERED, Untold};
use crate::scopes::{Change, Scopes};

/// A copy of the file's cooldowns. Asking it costs no reading unless somebody changed something.
#[derive(Debug)]
pub(super) struct Cooling {
    pub(super) scopes: Scopes,
    /// Whose cooldowns these are; 0 for Google's own.
    endpoint: i64,
    /// The newest version and the epoch of what was read.
    read: Option<(u64, u64)>,
    /// Whether it holds what a transaction wrote that may not have ended yet.
    written: bool,
    /// The number of the newest lift that the handle has heard of, once it has asked.
    heard: Option<i64>,
    /// The lifts that a transaction has found or made, and the newest number, until it has ended.
    news: (Untold, Option<i64>),
}

impl Cooling {
    pub(super) fn unread(endpoint: Endpoint) -> Self {
        let (scopes, news, endpoint) =
            (Scopes::with_journal(), Default::default(), to_sql(endpoint.to_u64()));
        Self { scopes, endpoint, read: None, written: false, heard: None, news }
    }

    /// The same, unread.
    pub(super) fn anew(&self) -> Self {
        let (heard, endpoint) = (self.heard, self.endpoint);
        Self { heard, endpoint, ..Self::unread(Endpoint::default()) }
    }

    /// Forgets what a transaction changed that came to nothing.
    pub(super) fn undo(&mut self) {
        if self.written || self.news.1.is_some() || !self.scopes.changed().is_empty() {
            *self = self.anew();
        }
        // What it lifted was not lifted.
        self.scopes.take_lifted();
    }

    /// A transaction has ended well: the lifts that it brought to light.
    pub(super) fn done(&mut self) -> Lifted {
        let (mut lifted, newest) = std::mem::take(&mut self.news);
        self.heard = newest.or(self.heard);
        lifted.take()
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
                *self = self.anew();
                -1
            }
        };
        let sql = "SELECT scope, state FROM cooldown WHERE version > ?1 ORDER BY version";
        let mut statement = rows.0.prepare_cached(sql)?;
        let mut changed = statement.query([since])?;
        while let Some(row) = changed.next()? {
            let scope = row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?;
            // Of a scope that only another build knows.
            let Ok(scope) = from_str::<Scope>(scope) else { continue };
            // What cools the whole pool cools it for every endpoint.
            if self.endpoint != 0 && scope != Scope::Pool {
                continue;
            }
            let state: Cooldown = read(row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?)?;
            self.scopes.set(&scope, state);
        }
        let sql = "SELECT scope, state FROM cooling WHERE version > ?1 AND endpoint = ?2 ORDER BY version";
        let mut statement = rows.0.prepare_cached(sql)?;
        let mut changed = statement.query([since, self.endpoint])?;
        while let Some(row) = changed.next()? {
            let (scope, state): (String, String) = (row.get(0)?, row.get(1)?);
            if scope == THROTTLED {
                self.scopes.set_throttled(from_str(&state).unwrap_or_default());
            } else if let (Ok(scope), Ok(state)) = (from_str(&scope), from_str(&state)) {
                self.scopes.set(&scope, state);
            }
        }
        let sql = "SELECT bucket, state FROM breaker WHERE version > ?1 AND endpoint = ?2 ORDER BY version";
        let mut statement = rows.0.prepare_cached(sql)?;
        let mut changed = statement.query([since, self.endpoint])?;
        while let Some(row) = changed.next()? {
            let (bucket, state): (String, String) = (row.get(0)?, row.get(1)?);
            if let Ok(state) = from_str(&state) {
                self.scopes.set_breaker(bucket.into(), state);
            }
        }
        let sql = "SELECT guard, throttled FROM pool WHERE one = 1";
        let (guard, throttled): (String, String) =
            rows.0.prepare_cached(sql)?.query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        if !guard.is_empty() {
            self.scopes.guard = Guard::from_parts(read::<(Duration, Option<Timestamp>)>(&guard)?);
            if self.endpoint == 0 {
                self.scopes.set_throttled(read::<VecDeque<(Timestamp, Domain)>>(&throttled)?);
            }
        }
        self.hear(rows)?;
        self.read = Some(now);
        Ok(())
    }

    /// Reads what others have lifted.
    fn hear(&mut self, rows: Rows<'_>) -> Done {
        let sql = "SELECT ifnull(min(no), 1), ifnull(max(no), 0) FROM lift";
        let (oldest, newest): (i64, i64) =
            rows.0.prepare_cached(sql)?.query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let lifted = &mut self.news.0;
        match self.heard {
            Some(heard) if heard < newest => {
                let sql = "SELECT scope FROM lift WHERE no > ?1 AND endpoint = ?2 ORDER BY no";
                let mut statement = rows.0.prepare_cached(sql)?;
                let mut found = statement.query([heard, self.endpoint])?;
                while let Some(row) = found.next()? {
                    match from_str(row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?) {
                        Ok(scope) => lifted.add(scope),
                        Err(_) => lifted.add_all(Lifted::All),
                    }
                }
                if heard + 1 < oldest {
                    lifted.add_all(Lifted::All);
                }
            }
            // What was lifted before it first asked is no news.
            _ => {}
        }
        self.news.1 = Some(newest);
        Ok(())
    }

    /// Writes what has changed here.
    pub(super) fn save(&mut self, rows: Rows<'_>, pool: &mut Pool) -> Done {
        let (changed, lifted) = (self.scopes.changed(), self.scopes.take_lifted());
        if changed.is_empty() && lifted == Lifted::default() {
            return Ok(());
        }
        self.written = true;
        pool.version += 1;
        let version = to_sql(pool.version);
        for change in changed {
            let (table, name, state) = match &change {
                Change::Cooldown(scope) => {
                    // An older build takes a scope that it does not know for damage.
                    let known = self.endpoint == 0 && !matches!(scope, Scope::Permission(..));
                    let table = if known || *scope == Scope::Pool { COOLDOWN } else { COOLING };
                    (table, text(scope)?, self.scopes.get(scope).map(text))
                }
                Change::Breaker(bucket) => {
                    (BREAKER, bucket.as_str().to_owned(), self.scopes.breaker(bucket).map(text))
                }
            };
            if let Some(state) = state {
                rows.0.prepare_cached(table.put)?.execute(params![name, version, state?, self.endpoint])?;
            } else if rows.0.prepare_cached(table.delete)?.execute(params![name, self.endpoint])? > 0 {
                pool.epoch = pool.version;
            }
        }
        self.tell(rows, lifted)?;
        let guard = text(&self.scopes.guard.to_parts())?;
        let throttled = text(self.scopes.throttled())?;
        if self.endpoint == 0 {
            let sql = "UPDATE pool SET guard = ?1, throttled = ?2 WHERE one = 1";
            rows.0.prepare_cached(sql)?.execute([guard, throttled])?;
        } else {
            // Who never read it leaves what is Google's as it is.
            let sql =
                "UPDATE pool SET guard = ?1, throttled = iif(throttled = '', '[]', throttled) WHERE one = 1";
            rows.0.prepare_cached(sql)?.execute([guard])?;
            rows.0.prepare_cached(COOLING.put)?.execute(params![
                THROTTLED,
                version,
                throttled,
                self.endpoint
            ])?;
        }
        self.read = Some((pool.version, pool.epoch));
        Ok(())
    }

    /// Writes what was lifted here, for others, and keeps it for this process's own handle.
    fn tell(&mut self, rows: Rows<'_>, lifted: Lifted) -> Done {
        let scopes = match &lifted {
            Lifted::Scopes(scopes) => scopes.iter().map(text).collect::<Done<Vec<_>>>()?,
            // As many as make everybody look anew.
            Lifted::All => vec!["all".to_owned(); REMEMBERED],
        };
        for scope in &scopes {
            let sql = "INSERT INTO lift (endpoint, scope) VALUES (?1, ?2)";
            rows.0.prepare_cached(sql)?.execute(params![self.endpoint, scope])?;
            self.news.1 = Some(rows.0.last_insert_rowid());
        }
        if let (Some(newest), false) = (self.news.1, scopes.is_empty()) {
            let sql = "DELETE FROM lift WHERE no <= ?1";
            rows.0.prepare_cached(sql)?.execute([newest - REMEMBERED as i64])?;
        }
        self.news.0.add_all(lifted);
        Ok(())
    }
}

/// How something is kept in its table.
struct Table {
    put: &'static str,
    delete: &'static str,
}

// Each is given the endpoint, also where there is none but Google's.
const COOLDOWN: Table = Table {
    put: "INSERT OR REPLACE INTO cooldown SELECT ?1, ?2, ?3 WHERE ?4 IS NOT NULL",
    delete: "DELETE FROM cooldown WHERE scope = ?1 AND ?2 IS NOT NULL",
};
const COOLING: Table = Table {
    put: "INSERT OR REPLACE INTO cooling VALUES (?4, ?1, ?2, ?3)",
    delete: "DELETE FROM cooling WHERE endpoint = ?2 AND scope = ?1",
};
const BREAKER: Table = Table {
    put: "INSERT OR REPLACE INTO breaker VALUES (?4, ?1, ?2, ?3)",
    delete: "DELETE FROM breaker WHERE endpoint = ?2 AND bucket = ?1",
};

/// Where a row of table `cooling` holds which domains of an endpoint were throttled of late; those of
/// Google's own are the pool's.
const THROTTLED: &str = "throttled";

fn read<'a, T: serde::Deserialize<'a>>(text: &'a str) -> Done<T> {
    from_str(text).map_err(|_| Failure::nonsense("cooldown"))
}

fn text<T: serde::Serialize>(value: &T) -> Done<String> {
    to_string(value).map_err(|error| Failure::Broken(error.to_string()))
}
