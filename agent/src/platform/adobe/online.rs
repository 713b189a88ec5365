//! Pages of online orders, and what left our source for them.
//!
//! An order of the platform has no source until it is shipped, except where it is collected: that names the source. So what
//! is open at this store is told by the pickup location (or all, where the site has one source only), and what was handed
//! over by the shipments, each of which names its source.

use std::collections::BTreeMap;

use super::client::Site;
use super::map::{OPEN_STATES, Search, civil, moment, online_order};
use super::wire::{Order, Page, Shipment, ShipmentItem};
use crate::platform::{CallFailure, OrderPage, OrdersSince};

/// Orders of one page; their shipments are asked for together.
const ORDERS_PAGE: usize = 50;
/// Pages of shipments of one page of orders.
const SHIPMENT_PAGES_MAX: usize = 20;
/// What is read of an order. Nothing personal.
const ORDER_FIELDS: &str = "items[entity_id,increment_id,state,created_at,updated_at,\
                            items[item_id,parent_item_id,product_type,sku,is_virtual,qty_ordered,qty_shipped,qty_canceled,qty_refunded],\
                            extension_attributes[pickup_location_code]],total_count";
const SHIPMENT_FIELDS: &str = "items[order_id,items[order_item_id,qty],extension_attributes[source_code]],total_count";

impl Site {
    /// The trait's page of orders.
    pub(super) async fn order_page(&self, since: OrdersSince) -> Result<OrderPage, CallFailure> {
        let number: usize = since.page.and_then(|page| page.parse().ok()).unwrap_or(1).max(1);
        let search = Search::page(number, ORDERS_PAGE).sorted_by("entity_id").fields(ORDER_FIELDS);
        let search = match since.changed_after {
            Some(at) => search.filter("updated_at", "gteq", &civil(at)),
            None => search.filter("state", "in", OPEN_STATES),
        };
        let page: Page<Order> = self.get("orders", search.pairs()).await?;
        let orders = page.items.unwrap_or_default();
        let more = number.saturating_mul(ORDERS_PAGE) < page.total_count && !orders.is_empty();
        if let Some(odd) = orders.iter().find(|order| moment(&order.updated_at).is_none()) {
            let reason = format!("the date `{}` of order {} cannot be read", odd.updated_at, odd.increment_id);
            return Err(CallFailure::Passing { wait: None, reason });
        }
        let mut shipped = self.shipped(&orders).await?;
        let orders = orders
            .into_iter()
            .filter_map(|order| {
                let items = shipped.remove(&order.entity_id).unwrap_or_default();
                online_order(&self.settings, order, &items)
            })
            .collect();
        Ok(OrderPage { orders, next: more.then(|| number.saturating_add(1).to_string()) })
    }

    /// What left our source, by order.
    async fn shipped(&self, orders: &[Order]) -> Result<BTreeMap<u64, Vec<ShipmentItem>>, CallFailure> {
        let ids: Vec<String> = orders
            .iter()
            .filter(|order| order.items.iter().any(|item| item.qty_shipped.0 > 0))
            .map(|order| order.entity_id.to_string())
            .collect();
        let mut shipped: BTreeMap<u64, Vec<ShipmentItem>> = BTreeMap::new();
        if ids.is_empty() {
            return Ok(shipped);
        }
        for number in 1..=SHIPMENT_PAGES_MAX {
            let search = Search::page(number, self.settings.page)
                .filter("order_id", "in", &ids.join(","))
                .sorted_by("entity_id")
                .fields(SHIPMENT_FIELDS);
            let page: Page<Shipment> = self.get("shipments", search.pairs()).await?;
            for shipment in page.items.unwrap_or_default() {
                if shipment.extension_attributes.source_code.as_deref() == Some(self.settings.source.as_str()) {
                    shipped.entry(shipment.order_id).or_default().extend(shipment.items);
                }
            }
            if number.saturating_mul(self.settings.page) >= page.total_count {
                break;
            }
        }
        Ok(shipped)
    }
}
