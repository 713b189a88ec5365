//! Medusa v2, by its Admin REST API (seen against 2.21.2).
//!
//! Medusa takes numbers only: `stocked_quantity` of an inventory item at a location, which is what lies on the shelf. Online
//! orders raise `reserved_quantity` beside it; a fulfilment lowers both. There is no change by a difference, no
//! compare-and-set and no idempotency key, so the lane reads a number, adds the change and writes the sum; this connection
//! looks once more right before it writes, and refuses to write if somebody else was there in between.
//!
//! What it never does: write a number that was read for another moment, send a write twice by itself, write
//! `reserved_quantity`, make or delete products.

mod classify;
mod client;
mod lookup;
mod map;
mod orders;
mod values;
mod wire;

use std::time::Duration;

pub use client::Medusa;
pub use map::Location;

use super::SETTLE_AFTER;
use crate::secret::SecretRef;

/// Most rows of one write. Medusa has no limit of its own; Express refuses bodies over 100 kB by default.
pub const ROWS_MAX: usize = 200;

/// Which field of a variant is the POS's article number. Compared exactly, letter case and leading zeros included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MatchBy {
    /// Its SKU.
    #[default]
    Sku,
    /// Its EAN, UPC or barcode, whichever has it.
    Barcode,
    /// Its SKU; if no variant has it, its EAN, UPC or barcode.
    SkuThenBarcode,
}

/// One shop and location, every value checked.
#[derive(Debug, Clone)]
pub struct MedusaSettings {
    /// The server, with the path in front of `/admin` if there is one.
    pub base_url: url::Url,
    /// The stock location whose stock this store is.
    pub location: Location,
    /// A secret API key, `sk_…`.
    pub key: SecretRef,
    /// How a POS article finds its variant.
    pub match_by: MatchBy,
    /// Most writes in flight.
    pub in_flight_max: usize,
    /// Whole request, reply included.
    pub request_timeout: Duration,
    /// How long the server may still work on a write whose reply was lost.
    pub settle_after: Duration,
    /// Stock an item at the location by itself if it is not stocked there yet.
    pub activate_missing: bool,
    /// Write the POS's prices.
    pub prices: bool,
    /// Their currency, as ISO 4217 in lower case; `None`: the shop's default one.
    pub currency: Option<String>,
    /// Write units on order from suppliers.
    pub incoming: bool,
    /// Let the shop sell what is on order: `allow_backorder` of a variant follows the units on order.
    pub backorder_while_incoming: bool,
}

impl MedusaSettings {
    /// The usual settings for one shop and location.
    #[must_use]
    pub const fn new(base_url: url::Url, location: Location, key: SecretRef) -> Self {
        Self {
            base_url,
            location,
            key,
            match_by: MatchBy::Sku,
            in_flight_max: 2,
            request_timeout: Duration::from_secs(30),
            settle_after: SETTLE_AFTER,
            activate_missing: false,
            prices: false,
            currency: None,
            incoming: false,
            backorder_while_incoming: false,
        }
    }
}
