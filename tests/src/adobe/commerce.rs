//! The pure machine: catalogue, source items, reservations, orders and shipments. No clock of its own: time is a counter of
//! seconds that every change moves on.
//!
//! ```text
//! salable = sum of what the sources hold - reserved
//! order placed:   reserved += q
//! shipped:        source -= q, reserved -= q      refused if the source holds less
//! cancelled:      reserved -= what was not shipped
//! ```

use std::collections::BTreeMap;

use crate::decimal::Decimal;

/// When the machine begins: 2026-11-23 10:00:00 UTC.
const BEGINS_S: i64 = 1_795_428_000;

/// An article of the catalogue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Product {
    /// Number.
    pub id: u64,
    /// `simple`, `configurable`, …
    pub kind: String,
    /// Price of the default scope, as text.
    pub price: String,
}

/// What one source holds of an article.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SourceItem {
    /// Physical number.
    pub quantity: Decimal,
    /// In stock, as somebody has said.
    pub in_stock: bool,
}

/// Where an order stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrderState {
    /// Something is left to ship.
    Processing,
    /// All is shipped.
    Complete,
    /// Nothing more will be.
    Canceled,
}

impl OrderState {
    /// As the API has it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Processing => "processing",
            Self::Complete => "complete",
            Self::Canceled => "canceled",
        }
    }
}

/// One line of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Number.
    pub id: u64,
    /// The line above, of a configurable product or a bundle.
    pub parent: Option<u64>,
    /// `simple`, `configurable`, `bundle`, `virtual`.
    pub kind: String,
    /// Article.
    pub sku: String,
    /// How many.
    pub ordered: i64,
    /// Of those, shipped.
    pub shipped: i64,
    /// Of those, cancelled.
    pub canceled: i64,
}

/// An order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// Number of the entity.
    pub id: u64,
    /// Where it stands.
    pub state: OrderState,
    /// The source where it is collected.
    pub pickup: Option<String>,
    /// Its lines.
    pub items: Vec<Item>,
    /// Seconds since 1970.
    pub created_s: i64,
    /// Seconds since 1970.
    pub updated_s: i64,
}

/// Goods that left a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shipment {
    /// Number of the entity.
    pub id: u64,
    /// Its order.
    pub order: u64,
    /// The source.
    pub source: String,
    /// Number of the order's line, article, units.
    pub items: Vec<(u64, String, i64)>,
}

/// Article, source, by how much its number changed.
pub(super) type Moved = (String, String, Decimal);

/// Everything.
#[derive(Debug, Clone, Default)]
pub struct Commerce {
    sources: Vec<String>,
    products: BTreeMap<String, Product>,
    items: BTreeMap<(String, String), SourceItem>,
    reserved: BTreeMap<String, i64>,
    orders: Vec<Order>,
    shipments: Vec<Shipment>,
    ticks: i64,
}

impl Commerce {
    pub(crate) fn new(sources: &[String]) -> Self {
        Self { sources: sources.to_vec(), ..Self::default() }
    }

    fn tick(&mut self) -> i64 {
        self.ticks += 1;
        BEGINS_S + self.ticks
    }

    /// Codes of the sources.
    #[must_use]
    pub fn sources(&self) -> &[String] {
        &self.sources
    }

    /// Puts an article into the catalogue.
    pub fn add_product(&mut self, sku: &str, kind: &str) {
        let id = u64::try_from(self.products.len()).unwrap_or(u64::MAX) + 1;
        let product = Product { id, kind: kind.to_owned(), price: "0".to_owned() };
        self.products.insert(sku.to_owned(), product);
    }

    /// Takes an article out of the catalogue; its source items go with it.
    pub fn remove_product(&mut self, sku: &str) {
        self.products.remove(sku);
        self.items.retain(|(of, _), _| of != sku);
    }

    /// The catalogue.
    #[must_use]
    pub const fn products(&self) -> &BTreeMap<String, Product> {
        &self.products
    }

    pub(crate) fn set_price(&mut self, sku: &str, price: &str) -> bool {
        let found = self.products.get_mut(sku);
        found.map(|product| price.clone_into(&mut product.price)).is_some()
    }

    /// Writes what a source holds, whatever it held before; returns the difference.
    pub fn set(&mut self, sku: &str, source: &str, quantity: Decimal, in_stock: bool) -> Decimal {
        let before = self.items.insert((sku.to_owned(), source.to_owned()), SourceItem { quantity, in_stock });
        quantity - before.map_or(Decimal::ZERO, |item| item.quantity)
    }

    /// What a source holds of an article.
    #[must_use]
    pub fn source_item(&self, sku: &str, source: &str) -> Option<SourceItem> {
        self.items.get(&(sku.to_owned(), source.to_owned())).copied()
    }

    /// All source items, by article and source.
    pub fn source_items(&self) -> impl Iterator<Item = (&str, &str, SourceItem)> {
        self.items.iter().map(|((sku, source), item)| (sku.as_str(), source.as_str(), *item))
    }

    /// What can be sold: in stock at the sources, less what is reserved.
    #[must_use]
    pub fn salable(&self, sku: &str) -> Decimal {
        let held: Decimal = self
            .source_items()
            .filter(|(of, _, item)| *of == sku && item.in_stock)
            .map(|(_, _, item)| item.quantity)
            .sum();
        held - Decimal::units(self.reserved.get(sku).copied().unwrap_or(0))
    }

    /// Orders in the order of their making.
    #[must_use]
    pub fn orders(&self) -> &[Order] {
        &self.orders
    }

    /// Shipments in the order of their making.
    #[must_use]
    pub fn shipments(&self) -> &[Shipment] {
        &self.shipments
    }

    /// Places an order of simple products.
    pub fn place_order(&mut self, lines: &[(&str, i64)], pickup: Option<&str>) -> u64 {
        let lines: Vec<(String, &str, Option<usize>, i64)> =
            lines.iter().map(|(sku, units)| ((*sku).to_owned(), "simple", None, *units)).collect();
        self.place_order_of(&lines, pickup)
    }

    /// Places an order of any lines: article, kind, index of the line above, units.
    pub fn place_order_of(&mut self, lines: &[(String, &str, Option<usize>, i64)], pickup: Option<&str>) -> u64 {
        let now_s = self.tick();
        let id = u64::try_from(self.orders.len()).unwrap_or(u64::MAX) + 1;
        let number = |index: usize| id * 100 + u64::try_from(index).unwrap_or(u64::MAX);
        let items = lines
            .iter()
            .enumerate()
            .map(|(index, (sku, kind, parent, ordered))| Item {
                id: number(index),
                parent: parent.map(number),
                kind: (*kind).to_owned(),
                sku: sku.clone(),
                ordered: *ordered,
                shipped: 0,
                canceled: 0,
            })
            .collect();
        for (sku, kind, _, units) in lines {
            if matches!(*kind, "simple" | "virtual") {
                *self.reserved.entry(sku.clone()).or_default() += units;
            }
        }
        let pickup = pickup.map(str::to_owned);
        let order = Order { id, state: OrderState::Processing, pickup, items, created_s: now_s, updated_s: now_s };
        self.orders.push(order);
        id
    }

    /// Ships units of lines, by their article; of a configurable product the line above is shipped.
    pub(crate) fn ship(
        &mut self,
        order: u64,
        source: &str,
        units: &[(&str, i64)],
    ) -> Result<(u64, Vec<Moved>), String> {
        const REFUSED: &str = "Not all of your products are available in the requested quantity.";
        for (sku, units) in units {
            let held = self.source_item(sku, source).map_or(Decimal::ZERO, |item| item.quantity);
            if (held - Decimal::units(*units)).is_negative() {
                return Err(REFUSED.to_owned());
            }
        }
        let now_s = self.tick();
        let id = u64::try_from(self.shipments.len()).unwrap_or(u64::MAX) + 1;
        let found = self.orders.iter_mut().find(|one| one.id == order);
        let found = found.ok_or_else(|| "The entity that was requested doesn't exist.".to_owned())?;
        let mut shipped = Vec::new();
        for (sku, units) in units {
            let item = found.items.iter_mut().find(|item| item.sku == *sku && item.parent.is_none());
            let item = item.ok_or_else(|| "The order does not contain the product.".to_owned())?;
            if item.ordered - item.shipped - item.canceled < *units {
                return Err(REFUSED.to_owned());
            }
            item.shipped += units;
            shipped.push((item.id, (*sku).to_owned(), *units));
        }
        found.updated_s = now_s;
        if found.items.iter().all(|item| item.parent.is_some() || item.shipped + item.canceled >= item.ordered) {
            found.state = OrderState::Complete;
        }
        let mut changes = Vec::new();
        for (_, sku, units) in &shipped {
            if let Some(held) = self.items.get_mut(&(sku.clone(), source.to_owned())) {
                held.quantity = held.quantity - Decimal::units(*units);
            }
            *self.reserved.entry(sku.clone()).or_default() -= units;
            changes.push((sku.clone(), source.to_owned(), Decimal::units(-units)));
        }
        self.shipments.push(Shipment { id, order, source: source.to_owned(), items: shipped });
        Ok((id, changes))
    }

    /// Cancels what is not shipped; `false` if nothing is left to cancel.
    pub fn cancel_order(&mut self, order: u64) -> bool {
        let now_s = self.tick();
        let Some(found) = self.orders.iter_mut().find(|one| one.id == order && one.state == OrderState::Processing)
        else {
            return false;
        };
        (found.state, found.updated_s) = (OrderState::Canceled, now_s);
        for item in &mut found.items {
            let left = item.ordered - item.shipped - item.canceled;
            item.canceled += left;
            if matches!(item.kind.as_str(), "simple" | "virtual") {
                *self.reserved.entry(item.sku.clone()).or_default() -= left;
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shop() -> Commerce {
        let mut commerce = Commerce::new(&["shop".to_owned(), "warehouse".to_owned()]);
        commerce.add_product("TEA", "simple");
        commerce.set("TEA", "shop", Decimal::units(5), true);
        commerce.set("TEA", "warehouse", Decimal::units(2), true);
        commerce
    }

    #[test]
    fn an_order_reserves_and_a_shipment_takes_goods_and_reservation() {
        let mut commerce = shop();
        let order = commerce.place_order(&[("TEA", 3)], None);
        assert_eq!(
            (commerce.salable("TEA"), commerce.source_item("TEA", "shop").unwrap().quantity),
            (Decimal::units(4), Decimal::units(5))
        );
        commerce.ship(order, "shop", &[("TEA", 2)]).unwrap();
        assert_eq!(
            (commerce.salable("TEA"), commerce.source_item("TEA", "shop").unwrap().quantity),
            (Decimal::units(4), Decimal::units(3))
        );
        assert!(commerce.cancel_order(order));
        assert_eq!(commerce.salable("TEA"), Decimal::units(5));
    }

    #[test]
    fn a_source_that_was_lowered_below_an_order_cannot_ship_it() {
        let mut commerce = shop();
        let order = commerce.place_order(&[("TEA", 3)], None);
        commerce.set("TEA", "shop", Decimal::units(2), true);
        assert!(commerce.ship(order, "shop", &[("TEA", 3)]).is_err());
        assert_eq!(commerce.orders()[0].items[0].shipped, 0);
    }

    #[test]
    fn what_is_out_of_stock_is_not_salable_whatever_its_number() {
        let mut commerce = shop();
        commerce.set("TEA", "shop", Decimal::units(5), false);
        assert_eq!(commerce.salable("TEA"), Decimal::units(2));
    }
}
