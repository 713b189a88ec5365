//! Online orders: which status takes goods, what gives them back.

use serde::Serialize;
use serde_json::{Value, json};

use super::catalogue::gmt;
use super::machine::{Machine, Request, Response, fields, intval};
use crate::journal::Cause;

/// Where an order stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// Not paid: takes nothing.
    Pending,
    /// Waits for a bank transfer: takes goods.
    OnHold,
    /// Paid: takes goods.
    Processing,
    /// Handed over; takes goods if they are not taken yet.
    Completed,
    /// Gives goods back.
    Cancelled,
    /// Money back; goods only by a refund that says so.
    Refunded,
    /// Payment failed: takes and gives nothing.
    Failed,
}

const STATUSES: [(Status, &str); 7] = [
    (Status::Pending, "pending"),
    (Status::OnHold, "on-hold"),
    (Status::Processing, "processing"),
    (Status::Completed, "completed"),
    (Status::Cancelled, "cancelled"),
    (Status::Refunded, "refunded"),
    (Status::Failed, "failed"),
];

impl Status {
    fn word(self) -> &'static str {
        STATUSES.iter().find(|(status, _)| *status == self).map_or("", |(_, word)| word)
    }

    fn named(word: &str) -> Option<Self> {
        STATUSES.iter().find(|(_, known)| *known == word).map(|(status, _)| *status)
    }
}

/// One line of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OrderLine {
    /// Its number.
    pub id: u64,
    /// The product, for a variation its parent.
    pub product: u64,
    /// The variation, or 0.
    pub variation: u64,
    /// Ordered.
    pub quantity: i64,
    /// What it has taken and not given back: `_reduced_stock`.
    pub reduced: i64,
}

/// An order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Order {
    /// Its number.
    pub id: u64,
    /// Where it stands.
    pub status: Status,
    /// Its lines.
    pub lines: Vec<OrderLine>,
    /// Microseconds since 1970.
    pub created_us: i64,
    /// See `created_us`.
    pub modified_us: i64,
}

/// All orders.
#[derive(Debug, Default)]
pub(crate) struct Orders {
    all: Vec<Order>,
    next_line: u64,
}

impl Machine {
    /// All orders, oldest first.
    #[must_use]
    pub fn orders(&self) -> &[Order] {
        &self.orders.all
    }

    pub(crate) fn make_order(&mut self, lines: &[(u64, u64, i64)], status: Status, now_us: i64) -> u64 {
        let id = self.catalogue.take_id();
        let mut made = Vec::new();
        for (product, variation, quantity) in lines.iter().copied() {
            self.orders.next_line += 1;
            made.push(OrderLine { id: self.orders.next_line, product, variation, quantity, reduced: 0 });
        }
        self.orders.all.push(Order {
            id,
            status: Status::Pending,
            lines: made,
            created_us: now_us,
            modified_us: now_us,
        });
        self.set_order_status(id, status, now_us);
        id
    }

    /// Changes an order's status, with what that does to goods; `false` if there is no such order.
    pub fn set_order_status(&mut self, id: u64, status: Status, now_us: i64) -> bool {
        let Some(mut order) = self.orders.all.iter().find(|order| order.id == id).cloned() else { return false };
        let was = std::mem::replace(&mut order.status, status);
        order.modified_us = now_us;
        match status {
            Status::OnHold | Status::Processing | Status::Completed => {
                let first_time = order.lines.iter().all(|line| line.reduced == 0);
                self.take_goods(&mut order, now_us);
                if first_time && was == Status::Pending && self.dice.happens(self.settings.double_reduction_per_mille) {
                    self.take_twice(&order, now_us);
                }
            }
            Status::Cancelled | Status::Pending => self.give_back(&mut order, now_us),
            Status::Refunded | Status::Failed => {}
        }
        if let Some(place) = self.orders.all.iter_mut().find(|known| known.id == id) {
            *place = order;
        }
        true
    }

    fn keeper_of(&self, line: &OrderLine) -> Option<u64> {
        self.catalogue.keeper(if line.variation == 0 { line.product } else { line.variation })
    }

    fn take_goods(&mut self, order: &mut Order, now_us: i64) {
        for line in &mut order.lines {
            if line.reduced == 0
                && let Some(keeper) = self.keeper_of(line)
            {
                line.reduced = line.quantity;
                let entry = self.catalogue.add_stock(keeper, -line.quantity, Cause::OrderPlaced, now_us);
                self.record(0, None, entry.into_iter().collect());
            }
        }
    }

    /// Two requests at once both found that nothing had been taken.
    fn take_twice(&mut self, order: &Order, now_us: i64) {
        for line in &order.lines {
            if let Some(keeper) = self.keeper_of(line) {
                let entry = self.catalogue.add_stock(keeper, -line.quantity, Cause::OrderPlaced, now_us);
                self.record(0, None, entry.into_iter().collect());
            }
        }
    }

    fn give_back(&mut self, order: &mut Order, now_us: i64) {
        for line in &mut order.lines {
            if let Some(keeper) = self.keeper_of(line).filter(|_| line.reduced != 0) {
                let entry = self.catalogue.add_stock(keeper, line.reduced, Cause::OrderCancelled, now_us);
                self.record(0, None, entry.into_iter().collect());
                line.reduced = 0;
            }
        }
    }

    pub(crate) fn order_routes(&mut self, request: &Request, method: &str, rest: &[&str], now_us: i64) -> Response {
        let id = rest.first().and_then(|text| text.parse::<u64>().ok());
        match (method, rest, id) {
            ("GET", [], _) => self.list_orders(request),
            ("POST", [], _) => self.create_order(request, now_us),
            ("GET", [_], Some(id)) => self.show_order(request, 200, id),
            ("PUT" | "PATCH" | "POST", [_], Some(id)) => self.edit_order(request, id, now_us),
            // Deleting gives nothing back.
            ("DELETE", [_], Some(id)) => {
                let shown = self.show_order(request, 200, id);
                self.orders.all.retain(|order| order.id != id);
                shown
            }
            ("POST", [_, "refunds"], Some(id)) => self.refund(request, id, now_us),
            _ => Response::error(404, "rest_no_route", "No route was found matching the URL and request method."),
        }
    }

    fn list_orders(&self, request: &Request) -> Response {
        let statuses = request.asked_list("status").filter(|list| !list.contains(&"any"));
        let mut kept: Vec<&Order> = self
            .orders
            .all
            .iter()
            .filter(|order| statuses.as_ref().is_none_or(|list| list.contains(&order.status.word())))
            .filter(|order| self.is_after(request, order.modified_us))
            .collect();
        match request.asked("orderby") {
            Some("id") => kept.sort_by_key(|order| order.id),
            Some("modified") => kept.sort_by_key(|order| (order.modified_us, order.id)),
            _ => kept.sort_by_key(|order| (order.created_us, order.id)),
        }
        if request.asked("order") != Some("asc") {
            kept.reverse();
        }
        Self::paged(request, kept.into_iter().map(|order| self.order_view(order)).collect())
    }

    fn show_order(&self, request: &Request, status: u16, id: u64) -> Response {
        match self.orders.all.iter().find(|order| order.id == id) {
            Some(order) => Response::json(status, &fields(request, self.order_view(order))),
            None => Response::error(404, "woocommerce_rest_shop_order_invalid_id", "Invalid ID."),
        }
    }

    fn order_view(&self, order: &Order) -> Value {
        let lines: Vec<Value> = order
            .lines
            .iter()
            .map(|line| {
                let product = self.catalogue.get(if line.variation == 0 { line.product } else { line.variation });
                let meta = if line.reduced == 0 {
                    json!([])
                } else {
                    json!([{"id": line.id + 500, "key": "_reduced_stock", "value": line.reduced.to_string()}])
                };
                json!({
                    "id": line.id,
                    "name": product.map(|product| product.given.name.clone()),
                    "product_id": line.product,
                    "variation_id": line.variation,
                    "quantity": line.quantity,
                    "sku": product.map(|product| product.given.sku.clone()),
                    "meta_data": meta,
                })
            })
            .collect();
        json!({
            "id": order.id,
            "number": order.id.to_string(),
            "status": order.status.word(),
            "date_created_gmt": gmt(order.created_us),
            "date_modified_gmt": gmt(order.modified_us),
            "billing": {"first_name": "Made", "last_name": "Up"},
            "line_items": lines,
        })
    }

    /// Orders made over the REST API check no stock.
    fn create_order(&mut self, request: &Request, now_us: i64) -> Response {
        let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let text = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default();
        let paid = body.get("set_paid") == Some(&json!(true));
        let status = match (paid, text("payment_method")) {
            (true, "cod") => Status::Completed,
            (true, _) => Status::Processing,
            (false, _) => match Status::named(text("status")) {
                Some(status) => status,
                None if text("status").is_empty() => Status::Pending,
                None => return Response::error(400, "rest_invalid_param", "Invalid parameter(s): status"),
            },
        };
        let number = |line: &Value, name: &str| {
            line.get(name).map(intval).and_then(|number| u64::try_from(number).ok()).unwrap_or_default()
        };
        let lines: Vec<(u64, u64, i64)> = body
            .get("line_items")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .map(|line| {
                (number(line, "product_id"), number(line, "variation_id"), line.get("quantity").map_or(1, intval))
            })
            .collect();
        let id = self.make_order(&lines, status, now_us);
        self.show_order(request, 201, id)
    }

    /// A new status, or another quantity of a line that has taken goods already.
    fn edit_order(&mut self, request: &Request, id: u64, now_us: i64) -> Response {
        let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        for edit in body.get("line_items").and_then(Value::as_array).into_iter().flatten() {
            let line_id = edit.get("id").map(intval).and_then(|id| u64::try_from(id).ok()).unwrap_or_default();
            let quantity = edit.get("quantity").map_or(1, intval);
            self.edit_line(id, line_id, quantity, now_us);
        }
        if let Some(word) = body.get("status").and_then(Value::as_str) {
            let Some(status) = Status::named(word) else {
                return Response::error(400, "rest_invalid_param", "Invalid parameter(s): status");
            };
            self.set_order_status(id, status, now_us);
        }
        self.show_order(request, 200, id)
    }

    fn edit_line(&mut self, id: u64, line_id: u64, quantity: i64, now_us: i64) {
        let place = |machine: &mut Self| {
            let order = machine.orders.all.iter_mut().find(|order| order.id == id)?;
            order.modified_us = now_us;
            let line = order.lines.iter_mut().find(|line| line.id == line_id)?;
            let less = line.reduced - quantity;
            let was = line.clone();
            line.quantity = quantity;
            if line.reduced == 0 {
                return None;
            }
            line.reduced = quantity;
            Some((was, less))
        };
        if let Some((line, less)) = place(self)
            && let Some(keeper) = self.keeper_of(&line)
        {
            let cause = if less < 0 { Cause::OrderPlaced } else { Cause::OrderCancelled };
            let entry = self.catalogue.add_stock(keeper, less, cause, now_us);
            self.record(0, None, entry.into_iter().collect());
        }
    }

    /// `api_restock` (true unless said otherwise) gives the refunded units back.
    fn refund(&mut self, request: &Request, id: u64, now_us: i64) -> Response {
        let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let restock = body.get("api_restock") != Some(&json!(false));
        for row in body.get("line_items").and_then(Value::as_array).into_iter().flatten() {
            let line_id = row.get("id").map(intval).and_then(|id| u64::try_from(id).ok()).unwrap_or_default();
            let quantity = row.get("quantity").map_or(0, intval);
            self.restock_line(id, line_id, if restock { quantity } else { 0 }, now_us);
        }
        Response::json(201, &json!({"id": self.catalogue.take_id()}))
    }

    fn restock_line(&mut self, id: u64, line_id: u64, quantity: i64, now_us: i64) {
        let Some(order) = self.orders.all.iter_mut().find(|order| order.id == id) else { return };
        order.modified_us = now_us;
        let Some(line) = order.lines.iter_mut().find(|line| line.id == line_id && line.reduced != 0) else { return };
        line.reduced -= quantity;
        let line = line.clone();
        if let Some(keeper) = self.keeper_of(&line) {
            let entry = self.catalogue.add_stock(keeper, quantity, Cause::OrderCancelled, now_us);
            self.record(0, None, entry.into_iter().collect());
        }
    }
}
