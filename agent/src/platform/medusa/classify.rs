//! Medusa's answers to [`Answer`]: total, so that no reply is left without a meaning.
//!
//! A refusal is `{"type", "message"}` (seen on 2.21.2; the framework's error handler): `invalid_data`, `duplicate_error` and
//! `not_allowed` with 400, `unauthorized` 401, `not_found` 404, `conflict` 409, `unknown_error` and `database_error` 500.
//! A batch is one transaction: a refused row leaves the others as they were (seen). A proxy's error page is no
//! refusal of Medusa's.

use sync_core::model::Timestamp;
use sync_core::outbox::verdict::{Answer, RowRefusal, RowRemedy};

use super::wire::Refusal;
use crate::platform::transport::retry_after::retry_after;
use crate::platform::transport::status::{StatusClass, answer_by_status, answer_unreached, said, status_class};
use crate::platform::transport::{BodyEnd, Reply, Unreached};

/// What a write came to.
pub(super) fn classify(outcome: &Result<Reply, Unreached>, items: &[&str], now: Timestamp) -> Answer {
    let reply = match outcome {
        Ok(reply) => reply,
        Err(failure) => return answer_unreached(failure),
    };
    let refusal = refusal(reply);
    match (status_class(reply.status), refusal) {
        (StatusClass::Success, _) if is_result(reply) => Answer::Applied { reference: None },
        (StatusClass::Success, _) => Answer::Unknown { wait: retry_after(&reply.headers, now), reason: said(reply) },
        (_, Some(refusal)) if refusal.kind.as_deref() == Some("not_found") => not_found(refusal, items),
        (StatusClass::Conflict, Some(refusal)) => {
            // A lock was held or a transaction rolled back: nothing took effect.
            Answer::Unavailable { wait: retry_after(&reply.headers, now), reason: refusal.message }
        }
        (StatusClass::BadRequest, refusal) => {
            let (code, message) = refusal.map_or_else(
                || (format!("http_{}", reply.status), said(reply)),
                |refusal| (refusal.kind.unwrap_or_else(|| format!("http_{}", reply.status)), refusal.message),
            );
            Answer::Refused { code, message }
        }
        _ => answer_by_status(reply, now)
            .unwrap_or_else(|| Answer::Unknown { wait: retry_after(&reply.headers, now), reason: said(reply) }),
    }
}

/// `Item iitem_… is not stocked at location sloc_…`: of the items that it names, ours are looked up again.
fn not_found(refusal: Refusal, items: &[&str]) -> Answer {
    let words: Vec<&str> = refusal.message.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').collect();
    let rows: Vec<RowRefusal> = items
        .iter()
        .filter(|item| words.contains(item))
        .map(|item| RowRefusal {
            item: (*item).to_owned(),
            code: "not_found".to_owned(),
            message: refusal.message.clone(),
            remedy: RowRemedy::LookUpAgain,
        })
        .collect();
    if rows.is_empty() {
        return Answer::Refused { code: "not_found".to_owned(), message: refusal.message };
    }
    Answer::RowsRefused { rows }
}

fn refusal(reply: &Reply) -> Option<Refusal> {
    match reply.end {
        BodyEnd::Complete => serde_json::from_slice::<Refusal>(&reply.body).ok().filter(|found| found.kind.is_some()),
        BodyEnd::Cut(_) | BodyEnd::TooLong => None,
    }
}

/// A captive portal answers 200 too. A result that was cut is one all the same: Medusa answers after its transaction.
fn is_result(reply: &Reply) -> bool {
    let text = reply.body.trim_ascii_start();
    text.starts_with(b"{")
        && reply.headers.get("content-type").is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"))
}

#[cfg(test)]
mod tests {
    use reqwest::header::{HeaderMap, HeaderValue};
    use sync_core::outbox::verdict::LaneRefusal;

    use super::*;

    #[test]
    fn what_medusa_says_has_a_meaning() {
        check(200, r#"{"created":[],"updated":[],"deleted":[]}"#, Answer::Applied { reference: None });
        let message = "Item iitem_1 is not stocked at location sloc_1".to_owned();
        let row = RowRefusal {
            item: "iitem_1".to_owned(),
            code: "not_found".to_owned(),
            message: message.clone(),
            remedy: RowRemedy::LookUpAgain,
        };
        let said = |kind: &str, message: &str| serde_json::json!({"type": kind, "message": message}).to_string();
        check(404, &said("not_found", &message), Answer::RowsRefused { rows: vec![row] });
        let refused =
            |code: &str, message: &str| Answer::Refused { code: code.to_owned(), message: message.to_owned() };
        check(404, &said("not_found", "no such thing"), refused("not_found", "no such thing"));
        check(400, &said("invalid_data", "too small"), refused("invalid_data", "too small"));
        let busy = Answer::Unavailable { wait: None, reason: "busy".to_owned() };
        check(409, &said("conflict", "busy"), busy);
    }

    #[test]
    fn what_is_not_medusas_leaves_the_outcome_open_or_stops_the_lane() {
        let unknown = |status, body| matches!(answer(status, body, "text/html"), Answer::Unknown { .. });
        assert!(unknown(200, "<html>log in</html>"));
        assert!(unknown(502, "<html>bad gateway</html>"));
        assert!(matches!(answer(500, r#"{"type":"unknown_error","message":"x"}"#, JSON), Answer::Unknown { .. }));
        let cause = |status| {
            let refused = answer(status, r#"{"message":"Unauthorized"}"#, JSON);
            if let Answer::LaneRefused { cause, .. } = refused { Some(cause) } else { None }
        };
        assert_eq!(cause(401), Some(LaneRefusal::Unauthorised));
        assert_eq!(cause(404), Some(LaneRefusal::Misconfigured));
    }

    const JSON: &str = "application/json; charset=utf-8";

    fn answer(status: u16, body: &str, kind: &'static str) -> Answer {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", HeaderValue::from_static(kind));
        let reply = Reply { status, headers, body: body.as_bytes().to_vec(), end: BodyEnd::Complete };
        classify(&Ok(reply), &["iitem_1", "iitem_10"], Timestamp(0))
    }

    fn check(status: u16, body: &str, expected: Answer) {
        assert_eq!(answer(status, body, JSON), expected, "{status} {body}");
    }
}
