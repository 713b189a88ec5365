//! The stand-in's own handles under `/_shop/`: no platform has them, and no fault touches them.
//!
//! | | |
//! |---|---|
//! | `GET /_shop/stats` | [`ShopStats`](super::ShopStats) |
//! | `GET /_shop/items`, `GET /_shop/items/{sku}` | numbers by location |
//! | `POST /_shop/items` | a [`NewItem`](super::NewItem) or a list of them |
//! | `POST /_shop/orders` | `{"sku", "quantity"}`, answers `{"id"}`; `GET` lists them |
//! | `POST /_shop/orders/{id}/fulfil`, `…/cancel`, `…/cancel-shipment` | closes one, or opens it again |
//! | `GET`, `POST`, `DELETE /_shop/faults` | the [`FaultRule`](crate::faults::FaultRule)s in force; `POST` replaces them |
//! | `POST /_shop/clock` | `{"advance_s"}`: the shop's own clock jumps |
//! | `POST /_shop/outage` | `{"for_ms"}`: the port closes at once and opens again later |
//! | `GET /_shop/journal` | `{"path", "lines"}` |

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path, State as Given};
use axum::http::Response;
use axum::routing::{get, post};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{NewItem, Shop};
use crate::faults::{FaultRule, Reply};
use crate::locked;

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    Many(Vec<NewItem>),
    One(NewItem),
}

#[derive(Deserialize)]
struct NewOrder {
    sku: String,
    quantity: i64,
}

#[derive(Deserialize)]
struct Advance {
    advance_s: u64,
}

#[derive(Deserialize)]
struct Outage {
    for_ms: u64,
}

pub(crate) fn routes() -> Router<Arc<Shop>> {
    Router::new()
        .route("/_shop/stats", get(|Given(shop): Given<Arc<Shop>>| async move { said(200, &json!(shop.stats())) }))
        .route("/_shop/items", get(items).post(add_items))
        .route("/_shop/items/{sku}", get(item))
        .route(
            "/_shop/orders",
            get(|Given(shop): Given<Arc<Shop>>| async move { said(200, &json!(locked(&shop.state).stock.orders())) })
                .post(place_order),
        )
        .route("/_shop/orders/{id}/{what}", post(close_order))
        .route("/_shop/faults", get(faults).post(set_faults).delete(clear_faults))
        .route("/_shop/clock", post(advance))
        .route("/_shop/outage", post(outage))
        .route("/_shop/journal", get(journal))
}

fn said(status: u16, body: &Value) -> Response<Body> {
    Reply::json(status, body.to_string()).into_response()
}

fn read<T: for<'de> Deserialize<'de>>(body: &[u8]) -> Result<T, Box<Response<Body>>> {
    serde_json::from_slice(body).map_err(|error| Box::new(said(400, &json!({"error": error.to_string()}))))
}

async fn items(Given(shop): Given<Arc<Shop>>) -> Response<Body> {
    said(200, &json!(locked(&shop.state).stock.items()))
}

async fn item(Given(shop): Given<Arc<Shop>>, Path(sku): Path<String>) -> Response<Body> {
    said(200, &json!(locked(&shop.state).stock.with_sku(&sku).collect::<Vec<_>>()))
}

async fn add_items(Given(shop): Given<Arc<Shop>>, body: Bytes) -> Response<Body> {
    let items = match read::<OneOrMany>(&body) {
        Ok(OneOrMany::Many(items)) => items,
        Ok(OneOrMany::One(item)) => vec![item],
        Err(refused) => return *refused,
    };
    let ids: Vec<String> = items.into_iter().map(|item| shop.add_item(item)).collect();
    said(201, &json!({"ids": ids}))
}

async fn place_order(Given(shop): Given<Arc<Shop>>, body: Bytes) -> Response<Body> {
    match read::<NewOrder>(&body) {
        Ok(order) => match shop.place_order(&order.sku, order.quantity) {
            Some(id) => said(201, &json!({"id": id})),
            None => said(404, &json!({"error": "no item with that sku is stocked anywhere"})),
        },
        Err(refused) => *refused,
    }
}

async fn close_order(Given(shop): Given<Arc<Shop>>, Path((id, what)): Path<(u64, String)>) -> Response<Body> {
    let closed = match what.as_str() {
        "fulfil" => shop.fulfil_order(id),
        "cancel-shipment" => shop.cancel_shipment(id),
        "cancel" => shop.cancel_order(id),
        _ => false,
    };
    if closed {
        said(200, &json!({"id": id}))
    } else {
        said(404, &json!({"error": "no such open order, or none of fulfil, cancel and cancel-shipment"}))
    }
}

async fn faults(Given(shop): Given<Arc<Shop>>) -> Response<Body> {
    said(200, &json!(locked(&shop.faults).rules()))
}

async fn set_faults(Given(shop): Given<Arc<Shop>>, body: Bytes) -> Response<Body> {
    match read::<Vec<FaultRule>>(&body) {
        Ok(rules) => {
            locked(&shop.faults).replace(rules);
            said(200, &json!({}))
        }
        Err(refused) => *refused,
    }
}

async fn clear_faults(Given(shop): Given<Arc<Shop>>) -> Response<Body> {
    locked(&shop.faults).replace(Vec::new());
    said(200, &json!({}))
}

async fn advance(Given(shop): Given<Arc<Shop>>, body: Bytes) -> Response<Body> {
    match read::<Advance>(&body) {
        Ok(Advance { advance_s }) => {
            shop.advance_clock(Duration::from_secs(advance_s));
            said(200, &json!({}))
        }
        Err(refused) => *refused,
    }
}

async fn outage(Given(shop): Given<Arc<Shop>>, body: Bytes) -> Response<Body> {
    match read::<Outage>(&body) {
        Ok(Outage { for_ms }) => {
            tokio::spawn(async move {
                shop.go_down().await;
                tokio::time::sleep(Duration::from_millis(for_ms)).await;
                shop.come_up().await
            });
            said(202, &json!({}))
        }
        Err(refused) => *refused,
    }
}

async fn journal(Given(shop): Given<Arc<Shop>>) -> Response<Body> {
    let state = locked(&shop.state);
    said(200, &json!({"path": state.journal.path(), "lines": state.journal.count()}))
}
