//! Clearing away what has no meaning any more: a few rows at a time, beside other writing.

use std::time::Duration;

use keyrot_core::Timestamp;
use rusqlite::params;

use super::failure::{Done, Failure};
use super::rows::{Rows, instant};
use crate::guard::WIDEST;
use crate::ledger::{Ledger, Now};

/// Rows of each table looked at in one step.
const STEP: u32 = 64;
/// Grants from one pass over the tables to the next.
const PASS: u32 = 256;
/// How long a permit that never ended can be given back: its day, and the day after. Only processes
/// that were killed leave any.
const PERMITS: Duration = Duration::from_secs(48 * 3600);

/// Goes over the tables, over and over, as grants are made.
#[derive(Debug)]
pub(super) struct Broom {
    granted: u32,
    pass: Option<Pass>,
}

/// How far a pass has come.
#[derive(Debug, Default)]
struct Pass {
    permit: Vec<u8>,
    place: (String, Vec<u8>),
    domain: i64,
}

impl Broom {
    /// One that begins with a pass: processes may be short.
    pub(super) fn new() -> Self {
        Self { granted: 0, pass: Some(Pass::default()) }
    }

    /// Clears a little, if it is time.
    pub(super) fn sweep(&mut self, rows: Rows<'_>, granted: u32, now: Now) -> Done {
        self.granted += granted;
        if self.granted >= PASS {
            self.granted = 0;
            self.pass.get_or_insert_default();
        }
        let Some(pass) = &mut self.pass else { return Ok(()) };
        // Each has its say, also where another is done already.
        let done = [
            pass.permits(rows, now.day)?,
            pass.places(rows, now.minute)?,
            pass.domains(rows, now)?,
            facts(rows, now.day)?,
        ];
        if done == [true; 4] {
            self.pass = None;
        }
        Ok(())
    }
}

impl Pass {
    fn permits(&mut self, rows: Rows<'_>, now: Timestamp) -> Done<bool> {
        let sql = "SELECT id, admitted FROM permit WHERE id > ?1 ORDER BY id LIMIT ?2";
        let mut statement = rows.0.prepare_cached(sql)?;
        let mut found = statement.query(params![self.permit, STEP])?;
        let (mut seen, mut old) = (0, Vec::new());
        while let Some(row) = found.next()? {
            let (id, admitted): (Vec<u8>, i64) = (row.get(0)?, row.get(1)?);
            // Also what a calendar that was wrong has put into the future.
            if u128::from(instant(now).abs_diff(admitted)) > PERMITS.as_millis() {
                old.push(id.clone());
            }
            (self.permit, seen) = (id, seen + 1);
        }
        for id in old {
            rows.0.prepare_cached("DELETE FROM permit WHERE id = ?1")?.execute([id])?;
        }
        Ok(seen < STEP)
    }

    fn places(&mut self, rows: Rows<'_>, now: Timestamp) -> Done<bool> {
        let sql = "SELECT key, permit, until FROM place WHERE (key, permit) > (?1, ?2) \
                   ORDER BY key, permit LIMIT ?3";
        let mut statement = rows.0.prepare_cached(sql)?;
        let mut found = statement.query(params![self.place.0, self.place.1, STEP])?;
        let (mut seen, mut old) = (0, Vec::new());
        while let Some(row) = found.next()? {
            self.place = (row.get(0)?, row.get(1)?);
            if row.get::<_, i64>(2)? <= instant(now) {
                old.push(self.place.clone());
            }
            seen += 1;
        }
        for (key, permit) in old {
            rows.drop_place(&key, &permit)?;
        }
        if seen < STEP {
            rows.forget_owners()?;
        }
        Ok(seen < STEP)
    }

    fn domains(&mut self, rows: Rows<'_>, now: Now) -> Done<bool> {
        let sql = "SELECT id, ledger FROM domain WHERE id > ?1 ORDER BY id LIMIT ?2";
        let mut statement = rows.0.prepare_cached(sql)?;
        let mut found = statement.query(params![self.domain, STEP])?;
        let (mut seen, mut idle) = (0, Vec::new());
        while let Some(row) = found.next()? {
            self.domain = row.get(0)?;
            let ledger = Ledger::from_bytes(row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?);
            if ledger.ok_or_else(|| Failure::nonsense("domain"))?.idle(WIDEST, now) {
                idle.push(self.domain);
            }
            seen += 1;
        }
        for id in idle {
            rows.0.prepare_cached("DELETE FROM domain WHERE id = ?1")?.execute([id])?;
        }
        Ok(seen < STEP)
    }
}

fn facts(rows: Rows<'_>, now: Timestamp) -> Done<bool> {
    let sql = "DELETE FROM fact WHERE name IN (SELECT name FROM fact WHERE until <= ?1 LIMIT ?2)";
    Ok(rows.0.prepare_cached(sql)?.execute(params![instant(now), STEP])? < STEP as usize)
}
