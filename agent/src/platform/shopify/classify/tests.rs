//! Every documented code, status and broken reply of Shopify, and what it is taken for.

use reqwest::header::{HeaderMap, HeaderValue};

use super::*;

const FROZEN: &str = r#"{"query":"mutation","variables":{"input":{"name":"available","reason":"correction","changes":[
    {"inventoryItemId":"gid://shopify/InventoryItem/1","locationId":"L","delta":-1,"changeFromQuantity":null},
    {"inventoryItemId":"gid://shopify/InventoryItem/2","locationId":"L","delta":-2,"changeFromQuantity":null},
    {"inventoryItemId":"gid://shopify/InventoryItem/3","locationId":"L","delta":-3,"changeFromQuantity":null}]},"key":"k"}}"#;

const COST: &str = r#""extensions":{"cost":{"requestedQueryCost":60,"actualQueryCost":null,
    "throttleStatus":{"maximumAvailable":2000.0,"currentlyAvailable":10,"restoreRate":100.0}}}"#;

fn reply(status: u16, body: &str) -> Reply {
    Reply { status, headers: HeaderMap::new(), body: body.as_bytes().to_vec(), end: BodyEnd::Complete }
}

fn answer_to(status: u16, body: &str) -> Answer {
    classify(&Ok(reply(status, body)), FROZEN.as_bytes(), Timestamp(0)).0
}

fn user_errors(errors: &str) -> Answer {
    answer_to(
        200,
        &format!(
            r#"{{"data":{{"inventoryAdjustQuantities":{{"inventoryAdjustmentGroup":null,"userErrors":[{errors}]}}}}}}"#
        ),
    )
}

/// One user error of `code` on row 1, or on no row.
fn row_error(code: &str) -> String {
    format!(r#"{{"code":"{code}","field":["input","changes","1","delta"],"message":"said {code}"}}"#)
}

fn rowless_error(code: &str) -> String {
    format!(r#"{{"code":"{code}","field":["input"],"message":"said {code}"}}"#)
}

fn top_error(code: &str, data: &str) -> Answer {
    answer_to(
        200,
        &format!(r#"{{{data}"errors":[{{"message":"said {code}","extensions":{{"code":"{code}"}}}}],{COST}}}"#),
    )
}

fn item(number: u32) -> String {
    format!("gid://shopify/InventoryItem/{number}")
}

fn row(number: u32, code: &str, remedy: RowRemedy) -> RowRefusal {
    RowRefusal { item: item(number), code: code.to_owned(), message: format!("said {code}"), remedy }
}

#[test]
fn a_result_without_errors_is_applied() {
    let applied = r#"{"data":{"inventoryAdjustQuantities":{"inventoryAdjustmentGroup":{"id":"gid://shopify/InventoryAdjustmentGroup/9"},"userErrors":[]}}}"#;
    let reference = Some("gid://shopify/InventoryAdjustmentGroup/9".to_owned());
    assert_eq!(answer_to(200, applied), Answer::Applied { reference });
    // Only zero deltas: a success without a group.
    let nothing = r#"{"data":{"inventorySetQuantities":{"inventoryAdjustmentGroup":null,"userErrors":[]}}}"#;
    assert_eq!(answer_to(200, nothing), Answer::Applied { reference: None });
}

#[test]
fn every_code_of_both_mutations_has_its_answer() {
    let said = |code: &str| format!("said {code}");
    assert_eq!(user_errors(&rowless_error("IDEMPOTENCY_CONCURRENT_REQUEST")), Answer::InProgress);
    for code in ["CHANGE_FROM_QUANTITY_STALE", "COMPARE_QUANTITY_STALE"] {
        let rows = vec![row(2, code, RowRemedy::ReadAgain)];
        assert_eq!(user_errors(&row_error(code)), Answer::RowsRefused { rows }, "{code}");
    }
    let code = "IDEMPOTENCY_KEY_PARAMETER_MISMATCH";
    assert_eq!(user_errors(&rowless_error(code)), Answer::KeyConflict { message: said(code) });
    let code = "IDEMPOTENCY_PREVIOUS_ATTEMPT_FAILED";
    assert_eq!(user_errors(&rowless_error(code)), Answer::KeySpent { message: said(code) });
    for code in ["SERVICE_UNAVAILABLE", "ADJUST_QUANTITIES_FAILED"] {
        assert!(matches!(user_errors(&rowless_error(code)), Answer::Unknown { .. }), "{code}");
    }
    for code in ["INVALID_INVENTORY_ITEM", "ITEM_NOT_STOCKED_AT_LOCATION", "NON_MUTABLE_INVENTORY_ITEM"] {
        let rows = vec![row(2, code, RowRemedy::LookUpAgain)];
        assert_eq!(user_errors(&row_error(code)), Answer::RowsRefused { rows }, "{code}");
    }
    for code in ["INVALID_QUANTITY_NEGATIVE", "INVALID_QUANTITY_TOO_HIGH", "INVALID_QUANTITY_TOO_LOW"] {
        let rows = vec![row(2, code, RowRemedy::DeadLetter)];
        assert_eq!(user_errors(&row_error(code)), Answer::RowsRefused { rows }, "{code}");
    }
}

#[test]
fn codes_about_what_all_our_requests_share_refuse_the_whole() {
    let said = |code: &str| format!("said {code}");
    for code in [
        "COMPARE_QUANTITY_REQUIRED",
        "INTERNAL_LEDGER_DOCUMENT",
        "INVALID_AVAILABLE_DOCUMENT",
        "INVALID_LEDGER_DOCUMENT",
        "INVALID_NAME",
        "INVALID_QUANTITY_DOCUMENT",
        "INVALID_QUANTITY_NAME",
        "INVALID_REASON",
        "INVALID_REFERENCE_DOCUMENT",
        "MAX_ONE_LEDGER_DOCUMENT",
        "NO_DUPLICATE_INVENTORY_ITEM_ID_GROUP_ID_PAIR",
    ] {
        let refused = Answer::Refused { code: code.to_owned(), message: said(code) };
        assert_eq!(user_errors(&row_error(code)), refused, "{code}");
        assert_eq!(user_errors(&rowless_error(code)), refused, "{code}");
    }
}

#[test]
fn a_code_that_is_not_known_is_the_rows_fault_if_it_names_one() {
    let rows = vec![row(2, "BRAND_NEW", RowRemedy::DeadLetter)];
    assert_eq!(user_errors(&row_error("BRAND_NEW")), Answer::RowsRefused { rows });
    let refused = Answer::Refused { code: "BRAND_NEW".to_owned(), message: "said BRAND_NEW".to_owned() };
    assert_eq!(user_errors(&rowless_error("BRAND_NEW")), refused);
    let nameless = r#"{"code":null,"field":null,"message":"no"}"#;
    assert_eq!(user_errors(nameless), Answer::Refused { code: "NO_CODE".to_owned(), message: "no".to_owned() });
    let out_of_range = r#"{"code":"INVALID_INVENTORY_ITEM","field":["input","changes","7"],"message":"no"}"#;
    assert!(matches!(user_errors(out_of_range), Answer::Refused { .. }));
}

#[test]
fn several_rows_are_told_apart_and_each_named_once() {
    let errors = r#"{"code":"INVALID_INVENTORY_ITEM","field":["input","changes","2","inventoryItemId"],"message":"said INVALID_INVENTORY_ITEM"},
        {"code":"INVALID_QUANTITY_TOO_LOW","field":["input","changes","0","delta"],"message":"said INVALID_QUANTITY_TOO_LOW"},
        {"code":"BRAND_NEW","field":["input","changes","2"],"message":"again"}"#;
    let rows = vec![
        row(1, "INVALID_QUANTITY_TOO_LOW", RowRemedy::DeadLetter),
        row(3, "INVALID_INVENTORY_ITEM", RowRemedy::LookUpAgain),
    ];
    assert_eq!(user_errors(errors), Answer::RowsRefused { rows });
}

#[test]
fn a_location_refused_for_all_rows_is_a_fault_of_the_lane() {
    let on = |index: u32| {
        format!(
            r#"{{"code":"INVALID_LOCATION","field":["input","changes","{index}","locationId"],"message":"said INVALID_LOCATION"}}"#
        )
    };
    let all = [on(0), on(1), on(2)].join(",");
    for errors in [all, rowless_error("INVALID_LOCATION")] {
        assert!(
            matches!(user_errors(&errors), Answer::LaneRefused { cause: LaneRefusal::Misconfigured, .. }),
            "{errors}"
        );
    }
    let rows = vec![row(1, "INVALID_LOCATION", RowRemedy::LookUpAgain)];
    assert_eq!(user_errors(&on(0)), Answer::RowsRefused { rows });
}

#[test]
fn top_level_errors_are_told_apart() {
    for (code, expected) in [("ACCESS_DENIED", LaneRefusal::Forbidden), ("SHOP_INACTIVE", LaneRefusal::ShopClosed)] {
        let answer = top_error(code, "");
        assert!(matches!(answer, Answer::LaneRefused { cause, .. } if cause == expected), "{answer:?}");
    }
    for code in ["MAX_INPUT_SIZE_EXCEEDED", "MAX_COST_EXCEEDED"] {
        assert_eq!(top_error(code, ""), Answer::TooLarge, "{code}");
    }
    for code in ["BAD_REQUEST", "INVALID_VARIABLE", "INVALID_FIELD_ARGUMENTS"] {
        let refused = Answer::Refused { code: code.to_owned(), message: format!("said {code}") };
        assert_eq!(top_error(code, ""), refused, "{code}");
        assert_eq!(top_error(code, r#""data":{"inventoryAdjustQuantities":null},"#), refused, "{code}");
    }
    for code in ["INTERNAL_SERVER_ERROR", "SERVICE_UNAVAILABLE", "TIMEOUT"] {
        assert!(matches!(top_error(code, ""), Answer::Unknown { .. }), "{code}");
    }
}

#[test]
fn a_top_level_code_that_is_not_known_is_a_refusal_only_if_nothing_was_executed() {
    assert!(matches!(top_error("undefinedField", ""), Answer::Refused { .. }));
    assert!(matches!(top_error("BRAND_NEW", r#""data":null,"#), Answer::Unknown { .. }));
    assert!(matches!(answer_to(200, r#"{"errors":[{"message":"no code"}]}"#), Answer::Unknown { .. }));
    assert!(matches!(answer_to(200, r#"{"errors":"text only"}"#), Answer::Unknown { .. }));
}

#[test]
fn one_open_error_among_others_leaves_the_outcome_open() {
    let body = r#"{"errors":[{"message":"a","extensions":{"code":"BAD_REQUEST"}},{"message":"b","extensions":{"code":"INTERNAL_SERVER_ERROR"}}]}"#;
    assert!(matches!(answer_to(200, body), Answer::Unknown { .. }));
    let both = r#"{"data":{"inventoryAdjustQuantities":{"inventoryAdjustmentGroup":{"id":"g"},"userErrors":[]}},"errors":[{"message":"b","extensions":{"code":"BAD_REQUEST"}}]}"#;
    assert!(matches!(answer_to(200, both), Answer::Unknown { .. }));
    let made = r#"{"data":{"inventoryAdjustQuantities":{"inventoryAdjustmentGroup":{"id":"g"},"userErrors":[{"code":"INVALID_REASON","field":[],"message":"m"}]}}}"#;
    assert!(matches!(answer_to(200, made), Answer::Unknown { .. }));
}

#[test]
fn throttling_waits_until_the_bucket_holds_the_request() {
    let wait = Some(Duration::from_millis(501));
    assert_eq!(top_error("THROTTLED", ""), Answer::Throttled { wait });
    let (_, cost) = classify(&Ok(reply(200, &format!(r#"{{"data":null,{COST}}}"#))), b"", Timestamp(0));
    assert_eq!(cost.unwrap().throttle_status.currently_available.0, 10);
    for status in [429, 430] {
        let mut reply = reply(status, "slow down");
        reply.headers.insert("retry-after", HeaderValue::from_static("2.0"));
        let wait = Some(Duration::from_secs(2));
        assert_eq!(classify(&Ok(reply), b"", Timestamp(0)).0, Answer::Throttled { wait }, "{status}");
    }
    assert_eq!(answer_to(429, &format!(r#"{{"errors":"x",{COST}}}"#)), Answer::Throttled { wait });
}

#[test]
fn a_status_decides_where_it_can() {
    for (status, cause) in [
        (401, LaneRefusal::Unauthorised),
        (402, LaneRefusal::ShopClosed),
        (403, LaneRefusal::Forbidden),
        (404, LaneRefusal::Misconfigured),
        (423, LaneRefusal::ShopClosed),
        (301, LaneRefusal::Misconfigured),
    ] {
        let answer = answer_to(status, r#"{"errors":"[API] Invalid"}"#);
        assert!(matches!(answer, Answer::LaneRefused { cause: c, .. } if c == cause), "{status}");
    }
    assert_eq!(answer_to(413, "<html>"), Answer::TooLarge);
    assert_eq!(answer_to(409, ""), Answer::InProgress);
    for status in [500, 502, 503, 504, 520, 408] {
        assert!(matches!(answer_to(status, r#"{"errors":"x"}"#), Answer::Unknown { .. }), "{status}");
    }
    assert!(matches!(answer_to(400, "<html>"), Answer::Refused { code, .. } if code == "http_400"));
    let named = r#"{"errors":[{"message":"m","extensions":{"code":"SOMETHING"}}]}"#;
    assert!(matches!(answer_to(422, named), Answer::Refused { code, .. } if code == "SOMETHING"));
}

#[test]
fn a_reply_that_makes_no_sense_leaves_the_outcome_open() {
    for body in [
        "",
        "<html>Log in to the wifi</html>",
        "{}",
        "[]",
        "null",
        "{\"data\":",
        r#"{"data":null}"#,
        r#"{"data":{}}"#,
        r#"{"data":7}"#,
        r#"{"data":{"inventoryAdjustQuantities":{"userErrors":7}}}"#,
    ] {
        assert!(matches!(answer_to(200, body), Answer::Unknown { .. }), "{body}");
    }
    let applied = r#"{"data":{"inventoryAdjustQuantities":{"inventoryAdjustmentGroup":{"id":"g"},"userErrors":[]}}}"#;
    for end in [BodyEnd::Cut("reset".to_owned()), BodyEnd::TooLong] {
        let reply = Reply { end, ..reply(200, applied) };
        assert!(matches!(classify(&Ok(reply), b"", Timestamp(0)).0, Answer::Unknown { .. }));
    }
}

#[test]
fn without_a_reply_it_matters_whether_anything_was_sent() {
    let not_sent = Err(Unreached::NotSent("refused".to_owned()));
    assert!(matches!(classify(&not_sent, b"", Timestamp(0)).0, Answer::Unavailable { .. }));
    let maybe = Err(Unreached::MaybeSent("time-out".to_owned()));
    assert!(matches!(classify(&maybe, b"", Timestamp(0)).0, Answer::Unknown { .. }));
}

#[test]
fn a_read_is_refused_or_passing() {
    let failure = |status, body: &str| match read::<serde_json::Value>(Ok(reply(status, body)), Timestamp(0)).0 {
        Err(ReadFailure::Call(failure)) => failure,
        other => panic!("{other:?}"),
    };
    let coded =
        |code: &str, data: &str| format!(r#"{{{data}"errors":[{{"message":"m","extensions":{{"code":"{code}"}}}}]}}"#);
    let cause = |failure| match failure {
        CallFailure::LaneRefused { cause, .. } => Some(cause),
        CallFailure::Passing { .. } => None,
    };
    assert_eq!(cause(failure(200, &coded("ACCESS_DENIED", ""))), Some(LaneRefusal::Forbidden));
    assert_eq!(cause(failure(200, &coded("undefinedField", ""))), Some(LaneRefusal::Misconfigured));
    assert_eq!(cause(failure(200, &coded("BRAND_NEW", r#""data":null,"#))), None);
    assert_eq!(cause(failure(200, &coded("INTERNAL_SERVER_ERROR", ""))), None);
    assert_eq!(cause(failure(401, "")), Some(LaneRefusal::Unauthorised));
    assert_eq!(cause(failure(503, "")), None);
    assert_eq!(cause(failure(200, "<html>")), None);
    let throttled = read::<serde_json::Value>(
        Ok(reply(
            200,
            &format!(r#"{{"errors":[{{"message":"Throttled","extensions":{{"code":"THROTTLED"}}}}],{COST}}}"#),
        )),
        Timestamp(0),
    );
    assert_eq!(throttled.0, Err(ReadFailure::Throttled(Duration::from_millis(501))));
}
