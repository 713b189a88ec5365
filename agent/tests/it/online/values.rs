//! Lists of values: what was there at first, what changes, what a person decides, what is forgotten.

use std::sync::mpsc::sync_channel;

use sync_core::model::{Quantity, Sku, Timestamp};
use sync_core::orders::Picks;
use sync_core::values::{Change, ValueKind};
use tillsync::writer::Command;
use tillsync::writer::admin::Action;
use tillsync::writer::values::ValuesRequest;

use super::bench::Bench;

const PRICES: usize = 2;
const HELD: &str = "SELECT count(*) FROM value_hold WHERE state = 'held'";

fn price(text: &str) -> Quantity {
    Quantity::parse(text).unwrap()
}

fn prices(rows: &[(&str, &str)], told: bool) -> ValuesRequest {
    ValuesRequest {
        rows: rows.iter().map(|(sku, value)| (Sku::from(*sku), price(value))).collect(),
        told,
        complete: Some(rows.len()),
        ..ValuesRequest::of("prices".to_owned(), ValueKind::Price)
    }
}

fn hold(sku: &str, before: &str, after: &str) -> Option<(Vec<Change>, Vec<String>)> {
    let change = Change { sku: Sku::from(sku), before: Some(price(before)), after: price(after) };
    Some((vec![change], vec!["it looks wrong".to_owned()]))
}

#[test]
fn prices_of_the_first_look_are_kept_and_later_ones_told() {
    let bench = Bench::start(Picks::None);
    bench.values(prices(&[("A", "1.50"), ("B", "2")], false));
    bench.values(prices(&[("A", "1.60"), ("B", "2")], true));
    bench.until(|bench| bench.told(PRICES, "A") == "1.6");
    assert_eq!(bench.told(PRICES, "B"), "nothing");
    // Stock lanes hear nothing of it, and sales go on beside it.
    bench.sell("t1", None, &[("A", -1)]);
    bench.values(prices(&[("A", "1.70")], true));
    let bench = bench.restart();
    bench.values(prices(&[("A", "1.70"), ("B", "2.10")], true));
    bench.until(|bench| bench.told(PRICES, "B") == "2.1" && bench.told(PRICES, "A") == "1.7");
    assert_eq!(bench.told(0, "A"), "-1");
    let report = bench.conserved();
    let lane = report.lanes.iter().find(|lane| lane.name == "web/prices").unwrap();
    assert_eq!((lane.recorded, lane.delivered), (3, 3));
}

#[test]
fn held_prices_wait_for_a_person() {
    let bench = Bench::start(Picks::None);
    bench.values(prices(&[("A", "1.50"), ("B", "2")], false));
    bench.values(ValuesRequest { hold: hold("A", "1.5", "150"), ..prices(&[], true) });
    bench.values(ValuesRequest { hold: hold("A", "1.5", "150"), ..prices(&[], true) });
    assert_eq!(bench.count(HELD), 1);
    // The POS says something else: the new hold takes the place of the old one.
    bench.values(ValuesRequest { hold: hold("A", "1.5", "15"), ..prices(&[], true) });
    assert_eq!(bench.count(HELD), 1);
    assert!(bench.ask(Action::ApproveValues { id: 1 }).is_err());
    assert!(bench.ask(Action::ApproveValues { id: 2 }).is_ok());
    bench.until(|bench| bench.told(PRICES, "A") == "15");
    bench.values(ValuesRequest { hold: hold("B", "2", "0"), ..prices(&[], true) });
    let refused = bench.ask(Action::RefuseValues { id: 3, reason: "open price".to_owned() });
    assert!(refused.unwrap().contains("until the POS says something else"));
    assert_eq!(bench.count("SELECT count(*) FROM value_refused"), 1);
    assert_eq!(bench.told(PRICES, "B"), "nothing");
    bench.values(ValuesRequest { forget_refusals: vec![Sku::from("B")], ..prices(&[("B", "2.5")], true) });
    bench.until(|bench| bench.told(PRICES, "B") == "2.5");
    assert_eq!(bench.count("SELECT count(*) FROM value_refused"), 0);
    bench.conserved();
}

#[test]
fn old_values_are_forgotten_and_the_count_still_holds() {
    let bench = Bench::start(Picks::None);
    bench.values(prices(&[("A", "1"), ("B", "1")], false));
    for value in ["2", "3", "4"] {
        bench.values(prices(&[("A", value)], true));
    }
    bench.until(|bench| bench.told(PRICES, "A") == "4");
    let (reply, answer) = sync_channel(1);
    let forget = Command::Forget { before: Timestamp(0), horizon: Some(Timestamp(i64::MAX)), reply };
    bench.commands.send(forget).unwrap();
    assert_eq!(answer.recv().unwrap(), 3);
    bench.until(|bench| bench.count("SELECT count(*) FROM fact") == 2);
    // What is known is still known.
    bench.values(prices(&[("A", "4"), ("B", "1")], true));
    assert_eq!(bench.count("SELECT count(*) FROM fact"), 2);
    bench.conserved();
}
