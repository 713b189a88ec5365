//! File sources on real files in a temporary folder; the caller's clock is a number.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a failing step of a test should stop it")]

mod captures;
mod chunking;
mod export;
mod hostile;
mod journal;
#[cfg(unix)]
mod printer_line;
mod receipt_text;
mod receipt_tickets;
mod settings;
mod support;
#[cfg(unix)]
mod terminals;
mod text;
mod tickets;
