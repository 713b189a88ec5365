//! File sources on real files in a temporary folder; the caller's clock is a number.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a failing step of a test should stop it")]

mod captures;
mod chunking;
mod export;
mod journal;
mod receipt_text;
mod settings;
mod support;
mod text;
mod tickets;
