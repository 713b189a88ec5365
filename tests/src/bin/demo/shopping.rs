//! Customers of the web shop: they order, and some orders are handed over.

use std::collections::BTreeMap;

use system_tests::decimal::Decimal;
use system_tests::dice::Dice;
use system_tests::shop::StandInShop;
use system_tests::till::Printed;

use crate::registers::{START_STOCK, all_skus};

/// Orders placed so far.
#[derive(Debug)]
pub(crate) struct Orders {
    dice: Dice,
    by_sku: BTreeMap<String, i64>,
    open: Vec<u64>,
    placed: u64,
}

impl Default for Orders {
    fn default() -> Self {
        Self { dice: Dice::new(7), by_sku: BTreeMap::new(), open: Vec::new(), placed: 0 }
    }
}

impl Orders {
    /// Somebody orders one or two pieces; every third order is followed by one handed over.
    pub(crate) fn another(&mut self, shop: &StandInShop) {
        let skus = all_skus();
        let (Some(sku), quantity) = (self.dice.pick(&skus).cloned(), if self.dice.happens(300) { 2 } else { 1 }) else {
            return;
        };
        if let Some(id) = shop.place_order(&sku, quantity) {
            *self.by_sku.entry(sku).or_default() += quantity;
            self.open.push(id);
            self.placed += 1;
        }
        if self.placed.is_multiple_of(3) && !self.open.is_empty() {
            shop.fulfil_order(self.open.remove(0));
        }
    }

    /// How many.
    pub(crate) const fn placed(&self) -> u64 {
        self.placed
    }

    /// Articles whose number at the shop is what it should be, and articles in all: the morning's stock, less what
    /// the registers sold, less what was ordered online.
    pub(crate) fn right_numbers(&self, shop: &StandInShop, printed: &[Printed]) -> (usize, usize) {
        let mut sold: BTreeMap<&str, Decimal> = BTreeMap::new();
        for line in printed {
            *sold.entry(&line.sku).or_default() += line.delta;
        }
        let right = |sku: &&String| {
            let ordered = self.by_sku.get(*sku).copied().unwrap_or(0);
            let moved = sold.get(sku.as_str()).map_or(0, |sum| sum.floor_units());
            shop.level(sku).is_some_and(|level| level.available == START_STOCK + moved - ordered)
        };
        let skus = all_skus();
        (skus.iter().filter(right).count(), skus.len())
    }
}
