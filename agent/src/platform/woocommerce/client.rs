//! The connection to one shop: requests, the order in which frozen rows are sent, what a check finds.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use reqwest::RequestBuilder;
use reqwest::header::HeaderValue;
use serde::de::DeserializeOwned;
use sync_core::model::{IdempotencyKey, Sku};
use sync_core::outbox::lane::Writes;
use sync_core::outbox::verdict::{Answer, LaneRefusal};

use super::classify::{self, Asked, Part};
use super::lookup::Wanted;
use super::map::{Frozen, FrozenRow, Item, Write, delta_body, marker, number, set_body};
use super::plugin::Looked;
use super::values::{Kind, Values};
use super::wire::{
    Batch, Index, ManageStock, MetaOut, PRODUCT_FIELDS, PluginInfo, PluginRequest, PluginRow, Product, Setting,
    SystemStatus, Update, json, read,
};
use super::{KEY_WINDOW, PluginUse, WooSettings};
use crate::platform::transport::status::answer_not_made;
use crate::platform::transport::{HttpClient, Reply, Unreached, WallClock};
use crate::platform::{
    Absolute, Call, CallFailure, Change, Found, LevelPage, Number, OrderPage, OrdersSince, Platform, ProbeReport,
    ReadBack, Seen, Traits,
};
use crate::secret::{HeldSecret, SecretError};

/// More of a reply is not read. A row of a batch is a whole product: 5 to 40 KiB with its descriptions.
const REPLY_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Variations whose keeper is remembered; beyond that it is learnt anew.
const KEEPERS_MAX: usize = 100_000;
/// Products that a check looks through for missing stock management.
const CHECKED_PAGES_MAX: usize = 10;
/// Of those found, so many are named.
const NAMED_MAX: usize = 5;
/// Writes in flight with the plugin, whose keys tell one from the other.
const KEYED_IN_FLIGHT: usize = 2;

/// One shop.
pub struct WooCommerce(Arc<Client>);

/// What the lanes of one shop share.
pub(super) struct Client {
    pub(super) settings: WooSettings,
    pub(super) clock: WallClock,
    pub(super) marker: String,
    http: HttpClient,
    key: HeldSecret,
    secret: HeldSecret,
    looked: Mutex<Option<Looked>>,
    flat_variations: Mutex<Option<bool>>,
    keepers: Mutex<BTreeMap<u64, Item>>,
}

impl WooCommerce {
    /// Opens no connection and reads no secret yet.
    #[must_use]
    pub fn new(settings: WooSettings, http: HttpClient, clock: WallClock) -> Self {
        Self(Arc::new(Client {
            marker: marker(&settings.store),
            key: HeldSecret::new(settings.consumer_key.clone()),
            secret: HeldSecret::new(settings.consumer_secret.clone()),
            looked: Mutex::default(),
            flat_variations: Mutex::default(),
            keepers: Mutex::default(),
            settings,
            http,
            clock,
        }))
    }

    fn values(&self, kind: Kind) -> Arc<dyn Platform> {
        Arc::new(Values { client: Arc::clone(&self.0), kind })
    }
}

impl Client {
    pub(super) fn looked(&self) -> MutexGuard<'_, Option<Looked>> {
        self.looked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where the stock of a variation is kept, as last seen.
    pub(super) fn keeper(&self, parent: u64, variation: u64) -> Option<Item> {
        let keepers = self.keepers.lock().unwrap_or_else(PoisonError::into_inner);
        keepers.get(&variation).copied().filter(|item| item.parent == parent || item.id == parent)
    }

    pub(super) fn remember_keeper(&self, product: &Product) {
        if product.kind != "variation" && product.parent_id == 0 {
            return;
        }
        let mut keepers = self.keepers.lock().unwrap_or_else(PoisonError::into_inner);
        if keepers.len() >= KEEPERS_MAX {
            keepers.clear();
        }
        match product.manage_stock {
            ManageStock::Own => keepers.insert(product.id, Item { parent: product.parent_id, id: product.id }),
            ManageStock::Parent => keepers.insert(product.id, Item { parent: 0, id: product.parent_id }),
            ManageStock::No => keepers.remove(&product.id),
        };
    }

    /// Below `/wp-json/` of the site.
    fn url(&self, path: &str, query: &[(&str, String)]) -> url::Url {
        let mut url = self.settings.base_url.clone();
        let folder = url.path().trim_end_matches('/').to_owned();
        url.set_path(&format!("{folder}/wp-json/{path}"));
        url.set_query(None);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        url
    }

    /// One request, and once more if it was refused for a key that has been changed since: a 401 has no effect.
    async fn exchange(&self, begin: impl Fn() -> RequestBuilder) -> Result<Result<Reply, Unreached>, CallFailure> {
        let (key, secret) = (self.key.value().map_err(unreadable)?, self.secret.value().map_err(unreadable)?);
        let send = |key: &str, secret: &str| {
            let request = begin()
                .timeout(self.settings.request_timeout)
                .header("accept", HeaderValue::from_static("application/json"))
                .basic_auth(key, Some(secret));
            self.http.exchange(request, REPLY_BYTES_MAX)
        };
        let outcome = send(key.expose(), secret.expose()).await;
        if outcome.as_ref().is_ok_and(|reply| reply.status == 401) {
            let fresh_key = self.key.value_after_refusal(&key).map_err(unreadable)?;
            let fresh_secret = self.secret.value_after_refusal(&secret).map_err(unreadable)?;
            if fresh_key.is_some() || fresh_secret.is_some() {
                let (key, secret) = (fresh_key.unwrap_or(key), fresh_secret.unwrap_or(secret));
                return Ok(send(key.expose(), secret.expose()).await);
            }
        }
        Ok(outcome)
    }

    pub(super) async fn get(
        &self,
        path: &str,
        query: &[(&str, String)],
    ) -> Result<Result<Reply, Unreached>, CallFailure> {
        let url = self.url(path, query);
        self.exchange(|| self.http.get(url.clone())).await
    }

    pub(super) async fn post(&self, path: &str, body: Vec<u8>) -> Result<Result<Reply, Unreached>, CallFailure> {
        let url = self.url(path, &[]);
        let json = HeaderValue::from_static("application/json");
        self.exchange(|| self.http.post(url.clone()).header("content-type", json.clone()).body(body.clone())).await
    }

    /// One page of a list below `wc/v3`, and how many pages there are.
    pub(super) async fn page<T: DeserializeOwned>(
        &self,
        list: &str,
        query: &[(&str, String)],
        page: usize,
    ) -> Result<(Vec<T>, usize), CallFailure> {
        let mut query = query.to_vec();
        query.extend([("per_page", "100".to_owned()), ("page", page.to_string())]);
        let outcome = self.get(&format!("wc/v3/{list}"), &query).await?;
        let (rows, reply) = classify::read_reply::<Vec<T>>(outcome, (self.clock)())?;
        let pages = reply.headers.get("x-wp-totalpages").and_then(|value| value.to_str().ok()?.parse().ok());
        // Without the header (a cache may drop it) a full page means that there may be more.
        let pages = pages.unwrap_or_else(|| page.saturating_add(usize::from(rows.len() >= 100)));
        Ok((rows, pages))
    }

    /// Whether all variations can be listed at once (since 10.3).
    pub(super) async fn has_flat_variations(&self) -> Result<bool, CallFailure> {
        let known = *self.flat_variations.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = known {
            return Ok(known);
        }
        let query = [("per_page", "1".to_owned()), ("_fields", "id".to_owned())];
        let outcome = self.get("wc/v3/variations", &query).await?;
        let there = if classify::is_no_route(&outcome) {
            false
        } else {
            classify::read_reply::<Vec<Product>>(outcome, (self.clock)())?;
            true
        };
        *self.flat_variations.lock().unwrap_or_else(PoisonError::into_inner) = Some(there);
        Ok(there)
    }

    /// Sends frozen rows, by the plugin or by WooCommerce itself.
    async fn send_stock(&self, key: &str, body: &[u8]) -> Answer {
        let Some(frozen) = read::<Frozen>(body) else { return unreadable_body() };
        if frozen.rows.is_empty() {
            return Answer::Applied { reference: None };
        }
        match (self.plugin().await, self.settings.plugin) {
            (Err(failure), _) => answer_not_made(failure),
            (Ok(Some(plugin)), _) => self.send_by_plugin(key, &frozen.rows, &plugin).await,
            (Ok(None), PluginUse::Required) => Answer::LaneRefused {
                cause: LaneRefusal::Misconfigured,
                detail:
                    "the plugin tillsync-stock does not answer: activate it in the shop, or set `plugin = \"auto\"`"
                        .to_owned(),
            },
            (Ok(None), PluginUse::Auto | PluginUse::Off) => match self.is_overtaken(&frozen.rows).await {
                Err(failure) => answer_not_made(failure),
                Ok(true) => Answer::Stale,
                Ok(false) => self.send_rows(key, body).await,
            },
        }
    }

    async fn send_by_plugin(&self, key: &str, rows: &[FrozenRow], plugin: &PluginInfo) -> Answer {
        if rows.len() > plugin.rows_max {
            return Answer::TooLarge;
        }
        let Some(items) = items(rows) else { return unreadable_body() };
        let out = items.iter().map(|(item, row)| {
            let (delta, set, expect) = match &row.write {
                Write::Delta { delta } => (Some(*delta), None, None),
                Write::Set { set, expect } => (None, Some(*set), Some(*expect)),
                Write::Price { .. } | Write::Backorders { .. } => (None, None, None),
            };
            PluginRow { id: &row.item, product: item.id, delta, set, expect }
        });
        let body = json(&PluginRequest { key, marker: &self.marker, rows: out.collect() });
        let outcome = match self.post("tillsync/v1/stock", body).await {
            Ok(outcome) => outcome,
            Err(failure) => return answer_not_made(failure),
        };
        if classify::is_no_route(&outcome) {
            self.forget_plugin();
            let reason = "the plugin tillsync-stock was deactivated just now".to_owned();
            return Answer::Unavailable { wait: None, reason };
        }
        classify::plugin(&outcome, rows, (self.clock)())
    }

    /// Whether a product of an absolute write no longer shows the number that was read for it.
    async fn is_overtaken(&self, rows: &[FrozenRow]) -> Result<bool, CallFailure> {
        let expected: BTreeMap<Item, i64> = rows
            .iter()
            .filter_map(|row| match row.write {
                Write::Set { expect, .. } => Some((Item::parse(&row.item)?, expect)),
                Write::Delta { .. } | Write::Price { .. } | Write::Backorders { .. } => None,
            })
            .collect();
        if expected.is_empty() {
            return Ok(false);
        }
        let shown = self.by_items(&expected.keys().copied().collect()).await?;
        Ok(expected.iter().any(|(item, expect)| shown.get(item).and_then(number) != Some(*expect)))
    }

    /// One request for products, and one for each product whose variations are concerned, in this order.
    pub(super) async fn send_rows(&self, key: &str, body: &[u8]) -> Answer {
        let Some(frozen) = read::<Frozen>(body) else { return unreadable_body() };
        let Some(items) = items(&frozen.rows) else { return unreadable_body() };
        if items.is_empty() {
            return Answer::Applied { reference: None };
        }
        let mut groups: BTreeMap<u64, Vec<(Item, &FrozenRow)>> = BTreeMap::new();
        for (item, row) in items {
            groups.entry(item.parent).or_default().push((item, row));
        }
        let asked = Asked { requests: groups.len(), rows: &frozen.rows };
        let mut parts = Vec::with_capacity(groups.len());
        for (parent, rows) in &groups {
            let part = self.send_group(*parent, rows, key).await;
            let ends = matches!(part, Part::Whole(_));
            parts.push(part);
            if ends {
                break;
            }
        }
        classify::together(parts, asked)
    }

    async fn send_group(&self, parent: u64, rows: &[(Item, &FrozenRow)], key: &str) -> Part {
        let path = if parent == 0 {
            "wc/v3/products/batch".to_owned()
        } else {
            format!("wc/v3/products/{parent}/variations/batch")
        };
        let update = rows.iter().map(|(item, row)| {
            let meta_data = || Some([MetaOut { key: &self.marker, value: key }]);
            let mut out = Update {
                id: item.id,
                inventory_delta: None,
                stock_quantity: None,
                regular_price: None,
                backorders: None,
                meta_data: None,
            };
            match &row.write {
                Write::Delta { delta } => (out.inventory_delta, out.meta_data) = (Some(*delta), meta_data()),
                Write::Set { set, .. } => (out.stock_quantity, out.meta_data) = (Some(*set), meta_data()),
                Write::Price { price } => out.regular_price = Some(price),
                Write::Backorders { backorders } => out.backorders = Some(backorders),
            }
            out
        });
        match self.post(&path, json(&Batch { update: update.collect() })).await {
            Ok(outcome) => classify::batch(&outcome, rows, &self.marker, key, (self.clock)()),
            Err(failure) => Part::Whole(answer_not_made(failure)),
        }
    }

    /// What `check --online` and a paused lane want to know. The write that it makes is an empty one.
    pub(super) async fn look_around(&self) -> Result<ProbeReport, CallFailure> {
        let mut report = ProbeReport::default();
        let mut fact = |name: &str, value: String| report.facts.push((name.to_owned(), value));
        let query = [("_fields", "name,namespaces".to_owned())];
        let outcome = self.get("", &query).await?;
        let (index, _) = classify::read_reply::<Index>(outcome, (self.clock)())?;
        fact("shop", index.name.clone());
        if !index.namespaces.iter().any(|name| name == "wc/v3") {
            return Err(CallFailure::LaneRefused {
                cause: LaneRefusal::Misconfigured,
                detail: "the site offers no wc/v3: is WooCommerce active there".to_owned(),
            });
        }
        let (products, _) = self.page::<Product>("products", &[("_fields", PRODUCT_FIELDS.to_owned())], 1).await?;
        let outcome = self.post("wc/v3/products/batch", b"{}".to_vec()).await?;
        classify::read_reply::<serde_json::Value>(outcome, (self.clock)())?;
        fact("key", "may read and write products".to_owned());
        let query = [("per_page", "1".to_owned()), ("_fields", "id".to_owned())];
        let orders = self.get("wc/v3/orders", &query).await?;
        let may_read_orders = classify::read_reply::<Vec<serde_json::Value>>(orders, (self.clock)());
        if let Err(CallFailure::LaneRefused { detail, .. }) = may_read_orders {
            report.faults.push(format!(
                "online orders cannot be read ({detail}): give the key's owner the right to read orders, or counts will put sold goods back on sale"
            ));
        }
        self.look_at_plugin(&mut report).await?;
        self.look_at_management(&mut report, products).await?;
        Ok(report)
    }

    async fn look_at_plugin(&self, report: &mut ProbeReport) -> Result<(), CallFailure> {
        self.forget_plugin();
        let query = [("_fields", "environment.version".to_owned())];
        let outcome = self.get("wc/v3/system_status", &query).await?;
        let version = match classify::read_reply::<SystemStatus>(outcome, (self.clock)()) {
            Ok((status, _)) => status.environment.version,
            // Only shop managers may read it.
            Err(_) => "not told to this key".to_owned(),
        };
        report.facts.push(("woocommerce".to_owned(), version));
        let found = self.ask_plugin().await?;
        let is_fit = self.plugin().await?.is_some();
        let said = match &found {
            Some(info) => format!("tillsync-stock {}", info.version),
            None => {
                "not there: changes go by inventory_delta, which can overwrite an order of the same moment".to_owned()
            }
        };
        report.facts.push(("plugin".to_owned(), said));
        match (self.settings.plugin, found) {
            (PluginUse::Required, None) => {
                report.faults.push("`plugin = \"required\"`, and tillsync-stock is not active in the shop: install it".to_owned());
            }
            (PluginUse::Auto | PluginUse::Required, Some(info)) if !is_fit => report.faults.push(format!(
                "tillsync-stock {} cannot be relied on (contract {}, keys kept {} days, transactions: {}): update it, or convert the tables to InnoDB",
                info.version, info.contract, info.keep_days, info.transactional
            )),
            (PluginUse::Auto | PluginUse::Required | PluginUse::Off, _) => {}
        }
        Ok(())
    }

    /// Products that have an article number and keep no stock: what is sent to them is dropped in silence.
    async fn look_at_management(&self, report: &mut ProbeReport, first: Vec<Product>) -> Result<(), CallFailure> {
        let outcome =
            self.get("wc/v3/settings/products/woocommerce_manage_stock", &[("_fields", "value".to_owned())]).await?;
        if let Ok((setting, _)) = classify::read_reply::<Setting>(outcome, (self.clock)())
            && setting.value.as_str() == Some("no")
        {
            report.faults.push(
                "stock management is off for the whole shop: turn it on under WooCommerce, Settings, Products, Inventory".to_owned(),
            );
        }
        let mut products = first;
        let mut page = 1_usize;
        while products.len() >= page.saturating_mul(100) && page < CHECKED_PAGES_MAX {
            page = page.saturating_add(1);
            let query = [("_fields", PRODUCT_FIELDS.to_owned())];
            products.extend(self.page::<Product>("products", &query, page).await?.0);
        }
        let without: Vec<&str> = products
            .iter()
            .filter(|product| product.kind == "simple" && product.manage_stock == ManageStock::No)
            .filter_map(|product| product.sku.as_deref().filter(|sku| !sku.is_empty()))
            .collect();
        report.facts.push(("products looked at".to_owned(), products.len().to_string()));
        if !without.is_empty() {
            let named: Vec<&str> = without.iter().take(NAMED_MAX).copied().collect();
            report.facts.push((
                "without stock management".to_owned(),
                format!(
                    "{} (as {}): their sales wait until \"Track stock quantity\" is on",
                    without.len(),
                    named.join(", ")
                ),
            ));
        }
        Ok(())
    }
}

/// Rows with their items; `None` if one cannot be read.
fn items(rows: &[FrozenRow]) -> Option<Vec<(Item, &FrozenRow)>> {
    rows.iter().map(|row| Some((Item::parse(&row.item)?, row))).collect()
}

fn unreadable_body() -> Answer {
    Answer::Refused {
        code: "unreadable_batch".to_owned(),
        message: "the stored batch cannot be read by this version; discard it and count the articles".to_owned(),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "used with map_err")]
fn unreadable(error: SecretError) -> CallFailure {
    CallFailure::LaneRefused { cause: LaneRefusal::Unauthorised, detail: format!("{error}; {}", error.hint()) }
}

impl Platform for WooCommerce {
    fn traits(&self) -> Traits {
        let keyed = self.0.settings.plugin == PluginUse::Required;
        Traits {
            whole_units: true,
            needs_target: true,
            rows_max: self.0.settings.rows_max,
            in_flight_max: if keyed { KEYED_IN_FLIGHT } else { 1 },
            merge: true,
            latest: false,
            writes: Writes::Delta,
            key_window: Some(if keyed { KEY_WINDOW } else { std::time::Duration::ZERO }),
            settle_after: self.0.settings.settle_after,
            reads_back: true,
            floor_zero: false,
            number: Number::Net,
            compare_and_set: keyed,
        }
    }

    fn encode(&self, _key: &IdempotencyKey, changes: &[Change]) -> Vec<u8> {
        delta_body(changes)
    }

    fn encode_absolute(&self, _key: &IdempotencyKey, rows: &[Absolute]) -> Vec<u8> {
        set_body(rows)
    }

    fn send<'a>(&'a self, key: &'a IdempotencyKey, body: Arc<[u8]>) -> Call<'a, Answer> {
        Box::pin(async move { self.0.send_stock(key.as_str(), &body).await })
    }

    fn look_up<'a>(&'a self, skus: &'a [Sku]) -> Call<'a, Result<Vec<Found>, CallFailure>> {
        Box::pin(self.0.find(skus, Wanted::Stock))
    }

    fn read_back<'a>(&'a self, question: &'a ReadBack) -> Call<'a, Result<Vec<Seen>, CallFailure>> {
        Box::pin(self.0.seen(question))
    }

    fn levels(&self, page: Option<String>) -> Call<'_, Result<LevelPage, CallFailure>> {
        Box::pin(self.0.levels(page))
    }

    fn orders(&self, since: OrdersSince) -> Option<Call<'_, Result<OrderPage, CallFailure>>> {
        Some(Box::pin(async move { self.0.order_page(&since).await }))
    }

    fn prices(&self) -> Option<Arc<dyn Platform>> {
        let wanted = self.0.settings.prices;
        wanted.then(|| self.values(Kind::Price))
    }

    fn incoming(&self) -> Option<Arc<dyn Platform>> {
        let wanted = self.0.settings.backorder_while_incoming;
        wanted.then(|| self.values(Kind::Backorders))
    }

    fn probe(&self) -> Call<'_, Result<ProbeReport, CallFailure>> {
        Box::pin(self.0.look_around())
    }
}
