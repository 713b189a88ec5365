//! What the agent asks of an e-commerce platform, in our words.
//!
//! One folder per platform, each with the same file names: `client.rs` (HTTP), `wire.rs` (their JSON),
//! `map.rs` (their words to ours), `classify.rs` (their answers to [`Answer`]). Nothing of a platform's JSON
//! leaves its folder. A platform holds no policy: it never retries a write by itself and never decides what an
//! answer means for an entry.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use sync_core::model::{EntryId, IdempotencyKey, LineItem, Quantity, Sku, Timestamp, TransactionStatus};
use sync_core::outbox::verdict::{Answer, LaneRefusal};

pub mod http;
pub mod shopify;
pub mod transport;

/// A boxed future, so that the trait can be used behind a pointer.
pub type Call<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What a platform can do; the lane plans by it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Traits {
    /// Only whole units are taken.
    pub whole_units: bool,
    /// A SKU must be looked up before it can be written.
    pub needs_target: bool,
    /// Most rows of one request.
    pub rows_max: usize,
    /// Most requests in flight.
    pub in_flight_max: usize,
    /// Waiting entries of one SKU merge.
    pub merge: bool,
    /// How long after the first send a key still protects. `None`: for ever.
    pub key_window: Option<Duration>,
    /// The platform can be asked for its physical number and take an absolute one.
    pub reads_back: bool,
}

/// The platform's own address of a SKU: one item, or the components of a bundle. Stored as JSON.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Target {
    /// At least one.
    pub parts: Vec<TargetPart>,
}

/// One stock-keeping item of the platform.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct TargetPart {
    /// The platform's id.
    pub item: String,
    /// Units of it in one unit of the SKU.
    pub per: i64,
}

/// One row of a batch before it is written as bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The outbox entry.
    pub entry: EntryId,
    /// The store's SKU.
    pub sku: Sku,
    /// Where it goes; `None` on platforms that take SKUs.
    pub target: Option<Arc<Target>>,
    /// Exact change.
    pub delta: Quantity,
    /// Whole units to write, after carrying the remainder (see [`Traits::whole_units`]).
    pub units: i64,
    /// The store's number after it, if known.
    pub on_hand: Option<Quantity>,
    /// The ticket, if the entry stands for one line.
    pub transaction: Option<String>,
    /// The latest POS time of what it stands for.
    pub sold_at: Option<Timestamp>,
    /// `sale`, `return`, `receipt`, `adjustment`, `edit`, `void`; `mixed` for merged lines.
    pub kind: &'static str,
}

/// A ticket as the ledger has it now, for platforms that take whole tickets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ticket {
    /// Name of the source that it was read from.
    pub source: String,
    /// Its key in the ledger.
    pub key: String,
    /// The till.
    pub register: String,
    /// POS time.
    pub sold_at: Option<Timestamp>,
    /// Whether it moves stock.
    pub status: TransactionStatus,
    /// Its lines.
    pub lines: Vec<LineItem>,
}

/// An absolute write of a physical number: only for settling an unknown outcome (invariant 3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Absolute {
    /// The item.
    pub part: TargetPart,
    /// The number to write.
    pub on_hand: i64,
    /// The number that was read, for compare-and-set.
    pub expected: i64,
}

/// What a look-up found for one SKU.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// Exactly one item, tracked and stocked at the location.
    Target {
        /// Where to write.
        target: Target,
        /// The platform's physical number of each part, in order, as read now.
        on_hand: Vec<i64>,
        /// Title for people.
        title: String,
    },
    /// No item has this SKU or barcode (exact comparison). It may appear later.
    Unknown,
    /// More than one item has it: somebody has to decide.
    Ambiguous {
        /// Their titles or ids.
        candidates: Vec<String>,
    },
    /// It is there but cannot hold stock: not tracked, or not stocked at the location.
    Unusable {
        /// In words, with what to do.
        reason: String,
    },
}

/// Why a call that changes nothing failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallFailure {
    /// Try again later.
    Passing {
        /// As the platform asks.
        wait: Option<Duration>,
        /// For the log.
        reason: String,
    },
    /// The lane is refused.
    LaneRefused {
        /// What kind.
        cause: LaneRefusal,
        /// What and what to do.
        detail: String,
    },
}

/// What `check --online` shows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ProbeReport {
    /// Facts as (name, value): shop, location, scopes, budget.
    pub facts: Vec<(String, String)>,
    /// Faults that a person should mend, with the next step.
    pub faults: Vec<String>,
}

/// One platform connection. Cheap to share; its rate budget is shared by everything that goes through it.
pub trait Platform: Send + Sync {
    /// What it can do.
    fn traits(&self) -> Traits;

    /// The bytes of a batch. Pure: the same draft gives the same bytes.
    fn encode(&self, key: &IdempotencyKey, changes: &[Change]) -> Vec<u8>;

    /// Whether whole tickets are sent in place of their changes ([`Self::encode_tickets`]): their receiver keeps a
    /// ledger of its own. Such a lane sends one request at a time, so that no ticket overtakes itself.
    fn takes_tickets(&self) -> bool {
        false
    }

    /// The bytes of a batch of tickets, and of changes whose tickets are no longer known one by one.
    fn encode_tickets(&self, key: &IdempotencyKey, tickets: &[Ticket], changes: &[Change]) -> Vec<u8> {
        debug_assert!(tickets.is_empty(), "only asked for by platforms that take tickets");
        self.encode(key, changes)
    }

    /// The bytes of an absolute write. Only called if [`Traits::reads_back`].
    fn encode_absolute(&self, key: &IdempotencyKey, rows: &[Absolute]) -> Vec<u8>;

    /// Sends frozen bytes once.
    fn send<'a>(&'a self, key: &'a IdempotencyKey, body: Arc<[u8]>) -> Call<'a, Answer>;

    /// Looks SKUs up, answers in the same order.
    fn look_up<'a>(&'a self, skus: &'a [Sku]) -> Call<'a, Result<Vec<Found>, CallFailure>>;

    /// The physical numbers of these items now, in the same order; `None` where an item is gone.
    fn read_back<'a>(&'a self, items: &'a [String]) -> Call<'a, Result<Vec<Option<i64>>, CallFailure>>;

    /// Is it there and are we allowed in. Used while a lane is paused, and by `check --online`.
    fn probe(&self) -> Call<'_, Result<ProbeReport, CallFailure>>;
}
