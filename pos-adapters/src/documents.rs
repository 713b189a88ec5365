//! Retail file standards: ARTS POSLog, NAXML POSJournal, Verifone transaction sets, DSFinV-K, SAF-T cash register.
//!
//! ```text
//! scan -> reader (what has settled) -> run (one file) -+-> feed: xml -> tree -> <format>::parse -> <format>::map -+-> ticket
//!                                                      +-> dsfinvk: index.xml, tables -> parse -> map ------------+
//! ```
//! `xml`, `tree`, `feed`, `redact`, `ticket` and the folders of the formats are pure; `reader`, `run` and `archive` do IO.
//! No file is written, locked or kept open between two polls (invariant 10).

pub(crate) mod archive;
mod cursor;
pub(crate) mod dsfinvk;
pub(crate) mod feed;
mod naxml;
mod poslog;
pub mod reader;
mod redact;
mod run;
mod saft;
pub mod settings;
pub(crate) mod ticket;
mod tree;
pub(crate) mod trial;
mod verifone;
mod xml;

pub use reader::DocumentSource;
pub use settings::DocumentSettings;

use feed::Format;
use settings::DocumentFormat;
use ticket::Rules;

/// The parser of an XML format; none for DSFinV-K, which is made of tables.
fn xml_format(format: DocumentFormat, rules: &Rules) -> Option<Box<dyn Format>> {
    let rules = rules.clone();
    match format {
        DocumentFormat::Poslog => Some(Box::new(poslog::parse::Poslog::new(rules))),
        DocumentFormat::Naxml => Some(Box::new(naxml::parse::Naxml::new(rules))),
        DocumentFormat::Verifone => Some(Box::new(verifone::parse::Verifone::new(rules))),
        DocumentFormat::Saft => Some(Box::new(saft::parse::Saft::new(rules))),
        DocumentFormat::Dsfinvk => None,
    }
}
