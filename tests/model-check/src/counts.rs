//! How sales and counts can reach a platform that adds changes up.
//!
//! One article, four units at first. The till sells, takes a return, counts the shelf; a unit can vanish unseen; an online
//! order takes a unit and is picked later. Each entry of the outbox is a request of its own. Bounds are in [`Rules`].
//! The goal: when everything has been read, sent and answered, the platform shows the units on the shelf less those
//! of open online orders. What vanished after the count is not to be known, and such ends are not judged.
//!
//! Invariants at stake: the cursor never runs ahead (2), each effect once (4), a count becomes a correction (5).

use crate::check::{Protocol, Steps};

mod steps;

/// Units on the shelf at first.
const STOCK: i8 = 4;

/// In which order a POS line and the cursor behind it are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// In one commit.
    OneCommit,
    /// The cursor first.
    CursorFirst,
    /// The entry first.
    EntryFirst,
}

/// What makes an entry's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryIds {
    /// Its place at the source; the same number is never stored twice.
    BySource,
    /// Chance.
    Random,
}

/// What the platform remembers of keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyMemory {
    /// Nothing.
    None,
    /// All, until it forgets them once at any time.
    Forgets,
    /// All, for ever.
    Forever,
}

/// How a count travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counting {
    /// There is none.
    Never,
    /// As a number, written blindly.
    Set,
    /// As a number, if the platform still shows the one that was read.
    CompareAndSet,
    /// As the difference to the store's own book, like a sale.
    Correction,
}

/// Whether picks of online orders are in the till's log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Picks {
    /// Nothing is picked.
    Never,
    /// They are.
    Logged,
    /// They are not.
    Unlogged,
}

/// The key of a compare-and-set that is sent again after the number was read again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RereadKey {
    /// A new one.
    Fresh,
    /// One for the whole count.
    Kept,
}

/// One way of doing it, and how much may happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// Reading and storing.
    pub reading: Reading,
    /// Numbers of entries.
    pub ids: EntryIds,
    /// Keys at the platform.
    pub keys: KeyMemory,
    /// Counts.
    pub counting: Counting,
    /// Everything earlier is answered before a count is sent, everything later waits for it.
    pub barrier: bool,
    /// See [`RereadKey`].
    pub reread: RereadKey,
    /// Picks.
    pub picks: Picks,
    /// Sales at the till; all happen.
    pub sales: u8,
    /// A return happens.
    pub returns: bool,
    /// An online order may come.
    pub orders: bool,
    /// A unit may vanish.
    pub shrinks: bool,
    /// Crashes at most.
    pub crashes: u8,
    /// Requests or replies lost, at most.
    pub losses: u8,
    /// Requests doubled by the network, at most.
    pub doubles: u8,
    /// Requests beyond one for each entry, at most.
    pub extra_sends: u8,
}

impl Default for Rules {
    /// One commit, numbers by source, keys for ever, no count.
    fn default() -> Self {
        Self {
            reading: Reading::OneCommit,
            ids: EntryIds::BySource,
            keys: KeyMemory::Forever,
            counting: Counting::Never,
            barrier: false,
            reread: RereadKey::Fresh,
            picks: Picks::Never,
            sales: 2,
            returns: false,
            orders: true,
            shrinks: false,
            crashes: 2,
            losses: 2,
            doubles: 1,
            extra_sends: 3,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Event {
    Sale,
    Return,
    Pick,
    Count(i8),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum What {
    Change(i8),
    Set(i8),
    CompareAndSet(i8),
    /// Known to the book only.
    Local,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Entry {
    id: u8,
    what: What,
    done: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Body {
    Change(i8),
    Set(i8),
    Swap { from: i8, to: i8 },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Request {
    id: u8,
    body: Body,
    attempt: u8,
}

/// Everything.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct State {
    shelf: i8,
    log: Vec<Event>,
    shrunk: bool,
    ordered: bool,
    open: i8,
    cursor: usize,
    /// Between the two commits of a reading that takes two: the line in question.
    halfway: Option<usize>,
    outbox: Vec<Entry>,
    book: i8,
    requests: Vec<Request>,
    replies: Vec<(u8, bool)>,
    shop: i8,
    seen: Vec<(u8, u8)>,
    crashes: u8,
    doubles: u8,
    losses: u8,
    forgot: bool,
    sends: u8,
    read: Option<(i8, i8)>,
}

impl State {
    fn count_of(&self, event: Event) -> i8 {
        i8::try_from(self.log.iter().filter(|logged| **logged == event).count()).unwrap_or(i8::MAX)
    }

    fn is_quiet(&self) -> bool {
        self.cursor == self.log.len()
            && self.halfway.is_none()
            && self.requests.is_empty()
            && self.replies.is_empty()
            && self.outbox.iter().all(|entry| entry.done)
    }
}

impl Protocol for Rules {
    type State = State;

    fn start(&self) -> State {
        State {
            shelf: STOCK,
            log: Vec::new(),
            shrunk: false,
            ordered: false,
            open: 0,
            cursor: 0,
            halfway: None,
            outbox: Vec::new(),
            book: STOCK,
            requests: Vec::new(),
            replies: Vec::new(),
            shop: STOCK,
            seen: Vec::new(),
            crashes: 0,
            doubles: 0,
            losses: 0,
            forgot: false,
            sends: 0,
            read: None,
        }
    }

    fn steps(&self, state: &State, steps: &mut Steps<'_, State>) {
        steps::all(self, state, steps);
    }

    fn fault(&self, state: &State) -> Option<String> {
        let due = state.shelf - state.open;
        let all_happened = usize::try_from(state.count_of(Event::Sale)).unwrap_or(0) >= usize::from(self.sales)
            && (!self.returns || state.log.contains(&Event::Return))
            && (self.counting == Counting::Never || state.log.iter().any(|event| matches!(event, Event::Count(_))));
        if !state.is_quiet() || !all_happened || state.shop == due || (state.shrunk && !self.count_saw_shrinkage(state))
        {
            return None;
        }
        Some(format!("the platform shows {}, {due} are left to sell", state.shop))
    }
}

impl Rules {
    /// Whether the vanished unit was missing already when the shelf was counted.
    fn count_saw_shrinkage(&self, state: &State) -> bool {
        let Some((at, counted)) = state.log.iter().enumerate().find_map(|(at, event)| match event {
            Event::Count(counted) => Some((at, *counted)),
            Event::Sale | Event::Return | Event::Pick => None,
        }) else {
            return false;
        };
        let later: i8 = state
            .log
            .iter()
            .skip(at)
            .map(|event| match event {
                Event::Sale => -1,
                Event::Return => 1,
                Event::Pick if self.picks == Picks::Logged => -1,
                Event::Pick | Event::Count(_) => 0,
            })
            .sum();
        let later = if self.picks == Picks::Unlogged { later.min(0) } else { later };
        state.shelf == counted + later
    }
}
