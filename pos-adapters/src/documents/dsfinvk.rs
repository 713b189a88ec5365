//! DSFinV-K 2.x, the German export of cash registers: tables described by an `index.xml`, in a folder or a zip archive.
//!
//! The tables are joined in memory within named limits, as nothing in the standard orders them: an export of more than
//! [`parse::TICKETS_MAX`] tickets is refused and is to be asked for in shorter periods.

pub(super) mod index;
pub(super) mod map;
pub(super) mod parse;
mod rows;

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use sha2::Sha256;

use super::archive::{Archive, ArchiveFault};
use super::cursor::finish;
use super::ticket::{Found, Rules};
use crate::file::scan::Stat;
use parse::{Export, TableKind};

/// Bytes read at a time.
const BLOCK_BYTES: u64 = 4 * 1024 * 1024;
/// Largest `index.xml`.
const INDEX_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// Largest table beside an index.
const TABLE_BYTES_MAX: u64 = super::archive::ENTRY_BYTES_MAX;

/// Where the tables are.
#[derive(Debug)]
pub(crate) enum Folder {
    Disk(PathBuf),
    Packed(Box<Archive>),
}

impl Folder {
    /// The folder of an `index.xml`.
    pub(super) fn beside(index: &Path) -> Self {
        Self::Disk(index.parent().unwrap_or(Path::new(".")).to_path_buf())
    }

    pub(super) fn packed(archive: Archive) -> Self {
        Self::Packed(Box::new(archive))
    }

    /// Gives a file in pieces. Whether it is there.
    fn read(
        &mut self,
        name: &str,
        most: u64,
        take: &mut dyn FnMut(&[u8]) -> Result<(), String>,
    ) -> Result<bool, ArchiveFault> {
        let mut buffer = Vec::new();
        match self {
            Self::Disk(folder) => {
                let mut file = match File::open(folder.join(name)) {
                    Ok(file) => file,
                    Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(false),
                    Err(cause) => return Err(ArchiveFault::Io(cause)),
                };
                if file.metadata()?.len() > most {
                    return Err(ArchiveFault::Refused(format!("has a table `{name}` larger than {most} bytes")));
                }
                loop {
                    buffer.clear();
                    (&mut file).take(BLOCK_BYTES).read_to_end(&mut buffer)?;
                    if buffer.is_empty() {
                        return Ok(true);
                    }
                    take(&buffer).map_err(ArchiveFault::Refused)?;
                }
            }
            Self::Packed(archive) => {
                let base = |path: &str| path.rsplit(['/', '\\']).next().unwrap_or_default().to_ascii_lowercase();
                let Some((index, _)) = archive.names().find(|(_, path)| base(path) == name.to_ascii_lowercase()) else {
                    return Ok(false);
                };
                // One entry is unpacked in one go: within the limit of its size, and of what the tables keep.
                archive.stream(index, most, BLOCK_BYTES, &mut buffer, take)?;
                Ok(true)
            }
        }
    }
}

/// Reads a whole export.
pub(super) fn read(mut folder: Folder, rules: &Rules) -> Result<Found, ArchiveFault> {
    let mut text = Vec::new();
    let there = folder.read("index.xml", INDEX_BYTES_MAX, &mut |piece| {
        text.extend_from_slice(piece);
        Ok(())
    })?;
    if !there {
        return Err(ArchiveFault::Refused("has no index.xml, so it is no DSFinV-K export".to_owned()));
    }
    let index = index::read(&text).map_err(ArchiveFault::Refused)?;
    let mut export = Export::new(index);
    for kind in TableKind::ALL {
        let name = export.begin(kind);
        let there = folder.read(&name, TABLE_BYTES_MAX, &mut |piece| export.push(piece))?;
        if there {
            export.end().map_err(ArchiveFault::Refused)?;
        } else if kind.is_required() {
            return Err(ArchiveFault::Refused(format!(
                "has no table `{name}`: it was not written to its end, or is none of DSFinV-K"
            )));
        }
    }
    Ok(map::tickets(rules.clone(), export.finish()))
}

/// The files beside an index that make up the export, with what tells their states apart.
fn tables_beside(index: &Path) -> Vec<(PathBuf, Stat)> {
    let Some(entries) = index.parent().and_then(|folder| std::fs::read_dir(folder).ok()) else {
        return Vec::new();
    };
    let mut found: Vec<(PathBuf, Stat)> = entries
        .filter_map(Result::ok)
        .filter(|entry| entry.path().extension().is_some_and(|end| end.eq_ignore_ascii_case("csv")))
        .filter_map(|entry| Some((entry.path(), Stat::of(&entry.metadata().ok()?))))
        .take(super::archive::ENTRIES_MAX)
        .collect();
    found.sort_by(|a, b| a.0.cmp(&b.0));
    found
}

/// The index and its tables as if they were one file.
pub(super) fn stat_of_folder(index: &Path, stat: Stat) -> Stat {
    tables_beside(index).into_iter().fold(stat, |sum, (_, table)| Stat {
        size: sum.size.saturating_add(table.size),
        modified: sum.modified.max(table.modified),
        id: sum.id,
    })
}

/// Print of the index and its tables.
pub(super) fn print_of_folder(index: &Path) -> io::Result<String> {
    use sha2::Digest;
    let mut hasher = Sha256::new();
    let tables = tables_beside(index).into_iter().map(|(path, _)| path);
    for path in std::iter::once(index.to_path_buf()).chain(tables) {
        let mut file = File::open(&path)?;
        let size = file.metadata()?.len();
        hasher.update(path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default());
        super::run::hash(&mut file, 0, size, &mut hasher)?;
    }
    Ok(finish(hasher))
}
