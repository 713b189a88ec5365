//! Vendure's answers to [`Answer`]: total, so that no reply is left without a meaning.
//!
//! GraphQL over HTTP (seen on 3.7.3): a refused operation is HTTP 200 with `errors[].extensions.code`, a request that is not
//! understood 400. A mutation is one transaction: an unknown id refuses all rows (seen). An unknown key and a
//! missing permission are the same `FORBIDDEN`. An error without a code is a failure inside the server: the outcome is open.

use sync_core::model::Timestamp;
use sync_core::outbox::verdict::{Answer, LaneRefusal, RowRefusal, RowRemedy};

use super::wire::{Envelope, GraphQlError};
use crate::platform::CallFailure;
use crate::platform::transport::retry_after::retry_after;
use crate::platform::transport::status::{
    StatusClass, answer_by_status, answer_unreached, failure_by_status, failure_unreached, refusal_detail, said,
    status_class,
};
use crate::platform::transport::{BodyEnd, Reply, Unreached};

/// What a write came to.
pub(super) fn classify(outcome: &Result<Reply, Unreached>, items: &[&str], now: Timestamp) -> Answer {
    let reply = match outcome {
        Ok(reply) => reply,
        Err(failure) => return answer_unreached(failure),
    };
    let open = || Answer::Unknown { wait: retry_after(&reply.headers, now), reason: said(reply) };
    match (status_class(reply.status), envelope(reply)) {
        (StatusClass::Success | StatusClass::BadRequest, Some(envelope)) => {
            match (envelope.errors.first(), envelope.data) {
                (Some(error), _) => by_error(error, items),
                (None, Some(_)) => Answer::Applied { reference: None },
                (None, None) => open(),
            }
        }
        (StatusClass::BadRequest, None) => {
            Answer::Refused { code: format!("http_{}", reply.status), message: said(reply) }
        }
        _ => answer_by_status(reply, now).unwrap_or_else(open),
    }
}

fn by_error(error: &GraphQlError, items: &[&str]) -> Answer {
    let message = error.message.clone();
    match error.extensions.code.as_deref() {
        Some("FORBIDDEN") => Answer::LaneRefused { cause: LaneRefusal::Forbidden, detail: forbidden(&message) },
        Some("CHANNEL_NOT_FOUND") => {
            let cause = LaneRefusal::Misconfigured;
            Answer::LaneRefused { cause, detail: refusal_detail(cause, &message) }
        }
        Some("ENTITY_NOT_FOUND") => not_found(message, items),
        None | Some("INTERNAL_SERVER_ERROR") => Answer::Unknown { wait: None, reason: message },
        Some(code) => Answer::Refused { code: code.to_owned(), message },
    }
}

/// `No ProductVariant with the id "12" could be found`.
fn not_found(message: String, items: &[&str]) -> Answer {
    let quoted: Vec<&str> = message.split('"').skip(1).step_by(2).collect();
    let rows: Vec<RowRefusal> = items
        .iter()
        .filter(|item| quoted.contains(item))
        .map(|item| RowRefusal {
            item: (*item).to_owned(),
            code: "ENTITY_NOT_FOUND".to_owned(),
            message: message.clone(),
            remedy: RowRemedy::LookUpAgain,
        })
        .collect();
    if rows.is_empty() {
        Answer::Refused { code: "ENTITY_NOT_FOUND".to_owned(), message }
    } else {
        Answer::RowsRefused { rows }
    }
}

/// What a read came to: its data.
pub(super) fn read(outcome: Result<Reply, Unreached>, now: Timestamp) -> Result<serde_json::Value, CallFailure> {
    let reply = outcome.map_err(failure_unreached)?;
    let Some(envelope) = envelope(&reply) else {
        return Err(failure_by_status(&reply, now)
            .unwrap_or_else(|| CallFailure::Passing { wait: None, reason: format!("no GraphQL: {}", said(&reply)) }));
    };
    let refused = |cause, said: &str| CallFailure::LaneRefused { cause, detail: refusal_detail(cause, said) };
    match (envelope.errors.first(), envelope.data) {
        (None, Some(data)) => Ok(data),
        (None, None) => Err(CallFailure::Passing { wait: None, reason: said(&reply) }),
        (Some(error), _) => Err(match error.extensions.code.as_deref() {
            Some("FORBIDDEN") => {
                CallFailure::LaneRefused { cause: LaneRefusal::Forbidden, detail: forbidden(&error.message) }
            }
            // A field that this server does not have: another version, or no such custom field.
            Some("CHANNEL_NOT_FOUND" | "GRAPHQL_VALIDATION_FAILED" | "GRAPHQL_PARSE_FAILED") => {
                refused(LaneRefusal::Misconfigured, &error.message)
            }
            Some(_) | None => CallFailure::Passing { wait: None, reason: error.message.clone() },
        }),
    }
}

fn forbidden(said: &str) -> String {
    format!("{said}; check that the API key is the right one and that its role has the permissions of the manual")
}

/// Only a complete body is read as JSON.
fn envelope(reply: &Reply) -> Option<Envelope> {
    match reply.end {
        BodyEnd::Complete => {
            let envelope: Envelope = serde_json::from_slice(&reply.body).ok()?;
            (envelope.data.is_some() || !envelope.errors.is_empty()).then_some(envelope)
        }
        BodyEnd::Cut(_) | BodyEnd::TooLong => None,
    }
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderMap;

    use super::*;

    #[test]
    fn what_vendure_says_has_a_meaning() {
        check(200, r#"{"data":{"updateProductVariants":[{"id":"1"}]}}"#, Answer::Applied { reference: None });
        let message = r#"No ProductVariant with the id "12" could be found"#.to_owned();
        let row = RowRefusal {
            item: "12".to_owned(),
            code: "ENTITY_NOT_FOUND".to_owned(),
            message: message.clone(),
            remedy: RowRemedy::LookUpAgain,
        };
        check(200, &error("ENTITY_NOT_FOUND", &message), Answer::RowsRefused { rows: vec![row] });
        let refused =
            |code: &str, message: &str| Answer::Refused { code: code.to_owned(), message: message.to_owned() };
        check(400, &error("GRAPHQL_VALIDATION_FAILED", "no"), refused("GRAPHQL_VALIDATION_FAILED", "no"));
        check(200, &error("USER_INPUT_ERROR", "no"), refused("USER_INPUT_ERROR", "no"));
    }

    #[test]
    fn a_failure_inside_the_server_leaves_the_outcome_open() {
        let failed = r#"{"errors":[{"message":"SqliteError: database is locked","path":["updateProductVariants"]}],"data":null}"#;
        for (status, body) in [
            (200, failed),
            (500, ""),
            (502, "<html>bad gateway</html>"),
            (200, "<html>log in</html>"),
            (200, r#"{"data":null}"#),
        ] {
            assert!(matches!(answer(status, body), Answer::Unknown { .. }), "{status} {body}");
        }
        let forbidden = answer(200, &error("FORBIDDEN", "You are not currently authorized"));
        assert!(matches!(forbidden, Answer::LaneRefused { cause: LaneRefusal::Forbidden, .. }));
    }

    fn error(code: &str, message: &str) -> String {
        serde_json::json!({"errors": [{"message": message, "extensions": {"code": code}}], "data": null}).to_string()
    }

    fn answer(status: u16, body: &str) -> Answer {
        let body = body.as_bytes().to_vec();
        classify(
            &Ok(Reply { status, headers: HeaderMap::new(), body, end: BodyEnd::Complete }),
            &["1", "12"],
            Timestamp(0),
        )
    }

    fn check(status: u16, body: &str, expected: Answer) {
        assert_eq!(answer(status, body), expected, "{status} {body}");
    }
}
