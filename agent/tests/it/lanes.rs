//! The writer, its lanes and the reconciler against a shop of every class: keyed changes, changes without keys, numbers only.

#![expect(clippy::unwrap_used, clippy::unwrap_in_result, reason = "a helper that cannot do its work fails the test")]

use std::time::Duration;

use sync_core::model::{Quantity, Sku};
use sync_core::outbox::lane::Writes;
use tillsync::platform::{Number, Traits};

use self::bench::Bench;
use self::shop::{Fault, Kind};

mod bench;
mod shop;

#[test]
fn a_sale_reaches_every_class_of_shop() {
    for kind in Kind::ALL {
        let bench = Bench::start(kind, &[("A", 10), ("B", 5)]);
        bench.sell("t1", &[("A", -2), ("B", -1)]);
        bench.sell("t2", &[("A", -1)]);
        bench.until(|shop| shop.number("A") == 7 && shop.number("B") == 4);
        bench.stop_conserved();
    }
}

#[test]
fn lost_requests_and_lost_replies_change_the_number_once() {
    for kind in Kind::ALL {
        for faults in [vec![Fault::LoseRequest], vec![Fault::LoseReply], vec![Fault::LoseReply, Fault::LoseRequest]] {
            let bench = Bench::start(kind, &[("A", 10)]);
            bench.shop(|shop| shop.faults.extend(faults.iter().copied()));
            bench.sell("t1", &[("A", -3)]);
            bench.until(|shop| shop.number("A") == 7);
            bench.sell("t2", &[("A", -1)]);
            bench.until(|shop| shop.number("A") == 6);
            bench.stop_conserved();
        }
    }
}

#[test]
fn a_reply_lost_while_somebody_else_writes_is_left_to_a_person_where_nothing_tells() {
    let bench = Bench::start(Kind::Numbers, &[("A", 10)]);
    bench.shop(|shop| {
        shop.faults.push_back(Fault::LoseReply);
        shop.after_next_write = Some(-5);
    });
    bench.sell("t1", &[("A", -3)]);
    bench.until_counted("SELECT count(*) FROM dead_letter WHERE code = 'uncertain'", 1);
    assert_eq!(bench.shop(|shop| shop.number("A")), 2, "the number was not touched again");
    bench.stop_conserved();
    // A marker tells, whatever others do to the number.
    let bench = Bench::start(Kind::Marked, &[("A", 10)]);
    bench.shop(|shop| {
        shop.faults.push_back(Fault::LoseReply);
        shop.after_next_write = Some(-5);
    });
    bench.sell("t1", &[("A", -3)]);
    bench.until_counted("SELECT count(*) FROM sent WHERE outcome = 'settled'", 1);
    assert_eq!(bench.shop(|shop| shop.number("A")), 2);
    bench.stop_conserved();
}

#[test]
fn units_sold_below_zero_are_owed_where_the_shop_knows_no_such_number() {
    let bench = Bench::start(Kind::Numbers, &[("A", 1)]);
    bench.sell("t1", &[("A", -3)]);
    bench.until_counted("SELECT count(*) FROM item WHERE owed = -2", 1);
    assert_eq!(bench.shop(|shop| shop.number("A")), 0);
    bench.sell("t2", &[("A", 5)]);
    bench.until(|shop| shop.number("A") == 3);
    bench.stop_conserved();
}

#[test]
fn a_row_refused_by_itself_leaves_the_others_delivered() {
    let bench = Bench::start(Kind::Marked, &[("A", 10), ("B", 10)]);
    bench.shop(|shop| shop.refused = Some("B".to_owned()));
    bench.sell("t1", &[("A", -1), ("B", -1)]);
    bench.until_counted("SELECT count(*) FROM dead_letter WHERE code = 'REFUSED'", 1);
    assert_eq!(bench.shop(|shop| (shop.number("A"), shop.number("B"))), (9, 10));
    bench.stop_conserved();
}

#[test]
fn drift_is_repaired_after_two_looks_and_a_second_run_plans_nothing() {
    for kind in Kind::ALL {
        let bench = Bench::start(kind, &[("A", 10), ("B", 5), ("C", 3)]);
        bench.count(&[("A", 10), ("B", 5), ("C", 3)]);
        bench.shop(|shop| shop.set("A", 14));
        let report = bench.reconcile();
        assert_eq!(
            (report["state"].as_str(), report["repaired"].as_u64()),
            (Some("done"), Some(1)),
            "{kind:?}: {report}"
        );
        assert_eq!(bench.shop(|shop| shop.number("A")), 10);
        let again = bench.reconcile();
        assert_eq!(again["plan"]["differences"].as_array().map(Vec::len), Some(0), "{again}");
        let log =
            bench.rows("SELECT before || ' ' || after || ' ' || state || ' ' || why FROM overwrite WHERE run = 1");
        assert_eq!(log, ["14 10 written the store has 10; the shop showed 14"]);
        bench.sell("t1", &[("A", -4)]);
        bench.until(|shop| shop.number("A") == 6);
        bench.stop_conserved();
    }
}

#[test]
fn a_repair_that_is_overtaken_writes_nothing_stale() {
    for kind in Kind::ALL {
        let bench = Bench::start(kind, &[("A", 10)]);
        bench.count(&[("A", 10)]);
        bench.shop(|shop| {
            shop.set("A", 14);
            // An order is handed over right before the repair arrives.
            shop.before_next_absolute = Some(-2);
        });
        let report = bench.reconcile();
        let number = bench.shop(|shop| shop.number("A"));
        if bench.traits().compare_and_set {
            assert_eq!((report["repaired"].as_u64(), number), (Some(0), 12), "refused, and left to the next run");
        } else {
            assert_eq!(number, 10, "{kind:?}: without compare-and-set the last writer wins; the next look sees it");
        }
        bench.stop_conserved();
    }
}

#[test]
fn a_row_that_was_overtaken_does_not_keep_the_others_from_being_repaired() {
    let bench = Bench::start(Kind::Keyed, &[("A", 10), ("B", 10), ("C", 10)]);
    bench.count(&[("A", 10), ("B", 10), ("C", 10)]);
    bench.shop(|shop| {
        shop.set("A", 14);
        shop.set("B", 3);
        // An order for the first of them is handed over right before the repair arrives.
        shop.before_next_absolute = Some(-2);
    });
    bench.reconcile();
    assert_eq!(bench.shop(|shop| (shop.number("A"), shop.number("B"))), (12, 10));
    let log = bench.rows("SELECT item || ' ' || state FROM overwrite ORDER BY item");
    assert_eq!(log.iter().filter(|row| row.ends_with("dropped")).count(), 1, "{log:?}");
    assert_eq!(log.iter().filter(|row| row.ends_with("written")).count(), 1, "{log:?}");
    bench.sell("t1", &[("B", -1)]);
    bench.until(|shop| shop.number("B") == 9);
    bench.stop_conserved();
}

#[test]
fn a_sale_waits_behind_the_repair_of_its_article() {
    let bench = Bench::start(Kind::Keyed, &[("A", 10)]);
    bench.count(&[("A", 10)]);
    bench.shop(|shop| {
        shop.set("A", 14);
        shop.slow_absolute = Duration::from_millis(300);
    });
    let selling = std::thread::scope(|scope| {
        let run = scope.spawn(|| bench.reconcile());
        bench.until_counted("SELECT count(*) FROM overwrite WHERE state = 'sent'", 1);
        bench.sell("t1", &[("A", -1)]);
        run.join().unwrap()
    });
    assert_eq!(selling["repaired"], 1);
    bench.until(|shop| shop.number("A") == 9);
    bench.stop_conserved();
}

#[test]
fn a_run_that_would_change_much_waits_for_a_person_and_is_never_applied_by_itself() {
    let many: Vec<(String, i64)> = (0..40).map(|n| (format!("S{n:02}"), 5)).collect();
    let store: Vec<(&str, i64)> = many.iter().map(|(sku, n)| (sku.as_str(), *n)).collect();
    let bench = Bench::start(Kind::Keyed, &store);
    bench.count(&store);
    bench.shop(|shop| many.iter().for_each(|(sku, _)| shop.set(sku, 0)));
    let held = bench.reconcile();
    assert_eq!(held["state"], "held", "{held}");
    assert_eq!(bench.reconcile()["state"], "held");
    assert_eq!(bench.rows("SELECT state FROM reconcile_run"), ["superseded", "held"]);
    assert_eq!(bench.shop(|shop| shop.number("S00")), 0);
    let approved = bench.approve(2);
    assert_eq!(approved["repaired"], 40, "{approved}");
    assert_eq!(bench.shop(|shop| shop.number("S39")), 5);
    bench.stop_conserved();
}

#[test]
fn a_dead_letter_is_superseded_by_the_repair_of_its_article() {
    let bench = Bench::start(Kind::Numbers, &[("A", 10)]);
    bench.count(&[("A", 10)]);
    bench.shop(|shop| {
        shop.faults.push_back(Fault::LoseReply);
        shop.after_next_write = Some(-5);
    });
    bench.sell("t1", &[("A", -3)]);
    bench.until_counted("SELECT count(*) FROM dead_letter WHERE state = 'open'", 1);
    let report = bench.reconcile();
    assert_eq!(report["repaired"], 1, "{report}");
    assert_eq!(bench.shop(|shop| shop.number("A")), 7);
    let notes = bench.rows("SELECT state || ' ' || substr(note, 1, 24) FROM dead_letter");
    assert_eq!(notes, ["discarded superseded by the repair"]);
    bench.stop_conserved();
}

#[test]
fn net_numbers_leave_out_units_sold_online_and_wait_for_the_orders_to_be_known() {
    let traits = Traits { number: Number::Net, ..Kind::Keyed.traits() };
    let bench = Bench::start_with(Kind::Keyed, traits, &[("A", 10)]);
    bench.count(&[("A", 10)]);
    let unknown = bench.reconcile();
    assert_eq!(unknown["state"], "failed", "{unknown}");
    bench.orders_known(&[("A", 3)]);
    let report = bench.reconcile();
    assert_eq!(report["repaired"], 1, "{report}");
    assert_eq!(bench.shop(|shop| shop.number("A")), 7);
    bench.stop_conserved();
}

#[test]
fn a_correction_travels_like_a_sale_and_an_exempt_lane_hears_nothing() {
    let bench = Bench::start(Kind::Keyed, &[("A", 10)]);
    bench.post("A", 2, None);
    bench.until(|shop| shop.number("A") == 12);
    bench.post("A", -5, Some(0));
    bench.sell("t1", &[("A", -1)]);
    bench.until(|shop| shop.number("A") == 11);
    assert_eq!(bench.rows("SELECT moved FROM stock"), ["-4000000"]);
    bench.stop_conserved();
}

#[test]
fn a_restart_in_the_middle_of_silence_reads_before_it_writes() {
    for kind in [Kind::Marked, Kind::Numbers] {
        let bench = Bench::start(kind, &[("A", 10)]);
        bench.shop(|shop| shop.faults.push_back(Fault::LoseReply));
        bench.sell("t1", &[("A", -3)]);
        bench.until(|shop| shop.number("A") == 7);
        let bench = bench.restart();
        bench.sell("t2", &[("A", -1)]);
        bench.until(|shop| shop.number("A") == 6);
        bench.stop_conserved();
    }
    assert_eq!(Kind::Numbers.traits().writes, Writes::Absolute);
}

#[test]
fn a_source_that_is_quiet_in_the_group_of_its_last_ticket_after_a_restore_sends_nothing_again() {
    let bench = Bench::start(Kind::Keyed, &[("A", 10)]);
    bench.sell("t1", &[("A", -1)]);
    bench.until(|shop| shop.number("A") == 9);
    // The lost database had sent it.
    bench.shop(|shop| shop.set("A", 8));
    let bench = bench.restart_restored("t2", &[("A", -1)], 2);
    bench.until_counted("SELECT count(*) FROM sent WHERE outcome = 'settled'", 1);
    assert_eq!(bench.shop(|shop| shop.number("A")), 8);
    bench.until_counted("SELECT count(*) FROM meta WHERE key = 'catching_up_after_restore'", 0);
    bench.stop_conserved();
}

#[test]
fn what_a_run_says_that_has_ended_does_not_end_catching_up() {
    let bench = Bench::start(Kind::Keyed, &[("A", 10)]);
    bench.sell("t1", &[("A", -1)]);
    bench.until(|shop| shop.number("A") == 9);
    bench.shop(|shop| shop.set("A", 7));
    let bench = bench.restart_restored("t2", &[("A", -1)], 1);
    bench.sell("t3", &[("A", -1)]);
    bench.until_counted("SELECT count(*) FROM (SELECT 1 FROM pending UNION ALL SELECT 1 FROM batch)", 0);
    assert_eq!(bench.shop(|shop| shop.number("A")), 7, "both were sent by the lost database");
    bench.until_counted("SELECT count(*) FROM meta WHERE key = 'catching_up_after_restore'", 1);
    bench.stop_conserved();
}

#[test]
fn what_is_past_its_retention_is_added_up_and_every_account_stays_the_same() {
    let bench = Bench::start(Kind::Keyed, &[("A", 100), ("B", 100)]);
    for number in 0..10 {
        bench.sell(&format!("early {number}"), &[("A", -1), ("B", -2)]);
    }
    bench.post("A", -3, Some(0));
    bench.post("B", 4, None);
    bench.lane_begins("later");
    for number in 0..10 {
        bench.sell(&format!("late {number}"), &[("A", -1)]);
    }
    bench.until(|shop| shop.number("A") == 80 && shop.number("B") == 84);
    bench.until_counted("SELECT count(*) FROM batch", 0);
    let accounts = [
        "SELECT sum(lines) || ' ' || sum(delta) FROM movement GROUP BY sku",
        "SELECT coalesce(sum(lines) || ' ' || sum(delta), 0) FROM movement
          WHERE seq > (SELECT since FROM lane WHERE name = 'later') GROUP BY sku",
        "SELECT sum(lines) || ' ' || sum(delta) FROM exempt GROUP BY lane, sku",
        "SELECT moved FROM stock",
    ];
    let before: Vec<_> = accounts.iter().map(|sql| bench.rows(sql)).collect();
    let last = bench.rows("SELECT max(seq) FROM movement");
    bench.forget_all();
    let after: Vec<_> = accounts.iter().map(|sql| bench.rows(sql)).collect();
    assert_eq!(before, after);
    // One row an article and stretch is left; `A` moved in both.
    assert_eq!(bench.rows("SELECT count(*) FROM movement"), ["3"]);
    assert_eq!(bench.rows("SELECT (SELECT count(*) FROM correction) || ' ' || (SELECT count(*) FROM sent)"), ["0 0"]);
    bench.lane_ends("later");
    // The stream goes on where it was, also after a start.
    let bench = bench.restart();
    bench.sell("after", &[("A", -1)]);
    bench.until(|shop| shop.number("A") == 79);
    let next = bench.rows("SELECT max(seq) FROM movement");
    assert!(next[0].parse::<i64>().unwrap() > last[0].parse::<i64>().unwrap(), "{next:?} after {last:?}");
    bench.stop_conserved();
}

#[test]
fn what_a_held_count_is_compared_with_is_not_added_up() {
    let bench = Bench::start(Kind::Keyed, &[("A", 100)]);
    bench.sell("t1", &[("A", -1)]);
    bench.sell("t2", &[("A", -1)]);
    bench.hold_count();
    bench.sell("t3", &[("A", -1)]);
    bench.sell("t4", &[("A", -1)]);
    bench.until(|shop| shop.number("A") == 96);
    bench.forget_all();
    let behind = "SELECT sum(delta) FROM movement WHERE seq > (SELECT seq FROM stock_count)";
    assert_eq!(bench.rows(behind), ["-2000000"]);
    assert_eq!(bench.rows("SELECT count(*) FROM movement"), ["3"]);
    bench.stop_conserved();
}

fn units(count: i64) -> Quantity {
    Quantity::from_units(count).unwrap()
}

fn sku(code: &str) -> Sku {
    Sku::from(code)
}
