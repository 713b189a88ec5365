//! Medusa's JSON, as far as we read and write it (admin API of 2.21.2).

use serde::{Deserialize, Deserializer, Serialize};

/// Fields of a variant that look-ups and the reading of all numbers need.
pub(super) const VARIANT_FIELDS: &str = "id,sku,ean,upc,barcode,title,product_id,manage_inventory,product.title,\
     inventory_items.inventory_item_id,inventory_items.required_quantity,*inventory_items.inventory.location_levels";
/// Fields of a variant for prices.
pub(super) const PRICE_FIELDS: &str = "id,sku,ean,upc,barcode,title,product_id,manage_inventory,product.title,\
     prices.id,prices.amount,prices.currency_code,prices.min_quantity,prices.max_quantity,prices.price_list_id,\
     prices.price_rules.attribute,prices.price_rules.value";
/// Fields of an inventory item.
pub(super) const ITEM_FIELDS: &str = "id,*location_levels";
/// Fields of an order. No customer, address or mail is asked for.
pub(super) const ORDER_FIELDS: &str = "id,display_id,status,created_at,updated_at,items.id,items.variant_sku,items.quantity,\
     items.variant.inventory_items.inventory_item_id,fulfillments.id,fulfillments.location_id,fulfillments.canceled_at,\
     fulfillments.items.line_item_id,fulfillments.items.inventory_item_id,fulfillments.items.quantity";
/// Fields of a reservation.
pub(super) const RESERVATION_FIELDS: &str = "id,line_item_id,inventory_item_id,quantity,location_id";
/// Fields of a stock location.
pub(super) const LOCATION_FIELDS: &str = "id,name";
/// Fields of a store.
pub(super) const STORE_FIELDS: &str = "id,name,supported_currencies.currency_code,supported_currencies.is_default";

/// A quantity in whole units, rounded down: Medusa also keeps fractions, which no counted stock has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Whole(pub(super) i64);

impl<'de> Deserialize<'de> for Whole {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = serde_json::Number::deserialize(deserializer)?.to_string();
        floor(&number).map(Self).ok_or_else(|| serde::de::Error::custom(format!("`{number}` is no quantity")))
    }
}

fn floor(text: &str) -> Option<i64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let down = whole.starts_with('-') && fraction.bytes().any(|b| b != b'0');
    whole.parse::<i64>().ok()?.checked_sub(i64::from(down))
}

#[derive(Debug, Deserialize)]
pub(super) struct Variants {
    pub(super) variants: Vec<Variant>,
    pub(super) count: usize,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Variant {
    pub(super) id: String,
    pub(super) sku: Option<String>,
    pub(super) ean: Option<String>,
    pub(super) upc: Option<String>,
    pub(super) barcode: Option<String>,
    pub(super) title: Option<String>,
    pub(super) product_id: Option<String>,
    #[serde(default)]
    pub(super) manage_inventory: bool,
    pub(super) product: Option<Product>,
    #[serde(default)]
    pub(super) inventory_items: Vec<VariantItem>,
    #[serde(default)]
    pub(super) prices: Vec<Price>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Product {
    pub(super) title: Option<String>,
}

/// An inventory item of a variant: several make a kit.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct VariantItem {
    pub(super) inventory_item_id: String,
    pub(super) required_quantity: Option<Whole>,
    pub(super) inventory: Option<Inventory>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Inventory {
    #[serde(default)]
    pub(super) location_levels: Vec<ItemLevel>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Items {
    pub(super) inventory_items: Vec<Item>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Item {
    pub(super) id: String,
    #[serde(default)]
    pub(super) location_levels: Vec<ItemLevel>,
}

/// An item's numbers at one location.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct ItemLevel {
    pub(super) location_id: String,
    pub(super) stocked_quantity: Whole,
}

/// `POST /admin/inventory-items/location-levels/batch`.
#[derive(Debug, Serialize)]
pub(super) struct LevelBatch<'a> {
    pub(super) update: Vec<LevelUpdate<'a>>,
}

#[derive(Debug, Serialize)]
pub(super) struct LevelUpdate<'a> {
    pub(super) inventory_item_id: &'a str,
    pub(super) location_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) stocked_quantity: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) incoming_quantity: Option<i64>,
}

/// `POST /admin/inventory-items/{id}/location-levels`.
#[derive(Debug, Serialize)]
pub(super) struct NewLevel<'a> {
    pub(super) location_id: &'a str,
    pub(super) stocked_quantity: i64,
}

/// A price of a variant. Those with a price list belong to that list.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Price {
    pub(super) id: String,
    pub(super) amount: serde_json::Number,
    pub(super) currency_code: String,
    pub(super) min_quantity: Option<serde_json::Number>,
    pub(super) max_quantity: Option<serde_json::Number>,
    pub(super) price_list_id: Option<String>,
    #[serde(default)]
    pub(super) price_rules: Vec<PriceRule>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct PriceRule {
    pub(super) attribute: String,
    pub(super) value: String,
}

/// `POST /admin/products/{id}/variants/batch`.
#[derive(Debug, Serialize)]
pub(super) struct VariantBatch {
    pub(super) update: Vec<VariantUpdate>,
}

#[derive(Debug, Serialize)]
pub(super) struct VariantUpdate {
    pub(super) id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) prices: Option<Vec<PriceUpdate>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) allow_backorder: Option<bool>,
}

#[derive(Debug, Serialize)]
pub(super) struct PriceUpdate {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) id: Option<String>,
    pub(super) currency_code: String,
    pub(super) amount: serde_json::Number,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) min_quantity: Option<serde_json::Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) max_quantity: Option<serde_json::Number>,
    #[serde(skip_serializing_if = "std::collections::BTreeMap::is_empty")]
    pub(super) rules: std::collections::BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Orders {
    pub(super) orders: Vec<Order>,
    pub(super) count: usize,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Order {
    pub(super) id: String,
    pub(super) display_id: Option<serde_json::Number>,
    pub(super) created_at: String,
    pub(super) updated_at: String,
    #[serde(default)]
    pub(super) items: Vec<LineItem>,
    #[serde(default)]
    pub(super) fulfillments: Vec<Fulfillment>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct LineItem {
    pub(super) id: String,
    pub(super) variant_sku: Option<String>,
    pub(super) variant: Option<LineVariant>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct LineVariant {
    #[serde(default)]
    pub(super) inventory_items: Vec<LineInventory>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct LineInventory {
    pub(super) inventory_item_id: String,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Fulfillment {
    pub(super) location_id: Option<String>,
    pub(super) canceled_at: Option<String>,
    #[serde(default)]
    pub(super) items: Vec<FulfillmentItem>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct FulfillmentItem {
    pub(super) line_item_id: Option<String>,
    pub(super) inventory_item_id: Option<String>,
    pub(super) quantity: Whole,
}

#[derive(Debug, Deserialize)]
pub(super) struct Reservations {
    pub(super) reservations: Vec<Reservation>,
    pub(super) count: usize,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Reservation {
    pub(super) line_item_id: Option<String>,
    pub(super) inventory_item_id: String,
    pub(super) quantity: Whole,
}

#[derive(Debug, Deserialize)]
pub(super) struct Locations {
    pub(super) stock_locations: Vec<StockLocation>,
    pub(super) count: usize,
}

#[derive(Debug, Deserialize)]
pub(super) struct StockLocation {
    pub(super) id: String,
    pub(super) name: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct Stores {
    pub(super) stores: Vec<Store>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Store {
    pub(super) name: String,
    #[serde(default)]
    pub(super) supported_currencies: Vec<Currency>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Currency {
    pub(super) currency_code: String,
    #[serde(default)]
    pub(super) is_default: bool,
}

/// What Medusa says when it refuses.
#[derive(Debug, Deserialize)]
pub(super) struct Refusal {
    #[serde(rename = "type")]
    pub(super) kind: Option<String>,
    #[serde(default)]
    pub(super) message: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_whole_units_rounded_down() {
        for (text, units) in [("7", 7), ("-3", -3), ("2.5", 2), ("-2.5", -3), ("-0.5", -1), ("2.0", 2)] {
            assert_eq!(serde_json::from_str::<Whole>(text).unwrap(), Whole(units), "{text}");
        }
        for text in ["1e30", "\"4\"", "null"] {
            assert!(serde_json::from_str::<Whole>(text).is_err(), "{text}");
        }
    }
}
