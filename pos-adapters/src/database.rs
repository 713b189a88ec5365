//! Sales that a POS keeps in a database.
//!
//! ```text
//! settings + profile -> plan -> query (SQL text) -> engine (one short read-only look) -> map (rows -> tickets)
//!                                                                                     -> poll (what is new) -> chunk
//! ```
//! `plan`, `query`, `map` and `poll` are pure. Only engines talk to a database, and none of them holds a transaction,
//! a lock or a snapshot between two looks (invariant 10). A new sale is never found by "number greater than the last
//! one": numbers are drawn before they are committed, so they become visible out of order. See [`poll`].

mod check;
pub mod count;
pub mod engine;
pub mod engines;
pub mod map;
pub mod plan;
pub mod poll;
pub mod profile;
pub mod profiles;
pub mod query;
pub mod reader;
pub mod settings;
pub(crate) mod values;

pub use reader::DatabaseSource;
pub use settings::DatabaseSettings;
