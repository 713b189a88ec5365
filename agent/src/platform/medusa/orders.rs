//! Online orders, read page by page with the reservations that say what of them lies on our shelf.
//!
//! An order's `updated_at` moves when it is fulfilled, when a fulfilment is cancelled and when it is cancelled itself (seen), so
//! asking for what changed is enough.

use super::client::{Link, Query};
use super::map::online_order;
use super::wire::{ORDER_FIELDS, Orders, RESERVATION_FIELDS, Reservation, Reservations};
use crate::platform::{CallFailure, OrderPage, OrdersSince};

/// Orders of one page.
const PAGE: usize = 50;
/// Lines of one question about reservations: their ids stand in the address.
const LINES_MAX: usize = 50;
/// Reservations of one page, and most pages of one question.
const HELD_PAGE: usize = 200;
const HELD_PAGES_MAX: usize = 10;

impl Link {
    /// The trait's page of orders: in the order of their ids, so that an order that changes meanwhile moves no other
    /// out of a page that is still to be read.
    pub(super) async fn order_page(&self, since: OrdersSince) -> Result<OrderPage, CallFailure> {
        let location = self.location().await?;
        let offset: usize = since.page.as_deref().unwrap_or("0").parse().unwrap_or(0);
        let (limit, from) = (PAGE.to_string(), offset.to_string());
        let changed = since.changed_after.map(crate::clock::rfc3339);
        let mut query: Query<'_> =
            vec![("fields", ORDER_FIELDS), ("order", "id"), ("limit", &limit), ("offset", &from)];
        match &changed {
            Some(time) => query.push(("updated_at[$gte]", time)),
            None => query.extend([("status[]", "pending"), ("status[]", "requires_action")]),
        }
        let page: Orders = self.get(&["orders"], &query).await?;
        let lines: Vec<&str> = page.orders.iter().flat_map(|order| &order.items).map(|line| line.id.as_str()).collect();
        let mut held = Vec::new();
        for chunk in lines.chunks(LINES_MAX) {
            held.extend(self.reservations(chunk, location).await?);
        }
        let mut orders = Vec::with_capacity(page.orders.len());
        for order in &page.orders {
            let read = online_order(order, &held, location).ok_or_else(|| CallFailure::Passing {
                wait: None,
                reason: format!("order {} says `{}`, which is no time", order.id, order.updated_at),
            })?;
            orders.push(read);
        }
        let end = offset.saturating_add(page.orders.len());
        Ok(OrderPage { orders, next: (end > offset && end < page.count).then(|| end.to_string()) })
    }

    /// What is reserved at our location for these lines.
    async fn reservations(&self, lines: &[&str], location: &str) -> Result<Vec<Reservation>, CallFailure> {
        let (limit, mut held) = (HELD_PAGE.to_string(), Vec::new());
        for _ in 0..HELD_PAGES_MAX {
            let offset = held.len().to_string();
            let mut query: Query<'_> = vec![
                ("fields", RESERVATION_FIELDS),
                ("location_id[]", location),
                ("order", "id"),
                ("limit", &limit),
                ("offset", &offset),
            ];
            query.extend(lines.iter().map(|line| ("line_item_id[]", *line)));
            let page: Reservations = self.get(&["reservations"], &query).await?;
            let got = page.reservations.len();
            held.extend(page.reservations);
            if got == 0 || held.len() >= page.count {
                break;
            }
        }
        Ok(held)
    }
}
