//! The connection to one shop: token, cost bucket, one request at a time per call.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use reqwest::header::HeaderValue;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sync_core::model::{IdempotencyKey, Sku};
use sync_core::outbox::settle::Evidence;
use sync_core::outbox::verdict::{Answer, LaneRefusal};
use tokio::sync::OnceCell;

use super::bucket::Bucket;
use super::classify::{ReadFailure, classify, read};
use super::map::{Location, adjust_body, json, set_body, with_location};
use super::token::{Renewal, Tokens};
use super::values::{Incoming, Prices, Purpose};
use super::wire::{Cost, Installation, LOCATIONS, LocationsData, PROBE, ProbeData, Request};
use super::{KEY_WINDOW, ROWS_MAX, ShopifySettings};
use crate::platform::transport::status::{answer_not_made, refusal_detail};
use crate::platform::transport::{HttpClient, REPLY_BYTES_MAX, Reply, Unreached, WallClock};
use crate::platform::{
    Absolute, Call, CallFailure, Change, Found, LevelPage, Number, OrderPage, OrdersSince, Platform, ProbeReport,
    ReadBack, Seen, Traits,
};
use crate::secret::Secret;

/// What one write costs until the shop has said so.
const WRITE_POINTS_UNTIL_TOLD: i64 = 15;
/// How often a read that met an empty bucket is asked again before the caller hears of it.
const READ_THROTTLED_MAX: usize = 3;
const LOCATIONS_PAGE: usize = 100;
/// A shop may have 200 locations, on the largest plan 1,000.
const LOCATION_PAGES_MAX: usize = 20;
/// One shop, one location.
#[derive(Clone)]
pub struct Shopify(Arc<Shop>);

/// What stock, prices and goods on order share: the connection with its budget.
pub(super) struct Shop {
    pub(super) settings: ShopifySettings,
    http: HttpClient,
    url: url::Url,
    tokens: Tokens,
    bucket: Bucket,
    clock: WallClock,
    write_points: AtomicI64,
    location_id: OnceCell<String>,
}

impl Shopify {
    /// Opens no connection and reads no secret yet.
    #[must_use]
    pub fn new(settings: ShopifySettings, http: HttpClient, clock: WallClock) -> Self {
        Self(Arc::new(Shop::new(settings, http, clock)))
    }
}

impl Shop {
    pub(super) fn new(settings: ShopifySettings, http: HttpClient, clock: WallClock) -> Self {
        let at = |path: &str| {
            let mut url = settings.base_url.clone();
            url.set_path(path);
            url.set_query(None);
            url
        };
        let url = at(&format!("/admin/api/{}/graphql.json", settings.api_version));
        let tokens =
            Tokens::new(settings.auth.clone(), at("/admin/oauth/access_token"), http.clone(), Arc::clone(&clock));
        Self {
            url,
            tokens,
            bucket: Bucket::new(Arc::clone(&clock)),
            clock,
            write_points: AtomicI64::new(WRITE_POINTS_UNTIL_TOLD),
            location_id: OnceCell::new(),
            settings,
            http,
        }
    }

    async fn post(&self, token: &Secret, body: Vec<u8>) -> Result<Reply, Unreached> {
        let mut header = HeaderValue::from_str(token.expose()).map_err(|_| {
            Unreached::NotSent("the access token contains characters that no header can carry".to_owned())
        })?;
        header.set_sensitive(true);
        let request = self
            .http
            .post(self.url.clone())
            .timeout(self.settings.request_timeout)
            .header("content-type", HeaderValue::from_static("application/json"))
            .header("accept", HeaderValue::from_static("application/json"))
            .header("x-shopify-access-token", header)
            .body(body);
        self.http.exchange(request, REPLY_BYTES_MAX).await
    }

    /// One request, paid for from the bucket. A 401 has no effect at the shop, so the same bytes go out once
    /// more if there is another token.
    async fn exchange<T>(
        &self,
        points: i64,
        body: &[u8],
        mut understand: impl FnMut(Result<Reply, Unreached>) -> (T, Option<Cost>),
    ) -> Result<T, CallFailure> {
        let token = self.tokens.token().await?;
        let mut spent = self.bucket.take(points).await;
        let mut outcome = self.post(&token, body.to_vec()).await;
        if outcome.as_ref().is_ok_and(|reply| reply.status == 401)
            && let Renewal::Fresh(token) = self.tokens.renew(&token).await?
        {
            drop(spent);
            spent = self.bucket.take(points).await;
            outcome = self.post(&token, body.to_vec()).await;
        }
        let (understood, cost) = understand(outcome);
        spent.answered(cost.as_ref());
        Ok(understood)
    }

    /// A read, asked again if the bucket was empty.
    pub(super) async fn ask<V: Serialize, T: DeserializeOwned>(
        &self,
        query: &'static str,
        variables: V,
        points: i64,
    ) -> Result<T, CallFailure> {
        let body = json(&Request { query, variables });
        let mut throttled = 0;
        loop {
            let outcome = self.exchange(points, &body, |outcome| read::<T>(outcome, (self.clock)())).await?;
            match outcome {
                Ok(data) => return Ok(data),
                Err(ReadFailure::Call(failure)) => return Err(failure),
                Err(ReadFailure::Throttled(wait)) if throttled < READ_THROTTLED_MAX => {
                    throttled += 1;
                    tokio::time::sleep(wait).await;
                }
                Err(ReadFailure::Throttled(wait)) => {
                    return Err(CallFailure::Passing {
                        wait: Some(wait),
                        reason: "the cost bucket is empty".to_owned(),
                    });
                }
            }
        }
    }

    /// The location's id, looked up by its name if need be, once.
    pub(super) async fn location_id(&self) -> Result<&str, CallFailure> {
        match &self.settings.location {
            Location::Id(id) => Ok(id),
            Location::Name(name) => {
                self.location_id.get_or_try_init(|| self.find_location(name)).await.map(String::as_str)
            }
        }
    }

    async fn find_location(&self, name: &str) -> Result<String, CallFailure> {
        #[derive(Serialize)]
        struct Variables {
            first: usize,
            after: Option<String>,
        }
        let mut after = None;
        let mut found = Vec::new();
        for _ in 0..LOCATION_PAGES_MAX {
            let variables = Variables { first: LOCATIONS_PAGE, after };
            let page = self.ask::<_, LocationsData>(LOCATIONS, variables, 20).await?.locations;
            found.extend(page.nodes.into_iter().filter(|node| node.name == name).map(|node| node.id));
            after = page.page_info.end_cursor;
            if !page.page_info.has_next_page || after.is_none() {
                break;
            }
        }
        let misconfigured = |said: String| {
            let cause = LaneRefusal::Misconfigured;
            CallFailure::LaneRefused { cause, detail: refusal_detail(cause, &said) }
        };
        match found.as_slice() {
            [one] => Ok(one.clone()),
            [] => Err(misconfigured(format!("the shop has no location named `{name}`"))),
            several => {
                let ids = several.join(", ");
                Err(misconfigured(format!("several locations are named `{name}`, use one of {ids}")))
            }
        }
    }

    async fn send_frozen(&self, frozen: Arc<[u8]>) -> Answer {
        let location = match self.location_id().await {
            Ok(id) => id,
            Err(failure) => return answer_not_made(failure),
        };
        let body = with_location(&frozen, &self.settings.location, location);
        self.write(&frozen, &body, &self.write_points).await
    }

    /// Sends `body`, which is `frozen` with what is only known on the way out. `points` learns what such a write costs.
    pub(super) async fn write(&self, frozen: &[u8], body: &[u8], points: &AtomicI64) -> Answer {
        let answer = self
            .exchange(points.load(Ordering::Relaxed), body, |outcome| {
                let (answer, cost) = classify(&outcome, frozen, (self.clock)());
                if let Some(cost) = cost.filter(|cost| cost.requested_query_cost.0 > 0) {
                    points.store(cost.requested_query_cost.0, Ordering::Relaxed);
                }
                (answer, cost)
            })
            .await;
        answer.unwrap_or_else(answer_not_made)
    }

    pub(super) async fn probe_shop(&self) -> Result<ProbeReport, CallFailure> {
        #[derive(Serialize)]
        struct Variables<'a> {
            location: &'a str,
        }
        let location = self.location_id().await?;
        let data: ProbeData = self.ask(PROBE, Variables { location }, 10).await?;
        let mut report = ProbeReport::default();
        let mut fact = |name: &str, value: String| report.facts.push((name.to_owned(), value));
        fact("shop", format!("{} ({})", data.shop.name, data.shop.myshopify_domain));
        fact("api version", self.settings.api_version.clone());
        fact("budget", format!("{} points", self.bucket.available()));
        match data.location {
            Some(node) => {
                fact("location", format!("{} ({})", node.name, node.id));
                if !node.is_active {
                    report
                        .faults
                        .push(format!("location `{}` is not active; activate it in the shop's admin", node.name));
                }
            }
            None => report.faults.push(format!("the shop has no location {location}; check `location`")),
        }
        report_scopes(&self.settings.scopes(), data.current_app_installation, &mut report);
        Ok(report)
    }
}

/// The right to write something includes the right to read it.
fn report_scopes(needed: &[&str], installation: Option<Installation>, report: &mut ProbeReport) {
    let granted: Vec<String> =
        installation.map(|i| i.access_scopes.into_iter().map(|scope| scope.handle).collect()).unwrap_or_default();
    let has = |scope: &str| {
        granted
            .iter()
            .any(|g| g == scope || scope.strip_prefix("read_").is_some_and(|of| g.strip_prefix("write_") == Some(of)))
    };
    for scope in needed.iter().filter(|scope| !has(scope)) {
        report
            .faults
            .push(format!("the app lacks the scope {scope}; grant it in the app's settings and install it again"));
    }
    let unneeded: Vec<&str> = granted.iter().map(String::as_str).filter(|g| !needed.contains(g)).collect();
    report.facts.push(("scopes".to_owned(), granted.join(", ")));
    if !unneeded.is_empty() {
        report.facts.push(("scopes not needed".to_owned(), unneeded.join(", ")));
    }
}

impl Platform for Shopify {
    fn traits(&self) -> Traits {
        Traits {
            whole_units: true,
            needs_target: true,
            rows_max: ROWS_MAX,
            in_flight_max: self.0.settings.in_flight_max,
            merge: true,
            key_window: Some(KEY_WINDOW),
            reads_back: true,
            number: Number::Physical,
            compare_and_set: true,
            ..Traits::default()
        }
    }

    fn encode(&self, key: &IdempotencyKey, changes: &[Change]) -> Vec<u8> {
        adjust_body(&self.0.settings.app_name, &self.0.settings.location, key, changes)
    }

    fn encode_absolute(&self, key: &IdempotencyKey, rows: &[Absolute]) -> Vec<u8> {
        set_body(&self.0.settings.app_name, &self.0.settings.location, key, rows)
    }

    fn send<'a>(&'a self, _key: &'a IdempotencyKey, body: Arc<[u8]>) -> Call<'a, Answer> {
        Box::pin(self.0.send_frozen(body))
    }

    fn look_up<'a>(&'a self, skus: &'a [Sku]) -> Call<'a, Result<Vec<Found>, CallFailure>> {
        Box::pin(self.0.find(skus, Purpose::Stock))
    }

    fn read_back<'a>(&'a self, question: &'a ReadBack) -> Call<'a, Result<Vec<Seen>, CallFailure>> {
        Box::pin(async {
            let numbers = self.0.on_hand(&question.items).await?;
            Ok(numbers.into_iter().map(|number| Seen { number, evidence: Evidence::Silent }).collect())
        })
    }

    fn levels(&self, page: Option<String>) -> Call<'_, Result<LevelPage, CallFailure>> {
        Box::pin(self.0.level_page(page))
    }

    fn orders(&self, since: OrdersSince) -> Option<Call<'_, Result<OrderPage, CallFailure>>> {
        self.0.settings.orders.then(|| -> Call<'_, _> { Box::pin(self.0.order_page(since)) })
    }

    fn prices(&self) -> Option<Arc<dyn Platform>> {
        self.0.settings.prices.then(|| -> Arc<dyn Platform> { Arc::new(Prices::new(Arc::clone(&self.0))) })
    }

    fn incoming(&self) -> Option<Arc<dyn Platform>> {
        self.0.settings.incoming.then(|| -> Arc<dyn Platform> { Arc::new(Incoming::new(Arc::clone(&self.0))) })
    }

    fn probe(&self) -> Call<'_, Result<ProbeReport, CallFailure>> {
        Box::pin(self.0.probe_shop())
    }
}
