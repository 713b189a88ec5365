//! Shopify's JSON of pages: numbers at a location, fulfilment orders, shipments.

use serde::{Deserialize, Serialize};

use super::{Level, Page};

pub(in super::super) const LEVELS: &str = include_str!("../levels.graphql");
pub(in super::super) const LEVELS_BY_BARCODE: &str = include_str!("../levels_by_barcode.graphql");
pub(in super::super) const ITEMS: &str = include_str!("../items.graphql");
pub(in super::super) const ITEMS_BY_BARCODE: &str = include_str!("../items_by_barcode.graphql");
pub(in super::super) const COUNT: &str = include_str!("../count.graphql");
pub(in super::super) const ORDERS: &str = include_str!("../orders.graphql");
pub(in super::super) const ORDER_LINES: &str = include_str!("../order_lines.graphql");
pub(in super::super) const SHIPMENTS: &str = include_str!("../shipments.graphql");

#[derive(Serialize)]
pub(in super::super) struct LevelsVariables<'a> {
    pub(in super::super) location: &'a str,
    pub(in super::super) first: usize,
    pub(in super::super) after: Option<&'a str>,
}

#[derive(Serialize)]
pub(in super::super) struct ItemsVariables<'a> {
    pub(in super::super) location: &'a str,
    pub(in super::super) first: usize,
    pub(in super::super) query: &'a str,
}

#[derive(Serialize)]
pub(in super::super) struct CountVariables {
    pub(in super::super) limit: usize,
}

#[derive(Serialize)]
pub(in super::super) struct OrdersVariables<'a> {
    pub(in super::super) query: &'a str,
    pub(in super::super) first: usize,
    pub(in super::super) after: Option<&'a str>,
    pub(in super::super) closed: bool,
    pub(in super::super) lines: usize,
}

#[derive(Serialize)]
pub(in super::super) struct OrderVariables<'a> {
    pub(in super::super) id: &'a str,
    pub(in super::super) first: usize,
    pub(in super::super) after: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in super::super) lines: Option<usize>,
}

#[derive(Deserialize)]
pub(in super::super) struct LevelsData {
    pub(in super::super) location: Option<LocationLevels>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in super::super) struct LocationLevels {
    pub(in super::super) inventory_levels: Page<LevelNode>,
}

/// A level with its item.
#[derive(Deserialize)]
pub(in super::super) struct LevelNode {
    #[serde(flatten)]
    pub(in super::super) level: Level,
    pub(in super::super) item: Article,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in super::super) struct ItemsData {
    pub(in super::super) inventory_items: Page<ItemNode>,
}

/// An item with its level at one location.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in super::super) struct ItemNode {
    #[serde(flatten)]
    pub(in super::super) article: Article,
    pub(in super::super) inventory_level: Option<Level>,
}

#[derive(Debug, Clone, Deserialize)]
pub(in super::super) struct Article {
    pub(in super::super) id: String,
    #[serde(default)]
    pub(in super::super) sku: Option<String>,
    pub(in super::super) tracked: bool,
    #[serde(default)]
    pub(in super::super) variant: Option<Barcode>,
}

#[derive(Debug, Clone, Deserialize)]
pub(in super::super) struct Barcode {
    #[serde(default)]
    pub(in super::super) barcode: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in super::super) struct CountData {
    pub(in super::super) product_variants_count: Option<Count>,
}

#[derive(Deserialize)]
pub(in super::super) struct Count {
    pub(in super::super) count: usize,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in super::super) struct OrdersData {
    pub(in super::super) fulfillment_orders: Page<FulfilmentOrder>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in super::super) struct FulfilmentOrder {
    pub(in super::super) id: String,
    pub(in super::super) order_name: String,
    pub(in super::super) order_processed_at: Option<String>,
    pub(in super::super) updated_at: String,
    pub(in super::super) status: String,
    pub(in super::super) line_items: Page<OpenLine>,
}

/// `FulfillmentOrderLineItem`
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in super::super) struct OpenLine {
    pub(in super::super) id: String,
    #[serde(default)]
    pub(in super::super) sku: Option<String>,
    #[serde(default)]
    pub(in super::super) inventory_item_id: Option<String>,
    pub(in super::super) total_quantity: i64,
    pub(in super::super) remaining_quantity: i64,
    pub(in super::super) line_item: LineItem,
}

#[derive(Debug, Clone, Deserialize)]
pub(in super::super) struct LineItem {
    pub(in super::super) id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in super::super) struct OrderLinesData {
    pub(in super::super) fulfillment_order: Option<Lines>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in super::super) struct Lines {
    pub(in super::super) line_items: Page<OpenLine>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in super::super) struct ShipmentsData {
    pub(in super::super) fulfillment_order: Option<Fulfilments>,
}

#[derive(Deserialize)]
pub(in super::super) struct Fulfilments {
    pub(in super::super) fulfillments: Page<Fulfilment>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in super::super) struct Fulfilment {
    pub(in super::super) status: String,
    pub(in super::super) fulfillment_line_items: Page<ShippedLine>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in super::super) struct ShippedLine {
    #[serde(default)]
    pub(in super::super) quantity: Option<i64>,
    pub(in super::super) line_item: LineItem,
}
