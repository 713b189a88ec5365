//! Test doubles and the independent oracle of the whole program.
//!
//! [`shop`] stands in for Shopify, [`woocommerce`] for WooCommerce, [`adobe`] for Adobe Commerce, [`bigcommerce`] for
//! BigCommerce, [`square`] for Square, [`door`] for a middleware
//! behind the open `http` platform, [`till`] for the
//! registers of a store. [`oracle`] compares what the tills printed with what the shop applied, and asks the
//! agent nothing. [`world`] puts them around the real agent, [`kill_matrix`] breaks that on purpose. Nothing here
//! is linked into the agent, and the agent knows nothing of it.

pub mod adobe;
pub mod bigcommerce;
pub mod counter;
pub mod decimal;
pub mod dice;
pub mod door;
pub mod faults;
pub mod journal;
pub mod kill_matrix;
pub mod moment;
pub mod oracle;
pub mod server;
pub mod shop;
pub mod square;
pub mod till;
pub mod wire;
pub mod woocommerce;
pub mod world;

#[cfg(test)]
mod raw_http;

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks, also after a panic of another test thread: what a failed test left behind is still worth reading.
pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
