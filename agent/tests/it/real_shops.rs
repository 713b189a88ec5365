//! The connectors against real shops: Medusa and Vendure as `cargo xtask shops start` runs them, with real shoppers at
//! their storefronts. Where a shop does not run, its tests say that they are skipped.
//!
//! Every test makes products of its own (and at Medusa a stock location of its own), so they may share a shop.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a helper that cannot do its work fails the test")]

mod medusa;
mod medusa_shop;
mod relay;
mod ring_up;
mod vendure;
mod vendure_shop;
mod web;
