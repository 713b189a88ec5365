//! WooCommerce's answers to [`Answer`]: total, so that no reply is left without a meaning.
//!
//! What is not JSON was written by something in front of the shop (a firewall, a cache, a page for maintenance, a fatal error of
//! PHP): it says nothing about what was done, whatever its status. A batch answers 200 and row by row; a row is in effect
//! only if its product keeps a number and shows our marker.

use sync_core::model::Timestamp;
use sync_core::outbox::verdict::{Answer, LaneRefusal, RowRefusal, RowRemedy};

use super::map::{FrozenRow, Item, Write, number, same_price};
use super::wire::{ApiError, BatchReply, ManageStock, PluginReply, RowReply, read};
use crate::platform::CallFailure;
use crate::platform::transport::retry_after::retry_after;
use crate::platform::transport::status::{
    StatusClass, answer_by_status, answer_unreached, failure_by_status, failure_unreached, refusal_detail, said,
    status_class,
};
use crate::platform::transport::{BodyEnd, Reply, Unreached};

/// What one request of a batch came to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// Decided row by row: those named had no effect, the others are in effect.
    Rows(Vec<RowRefusal>),
    /// Nothing of it is in effect, or it is not known, as the answer says.
    Whole(Answer),
}

/// Whether a reply is one of WordPress: complete and JSON.
fn is_json(reply: &Reply) -> bool {
    reply.end == BodyEnd::Complete && serde_json::from_slice::<serde::de::IgnoredAny>(&reply.body).is_ok()
}

fn api_error(reply: &Reply) -> Option<ApiError> {
    read::<ApiError>(&reply.body).filter(|_| reply.end == BodyEnd::Complete)
}

/// A write's answer if its rows need not be looked at.
fn whole(outcome: &Result<Reply, Unreached>, now: Timestamp) -> Result<&Reply, Answer> {
    let reply = outcome.as_ref().map_err(answer_unreached)?;
    let unknown = || Answer::Unknown { wait: retry_after(&reply.headers, now), reason: said(reply) };
    let class = status_class(reply.status);
    match (class, api_error(reply)) {
        (StatusClass::Success, _) => Ok(reply),
        (StatusClass::Refused(cause), Some(error)) => Err(Answer::LaneRefused { cause, detail: detail(cause, &error) }),
        (StatusClass::BadRequest, Some(error)) => Err(Answer::Refused { code: error.code, message: error.message }),
        // Asking for fewer requests or smaller ones, and being moved away, are the same in any words.
        (StatusClass::Throttled | StatusClass::TooLarge, _) => {
            Err(answer_by_status(reply, now).unwrap_or_else(unknown))
        }
        (StatusClass::Refused(cause), None) if cause != LaneRefusal::Forbidden => {
            Err(Answer::LaneRefused { cause, detail: no_api(cause, reply) })
        }
        (StatusClass::Refused(_) | StatusClass::BadRequest | StatusClass::Conflict | StatusClass::Unknown, _) => {
            Err(unknown())
        }
    }
}

/// An answer to `POST …/batch`.
pub(super) fn batch(
    outcome: &Result<Reply, Unreached>,
    sent: &[(Item, &FrozenRow)],
    marker: &str,
    key: &str,
    now: Timestamp,
) -> Part {
    let reply = match whole(outcome, now) {
        Ok(reply) => reply,
        Err(answer) => return Part::Whole(answer),
    };
    let unknown = |reason: String| Part::Whole(Answer::Unknown { wait: None, reason });
    let Some(answers) = read::<BatchReply>(&reply.body).filter(|_| is_json(reply)) else {
        return unknown(said(reply));
    };
    if answers.update.len() != sent.len() {
        return unknown(format!("{} rows were answered of {} sent", answers.update.len(), sent.len()));
    }
    let mut refused = Vec::new();
    for ((item, row), answer) in sent.iter().zip(&answers.update) {
        match judge(*item, row, answer, marker, key) {
            Row::InEffect => {}
            Row::Refused(refusal) => refused.push(refusal),
            Row::Open(reason) => return unknown(reason),
        }
    }
    Part::Rows(refused)
}

enum Row {
    InEffect,
    Refused(RowRefusal),
    Open(String),
}

fn judge(item: Item, row: &FrozenRow, answer: &RowReply, marker: &str, key: &str) -> Row {
    let refused = |code: &str, message: String, remedy| {
        Row::Refused(RowRefusal { item: row.item.clone(), code: code.to_owned(), message, remedy })
    };
    if let Some(error) = &answer.error {
        if error.status() >= 500 {
            return Row::Open(format!("product {}: {}: {}", item.text(), error.code, error.message));
        }
        // Gone, or made a variation or a product of its own: a look-up tells which.
        let gone = error.code.contains("invalid_id") || error.code.contains("invalid_product_id");
        let remedy = if gone { RowRemedy::LookUpAgain } else { RowRemedy::DeadLetter };
        return refused(&error.code, error.message.clone(), remedy);
    }
    let product = &answer.product;
    if product.id != item.id {
        return Row::Open(format!("product {} was answered for {}", product.id, item.text()));
    }
    match &row.write {
        Write::Price { price } => {
            if same_price(product.regular_price.as_deref().unwrap_or_default(), price) {
                Row::InEffect
            } else {
                refused(
                    "price_not_taken",
                    format!("the shop shows the price {:?} after {price} was written", product.regular_price),
                    RowRemedy::DeadLetter,
                )
            }
        }
        Write::Backorders { backorders } if product.backorders.as_deref() == Some(backorders) => Row::InEffect,
        Write::Backorders { .. } | Write::Delta { .. } | Write::Set { .. }
            if product.manage_stock != ManageStock::Own =>
        {
            refused(
                "not_managed",
                "the shop dropped the number: the product keeps none any more".to_owned(),
                RowRemedy::LookUpAgain,
            )
        }
        Write::Backorders { backorders } => refused(
            "backorders_not_taken",
            format!("the shop shows {:?} after {backorders} was written", product.backorders),
            RowRemedy::DeadLetter,
        ),
        Write::Delta { .. } | Write::Set { .. } if product.meta(marker) != Some(key) => {
            Row::Open(format!("product {} does not show our marker", item.text()))
        }
        Write::Set { set, .. } if number(product) != Some(*set) => {
            Row::Open(format!("product {} shows {} after {set} was written", item.text(), product.stock_quantity))
        }
        Write::Delta { .. } | Write::Set { .. } => Row::InEffect,
    }
}

/// Several requests, in their order, as one answer. `rest` says whether requests were left that were not sent.
pub(super) fn together(parts: Vec<Part>, asked: Asked<'_>) -> Answer {
    let mut refused = Vec::new();
    let mut took_effect = false;
    let mut end = None;
    let (sent, all) = (parts.len(), asked.requests);
    for part in parts {
        match part {
            Part::Rows(rows) => {
                took_effect = true;
                refused.extend(rows);
            }
            Part::Whole(answer) => end = Some(answer),
        }
    }
    match end {
        // Earlier requests are in effect: row by row it has to be read what is.
        Some(answer) if took_effect => {
            Answer::Unknown { wait: None, reason: format!("request {sent} of {all}: {}", in_words(&answer)) }
        }
        Some(answer) => answer,
        None => rows_answer(refused, asked.rows),
    }
}

/// How much was to be sent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked<'a> {
    /// Requests.
    pub(super) requests: usize,
    /// Rows.
    pub(super) rows: &'a [FrozenRow],
}

fn rows_answer(refused: Vec<RowRefusal>, rows: &[FrozenRow]) -> Answer {
    match refused.len() {
        0 => Answer::Applied { reference: None },
        some if some == rows.len() => Answer::RowsRefused { rows: refused },
        _ => Answer::Mixed { rows: refused, reference: None },
    }
}

/// An answer to `POST /tillsync/v1/stock`.
pub(super) fn plugin(outcome: &Result<Reply, Unreached>, rows: &[FrozenRow], now: Timestamp) -> Answer {
    if let Ok(reply) = outcome
        && let Some(error) = api_error(reply)
    {
        match error.code.as_str() {
            // It was asked about before it came, and so will never take effect.
            "tillsync_key_closed" => return Answer::KeySpent { message: error.message },
            "tillsync_key_reused" => return Answer::KeyConflict { message: error.message },
            "tillsync_busy" => return Answer::Unavailable { wait: None, reason: error.message },
            "tillsync_unsafe_tables" => {
                let cause = LaneRefusal::Misconfigured;
                return Answer::LaneRefused {
                    cause,
                    detail: format!("{}; convert the tables to InnoDB, or set `plugin = \"off\"`", error.message),
                };
            }
            _ => {}
        }
    }
    let reply = match whole(outcome, now) {
        Ok(reply) => reply,
        Err(answer) => return answer,
    };
    let answered = read::<PluginReply>(&reply.body).filter(|answer| is_json(reply) && answer.rows.len() == rows.len());
    let Some(answered) = answered else {
        return Answer::Unknown { wait: None, reason: said(reply) };
    };
    if answered.stale {
        return Answer::Stale;
    }
    let refused: Vec<RowRefusal> = rows
        .iter()
        .filter_map(|row| {
            let answer = answered.rows.iter().find(|answer| answer.id == row.item)?;
            (answer.status != "applied").then(|| plugin_refusal(row, answer.code.as_deref(), answer.message.as_deref()))
        })
        .collect();
    let is_set = rows.iter().any(|row| matches!(row.write, Write::Set { .. }));
    // Numbers are set together or not at all.
    if is_set && !refused.is_empty() { Answer::Stale } else { rows_answer(refused, rows) }
}

fn plugin_refusal(row: &FrozenRow, code: Option<&str>, message: Option<&str>) -> RowRefusal {
    let code = code.unwrap_or("not_applied");
    let remedy = match code {
        "unknown_product" | "not_managed" | "managed_by_parent" => RowRemedy::LookUpAgain,
        _ => RowRemedy::DeadLetter,
    };
    RowRefusal {
        item: row.item.clone(),
        code: code.to_owned(),
        message: message.unwrap_or_default().to_owned(),
        remedy,
    }
}

/// A read: its JSON, or why there is none.
pub(super) fn read_reply<T: serde::de::DeserializeOwned>(
    outcome: Result<Reply, Unreached>,
    now: Timestamp,
) -> Result<(T, Reply), CallFailure> {
    let reply = outcome.map_err(failure_unreached)?;
    let passing = |reply: &Reply| CallFailure::Passing { wait: retry_after(&reply.headers, now), reason: said(reply) };
    match (status_class(reply.status), api_error(&reply)) {
        (StatusClass::Success, _) => {}
        (StatusClass::Refused(cause), Some(error)) => {
            return Err(CallFailure::LaneRefused { cause, detail: detail(cause, &error) });
        }
        // The question itself is refused: it will be tomorrow too.
        (StatusClass::BadRequest, Some(error)) => {
            let cause = LaneRefusal::Misconfigured;
            return Err(CallFailure::LaneRefused { cause, detail: refusal_detail(cause, &error.message) });
        }
        (StatusClass::Refused(cause), None) if cause != LaneRefusal::Forbidden => {
            return Err(CallFailure::LaneRefused { cause, detail: no_api(cause, &reply) });
        }
        // A page of a firewall; it may pass.
        (StatusClass::Refused(_), None) => return Err(passing(&reply)),
        (
            StatusClass::BadRequest
            | StatusClass::Conflict
            | StatusClass::TooLarge
            | StatusClass::Throttled
            | StatusClass::Unknown,
            _,
        ) => {
            return Err(failure_by_status(&reply, now).unwrap_or_else(|| passing(&reply)));
        }
    }
    match read::<T>(&reply.body).filter(|_| reply.end == BodyEnd::Complete) {
        Some(value) => Ok((value, reply)),
        None => Err(passing(&reply)),
    }
}

/// Whether a reply says that there is no such route.
pub(super) fn is_no_route(outcome: &Result<Reply, Unreached>) -> bool {
    outcome.as_ref().is_ok_and(|reply| api_error(reply).is_some_and(|error| error.code == "rest_no_route"))
}

/// A page for people where an answer of the API was expected: the request never came as far as WooCommerce.
fn no_api(cause: LaneRefusal, reply: &Reply) -> String {
    match reply.status {
        300..=399 => {
            let to = reply.headers.get("location").and_then(|value| value.to_str().ok()).unwrap_or("another address");
            format!("HTTP {}: the shop has moved to {to}; write its address into `url`", reply.status)
        }
        404 => "HTTP 404, and no answer of WordPress: check `url`, and that Settings, Permalinks is not \"Plain\""
            .to_owned(),
        _ => refusal_detail(cause, &said(reply)),
    }
}

/// A refusal in words, with what to do about the usual ones.
fn detail(cause: LaneRefusal, error: &ApiError) -> String {
    let next = match error.code.as_str() {
        "woocommerce_rest_cannot_view"
        | "woocommerce_rest_cannot_edit"
        | "woocommerce_rest_cannot_batch"
        | "rest_forbidden" => {
            "the REST key was not accepted, or its owner may not edit products of others: check the key; if it is right, the web server may be dropping the Authorization header"
        }
        "woocommerce_rest_authentication_error" => {
            "check the consumer key and secret, and that the key's permissions are Read/Write"
        }
        "rest_no_route" => {
            "the site does not offer WooCommerce's REST API v3: is the address right and the plugin active"
        }
        _ => return refusal_detail(cause, &error.message),
    };
    format!("{}: {}; {next}", error.code, error.message)
}

fn in_words(answer: &Answer) -> String {
    match answer {
        Answer::Unknown { reason, .. } | Answer::Unavailable { reason, .. } => reason.clone(),
        Answer::LaneRefused { detail, .. } => detail.clone(),
        Answer::Refused { code, message } => format!("{code}: {message}"),
        Answer::Throttled { .. } => "the shop asks for fewer requests".to_owned(),
        Answer::TooLarge => "the request is too large".to_owned(),
        other => format!("{other:?}"),
    }
}

#[cfg(test)]
mod tests;
