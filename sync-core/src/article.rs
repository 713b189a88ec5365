//! Which article a till means, and how much of it: barcodes, weight and price codes, packs, kits, and lines that move
//! no stock.
//!
//! Tills name one article in many ways: its number, any of several barcodes, a PLU padded to fourteen digits, a code
//! that holds a weight or a price. An [`ArticleTable`] knows the store's articles and says for each code which SKU
//! is meant; [`resolve`] turns the lines of a transaction into lines of stocked SKUs.
//!
//! - Nothing is guessed: a code that two SKUs have is blocked and listed ([`Collision`]); a code that the table does not
//!   know stays as it is, or is refused, as the store wants it.
//! - Units are exact fractions ([`Ratio`]); a quantity that cannot be written exactly is refused, never rounded, but for
//!   a weight that is worked out from a printed price, which is rounded to a gram as scales do.
//! - A kit is taken apart once, here or by the POS, never by both.
//! - What was resolved depends on the line and the table alone: reading again gives the same, and after a change of the
//!   table the ledger's difference moves what was booked wrongly.

pub mod gs1;
pub mod gtin;
pub mod ratio;
pub mod resolve;
pub mod restricted;
pub mod table;

pub use ratio::Ratio;
pub use resolve::{Kits, Resolved, resolve};
pub use table::{Article, ArticleTable, Collision, Found, Rules, Unknown};
