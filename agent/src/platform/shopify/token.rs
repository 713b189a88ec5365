//! The access token: read or fetched when needed, kept until shortly before it expires, fetched by one caller
//! at a time, and dropped when the shop refuses it.

use std::time::Duration;

use reqwest::header::HeaderValue;
use sync_core::model::Timestamp;
use sync_core::outbox::verdict::LaneRefusal;
use tokio::sync::Mutex;

use super::Auth;
use super::wire::TokenGrant;
use crate::platform::CallFailure;
use crate::platform::transport::status::{failure_by_status, failure_unreached, refusal_detail, said};
use crate::platform::transport::{BodyEnd, HttpClient, WallClock};
use crate::secret::{HeldSecret, Secret, SecretError, SecretRef};

/// A token is not used in the last minutes of its life, so that no request is under way when it ends.
const EXPIRY_MARGIN: Duration = Duration::from_mins(5);
const TOKEN_REPLY_BYTES_MAX: usize = 64 * 1024;

pub(super) struct Tokens {
    kind: Kind,
}

enum Kind {
    Static(HeldSecret),
    Granted { grant: Grant, held: Mutex<Option<Granted>> },
}

struct Grant {
    http: HttpClient,
    url: url::Url,
    client_id: String,
    client_secret: SecretRef,
    clock: WallClock,
}

struct Granted {
    token: Secret,
    use_from: Timestamp,
    use_for: Duration,
}

/// Whether another token is to be had after one was refused.
pub(super) enum Renewal {
    Fresh(Secret),
    /// The same one is still all there is.
    Same,
}

impl Tokens {
    pub(super) fn new(auth: Auth, url: url::Url, http: HttpClient, clock: WallClock) -> Self {
        let kind = match auth {
            Auth::StaticToken(source) => Kind::Static(HeldSecret::new(source)),
            Auth::ClientCredentials { client_id, client_secret } => {
                Kind::Granted { grant: Grant { http, url, client_id, client_secret, clock }, held: Mutex::new(None) }
            }
        };
        Self { kind }
    }

    /// The token to send.
    pub(super) async fn token(&self) -> Result<Secret, CallFailure> {
        match &self.kind {
            Kind::Static(held) => held.value().map_err(unreadable),
            Kind::Granted { grant, held } => {
                let mut held = held.lock().await;
                let now = (grant.clock)();
                // Before `use_from` the clock was set back, and the age of the token is not known.
                let usable = |g: &&Granted| now >= g.use_from && now.since(g.use_from) < g.use_for;
                if let Some(granted) = held.as_ref().filter(usable) {
                    return Ok(granted.token.clone());
                }
                let granted = grant.fetch().await?;
                Ok(held.insert(granted).token.clone())
            }
        }
    }

    /// Another token in place of one that the shop has refused.
    pub(super) async fn renew(&self, refused: &Secret) -> Result<Renewal, CallFailure> {
        match &self.kind {
            Kind::Static(held) => {
                let fresh = held.value_after_refusal(refused).map_err(unreadable)?;
                Ok(fresh.map_or(Renewal::Same, Renewal::Fresh))
            }
            Kind::Granted { held, .. } => {
                {
                    let mut held = held.lock().await;
                    // Another caller may have renewed it meanwhile.
                    if held.as_ref().is_some_and(|granted| granted.token == *refused) {
                        *held = None;
                    }
                }
                self.token().await.map(Renewal::Fresh)
            }
        }
    }
}

impl Grant {
    /// shopify.dev: client credentials grant.
    async fn fetch(&self) -> Result<Granted, CallFailure> {
        let secret = self.client_secret.read().map_err(unreadable)?;
        let form = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("grant_type", "client_credentials")
            .append_pair("client_id", &self.client_id)
            .append_pair("client_secret", secret.expose())
            .finish();
        let use_from = (self.clock)();
        let request = self
            .http
            .post(self.url.clone())
            .header("content-type", HeaderValue::from_static("application/x-www-form-urlencoded"))
            .header("accept", HeaderValue::from_static("application/json"))
            .body(form);
        let reply = self.http.exchange(request, TOKEN_REPLY_BYTES_MAX).await.map_err(failure_unreached)?;
        // What the shop says to a wrong id, secret or an app that is not installed.
        if matches!(reply.status, 400 | 422) {
            let cause = LaneRefusal::Unauthorised;
            return Err(CallFailure::LaneRefused {
                cause,
                detail: refusal_detail(cause, &format!("no access token was granted: {}", said(&reply))),
            });
        }
        if let Some(failure) = failure_by_status(&reply, use_from) {
            return Err(failure);
        }
        let grant: Option<TokenGrant> = match reply.end {
            BodyEnd::Complete => serde_json::from_slice(&reply.body).ok(),
            BodyEnd::Cut(_) | BodyEnd::TooLong => None,
        };
        // The body may hold a token, so nothing of it is shown.
        let Some(grant) = grant else {
            let reason = format!("HTTP {} of the token endpoint is not a token", reply.status);
            return Err(CallFailure::Passing { wait: None, reason });
        };
        let life = Duration::from_secs(grant.expires_in);
        let use_for = life.saturating_sub(EXPIRY_MARGIN).max(life / 2);
        Ok(Granted { token: Secret::new(&grant.access_token), use_from, use_for })
    }
}

fn unreadable(error: SecretError) -> CallFailure {
    use std::error::Error as _;
    let cause = error.source().map(|source| format!(": {source}")).unwrap_or_default();
    CallFailure::LaneRefused { cause: LaneRefusal::Misconfigured, detail: format!("{error}{cause}; {}", error.hint()) }
}
