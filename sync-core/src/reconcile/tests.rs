//! Plans: what is compared, what is repaired, what is held, and that repairs converge.

#![expect(clippy::arithmetic_side_effects, reason = "numbers are made up here and small")]

use proptest::prelude::*;

use super::*;

const MINUTE: Duration = Duration::from_secs(60);

#[test]
fn a_difference_is_repaired_only_when_it_was_seen_twice_the_same() {
    let mut snapshot = snapshot(&[("A", 5)], &[("A", 7)]);
    let first = plan(&snapshot, &Rules::default(), at(0));
    assert_eq!(standings(&first), [("A", Standing::Found)]);
    remember(&mut snapshot, &first, at(0));
    assert_eq!(standings(&plan(&snapshot, &Rules::default(), at(30))), [("A", Standing::Found)], "too soon");
    assert_eq!(standings(&plan(&snapshot, &Rules::default(), at(61))), [("A", Standing::Confirmed)]);
    snapshot.shown[0].number = 8;
    assert_eq!(standings(&plan(&snapshot, &Rules::default(), at(61))), [("A", Standing::Found)], "another difference");
}

#[test]
fn a_sale_between_two_looks_leaves_the_difference_the_same() {
    let mut snapshot = snapshot(&[("A", 5)], &[("A", 7)]);
    let first = plan(&snapshot, &Rules::default(), at(0));
    remember(&mut snapshot, &first, at(0));
    snapshot.articles.get_mut(&Sku::from("A")).unwrap().on_hand = Quantity::from_units(4);
    snapshot.shown[0].number = 6;
    assert_eq!(standings(&plan(&snapshot, &Rules::default(), at(61))), [("A", Standing::Confirmed)]);
}

#[test]
fn what_cannot_be_compared_is_named_and_left() {
    let mut snapshot =
        snapshot(&[("A", 5), ("B", 1), ("C", 1), ("D", 1), ("E", 1)], &[("A", 7), ("X", 1), ("D", 2), ("D", 3)]);
    snapshot.shown.push(Shown { item: "other".to_owned(), sku: Sku::from("C"), number: 9 });
    snapshot.articles.get_mut(&Sku::from("A")).unwrap().on_its_way = true;
    snapshot.articles.get_mut(&Sku::from("E")).unwrap().on_hand = None;
    snapshot.shown.push(Shown { item: "item-E".to_owned(), sku: Sku::from("E"), number: 9 });
    let plan = plan(&snapshot, &Rules::default(), at(0));
    assert_eq!(plan.compared, 0);
    let expected = [
        (Skipped::NotInStore, 1),
        (Skipped::NeverCounted, 1),
        (Skipped::OnItsWay, 1),
        (Skipped::Doubled, 2),
        (Skipped::OtherItem, 1),
        (Skipped::NotOnPlatform, 1),
    ];
    assert_eq!(plan.skipped, expected.into_iter().collect());
}

#[test]
fn units_sold_online_and_kept_back_are_off_the_number() {
    assert_eq!(due(units(10), 3, 0, false), 7);
    assert_eq!(due(units(10), 3, 2, false), 5);
    assert_eq!(due(units(1), 0, 2, false), 0, "a buffer makes nothing negative");
    assert_eq!(due(units(1), 3, 2, false), -2, "orders beyond the shelf do");
    assert_eq!(due(units(-2), 0, 0, true), 0);
    assert_eq!(due(Quantity::from_micros(1_900_000), 0, 0, false), 1);
}

#[test]
fn a_run_that_would_change_much_is_held() {
    let many: Vec<(String, i64)> = (0..100).map(|n| (format!("S{n:03}"), 5)).collect();
    let store: Vec<(&str, i64)> = many.iter().map(|(sku, n)| (sku.as_str(), *n)).collect();
    let wrong = |count: usize, number: i64| -> Vec<(&str, i64)> {
        store.iter().enumerate().map(|(i, (sku, n))| (*sku, if i < count { number } else { *n })).collect()
    };
    let held = |shown: &[(&str, i64)]| plan(&snapshot(&store, shown), &Rules::default(), at(0)).held;
    assert_eq!(held(&wrong(20, 6)), []);
    assert!(matches!(held(&wrong(21, 6))[..], [HoldReason::TooManyChanges { different: 21, compared: 100, .. }]));
    assert!(matches!(held(&wrong(3, -900))[..], [HoldReason::TooManyUnitsAdded { units: 2715, .. }]));
    let empty: Vec<(&str, i64)> =
        store.iter().enumerate().map(|(i, (sku, n))| (*sku, if i < 15 { 0 } else { *n })).collect();
    let emptied = plan(&snapshot(&empty, &store), &Rules::default(), at(0)).held;
    assert!(matches!(emptied[..], [HoldReason::TooManyEmptied { emptied: 15, .. }]));
}

#[test]
fn the_second_look_is_judged_by_all_that_was_compared() {
    let many: Vec<(String, i64)> = (0..100).map(|n| (format!("S{n:03}"), 5)).collect();
    let store: Vec<(&str, i64)> = many.iter().map(|(sku, n)| (sku.as_str(), *n)).collect();
    let shop: Vec<(&str, i64)> = store.iter().enumerate().map(|(i, (sku, n))| (*sku, n + i64::from(i < 15))).collect();
    let mut snapshot = snapshot(&store, &shop);
    let first = plan(&snapshot, &Rules::default(), at(0));
    remember(&mut snapshot, &first, at(0));
    snapshot.shown.retain(|shown| first.differences.iter().any(|difference| difference.item == shown.item));
    let second = plan(&snapshot, &Rules::default(), at(61));
    assert!(!second.held.is_empty(), "15 of 15 differ, looked at alone");
    let both = first.after_second_look(second, &Rules::default());
    assert_eq!((both.compared, both.equal, both.repairs().count()), (100, 85, 15));
    assert_eq!(both.held, []);
}

#[test]
fn a_run_is_bounded_and_the_rest_waits() {
    let mut snapshot = snapshot(&[("A", 1), ("B", 1), ("C", 1)], &[("A", 2), ("B", 2), ("C", 2)]);
    let first = plan(&snapshot, &Rules::default(), at(0));
    remember(&mut snapshot, &first, at(0));
    let rules = Rules { repairs_max: 2, ..Rules::default() };
    let bounded = plan(&snapshot, &rules, at(61));
    assert_eq!(standings(&bounded), [("A", Standing::Confirmed), ("B", Standing::Confirmed), ("C", Standing::Later)]);
}

proptest! {
    #[test]
    fn after_the_repairs_nothing_is_planned(
        numbers in proptest::collection::btree_map("[A-E][0-9]", (-5_i64..20, -5_i64..20, 0_i64..3, 0_i64..3), 0..20),
        floor_zero in any::<bool>(),
    ) {
        let store: Vec<(&str, i64)> = numbers.iter().map(|(sku, (on_hand, ..))| (sku.as_str(), *on_hand)).collect();
        let shop: Vec<(&str, i64)> = numbers.iter().map(|(sku, (_, shown, ..))| (sku.as_str(), *shown)).collect();
        let mut snapshot = snapshot(&store, &shop);
        snapshot.floor_zero = floor_zero;
        for (sku, (_, _, open, buffer)) in &numbers {
            snapshot.open_orders.insert(format!("item-{sku}"), *open);
            snapshot.articles.get_mut(&Sku::from(sku.as_str())).unwrap().buffer = *buffer;
        }
        let first = plan(&snapshot, &Rules::default(), at(0));
        prop_assert_eq!(first.compared, first.equal + first.differences.len());
        remember(&mut snapshot, &first, at(0));
        let second = plan(&snapshot, &Rules::default(), at(61));
        for repair in second.repairs() {
            snapshot.shown.iter_mut().find(|shown| shown.item == repair.item).unwrap().number = repair.due;
        }
        prop_assert!(plan(&snapshot, &Rules::default(), at(62)).is_settled());
    }
}

fn snapshot(store: &[(&str, i64)], shop: &[(&str, i64)]) -> Snapshot {
    let article = |on_hand: i64| Article {
        on_hand: Quantity::from_units(on_hand),
        on_its_way: false,
        item: None,
        composite: false,
        buffer: 0,
    };
    Snapshot {
        articles: store
            .iter()
            .map(|(sku, n)| (Sku::from(*sku), Article { item: Some(format!("item-{sku}")), ..article(*n) }))
            .collect(),
        shown: shop
            .iter()
            .map(|(sku, n)| Shown { item: format!("item-{sku}"), sku: Sku::from(*sku), number: *n })
            .collect(),
        ..Snapshot::default()
    }
}

fn remember(snapshot: &mut Snapshot, plan: &Plan, now: Timestamp) {
    let found = |d: &Difference| (d.item.clone(), Finding { shown: d.shown, due: d.due, seen_at: now });
    snapshot.findings = plan.differences.iter().map(found).collect();
}

fn standings(plan: &Plan) -> Vec<(&str, Standing)> {
    plan.differences.iter().map(|d| (d.sku.as_str(), d.standing)).collect()
}

fn units(count: i64) -> Quantity {
    Quantity::from_units(count).unwrap()
}

fn at(seconds: i64) -> Timestamp {
    Timestamp(0).plus(MINUTE.checked_mul(1000).unwrap()).plus(Duration::from_secs(u64::try_from(seconds).unwrap()))
}
