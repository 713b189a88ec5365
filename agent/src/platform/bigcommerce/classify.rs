//! BigCommerce's answers to [`Answer`]: total, so that no reply is left without a meaning.
//!
//! A refused adjustment has no effect as a whole (developer.bigcommerce.com, "Inventory Overview"). The text of a refusal is
//! no contract, except the two that the specification shows: "requires absolute adjustment before relative" and "is tracked
//! by product". So a refused request of several rows is halved until one row is alone; a single change that is refused for
//! any reason but its tracking is read and written as a number, and a single number that is refused is for a person.

use sync_core::model::Timestamp;
use sync_core::outbox::verdict::{Answer, RowRefusal, RowRemedy};

use super::budget::reset;
use super::map::ItemId;
use super::wire::{Adjustment, AdjustmentRow, Problem, Transaction, Write};
use crate::platform::CallFailure;
use crate::platform::transport::status::{
    StatusClass, answer_by_status, answer_unreached, failure_by_status, failure_unreached, said, status_class,
};
use crate::platform::transport::{BodyEnd, Reply, Unreached};

/// What an adjustment came to.
pub(super) fn adjustment(
    outcome: &Result<Reply, Unreached>,
    write: Write,
    sent: &Adjustment,
    now: Timestamp,
) -> Answer {
    let reply = match outcome {
        Ok(reply) => reply,
        Err(failure) => return answer_unreached(failure),
    };
    match answer_by_status(reply, now) {
        Some(Answer::Throttled { wait }) => return Answer::Throttled { wait: reset(&reply.headers).or(wait) },
        Some(answer) => return answer,
        None => {}
    }
    let complete = reply.end == BodyEnd::Complete;
    if status_class(reply.status) == StatusClass::Success {
        return match serde_json::from_slice::<Transaction>(&reply.body) {
            Ok(done) if complete => Answer::Applied { reference: Some(done.transaction_id) },
            Ok(_) | Err(_) => Answer::Unknown { wait: None, reason: said(reply) },
        };
    }
    let problem: Problem = serde_json::from_slice(&reply.body).unwrap_or_default();
    refused(&problem, &said(reply), reply.status, write, &sent.items)
}

/// A request that had no effect.
fn refused(problem: &Problem, said: &str, status: u16, write: Write, rows: &[AdjustmentRow]) -> Answer {
    let message = words(problem).unwrap_or_else(|| said.to_owned());
    let tracked_otherwise: Vec<RowRefusal> =
        if message.contains("is tracked by") { named(&message, rows) } else { Vec::new() };
    if !tracked_otherwise.is_empty() {
        return Answer::RowsRefused { rows: tracked_otherwise };
    }
    let code = format!("http_{status}");
    match (write, rows) {
        (Write::Relative, [_]) => Answer::NeedsAbsolute { reason: message },
        (Write::Relative | Write::Absolute, _) => Answer::Refused { code, message },
    }
}

/// Title and details in one line.
fn words(problem: &Problem) -> Option<String> {
    let title = problem.title.as_ref()?;
    let more = match problem.errors.as_object() {
        Some(errors) if !errors.is_empty() => format!(": {}", problem.errors),
        Some(_) | None => String::new(),
    };
    Some(format!("{title}{more}"))
}

/// Rows that a message names as `variant_id 106` or `product_id 113`.
fn named(message: &str, rows: &[AdjustmentRow]) -> Vec<RowRefusal> {
    let words: Vec<&str> = message.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).collect();
    let says = |field: &str, id: i64| {
        words.windows(2).any(|pair| matches!(pair, [name, number] if *name == field && number.parse() == Ok(id)))
    };
    rows.iter()
        .filter_map(AdjustmentRow::item)
        .filter(|item| match item {
            ItemId::Variant(id) => says("variant_id", *id),
            ItemId::Product(id) => says("product_id", *id),
        })
        .map(|item| RowRefusal {
            item: item.to_string(),
            code: "tracked_otherwise".to_owned(),
            message: message.to_owned(),
            remedy: RowRemedy::LookUpAgain,
        })
        .collect()
}

/// What a price update came to. It may be repeated without harm.
pub(super) fn prices(outcome: &Result<Reply, Unreached>, now: Timestamp) -> Answer {
    let reply = match outcome {
        Ok(reply) => reply,
        Err(failure) => return answer_unreached(failure),
    };
    match answer_by_status(reply, now) {
        Some(Answer::Throttled { wait }) => return Answer::Throttled { wait: reset(&reply.headers).or(wait) },
        Some(answer) => return answer,
        None => {}
    }
    let body: Option<serde_json::Value> =
        (reply.end == BodyEnd::Complete).then(|| serde_json::from_slice(&reply.body).ok()).flatten();
    match (status_class(reply.status), body) {
        (StatusClass::Success, Some(body)) if body.get("data").is_some() => Answer::Applied { reference: None },
        (StatusClass::Success, _) => Answer::Unknown { wait: None, reason: said(reply) },
        (_, _) => Answer::Refused { code: format!("http_{}", reply.status), message: said(reply) },
    }
}

/// The reply to a read, if it is one; a 204 is an empty one.
pub(super) fn read(outcome: Result<Reply, Unreached>, now: Timestamp) -> Result<Option<Reply>, CallFailure> {
    let reply = outcome.map_err(failure_unreached)?;
    match failure_by_status(&reply, now) {
        Some(CallFailure::Passing { wait, reason }) => {
            return Err(CallFailure::Passing {
                wait: reset(&reply.headers).filter(|_| reply.status == 429).or(wait),
                reason,
            });
        }
        Some(failure @ CallFailure::LaneRefused { .. }) => return Err(failure),
        None => {}
    }
    if reply.status == 204 {
        return Ok(None);
    }
    match &reply.end {
        BodyEnd::Complete => Ok(Some(reply)),
        BodyEnd::Cut(_) | BodyEnd::TooLong => Err(CallFailure::Passing { wait: None, reason: said(&reply) }),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use reqwest::header::HeaderMap;
    use sync_core::outbox::verdict::LaneRefusal;

    use super::*;

    const NOW: Timestamp = Timestamp(1_795_428_000_000_000);

    fn rows(count: i64) -> Adjustment {
        let row = |id| AdjustmentRow { location_id: 1, variant_id: Some(id), product_id: None, quantity: -1 };
        Adjustment { reason: String::new(), items: (1..=count).map(row).collect() }
    }

    fn reply(status: u16, body: &str) -> Result<Reply, Unreached> {
        Ok(Reply { status, headers: HeaderMap::new(), body: body.as_bytes().to_vec(), end: BodyEnd::Complete })
    }

    fn problem(title: &str) -> String {
        serde_json::json!({"status": 422, "title": title, "type": "", "errors": {}}).to_string()
    }

    fn check(outcome: Result<Reply, Unreached>, write: Write, sent: &Adjustment, expected: &str) {
        let answer = adjustment(&outcome, write, sent, NOW);
        let word = format!("{answer:?}");
        assert!(word.starts_with(expected), "{word} is not {expected}");
    }

    #[test]
    fn only_a_transaction_is_a_yes() {
        check(
            reply(200, r#"{"transaction_id":"t-1"}"#),
            Write::Relative,
            &rows(2),
            "Applied { reference: Some(\"t-1\")",
        );
        check(reply(200, "{}"), Write::Relative, &rows(2), "Unknown");
        check(reply(200, "<html>"), Write::Relative, &rows(2), "Unknown");
        let cut =
            reply(200, r#"{"transaction_id":"t-1"}"#).map(|reply| Reply { end: BodyEnd::Cut(String::new()), ..reply });
        check(cut, Write::Relative, &rows(1), "Unknown");
        check(Err(Unreached::MaybeSent(String::new())), Write::Relative, &rows(1), "Unknown");
        check(Err(Unreached::NotSent(String::new())), Write::Relative, &rows(1), "Unavailable");
        check(reply(503, ""), Write::Relative, &rows(1), "Unknown");
    }

    #[test]
    fn a_change_alone_that_is_refused_becomes_a_number_and_several_are_halved() {
        let virgin = problem("Items with identity: [sku A] requires absolute adjustment before relative");
        check(reply(422, &virgin), Write::Relative, &rows(1), "NeedsAbsolute");
        check(reply(422, &virgin), Write::Relative, &rows(2), "Refused");
        check(reply(422, &problem("Insufficient stock")), Write::Relative, &rows(1), "NeedsAbsolute");
        check(reply(422, &problem("Insufficient stock")), Write::Absolute, &rows(1), "Refused");
    }

    #[test]
    fn a_row_that_is_tracked_otherwise_is_looked_up_again() {
        let title = "[Item with variant_id 2 is tracked by product, please update stock by product id]";
        let answer = adjustment(&reply(422, &problem(title)), Write::Relative, &rows(12), NOW);
        let Answer::RowsRefused { rows } = answer else { panic!("{answer:?}") };
        assert_eq!(rows.iter().map(|row| row.item.as_str()).collect::<Vec<_>>(), ["v2"]);
        assert_eq!(rows[0].remedy, RowRemedy::LookUpAgain);
    }

    #[test]
    fn a_429_waits_as_long_as_its_window() {
        let mut full = reply(429, "").unwrap();
        full.headers.insert("x-rate-limit-time-reset-ms", "15000".parse().unwrap());
        let answer = adjustment(&Ok(full), Write::Relative, &rows(1), NOW);
        assert_eq!(answer, Answer::Throttled { wait: Some(Duration::from_secs(15)) });
        let overloaded = adjustment(&reply(429, ""), Write::Relative, &rows(1), NOW);
        assert_eq!(overloaded, Answer::Throttled { wait: None });
    }

    #[test]
    fn a_missing_right_stops_the_lane() {
        let answer = adjustment(&reply(403, "scope"), Write::Relative, &rows(1), NOW);
        assert!(matches!(answer, Answer::LaneRefused { cause: LaneRefusal::Forbidden, .. }));
    }

    #[test]
    fn a_price_that_is_refused_is_set_apart() {
        assert_eq!(prices(&reply(200, r#"{"data":[]}"#), NOW), Answer::Applied { reference: None });
        assert!(matches!(prices(&reply(200, "<html>"), NOW), Answer::Unknown { .. }));
        assert!(matches!(prices(&reply(422, "{}"), NOW), Answer::Refused { .. }));
    }
}
