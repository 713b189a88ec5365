//! Orders: goods handed over, tickets that ring them up, orders that are gone, pages and refusals.

use std::collections::BTreeSet;

use sync_core::model::Sku;
use sync_core::orders::{MARKER, Picks, RUNG_UP, Recognise};
use tillsync::platform::{CallFailure, OrderPage};

use super::bench::{Bench, PAIRED, order};

const MOVED: &str = "SELECT coalesce(sum(delta), 0) / 1000000 FROM movement";
const OPEN: &str = "SELECT coalesce(sum(open), 0) FROM online_line WHERE lane = 1";

#[test]
fn goods_handed_over_reach_every_shop_but_the_one_that_reported_them() {
    let bench = Bench::start(Picks::Platform);
    bench.round(vec![order("1", -5, -1, 2, 3)], None, PAIRED);
    assert_eq!((bench.count(MOVED), bench.count(OPEN)), (0, 2));
    let shipped = vec![order("1", -5, 10, 0, 5), order("2", 5, 10, 0, 1)];
    bench.round(shipped.clone(), None, PAIRED + 20);
    bench.until(|bench| bench.told(1, "A") == "-3");
    // Read again, also after a restart, it is known.
    let bench = bench.restart();
    bench.round(shipped, None, PAIRED + 30);
    assert_eq!((bench.count(MOVED), bench.told(0, "A").as_str()), (-3, "nothing"));
    // A cancelled shipment brings one back.
    bench.round(vec![order("2", 5, 40, 1, 0)], None, PAIRED + 50);
    bench.until(|bench| bench.told(1, "A") == "-2");
    assert_eq!((bench.count(MOVED), bench.count(OPEN)), (-2, 1));
    bench.conserved();
}

#[test]
fn a_ticket_that_rings_up_an_online_order_is_counted_once() {
    let bench = Bench::start(Picks::Pos);
    bench.round(vec![order("1001", 5, 6, 2, 0)], None, PAIRED);
    bench.sell("t1", Some("#1001"), &[("A", -2)]);
    bench.sell("t2", None, &[("A", -1)]);
    bench.until(|bench| bench.told(1, "A") == "-3" && bench.told(0, "A") == "-1");
    // The platform reports the same goods: they are known.
    bench.round(vec![order("1001", 5, 30, 0, 2)], None, PAIRED + 40);
    assert_eq!(bench.count(MOVED), -3);
    // The ticket is edited at the POS, after a restart: the platform that knew of it is not told of the difference either.
    let bench = bench.restart();
    bench.sell("t1", Some("#1001"), &[("A", -1)]);
    bench.sell("t1", Some("#1001"), &[("A", -1)]);
    bench.until(|bench| bench.told(1, "A") == "-2");
    assert_eq!((bench.count(MOVED), bench.told(0, "A").as_str()), (-2, "-1"));
    bench.conserved();
}

#[test]
fn where_the_platform_reports_goods_a_recognised_ticket_moves_nothing() {
    let marked = BTreeSet::from([Sku::from("WEB")]);
    let bench = Bench::recognising(Picks::Platform, Recognise { skus: marked, ..Recognise::default() });
    bench.round(vec![order("1001", 5, 6, 2, 0)], None, PAIRED);
    bench.sell("t1", None, &[("WEB", -1), ("A", -2)]);
    bench.round(vec![order("1001", 5, 30, 0, 2)], None, PAIRED + 40);
    bench.until(|bench| bench.told(1, "A") == "-2");
    assert_eq!((bench.count(MOVED), bench.told(0, "A").as_str()), (-2, "nothing"));
    let report = bench.conserved();
    assert_eq!(report.ignored_lines.get(RUNG_UP), Some(&1));
    assert_eq!(report.ignored_lines.get(MARKER), Some(&1));
}

#[test]
fn a_ticket_whose_order_nobody_has_waits_until_it_appears() {
    let bench = Bench::start(Picks::Pos);
    bench.round(Vec::new(), None, PAIRED);
    bench.sell("t1", Some("#1001"), &[("A", -2)]);
    let open = "SELECT count(*) FROM quarantine WHERE state = 'open'";
    assert_eq!((bench.count(open), bench.count(MOVED)), (1, 0));
    bench.round(vec![order("1001", 5, 6, 2, 0)], None, PAIRED + 10);
    // The source is read again from its start, which brings the ticket once more.
    assert_eq!(bench.count(open), 0);
    bench.sell("t1", Some("#1001"), &[("A", -2)]);
    bench.until(|bench| bench.told(1, "A") == "-2");
    assert_eq!(bench.told(0, "A"), "nothing");
    bench.conserved();
}

#[test]
fn an_order_that_is_gone_from_two_full_lists_promises_nothing() {
    let bench = Bench::start(Picks::Platform);
    let full = |orders, listed: &[&str], at: i64| bench.round(orders, Some(listed), PAIRED + at);
    full(vec![order("1", 5, 6, 2, 0), order("2", 5, 6, 1, 0)], &["1", "2"], 10);
    full(vec![order("2", 5, 6, 1, 0)], &["2"], 20);
    assert_eq!(bench.count(OPEN), 3);
    // It is there again: a page had slipped.
    full(vec![order("1", 5, 6, 2, 0), order("2", 5, 6, 1, 0)], &["1", "2"], 30);
    for at in [40, 50] {
        full(vec![order("2", 5, 6, 1, 0)], &["2"], at);
    }
    assert_eq!((bench.count(OPEN), bench.count(MOVED)), (1, 0));
    bench.conserved();
}

#[test]
fn orders_are_read_page_by_page_and_a_refusal_loses_nothing() {
    let bench = Bench::start(Picks::Platform);
    let page = |orders, next: Option<&str>| OrderPage { orders, next: next.map(str::to_owned) };
    bench.script(|script| {
        script.pages.extend([
            Ok(page(vec![order("1", -5, -1, 2, 0)], Some("p2"))),
            Ok(page(vec![order("2", -5, -1, 1, 0)], None)),
            // The second round breaks off after its first page, which is read again.
            Ok(page(vec![order("1", -5, 10, 0, 2)], Some("p2"))),
            Err(CallFailure::Passing { wait: None, reason: "too busy".to_owned() }),
            Ok(page(vec![order("1", -5, 10, 0, 2)], Some("p2"))),
            Ok(page(vec![order("2", -5, 10, 0, 1)], None)),
        ]);
    });
    bench.poll_until(|bench| bench.told(1, "A") == "-3");
    assert_eq!((bench.count(MOVED), bench.told(0, "A").as_str()), (-3, "nothing"));
    bench.script(|script| {
        assert_eq!(script.asked[0].changed_after, None);
        assert_eq!(script.asked[1].page.as_deref(), Some("p2"));
        assert!(script.asked[2].changed_after.is_some());
        assert_eq!(script.asked[2].changed_after, script.asked[4].changed_after);
    });
    bench.conserved();
}
