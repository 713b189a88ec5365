//! The connection to one site: proof of who we are, one request at a time per call.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use reqwest::Method;
use reqwest::header::HeaderValue;
use serde::de::DeserializeOwned;
use sync_core::model::{IdempotencyKey, Sku};
use sync_core::outbox::lane::Writes;
use sync_core::outbox::settle::Evidence;
use sync_core::outbox::verdict::{Answer, LaneRefusal};
use tokio::sync::Mutex;

use super::classify::{Wrote, classify, read};
use super::map::{Search, holds_stock, json, set_body};
use super::oauth::{Signer, encoded};
use super::prices::Prices;
use super::wire::{AdminLogin, Page, Product, Source, SourceItem};
use super::{AdobeSettings, Auth};
use crate::platform::transport::status::{answer_not_made, refusal_detail};
use crate::platform::transport::{HttpClient, REPLY_BYTES_MAX, Reply, Unreached, WallClock};
use crate::platform::{
    Absolute, Call, CallFailure, Change, Found, Level, LevelPage, Number, OrderPage, OrdersSince, Platform,
    ProbeReport, ReadBack, SETTLE_AFTER, Seen, Target, TargetPart, Traits,
};
use crate::secret::{Secret, SecretError, SecretRef};

/// Articles of one question; the address of a request must stay far below 8 KiB.
const SKUS_MAX: usize = 50;

/// One site, one source.
#[derive(Clone)]
pub struct Adobe(pub(super) Arc<Site>);

/// What stock and prices share.
pub(super) struct Site {
    pub(super) settings: AdobeSettings,
    http: HttpClient,
    clock: WallClock,
    /// The token of an admin user, while it is accepted.
    admin: Mutex<Option<Secret>>,
}

impl Adobe {
    /// Opens no connection and reads no secret yet.
    #[must_use]
    pub fn new(settings: AdobeSettings, http: HttpClient, clock: WallClock) -> Self {
        Self(Arc::new(Site { settings, http, clock, admin: Mutex::new(None) }))
    }
}

impl Site {
    /// One request. A 401 has no effect, so the same bytes go out once more under a new admin token.
    async fn exchange(
        &self,
        method: Method,
        path: &str,
        query: &[(String, String)],
        body: Option<&[u8]>,
    ) -> Result<Result<Reply, Unreached>, CallFailure> {
        let outcome = self.attempt(method.clone(), path, query, body).await?;
        let refused = outcome.as_ref().is_ok_and(|reply| reply.status == 401);
        if refused && matches!(self.settings.auth, Auth::Admin { .. }) && self.admin.lock().await.take().is_some() {
            return self.attempt(method, path, query, body).await;
        }
        Ok(outcome)
    }

    async fn attempt(
        &self,
        method: Method,
        path: &str,
        query: &[(String, String)],
        body: Option<&[u8]>,
    ) -> Result<Result<Reply, Unreached>, CallFailure> {
        let mut url = self.at(path);
        let proof = self.proof(&method, url.as_str(), query).await?;
        let mut proof = HeaderValue::from_str(&proof)
            .map_err(|_| misconfigured("a credential contains characters that no header can carry"))?;
        proof.set_sensitive(true);
        if !query.is_empty() {
            let pairs: Vec<String> =
                query.iter().map(|(name, value)| format!("{}={}", encoded(name), encoded(value))).collect();
            url.set_query(Some(&pairs.join("&")));
        }
        let mut request = self
            .http
            .request(method, url)
            .timeout(self.settings.request_timeout)
            .header("accept", HeaderValue::from_static("application/json"))
            .header("authorization", proof);
        if let Some(body) = body {
            request = request.header("content-type", HeaderValue::from_static("application/json")).body(body.to_vec());
        }
        Ok(self.http.exchange(request, REPLY_BYTES_MAX).await)
    }

    fn at(&self, path: &str) -> url::Url {
        let mut url = self.settings.rest_url.clone();
        url.set_path(&format!("{}/{path}", url.path().trim_end_matches('/')));
        url
    }

    async fn proof(&self, method: &Method, address: &str, query: &[(String, String)]) -> Result<String, CallFailure> {
        let secret = |reference: &SecretRef| reference.read().map_err(unreadable);
        match &self.settings.auth {
            Auth::Integration { consumer_key, consumer_secret, access_token, access_token_secret } => {
                // Read each time: a file that was replaced counts at once.
                let signer = Signer {
                    consumer_key: secret(consumer_key)?,
                    consumer_secret: secret(consumer_secret)?,
                    access_token: secret(access_token)?,
                    access_token_secret: secret(access_token_secret)?,
                };
                let seconds = (self.clock)().0.div_euclid(1_000_000);
                let nonce = getrandom::u64().map_err(|error| CallFailure::Passing {
                    wait: None,
                    reason: format!("no random number to be had: {error}"),
                })?;
                Ok(signer.header(method.as_str(), address, query, seconds, &format!("{nonce:016x}")))
            }
            Auth::Bearer(token) => Ok(format!("Bearer {}", secret(token)?.expose())),
            Auth::Admin { username, password } => {
                let mut held = self.admin.lock().await;
                let token = match &*held {
                    Some(token) => token.clone(),
                    None => held.insert(self.log_in(username, &secret(password)?).await?).clone(),
                };
                Ok(format!("Bearer {}", token.expose()))
            }
        }
    }

    /// `POST integration/admin/token`: a token of some hours, as JSON text.
    async fn log_in(&self, username: &str, password: &Secret) -> Result<Secret, CallFailure> {
        let body = json(&AdminLogin { username, password: password.expose() });
        let request = self
            .http
            .post(self.at("integration/admin/token"))
            .timeout(self.settings.request_timeout)
            .header("content-type", HeaderValue::from_static("application/json"))
            .header("accept", HeaderValue::from_static("application/json"))
            .body(body);
        let reply = self.http.exchange(request, REPLY_BYTES_MAX).await;
        // The body may hold a token, so nothing of a reply that is none is shown.
        if reply.as_ref().is_ok_and(|reply| (200..300).contains(&reply.status)) {
            let token = reply.ok().and_then(|reply| serde_json::from_slice::<String>(&reply.body).ok());
            return token
                .map(|token| Secret::new(&token))
                .ok_or_else(|| CallFailure::Passing { wait: None, reason: "the site granted no token".to_owned() });
        }
        read::<String>(reply, (self.clock)()).map(|token| Secret::new(&token))
    }

    /// A read.
    pub(super) async fn get<T: DeserializeOwned>(
        &self,
        path: &str,
        query: Vec<(String, String)>,
    ) -> Result<T, CallFailure> {
        let outcome = self.exchange(Method::GET, path, &query, None).await?;
        read(outcome, (self.clock)())
    }

    /// A write of frozen bytes.
    pub(super) async fn write(&self, path: &str, wrote: Wrote, body: &[u8]) -> Answer {
        match self.exchange(Method::POST, path, &[], Some(body)).await {
            Ok(outcome) => classify(&outcome, wrote, body, (self.clock)()),
            Err(failure) => answer_not_made(failure),
        }
    }

    /// What our source holds of these articles; those that it does not have are left out.
    async fn held(&self, skus: &[&str]) -> Result<BTreeMap<String, i64>, CallFailure> {
        let mut held = BTreeMap::new();
        for chunk in skus.chunks(SKUS_MAX) {
            let search = Search::page(1, self.settings.page).skus(chunk.iter().copied()).filter(
                "source_code",
                "eq",
                &self.settings.source,
            );
            let page: Page<SourceItem> = self.get("inventory/source-items", search.pairs()).await?;
            // Its database compares without regard to letter case.
            held.extend(page.items.unwrap_or_default().into_iter().map(|item| (item.sku, item.quantity.0)));
        }
        Ok(held)
    }

    pub(super) async fn find(&self, skus: &[Sku]) -> Result<Vec<Found>, CallFailure> {
        let names: Vec<&str> = skus.iter().map(Sku::as_str).collect();
        let products = self.products(&names).await?;
        let held = self.held(&names).await?;
        Ok(names.iter().map(|sku| self.settle(sku, products.get(*sku), held.get(*sku).copied())).collect())
    }

    async fn products(&self, names: &[&str]) -> Result<BTreeMap<String, Product>, CallFailure> {
        let mut products: BTreeMap<String, Product> = BTreeMap::new();
        for chunk in names.chunks(SKUS_MAX) {
            let search = Search::page(1, self.settings.page)
                .skus(chunk.iter().copied())
                .fields("items[sku,name,type_id],total_count");
            let page: Page<Product> = self.get("products", search.pairs()).await?;
            products.extend(page.items.unwrap_or_default().into_iter().map(|product| (product.sku.clone(), product)));
        }
        Ok(products)
    }

    /// Names of the products that are there, by article.
    pub(super) async fn titles(&self, skus: &[Sku]) -> Result<BTreeMap<String, String>, CallFailure> {
        let names: Vec<&str> = skus.iter().map(Sku::as_str).collect();
        let products = self.products(&names).await?;
        Ok(products.into_iter().map(|(sku, product)| (sku, product.name)).collect())
    }

    fn settle(&self, sku: &str, product: Option<&Product>, held: Option<i64>) -> Found {
        let Some(product) = product else { return Found::Unknown };
        let title = if product.name.is_empty() { sku.to_owned() } else { product.name.clone() };
        if !holds_stock(&product.type_id) {
            let reason = format!(
                "`{title}` is a {} product and holds no stock itself; sell its variants or parts by their own SKUs",
                product.type_id
            );
            return Found::Unusable { reason };
        }
        let on_hand = match held {
            Some(held) => held,
            None if self.settings.assign_missing => 0,
            None => {
                let source = &self.settings.source;
                let reason = format!(
                    "`{title}` is not assigned to the source `{source}`; assign it there, or set assign_missing"
                );
                return Found::Unusable { reason };
            }
        };
        let target = Target { parts: vec![TargetPart { item: sku.to_owned(), per: 1 }] };
        Found::Target { target, on_hand: vec![on_hand], title }
    }

    async fn numbers(&self, items: &[String]) -> Result<Vec<Seen>, CallFailure> {
        let names: Vec<&str> = items.iter().map(String::as_str).collect();
        let held = self.held(&names).await?;
        let missing = self.settings.assign_missing.then_some(0);
        let seen = |name: &&str| Seen { number: held.get(*name).copied().or(missing), evidence: Evidence::Silent };
        Ok(names.iter().map(seen).collect())
    }

    /// The page of this number, from 1. Behind the last page the last one would come again, so the count tells the end.
    async fn level_page(&self, page: Option<String>) -> Result<LevelPage, CallFailure> {
        let number: usize = page.and_then(|page| page.parse().ok()).unwrap_or(1).max(1);
        let size = self.settings.page;
        let search = Search::page(number, size).filter("source_code", "eq", &self.settings.source).sorted_by("sku");
        let page: Page<SourceItem> = self.get("inventory/source-items", search.pairs()).await?;
        let items = page.items.unwrap_or_default();
        let more = number.saturating_mul(size) < page.total_count && !items.is_empty();
        let levels = items
            .into_iter()
            .map(|item| Level { sku: Sku::from(item.sku.as_str()), number: item.quantity.0, item: item.sku })
            .collect();
        Ok(LevelPage { levels, next: more.then(|| number.saturating_add(1).to_string()) })
    }

    pub(super) async fn probe_site(&self) -> Result<ProbeReport, CallFailure> {
        let mut report = ProbeReport::default();
        let code = &self.settings.source;
        let path = format!("inventory/sources/{}", encoded(code));
        let source: Source = match self.get(&path, Vec::new()).await {
            Err(CallFailure::LaneRefused { cause: LaneRefusal::Misconfigured, detail }) => {
                report.faults.push(format!("the site has no source `{code}`, or its address is wrong: {detail}"));
                return Ok(report);
            }
            other => other?,
        };
        report.facts.push(("site".to_owned(), self.settings.rest_url.to_string()));
        report.facts.push(("source".to_owned(), format!("{} ({code})", source.name)));
        if !source.enabled {
            report.faults.push(format!("the source `{code}` is not enabled; enable it in the site's admin"));
        }
        let search = Search::page(1, 1).filter("source_code", "eq", code);
        let page: Page<SourceItem> = self.get("inventory/source-items", search.pairs()).await?;
        report.facts.push(("articles of the source".to_owned(), page.total_count.to_string()));
        let _ids: Page<serde_json::Value> =
            self.get("products", Search::page(1, 1).fields("total_count").pairs()).await?;
        Ok(report)
    }
}

impl Platform for Adobe {
    fn traits(&self) -> Traits {
        Traits {
            whole_units: true,
            needs_target: true,
            rows_max: self.0.settings.rows_max,
            // Read, change, write: two at a time could undo each other where orders ship.
            in_flight_max: 1,
            merge: true,
            writes: Writes::Absolute,
            key_window: Some(Duration::ZERO),
            settle_after: SETTLE_AFTER,
            reads_back: true,
            floor_zero: true,
            number: Number::Physical,
            compare_and_set: false,
            ..Traits::default()
        }
    }

    fn encode(&self, _key: &IdempotencyKey, changes: &[Change]) -> Vec<u8> {
        debug_assert!(changes.is_empty(), "only numbers are written");
        set_body(&self.0.settings, &[])
    }

    fn encode_absolute(&self, _key: &IdempotencyKey, rows: &[Absolute]) -> Vec<u8> {
        set_body(&self.0.settings, rows)
    }

    fn send<'a>(&'a self, _key: &'a IdempotencyKey, body: Arc<[u8]>) -> Call<'a, Answer> {
        Box::pin(async move { self.0.write("inventory/source-items", Wrote::Numbers, &body).await })
    }

    fn look_up<'a>(&'a self, skus: &'a [Sku]) -> Call<'a, Result<Vec<Found>, CallFailure>> {
        Box::pin(self.0.find(skus))
    }

    fn read_back<'a>(&'a self, question: &'a ReadBack) -> Call<'a, Result<Vec<Seen>, CallFailure>> {
        Box::pin(self.0.numbers(&question.items))
    }

    fn levels(&self, page: Option<String>) -> Call<'_, Result<LevelPage, CallFailure>> {
        Box::pin(self.0.level_page(page))
    }

    fn orders(&self, since: OrdersSince) -> Option<Call<'_, Result<OrderPage, CallFailure>>> {
        Some(Box::pin(self.0.order_page(since)))
    }

    fn prices(&self) -> Option<Arc<dyn Platform>> {
        let store_view = self.0.settings.prices?;
        Some(Arc::new(Prices { site: Arc::clone(&self.0), store_view }))
    }

    fn probe(&self) -> Call<'_, Result<ProbeReport, CallFailure>> {
        Box::pin(self.0.probe_site())
    }
}

fn unreadable(error: SecretError) -> CallFailure {
    use std::error::Error as _;
    let cause = error.source().map(|source| format!(": {source}")).unwrap_or_default();
    CallFailure::LaneRefused { cause: LaneRefusal::Misconfigured, detail: format!("{error}{cause}; {}", error.hint()) }
}

fn misconfigured(said: &str) -> CallFailure {
    let cause = LaneRefusal::Misconfigured;
    CallFailure::LaneRefused { cause, detail: refusal_detail(cause, said) }
}
