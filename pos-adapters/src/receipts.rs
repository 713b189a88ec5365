//! The receipt printer's line: captured bytes, receipts, and what they say was sold.
//!
//! ```text
//! bytes -> tokens (escpos | star) -> [journal] -> screen -> row -> Receipt
//!       -> template (patterns) -> tickets (provisional lines, control sums, names) -> transactions
//! ```

pub mod captured;
mod codepage;
mod codes;
mod files;
mod interpret;
pub mod journal;
pub mod judge;
pub mod line;
pub(crate) mod line_trial;
pub mod listen;
pub mod parse;
mod plan;
pub mod port;
mod probe;
pub mod reader;
pub mod receipt;
mod row;
mod screen;
pub mod serial;
pub mod settings;
pub mod store;
pub mod tcp;
pub(crate) mod text_trial;
mod tokens;
// What printed tickets mean.
mod figures;
pub mod learn;
pub mod names;
mod pattern;
pub mod reading;
mod scrub;
pub mod template;
pub(crate) mod ticket_trial;
pub mod tickets;

pub use judge::{Judgement, judge};
pub use parse::{Dialect, Parser};
pub use reader::ReceiptSource;
pub use reading::TicketSettings;
pub use settings::ReceiptSettings;
