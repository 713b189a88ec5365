//! Shopify, by its Admin GraphQL API 2026-10.
//!
//! A sale is a delta on `available` (Shopify mirrors it on `on_hand`); only the settling of an unknown outcome
//! sets `on_hand`, with compare-and-set. Every write carries `@idempotent(key:)`, which Shopify remembers for
//! 24 hours, so the same bytes may be sent again as often as needed. The documents are the `.graphql` files of
//! this folder; a test validates them against Shopify's schema.
//!
//! Prices and goods on order are lanes of their own (`values`), pages of numbers and orders are in `pages`.
//!
//! What it never does: set `available` (that would put units sold online back on sale), write from a webhook,
//! or send a write twice by itself, except once with a new token after a 401, which has no effect.

mod bucket;
mod classify;
mod client;
mod lookup;
mod map;
mod pages;
mod token;
mod values;
mod wire;

use std::time::Duration;

pub use client::Shopify;
pub use map::Location;

use crate::secret::SecretRef;

/// The version that the documents are written for.
pub const API_VERSION: &str = "2026-10";
/// Most rows of one mutation (shopify.dev/api/usage/limits: any array input).
pub const ROWS_MAX: usize = 250;
/// How long after its first send a key is relied on: four hours less than Shopify's 24.
pub const KEY_WINDOW: Duration = Duration::from_hours(20);
/// What the app must be granted, and all that it needs for stock.
pub const SCOPES: [&str; 4] = ["read_products", "read_inventory", "write_inventory", "read_locations"];

/// How we prove who we are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Auth {
    /// A token made in the shop's admin; it does not expire by itself.
    StaticToken(SecretRef),
    /// An app of the merchant's own organisation: tokens of 24 hours are fetched as needed.
    ClientCredentials {
        /// Not a secret.
        client_id: String,
        /// The app's secret.
        client_secret: SecretRef,
    },
}

/// Which field of a variant is the POS's article number. Compared exactly, letter case included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MatchBy {
    /// The variant's SKU.
    #[default]
    Sku,
    /// The variant's barcode.
    Barcode,
    /// Its SKU; if no variant has it, its barcode.
    SkuThenBarcode,
}

/// One shop and location, every value checked.
#[derive(Debug, Clone)]
pub struct ShopifySettings {
    /// `https://<shop>.myshopify.com`, without a path.
    pub base_url: url::Url,
    /// Part of the path; [`API_VERSION`] unless Shopify has retired it.
    pub api_version: String,
    /// The location whose stock this store is.
    pub location: Location,
    /// How we prove who we are.
    pub auth: Auth,
    /// How a POS article finds its variant.
    pub match_by: MatchBy,
    /// Most writes in flight.
    pub in_flight_max: usize,
    /// Whole request, reply included.
    pub request_timeout: Duration,
    /// First part of the reference that the shop's inventory history shows, `gid://<app_name>/Batch/<key>`.
    pub app_name: String,
    /// Stock an item at the location by itself if it is not stocked there yet.
    pub activate_missing: bool,
    /// Read online orders that the location is to hand over.
    pub orders: bool,
    /// The POS's prices are the shop's.
    pub prices: bool,
    /// Tell the shop what is on order.
    pub incoming: bool,
    /// Sell below zero exactly while goods are on order. Only with `incoming`.
    pub backorder_while_incoming: bool,
}

impl ShopifySettings {
    /// The usual settings for one shop and location.
    #[must_use]
    pub fn new(base_url: url::Url, location: Location, auth: Auth) -> Self {
        Self {
            base_url,
            api_version: API_VERSION.to_owned(),
            location,
            auth,
            match_by: MatchBy::Sku,
            in_flight_max: 4,
            request_timeout: Duration::from_secs(30),
            app_name: "tillsync".to_owned(),
            activate_missing: false,
            orders: false,
            prices: false,
            incoming: false,
            backorder_while_incoming: false,
        }
    }

    /// What the app must be granted for what it is asked to do, and all that it needs.
    #[must_use]
    pub fn scopes(&self) -> Vec<&'static str> {
        let mut scopes = SCOPES.to_vec();
        if self.orders {
            scopes.push("read_merchant_managed_fulfillment_orders");
        }
        if self.prices || (self.incoming && self.backorder_while_incoming) {
            scopes.push("write_products");
        }
        scopes
    }
}
