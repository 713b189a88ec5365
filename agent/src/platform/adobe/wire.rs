//! The platform's JSON, as sent and as received. Unknown members are passed over: personal ones (names, addresses) are
//! never read (invariant 12).

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

/// Body of `POST inventory/source-items`.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SourceItemsBody {
    pub(super) source_items: Vec<SourceItemRow>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct SourceItemRow {
    pub(super) sku: String,
    pub(super) source_code: String,
    pub(super) quantity: i64,
    pub(super) status: u8,
}

/// Body of `POST products/base-prices`. The price is a number on the wire, so it is written as its digits.
#[derive(Serialize)]
pub(super) struct PricesBody<'a> {
    pub(super) prices: Vec<PriceRow<'a>>,
}

#[derive(Serialize)]
pub(super) struct PriceRow<'a> {
    pub(super) price: Box<RawValue>,
    pub(super) store_id: u32,
    pub(super) sku: &'a str,
}

/// What is read again from frozen bytes of either: the articles in order.
#[derive(Deserialize)]
pub(super) struct Frozen {
    #[serde(default, rename = "sourceItems", alias = "prices")]
    pub(super) rows: Vec<FrozenRow>,
}

#[derive(Deserialize)]
pub(super) struct FrozenRow {
    pub(super) sku: String,
}

#[derive(Serialize)]
pub(super) struct AdminLogin<'a> {
    pub(super) username: &'a str,
    pub(super) password: &'a str,
}

/// A page of anything.
#[derive(Deserialize)]
pub(super) struct Page<T> {
    /// `null` where nothing was found.
    #[serde(default = "Option::default")]
    pub(super) items: Option<Vec<T>>,
    #[serde(default)]
    pub(super) total_count: usize,
}

#[derive(Debug, Deserialize)]
pub(super) struct SourceItem {
    pub(super) sku: String,
    #[serde(default)]
    pub(super) quantity: Whole,
}

#[derive(Deserialize)]
pub(super) struct Product {
    pub(super) sku: String,
    #[serde(default)]
    pub(super) name: String,
    pub(super) type_id: String,
}

#[derive(Deserialize)]
pub(super) struct Source {
    pub(super) name: String,
    #[serde(default)]
    pub(super) enabled: bool,
}

#[derive(Deserialize)]
pub(super) struct Order {
    pub(super) entity_id: u64,
    #[serde(default)]
    pub(super) increment_id: String,
    #[serde(default)]
    pub(super) state: String,
    #[serde(default)]
    pub(super) created_at: Option<String>,
    pub(super) updated_at: String,
    #[serde(default)]
    pub(super) items: Vec<OrderItem>,
    #[serde(default)]
    pub(super) extension_attributes: OrderExtension,
}

#[derive(Default, Deserialize)]
pub(super) struct OrderExtension {
    #[serde(default)]
    pub(super) pickup_location_code: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct OrderItem {
    pub(super) item_id: u64,
    #[serde(default)]
    pub(super) parent_item_id: Option<u64>,
    #[serde(default)]
    pub(super) product_type: String,
    pub(super) sku: String,
    #[serde(default)]
    pub(super) is_virtual: u8,
    #[serde(default)]
    pub(super) qty_ordered: Whole,
    #[serde(default)]
    pub(super) qty_shipped: Whole,
    #[serde(default)]
    pub(super) qty_canceled: Whole,
    #[serde(default)]
    pub(super) qty_refunded: Whole,
}

#[derive(Deserialize)]
pub(super) struct Shipment {
    pub(super) order_id: u64,
    #[serde(default)]
    pub(super) items: Vec<ShipmentItem>,
    #[serde(default)]
    pub(super) extension_attributes: ShipmentExtension,
}

#[derive(Default, Deserialize)]
pub(super) struct ShipmentExtension {
    #[serde(default)]
    pub(super) source_code: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct ShipmentItem {
    pub(super) order_item_id: u64,
    #[serde(default)]
    pub(super) qty: Whole,
}

/// A refusal.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Refusal {
    #[serde(default)]
    pub(super) message: String,
    #[serde(default)]
    pub(super) errors: Vec<Problem>,
    #[serde(default)]
    pub(super) parameters: Option<serde_json::Value>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Problem {
    #[serde(default)]
    pub(super) message: String,
    #[serde(default)]
    pub(super) parameters: Option<serde_json::Value>,
}

/// One price that was not taken.
#[derive(Debug, Deserialize)]
pub(super) struct PriceRefusal {
    #[serde(default)]
    pub(super) message: String,
    /// A list here, an object there.
    #[serde(default)]
    pub(super) parameters: serde_json::Value,
}

/// Whole units of a number that has up to four places, as `10`, `10.0000` or `"10.0000"`: rounded down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Whole(pub(super) i64);

impl<'de> Deserialize<'de> for Whole {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        let text = raw.get().trim_matches('"');
        if text == "null" {
            return Ok(Self(0));
        }
        whole(text).map(Self).ok_or_else(|| serde::de::Error::custom(format!("`{text}` is no number of units")))
    }
}

fn whole(text: &str) -> Option<i64> {
    let (units, places) = text.split_once('.').unwrap_or((text, ""));
    let below = text.starts_with('-') && places.bytes().any(|digit| digit != b'0');
    let units: i64 = units.parse().ok()?;
    units.checked_sub(i64::from(below))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_rounded_down_however_they_are_written() {
        for (text, expected) in
            [("10", 10), ("10.0000", 10), ("\"3.5000\"", 3), ("-0.5", -1), ("-2.0000", -2), ("null", 0)]
        {
            assert_eq!(serde_json::from_str::<Whole>(text).unwrap(), Whole(expected), "{text}");
        }
        assert!(serde_json::from_str::<Whole>("\"many\"").is_err());
    }
}
