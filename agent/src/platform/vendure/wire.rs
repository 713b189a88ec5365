//! Vendure's GraphQL, as far as we ask and read it (Admin API of 3.7.3).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Variants, by a filter. `$field` stands for the custom field of barcodes, if there is one.
pub(super) const VARIANTS: &str = "query($options:ProductVariantListOptions){productVariants(options:$options){totalItems \
     items{id sku name trackInventory product{name} stockLevels{stockLocationId stockOnHand}$field}}}";
/// Numbers of variants, with how many movements are in their logs.
pub(super) const STOCK: &str = "query($options:ProductVariantListOptions){productVariants(options:$options){totalItems \
     items{id stockLevels{stockLocationId stockOnHand} stockMovements(options:{take:1}){totalItems}}}}";
/// Any update of variants.
pub(super) const UPDATE: &str =
    "mutation($input:[UpdateProductVariantInput!]!){updateProductVariants(input:$input){id}}";
/// Stock locations.
pub(super) const LOCATIONS: &str =
    "query($options:StockLocationListOptions){stockLocations(options:$options){totalItems items{id name}}}";
/// Whether variants count their stock unless they say otherwise.
pub(super) const SETTINGS: &str = "{globalSettings{trackInventory}}";
/// The channel that we are in.
pub(super) const CHANNEL: &str = "{activeChannel{code defaultCurrencyCode availableCurrencyCodes}}";
/// Orders. No customer, address or mail is asked for.
pub(super) const ORDERS: &str = "query($options:OrderListOptions){orders(options:$options){totalItems items{id code \
     updatedAt orderPlacedAt lines{id quantity productVariant{id sku} fulfillmentLines{quantity fulfillment{state}}}}}}";
/// May we read orders.
pub(super) const MAY_READ_ORDERS: &str = "{orders(options:{take:1}){totalItems}}";
/// May we write: an empty list changes nothing.
pub(super) const MAY_UPDATE: &str = "mutation{updateProductVariants(input:[]){id}}";
/// May we read variants.
pub(super) const MAY_READ: &str = "{productVariants(options:{take:1}){totalItems}}";
/// Rights that we need not have, as (name, question).
pub(super) const NOT_NEEDED: [(&str, &str); 2] = [
    ("customers", "{customers(options:{take:1}){totalItems}}"),
    ("administrators", "{administrators(options:{take:1}){totalItems}}"),
];

#[derive(Debug, Serialize)]
pub(super) struct Request<'a, V> {
    pub(super) query: &'a str,
    pub(super) variables: V,
}

#[derive(Debug, Serialize)]
pub(super) struct OptionsVariable<F> {
    pub(super) options: ListOptions<F>,
}

#[derive(Debug, Serialize)]
pub(super) struct ListOptions<F> {
    pub(super) take: usize,
    pub(super) skip: usize,
    pub(super) sort: ById,
    pub(super) filter: F,
}

/// Ids grow with time: what is added while pages are read comes last.
#[derive(Debug, Serialize)]
pub(super) struct ById {
    pub(super) id: &'static str,
}

pub(super) const BY_ID: ById = ById { id: "ASC" };

#[derive(Debug, Serialize)]
pub(super) struct NoFilter {}

#[derive(Debug, Serialize)]
pub(super) struct In<'a> {
    #[serde(rename = "in")]
    pub(super) values: Vec<&'a str>,
}

/// One field that must be one of some values. A barcode's field is named by the configuration.
pub(super) type FieldFilter<'a> = BTreeMap<&'a str, In<'a>>;

#[derive(Debug, Serialize)]
pub(super) struct InputVariable<'a> {
    pub(super) input: Vec<VariantInput<'a>>,
}

#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct VariantInput<'a> {
    pub(super) id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) stock_levels: Option<[StockLevelInput<'a>; 1]>,
    /// In the channel's default currency, minor units.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) price: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) prices: Option<[PriceInput<'a>; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) out_of_stock_threshold: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) use_global_out_of_stock_threshold: Option<bool>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct StockLevelInput<'a> {
    pub(super) stock_location_id: &'a str,
    pub(super) stock_on_hand: i64,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PriceInput<'a> {
    pub(super) currency_code: &'a str,
    /// Minor units.
    pub(super) price: i64,
}

/// A reply: exactly one field of data, whatever its name.
#[derive(Debug, Deserialize)]
pub(super) struct Envelope {
    pub(super) data: Option<serde_json::Value>,
    #[serde(default)]
    pub(super) errors: Vec<GraphQlError>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct GraphQlError {
    #[serde(default)]
    pub(super) message: String,
    #[serde(default)]
    pub(super) extensions: Extensions,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Extensions {
    pub(super) code: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct VariantsData {
    #[serde(rename = "productVariants")]
    pub(super) page: Page<Variant>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Page<T> {
    pub(super) total_items: usize,
    pub(super) items: Vec<T>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Variant {
    pub(super) id: String,
    pub(super) sku: String,
    #[serde(default)]
    pub(super) name: String,
    pub(super) track_inventory: Tracking,
    pub(super) product: Option<Named>,
    #[serde(default)]
    pub(super) stock_levels: Vec<StockLevel>,
    #[serde(default)]
    pub(super) custom_fields: BTreeMap<String, serde_json::Value>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum Tracking {
    True,
    False,
    Inherit,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Named {
    pub(super) name: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct StockLevel {
    pub(super) stock_location_id: String,
    pub(super) stock_on_hand: i64,
}

#[derive(Debug, Deserialize)]
pub(super) struct StockData {
    #[serde(rename = "productVariants")]
    pub(super) page: Page<Stock>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Stock {
    pub(super) id: String,
    pub(super) stock_levels: Vec<StockLevel>,
    pub(super) stock_movements: Total,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Total {
    pub(super) total_items: usize,
}

/// What became of one variant since its log was this long; asked under an alias each.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Since {
    pub(super) stock_levels: Vec<StockLevel>,
    pub(super) stock_movements: Movements,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Movements {
    pub(super) total_items: usize,
    pub(super) items: Vec<Movement>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Movement {
    /// `ADJUSTMENT`, `SALE`, `CANCELLATION` and `RETURN` move what is on hand; `ALLOCATION` and `RELEASE` do not.
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) quantity: i64,
}

#[derive(Debug, Deserialize)]
pub(super) struct LocationsData {
    #[serde(rename = "stockLocations")]
    pub(super) page: Page<StockLocation>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct StockLocation {
    pub(super) id: String,
    pub(super) name: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SettingsData {
    pub(super) global_settings: GlobalSettings,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GlobalSettings {
    pub(super) track_inventory: bool,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ChannelData {
    pub(super) active_channel: Channel,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Channel {
    pub(super) code: String,
    pub(super) default_currency_code: String,
    #[serde(default)]
    pub(super) available_currency_codes: Vec<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct OrdersData {
    #[serde(rename = "orders")]
    pub(super) page: Page<Order>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Order {
    pub(super) id: String,
    pub(super) code: String,
    pub(super) updated_at: String,
    pub(super) order_placed_at: Option<String>,
    #[serde(default)]
    pub(super) lines: Vec<Line>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Line {
    pub(super) id: String,
    pub(super) quantity: i64,
    pub(super) product_variant: LineVariant,
    pub(super) fulfillment_lines: Option<Vec<FulfillmentLine>>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct LineVariant {
    pub(super) id: String,
    pub(super) sku: String,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct FulfillmentLine {
    pub(super) quantity: i64,
    pub(super) fulfillment: Fulfillment,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Fulfillment {
    pub(super) state: String,
}
