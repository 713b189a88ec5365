//! Tables in files that are no text with delimiters: fixed width, dBase and FoxPro, workbooks.
//!
//! `parse` turns the bytes of a table into rows, `map` writes rows as the CSV records that the family [`crate::file`] reads
//! with the same columns, signs, status words and filters as any other file. All pure; the files are read by
//! [`crate::file`], whole, and never held open.
//!
//! - A table is taken as a snapshot of one moment: what is read is held in memory, at most [`TABLE_BYTES_MAX`].
//! - A record that is not there in full is not read: dBase counts records in its header and grows its file in
//!   another step.
//! - What is deleted is marked, not left out ([`DELETED`]): a deleted line may be a voided one.

use std::path::{Path, PathBuf};

mod map;
pub(crate) mod parse;
pub mod settings;
pub(crate) mod trial;

pub(crate) use parse::{Refusal, Table};

/// Largest table that is read, with its companions.
pub const TABLE_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// Name of the column that marks deleted records of a dBase table with `*`.
pub const DELETED: &str = "_deleted";

/// Reads the files of a table and gives its CSV text. The first is the table, the others its companions.
///
/// # Errors
/// The error of the file system, or why the content is no such table.
pub(crate) fn read(table: &Table, path: &Path) -> std::io::Result<Result<Vec<u8>, Refusal>> {
    let mut total = 0_u64;
    let mut bytes = |path: &Path| {
        total = total.saturating_add(std::fs::metadata(path)?.len());
        if total > TABLE_BYTES_MAX {
            let message = format!("more than {TABLE_BYTES_MAX} bytes; let the POS start a new table");
            return Err(std::io::Error::new(std::io::ErrorKind::FileTooLarge, message));
        }
        std::fs::read(path)
    };
    let main = bytes(path)?;
    let mut others = Vec::new();
    for companion in companions(table, path) {
        match bytes(&companion) {
            Ok(content) => others.push((companion, content)),
            // A table without memo fields has no memo file.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(parse::csv(table, &main, &others))
}

/// Files beside a table that belong to it: its memo file and its header table.
pub(crate) fn companions(table: &Table, path: &Path) -> Vec<PathBuf> {
    match table {
        Table::Dbf { settings, .. } => {
            let memo = ["fpt", "FPT", "dbt", "DBT"].into_iter().map(|end| path.with_extension(end));
            let header = settings.header.as_ref().map(|name| path.with_file_name(name));
            memo.filter(|memo| memo.is_file()).take(1).chain(header).collect()
        }
        Table::Fixed { .. } | Table::Sheet { .. } => Vec::new(),
    }
}
