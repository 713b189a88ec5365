//! Online orders: what a reading of them means for the shelf, and what a ticket is that rings one up.
//!
//! An order is a snapshot like a ticket (invariant 1): read again it gives only the difference, an older reading than the
//! known one gives nothing, so that order and repetition of pages do not matter. Of each line the ledger keeps how many
//! units of what was handed over it has taken in ([`KnownLine::posted`]); what is beyond that is due. What was handed over
//! before the platform was connected is in the shelf's stock already and is taken as it is.
//!
//! Goods handed over enter the ledger either from the platform or from the POS, never from both (invariant 6).

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::model::{LineItem, Quantity, RuleName, Sku, Timestamp, Transaction};

/// Most units of one order line; more is a misread number.
pub const UNITS_MAX: i64 = 1_000_000;
/// Name of the rule by which a ticket moves nothing: the platform reports the same goods.
pub const RUNG_UP: &str = "rung up for an online order";
/// Name of the rule by which the line that marks such a ticket moves nothing.
pub const MARKER: &str = "marks an online order";

/// Where goods handed over for online orders enter the ledger from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Picks {
    /// From the platform's shipments and pick-ups.
    Platform,
    /// From the POS, which rings them up.
    Pos,
    /// From nowhere: the store hands nothing over for online orders.
    #[default]
    None,
}

impl Picks {
    /// The word in the configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Platform => "platform",
            Self::Pos => "pos",
            Self::None => "none",
        }
    }
}

/// A line of an order as last stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KnownLine {
    /// Units promised that still lie on the shelf.
    pub open: i64,
    /// Units handed over in all.
    pub handed_over: i64,
    /// Of those, units that the ledger has taken in, or that were gone before the platform was connected.
    pub posted: i64,
    /// When the order last changed, by the platform's clock.
    pub changed_at: Timestamp,
}

impl KnownLine {
    /// Units that left the shelf and are not in the ledger yet; negative: they came back.
    #[must_use]
    pub const fn due(&self) -> i64 {
        self.handed_over.saturating_sub(self.posted)
    }
}

/// An order as it was read now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadOrder<'a> {
    /// When it was placed, if the platform says so.
    pub placed_at: Option<Timestamp>,
    /// When it last changed.
    pub changed_at: Timestamp,
    /// Its lines, by their ids: open and handed-over units.
    pub lines: BTreeMap<&'a str, (i64, i64)>,
}

/// What a reading changes: the lines to be stored, by their ids. `paired_at` is when the platform was connected, `None`
/// while its orders are read for the first time.
#[must_use]
pub fn take(
    known: &BTreeMap<String, KnownLine>,
    read: &ReadOrder<'_>,
    paired_at: Option<Timestamp>,
) -> Vec<(String, KnownLine)> {
    if known.values().any(|line| line.changed_at > read.changed_at) {
        return Vec::new();
    }
    let mut changed = Vec::new();
    for (id, (open, handed_over)) in &read.lines {
        let (open, handed_over) = ((*open).clamp(0, UNITS_MAX), (*handed_over).clamp(0, UNITS_MAX));
        let before = known.get(*id);
        let posted = match (before, paired_at) {
            (_, None) => handed_over,
            (Some(before), Some(_)) => before.posted,
            (None, Some(paired_at)) if is_old(read, paired_at) => handed_over,
            (None, Some(_)) => 0,
        };
        let now = KnownLine { open, handed_over, posted, changed_at: read.changed_at };
        if before != Some(&now) {
            changed.push(((*id).to_owned(), now));
        }
    }
    // A line that is no longer there is no longer ours: taken off the order, or sent from elsewhere.
    for (id, before) in known.iter().filter(|(id, _)| !read.lines.contains_key(id.as_str())) {
        let now = KnownLine { open: 0, changed_at: read.changed_at, ..*before };
        if *before != now {
            changed.push((id.clone(), now));
        }
    }
    changed
}

/// An order that we never saw open: closed before the platform was connected, and touched again since.
fn is_old(read: &ReadOrder<'_>, paired_at: Timestamp) -> bool {
    read.changed_at < paired_at || read.placed_at.is_some_and(|at| at < paired_at)
}

/// Units that the platform has taken off its own number for a line since it was known last: ordered ones where the
/// number is net, handed-over ones where it is physical. Negative: they were put back.
#[must_use]
pub const fn taken_off(before: Option<&KnownLine>, now: &KnownLine, net: bool) -> i64 {
    let earlier = match before {
        Some(line) if net => line.open.saturating_add(line.handed_over),
        Some(line) => line.handed_over,
        None => 0,
    };
    let now = if net { now.open.saturating_add(now.handed_over) } else { now.handed_over };
    now.saturating_sub(earlier)
}

/// The change of stock of one SKU for units of an item, of which `per` are one of the SKU; `None` if it is no exact
/// number, or `per` makes no sense.
#[must_use]
pub fn pick_delta(units_out: i64, per: i64) -> Option<Quantity> {
    let micros = Quantity::from_units(units_out)?.negated().micros();
    (per > 0 && micros.checked_rem(per) == Some(0)).then(|| micros.checked_div(per).map(Quantity::from_micros))?
}

/// The same number, however people write it: without a leading `#`, blanks and the case of letters.
#[must_use]
pub fn reference(text: &str) -> String {
    text.trim().trim_start_matches('#').trim().to_lowercase()
}

/// How tickets are recognised that ring up an online order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Recognise {
    /// The reference counts only if it begins with one of these; empty: any reference counts.
    pub prefixes: Vec<String>,
    /// A line with one of these SKUs marks such a ticket; that line itself moves nothing.
    pub skus: BTreeSet<Sku>,
    /// Tills that ring up nothing else.
    pub registers: BTreeSet<String>,
}

/// What a ticket says of online orders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// It is an ordinary sale.
    No,
    /// It rings up this order (see [`reference`]).
    Order(String),
    /// It rings up an order and does not say which.
    Some,
}

impl Recognise {
    /// What a ticket says of online orders.
    #[must_use]
    pub fn claim(&self, read: &Transaction) -> Claim {
        let written = read.online_order.as_deref().map(str::trim).filter(|text| !text.is_empty());
        let counts =
            |text: &str| self.prefixes.is_empty() || self.prefixes.iter().any(|prefix| text.starts_with(prefix));
        if let Some(text) = written.filter(|text| counts(text)) {
            return Claim::Order(reference(text));
        }
        let marked = read.lines.iter().any(|line| self.skus.contains(&line.sku));
        if marked || self.registers.contains(&read.register) { Claim::Some } else { Claim::No }
    }

    /// Takes the lines out that only mark a ticket.
    pub fn take_markers_out(&self, lines: &mut [LineItem]) {
        for line in lines.iter_mut().filter(|line| line.ignored.is_none() && self.skus.contains(&line.sku)) {
            line.ignored = Some(RuleName::from(MARKER));
        }
    }
}

/// A platform that has online orders, as far as one ticket is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked {
    /// Index of its lane.
    pub lane: usize,
    /// Where its goods enter the ledger from.
    pub picks: Picks,
    /// It has the order that the ticket names; with [`Claim::Some`] always true.
    pub has_it: bool,
}

/// What is done with a ticket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ruling {
    /// It is booked as any other.
    Ordinary,
    /// It moves nothing, by the rule [`RUNG_UP`].
    Ignore,
    /// It moves stock, and the platform of this lane knows of it already.
    KnownTo(usize),
    /// No platform has the order.
    NobodyHasIt,
    /// Several platforms may have it.
    Unclear,
}

/// What is done with a ticket that claims to ring up an online order.
#[must_use]
pub fn rule(asked: &[Asked]) -> Ruling {
    let mut have_it = asked.iter().filter(|one| one.has_it);
    match (have_it.next(), have_it.next()) {
        (Some(one), None) => match one.picks {
            Picks::Platform => Ruling::Ignore,
            Picks::Pos => Ruling::KnownTo(one.lane),
            Picks::None => Ruling::Ordinary,
        },
        (Some(_), Some(_)) if asked.iter().filter(|one| one.has_it).all(|one| one.picks == Picks::Platform) => {
            Ruling::Ignore
        }
        (Some(_), Some(_)) => Ruling::Unclear,
        // Whoever has it will report the goods, sooner or later.
        (None, _) if !asked.is_empty() && asked.iter().all(|one| one.picks == Picks::Platform) => Ruling::Ignore,
        (None, _) if asked.iter().all(|one| one.picks == Picks::None) => Ruling::Ordinary,
        (None, _) => Ruling::NobodyHasIt,
    }
}

/// Makes a ticket move nothing, because the platform reports the same goods.
pub fn ignore(lines: &mut [LineItem]) {
    for line in lines.iter_mut().filter(|line| line.ignored.is_none()) {
        line.ignored = Some(RuleName::from(RUNG_UP));
    }
}

#[cfg(test)]
mod tests;
