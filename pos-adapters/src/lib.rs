//! Readers of what point-of-sale systems write.
//!
//! A source is polled by its own thread, returns bounded chunks of transaction snapshots together with the
//! cursor that covers them, and never writes, locks or keeps open what belongs to the POS (invariant 10).
//! The agent stores a chunk and its cursor in one commit (invariant 2).

use std::path::PathBuf;
use std::time::Duration;

use sync_core::model::{Timestamp, Transaction};

pub mod articles;
pub mod counts;
pub mod database;
pub mod discover;
pub mod documents;
pub mod error;
pub mod file;
pub mod pushed;
pub mod receipts;
pub mod source;
pub mod tables;
pub mod trial;
pub mod values;

pub use error::SourceError;
pub use source::{Finding, NoSecrets, SecretReader, SourceContext, SourceSettings, StoredSignal, Waker, Weight};

/// One thing that was read and cannot become movements yet; kept whole, shown, re-runnable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quarantined {
    /// File and line or byte, as a person would look it up.
    pub at: String,
    /// Why, in plain words.
    pub reason: String,
    /// The record as read (decoded), at most [`QUARANTINE_BYTES_MAX`] bytes, secrets scrubbed.
    pub raw: String,
    /// How many records of the source this stands for (1, or all of a refused file).
    pub records: u32,
}

/// Longest raw text that a quarantined record keeps.
pub const QUARANTINE_BYTES_MAX: usize = 16 * 1024;

/// Cursors whose item begins with this survive a re-read of their source.
pub const KEPT_ITEM: &str = "kept:";

/// Where a source stands with one of its items (one file): opaque to everybody else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CursorUpdate {
    /// The item, e.g. the identity of a file.
    pub item: String,
    /// New state; `None` forgets the item.
    pub state: Option<String>,
}

/// A whole export was read to its end: transactions of the same origin that it covers but does not
/// contain have vanished.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Coverage {
    /// Transactions whose key starts with this belong to the export (its [`Transaction::segment`] up to `#`).
    pub origin: String,
    /// First and last POS time that the export covers, both inclusive.
    pub from: Timestamp,
    /// See `from`.
    pub to: Timestamp,
    /// The keys that it contains, sorted.
    pub keys: Vec<String>,
}

/// What one poll brought.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Chunk {
    /// Snapshots, in the order of the source.
    pub transactions: Vec<Transaction>,
    /// What could not be read as a transaction.
    pub quarantined: Vec<Quarantined>,
    /// Records that a named rule left out before they became lines (blank, total row, repeated header, filter),
    /// as (rule, count).
    pub ignored: Vec<(String, u64)>,
    /// Set on the last chunk of a whole export.
    pub coverage: Option<Coverage>,
    /// To be stored in the same commit.
    pub cursors: Vec<CursorUpdate>,
    /// Bytes of the source that this chunk covers, for progress and speed.
    pub bytes: u64,
    /// Told after the commit, where somebody waits for it.
    pub stored: Option<StoredSignal>,
}

/// Answer to [`PosSource::poll`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Poll {
    /// Something was read; poll again at once.
    Chunk(Chunk),
    /// Nothing new. Look again when woken, or after this long at the latest.
    Quiet {
        /// Next look without an event.
        again_in: Duration,
    },
}

/// One configured source. Blocking; owned by one thread.
pub trait PosSource: Send {
    /// Folders whose change should wake the source.
    fn watched(&self) -> Vec<PathBuf>;

    /// Takes what wakes the source's own thread, for sources with a thread or listener of their own.
    fn wake_with(&mut self, waker: Waker) {
        drop(waker);
    }

    /// Where others put sales down, for sources that wait to be told; the agent lends them its listener.
    fn inbox(&self) -> Option<std::sync::Arc<pushed::Inbox>> {
        None
    }

    /// Reads the next chunk. `changed` names paths that a file event mentioned (a hint: looked at first, and
    /// without a full scan); empty means scan everything. A call reads a bounded amount.
    ///
    /// # Errors
    /// [`SourceError`] names the file and the next step. The source stays usable: polling again tries again.
    fn poll(&mut self, changed: &[PathBuf], now: Timestamp) -> Result<Poll, SourceError>;

    /// Forgets everything not in `cursors` (item, state) and goes on from there: called at the start, and when
    /// a chunk could not be stored.
    fn resume(&mut self, cursors: Vec<(String, String)>);

    /// Total and unread bytes as far as known, for progress bars.
    fn backlog_bytes(&self) -> Option<u64>;
}
