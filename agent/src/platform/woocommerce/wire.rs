//! WooCommerce's JSON, and the plugin's, as far as we read and write it.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Fields of a product that we read. Nothing else of it is sent to us.
pub(super) const PRODUCT_FIELDS: &str =
    "id,parent_id,type,name,sku,global_unique_id,manage_stock,stock_quantity,regular_price,backorders,meta_data";
/// Fields of an order: no name, address or mail of anybody.
pub(super) const ORDER_FIELDS: &str =
    "id,number,status,date_created_gmt,date_modified_gmt,date_completed_gmt,line_items";

/// A product or variation.
#[derive(Debug, Clone, Deserialize, Default)]
#[serde(default)]
pub(super) struct Product {
    pub(super) id: u64,
    pub(super) parent_id: u64,
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) name: String,
    pub(super) sku: Option<String>,
    pub(super) global_unique_id: Option<String>,
    pub(super) manage_stock: ManageStock,
    /// A whole number, unless a plugin allows fractions. `null` without stock management.
    pub(super) stock_quantity: Value,
    pub(super) regular_price: Option<String>,
    pub(super) backorders: Option<String>,
    pub(super) meta_data: Vec<Meta>,
}

/// `true`, `false`, or `"parent"` at variations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Default)]
#[serde(from = "Value")]
pub(super) enum ManageStock {
    Own,
    Parent,
    #[default]
    No,
}

impl From<Value> for ManageStock {
    fn from(value: Value) -> Self {
        match value {
            Value::Bool(true) => Self::Own,
            Value::String(word) if word == "parent" => Self::Parent,
            _ => Self::No,
        }
    }
}

#[derive(Debug, Clone, Deserialize, Default)]
#[serde(default)]
pub(super) struct Meta {
    pub(super) key: String,
    pub(super) value: Value,
}

impl Product {
    /// The value of a text in its meta data.
    pub(super) fn meta(&self, key: &str) -> Option<&str> {
        self.meta_data.iter().find(|meta| meta.key == key)?.value.as_str()
    }
}

/// `POST …/batch`.
#[derive(Debug, Serialize)]
pub(super) struct Batch<'a> {
    pub(super) update: Vec<Update<'a>>,
}

/// One row of a batch: only what changes.
#[derive(Debug, Serialize)]
pub(super) struct Update<'a> {
    pub(super) id: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) inventory_delta: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) stock_quantity: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) regular_price: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) backorders: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) meta_data: Option<[MetaOut<'a>; 1]>,
}

#[derive(Debug, Serialize)]
pub(super) struct MetaOut<'a> {
    pub(super) key: &'a str,
    pub(super) value: &'a str,
}

/// Its answer: rows in the order of the request.
#[derive(Debug, Deserialize)]
pub(super) struct BatchReply {
    pub(super) update: Vec<RowReply>,
}

/// A product, or why it could not be changed.
#[derive(Debug, Deserialize)]
pub(super) struct RowReply {
    pub(super) error: Option<ApiError>,
    #[serde(flatten)]
    pub(super) product: Product,
}

/// An error in WordPress's form.
#[derive(Debug, Clone, Deserialize, Default, PartialEq, Eq)]
pub(super) struct ApiError {
    pub(super) code: String,
    #[serde(default)]
    pub(super) message: String,
    #[serde(default)]
    pub(super) data: Value,
}

impl ApiError {
    pub(super) fn status(&self) -> u64 {
        self.data.get("status").and_then(Value::as_u64).unwrap_or(0)
    }
}

/// An order.
#[derive(Debug, Clone, Deserialize, Default)]
#[serde(default)]
pub(super) struct Order {
    pub(super) id: u64,
    pub(super) number: String,
    pub(super) status: String,
    pub(super) date_created_gmt: Option<String>,
    pub(super) date_modified_gmt: Option<String>,
    pub(super) date_completed_gmt: Option<String>,
    pub(super) line_items: Vec<Line>,
}

/// One line of it.
#[derive(Debug, Clone, Deserialize, Default)]
#[serde(default)]
pub(super) struct Line {
    pub(super) id: u64,
    pub(super) product_id: u64,
    pub(super) variation_id: u64,
    pub(super) sku: Option<String>,
    pub(super) meta_data: Vec<Meta>,
}

/// `GET /wp-json/`.
#[derive(Debug, Deserialize)]
pub(super) struct Index {
    #[serde(default)]
    pub(super) name: String,
    pub(super) namespaces: Vec<String>,
}

/// `GET /system_status`.
#[derive(Debug, Deserialize)]
pub(super) struct SystemStatus {
    pub(super) environment: Environment,
}

#[derive(Debug, Deserialize)]
pub(super) struct Environment {
    pub(super) version: String,
}

/// One setting.
#[derive(Debug, Deserialize)]
pub(super) struct Setting {
    pub(super) value: Value,
}

/// `GET /tillsync/v1/info`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct PluginInfo {
    pub(super) version: String,
    pub(super) contract: u64,
    pub(super) keep_days: u64,
    pub(super) rows_max: usize,
    pub(super) transactional: bool,
}

/// `POST /tillsync/v1/stock`.
#[derive(Debug, Serialize)]
pub(super) struct PluginRequest<'a> {
    pub(super) key: &'a str,
    pub(super) marker: &'a str,
    pub(super) rows: Vec<PluginRow<'a>>,
}

#[derive(Debug, Serialize)]
pub(super) struct PluginRow<'a> {
    pub(super) id: &'a str,
    pub(super) product: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) delta: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) set: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) expect: Option<i64>,
}

/// `POST /tillsync/v1/outcome`.
#[derive(Debug, Serialize)]
pub(super) struct PluginQuestion<'a> {
    pub(super) key: &'a str,
}

/// The answer to both.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct PluginReply {
    #[serde(default)]
    pub(super) known: Option<bool>,
    #[serde(default)]
    pub(super) stale: bool,
    #[serde(default)]
    pub(super) rows: Vec<PluginRowReply>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct PluginRowReply {
    pub(super) id: String,
    pub(super) status: String,
    #[serde(default)]
    pub(super) code: Option<String>,
    #[serde(default)]
    pub(super) message: Option<String>,
}

/// Reads JSON out of a complete body. Plugins of the shop that print notices in front of it are not forgiven: what cannot be
/// read proves nothing.
pub(super) fn read<T: DeserializeOwned>(body: &[u8]) -> Option<T> {
    serde_json::from_slice(body).ok()
}

pub(super) fn json<T: Serialize + ?Sized>(value: &T) -> Vec<u8> {
    serde_json::to_vec(value).expect("plain structs with text keys always serialise")
}
