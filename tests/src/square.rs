//! The stand-in Square: it follows the published contract where the agent relies on it, and its traps.
//!
//! The inventory is a ledger ordered by when things happened: the number of an article is its last physical count and
//! all adjustments dated after it, whatever order they came in. `occurred_at` is neither in the future nor older than 24
//! hours. A key that is used again with the same body gives the first answer, with another body a refusal. The catalogue
//! knows versions, and takes one writer at a time. Searches do not mind letter case. Only one `Square-Version` is answered.

mod catalogue;
mod inventory;
mod machine;
mod orders;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

pub use self::catalogue::NewVariation;
pub use self::machine::SquareMachine;
pub use self::orders::{Order, OrderState};
use crate::counter::Counter;

/// How the seller is set up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SquareSettings {
    /// Port on 127.0.0.1; 0 takes any free one.
    pub port: u16,
    /// The only version that is answered.
    pub version: String,
    /// The seller's location.
    pub location: String,
    /// Access tokens that are let in.
    pub tokens: Vec<String>,
    /// Scopes of every token.
    pub scopes: Vec<String>,
    /// Requests a second; more are refused with `RATE_LIMITED`.
    pub requests_per_second: u64,
    /// Where the journal goes.
    pub journal: Option<PathBuf>,
    /// Decides which requests are hit by chance.
    pub seed: u64,
}

impl Default for SquareSettings {
    fn default() -> Self {
        Self {
            port: 0,
            version: "2025-08-20".to_owned(),
            location: "LSTANDIN".to_owned(),
            tokens: vec!["stand-in-token".to_owned()],
            scopes: ["MERCHANT_PROFILE_READ", "ITEMS_READ", "INVENTORY_READ", "INVENTORY_WRITE", "ORDERS_READ"]
                .map(str::to_owned)
                .to_vec(),
            requests_per_second: 40,
            journal: None,
            seed: 1,
        }
    }
}

/// The seller behind a port.
pub type StandInSquare = Counter<SquareMachine>;

/// Opens it on 127.0.0.1.
///
/// # Errors
/// The journal cannot be opened, or the port is taken.
pub async fn open(settings: SquareSettings) -> anyhow::Result<StandInSquare> {
    let (port, seed) = (settings.port, settings.seed);
    Counter::open(SquareMachine::new(settings)?, port, seed).await
}
