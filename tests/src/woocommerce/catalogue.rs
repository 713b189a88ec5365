//! The goods: products and variations, who keeps their number, how numbers change.
//!
//! A variation keeps its own number, or its parent does (`manage_stock` reads `"parent"`), or nobody.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};

use crate::decimal::Decimal;
use crate::journal::{Cause, Entry};

/// Who keeps the number of a product or variation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Managed {
    /// Itself.
    Own,
    /// The product that it is a variation of.
    Parent,
    /// Nobody: it is in stock or not, by hand.
    No,
}

/// A product or variation as it is put into the shop.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NewProduct {
    /// Unique in a real shop, unless imported past its checks.
    pub sku: String,
    /// GTIN, UPC, EAN or ISBN.
    pub gtin: String,
    /// Title.
    pub name: String,
    /// The product that it is a variation of; 0 for a product.
    pub parent: u64,
    /// It has variations.
    pub variable: bool,
    /// "Track stock quantity for this product".
    pub manage_stock: bool,
    /// Its number, if it keeps one.
    pub stock: i64,
    /// As text, the way the platform keeps it.
    pub regular_price: String,
}

impl NewProduct {
    /// A simple product with so many in stock.
    #[must_use]
    pub fn stocked(sku: &str, stock: i64) -> Self {
        Self {
            sku: sku.to_owned(),
            gtin: String::new(),
            name: format!("Article {sku}"),
            parent: 0,
            variable: false,
            manage_stock: true,
            stock,
            regular_price: "10.00".to_owned(),
        }
    }

    /// A product with variations, which keeps no number of its own.
    #[must_use]
    pub fn variable(sku: &str) -> Self {
        Self { variable: true, manage_stock: false, ..Self::stocked(sku, 0) }
    }

    /// A variation of it with so many in stock.
    #[must_use]
    pub fn variation(sku: &str, parent: u64, stock: i64) -> Self {
        Self { parent, ..Self::stocked(sku, stock) }
    }

    /// The same without a number.
    #[must_use]
    pub fn unmanaged(self) -> Self {
        Self { manage_stock: false, ..self }
    }

    /// The same with a barcode.
    #[must_use]
    pub fn gtin(self, gtin: &str) -> Self {
        Self { gtin: gtin.to_owned(), ..self }
    }
}

/// One row of meta data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Meta {
    /// The platform's number of it.
    pub id: u64,
    /// Its key.
    pub key: String,
    /// Its value.
    pub value: Value,
}

/// A product or variation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Product {
    /// Its number.
    pub id: u64,
    /// As it is now.
    #[serde(flatten)]
    pub given: NewProduct,
    /// Microseconds since 1970.
    pub created_us: i64,
    /// See `created_us`.
    pub modified_us: i64,
    /// In the order of their making.
    pub meta: Vec<Meta>,
}

impl Product {
    pub(crate) fn kind(&self) -> &'static str {
        match (self.given.parent, self.given.variable) {
            (0, false) => "simple",
            (0, true) => "variable",
            (_, _) => "variation",
        }
    }
}

/// All products and variations.
#[derive(Debug, Default)]
pub(crate) struct Catalogue {
    /// The shop's setting "Enable stock management" is off: nothing keeps a number.
    keeps_nothing: bool,
    products: BTreeMap<u64, Product>,
    next_id: u64,
    next_meta: u64,
}

/// Numbers of posts start here, so that they do not look like list positions.
const FIRST_ID: u64 = 1201;

impl Catalogue {
    pub(crate) fn new(keeps_numbers: bool) -> Self {
        Self { keeps_nothing: !keeps_numbers, ..Self::default() }
    }

    /// A fresh number: products and orders share them.
    pub(crate) fn take_id(&mut self) -> u64 {
        self.next_id += 1;
        FIRST_ID + self.next_id
    }

    pub(crate) fn add(&mut self, given: NewProduct, now_us: i64) -> u64 {
        let id = self.take_id();
        self.products.insert(id, Product { id, given, created_us: now_us, modified_us: now_us, meta: Vec::new() });
        id
    }

    pub(crate) fn get(&self, id: u64) -> Option<&Product> {
        self.products.get(&id)
    }

    pub(crate) fn get_mut(&mut self, id: u64) -> Option<&mut Product> {
        self.products.get_mut(&id)
    }

    /// Newest first, as the platform lists by default.
    pub(crate) fn all(&self) -> impl DoubleEndedIterator<Item = &Product> {
        self.products.values().rev()
    }

    /// The first product or variation with exactly this SKU.
    pub(crate) fn with_sku(&self, sku: &str) -> Option<&Product> {
        self.products.values().find(|product| product.given.sku == sku)
    }

    pub(crate) fn managed(&self, product: &Product) -> Managed {
        let by_parent = || self.get(product.given.parent).is_some_and(|parent| parent.given.manage_stock);
        match (product.given.manage_stock, product.given.parent) {
            (_, _) if self.keeps_nothing => Managed::No,
            (true, _) => Managed::Own,
            (false, 0) => Managed::No,
            (false, _) if by_parent() => Managed::Parent,
            (false, _) => Managed::No,
        }
    }

    /// The product that keeps the number of this one.
    pub(crate) fn keeper(&self, id: u64) -> Option<u64> {
        let product = self.get(id)?;
        match self.managed(product) {
            Managed::Own => Some(id),
            Managed::Parent => Some(product.given.parent),
            Managed::No => None,
        }
    }

    /// The number as the platform shows it; `None` reads `null`.
    pub(crate) fn stock(&self, id: u64) -> Option<i64> {
        self.keeper(id).and_then(|keeper| self.get(keeper)).map(|keeper| keeper.given.stock)
    }

    /// Writes a number and says what changed, for the journal.
    pub(crate) fn write_stock(&mut self, id: u64, stock: i64, cause: Cause, now_us: i64) -> Option<Entry> {
        let product = self.get_mut(id)?;
        let delta = stock - product.given.stock;
        product.given.stock = stock;
        product.modified_us = now_us;
        Some(entry(product, cause, delta))
    }

    /// `UPDATE … SET meta_value = meta_value + x`: no other change is lost.
    pub(crate) fn add_stock(&mut self, id: u64, delta: i64, cause: Cause, now_us: i64) -> Option<Entry> {
        let product = self.get_mut(id)?;
        product.given.stock += delta;
        product.modified_us = now_us;
        Some(entry(product, cause, delta))
    }

    pub(crate) fn set_meta(&mut self, id: u64, key: &str, value: Value) {
        self.next_meta += 1;
        let number = self.next_meta;
        let Some(product) = self.get_mut(id) else { return };
        match product.meta.iter_mut().find(|meta| meta.key == key) {
            Some(meta) => meta.value = value,
            None => product.meta.push(Meta { id: number, key: key.to_owned(), value }),
        }
    }

    /// A product or variation the way the REST API shows it.
    pub(crate) fn view(&self, product: &Product) -> Value {
        let stock = self.stock(product.id);
        let managed = match self.managed(product) {
            Managed::Own => json!(true),
            Managed::Parent => json!("parent"),
            Managed::No => json!(false),
        };
        let variations: Vec<u64> =
            self.products.values().filter(|one| one.given.parent == product.id).map(|one| one.id).collect();
        json!({
            "id": product.id,
            "name": product.given.name,
            "type": product.kind(),
            "status": "publish",
            "sku": product.given.sku,
            "global_unique_id": product.given.gtin,
            "price": product.given.regular_price,
            "regular_price": product.given.regular_price,
            "sale_price": "",
            "manage_stock": managed,
            "stock_quantity": stock,
            "stock_status": if stock.is_some_and(|stock| stock <= 0) { "outofstock" } else { "instock" },
            "backorders": "no",
            "parent_id": product.given.parent,
            "variations": if product.given.parent == 0 { variations } else { Vec::new() },
            "date_created_gmt": gmt(product.created_us),
            "date_modified_gmt": gmt(product.modified_us),
            "meta_data": product.meta,
        })
    }
}

pub(crate) fn entry(product: &Product, cause: Cause, delta: i64) -> Entry {
    Entry {
        cause,
        sku: product.given.sku.clone(),
        name: "stock_quantity".to_owned(),
        delta: Decimal::units(delta),
        on_hand: Some(product.given.stock),
        item: Some(product.id.to_string()),
        location: None,
        change: None,
        transaction: None,
    }
}

/// `2026-11-25T01:16:27`: the platform writes no zone.
pub(crate) fn gmt(us: i64) -> String {
    jiff::Timestamp::from_microsecond(us)
        .map_or_else(|_| "1970-01-01T00:00:00".to_owned(), |time| time.strftime("%Y-%m-%dT%H:%M:%S").to_string())
}
