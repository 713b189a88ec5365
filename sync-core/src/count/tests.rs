//! One article, a shelf, a till, goods that vanish, and counts at bad moments: whatever happens in whatever order, the
//! ledger is off by exactly what vanished since the last count that said something.

#![expect(clippy::arithmetic_side_effects, reason = "numbers are made up here and small")]

use std::time::Duration;

use proptest::prelude::*;

use super::place::Posting;
use super::*;
use crate::model::{Seq, Timestamp};

const MARGIN: Duration = Duration::from_secs(120);
const MINUTE: i64 = 60_000_000;

#[derive(Debug, Clone)]
enum Step {
    /// Goods are sold; the ledger learns of it so many steps later.
    Sell {
        units: i64,
        delay: usize,
    },
    /// A ticket that the ledger knows is voided and its goods go back.
    Void {
        which: usize,
    },
    /// Goods vanish: nobody writes it down.
    Vanish {
        units: i64,
    },
    /// People count the shelf now; the sheet comes in so many steps later.
    Shelf {
        delay: usize,
    },
    /// The POS's number is read from its database, with a sale in the middle of it if so.
    Snapshot {
        sale_meanwhile: bool,
    },
    /// The POS exported its number some minutes ago, and the ledger knows all of it.
    Export {
        minutes: i64,
    },
    /// Goods of an online order are handed over.
    HandOver,
    Wait {
        minutes: i64,
    },
}

#[derive(Debug, Clone)]
struct Sold {
    at: Timestamp,
    units: i64,
    /// Position of its first and of its last version in the ledger.
    seq: Option<(i64, i64)>,
    voided: bool,
    due_in: usize,
}

#[derive(Debug, Clone, Copy)]
struct Moved {
    seq: i64,
    delta: i64,
    posting: Option<Posting>,
}

/// A store with its ledger, as the writer keeps it.
#[derive(Debug, Default)]
struct Store {
    now: i64,
    shelf: i64,
    /// What the ledger says too much: vanished and not counted since.
    vanished: i64,
    base: Option<i64>,
    seq: i64,
    moved: Vec<Moved>,
    sold: Vec<Sold>,
    /// Positions by time.
    moments: Vec<(i64, i64)>,
    shelf_counts: Vec<(i64, usize)>,
    shelf_count: Option<Span>,
    counted_at: Option<i64>,
    history: Vec<(i64, i64, i64)>,
    settled: usize,
}

impl Store {
    fn post(&mut self, delta: i64, posting: Option<Posting>) {
        self.seq += 1;
        self.moved.push(Moved { seq: self.seq, delta, posting });
        self.moments.push((self.now, self.seq));
    }

    fn record(&mut self, which: usize) {
        let sold = self.sold[which].clone();
        self.post(-sold.units, None);
        self.sold[which].seq = Some((self.seq, self.seq));
        if self.shelf_count.is_some_and(|span| place::is_late(Some(sold.at), span, MARGIN)) {
            self.post(sold.units, Some(Posting::Late));
        }
    }

    fn record_due(&mut self, all: bool) {
        for which in 0..self.sold.len() {
            if self.sold[which].seq.is_none() && (all || self.sold[which].due_in == 0) {
                self.record(which);
            }
            self.sold[which].due_in = self.sold[which].due_in.saturating_sub(1);
        }
    }

    fn position_before(&self, at: i64) -> i64 {
        self.moments.iter().filter(|(time, _)| *time < at).map(|(_, seq)| *seq).max().unwrap_or(0)
    }

    fn standing(&self, reference: Reference, span: Span) -> Standing {
        let quantity = |units: i64| Quantity::from_units(units).expect("in range");
        if self.counted_at.is_some_and(|at| at > span.from.0) {
            return Standing { base: self.base.map(quantity), contained: Err(Unsure::CountedLater) };
        }
        let before = reference.before();
        let recent: Vec<&Moved> = self.moved.iter().filter(|moved| moved.seq > before.0).collect();
        let total: i64 = self.moved.iter().map(|moved| moved.delta).sum();
        let mut effects = Vec::new();
        if matches!(reference, Reference::Snapshot { .. }) {
            effects.extend(recent.iter().map(|moved| Effect {
                lines: 1,
                delta: quantity(moved.delta),
                place: reference.of_position(Seq(moved.seq)),
            }));
        } else {
            for moved in recent.iter() {
                if let Some(posting) = moved.posting {
                    let place = reference.of_posting(span, posting);
                    effects.push(Effect { lines: 1, delta: quantity(moved.delta), place });
                }
            }
            for sold in &self.sold {
                let Some((first, last)) = sold.seq.filter(|(_, last)| *last > before.0) else { continue };
                let known = first <= before.0;
                let versions = if sold.voided { 2 } else { 1 };
                let lines = i64::from(!known) + i64::from(sold.voided && last > before.0);
                let delta = if sold.voided { 0 } else { -sold.units };
                let place = reference.of_ticket(span, Some(sold.at), known, versions);
                effects.push(Effect { lines, delta: quantity(delta), place });
            }
        }
        let lines = i64::try_from(recent.len()).expect("few");
        let delta = quantity(recent.iter().map(|moved| moved.delta).sum());
        Standing {
            base: self.base.map(quantity),
            contained: place::contained(quantity(total), Recent { lines, delta }, &effects),
        }
    }

    fn count(&mut self, counted: i64, vanished_then: i64, basis: Basis, reference: Reference, span: Span) {
        let units = |quantity: Quantity| quantity.micros() / 1_000_000;
        let standing = self.standing(reference, span);
        match judge(Quantity::from_units(counted).expect("in range"), standing) {
            Outcome::Waits { .. } => return,
            Outcome::First { base } => self.base = Some(units(base)),
            Outcome::Equal => {}
            Outcome::Corrected { by } => self.post(units(by), Some(Posting::Count)),
        }
        self.settled += 1;
        self.counted_at = Some(span.until.0);
        self.vanished -= vanished_then;
        for (_, _, left) in &mut self.history {
            *left -= vanished_then;
        }
        self.shelf_count = (basis == Basis::Shelf).then_some(span);
    }

    fn step(&mut self, step: &Step) {
        self.now += MINUTE;
        self.record_due(false);
        match step {
            Step::Sell { units, delay } => {
                self.shelf -= units;
                let at = Timestamp(self.now);
                self.sold.push(Sold { at, units: *units, seq: None, voided: false, due_in: *delay });
                if *delay == 0 {
                    self.record(self.sold.len() - 1);
                }
            }
            Step::Void { which } => {
                let known: Vec<usize> =
                    (0..self.sold.len()).filter(|at| self.sold[*at].seq.is_some() && !self.sold[*at].voided).collect();
                if let Some(at) = known.get(which % known.len().max(1)).copied() {
                    let units = self.sold[at].units;
                    self.shelf += units;
                    self.post(units, None);
                    let first = self.sold[at].seq.expect("known").0;
                    self.sold[at].seq = Some((first, self.seq));
                    self.sold[at].voided = true;
                }
            }
            Step::Vanish { units } => {
                self.shelf -= units;
                self.vanished += units;
            }
            Step::Shelf { delay } => {
                self.history.push((self.now, self.shelf, self.vanished));
                self.shelf_counts.push((self.now, *delay));
                if *delay == 0 {
                    self.take_sheets();
                }
            }
            Step::Snapshot { sale_meanwhile } => {
                let (before, counted, vanished) = (self.seq, self.shelf, self.vanished);
                if *sale_meanwhile {
                    self.step(&Step::Sell { units: 1, delay: 0 });
                }
                self.record_due(true);
                let reference = Reference::Snapshot { before: Seq(before), after: Seq(self.seq) };
                let span = Span::at(Timestamp(self.now));
                self.count(counted, vanished, Basis::Ledger, reference, span);
            }
            Step::Export { minutes } => {
                let (at, counted, vanished) = (self.now, self.shelf, self.vanished);
                self.step(&Step::Wait { minutes: *minutes });
                self.record_due(true);
                let before = Seq(self.position_before(at - 2 * MINUTE));
                let reference = Reference::Export { before, margin: MARGIN };
                self.count(counted, vanished, Basis::Ledger, reference, Span::at(Timestamp(at)));
            }
            Step::HandOver => {
                self.shelf -= 1;
                self.post(-1, Some(Posting::HandedOver { at: Timestamp(self.now) }));
            }
            Step::Wait { minutes } => self.now += minutes * MINUTE,
        }
        for sheet in &mut self.shelf_counts {
            sheet.1 = sheet.1.saturating_sub(1);
        }
        self.take_sheets();
    }

    /// Sheets of the shelf that have come in.
    fn take_sheets(&mut self) {
        while let Some(at) = self.shelf_counts.iter().position(|(_, delay)| *delay == 0) {
            let (time, _) = self.shelf_counts.remove(at);
            let found = self.history.iter().position(|(then, ..)| *then == time).expect("was seen");
            let (_, counted, vanished) = self.history.remove(found);
            let before = Seq(self.position_before(time - 2 * MINUTE));
            let reference = Reference::Shelf { before, margin: MARGIN };
            self.count(counted, vanished, Basis::Shelf, reference, Span::at(Timestamp(time)));
        }
    }

    fn on_hand(&self) -> Option<i64> {
        self.base.map(|base| base + self.moved.iter().map(|moved| moved.delta).sum::<i64>())
    }
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (1..4_i64, 0..6_usize).prop_map(|(units, delay)| Step::Sell { units, delay }),
        1 => (0..9_usize).prop_map(|which| Step::Void { which }),
        2 => (1..4_i64).prop_map(|units| Step::Vanish { units }),
        2 => (0..4_usize).prop_map(|delay| Step::Shelf { delay }),
        1 => any::<bool>().prop_map(|sale_meanwhile| Step::Snapshot { sale_meanwhile }),
        1 => (0..12_i64).prop_map(|minutes| Step::Export { minutes }),
        1 => Just(Step::HandOver),
        2 => (1..12_i64).prop_map(|minutes| Step::Wait { minutes }),
    ]
}

/// Sheets of the shelf and numbers of the POS in one store would contradict each other over late tickets.
fn steps() -> impl Strategy<Value = Vec<Step>> {
    (proptest::collection::vec(step(), 1..60), any::<bool>()).prop_map(|(steps, by_hand)| {
        steps
            .into_iter()
            .filter(|step| match step {
                Step::Shelf { .. } => by_hand,
                Step::Snapshot { .. } | Step::Export { .. } => !by_hand,
                _ => true,
            })
            .collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, ..ProptestConfig::default() })]

    /// Invariants 5 and 8.
    #[test]
    fn a_count_never_undoes_a_sale_it_did_not_see_and_never_applies_one_twice(steps in steps()) {
        let mut store = Store { now: 1_000_000 * MINUTE, shelf: 100, ..Store::default() };
        for step in &steps {
            store.step(step);
        }
        // Everything comes in at last: sheets, then tickets.
        for sheet in &mut store.shelf_counts {
            sheet.1 = 0;
        }
        store.take_sheets();
        store.record_due(true);
        if let Some(on_hand) = store.on_hand() {
            // Tickets sold within the margin around a count of the shelf that come late are the ones nobody can order.
            let unordered: i64 = store.sold.iter().map(|sold| sold.units).sum();
            let off = on_hand - store.shelf - store.vanished;
            prop_assert!(off <= 0, "the ledger has {on_hand}, the shelf {}, vanished {}", store.shelf, store.vanished);
            prop_assert!(-off <= unordered);
        }
        // A quiet hour later one more count makes it right for good.
        store.step(&Step::Wait { minutes: 60 });
        store.step(&Step::Snapshot { sale_meanwhile: false });
        prop_assert_eq!(store.on_hand(), Some(store.shelf));
        store.step(&Step::Wait { minutes: 60 });
        let settled = store.moved.len();
        store.step(&Step::Snapshot { sale_meanwhile: false });
        prop_assert_eq!(store.moved.len(), settled, "the next count finds nothing");
    }

    /// Where every ticket is in time, the ledger is exact.
    #[test]
    fn without_late_tickets_the_ledger_is_off_by_what_vanished_and_nothing_else(steps in steps()) {
        let mut store = Store { now: 1_000_000 * MINUTE, shelf: 100, ..Store::default() };
        for step in &steps {
            let step = match step {
                Step::Sell { units, .. } => Step::Sell { units: *units, delay: 0 },
                Step::Shelf { .. } => Step::Shelf { delay: 0 },
                other => other.clone(),
            };
            store.step(&step);
        }
        if let Some(on_hand) = store.on_hand() {
            prop_assert_eq!(on_hand, store.shelf + store.vanished);
        }
    }
}

fn at(minutes: i64) -> Timestamp {
    Timestamp(minutes * MINUTE)
}

#[test]
fn a_late_ticket_from_before_a_count_of_the_shelf_is_in_it_already() {
    let span = Span::at(at(60));
    assert!(place::is_late(Some(at(57)), span, MARGIN));
    assert!(!place::is_late(Some(at(59)), span, MARGIN), "within the margin nobody knows: the sale counts");
    assert!(!place::is_late(Some(at(61)), span, MARGIN));
    assert!(!place::is_late(None, span, MARGIN));
}

#[test]
fn an_article_that_moves_in_the_middle_of_a_snapshot_waits() {
    let reference = Reference::Snapshot { before: Seq(10), after: Seq(12) };
    assert_eq!(reference.of_position(Seq(10)), Place::In);
    assert_eq!(reference.of_position(Seq(11)), Place::Unknown);
    assert_eq!(reference.of_position(Seq(13)), Place::Out);
}

fn limits(lines: &[(&str, &str, &str)], sheet: guard::Sheet) -> Vec<String> {
    let lines: Vec<PlanLine> = lines
        .iter()
        .map(|(sku, counted, due)| {
            let (counted, due) = (Quantity::parse(counted).unwrap(), Quantity::parse(due).unwrap());
            let standing = Standing { base: Some(due), contained: Ok(Quantity::ZERO) };
            PlanLine { sku: Sku::from(*sku), counted, due: Some(due), outcome: judge(counted, standing) }
        })
        .collect();
    guard::reasons(&lines, &sheet, &Limits::default()).iter().map(ToString::to_string).collect()
}

const SHEET: guard::Sheet =
    guard::Sheet { extent: CountExtent::Full, unreadable: 0, last_articles: None, is_older: false };

#[test]
fn sheets_that_nobody_should_believe_are_held() {
    assert_eq!(limits(&[], SHEET), ["it has no article"]);
    assert_eq!(limits(&[("A", "0", "3"), ("B", "0", "4")], SHEET), ["2 of 2 articles that had stock have none"]);
    assert_eq!(
        limits(&[("A", "4006381333931", "3")], SHEET),
        [
            "1 articles have more than 100000 units: is it the right column?",
            "4006381333928 units differ from the ledger, more than 1000"
        ]
    );
    let many: Vec<(&str, &str, &str)> =
        (0..100).map(|n| if n < 21 { ("A", "2", "3") } else { ("A", "3", "3") }).collect();
    assert_eq!(limits(&many, SHEET), ["21 of 100 articles differ from the ledger"]);
    let fewer = guard::Sheet { last_articles: Some(120), ..SHEET };
    assert_eq!(
        limits(&many[21..], fewer),
        ["it is a full count of 79 articles, the last one had 120: is it cut short?"]
    );
    let unreadable = guard::Sheet { unreadable: 3, is_older: true, ..SHEET };
    assert_eq!(
        limits(&many[21..], unreadable),
        ["a count for a later time was taken in already", "3 rows could not be read, 79 could"]
    );
    assert_eq!(limits(&many[21..], SHEET), Vec::<String>::new());
}

#[test]
fn a_plan_reads_as_people_speak() {
    let counted: BTreeMap<Sku, Quantity> = [("A", "3"), ("B", "7"), ("C", "2.5"), ("D", "1")]
        .map(|(sku, units)| (Sku::from(sku), Quantity::parse(units).unwrap()))
        .into();
    let quantity = |text: &str| Quantity::parse(text).unwrap();
    let standings: BTreeMap<Sku, Standing> = [
        (Sku::from("A"), Standing { base: Some(quantity("10")), contained: Ok(quantity("-7")) }),
        (Sku::from("B"), Standing { base: Some(quantity("10")), contained: Ok(quantity("-2")) }),
        (Sku::from("D"), Standing { base: Some(quantity("2")), contained: Err(Unsure::MovedMeanwhile) }),
    ]
    .into();
    let plan = Plan::new(&counted, &standings, &SHEET, &Limits::default());
    assert_eq!(
        plan.to_string(),
        "4 articles counted: 1 equal, 1 corrected, 1 counted for the first time, 1 wait for the next count\n  \
         B: 7 counted, the ledger says 8: -1\n  \
         D: 1 counted, waits: it was sold around the moment of the count\n"
    );
}
