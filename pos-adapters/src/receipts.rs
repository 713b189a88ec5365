//! The receipt printer's line: captured bytes, receipts, and what they say was sold.

pub mod receipt;
pub mod settings;
pub mod store;

pub use settings::ReceiptSettings;
