//! The rules as a pure state machine: a request and the time go in, a response comes out.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::WooSettings;
use super::catalogue::{Catalogue, NewProduct};
use super::orders::{Orders, Status};
use super::plugin::Operations;
use crate::dice::Dice;
use crate::journal::{Cause, Entry, Journal, Origin};

/// What the platform takes at once in one batch.
pub(crate) const BATCH_MAX: usize = 100;
/// What one page may hold.
const PAGE_MAX: usize = 100;

/// A request, apart from its connection.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Request {
    /// `GET`, `POST`, …
    pub method: String,
    /// Below the site, e.g. `/wp-json/wc/v3/products`.
    pub path: String,
    /// Decoded names and values.
    pub query: Vec<(String, String)>,
    /// The `Authorization` header.
    pub authorization: String,
    /// The `X-HTTP-Method-Override` header.
    pub method_override: String,
    /// The body.
    pub body: Vec<u8>,
    /// Its number, for the journal.
    pub number: u64,
}

impl Request {
    pub(crate) fn asked(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// A list separated by commas, as the platform reads it.
    pub(crate) fn asked_list(&self, name: &str) -> Option<Vec<&str>> {
        Some(self.asked(name)?.split(',').map(str::trim).filter(|part| !part.is_empty()).collect())
    }
}

/// What goes back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// HTTP status.
    pub status: u16,
    /// `application/json` or a page for people.
    pub html: bool,
    /// `X-WP-Total` and `X-WP-TotalPages`.
    pub totals: Option<(usize, usize)>,
    /// The body.
    pub body: String,
}

impl Response {
    pub(crate) fn ok(body: &Value) -> Self {
        Self::json(200, body)
    }

    pub(crate) fn json(status: u16, body: &Value) -> Self {
        Self { status, html: false, totals: None, body: body.to_string() }
    }

    pub(crate) fn error(status: u16, code: &str, message: &str) -> Self {
        Self::json(status, &json!({"code": code, "message": message, "data": {"status": status}}))
    }

    fn page(status: u16, text: &str) -> Self {
        Self {
            status,
            html: true,
            totals: None,
            body: format!("<!DOCTYPE html><html><body><h1>{text}</h1></body></html>"),
        }
    }
}

/// What the shop has counted.
#[derive(Debug, Clone, Default, Serialize)]
pub struct WooStats {
    /// Requests that came in, faulted ones included.
    pub requests: u64,
    /// Requests by method and route.
    pub routes: BTreeMap<String, u64>,
    /// Rows that changed a number.
    pub applied_rows: u64,
    /// Rows for products without stock management: taken with thanks, and dropped.
    pub dropped_rows: u64,
    /// Orders whose taking of goods was overwritten by a number read before it.
    pub overwritten_orders: u64,
    /// Operations that the plugin answered again without effect.
    pub replays: u64,
    /// Requests without a valid key.
    pub unauthorised: u64,
    /// Requests that no correct client sends.
    pub invalid_requests: u64,
    /// Faults that happened, by kind.
    pub faults: BTreeMap<&'static str, u64>,
}

/// The whole shop.
#[derive(Debug)]
pub struct Machine {
    pub(crate) settings: WooSettings,
    pub(crate) catalogue: Catalogue,
    pub(crate) orders: Orders,
    pub(crate) operations: Operations,
    pub(crate) stats: WooStats,
    pub(crate) dice: Dice,
    /// Orders that land between the reading and the writing of the next number that the REST API saves.
    pub(crate) landing: Vec<(String, i64)>,
    journal: Journal,
}

impl Machine {
    /// An empty shop.
    ///
    /// # Errors
    /// The journal cannot be opened.
    pub fn new(settings: WooSettings) -> anyhow::Result<Self> {
        Ok(Self {
            journal: Journal::open(settings.journal.as_deref(), settings.keep_journal)?,
            dice: Dice::new(settings.seed),
            catalogue: Catalogue::new(settings.manage_stock),
            orders: Orders::default(),
            operations: Operations::default(),
            stats: WooStats::default(),
            landing: Vec::new(),
            settings,
        })
    }

    /// Puts a product or a variation into the shop; returns its id.
    pub fn add(&mut self, product: NewProduct, now_us: i64) -> u64 {
        self.catalogue.add(product, now_us)
    }

    /// The number of the product with this SKU.
    #[must_use]
    pub fn stock_of(&self, sku: &str) -> Option<i64> {
        self.catalogue.with_sku(sku).and_then(|product| self.catalogue.stock(product.id))
    }

    /// The price of the product with this SKU.
    #[must_use]
    pub fn price_of(&self, sku: &str) -> Option<String> {
        self.catalogue.with_sku(sku).map(|product| product.given.regular_price.clone())
    }

    /// An order of this article lands between the reading and the writing of the next number that the REST API saves.
    pub fn land_inside_next_write(&mut self, sku: &str, quantity: i64) {
        self.landing.push((sku.to_owned(), quantity));
    }

    /// Changes products with this SKU by hand.
    pub fn amend(&mut self, sku: &str, change: impl FnOnce(&mut NewProduct)) {
        let id = self.catalogue.with_sku(sku).map(|product| product.id);
        if let Some(product) = id.and_then(|id| self.catalogue.get_mut(id)) {
            change(&mut product.given);
        }
    }

    /// Switches the companion plugin on or off; what it remembers stays.
    pub const fn switch_plugin(&mut self, active: bool) {
        self.settings.plugin = active;
    }

    /// What it has counted.
    #[must_use]
    pub const fn stats(&self) -> &WooStats {
        &self.stats
    }

    /// Every change of a number.
    #[must_use]
    pub const fn journal(&self) -> &Journal {
        &self.journal
    }

    pub(crate) fn record(&mut self, request: u64, key: Option<&str>, entries: Vec<Entry>) {
        self.journal.record(Origin { request, key, reference: None }, entries);
    }

    /// Somebody changes a number in the shop's admin.
    pub fn change_elsewhere(&mut self, sku: &str, delta: i64, now_us: i64) -> bool {
        let keeper = self.catalogue.with_sku(sku).and_then(|product| self.catalogue.keeper(product.id));
        let entry = keeper.and_then(|id| self.catalogue.add_stock(id, delta, Cause::Elsewhere, now_us));
        let changed = entry.is_some();
        self.record(0, None, entry.into_iter().collect());
        changed
    }

    /// Answers one request at this time.
    pub fn handle(&mut self, request: &Request, now_us: i64) -> Response {
        let method = match (request.method.as_str(), request.method_override.as_str()) {
            ("POST", other @ ("PUT" | "PATCH" | "DELETE")) => other,
            (method, _) => method,
        };
        if self.settings.blocks_put && matches!(request.method.as_str(), "PUT" | "DELETE") {
            return Response::page(403, "Access denied by the security policy");
        }
        let Some(route) = self.route(request) else {
            return Response::page(404, "Page not found");
        };
        let route = route.trim_end_matches('/').to_owned();
        if let Err(refused) = self.lets_in(request, method, &route) {
            self.stats.unauthorised += 1;
            return *refused;
        }
        let parts: Vec<&str> = route.split('/').filter(|part| !part.is_empty()).collect();
        let generic: Vec<&str> = parts
            .iter()
            .map(|part| if part.bytes().all(|byte| byte.is_ascii_digit()) { "{id}" } else { part })
            .collect();
        *self.stats.routes.entry(format!("{method} /{}", generic.join("/"))).or_default() += 1;
        let response = self.dispatch(request, method, &parts, now_us);
        // To ask whether an optional route is there is no mistake.
        let looks = response.status == 404 && matches!(parts.as_slice(), ["tillsync", ..] | ["wc", "v3", "variations"]);
        if matches!(response.status, 400 | 404 | 413) && !looks {
            self.stats.invalid_requests += 1;
        }
        response
    }

    /// The route below `/wp-json`, by path or by `rest_route`.
    fn route(&self, request: &Request) -> Option<String> {
        if let Some(route) = request.asked("rest_route") {
            return Some(route.to_owned());
        }
        let below = request.path.strip_prefix("/wp-json")?;
        self.settings.permalinks.then(|| below.to_owned())
    }

    fn lets_in(&self, request: &Request, method: &str, route: &str) -> Result<(), Box<Response>> {
        if route.is_empty() {
            return Ok(());
        }
        let given = request.authorization.strip_prefix("Basic ").and_then(|text| STANDARD.decode(text).ok());
        let given = given.and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default();
        let (name, secret) = given.split_once(':').unwrap_or_default();
        let refusal = |code, message| Err(Box::new(Response::error(401, code, message)));
        match self.settings.keys.iter().find(|(known, _, _)| known == name) {
            None => refusal("woocommerce_rest_cannot_view", "Sorry, you cannot list resources."),
            Some((_, known, _)) if known != secret => {
                refusal("woocommerce_rest_authentication_error", "Consumer secret is invalid.")
            }
            Some((_, _, false)) if method != "GET" => refusal(
                "woocommerce_rest_authentication_error",
                "The API key provided does not have write permissions.",
            ),
            Some(_) => Ok(()),
        }
    }

    fn dispatch(&mut self, request: &Request, method: &str, parts: &[&str], now_us: i64) -> Response {
        let id = |text: &str| text.parse::<u64>().ok();
        match (method, parts) {
            ("GET", []) => self.index(request),
            ("GET", ["wc", "v3", "system_status"]) => {
                let status = json!({"environment": {"version": "11.0.1", "wp_version": "7.0.4"}, "settings": {"currency": "EUR"}});
                Response::ok(&fields(request, status))
            }
            ("GET", ["wc", "v3", "settings", "products", "woocommerce_manage_stock"]) => {
                let value = if self.settings.manage_stock { "yes" } else { "no" };
                Response::ok(&fields(request, json!({"id": "woocommerce_manage_stock", "value": value})))
            }
            ("GET", ["wc", "v3", "products"]) => self.list_products(request),
            ("GET", ["wc", "v3", "variations"]) if self.settings.flat_variations => self.list_variations(request, None),
            ("GET", ["wc", "v3", "products", parent, "variations"]) if id(parent).is_some() => {
                self.list_variations(request, id(parent))
            }
            ("POST", ["wc", "v3", "products"]) => self.create_product(request, now_us),
            ("GET", ["wc", "v3", "products", one]) if id(one).is_some() => self.show_product(request, id(one)),
            ("PUT" | "PATCH" | "POST", ["wc", "v3", "products", one]) if id(one).is_some() => {
                self.put_product(request, id(one).unwrap_or_default(), None, now_us)
            }
            ("PUT" | "PATCH" | "POST", ["wc", "v3", "products", parent, "variations", one])
                if id(one).is_some() && id(parent).is_some() =>
            {
                self.put_product(request, id(one).unwrap_or_default(), id(parent), now_us)
            }
            ("POST" | "PUT", ["wc", "v3", "products", "batch"]) => self.batch(request, None, now_us),
            ("POST" | "PUT", ["wc", "v3", "products", parent, "variations", "batch"]) if id(parent).is_some() => {
                self.batch(request, id(parent), now_us)
            }
            (_, ["wc", "v3", "orders", rest @ ..]) => self.order_routes(request, method, rest, now_us),
            (_, ["tillsync", "v1", rest @ ..]) if self.settings.plugin => self.plugin(request, method, rest, now_us),
            _ => Response::error(404, "rest_no_route", "No route was found matching the URL and request method."),
        }
    }

    fn index(&self, request: &Request) -> Response {
        let mut namespaces = vec!["oembed/1.0", "wc/v3", "wc/v2", "wc/store/v1", "wp/v2"];
        if self.settings.plugin {
            namespaces.push("tillsync/v1");
        }
        Response::ok(&fields(request, json!({"name": "Stand-in shop", "gmt_offset": "1", "namespaces": namespaces})))
    }

    /// A page of rows, with totals, as asked for.
    pub(crate) fn paged(request: &Request, rows: Vec<Value>) -> Response {
        let number = |name: &str, otherwise: usize| match request.asked(name) {
            Some(text) => text.parse::<usize>().unwrap_or(0),
            None => otherwise,
        };
        let (page, per_page) = (number("page", 1), number("per_page", 10));
        if page == 0 || per_page == 0 || per_page > PAGE_MAX {
            return Response::error(400, "rest_invalid_param", "Invalid parameter(s): per_page");
        }
        let total = rows.len();
        let shown: Vec<Value> =
            rows.into_iter().skip((page - 1) * per_page).take(per_page).map(|row| fields(request, row)).collect();
        Response { totals: Some((total, total.div_ceil(per_page))), ..Response::ok(&Value::from(shown)) }
    }

    /// Storefront order; see [`super::Shop::place_order`].
    pub fn place_order(&mut self, sku: &str, quantity: i64, status: Status, now_us: i64) -> Option<u64> {
        let product = self.catalogue.with_sku(sku)?;
        let line = if product.given.parent == 0 { (product.id, 0) } else { (product.given.parent, product.id) };
        Some(self.make_order(&[(line.0, line.1, quantity)], status, now_us))
    }
}

/// `_fields=`: names at the top, or one level down as `a.b`.
pub(crate) fn fields(request: &Request, body: Value) -> Value {
    let Some(wanted) = request.asked_list("_fields") else { return body };
    let Value::Object(all) = body else { return body };
    let mut kept = Map::new();
    for name in wanted {
        match name.split_once('.') {
            None => {
                if let Some(value) = all.get(name) {
                    kept.insert(name.to_owned(), value.clone());
                }
            }
            Some((outer, inner)) => {
                if let Some(value) = all.get(outer).and_then(|outer| outer.get(inner)) {
                    let place = kept.entry(outer.to_owned()).or_insert_with(|| json!({}));
                    place[inner] = value.clone();
                }
            }
        }
    }
    Value::Object(kept)
}

/// `intval()`: what the platform makes of anything that is to be a number.
pub(crate) fn intval(value: &Value) -> i64 {
    match value {
        Value::Number(number) => number.as_i64().or_else(|| whole(&number.to_string())).unwrap_or(0),
        Value::String(text) => whole(text).unwrap_or(0),
        Value::Bool(true) => 1,
        Value::Null | Value::Bool(false) | Value::Array(_) | Value::Object(_) => 0,
    }
}

fn whole(text: &str) -> Option<i64> {
    let text = text.trim();
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |digits| (-1, digits));
    let digits: String = digits.chars().take_while(char::is_ascii_digit).collect();
    Some(sign * digits.parse::<i64>().ok()?)
}
