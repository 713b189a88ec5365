//! Pages of everything: the numbers at our location, and the online orders that it is to hand over.
//!
//! Numbers come from the location's own list, in its order, which one cursor follows. Shopify lets nobody page deeper than
//! 25,000 objects into one list; catalogues that may be longer are read in slices of the inventory items by their number
//! instead, each slice a list of its own.
//!
//! An online order is Shopify's *fulfilment order*: the part of an order that one location hands over. What was handed over
//! is asked for where the total and the remainder differ, since an order edited or cancelled differs too: only shipments
//! that stand count.

use std::collections::BTreeMap;

use sync_core::model::{Sku, Timestamp};
use sync_core::outbox::verdict::LaneRefusal;

use super::MatchBy;
use super::client::Shop;
use super::map::{article, moment, numbered};
use super::wire::pages::{
    Article, COUNT, CountData, CountVariables, FulfilmentOrder, ITEMS, ITEMS_BY_BARCODE, ItemsData, ItemsVariables,
    LEVELS, LEVELS_BY_BARCODE, LevelsData, LevelsVariables, ORDER_LINES, ORDERS, OpenLine, OrderLinesData,
    OrderVariables, OrdersData, OrdersVariables, SHIPMENTS, ShipmentsData,
};
use crate::platform::transport::status::refusal_detail;
use crate::platform::{CallFailure, Level, LevelPage, OnlineOrder, OrderLine, OrderPage, OrdersSince};

/// Levels of one page: level, item and quantity cost about three points each of the 1,000 that a query may cost.
const PAGE: usize = 250;
/// The same where barcodes are asked for too.
const PAGE_WITH_BARCODES: usize = 200;
/// Points of one level of a page.
const POINTS_A_LEVEL: usize = 3;
/// Variants up to which the location's own list cannot be deeper than Shopify allows (25,000 objects, less what is added
/// while the list is read).
const LIST_MAX: usize = 24_000;
/// Most that Shopify counts.
const COUNTED_MAX: usize = 25_001;
/// Fulfilment orders of one page.
const ORDERS_PAGE: usize = 25;
/// Lines of each that come with the page.
const LINES_WITH_ORDER: usize = 10;
/// Lines of one page of a longer one.
const LINES_PAGE: usize = 200;
/// Pages of lines of one fulfilment order; Shopify allows 500 lines an order.
const LINE_PAGES_MAX: usize = 10;
/// Shipments of one page, and lines of each.
const SHIPMENTS_PAGE: (usize, usize) = (5, 20);
/// The same for shipments with more lines: one at a time.
const LONG_SHIPMENT: (usize, usize) = (1, 250);
/// Shipments of one fulfilment order that are looked at.
const SHIPMENTS_MAX: usize = 100;

/// Where a page of numbers begins.
#[derive(Debug, PartialEq, Eq)]
enum From<'a> {
    /// Nothing is known yet.
    Start,
    /// In the location's list, behind this cursor.
    List(&'a str),
    /// Among all inventory items, behind this number.
    Slice(u64),
}

fn from(page: Option<&str>) -> From<'_> {
    let Some(page) = page else { return From::Start };
    match page.split_once(':') {
        Some(("slice", number)) => number.parse().map_or(From::Start, From::Slice),
        Some(("list", cursor)) => From::List(cursor),
        Some(_) | None => From::Start,
    }
}

impl Shop {
    /// The trait's page of numbers.
    pub(super) async fn level_page(&self, page: Option<String>) -> Result<LevelPage, CallFailure> {
        match from(page.as_deref()) {
            From::Start if self.count().await? > LIST_MAX => self.slice(0).await,
            From::Start => self.list(None).await,
            From::List(cursor) => self.list(Some(cursor)).await,
            From::Slice(after) => self.slice(after).await,
        }
    }

    async fn count(&self) -> Result<usize, CallFailure> {
        let data: CountData = self.ask(COUNT, CountVariables { limit: COUNTED_MAX }, 1).await?;
        Ok(data.product_variants_count.map_or(0, |count| count.count))
    }

    async fn list(&self, after: Option<&str>) -> Result<LevelPage, CallFailure> {
        let (barcodes, first, points) = self.page();
        let location = self.location_id().await?;
        let query = if barcodes { LEVELS_BY_BARCODE } else { LEVELS };
        let data: LevelsData = self.ask(query, LevelsVariables { location, first, after }, points).await?;
        let page = data
            .location
            .ok_or_else(|| misconfigured(&format!("the shop has no location {location}")))?
            .inventory_levels;
        let levels = page
            .nodes
            .iter()
            .filter(|node| node.level.is_active)
            .filter_map(|node| self.level(&node.item, node.level.on_hand()))
            .collect();
        let next = page.page_info.end_cursor.filter(|_| page.page_info.has_next_page);
        Ok(LevelPage { levels, next: next.map(|cursor| format!("list:{cursor}")) })
    }

    /// The items behind this number. Shopify lists them by number; if it did not, some could be missed, so that is an error.
    async fn slice(&self, after: u64) -> Result<LevelPage, CallFailure> {
        let (barcodes, first, points) = self.page();
        let location = self.location_id().await?;
        let wanted = format!("id:>{after}");
        let variables = ItemsVariables { location, first, query: &wanted };
        let query = if barcodes { ITEMS_BY_BARCODE } else { ITEMS };
        let page = self.ask::<_, ItemsData>(query, variables, points).await?.inventory_items;
        let mut last = after;
        for node in &page.nodes {
            let number = numbered(&node.article.id).filter(|number| *number > last);
            last = number.ok_or_else(|| CallFailure::Passing {
                wait: None,
                reason: format!("the shop does not list items by their number: {} after {last}", node.article.id),
            })?;
        }
        let levels = page
            .nodes
            .iter()
            .filter_map(|node| {
                let level = node.inventory_level.as_ref().filter(|level| level.is_active)?;
                self.level(&node.article, level.on_hand())
            })
            .collect();
        let more = page.page_info.has_next_page && last > after;
        Ok(LevelPage { levels, next: more.then(|| format!("slice:{last}")) })
    }

    /// Whether barcodes are wanted, how many objects, for how many points.
    fn page(&self) -> (bool, usize, i64) {
        let barcodes = self.settings.match_by != MatchBy::Sku;
        let first = if barcodes { PAGE_WITH_BARCODES } else { PAGE };
        let each = POINTS_A_LEVEL.saturating_add(usize::from(barcodes));
        (barcodes, first, i64::try_from(first.saturating_mul(each)).unwrap_or(i64::MAX))
    }

    /// Items without number, article number or stock-keeping are nothing to compare.
    fn level(&self, item: &Article, on_hand: Option<i64>) -> Option<Level> {
        let barcode = item.variant.as_ref().and_then(|variant| variant.barcode.as_deref());
        let sku = article(self.settings.match_by, item.sku.as_deref(), barcode)?;
        let number = on_hand.filter(|_| item.tracked)?;
        Some(Level { item: item.id.clone(), sku: Sku::from(sku), number })
    }

    /// The trait's page of orders.
    pub(super) async fn order_page(&self, since: OrdersSince) -> Result<OrderPage, CallFailure> {
        let location = self.location_id().await?;
        let number =
            numbered(location).ok_or_else(|| misconfigured(&format!("`{location}` is no location of Shopify")))?;
        let mut query = format!("assigned_location_id:{number}");
        if let Some(at) = since.changed_after {
            query.push_str(&format!(" AND updated_at:>='{}'", seconds(at)));
        }
        let variables = OrdersVariables {
            query: &query,
            first: ORDERS_PAGE,
            after: since.page.as_deref(),
            closed: since.changed_after.is_some(),
            lines: LINES_WITH_ORDER,
        };
        let page = self.ask::<_, OrdersData>(ORDERS, variables, 600).await?.fulfillment_orders;
        let mut orders = Vec::with_capacity(page.nodes.len());
        for node in page.nodes {
            orders.push(self.online_order(node).await?);
        }
        Ok(OrderPage { orders, next: page.page_info.end_cursor.filter(|_| page.page_info.has_next_page) })
    }

    async fn online_order(&self, node: FulfilmentOrder) -> Result<OnlineOrder, CallFailure> {
        let changed_at = moment(&node.updated_at).ok_or_else(|| CallFailure::Passing {
            wait: None,
            reason: format!("the date `{}` of order {} cannot be read", node.updated_at, node.order_name),
        })?;
        let mut lines = node.line_items.nodes;
        if node.line_items.page_info.has_next_page {
            lines = self.all_lines(&node.id).await?;
        }
        let shipped = if lines.iter().any(|line| line.total_quantity != line.remaining_quantity) {
            self.shipped(&node.id).await?
        } else {
            BTreeMap::new()
        };
        let is_open = !matches!(node.status.as_str(), "CLOSED" | "CANCELLED");
        let lines = lines.into_iter().filter_map(|line| order_line(line, is_open, &shipped)).collect();
        let placed_at = node.order_processed_at.as_deref().and_then(moment);
        Ok(OnlineOrder { id: node.id, name: node.order_name, placed_at, changed_at, lines })
    }

    async fn all_lines(&self, id: &str) -> Result<Vec<OpenLine>, CallFailure> {
        let (mut lines, mut after) = (Vec::new(), None);
        for _ in 0..LINE_PAGES_MAX {
            let variables = OrderVariables { id, first: LINES_PAGE, after, lines: None };
            let data: OrderLinesData = self.ask(ORDER_LINES, variables, 400).await?;
            let Some(order) = data.fulfillment_order else { break };
            lines.extend(order.line_items.nodes);
            after = order.line_items.page_info.end_cursor;
            if !order.line_items.page_info.has_next_page || after.is_none() {
                break;
            }
        }
        Ok(lines)
    }

    /// Units that left, by order line; shipments that were cancelled or failed do not count.
    async fn shipped(&self, id: &str) -> Result<BTreeMap<String, i64>, CallFailure> {
        match self.shipments(id, SHIPMENTS_PAGE).await? {
            Some(units) => Ok(units),
            None => Ok(self.shipments(id, LONG_SHIPMENT).await?.unwrap_or_default()),
        }
    }

    /// `None`: one of them has more lines than were asked for.
    async fn shipments(
        &self,
        id: &str,
        (first, lines): (usize, usize),
    ) -> Result<Option<BTreeMap<String, i64>>, CallFailure> {
        let (mut units, mut after) = (BTreeMap::<String, i64>::new(), None);
        let points = i64::try_from(first.saturating_mul(lines.saturating_mul(2).saturating_add(3))).unwrap_or(i64::MAX);
        for _ in 0..SHIPMENTS_MAX.div_ceil(first) {
            let variables = OrderVariables { id, first, after, lines: Some(lines) };
            let data: ShipmentsData = self.ask(SHIPMENTS, variables, points).await?;
            let Some(order) = data.fulfillment_order else { break };
            let page = order.fulfillments;
            for shipment in page.nodes.iter().filter(|shipment| shipment.status == "SUCCESS") {
                if shipment.fulfillment_line_items.page_info.has_next_page && lines < LONG_SHIPMENT.1 {
                    return Ok(None);
                }
                for line in &shipment.fulfillment_line_items.nodes {
                    let sum = units.entry(line.line_item.id.clone()).or_default();
                    *sum = sum.saturating_add(line.quantity.unwrap_or(0));
                }
            }
            after = page.page_info.end_cursor;
            if !page.page_info.has_next_page || after.is_none() {
                break;
            }
        }
        Ok(Some(units))
    }
}

/// A shipment may carry goods of two fulfilment orders of one line; each counts at most what it was to hand over.
fn order_line(line: OpenLine, is_open: bool, shipped: &BTreeMap<String, i64>) -> Option<OrderLine> {
    let handed_over = shipped.get(&line.line_item.id).copied().unwrap_or(0).min(line.total_quantity);
    Some(OrderLine {
        id: line.id,
        item: line.inventory_item_id?,
        sku: line.sku.filter(|sku| !sku.is_empty()).map(|sku| Sku::from(sku.as_str())),
        open: if is_open { line.remaining_quantity } else { 0 },
        handed_over,
    })
}

/// Shopify keeps times to the second.
fn seconds(at: Timestamp) -> String {
    crate::clock::rfc3339(Timestamp(at.0.div_euclid(1_000_000).saturating_mul(1_000_000)))
}

fn misconfigured(said: &str) -> CallFailure {
    let cause = LaneRefusal::Misconfigured;
    CallFailure::LaneRefused { cause, detail: refusal_detail(cause, said) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_says_where_it_begins() {
        assert_eq!(from(None), From::Start);
        assert_eq!(from(Some("list:abc:d")), From::List("abc:d"));
        assert_eq!(from(Some("slice:42")), From::Slice(42));
    }

    #[test]
    fn times_are_asked_for_by_the_second() {
        assert_eq!(seconds(Timestamp(1_795_428_000_900_000)), "2026-11-23T10:00:00Z");
    }
}
