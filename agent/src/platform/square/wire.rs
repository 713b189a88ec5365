//! Square's JSON, only the fields that are used. Field names are theirs.

use serde::{Deserialize, Serialize};

/// `POST /v2/inventory/changes/batch-create`.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct BatchCreate {
    pub(super) idempotency_key: String,
    pub(super) changes: Vec<InventoryChange>,
    pub(super) ignore_unchanged_counts: bool,
}

/// One change, sent and read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct InventoryChange {
    #[serde(rename = "type", default)]
    pub(super) kind: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) adjustment: Option<Adjustment>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) physical_count: Option<PhysicalCount>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Adjustment {
    #[serde(default)]
    pub(super) catalog_object_id: String,
    #[serde(default)]
    pub(super) location_id: String,
    #[serde(default)]
    pub(super) from_state: String,
    #[serde(default)]
    pub(super) to_state: String,
    #[serde(default)]
    pub(super) quantity: String,
    #[serde(default)]
    pub(super) occurred_at: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) reference_id: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct PhysicalCount {
    #[serde(default)]
    pub(super) catalog_object_id: String,
    #[serde(default)]
    pub(super) location_id: String,
    #[serde(default)]
    pub(super) state: String,
    #[serde(default)]
    pub(super) quantity: String,
    #[serde(default)]
    pub(super) occurred_at: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) reference_id: Option<String>,
}

impl InventoryChange {
    /// The variation, our reference and when it happened.
    pub(super) fn facts(&self) -> Option<(&str, Option<&str>, &str)> {
        match (&self.adjustment, &self.physical_count) {
            (Some(a), _) => Some((&a.catalog_object_id, a.reference_id.as_deref(), &a.occurred_at)),
            (None, Some(c)) => Some((&c.catalog_object_id, c.reference_id.as_deref(), &c.occurred_at)),
            (None, None) => None,
        }
    }
}

/// `errors` of any reply.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Errors {
    #[serde(default)]
    pub(super) errors: Vec<SquareError>,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct SquareError {
    #[serde(default)]
    pub(super) code: String,
    #[serde(default)]
    pub(super) detail: String,
    #[serde(default)]
    pub(super) field: Option<String>,
}

/// `POST /v2/inventory/counts/batch-retrieve`.
#[derive(Debug, Serialize)]
pub(super) struct CountsRequest<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) catalog_object_ids: Option<&'a [String]>,
    pub(super) location_ids: [&'a str; 1],
    pub(super) states: [&'static str; 1],
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cursor: Option<&'a str>,
    pub(super) limit: usize,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Counts {
    #[serde(default)]
    pub(super) counts: Vec<Count>,
    #[serde(default)]
    pub(super) cursor: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Count {
    pub(super) catalog_object_id: String,
    #[serde(default)]
    pub(super) state: String,
    #[serde(default)]
    pub(super) quantity: String,
}

/// `POST /v2/inventory/changes/batch-retrieve`.
#[derive(Debug, Serialize)]
pub(super) struct ChangesRequest<'a> {
    pub(super) catalog_object_ids: &'a [String],
    pub(super) location_ids: [&'a str; 1],
    pub(super) types: [&'static str; 2],
    pub(super) updated_after: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cursor: Option<&'a str>,
    pub(super) limit: usize,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Changes {
    #[serde(default)]
    pub(super) changes: Vec<InventoryChange>,
    #[serde(default)]
    pub(super) cursor: Option<String>,
}

/// `POST /v2/catalog/search`.
#[derive(Debug, Serialize)]
pub(super) struct Search<'a> {
    pub(super) object_types: [&'static str; 1],
    pub(super) query: Query<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cursor: Option<&'a str>,
    pub(super) limit: usize,
}

#[derive(Debug, Serialize)]
pub(super) struct Query<'a> {
    pub(super) set_query: SetQuery<'a>,
}

#[derive(Debug, Serialize)]
pub(super) struct SetQuery<'a> {
    pub(super) attribute_name: &'static str,
    pub(super) attribute_values: &'a [&'a str],
}

/// `POST /v2/catalog/batch-retrieve`.
#[derive(Debug, Serialize)]
pub(super) struct Retrieve<'a> {
    pub(super) object_ids: &'a [String],
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Objects {
    #[serde(default)]
    pub(super) objects: Vec<Variation>,
    #[serde(default)]
    pub(super) cursor: Option<String>,
}

/// An object of type `ITEM_VARIATION`.
#[derive(Debug, Deserialize)]
pub(super) struct Variation {
    pub(super) id: String,
    #[serde(default)]
    pub(super) is_deleted: bool,
    #[serde(default = "yes")]
    pub(super) present_at_all_locations: bool,
    #[serde(default)]
    pub(super) present_at_location_ids: Vec<String>,
    #[serde(default)]
    pub(super) absent_at_location_ids: Vec<String>,
    #[serde(default)]
    pub(super) item_variation_data: VariationData,
}

const fn yes() -> bool {
    true
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct VariationData {
    #[serde(default)]
    pub(super) name: String,
    #[serde(default)]
    pub(super) sku: Option<String>,
    #[serde(default)]
    pub(super) upc: Option<String>,
    #[serde(default)]
    pub(super) track_inventory: Option<bool>,
    #[serde(default)]
    pub(super) location_overrides: Vec<LocationOverride>,
}

#[derive(Debug, Deserialize)]
pub(super) struct LocationOverride {
    #[serde(default)]
    pub(super) location_id: String,
    #[serde(default)]
    pub(super) track_inventory: Option<bool>,
}

/// `POST /v2/orders/search`.
#[derive(Debug, Serialize)]
pub(super) struct OrderSearch<'a> {
    pub(super) location_ids: [&'a str; 1],
    pub(super) query: OrderQuery,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cursor: Option<&'a str>,
    pub(super) limit: usize,
    pub(super) return_entries: bool,
}

#[derive(Debug, Serialize)]
pub(super) struct OrderQuery {
    pub(super) filter: OrderFilter,
    pub(super) sort: OrderSort,
}

#[derive(Debug, Default, Serialize)]
pub(super) struct OrderFilter {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) state_filter: Option<StateFilter>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) date_time_filter: Option<DateTimeFilter>,
}

#[derive(Debug, Serialize)]
pub(super) struct StateFilter {
    pub(super) states: [&'static str; 1],
}

#[derive(Debug, Serialize)]
pub(super) struct DateTimeFilter {
    pub(super) updated_at: TimeRange,
}

#[derive(Debug, Serialize)]
pub(super) struct TimeRange {
    pub(super) start_at: String,
}

#[derive(Debug, Serialize)]
pub(super) struct OrderSort {
    pub(super) sort_field: &'static str,
    pub(super) sort_order: &'static str,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Orders {
    #[serde(default)]
    pub(super) orders: Vec<Order>,
    #[serde(default)]
    pub(super) cursor: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Order {
    pub(super) id: String,
    #[serde(default)]
    pub(super) state: String,
    #[serde(default)]
    pub(super) reference_id: Option<String>,
    #[serde(default)]
    pub(super) created_at: String,
    #[serde(default)]
    pub(super) updated_at: String,
    #[serde(default)]
    pub(super) line_items: Vec<LineItem>,
    #[serde(default)]
    pub(super) fulfillments: Vec<Fulfillment>,
}

#[derive(Debug, Deserialize)]
pub(super) struct LineItem {
    #[serde(default)]
    pub(super) uid: String,
    #[serde(default)]
    pub(super) catalog_object_id: Option<String>,
    #[serde(default)]
    pub(super) quantity: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct Fulfillment {
    #[serde(default)]
    pub(super) state: String,
    /// `ALL` or `ENTRY_LIST`.
    #[serde(default)]
    pub(super) line_item_application: Option<String>,
    #[serde(default)]
    pub(super) entries: Vec<FulfillmentEntry>,
}

#[derive(Debug, Deserialize)]
pub(super) struct FulfillmentEntry {
    #[serde(default)]
    pub(super) line_item_uid: String,
    #[serde(default)]
    pub(super) quantity: String,
}

/// `GET /v2/locations/{id}`.
#[derive(Debug, Deserialize)]
pub(super) struct LocationReply {
    pub(super) location: Location,
}

#[derive(Debug, Deserialize)]
pub(super) struct Location {
    #[serde(default)]
    pub(super) name: String,
    #[serde(default)]
    pub(super) status: String,
    #[serde(default)]
    pub(super) currency: String,
    #[serde(default)]
    pub(super) business_name: String,
}

/// `POST /oauth2/token/status`.
#[derive(Debug, Default, Deserialize)]
pub(super) struct TokenStatus {
    #[serde(default)]
    pub(super) scopes: Vec<String>,
    #[serde(default)]
    pub(super) expires_at: Option<String>,
}
