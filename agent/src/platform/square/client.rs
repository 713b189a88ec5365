//! The connection to one location: token, pinned version, and what Square's clock says.

use std::sync::Arc;

use reqwest::Method;
use reqwest::header::HeaderValue;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sync_core::model::{IdempotencyKey, Sku};
use sync_core::outbox::lane::Writes;
use sync_core::outbox::verdict::{Answer, LaneRefusal};
use tokio::sync::OnceCell;

use super::ledger::Dates;
use super::map::{adjustments, counts, json};
use super::prices::Prices;
use super::wire::{BatchCreate, Location, LocationReply, TokenStatus};
use super::{CLOCK_SKEW_MAX, KEY_WINDOW, PRICE_SCOPE, ROWS_MAX, SCOPES, SQUARE_VERSION, SquareSettings, classify};
use crate::platform::transport::header_token::HeaderToken;
use crate::platform::transport::retry_after::date;
use crate::platform::transport::status::{answer_not_made, said};
use crate::platform::transport::{HttpClient, REPLY_BYTES_MAX, Reply, Unreached, WallClock};
use crate::platform::{
    Absolute, Call, CallFailure, Change, Found, LevelPage, Number, OrderPage, OrdersSince, Platform, ProbeReport,
    ReadBack, Seen, Traits,
};

/// One location. Cheap to clone.
#[derive(Clone)]
pub struct Square(pub(super) Arc<Client>);

/// What stock and prices share.
pub(super) struct Client {
    pub(super) settings: SquareSettings,
    http: HttpClient,
    token: HeaderToken,
    pub(super) clock: WallClock,
    pub(super) dates: Dates,
    /// The catalogue takes one writer at a time.
    pub(super) catalogue: tokio::sync::Mutex<()>,
    currency: OnceCell<String>,
}

impl Square {
    /// Opens no connection and reads no secret yet.
    #[must_use]
    pub fn new(settings: SquareSettings, http: HttpClient, clock: WallClock) -> Self {
        Self(Arc::new(Client {
            token: HeaderToken::new(settings.token.clone(), "authorization", "Bearer "),
            dates: Dates::new(clock()),
            catalogue: tokio::sync::Mutex::default(),
            currency: OnceCell::new(),
            settings,
            http,
            clock,
        }))
    }
}

impl Client {
    /// One request. A 401 has no effect, so it is sent once more if there is another token.
    pub(super) async fn request(
        &self,
        method: Method,
        path: &str,
        body: Option<&[u8]>,
    ) -> Result<Result<Reply, Unreached>, CallFailure> {
        let token = self.token.token()?;
        let outcome = self.once(&method, path, body, &token).await?;
        if outcome.as_ref().is_ok_and(|reply| reply.status == 401)
            && let Some(token) = self.token.renew(&token)?
        {
            return self.once(&method, path, body, &token).await;
        }
        Ok(outcome)
    }

    async fn once(
        &self,
        method: &Method,
        path: &str,
        body: Option<&[u8]>,
        token: &crate::secret::Secret,
    ) -> Result<Result<Reply, Unreached>, CallFailure> {
        let mut url = self.settings.base_url.clone();
        url.set_path(path);
        url.set_query(None);
        let mut request = self
            .http
            .request(method.clone(), url)
            .timeout(self.settings.request_timeout)
            .header("accept", HeaderValue::from_static("application/json"))
            .header("square-version", HeaderValue::from_static(SQUARE_VERSION));
        if let Some(body) = body {
            request = request.header("content-type", HeaderValue::from_static("application/json")).body(body.to_vec());
        }
        let outcome = self.http.exchange(self.token.sign(request, token)?, REPLY_BYTES_MAX).await;
        if let Some(theirs) = outcome.as_ref().ok().and_then(|reply| date(&reply.headers)) {
            self.dates.told(theirs, (self.clock)());
        }
        Ok(outcome)
    }

    /// A read with a body.
    pub(super) async fn ask<B: Serialize + Sync, T: DeserializeOwned>(
        &self,
        path: &str,
        body: &B,
    ) -> Result<T, CallFailure> {
        let outcome = self.request(Method::POST, path, Some(&json(body))).await?;
        self.understood(path, outcome)
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, CallFailure> {
        let outcome = self.request(Method::GET, path, None).await?;
        self.understood(path, outcome)
    }

    fn understood<T: DeserializeOwned>(&self, path: &str, outcome: Result<Reply, Unreached>) -> Result<T, CallFailure> {
        let reply = classify::read(outcome, (self.clock)())?;
        let odd = |why: String| CallFailure::Passing {
            wait: None,
            reason: format!("the reply of {path} makes no sense ({why}): {}", said(&reply)),
        };
        match classify::errors(&reply) {
            Some(errors) if errors.is_empty() => {
                serde_json::from_slice(&reply.body).map_err(|error| odd(error.to_string()))
            }
            Some(_) | None => Err(odd("no answer to the question".to_owned())),
        }
    }

    async fn change(&self, frozen: &[u8]) -> Answer {
        let Ok(sent) = serde_json::from_slice::<BatchCreate>(frozen) else {
            let message = "the stored request is not one of this version".to_owned();
            return Answer::Refused { code: "not_understood".to_owned(), message };
        };
        if sent.changes.is_empty() {
            return Answer::Applied { reference: None };
        }
        match self.request(Method::POST, "/v2/inventory/changes/batch-create", Some(frozen)).await {
            Ok(outcome) => classify::changes(&outcome, &sent, (self.clock)()),
            Err(failure) => answer_not_made(failure),
        }
    }

    async fn location(&self) -> Result<Location, CallFailure> {
        let reply: LocationReply = self.get(&format!("/v2/locations/{}", self.settings.location)).await?;
        Ok(reply.location)
    }

    /// The currency of the location's prices, asked for once.
    pub(super) async fn currency(&self) -> Result<&str, CallFailure> {
        let ask = || async { self.location().await.map(|location| location.currency) };
        self.currency.get_or_try_init(ask).await.map(String::as_str)
    }

    pub(super) async fn probe(&self) -> Result<ProbeReport, CallFailure> {
        let mut report = ProbeReport::default();
        let token: TokenStatus = self.ask("/oauth2/token/status", &serde_json::Map::new()).await?;
        self.report_scopes(&token, &mut report);
        match self.location().await {
            Ok(location) => {
                report.facts.push(("seller".to_owned(), location.business_name));
                let place = format!("{} ({}, {})", location.name, self.settings.location, location.currency);
                report.facts.push(("location".to_owned(), place));
                if location.status != "ACTIVE" {
                    report.faults.push(format!("location `{}` is not active; activate it in Square", location.name));
                }
            }
            Err(CallFailure::LaneRefused { cause: LaneRefusal::Misconfigured | LaneRefusal::Forbidden, detail }) => {
                report.faults.push(format!("location {} cannot be read: {detail}", self.settings.location));
            }
            Err(other) => return Err(other),
        }
        report.facts.push(("version".to_owned(), SQUARE_VERSION.to_owned()));
        let now = (self.clock)();
        let theirs = self.dates.theirs(now);
        let apart = theirs.since(now).max(now.since(theirs));
        report.facts.push(("clocks apart".to_owned(), format!("{} s", apart.as_secs())));
        if apart > CLOCK_SKEW_MAX {
            let fault =
                "this machine's clock and Square's differ by more than a minute; set the clock, best by network time";
            report.faults.push(fault.to_owned());
        }
        Ok(report)
    }

    fn report_scopes(&self, token: &TokenStatus, report: &mut ProbeReport) {
        let wanted: Vec<&str> = SCOPES.iter().copied().chain(self.settings.prices.then_some(PRICE_SCOPE)).collect();
        let granted = |scope: &str| token.scopes.iter().any(|granted| granted == scope);
        for scope in wanted.iter().filter(|scope| !granted(scope)) {
            report.faults.push(format!("the token lacks the scope {scope}; grant it in the Square developer console"));
        }
        report.facts.push(("scopes".to_owned(), token.scopes.join(", ")));
        let more: Vec<&str> = token.scopes.iter().map(String::as_str).filter(|scope| !wanted.contains(scope)).collect();
        if !more.is_empty() {
            report.facts.push(("scopes not needed".to_owned(), more.join(", ")));
        }
        if let Some(until) = &token.expires_at {
            report.facts.push(("token expires".to_owned(), until.clone()));
        }
    }
}

impl Platform for Square {
    fn traits(&self) -> Traits {
        Traits {
            whole_units: true,
            needs_target: true,
            rows_max: ROWS_MAX,
            in_flight_max: 2,
            merge: true,
            writes: Writes::Delta,
            key_window: Some(KEY_WINDOW),
            reads_back: true,
            floor_zero: false,
            number: Number::Net,
            compare_and_set: false,
            ..Traits::default()
        }
    }

    fn encode(&self, key: &IdempotencyKey, changes: &[Change]) -> Vec<u8> {
        adjustments(&self.0.settings.location, &self.0.dates, key, changes, (self.0.clock)())
    }

    fn encode_absolute(&self, key: &IdempotencyKey, rows: &[Absolute]) -> Vec<u8> {
        counts(&self.0.settings.location, &self.0.dates, key, rows, (self.0.clock)())
    }

    fn send<'a>(&'a self, _key: &'a IdempotencyKey, body: Arc<[u8]>) -> Call<'a, Answer> {
        Box::pin(async move { self.0.change(&body).await })
    }

    fn look_up<'a>(&'a self, skus: &'a [Sku]) -> Call<'a, Result<Vec<Found>, CallFailure>> {
        Box::pin(self.0.look_up(skus))
    }

    fn read_back<'a>(&'a self, question: &'a ReadBack) -> Call<'a, Result<Vec<Seen>, CallFailure>> {
        Box::pin(self.0.read_back(question))
    }

    fn levels(&self, page: Option<String>) -> Call<'_, Result<LevelPage, CallFailure>> {
        Box::pin(self.0.levels(page))
    }

    fn orders(&self, since: OrdersSince) -> Option<Call<'_, Result<OrderPage, CallFailure>>> {
        Some(Box::pin(self.0.orders(since)))
    }

    fn prices(&self) -> Option<Arc<dyn Platform>> {
        self.0.settings.prices.then(|| -> Arc<dyn Platform> { Arc::new(Prices(self.clone())) })
    }

    fn probe(&self) -> Call<'_, Result<ProbeReport, CallFailure>> {
        Box::pin(self.0.probe())
    }
}
