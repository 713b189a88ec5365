//! Online orders, read page by page.
//!
//! An order's `updatedAt` does not move when it is fulfilled, nor when a fulfilment is sent or cancelled (seen on 3.7.3). So
//! beside what changed, orders that are open are asked for every time, and those that were open last time by their ids, until
//! they have been seen closed a few times. At the first reading of a process, orders sent out of late are read too: they may
//! have been open when the last process ended.

use std::collections::BTreeMap;
use std::sync::PoisonError;
use std::time::Duration;

use serde::Serialize;
use sync_core::model::Timestamp;

use super::client::Link;
use super::map::{OPEN_STATES, SENT_STATES, is_closed, online_order};
use super::wire::{BY_ID, In, ListOptions, ORDERS, OptionsVariable, OrdersData};
use crate::platform::{CallFailure, OnlineOrder, OrderPage, OrdersSince};

/// Orders of one page.
const PAGE: usize = 50;
/// Open orders that are watched by their ids.
const WATCHED_MAX: usize = 1000;
/// How often an order is read closed before it is no longer watched: the reader may have failed to store it.
const CLOSED_READINGS: u8 = 3;
/// Orders sent out are read at the first reading if they were placed within this time.
const SENT_WITHIN: Duration = Duration::from_hours(30 * 24);
/// `updatedAt` has whole seconds on some databases, and `after` leaves the moment itself out.
const OVERLAP: Duration = Duration::from_secs(2);

/// Orders that were open, by their ids, with how often they were read closed since.
#[derive(Debug, Default)]
pub(super) struct Watched {
    orders: BTreeMap<String, u8>,
    /// All orders that may have been open before were read.
    is_complete: bool,
}

impl Watched {
    fn take(&mut self, read: &[OnlineOrder]) {
        for order in read {
            if !is_closed(order) {
                self.orders.insert(order.id.clone(), 0);
            } else if let Some(readings) = self.orders.get_mut(&order.id) {
                *readings = readings.saturating_add(1);
                if *readings >= CLOSED_READINGS {
                    self.orders.remove(&order.id);
                }
            }
        }
        while self.orders.len() > WATCHED_MAX {
            self.orders.pop_first();
        }
    }
}

#[derive(Debug, Serialize)]
struct OrderFilter<'a> {
    active: Is,
    #[serde(rename = "_or")]
    any: Vec<Kind<'a>>,
}

#[derive(Debug, Serialize)]
struct Is {
    eq: bool,
}

#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Kind<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<In<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<In<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    updated_at: Option<After>,
    #[serde(skip_serializing_if = "Option::is_none")]
    order_placed_at: Option<After>,
}

#[derive(Debug, Serialize)]
struct After {
    after: String,
}

fn after(time: Timestamp, less: Duration) -> After {
    let micros = i64::try_from(less.as_micros()).unwrap_or(i64::MAX);
    After { after: crate::clock::rfc3339(Timestamp(time.0.saturating_sub(micros))) }
}

impl Link {
    /// The trait's page of orders. Its name says how many orders to skip, and whether it is a first reading.
    pub(super) async fn order_page(&self, since: OrdersSince) -> Result<OrderPage, CallFailure> {
        let place = self.place().await?;
        if place.count > 1 && !self.settings.all_orders {
            return Ok(OrderPage::default());
        }
        let (is_first, watched) = {
            let held = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
            (!held.is_complete, held.orders.keys().cloned().collect::<Vec<_>>())
        };
        let (is_first, skip) = match since.page.as_deref().and_then(|page| page.split_once(' ')) {
            Some((kind, skip)) => (kind == "first", skip.parse().unwrap_or(0)),
            None => (is_first, 0_usize),
        };
        let mut any = vec![Kind { state: Some(In { values: OPEN_STATES.to_vec() }), ..Kind::default() }];
        if let Some(time) = since.changed_after {
            any.push(Kind { updated_at: Some(after(time, OVERLAP)), ..Kind::default() });
        }
        if is_first {
            let placed = after((self.clock)(), SENT_WITHIN);
            let state = Some(In { values: SENT_STATES.to_vec() });
            any.push(Kind { state, order_placed_at: Some(placed), ..Kind::default() });
        } else if !watched.is_empty() {
            any.push(Kind { id: Some(In { values: watched.iter().map(String::as_str).collect() }), ..Kind::default() });
        }
        let filter = OrderFilter { active: Is { eq: false }, any };
        let options = ListOptions { take: PAGE, skip, sort: BY_ID, filter };
        let data: OrdersData = self.ask(ORDERS, OptionsVariable { options }).await?;
        let mut orders = Vec::with_capacity(data.page.items.len());
        for order in &data.page.items {
            let read = online_order(order).ok_or_else(|| CallFailure::Passing {
                wait: None,
                reason: format!("order {} says `{}`, which is no time", order.code, order.updated_at),
            })?;
            orders.push(read);
        }
        let end = skip.saturating_add(orders.len());
        let is_last = orders.is_empty() || end >= data.page.total_items;
        let mut held = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        held.take(&orders);
        held.is_complete |= is_last;
        let kind = if is_first { "first" } else { "later" };
        Ok(OrderPage { orders, next: (!is_last).then(|| format!("{kind} {end}")) })
    }
}
