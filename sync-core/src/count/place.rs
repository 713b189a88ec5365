//! Which movements a count knows of: those it contains, those that came after it, and those whose order is not known.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::{Quantity, Seq, Timestamp};

/// The time, or the stretch of time, that a counted quantity is true for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// First moment.
    pub from: Timestamp,
    /// Last moment; the same as `from` for one moment.
    pub until: Timestamp,
}

impl Span {
    /// One moment.
    #[must_use]
    pub const fn at(at: Timestamp) -> Self {
        Self { from: at, until: at }
    }

    /// Both together: goods of one article that were counted in several places.
    #[must_use]
    pub fn with(self, other: Self) -> Self {
        Self { from: self.from.min(other.from), until: self.until.max(other.until) }
    }

    fn place(self, at: Timestamp, margin: Duration) -> Place {
        if at.plus(margin) < self.from {
            Place::In
        } else if at > self.until.plus(margin) {
            Place::Out
        } else {
            Place::Unknown
        }
    }
}

/// What is known of a count's place in the stream of movements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "lowercase")]
pub enum Reference {
    /// A read of the POS's database: what was recorded up to `before` had been read from it before; it was read to its end
    /// after the count, and that was recorded up to `after`.
    Snapshot {
        /// Position right before the count was read.
        before: Seq,
        /// Position once everything that the POS knew at the count was recorded.
        after: Seq,
    },
    /// The POS's stock number as of a moment: what was recorded up to `before` (well before the moment) is in it.
    Export {
        /// See above.
        before: Seq,
        /// How far clocks may differ.
        margin: Duration,
    },
    /// Goods counted by people: ordered by the time of sale. Up to `before` everything was recorded well before it.
    Shelf {
        /// See above.
        before: Seq,
        /// How far clocks may differ, and how long goods are on their way from the shelf to the till.
        margin: Duration,
    },
}

impl Reference {
    /// Up to here every movement is in the count.
    #[must_use]
    pub const fn before(self) -> Seq {
        match self {
            Self::Snapshot { before, .. } | Self::Export { before, .. } | Self::Shelf { before, .. } => before,
        }
    }

    /// The place of a movement that is known by its position only.
    #[must_use]
    pub fn of_position(self, seq: Seq) -> Place {
        match self {
            _ if seq <= self.before() => Place::In,
            Self::Snapshot { after, .. } if seq > after => Place::Out,
            Self::Snapshot { .. } | Self::Export { .. } | Self::Shelf { .. } => Place::Unknown,
        }
    }

    /// The place of what a ticket moved after [`Self::before`]. `known`: an older version of it was recorded up to there.
    #[must_use]
    pub fn of_ticket(self, span: Span, sold_at: Option<Timestamp>, known: bool, versions: u32) -> Place {
        let Some(sold_at) = sold_at else { return Place::Unknown };
        match self {
            Self::Snapshot { .. } => Place::Unknown,
            // Sold after the moment, it cannot be in it, however often it was changed since.
            Self::Export { margin, .. } => match span.place(sold_at, margin) {
                Place::Out if !known => Place::Out,
                Place::In | Place::Out | Place::Unknown => Place::Unknown,
            },
            Self::Shelf { margin, .. } => match span.place(sold_at, margin) {
                Place::Out if !known => Place::Out,
                // Goods of a ticket that was changed since may have come back before or after the count.
                Place::In if !known && versions == 1 => Place::In,
                Place::In | Place::Out | Place::Unknown => Place::Unknown,
            },
        }
    }

    /// The place of a movement without a ticket, after [`Self::before`].
    #[must_use]
    pub fn of_posting(self, span: Span, posting: Posting) -> Place {
        match (self, posting) {
            // Another count has spoken since: what it corrected may have been wrong before this one.
            (_, Posting::Count) | (Self::Snapshot { .. }, _) | (Self::Export { .. }, Posting::Late) => Place::Unknown,
            (Self::Shelf { .. }, Posting::Late) => Place::In,
            (Self::Export { margin, .. }, Posting::HandedOver { at }) => match span.place(at, margin) {
                Place::Out => Place::Out,
                Place::In | Place::Unknown => Place::Unknown,
            },
            (Self::Shelf { margin, .. }, Posting::HandedOver { at }) => span.place(at, margin),
        }
    }
}

/// A movement without a ticket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Posting {
    /// The correction of a count.
    Count,
    /// The reverse of a ticket that a count of the shelf had seen before the ledger did.
    Late,
    /// Goods that left or came at a time.
    HandedOver {
        /// When.
        at: Timestamp,
    },
}

/// Whether a count knows of a movement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// It is in the count.
    In,
    /// It came after the count.
    Out,
    /// Nobody knows.
    Unknown,
}

/// All movements of an article after [`Reference::before`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Recent {
    /// Lines that moved it.
    pub lines: i64,
    /// Their sum.
    pub delta: Quantity,
}

/// Movements of an article after [`Reference::before`] that are accounted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Effect {
    /// Lines.
    pub lines: i64,
    /// Their sum.
    pub delta: Quantity,
    /// Where they belong.
    pub place: Place,
}

/// What had moved up to the count, or why that is not known.
pub type Contained = Result<Quantity, Unsure>;

/// Why the order of an article's movements and the count is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unsure {
    /// It moved around the moment of the count.
    MovedMeanwhile,
    /// It was changed since by something whose time is not known.
    Unexplained,
    /// A later count has spoken already.
    CountedLater,
    /// The POS's number does not know all sales yet.
    NotPosted,
    /// The numbers are beyond every range.
    OutOfRange,
}

impl fmt::Display for Unsure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::MovedMeanwhile => "it was sold around the moment of the count",
            Self::Unexplained => "a ticket of it was changed since, or came without a time",
            Self::CountedLater => "it was counted again later",
            Self::NotPosted => "the POS's number does not know its last sales yet",
            Self::OutOfRange => "the numbers are beyond every range",
        })
    }
}

/// What had moved up to the count: everything that moved but what came after it.
///
/// # Errors
/// An effect whose place is not known, or movements that no effect accounts for.
pub fn contained(moved: Quantity, recent: Recent, effects: &[Effect]) -> Contained {
    let (mut lines, mut out) = (0_i64, Quantity::ZERO);
    for effect in effects {
        lines = lines.saturating_add(effect.lines);
        match effect.place {
            Place::In => {}
            Place::Out => out = out.checked_add(effect.delta).ok_or(Unsure::OutOfRange)?,
            Place::Unknown => return Err(Unsure::MovedMeanwhile),
        }
    }
    if lines != recent.lines {
        return Err(Unsure::Unexplained);
    }
    moved.checked_sub(out).ok_or(Unsure::OutOfRange)
}

/// Whether a ticket that the ledger meets only now was in a count of the shelf already.
#[must_use]
pub fn is_late(sold_at: Option<Timestamp>, counted: Span, margin: Duration) -> bool {
    sold_at.is_some_and(|sold_at| counted.place(sold_at, margin) == Place::In)
}
