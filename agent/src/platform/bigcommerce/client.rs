//! The connection to one store: token, quota, one adjustment at a time, and no number read while one is on its way.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use reqwest::Method;
use reqwest::header::HeaderValue;
use serde::de::DeserializeOwned;
use sync_core::model::{IdempotencyKey, Sku, Timestamp};
use sync_core::outbox::lane::Writes;
use sync_core::outbox::settle::Evidence;
use sync_core::outbox::verdict::{Answer, LaneRefusal};

use super::budget::{Budget, Purpose};
use super::map::{ItemId, absolute, relative};
use super::prices::Prices;
use super::wire::{Adjustment, Frozen, InventorySettings, Location, One, Page, Product, Store, Write};
use super::{BigCommerceSettings, ROWS_MAX, StockFalls, classify};
use crate::platform::transport::header_token::HeaderToken;
use crate::platform::transport::status::{answer_not_made, refusal_detail, said};
use crate::platform::transport::{HttpClient, REPLY_BYTES_MAX, Reply, Unreached, WallClock};
use crate::platform::{
    Absolute, Call, CallFailure, Change, Found, LevelPage, Number, OrderPage, OrdersSince, Platform, ProbeReport,
    ReadBack, Seen, Traits,
};

/// Products remembered as tracked by one number for all variants.
const SHARED_MAX: usize = 100_000;

/// One store, one location. Cheap to clone.
#[derive(Clone)]
pub struct BigCommerce(pub(super) Arc<Client>);

/// What stock and prices share.
pub(super) struct Client {
    pub(super) settings: BigCommerceSettings,
    http: HttpClient,
    token: HeaderToken,
    budget: Budget,
    pub(super) clock: WallClock,
    /// BigCommerce wants bulk writes of stock and catalogue one after the other.
    writing: tokio::sync::Mutex<()>,
    /// When an adjustment was last sent. The one of before a restart may still be on its way.
    last_write: Mutex<Timestamp>,
    shared: Mutex<BTreeSet<i64>>,
}

impl BigCommerce {
    /// Opens no connection and reads no secret yet.
    #[must_use]
    pub fn new(settings: BigCommerceSettings, http: HttpClient, clock: WallClock) -> Self {
        Self(Arc::new(Client {
            token: HeaderToken::new(settings.token.clone(), "x-auth-token", ""),
            budget: Budget::new(Arc::clone(&clock)),
            last_write: Mutex::new(clock()),
            writing: tokio::sync::Mutex::default(),
            shared: Mutex::default(),
            settings,
            http,
            clock,
        }))
    }
}

impl Client {
    /// One request, paid for from the quota. A 401 has no effect, so it is sent once more if there is another token.
    async fn request(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, &str)],
        body: Option<&[u8]>,
    ) -> Result<Result<Reply, Unreached>, CallFailure> {
        let purpose = if body.is_some() { Purpose::Write } else { Purpose::Read };
        let token = self.token.token()?;
        let outcome = self.once(&method, path, query, body, purpose, &token).await?;
        if outcome.as_ref().is_ok_and(|reply| reply.status == 401)
            && let Some(token) = self.token.renew(&token)?
        {
            return self.once(&method, path, query, body, purpose, &token).await;
        }
        Ok(outcome)
    }

    async fn once(
        &self,
        method: &Method,
        path: &str,
        query: &[(&str, &str)],
        body: Option<&[u8]>,
        purpose: Purpose,
        token: &crate::secret::Secret,
    ) -> Result<Result<Reply, Unreached>, CallFailure> {
        self.budget.take(purpose).await;
        let mut url = self.settings.base_url.clone();
        url.set_path(&format!("{}{path}", self.settings.base_url.path().trim_end_matches('/')));
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let mut request = self
            .http
            .request(method.clone(), url)
            .timeout(self.settings.request_timeout)
            .header("accept", HeaderValue::from_static("application/json"));
        if let Some(body) = body {
            request = request.header("content-type", HeaderValue::from_static("application/json")).body(body.to_vec());
        }
        let outcome = self.http.exchange(self.token.sign(request, token)?, REPLY_BYTES_MAX).await;
        if let Ok(reply) = &outcome {
            self.budget.told(&reply.headers);
        }
        Ok(outcome)
    }

    /// A read; `None` for "no content".
    pub(super) async fn get<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<Option<T>, CallFailure> {
        let outcome = self.request(Method::GET, path, query, None).await?;
        let Some(reply) = classify::read(outcome, (self.clock)())? else { return Ok(None) };
        match serde_json::from_slice(&reply.body) {
            Ok(read) => Ok(Some(read)),
            Err(error) => Err(CallFailure::Passing {
                wait: None,
                reason: format!("the reply of {path} makes no sense ({error}): {}", said(&reply)),
            }),
        }
    }

    /// A page of V3.
    pub(super) async fn page<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<Page<T>, CallFailure> {
        let page: Option<Page<T>> = self.get(path, query).await?;
        Ok(page.unwrap_or(Page { data: Vec::new(), meta: super::wire::Meta::default() }))
    }

    /// A write of the catalogue, never beside an adjustment.
    pub(super) async fn put(&self, path: &str, body: &[u8]) -> Result<Result<Reply, Unreached>, CallFailure> {
        let _alone = self.writing.lock().await;
        self.request(Method::PUT, path, &[], Some(body)).await
    }

    async fn adjust(&self, frozen: &[u8]) -> Answer {
        let understood = serde_json::from_slice::<Frozen<'_>>(frozen).ok().and_then(|frozen| {
            Some((frozen.write, frozen.body, serde_json::from_str::<Adjustment>(frozen.body.get()).ok()?))
        });
        let Some((write, body, sent)) = understood else {
            let message = "the stored request is not one of this version".to_owned();
            return Answer::Refused { code: "not_understood".to_owned(), message };
        };
        if sent.items.is_empty() {
            return Answer::Applied { reference: None };
        }
        let (method, path) = match write {
            Write::Relative => (Method::POST, "/v3/inventory/adjustments/relative"),
            Write::Absolute => (Method::PUT, "/v3/inventory/adjustments/absolute"),
        };
        let _alone = self.writing.lock().await;
        self.note_write();
        let outcome = self.request(method, path, &[], Some(body.get().as_bytes())).await;
        self.note_write();
        match outcome {
            Ok(outcome) => classify::adjustment(&outcome, write, &sent, (self.clock)()),
            Err(failure) => answer_not_made(failure),
        }
    }

    fn note_write(&self) {
        *self.last_write.lock().unwrap_or_else(PoisonError::into_inner) = (self.clock)();
    }

    /// Waits until our last adjustment shows.
    pub(super) async fn until_settled(&self) {
        let since = {
            let last = self.last_write.lock().unwrap_or_else(PoisonError::into_inner);
            (self.clock)().since(*last)
        };
        let wait = self.settings.read_lag.saturating_sub(since);
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
    }

    /// Whether the variants of a product share one number, as far as it was seen.
    pub(super) fn is_shared(&self, product: i64) -> bool {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner).contains(&product)
    }

    pub(super) fn note_tracking(&self, product: &Product) {
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        if product.inventory_tracking == "product" {
            if shared.len() < SHARED_MAX {
                shared.insert(product.id);
            }
        } else {
            shared.remove(&product.id);
        }
    }

    /// What the shop says about when its number falls; an error if it is not what the configuration says.
    pub(super) async fn check_stock_falls(&self) -> Result<(), CallFailure> {
        let said = self.stock_falls().await?;
        if said == self.settings.stock_falls.as_str() {
            return Ok(());
        }
        let cause = LaneRefusal::Misconfigured;
        Err(CallFailure::LaneRefused {
            cause,
            detail: refusal_detail(cause, &other_setting(&said, self.settings.stock_falls)),
        })
    }

    async fn stock_falls(&self) -> Result<String, CallFailure> {
        let channel = self.settings.channel.map(|id| id.to_string());
        let query: Vec<(&str, &str)> = channel.iter().map(|id| ("channel_id", id.as_str())).collect();
        let found: Option<One<InventorySettings>> = self.get("/v3/settings/inventory", &query).await?;
        Ok(found.map(|found| found.data.update_stock_behavior).unwrap_or_default())
    }

    async fn probe(&self) -> Result<ProbeReport, CallFailure> {
        let mut report = ProbeReport::default();
        if let Some(store) =
            allowed(self.get::<Store>("/v2/store", &[]).await, "Information & settings: read-only", &mut report)?
        {
            report.facts.push(("shop".to_owned(), format!("{} ({})", store.name, store.currency)));
        }
        self.probe_location(&mut report).await?;
        let setting = self.stock_falls().await.map(Some);
        if let Some(said) = allowed(setting, "Information & settings: read-only", &mut report)? {
            if said != self.settings.stock_falls.as_str() {
                report.faults.push(other_setting(&said, self.settings.stock_falls));
            }
            report.facts.push(("stock falls when".to_owned(), said));
        }
        let location = self.settings.location.to_string();
        let path = format!("/v3/inventory/locations/{location}/items");
        let items = self.page::<super::wire::LocationItem>(&path, &[("limit", "1")]).await.map(Some);
        if let Some(page) = allowed(items, "Store Inventory: modify", &mut report)? {
            report.facts.push(("articles at the location".to_owned(), page.meta.pagination.total.to_string()));
        }
        let untracked = [("inventory_tracking", "none"), ("limit", "1"), ("include_fields", "inventory_tracking")];
        let products = self.page::<Product>("/v3/catalog/products", &untracked).await.map(Some);
        if let Some(page) = allowed(products, "Products: read-only (modify if prices are sent)", &mut report)? {
            report.facts.push(("products that are not tracked".to_owned(), page.meta.pagination.total.to_string()));
        }
        let orders = self.get::<serde_json::Value>("/v2/orders", &[("limit", "1")]).await;
        allowed(orders, "Orders: read-only", &mut report)?;
        let left = self.budget.left().map_or_else(|| "not told".to_owned(), |left| format!("{left} requests left"));
        report.facts.push(("budget".to_owned(), left));
        Ok(report)
    }

    async fn probe_location(&self, report: &mut ProbeReport) -> Result<(), CallFailure> {
        let id = self.settings.location.to_string();
        let found = self.page::<Location>("/v3/inventory/locations", &[("location_id:in", &id)]).await.map(Some);
        let Some(page) = allowed(found, "Store Locations: read-only", report)? else { return Ok(()) };
        match page.data.into_iter().find(|location| location.id == self.settings.location) {
            Some(location) => {
                if !location.enabled {
                    report.faults.push(format!("location `{}` is not enabled; enable it in the shop", location.label));
                }
                if location.managed_by_external_source {
                    let fact = "another system: see that it does not write this location's stock".to_owned();
                    report.facts.push(("location is managed by".to_owned(), fact));
                }
                report.facts.push(("location".to_owned(), format!("{} ({id})", location.label)));
            }
            None => report.faults.push(format!("the shop has no location {id}; check `location`")),
        }
        Ok(())
    }
}

fn other_setting(said: &str, configured: StockFalls) -> String {
    format!(
        "the shop's setting \"update stock\" is `{said}` and the configuration says `{}`: numbers would be compared wrongly; change one of them",
        configured.as_str()
    )
}

/// What a missing right hides becomes a fault that names it.
fn allowed<T>(
    found: Result<Option<T>, CallFailure>,
    scope: &str,
    report: &mut ProbeReport,
) -> Result<Option<T>, CallFailure> {
    match found {
        Err(CallFailure::LaneRefused { cause: LaneRefusal::Forbidden, .. }) => {
            let fault = format!("the API account lacks the scope \"{scope}\"; make one that has it");
            if !report.faults.contains(&fault) {
                report.faults.push(fault);
            }
            Ok(None)
        }
        other => other,
    }
}

impl Platform for BigCommerce {
    fn traits(&self) -> Traits {
        let settings = &self.0.settings;
        Traits {
            whole_units: true,
            needs_target: true,
            rows_max: ROWS_MAX,
            in_flight_max: 1,
            merge: true,
            writes: Writes::Delta,
            key_window: Some(std::time::Duration::ZERO),
            settle_after: settings.settle_after,
            reads_back: true,
            floor_zero: true,
            number: match settings.stock_falls {
                StockFalls::OrderPlaced => Number::Net,
                StockFalls::OrderShipped => Number::Physical,
            },
            compare_and_set: false,
            ..Traits::default()
        }
    }

    fn encode(&self, key: &IdempotencyKey, changes: &[Change]) -> Vec<u8> {
        relative(self.0.settings.location, key, changes)
    }

    fn encode_absolute(&self, key: &IdempotencyKey, rows: &[Absolute]) -> Vec<u8> {
        absolute(self.0.settings.location, key, rows)
    }

    fn send<'a>(&'a self, _key: &'a IdempotencyKey, body: Arc<[u8]>) -> Call<'a, Answer> {
        Box::pin(async move { self.0.adjust(&body).await })
    }

    fn look_up<'a>(&'a self, skus: &'a [Sku]) -> Call<'a, Result<Vec<Found>, CallFailure>> {
        Box::pin(self.0.look_up(skus))
    }

    fn read_back<'a>(&'a self, question: &'a ReadBack) -> Call<'a, Result<Vec<Seen>, CallFailure>> {
        Box::pin(async move {
            self.0.until_settled().await;
            let items: Vec<Option<ItemId>> = question.items.iter().map(|item| ItemId::parse(item)).collect();
            let asked: Vec<ItemId> = items.iter().flatten().copied().collect();
            let numbers = self.0.numbers(&asked).await?;
            let number = |item: Option<ItemId>| item.and_then(|item| numbers.get(&item).copied());
            Ok(items.into_iter().map(|item| Seen { number: number(item), evidence: Evidence::Silent }).collect())
        })
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
