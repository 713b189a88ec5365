//! BigCommerce, by its V3 Inventory and Catalog APIs and the V2 Orders API.
//!
//! A sale is a *relative adjustment*. BigCommerce knows no idempotency key and no compare-and-set, carries adjustments
//! out asynchronously (a number read at once may still be the old one), and refuses a whole request if one of its rows
//! would fall below what may be sold or was never set before. So: one request at a time; after silence nothing is sent
//! again before the numbers were read ([`Traits::settle_after`](crate::platform::Traits::settle_after)); numbers are not
//! read while an adjustment of ours may still be on its way ([`BigCommerceSettings::read_lag`]); a refused request is
//! halved until the row at fault is alone, and only that row is read and written as a number.
//!
//! Whether the shop's number falls when an order is placed or when it is shipped is a setting of the shop. It has to be
//! known before the shop can be asked (a store may start without a network), so the configuration says it, and every
//! probe and every reading of all numbers compares: with another setting nothing is reconciled.
//!
//! Sources: developer.bigcommerce.com, "Inventory Overview" and the specifications `inventory.v3`, `orders.v2`,
//! `catalog.v3`, `settings.v3`. Tested against a stand-in only.

mod budget;
mod classify;
mod client;
mod lookup;
mod map;
mod orders;
mod prices;
mod wire;

use std::time::Duration;

pub use client::BigCommerce;

pub use super::matching::MatchBy;
use crate::secret::SecretRef;

/// Most rows of one adjustment. 2,000 are allowed; a refused row costs fewer requests to find in a smaller one.
pub const ROWS_MAX: usize = 500;
/// Most rows of one price update (`PUT /v3/catalog/variants`).
pub const PRICE_ROWS_MAX: usize = 50;
/// How long an accepted adjustment may take to show. BigCommerce says "a short delay".
pub const READ_LAG: Duration = Duration::from_secs(10);
/// The address of all stores, followed by the store's hash.
pub const API_BASE: &str = "https://api.bigcommerce.com/stores";

/// When the shop's own number falls for an online order (`update_stock_behavior`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StockFalls {
    /// `order_placed`: open orders are off the number although their goods still lie on the shelf.
    OrderPlaced,
    /// `order_completed_or_shipped`: the number is what lies on the shelf.
    OrderShipped,
}

impl StockFalls {
    /// BigCommerce's word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OrderPlaced => "order_placed",
            Self::OrderShipped => "order_completed_or_shipped",
        }
    }
}

/// Whether orders that are shipped go out from this store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ships {
    /// Their goods lie on this store's shelf.
    Here,
    /// They are shipped from elsewhere; only pick-ups at this location concern the store.
    Elsewhere,
}

/// One store at BigCommerce and one location, every value checked.
#[derive(Debug, Clone)]
pub struct BigCommerceSettings {
    /// `https://api.bigcommerce.com/stores/<hash>`.
    pub base_url: url::Url,
    /// The location whose stock this store is; 1 is the default one.
    pub location: i64,
    /// The channel whose settings count; `None`: the shop's.
    pub channel: Option<i64>,
    /// The access token of a store-level API account.
    pub token: SecretRef,
    /// How a POS article finds its variant.
    pub match_by: MatchBy,
    /// When the shop's own number falls.
    pub stock_falls: StockFalls,
    /// Whether shipped orders go out from here.
    pub ships: Ships,
    /// Open a lane of prices.
    pub prices: bool,
    /// How long an accepted adjustment may take to show.
    pub read_lag: Duration,
    /// How long the shop may still work on a request whose reply was lost.
    pub settle_after: Duration,
    /// Whole request, reply included.
    pub request_timeout: Duration,
}

impl BigCommerceSettings {
    /// The usual settings for one store and location.
    #[must_use]
    pub fn new(base_url: url::Url, location: i64, token: SecretRef, stock_falls: StockFalls) -> Self {
        Self {
            base_url,
            location,
            channel: None,
            token,
            match_by: MatchBy::Sku,
            stock_falls,
            ships: Ships::Here,
            prices: false,
            read_lag: READ_LAG,
            settle_after: super::SETTLE_AFTER,
            request_timeout: Duration::from_secs(30),
        }
    }
}
