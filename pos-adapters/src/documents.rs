//! Retail file standards: documents that hold whole transactions.

pub mod settings;

pub use settings::DocumentSettings;
