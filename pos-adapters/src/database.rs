//! Sales that a POS keeps in a database.

pub mod engine;
pub mod settings;

pub use settings::DatabaseSettings;
