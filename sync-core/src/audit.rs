//! The conservation count (invariant 7): what was recorded equals what is delivered, in flight, waiting, dead or
//! discarded, per SKU, in lines and in quantity.

use std::collections::BTreeMap;

use crate::model::{Quantity, SkuId};

/// Lines and their sum, per SKU.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Account {
    by_sku: BTreeMap<SkuId, (i64, Quantity)>,
}

impl Account {
    /// Adds lines of one SKU.
    pub fn add(&mut self, sku: SkuId, lines: i64, delta: Quantity) {
        let entry = self.by_sku.entry(sku).or_default();
        entry.0 = entry.0.saturating_add(lines);
        entry.1 = entry.1.saturating_add(delta);
    }

    /// Adds all of another account.
    pub fn add_all(&mut self, other: &Self) {
        for (sku, (lines, delta)) in &other.by_sku {
            self.add(*sku, *lines, *delta);
        }
    }

    /// The lines alone, where quantities are not added up.
    #[must_use]
    pub fn without_quantities(mut self) -> Self {
        for (_, delta) in self.by_sku.values_mut() {
            *delta = Quantity::ZERO;
        }
        self
    }

    /// All lines.
    #[must_use]
    pub fn lines(&self) -> i64 {
        self.by_sku.values().fold(0, |sum, (lines, _)| sum.saturating_add(*lines))
    }

    /// All quantity.
    #[must_use]
    pub fn delta(&self) -> Quantity {
        self.by_sku.values().fold(Quantity::ZERO, |sum, (_, delta)| sum.saturating_add(*delta))
    }
}

/// A SKU whose two sides differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imbalance {
    /// Which.
    pub sku: SkuId,
    /// Lines on the left side less those on the right.
    pub lines: i64,
    /// Quantity on the left side less that on the right.
    pub delta: Quantity,
}

/// Compares what was recorded with the sum of the places where it can be. Empty means conserved.
#[must_use]
pub fn balance<'a>(recorded: &Account, places: impl IntoIterator<Item = &'a Account>) -> Vec<Imbalance> {
    let mut rest = recorded.clone();
    for (sku, (lines, delta)) in places.into_iter().flat_map(|place| &place.by_sku) {
        rest.add(*sku, lines.saturating_neg(), delta.negated());
    }
    rest.by_sku
        .into_iter()
        .filter(|(_, (lines, delta))| *lines != 0 || !delta.is_zero())
        .map(|(sku, (lines, delta))| Imbalance { sku, lines, delta })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_is_nowhere_is_found() {
        let one = Quantity::from_micros(-1_000_000);
        let (mut recorded, mut delivered) = (Account::default(), Account::default());
        recorded.add(SkuId(1), 2, one.saturating_add(one));
        delivered.add(SkuId(1), 1, one);
        assert_eq!(balance(&recorded, [&delivered]), vec![Imbalance { sku: SkuId(1), lines: 1, delta: one }]);
        assert_eq!(balance(&recorded, [&delivered, &delivered]), Vec::new());
    }
}
