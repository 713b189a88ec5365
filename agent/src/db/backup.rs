//! Copies of the database that are known to be good, and the audit of a copy.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::Connection;

use super::{DbError, StateFolder, quick_check, step};

/// Pages copied between two looks of the writer.
const PAGES_PER_STEP: i32 = 256;
const PAUSE: Duration = Duration::from_millis(5);

/// Copies the live database into `target` through SQLite's backup interface, checks the copy and puts it into
/// place in one rename. `progress` is told pages left and in all.
///
/// # Errors
/// [`DbError`]; a half-made copy is removed.
pub fn copy(database: &Path, target: &Path, progress: &mut dyn FnMut(i32, i32)) -> Result<(), DbError> {
    let temporary = target.with_extension("part");
    let io = |step| move |source| DbError::Io { step, source };
    if let Some(folder) = target.parent() {
        std::fs::create_dir_all(folder).map_err(io("make the backup folder"))?;
    }
    let from = super::open_reader(database)?;
    {
        let mut to = Connection::open(&temporary).map_err(step("open the backup"))?;
        let backup = rusqlite::backup::Backup::new(&from, &mut to).map_err(step("begin the backup"))?;
        loop {
            let state = backup.step(PAGES_PER_STEP).map_err(step("copy the database"))?;
            let done = backup.progress();
            progress(done.remaining, done.pagecount);
            if state == rusqlite::backup::StepResult::Done {
                break;
            }
            pause();
        }
        drop(backup);
        quick_check(&to, &temporary)?;
    }
    std::fs::File::open(&temporary).and_then(|file| file.sync_all()).map_err(io("sync the backup"))?;
    std::fs::rename(&temporary, target).map_err(io("put the backup into place"))
}

fn pause() {
    let (_hold, wait) = std::sync::mpsc::channel::<()>();
    let _timed_out = wait.recv_timeout(PAUSE);
}

/// Backups of a state folder, newest first.
pub fn list(folder: &StateFolder) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder.backups()) else { return Vec::new() };
    let mut found: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|end| end == "db"))
        .collect();
    // Names hold the time, zero-padded.
    found.sort_unstable_by(|a, b| b.cmp(a));
    found
}

/// Removes all but the newest `keep`.
pub fn prune(folder: &StateFolder, keep: usize) {
    for old in list(folder).into_iter().skip(keep.max(1)) {
        if let Err(error) = std::fs::remove_file(&old) {
            tracing::warn!(path = %old.display(), %error, "Cannot remove an old backup");
        }
    }
}
