//! The open door: changes as JSON to any middleware, signed and idempotent.
//!
//! The receiver's side of the contract is `docs/platforms/http.md`. The body is frozen with its batch; only the
//! signature's time differs between attempts. Nothing is looked up, read back or set absolutely, and the body of
//! a good reply is not read for meaning.

mod classify;
mod client;
mod map;
mod signature;
mod wire;

use std::time::Duration;

pub use client::Http;
use sync_core::model::StoreId;

use crate::secret::SecretRef;

/// Changes of one request unless configured.
pub const CHANGES_MAX: usize = 1000;

/// The value of a header of every request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HeaderText {
    /// As written.
    Plain(String),
    /// Read when needed.
    Secret(SecretRef),
}

impl HeaderText {
    /// A secret reference if it reads as one, else the text itself.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        SecretRef::parse(text).map_or_else(|_| Self::Plain(text.to_owned()), Self::Secret)
    }
}

/// What the body of a request holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Contents {
    /// Signed changes of stock, for a middleware.
    #[default]
    Changes,
    /// Whole tickets, for the ledger of another Tillsync. Never merged, one request at a time.
    Transactions,
}

/// One receiver, every value checked.
#[derive(Clone)]
pub struct HttpSettings {
    /// Where batches are posted.
    pub url: url::Url,
    /// Named in every body.
    pub store: StoreId,
    /// Signs every request: one or more `whsec_<base64>`, separated by white space during a rotation.
    pub secret: Option<SecretRef>,
    /// Waiting changes of one SKU become one; otherwise one change a line.
    pub merge: bool,
    /// What the body holds.
    pub contents: Contents,
    /// Most changes of one request.
    pub changes_max: usize,
    /// Most requests in flight.
    pub in_flight_max: usize,
    /// Whole request, reply included.
    pub request_timeout: Duration,
    /// Sent with every request, e.g. `authorization`.
    pub headers: Vec<(String, HeaderText)>,
}

impl HttpSettings {
    /// The usual settings for one receiver.
    #[must_use]
    pub fn new(url: url::Url, store: StoreId) -> Self {
        Self {
            url,
            store,
            secret: None,
            merge: true,
            contents: Contents::Changes,
            changes_max: CHANGES_MAX,
            in_flight_max: 4,
            request_timeout: Duration::from_secs(30),
            headers: Vec::new(),
        }
    }
}

/// An address may carry a login or a key, and a header a token: neither is shown.
impl std::fmt::Debug for HttpSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<&str> = self.headers.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("HttpSettings")
            .field("url", &shown(&self.url))
            .field("store", &self.store)
            .field("secret", &self.secret)
            .field("merge", &self.merge)
            .field("changes_max", &self.changes_max)
            .field("in_flight_max", &self.in_flight_max)
            .field("headers", &names)
            .finish_non_exhaustive()
    }
}

/// The address without login and query.
pub(crate) fn shown(url: &url::Url) -> String {
    format!("{}{}", url.origin().ascii_serialization(), url.path())
}
