//! Where a source stands, as its cursor keeps it.
//!
//! One JSON object. What the poller knows of single tickets is not kept: after a restart they are read once more, and
//! the ledger tells what is new.

use serde::{Deserialize, Serialize};
use sync_core::model::Timestamp;

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// Form of this text; another one is not understood.
    v: u32,
    /// Sales from before are not taken.
    pub since: Timestamp,
    /// All tickets up to this number were read, and none of them may still be on its way. `None` until the first look.
    pub settled: Option<i64>,
    /// The greatest number seen.
    pub top: Option<i64>,
    /// When the last complete overlap look began.
    pub looked_at: Option<Timestamp>,
    /// When the last complete rescan began.
    pub rescanned_at: Option<Timestamp>,
    /// A rescan in progress.
    pub rescan: Option<Rescan>,
}

/// Days that are read again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rescan {
    /// When it began.
    pub began: Timestamp,
    /// Whether it is a whole one, or only what may have happened while nobody looked.
    pub whole: bool,
    /// Sales from here on are still to be read.
    pub from: Timestamp,
}

const VERSION: u32 = 1;

impl Position {
    /// At the first look.
    #[must_use]
    pub const fn new(since: Timestamp) -> Self {
        Self { v: VERSION, since, settled: None, top: None, looked_at: None, rescanned_at: None, rescan: None }
    }

    /// From the text of a cursor.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok().filter(|position: &Self| position.v == VERSION)
    }

    /// The text of the cursor.
    #[must_use]
    pub fn write(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}
