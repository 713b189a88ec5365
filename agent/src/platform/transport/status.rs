//! What an HTTP status says by itself, the same for every platform.

use sync_core::model::Timestamp;
use sync_core::outbox::verdict::{Answer, LaneRefusal};

use super::retry_after::retry_after;
use super::{BodyEnd, Reply, Unreached, excerpt};
use crate::platform::CallFailure;

/// Our meaning of a status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatusClass {
    /// 2xx.
    Success,
    /// 409: another request with the key, or on the thing, is at work.
    Conflict,
    /// 413.
    TooLarge,
    /// 429, and Shopify's 430.
    Throttled,
    /// The lane is refused.
    Refused(LaneRefusal),
    /// Other 4xx: the platform will not take this request.
    BadRequest,
    /// 1xx, 408, 425, 5xx and whatever is not a status: it may or may not have taken effect.
    Unknown,
}

/// Classes every possible status.
#[must_use]
pub const fn status_class(status: u16) -> StatusClass {
    match status {
        200..=299 => StatusClass::Success,
        409 => StatusClass::Conflict,
        413 => StatusClass::TooLarge,
        429 | 430 => StatusClass::Throttled,
        401 => StatusClass::Refused(LaneRefusal::Unauthorised),
        403 => StatusClass::Refused(LaneRefusal::Forbidden),
        402 | 423 => StatusClass::Refused(LaneRefusal::ShopClosed),
        // A moved or wrong address, a path that takes no POST, a proxy that wants a login.
        300..=399 | 404 | 405 | 407 | 410 => StatusClass::Refused(LaneRefusal::Misconfigured),
        408 | 425 => StatusClass::Unknown,
        400..=499 => StatusClass::BadRequest,
        _ => StatusClass::Unknown,
    }
}

/// What to do about a refusal of the lane, for the status page.
#[must_use]
pub const fn next_step(cause: LaneRefusal) -> &'static str {
    match cause {
        LaneRefusal::Unauthorised => "check the token or secret; a new one is picked up by itself",
        LaneRefusal::Forbidden => "check the app's permissions",
        LaneRefusal::ShopClosed => "the shop is closed, frozen or its plan does not allow this; check its admin",
        LaneRefusal::Misconfigured => "check the address and the location in the configuration",
    }
}

/// A refusal of the lane in words, with the start of what the platform said.
#[must_use]
pub fn refusal_detail(cause: LaneRefusal, said: &str) -> String {
    format!("{said}; {}", next_step(cause))
}

/// The answer to a write if the status alone decides it; `None` for success and for statuses whose body counts.
#[must_use]
pub fn answer_by_status(reply: &Reply, now: Timestamp) -> Option<Answer> {
    let wait = retry_after(&reply.headers, now);
    Some(match status_class(reply.status) {
        StatusClass::Success | StatusClass::BadRequest => return None,
        StatusClass::Conflict => Answer::InProgress,
        StatusClass::TooLarge => Answer::TooLarge,
        StatusClass::Throttled => Answer::Throttled { wait },
        StatusClass::Refused(cause) => Answer::LaneRefused { cause, detail: refusal_detail(cause, &said(reply)) },
        StatusClass::Unknown => Answer::Unknown { wait, reason: said(reply) },
    })
}

/// The failure of a read if the status alone decides it; `None` for success.
#[must_use]
pub fn failure_by_status(reply: &Reply, now: Timestamp) -> Option<CallFailure> {
    match status_class(reply.status) {
        StatusClass::Success => None,
        StatusClass::Refused(cause) => {
            Some(CallFailure::LaneRefused { cause, detail: refusal_detail(cause, &said(reply)) })
        }
        StatusClass::Conflict
        | StatusClass::TooLarge
        | StatusClass::Throttled
        | StatusClass::BadRequest
        | StatusClass::Unknown => {
            Some(CallFailure::Passing { wait: retry_after(&reply.headers, now), reason: said(reply) })
        }
    }
}

/// The answer to a write that got no reply.
#[must_use]
pub fn answer_unreached(failure: &Unreached) -> Answer {
    match failure {
        Unreached::NotSent(reason) => Answer::Unavailable { wait: None, reason: reason.clone() },
        Unreached::MaybeSent(reason) => Answer::Unknown { wait: None, reason: reason.clone() },
    }
}

/// The failure of a read that got no reply.
#[must_use]
pub fn failure_unreached(failure: Unreached) -> CallFailure {
    let (Unreached::NotSent(reason) | Unreached::MaybeSent(reason)) = failure;
    CallFailure::Passing { wait: None, reason }
}

/// The answer to a write whose request was never made because a call before it failed.
#[must_use]
pub fn answer_not_made(failure: CallFailure) -> Answer {
    match failure {
        CallFailure::Passing { wait, reason } => Answer::Unavailable { wait, reason },
        CallFailure::LaneRefused { cause, detail } => Answer::LaneRefused { cause, detail },
    }
}

/// `HTTP 503: <start of the body>`.
#[must_use]
pub fn said(reply: &Reply) -> String {
    let body = excerpt(&reply.body);
    let end = match &reply.end {
        BodyEnd::Complete | BodyEnd::TooLong => String::new(),
        BodyEnd::Cut(reason) => format!(" (reply cut: {reason})"),
    };
    if body.is_empty() { format!("HTTP {}{end}", reply.status) } else { format!("HTTP {}: {body}{end}", reply.status) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_has_a_class() {
        use StatusClass as C;
        for (status, expected) in [
            (100, C::Unknown),
            (200, C::Success),
            (204, C::Success),
            (301, C::Refused(LaneRefusal::Misconfigured)),
            (400, C::BadRequest),
            (401, C::Refused(LaneRefusal::Unauthorised)),
            (402, C::Refused(LaneRefusal::ShopClosed)),
            (403, C::Refused(LaneRefusal::Forbidden)),
            (404, C::Refused(LaneRefusal::Misconfigured)),
            (407, C::Refused(LaneRefusal::Misconfigured)),
            (408, C::Unknown),
            (409, C::Conflict),
            (410, C::Refused(LaneRefusal::Misconfigured)),
            (413, C::TooLarge),
            (422, C::BadRequest),
            (423, C::Refused(LaneRefusal::ShopClosed)),
            (425, C::Unknown),
            (429, C::Throttled),
            (430, C::Throttled),
            (500, C::Unknown),
            (503, C::Unknown),
            (599, C::Unknown),
            (999, C::Unknown),
        ] {
            assert_eq!(status_class(status), expected, "{status}");
        }
    }
}
