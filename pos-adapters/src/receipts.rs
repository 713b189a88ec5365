//! The receipt printer's line: captured bytes, receipts, and what they say was sold.

pub mod receipt;
pub mod settings;
// What printed tickets mean.
mod figures;
pub mod names;
mod pattern;
pub mod reading;
mod scrub;
pub mod template;
pub mod tickets;

pub use reading::TicketSettings;
pub use settings::ReceiptSettings;
