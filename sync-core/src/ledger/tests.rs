//! Tickets read once, again, changed, cancelled and vanished; and a property over any order of readings.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::model::TransactionKey;

#[test]
fn identical_lines_of_a_new_transaction_each_move_stock() {
    let Diff::Changed { movements, .. } = diff(None, ticket(&[("A", -1), ("A", -1)])) else { panic!("new") };
    assert_eq!(movements.len(), 2);
}

#[test]
fn a_replayed_transaction_moves_no_stock() {
    let known = snapshot(ticket(&[("A", -1), ("B", -2)]));
    assert_eq!(diff(Some(&known), ticket(&[("A", -1), ("B", -2)])), Diff::Unchanged);
}

#[test]
fn a_changed_transaction_moves_the_difference() {
    let known = snapshot(ticket(&[("A", -1), ("B", -2)]));
    let moved = moved(&known, ticket(&[("A", -3), ("C", -1)]));
    assert_eq!(moved, sums(&[("A", -2), ("B", 2), ("C", -1)]));
}

#[test]
fn lines_in_another_order_move_nothing() {
    let known = snapshot(ticket(&[("A", -1), ("B", -2)]));
    assert_eq!(moved(&known, ticket(&[("B", -2), ("A", -1)])), BTreeMap::new());
}

#[test]
fn a_cancelled_transaction_gives_the_reverse_once() {
    let known = snapshot(ticket(&[("A", -1)]));
    let cancelled = Transaction { status: TransactionStatus::Cancelled, ..ticket(&[("A", -1)]) };
    assert_eq!(moved(&known, cancelled.clone()), sums(&[("A", 1)]));
    let Diff::Changed { snapshot, .. } = diff(Some(&known), cancelled.clone()) else { panic!("changed") };
    assert_eq!(diff(Some(&snapshot), cancelled), Diff::Unchanged);
    assert_eq!(vanish(&snapshot), Diff::Unchanged);
}

#[test]
fn a_vanished_transaction_that_comes_back_moves_again() {
    let known = snapshot(ticket(&[("A", -1)]));
    let Diff::Changed { snapshot, movements } = vanish(&known) else { panic!("vanished") };
    assert_eq!(movements.first().map(|m| m.delta), Quantity::from_units(1));
    assert_eq!(moved(&snapshot, ticket(&[("A", -1)])), sums(&[("A", -1)]));
}

#[test]
fn lines_continue_a_transaction_within_their_segment_only() {
    let part = |lines, segment: &str| Transaction {
        extent: Extent::Extends,
        segment: Segment::from(segment),
        ..ticket(lines)
    };
    let known = snapshot(part(&[("A", -1)], "f#1"));
    assert_eq!(moved(&known, part(&[("A", -1)], "f#1")), sums(&[("A", -1)]));
    assert_eq!(diff(Some(&known), part(&[("A", -1)], "f#2")), Diff::Moved { segment: Segment::from("f#2") });
}

#[test]
fn an_ignored_line_moves_nothing() {
    let mut read = ticket(&[("A", -1), ("DEPOSIT", -1)]);
    read.lines[1].ignored = Some(RuleName::from("deposit"));
    let Diff::Changed { movements, .. } = diff(None, read) else { panic!("new") };
    assert_eq!(movements.len(), 1);
}

#[test]
fn a_barcode_read_as_a_quantity_is_refused() {
    let refused = admit(&ticket(&[("A", -4_006_381_333_931)]));
    assert!(matches!(refused, Err(Refusal::LineTooLarge { line: 1, .. })), "{refused:?}");
}

#[test]
fn a_shrunken_export_is_not_believed() {
    assert!(vanishing_is_believable(100, 3, 20));
    assert!(vanishing_is_believable(100, 20, 20));
    assert!(!vanishing_is_believable(100, 21, 20));
}

proptest! {
    /// Any sequence of readings ends with stock equal to the effect of the last one, however often each is read.
    #[test]
    fn the_ledger_ends_with_the_last_reading(
        readings in prop::collection::vec((prop::collection::vec((0_u8..4, -5_i64..5), 0..5), 0_u8..5, 1_usize..3), 1..8)
    ) {
        let mut known: Option<Snapshot> = None;
        let mut stock: BTreeMap<Sku, Quantity> = BTreeMap::new();
        for (lines, status, times) in &readings {
            let read = reading(lines, *status);
            for time in 0..*times {
                match diff(known.as_ref(), read.clone()) {
                    Diff::Unchanged | Diff::Moved { .. } => {}
                    Diff::Changed { snapshot, movements } => {
                        prop_assert!(time == 0, "a replay changed the ledger");
                        for movement in movements {
                            let sum = stock.entry(movement.sku).or_default();
                            *sum = sum.saturating_add(movement.delta);
                        }
                        known = Some(snapshot);
                    }
                }
            }
        }
        stock.retain(|_, sum| !sum.is_zero());
        let (lines, status, _) = readings.last().expect("at least one reading");
        let last = reading(lines, *status);
        let mut expected = effect(last.status, &last.lines);
        expected.retain(|_, sum| !sum.is_zero());
        prop_assert_eq!(stock, expected);
    }
}

fn reading(lines: &[(u8, i64)], status: u8) -> Transaction {
    let status = match status {
        0 => TransactionStatus::Cancelled,
        1 => TransactionStatus::Suspended,
        _ => TransactionStatus::Completed,
    };
    let lines: Vec<(String, i64)> = lines.iter().map(|(sku, delta)| (format!("S{sku}"), *delta)).collect();
    let borrowed: Vec<(&str, i64)> = lines.iter().map(|(sku, delta)| (sku.as_str(), *delta)).collect();
    Transaction { status, ..ticket(&borrowed) }
}

fn ticket(lines: &[(&str, i64)]) -> Transaction {
    Transaction {
        key: TransactionKey::from("1|42"),
        register: "1".to_owned(),
        sold_at: None,
        status: TransactionStatus::Completed,
        online_order: None,
        extent: Extent::Whole,
        segment: Segment::from("f#1"),
        lines: lines
            .iter()
            .map(|(sku, units)| LineItem {
                sku: Sku::from(*sku),
                delta: Quantity::from_units(*units).expect("small"),
                kind: LineKind::Sale,
                ignored: None,
            })
            .collect(),
    }
}

fn snapshot(read: Transaction) -> Snapshot {
    match diff(None, read) {
        Diff::Changed { snapshot, .. } => snapshot,
        Diff::Unchanged | Diff::Moved { .. } => panic!("a new transaction always changes the ledger"),
    }
}

fn moved(known: &Snapshot, read: Transaction) -> BTreeMap<Sku, Quantity> {
    match diff(Some(known), read) {
        Diff::Changed { movements, .. } => movements.into_iter().map(|m| (m.sku, m.delta)).collect(),
        Diff::Unchanged | Diff::Moved { .. } => BTreeMap::new(),
    }
}

fn sums(expected: &[(&str, i64)]) -> BTreeMap<Sku, Quantity> {
    expected.iter().map(|(sku, units)| (Sku::from(*sku), Quantity::from_units(*units).expect("small"))).collect()
}
