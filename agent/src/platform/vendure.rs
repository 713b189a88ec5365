//! Vendure 3, by its Admin GraphQL API (seen against 3.7.3).
//!
//! Vendure takes numbers only: `stockOnHand` of a variant at a stock location, which is what lies on the shelf. Orders raise
//! `stockAllocated` beside it; a fulfilment lowers both. There is no change by a difference, no compare-and-set and no
//! idempotency key, but there is a log of stock movements. So the lane reads a number, adds the change and writes the sum;
//! this connection looks once more right before it writes, refuses to write if somebody else was there in between, and reads
//! in the log afterwards what its write really did: units of a fulfilment that it overwrote are put right at once.
//!
//! What it never does: write a number that was read for another moment, repeat a write whose outcome is unknown, make
//! or delete products.

mod classify;
mod client;
mod lookup;
mod map;
mod orders;
mod stock;
mod values;
mod wire;

use std::time::Duration;

pub use client::Vendure;
pub use map::Location;

use super::SETTLE_AFTER;
use crate::secret::SecretRef;

/// Most rows of one write. Vendure has no limit of its own; each row costs it several queries.
pub const ROWS_MAX: usize = 50;

/// Which field of a variant is the POS's article number. Compared exactly, letter case and leading zeros included.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum MatchBy {
    /// Its SKU, which Vendure does not keep unique.
    #[default]
    Sku,
    /// A custom field of this name.
    Barcode(String),
    /// Its SKU; if no variant has it, the custom field of this name.
    SkuThenBarcode(String),
}

impl MatchBy {
    /// The custom field that is read, if there is one.
    #[must_use]
    pub fn field(&self) -> Option<&str> {
        match self {
            Self::Sku => None,
            Self::Barcode(field) | Self::SkuThenBarcode(field) => Some(field),
        }
    }
}

/// One shop and location, every value checked.
#[derive(Debug, Clone)]
pub struct VendureSettings {
    /// The Admin API, as `https://shop.example.com/admin-api`.
    pub url: url::Url,
    /// Token of the channel; `None`: the default one.
    pub channel: Option<String>,
    /// The stock location whose stock this store is; `None`: the shop's only one.
    pub location: Option<Location>,
    /// An API key.
    pub key: SecretRef,
    /// How a POS article finds its variant.
    pub match_by: MatchBy,
    /// Most writes in flight.
    pub in_flight_max: usize,
    /// Whole request, reply included.
    pub request_timeout: Duration,
    /// How long the server may still work on a write whose reply was lost.
    pub settle_after: Duration,
    /// Stock a variant at the location by itself if it is not stocked there yet.
    pub activate_missing: bool,
    /// All orders leave from this location although the shop has several: Vendure's orders do not say from which.
    pub all_orders: bool,
    /// Write the POS's prices.
    pub prices: bool,
    /// Their currency, as ISO 4217 in upper case; `None`: the channel's default one.
    pub currency: Option<String>,
    /// Let the shop sell what is on order: a variant's `outOfStockThreshold` follows the units on order.
    pub backorder_while_incoming: bool,
}

impl VendureSettings {
    /// The usual settings for one shop.
    #[must_use]
    pub const fn new(url: url::Url, key: SecretRef) -> Self {
        Self {
            url,
            channel: None,
            location: None,
            key,
            match_by: MatchBy::Sku,
            in_flight_max: 2,
            request_timeout: Duration::from_secs(30),
            settle_after: SETTLE_AFTER,
            activate_missing: false,
            all_orders: false,
            prices: false,
            currency: None,
            backorder_while_incoming: false,
        }
    }
}
