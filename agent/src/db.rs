//! The one module that opens the database: `tillsync.db` in the state folder, SQLite in WAL mode.
//!
//! Owns the connection's settings, the migrations, the lock on the state folder and what happens to a damaged
//! file. Holds no decisions; the SQL of each table group is in the submodules.
//!
//! Durability: commits that record sales or freeze batches run with `synchronous=FULL` and return after the fsync.
//! Closing a batch may run with `NORMAL`: losing it in a power cut leaves the batch live, and it is sent again
//! under the same key.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};
use thiserror::Error;

pub mod backup;
pub mod ledger;
pub mod orders;
pub mod outbox;
pub mod recovery;
pub mod tables;
pub mod values;

const MIGRATIONS: &[&str] =
    &[include_str!("db/migrations/0001_initial.sql"), include_str!("db/migrations/0002_counts.sql")];
/// "TSYN": marks the file as ours.
const APPLICATION_ID: i32 = 0x5453_594E;
/// What the write-ahead log keeps of its size after a backlog was imported.
const WAL_BYTES_KEPT: u64 = 16 * 1024 * 1024;
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
const FILE: &str = "tillsync.db";

/// What can go wrong with the database or its folder.
#[derive(Debug, Error)]
pub enum DbError {
    /// The folder cannot be made or written.
    #[error("cannot use the state folder `{}`", path.display())]
    Folder {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Another agent runs on it.
    #[error("another tillsync is running on the state folder `{}`: stop it first, or use another [state] path", path.display())]
    Locked {
        /// Which.
        path: PathBuf,
    },
    /// Opening failed.
    #[error("cannot open the database `{}`", path.display())]
    Open {
        /// Which.
        path: PathBuf,
        /// Why.
        source: rusqlite::Error,
    },
    /// Not ours, or not readable.
    #[error("the database `{}` is damaged ({detail})", path.display())]
    Damaged {
        /// Which.
        path: PathBuf,
        /// What the check said.
        detail: String,
    },
    /// Written by a later version.
    #[error("the database `{}` is of version {found}, newer than this program knows ({known}): install the newer tillsync again", path.display())]
    TooNew {
        /// Which.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// Ours.
        known: usize,
    },
    /// A statement failed.
    #[error("database step `{step}` failed")]
    Step {
        /// Which.
        step: &'static str,
        /// Why.
        source: rusqlite::Error,
    },
    /// A file operation beside the database failed.
    #[error("step `{step}` failed")]
    Io {
        /// Which.
        step: &'static str,
        /// Why.
        source: io::Error,
    },
    /// A stored row does not make sense.
    #[error("row `{what}` in the database cannot be understood: {detail}")]
    Row {
        /// Which.
        what: String,
        /// Why.
        detail: String,
    },
}

impl DbError {
    /// Stable code, listed in `docs/errors.md`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Folder { .. } => "state_folder",
            Self::Locked { .. } => "state_locked",
            Self::Open { .. } => "database_open",
            Self::Damaged { .. } => "database_damaged",
            Self::TooNew { .. } => "database_too_new",
            Self::Step { .. } | Self::Io { .. } if self.is_disk_full() => "disk_full",
            Self::Step { .. } | Self::Io { .. } => "database_step",
            Self::Row { .. } => "database_row",
        }
    }

    /// What to do, for the person at the machine.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Folder { .. } => "check that the folder exists and that the service may write to it",
            Self::Locked { .. } => "two agents on one folder would count sales twice; only one may run",
            Self::Open { .. } => "check the permissions of the state folder",
            Self::Damaged { .. } => {
                "the file is set aside and rebuilt from the newest good backup; keep the set-aside copy"
            }
            Self::TooNew { .. } => "going back to an older version needs a backup from before the update",
            Self::Step { .. } | Self::Io { .. } if self.is_disk_full() => {
                "free some disk space; nothing is lost, reading goes on by itself"
            }
            Self::Step { .. } | Self::Io { .. } => "check the disk; the step is tried again by itself",
            Self::Row { .. } => "run `tillsync audit` and make a support bundle with `tillsync diag`",
        }
    }

    /// The disk has no room: reading pauses and is tried again.
    pub fn is_disk_full(&self) -> bool {
        match self {
            Self::Step { source, .. } => source.sqlite_error_code() == Some(rusqlite::ErrorCode::DiskFull),
            Self::Io { source, .. } => source.kind() == io::ErrorKind::StorageFull,
            Self::Folder { .. }
            | Self::Locked { .. }
            | Self::Open { .. }
            | Self::Damaged { .. }
            | Self::TooNew { .. }
            | Self::Row { .. } => false,
        }
    }
}

/// Names the step of a failed statement.
pub fn step(step: &'static str) -> impl Fn(rusqlite::Error) -> DbError {
    move |source| DbError::Step { step, source }
}

/// The state folder, locked for this process.
#[derive(Debug)]
pub struct StateFolder {
    path: PathBuf,
    _lock: Option<File>,
}

impl StateFolder {
    /// Makes the folder if needed and locks it until dropped.
    ///
    /// # Errors
    /// [`DbError::Folder`], or [`DbError::Locked`] if another agent holds it.
    pub fn lock(path: &Path) -> Result<Self, DbError> {
        let folder = |source| DbError::Folder { path: path.to_owned(), source };
        std::fs::create_dir_all(path).map_err(folder)?;
        owner_only(path).map_err(folder)?;
        let lock = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(path.join("tillsync.lock"))
            .map_err(folder)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path: path.to_owned(), _lock: Some(lock) }),
            Err(std::fs::TryLockError::WouldBlock) => Err(DbError::Locked { path: path.to_owned() }),
            Err(std::fs::TryLockError::Error(source)) => Err(folder(source)),
        }
    }

    /// The folder of a running agent, for commands that only read.
    pub fn shared(path: &Path) -> Self {
        Self { path: path.to_owned(), _lock: None }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The database file in it.
    pub fn database(&self) -> PathBuf {
        self.path.join(FILE)
    }

    /// Where backups are kept.
    pub fn backups(&self) -> PathBuf {
        self.path.join("backups")
    }
}

#[cfg(unix)]
fn owner_only(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o700))
}

#[cfg(not(unix))]
fn owner_only(_path: &Path) -> io::Result<()> {
    Ok(())
}

/// Opens for writing, creates and migrates. `cache_kib` bounds SQLite's page cache.
///
/// # Errors
/// [`DbError`]; [`DbError::Damaged`] if the file is no good database.
pub fn open_writer(path: &Path, cache_kib: i64) -> Result<Connection, DbError> {
    let mut conn = Connection::open(path).map_err(|source| opened(path, source))?;
    conn.busy_timeout(BUSY_TIMEOUT).map_err(|source| opened(path, source))?;
    conn.execute_batch(&format!(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF;
         PRAGMA wal_autocheckpoint = 0; PRAGMA journal_size_limit = {WAL_BYTES_KEPT};
         PRAGMA temp_store = MEMORY; PRAGMA cache_size = -{cache_kib};"
    ))
    .map_err(|source| opened(path, source))?;
    conn.set_prepared_statement_cache_capacity(64);
    migrate(&mut conn, path)?;
    Ok(conn)
}

/// Opens for reading beside the writer.
///
/// # Errors
/// [`DbError::Open`].
pub fn open_reader(path: &Path) -> Result<Connection, DbError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn =
        Connection::open_with_flags(path, flags).map_err(|source| DbError::Open { path: path.to_owned(), source })?;
    conn.busy_timeout(BUSY_TIMEOUT).map_err(|source| DbError::Open { path: path.to_owned(), source })?;
    Ok(conn)
}

/// A failed opening is damage if SQLite says so.
fn opened(path: &Path, source: rusqlite::Error) -> DbError {
    match source.sqlite_error_code() {
        Some(rusqlite::ErrorCode::NotADatabase | rusqlite::ErrorCode::DatabaseCorrupt) => {
            DbError::Damaged { path: path.to_owned(), detail: source.to_string() }
        }
        _ => DbError::Open { path: path.to_owned(), source },
    }
}

fn migrate(conn: &mut Connection, path: &Path) -> Result<(), DbError> {
    let open = |source| opened(path, source);
    let found: i64 = conn.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(open)?;
    let done = usize::try_from(found).unwrap_or(usize::MAX);
    if done > MIGRATIONS.len() {
        return Err(DbError::TooNew { path: path.to_owned(), found, known: MIGRATIONS.len() });
    }
    for (index, sql) in MIGRATIONS.iter().enumerate().skip(done) {
        let tx = conn.transaction().map_err(open)?;
        tx.execute_batch(sql).map_err(open)?;
        tx.execute_batch(&format!("PRAGMA user_version = {}; PRAGMA application_id = {APPLICATION_ID}", index + 1))
            .map_err(open)?;
        tx.commit().map_err(open)?;
    }
    Ok(())
}

/// SQLite's own look at the structure of the file.
///
/// # Errors
/// [`DbError::Damaged`] with what it found.
pub fn quick_check(conn: &Connection, path: &Path) -> Result<(), DbError> {
    let found: String =
        conn.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(|source| opened(path, source))?;
    if found == "ok" { Ok(()) } else { Err(DbError::Damaged { path: path.to_owned(), detail: found }) }
}
