//! The platform's answers to [`Answer`]: total, so that no reply is left without a meaning.
//!
//! Sources: the OpenAPI 2.4.9 (`error-response`), the validators of `Magento_Inventory`, the input limits of
//! developer.adobe.com/commerce/webapi/get-started/api-security. A list of source items is taken whole or not at all; prices are
//! taken one by one, and those that were not come back as a list.

use sync_core::model::Timestamp;
use sync_core::outbox::verdict::{Answer, LaneRefusal, RowRefusal, RowRemedy};

use super::wire::{Frozen, PriceRefusal, Refusal};
use crate::platform::CallFailure;
use crate::platform::transport::retry_after::retry_after;
use crate::platform::transport::status::{
    StatusClass, answer_by_status, answer_unreached, failure_by_status, failure_unreached, refusal_detail, said,
    status_class,
};
use crate::platform::transport::{BodyEnd, Reply, Unreached};

/// What a write was about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wrote {
    /// Source items.
    Numbers,
    /// Base prices.
    Prices,
}

/// What a write came to.
pub(super) fn classify(outcome: &Result<Reply, Unreached>, wrote: Wrote, frozen: &[u8], now: Timestamp) -> Answer {
    let reply = match outcome {
        Ok(reply) => reply,
        Err(failure) => return answer_unreached(failure),
    };
    let unknown = || Answer::Unknown { wait: retry_after(&reply.headers, now), reason: said(reply) };
    let whole = reply.end == BodyEnd::Complete;
    match status_class(reply.status) {
        StatusClass::Success if !whole => unknown(),
        StatusClass::Success => match wrote {
            Wrote::Numbers => match serde_json::from_slice::<Vec<serde_json::Value>>(&reply.body) {
                Ok(_) => Answer::Applied { reference: None },
                Err(_) => unknown(),
            },
            Wrote::Prices => by_prices(reply, frozen).unwrap_or_else(unknown),
        },
        StatusClass::BadRequest => by_refusal(reply, now),
        // Two writes met in its database: this one was rolled back.
        StatusClass::Conflict => unavailable(reply, now),
        StatusClass::TooLarge | StatusClass::Throttled | StatusClass::Refused(_) | StatusClass::Unknown => {
            answer_by_status(reply, now).unwrap_or_else(unknown)
        }
    }
}

fn unavailable(reply: &Reply, now: Timestamp) -> Answer {
    Answer::Unavailable { wait: retry_after(&reply.headers, now), reason: said(reply) }
}

fn by_refusal(reply: &Reply, now: Timestamp) -> Answer {
    let refusal: Refusal = serde_json::from_slice(&reply.body).unwrap_or_default();
    let message = refusal.message.as_str();
    if message.starts_with("Maximum items of type") {
        return Answer::TooLarge;
    }
    // A lock or a lost connection of its database: the transaction was rolled back.
    if message.starts_with("Could not save") {
        return unavailable(reply, now);
    }
    let words = in_words(&refusal);
    if refusal.errors.iter().any(|error| error.message.starts_with("Source with code")) {
        let cause = LaneRefusal::Misconfigured;
        return Answer::LaneRefused { cause, detail: refusal_detail(cause, &words) };
    }
    let message = if words.is_empty() { said(reply) } else { words };
    Answer::Refused { code: format!("http_{}", reply.status), message }
}

/// The first few messages with their parameters in place.
fn in_words(refusal: &Refusal) -> String {
    const SHOWN_MAX: usize = 3;
    let mut words = filled(&refusal.message, refusal.parameters.as_ref());
    for error in refusal.errors.iter().take(SHOWN_MAX) {
        words.push_str("; ");
        words.push_str(&filled(&error.message, error.parameters.as_ref()));
    }
    words
}

/// `%name` and `%1` replaced by what stands for them.
fn filled(message: &str, parameters: Option<&serde_json::Value>) -> String {
    let mut text = message.to_owned();
    let word = |value: &serde_json::Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    match parameters {
        Some(serde_json::Value::Object(named)) => {
            for (name, value) in named {
                text = text.replace(&format!("%{name}"), &word(value));
            }
        }
        Some(serde_json::Value::Array(listed)) => {
            for (index, value) in listed.iter().enumerate() {
                text = text.replace(&format!("%{}", index.saturating_add(1)), &word(value));
            }
        }
        Some(_) | None => {}
    }
    text
}

/// `None`: the reply makes no sense.
fn by_prices(reply: &Reply, frozen: &[u8]) -> Option<Answer> {
    let refused: Vec<PriceRefusal> = serde_json::from_slice(&reply.body).ok()?;
    if refused.is_empty() {
        return Some(Answer::Applied { reference: None });
    }
    let sent = serde_json::from_slice::<Frozen>(frozen).map(|frozen| frozen.rows).unwrap_or_default();
    let mut rows = Vec::new();
    for refusal in &refused {
        let words = filled(&refusal.message, Some(&refusal.parameters));
        // The article stands among the parameters, under no name that could be relied on.
        let named = sent.iter().find(|row| mentions(&refusal.parameters, &row.sku));
        let Some(row) = named else {
            return Some(Answer::Refused { code: "price".to_owned(), message: words });
        };
        let gone = refusal.message.contains("does not exist") || refusal.message.contains("doesn't exist");
        rows.push(RowRefusal {
            item: row.sku.clone(),
            code: "price".to_owned(),
            message: words,
            remedy: if gone { RowRemedy::LookUpAgain } else { RowRemedy::DeadLetter },
        });
    }
    Some(Answer::Mixed { rows, reference: None })
}

fn mentions(parameters: &serde_json::Value, sku: &str) -> bool {
    let listed = parameters.as_array().into_iter().flatten();
    let named = parameters.as_object().into_iter().flat_map(|named| named.values());
    listed.chain(named).any(|value| value == sku)
}

/// A read, or why there is none.
pub(super) fn read<T: serde::de::DeserializeOwned>(
    outcome: Result<Reply, Unreached>,
    now: Timestamp,
) -> Result<T, CallFailure> {
    let reply = outcome.map_err(failure_unreached)?;
    if let Some(failure) = failure_by_status(&reply, now) {
        return Err(failure);
    }
    let passing = |reason| CallFailure::Passing { wait: retry_after(&reply.headers, now), reason };
    if reply.end != BodyEnd::Complete {
        return Err(passing(said(&reply)));
    }
    serde_json::from_slice(&reply.body).map_err(|error| {
        let reason = format!("the reply is not as asked for: {error}: {}", said(&reply));
        passing(reason)
    })
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderMap;

    use super::*;

    const FROZEN: &[u8] = br#"{"prices":[{"price":1,"store_id":0,"sku":"A"},{"price":2,"store_id":0,"sku":"B"}]}"#;

    fn reply(status: u16, body: &str) -> Result<Reply, Unreached> {
        Ok(Reply { status, headers: HeaderMap::new(), body: body.as_bytes().to_vec(), end: BodyEnd::Complete })
    }

    fn numbers(status: u16, body: &str) -> Answer {
        classify(&reply(status, body), Wrote::Numbers, b"{}", Timestamp(0))
    }

    #[test]
    fn every_answer_to_a_write_of_numbers_has_its_meaning() {
        assert_eq!(numbers(200, "[]"), Answer::Applied { reference: None });
        assert!(matches!(numbers(200, "<html>"), Answer::Unknown { .. }));
        let limit = r#"{"message":"Maximum items of type \"%type\" is %max","parameters":{"max":20,"type":"x"}}"#;
        assert_eq!(numbers(400, limit), Answer::TooLarge);
        assert!(matches!(numbers(400, r#"{"message":"Could not save Source Item"}"#), Answer::Unavailable { .. }));
        let source = r#"{"message":"Validation Failed","errors":[{"message":"Source with code \"%sourceCode\" doesn't exist.","parameters":{"sourceCode":"nowhere"}}]}"#;
        let Answer::LaneRefused { cause: LaneRefusal::Misconfigured, detail } = numbers(400, source) else { panic!() };
        assert!(detail.contains("nowhere"), "{detail}");
        let other = r#"{"message":"Validation Failed","errors":[{"message":"\"%field\" should be numeric","parameters":{"field":"quantity"}}]}"#;
        let Answer::Refused { message, .. } = numbers(400, other) else { panic!() };
        assert_eq!(message, "Validation Failed; \"quantity\" should be numeric");
        assert!(matches!(numbers(401, "{}"), Answer::LaneRefused { cause: LaneRefusal::Unauthorised, .. }));
        assert!(matches!(numbers(404, "{}"), Answer::LaneRefused { cause: LaneRefusal::Misconfigured, .. }));
        assert!(matches!(numbers(429, "{}"), Answer::Throttled { .. }));
        for status in [500, 502, 503, 504] {
            assert!(matches!(numbers(status, "<html>maintenance</html>"), Answer::Unknown { .. }), "{status}");
        }
        let cut = Err(Unreached::MaybeSent("cut".to_owned()));
        assert!(matches!(classify(&cut, Wrote::Numbers, b"", Timestamp(0)), Answer::Unknown { .. }));
    }

    #[test]
    fn prices_that_were_not_taken_are_named_one_by_one() {
        let answer = |body: &str| classify(&reply(200, body), Wrote::Prices, FROZEN, Timestamp(0));
        assert_eq!(answer("[]"), Answer::Applied { reference: None });
        let body = r#"[{"message":"The product with SKU = %2 does not exist.","parameters":["2","B","0"]}]"#;
        let Answer::Mixed { rows, .. } = answer(body) else { panic!() };
        assert_eq!((rows[0].item.as_str(), rows[0].remedy), ("B", RowRemedy::LookUpAgain));
        assert_eq!(rows[0].message, "The product with SKU = B does not exist.");
        assert!(matches!(answer(r#"[{"message":"no","parameters":["C"]}]"#), Answer::Refused { .. }));
        assert!(matches!(answer("{}"), Answer::Unknown { .. }));
    }
}
