//! The receipt printer's line: captured bytes, receipts, and what they say was sold.
//!
//! ```text
//! bytes -> tokens (escpos | star) -> [journal] -> screen -> row -> Receipt -> templates
//! ```

mod codepage;
mod codes;
pub mod journal;
pub mod judge;
pub mod line;
pub mod parse;
pub mod port;
pub mod receipt;
mod row;
mod screen;
pub mod serial;
pub mod settings;
pub mod store;
pub mod tcp;
mod tokens;

pub use judge::{Judgement, judge};
pub use parse::{Dialect, Parser};
pub use settings::ReceiptSettings;
