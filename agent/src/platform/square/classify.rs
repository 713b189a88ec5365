//! Square's answers to [`Answer`]: total, so that no reply is left without a meaning.
//!
//! Sources: developer.squareup.com, "Handling errors" and the `ErrorCode` enum. The enum is open: what is not known here is
//! the fault of the row that its `field` names, and else the request's.

use std::time::Duration;

use sync_core::model::Timestamp;
use sync_core::outbox::verdict::{Answer, LaneRefusal, RowRefusal, RowRemedy};

use super::ledger::before;
use super::map::parse_time;
use super::wire::{BatchCreate, Errors, SquareError};
use crate::platform::CallFailure;
use crate::platform::transport::retry_after::{date, retry_after};
use crate::platform::transport::status::{
    StatusClass, answer_by_status, answer_unreached, failure_by_status, failure_unreached, refusal_detail, said,
    status_class,
};
use crate::platform::transport::{BodyEnd, Reply, Unreached};

/// Square's limit for `occurred_at`.
const AGE_MAX: Duration = Duration::from_hours(24);

/// What a change of the inventory came to.
pub(super) fn changes(outcome: &Result<Reply, Unreached>, sent: &BatchCreate, now: Timestamp) -> Answer {
    let reply = match outcome {
        Ok(reply) => reply,
        Err(failure) => return answer_unreached(failure),
    };
    let errors = errors(reply);
    if let Some(answer) = by_errors(reply, errors.as_deref().unwrap_or_default(), sent, now) {
        return answer;
    }
    if let Some(answer) = answer_by_status(reply, now) {
        return answer;
    }
    match (status_class(reply.status), errors) {
        (StatusClass::Success, Some(errors)) if errors.is_empty() => Answer::Applied { reference: None },
        (StatusClass::Success, _) => Answer::Unknown { wait: None, reason: said(reply) },
        (_, Some(errors)) => refused(&errors, reply),
        (_, None) => Answer::Refused { code: format!("http_{}", reply.status), message: said(reply) },
    }
}

/// The errors of a complete JSON reply; an empty list is a success.
pub(super) fn errors(reply: &Reply) -> Option<Vec<SquareError>> {
    if reply.end != BodyEnd::Complete || !reply.body.trim_ascii_start().starts_with(b"{") {
        return None;
    }
    serde_json::from_slice::<Errors>(&reply.body).ok().map(|said| said.errors)
}

/// What the errors decide before the status does. A 404 is about a row here, not about the address.
fn by_errors(reply: &Reply, errors: &[SquareError], sent: &BatchCreate, now: Timestamp) -> Option<Answer> {
    if status_class(reply.status) == StatusClass::Unknown {
        return None;
    }
    let first = errors.first()?;
    let message = || format!("{}: {}", first.code, first.detail);
    match first.code.as_str() {
        "RATE_LIMITED" => return Some(Answer::Throttled { wait: retry_after(&reply.headers, now) }),
        "IDEMPOTENCY_KEY_REUSED" => return Some(Answer::KeyConflict { message: message() }),
        "CONFLICT" => return Some(Answer::InProgress),
        "REQUEST_ENTITY_TOO_LARGE" | "ARRAY_LENGTH_TOO_LONG" => return Some(Answer::TooLarge),
        "TEMPORARY_ERROR"
        | "SERVICE_UNAVAILABLE"
        | "INTERNAL_SERVER_ERROR"
        | "GATEWAY_TIMEOUT"
        | "BAD_GATEWAY"
        | "REQUEST_TIMEOUT" => {
            return Some(Answer::Unknown { wait: retry_after(&reply.headers, now), reason: message() });
        }
        "API_VERSION_INCOMPATIBLE" | "INVALID_SQUARE_VERSION_FORMAT" | "LOCATION_MISMATCH" => {
            return Some(misconfigured(&message()));
        }
        _ => {}
    }
    if errors.iter().any(|error| names(error, "location_id")) {
        return Some(misconfigured(&message()));
    }
    if errors.iter().any(|error| names(error, "occurred_at") || error.detail.contains("occurred_at"))
        && is_out_of_time(sent, date(&reply.headers).unwrap_or(now))
    {
        return Some(Answer::KeySpent { message: message() });
    }
    let rows: Vec<RowRefusal> = errors.iter().filter_map(|error| row(error, sent)).collect();
    (!rows.is_empty() && rows.len() == errors.len()).then_some(Answer::RowsRefused { rows })
}

fn misconfigured(said: &str) -> Answer {
    let cause = LaneRefusal::Misconfigured;
    Answer::LaneRefused { cause, detail: refusal_detail(cause, said) }
}

fn names(error: &SquareError, last: &str) -> bool {
    error.field.as_deref().is_some_and(|field| field.rsplit('.').next() == Some(last))
}

/// A date of the request is in the future or older than Square takes, by Square's clock.
fn is_out_of_time(sent: &BatchCreate, theirs: Timestamp) -> bool {
    // `Date` has whole seconds.
    let latest = theirs.plus(Duration::from_secs(1));
    sent.changes
        .iter()
        .filter_map(|change| parse_time(change.facts()?.2))
        .any(|at| at > latest || at < before(theirs, AGE_MAX))
}

/// The row that an error is about: `changes[3].adjustment.catalog_object_id`, or the id in its text.
fn row(error: &SquareError, sent: &BatchCreate) -> Option<RowRefusal> {
    let by_place = error
        .field
        .as_deref()
        .and_then(|field| field.strip_prefix("changes["))
        .and_then(|rest| rest.split_once(']'))
        .and_then(|(index, _)| sent.changes.get(index.parse::<usize>().ok()?))
        .and_then(|change| Some(change.facts()?.0));
    let by_text =
        || sent.changes.iter().filter_map(|change| Some(change.facts()?.0)).find(|id| error.detail.contains(*id));
    let item = by_place.or_else(by_text)?.to_owned();
    let gone = error.code == "NOT_FOUND" || names(error, "catalog_object_id");
    Some(RowRefusal {
        item,
        code: error.code.clone(),
        message: error.detail.clone(),
        remedy: if gone { RowRemedy::LookUpAgain } else { RowRemedy::DeadLetter },
    })
}

fn refused(errors: &[SquareError], reply: &Reply) -> Answer {
    match errors.first() {
        Some(error) => Answer::Refused { code: error.code.clone(), message: error.detail.clone() },
        None => Answer::Refused { code: format!("http_{}", reply.status), message: said(reply) },
    }
}

/// What an update of prices came to. The catalogue takes one writer at a time and refuses the others with 429; an object
/// that somebody changed since it was read is refused with its version.
pub(super) fn prices(outcome: &Result<Reply, Unreached>, now: Timestamp) -> Answer {
    let reply = match outcome {
        Ok(reply) => reply,
        Err(failure) => return answer_unreached(failure),
    };
    let errors = errors(reply);
    if let Some(error) = errors.iter().flatten().next()
        && status_class(reply.status) != StatusClass::Unknown
    {
        match error.code.as_str() {
            "RATE_LIMITED" => return Answer::Throttled { wait: retry_after(&reply.headers, now) },
            // Read and written anew: the price is a value.
            "VERSION_MISMATCH" | "CONFLICT" => {
                return Answer::Unavailable { wait: None, reason: format!("{}: {}", error.code, error.detail) };
            }
            _ => {}
        }
    }
    match (answer_by_status(reply, now), status_class(reply.status), errors) {
        (Some(answer), _, _) => answer,
        (None, StatusClass::Success, Some(errors)) if errors.is_empty() => Answer::Applied { reference: None },
        (None, StatusClass::Success, None) => Answer::Unknown { wait: None, reason: said(reply) },
        (None, _, errors) => refused(&errors.unwrap_or_default(), reply),
    }
}

/// The reply to a read, if it is one.
pub(super) fn read(outcome: Result<Reply, Unreached>, now: Timestamp) -> Result<Reply, CallFailure> {
    let reply = outcome.map_err(failure_unreached)?;
    match failure_by_status(&reply, now) {
        Some(failure) => Err(failure),
        None if reply.end == BodyEnd::Complete => Ok(reply),
        None => Err(CallFailure::Passing { wait: None, reason: said(&reply) }),
    }
}

#[cfg(test)]
mod tests;
