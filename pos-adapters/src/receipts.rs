//! The receipt printer's line: captured bytes, receipts, and what they say was sold.

pub mod receipt;
pub mod settings;
// What printed tickets mean.
pub mod reading;
pub mod tickets;

pub use reading::TicketSettings;
pub use settings::ReceiptSettings;
