//! Shopify's JSON, as sent and as received. No other module of the agent sees these types.

pub(super) mod pages;
pub(super) mod values;

use std::borrow::Cow;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

pub(super) const ADJUST: &str = include_str!("adjust.graphql");
pub(super) const SET: &str = include_str!("set.graphql");
pub(super) const ACTIVATE: &str = include_str!("activate.graphql");
pub(super) const LOOK_UP: &str = include_str!("look_up.graphql");
pub(super) const COMPONENTS: &str = include_str!("components.graphql");
pub(super) const READ_BACK: &str = include_str!("read_back.graphql");
pub(super) const LOCATIONS: &str = include_str!("locations.graphql");
pub(super) const PROBE: &str = include_str!("probe.graphql");

/// A GraphQL request. Field order is the order of the bytes.
#[derive(Serialize)]
pub(super) struct Request<'a, V> {
    pub(super) query: &'a str,
    pub(super) variables: V,
}

#[derive(Serialize)]
pub(super) struct WriteVariables<'a, R> {
    pub(super) input: Input<'a, R>,
    pub(super) key: &'a str,
}

/// `InventoryAdjustQuantitiesInput` with `changes`, or `InventorySetQuantitiesInput` with `quantities`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Input<'a, R> {
    pub(super) name: &'a str,
    pub(super) reason: &'a str,
    pub(super) reference_document_uri: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) changes: Option<Vec<R>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) quantities: Option<Vec<R>>,
}

/// `InventoryChangeInput`. `changeFromQuantity` must be there; `null` asks for no comparison.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AdjustRow<'a> {
    pub(super) inventory_item_id: &'a str,
    pub(super) location_id: &'a str,
    pub(super) delta: i64,
    pub(super) change_from_quantity: Option<i64>,
    /// Forbidden for `available`, required for every other name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ledger_document_uri: Option<&'a str>,
}

/// `InventoryQuantityInput`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SetRow<'a> {
    pub(super) inventory_item_id: &'a str,
    pub(super) location_id: &'a str,
    pub(super) quantity: i64,
    pub(super) change_from_quantity: Option<i64>,
}

/// What is read again from a frozen body: which item stands in which row.
#[derive(Deserialize)]
pub(super) struct FrozenBody<'a> {
    #[serde(borrow)]
    variables: FrozenVariables<'a>,
}

#[derive(Deserialize)]
struct FrozenVariables<'a> {
    #[serde(borrow, default)]
    input: Option<FrozenInput<'a>>,
    #[serde(borrow, default)]
    product: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    variants: Vec<FrozenVariant<'a>>,
}

#[derive(Deserialize)]
struct FrozenVariant<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
}

#[derive(Deserialize)]
struct FrozenInput<'a> {
    #[serde(borrow, alias = "quantities")]
    changes: Vec<FrozenRow<'a>>,
}

#[derive(Deserialize)]
struct FrozenRow<'a> {
    #[serde(borrow, rename = "inventoryItemId")]
    item: Cow<'a, str>,
}

impl<'a> FrozenBody<'a> {
    /// The items in the order of their rows; empty if this is no body of ours.
    pub(super) fn items(bytes: &'a [u8]) -> Vec<String> {
        serde_json::from_slice::<FrozenBody<'a>>(bytes)
            .map(|body| {
                let product = body.variables.product.unwrap_or_default();
                let stock = body.variables.input.into_iter().flat_map(|input| input.changes);
                let prices = body.variables.variants.into_iter().map(|row| format!("{}@{product}", row.id));
                stock.map(|row| row.item.into_owned()).chain(prices).collect()
            })
            .unwrap_or_default()
    }
}

/// The outer shape of every reply. Its parts are read one by one, so that an odd one does not hide the others.
#[derive(Deserialize)]
struct RawEnvelope<'a> {
    #[serde(borrow, default, deserialize_with = "present")]
    data: Option<Option<&'a RawValue>>,
    #[serde(borrow, default)]
    errors: Option<&'a RawValue>,
    #[serde(borrow, default)]
    extensions: Option<&'a RawValue>,
}

fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<&'de RawValue>>, D::Error> {
    Option::<&RawValue>::deserialize(deserializer).map(Some)
}

/// A reply, read.
pub(super) struct Envelope<'a> {
    /// Outer `None`: no `data` at all, so nothing was executed (GraphQL specification, section 7.1).
    pub(super) data: Option<Option<&'a str>>,
    pub(super) errors: Vec<TopError>,
    pub(super) cost: Option<Cost>,
}

impl<'a> Envelope<'a> {
    /// `None`: not a GraphQL reply.
    pub(super) fn read(body: &'a [u8]) -> Option<Self> {
        let raw: RawEnvelope<'a> = serde_json::from_slice(body).ok()?;
        if raw.data.is_none() && raw.errors.is_none() {
            return None;
        }
        let errors = raw.errors.map(|errors| {
            serde_json::from_str(errors.get()).unwrap_or_else(|_| {
                let message = super::super::transport::excerpt(errors.get().as_bytes());
                vec![TopError { message, ..TopError::default() }]
            })
        });
        let cost =
            raw.extensions.and_then(|text| serde_json::from_str::<Extensions>(text.get()).ok()).and_then(|e| e.cost);
        Some(Self { data: raw.data.map(|data| data.map(RawValue::get)), errors: errors.unwrap_or_default(), cost })
    }
}

/// An entry of the top-level `errors`.
#[derive(Debug, Default, Deserialize)]
pub(super) struct TopError {
    #[serde(default)]
    pub(super) message: String,
    #[serde(default)]
    extensions: Option<TopErrorExtensions>,
}

#[derive(Debug, Default, Deserialize)]
struct TopErrorExtensions {
    #[serde(default)]
    code: Option<String>,
}

impl TopError {
    pub(super) fn code(&self) -> Option<&str> {
        self.extensions.as_ref()?.code.as_deref()
    }
}

#[derive(Deserialize)]
struct Extensions {
    #[serde(default)]
    cost: Option<Cost>,
}

/// `extensions.cost`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Cost {
    #[serde(default)]
    pub(super) requested_query_cost: Points,
    pub(super) throttle_status: ThrottleStatus,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ThrottleStatus {
    pub(super) maximum_available: Points,
    pub(super) currently_available: Points,
    pub(super) restore_rate: Points,
}

/// A number of cost points. Shopify writes some as `2000.0`; what is behind the point is dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Points(pub(super) i64);

impl<'de> Deserialize<'de> for Points {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        let whole = raw.get().split('.').next().unwrap_or_default();
        if whole == "null" {
            return Ok(Self(0));
        }
        whole.parse().map(Self).map_err(serde::de::Error::custom)
    }
}

/// `data` of all writes: one payload under the mutation's own name.
#[derive(Deserialize)]
pub(super) struct WriteData {
    #[serde(
        alias = "inventoryAdjustQuantities",
        alias = "inventorySetQuantities",
        alias = "productVariantsBulkUpdate"
    )]
    pub(super) payload: Option<WritePayload>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct WritePayload {
    #[serde(default)]
    pub(super) inventory_adjustment_group: Option<AdjustmentGroup>,
    pub(super) user_errors: Vec<UserError>,
}

#[derive(Deserialize)]
pub(super) struct AdjustmentGroup {
    pub(super) id: String,
}

/// A user error; `code` is an open set and absent on some mutations.
#[derive(Debug, Deserialize)]
pub(super) struct UserError {
    #[serde(default)]
    pub(super) code: Option<String>,
    #[serde(default)]
    pub(super) field: Option<Vec<String>>,
    #[serde(default)]
    pub(super) message: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct LookUpData {
    pub(super) product_variants: Page<Variant>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Page<T> {
    pub(super) nodes: Vec<T>,
    pub(super) page_info: PageInfo,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PageInfo {
    pub(super) has_next_page: bool,
    pub(super) end_cursor: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Variant {
    pub(super) id: String,
    #[serde(default)]
    pub(super) sku: Option<String>,
    #[serde(default)]
    pub(super) barcode: Option<String>,
    pub(super) title: String,
    pub(super) requires_components: bool,
    pub(super) product: Titled,
    pub(super) inventory_item: Item,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Titled {
    #[serde(default)]
    pub(super) id: String,
    pub(super) title: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Item {
    pub(super) id: String,
    pub(super) tracked: bool,
    pub(super) inventory_level: Option<Level>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Level {
    pub(super) is_active: bool,
    pub(super) quantities: Vec<NamedQuantity>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct NamedQuantity {
    pub(super) name: String,
    pub(super) quantity: i64,
}

impl Level {
    pub(super) fn on_hand(&self) -> Option<i64> {
        self.named("on_hand")
    }

    pub(super) fn named(&self, name: &str) -> Option<i64> {
        self.quantities.iter().find(|q| q.name == name).map(|q| q.quantity)
    }
}

/// `nodes(ids:)`: `null` where the id is not known.
#[derive(Deserialize)]
pub(super) struct NodesData<T> {
    pub(super) nodes: Vec<Option<T>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct StockNode {
    #[serde(default)]
    pub(super) inventory_level: Option<Level>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct BundleNode {
    #[serde(default)]
    pub(super) product_variant_components: Option<Page<Component>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Component {
    pub(super) quantity: i64,
    pub(super) product_variant: Variant,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ActivateData {
    pub(super) inventory_activate: Option<ActivatePayload>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ActivatePayload {
    pub(super) inventory_level: Option<Level>,
    pub(super) user_errors: Vec<UserError>,
}

#[derive(Deserialize)]
pub(super) struct LocationsData {
    pub(super) locations: Page<LocationNode>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct LocationNode {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) is_active: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ProbeData {
    pub(super) shop: ShopNode,
    pub(super) location: Option<LocationNode>,
    pub(super) current_app_installation: Option<Installation>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ShopNode {
    pub(super) name: String,
    pub(super) myshopify_domain: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Installation {
    pub(super) access_scopes: Vec<Scope>,
}

#[derive(Deserialize)]
pub(super) struct Scope {
    pub(super) handle: String,
}

/// Reply of the token endpoint.
#[derive(Deserialize)]
pub(super) struct TokenGrant {
    pub(super) access_token: String,
    pub(super) expires_in: u64,
}
