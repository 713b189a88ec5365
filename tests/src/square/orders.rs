//! Online orders: Square takes their goods off the number when they are paid, which is at once here.

use serde_json::{Value, json};

use super::inventory::{ids, paged};
use super::machine::{Refusal, SquareMachine};
use crate::counter::{iso, parse_iso};
use crate::journal::Cause;

/// Where an order stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrderState {
    /// Paid, not handed over.
    Open,
    /// Handed over.
    Completed,
    /// Called off; its goods are in stock again.
    Canceled,
}

/// One order of one article, to be picked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// Its id.
    pub id: String,
    /// The article.
    pub sku: String,
    /// Pieces.
    pub quantity: i64,
    /// Where it stands.
    pub state: OrderState,
    created_us: i64,
    updated_us: i64,
}

impl SquareMachine {
    /// A customer orders and pays; `None` if there is no such article.
    pub fn place_order(&mut self, sku: &str, quantity: i64, now_us: i64) -> Option<String> {
        if !self.happen(sku, -quantity, Cause::OrderPlaced, now_us) {
            return None;
        }
        let id = self.take_id("ORD");
        let (sku, state) = (sku.to_owned(), OrderState::Open);
        self.orders.push(Order { id: id.clone(), sku, quantity, state, created_us: now_us, updated_us: now_us });
        Some(id)
    }

    /// Hands an order over or calls it off; `false` if it is not open.
    pub fn close_order(&mut self, id: &str, state: OrderState, now_us: i64) -> bool {
        let Some(order) = self.orders.iter_mut().find(|order| order.id == id && order.state == OrderState::Open) else {
            return false;
        };
        order.state = state;
        order.updated_us = now_us;
        let (sku, quantity) = (order.sku.clone(), order.quantity);
        state != OrderState::Canceled || self.happen(&sku, quantity, Cause::OrderCancelled, now_us)
    }

    /// `POST /v2/orders/search`. A filter by time has to be sorted by the same time.
    pub(super) fn search_orders(&self, body: &Value) -> Result<Value, Refusal> {
        if ids(body, "location_ids").is_none_or(|ids| !ids.contains(&self.settings.location)) {
            return Err(Refusal::of("INVALID_VALUE", "location_ids".to_owned(), "There is no such location."));
        }
        let start = body.pointer("/query/filter/date_time_filter/updated_at/start_at").and_then(Value::as_str);
        let sort = body.pointer("/query/sort/sort_field").and_then(Value::as_str);
        if start.is_some() && sort != Some("UPDATED_AT") {
            let field = "query.sort.sort_field".to_owned();
            return Err(Refusal::of("BAD_REQUEST", field, "Sort by the time that is filtered by."));
        }
        let after = start.and_then(parse_iso).unwrap_or(i64::MIN);
        let states = body.pointer("/query/filter/state_filter").and_then(|filter| ids(filter, "states"));
        let mut found: Vec<&Order> = self
            .orders
            .iter()
            .filter(|order| order.updated_us >= after)
            .filter(|order| states.as_ref().is_none_or(|states| states.iter().any(|state| state == word(order.state))))
            .collect();
        found.sort_by_key(|order| order.updated_us);
        let rows = found.into_iter().map(|order| self.order(order)).collect();
        Ok(paged("orders", rows, body))
    }

    fn order(&self, order: &Order) -> Value {
        let variation = self.variations.iter().find(|(_, known)| known.sku == order.sku).map(|(id, _)| id);
        let fulfilment = match order.state {
            OrderState::Open => "PROPOSED",
            OrderState::Completed => "COMPLETED",
            OrderState::Canceled => "CANCELED",
        };
        json!({"id": order.id, "location_id": self.settings.location, "state": word(order.state),
            "created_at": iso(order.created_us), "updated_at": iso(order.updated_us),
            "line_items": [{"uid": "line-1", "catalog_object_id": variation, "quantity": order.quantity.to_string()}],
            "fulfillments": [{"uid": "f-1", "type": "PICKUP", "state": fulfilment}]})
    }
}

const fn word(state: OrderState) -> &'static str {
    match state {
        OrderState::Open => "OPEN",
        OrderState::Completed => "COMPLETED",
        OrderState::Canceled => "CANCELED",
    }
}
