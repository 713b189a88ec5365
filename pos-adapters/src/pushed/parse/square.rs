//! Square's webhooks, as far as they tell of sales.
//!
//! <https://developer.squareup.com/reference/square/webhooks>. `order.created` and `order.updated` name an order and
//! its state and carry **no lines**; where somebody between Square and us puts the whole order into
//! `data.object.order`, its lines are read. Square's lines name the catalogue object of the variation, not its SKU.

use serde::Deserialize;

use super::{Amount, Text, Unreadable, said};

/// An event.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Event {
    /// `order.updated`, `payment.created`, …
    #[serde(rename = "type")]
    pub kind: String,
    /// The same for each delivery of one event.
    pub event_id: Text,
    /// What happened to what.
    #[serde(default)]
    pub data: Data,
}

/// The part that differs between events.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
pub struct Data {
    /// By its kind.
    #[serde(default)]
    pub object: Object,
}

/// What an event is about.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
pub struct Object {
    /// A whole order.
    #[serde(default)]
    pub order: Option<Order>,
    /// A note that an order was made.
    #[serde(default)]
    pub order_created: Option<Note>,
    /// A note that an order has changed.
    #[serde(default)]
    pub order_updated: Option<Note>,
}

/// A note about an order.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Note {
    /// Which.
    pub order_id: Text,
    /// `OPEN`, `COMPLETED`, `CANCELED`, `DRAFT`.
    #[serde(default)]
    pub state: Option<String>,
    /// Where it was sold.
    #[serde(default)]
    pub location_id: Option<Text>,
}

/// A whole order.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Order {
    /// Unique in Square.
    pub id: Text,
    /// Where it was sold.
    #[serde(default)]
    pub location_id: Option<Text>,
    /// See [`Note::state`].
    #[serde(default)]
    pub state: Option<String>,
    /// Grows with each change.
    #[serde(default)]
    pub version: Option<i64>,
    /// RFC 3339.
    #[serde(default)]
    pub closed_at: Option<String>,
    /// RFC 3339.
    #[serde(default)]
    pub created_at: Option<String>,
    /// What was sold.
    #[serde(default)]
    pub line_items: Option<Vec<Item>>,
    /// What came back with it.
    #[serde(default)]
    pub returns: Vec<Returned>,
}

/// Goods that came back.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Returned {
    /// The lines.
    #[serde(default)]
    pub return_line_items: Vec<Item>,
}

/// A line.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Item {
    /// As text.
    pub quantity: Amount,
    /// The variation in the catalogue.
    #[serde(default)]
    pub catalog_object_id: Option<Text>,
    /// `ITEM`, `CUSTOM_AMOUNT`, `GIFT_CARD`.
    #[serde(default)]
    pub item_type: Option<String>,
}

/// Reads an event.
///
/// # Errors
/// It is none.
pub fn posted(body: &[u8]) -> Result<Event, Unreadable> {
    serde_json::from_slice(body)
        .map_err(|error| Unreadable { reason: said(&error), raw: String::from_utf8_lossy(body).into_owned() })
}
