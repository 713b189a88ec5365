//! A token that does not expire by itself, sent in a header with every request and read again when it was refused.

use reqwest::RequestBuilder;
use reqwest::header::HeaderValue;
use sync_core::outbox::verdict::LaneRefusal;

use crate::platform::CallFailure;
use crate::secret::{HeldSecret, Secret, SecretError, SecretRef};

/// The token and the header that carries it.
pub(crate) struct HeaderToken {
    held: HeldSecret,
    header: &'static str,
    scheme: &'static str,
}

impl HeaderToken {
    /// Reads nothing yet. `scheme` stands before the token, as `Bearer `.
    pub(crate) fn new(source: SecretRef, header: &'static str, scheme: &'static str) -> Self {
        Self { held: HeldSecret::new(source), header, scheme }
    }

    /// The token to send.
    pub(crate) fn token(&self) -> Result<Secret, CallFailure> {
        self.held.value().map_err(unreadable)
    }

    /// Another token in place of a refused one; `None` if it is still the same.
    pub(crate) fn renew(&self, refused: &Secret) -> Result<Option<Secret>, CallFailure> {
        self.held.value_after_refusal(refused).map_err(unreadable)
    }

    /// The request with the token in its header.
    pub(crate) fn sign(&self, request: RequestBuilder, token: &Secret) -> Result<RequestBuilder, CallFailure> {
        let text = format!("{}{}", self.scheme, token.expose());
        let mut value = HeaderValue::from_str(&text).map_err(|_| CallFailure::LaneRefused {
            cause: LaneRefusal::Misconfigured,
            detail: "the access token contains characters that no header can carry; write it into its file again"
                .to_owned(),
        })?;
        value.set_sensitive(true);
        Ok(request.header(self.header, value))
    }
}

fn unreadable(error: SecretError) -> CallFailure {
    use std::error::Error as _;
    let cause = error.source().map(|source| format!(": {source}")).unwrap_or_default();
    CallFailure::LaneRefused { cause: LaneRefusal::Misconfigured, detail: format!("{error}{cause}; {}", error.hint()) }
}
