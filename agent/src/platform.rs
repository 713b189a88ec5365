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
use sync_core::outbox::lane::Writes;
use sync_core::outbox::settle::Evidence;
use sync_core::outbox::verdict::{Answer, LaneRefusal};

pub mod adobe;
pub mod bigcommerce;
pub mod contract;
pub mod http;
pub mod matching;
pub mod medusa;
pub mod shopify;
pub mod square;
pub mod transport;
pub mod vendure;
pub mod woocommerce;

/// A boxed future, so that the trait can be used behind a pointer.
pub type Call<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Which number of the platform a count is compared with (invariant 6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Number {
    /// It has none that we may set: nothing is reconciled.
    #[default]
    None,
    /// What lies on the shelf: online orders are kept apart from it until they are handed over.
    Physical,
    /// What is left to sell: units of open online orders are off it already, although they still lie on the shelf.
    Net,
}

/// What a platform can do; the lane plans by it.
///
/// The classes of platforms: keyed changes (`writes: Delta`, `key_window` > 0: Shopify, Square, WooCommerce with our
/// plugin); changes without keys (`writes: Delta`, `key_window: Some(0)`: read back, after `settle_after`, before anything
/// is sent a second time: WooCommerce, BigCommerce); numbers only (`writes: Absolute`, `key_window: Some(0)`: Medusa,
/// Vendure, Adobe Commerce).
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
    /// Entries are values: the latest replaces those that wait. Only side lanes.
    pub latest: bool,
    /// How a change is written.
    pub writes: Writes,
    /// How long after the first send a key still protects. `None`: for ever. Zero: there are no keys.
    pub key_window: Option<Duration>,
    /// Without keys: how long the platform may still work on a request whose reply was lost.
    pub settle_after: Duration,
    /// The platform can be asked for its number and take an absolute one.
    pub reads_back: bool,
    /// It refuses numbers below zero; what is sold below is owed and taken off the next goods.
    pub floor_zero: bool,
    /// Which number [`Platform::levels`] gives and [`Platform::encode_absolute`] sets.
    pub number: Number,
    /// An absolute write is refused ([`Answer::Stale`]) if the number is not the expected one.
    pub compare_and_set: bool,
}

impl Default for Traits {
    /// Keyed changes of whole units, nothing else.
    fn default() -> Self {
        Self {
            whole_units: true,
            needs_target: true,
            rows_max: 100,
            in_flight_max: 1,
            merge: true,
            latest: false,
            writes: Writes::Delta,
            key_window: None,
            settle_after: SETTLE_AFTER,
            reads_back: false,
            floor_zero: false,
            number: Number::None,
            compare_and_set: false,
        }
    }
}

/// Longer than servers work on a request that nobody waits for: PHP's and most proxies' limits are 30 to 60 s.
pub const SETTLE_AFTER: Duration = Duration::from_secs(65);

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
    /// The online order that it rings up, as the POS wrote it.
    pub online_order: Option<String>,
    /// Its lines.
    pub lines: Vec<LineItem>,
}

/// An absolute write of the platform's number: to settle an unknown outcome (invariant 3), to repair drift (6), and
/// for every change where the platform takes nothing else.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Absolute {
    /// The item.
    pub part: TargetPart,
    /// The number to write.
    pub on_hand: i64,
    /// The number that was read, for compare-and-set.
    pub expected: i64,
}

/// A question about items: how they stand now, and what became of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadBack {
    /// The items, each once.
    pub items: Vec<String>,
    /// The request whose outcome is unknown; `None` if only the numbers are wanted.
    pub sent: Option<Sent>,
}

/// A request whose outcome is unknown, for platforms that can tell by a marker, a reference or a log of movements.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// Its key.
    pub key: IdempotencyKey,
    /// When it was frozen, which is before it was sent.
    pub frozen_at: Timestamp,
    /// Units by which each item was to change, in the order of [`ReadBack::items`].
    pub changes: Vec<i64>,
}

/// How one item stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// The platform's number; `None` if the item is gone.
    pub number: Option<i64>,
    /// What the platform itself tells of the request asked about.
    pub evidence: Evidence,
}

/// The number of one item, as the platform lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Level {
    /// The platform's id, as in [`TargetPart::item`].
    pub item: String,
    /// The article number that the item has now, as the connection matches it: SKU or barcode.
    pub sku: Sku,
    /// See [`Traits::number`]; whole units, rounded down.
    pub number: i64,
}

/// One page of the platform's numbers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LevelPage {
    /// Items that hold stock at our location. An article number that stands twice is left out by the caller.
    pub levels: Vec<Level>,
    /// Where the next page begins; `None` at the end.
    pub next: Option<String>,
}

/// From where online orders are read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OrdersSince {
    /// Orders changed at or after this time; `None`: all that are open. The caller overlaps, pages may repeat orders.
    pub changed_after: Option<Timestamp>,
    /// The page, as [`OrderPage::next`] said.
    pub page: Option<String>,
}

/// One page of online orders, closed and cancelled ones included.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OrderPage {
    /// In any order.
    pub orders: Vec<OnlineOrder>,
    /// Where the next page begins; `None` at the end.
    pub next: Option<String>,
}

/// An online order, as far as this store's shelf is concerned. No name, address or mail of anybody (invariant 12).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OnlineOrder {
    /// The platform's id.
    pub id: String,
    /// The number that staff and customers see.
    pub name: String,
    /// When the customer placed it, by the platform's clock, if it says so: an order of before we were connected that is
    /// touched again is told from a new one by it.
    pub placed_at: Option<Timestamp>,
    /// When it last changed, by the platform's clock.
    pub changed_at: Timestamp,
    /// Lines of items that hold stock at our location.
    pub lines: Vec<OrderLine>,
}

/// One line of an online order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderLine {
    /// The platform's id of the line.
    pub id: String,
    /// The item, as in [`TargetPart::item`].
    pub item: String,
    /// The article number that the line carries, if it carries one. Only asked where no SKU of the store is known to be
    /// this item.
    pub sku: Option<Sku>,
    /// Units promised that still lie on the shelf: ordered less handed over, cancelled and refunded.
    pub open: i64,
    /// Units shipped or picked up from this store, in all: never falls, except by a cancelled shipment.
    pub handed_over: i64,
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

    /// How these items stand now, in the same order.
    fn read_back<'a>(&'a self, question: &'a ReadBack) -> Call<'a, Result<Vec<Seen>, CallFailure>>;

    /// One page of all numbers at our location, for reconciliation; `None` asks for the first. Only called if
    /// [`Traits::number`] is one.
    fn levels(&self, page: Option<String>) -> Call<'_, Result<LevelPage, CallFailure>> {
        debug_assert!(page.is_none(), "there is no second page of nothing");
        Box::pin(std::future::ready(Ok(LevelPage::default())))
    }

    /// One page of online orders for our location. `None` where the platform knows none.
    fn orders(&self, since: OrdersSince) -> Option<Call<'_, Result<OrderPage, CallFailure>>> {
        debug_assert!(since.page.is_none(), "there is no second page of nothing");
        None
    }

    /// The lane of prices, if the platform has one and the configuration wants it: a platform of its own whose changes are values
    /// (`delta` is the price in millionths of a major unit of the shop's currency), with [`Traits::latest`].
    fn prices(&self) -> Option<Arc<dyn Platform>> {
        None
    }

    /// The lane of units on order from suppliers, as [`Self::prices`]: `delta` is the number of units expected.
    fn incoming(&self) -> Option<Arc<dyn Platform>> {
        None
    }

    /// Is it there and are we allowed in. Used while a lane is paused, and by `check --online`.
    fn probe(&self) -> Call<'_, Result<ProbeReport, CallFailure>>;
}
