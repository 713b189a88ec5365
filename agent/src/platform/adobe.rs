//! Adobe Commerce and Magento Open Source, by the REST API of multi-source inventory (2.4).
//!
//! A source's `quantity` is physical: an online order only takes a reservation, and its shipment takes goods and
//! reservation together. So the store's number goes there as it is, and `status` always with it, since a number of zero that
//! is called "in stock" sells goods that are not there.
//!
//! The API takes numbers only, last writer wins: no change, no key, no compare-and-set. A sale is therefore read, changed
//! and written, one request at a time, and never written a second time before it was read again. Between reading and
//! writing a shipment of the same article can be lost; the next reconciliation finds it (`docs/platforms/adobe-commerce.md`).
//!
//! What it never does: change what is reserved, make or delete products, write a source that is not ours.

mod classify;
mod client;
mod map;
mod oauth;
mod online;
mod prices;
mod wire;

use std::time::Duration;

pub use client::Adobe;

use crate::secret::SecretRef;

/// Most items of one list where input limiting is on, as the platform has it
/// (developer.adobe.com/commerce/webapi/get-started/api-security).
pub const ROWS_MAX: usize = 20;
/// Largest page under the same limits.
pub const PAGE: usize = 300;

/// How we prove who we are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Auth {
    /// An integration's four credentials; requests are signed (OAuth 1.0a, HMAC-SHA256).
    Integration {
        /// Consumer key. Not a secret by itself.
        consumer_key: SecretRef,
        /// Consumer secret.
        consumer_secret: SecretRef,
        /// Access token.
        access_token: SecretRef,
        /// Access token secret.
        access_token_secret: SecretRef,
    },
    /// A bare token; off by default since 2.4.4.
    Bearer(SecretRef),
    /// An admin user's name and password: tokens of some hours are fetched as needed.
    Admin {
        /// Its name.
        username: String,
        /// Its password.
        password: SecretRef,
    },
}

/// Which online orders are this store's to hand over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OrdersOf {
    /// Those that are collected here. What else is shipped from this source counts once it is shipped.
    #[default]
    Pickup,
    /// All: the site has no other source.
    All,
}

/// One site and source, every value checked.
#[derive(Debug, Clone)]
pub struct AdobeSettings {
    /// Where the REST API begins, as `https://shop.example.com/rest/V1`, without a slash at the end.
    pub rest_url: url::Url,
    /// Code of the source whose stock this store is.
    pub source: String,
    /// How we prove who we are.
    pub auth: Auth,
    /// Most rows of one write.
    pub rows_max: usize,
    /// Objects of one page.
    pub page: usize,
    /// Whole request, reply included.
    pub request_timeout: Duration,
    /// Assign an article to the source by itself if it is not yet.
    pub assign_missing: bool,
    /// Keep articles "in stock" at zero, for sites that take backorders.
    pub in_stock_at_zero: bool,
    /// Which online orders are this store's.
    pub orders: OrdersOf,
    /// The POS's prices are the site's, in this store view (0: the default scope). `None`: prices are left alone.
    pub prices: Option<u32>,
}

impl AdobeSettings {
    /// The usual settings for one site and source.
    #[must_use]
    pub fn new(rest_url: url::Url, source: &str, auth: Auth) -> Self {
        Self {
            rest_url,
            source: source.to_owned(),
            auth,
            rows_max: ROWS_MAX,
            page: PAGE,
            request_timeout: Duration::from_secs(30),
            assign_missing: false,
            in_stock_at_zero: false,
            orders: OrdersOf::Pickup,
            prices: None,
        }
    }
}
