//! WooCommerce, by its REST API v3, and by our companion plugin where the shop has it.
//!
//! WooCommerce keeps one number a product, which is *net*: units of an online order are off it from the moment that the order
//! is paid or waits for payment, although they still lie on the shelf. It has no keys, no compare-and-set, and its relative
//! change (`inventory_delta`) reads, adds and writes, so that an order landing in between is overwritten. So:
//!
//! - Every write carries a marker in the product's meta data (`_tillsync_op_<store>` = the batch's key), written in the same
//!   save. After a lost reply the product is read; the marker tells whether the row took effect. Nothing is sent twice blindly.
//! - A lane without the plugin has one request under way, since a marker remembers only the last write.
//! - An absolute number is written only if the product still shows the number that was read.
//! - HTTP 200 proves nothing: each row's answer must show a kept number and our marker.
//!
//! The plugin changes stock in one transaction with its key, so nothing is lost or doubled there, and compares before it sets.
//!
//! Frozen bytes name rows, not requests: what is sent for them is a function of the bytes and of whether the plugin is there.
//! Only `POST` and `GET` are used, since firewalls of hosts block `PUT`. Sources: the REST API documentation, and what
//! WooCommerce 10.9.2 and 11.0.1 were seen to do (`docs/platforms/woocommerce.md`).
//!
//! What it never does: send a whole product back, turn stock management on, touch an order, delete anything.

mod classify;
mod client;
mod lookup;
mod map;
mod plugin;
mod values;
mod wire;

use std::time::Duration;

pub use client::WooCommerce;

use super::SETTLE_AFTER;
use crate::secret::SecretRef;

/// Most rows of one request: WooCommerce takes 100, and slow hosts give a request 30 s.
pub const ROWS_MAX: usize = 50;
/// Most rows that may be asked for (`woocommerce_rest_batch_items_limit`).
pub const ROWS_LIMIT: usize = 100;
/// How long after its first send a key of the plugin is relied on: the plugin remembers for twice as long.
pub const KEY_WINDOW: Duration = Duration::from_hours(24 * 30);

/// Whether the companion plugin is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PluginUse {
    /// Used while it is there; lost replies are settled by reading, as without it.
    #[default]
    Auto,
    /// The shop has it for good: keys are relied on, and nothing is sent without it.
    Required,
    /// Never used.
    Off,
}

/// Which field of a product is the POS's article number. Compared exactly, letter case included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MatchBy {
    /// Its SKU.
    #[default]
    Sku,
    /// Its GTIN, UPC, EAN or ISBN (`global_unique_id`).
    Barcode,
    /// Its SKU; if no product has it, its GTIN.
    SkuThenBarcode,
}

/// One shop, every value checked.
#[derive(Debug, Clone)]
pub struct WooSettings {
    /// Address of the site, with its folder if it has one. `https`, or `http` on this machine.
    pub base_url: url::Url,
    /// `ck_…` of a REST key.
    pub consumer_key: SecretRef,
    /// `cs_…` of the same key.
    pub consumer_secret: SecretRef,
    /// The store's id: part of the marker.
    pub store: String,
    /// How a POS article finds its product.
    pub match_by: MatchBy,
    /// Whether the companion plugin is used.
    pub plugin: PluginUse,
    /// Most rows of one request, at most [`ROWS_LIMIT`].
    pub rows_max: usize,
    /// How long the shop may still work on a request whose reply was lost.
    pub settle_after: Duration,
    /// Whole request, reply included.
    pub request_timeout: Duration,
    /// Statuses of orders whose goods still lie in the store.
    pub open_statuses: Vec<String>,
    /// There is a lane of prices.
    pub prices: bool,
    /// Articles may be sold below zero while units are on order.
    pub backorder_while_incoming: bool,
}

impl WooSettings {
    /// The usual settings for one shop.
    #[must_use]
    pub fn new(
        base_url: url::Url,
        consumer_key: SecretRef,
        consumer_secret: SecretRef,
        store: impl Into<String>,
    ) -> Self {
        Self {
            base_url,
            consumer_key,
            consumer_secret,
            store: store.into(),
            match_by: MatchBy::default(),
            plugin: PluginUse::default(),
            rows_max: ROWS_MAX,
            settle_after: SETTLE_AFTER,
            request_timeout: Duration::from_secs(60),
            open_statuses: OPEN_STATUSES.map(str::to_owned).to_vec(),
            prices: false,
            backorder_while_incoming: false,
        }
    }
}

/// Orders that have taken their goods and are not handed over, as WooCommerce comes.
pub const OPEN_STATUSES: [&str; 2] = ["processing", "on-hold"];
