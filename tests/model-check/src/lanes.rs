//! One article on one lane, as `sync_core::outbox::lane` and the agent's writer drive it.
//!
//! The till sells and takes back; online orders come, and are picked or shipped; somebody may change the platform's
//! number by hand. The agent reads the till's log into its book and outbox (one commit, see [`crate::counts`] for the
//! other ways), merges what waits, freezes a batch, sends it, and does after silence what the platform's class asks
//! for. What was read back is judged by `sync_core::outbox::settle`. The network loses, delays and doubles requests; an
//! answer that is lost and one that comes too late are the same to the agent, so only the latter is modelled. The agent
//! is killed at any step: what is in memory only is gone, and a batch that may have left may have taken effect.
//!
//! What must hold is in [`Promise`]: at every end, and in between no more stock than there is, but for what was not
//! told yet ([`goal`]).

use crate::check::{Protocol, Steps};

mod agent;
mod goal;
mod network;
mod reconcile;
mod store;

pub use reconcile::{Drained, Fenced, Findings, OrdersRead, Reconciling, RepairRetry};

/// Units on the shelf, in the book and on the platform at first.
const STOCK: i8 = 4;

/// How a change is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Writes {
    /// As a change.
    Change,
    /// As a number that was read and changed.
    Number,
}

/// What the platform remembers of keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keys {
    /// There are none.
    None,
    /// For a while; the agent relies on them for a shorter while.
    Window,
    /// For ever.
    Forever,
}

/// Whether a key whose request was refused can be used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// It is spent.
    Spent,
    /// As if it had never been sent.
    Free,
}

/// Whether a number is only written if the platform shows the expected one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Swap {
    /// Blindly.
    Blind,
    /// Compare-and-set.
    Compared,
}

/// Whether the platform can tell what became of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Marker {
    /// No.
    None,
    /// A marker is stored with the number, in one step.
    Whole,
    /// The marker is stored first; the server may die before the number is.
    Torn,
}

/// Which number the platform has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Number {
    /// What lies on the shelf: falls when an online order is handed over.
    Physical,
    /// What is left to sell: falls when an online order comes.
    Net,
}

/// How a request of unknown outcome is repeated where there are keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeat {
    /// The same bytes under the same key.
    Frozen,
    /// The same under a new key.
    FreshKey,
    /// Its entries wait again, merge with later ones and go under a new key.
    Regrouped,
}

/// What is done with an unknown outcome past the window of keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PastWindow {
    /// The number is read.
    ReadBack,
    /// It is sent again.
    Sent,
}

/// What a number that is read after silence is worth while a request may still arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LastAttempt {
    /// It is read after the platform has surely stopped working on the last attempt.
    WaitedOut,
    /// It is read at once, if only the trust in keys has run out.
    Ignored,
}

/// What a number that was overtaken before it was written leads to, where only numbers are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overtaken {
    /// Nothing was written: the number is read and changed anew. Unless an earlier attempt may have been taken.
    BeginsAnew,
    /// It is judged like silence.
    Judged,
}

/// What follows where the key of a settling number is spent: an earlier attempt was refused, its answer lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpentSettling {
    /// The number is read again.
    ReadAgain,
    /// As for a change: its entries wait again.
    Reopened,
}

/// What a number that is read back is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Baseline {
    /// The first number seen, and what was told since.
    FirstLook,
    /// The same, less what online orders have taken off it: they are read after the number.
    FollowsOrders,
}

/// What is done with an unknown outcome where there are no keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Silence {
    /// After the platform has surely stopped working on it, the number is read.
    WaitAndRead,
    /// The number is read at once.
    ReadAtOnce,
    /// It is sent again.
    Sent,
}

/// What a key that was used for something else leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Conflict {
    /// The number is read and the outcome settled.
    Settled,
    /// The lane stops until somebody has looked: only a copy of this agent can have used the key.
    Stops,
}

/// What goes into one request, and what its key is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Batching {
    /// Waiting entries become one; the key is of the batch.
    Merged,
    /// Up to two entries; the key is of the batch.
    Pairs,
    /// One entry; the key is of the entry.
    Single,
}

/// A second agent on a cloned disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Twin {
    /// There is none.
    None,
    /// Both run.
    Both,
    /// One at a time: the clone takes over once, after the other's requests have ended, and treats all it holds as
    /// uncertain.
    Leased,
}

/// How picks of online orders get into the book.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Picks {
    /// Nothing is picked.
    Never,
    /// From the till's log, whenever it is read.
    Till,
    /// With the online orders, from the platform.
    Platform,
}

/// What is promised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Promise {
    /// When all is told, the platform shows what is right, and nothing is left to a person.
    Exact,
    /// The same, or what is missing is with a person.
    ExactOrPerson,
    /// Wrong by no more than the units that others changed while a request of ours was open (and what is with a
    /// person).
    OffByRaces,
    /// Wrong by no more than the units that others have changed in all (and what is with a person).
    OffByOthers,
}

/// One way of doing it, on one kind of platform, and how much may happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// The platform's writes.
    pub writes: Writes,
    /// Its keys.
    pub keys: Keys,
    /// Its keys after a refusal.
    pub refused: Refused,
    /// Its compare-and-set.
    pub swap: Swap,
    /// Its evidence.
    pub marker: Marker,
    /// Its number.
    pub number: Number,
    /// Repeats.
    pub repeat: Repeat,
    /// Past the window.
    pub past_window: PastWindow,
    /// Reading back past the window.
    pub last_attempt: LastAttempt,
    /// Numbers overtaken.
    pub overtaken: Overtaken,
    /// Spent keys of numbers.
    pub spent: SpentSettling,
    /// What is compared.
    pub baseline: Baseline,
    /// Without keys.
    pub silence: Silence,
    /// Keys of others.
    pub conflict: Conflict,
    /// Requests.
    pub batching: Batching,
    /// A clone.
    pub twin: Twin,
    /// Repair of drift.
    pub reconciling: Option<Reconciling>,
    /// Picks.
    pub picks: Picks,
    /// What must hold.
    pub promise: Promise,
    /// Sales, at most.
    pub sales: u8,
    /// Returns, at most.
    pub returns: u8,
    /// Online orders, at most.
    pub orders: u8,
    /// A change of the platform's number by hand, at most one; 0: none.
    pub edit: i8,
    /// Crashes, at most.
    pub crashes: u8,
    /// Requests lost or answered too late, at most.
    pub losses: u8,
    /// Requests doubled by the network, at most.
    pub doubles: u8,
}

impl Default for Rules {
    /// Keyed changes to a physical number, remembered for ever; what the agent does today.
    fn default() -> Self {
        Self {
            writes: Writes::Change,
            keys: Keys::Forever,
            refused: Refused::Spent,
            swap: Swap::Compared,
            marker: Marker::None,
            number: Number::Physical,
            repeat: Repeat::Frozen,
            past_window: PastWindow::ReadBack,
            last_attempt: LastAttempt::WaitedOut,
            overtaken: Overtaken::BeginsAnew,
            spent: SpentSettling::ReadAgain,
            baseline: Baseline::FirstLook,
            silence: Silence::WaitAndRead,
            conflict: Conflict::Settled,
            batching: Batching::Merged,
            twin: Twin::None,
            reconciling: None,
            picks: Picks::Never,
            promise: Promise::Exact,
            sales: 3,
            returns: 1,
            orders: 0,
            edit: 0,
            crashes: 2,
            losses: 2,
            doubles: 1,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Event {
    Sale,
    Return,
    Pick,
}

/// Unique where it has to be: clones share the epoch of what they had in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Key {
    epoch: u8,
    number: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Body {
    Change(i8),
    Number { before: i8, written: i8 },
}

/// An entry of the outbox: what came back and what was sold, of all lines that were merged into it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Entry {
    rises: i8,
    falls: i8,
    line: u8,
    unsure: bool,
}

impl Entry {
    const fn delta(self) -> i8 {
        self.rises - self.falls
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Stage {
    Change,
    Base,
    ReadBack,
    Absolute,
}

/// `busy`, `maybe` and a `stage` of `ReadBack` are in memory only.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Batch {
    key: Key,
    items: Vec<Entry>,
    stage: Stage,
    /// The numbers of an absolute write: read, written.
    row: Option<(i8, i8)>,
    /// Phase of time in which it was first sent.
    since: u8,
    maybe: bool,
    /// The platform may still work on it.
    held: bool,
    /// The number that was read back, while the orders are not read yet; in memory only.
    read: Option<i8>,
    busy: bool,
    uncertain: bool,
}

impl Batch {
    fn change(&self) -> i8 {
        self.items.iter().map(|entry| entry.delta()).sum()
    }

    fn body(&self) -> Body {
        match self.row {
            Some((before, written)) => Body::Number { before, written },
            None => Body::Change(self.change()),
        }
    }
}

/// An agent has at most one batch of changes and one repair of an article.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Slot {
    Changes,
    Repair,
}

const SLOTS: [Slot; 2] = [Slot::Changes, Slot::Repair];

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Agent {
    cursor: usize,
    book: i8,
    waiting: Vec<Entry>,
    changes: Option<Batch>,
    repair: Option<Batch>,
    /// The next batch.
    next: u8,
    /// What the platform should show by what it has taken from us.
    told: i8,
    dead: Vec<Entry>,
    orders: u8,
    handed: u8,
    /// A reconciliation under way; in memory only.
    round: Option<reconcile::Round>,
    finding: Option<(i8, i8)>,
    stopped: bool,
    epoch: u8,
    /// Lines before this one may have been told by the agent that this one is a clone of.
    unsure_until: usize,
}

impl Agent {
    fn slot(&self, slot: Slot) -> Option<&Batch> {
        match slot {
            Slot::Changes => self.changes.as_ref(),
            Slot::Repair => self.repair.as_ref(),
        }
    }

    fn slot_mut(&mut self, slot: Slot) -> &mut Option<Batch> {
        match slot {
            Slot::Changes => &mut self.changes,
            Slot::Repair => &mut self.repair,
        }
    }

    /// Nothing of the article waits or is under way.
    fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.changes.is_none() && self.repair.is_none()
    }

    fn take_number(&mut self) -> u8 {
        self.next += 1;
        self.next
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Request {
    agent: usize,
    slot: Slot,
    key: Key,
    body: Body,
    /// Phase of time in which it was sent.
    phase: u8,
    /// The agent still waits for its answer.
    awaited: bool,
}

/// A key that the platform remembers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Used {
    key: Key,
    body: Body,
    phase: u8,
    taken: bool,
}

/// Everything.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct State {
    shelf: i8,
    log: Vec<Event>,
    orders: u8,
    open: u8,
    handed: u8,
    edited: bool,
    agents: Vec<Agent>,
    /// Which agent may send, where only one may.
    holder: usize,
    requests: Vec<Request>,
    shop: i8,
    used: Vec<Used>,
    marker: Option<Key>,
    /// 0: within the window of keys; 1: past the agent's; 2: past the platform's.
    phase: u8,
    crashes: u8,
    losses: u8,
    doubles: u8,
    /// Units of writes that left a marker and no number.
    torn: i8,
    /// Units that others changed, as far as the [`Promise`] makes allowance for them.
    raced: i8,
}

impl State {
    fn due(&self, rules: &Rules) -> i8 {
        match rules.number {
            Number::Physical => self.shelf,
            Number::Net => self.shelf - i8::try_from(self.open).unwrap_or(i8::MAX),
        }
    }

    fn may_send(&self, rules: &Rules, who: usize) -> bool {
        (rules.twin != Twin::Leased || self.holder == who) && self.agents.get(who).is_some_and(|agent| !agent.stopped)
    }
}

impl Protocol for Rules {
    type State = State;

    fn start(&self) -> State {
        State {
            shelf: STOCK,
            log: Vec::new(),
            orders: 0,
            open: 0,
            handed: 0,
            edited: false,
            agents: vec![Agent {
                cursor: 0,
                book: STOCK,
                waiting: Vec::new(),
                changes: None,
                repair: None,
                next: 0,
                told: STOCK,
                dead: Vec::new(),
                orders: 0,
                handed: 0,
                round: None,
                finding: None,
                stopped: false,
                epoch: 0,
                unsure_until: 0,
            }],
            holder: 0,
            requests: Vec::new(),
            shop: STOCK,
            used: Vec::new(),
            marker: None,
            phase: 0,
            crashes: 0,
            losses: 0,
            doubles: 0,
            torn: 0,
            raced: 0,
        }
    }

    fn steps(&self, state: &State, steps: &mut Steps<'_, State>) {
        store::steps(self, state, steps);
        agent::steps(self, state, steps);
        reconcile::steps(self, state, steps);
        network::steps(self, state, steps);
        network::faults(self, state, steps);
        agent::faults(self, state, steps);
    }

    fn fault(&self, state: &State) -> Option<String> {
        goal::fault(self, state)
    }
}
