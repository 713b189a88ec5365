//! The independent judge: sales as printed by the tills against changes as applied by the shop or the door.
//!
//! It never asks the agent anything. Sums per article decide whether something was lost or doubled; the order of
//! the printed lines of an article decides which applied change covers which line, and so the latency.
//!
//! What it cannot see: two opposite mistakes of the same size on one article. Tests that fear them give each
//! ticket an article of its own, or send one change a line and look at the change ids.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::decimal::Decimal;
use crate::journal::{self, Cause, JournalLine};
use crate::till::{Printed, printed};

/// How the platform counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Units {
    /// Whole units: the floor of what was sold, the remainder is carried.
    #[default]
    Whole,
    /// Exact decimals.
    Exact,
}

/// What the oracle must know about the platform beside the two records.
#[derive(Debug, Clone, Default)]
pub struct Terms {
    /// How it counts.
    pub units: Units,
    /// Articles that are something else at the platform: bundles and their parts, barcodes and their SKUs.
    pub made_of: BTreeMap<String, Vec<(String, i64)>>,
    /// Articles that the platform does not have: not expected to arrive.
    pub not_sold_online: BTreeSet<String>,
}

/// An article whose sums differ.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The article.
    pub sku: String,
    /// What should have been applied.
    pub expected: Decimal,
    /// What was.
    pub applied: Decimal,
}

/// From a ticket complete at the till to its change applied at the platform.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Latency {
    /// Tickets that could be attributed.
    pub tickets: usize,
    /// Microseconds, middle ticket.
    pub p50_us: i64,
    /// Microseconds, 99th of a hundred.
    pub p99_us: i64,
    /// Microseconds, slowest.
    pub max_us: i64,
}

/// The verdict.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Report {
    /// Tickets that moved stock.
    pub sales: usize,
    /// Of those, covered completely by applied changes.
    pub delivered: usize,
    /// Lines printed.
    pub lines: usize,
    /// Changes applied that came from clients.
    pub applied_changes: usize,
    /// Requests that applied something.
    pub requests: usize,
    /// Units that were sold and not applied.
    pub lost: Decimal,
    /// Units that were applied and not sold.
    pub doubled: Decimal,
    /// The articles concerned.
    pub differences: Vec<Difference>,
    /// Change ids applied more than once (door only).
    pub repeated_changes: usize,
    /// Units sold online, not handed over, as the shop's own record has it.
    pub online_open: Decimal,
    /// Units handed over for online orders.
    pub online_fulfilled: Decimal,
    /// See [`Latency`].
    pub latency: Latency,
}

impl Report {
    /// Nothing lost, nothing doubled.
    #[must_use]
    pub fn exactly_once(&self) -> bool {
        self.differences.is_empty() && self.repeated_changes == 0
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Latency { p50_us, p99_us, tickets, .. } = self.latency;
        writeln!(f, "sales {} delivered {} lost {} doubled {}", self.sales, self.delivered, self.lost, self.doubled)?;
        write!(
            f,
            "till to shop: p50 {} ms, p99 {} ms over {tickets} tickets",
            Decimal::thousandths(p50_us),
            Decimal::thousandths(p99_us)
        )?;
        for Difference { sku, expected, applied } in self.differences.iter().take(10) {
            write!(f, "\n  {sku}: {expected} expected, {applied} applied")?;
        }
        Ok(())
    }
}

struct Owed {
    ticket: usize,
    delta: Decimal,
    at_ns: i64,
}

struct Arrived {
    delta: Decimal,
    at_ns: i64,
}

/// [`judge`] on the files that the tills and the stand-in wrote.
///
/// # Errors
/// One of them cannot be read.
pub fn judge_files(logs: &[PathBuf], journal: &Path, terms: &Terms) -> anyhow::Result<Report> {
    let mut lines = Vec::new();
    for log in logs {
        lines.extend(printed(log)?);
    }
    Ok(judge(&lines, &journal::read(journal)?, terms))
}

/// Compares all that was printed with all that was applied.
#[must_use]
pub fn judge(printed: &[Printed], journal: &[JournalLine], terms: &Terms) -> Report {
    let (owed, tickets) = owed_by_sku(printed, terms);
    let arrived = arrived_by_sku(journal);
    let mut report = Report { sales: tickets, lines: printed.len(), ..counted(journal) };
    // Per ticket: when its last line was covered; `None` once a line is not, or cannot be attributed.
    let mut covered: Vec<Coverage> = vec![Coverage::default(); tickets];
    let skus: BTreeSet<&str> = owed.keys().map(String::as_str).chain(arrived.keys().copied()).collect();
    for sku in skus {
        let (owed, arrived) =
            (owed.get(sku).map_or(&[][..], Vec::as_slice), arrived.get(sku).map_or(&[][..], Vec::as_slice));
        let expected = whole(owed.iter().map(|line| line.delta).sum(), terms.units);
        let applied: Decimal = arrived.iter().map(|change| change.delta).sum();
        if expected != applied {
            let missing = expected - applied;
            // Sales are negative: applying too little of them leaves a negative rest.
            if missing.is_negative() == expected.is_negative() && !expected.is_zero() {
                report.lost += missing.magnitude();
            } else {
                report.doubled += missing.magnitude();
            }
            report.differences.push(Difference { sku: sku.to_owned(), expected, applied });
        }
        cover(owed, arrived, terms.units, expected == applied, &mut covered);
    }
    report.delivered = covered.iter().filter(|ticket| ticket.missing == 0).count();
    report.latency = latency(&covered);
    report
}

#[derive(Debug, Clone, Copy, Default)]
struct Coverage {
    missing: usize,
    unattributed: usize,
    slowest_ns: i64,
}

impl Coverage {
    fn line(&mut self, took_ns: Option<i64>) {
        match took_ns {
            Some(ns) => self.slowest_ns = self.slowest_ns.max(ns),
            None => self.unattributed += 1,
        }
    }
}

fn latency(covered: &[Coverage]) -> Latency {
    let mut times: Vec<i64> = covered
        .iter()
        .filter(|ticket| ticket.missing == 0 && ticket.unattributed == 0)
        .map(|ticket| ticket.slowest_ns / 1000)
        .collect();
    times.sort_unstable();
    let at = |hundredths: usize| {
        times.get((times.len() * hundredths / 100).min(times.len().saturating_sub(1))).copied().unwrap_or(0)
    };
    Latency { tickets: times.len(), p50_us: at(50), p99_us: at(99), max_us: times.last().copied().unwrap_or(0) }
}

/// What each article owes, in the order of printing, and the number of tickets.
fn owed_by_sku(printed: &[Printed], terms: &Terms) -> (BTreeMap<String, Vec<Owed>>, usize) {
    let mut order: Vec<&Printed> = printed.iter().filter(|line| !terms.not_sold_online.contains(&line.sku)).collect();
    order.sort_by_key(|line| line.at.mono_ns);
    let mut numbers = BTreeMap::new();
    let mut owed: BTreeMap<String, Vec<Owed>> = BTreeMap::new();
    for line in order {
        let next = numbers.len();
        let ticket = *numbers.entry((line.register.as_str(), line.ticket.as_str())).or_insert(next);
        let mut owe = |sku: &str, delta: Decimal| {
            owed.entry(sku.to_owned()).or_default().push(Owed { ticket, delta, at_ns: line.at.mono_ns })
        };
        match terms.made_of.get(&line.sku) {
            Some(parts) => parts.iter().for_each(|(sku, per)| owe(sku, (0..*per).map(|_| line.delta).sum())),
            None => owe(&line.sku, line.delta),
        }
    }
    (owed, numbers.len())
}

/// Only what clients changed: orders and other hands are not the agent's.
fn arrived_by_sku(journal: &[JournalLine]) -> BTreeMap<&str, Vec<Arrived>> {
    let mut arrived: BTreeMap<&str, Vec<Arrived>> = BTreeMap::new();
    for line in journal.iter().filter(|line| by_client(line.cause)) {
        arrived.entry(line.sku.as_str()).or_default().push(Arrived { delta: line.delta, at_ns: line.at.mono_ns });
    }
    arrived
}

const fn by_client(cause: Cause) -> bool {
    match cause {
        Cause::Adjust | Cause::Set | Cause::Activate | Cause::Change => true,
        Cause::OrderPlaced | Cause::OrderFulfilled | Cause::OrderCancelled | Cause::Elsewhere => false,
    }
}

fn counted(journal: &[JournalLine]) -> Report {
    let mut report = Report::default();
    let (mut requests, mut changes) = (BTreeSet::new(), BTreeSet::new());
    for line in journal {
        if by_client(line.cause) {
            report.applied_changes += 1;
            requests.insert(line.request);
        }
        match line.cause {
            Cause::OrderPlaced => report.online_open += line.delta.magnitude(),
            Cause::OrderCancelled => report.online_open += -line.delta.magnitude(),
            Cause::OrderFulfilled => {
                report.online_open += -line.delta.magnitude();
                report.online_fulfilled += line.delta.magnitude();
            }
            Cause::Adjust | Cause::Set | Cause::Activate | Cause::Change | Cause::Elsewhere => {}
        }
        if line.change.as_deref().is_some_and(|change| !changes.insert(change)) {
            report.repeated_changes += 1;
        }
    }
    report.requests = requests.len();
    report
}

fn whole(amount: Decimal, units: Units) -> Decimal {
    match units {
        Units::Whole => amount.floored(),
        Units::Exact => amount,
    }
}

/// Finds for each owed line the applied change that first covers it.
fn cover(owed: &[Owed], arrived: &[Arrived], units: Units, equal: bool, covered: &mut [Coverage]) {
    let one_sign =
        owed.iter().all(|line| line.delta.is_negative()) || owed.iter().all(|line| !line.delta.is_negative());
    if one_sign {
        cover_in_order(owed, arrived, units, covered);
    } else {
        cover_mixed(owed, arrived, units, equal, covered);
    }
}

/// With one sign the running sums only grow: a line is covered as soon as so much has arrived.
fn cover_in_order(owed: &[Owed], arrived: &[Arrived], units: Units, covered: &mut [Coverage]) {
    let (mut owed_sum, mut arrived_sum) = (Decimal::ZERO, Decimal::ZERO);
    let (mut changes, mut last_ns) = (arrived.iter(), None);
    for line in owed {
        owed_sum += line.delta;
        let due = whole(owed_sum, units).magnitude();
        while arrived_sum.magnitude() < due {
            let Some(change) = changes.next() else { break };
            arrived_sum += change.delta;
            last_ns = Some(change.at_ns);
        }
        let Some(ticket) = covered.get_mut(line.ticket) else {
            continue;
        };
        if arrived_sum.magnitude() < due {
            ticket.missing += 1;
        } else {
            // Carried remainders may be covered before they were sold: no latency then.
            ticket.line(last_ns.filter(|at| *at >= line.at_ns).map(|at| at - line.at_ns));
        }
    }
}

/// With both signs a change is taken to cover the latest line, printed before it, whose running sum it reaches.
fn cover_mixed(owed: &[Owed], arrived: &[Arrived], units: Units, equal: bool, covered: &mut [Coverage]) {
    let mut sums = Vec::with_capacity(owed.len());
    let mut sum = Decimal::ZERO;
    for line in owed {
        sum += line.delta;
        sums.push(whole(sum, units));
    }
    let (mut next, mut arrived_sum) = (0, Decimal::ZERO);
    for change in arrived {
        arrived_sum += change.delta;
        let reached =
            owed.iter().zip(&sums).enumerate().skip(next).take_while(|(_, (line, _))| line.at_ns <= change.at_ns);
        let Some((last, _)) = reached.filter(|(_, (_, sum))| **sum == arrived_sum).last() else {
            continue;
        };
        for line in owed.iter().take(last + 1).skip(next) {
            if let Some(ticket) = covered.get_mut(line.ticket) {
                ticket.line(Some(change.at_ns - line.at_ns));
            }
        }
        next = last + 1;
    }
    for line in owed.iter().skip(next) {
        if let Some(ticket) = covered.get_mut(line.ticket) {
            if equal { ticket.line(None) } else { ticket.missing += 1 }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::moment::Moment;

    #[test]
    fn all_that_arrived_once_is_fine() {
        let report = judge(
            &[sold("1", "A", "-2", 0), sold("2", "A", "-1", 10), sold("3", "B", "-1", 20)],
            &[came("A", "-3", 3_000_010), came("B", "-1", 5_000_020)],
            &Terms::default(),
        );
        assert!(report.exactly_once());
        assert_eq!((report.sales, report.delivered), (3, 3));
        assert_eq!((report.latency.tickets, report.latency.p50_us, report.latency.max_us), (3, 3000, 5000));
    }

    #[test]
    fn what_is_missing_is_lost_and_its_ticket_named_undelivered() {
        let report =
            judge(&[sold("1", "A", "-2", 0), sold("2", "A", "-1", 10)], &[came("A", "-2", 20)], &Terms::default());
        assert_eq!((report.lost, report.doubled, report.delivered), (Decimal::units(1), Decimal::ZERO, 1));
        assert!(!report.exactly_once());
    }

    #[test]
    fn what_came_twice_is_doubled() {
        let report = judge(&[sold("1", "A", "-2", 0)], &[came("A", "-2", 20), came("A", "-2", 30)], &Terms::default());
        assert_eq!((report.lost, report.doubled), (Decimal::ZERO, Decimal::units(2)));
    }

    #[test]
    fn what_was_never_sold_is_doubled() {
        let report = judge(&[], &[came("A", "-2", 20)], &Terms::default());
        assert_eq!(report.doubled, Decimal::units(2));
    }

    #[test]
    fn weights_are_expected_as_whole_units_with_the_rest_carried() {
        let sales = [sold("1", "A", "-0.345", 0), sold("2", "A", "-0.3", 10), sold("3", "A", "-0.5", 20)];
        let report = judge(&sales, &[came("A", "-1", 5), came("A", "-1", 25)], &Terms::default());
        assert!(report.exactly_once(), "{report}");
        let exact = judge(&sales, &[came("A", "-1.145", 30)], &Terms { units: Units::Exact, ..Terms::default() });
        assert!(exact.exactly_once(), "{exact}");
    }

    #[test]
    fn sales_and_returns_that_cancel_out_need_no_change() {
        let report = judge(&[sold("1", "A", "-1", 0), sold("2", "A", "1", 10)], &[], &Terms::default());
        assert!(report.exactly_once());
        assert_eq!((report.delivered, report.latency.tickets), (2, 0));
    }

    #[test]
    fn a_bundle_is_owed_by_its_parts() {
        let made_of = BTreeMap::from([("KIT".to_owned(), vec![("A".to_owned(), 2), ("B".to_owned(), 1)])]);
        let report = judge(
            &[sold("1", "KIT", "-2", 0)],
            &[came("A", "-4", 20), came("B", "-2", 20)],
            &Terms { made_of, ..Terms::default() },
        );
        assert!(report.exactly_once(), "{report}");
    }

    #[test]
    fn online_orders_are_nobodys_fault() {
        let mut order = came("A", "-1", 30);
        order.cause = Cause::OrderPlaced;
        let report = judge(&[sold("1", "A", "-2", 0)], &[came("A", "-2", 20), order], &Terms::default());
        assert!(report.exactly_once());
        assert_eq!(report.online_open, Decimal::units(1));
    }

    fn sold(ticket: &str, sku: &str, delta: &str, mono_ns: i64) -> Printed {
        let at = Moment { wall_us: 0, mono_ns };
        Printed {
            register: "R1".to_owned(),
            ticket: ticket.to_owned(),
            line: 1,
            sku: sku.to_owned(),
            delta: Decimal::parse(delta).unwrap(),
            at,
        }
    }

    fn came(sku: &str, delta: &str, mono_ns: i64) -> JournalLine {
        JournalLine {
            seq: 1,
            at: Moment { wall_us: 0, mono_ns },
            request: 1,
            cause: Cause::Adjust,
            sku: sku.to_owned(),
            name: "available".to_owned(),
            delta: Decimal::parse(delta).unwrap(),
            on_hand: None,
            item: None,
            location: None,
            key: None,
            reference: None,
            change: None,
            transaction: None,
        }
    }
}
