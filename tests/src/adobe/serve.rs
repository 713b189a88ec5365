//! The HTTP side: routes, who may use them, and the shapes of replies and refusals.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, State as Given};
use axum::http::{HeaderMap, HeaderValue, Method, Response, Uri};
use serde_json::{Value, json};

use super::commerce::{Order, Shipment};
use super::criteria::{self, Criteria};
use super::{Site, State, oauth};
use crate::decimal::Decimal;
use crate::faults::{Desk, Incoming, On, Reply, answer};
use crate::journal::{Cause, Origin};
use crate::locked;
use crate::wire::Connection;

pub(crate) const SOURCES: &str = "Magento_InventoryApi::source";
pub(crate) const ORDERS: &str = "Magento_Sales::actions_view";
pub(crate) const SHIPMENTS: &str = "Magento_Sales::shipment";
pub(crate) const PRODUCTS: &str = "Magento_Catalog::products";

/// Where method and address travel beside the body; no client sends it.
const LINE: &str = "x-stand-in-line";

/// Every request.
pub(crate) async fn any(
    Given(site): Given<Arc<Site>>,
    ConnectInfo(connection): ConnectInfo<Connection>,
    method: Method,
    address: Uri,
    mut headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let request = {
        let mut state = locked(&site.state);
        state.stats.requests += 1;
        state.stats.requests
    };
    let path = address.path();
    let kind = match method {
        _ if path.ends_with("/integration/admin/token") => On::Token,
        Method::GET => On::Read,
        _ if path.ends_with("/base-prices-information") => On::Read,
        _ => On::Write,
    };
    let line = format!("{method} {}", address.path_and_query().map_or("/", |both| both.as_str()));
    if let Ok(line) = HeaderValue::from_str(&line) {
        headers.insert(LINE, line);
    }
    let fault = locked(&site.faults).strike(kind);
    let incoming = Incoming { request, kind, headers, body, holds_key: false, forced_code: None };
    answer(&site, &connection, fault, incoming).await.into_response()
}

/// A request with its address taken apart.
struct Asked<'a> {
    method: &'a str,
    path: &'a str,
    query: &'a str,
    body: &'a [u8],
}

impl Desk for Site {
    fn serve(&self, incoming: &Incoming) -> Reply {
        let header = |name: &str| incoming.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let (method, address) = header(LINE).split_once(' ').unwrap_or_default();
        let (path, query) = address.split_once('?').unwrap_or((address, ""));
        let asked =
            Asked { method, path: path.strip_prefix("/rest/V1/").unwrap_or_default(), query, body: &incoming.body };
        let mut state = locked(&self.state);
        *state.stats.operations.entry(format!("{method} {}", asked.path)).or_default() += 1;
        if incoming.kind == On::Token {
            return state.admin_token(&incoming.body);
        }
        let proof = header("authorization");
        let base = format!("http://{}{path}", header("host"));
        if let Err(word) = state.who(proof, method, &base, query) {
            state.stats.unauthorised += 1;
            return refused(401, &format!("oauth_problem={word}"), &json!({}));
        }
        let origin = Origin { request: incoming.request, ..Origin::default() };
        state.route(&asked, origin)
    }

    fn take_key(&self, _incoming: &Incoming) {}

    fn throttled(&self) -> Reply {
        Reply { retry_after_s: Some(1), ..Reply::json(429, self.refusal(429)) }
    }

    fn refusal(&self, status: u16) -> Bytes {
        let message = match status {
            401 => "The consumer isn't authorized to access %resources.",
            429 => "Too Many Requests",
            500 => "Internal Error. Details are available in Magento log file. Report ID: webapi-0000",
            503 => "Service Temporarily Unavailable",
            _ => "refused on purpose",
        };
        json!({"message": message, "parameters": {"resources": SOURCES}}).to_string().into()
    }
}

fn refused(status: u16, message: &str, parameters: &Value) -> Reply {
    Reply::json(status, json!({"message": message, "parameters": parameters}).to_string())
}

impl State {
    fn who(&mut self, proof: &str, method: &str, address: &str, query: &str) -> Result<(), &'static str> {
        match proof.split_once(' ') {
            Some(("OAuth", parameters)) => {
                oauth::check(&self.settings.credentials, &mut self.nonces, parameters, method, address, query)
            }
            Some(("Bearer", token)) => {
                let known =
                    self.settings.bearer.as_deref() == Some(token) || self.admin_tokens.iter().any(|t| t == token);
                if known { Ok(()) } else { Err("token_rejected") }
            }
            Some(_) | None => Err("parameter_absent"),
        }
    }

    fn admin_token(&mut self, body: &[u8]) -> Reply {
        let given: Value = serde_json::from_slice(body).unwrap_or_default();
        let (name, password) = &self.settings.admin;
        if given["username"] != name.as_str() || given["password"] != password.as_str() {
            self.stats.unauthorised += 1;
            let message = "The account sign-in was incorrect or your account is disabled temporarily. Please wait and try again later.";
            return refused(401, message, &json!({}));
        }
        let token = format!("stand-in-admin-token-{}", self.stats.requests);
        self.admin_tokens.push(token.clone());
        Reply::json(200, json!(token).to_string())
    }

    fn invalid(&mut self, status: u16, message: &str, parameters: &Value) -> Reply {
        self.stats.invalid_requests += 1;
        refused(status, message, parameters)
    }

    fn route(&mut self, asked: &Asked<'_>, origin: Origin<'_>) -> Reply {
        let parts: Vec<&str> = asked.path.split('/').collect();
        let resource = match parts.first().copied().unwrap_or_default() {
            "inventory" => SOURCES,
            "orders" => ORDERS,
            "shipments" => SHIPMENTS,
            _ => PRODUCTS,
        };
        if !self.settings.resources.iter().any(|one| one == resource) {
            let message = "The consumer isn't authorized to access %resources.";
            return refused(401, message, &json!({"resources": resource}));
        }
        match (asked.method, parts.as_slice()) {
            ("GET", ["inventory", "source-items"]) => self.search(asked, Self::source_items),
            ("POST", ["inventory", "source-items"]) => self.write_source_items(asked.body, origin),
            ("GET", ["inventory", "sources", code]) => self.source(code),
            ("GET", ["products"]) => self.search(asked, Self::products),
            ("GET", ["orders"]) => self.search(asked, Self::orders),
            ("GET", ["shipments"]) => self.search(asked, Self::shipments),
            ("POST", ["products", "base-prices"]) => self.write_prices(asked.body),
            _ => self.invalid(404, "Request does not match any route.", &json!({})),
        }
    }

    fn search(&mut self, asked: &Asked<'_>, find: fn(&Self, &Criteria) -> Vec<Value>) -> Reply {
        let Some(criteria) = criteria::read(asked.query) else {
            return self.invalid(
                400,
                "\"%fieldName\" is required. Enter and try again.",
                &json!({"fieldName": "searchCriteria"}),
            );
        };
        let most = self.settings.page_max;
        if criteria.page_size.is_some_and(|size| size > most) {
            return self.invalid(400, "Maximum SearchCriteria pageSize is %max", &json!({"max": most}));
        }
        let found = find(self, &criteria);
        let page = criteria.page(&found);
        Reply::json(200, json!({"items": page, "search_criteria": {}, "total_count": found.len()}).to_string())
    }

    fn source_items(&self, criteria: &Criteria) -> Vec<Value> {
        self.commerce
            .source_items()
            .filter(|(sku, source, _)| {
                criteria.fits(|field| match field {
                    "sku" => Some((*sku).to_owned()),
                    "source_code" => Some((*source).to_owned()),
                    _ => None,
                })
            })
            .map(|(sku, source, item)| {
                json!({"sku": sku, "source_code": source, "quantity": number(item.quantity), "status": u8::from(item.in_stock)})
            })
            .collect()
    }

    fn products(&self, criteria: &Criteria) -> Vec<Value> {
        self.commerce
            .products()
            .iter()
            .filter(|(sku, _)| criteria.fits(|field| (field == "sku").then(|| (*sku).clone())))
            .map(|(sku, product)| {
                json!({"id": product.id, "sku": sku, "name": format!("Article {sku}"), "type_id": product.kind, "status": 1})
            })
            .collect()
    }

    fn orders(&self, criteria: &Criteria) -> Vec<Value> {
        let wanted = |order: &&Order| {
            criteria.fits(|field| match field {
                "updated_at" => Some(moment(order.updated_s)),
                "state" => Some(order.state.as_str().to_owned()),
                "entity_id" => Some(order.id.to_string()),
                _ => None,
            })
        };
        self.commerce.orders().iter().filter(wanted).map(order_json).collect()
    }

    fn shipments(&self, criteria: &Criteria) -> Vec<Value> {
        let wanted = |one: &&Shipment| criteria.fits(|field| (field == "order_id").then(|| one.order.to_string()));
        self.commerce.shipments().iter().filter(wanted).map(shipment_json).collect()
    }

    fn source(&mut self, code: &str) -> Reply {
        if !self.commerce.sources().iter().any(|source| source == code) {
            let message = "Source with code \"%value\" does not exist.";
            return refused(404, message, &json!({"value": code}));
        }
        Reply::json(200, json!({"source_code": code, "name": format!("Source {code}"), "enabled": true}).to_string())
    }

    /// Upserts numbers: all of them or, if one row is invalid, none.
    fn write_source_items(&mut self, body: &[u8], origin: Origin<'_>) -> Reply {
        let given: Value = serde_json::from_slice(body).unwrap_or_default();
        let Some(rows) = given["sourceItems"].as_array() else {
            return self.invalid(
                400,
                "\"%fieldName\" is required. Enter and try again.",
                &json!({"fieldName": "sourceItems"}),
            );
        };
        if let Some(most) = self.settings.items_max.filter(|most| rows.len() > *most) {
            let parameters = json!({"type": "Magento\\InventoryApi\\Api\\Data\\SourceItemInterface", "max": most});
            return self.invalid(400, "Maximum items of type \"%type\" is %max", &parameters);
        }
        let mut writes = Vec::new();
        for row in rows {
            let (sku, source) =
                (row["sku"].as_str().unwrap_or_default(), row["source_code"].as_str().unwrap_or_default());
            let quantity = row["quantity"].is_number().then(|| Decimal::parse(&row["quantity"].to_string())).flatten();
            let status = row["status"].as_u64().filter(|status| *status < 2);
            let known = self.commerce.sources().iter().any(|one| one == source);
            let (Some(quantity), Some(status), true) = (quantity, status, known && !sku.is_empty()) else {
                return self.validation_failed(source, known);
            };
            writes.push((sku.to_owned(), source.to_owned(), quantity, status == 1));
        }
        let mut changes = Vec::new();
        for (sku, source, quantity, in_stock) in writes {
            self.stats.orphans += u64::from(!self.commerce.products().contains_key(&sku));
            self.stats.applied_rows += 1;
            let delta = self.commerce.set(&sku, &source, quantity, in_stock);
            if !delta.is_zero() {
                changes.push((sku, source, delta));
            }
        }
        self.stats.applied_writes += 1;
        self.record(origin, Cause::Set, &changes);
        Reply::json(200, "[]")
    }

    fn validation_failed(&mut self, source: &str, known: bool) -> Reply {
        self.stats.invalid_requests += u64::from(known);
        let error = if known {
            json!({"message": "\"%field\" should be numeric", "parameters": {"field": "quantity"}})
        } else {
            json!({"message": "Source with code \"%sourceCode\" doesn't exist.", "parameters": {"sourceCode": source}})
        };
        Reply::json(400, json!({"message": "Validation Failed", "errors": [error], "parameters": {}}).to_string())
    }

    /// Prices are taken one by one; those that were not come back as a list.
    fn write_prices(&mut self, body: &[u8]) -> Reply {
        let given: Value = serde_json::from_slice(body).unwrap_or_default();
        let rows = given["prices"].as_array().cloned().unwrap_or_default();
        let mut refused = Vec::new();
        for row in &rows {
            let (sku, price) = (row["sku"].as_str().unwrap_or_default(), row["price"].to_string());
            let fault = if price.starts_with('-') {
                Some("Invalid attribute Price = %price. Row ID: SKU = %SKU, Store ID: %storeId.")
            } else if self.commerce.set_price(sku, &price) {
                None
            } else {
                Some("The product with SKU = %SKU does not exist. Row ID: SKU = %SKU, Store ID: %storeId.")
            };
            if let Some(message) = fault {
                let store = row["store_id"].to_string();
                refused.push(json!({"message": message, "parameters": [price, sku, store]}));
            }
        }
        Reply::json(200, Value::from(refused).to_string())
    }
}

fn order_json(order: &Order) -> Value {
    let items: Vec<Value> = order
        .items
        .iter()
        .map(|item| {
            json!({"item_id": item.id, "order_id": order.id, "parent_item_id": item.parent, "product_type": item.kind,
                "sku": item.sku, "is_virtual": u8::from(item.kind == "virtual"), "qty_ordered": item.ordered,
                "qty_shipped": item.shipped, "qty_canceled": item.canceled, "qty_refunded": 0})
        })
        .collect();
    let pickup = order.pickup.as_ref().map_or_else(|| json!({}), |code| json!({"pickup_location_code": code}));
    json!({"entity_id": order.id, "increment_id": format!("{:09}", order.id), "state": order.state.as_str(),
        "created_at": moment(order.created_s), "updated_at": moment(order.updated_s),
        "customer_email": "nobody@example.com", "customer_lastname": "Made-Up", "items": items,
        "extension_attributes": pickup})
}

fn shipment_json(shipment: &Shipment) -> Value {
    let items: Vec<Value> = shipment
        .items
        .iter()
        .map(|(line, sku, units)| json!({"order_item_id": line, "sku": sku, "qty": units}))
        .collect();
    json!({"entity_id": shipment.id, "order_id": shipment.order, "items": items,
        "extension_attributes": {"source_code": shipment.source}})
}

fn number(quantity: Decimal) -> Value {
    serde_json::from_str(&quantity.to_string()).unwrap_or(Value::Null)
}

/// As the platform writes times: in UTC without a zone.
fn moment(at_s: i64) -> String {
    jiff::Timestamp::from_second(at_s).unwrap_or_default().strftime("%Y-%m-%d %H:%M:%S").to_string()
}
