//! The faults and the handles under `/_shop/`, each over a real connection.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Counter, ShopSettings};
use crate::faults::{Fault, FaultRule, On};
use crate::oracle::{Terms, judge_files};
use crate::raw_http::request;
use crate::till::{Format, Till, TillSettings};

#[tokio::test]
async fn a_lost_request_has_no_effect_and_a_lost_reply_has_one() {
    let desk = Counter::open().await;
    desk.shop.fault(FaultRule::next(Fault::RequestLost, 1));
    assert_eq!(desk.raw_adjust("k1").await.status, 0);
    assert_eq!(desk.on_hand("A"), 10);
    desk.shop.clear_faults();
    desk.shop.fault(FaultRule::next(Fault::ReplyLost, 1));
    assert_eq!(desk.raw_adjust("k1").await.status, 0);
    assert_eq!(desk.on_hand("A"), 9);
    assert_eq!(desk.raw_adjust("k1").await.status, 200);
    assert_eq!((desk.on_hand("A"), desk.shop.stats().faults.len()), (9, 2));
}

#[tokio::test]
async fn a_cut_reply_is_half_a_reply_and_a_dripping_one_is_whole() {
    let desk = Counter::open().await;
    desk.shop.fault(FaultRule::next(Fault::ReplyCut, 1));
    let cut = desk.raw_adjust("k1").await;
    assert!(cut.status == 200 && !cut.whole && !cut.body.is_empty(), "{cut:?}");
    desk.shop.fault(FaultRule::next(Fault::Drip { pause_ms: 1 }, 1));
    let dripped = desk.raw_adjust("k2").await;
    assert!(dripped.status == 200 && dripped.whole, "{dripped:?}");
    assert_eq!(desk.on_hand("A"), 8);
}

#[tokio::test]
async fn doubled_bytes_apply_once_thanks_to_the_key() {
    let desk = Counter::open().await;
    desk.shop.fault(FaultRule::next(Fault::Duplicate, 1));
    desk.raw_adjust("k1").await;
    assert_eq!((desk.on_hand("A"), desk.shop.stats().replays), (9, 1));
}

#[tokio::test]
async fn a_held_request_is_applied_later_though_nobody_waits() {
    let desk = Counter::open().await;
    desk.shop.fault(FaultRule::next(Fault::Reorder { hold_ms: 50 }, 1));
    assert_eq!(desk.raw_adjust("k1").await.status, 0);
    desk.adjust("k2", &[("B", -1)]).await;
    while desk.on_hand("A") == 10 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let order: Vec<String> = desk.shop.arrivals().into_iter().map(|line| line.sku).collect();
    assert_eq!(order, ["B", "A"]);
}

#[tokio::test]
async fn statuses_pages_and_garbage_come_as_ordered() {
    let desk = Counter::open().await;
    for (fault, status, effect) in [
        (Fault::Status { status: 429, applied: false, retry_after_s: Some(2) }, 429, 0),
        (Fault::Status { status: 503, applied: true, retry_after_s: None }, 503, 1),
        (Fault::Status { status: 402, applied: false, retry_after_s: None }, 402, 0),
        (Fault::Garbage { applied: true }, 200, 1),
        (Fault::Html { applied: false }, 200, 0),
        (Fault::Stall { hold_ms: 1 }, 200, 1),
        (Fault::Delay { hold_ms: 1 }, 200, 1),
    ] {
        let before = desk.on_hand("A");
        desk.shop.fault(FaultRule::next(fault.clone(), 1));
        let got = desk.raw_adjust(&format!("k-{fault:?}")).await;
        assert_eq!((got.status, before - desk.on_hand("A")), (status, effect), "{fault:?}");
        assert_eq!(got.head.contains("retry-after: 2"), status == 429);
    }
    desk.shop.fault(FaultRule::next(Fault::Throttled, 1));
    assert_eq!(desk.raw_adjust("t").await.json()["errors"][0]["extensions"]["code"], "THROTTLED");
}

#[tokio::test]
async fn a_user_error_can_be_ordered() {
    let desk = Counter::open().await;
    desk.shop.fault(FaultRule::next(Fault::UserError { code: "SERVICE_UNAVAILABLE".to_owned() }, 1));
    desk.refused(&desk.adjust("k1", &[("A", -1)]).await, "SERVICE_UNAVAILABLE", Value::Null);
    desk.adjust("k1", &[("A", -1)]).await;
    assert_eq!(desk.on_hand("A"), 9);
}

#[tokio::test]
async fn the_port_can_close_and_open_again() {
    let desk = Counter::open().await;
    desk.shop.go_down().await;
    assert_eq!(desk.raw_adjust("k1").await.status, 0);
    desk.shop.come_up().await.unwrap();
    assert_eq!(desk.raw_adjust("k1").await.status, 200);
}

#[tokio::test]
async fn everything_can_be_steered_from_outside() {
    let desk = Counter::open().await;
    let control = async |method: &str, path: &str, body: Value| {
        let got = request(method, &desk.shop.url(), path, &[], &body.to_string()).await;
        assert!((200..300).contains(&got.status), "{path}: {got:?}");
        got.json()
    };
    control("POST", "/_shop/items", json!([{"sku": "NEW", "available": 3}])).await;
    let order = control("POST", "/_shop/orders", json!({"sku": "NEW", "quantity": 2})).await;
    control("POST", &format!("/_shop/orders/{}/fulfil", order["id"]), json!({})).await;
    assert_eq!(
        control("GET", "/_shop/items/NEW", json!({})).await[0]["levels"].as_object().unwrap().values().next().unwrap()
            ["available"],
        1
    );
    control("POST", "/_shop/faults", json!([{"fault": "reply_lost", "on": "read", "count": 1}])).await;
    assert_eq!(desk.ask_as("stand-in-token", "{ shop { name } }", &json!({})).await.status, 0);
    control("DELETE", "/_shop/faults", json!({})).await;
    control("POST", "/_shop/clock", json!({"advance_s": 3600})).await;
    assert_eq!(control("GET", "/_shop/stats", json!({})).await["faults"]["reply_lost"], 1);
    assert_eq!(control("GET", "/_shop/journal", json!({})).await["lines"], 2);
    assert_eq!(FaultRule::every(Fault::Throttled).on(On::Read).on, On::Read);
}

#[tokio::test]
async fn the_port_closes_with_the_last_clone() {
    let desk = Counter::open().await;
    let url = desk.shop.url();
    let other = desk.shop.clone();
    drop(desk);
    assert_eq!(request("GET", &url, "/_shop/stats", &[], "").await.status, 200);
    drop(other);
    while request("GET", &url, "/_shop/stats", &[], "").await.status != 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn an_honest_messenger_is_acquitted_and_a_forgetful_or_doubling_one_is_not() {
    for (skip, repeat, exactly_once) in [(None, None, true), (Some(7), None, false), (None, Some(7), false)] {
        let folder = tempfile::tempdir().unwrap();
        let journal = folder.path().join("journal.jsonl");
        let settings =
            ShopSettings { journal: Some(journal.clone()), bucket_max: 1_000_000, ..ShopSettings::default() };
        let desk = Counter::with(settings).await;
        let log = folder.path().join("printed.jsonl");
        let skus = vec!["A".to_owned(), "B".to_owned()];
        let till = TillSettings::journal("R1", Format::Csv, &folder.path().join("sales.csv"), &log, skus);
        let mut till = Till::open(TillSettings { durable_log: false, ..till }).unwrap();
        for number in 0..20 {
            let ticket = till.ring_up().unwrap();
            let line = &ticket.lines[0];
            let delta = -line.quantity.floor_units();
            if skip != Some(number) {
                desk.adjust(&ticket.number, &[(&line.sku, delta)]).await;
            }
            if repeat == Some(number) {
                desk.adjust("another-key", &[(&line.sku, delta)]).await;
            }
        }
        let report = judge_files(&[log], &journal, &Terms::default()).unwrap();
        assert_eq!(report.exactly_once(), exactly_once, "{report}");
        assert_eq!(
            (report.sales, report.lost.is_zero(), report.doubled.is_zero()),
            (20, skip.is_none(), repeat.is_none())
        );
    }
}
