//! What is known of a POS's tables, as data: queries, what their words mean, what they need.
//!
//! # What a sales query returns
//! One row a line, written so that it can stand as `SELECT … FROM (query) t WHERE t.seq >= … ORDER BY t.seq`: one
//! `SELECT` without parameters, `ORDER BY`, limit or a trailing `;`. The columns are found by name, letter case does
//! not matter, and columns that are not listed here are kept for `ignore` rules only.
//!
//! | column | | meaning |
//! | --- | --- | --- |
//! | `ticket` | required | what makes the ticket unique; where one column is not enough also `ticket_2`, `ticket_3`. See [`TicketId`] |
//! | `sold_at` | required | the POS's time of the sale, the same on all rows of a ticket; a time of the database, text `YYYY-MM-DD HH:MM:SS`, or a Unix time |
//! | `seq` | | a whole number that each new ticket draws from a sequence (`AUTO_INCREMENT`, identity), the same on all rows of a ticket. Finds new tickets, and deleted ones |
//! | `changed_at` | | when the ticket was last written, the same on all its rows. Finds edits and late uploads; without it `sold_at` is used |
//! | `register` | | the till |
//! | `status` | | `completed` (default), `cancelled`, `suspended`, `training`, or a word of [`Meaning::statuses`] |
//! | `line_no` | | order of the lines |
//! | `sku` | required | the article number; `NULL` with a `NULL` quantity is a ticket without lines (`LEFT JOIN`) |
//! | `quantity` | required | how many, or how much by weight; sign as [`Meaning::quantity`] says |
//! | `factor`, `divisor` | | whole or decimal numbers: stock units = quantity × factor ÷ divisor, exactly |
//! | `kind` | | `sale` (default), `return`, `receipt`, `adjustment`, or a word of [`Meaning::kinds`] |
//! | `online_order` | | the online order that the ticket rings up, the same on all its rows |
//! | `ignored` | | a rule's name if the line moves no stock, else `NULL` or empty |
//! | `line_count` | | how many lines the ticket's header says it has; the ticket waits until they are there |
//! | `total`, `line_total` | | the header's total and each line's share; the ticket waits until they agree |
//!
//! The filter on `seq`, `changed_at` or `sold_at` is put around the query, so those columns should be plain columns of
//! the header table that have an index; databases move such a filter inside.

use sync_core::model::{LineKind, TransactionStatus};

use super::engine::Dialect;
use crate::file::settings::QuantitySign;

/// A POS whose database can be read without writing SQL.
#[derive(Debug, Clone, Copy)]
pub struct Profile {
    /// The word in `profile`.
    pub name: &'static str,
    /// Product and versions, for people.
    pub pos: &'static str,
    /// Databases that it comes with.
    pub dialects: &'static [Dialect],
    /// Tables that must be there, with the columns that are read. Grants are made from it.
    pub tables: &'static [Table],
    /// What `[source.options]` may say.
    pub options: &'static [ProfileOption],
    /// Sales, returns, voids: see the module's documentation.
    pub sales: Sql,
    /// Stock on hand: columns `sku`, `quantity`; rows of one SKU are added up.
    pub on_hand: Option<Sql>,
    /// Sales that the stock on hand does not know yet (columns `sku`, `quantity`: positive was sold), for
    /// [`OnHandLag`]s other than [`OnHandLag::AtSale`]; they are taken off the stock on hand.
    pub unapplied: Option<Sql>,
    /// When the POS's own stock on hand moves.
    pub lag: OnHandLag,
    /// Articles: columns `sku`, `name`, `price`, and `barcode` if there is one; one row for each barcode.
    pub products: Option<Sql>,
    /// What the words and signs of the sales query mean.
    pub meaning: Meaning,
    /// Whether `ticket` alone is unique for ever.
    pub ticket: TicketId,
    /// Whose clock its times without a zone are.
    pub clock: PosClock,
    /// How tickets come into the database.
    pub settle: Settle,
    /// What this profile cannot see, for the documentation and `check`.
    pub blind_spots: &'static [&'static str],
}

/// A query, in common SQL or by dialect. `{name}` is replaced by the value of an option, as a quoted literal
/// ([`OptionKind::Text`]), a bare number, a bare name, or a list of quoted literals.
#[derive(Debug, Clone, Copy)]
pub struct Sql {
    /// For every dialect that is not listed in `by_dialect`.
    pub common: &'static str,
    /// Where a dialect needs its own.
    pub by_dialect: &'static [(Dialect, &'static str)],
}

impl Sql {
    /// The text for a dialect.
    #[must_use]
    pub fn text(&self, dialect: Dialect) -> &'static str {
        self.by_dialect.iter().find(|(known, _)| *known == dialect).map_or(self.common, |(_, text)| text)
    }
}

/// A table that a profile reads.
#[derive(Debug, Clone, Copy)]
pub struct Table {
    /// Name as the POS made it, with schema and quotes where it needs them; may hold `{options}` of names.
    pub name: &'static str,
    /// The columns that are read, with quotes where they need them. Nobody's name, address or card is among them.
    pub columns: &'static [&'static str],
}

/// A key of `[source.options]`.
#[derive(Debug, Clone, Copy)]
pub struct ProfileOption {
    /// The key.
    pub name: &'static str,
    /// What its value is.
    pub kind: OptionKind,
    /// Used where the key is left out; `None` makes the key required. An empty list is the default `""`.
    pub default: Option<&'static str>,
    /// What it is for.
    pub help: &'static str,
}

/// What the value of an option is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OptionKind {
    /// Becomes `'text'`.
    Text,
    /// Becomes a whole number.
    Integer,
    /// Becomes the bare name of a table, column or schema: letters, digits, `_`.
    Name,
    /// Becomes `'a','b'`; an empty list becomes `''`.
    List,
}

/// When the POS's own stock on hand moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnHandLag {
    /// With each sale.
    AtSale,
    /// When tickets are posted.
    AtPosting,
    /// When the day or the session is closed.
    AtClose,
    /// Only when somebody counts: it is no stock on hand at all times.
    AtPhysicalCount,
}

/// What the words and signs of the sales query mean. Words are compared without regard to letter case and blanks.
#[derive(Debug, Clone, Copy)]
pub struct Meaning {
    /// How the quantity is to be read.
    pub quantity: QuantitySign,
    /// Words of the `kind` column beside our own.
    pub kinds: &'static [(&'static str, LineKind)],
    /// Words of the `status` column beside our own.
    pub statuses: &'static [(&'static str, TransactionStatus)],
    /// Lines that move no stock.
    pub ignore: &'static [Ignore],
}

impl Meaning {
    /// Positive was sold, negative came back; our own words.
    pub const PLAIN: Self = Self { quantity: QuantitySign::Signed, kinds: &[], statuses: &[], ignore: &[] };
}

/// Lines that move no stock by the value of a column.
#[derive(Debug, Clone, Copy)]
pub struct Ignore {
    /// Name of the rule, shown beside each line.
    pub rule: &'static str,
    /// A column of the sales query.
    pub column: &'static str,
    /// The values.
    pub equals: &'static [&'static str],
}

/// Whether a ticket's number comes again for another ticket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TicketId {
    /// Never: a UUID, or a name that holds the date.
    Unique,
    /// After a restore, a restart of the database or a clean-up it may: `sold_at` becomes part of the key.
    Reusable,
}

/// Whose clock a time without a zone is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PosClock {
    /// The store's.
    Store,
    /// UTC.
    Utc,
}

/// How tickets come into the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settle {
    /// Header and lines in one database transaction: a ticket that is seen is complete.
    Together,
    /// Header and lines one after the other: a ticket must stay unchanged for the settle time, and its `line_count`
    /// or `total` must agree.
    Apart,
}
