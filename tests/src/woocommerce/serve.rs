//! The HTTP side: every path goes to the machine, through the faults. Handles of the stand-in's own are under `/_shop/`.
//!
//! | | |
//! |---|---|
//! | `GET /_shop/stats` | [`WooStats`](super::WooStats) |
//! | `GET /_shop/orders`, `POST /_shop/orders` | all orders; `{"sku", "quantity"}` places one |
//! | `POST /_shop/products` | `{"sku", "stock"}` |
//! | `POST`, `DELETE /_shop/faults` | the [`FaultRule`]s in force |
//! | `POST /_shop/outage` | `{"for_ms"}`: the port closes at once and opens again later |

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, DefaultBodyLimit, State as Given};
use axum::http::{HeaderMap, HeaderValue, Method, Response as Http, Uri};
use axum::routing::{get, post};
use serde_json::{Value, json};

use super::machine::{Request, Response};
use super::{NewProduct, Shop};
use crate::faults::{Desk, FaultRule, Incoming, On, Reply, answer};
use crate::locked;
use crate::wire::Connection;

/// Most bytes of one request.
const BODY_BYTES_MAX: usize = 4 * 1024 * 1024;
/// How method, target and totals travel with what the faults handle.
const METHOD: &str = "x-stand-in-method";
const TARGET: &str = "x-stand-in-target";

pub(crate) fn router(shop: &Arc<Shop>) -> Router {
    Router::new()
        .route("/_shop/stats", get(|Given(shop): Given<Arc<Shop>>| async move { said(200, &json!(shop.stats())) }))
        .route("/_shop/orders", get(orders).post(place_order))
        .route("/_shop/products", post(add_product))
        .route("/_shop/faults", post(set_faults).delete(clear_faults))
        .route("/_shop/outage", post(outage))
        .fallback(rest)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(Arc::clone(shop))
}

async fn rest(
    Given(shop): Given<Arc<Shop>>,
    ConnectInfo(connection): ConnectInfo<Connection>,
    method: Method,
    uri: Uri,
    mut headers: HeaderMap,
    body: Bytes,
) -> Http<Body> {
    let number = {
        let mut requests = locked(&shop.requests);
        *requests += 1;
        *requests
    };
    let kind = if method == Method::GET { On::Read } else { On::Write };
    let target = uri.path_and_query().map_or_else(String::new, |target| target.as_str().to_owned());
    for (name, value) in [(METHOD, method.as_str()), (TARGET, target.as_str())] {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    }
    let fault = locked(&shop.faults).strike(kind);
    let incoming = Incoming { request: number, kind, headers, body, holds_key: false, forced_code: None };
    let totals = Totals::default();
    let desk = Arc::new(Counter { shop, totals: totals.clone() });
    let mut response = answer(&desk, &connection, fault, incoming).await.into_response();
    if let Some((rows, pages)) = *locked(&totals.0) {
        response.headers_mut().insert("x-wp-total", HeaderValue::from(rows));
        response.headers_mut().insert("x-wp-totalpages", HeaderValue::from(pages));
    }
    response
}

/// The totals of a page, which the faults' reply has no place for.
#[derive(Debug, Clone, Default)]
struct Totals(Arc<std::sync::Mutex<Option<(usize, usize)>>>);

/// One request at the counter.
struct Counter {
    shop: Arc<Shop>,
    totals: Totals,
}

impl Desk for Counter {
    fn serve(&self, incoming: &Incoming) -> Reply {
        let request = request(incoming);
        let response = self.shop.with(|machine, now_us| machine.handle(&request, now_us));
        *locked(&self.totals.0) = response.totals;
        reply(response)
    }

    /// The platform knows no keys; the plugin's are taken in one transaction.
    fn take_key(&self, _incoming: &Incoming) {}

    fn throttled(&self) -> Reply {
        Reply { retry_after_s: Some(1), ..Reply::json(429, self.refusal(429)) }
    }

    /// What stands in front of the shop answers with pages for people.
    fn refusal(&self, status: u16) -> Bytes {
        let text = match status {
            403 => "Your access to this site has been limited",
            503 => "Briefly unavailable for scheduled maintenance. Check back in a minute.",
            429 => "Too many requests",
            _ => "There has been a critical error on this website.",
        };
        format!("<!DOCTYPE html><html><body><p>{text}</p></body></html>").into()
    }
}

fn request(incoming: &Incoming) -> Request {
    let header =
        |name: &str| incoming.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let target = header(TARGET);
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    Request {
        method: header(METHOD),
        path: path.to_owned(),
        query: url::form_urlencoded::parse(query.as_bytes()).into_owned().collect(),
        authorization: header("authorization"),
        method_override: header("x-http-method-override"),
        body: incoming.body.to_vec(),
        number: incoming.request,
    }
}

fn reply(response: Response) -> Reply {
    let content_type = if response.html { "text/html; charset=UTF-8" } else { "application/json; charset=UTF-8" };
    Reply { content_type, ..Reply::json(response.status, response.body) }
}

fn said(status: u16, body: &Value) -> Http<Body> {
    Reply::json(status, body.to_string()).into_response()
}

async fn orders(Given(shop): Given<Arc<Shop>>) -> Http<Body> {
    said(200, &shop.with(|machine, _| json!(machine.orders())))
}

async fn place_order(Given(shop): Given<Arc<Shop>>, body: Bytes) -> Http<Body> {
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let sku = body.get("sku").and_then(Value::as_str).unwrap_or_default();
    let quantity = body.get("quantity").and_then(Value::as_i64).unwrap_or(1);
    match shop.place_order(sku, quantity) {
        Some(id) => said(201, &json!({"id": id})),
        None => said(404, &json!({"error": "there is no product with that sku"})),
    }
}

async fn add_product(Given(shop): Given<Arc<Shop>>, body: Bytes) -> Http<Body> {
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let sku = body.get("sku").and_then(Value::as_str).unwrap_or_default();
    let stock = body.get("stock").and_then(Value::as_i64).unwrap_or_default();
    said(201, &json!({"id": shop.add(NewProduct::stocked(sku, stock))}))
}

async fn set_faults(Given(shop): Given<Arc<Shop>>, body: Bytes) -> Http<Body> {
    match serde_json::from_slice::<Vec<FaultRule>>(&body) {
        Ok(rules) => {
            locked(&shop.faults).replace(rules);
            said(200, &json!({}))
        }
        Err(error) => said(400, &json!({"error": error.to_string()})),
    }
}

async fn clear_faults(Given(shop): Given<Arc<Shop>>) -> Http<Body> {
    shop.clear_faults();
    said(200, &json!({}))
}

async fn outage(Given(shop): Given<Arc<Shop>>, body: Bytes) -> Http<Body> {
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let for_ms = body.get("for_ms").and_then(Value::as_u64).unwrap_or(0);
    tokio::spawn(async move {
        shop.go_down().await;
        tokio::time::sleep(Duration::from_millis(for_ms)).await;
        shop.come_up().await
    });
    said(202, &json!({}))
}
