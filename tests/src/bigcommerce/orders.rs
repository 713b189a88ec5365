//! Online orders: what they take, and when.

use jiff::fmt::rfc2822::DateTimePrinter;
use serde_json::{Value, json};

use super::machine::BigCommerceMachine;
use super::views::window;
use crate::counter::{Request, Response, parse_iso};
use crate::decimal::Decimal;
use crate::journal::{Cause, Entry};

/// Most orders of a page.
const PAGE_MAX: usize = 250;

/// Status ids that the stand-in uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// 2
    Shipped,
    /// 5
    Cancelled,
    /// 9
    AwaitingShipment,
}

impl Status {
    /// BigCommerce's number.
    #[must_use]
    pub const fn id(self) -> i64 {
        match self {
            Self::Shipped => 2,
            Self::Cancelled => 5,
            Self::AwaitingShipment => 9,
        }
    }
}

/// One order of one article.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// Its id.
    pub id: i64,
    /// The article.
    pub sku: String,
    /// Pieces.
    pub quantity: i64,
    /// Where it stands.
    pub status: Status,
    /// Picked up at this location; `None`: shipped.
    pub pickup_at: Option<i64>,
    modified_us: i64,
    created_us: i64,
}

impl BigCommerceMachine {
    /// A customer orders; `None` if there is no such article or it cannot be sold.
    pub fn place_order(&mut self, sku: &str, quantity: i64, now_us: i64) -> Option<i64> {
        let level = self.level(sku)?;
        if level.on_hand - level.safety_stock < quantity {
            return None;
        }
        self.next_id += 1;
        let order = Order {
            id: self.next_id,
            sku: sku.to_owned(),
            quantity,
            status: Status::AwaitingShipment,
            pickup_at: None,
            modified_us: now_us,
            created_us: now_us,
        };
        if self.falls_when_placed() {
            self.move_stock(sku, -quantity, Cause::OrderPlaced, now_us);
        }
        self.orders.push(order);
        Some(self.next_id)
    }

    /// The same, to be picked up at a location.
    pub fn place_pickup(&mut self, sku: &str, quantity: i64, location: i64, now_us: i64) -> Option<i64> {
        let id = self.place_order(sku, quantity, now_us)?;
        if let Some(order) = self.orders.iter_mut().find(|order| order.id == id) {
            order.pickup_at = Some(location);
        }
        Some(id)
    }

    /// An order is placed while the next adjustment is on its way, before that is decided.
    pub fn land_inside_next_adjustment(&mut self, sku: &str, quantity: i64) {
        self.inside.push((sku.to_owned(), quantity));
    }

    /// Ships or cancels an order; `false` if it is not open.
    pub fn close_order(&mut self, id: i64, status: Status, now_us: i64) -> bool {
        let Some(order) = self.orders.iter_mut().find(|o| o.id == id && o.status == Status::AwaitingShipment) else {
            return false;
        };
        order.status = status;
        order.modified_us = now_us;
        let (sku, quantity) = (order.sku.clone(), order.quantity);
        match (status, self.falls_when_placed()) {
            (Status::Shipped, false) => {
                self.move_stock(&sku, -quantity, Cause::OrderFulfilled, now_us);
            }
            (Status::Cancelled, true) => {
                self.move_stock(&sku, quantity, Cause::OrderCancelled, now_us);
            }
            (Status::Shipped, true) => {
                let entry = Entry {
                    cause: Cause::OrderFulfilled,
                    sku,
                    name: "order".to_owned(),
                    delta: Decimal::units(-quantity),
                    on_hand: None,
                    item: None,
                    location: None,
                    change: None,
                    transaction: None,
                };
                self.record(vec![entry]);
            }
            (Status::Cancelled | Status::AwaitingShipment, _) => {}
        }
        true
    }

    fn falls_when_placed(&self) -> bool {
        self.settings.update_stock_behavior == "order_placed"
    }

    pub(super) fn list_orders(&self, request: &Request) -> Response {
        let after = request.asked("min_date_modified").map(|text| parse_iso(text).unwrap_or(i64::MAX));
        let status = request.asked("status_id");
        let mut found: Vec<&Order> = self
            .orders
            .iter()
            .filter(|order| after.is_none_or(|after| order.modified_us >= after))
            .filter(|order| status.is_none_or(|status| status == order.status.id().to_string()))
            .collect();
        if request.asked("sort") == Some("date_modified:asc") {
            found.sort_by_key(|order| order.modified_us);
        }
        let (page, limit) = window(request, PAGE_MAX);
        let expanded = request.asked("include") == Some("consignments.line_items")
            && request.asked("consignment_structure") == Some("object");
        let rows: Vec<Value> =
            found.into_iter().skip((page - 1) * limit).take(limit).map(|order| self.order(order, expanded)).collect();
        if rows.is_empty() {
            return Response { status: 204, headers: Vec::new(), body: axum::body::Bytes::new() };
        }
        Response::json(200, &Value::from(rows))
    }

    fn order(&self, order: &Order, expanded: bool) -> Value {
        let variant = self.variants.iter().find(|variant| variant.sku == order.sku);
        let shipped = if order.status == Status::Shipped { order.quantity } else { 0 };
        let line = json!({"id": order.id + 1_000_000, "order_id": order.id, "product_id": variant.map(|v| v.product),
            "variant_id": variant.map(|v| v.id), "sku": order.sku, "quantity": order.quantity,
            "quantity_shipped": shipped, "quantity_refunded": 0, "is_refunded": false});
        let (pickups, shipping) = match order.pickup_at {
            Some(id) => (json!([{"id": 1, "location": {"id": id}, "line_items": [line]}]), json!([])),
            None => (json!([]), json!([{"id": 1, "line_items": [line]}])),
        };
        let consignments = if expanded {
            json!({"pickups": pickups, "shipping": shipping, "downloads": [], "email": {"gift_certificates": []}})
        } else {
            json!({"url": "", "resource": ""})
        };
        json!({"id": order.id, "status_id": order.status.id(), "date_created": mail_date(order.created_us),
            "date_modified": mail_date(order.modified_us), "consignments": consignments})
    }
}

fn mail_date(us: i64) -> String {
    jiff::Timestamp::from_microsecond(us)
        .ok()
        .and_then(|at| DateTimePrinter::new().timestamp_to_string(&at).ok())
        .unwrap_or_default()
}
