//! The receipt printer's line: captured bytes, receipts, and what they say was sold.

pub mod line;
pub mod port;
pub mod receipt;
pub mod serial;
pub mod settings;
pub mod store;
pub mod tcp;

pub use settings::ReceiptSettings;
