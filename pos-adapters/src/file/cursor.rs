//! What is stored about each file between polls: JSON text with a version, opaque to everybody else.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::interpret::Facts;

/// Version of the texts below. Older ones stay readable: new fields have defaults.
pub(super) const VERSION: u32 = 1;

/// Files not seen for this long are forgotten; the ledger's keys still protect against reading them again.
pub(super) const FORGET_AFTER_DAYS: i64 = 400;

/// Bytes at the start and before the offset by which a file is recognised.
pub(super) const PRINT_BYTES: usize = 1024;

/// One file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub(super) enum State {
    Journal(Box<JournalState>),
    Whole(WholeState),
}

/// An append-only file.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct JournalState {
    pub(super) v: u32,
    pub(super) path: PathBuf,
    #[serde(default)]
    pub(super) id: Option<(u64, u64)>,
    /// Grows each time the file is read again from its start.
    pub(super) generation: u64,
    /// What the segment of its transactions starts with; stays through renames.
    pub(super) origin: String,
    /// Bytes consumed: always between two records.
    pub(super) offset: u64,
    /// Records consumed, the header included.
    pub(super) records: u64,
    /// Lines consumed, for messages.
    pub(super) lines: u64,
    /// Print of the first `head_len` bytes.
    pub(super) head: String,
    pub(super) head_len: u64,
    /// Print of up to [`PRINT_BYTES`] before the offset.
    pub(super) tail: String,
    #[serde(default)]
    pub(super) facts: Facts,
    /// The last ticket read.
    #[serde(default)]
    pub(super) last: Option<LastTicket>,
    /// The first ticket, while it continues one of the file before.
    #[serde(default)]
    pub(super) carry: Option<LastTicket>,
    /// A new file whose first ticket may continue one of the file before.
    #[serde(default)]
    pub(super) may_carry: bool,
    /// Print of the content that was refused.
    #[serde(default)]
    pub(super) refused: Option<String>,
    /// Day since 1970 on which it was last seen.
    #[serde(default)]
    pub(super) seen_day: i64,
}

/// A ticket and where its lines were put.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct LastTicket {
    pub(super) key: String,
    pub(super) segment: String,
}

/// An export or the file of one ticket.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct WholeState {
    pub(super) v: u32,
    pub(super) size: u64,
    pub(super) modified: i64,
    pub(super) print: String,
    pub(super) generation: u64,
    /// Tickets that the last accepted content had.
    #[serde(default)]
    pub(super) tickets: u64,
    /// Day since 1970 on which it was last read.
    pub(super) seen_day: i64,
}

impl State {
    pub(super) fn read(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    pub(super) fn write(&self) -> String {
        serde_json::to_string(self).expect("a state has text keys only")
    }
}

/// Print of some bytes, enough to tell contents apart for good.
pub(super) fn print(bytes: &[u8]) -> String {
    finish(Sha256::new_with_prefix(bytes))
}

/// Print of what was hashed piece by piece.
pub(super) fn finish(hasher: Sha256) -> String {
    use std::fmt::Write as _;
    hasher.finalize().iter().take(16).fold(String::with_capacity(32), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a String cannot fail");
        text
    })
}
