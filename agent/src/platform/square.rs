//! Square, by its Inventory, Catalog and Orders APIs, pinned to one `Square-Version`.
//!
//! Square keeps a ledger ordered by when things happened (`occurred_at`): the number is the last physical count and all
//! adjustments after it. A sale is an adjustment `IN_STOCK` → `SOLD` under an idempotency key; what Square keeps of it
//! carries our key as `reference_id`, so that after a lost reply the history says for certain whether it is there. There is
//! no compare-and-set: a physical count dated at the moment at which the number was read has the same effect, because
//! online orders that came in since lie after it ([`ledger`]).
//!
//! `occurred_at` may be neither in the future nor older than 24 hours, so what waited longer is dated a little less than
//! that; a request that grew too old while waiting is made anew under a new key.
//!
//! Sources: developer.squareup.com, "Inventory API: how it works", "Handling errors"; the published specification of
//! 2025-08-20. Tested against a stand-in only.

mod classify;
mod client;
mod ledger;
mod lookup;
mod map;
mod money;
mod orders;
mod prices;
mod wire;

use std::time::Duration;

pub use client::Square;

pub use super::matching::MatchBy;
use crate::secret::SecretRef;

/// The version that the requests are written for. Later ones name the locations of an adjustment differently.
pub const SQUARE_VERSION: &str = "2025-08-20";
/// Square's own address.
pub const BASE_URL: &str = "https://connect.squareup.com";
/// Most rows of one request to change the inventory (Square's SDKs: 100).
pub const ROWS_MAX: usize = 100;
/// Most prices of one request; Square takes 1,000 objects a batch, each of them read before.
pub const PRICE_ROWS_MAX: usize = 100;
/// How long after its first send a key is relied on. Square does not say how long it keeps them; afterwards the history
/// tells, which needs no key.
pub const KEY_WINDOW: Duration = Duration::from_hours(1);
/// Oldest `occurred_at` of a new request: Square's 24 hours less the time in which it may be sent again.
pub const OLDEST: Duration = Duration::from_hours(22);
/// How far this machine's clock may be from Square's.
pub const CLOCK_SKEW_MAX: Duration = Duration::from_secs(60);
/// What the application must be granted for stock.
pub const SCOPES: [&str; 5] =
    ["MERCHANT_PROFILE_READ", "ITEMS_READ", "INVENTORY_READ", "INVENTORY_WRITE", "ORDERS_READ"];
/// What prices need beside [`SCOPES`].
pub const PRICE_SCOPE: &str = "ITEMS_WRITE";

/// One location of a Square seller, every value checked.
#[derive(Debug, Clone)]
pub struct SquareSettings {
    /// [`BASE_URL`], or the sandbox's.
    pub base_url: url::Url,
    /// The location whose stock this store is.
    pub location: String,
    /// An access token: a personal one, or one that is renewed from outside.
    pub token: SecretRef,
    /// How a POS article finds its variation.
    pub match_by: MatchBy,
    /// Open a lane of prices.
    pub prices: bool,
    /// Whole request, reply included.
    pub request_timeout: Duration,
}

impl SquareSettings {
    /// The usual settings for one location.
    #[must_use]
    pub fn new(base_url: url::Url, location: String, token: SecretRef) -> Self {
        Self {
            base_url,
            location,
            token,
            match_by: MatchBy::Sku,
            prices: false,
            request_timeout: Duration::from_secs(30),
        }
    }
}
