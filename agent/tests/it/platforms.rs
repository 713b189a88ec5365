//! The platforms over a real socket: what is sent, what a reply does, who asks for tokens and when.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a helper that cannot do its work fails the test")]

mod adobe;
mod bigcommerce;
mod contract;
mod documents;
mod door;
mod server;
mod shop;
mod square;
mod woocommerce;
