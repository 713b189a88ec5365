//! BigCommerce's JSON, only the fields that are used. Field names are theirs.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// Which adjustment frozen bytes are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Write {
    Relative,
    Absolute,
}

/// Frozen bytes: the body to send and where to. The envelope stays here.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Frozen<'a> {
    pub(super) write: Write,
    #[serde(borrow)]
    pub(super) body: &'a RawValue,
}

/// Body of both adjustments.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Adjustment {
    pub(super) reason: String,
    pub(super) items: Vec<AdjustmentRow>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct AdjustmentRow {
    pub(super) location_id: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) variant_id: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) product_id: Option<i64>,
    pub(super) quantity: i64,
}

/// Reply to an adjustment.
#[derive(Debug, Deserialize)]
pub(super) struct Transaction {
    pub(super) transaction_id: String,
}

/// RFC 7807 problem of a refused request.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Problem {
    #[serde(default)]
    pub(super) title: Option<String>,
    #[serde(default)]
    pub(super) errors: serde_json::Value,
}

/// `{"data": …, "meta": …}` of V3.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Page<T> {
    #[serde(default = "Vec::new")]
    pub(super) data: Vec<T>,
    #[serde(default)]
    pub(super) meta: Meta,
}

/// `{"data": …}` of V3 where there is one thing.
#[derive(Debug, Deserialize)]
pub(super) struct One<T> {
    pub(super) data: T,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Meta {
    #[serde(default)]
    pub(super) pagination: Pagination,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Pagination {
    #[serde(default)]
    pub(super) total: u64,
    #[serde(default)]
    pub(super) current_page: u64,
    #[serde(default)]
    pub(super) total_pages: u64,
}

/// One row of `GET /v3/inventory/locations/{id}/items`.
#[derive(Debug, Deserialize)]
pub(super) struct LocationItem {
    pub(super) identity: Identity,
    /// What lies there, safety stock included.
    pub(super) total_inventory_onhand: i64,
}

#[derive(Debug, Deserialize)]
pub(super) struct Identity {
    #[serde(default)]
    pub(super) sku: Option<String>,
    #[serde(default)]
    pub(super) variant_id: Option<i64>,
    #[serde(default)]
    pub(super) product_id: Option<i64>,
}

/// One row of `GET /v3/catalog/variants`.
#[derive(Debug, Deserialize)]
pub(super) struct Variant {
    pub(super) id: i64,
    pub(super) product_id: i64,
    #[serde(default)]
    pub(super) sku: Option<String>,
    #[serde(default)]
    pub(super) upc: Option<String>,
}

/// One row of `GET /v3/catalog/products`.
#[derive(Debug, Deserialize)]
pub(super) struct Product {
    pub(super) id: i64,
    #[serde(default)]
    pub(super) name: String,
    /// `none`, `product` or `variant`.
    #[serde(default)]
    pub(super) inventory_tracking: String,
}

/// `GET /v3/settings/inventory`.
#[derive(Debug, Deserialize)]
pub(super) struct InventorySettings {
    #[serde(default)]
    pub(super) update_stock_behavior: String,
}

/// One row of `GET /v3/inventory/locations`.
#[derive(Debug, Deserialize)]
pub(super) struct Location {
    pub(super) id: i64,
    #[serde(default)]
    pub(super) label: String,
    #[serde(default)]
    pub(super) enabled: bool,
    #[serde(default)]
    pub(super) managed_by_external_source: bool,
}

/// `GET /v2/store`.
#[derive(Debug, Deserialize)]
pub(super) struct Store {
    #[serde(default)]
    pub(super) name: String,
    #[serde(default)]
    pub(super) currency: String,
}

/// One row of `GET /v2/orders`.
#[derive(Debug, Deserialize)]
pub(super) struct Order {
    pub(super) id: i64,
    pub(super) status_id: i64,
    pub(super) date_modified: String,
    #[serde(default)]
    pub(super) date_created: String,
    #[serde(default)]
    pub(super) consignments: Consignments,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Consignments {
    #[serde(default)]
    pub(super) pickups: Vec<Pickup>,
    #[serde(default)]
    pub(super) shipping: Vec<Shipping>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Pickup {
    #[serde(default)]
    pub(super) location: Option<PickupLocation>,
    #[serde(default)]
    pub(super) line_items: Vec<OrderProduct>,
}

#[derive(Debug, Deserialize)]
pub(super) struct PickupLocation {
    #[serde(default)]
    pub(super) id: Option<i64>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Shipping {
    #[serde(default)]
    pub(super) line_items: Vec<OrderProduct>,
}

#[derive(Debug, Deserialize)]
pub(super) struct OrderProduct {
    pub(super) id: i64,
    /// 0 for a custom product, which has no stock.
    #[serde(default)]
    pub(super) product_id: i64,
    #[serde(default)]
    pub(super) variant_id: Option<i64>,
    #[serde(default)]
    pub(super) sku: Option<String>,
    #[serde(default)]
    pub(super) quantity: i64,
    #[serde(default)]
    pub(super) quantity_shipped: i64,
    #[serde(default)]
    pub(super) quantity_refunded: i64,
}

/// A row of `PUT /v3/catalog/variants`.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct PriceRow {
    pub(super) id: i64,
    /// A JSON number, written exactly.
    pub(super) price: Box<RawValue>,
}
