//! What WooCommerce, what stands in front of it and the plugin may answer, and what it is taken for.

use reqwest::header::HeaderMap;
use serde_json::{Value, json};

use super::*;

const MARKER: &str = "_tillsync_op_s1";
const NOW: Timestamp = Timestamp(1_764_072_000_000_000);

fn reply(status: u16, body: &Value) -> Result<Reply, Unreached> {
    Ok(Reply { status, headers: HeaderMap::new(), body: body.to_string().into_bytes(), end: BodyEnd::Complete })
}

fn page(status: u16) -> Result<Reply, Unreached> {
    let body = b"<!DOCTYPE html><html><body>Access denied</body></html>".to_vec();
    Ok(Reply { status, headers: HeaderMap::new(), body, end: BodyEnd::Complete })
}

fn delta(item: &str) -> FrozenRow {
    FrozenRow { item: item.to_owned(), write: Write::Delta { delta: -2 } }
}

fn shown(id: u64, manage: Value, stock: Value, key: &str) -> Value {
    json!({"id": id, "manage_stock": manage, "stock_quantity": stock, "meta_data": [{"id": 9, "key": MARKER, "value": key}]})
}

fn judged(rows: &[FrozenRow], outcome: &Result<Reply, Unreached>) -> Part {
    let sent: Vec<(Item, &FrozenRow)> = rows.iter().map(|row| (Item::parse(&row.item).unwrap(), row)).collect();
    batch(outcome, &sent, MARKER, "k1", NOW)
}

fn refusals(part: &Part) -> Vec<(&str, &str, RowRemedy)> {
    let Part::Rows(rows) = part else { panic!("{part:?}") };
    rows.iter().map(|row| (row.item.as_str(), row.code.as_str(), row.remedy)).collect()
}

fn is_unknown(part: &Part) -> bool {
    matches!(part, Part::Whole(Answer::Unknown { .. }))
}

#[test]
fn a_batch_is_decided_row_by_row() {
    let rows = [delta("7"), delta("8"), delta("9"), delta("10")];
    let error = |id: u64, code: &str, status: u16| json!({"id": id, "error": {"code": code, "message": "m", "data": {"status": status}}});
    let answer = json!({"update": [
        shown(7, json!(true), json!(5), "k1"),
        shown(8, json!(false), Value::Null, "k1"),
        error(9, "woocommerce_rest_product_invalid_id", 400),
        error(10, "woocommerce_rest_cannot_edit", 403),
    ]});
    let part = judged(&rows, &reply(200, &answer));
    assert_eq!(
        refusals(&part),
        [
            ("8", "not_managed", RowRemedy::LookUpAgain),
            ("9", "woocommerce_rest_product_invalid_id", RowRemedy::LookUpAgain),
            ("10", "woocommerce_rest_cannot_edit", RowRemedy::DeadLetter),
        ]
    );
    assert!(
        matches!(together(vec![part], Asked { requests: 1, rows: &rows }), Answer::Mixed { rows, .. } if rows.len() == 3)
    );
}

#[test]
fn a_yes_without_our_marker_or_our_number_proves_nothing() {
    let rows = [delta("7")];
    assert!(is_unknown(&judged(&rows, &reply(200, &json!({"update": [shown(7, json!(true), json!(5), "other")]})))));
    assert!(is_unknown(&judged(&rows, &reply(200, &json!({"update": []})))));
    assert!(is_unknown(&judged(&rows, &reply(200, &json!({"update": [shown(8, json!(true), json!(5), "k1")]})))));
    let set = [FrozenRow { item: "7".to_owned(), write: Write::Set { set: 4, expect: 5 } }];
    assert!(is_unknown(&judged(&set, &reply(200, &json!({"update": [shown(7, json!(true), json!(5), "k1")]})))));
    assert!(
        refusals(&judged(&set, &reply(200, &json!({"update": [shown(7, json!(true), json!(4), "k1")]})))).is_empty()
    );
}

#[test]
fn pages_for_people_say_nothing_about_a_write() {
    let rows = [delta("7")];
    for status in [200, 403, 500, 502, 503, 409, 418] {
        assert!(is_unknown(&judged(&rows, &page(status))), "{status}");
    }
    for (status, cause) in
        [(301, LaneRefusal::Misconfigured), (404, LaneRefusal::Misconfigured), (401, LaneRefusal::Unauthorised)]
    {
        let part = judged(&rows, &page(status));
        assert!(matches!(&part, Part::Whole(Answer::LaneRefused { cause: found, .. }) if *found == cause), "{part:?}");
    }
    assert!(matches!(judged(&rows, &page(429)), Part::Whole(Answer::Throttled { .. })));
}

#[test]
fn the_shops_own_refusals_have_a_next_step() {
    let rows = [delta("7")];
    let error =
        |code: &str, status: u16| reply(status, &json!({"code": code, "message": "m", "data": {"status": status}}));
    let part = judged(&rows, &error("woocommerce_rest_authentication_error", 401));
    assert!(
        matches!(&part, Part::Whole(Answer::LaneRefused { detail, .. }) if detail.contains("Read/Write")),
        "{part:?}"
    );
    let part = judged(&rows, &error("woocommerce_rest_request_entity_too_large", 413));
    assert_eq!(part, Part::Whole(Answer::TooLarge));
    let part = judged(&rows, &error("rest_no_route", 404));
    assert!(matches!(part, Part::Whole(Answer::LaneRefused { cause: LaneRefusal::Misconfigured, .. })));
}

#[test]
fn what_broke_off_in_the_middle_is_unknown_as_a_whole() {
    let rows = [delta("7"), delta("12/34")];
    let asked = Asked { requests: 2, rows: &rows };
    let throttled = || Part::Whole(Answer::Throttled { wait: None });
    assert!(matches!(together(vec![Part::Rows(vec![]), throttled()], asked), Answer::Unknown { .. }));
    assert_eq!(together(vec![throttled()], asked), Answer::Throttled { wait: None });
    assert_eq!(together(vec![Part::Rows(vec![]), Part::Rows(vec![])], asked), Answer::Applied { reference: None });
}

#[test]
fn the_plugins_answers_are_understood() {
    let rows = [delta("7"), delta("12/34")];
    let answer = |second: Value| {
        let rows_answered = json!([{"id": "7", "product": 7, "status": "applied", "stock": 5}, second]);
        plugin(&reply(200, &json!({"key": "k1", "replayed": false, "stale": false, "rows": rows_answered})), &rows, NOW)
    };
    let applied = json!({"id": "12/34", "product": 34, "status": "applied", "stock": 5});
    assert_eq!(answer(applied), Answer::Applied { reference: None });
    let refused = json!({"id": "12/34", "product": 34, "status": "refused", "code": "not_managed", "message": "m"});
    assert!(matches!(answer(refused), Answer::Mixed { rows, .. } if rows[0].remedy == RowRemedy::LookUpAgain));
    let error = |code: &str, status: u16| {
        plugin(&reply(status, &json!({"code": code, "message": "m", "data": {"status": status}})), &rows, NOW)
    };
    assert!(matches!(error("tillsync_key_closed", 409), Answer::KeySpent { .. }));
    assert!(matches!(error("tillsync_key_reused", 409), Answer::KeyConflict { .. }));
    assert!(matches!(error("tillsync_busy", 503), Answer::Unavailable { .. }));
    assert!(matches!(plugin(&page(503), &rows, NOW), Answer::Unknown { .. }));
    let stale = json!({"key": "k1", "replayed": false, "stale": true, "rows": [
        {"id": "7", "product": 7, "status": "stale", "stock": 5}, {"id": "12/34", "product": 34, "status": "untouched"}]});
    assert_eq!(plugin(&reply(200, &stale), &rows, NOW), Answer::Stale);
}

#[test]
fn a_price_that_the_shop_shows_otherwise_is_a_dead_letter() {
    let rows = [FrozenRow { item: "7".to_owned(), write: Write::Price { price: "12.90".to_owned() } }];
    let answer = |price: &str| judged(&rows, &reply(200, &json!({"update": [{"id": 7, "regular_price": price}]})));
    assert!(refusals(&answer("12.9")).is_empty());
    assert_eq!(refusals(&answer("13"))[0].1, "price_not_taken");
}

#[test]
fn a_read_that_met_a_firewall_may_be_tried_again() {
    let failure = read_reply::<Value>(page(403), NOW).unwrap_err();
    assert!(matches!(failure, CallFailure::Passing { .. }), "{failure:?}");
    let failure = read_reply::<Value>(page(404), NOW).unwrap_err();
    assert!(
        matches!(&failure, CallFailure::LaneRefused { detail, .. } if detail.contains("Permalinks")),
        "{failure:?}"
    );
    let failure = read_reply::<Vec<Value>>(reply(200, &json!({"a": 1})), NOW).unwrap_err();
    assert!(matches!(failure, CallFailure::Passing { .. }), "{failure:?}");
}
