//! The receipt printer's line: captured bytes, receipts, and what they say was sold.
//!
//! ```text
//! bytes -> tokens (escpos | star) -> [journal] -> screen -> row -> Receipt -> templates
//! ```

mod codepage;
mod codes;
pub mod journal;
pub mod judge;
pub mod parse;
pub mod receipt;
mod row;
mod screen;
pub mod settings;
pub(crate) mod text_trial;
mod tokens;

pub use judge::{Judgement, judge};
pub use parse::{Dialect, Parser};
pub use settings::ReceiptSettings;
