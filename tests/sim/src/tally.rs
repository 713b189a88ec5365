//! What happened in runs: faults by class, sales, and what went wrong.

use std::collections::BTreeMap;

use faulty_vfs::Counters;

/// Every class of fault; a run of some size in which one never fired proves nothing about it and fails.
pub const CLASSES: [&str; 42] = [
    "clock: ahead",
    "clock: set back",
    "disk: a write outlived an earlier one",
    "disk: failed read",
    "disk: failed write",
    "disk: failed fsync that then says ok",
    "disk: full",
    "disk: write lost",
    "disk: write torn",
    "network: connection refused",
    "network: outage",
    "network: reply cut short",
    "network: reply lost",
    "network: request applied after we gave up",
    "network: request doubled on its way",
    "network: request lost",
    "platform: 401 for a while",
    "platform: 429",
    "platform: 5xx with effect",
    "platform: 5xx without effect",
    "platform: article listed late",
    "platform: cost bucket empty",
    "platform: garbage with 200",
    "platform: key being worked on",
    "platform: key forgotten",
    "platform: long outage",
    "platform: online order",
    "pos: goods received",
    "pos: late edit",
    "pos: return",
    "pos: ticket read again",
    "pos: ticket voided",
    "process: cannot start",
    "process: killed",
    "process: power cut",
    "process: power cut in the middle of a commit",
    "process: restarted",
    "class: changes without keys, number only",
    "class: changes without keys, with evidence",
    "class: changes under keys (Shopify)",
    "class: numbers with compare-and-set",
    "class: numbers without compare-and-set",
];

/// Store-days from which on every class must have fired.
pub const DAYS_ENOUGH: u64 = 20_000;

/// Sums of one or many runs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    faults: BTreeMap<&'static str, u64>,
    /// Simulated days of one store.
    pub store_days: u64,
    /// Finished tickets.
    pub tickets: u64,
    /// Their lines.
    pub lines: u64,
    /// Requests that reached the shop.
    pub requests: u64,
    /// Quiet moments at which everything was compared.
    pub comparisons: u64,
    /// Units of sales that the platform did not see.
    pub lost: u64,
    /// Units of sales that it saw twice.
    pub doubled: u64,
    /// Units that it offered although they were gone, because of us, at a quiet moment.
    pub oversold: u64,
    /// Changes that nobody could tell the outcome of, because others changed the article's number meanwhile: left to a
    /// person, who decided.
    pub left_to_a_person: u64,
    /// A number over everything that reached the shop, in order: equal runs have equal ones.
    pub trace: u64,
}

impl Tally {
    /// A fault has happened.
    pub fn fault(&mut self, class: &'static str) {
        self.faults(class, 1);
    }

    /// A fault has happened some times.
    pub fn faults(&mut self, class: &'static str, times: u64) {
        debug_assert!(CLASSES.contains(&class), "{class} is not listed");
        *self.faults.entry(class).or_default() += times;
    }

    /// What a disk did.
    pub fn disk(&mut self, did: &Counters) {
        self.faults("disk: a write outlived an earlier one", did.reordered);
        self.faults("disk: failed read", did.read_errors);
        self.faults("disk: failed write", did.write_errors);
        self.faults("disk: failed fsync that then says ok", did.sync_errors);
        self.faults("disk: full", did.full);
        self.faults("disk: write lost", did.lost);
        self.faults("disk: write torn", did.torn);
    }

    /// Bytes that reached the shop.
    pub fn trace(&mut self, bytes: &[u8]) {
        let mut hash = self.trace ^ 0xCBF2_9CE4_8422_2325;
        for byte in bytes {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01B3);
        }
        self.trace = hash;
    }

    /// Adds another run.
    pub fn add(&mut self, other: &Self) {
        for (class, times) in &other.faults {
            self.faults(class, *times);
        }
        self.store_days += other.store_days;
        self.tickets += other.tickets;
        self.lines += other.lines;
        self.requests += other.requests;
        self.comparisons += other.comparisons;
        self.lost += other.lost;
        self.doubled += other.doubled;
        self.oversold += other.oversold;
        self.left_to_a_person += other.left_to_a_person;
        self.trace = self.trace.rotate_left(1) ^ other.trace;
    }

    /// How often each class fired, in the order of [`CLASSES`].
    pub fn by_class(&self) -> impl Iterator<Item = (&'static str, u64)> {
        CLASSES.iter().map(|class| (*class, self.faults.get(class).copied().unwrap_or(0)))
    }

    /// Classes that never fired.
    #[must_use]
    pub fn unfired(&self) -> Vec<&'static str> {
        self.by_class().filter(|(_, times)| *times == 0).map(|(class, _)| class).collect()
    }
}
