//! A damaged database is set aside whole, never deleted, and rebuilt from the newest good backup.
//!
//! What was sent since that backup is unknown. Sources are read again from the backup's cursors (the ledger takes
//! each line once), and everything they bring, and everything the backup held as open, is settled by read-back
//! and absolute writes instead of being sent as changes again; see `writer::restore`.
//!
//! The rebuilt database is prepared under another name, marked and synced, and only then takes the place of the
//! damaged one. A crash at any step leaves the damaged one, or the prepared one, which the next start puts into
//! place; never an old database that looks like a good one.

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

/// Opens the database of a state folder, rebuilding it if it is damaged, or missing although there are backups.
///
/// # Errors
/// [`DbError`] if it cannot be opened or rebuilt.
pub fn open(folder: &StateFolder, cache_kib: i64, stamp: &str) -> Result<(Connection, Opened), DbError> {
    let path = folder.database();
    if !path.exists() && prepared(&path).exists() {
        put_into_place(&path)?;
    }
    if !path.exists() && !backup::list(folder).is_empty() {
        return rebuild(folder, cache_kib, stamp, "the file is gone".to_owned());
    }
    let opened = open_writer(&path, cache_kib).and_then(|conn| quick_check(&conn, &path).map(|()| conn));
    match opened {
        Ok(conn) => Ok((conn, Opened::Good)),
        Err(DbError::Damaged { detail, .. }) => rebuild(folder, cache_kib, stamp, detail),
        Err(fault) => Err(fault),
    }
}

fn rebuild(folder: &StateFolder, cache_kib: i64, stamp: &str, detail: String) -> Result<(Connection, Opened), DbError> {
    let path = folder.database();
    let good = backup::list(folder).into_iter().find(|candidate| is_good(candidate));
    prepare(&path, good.as_deref())?;
    let aside = if path.exists() { set_aside(&path, stamp)? } else { path.clone() };
    put_into_place(&path)?;
    let conn = open_writer(&path, cache_kib)?;
    tracing::error!(
        detail,
        aside = %aside.display(),
        backup = good.as_ref().map_or_else(|| "none".to_owned(), |path| path.display().to_string()),
        "The database was damaged or missing: it is set aside whole and rebuilt; what was sent since the backup is settled by reading the shop back"
    );
    Ok((conn, Opened::Rebuilt { aside, from: good, detail }))
}

/// Where a rebuilt database is made ready.
fn prepared(path: &Path) -> PathBuf {
    path.with_extension("prepared")
}

/// Makes the database that will take the place of `path`: a copy of `from`, or an empty one, marked as restored.
fn prepare(path: &Path, from: Option<&Path>) -> Result<(), DbError> {
    let prepared = prepared(path);
    let io = |source| DbError::Io { step: "prepare a restored database", source };
    let making = path.with_extension("making");
    for old in [&prepared, &making] {
        if old.exists() {
            std::fs::remove_file(old).map_err(io)?;
        }
    }
    if let Some(from) = from {
        std::fs::copy(from, &making).map_err(io)?;
    }
    let conn = open_writer(&making, 2048)?;
    mark_restored(&conn)?;
    // One file: nothing of it may be left in a log beside it.
    conn.execute_batch("PRAGMA wal_checkpoint(TRUNCATE); PRAGMA journal_mode = DELETE;")
        .map_err(super::step("close a restored database"))?;
    conn.close().map_err(|(_, source)| DbError::Step { step: "close a restored database", source })?;
    std::fs::File::open(&making).and_then(|file| file.sync_all()).map_err(io)?;
    std::fs::rename(&making, &prepared).map_err(io)
}

fn put_into_place(path: &Path) -> Result<(), DbError> {
    let io = |source| DbError::Io { step: "put the restored database into place", source };
    std::fs::rename(prepared(path), path).map_err(io)
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
    prepare(&path, Some(from))?;
    let aside = if path.exists() { Some(set_aside(&path, stamp)?) } else { None };
    put_into_place(&path)?;
    Ok(aside)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::tables::{meta, set_meta};

    #[test]
    fn a_damaged_database_is_set_aside_and_rebuilt_from_the_newest_good_backup() {
        let (_root, folder) = folder_with_backup();
        std::fs::write(folder.database(), b"this is no database, but it is long enough to look at").expect("write");
        let (conn, opened) = open(&folder, 256, "now").expect("rebuilt");
        let Opened::Rebuilt { aside, from, .. } = opened else { panic!("{opened:?}") };
        assert!(aside.exists() && from.is_some());
        assert_eq!(meta(&conn, "mark").expect("read").as_deref(), Some("from the backup"));
        assert!(meta(&conn, "catching_up_after_restore").expect("read").is_some());
    }

    #[test]
    fn a_missing_database_beside_backups_is_not_a_new_store() {
        let (_root, folder) = folder_with_backup();
        let (conn, opened) = open(&folder, 256, "now").expect("rebuilt");
        assert!(matches!(opened, Opened::Rebuilt { .. }), "{opened:?}");
        assert!(meta(&conn, "catching_up_after_restore").expect("read").is_some());
    }

    #[test]
    fn a_restore_that_was_cut_short_is_finished_at_the_next_start() {
        let (_root, folder) = folder_with_backup();
        prepare(&folder.database(), backup::list(&folder).first().map(PathBuf::as_path)).expect("prepared");
        let (conn, _) = open(&folder, 256, "now").expect("opened");
        assert!(meta(&conn, "catching_up_after_restore").expect("read").is_some());
        assert!(!prepared(&folder.database()).exists());
    }

    #[test]
    fn a_restored_database_has_another_epoch() {
        let (_root, folder) = folder_with_backup();
        let before =
            meta(&super::super::open_reader(&backup::list(&folder)[0]).expect("backup"), "epoch").expect("read");
        let (conn, _) = open(&folder, 256, "now").expect("opened");
        assert_ne!(meta(&conn, "epoch").expect("read"), before);
    }

    fn folder_with_backup() -> (tempfile::TempDir, StateFolder) {
        let root = tempfile::tempdir().expect("a folder");
        let folder = StateFolder::shared(root.path());
        let source = root.path().join("source.db");
        let conn = open_writer(&source, 256).expect("a database");
        set_meta(&conn, "mark", "from the backup").expect("write");
        set_meta(&conn, "epoch", "old").expect("write");
        drop(conn);
        backup::copy(&source, &folder.backups().join("tillsync-1.db"), &mut |_, _| {}).expect("a backup");
        (root, folder)
    }
}
