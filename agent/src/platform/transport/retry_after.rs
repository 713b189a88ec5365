//! The `Retry-After` header (RFC 9110, section 10.2.3): seconds, or a date.

use std::time::Duration;

use jiff::fmt::rfc2822::DateTimeParser;
use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};
use sync_core::model::Timestamp;

/// How long the server asks to wait. A date is compared with the server's own `Date` where it has one, so
/// that a store PC with a wrong clock still waits as asked.
#[must_use]
pub fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Some(wait) = seconds(text) {
        return Some(wait);
    }
    let until = http_date(text)?;
    Some(until.since(date(headers).unwrap_or(now)))
}

/// What time it is at the server, in whole seconds.
#[must_use]
pub fn date(headers: &HeaderMap) -> Option<Timestamp> {
    http_date(headers.get(DATE)?.to_str().ok()?)
}

/// Whole or decimal seconds: Shopify sends `2.0`.
fn seconds(text: &str) -> Option<Duration> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(fraction) {
        return None;
    }
    let seconds: u64 = whole.parse().unwrap_or(u64::MAX);
    let rounded_up = u64::from(fraction.bytes().any(|b| b != b'0'));
    Some(Duration::from_secs(seconds.saturating_add(rounded_up)))
}

fn http_date(text: &str) -> Option<Timestamp> {
    let date = DateTimeParser::new().parse_timestamp(text).ok()?;
    Some(Timestamp(date.as_microsecond()))
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    // 2026-11-23T10:00:00Z
    const NOW: Timestamp = Timestamp(1_795_428_000_000_000);

    #[test]
    fn seconds_are_taken_as_they_are() {
        check("7", None, Some(7));
        check("2.0", None, Some(2));
        check("1.5", None, Some(2));
        check("0", None, Some(0));
        check("99999999999999999999999", None, Some(u64::MAX));
    }

    #[test]
    fn a_date_is_a_distance_from_the_servers_clock() {
        check("Mon, 23 Nov 2026 10:01:30 GMT", None, Some(90));
        check("Mon, 23 Nov 2026 10:01:30 GMT", Some("Mon, 23 Nov 2026 10:01:00 GMT"), Some(30));
        check("Mon, 23 Nov 2026 09:00:00 GMT", None, Some(0));
    }

    #[test]
    fn anything_else_asks_for_nothing() {
        for text in ["", "soon", "-5", "1.x", "."] {
            check(text, None, None);
        }
    }

    fn check(text: &str, date: Option<&str>, expected: Option<u64>) {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, HeaderValue::from_str(text).unwrap());
        if let Some(date) = date {
            headers.insert(DATE, HeaderValue::from_str(date).unwrap());
        }
        assert_eq!(retry_after(&headers, NOW), expected.map(Duration::from_secs), "{text}");
    }
}
