//! Posts frozen bytes, signed for this attempt.

use std::sync::Arc;

use reqwest::header::{HeaderName, HeaderValue};
use sync_core::model::{IdempotencyKey, Sku};
use sync_core::outbox::settle::Evidence;
use sync_core::outbox::verdict::{Answer, LaneRefusal};

use super::classify::classify;
use super::{Contents, HeaderText, HttpSettings, map, shown, signature};
use crate::platform::transport::status::{
    StatusClass, answer_not_made, failure_by_status, failure_unreached, status_class,
};
use crate::platform::transport::{HttpClient, Reply, Unreached, WallClock};
use crate::platform::{
    Absolute, Call, CallFailure, Change, Found, Platform, ProbeReport, ReadBack, Seen, Ticket, Traits,
};
use crate::secret::{HeldSecret, Secret, SecretError};

/// More of a reply is not read.
const REPLY_BYTES_MAX: usize = 64 * 1024;

/// One receiver.
pub struct Http {
    settings: HttpSettings,
    http: HttpClient,
    clock: WallClock,
    signing: Option<HeldSecret>,
    headers: Vec<(String, HeaderSource)>,
}

enum HeaderSource {
    Plain(String),
    Held(HeldSecret),
}

/// Everything secret that one attempt used, to see whether a refusal can be mended by reading it again.
struct Used(Vec<Secret>);

impl Http {
    /// Opens no connection and reads no secret yet.
    #[must_use]
    pub fn new(settings: HttpSettings, http: HttpClient, clock: WallClock) -> Self {
        let signing = settings.secret.clone().map(HeldSecret::new);
        let headers = settings
            .headers
            .iter()
            .map(|(name, text)| {
                let source = match text {
                    HeaderText::Plain(text) => HeaderSource::Plain(text.clone()),
                    HeaderText::Secret(source) => HeaderSource::Held(HeldSecret::new(source.clone())),
                };
                (name.clone(), source)
            })
            .collect();
        Self { settings, http, clock, signing, headers }
    }

    /// One attempt's headers around the frozen body.
    fn request(&self, key: &str, body: &[u8]) -> Result<(reqwest::RequestBuilder, Used), CallFailure> {
        let mut used = Used(Vec::new());
        let mut request = self
            .http
            .post(self.settings.url.clone())
            .timeout(self.settings.request_timeout)
            .header("content-type", HeaderValue::from_static("application/json"));
        for (name, source) in &self.headers {
            let name = HeaderName::try_from(name.as_str()).map_err(|_| bad_header(name))?;
            let value = match source {
                HeaderSource::Plain(text) => HeaderValue::from_str(text).map_err(|_| bad_header(name.as_str()))?,
                HeaderSource::Held(held) => {
                    let secret = held.value().map_err(unreadable)?;
                    let mut value = HeaderValue::from_str(secret.expose()).map_err(|_| bad_header(name.as_str()))?;
                    value.set_sensitive(true);
                    used.0.push(secret);
                    value
                }
            };
            request = request.header(name, value);
        }
        let seconds = (self.clock)().0.div_euclid(1_000_000);
        if let Some(held) = &self.signing {
            let secret = held.value().map_err(unreadable)?;
            let signature = signature::sign(&secret, key, seconds, body)
                .map_err(|reason| misconfigured(format!("{reason} ({})", held.source())))?;
            used.0.push(secret);
            request = request.header("webhook-signature", signature);
        }
        let request = request
            .header("idempotency-key", key)
            .header("webhook-id", key)
            .header("webhook-timestamp", seconds)
            .body(body.to_vec());
        Ok((request, used))
    }

    /// True if any secret has changed since it was used.
    fn renew(&self, used: &Used) -> Result<bool, CallFailure> {
        let held = self.headers.iter().filter_map(|(_, source)| match source {
            HeaderSource::Held(held) => Some(held),
            HeaderSource::Plain(_) => None,
        });
        let mut changed = false;
        for (held, secret) in held.chain(&self.signing).zip(&used.0) {
            changed |= held.value_after_refusal(secret).map_err(unreadable)?.is_some();
        }
        Ok(changed)
    }

    /// A 401 means that nothing was taken, so the same bytes go out once more if a secret was rotated.
    async fn post(&self, key: &str, body: &[u8]) -> Result<Result<Reply, Unreached>, CallFailure> {
        let (request, used) = self.request(key, body)?;
        let outcome = self.http.exchange(request, REPLY_BYTES_MAX).await;
        if outcome.as_ref().is_ok_and(|reply| reply.status == 401) && self.renew(&used)? {
            let (request, _) = self.request(key, body)?;
            return Ok(self.http.exchange(request, REPLY_BYTES_MAX).await);
        }
        Ok(outcome)
    }

    async fn send_frozen(&self, key: &IdempotencyKey, body: Arc<[u8]>) -> Answer {
        match self.post(key.as_str(), &body).await {
            Ok(outcome) => classify(&outcome, &body, (self.clock)()),
            Err(failure) => answer_not_made(failure),
        }
    }

    /// A batch without changes: it exercises address and signature and has no effect.
    async fn probe_door(&self) -> Result<ProbeReport, CallFailure> {
        let now = (self.clock)();
        let key = IdempotencyKey::new(format!("probe-{}", now.0));
        let body = map::body(&self.settings.store, &key, &[]);
        let reply = self.post(key.as_str(), &body).await?.map_err(failure_unreached)?;
        let mut report = ProbeReport::default();
        let mut fact = |name: &str, value: String| report.facts.push((name.to_owned(), value));
        fact("url", shown(&self.settings.url));
        fact("signed", if self.signing.is_some() { "yes" } else { "no" }.to_owned());
        fact("answer", format!("HTTP {}", reply.status));
        // Some receivers want at least one change: they are there and let us in all the same.
        if matches!(status_class(reply.status), StatusClass::BadRequest | StatusClass::Conflict) {
            return Ok(report);
        }
        failure_by_status(&reply, now).map_or(Ok(report), Err)
    }
}

fn misconfigured(detail: String) -> CallFailure {
    CallFailure::LaneRefused { cause: LaneRefusal::Misconfigured, detail }
}

fn bad_header(name: &str) -> CallFailure {
    misconfigured(format!("header `{name}` has a name or value that no request can carry"))
}

fn unreadable(error: SecretError) -> CallFailure {
    misconfigured(format!("{error}; {}", error.hint()))
}

impl Platform for Http {
    fn traits(&self) -> Traits {
        Traits {
            whole_units: false,
            needs_target: false,
            rows_max: self.settings.changes_max,
            in_flight_max: if self.takes_tickets() { 1 } else { self.settings.in_flight_max },
            merge: self.settings.merge && !self.takes_tickets(),
            ..Traits::default()
        }
    }

    fn encode(&self, key: &IdempotencyKey, changes: &[Change]) -> Vec<u8> {
        map::body(&self.settings.store, key, changes)
    }

    fn takes_tickets(&self) -> bool {
        self.settings.contents == Contents::Transactions
    }

    fn encode_tickets(&self, key: &IdempotencyKey, tickets: &[Ticket], changes: &[Change]) -> Vec<u8> {
        map::tickets(&self.settings.store, key, tickets, changes)
    }

    /// The door takes no absolute numbers; an empty batch says nothing.
    fn encode_absolute(&self, key: &IdempotencyKey, _rows: &[Absolute]) -> Vec<u8> {
        map::body(&self.settings.store, key, &[])
    }

    fn send<'a>(&'a self, key: &'a IdempotencyKey, body: Arc<[u8]>) -> Call<'a, Answer> {
        Box::pin(self.send_frozen(key, body))
    }

    /// SKUs need no target here.
    fn look_up<'a>(&'a self, skus: &'a [Sku]) -> Call<'a, Result<Vec<Found>, CallFailure>> {
        Box::pin(std::future::ready(Ok(vec![Found::Unknown; skus.len()])))
    }

    fn read_back<'a>(&'a self, question: &'a ReadBack) -> Call<'a, Result<Vec<Seen>, CallFailure>> {
        let nothing = Seen { number: None, evidence: Evidence::Silent };
        Box::pin(std::future::ready(Ok(vec![nothing; question.items.len()])))
    }

    fn probe(&self) -> Call<'_, Result<ProbeReport, CallFailure>> {
        Box::pin(self.probe_door())
    }
}
