//! Orders read in any order and any number of times; tickets that ring them up.

#![expect(clippy::arithmetic_side_effects, reason = "numbers are made up here and small")]

use proptest::prelude::*;

use super::*;
use crate::model::{Extent, LineKind, Segment, TransactionKey, TransactionStatus};

const PAIRED: Timestamp = Timestamp(1_000);

/// The store's side of a few orders.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Shelf {
    orders: BTreeMap<u8, BTreeMap<String, KnownLine>>,
    left: i64,
}

impl Shelf {
    fn read(&mut self, id: u8, order: &ReadOrder<'_>, paired: Option<Timestamp>) {
        let lines = self.orders.entry(id).or_default();
        for (line, mut now) in take(lines, order, paired) {
            self.left += now.due();
            now.posted = now.handed_over;
            lines.insert(line, now);
        }
    }

    fn open(&self) -> i64 {
        self.orders.values().flat_map(BTreeMap::values).map(|line| line.open).sum()
    }
}

fn order(placed: i64, changed: i64, lines: &[(&'static str, i64, i64)]) -> ReadOrder<'static> {
    ReadOrder {
        placed_at: Some(Timestamp(placed)),
        changed_at: Timestamp(changed),
        lines: lines.iter().map(|(id, open, handed_over)| (*id, (*open, *handed_over))).collect(),
    }
}

#[test]
fn what_was_handed_over_before_the_platform_was_connected_moves_nothing() {
    let mut shelf = Shelf::default();
    shelf.read(1, &order(10, 20, &[("a", 2, 3)]), None);
    assert_eq!((shelf.left, shelf.open()), (0, 2));
    shelf.read(1, &order(10, 1_020, &[("a", 0, 5)]), Some(PAIRED));
    assert_eq!((shelf.left, shelf.open()), (2, 0));
}

#[test]
fn an_old_order_that_is_touched_again_moves_nothing() {
    let mut shelf = Shelf::default();
    shelf.read(1, &order(10, 2_000, &[("a", 0, 5)]), Some(PAIRED));
    assert_eq!(shelf.left, 0);
    // Its shipment is cancelled: what came back is on the shelf again.
    shelf.read(1, &order(10, 2_100, &[("a", 5, 0)]), Some(PAIRED));
    assert_eq!((shelf.left, shelf.open()), (-5, 5));
}

#[test]
fn a_new_order_that_is_shipped_between_two_looks_is_taken_in() {
    let mut shelf = Shelf::default();
    shelf.read(1, &order(1_500, 1_600, &[("a", 0, 2)]), Some(PAIRED));
    assert_eq!(shelf.left, 2);
}

#[test]
fn a_line_taken_off_an_order_is_no_longer_promised() {
    let mut shelf = Shelf::default();
    shelf.read(1, &order(1_500, 1_600, &[("a", 1, 1), ("b", 4, 0)]), Some(PAIRED));
    shelf.read(1, &order(1_500, 1_700, &[("a", 1, 1)]), Some(PAIRED));
    assert_eq!((shelf.left, shelf.open()), (1, 1));
}

#[test]
fn an_item_of_which_six_are_one_pack_moves_packs() {
    assert_eq!(pick_delta(12, 6), Quantity::from_units(-2));
    assert_eq!(pick_delta(3, 6), Quantity::parse("-0.5").ok());
    assert_eq!(pick_delta(1, 3), None);
    assert_eq!(pick_delta(-2, 1), Quantity::from_units(2));
    assert_eq!(pick_delta(1, 0), None);
}

proptest! {
    /// Whatever order the pages of a round or of several rounds come in, and however often, the shelf ends the same.
    #[test]
    fn any_order_and_repetition_of_pages_gives_the_same(
        versions in prop::collection::vec((0_u8..3, 0_i64..6, 0_i64..6), 1..8),
        first_round in prop::collection::vec((0_i64..6, 0_i64..6), 0..3),
        reads in prop::collection::vec(0_usize..8, 0..24),
    ) {
        let mut start = Shelf::default();
        for (id, (open, handed_over)) in (0_u8..).zip(&first_round) {
            start.read(id, &order(10, 20, &[("a", *open, *handed_over)]), None);
        }
        // An order of before the connection was in the first round; the others are new.
        let placed = |id: u8| if usize::from(id) < first_round.len() { 10 } else { 1_100 };
        let pages: Vec<(u8, ReadOrder<'_>)> = (0_i64..)
            .zip(&versions)
            .map(|(at, (id, open, handed_over))| (*id, order(placed(*id), 2_000 + at, &[("a", *open, *handed_over)])))
            .collect();
        let mut in_order = start.clone();
        for (id, page) in &pages {
            in_order.read(*id, page, Some(PAIRED));
        }
        let mut shuffled = start;
        for (id, page) in reads.iter().filter_map(|at| pages.get(*at)) {
            shuffled.read(*id, page, Some(PAIRED));
        }
        // In the end each has been read at least once.
        for (id, page) in pages.iter().rev() {
            shuffled.read(*id, page, Some(PAIRED));
        }
        prop_assert_eq!(shuffled, in_order);
    }
}

#[test]
fn a_ticket_is_recognised_by_its_reference_its_till_or_a_marking_article() {
    let rules = Recognise {
        prefixes: vec!["#".to_owned()],
        skus: BTreeSet::from([Sku::from("WEB")]),
        registers: BTreeSet::from(["9".to_owned()]),
    };
    assert_eq!(rules.claim(&ticket(Some(" #1001 "), "1", &["A"])), Claim::Order("1001".to_owned()));
    assert_eq!(rules.claim(&ticket(Some("invoice 7"), "1", &["A"])), Claim::No);
    assert_eq!(rules.claim(&ticket(None, "9", &["A"])), Claim::Some);
    let mut marked = ticket(None, "1", &["A", "WEB"]);
    assert_eq!(rules.claim(&marked), Claim::Some);
    rules.take_markers_out(&mut marked.lines);
    assert_eq!(marked.lines.iter().map(|line| line.ignored.is_some()).collect::<Vec<_>>(), [false, true]);
}

#[test]
fn goods_enter_the_ledger_from_one_side_only() {
    let asked = |picks, has_it| Asked { lane: 3, picks, has_it };
    assert_eq!(rule(&[asked(Picks::Pos, true)]), Ruling::KnownTo(3));
    assert_eq!(rule(&[asked(Picks::Platform, true)]), Ruling::Ignore);
    assert_eq!(rule(&[asked(Picks::Platform, false)]), Ruling::Ignore);
    assert_eq!(rule(&[asked(Picks::None, true)]), Ruling::Ordinary);
    assert_eq!(rule(&[asked(Picks::Pos, false), asked(Picks::Platform, false)]), Ruling::NobodyHasIt);
    assert_eq!(rule(&[asked(Picks::Pos, true), asked(Picks::Platform, true)]), Ruling::Unclear);
    assert_eq!(rule(&[]), Ruling::Ordinary);
}

fn ticket(reference: Option<&str>, register: &str, skus: &[&str]) -> Transaction {
    Transaction {
        key: TransactionKey::from("1"),
        register: register.to_owned(),
        sold_at: None,
        status: TransactionStatus::Completed,
        online_order: reference.map(str::to_owned),
        extent: Extent::Whole,
        segment: Segment::from("f"),
        lines: skus
            .iter()
            .map(|sku| LineItem {
                sku: Sku::from(*sku),
                delta: Quantity::default(),
                kind: LineKind::Sale,
                ignored: None,
            })
            .collect(),
    }
}
