//! Rows to values and back: all the SQL a decision needs.

use keyrot_core::{Cost, Domain, Fingerprint, KeyId, Method, Permit, PermitId, Stamp, Timestamp};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::failure::{Done, Failure};
use super::time::Steady;
use crate::flight::InFlight;
use crate::ledger::{Charge, Ledger};

/// The pool's one row, but for what belongs to the cooldowns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pool {
    pub(super) seq: u64,
    pub(super) version: u64,
    pub(super) epoch: u64,
    pub(super) steady: Steady,
}

/// A permit that has not ended.
#[derive(Debug)]
pub(super) struct Open {
    /// Which of the candidates it was.
    pub(super) choice: usize,
    pub(super) permit: Permit,
    pub(super) charge: Option<Charge>,
}

/// The file, row by row.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rows<'c>(pub(super) &'c Connection);

/// SQLite's numbers have a sign; all 64 bits come back.
pub(super) fn to_sql(n: u64) -> i64 {
    n.cast_signed()
}

pub(super) fn from_sql(n: i64) -> u64 {
    n.cast_unsigned()
}

/// An instant that is compared by SQLite: [`Timestamp::NEVER`] is the greatest there, too.
pub(super) fn instant(at: Timestamp) -> i64 {
    i64::try_from(at.as_millis()).unwrap_or(i64::MAX)
}

pub(super) fn from_instant(at: i64) -> Timestamp {
    if at == i64::MAX { Timestamp::NEVER } else { Timestamp::from_millis(u64::try_from(at).unwrap_or(0)) }
}

fn number(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    row.get(column).map(from_sql)
}

impl Rows<'_> {
    /// Runs what has neither parameters nor rows.
    pub(super) fn run(self, sql: &str) -> Done {
        self.0.prepare_cached(sql)?.execute([])?;
        Ok(())
    }

    pub(super) fn pool(self) -> Done<Pool> {
        let sql = "SELECT seq, version, epoch, boot, boot_offset, newest FROM pool WHERE one = 1";
        let pool = self.0.prepare_cached(sql)?.query_row([], |row| {
            let (offset, newest) = (number(row, 4)?, number(row, 5)?);
            Ok(Pool {
                seq: number(row, 0)?,
                version: number(row, 1)?,
                epoch: number(row, 2)?,
                steady: Steady { boot: row.get(3)?, offset, newest },
            })
        })?;
        Ok(pool)
    }

    pub(super) fn save_pool(self, pool: &Pool) -> Done {
        let Pool { seq, version, epoch, steady: Steady { boot, offset, newest } } = pool;
        let sql = "UPDATE pool SET seq = ?1, version = ?2, epoch = ?3, boot = ?4, boot_offset = ?5, \
                   newest = ?6 WHERE one = 1";
        let [seq, version, epoch, offset, newest] = [seq, version, epoch, offset, newest].map(|n| to_sql(*n));
        self.0.prepare_cached(sql)?.execute(params![seq, version, epoch, boot, offset, newest])?;
        Ok(())
    }

    /// A domain's row and ledger, if it has any.
    pub(super) fn ledger(self, domain: &Domain) -> Done<Option<(i64, Ledger)>> {
        let sql = "SELECT id, ledger FROM domain WHERE project = ?1 AND bucket = ?2";
        let mut statement = self.0.prepare_cached(sql)?;
        let mut rows = statement.query([domain.project.as_str(), domain.bucket.as_str()])?;
        let Some(row) = rows.next()? else { return Ok(None) };
        let ledger = Ledger::from_bytes(row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?);
        Ok(Some((row.get(0)?, ledger.ok_or_else(|| Failure::nonsense("domain"))?)))
    }

    /// The number of a domain's row, which is made if there is none.
    pub(super) fn add_domain(self, domain: &Domain, ledger: &Ledger) -> Done<i64> {
        let sql = "INSERT INTO domain (project, bucket, ledger) VALUES (?1, ?2, ?3)";
        let (project, bucket) = (domain.project.as_str(), domain.bucket.as_str());
        self.0.prepare_cached(sql)?.execute(params![project, bucket, ledger.to_bytes()])?;
        Ok(self.0.last_insert_rowid())
    }

    pub(super) fn save_ledger(self, id: i64, ledger: &Ledger) -> Done {
        let sql = "UPDATE domain SET ledger = ?2 WHERE id = ?1";
        self.0.prepare_cached(sql)?.execute(params![id, ledger.to_bytes()])?;
        Ok(())
    }

    /// The permit of this name, unless it has ended.
    pub(super) fn open(self, id: PermitId) -> Done<Option<Open>> {
        let sql = "SELECT domain.project, domain.bucket, key, fingerprint, method, choice, seq, admitted, \
                   probe, charge FROM permit JOIN domain ON domain.id = permit.domain WHERE permit.id = ?1";
        let mut statement = self.0.prepare_cached(sql)?;
        let row = statement
            .query_row([id.0.to_be_bytes()], |row| {
                let domain = Domain::new(row.get::<_, String>(0)?, row.get::<_, String>(1)?);
                let stamp = Stamp { seq: number(row, 6)?, admitted: from_instant(row.get(7)?) };
                let charge: Option<Vec<u8>> = row.get(9)?;
                let (key, method): (String, u8) = (row.get(2)?, row.get(4)?);
                Ok((domain, key, number(row, 3)?, method, row.get::<_, u8>(5)?, stamp, row.get(8)?, charge))
            })
            .optional()?;
        let Some((domain, key, fingerprint, method, choice, stamp, probe, charge)) = row else {
            return Ok(None);
        };
        let read = || {
            let charge = match charge {
                Some(bytes) => Some(Charge::from_bytes(&bytes)?),
                None => None,
            };
            let permit = Permit {
                id,
                key: KeyId::new(&key).ok()?,
                fingerprint: serde_json::from_value::<Fingerprint>(fingerprint.into()).ok()?,
                domain,
                method: METHODS.get(usize::from(method)).copied()?,
                cost: charge.map_or(Cost { requests: 0, tokens: 0 }, |charge| charge.cost()),
                stamp,
                probe,
                caller: None,
            };
            Some(Open { choice: choice.into(), permit, charge })
        };
        read().map(Some).ok_or_else(|| Failure::nonsense("permit"))
    }

    pub(super) fn add_permit(self, open: &Open, domain: i64) -> Done {
        let sql = "INSERT OR REPLACE INTO permit VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
        let Open { choice, permit, charge } = open;
        self.0.prepare_cached(sql)?.execute(params![
            permit.id.0.to_be_bytes(),
            domain,
            permit.key.as_str(),
            to_sql(permit.fingerprint.to_u64()),
            METHODS.iter().position(|method| *method == permit.method).map(|number| number as u8),
            *choice as u8,
            to_sql(permit.stamp.seq),
            instant(permit.stamp.admitted),
            permit.probe,
            charge.map(Charge::to_bytes),
        ])?;
        Ok(())
    }

    /// What a permit was charged, unless it has ended or was charged nothing.
    pub(super) fn charge(self, id: PermitId) -> Done<Option<Charge>> {
        let sql = "SELECT charge FROM permit WHERE id = ?1 AND charge IS NOT NULL";
        let mut statement = self.0.prepare_cached(sql)?;
        let mut rows = statement.query([id.0.to_be_bytes()])?;
        let Some(row) = rows.next()? else { return Ok(None) };
        let charge = Charge::from_bytes(row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?);
        charge.map(Some).ok_or_else(|| Failure::nonsense("permit"))
    }

    pub(super) fn save_charge(self, id: PermitId, charge: &Charge) -> Done {
        let sql = "UPDATE permit SET charge = ?2 WHERE id = ?1";
        self.0.prepare_cached(sql)?.execute(params![id.0.to_be_bytes(), charge.to_bytes()])?;
        Ok(())
    }

    /// Ends a permit. Whether it was open.
    pub(super) fn end_permit(self, id: PermitId) -> Done<bool> {
        let sql = "DELETE FROM permit WHERE id = ?1";
        Ok(self.0.prepare_cached(sql)?.execute([id.0.to_be_bytes()])? > 0)
    }

    /// A key's requests in flight.
    pub(super) fn places(self, key: &KeyId) -> Done<InFlight> {
        let mut statement = self.0.prepare_cached("SELECT permit, until FROM place WHERE key = ?1")?;
        let places = statement.query_map([key.as_str()], |row| {
            Ok((PermitId(u128::from_be_bytes(row.get(0)?)), from_instant(row.get(1)?)))
        })?;
        Ok(places.collect::<rusqlite::Result<InFlight>>()?)
    }

    /// Who has taken a key's places, as far as that is known.
    pub(super) fn owners(self, key: &KeyId) -> Done<Vec<(PermitId, String)>> {
        let mut statement = self.0.prepare_cached("SELECT permit, owner FROM place_owner WHERE key = ?1")?;
        let owners = statement
            .query_map([key.as_str()], |row| Ok((PermitId(u128::from_be_bytes(row.get(0)?)), row.get(1)?)))?;
        Ok(owners.collect::<rusqlite::Result<_>>()?)
    }

    /// Takes a place of a key for `owner`; places that have come back by themselves are cleared away.
    pub(super) fn enter(
        self,
        key: &KeyId,
        permit: PermitId,
        owner: Option<&str>,
        until: Timestamp,
        now: Timestamp,
    ) -> Done {
        let sql = "DELETE FROM place WHERE key = ?1 AND until <= ?2";
        self.0.prepare_cached(sql)?.execute(params![key.as_str(), instant(now)])?;
        let sql = "INSERT OR REPLACE INTO place VALUES (?1, ?2, ?3)";
        let permit = permit.0.to_be_bytes();
        self.0.prepare_cached(sql)?.execute(params![key.as_str(), permit, instant(until)])?;
        if let Some(owner) = owner {
            let sql = "INSERT OR REPLACE INTO place_owner VALUES (?1, ?2, ?3)";
            self.0.prepare_cached(sql)?.execute(params![key.as_str(), permit, owner])?;
        }
        Ok(())
    }

    pub(super) fn leave(self, key: &KeyId, permit: PermitId) -> Done {
        self.drop_place(key.as_str(), &permit.0.to_be_bytes())
    }

    /// Deletes a place, and whose it was.
    pub(super) fn drop_place(self, key: &str, permit: &[u8]) -> Done {
        let sql = "DELETE FROM place WHERE key = ?1 AND permit = ?2";
        if self.0.prepare_cached(sql)?.execute(params![key, permit])? > 0 {
            let sql = "DELETE FROM place_owner WHERE key = ?1 AND permit = ?2";
            self.0.prepare_cached(sql)?.execute(params![key, permit])?;
        }
        Ok(())
    }

    /// Forgets whose places were that an older build has deleted.
    pub(super) fn forget_owners(self) -> Done {
        let sql = "DELETE FROM place_owner WHERE NOT EXISTS (SELECT 1 FROM place \
                   WHERE place.key = place_owner.key AND place.permit = place_owner.permit)";
        self.0.prepare_cached(sql)?.execute([])?;
        Ok(())
    }
}

/// By their numbers in the file: only ever add at the end.
const METHODS: [Method; 3] = [Method::Generate, Method::CountTokens, Method::Models];
