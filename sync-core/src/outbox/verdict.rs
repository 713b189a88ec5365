//! From a platform's answer (already classed by its own module) to what happens next.

use std::time::Duration;

/// What a platform said about one request, in our words. Each platform's `classify.rs` makes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Taken: every change of the batch is in effect, now or under the same key before.
    Applied {
        /// The platform's own name for the change, kept for later questions.
        reference: Option<String>,
    },
    /// Nothing of the request took effect, because of these rows. The others are fine.
    RowsRefused {
        /// At least one.
        rows: Vec<RowRefusal>,
    },
    /// Each row was decided by itself: those named had no effect, all others are in effect.
    Mixed {
        /// At least one.
        rows: Vec<RowRefusal>,
        /// The platform's own name for the change, kept for later questions.
        reference: Option<String>,
    },
    /// Nothing took effect: the platform takes no relative change of these numbers now (below its floor, or never
    /// set before). They are read and written as absolute numbers instead.
    NeedsAbsolute {
        /// Why, for the log.
        reason: String,
    },
    /// Nothing took effect and the platform does not say which row is at fault.
    Refused {
        /// Stable code of the platform.
        code: String,
        /// Its message.
        message: String,
    },
    /// Nothing took effect: the request has too many bytes or rows.
    TooLarge,
    /// Nothing took effect, and never will under this key: a new key is needed.
    KeySpent {
        /// Why, for the log.
        message: String,
    },
    /// The key was used before with other content. Never happens unless state was cloned or restored.
    KeyConflict {
        /// Why, for the log.
        message: String,
    },
    /// The same key is being worked on right now: ask again later with the same bytes.
    InProgress,
    /// Nothing took effect: too many requests.
    Throttled {
        /// As long as the platform asks, if it said so.
        wait: Option<Duration>,
    },
    /// Nothing took effect for sure: the request never reached the platform, or it said so.
    Unavailable {
        /// As long as the platform asks, if it said so.
        wait: Option<Duration>,
        /// For the log and the status page.
        reason: String,
    },
    /// It may or may not have taken effect: time-out, connection lost, 5xx, an answer that makes no sense.
    Unknown {
        /// As long as the platform asks, if it said so.
        wait: Option<Duration>,
        /// For the log and the status page.
        reason: String,
    },
    /// The platform refuses everything from us until a cause is mended.
    LaneRefused {
        /// What kind of refusal.
        cause: LaneRefusal,
        /// For the log and the status page: what was refused and what to do.
        detail: String,
    },
    /// A compare-and-set found another number; nothing took effect, and it is not said for which rows.
    Stale,
}

/// Why a platform refuses all requests. The lane pauses and asks again by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LaneRefusal {
    /// 401, invalid or expired token.
    Unauthorised,
    /// 403 or a missing scope.
    Forbidden,
    /// 402, 423 or the like: the shop is frozen, closed or its plan does not allow the call.
    ShopClosed,
    /// 404 on the endpoint, unknown location: the configuration points at something that is not there.
    Misconfigured,
}

impl LaneRefusal {
    /// The word used in the database, API and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unauthorised => "unauthorised",
            Self::Forbidden => "forbidden",
            Self::ShopClosed => "shop_closed",
            Self::Misconfigured => "misconfigured",
        }
    }
}

/// One row that the platform will not take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowRefusal {
    /// The platform's id of the item as it stands in the target, or for targetless platforms the SKU.
    pub item: String,
    /// Stable code of the platform.
    pub code: String,
    /// Its message.
    pub message: String,
    /// What the row needs.
    pub remedy: RowRemedy,
}

/// What to do about a refused row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowRemedy {
    /// Forget what is known about the SKU's target and look it up again; the entry waits for it.
    LookUpAgain,
    /// It can never succeed as it is: dead letter, for a person.
    DeadLetter,
    /// Of an absolute write: a compare-and-set found another number. A repair goes on without the row; anything else reads
    /// its numbers again.
    ReadAgain,
}
