//! File sources on real files in a temporary folder; the caller's clock is a number.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a failing step of a test should stop it")]

mod chunking;
#[cfg(all(feature = "postgres", feature = "mysql"))]
mod database;
mod export;
mod journal;
mod profiles;
mod settings;
mod support;
mod text;
mod tickets;
