//! What is stored about each file between polls: JSON text with a version, opaque to everybody else. Pure.

use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::feed::Resume;

/// Version of the text below. Older ones stay readable: new fields have defaults.
pub(super) const VERSION: u32 = 1;
/// Files not seen for this long are forgotten; the ledger's keys still protect against reading them again.
pub(super) const FORGET_AFTER_DAYS: i64 = 400;

/// One file.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct FileState {
    pub(super) v: u32,
    /// As it was when its end was reached; 0 while it is under way.
    pub(super) size: u64,
    pub(super) modified: i64,
    /// Grows each time the file is read from its start.
    pub(super) generation: u64,
    /// XML: after the last transaction.
    #[serde(default)]
    pub(super) resume: Resume,
    /// XML: print of the first bytes before the offset. Archives and tables: print of the whole.
    pub(super) print: String,
    /// XML: print of the last bytes before the offset.
    #[serde(default)]
    pub(super) tail: String,
    /// Microseconds since 1970: since when its end is in the middle of a transaction.
    #[serde(default)]
    pub(super) cut_since: Option<i64>,
    /// That was shown to a person.
    #[serde(default)]
    pub(super) cut_shown: bool,
    /// Tickets that the last reading from the start had.
    #[serde(default)]
    pub(super) tickets: u64,
    /// Day since 1970 on which it was last read.
    #[serde(default)]
    pub(super) seen_day: i64,
}

impl FileState {
    pub(super) fn read(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    pub(super) fn write(&self) -> String {
        serde_json::to_string(self).expect("a state has text keys only")
    }
}

/// The path names the file: renaming a new one into place keeps it.
pub(super) fn item_of(path: &Path) -> String {
    path.to_string_lossy().replace('#', "%23")
}

/// Print of what was hashed piece by piece.
pub(super) fn finish(hasher: Sha256) -> String {
    use std::fmt::Write as _;
    hasher.finalize().iter().take(16).fold(String::with_capacity(32), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a String cannot fail");
        text
    })
}
