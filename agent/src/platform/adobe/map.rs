//! Our words to the platform's and back: bytes of a write, queries, lines of an order.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::value::RawValue;
use sync_core::model::{Quantity, Sku, Timestamp};

use super::wire::{Order, OrderItem, PriceRow, PricesBody, ShipmentItem, SourceItemRow, SourceItemsBody};
use super::{AdobeSettings, OrdersOf};
use crate::platform::{Absolute, Change, OnlineOrder, OrderLine};

/// Kinds of products that hold stock themselves; the others are made of these.
const HOLDS_STOCK: [&str; 3] = ["simple", "virtual", "downloadable"];
/// States of an order in which something may still be handed over.
pub(super) const OPEN_STATES: &str = "new,pending_payment,payment_review,processing,holded";

pub(super) fn json<T: Serialize + ?Sized>(value: &T) -> Vec<u8> {
    serde_json::to_vec(value).expect("plain structs with text keys always serialise")
}

/// Whether a product of this kind holds stock itself.
pub(super) fn holds_stock(kind: &str) -> bool {
    HOLDS_STOCK.contains(&kind)
}

/// The numbers of a write, in the order of their articles.
pub(super) fn set_body(settings: &AdobeSettings, rows: &[Absolute]) -> Vec<u8> {
    let rows: BTreeMap<&str, i64> = rows.iter().map(|row| (row.part.item.as_str(), row.on_hand)).collect();
    let source_items = rows
        .into_iter()
        .map(|(sku, quantity)| SourceItemRow {
            sku: sku.to_owned(),
            source_code: settings.source.clone(),
            quantity,
            // A number of zero that is "in stock" is sold; goods that are "out of stock" are not.
            status: u8::from(quantity > 0 || settings.in_stock_at_zero),
        })
        .collect();
    json(&SourceItemsBody { source_items })
}

/// The prices of a write.
pub(super) fn prices_body(store_view: u32, changes: &[Change]) -> Vec<u8> {
    let prices: BTreeMap<&str, Quantity> = changes
        .iter()
        .flat_map(|change| change.target.iter().flat_map(|t| &t.parts).map(|part| (part.item.as_str(), change.delta)))
        .collect();
    let prices = prices
        .into_iter()
        .filter_map(|(sku, price)| {
            let price = RawValue::from_string(price.to_string()).ok()?;
            Some(PriceRow { price, store_id: store_view, sku })
        })
        .collect();
    json(&PricesBody { prices })
}

/// A query of `searchCriteria`: all filters must fit.
pub(super) struct Search {
    pairs: Vec<(String, String)>,
    groups: usize,
}

impl Search {
    pub(super) fn page(page: usize, size: usize) -> Self {
        let pairs = vec![
            ("searchCriteria[pageSize]".to_owned(), size.to_string()),
            ("searchCriteria[currentPage]".to_owned(), page.to_string()),
        ];
        Self { pairs, groups: 0 }
    }

    /// And this one.
    pub(super) fn filter(self, field: &str, condition: &str, value: &str) -> Self {
        self.any(&[(field, condition, value)])
    }

    /// And one of these.
    pub(super) fn any(mut self, filters: &[(&str, &str, &str)]) -> Self {
        for (index, (field, condition, value)) in filters.iter().enumerate() {
            let name = |what: &str| format!("searchCriteria[filterGroups][{}][filters][{index}][{what}]", self.groups);
            self.pairs.extend([
                (name("field"), (*field).to_owned()),
                (name("value"), (*value).to_owned()),
                (name("conditionType"), (*condition).to_owned()),
            ]);
        }
        self.groups = self.groups.saturating_add(1);
        self
    }

    /// And one of these articles. A list is divided at commas, so an article number that has one is asked for by itself.
    pub(super) fn skus<'a>(self, skus: impl Iterator<Item = &'a str>) -> Self {
        let (alone, together): (BTreeSet<&str>, BTreeSet<&str>) = skus.partition(|sku| sku.contains(','));
        let list = together.into_iter().collect::<Vec<&str>>().join(",");
        let mut filters: Vec<(&str, &str, &str)> = alone.into_iter().map(|sku| ("sku", "eq", sku)).collect();
        if !list.is_empty() {
            filters.push(("sku", "in", &list));
        }
        self.any(&filters)
    }

    /// In this order.
    pub(super) fn sorted_by(mut self, field: &str) -> Self {
        self.pairs.push(("searchCriteria[sortOrders][0][field]".to_owned(), field.to_owned()));
        self.pairs.push(("searchCriteria[sortOrders][0][direction]".to_owned(), "ASC".to_owned()));
        self
    }

    /// With only these members of the reply.
    pub(super) fn fields(mut self, fields: &str) -> Self {
        self.pairs.push(("fields".to_owned(), fields.to_owned()));
        self
    }

    pub(super) fn pairs(self) -> Vec<(String, String)> {
        self.pairs
    }
}

/// A time as the platform writes it: in UTC without a zone.
pub(super) fn moment(text: &str) -> Option<Timestamp> {
    let at = jiff::civil::DateTime::strptime("%Y-%m-%d %H:%M:%S", text).ok()?;
    let at = jiff::tz::TimeZone::UTC.to_timestamp(at).ok()?;
    Some(Timestamp(at.as_microsecond()))
}

/// The reverse of [`moment`].
pub(super) fn civil(at: Timestamp) -> String {
    let at = jiff::Timestamp::from_second(at.0.div_euclid(1_000_000)).unwrap_or_default();
    at.strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// An order with what left our source for it. `None`: nothing of it is this store's.
pub(super) fn online_order(settings: &AdobeSettings, order: Order, shipped: &[ShipmentItem]) -> Option<OnlineOrder> {
    let changed_at = moment(&order.updated_at)?;
    let is_ours = match (&order.extension_attributes.pickup_location_code, settings.orders) {
        (Some(code), _) => *code == settings.source,
        (None, OrdersOf::All) => true,
        (None, OrdersOf::Pickup) => false,
    };
    let is_open = is_ours && OPEN_STATES.split(',').any(|state| state == order.state);
    let mut by_line: BTreeMap<u64, i64> = BTreeMap::new();
    for item in shipped {
        let sum = by_line.entry(item.order_item_id).or_default();
        *sum = sum.saturating_add(item.qty.0);
    }
    let by_id: BTreeMap<u64, &OrderItem> = order.items.iter().map(|item| (item.item_id, item)).collect();
    let lines: Vec<OrderLine> =
        order.items.iter().filter_map(|item| order_line(item, &by_id, &by_line, is_open)).collect();
    if lines.iter().all(|line| line.handed_over == 0) && !is_ours {
        return None;
    }
    Some(OnlineOrder {
        id: order.entity_id.to_string(),
        name: order.increment_id,
        placed_at: order.created_at.as_deref().and_then(moment),
        changed_at,
        lines,
    })
}

/// The line above counts for a configurable product (it has the variant's article number), the lines below for a bundle;
/// where the bundle was shipped as one, each has its share.
fn order_line(
    item: &OrderItem,
    by_id: &BTreeMap<u64, &OrderItem>,
    shipped: &BTreeMap<u64, i64>,
    is_open: bool,
) -> Option<OrderLine> {
    let above = item.parent_item_id.and_then(|id| by_id.get(&id));
    if item.is_virtual != 0 || matches!(item.product_type.as_str(), "bundle" | "grouped") {
        return None;
    }
    if above.is_some_and(|above| above.product_type == "configurable") {
        return None;
    }
    let own = shipped.get(&item.item_id).copied().unwrap_or(0);
    let share = above.and_then(|above| {
        let of_above = shipped.get(&above.item_id).copied().filter(|_| own == 0)?;
        of_above.checked_mul(item.qty_ordered.0)?.checked_div(above.qty_ordered.0)
    });
    let handed_over = share.unwrap_or(own);
    // As the platform's own `getSimpleQtyToShip`; of a bundle that is shipped as one, only the line above knows.
    let left_elsewhere = item.qty_shipped.0.max(handed_over);
    let left = item
        .qty_ordered
        .0
        .saturating_sub(left_elsewhere)
        .saturating_sub(item.qty_canceled.0)
        .saturating_sub(item.qty_refunded.0)
        .max(0);
    Some(OrderLine {
        id: item.item_id.to_string(),
        item: item.sku.clone(),
        sku: Some(Sku::from(item.sku.as_str())),
        open: if is_open { left } else { 0 },
        handed_over,
    })
}

#[cfg(test)]
mod tests;
