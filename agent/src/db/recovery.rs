//! A damaged database is set aside whole, never deleted, and rebuilt from the newest good backup.
//!
//! What was sent since that backup is unknown. Sources are read again from the backup's cursors (the ledger takes
//! each line once), and everything they bring, and everything the backup held as open, is settled by read-back
//! and absolute writes instead of being sent as changes again; see `writer::restore`.

use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::{DbError, StateFolder, backup, open_writer, quick_check};
use crate::writer::restore::mark_restored;

/// What opening had to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Opened {
    /// The database was good, or new.
    Good,
    /// It was damaged: set aside at the path, and rebuilt.
    Rebuilt {
        /// Where the damaged file lies now.
        aside: PathBuf,
        /// The backup that it was rebuilt from; `None` if there was none and it starts empty.
        from: Option<PathBuf>,
        /// What was wrong.
        detail: String,
    },
}

/// Opens the database of a state folder, rebuilding it if it is damaged.
///
/// # Errors
/// [`DbError`] if it cannot be opened or rebuilt.
pub fn open(folder: &StateFolder, cache_kib: i64, stamp: &str) -> Result<(Connection, Opened), DbError> {
    let path = folder.database();
    let opened = open_writer(&path, cache_kib).and_then(|conn| quick_check(&conn, &path).map(|()| conn));
    match opened {
        Ok(conn) => Ok((conn, Opened::Good)),
        Err(DbError::Damaged { detail, .. }) => rebuild(folder, cache_kib, stamp, detail),
        Err(fault) => Err(fault),
    }
}

fn rebuild(folder: &StateFolder, cache_kib: i64, stamp: &str, detail: String) -> Result<(Connection, Opened), DbError> {
    let path = folder.database();
    let aside = set_aside(&path, stamp)?;
    let good = backup::list(folder).into_iter().find(|candidate| is_good(candidate));
    if let Some(from) = &good {
        std::fs::copy(from, &path).map_err(|source| DbError::Io { step: "copy a backup", source })?;
    }
    let conn = open_writer(&path, cache_kib)?;
    mark_restored(&conn)?;
    tracing::error!(
        detail,
        aside = %aside.display(),
        backup = good.as_ref().map_or_else(|| "none".to_owned(), |path| path.display().to_string()),
        "The database was damaged: it is set aside whole and rebuilt; stock since the backup is settled by reading the shop back"
    );
    Ok((conn, Opened::Rebuilt { aside, from: good, detail }))
}

fn is_good(path: &Path) -> bool {
    super::open_reader(path).is_ok_and(|conn| quick_check(&conn, path).is_ok())
}

/// Moves the database and its log files away together.
pub fn set_aside(path: &Path, stamp: &str) -> Result<PathBuf, DbError> {
    let io = |source| DbError::Io { step: "set the damaged database aside", source };
    let aside = path.with_extension(format!("damaged-{stamp}.db"));
    std::fs::rename(path, &aside).map_err(io)?;
    for suffix in ["-wal", "-shm"] {
        let from = PathBuf::from(format!("{}{suffix}", path.display()));
        if from.exists() {
            std::fs::rename(&from, format!("{}{suffix}", aside.display())).map_err(io)?;
        }
    }
    Ok(aside)
}

/// Replaces the database by a copy that a person names; the current one is set aside.
///
/// # Errors
/// [`DbError`]; [`DbError::Damaged`] if the copy is no good database.
pub fn restore(folder: &StateFolder, from: &Path, stamp: &str) -> Result<Option<PathBuf>, DbError> {
    let candidate = super::open_reader(from)?;
    quick_check(&candidate, from)?;
    drop(candidate);
    let path = folder.database();
    let aside = if path.exists() { Some(set_aside(&path, stamp)?) } else { None };
    std::fs::copy(from, &path).map_err(|source| DbError::Io { step: "copy a backup", source })?;
    let conn = open_writer(&path, 2048)?;
    mark_restored(&conn)?;
    Ok(aside)
}
