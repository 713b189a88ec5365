//! Online orders (`GET /v2/orders`): what still lies on this store's shelf for a customer, and what has left it.
//!
//! Shipped orders carry no location, so the configuration says whether they go out from here; pick-ups name theirs.
//! Nothing of a customer is read: the fields for names and addresses are not in [`super::wire`].

use jiff::fmt::rfc2822::DateTimeParser;
use sync_core::model::{Sku, Timestamp};

use super::Ships;
use super::client::Client;
use super::map::ItemId;
use super::wire::{Order, OrderProduct};
use crate::platform::{CallFailure, OnlineOrder, OrderLine, OrderPage, OrdersSince};

/// Orders of a page; more make long replies.
const ORDERS_PAGE: usize = 50;
/// Pages of one poll: 50,000 orders.
const PAGES_MAX: u32 = 1000;
/// Status ids of orders whose goods wait: pending, partially shipped, awaiting payment, pickup, shipment and fulfilment,
/// and manual verification.
const OPEN: [i64; 7] = [1, 3, 7, 8, 9, 11, 12];
/// Status ids of orders whose goods are gone: shipped, completed.
const GONE: [i64; 2] = [2, 10];

impl Client {
    /// The trait's page of orders. A page is `<page>` of those that changed, or `<status>:<page>` of those that are open.
    pub(super) async fn orders(&self, since: OrdersSince) -> Result<OrderPage, CallFailure> {
        let (status, number) = match (&since.page, since.changed_after) {
            (Some(page), _) => place(page),
            (None, Some(_)) => (None, 1),
            (None, None) => (OPEN.first().copied(), 1),
        };
        if number > PAGES_MAX {
            let reason = format!("there are more than {PAGES_MAX} pages of orders");
            return Err(CallFailure::Passing { wait: None, reason });
        }
        let mut query = vec![
            ("include", "consignments.line_items".to_owned()),
            ("consignment_structure", "object".to_owned()),
            ("limit", ORDERS_PAGE.to_string()),
            ("page", number.to_string()),
        ];
        if let Some(after) = since.changed_after {
            query.push(("min_date_modified", iso(after)));
            query.push(("sort", "date_modified:asc".to_owned()));
        }
        if let Some(status) = status {
            query.push(("status_id", status.to_string()));
        }
        let query: Vec<(&str, &str)> = query.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let orders: Vec<Order> = self.get("/v2/orders", &query).await?.unwrap_or_default();
        let full = orders.len() >= ORDERS_PAGE;
        let next = match (full, status) {
            (true, None) => Some((number + 1).to_string()),
            (true, Some(status)) => Some(format!("{status}:{}", number + 1)),
            (false, None) => None,
            (false, Some(status)) => {
                OPEN.iter().skip_while(|open| **open != status).nth(1).map(|following| format!("{following}:1"))
            }
        };
        Ok(OrderPage { orders: orders.iter().filter_map(|order| self.order(order)).collect(), next })
    }

    fn order(&self, order: &Order) -> Option<OnlineOrder> {
        let mut lines = Vec::new();
        let here = |id: Option<i64>| id == Some(self.settings.location);
        for pickup in order.consignments.pickups.iter().filter(|p| here(p.location.as_ref().and_then(|l| l.id))) {
            lines.extend(pickup.line_items.iter().filter_map(|line| self.line(order, line)));
        }
        if self.settings.ships == Ships::Here {
            let shipped = order.consignments.shipping.iter().flat_map(|shipping| &shipping.line_items);
            lines.extend(shipped.filter_map(|line| self.line(order, line)));
        }
        if lines.is_empty() {
            return None;
        }
        Some(OnlineOrder {
            id: order.id.to_string(),
            name: order.id.to_string(),
            placed_at: date(&order.date_created),
            changed_at: date(&order.date_modified)?,
            lines,
        })
    }

    fn line(&self, order: &Order, line: &OrderProduct) -> Option<OrderLine> {
        let item = match (line.variant_id, line.product_id) {
            (_, product) if product > 0 && self.is_shared(product) => ItemId::Product(product),
            (Some(variant), _) if variant > 0 => ItemId::Variant(variant),
            (_, product) if product > 0 => ItemId::Product(product),
            (_, _) => return None,
        };
        let wanted = line.quantity.saturating_sub(line.quantity_refunded).max(0);
        let (open, handed_over) = if OPEN.contains(&order.status_id) {
            (wanted.saturating_sub(line.quantity_shipped).max(0), line.quantity_shipped)
        } else if GONE.contains(&order.status_id) {
            (0, wanted.max(line.quantity_shipped))
        } else {
            (0, line.quantity_shipped)
        };
        let sku = line.sku.as_deref().filter(|sku| !sku.is_empty()).map(Sku::from);
        Some(OrderLine { id: line.id.to_string(), item: item.to_string(), sku, open, handed_over })
    }
}

fn place(page: &str) -> (Option<i64>, u32) {
    match page.split_once(':') {
        Some((status, page)) => (status.parse().ok(), page.parse().unwrap_or(1)),
        None => (None, page.parse().unwrap_or(1)),
    }
}

/// `Wed, 26 Sep 2018 15:52:03 +0000`.
fn date(text: &str) -> Option<Timestamp> {
    let date = DateTimeParser::new().parse_timestamp(text).ok()?;
    Some(Timestamp(date.as_microsecond()))
}

fn iso(at: Timestamp) -> String {
    jiff::Timestamp::from_microsecond(at.0).map_or_else(|_| String::new(), |at| at.to_string())
}
