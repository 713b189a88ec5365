//! Our words to WooCommerce's and back: items, frozen rows, numbers, prices, orders.
//!
//! An item is written `12` (a product that keeps its own number, or a parent that keeps it for its variations) or `12/34`
//! (variation 34 of product 12), since a variation can only be written below its parent.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sync_core::model::{Quantity, Sku, Timestamp};

use super::MatchBy;
use super::values::Kind;
use super::wire::{ManageStock, Order, Product, json};
use crate::platform::{Absolute, Change, OnlineOrder, OrderLine};

/// Longest part of a store's id in a marker's name; the whole name must fit the database's 255 characters.
const MARKER_STORE_MAX: usize = 40;
/// Digits after the point of a price in millionths.
const PRICE_DIGITS: usize = 6;
/// Digits that a price has at least.
const PRICE_DIGITS_MIN: usize = 2;

/// One product or variation to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Item {
    /// For a variation its product, else 0.
    pub(super) parent: u64,
    /// The product or variation itself.
    pub(super) id: u64,
}

impl Item {
    pub(super) fn parse(text: &str) -> Option<Self> {
        match text.split_once('/') {
            Some((parent, id)) => Some(Self { parent: parent.parse().ok()?, id: id.parse().ok()? }),
            None => Some(Self { parent: 0, id: text.parse().ok()? }),
        }
    }

    pub(super) fn text(self) -> String {
        if self.parent == 0 { self.id.to_string() } else { format!("{}/{}", self.parent, self.id) }
    }
}

/// Name of the meta data in which a product remembers the last write of this store.
pub(super) fn marker(store: &str) -> String {
    let store: String = store
        .chars()
        .map(|c| c.to_ascii_lowercase())
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .take(MARKER_STORE_MAX)
        .collect();
    format!("_tillsync_op_{store}")
}

/// Frozen bytes.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Frozen {
    pub(super) rows: Vec<FrozenRow>,
}

/// One product of a request, each once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct FrozenRow {
    pub(super) item: String,
    #[serde(flatten)]
    pub(super) write: Write,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum Write {
    Delta { delta: i64 },
    Set { set: i64, expect: i64 },
    Price { price: String },
    Backorders { backorders: String },
}

/// The changes of a batch: each item once, in the order of their ids, without those that add up to nothing.
pub(super) fn delta_body(changes: &[Change]) -> Vec<u8> {
    let mut sums: BTreeMap<&str, i64> = BTreeMap::new();
    for change in changes {
        for part in change.target.iter().flat_map(|target| &target.parts) {
            let sum = sums.entry(&part.item).or_default();
            *sum = sum.saturating_add(change.units.saturating_mul(part.per));
        }
    }
    let rows = sums
        .into_iter()
        .filter(|(_, delta)| *delta != 0)
        .map(|(item, delta)| FrozenRow { item: item.to_owned(), write: Write::Delta { delta } })
        .collect();
    json(&Frozen { rows })
}

/// Numbers to be written.
pub(super) fn set_body(rows: &[Absolute]) -> Vec<u8> {
    let rows = rows
        .iter()
        .map(|row| FrozenRow {
            item: row.part.item.clone(),
            write: Write::Set { set: row.on_hand, expect: row.expected },
        })
        .collect();
    json(&Frozen { rows })
}

/// Values to be written; of two for one item the later counts.
pub(super) fn value_body(kind: Kind, changes: &[Change]) -> Vec<u8> {
    let mut values: BTreeMap<&str, Write> = BTreeMap::new();
    for change in changes {
        let write = match kind {
            Kind::Price => Write::Price { price: price_text(change.delta) },
            Kind::Backorders if change.delta > Quantity::ZERO => Write::Backorders { backorders: "notify".to_owned() },
            Kind::Backorders => Write::Backorders { backorders: "no".to_owned() },
        };
        for part in change.target.iter().flat_map(|target| &target.parts) {
            values.insert(&part.item, write.clone());
        }
    }
    let rows = values.into_iter().map(|(item, write)| FrozenRow { item: item.to_owned(), write }).collect();
    json(&Frozen { rows })
}

/// A price in millionths as WooCommerce takes it: with a point, since a comma is dropped there and `7,5` becomes `75`.
pub(super) fn price_text(price: Quantity) -> String {
    let micros = price.micros();
    let sign = if micros < 0 { "-" } else { "" };
    let digits = format!("{:0>7}", micros.unsigned_abs());
    let (whole, fraction) = digits.split_at_checked(digits.len().saturating_sub(PRICE_DIGITS)).unwrap_or(("0", "0"));
    let shown = fraction.trim_end_matches('0').len().max(PRICE_DIGITS_MIN);
    let fraction: String = fraction.chars().take(shown).collect();
    format!("{sign}{whole}.{fraction}")
}

/// Whether two prices as texts are the same amount.
pub(super) fn same_price(one: &str, other: &str) -> bool {
    let plain = |text: &str| {
        let text = text.trim();
        match text.split_once('.') {
            Some((whole, fraction)) => format!("{whole}.{}", fraction.trim_end_matches('0')),
            None => format!("{text}."),
        }
    };
    plain(one) == plain(other)
}

/// The number of a product, rounded down: plugins of the shop may allow fractions. `None` if it keeps none.
pub(super) fn number(product: &Product) -> Option<i64> {
    if product.manage_stock == ManageStock::No {
        return None;
    }
    match &product.stock_quantity {
        // Management was just turned on and nobody has counted yet.
        Value::Null => Some(0),
        Value::Number(number) => number.as_i64().or_else(|| floor(&number.to_string())),
        Value::String(text) => floor(text),
        Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

fn floor(text: &str) -> Option<i64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let units: i64 = whole.parse().ok()?;
    let less = text.starts_with('-') && fraction.bytes().any(|byte| byte != b'0');
    Some(units.saturating_sub(i64::from(less)))
}

/// The article number that a product has now, as the connection matches it.
pub(super) fn sku_of(product: &Product, match_by: MatchBy) -> Option<Sku> {
    let text = |value: &Option<String>| value.as_deref().filter(|text| !text.is_empty()).map(Sku::from);
    match match_by {
        MatchBy::Sku => text(&product.sku),
        MatchBy::Barcode => text(&product.global_unique_id),
        MatchBy::SkuThenBarcode => text(&product.sku).or_else(|| text(&product.global_unique_id)),
    }
}

/// Whether a product's stock can be written, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    Item { item: Item, number: i64 },
    Unusable(String),
}

/// Where the stock of a product is kept.
pub(super) fn place(product: &Product) -> Place {
    let (id, parent, name) = (product.id, product.parent_id, &product.name);
    let number = number(product);
    match (product.kind.as_str(), product.manage_stock, number) {
        ("grouped" | "external", _, _) => Place::Unusable(format!(
            "`{name}` is a {} product, which holds no stock; give the number to the product that is sold",
            product.kind
        )),
        (_, ManageStock::Own, Some(number)) => Place::Item { item: Item { parent, id }, number },
        // The parent keeps one number for all its variations.
        (_, ManageStock::Parent, Some(number)) => Place::Item { item: Item { parent: 0, id: parent }, number },
        ("variable", _, _) => Place::Unusable(format!(
            "`{name}` has variations, each with a number of its own; give the article number to the variation that is sold"
        )),
        (_, _, _) => Place::Unusable(format!(
            "`{name}` (product {id}) keeps no stock number: turn on \"Track stock quantity for this product\" on its Inventory tab"
        )),
    }
}

/// `2026-11-25T01:16:27`, which is UTC in fields that end in `_gmt`.
pub(super) fn time(text: &str) -> Option<Timestamp> {
    let text = text.trim_end_matches('Z');
    format!("{text}Z").parse::<jiff::Timestamp>().ok().map(|time| Timestamp(time.as_microsecond()))
}

/// A time for `modified_after`, one second earlier: the platform compares whole seconds and leaves the named one out.
pub(super) fn time_text(at: Timestamp) -> String {
    let seconds = at.0.div_euclid(1_000_000).saturating_sub(1);
    jiff::Timestamp::from_second(seconds)
        .map_or_else(|_| "1970-01-01T00:00:00".to_owned(), |time| time.strftime("%Y-%m-%dT%H:%M:%S").to_string())
}

/// An order in our words. `keeper` tells where the stock of a variation is kept; lines without one are left out.
pub(super) fn order(
    order: &Order,
    open_statuses: &[String],
    keeper: impl Fn(u64, u64) -> Option<Item>,
) -> Option<OnlineOrder> {
    let is_open = open_statuses.contains(&order.status);
    let is_done = order.status == "completed" || (!is_open && order.date_completed_gmt.is_some());
    let lines = order
        .line_items
        .iter()
        .filter_map(|line| {
            let item = if line.variation_id == 0 {
                Item { parent: 0, id: line.product_id }
            } else {
                keeper(line.product_id, line.variation_id)?
            };
            // What the line has taken from the number and not given back (refunds with restock lower it).
            let taken =
                line.meta_data.iter().find(|meta| meta.key == "_reduced_stock").and_then(|meta| units(&meta.value));
            let taken = taken.unwrap_or(0).max(0);
            Some(OrderLine {
                id: line.id.to_string(),
                item: item.text(),
                sku: line.sku.as_deref().filter(|sku| !sku.is_empty()).map(Sku::from),
                open: if is_open { taken } else { 0 },
                handed_over: if is_done { taken } else { 0 },
            })
        })
        .collect();
    Some(OnlineOrder {
        id: order.id.to_string(),
        name: order.number.clone(),
        placed_at: order.date_created_gmt.as_deref().and_then(time),
        changed_at: time(order.date_modified_gmt.as_deref()?)?,
        lines,
    })
}

fn units(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64().or_else(|| floor(&number.to_string())),
        Value::String(text) => floor(text),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json as value;
    use sync_core::model::EntryId;

    use super::*;
    use crate::platform::{Target, TargetPart};

    fn change(items: &[(&str, i64)], units: i64) -> Change {
        let parts = items.iter().map(|(item, per)| TargetPart { item: (*item).to_owned(), per: *per }).collect();
        Change {
            entry: EntryId(1),
            sku: Sku::from("A"),
            target: Some(Arc::new(Target { parts })),
            delta: Quantity::from_micros(units * 1_000_000),
            units,
            on_hand: None,
            transaction: None,
            sold_at: None,
            kind: "sale",
        }
    }

    fn product(text: Value) -> Product {
        serde_json::from_value(text).unwrap()
    }

    #[test]
    fn each_item_is_written_once_and_nothing_not_at_all() {
        let bytes =
            delta_body(&[change(&[("12/34", 1)], -2), change(&[("12/34", 1), ("7", 3)], -1), change(&[("9", 1)], 0)]);
        assert_eq!(
            String::from_utf8(bytes).unwrap(),
            r#"{"rows":[{"item":"12/34","delta":-3},{"item":"7","delta":-3}]}"#
        );
    }

    #[test]
    fn items_are_read_as_they_are_written() {
        for text in ["7", "12/34"] {
            assert_eq!(Item::parse(text).map(Item::text).as_deref(), Some(text));
        }
        assert_eq!(Item::parse("12/x"), None);
    }

    #[test]
    fn prices_have_a_point_and_at_least_two_digits() {
        for (micros, text) in
            [(12_900_000, "12.90"), (1_000_000, "1.00"), (1_234_560, "1.23456"), (5_000, "0.005"), (0, "0.00")]
        {
            assert_eq!(price_text(Quantity::from_micros(micros)), text);
        }
        assert!(same_price("12.9", "12.90") && same_price("12", "12.00") && !same_price("12.9", "12.09"));
    }

    #[test]
    fn articles_on_order_may_be_sold_below_zero() {
        let body = |units| String::from_utf8(value_body(Kind::Backorders, &[change(&[("7", 1)], units)])).unwrap();
        assert_eq!(body(3), r#"{"rows":[{"item":"7","backorders":"notify"}]}"#);
        assert_eq!(body(0), r#"{"rows":[{"item":"7","backorders":"no"}]}"#);
    }

    #[test]
    fn numbers_are_rounded_down_and_kept_by_somebody() {
        let stock = |quantity: Value| number(&product(value!({"manage_stock": true, "stock_quantity": quantity})));
        assert_eq!(
            [stock(value!(7)), stock(value!(2.5)), stock(value!(-2.5)), stock(value!("4")), stock(Value::Null)],
            [Some(7), Some(2), Some(-3), Some(4), Some(0)]
        );
        assert_eq!(number(&product(value!({"manage_stock": false, "stock_quantity": null}))), None);
    }

    #[test]
    fn stock_is_written_where_it_is_kept() {
        let at = |manage: Value, kind: &str| {
            place(&product(
                value!({"id": 34, "parent_id": 12, "type": kind, "name": "N", "manage_stock": manage, "stock_quantity": 4}),
            ))
        };
        assert_eq!(at(value!(true), "variation"), Place::Item { item: Item { parent: 12, id: 34 }, number: 4 });
        assert_eq!(at(value!("parent"), "variation"), Place::Item { item: Item { parent: 0, id: 12 }, number: 4 });
        assert!(matches!(at(value!(false), "variation"), Place::Unusable(reason) if reason.contains("Track stock")));
        assert!(matches!(at(value!(false), "variable"), Place::Unusable(reason) if reason.contains("variation")));
    }

    #[test]
    fn an_order_is_open_until_it_is_completed() {
        let shown = |status: &str| {
            let text = value!({
                "id": 5, "number": "1005", "status": status, "date_modified_gmt": "2026-11-25T01:16:27", "date_created_gmt": "2026-11-24T01:16:27",
                "date_completed_gmt": if status == "refunded" { value!("2026-11-24T01:00:00") } else { Value::Null },
                "line_items": [
                    {"id": 1, "product_id": 7, "variation_id": 0, "meta_data": [{"key": "_reduced_stock", "value": "3"}]},
                    {"id": 2, "product_id": 12, "variation_id": 34, "meta_data": []},
                    {"id": 3, "product_id": 12, "variation_id": 35, "meta_data": []},
                ],
            });
            let known: Order = serde_json::from_value(text).unwrap();
            let keeper = |parent, id| (id == 34).then_some(Item { parent, id });
            let order = order(&known, &["processing".to_owned()], keeper).unwrap();
            assert_eq!(order.lines.len(), 2);
            (order.lines[0].open, order.lines[0].handed_over, order.lines[1].item.clone())
        };
        assert_eq!(shown("processing"), (3, 0, "12/34".to_owned()));
        assert_eq!((shown("completed").0, shown("completed").1), (0, 3));
        assert_eq!((shown("refunded").0, shown("refunded").1), (0, 3));
        assert_eq!((shown("failed").0, shown("failed").1), (0, 0));
    }

    #[test]
    fn times_are_utc_and_asked_for_a_second_early() {
        let at = time("2026-11-25T01:16:27").unwrap();
        assert_eq!(time_text(at), "2026-11-25T01:16:26");
    }

    #[test]
    fn a_marker_is_a_plain_name() {
        assert_eq!(marker("Köln 01"), "_tillsync_op_k-ln-01");
    }
}
