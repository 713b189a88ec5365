//! What is answered to those who post: a status, a small JSON body, and when to come again.

use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode, header};
use pos_adapters::pushed::{Refused, Told};
use serde::Serialize;

/// Seconds after which a sender may come again.
const RETRY_AFTER_S: u64 = 2;

/// An answer before it is written.
#[derive(Debug)]
pub(super) struct Answer {
    status: u16,
    body: String,
    retry_after_s: Option<u64>,
    close: bool,
}

/// What a stored request held.
#[derive(Debug)]
pub(super) struct Receipt {
    pub(super) transactions: usize,
    pub(super) quarantined: usize,
    pub(super) reasons: Vec<String>,
    pub(super) says_quarantined: bool,
}

#[derive(Serialize)]
struct StoredBody<'a> {
    stored: usize,
    repeated: bool,
    quarantined: usize,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    reasons: &'a [String],
}

#[derive(Serialize)]
struct ErrorBody<'a> {
    error: &'a str,
}

impl Answer {
    fn error(status: u16, message: &str) -> Self {
        let body = serde_json::to_string(&ErrorBody { error: message }).unwrap_or_default();
        Self { status, body, retry_after_s: None, close: false }
    }

    /// An error after which the rest of the connection is not read.
    pub(super) fn closing(status: u16, message: &str) -> Self {
        Self { close: true, ..Self::error(status, message) }
    }

    /// Nothing is certain: the same request may come again.
    pub(super) fn busy() -> Self {
        let message = "not stored yet: send the same request again";
        Self { retry_after_s: Some(RETRY_AFTER_S), ..Self::error(503, message) }
    }

    pub(super) fn refused(refused: &Refused) -> Self {
        let wait = match refused {
            Refused::Throttled(wait) => Some(wait.as_secs().saturating_add(1)),
            Refused::Unusable(_) => Some(RETRY_AFTER_S),
            Refused::Unauthorised
            | Refused::Stale
            | Refused::OutOfScope(_)
            | Refused::TooLarge
            | Refused::Contradiction(_) => None,
        };
        Self { retry_after_s: wait, ..Self::error(refused.status(), &refused.message()) }
    }

    /// After the commit.
    pub(super) fn told(told: Told, receipt: &Receipt) -> Self {
        let Told::Stored { repeated } = told else {
            return Self::error(422, "this id was used before, for another body: give each request its own");
        };
        let body = StoredBody {
            stored: receipt.transactions,
            repeated,
            quarantined: receipt.quarantined,
            reasons: &receipt.reasons,
        };
        let accepted = receipt.quarantined > 0 && receipt.says_quarantined;
        let body = serde_json::to_string(&body).unwrap_or_default();
        Self { status: if accepted { 202 } else { 200 }, body, retry_after_s: None, close: false }
    }
}

impl From<Answer> for Response<Body> {
    fn from(answer: Answer) -> Self {
        let mut response = Self::new(Body::from(answer.body));
        *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(seconds) = answer.retry_after_s {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if answer.close {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}
