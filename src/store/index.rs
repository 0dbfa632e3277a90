//! The index: which records there are. SQLite with a write-ahead log, owned by this process alone.
//!
//! Functions here speak SQL and nothing else; what to do about a failure is decided by those who call.

use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rusqlite::limits::Limit;
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, Params, Row as SqlRow, params};

use super::identity::{FORMAT, Identity};
use super::records::{Kind, Row};
use super::{MemoryName, StoreError};

/// What a statement gives.
pub(super) type Sql<T> = rusqlite::Result<T>;

/// "SLar": tells our database from somebody else's.
const APPLICATION: i64 = 0x534c_6172;
/// Nothing in the index is longer: checked by SQLite before it allocates.
const MAX_VALUE: i32 = 1 << 16;

/// How the tables were made, word for word as SQLite keeps it: an index that says anything else is damaged.
const SCHEMA: [&str; 6] = [
    "CREATE TABLE about (identity TEXT NOT NULL) STRICT",
    "CREATE TABLE memory (id INTEGER PRIMARY KEY, name TEXT NOT NULL, started INTEGER NOT NULL) STRICT",
    "CREATE UNIQUE INDEX memory_name ON memory (name)",
    "CREATE TABLE record (serial INTEGER PRIMARY KEY, memory INTEGER NOT NULL, kind INTEGER NOT NULL, id INTEGER NOT NULL, \
     key TEXT NOT NULL, start_ms INTEGER NOT NULL, end_ms INTEGER NOT NULL, extra INTEGER NOT NULL, bytes INTEGER NOT NULL, \
     until INTEGER NOT NULL) STRICT",
    "CREATE UNIQUE INDEX record_place ON record (memory, kind, id, key)",
    "CREATE INDEX record_age ON record (kind, until)",
];

/// Columns in the order that [`row`] and [`found`] read them.
const COLUMNS: &str =
    "r.serial, r.kind, r.id, r.key, r.start_ms, r.end_ms, r.extra, r.bytes, r.memory, r.until, m.name, m.started";
const FROM: &str = "FROM record r JOIN memory m ON m.id = r.memory";

/// A memory as the index knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Memory {
    pub(super) id: i64,
    pub(super) name: MemoryName,
    pub(super) started: u64,
}

/// A record and the memory it is in.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub(super) memory: Memory,
    pub(super) row: Row,
    /// When it ended, in ms since 1970.
    pub(super) until: u64,
}

/// Why an index cannot be used.
pub(super) enum Trouble {
    /// It is damaged: build it anew.
    Damaged(String),
    /// Anything else.
    Failed(StoreError),
}

/// Makes a new index at `path`, where nothing is, and writes the identity into it.
pub(super) fn create(path: &Path, identity: &Identity) -> Result<Connection, StoreError> {
    // SQLite would make it readable to more than its owner.
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(false).mode(0o600);
    options.open(path).map_err(StoreError::io("create", path))?;
    let make = || {
        let db = Connection::open_with_flags(path, flags())?;
        settle(&db)?;
        let setup = db.unchecked_transaction()?;
        for statement in SCHEMA {
            setup.execute(statement, [])?;
        }
        setup.execute("INSERT INTO about VALUES (?1)", [identity.encode()])?;
        setup.pragma_update(None, "application_id", APPLICATION)?;
        setup.pragma_update(None, "user_version", FORMAT)?;
        setup.commit()?;
        Ok(db)
    };
    make().map_err(failure("create", path))
}

/// Opens an index and checks it from end to end.
pub(super) fn open(path: &Path) -> Result<Connection, Trouble> {
    let opened = || {
        let db = Connection::open_with_flags(path, flags())?;
        db.set_limit(Limit::SQLITE_LIMIT_LENGTH, MAX_VALUE)?;
        let application: i64 = db.pragma_query_value(None, "application_id", |r| r.get(0))?;
        let version: i64 = db.pragma_query_value(None, "user_version", |r| r.get(0))?;
        if application == APPLICATION && version > FORMAT {
            return Ok(Err(Trouble::Failed(StoreError::Newer { found: version, known: FORMAT })));
        }
        settle(&db)?;
        if application != APPLICATION || version != FORMAT || schema(&db)? != SCHEMA {
            return Ok(Err(Trouble::Damaged("it is not an index of this format".to_owned())));
        }
        match check(&db, "quick_check")? {
            None => Ok(Ok(db)),
            Some(problem) => Ok(Err(Trouble::Damaged(problem))),
        }
    };
    let result: Sql<Result<Connection, Trouble>> = opened();
    result.unwrap_or_else(|error| match failure("open", path)(error) {
        // What SQLite cannot make sense of while it opens a file is damage too, whatever it calls it.
        StoreError::Corrupt { problem } | StoreError::Index(problem) => Err(Trouble::Damaged(problem)),
        other => Err(Trouble::Failed(other)),
    })
}

fn flags() -> OpenFlags {
    OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX
}

/// Everything that is said to SQLite once per connection. Commits do not wait for the disk; [`checkpoint`] does.
fn settle(db: &Connection) -> Sql<()> {
    db.execute_batch(
        "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA secure_delete = ON; \
         PRAGMA temp_store = MEMORY; PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON; PRAGMA wal_autocheckpoint = 0; \
         PRAGMA mmap_size = 0; PRAGMA cache_size = -4096;",
    )
}

fn schema(db: &Connection) -> Sql<Vec<String>> {
    let mut statement = db.prepare("SELECT sql FROM sqlite_schema ORDER BY rowid")?;
    let rows = statement.query_map([], |r| r.get(0))?;
    rows.collect()
}

/// SQLite's own examination: `quick_check` or `integrity_check`. `None` when it found nothing.
pub(super) fn check(db: &Connection, which: &str) -> Sql<Option<String>> {
    let result: String = db.query_row(&format!("PRAGMA {which}(1)"), [], |r| r.get(0))?;
    Ok((result != "ok").then_some(result))
}

/// Moves the log into the database, makes both durable and empties the log.
pub(super) fn checkpoint(db: &Connection) -> Sql<()> {
    let busy: i64 = db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |r| r.get(0))?;
    if busy == 0 { Ok(()) } else { Err(rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(5), None)) }
}

/// The copy of the identity, as text.
pub(super) fn identity(db: &Connection) -> Sql<Option<String>> {
    db.query_row("SELECT identity FROM about", [], |r| r.get(0)).optional()
}

/// Turns an error of SQLite into ours.
pub(super) fn failure(what: &'static str, path: &Path) -> impl FnOnce(rusqlite::Error) -> StoreError + use<> {
    let path = path.to_owned();
    move |error| {
        let rusqlite::Error::SqliteFailure(code, _) = &error else {
            return match error {
                rusqlite::Error::FromSqlConversionFailure(..)
                | rusqlite::Error::IntegralValueOutOfRange(..)
                | rusqlite::Error::Utf8Error(..)
                | rusqlite::Error::InvalidColumnType(..) => StoreError::Corrupt { problem: error.to_string() },
                other => StoreError::Index(other.to_string()),
            };
        };
        match code.code {
            ErrorCode::DiskFull => StoreError::DiskFull { what, path },
            ErrorCode::ReadOnly | ErrorCode::PermissionDenied => StoreError::ReadOnly { what, path },
            ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase | ErrorCode::TooBig => {
                StoreError::Corrupt { problem: error.to_string() }
            }
            ErrorCode::SystemIoFailure | ErrorCode::CannotOpen | ErrorCode::FileLockingProtocolFailed => {
                StoreError::Io { what, path, error: std::io::Error::other(error.to_string()) }
            }
            _ => StoreError::Index(error.to_string()),
        }
    }
}

/// The memory of this name.
pub(super) fn memory(db: &Connection, name: &MemoryName) -> Sql<Option<Memory>> {
    db.prepare_cached("SELECT id, name, started FROM memory WHERE name = ?1")?
        .query_row([name.as_str()], |r| memory_at(r, [0, 1, 2]))
        .optional()
}

/// All memories, in the order of their making.
pub(super) fn memories(db: &Connection) -> Sql<Vec<Memory>> {
    db.prepare_cached("SELECT id, name, started FROM memory ORDER BY id")?
        .query_map([], |r| memory_at(r, [0, 1, 2]))?
        .collect()
}

pub(super) fn add_memory(db: &Connection, name: &MemoryName, started: u64) -> Sql<Memory> {
    db.prepare_cached("INSERT INTO memory (name, started) VALUES (?1, ?2)")?
        .execute(params![name.as_str(), started.cast_signed()])?;
    Ok(Memory { id: db.last_insert_rowid(), name: name.clone(), started })
}

pub(super) fn drop_memory(db: &Connection, memory: &Memory) -> Sql<()> {
    db.prepare_cached("DELETE FROM record WHERE memory = ?1")?.execute([memory.id])?;
    db.prepare_cached("DELETE FROM memory WHERE id = ?1")?.execute([memory.id])?;
    Ok(())
}

/// The memory, other than `keep`, in which the newest thing is the oldest.
pub(super) fn stalest(db: &Connection, keep: i64) -> Sql<Option<Memory>> {
    db.prepare_cached(
        "SELECT id, name, started FROM memory m WHERE id <> ?1 ORDER BY \
         coalesce((SELECT max(until) FROM record WHERE memory = m.id), started), id LIMIT 1",
    )?
    .query_row([keep], |r| memory_at(r, [0, 1, 2]))
    .optional()
}

pub(super) fn add(db: &Connection, memory: &Memory, row: &Row) -> Sql<()> {
    let signed = u64::cast_signed;
    db.prepare_cached("INSERT INTO record VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)")?.execute(params![
        signed(row.serial),
        memory.id,
        row.kind.code(),
        signed(row.id),
        row.key,
        signed(row.start_ms),
        signed(row.end_ms),
        signed(row.extra),
        signed(row.bytes),
        signed(memory.started + row.end_ms),
    ])?;
    Ok(())
}

pub(super) fn remove(db: &Connection, serial: u64) -> Sql<()> {
    db.prepare_cached("DELETE FROM record WHERE serial = ?1")?.execute([serial.cast_signed()])?;
    Ok(())
}

/// The record in this place.
pub(super) fn at(db: &Connection, memory: &Memory, kind: Kind, id: u64, key: &str) -> Sql<Option<Found>> {
    let given = params![memory.id, kind.code(), id.cast_signed(), key];
    Ok(select(db, "WHERE r.memory = ?1 AND r.kind = ?2 AND r.id = ?3 AND r.key = ?4", given)?.pop())
}

/// All records of a kind, by time.
pub(super) fn of_kind(db: &Connection, memory: &Memory, kind: Kind) -> Sql<Vec<Found>> {
    let given = params![memory.id, kind.code()];
    select(db, "WHERE r.memory = ?1 AND r.kind = ?2 ORDER BY r.start_ms, r.id, r.key", given)
}

/// All records of a memory.
pub(super) fn all(db: &Connection, memory: &Memory) -> Sql<Vec<Found>> {
    select(db, "WHERE r.memory = ?1", [memory.id])
}

/// The oldest records of a kind, without those of memory `keep` that reach past `horizon`.
pub(super) fn oldest(db: &Connection, kind: Kind, keep: i64, horizon: u64, most: u32) -> Sql<Vec<Found>> {
    let given = params![kind.code(), keep, horizon.cast_signed(), most];
    let which = "WHERE r.kind = ?1 AND NOT (r.memory = ?2 AND r.until >= ?3) ORDER BY r.until, r.serial LIMIT ?4";
    select(db, which, given)
}

/// The newest record of a kind in the whole archive.
pub(super) fn newest(db: &Connection, kind: Kind) -> Sql<Option<Found>> {
    Ok(select(db, "WHERE r.kind = ?1 ORDER BY r.until DESC, r.serial DESC LIMIT 1", [kind.code()])?.pop())
}

fn select(db: &Connection, which: &str, given: impl Params) -> Sql<Vec<Found>> {
    db.prepare_cached(&format!("SELECT {COLUMNS} {FROM} {which}"))?.query_map(given, found)?.collect()
}

fn found(r: &SqlRow<'_>) -> Sql<Found> {
    Ok(Found { memory: memory_at(r, [8, 10, 11])?, row: row(r)?, until: number(r, 9)? })
}

fn row(r: &SqlRow<'_>) -> Sql<Row> {
    let kind = Kind::from_code(r.get(1)?).ok_or(rusqlite::Error::IntegralValueOutOfRange(1, 0))?;
    Ok(Row {
        serial: number(r, 0)?,
        kind,
        id: number(r, 2)?,
        key: r.get(3)?,
        start_ms: number(r, 4)?,
        end_ms: number(r, 5)?,
        extra: number(r, 6)?,
        bytes: number(r, 7)?,
    })
}

/// Ids may use all 64 bits, so numbers are stored as the signed number of the same bits.
fn number(r: &SqlRow<'_>, column: usize) -> Sql<u64> {
    r.get::<_, i64>(column).map(i64::cast_unsigned)
}

fn memory_at(r: &SqlRow<'_>, [id, name, started]: [usize; 3]) -> Sql<Memory> {
    let text: String = r.get(name)?;
    let name = MemoryName::parse(&text)
        .map_err(|_| rusqlite::Error::InvalidColumnType(name, "name".to_owned(), rusqlite::types::Type::Text))?;
    Ok(Memory { id: r.get(id)?, name, started: number(r, started)? })
}
