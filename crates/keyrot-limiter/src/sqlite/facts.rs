//! Facts, one row each.

use std::time::Duration;

use keyrot_core::{Fact, Timestamp};
use rusqlite::{OptionalExtension, params};

use super::failure::Done;
use super::rows::{from_instant, instant};
use super::sheet::Sheet;

impl Sheet<'_> {
    pub(super) fn fact(&self, name: &str) -> Done<Option<Fact>> {
        let sql = "SELECT value, at FROM fact WHERE name = ?1 AND until > ?2";
        let fact = self.rows.0.prepare_cached(sql)?.query_row(params![name, instant(self.wall())], |row| {
            Ok(Fact { value: row.get(0)?, at: from_instant(row.get(1)?) })
        });
        Ok(fact.optional()?)
    }

    pub(super) fn put(&self, name: &str, value: &str, ttl: Option<Duration>) -> Done {
        let at = self.wall();
        let until = ttl.map_or(Timestamp::NEVER, |ttl| at + ttl);
        self.write(name, value, at, until)
    }

    fn write(&self, name: &str, value: &str, at: Timestamp, until: Timestamp) -> Done {
        let sql = "INSERT OR REPLACE INTO fact VALUES (?1, ?2, ?3, ?4)";
        self.rows.0.prepare_cached(sql)?.execute(params![name, value, instant(at), instant(until)])?;
        Ok(())
    }

    pub(super) fn scan(&self, prefix: &str) -> Done<Vec<(String, Fact)>> {
        let sql = "SELECT name, value, at FROM fact WHERE name >= ?1 AND until > ?2 ORDER BY name";
        let mut statement = self.rows.0.prepare_cached(sql)?;
        let mut rows = statement.query(params![prefix, instant(self.wall())])?;
        let mut facts = Vec::new();
        while let Some(row) = rows.next()? {
            let name: String = row.get(0)?;
            if !name.starts_with(prefix) {
                break;
            }
            facts.push((name, Fact { value: row.get(1)?, at: from_instant(row.get(2)?) }));
        }
        Ok(facts)
    }

    pub(super) fn increment(&self, name: &str, by: u64) -> Done<u64> {
        let at = self.wall();
        let sql = "SELECT value, until FROM fact WHERE name = ?1 AND until > ?2";
        let old: Option<(String, i64)> = self
            .rows
            .0
            .prepare_cached(sql)?
            .query_row(params![name, instant(at)], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let (value, until) = old.map_or((0, Timestamp::NEVER), |(value, until)| {
            (value.parse().unwrap_or(0_u64), from_instant(until))
        });
        let new = value.saturating_add(by);
        self.write(name, &new.to_string(), at, until)?;
        Ok(new)
    }
}
