//! Walks folders and gathers what [`super::sniff`] recognises; files of one folder that are alike become one pattern.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags};

use super::sniff::{self, Content, SAMPLE_BYTES};
use super::{FileKind, Found};
use crate::database::engine::Dialect;
use crate::database::profiles::PROFILES;

/// How deep folders are followed.
const DEPTH_MAX: usize = 6;
/// Most entries that are looked at.
const ENTRIES_MAX: usize = 100_000;
/// How long a writer may keep an SQLite file from being looked at.
const BUSY_WAIT: Duration = Duration::from_millis(200);
/// Most files of one folder that are opened: the others are like them.
const OPENED_PER_FOLDER_MAX: usize = 40;
/// Ends of names that are worth opening.
const ENDS: [&str; 21] = [
    "csv", "txt", "tsv", "json", "jsonl", "ndjson", "log", "xml", "dbf", "xlsx", "db", "sqlite", "sqlite3", "fdb",
    "gdb", "mdb", "accdb", "prn", "bin", "spl", "escpos",
];
/// Folders in which no POS keeps its sales.
const PASSED_OVER: [&str; 14] = [
    "proc",
    "sys",
    "dev",
    "run",
    "boot",
    "usr",
    "bin",
    "sbin",
    "lib",
    "snap",
    "windows",
    "$recycle.bin",
    "node_modules",
    "system volume information",
];

/// Everything below the folders that a source could read, until `deadline`.
#[must_use]
pub fn walk(folders: &[PathBuf], deadline: Instant) -> Vec<Found> {
    let mut left = ENTRIES_MAX;
    let mut found = Vec::new();
    let mut open: Vec<(PathBuf, usize)> = folders.iter().rev().map(|folder| (folder.clone(), 0)).collect();
    while let Some((folder, depth)) = open.pop() {
        if left == 0 || Instant::now() >= deadline {
            break;
        }
        let mut files = Vec::new();
        let mut entries: Vec<PathBuf> =
            std::fs::read_dir(&folder).into_iter().flatten().flatten().take(left).map(|entry| entry.path()).collect();
        entries.sort();
        left = left.saturating_sub(entries.len());
        for path in entries {
            let Ok(metadata) = std::fs::symlink_metadata(&path) else { continue };
            let name = path.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
            if metadata.is_dir() && depth < DEPTH_MAX && !name.starts_with('.') && !PASSED_OVER.contains(&name.as_str())
            {
                open.push((path, depth.saturating_add(1)));
            } else if metadata.is_file()
                && metadata.len() > 0
                && ENDS.iter().any(|end| name.ends_with(&format!(".{end}")))
            {
                files.push(path);
            }
        }
        found.extend(folder_contents(&folder, &files));
    }
    found
}

/// The POS whose tables an SQLite file has. Opened for reading only, beside whoever writes it.
fn sqlite_profile(path: &Path) -> Option<&'static str> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(path, flags).ok()?;
    conn.busy_timeout(BUSY_WAIT).ok()?;
    let mut names =
        conn.prepare("SELECT lower(name) FROM sqlite_master WHERE type IN ('table', 'view') LIMIT 2000").ok()?;
    let tables: BTreeSet<String> = names.query_map([], |row| row.get(0)).ok()?.flatten().collect();
    let plain = |name: &str| name.trim_matches(['"', '`', '[', ']']).to_lowercase();
    PROFILES
        .iter()
        .filter(|profile| profile.dialects.contains(&Dialect::Sqlite))
        .find(|profile| profile.tables.iter().all(|table| tables.contains(&plain(table.name))))
        .map(|profile| profile.name)
}

fn folder_contents(folder: &Path, files: &[PathBuf]) -> Vec<Found> {
    let mut found = Vec::new();
    let mut alike: BTreeMap<(FileKind, String), Vec<&PathBuf>> = BTreeMap::new();
    for path in files.iter().take(OPENED_PER_FOLDER_MAX) {
        let mut sample = Vec::new();
        let limit = u64::try_from(SAMPLE_BYTES).unwrap_or(u64::MAX);
        if File::open(path).and_then(|file| file.take(limit).read_to_end(&mut sample)).is_err() {
            continue;
        }
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        match sniff::content(&name, &sample) {
            None => {}
            Some(Content::Files(kind)) => {
                let end = path.extension().map(|end| end.to_string_lossy().into_owned()).unwrap_or_default();
                alike.entry((kind, end)).or_default().push(path);
            }
            Some(Content::Sqlite) => {
                let profile = sqlite_profile(path);
                found.push(Found::DatabaseFile { engine: Dialect::Sqlite, path: path.clone(), profile });
            }
            Some(Content::Firebird) => {
                found.push(Found::DatabaseFile { engine: Dialect::Firebird, path: path.clone(), profile: None });
            }
            Some(Content::Access) => {
                found.push(Found::DatabaseFile { engine: Dialect::Access, path: path.clone(), profile: None });
            }
        }
    }
    for ((kind, end), paths) in alike {
        let [first, others @ ..] = paths.as_slice() else { continue };
        // Tables differ by their name, whatever their columns.
        let apart = matches!(kind, FileKind::Dbf(_)) || others.is_empty();
        let path = if apart { (*first).clone() } else { folder.join(format!("*.{end}")) };
        found.push(Found::Files { path: path.to_string_lossy().into_owned(), kind, count: paths.len() });
    }
    found
}
