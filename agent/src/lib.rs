//! The store agent: reads what the POS writes, keeps an exact ledger and outbox, tells the shop.
//!
//! ```text
//! wake ─► ingest (one thread a source) ─► writer (one thread, one SQL transaction a group) ─► push (tokio)
//!            pos_adapters::PosSource        sync_core::{ledger, outbox}, db                     platform::*
//! ```
//!
//! What is never done where: only `clock` reads time, only `db` opens the database, only `writer` writes it, only
//! `platform::<name>` knows a platform's JSON, and no executor decides what `sync_core` could decide.

pub mod audit;
pub mod cli;
pub mod clock;
pub mod commands;
pub mod config;
pub mod connect;
pub mod counts;
pub mod crash;
pub mod db;
pub mod diag;
pub mod disk;
pub mod feeds;
pub mod ingest;
pub mod orders;
pub mod platform;
pub mod push;
pub mod receive;
pub mod reconcile;
pub mod replay;
pub mod requests;
pub mod run;
pub mod sabotage;
pub mod schedule;
pub mod secret;
pub mod status;
pub mod telemetry;
pub mod upkeep;
pub mod wake;
pub mod writer;
