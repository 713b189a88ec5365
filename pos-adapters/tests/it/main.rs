//! File sources on real files in a temporary folder; the caller's clock is a number.

mod chunking;
mod export;
mod journal;
mod settings;
mod support;
mod text;
mod tickets;
