//! The stand-in shop's goods: items, their numbers at each location, online orders.
//!
//! `on_hand = available + committed + reserved + damaged + safety_stock + quality_control`; `incoming` stands
//! outside of it. <https://shopify.dev/docs/apps/build/orders-fulfillment/inventory-management-apps>

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::{Deserialize, Serialize};

use crate::decimal::Decimal;
use crate::journal::{Cause, Entry};

/// The numbers of one item at one location.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Level {
    /// Stocked there; an inactive level keeps its numbers.
    pub active: bool,
    /// For sale.
    pub available: i64,
    /// Sold online, not yet handed over.
    pub committed: i64,
    /// Set aside.
    pub reserved: i64,
    /// Broken.
    pub damaged: i64,
    /// Kept back.
    pub safety_stock: i64,
    /// Being inspected.
    pub quality_control: i64,
    /// On its way; not part of `on_hand`.
    pub incoming: i64,
}

impl Level {
    /// The physical number.
    #[must_use]
    pub const fn on_hand(&self) -> i64 {
        self.available + self.committed + self.reserved + self.damaged + self.safety_stock + self.quality_control
    }

    /// A number by the platform's name for it.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<i64> {
        let mut copy = *self;
        if name == "on_hand" { Some(self.on_hand()) } else { copy.slot(name).copied() }
    }

    pub(crate) fn slot(&mut self, name: &str) -> Option<&mut i64> {
        match name {
            "available" => Some(&mut self.available),
            "committed" => Some(&mut self.committed),
            "reserved" => Some(&mut self.reserved),
            "damaged" => Some(&mut self.damaged),
            "safety_stock" => Some(&mut self.safety_stock),
            "quality_control" => Some(&mut self.quality_control),
            "incoming" => Some(&mut self.incoming),
            _ => None,
        }
    }
}

/// A product variant with its stock-keeping item, as it is put into the shop.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct NewItem {
    /// May repeat: the platform does not mind.
    pub sku: String,
    /// Its barcode.
    pub barcode: Option<String>,
    /// Title of the product.
    pub title: String,
    /// Counted at all.
    pub tracked: bool,
    /// On hand and available at the first location.
    pub available: i64,
    /// Stocked at the first location.
    pub stocked: bool,
    /// SKUs and quantities of a bundle; not empty makes it a bundle parent, which cannot hold stock.
    pub components: Vec<(String, i64)>,
    /// Price in the shop's currency, as the platform writes it.
    pub price: String,
    /// Sold when there is none left.
    pub sells_below_zero: bool,
}

impl Default for NewItem {
    fn default() -> Self {
        Self {
            sku: String::new(),
            barcode: None,
            title: String::new(),
            tracked: true,
            available: 0,
            stocked: true,
            components: Vec::new(),
            price: "0.00".to_owned(),
            sells_below_zero: false,
        }
    }
}

impl NewItem {
    /// A plain item with so many in stock.
    #[must_use]
    pub fn stocked(sku: &str, available: i64) -> Self {
        Self { sku: sku.to_owned(), title: format!("Article {sku}"), available, ..Self::default() }
    }
}

/// One item of the shop.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Item {
    /// Number of the inventory item; variant and product have their own.
    pub id: u64,
    /// Number of the product variant.
    pub variant: u64,
    /// Number of the product.
    pub product: u64,
    /// As it was put in.
    #[serde(flatten)]
    pub given: NewItem,
    /// Numbers by location.
    pub levels: BTreeMap<u64, Level>,
    /// When the search index will know it: shop clock, microseconds.
    #[serde(skip)]
    pub(crate) searchable_at_us: i64,
}

/// A place that holds stock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Location {
    /// Its number.
    pub id: u64,
    /// Its name.
    pub name: String,
    /// In use.
    pub active: bool,
}

/// Where an online order stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderState {
    /// Sold, still on the shelf.
    Open,
    /// Handed over.
    Fulfilled,
    /// Will not be handed over.
    Cancelled,
}

/// An online order of one SKU.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Order {
    /// Its number.
    pub id: u64,
    /// Index of the item.
    #[serde(skip)]
    item: usize,
    /// What was ordered.
    pub sku: String,
    /// How many.
    pub quantity: i64,
    /// Where it is taken from.
    pub location: u64,
    /// Where it stands.
    pub state: OrderState,
    /// What left for it.
    pub shipments: Vec<Shipment>,
    /// When it was placed: shop clock, microseconds.
    pub placed_us: i64,
    /// When it last changed.
    pub updated_us: i64,
}

impl Order {
    /// Units handed over.
    #[must_use]
    pub fn handed_over(&self) -> i64 {
        self.shipments.iter().filter(|shipment| !shipment.cancelled).map(|shipment| shipment.quantity).sum()
    }

    /// Units still promised.
    #[must_use]
    pub fn remaining(&self) -> i64 {
        if self.state == OrderState::Open { self.quantity - self.handed_over() } else { 0 }
    }
}

/// Goods that left for an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Shipment {
    /// Its number.
    pub id: u64,
    /// How many.
    pub quantity: i64,
    /// Taken back before it left; its goods lie on the shelf again.
    pub cancelled: bool,
}

/// All goods of the shop.
#[derive(Debug, Default)]
pub(crate) struct Stock {
    pub(crate) locations: Vec<Location>,
    items: Vec<Item>,
    by_item: HashMap<u64, usize>,
    by_variant: HashMap<u64, usize>,
    by_sku: HashMap<String, Vec<usize>>,
    by_token: HashMap<String, BTreeSet<usize>>,
    orders: Vec<Order>,
}

/// Global id of an object, as the platform writes it.
#[must_use]
pub fn gid(kind: &str, number: u64) -> String {
    format!("gid://shopify/{kind}/{number}")
}

/// The number of a global id of this kind.
pub(crate) fn number(kind: &str, id: &str) -> Option<u64> {
    id.strip_prefix("gid://shopify/")?.strip_prefix(kind)?.strip_prefix('/')?.parse().ok()
}

/// Numbers of the three kinds of object must not agree, or a mix-up in a client would go unseen.
const ITEM_NUMBERS: u64 = 41_000_000_000;
const VARIANT_NUMBERS: u64 = 52_000_000_000;
const PRODUCT_NUMBERS: u64 = 73_000_000_000;
const LOCATION_NUMBERS: u64 = 64_000_000_000;
pub(crate) const FULFILMENT_ORDER_NUMBERS: u64 = 85_000_000_000;

impl Stock {
    pub(crate) fn add_location(&mut self, name: &str, active: bool) -> u64 {
        let id = LOCATION_NUMBERS + count(self.locations.len()) + 1;
        self.locations.push(Location { id, name: name.to_owned(), active });
        id
    }

    pub(crate) fn add(&mut self, given: NewItem, searchable_at_us: i64) -> u64 {
        let index = self.items.len();
        let offset = count(index);
        let (id, variant, product) =
            (ITEM_NUMBERS + offset * 3 + 1, VARIANT_NUMBERS + offset * 7 + 5, PRODUCT_NUMBERS + offset + 9);
        let mut levels = BTreeMap::new();
        if let Some(first) = self.locations.first().filter(|_| given.stocked) {
            levels.insert(first.id, Level { active: true, available: given.available, ..Level::default() });
        }
        for text in
            [Some(given.sku.as_str()), given.barcode.as_deref(), Some(given.title.as_str())].into_iter().flatten()
        {
            for token in tokens(text) {
                self.by_token.entry(token).or_default().insert(index);
            }
        }
        self.by_item.insert(id, index);
        self.by_variant.insert(variant, index);
        self.by_sku.entry(given.sku.clone()).or_default().push(index);
        self.items.push(Item { id, variant, product, given, levels, searchable_at_us });
        id
    }

    /// All items in the order of their making.
    pub(crate) fn items(&self) -> &[Item] {
        &self.items
    }

    pub(crate) fn item(&self, id: &str) -> Option<(usize, &Item)> {
        let index = *self.by_item.get(&number("InventoryItem", id)?)?;
        Some((index, self.items.get(index)?))
    }

    /// The variants of a product: one here.
    pub(crate) fn of_product(&mut self, id: &str) -> Option<&mut Item> {
        let product = number("Product", id)?;
        self.items.iter_mut().find(|item| item.product == product)
    }

    /// The order behind a fulfilment order.
    pub(crate) fn fulfilment_order(&self, id: &str) -> Option<&Order> {
        let order = number("FulfillmentOrder", id)?.checked_sub(FULFILMENT_ORDER_NUMBERS)?;
        self.orders.iter().find(|one| one.id == order)
    }

    pub(crate) fn item_of(&self, order: &Order) -> Option<&Item> {
        self.items.get(order.item)
    }

    pub(crate) fn variant(&self, id: &str) -> Option<&Item> {
        self.items.get(*self.by_variant.get(&number("ProductVariant", id)?)?)
    }

    pub(crate) fn location(&self, id: &str) -> Option<&Location> {
        let number = number("Location", id)?;
        self.locations.iter().find(|location| location.id == number)
    }

    /// The items with exactly this SKU.
    pub(crate) fn with_sku(&self, sku: &str) -> impl Iterator<Item = &Item> {
        self.by_sku.get(sku).into_iter().flatten().filter_map(|index| self.items.get(*index))
    }

    pub(crate) fn level_mut(&mut self, item: usize, location: u64) -> Option<&mut Level> {
        self.items.get_mut(item)?.levels.get_mut(&location)
    }

    /// Stocks the item there; an inactive level comes back with the numbers it had.
    pub(crate) fn activate(&mut self, item: usize, location: u64) -> Option<&mut Level> {
        let level = self.items.get_mut(item)?.levels.entry(location).or_default();
        level.active = true;
        Some(level)
    }

    /// Changes what was given for all items with this SKU.
    pub(crate) fn amend(&mut self, sku: &str, mut change: impl FnMut(&mut Item)) -> usize {
        let indices = self.by_sku.get(sku).cloned().unwrap_or_default();
        for index in &indices {
            if let Some(item) = self.items.get_mut(*index) {
                change(item);
            }
        }
        indices.len()
    }

    /// Items that have all words of the text, in any of the indexed texts. It finds too much, as the platform does.
    pub(crate) fn search(&self, text: &str) -> BTreeSet<usize> {
        let prefix = text.ends_with('*');
        let mut words = tokens(text).into_iter().peekable();
        let mut found: Option<BTreeSet<usize>> = None;
        while let Some(word) = words.next() {
            let hits = if prefix && words.peek().is_none() {
                self.by_token
                    .iter()
                    .filter(|(token, _)| token.starts_with(&word))
                    .flat_map(|(_, hits)| hits.iter().copied())
                    .collect()
            } else {
                self.by_token.get(&word).cloned().unwrap_or_default()
            };
            found = Some(found.map_or_else(|| hits.clone(), |before| &before & &hits));
        }
        found.unwrap_or_default()
    }

    /// All orders.
    pub(crate) fn orders(&self) -> &[Order] {
        &self.orders
    }

    /// Sells online: `available` falls, `committed` grows, `on_hand` stays.
    pub(crate) fn place_order(&mut self, sku: &str, quantity: i64, now_us: i64) -> Option<(u64, Vec<Entry>)> {
        let item = *self.by_sku.get(sku)?.first()?;
        let (location, _) = self.items.get(item)?.levels.iter().find(|(_, level)| level.active)?;
        let location = *location;
        let level = self.level_mut(item, location)?;
        level.available -= quantity;
        level.committed += quantity;
        let id = count(self.orders.len()) + 1;
        self.orders.push(Order {
            id,
            item,
            sku: sku.to_owned(),
            quantity,
            location,
            state: OrderState::Open,
            shipments: Vec::new(),
            placed_us: now_us,
            updated_us: now_us,
        });
        Some((id, self.order_entry(id, Cause::OrderPlaced, "available", -quantity)))
    }

    /// Hands goods of an open order over, all that are left if no number is given: `committed` and `on_hand` fall.
    pub(crate) fn fulfil_order(&mut self, id: u64, units: Option<i64>, now_us: i64) -> Option<Vec<Entry>> {
        let order = self.orders.iter_mut().find(|order| order.id == id && order.state == OrderState::Open)?;
        let left = order.remaining();
        let units = units.unwrap_or(left);
        if units < 1 || units > left {
            return None;
        }
        let shipment = order.id * 100 + count(order.shipments.len()) + 1;
        order.shipments.push(Shipment { id: shipment, quantity: units, cancelled: false });
        order.updated_us = now_us;
        if units == left {
            order.state = OrderState::Fulfilled;
        }
        let (item, location) = (order.item, order.location);
        self.level_mut(item, location)?.committed -= units;
        Some(self.order_entry(id, Cause::OrderFulfilled, "committed", -units))
    }

    /// Takes the last shipment back: its goods are promised again and lie on the shelf.
    pub(crate) fn cancel_shipment(&mut self, id: u64, now_us: i64) -> Option<Vec<Entry>> {
        let order = self.orders.iter_mut().find(|order| order.id == id && order.state != OrderState::Cancelled)?;
        let shipment = order.shipments.iter_mut().rev().find(|shipment| !shipment.cancelled)?;
        shipment.cancelled = true;
        let units = shipment.quantity;
        (order.state, order.updated_us) = (OrderState::Open, now_us);
        let (item, location) = (order.item, order.location);
        self.level_mut(item, location)?.committed += units;
        Some(self.order_entry(id, Cause::OrderFulfilled, "committed", units))
    }

    /// Cancels what is left of an open order: `committed` falls, `available` grows.
    pub(crate) fn cancel_order(&mut self, id: u64, now_us: i64) -> Option<Vec<Entry>> {
        let order = self.orders.iter_mut().find(|order| order.id == id && order.state == OrderState::Open)?;
        let units = order.remaining();
        (order.state, order.updated_us) = (OrderState::Cancelled, now_us);
        let (item, location) = (order.item, order.location);
        let level = self.level_mut(item, location)?;
        level.committed -= units;
        level.available += units;
        Some(self.order_entry(id, Cause::OrderCancelled, "available", units))
    }

    fn order_entry(&self, id: u64, cause: Cause, name: &str, delta: i64) -> Vec<Entry> {
        let found = self
            .orders
            .iter()
            .find(|order| order.id == id)
            .and_then(|order| Some((order.location, self.items.get(order.item)?)));
        found.map(|(location, item)| entry(item, location, cause, name, delta)).into_iter().collect()
    }
}

/// The journal's record of one changed number.
pub(crate) fn entry(item: &Item, location: u64, cause: Cause, name: &str, delta: i64) -> Entry {
    Entry {
        cause,
        sku: item.given.sku.clone(),
        name: name.to_owned(),
        delta: Decimal::units(delta),
        on_hand: item.levels.get(&location).map(Level::on_hand),
        item: Some(gid("InventoryItem", item.id)),
        location: Some(gid("Location", location)),
        change: None,
        transaction: None,
    }
}

/// The words of a text as the index has them: letters and digits, small, without leading zeros.
fn tokens(text: &str) -> Vec<String> {
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(|word| {
            let bare = word.trim_start_matches('0');
            (if bare.is_empty() { "0" } else { bare }).to_lowercase()
        })
        .collect()
}

pub(crate) fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_online_order_moves_available_to_committed_and_leaves_on_hand_alone() {
        let mut stock = stock_of(&[("TEA-1", 5)]);
        let (id, _) = stock.place_order("TEA-1", 2, 0).unwrap();
        assert_eq!(numbers(&stock, "TEA-1"), (3, 2, 5));
        stock.fulfil_order(id, None, 0).unwrap();
        assert_eq!(numbers(&stock, "TEA-1"), (3, 0, 3));
        assert!(stock.cancel_order(id, 0).is_none());
    }

    #[test]
    fn a_shipment_of_a_part_leaves_the_rest_promised_until_it_is_cancelled() {
        let mut stock = stock_of(&[("TEA-1", 5)]);
        let (id, _) = stock.place_order("TEA-1", 3, 0).unwrap();
        stock.fulfil_order(id, Some(1), 0).unwrap();
        assert!(stock.fulfil_order(id, Some(3), 0).is_none());
        assert_eq!(numbers(&stock, "TEA-1"), (2, 2, 4));
        stock.cancel_shipment(id, 0).unwrap();
        assert_eq!(numbers(&stock, "TEA-1"), (2, 3, 5));
        stock.fulfil_order(id, Some(1), 0).unwrap();
        stock.cancel_order(id, 0).unwrap();
        assert_eq!(numbers(&stock, "TEA-1"), (4, 0, 4));
        assert_eq!((stock.orders()[0].handed_over(), stock.orders()[0].remaining()), (1, 0));
    }

    #[test]
    fn a_cancelled_order_gives_back_what_it_took() {
        let mut stock = stock_of(&[("TEA-1", 5)]);
        let (id, _) = stock.place_order("TEA-1", 2, 0).unwrap();
        stock.cancel_order(id, 0).unwrap();
        assert_eq!(numbers(&stock, "TEA-1"), (5, 0, 5));
    }

    #[test]
    fn search_finds_near_hits_too() {
        let stock = stock_of(&[("ABC-1", 0), ("abc 1 large", 0), ("ABC-12", 0), ("00123", 0), ("123", 0)]);
        assert_eq!(stock.search("ABC-1").into_iter().collect::<Vec<_>>(), [0, 1]);
        assert_eq!(stock.search("00123").into_iter().collect::<Vec<_>>(), [3, 4]);
        assert_eq!(stock.search("ABC-1*").into_iter().collect::<Vec<_>>(), [0, 1, 2]);
    }

    fn stock_of(items: &[(&str, i64)]) -> Stock {
        let mut stock = Stock::default();
        stock.add_location("Shop", true);
        for (sku, available) in items {
            stock.add(NewItem { title: String::new(), ..NewItem::stocked(sku, *available) }, 0);
        }
        stock
    }

    fn numbers(stock: &Stock, sku: &str) -> (i64, i64, i64) {
        let level = stock.with_sku(sku).next().and_then(|item| item.levels.values().next()).unwrap();
        (level.available, level.committed, level.on_hand())
    }
}
