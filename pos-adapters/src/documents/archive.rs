//! Zip archives within limits: number of entries, sizes and how far an entry may unfold (IO).
//!
//! An archive that is built to unfold without end is refused before anything is unpacked, by what its directory says, and
//! while it is unpacked, by what really comes.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

use zip::ZipArchive;

/// Largest archive.
pub(crate) const ARCHIVE_BYTES_MAX: u64 = 1024 * 1024 * 1024;
/// Most entries.
pub(crate) const ENTRIES_MAX: usize = 2000;
/// Largest directory of entries.
const DIRECTORY_BYTES_MAX: u64 = 1024 * 1024;
/// Largest entry, unpacked.
pub(crate) const ENTRY_BYTES_MAX: u64 = 1024 * 1024 * 1024;
/// All entries, unpacked.
pub(crate) const UNPACKED_BYTES_MAX: u64 = 4 * 1024 * 1024 * 1024;
/// Times that an entry may unfold; tickets in XML or CSV reach about 60.
pub(crate) const RATIO_MAX: u64 = 250;
/// Entries up to this size may unfold at any rate.
const RATIO_FREE_BYTES: u64 = 1024 * 1024;
/// Length of the record at the end of an archive, without its comment.
const END_BYTES: usize = 22;
/// Longest comment after it.
const COMMENT_BYTES_MAX: u64 = 65_535;

/// An archive whose directory is within the limits.
#[derive(Debug)]
pub(crate) struct Archive {
    zip: ZipArchive<File>,
    names: Vec<String>,
}

/// Why an archive is not read.
#[derive(Debug)]
pub(crate) enum ArchiveFault {
    /// It cannot be read now.
    Io(io::Error),
    /// It is refused, in words.
    Refused(String),
}

impl From<io::Error> for ArchiveFault {
    fn from(cause: io::Error) -> Self {
        Self::Io(cause)
    }
}

fn refused<T>(reason: impl Into<String>) -> Result<T, ArchiveFault> {
    Err(ArchiveFault::Refused(reason.into()))
}

/// Whether the first bytes are those of a zip archive.
pub(crate) fn is_zip(first: &[u8]) -> bool {
    first.starts_with(b"PK\x03\x04") || first.starts_with(b"PK\x05\x06")
}

impl Archive {
    /// Reads the directory.
    pub(crate) fn open(mut file: File) -> Result<Self, ArchiveFault> {
        let size = file.metadata()?.len();
        if size > ARCHIVE_BYTES_MAX {
            return refused(format!("is larger than {ARCHIVE_BYTES_MAX} bytes"));
        }
        directory_within_limits(&mut file, size)?;
        file.seek(SeekFrom::Start(0))?;
        let unreadable = |fault: zip::result::ZipError| format!("is no readable zip archive: {fault}");
        let mut zip = ZipArchive::new(file).or_else(|fault| refused(unreadable(fault)))?;
        if zip.len() > ENTRIES_MAX {
            return refused(format!("has more than {ENTRIES_MAX} entries"));
        }
        if zip.has_overlapping_files().or_else(|fault| refused(unreadable(fault)))? {
            return refused("has entries that share bytes, as archives do that are built to unfold without end");
        }
        let mut names = Vec::with_capacity(zip.len());
        let mut total: u64 = 0;
        for index in 0..zip.len() {
            let entry = zip.by_index_raw(index).or_else(|fault| refused(unreadable(fault)))?;
            let name = String::from_utf8_lossy(entry.name_raw()).into_owned();
            total = total.saturating_add(entry.size());
            if entry.encrypted() {
                return refused("is encrypted: ask for an archive without password");
            }
            if entry.size() > ENTRY_BYTES_MAX || total > UNPACKED_BYTES_MAX {
                return refused(format!(
                    "unpacks to more than {ENTRY_BYTES_MAX} bytes an entry or {UNPACKED_BYTES_MAX} in all"
                ));
            }
            if entry.size() > RATIO_FREE_BYTES && entry.size() > entry.compressed_size().saturating_mul(RATIO_MAX) {
                return refused(format!("has an entry that unfolds more than {RATIO_MAX} times"));
            }
            names.push(name);
        }
        Ok(Self { zip, names })
    }

    /// Names of the entries with their numbers.
    pub(crate) fn names(&self) -> impl Iterator<Item = (usize, &str)> {
        self.names.iter().map(String::as_str).enumerate()
    }

    /// Reads up to `length` bytes of an entry from `from` on; fewer mean its end.
    pub(crate) fn read(
        &mut self,
        index: usize,
        from: u64,
        length: u64,
        into: &mut Vec<u8>,
    ) -> Result<(), ArchiveFault> {
        into.clear();
        let unreadable = |fault: zip::result::ZipError| format!("is no readable zip archive: {fault}");
        let entry = self.zip.by_index(index).or_else(|fault| refused(unreadable(fault)))?;
        let most = entry.size();
        let mut bytes = entry.take(most.saturating_add(1));
        io::copy(&mut (&mut bytes).take(from), &mut io::sink()).map(drop).or_else(damaged)?;
        (&mut bytes).take(length).read_to_end(into).map(drop).or_else(damaged)?;
        if bytes.limit() == 0 {
            return refused("has an entry that is larger than its directory says");
        }
        Ok(())
    }
}

impl Archive {
    /// Gives an entry in pieces.
    pub(crate) fn stream(
        &mut self,
        index: usize,
        most: u64,
        piece: u64,
        buffer: &mut Vec<u8>,
        take: &mut dyn FnMut(&[u8]) -> Result<(), String>,
    ) -> Result<(), ArchiveFault> {
        let unreadable = |fault: zip::result::ZipError| format!("is no readable zip archive: {fault}");
        let entry = self.zip.by_index(index).or_else(|fault| refused(unreadable(fault)))?;
        let most = entry.size().min(most);
        let mut bytes = entry.take(most.saturating_add(1));
        loop {
            buffer.clear();
            (&mut bytes).take(piece).read_to_end(buffer).map(drop).or_else(damaged)?;
            if bytes.limit() == 0 {
                return refused("has an entry that is larger than its directory says, or than the limit");
            }
            if buffer.is_empty() {
                return Ok(());
            }
            take(buffer).map_err(ArchiveFault::Refused)?;
        }
    }
}

fn damaged(fault: io::Error) -> Result<(), ArchiveFault> {
    let in_content = [io::ErrorKind::InvalidData, io::ErrorKind::InvalidInput, io::ErrorKind::UnexpectedEof];
    if in_content.contains(&fault.kind()) {
        refused(format!("is damaged: {fault}"))
    } else {
        Err(ArchiveFault::Io(fault))
    }
}

/// Looks at the record at the end before anything is believed that it says.
fn directory_within_limits(file: &mut File, size: u64) -> Result<(), ArchiveFault> {
    let span = size.min(COMMENT_BYTES_MAX.saturating_add(22));
    file.seek(SeekFrom::Start(size.saturating_sub(span)))?;
    let mut tail = Vec::new();
    file.take(span).read_to_end(&mut tail)?;
    let Some(at) = memchr::memmem::rfind(&tail, b"PK\x05\x06") else {
        return refused("has no end: it was not written to its end, or is no zip archive");
    };
    let Some(end) = tail.get(at..at.saturating_add(END_BYTES)) else {
        return refused("has no end: it was not written to its end");
    };
    let number = |from: usize, bytes: usize| {
        end.iter()
            .skip(from)
            .take(bytes)
            .rev()
            .fold(0_u64, |sum, byte| sum.saturating_mul(256).saturating_add(u64::from(*byte)))
    };
    let entries = number(10, 2);
    let directory = number(12, 4);
    if entries > u64::try_from(ENTRIES_MAX).unwrap_or(u64::MAX) || directory > DIRECTORY_BYTES_MAX {
        return refused(format!("has more than {ENTRIES_MAX} entries"));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
