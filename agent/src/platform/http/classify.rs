//! A receiver's answers to [`Answer`]. The status decides; only a refusal's body is read.

use std::collections::BTreeMap;

use sync_core::model::Timestamp;
use sync_core::outbox::verdict::{Answer, RowRefusal, RowRemedy};

use super::wire::{FrozenBody, Refusals};
use crate::platform::transport::status::{StatusClass, answer_by_status, answer_unreached, said, status_class};
use crate::platform::transport::{EXCERPT_CHARS_MAX, Reply, Unreached};

/// What a post came to.
pub(super) fn classify(outcome: &Result<Reply, Unreached>, frozen: &[u8], now: Timestamp) -> Answer {
    let reply = match outcome {
        Ok(reply) => reply,
        Err(failure) => return answer_unreached(failure),
    };
    if let Some(answer) = answer_by_status(reply, now) {
        return answer;
    }
    // The receiver has said yes with its status line, however the rest of its reply fares.
    if matches!(status_class(reply.status), StatusClass::Success) {
        return Answer::Applied { reference: None };
    }
    let rows = rows(reply, frozen);
    if rows.is_empty() {
        return Answer::Refused { code: format!("http_{}", reply.status), message: said(reply) };
    }
    Answer::RowsRefused { rows }
}

/// Refused changes that are in the batch, one per SKU.
fn rows(reply: &Reply, frozen: &[u8]) -> Vec<RowRefusal> {
    let (Ok(refusals), Ok(body)) =
        (serde_json::from_slice::<Refusals>(&reply.body), serde_json::from_slice::<FrozenBody<'_>>(frozen))
    else {
        return Vec::new();
    };
    let skus: BTreeMap<&str, &str> = body.changes.iter().map(|change| (&*change.id, &*change.sku)).collect();
    let mut rows: BTreeMap<&str, RowRefusal> = BTreeMap::new();
    for refusal in refusals.refused {
        let Some(sku) = skus.get(refusal.id.as_str()) else {
            continue;
        };
        rows.entry(sku).or_insert_with(|| RowRefusal {
            item: (*sku).to_owned(),
            code: short(refusal.code.unwrap_or_else(|| format!("http_{}", reply.status))),
            message: short(refusal.message.unwrap_or_default()),
            remedy: RowRemedy::DeadLetter,
        });
    }
    rows.into_values().collect()
}

fn short(text: String) -> String {
    text.chars().filter(|c| !c.is_control()).take(EXCERPT_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use reqwest::header::{HeaderMap, HeaderValue};
    use sync_core::outbox::verdict::LaneRefusal;

    use super::*;
    use crate::platform::transport::BodyEnd;

    const FROZEN: &str = r#"{"batch":"k","store":"s","changes":[
        {"id":"1","sku":"A","delta":"-1"},{"id":"2","sku":"B\"2","delta":"-1"},{"id":"3","sku":"A","delta":"1"}]}"#;

    #[test]
    fn a_status_is_enough_except_for_refusals() {
        assert_eq!(check(200, "whatever"), Answer::Applied { reference: None });
        assert_eq!(check(204, ""), Answer::Applied { reference: None });
        assert_eq!(check(409, ""), Answer::InProgress);
        assert_eq!(check(413, ""), Answer::TooLarge);
        assert_eq!(check(429, ""), Answer::Throttled { wait: Some(Duration::from_secs(3)) });
        for (status, cause) in [
            (401, LaneRefusal::Unauthorised),
            (403, LaneRefusal::Forbidden),
            (402, LaneRefusal::ShopClosed),
            (404, LaneRefusal::Misconfigured),
            (302, LaneRefusal::Misconfigured),
        ] {
            assert!(matches!(check(status, ""), Answer::LaneRefused { cause: c, .. } if c == cause), "{status}");
        }
        for status in [408, 500, 502, 503, 504] {
            let wait = Some(Duration::from_secs(3));
            assert!(matches!(check(status, "<html>"), Answer::Unknown { wait: w, .. } if w == wait), "{status}");
        }
    }

    #[test]
    fn a_yes_whose_body_is_cut_is_a_yes() {
        let reply = Reply { end: BodyEnd::Cut("reset".to_owned()), ..reply(202, "{") };
        assert_eq!(classify(&Ok(reply), FROZEN.as_bytes(), Timestamp(0)), Answer::Applied { reference: None });
    }

    #[test]
    fn refused_changes_are_named_by_their_sku_once() {
        let body = r#"{"refused":[{"id":"2","code":"unknown_sku","message":"no such article"},{"id":"1"},{"id":"3"},{"id":"99"}]}"#;
        let row = |item: &str, code: &str, message: &str| RowRefusal {
            item: item.to_owned(),
            code: code.to_owned(),
            message: message.to_owned(),
            remedy: RowRemedy::DeadLetter,
        };
        let rows = vec![row("A", "http_422", ""), row("B\"2", "unknown_sku", "no such article")];
        assert_eq!(check(422, body), Answer::RowsRefused { rows });
    }

    #[test]
    fn a_refusal_without_a_usable_list_is_of_the_whole() {
        for body in ["", "no", r#"{"refused":[]}"#, r#"{"refused":[{"id":"99"}]}"#, r#"{"error":"x"}"#] {
            assert!(matches!(check(400, body), Answer::Refused { code, .. } if code == "http_400"), "{body}");
        }
    }

    #[test]
    fn without_a_reply_it_matters_whether_anything_was_sent() {
        let not_sent = Err(Unreached::NotSent("refused".to_owned()));
        assert!(matches!(classify(&not_sent, b"", Timestamp(0)), Answer::Unavailable { .. }));
        let maybe = Err(Unreached::MaybeSent("time-out".to_owned()));
        assert!(matches!(classify(&maybe, b"", Timestamp(0)), Answer::Unknown { .. }));
    }

    fn reply(status: u16, body: &str) -> Reply {
        let mut headers = HeaderMap::new();
        headers.insert("retry-after", HeaderValue::from_static("3"));
        Reply { status, headers, body: body.as_bytes().to_vec(), end: BodyEnd::Complete }
    }

    fn check(status: u16, body: &str) -> Answer {
        classify(&Ok(reply(status, body)), FROZEN.as_bytes(), Timestamp(0))
    }
}
