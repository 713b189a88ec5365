//! Shopify's webhooks about orders and refunds: the fields that say what left or entered the shelf.
//!
//! <https://shopify.dev/docs/api/admin-rest/latest/resources/order> and `…/refund`; the payload of the topics
//! `orders/create`, `orders/paid`, `orders/updated` and `refunds/create`. Names, addresses and payments are not read.

use serde::Deserialize;

use super::{Amount, Text, Unreadable, said};

/// An order.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Order {
    /// Its number, unique in Shopify.
    pub id: Text,
    /// `pos` for what was sold at a register.
    #[serde(default)]
    pub source_name: Option<String>,
    /// Where it was sold.
    #[serde(default)]
    pub location_id: Option<Text>,
    /// The device that sold it.
    #[serde(default)]
    pub device_id: Option<Text>,
    /// RFC 3339.
    #[serde(default)]
    pub created_at: Option<String>,
    /// RFC 3339; orders the webhooks of one order.
    #[serde(default)]
    pub updated_at: Option<String>,
    /// A test order.
    #[serde(default)]
    pub test: bool,
    /// What was sold, before refunds.
    pub line_items: Vec<Item>,
}

/// A line of an order.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Item {
    /// The article; empty where the product has none.
    #[serde(default)]
    pub sku: Option<String>,
    /// Pieces.
    pub quantity: Amount,
    /// `null` for a custom item, a tip and the like.
    #[serde(default)]
    pub variant_id: Option<Text>,
    /// A gift card.
    #[serde(default)]
    pub gift_card: bool,
}

/// A refund.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Refund {
    /// Its number, unique in Shopify.
    pub id: Text,
    /// RFC 3339.
    #[serde(default)]
    pub created_at: Option<String>,
    /// What came back or was taken off.
    pub refund_line_items: Vec<RefundItem>,
}

/// A line of a refund.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct RefundItem {
    /// Pieces.
    pub quantity: Amount,
    /// `return`, `cancel`, `no_restock` or `legacy_restock`.
    #[serde(default)]
    pub restock_type: Option<String>,
    /// Where it was put back.
    #[serde(default)]
    pub location_id: Option<Text>,
    /// The line of the order.
    pub line_item: Item,
}

/// What a webhook is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Posted {
    /// An order.
    Order(Order),
    /// A refund.
    Refund(Refund),
}

/// Reads a webhook by its shape: the topic stands in a header that is not signed.
///
/// # Errors
/// It is neither an order nor a refund.
pub fn posted(body: &[u8]) -> Result<Posted, Unreadable> {
    #[derive(Deserialize)]
    struct Shape {
        #[serde(default)]
        refund_line_items: Option<serde::de::IgnoredAny>,
        #[serde(default)]
        line_items: Option<serde::de::IgnoredAny>,
    }
    let unreadable = |reason: String| Unreadable { reason, raw: String::from_utf8_lossy(body).into_owned() };
    let shape: Shape = serde_json::from_slice(body).map_err(|error| unreadable(said(&error)))?;
    if shape.refund_line_items.is_some() {
        return serde_json::from_slice(body).map(Posted::Refund).map_err(|error| unreadable(said(&error)));
    }
    if shape.line_items.is_some() {
        return serde_json::from_slice(body).map(Posted::Order).map_err(|error| unreadable(said(&error)));
    }
    Err(unreadable(
        "neither an order nor a refund: subscribe to orders/create, orders/paid and refunds/create only".to_owned(),
    ))
}
