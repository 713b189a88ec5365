//! Our words to BigCommerce's and back: what holds the stock, the bytes of a batch, prices.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use sync_core::model::IdempotencyKey;

use super::wire::{Adjustment, AdjustmentRow, Frozen, Identity, PriceRow, Write};
use crate::platform::{Absolute, Change};

/// Millionths of a unit of the currency.
const MICROS: u64 = 1_000_000;

/// What holds the stock: a variant, or a product whose variants share one number (`inventory_tracking: product`).
/// Written as `v74` and `p111`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum ItemId {
    Variant(i64),
    Product(i64),
}

impl ItemId {
    pub(super) fn parse(text: &str) -> Option<Self> {
        if let Some(id) = text.strip_prefix('v') {
            return id.parse().ok().map(Self::Variant);
        }
        text.strip_prefix('p')?.parse().ok().map(Self::Product)
    }

    /// From what the inventory calls it; `shared` are products known to be tracked as one.
    pub(super) fn of(identity: &Identity, shared: impl Fn(i64) -> bool) -> Option<Self> {
        match (identity.variant_id.filter(|id| *id > 0), identity.product_id.filter(|id| *id > 0)) {
            (_, Some(product)) if shared(product) => Some(Self::Product(product)),
            (Some(variant), _) => Some(Self::Variant(variant)),
            (None, Some(product)) => Some(Self::Product(product)),
            (None, None) => None,
        }
    }

    fn row(self, location_id: i64, quantity: i64) -> AdjustmentRow {
        let (variant_id, product_id) = match self {
            Self::Variant(id) => (Some(id), None),
            Self::Product(id) => (None, Some(id)),
        };
        AdjustmentRow { location_id, variant_id, product_id, quantity }
    }
}

impl fmt::Display for ItemId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Variant(id) => write!(f, "v{id}"),
            Self::Product(id) => write!(f, "p{id}"),
        }
    }
}

impl AdjustmentRow {
    /// What the row is about.
    pub(super) fn item(&self) -> Option<ItemId> {
        self.variant_id.map(ItemId::Variant).or(self.product_id.map(ItemId::Product))
    }
}

pub(super) fn json<T: Serialize + ?Sized>(value: &T) -> Vec<u8> {
    serde_json::to_vec(value).expect("plain structs with text keys always serialise")
}

fn frozen(write: Write, key: &IdempotencyKey, items: Vec<AdjustmentRow>) -> Vec<u8> {
    let body = to_raw_value(&Adjustment { reason: format!("tillsync:{key}"), items })
        .expect("plain structs with text keys always serialise");
    json(&Frozen { write, body: &body })
}

/// The changes of a batch: each item once, in the order of their ids, without those that add up to nothing.
pub(super) fn relative(location: i64, key: &IdempotencyKey, changes: &[Change]) -> Vec<u8> {
    let mut sums: BTreeMap<ItemId, i64> = BTreeMap::new();
    for change in changes {
        for part in change.target.iter().flat_map(|target| &target.parts) {
            if let Some(item) = ItemId::parse(&part.item) {
                let sum = sums.entry(item).or_default();
                *sum = sum.saturating_add(change.units.saturating_mul(part.per));
            }
        }
    }
    let rows = sums.into_iter().filter(|(_, units)| *units != 0).map(|(item, units)| item.row(location, units));
    frozen(Write::Relative, key, rows.collect())
}

/// Numbers to be set. BigCommerce knows none below zero.
pub(super) fn absolute(location: i64, key: &IdempotencyKey, rows: &[Absolute]) -> Vec<u8> {
    let rows =
        rows.iter().filter_map(|row| Some(ItemId::parse(&row.part.item)?.row(location, row.on_hand.max(0)))).collect();
    frozen(Write::Absolute, key, rows)
}

/// The prices of a batch; the last one of an item counts. Negative prices are no prices.
pub(super) fn prices(changes: &[Change]) -> Vec<u8> {
    let mut latest: BTreeMap<i64, i64> = BTreeMap::new();
    for change in changes {
        for part in change.target.iter().flat_map(|target| &target.parts) {
            if let Some(ItemId::Variant(id)) = ItemId::parse(&part.item) {
                latest.insert(id, change.delta.micros());
            }
        }
    }
    let rows: Vec<PriceRow> = latest
        .into_iter()
        .map(|(id, micros)| PriceRow {
            id,
            price: RawValue::from_string(decimal(micros.max(0))).expect("a decimal is a JSON number"),
        })
        .collect();
    json(&rows)
}

/// Millionths as the shortest decimal.
pub(super) fn decimal(micros: i64) -> String {
    let sign = if micros < 0 { "-" } else { "" };
    let magnitude = micros.unsigned_abs();
    let text = format!("{sign}{}.{:06}", magnitude / MICROS, magnitude % MICROS);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use sync_core::model::{EntryId, Quantity, Sku};

    use super::*;
    use crate::platform::{Target, TargetPart};

    fn change(item: &str, units: i64) -> Change {
        Change {
            entry: EntryId(1),
            sku: Sku::from("A"),
            target: Some(Arc::new(Target { parts: vec![TargetPart { item: item.to_owned(), per: 1 }] })),
            delta: Quantity::from_units(units).unwrap(),
            units,
            on_hand: None,
            transaction: None,
            sold_at: None,
            kind: "sale",
        }
    }

    #[test]
    fn changes_of_one_item_are_added_up_and_nothing_is_left_out() {
        let key = IdempotencyKey::from("k");
        let bytes = relative(
            7,
            &key,
            &[change("v74", -2), change("p9", -1), change("v74", -1), change("v5", 1), change("v5", -1)],
        );
        assert_eq!(
            String::from_utf8(bytes).unwrap(),
            r#"{"write":"relative","body":{"reason":"tillsync:k","items":[{"location_id":7,"variant_id":74,"quantity":-3},{"location_id":7,"product_id":9,"quantity":-1}]}}"#
        );
    }

    #[test]
    fn a_number_below_zero_is_set_to_nothing() {
        let part = TargetPart { item: "v1".to_owned(), per: 1 };
        let bytes = absolute(1, &IdempotencyKey::from("k"), &[Absolute { part, on_hand: -2, expected: 1 }]);
        assert!(String::from_utf8(bytes).unwrap().contains(r#""variant_id":1,"quantity":0"#));
    }

    #[test]
    fn prices_are_written_exactly() {
        for (micros, expected) in
            [(19_990_000, "19.99"), (0, "0"), (5_000_000, "5"), (1, "0.000001"), (-500_000, "-0.5")]
        {
            assert_eq!(decimal(micros), expected);
        }
        let mut price = change("v74", 0);
        price.delta = Quantity::from_micros(12_500_000);
        assert_eq!(String::from_utf8(prices(&[price])).unwrap(), r#"[{"id":74,"price":12.5}]"#);
    }

    #[test]
    fn ids_are_read_back() {
        for item in [ItemId::Variant(74), ItemId::Product(111)] {
            assert_eq!(ItemId::parse(&item.to_string()), Some(item));
        }
        assert_eq!(ItemId::parse("74"), None);
    }
}
