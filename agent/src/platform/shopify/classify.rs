//! Shopify's answers to [`Answer`]: total, so that no reply is left without a meaning.
//!
//! Sources: the error code enums of the schema 2026-10; shopify.dev/api/usage/response-codes; the GraphQL
//! specification, section 7.1 (no `data` means that nothing was executed). Both enums are open: a code that is
//! not known here is the row's fault if it names a row, and else the request's.

use std::collections::BTreeMap;
use std::time::Duration;

use sync_core::model::Timestamp;
use sync_core::outbox::verdict::{Answer, LaneRefusal, RowRefusal, RowRemedy};

use super::wire::{Cost, Envelope, FrozenBody, TopError, UserError, WriteData, WritePayload};
use crate::platform::CallFailure;
use crate::platform::transport::retry_after::retry_after;
use crate::platform::transport::status::{
    StatusClass, answer_by_status, answer_unreached, failure_by_status, failure_unreached, refusal_detail, said,
    status_class,
};
use crate::platform::transport::{BodyEnd, Reply, Unreached};

/// What a write came to, and what the reply says of the bucket.
pub(super) fn classify(outcome: &Result<Reply, Unreached>, frozen: &[u8], now: Timestamp) -> (Answer, Option<Cost>) {
    let reply = match outcome {
        Ok(reply) => reply,
        Err(failure) => return (answer_unreached(failure), None),
    };
    let envelope = envelope(reply);
    let cost = envelope.as_ref().and_then(|e| e.cost);
    (answer(reply, envelope, frozen, now), cost)
}

/// Only a complete body is read as JSON.
fn envelope(reply: &Reply) -> Option<Envelope<'_>> {
    match reply.end {
        BodyEnd::Complete => Envelope::read(&reply.body),
        BodyEnd::Cut(_) | BodyEnd::TooLong => None,
    }
}

fn answer(reply: &Reply, envelope: Option<Envelope<'_>>, frozen: &[u8], now: Timestamp) -> Answer {
    match answer_by_status(reply, now) {
        Some(Answer::Throttled { wait: None }) => {
            return Answer::Throttled { wait: envelope.and_then(|e| e.cost).map(wait) };
        }
        Some(answer) => return answer,
        None => {}
    }
    let unknown = || Answer::Unknown { wait: retry_after(&reply.headers, now), reason: said(reply) };
    let bad_request = matches!(status_class(reply.status), StatusClass::BadRequest);
    let Some(envelope) = envelope else {
        if bad_request {
            return Answer::Refused { code: format!("http_{}", reply.status), message: said(reply) };
        }
        return unknown();
    };
    let payload = match envelope.data.flatten().map(serde_json::from_str::<WriteData>) {
        Some(Ok(data)) => data.payload,
        Some(Err(_)) => return unknown(),
        None => None,
    };
    match (payload, envelope.errors.is_empty()) {
        (Some(payload), true) => by_payload(payload, frozen),
        // A result and an error at once: only another send under the same key can tell.
        (Some(_), false) | (None, true) => unknown(),
        (None, false) => {
            let executed = if envelope.data.is_none() || bad_request { Executed::No } else { Executed::Perhaps };
            by_errors(&envelope.errors, executed, envelope.cost)
        }
    }
}

/// Whether the platform can have begun to carry out a request that it answers with top-level errors.
#[derive(Clone, Copy)]
enum Executed {
    No,
    Perhaps,
}

/// Of several errors, one that leaves the outcome open decides; else the first.
fn by_errors(errors: &[TopError], executed: Executed, cost: Option<Cost>) -> Answer {
    let mut answers: Vec<Answer> = errors.iter().map(|error| by_error(error, executed, cost)).collect();
    let decisive = answers.iter().position(|answer| matches!(answer, Answer::Unknown { .. })).unwrap_or(0);
    answers.swap_remove(decisive)
}

fn by_error(error: &TopError, executed: Executed, cost: Option<Cost>) -> Answer {
    let message = error.message.clone();
    let refused = |cause| Answer::LaneRefused { cause, detail: refusal_detail(cause, &error.message) };
    let open = || Answer::Unknown { wait: None, reason: error.message.clone() };
    match (error.code(), executed) {
        (Some("THROTTLED"), _) => Answer::Throttled { wait: cost.map(wait) },
        (Some("ACCESS_DENIED"), _) => refused(LaneRefusal::Forbidden),
        (Some("SHOP_INACTIVE"), _) => refused(LaneRefusal::ShopClosed),
        (Some("MAX_INPUT_SIZE_EXCEEDED" | "MAX_COST_EXCEEDED"), _) => Answer::TooLarge,
        (Some("INTERNAL_SERVER_ERROR" | "SERVICE_UNAVAILABLE" | "TIMEOUT"), _) => open(),
        (Some(code @ ("BAD_REQUEST" | "INVALID_VARIABLE" | "INVALID_FIELD_ARGUMENTS")), _)
        | (Some(code), Executed::No) => Answer::Refused { code: code.to_owned(), message },
        (Some(_), Executed::Perhaps) | (None, _) => open(),
    }
}

fn by_payload(payload: WritePayload, frozen: &[u8]) -> Answer {
    match (payload.inventory_adjustment_group, payload.user_errors.as_slice()) {
        (group, []) => Answer::Applied { reference: group.map(|group| group.id) },
        (None, errors) => by_user_errors(errors, frozen),
        (Some(group), errors) => {
            Answer::Unknown { wait: None, reason: format!("{} was made in spite of {}", group.id, messages(errors)) }
        }
    }
}

/// What a user error concerns.
enum Concern {
    /// The whole request, with the answer that it amounts to.
    Request(Answer),
    /// The row that its field names.
    Row(RowRemedy),
    /// The location, which all rows share.
    Location,
}

fn concern(error: &UserError) -> Concern {
    let message = || error.message.clone();
    let Some(code) = error.code.as_deref() else {
        return Concern::Row(RowRemedy::DeadLetter);
    };
    match code {
        "IDEMPOTENCY_CONCURRENT_REQUEST" => Concern::Request(Answer::InProgress),
        "IDEMPOTENCY_KEY_PARAMETER_MISMATCH" => Concern::Request(Answer::KeyConflict { message: message() }),
        "IDEMPOTENCY_PREVIOUS_ATTEMPT_FAILED" => Concern::Request(Answer::KeySpent { message: message() }),
        "CHANGE_FROM_QUANTITY_STALE" | "COMPARE_QUANTITY_STALE" => Concern::Row(RowRemedy::ReadAgain),
        // The next send of the key brings the replay or IDEMPOTENCY_PREVIOUS_ATTEMPT_FAILED.
        "SERVICE_UNAVAILABLE" | "ADJUST_QUANTITIES_FAILED" => {
            Concern::Request(Answer::Unknown { wait: None, reason: format!("{code}: {}", error.message) })
        }
        // What every request of ours has in common, or what it never contains.
        "COMPARE_QUANTITY_REQUIRED"
        | "INTERNAL_LEDGER_DOCUMENT"
        | "INVALID_AVAILABLE_DOCUMENT"
        | "INVALID_LEDGER_DOCUMENT"
        | "INVALID_NAME"
        | "INVALID_QUANTITY_DOCUMENT"
        | "INVALID_QUANTITY_NAME"
        | "INVALID_REASON"
        | "INVALID_REFERENCE_DOCUMENT"
        | "MAX_ONE_LEDGER_DOCUMENT"
        | "NO_DUPLICATE_INVENTORY_ITEM_ID_GROUP_ID_PAIR" => {
            Concern::Request(Answer::Refused { code: code.to_owned(), message: message() })
        }
        "INVALID_LOCATION" => Concern::Location,
        // Gone, not stocked here any more, or made the parent of a bundle: a look-up tells which.
        "INVALID_INVENTORY_ITEM"
        | "ITEM_NOT_STOCKED_AT_LOCATION"
        | "NON_MUTABLE_INVENTORY_ITEM"
        | "PRODUCT_DOES_NOT_EXIST"
        | "PRODUCT_VARIANT_DOES_NOT_EXIST"
        | "MUST_BE_FOR_THIS_PRODUCT" => Concern::Row(RowRemedy::LookUpAgain),
        _ => Concern::Row(RowRemedy::DeadLetter),
    }
}

fn by_user_errors(errors: &[UserError], frozen: &[u8]) -> Answer {
    let items = FrozenBody::items(frozen);
    let mut refused: BTreeMap<usize, RowRefusal> = BTreeMap::new();
    let mut location_faults = 0_usize;
    let mut rowless: Option<&UserError> = None;
    for error in errors {
        let remedy = match concern(error) {
            Concern::Request(answer) => return answer,
            Concern::Row(remedy) => remedy,
            Concern::Location => {
                location_faults = location_faults.saturating_add(1);
                RowRemedy::LookUpAgain
            }
        };
        match row(error).and_then(|index| Some((index, items.get(index)?))) {
            Some((index, item)) => {
                refused.entry(index).or_insert_with(|| RowRefusal {
                    item: item.clone(),
                    code: code(error),
                    message: error.message.clone(),
                    remedy,
                });
            }
            None => rowless = rowless.or(Some(error)),
        }
    }
    let everywhere = refused.len() == items.len() || refused.is_empty();
    if location_faults == errors.len() && everywhere {
        let cause = LaneRefusal::Misconfigured;
        return Answer::LaneRefused { cause, detail: refusal_detail(cause, &messages(errors)) };
    }
    let stale = refused.values().filter(|row| row.remedy == RowRemedy::ReadAgain).count();
    let overtaken = rowless.is_some_and(|error| matches!(concern(error), Concern::Row(RowRemedy::ReadAgain)));
    if overtaken || (stale > 0 && stale == items.len()) {
        return Answer::Stale;
    }
    match rowless {
        Some(error) if refused.is_empty() => Answer::Refused { code: code(error), message: messages(errors) },
        Some(_) | None => Answer::RowsRefused { rows: refused.into_values().collect() },
    }
}

/// `["input", "changes", "3", "delta"]` is row 3; a request that concerns a product has one product.
fn row(error: &UserError) -> Option<usize> {
    if error.code.as_deref() == Some("PRODUCT_DOES_NOT_EXIST") {
        return Some(0);
    }
    let field = error.field.as_deref()?;
    let list = field.iter().position(|name| matches!(name.as_str(), "changes" | "quantities" | "variants"))?;
    field.get(list.checked_add(1)?)?.parse().ok()
}

fn code(error: &UserError) -> String {
    error.code.clone().unwrap_or_else(|| "NO_CODE".to_owned())
}

/// The first few messages, for a person.
fn messages(errors: &[UserError]) -> String {
    const SHOWN_MAX: usize = 3;
    let shown: Vec<&str> = errors.iter().take(SHOWN_MAX).map(|error| error.message.as_str()).collect();
    shown.join("; ")
}

/// How long until the bucket holds what the request asked for.
fn wait(cost: Cost) -> Duration {
    let status = cost.throttle_status;
    let missing = cost.requested_query_cost.0.saturating_sub(status.currently_available.0).max(1);
    let millis = missing.saturating_mul(1000).checked_div(status.restore_rate.0.max(1)).unwrap_or(1000);
    Duration::from_millis(u64::try_from(millis).unwrap_or(0).saturating_add(1))
}

/// A read: its `data`, or why there is none.
pub(super) fn read<T: serde::de::DeserializeOwned>(
    outcome: Result<Reply, Unreached>,
    now: Timestamp,
) -> (Result<T, ReadFailure>, Option<Cost>) {
    let reply = match outcome {
        Ok(reply) => reply,
        Err(failure) => return (Err(ReadFailure::Call(failure_unreached(failure))), None),
    };
    let envelope = envelope(&reply);
    let cost = envelope.as_ref().and_then(|e| e.cost);
    (read_reply(&reply, envelope, now), cost)
}

/// Why a read gave nothing.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum ReadFailure {
    /// The bucket is empty; reading is harmless, so it may simply be asked again.
    Throttled(Duration),
    /// Anything else.
    Call(CallFailure),
}

fn read_reply<T: serde::de::DeserializeOwned>(
    reply: &Reply,
    envelope: Option<Envelope<'_>>,
    now: Timestamp,
) -> Result<T, ReadFailure> {
    if let Some(failure) = failure_by_status(reply, now) {
        return Err(ReadFailure::Call(failure));
    }
    let passing = |reason| ReadFailure::Call(CallFailure::Passing { wait: retry_after(&reply.headers, now), reason });
    let Some(envelope) = envelope else {
        return Err(passing(said(reply)));
    };
    if let Some(error) = envelope.errors.first() {
        let refused = |cause| {
            ReadFailure::Call(CallFailure::LaneRefused { cause, detail: refusal_detail(cause, &error.message) })
        };
        return Err(match (error.code(), envelope.data.is_none()) {
            (Some("THROTTLED"), _) => ReadFailure::Throttled(envelope.cost.map_or(Duration::from_secs(1), wait)),
            (Some("ACCESS_DENIED"), _) => refused(LaneRefusal::Forbidden),
            (Some("SHOP_INACTIVE"), _) => refused(LaneRefusal::ShopClosed),
            (Some("INTERNAL_SERVER_ERROR" | "SERVICE_UNAVAILABLE" | "TIMEOUT"), _) => passing(error.message.clone()),
            // The question itself is refused: it will be tomorrow too.
            (Some(_), true) => refused(LaneRefusal::Misconfigured),
            (Some(_), false) | (None, _) => passing(error.message.clone()),
        });
    }
    let data = envelope.data.flatten().ok_or_else(|| passing("the reply has no data".to_owned()))?;
    serde_json::from_str(data).map_err(|error| passing(format!("the reply's data is not as asked for: {error}")))
}

#[cfg(test)]
mod tests;
