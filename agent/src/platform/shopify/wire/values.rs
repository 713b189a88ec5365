//! Shopify's JSON of values: prices and goods on order.

use serde::{Deserialize, Serialize};

use super::Level;

pub(in super::super) const PRICE: &str = include_str!("../price.graphql");
pub(in super::super) const READ_INCOMING: &str = include_str!("../read_incoming.graphql");

#[derive(Serialize)]
pub(in super::super) struct ProductVariables<'a> {
    pub(in super::super) product: &'a str,
    pub(in super::super) variants: Vec<VariantInput<'a>>,
}

/// `ProductVariantsBulkInput`, as far as we write it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(in super::super) struct VariantInput<'a> {
    pub(in super::super) id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in super::super) price: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in super::super) inventory_policy: Option<&'static str>,
}

/// The frozen bytes of goods on order. Shopify takes only differences of that number, so the request itself is made of what
/// is read when it is sent.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in super::super) struct IncomingBody {
    pub(in super::super) incoming: Vec<IncomingRow>,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in super::super) struct IncomingRow {
    /// The place as in the target.
    pub(in super::super) place: String,
    pub(in super::super) units: i64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in super::super) struct IncomingNode {
    #[serde(default)]
    pub(in super::super) inventory_level: Option<Level>,
}
