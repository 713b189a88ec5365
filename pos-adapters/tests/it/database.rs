//! Databases that a till writes while we read: real servers, real concurrent writers, and a ledger that must agree with
//! the database's own sums in the end.

mod busy;
mod edits;
mod firebird;
mod order;
mod reach;
mod rights;
mod shop;
mod till;
