//! The rules: who is let in, what an adjustment does, what is refused.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::orders::Order;
use super::{BigCommerceSettings, Scope};
use crate::counter::{Machine, Request, Response};
use crate::decimal::Decimal;
use crate::journal::{Cause, Entry, Journal, JournalLine, Origin};

/// Rows of one adjustment.
const ITEMS_MAX: usize = 2000;
/// Most pieces at one location.
const QUANTITY_MAX: i64 = 2_147_483_647;

/// How a product's stock is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tracking {
    /// Not at all.
    None,
    /// One number for all variants.
    Product,
    /// A number for each variant.
    #[default]
    Variant,
}

/// A variant to be put into the store, with a product of its own.
#[derive(Debug, Clone)]
pub struct NewVariant {
    /// SKU.
    pub sku: String,
    /// Barcode.
    pub upc: String,
    /// How its product's stock is kept.
    pub tracking: Tracking,
    /// The number at the default location; `None`: never set.
    pub stock: Option<i64>,
    /// Not for sale.
    pub safety_stock: i64,
}

impl NewVariant {
    /// Tracked by variant, with this number.
    #[must_use]
    pub fn stocked(sku: &str, stock: i64) -> Self {
        Self {
            sku: sku.to_owned(),
            upc: String::new(),
            tracking: Tracking::Variant,
            stock: Some(stock),
            safety_stock: 0,
        }
    }
}

#[derive(Debug, Clone)]
pub(super) struct Variant {
    pub(super) id: i64,
    pub(super) product: i64,
    pub(super) sku: String,
    pub(super) upc: String,
    pub(super) tracking: Tracking,
    pub(super) price: Option<String>,
}

/// The stock of one item at one location.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Level {
    /// What adjustments are decided by.
    pub on_hand: i64,
    /// Not for sale.
    pub safety_stock: i64,
    /// An absolute adjustment has been made.
    pub set: bool,
    /// What reads show, with the time from which they do, oldest first.
    shown: Vec<(i64, i64)>,
}

impl Level {
    pub(super) fn shown(&self, now_us: i64) -> i64 {
        self.shown.iter().rev().find(|(from, _)| *from <= now_us).map_or(0, |(_, number)| *number)
    }
}

/// Where stock is kept: (true, variant id) or (false, product id).
pub(super) type Keeper = (bool, i64);

/// The store.
#[derive(Debug)]
pub struct BigCommerceMachine {
    pub(super) settings: BigCommerceSettings,
    pub(super) variants: Vec<Variant>,
    pub(super) levels: BTreeMap<(i64, Keeper), Level>,
    pub(super) orders: Vec<Order>,
    pub(super) next_id: i64,
    journal: Journal,
    window: (i64, u64),
    invalid: u64,
    overloaded: u64,
    refused_by_quota: u64,
    transactions: u64,
    /// Online orders that come in while the next adjustment is under way: before it is decided.
    pub(super) inside: Vec<(String, i64)>,
}

struct Row {
    location: i64,
    keeper: Keeper,
    quantity: i64,
}

impl BigCommerceMachine {
    /// An empty store.
    ///
    /// # Errors
    /// The journal cannot be opened.
    pub fn new(settings: BigCommerceSettings) -> anyhow::Result<Self> {
        Ok(Self {
            journal: Journal::open(settings.journal.as_deref(), true)?,
            variants: Vec::new(),
            levels: BTreeMap::new(),
            orders: Vec::new(),
            next_id: 100,
            window: (0, 0),
            invalid: 0,
            overloaded: 0,
            refused_by_quota: 0,
            transactions: 0,
            inside: Vec::new(),
            settings,
        })
    }

    /// Puts a variant into the store; returns its id.
    pub fn add(&mut self, new: NewVariant) -> i64 {
        self.next_id += 2;
        let (id, product) = (self.next_id, self.next_id + 1);
        let location = self.default_location();
        let variant = Variant { id, product, sku: new.sku, upc: new.upc, tracking: new.tracking, price: None };
        if let (Some(keeper), Some(stock)) = (keeper(&variant), new.stock) {
            let level =
                Level { on_hand: stock, safety_stock: new.safety_stock, set: true, shown: vec![(i64::MIN, stock)] };
            self.levels.insert((location, keeper), level);
        }
        self.variants.push(variant);
        id
    }

    /// The default location.
    #[must_use]
    pub fn default_location(&self) -> i64 {
        self.settings.locations.first().copied().unwrap_or(1)
    }

    /// The stock of the first variant with this SKU at the default location.
    #[must_use]
    pub fn level(&self, sku: &str) -> Option<&Level> {
        let variant = self.variants.iter().find(|variant| variant.sku == sku)?;
        self.levels.get(&(self.default_location(), keeper(variant)?))
    }

    /// The price of a SKU, as it was sent.
    #[must_use]
    pub fn price(&self, sku: &str) -> Option<&str> {
        self.variants.iter().find(|variant| variant.sku == sku)?.price.as_deref()
    }

    /// Changes how a variant's product is tracked, as somebody in the admin would.
    pub fn track(&mut self, sku: &str, tracking: Tracking) {
        for variant in self.variants.iter_mut().filter(|variant| variant.sku == sku) {
            variant.tracking = tracking;
        }
    }

    /// Changes the setting that says when stock falls.
    pub fn set_update_stock_behavior(&mut self, word: &str) {
        word.clone_into(&mut self.settings.update_stock_behavior);
    }

    /// Takes a token back, or lets another in.
    pub fn set_tokens(&mut self, tokens: &[&str]) {
        self.settings.tokens = tokens.iter().map(|token| (*token).to_owned()).collect();
    }

    /// The next so many requests get a 429 that tells nothing.
    pub const fn overload(&mut self, requests: u64) {
        self.overloaded = requests;
    }

    /// Requests that came beyond the quota.
    #[must_use]
    pub const fn refused_by_quota(&self) -> u64 {
        self.refused_by_quota
    }

    /// Somebody changes a number in the store's admin.
    pub fn change_elsewhere(&mut self, sku: &str, delta: i64, now_us: i64) -> bool {
        self.move_stock(sku, delta, Cause::Elsewhere, now_us)
    }

    pub(super) fn move_stock(&mut self, sku: &str, delta: i64, cause: Cause, now_us: i64) -> bool {
        let Some(variant) = self.variants.iter().find(|variant| variant.sku == sku).cloned() else { return false };
        let Some(keeper) = keeper(&variant) else { return false };
        let location = self.default_location();
        let entry = self.apply(&Row { location, keeper, quantity: delta }, false, cause, now_us);
        self.journal.record(Origin::default(), vec![entry]);
        true
    }

    fn apply(&mut self, row: &Row, absolute: bool, cause: Cause, now_us: i64) -> Entry {
        let visible = now_us.saturating_add(self.settings.lag_ms.saturating_mul(1000));
        let level = self.levels.entry((row.location, row.keeper)).or_default();
        let before = level.on_hand;
        level.on_hand = if absolute { row.quantity } else { before.saturating_add(row.quantity) };
        level.set |= absolute;
        level.shown.push((visible, level.on_hand));
        let current = level.shown.iter().rposition(|(from, _)| *from <= now_us).unwrap_or(0);
        level.shown.drain(..current);
        let on_hand = level.on_hand;
        Entry {
            cause,
            sku: self.sku_of(row.keeper),
            name: "total_inventory_onhand".to_owned(),
            delta: Decimal::units(on_hand.saturating_sub(before)),
            on_hand: Some(on_hand),
            item: Some(row.keeper.1.to_string()),
            location: Some(row.location.to_string()),
            change: None,
            transaction: None,
        }
    }

    fn sku_of(&self, keeper: Keeper) -> String {
        let found = self.variants.iter().find(|v| if keeper.0 { v.id == keeper.1 } else { v.product == keeper.1 });
        found.map(|variant| variant.sku.clone()).unwrap_or_default()
    }

    fn let_in(&mut self, request: &Request, now_us: i64) -> Result<(), Response> {
        let token = request.header("x-auth-token").unwrap_or_default();
        if !self.settings.tokens.iter().any(|known| known == token) {
            return Err(Response::json(401, &json!({"status": 401, "title": "You are not authorized"})));
        }
        let window_us = self.settings.window_ms.saturating_mul(1000);
        if now_us.saturating_sub(self.window.0) >= window_us {
            self.window = (now_us, 0);
        }
        if self.window.1 >= self.settings.quota {
            self.refused_by_quota += 1;
            return Err(Response::json(429, &json!({"status": 429, "title": "Too many requests"})));
        }
        self.window.1 += 1;
        Ok(())
    }

    fn quota_headers(&self, now_us: i64) -> Vec<(&'static str, String)> {
        let passed_ms = now_us.saturating_sub(self.window.0) / 1000;
        let left = self.settings.quota.saturating_sub(self.window.1);
        vec![
            ("x-rate-limit-time-window-ms", self.settings.window_ms.to_string()),
            ("x-rate-limit-time-reset-ms", self.settings.window_ms.saturating_sub(passed_ms).max(0).to_string()),
            ("x-rate-limit-requests-quota", self.settings.quota.to_string()),
            ("x-rate-limit-requests-left", left.to_string()),
        ]
    }

    fn route(&mut self, request: &Request, now_us: i64) -> Response {
        let prefix = format!("/stores/{}", self.settings.store_hash);
        let Some(path) = request.path.strip_prefix(&prefix) else { return self.not_found() };
        let needs = |wanted: &[Scope]| wanted.iter().any(|scope| self.settings.scopes.contains(scope));
        let read_stock = [Scope::InventoryRead, Scope::Inventory];
        let allowed = match (request.method.as_str(), path) {
            ("POST" | "PUT", "/v3/inventory/adjustments/relative" | "/v3/inventory/adjustments/absolute") => {
                needs(&[Scope::Inventory])
            }
            ("GET", "/v3/inventory/locations") => needs(&[Scope::LocationsRead]),
            ("GET", "/v3/catalog/variants" | "/v3/catalog/products") => needs(&[Scope::ProductsRead, Scope::Products]),
            ("PUT", "/v3/catalog/variants") => needs(&[Scope::Products]),
            ("GET", "/v2/orders") => needs(&[Scope::OrdersRead]),
            ("GET", "/v2/store" | "/v3/settings/inventory") => needs(&[Scope::SettingsRead]),
            ("GET", _) => needs(&read_stock),
            (_, _) => return self.not_found(),
        };
        if !allowed {
            return Response::json(
                403,
                &json!({"status": 403, "title": "You don't have a required scope to access the endpoint"}),
            );
        }
        match (request.method.as_str(), path) {
            ("POST", "/v3/inventory/adjustments/relative") => self.adjust(request, false, now_us),
            ("PUT", "/v3/inventory/adjustments/absolute") => self.adjust(request, true, now_us),
            ("PUT", "/v3/catalog/variants") => self.set_prices(request),
            ("GET", _) => self.view(request, path, now_us).unwrap_or_else(|| self.not_found()),
            (_, _) => self.not_found(),
        }
    }

    fn not_found(&mut self) -> Response {
        self.invalid += 1;
        Response::json(404, &json!({"status": 404, "title": "Not found"}))
    }

    fn problem(&mut self, title: &str) -> Response {
        Response::json(
            422,
            &json!({"status": 422, "title": title, "type": "https://example.com/status-codes", "errors": {}}),
        )
    }

    fn adjust(&mut self, request: &Request, absolute: bool, now_us: i64) -> Response {
        for (sku, quantity) in std::mem::take(&mut self.inside) {
            self.place_order(&sku, quantity, now_us);
        }
        let body = request.json();
        let items = body.get("items").and_then(Value::as_array).cloned().unwrap_or_default();
        if items.is_empty() || items.len() > ITEMS_MAX {
            self.invalid += 1;
            return self.problem("Payload contains invalid fields");
        }
        let mut rows = Vec::with_capacity(items.len());
        for item in &items {
            match self.row(item) {
                Ok(row) => rows.push(row),
                Err(title) => return self.problem(&title),
            }
        }
        if let Some(title) = self.refusal(&rows, absolute) {
            return self.problem(&title);
        }
        let cause = if absolute { Cause::Set } else { Cause::Adjust };
        let entries = rows.iter().map(|row| self.apply(row, absolute, cause, now_us)).collect();
        let reason = body.get("reason").and_then(Value::as_str).unwrap_or_default();
        self.journal.record(Origin { request: request.number, key: None, reference: Some(reason) }, entries);
        self.transactions += 1;
        Response::json(200, &json!({"transaction_id": format!("t-{}", self.transactions)}))
    }

    fn row(&self, item: &Value) -> Result<Row, String> {
        let number = |name: &str| item.get(name).and_then(Value::as_i64);
        let (Some(location), Some(quantity)) = (number("location_id"), number("quantity")) else {
            return Err("Payload contains invalid fields".to_owned());
        };
        if !self.settings.locations.contains(&location) {
            return Err(format!("Location with id {location} does not exist"));
        }
        let sku = item.get("sku").and_then(Value::as_str);
        let (variant_id, product_id) = (number("variant_id"), number("product_id"));
        let named = self
            .variants
            .iter()
            .find(|v| variant_id == Some(v.id) || product_id == Some(v.product) || sku.is_some_and(|sku| sku == v.sku));
        let Some(variant) = named else { return Err(format!("Item {item} was not found")) };
        let keeper = match (variant.tracking, variant_id.or(sku.map(|_| 0)), product_id) {
            (Tracking::None, _, _) => return Err(format!("[Item with variant_id {} is not tracked]", variant.id)),
            (Tracking::Product, Some(_), _) => {
                let id = variant.id;
                return Err(format!(
                    "[Item with variant_id {id} is tracked by product, please update stock by product id]"
                ));
            }
            (Tracking::Variant, _, Some(id)) => {
                return Err(format!(
                    "[Item with product_id {id} is tracked by variant, please update stock by variant id]"
                ));
            }
            (Tracking::Product, None, _) => (false, variant.product),
            (Tracking::Variant, _, None) => (true, variant.id),
        };
        Ok(Row { location, keeper, quantity })
    }

    /// Why nothing of these rows may be done, if so.
    fn refusal(&self, rows: &[Row], absolute: bool) -> Option<String> {
        if absolute {
            let bad = rows.iter().any(|row| !(0..=QUANTITY_MAX).contains(&row.quantity));
            return bad.then(|| "Payload contains invalid fields".to_owned());
        }
        let mut sums: BTreeMap<(i64, Keeper), i64> = BTreeMap::new();
        for row in rows {
            *sums.entry((row.location, row.keeper)).or_default() += row.quantity;
        }
        let virgin = sums.keys().find(|key| !self.levels.get(key).is_some_and(|level| level.set));
        if let Some((_, keeper)) = virgin {
            let sku = self.sku_of(*keeper);
            return Some(format!("Items with identity: [sku {sku}] requires absolute adjustment before relative"));
        }
        let short = sums.iter().any(|(key, sum)| {
            *sum < 0 && self.levels.get(key).is_some_and(|level| level.on_hand - level.safety_stock + sum < 0)
        });
        short.then(|| "Adjustment cannot be applied: the item does not have enough stock".to_owned())
    }

    fn set_prices(&mut self, request: &Request) -> Response {
        let rows = request.json().as_array().cloned().unwrap_or_default();
        if rows.is_empty() || rows.len() > 50 {
            self.invalid += 1;
            return self.problem("The number of variants must be between 1 and 50");
        }
        for row in &rows {
            let id = row.get("id").and_then(Value::as_i64);
            let price = row.get("price").filter(|price| price.is_number());
            let variant = self.variants.iter_mut().find(|variant| Some(variant.id) == id);
            let (Some(variant), Some(price)) = (variant, price) else {
                let errors = json!({"batch_errors": [{"status": 422, "title": "Variant could not be updated"}]});
                return Response::json(422, &errors);
            };
            variant.price = Some(price.to_string());
        }
        Response::json(200, &json!({"data": rows, "meta": {}}))
    }

    pub(super) fn record(&mut self, entries: Vec<Entry>) {
        self.journal.record(Origin::default(), entries);
    }
}

/// Where the stock of a variant is kept.
pub(super) const fn keeper(variant: &Variant) -> Option<Keeper> {
    match variant.tracking {
        Tracking::None => None,
        Tracking::Product => Some((false, variant.product)),
        Tracking::Variant => Some((true, variant.id)),
    }
}

impl Machine for BigCommerceMachine {
    fn handle(&mut self, request: &Request, now_us: i64) -> Response {
        if self.overloaded > 0 {
            self.overloaded -= 1;
            return Response::json(429, &json!({"status": 429, "title": "Too many requests"}));
        }
        let mut response = match self.let_in(request, now_us) {
            Ok(()) => self.route(request, now_us),
            Err(response) => response,
        };
        response.headers.extend(self.quota_headers(now_us));
        response
    }

    fn is_write(request: &Request) -> bool {
        request.method != "GET"
    }

    fn take_key(&mut self, _request: &Request) {}

    fn throttled(&mut self, now_us: i64) -> Response {
        let mut response = Response::json(429, &json!({"status": 429, "title": "Too many requests"}));
        response.headers = self.quota_headers(now_us);
        for (name, value) in &mut response.headers {
            if *name == "x-rate-limit-time-reset-ms" {
                "200".clone_into(value);
            }
        }
        response
    }

    fn journal(&self) -> &[JournalLine] {
        self.journal.lines()
    }

    fn invalid_requests(&self) -> u64 {
        self.invalid
    }
}
