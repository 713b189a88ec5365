//! What each documented error does.

use reqwest::header::HeaderMap;
use serde_json::json;

use super::super::wire::{Adjustment, InventoryChange};
use super::*;

// 2026-11-23T10:00:00Z
const NOW: Timestamp = Timestamp(1_795_428_000_000_000);

fn sent(dates: &[&str]) -> BatchCreate {
    let change = |(index, date): (usize, &&str)| InventoryChange {
        kind: "ADJUSTMENT".to_owned(),
        physical_count: None,
        adjustment: Some(Adjustment {
            catalog_object_id: format!("VARIATION{index}"),
            location_id: "L".to_owned(),
            from_state: "IN_STOCK".to_owned(),
            to_state: "SOLD".to_owned(),
            quantity: "1".to_owned(),
            occurred_at: (*date).to_owned(),
            reference_id: None,
        }),
    };
    BatchCreate {
        idempotency_key: "k".to_owned(),
        changes: dates.iter().enumerate().map(change).collect(),
        ignore_unchanged_counts: false,
    }
}

fn reply(status: u16, body: &str) -> Reply {
    Reply { status, headers: HeaderMap::new(), body: body.as_bytes().to_vec(), end: BodyEnd::Complete }
}

fn error(code: &str, field: &str, detail: &str) -> String {
    json!({"errors": [{"category": "INVALID_REQUEST_ERROR", "code": code, "field": field, "detail": detail}]})
        .to_string()
}

const TWO: [&str; 2] = ["2026-11-23T09:59:00.000Z", "2026-11-23T09:59:00.000Z"];

fn check(reply: Reply, expected: &str) {
    let answer = format!("{:?}", changes(&Ok(reply), &sent(&TWO), NOW));
    assert!(answer.starts_with(expected), "{answer} is not {expected}");
}

#[test]
fn only_a_reply_without_errors_is_a_yes() {
    check(reply(200, r#"{"counts":[],"changes":[]}"#), "Applied");
    check(reply(200, r#"{"errors":[{"code":"BAD_REQUEST"}]}"#), "Unknown");
    check(reply(200, "<html>Sign in</html>"), "Unknown");
    check(reply(200, "[]"), "Unknown");
    check(Reply { end: BodyEnd::Cut(String::new()), ..reply(200, "{}") }, "Unknown");
    check(reply(500, &error("INTERNAL_SERVER_ERROR", "", "")), "Unknown");
    check(reply(503, ""), "Unknown");
}

#[test]
fn the_key_and_the_pace_have_their_own_answers() {
    check(reply(400, &error("IDEMPOTENCY_KEY_REUSED", "idempotency_key", "")), "KeyConflict");
    check(reply(409, &error("CONFLICT", "", "")), "InProgress");
    check(reply(429, &error("RATE_LIMITED", "", "")), "Throttled");
    check(reply(429, ""), "Throttled");
    check(reply(400, &error("ARRAY_LENGTH_TOO_LONG", "changes", "")), "TooLarge");
}

#[test]
fn a_row_is_found_by_its_place_or_its_id() {
    for body in [
        error("INVALID_VALUE", "changes[1].adjustment.catalog_object_id", "no such object"),
        error("NOT_FOUND", "", "object VARIATION1 was not found"),
    ] {
        let answer = changes(&Ok(reply(404, &body)), &sent(&TWO), NOW);
        let Answer::RowsRefused { rows } = answer else { panic!("{answer:?}") };
        assert_eq!((rows[0].item.as_str(), rows[0].remedy), ("VARIATION1", RowRemedy::LookUpAgain));
    }
    check(reply(400, &error("VALUE_TOO_HIGH", "changes[0].adjustment.quantity", "")), "RowsRefused");
    check(
        reply(400, &error("INVALID_VALUE", "changes[0].adjustment.location_id", "")),
        "LaneRefused { cause: Misconfigured",
    );
    check(reply(404, "not here"), "LaneRefused { cause: Misconfigured");
    check(reply(400, &error("BAD_REQUEST", "", "no idea")), "Refused");
    check(reply(401, &error("UNAUTHORIZED", "", "")), "LaneRefused { cause: Unauthorised");
    check(reply(403, &error("INSUFFICIENT_SCOPES", "", "")), "LaneRefused { cause: Forbidden");
}

#[test]
fn a_request_that_grew_too_old_is_made_anew_and_only_then() {
    let refusal = error("INVALID_VALUE", "changes[0].adjustment.occurred_at", "too old");
    let old = sent(&["2026-11-22T09:59:00.000Z"]);
    assert!(matches!(changes(&Ok(reply(400, &refusal)), &old, NOW), Answer::KeySpent { .. }));
    let future = sent(&["2026-11-23T10:05:00.000Z"]);
    assert!(matches!(changes(&Ok(reply(400, &refusal)), &future, NOW), Answer::KeySpent { .. }));
    let mut by_their_clock = reply(400, &refusal);
    by_their_clock.headers.insert("date", "Mon, 23 Nov 2026 10:06:00 GMT".parse().unwrap());
    let answer = changes(&Ok(by_their_clock), &future, NOW);
    assert!(matches!(answer, Answer::RowsRefused { .. }), "a date that is right is no reason to go round: {answer:?}");
}

#[test]
fn prices_are_written_again_after_a_conflict() {
    let of = |status, body: &str| prices(&Ok(reply(status, body)), NOW);
    assert_eq!(of(200, "{}"), Answer::Applied { reference: None });
    assert!(matches!(of(400, &error("VERSION_MISMATCH", "", "")), Answer::Unavailable { .. }));
    assert!(matches!(of(429, &error("RATE_LIMITED", "", "")), Answer::Throttled { .. }));
    assert!(matches!(of(400, &error("INVALID_VALUE", "", "")), Answer::Refused { .. }));
    assert!(matches!(of(200, "<html>"), Answer::Unknown { .. }));
}
