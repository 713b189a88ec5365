//! The ready-made profiles on schemas written from the documented table and column names, with made-up data that shows
//! each POS's traps.
//!
//! [`shop`] reads everything at each look, so a story says exactly what moves; [`whole`] goes through the poller.
//! Profiles of SQL Server are told on SQLite and PostgreSQL; what differs there is looked at as text in [`text`].

#![expect(clippy::print_stdout, reason = "a test that has no server says so, and on which database it runs")]
#![expect(clippy::unwrap_in_result, reason = "only a missing server is skipped; any other failure stops the test")]

mod aronium;
mod counterpoint;
mod erpnext;
mod floreant;
mod grants;
mod odoo;
mod rights;
mod rms;
mod sambapos;
mod server;
mod shop;
mod text;
mod unicenta;
mod whole;
