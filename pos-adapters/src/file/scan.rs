//! Lists the files of a source. Reads names and metadata only; opens nothing.

use std::fs::Metadata;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use super::glob::{self, PathPattern};
use crate::SourceError;

/// Most files that one source looks at.
pub(crate) const FILES_MAX: usize = 200_000;

/// One file as the folder shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) path: PathBuf,
    pub(crate) stat: Stat,
    /// It fits the configured path. Others are listed because a file of ours may have been renamed to them.
    pub(crate) wanted: bool,
}

/// What tells one state of a file from another without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stat {
    pub(crate) size: u64,
    /// Microseconds since 1970; compared for equality only, as it may go backwards.
    pub(crate) modified: i64,
    /// Device and inode, where the platform has them.
    pub(crate) id: Option<(u64, u64)>,
}

impl Stat {
    pub(crate) fn of(metadata: &Metadata) -> Self {
        let modified = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        Self {
            size: metadata.len(),
            modified: modified.and_then(|age| i64::try_from(age.as_micros()).ok()).unwrap_or(0),
            id: file_id(metadata),
        }
    }
}

#[cfg(unix)]
#[expect(clippy::unnecessary_wraps, reason = "other platforms have no such number")]
fn file_id(metadata: &Metadata) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    Some((metadata.dev(), metadata.ino()))
}

#[cfg(not(unix))]
fn file_id(_: &Metadata) -> Option<(u64, u64)> {
    None
}

/// Folders whose change should wake the source.
pub(crate) fn folders(pattern: &PathPattern) -> Vec<PathBuf> {
    match pattern.below.split_last() {
        None if pattern.fixed.is_dir() => vec![pattern.fixed.clone()],
        None => vec![parent(&pattern.fixed)],
        Some((_, folders)) => {
            let mut all = vec![pattern.fixed.clone()];
            let mut level = all.clone();
            for part in folders {
                level = level.iter().flat_map(|folder| matching_folders(folder, part)).collect();
                all.extend(level.iter().cloned());
            }
            all
        }
    }
}

fn parent(path: &Path) -> PathBuf {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_path_buf(),
        Some(_) | None => PathBuf::from("."),
    }
}

fn matching_folders(folder: &Path, pattern: &str) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    let fits = |name: &str| glob::matches(pattern, name);
    let mut found: Vec<PathBuf> = entries
        .filter_map(Result::ok)
        .filter(|entry| fits(&entry.file_name().to_string_lossy()) && entry.path().is_dir())
        .map(|entry| entry.path())
        .collect();
    found.sort();
    found
}

/// Whether a path would be listed as wanted.
pub(crate) fn is_wanted(pattern: &PathPattern, path: &Path) -> bool {
    let Some(name) = path.file_name().map(|name| name.to_string_lossy()) else {
        return false;
    };
    match pattern.below.last() {
        None if path == pattern.fixed => true,
        None => path.parent() == Some(&pattern.fixed) && !glob::is_temporary(&name),
        Some(last) => glob::matches(last, &name) && !glob::is_temporary(&name),
    }
}

/// Lists wanted files, sorted by path, and files beside them whose name starts like one of `stems`.
pub(crate) fn list(source: &str, pattern: &PathPattern, stems: &[String]) -> Result<Vec<Found>, SourceError> {
    let mut found = Vec::new();
    let single = pattern.below.is_empty() && !pattern.fixed.is_dir();
    let folders = match pattern.below.split_last() {
        None if single => vec![parent(&pattern.fixed)],
        None => vec![pattern.fixed.clone()],
        Some((_, parts)) => parts.iter().fold(vec![pattern.fixed.clone()], |level, part| {
            level.iter().flat_map(|folder| matching_folders(folder, part)).collect()
        }),
    };
    let root = if single { parent(&pattern.fixed) } else { pattern.fixed.clone() };
    if let Err(cause) = std::fs::read_dir(&root) {
        return Err(SourceError::FolderUnreachable { source_name: source.to_owned(), folder: root, cause });
    }
    for folder in folders {
        let Ok(entries) = std::fs::read_dir(&folder) else {
            continue;
        };
        for entry in entries.filter_map(Result::ok) {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            let path = entry.path();
            let wanted = if single { path.file_name() == pattern.fixed.file_name() } else { is_wanted(pattern, &path) };
            if !wanted && !stems.iter().any(|stem| name.starts_with(stem.as_str())) {
                continue;
            }
            // Follows links: a POS may write through one.
            let Ok(metadata) = std::fs::metadata(&path) else {
                continue;
            };
            if metadata.is_file() {
                let path = if single && wanted { pattern.fixed.clone() } else { path };
                found.push(Found { path, stat: Stat::of(&metadata), wanted });
            }
            if found.len() > FILES_MAX {
                return Err(SourceError::TooManyFiles { source_name: source.to_owned(), folder, files_max: FILES_MAX });
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}
