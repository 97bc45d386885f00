//! What the file looks like, and how an older one becomes like that.

use rusqlite::{Connection, TransactionBehavior};

/// "keyr": whose file it is, in its header.
pub(super) const APPLICATION: u32 = 0x6b65_7972;

/// Each brings a file from the version of its place to the next. Only ever add one, and one that
/// processes which are still running can live with: they share the file.
const MIGRATIONS: &[&str] = &["
    -- One row: what is the pool's.
    CREATE TABLE pool (
        one INTEGER PRIMARY KEY CHECK (one = 1),
        -- Counts admissions, lifts and probes that came back.
        seq INTEGER NOT NULL,
        -- The newest version of any cooldown; what is dropped begins an epoch.
        version INTEGER NOT NULL,
        epoch INTEGER NOT NULL,
        -- How time since boot becomes a time that never goes back.
        boot TEXT NOT NULL,
        boot_offset INTEGER NOT NULL,
        newest INTEGER NOT NULL,
        guard TEXT NOT NULL,
        throttled TEXT NOT NULL
    );
    INSERT INTO pool VALUES (1, 0, 0, 0, '', 0, 0, '', '');

    CREATE TABLE domain (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        project TEXT NOT NULL,
        bucket TEXT NOT NULL,
        ledger BLOB NOT NULL,
        UNIQUE (project, bucket)
    );

    -- Permits that have not ended.
    CREATE TABLE permit (
        id BLOB PRIMARY KEY,
        domain INTEGER NOT NULL,
        key TEXT NOT NULL,
        fingerprint INTEGER NOT NULL,
        method INTEGER NOT NULL,
        choice INTEGER NOT NULL,
        seq INTEGER NOT NULL,
        admitted INTEGER NOT NULL,
        probe INTEGER NOT NULL,
        charge BLOB
    ) WITHOUT ROWID;

    -- Requests in flight of keys whose concurrency is limited.
    CREATE TABLE place (
        key TEXT NOT NULL,
        permit BLOB NOT NULL,
        until INTEGER NOT NULL,
        PRIMARY KEY (key, permit)
    ) WITHOUT ROWID;

    CREATE TABLE cooldown (
        scope TEXT PRIMARY KEY,
        version INTEGER NOT NULL,
        state TEXT NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX cooldown_version ON cooldown (version);

    CREATE TABLE fact (
        name TEXT PRIMARY KEY,
        value TEXT NOT NULL,
        at INTEGER NOT NULL,
        until INTEGER NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX fact_until ON fact (until);
"];

/// What a file of any version may lack: tables that an older build neither reads nor misses, so that
/// files keep a version that it opens.
const ADDITIONS: &str = "
    -- The newest lifts of cooldowns by their numbers, for processes to learn of each other's.
    CREATE TABLE IF NOT EXISTS lift (
        no INTEGER PRIMARY KEY,
        endpoint INTEGER NOT NULL,
        scope TEXT NOT NULL
    );

    -- Cooldowns as in the table of that name, of scopes that an older build does not know.
    CREATE TABLE IF NOT EXISTS cooling (
        endpoint INTEGER NOT NULL,
        scope TEXT NOT NULL,
        version INTEGER NOT NULL,
        state TEXT NOT NULL,
        PRIMARY KEY (endpoint, scope)
    ) WITHOUT ROWID;
    CREATE INDEX IF NOT EXISTS cooling_version ON cooling (version);

    -- How calls of a model ended of late, and whether it is held back.
    CREATE TABLE IF NOT EXISTS breaker (
        endpoint INTEGER NOT NULL,
        bucket TEXT NOT NULL,
        version INTEGER NOT NULL,
        state TEXT NOT NULL,
        PRIMARY KEY (endpoint, bucket)
    ) WITHOUT ROWID;
    CREATE INDEX IF NOT EXISTS breaker_version ON breaker (version);

    -- Which process has taken a place in flight.
    CREATE TABLE IF NOT EXISTS place_owner (
        key TEXT NOT NULL,
        permit BLOB NOT NULL,
        owner TEXT NOT NULL,
        PRIMARY KEY (key, permit)
    ) WITHOUT ROWID;
";
/// How many tables and indexes these are.
const ADDED: u32 = 6;

/// Whether a file has all of [`ADDITIONS`].
fn is_complete(file: &Connection) -> rusqlite::Result<bool> {
    let sql = "SELECT count(*) FROM sqlite_schema WHERE name IN \
               ('lift', 'cooling', 'cooling_version', 'breaker', 'breaker_version', 'place_owner')";
    file.query_row(sql, [], |row| Ok(row.get::<_, u32>(0)? == ADDED))
}

/// The version this build writes.
pub(super) const NEWEST: u32 = MIGRATIONS.len() as u32;

/// The version of a file.
pub(super) fn version(file: &Connection) -> rusqlite::Result<u32> {
    file.query_row("PRAGMA user_version", [], |row| row.get(0))
}

/// Brings a file to [`NEWEST`]; one that is newer is left as it is.
pub(super) fn migrate(file: &mut Connection) -> rusqlite::Result<()> {
    if version(file)? >= NEWEST && is_complete(file)? {
        return Ok(());
    }
    let step = file.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Somebody else may have done it meanwhile.
    let from = version(&step)?;
    for sql in MIGRATIONS.iter().skip(from as usize) {
        step.execute_batch(sql)?;
    }
    step.execute_batch(ADDITIONS)?;
    if from < NEWEST {
        step.execute_batch(&format!("PRAGMA user_version = {NEWEST}"))?;
    }
    step.commit()
}
