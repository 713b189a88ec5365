//! Online orders (`POST /v2/orders/search`): what still lies on this store's shelf for a customer, and what has left it.
//!
//! An order without a fulfilment is a sale over a Square counter, which is no online order. Square takes the goods of an
//! order off the number when it is paid. Nothing of a customer is read: recipients are not in [`super::wire`].

use sync_core::model::Timestamp;

use super::client::Client;
use super::map::{parse_time, rfc3339, units};
use super::wire::{
    DateTimeFilter, Fulfillment, LineItem, Order, OrderFilter, OrderQuery, OrderSearch, OrderSort, Orders, StateFilter,
    TimeRange,
};
use crate::platform::{CallFailure, OnlineOrder, OrderLine, OrderPage, OrdersSince};

/// Orders of a page.
const PAGE: usize = 200;

impl Client {
    /// The trait's page of orders.
    pub(super) async fn orders(&self, since: OrdersSince) -> Result<OrderPage, CallFailure> {
        let search = OrderSearch {
            location_ids: [&self.settings.location],
            query: query(since.changed_after),
            cursor: since.page.as_deref(),
            limit: PAGE,
            return_entries: false,
        };
        let page: Orders = self.ask("/v2/orders/search", &search).await?;
        Ok(OrderPage { orders: page.orders.iter().filter_map(order).collect(), next: page.cursor })
    }
}

/// A filter by time has to be sorted by the same time.
fn query(changed_after: Option<Timestamp>) -> OrderQuery {
    let filter = match changed_after {
        Some(after) => OrderFilter {
            state_filter: None,
            date_time_filter: Some(DateTimeFilter { updated_at: TimeRange { start_at: rfc3339(after) } }),
        },
        None => OrderFilter { state_filter: Some(StateFilter { states: ["OPEN"] }), date_time_filter: None },
    };
    OrderQuery { filter, sort: OrderSort { sort_field: "UPDATED_AT", sort_order: "ASC" } }
}

fn order(order: &Order) -> Option<OnlineOrder> {
    if order.fulfillments.is_empty() || order.state == "DRAFT" {
        return None;
    }
    let lines: Vec<OrderLine> = order.line_items.iter().filter_map(|line| order_line(order, line)).collect();
    if lines.is_empty() {
        return None;
    }
    Some(OnlineOrder {
        id: order.id.clone(),
        name: order.reference_id.clone().unwrap_or_else(|| order.id.clone()),
        placed_at: parse_time(&order.created_at),
        changed_at: parse_time(&order.updated_at)?,
        lines,
    })
}

fn order_line(order: &Order, line: &LineItem) -> Option<OrderLine> {
    let item = line.catalog_object_id.clone().filter(|id| !id.is_empty())?;
    let (mut open, mut handed_over) = (0_i64, 0_i64);
    for fulfillment in &order.fulfillments {
        let part = share(fulfillment, line);
        match fulfillment.state.as_str() {
            "COMPLETED" => handed_over = handed_over.saturating_add(part),
            "CANCELED" | "FAILED" => {}
            _ => open = open.saturating_add(part),
        }
    }
    if matches!(order.state.as_str(), "CANCELED" | "COMPLETED") {
        open = 0;
    }
    Some(OrderLine { id: line.uid.clone(), item, sku: None, open, handed_over })
}

/// Units of the line that the fulfilment is about.
fn share(fulfillment: &Fulfillment, line: &LineItem) -> i64 {
    let whole = || units(&line.quantity).unwrap_or(0);
    if fulfillment.line_item_application.as_deref() != Some("ENTRY_LIST") {
        return whole();
    }
    fulfillment
        .entries
        .iter()
        .filter(|entry| entry.line_item_uid == line.uid)
        .filter_map(|entry| units(&entry.quantity))
        .fold(0, i64::saturating_add)
}
