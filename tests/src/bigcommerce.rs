//! The stand-in BigCommerce: it follows the published contract where the agent relies on it, and its traps.
//!
//! Adjustments are decided at once and in order, but what reads show lags behind. A relative adjustment is refused whole if
//! one of its rows would fall below what may be sold (on hand less safety stock) or was never set by an absolute one;
//! absolute ones are never refused for their quantity. There are no keys: the same request counts twice. Requests are
//! counted in windows that every reply tells, and refused beyond them; a second kind of 429 tells nothing. Stock falls when
//! an order is placed, or when it is shipped, as the shop's setting says.

mod machine;
mod orders;
#[cfg(test)]
mod tests;
mod views;

use std::path::PathBuf;

pub use self::machine::{BigCommerceMachine, Level, NewVariant, Tracking};
pub use self::orders::{Order, Status};
use crate::counter::Counter;

/// How the store is set up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BigCommerceSettings {
    /// Port on 127.0.0.1; 0 takes any free one.
    pub port: u16,
    /// The store's hash, part of every path.
    pub store_hash: String,
    /// Access tokens that are let in.
    pub tokens: Vec<String>,
    /// Scopes of the API account; a request without its scope gets a 403.
    pub scopes: Vec<Scope>,
    /// Ids of the locations; the first one is the default.
    pub locations: Vec<i64>,
    /// `order_placed` or `order_completed_or_shipped`.
    pub update_stock_behavior: String,
    /// How long a change takes to show in reads, milliseconds.
    pub lag_ms: i64,
    /// Requests of one window.
    pub quota: u64,
    /// The window, milliseconds.
    pub window_ms: i64,
    /// Where the journal goes.
    pub journal: Option<PathBuf>,
    /// Decides which requests are hit by chance.
    pub seed: u64,
}

/// What an API account may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Store Inventory, read-only.
    InventoryRead,
    /// Store Inventory, modify.
    Inventory,
    /// Products, read-only.
    ProductsRead,
    /// Products, modify.
    Products,
    /// Orders, read-only.
    OrdersRead,
    /// Store Locations, read-only.
    LocationsRead,
    /// Information & settings, read-only.
    SettingsRead,
}

impl Default for BigCommerceSettings {
    fn default() -> Self {
        Self {
            port: 0,
            store_hash: "standin".to_owned(),
            tokens: vec!["stand-in-token".to_owned()],
            scopes: vec![
                Scope::Inventory,
                Scope::ProductsRead,
                Scope::OrdersRead,
                Scope::LocationsRead,
                Scope::SettingsRead,
            ],
            locations: vec![1],
            update_stock_behavior: "order_placed".to_owned(),
            lag_ms: 300,
            quota: 150,
            window_ms: 30_000,
            journal: None,
            seed: 1,
        }
    }
}

/// The store behind a port.
pub type StandInBigCommerce = Counter<BigCommerceMachine>;

/// Opens it on 127.0.0.1.
///
/// # Errors
/// The journal cannot be opened, or the port is taken.
pub async fn open(settings: BigCommerceSettings) -> anyhow::Result<StandInBigCommerce> {
    let (port, seed) = (settings.port, settings.seed);
    Counter::open(BigCommerceMachine::new(settings)?, port, seed).await
}
