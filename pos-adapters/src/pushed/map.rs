//! From what was posted to snapshots of transactions. Pure.
//!
//! A key is made of everything that makes a ticket unique: who posted it, then the source of a collector or the
//! register and business date, then the number. Its first part comes from the key that signed, never from the body, so
//! nobody can write over another's tickets, and a collector that was set up anew finds its own again.

pub mod shopify;
pub mod square;

use jiff::tz::TimeZone;
use sync_core::model::{
    Extent, LineItem, LineKind, Quantity, Segment, Sku, Timestamp, Transaction, TransactionKey, TransactionStatus,
};

use super::inbox::Revised;
use super::parse::{
    ChangeWord, KindWord, Posted, PostedChange, PostedLine, PostedTransaction, StatusWord, Text, Unreadable,
};
use super::plan::Key;
use crate::Quarantined;
use crate::file::scrub;

/// What a request comes to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Mapped {
    /// Snapshots, in order.
    pub transactions: Vec<Revised>,
    /// What could not be read.
    pub quarantined: Vec<Quarantined>,
    /// What a named rule left out.
    pub ignored: Vec<(String, u64)>,
}

impl Mapped {
    /// Keeps what cannot be read for a person, scrubbed.
    pub(super) fn set_apart(&mut self, place: &str, unreadable: &Unreadable) {
        let (at, reason) = (place.to_owned(), unreadable.reason.clone());
        self.quarantined.push(Quarantined { at, reason, raw: scrub::raw(&unreadable.raw), records: 1 });
    }

    fn ignore(&mut self, rule: &str) {
        self.ignored.push((rule.to_owned(), 1));
    }
}

/// Maps a body of our own.
#[must_use]
pub fn posted(key: &Key, zone: &TimeZone, place: &str, posted: Posted) -> Mapped {
    let mut mapped = Mapped::default();
    for (at, row) in posted.transactions.into_iter().enumerate() {
        let place = format!("{place}, transaction {}", at.saturating_add(1));
        match row.and_then(|row| {
            let raw = serde_json::to_string(&row).unwrap_or_default();
            transaction(key, zone, row).map_err(|reason| Unreadable { reason, raw })
        }) {
            Ok(revised) => mapped.transactions.push(revised),
            Err(unreadable) => mapped.set_apart(&place, &unreadable),
        }
    }
    let batch = posted.batch.unwrap_or_default();
    for (at, row) in posted.changes.into_iter().enumerate() {
        let place = format!("{place}, change {}", at.saturating_add(1));
        match row.and_then(|row| {
            let raw = serde_json::to_string(&row).unwrap_or_default();
            change(key, zone, &posted.store, &batch, row).map_err(|reason| Unreadable { reason, raw })
        }) {
            Ok(revised) => mapped.transactions.push(revised),
            Err(unreadable) => mapped.set_apart(&place, &unreadable),
        }
    }
    mapped
}

/// Parts of a key, so that no two lists of parts give the same text.
pub(super) fn joined(parts: &[&str]) -> TransactionKey {
    let escaped: Vec<String> = parts.iter().map(|part| part.replace('\\', "\\\\").replace('|', "\\|")).collect();
    TransactionKey::new(escaped.join("|"))
}

/// Snapshots of one poster form one segment.
pub(super) fn segment(key: &Key) -> Segment {
    Segment::new(format!("http:{}", key.name))
}

fn transaction(key: &Key, zone: &TimeZone, posted: PostedTransaction) -> Result<Revised, String> {
    let text = |text: &Option<Text>| text.as_ref().map(|text| text.0.clone()).unwrap_or_default();
    let (number, register) = (posted.transaction.0.as_str(), text(&posted.register));
    if number.trim().is_empty() {
        return Err(
            "`transaction` is empty: a ticket without a number cannot be recognised when it comes again".to_owned()
        );
    }
    let unique = match &posted.source {
        Some(source) => joined(&[&key.name, "from", &source.0, number]),
        None => joined(&[&key.name, &register, &text(&posted.business_date), number]),
    };
    let lines = posted
        .lines
        .into_iter()
        .enumerate()
        .map(|(at, row)| line(row).map_err(|reason| format!("line {}: {reason}", at.saturating_add(1))));
    let transaction = Transaction {
        key: unique,
        register,
        sold_at: time("sold_at", posted.sold_at.as_deref(), zone)?,
        status: status(posted.status),
        online_order: posted.online_order.map(|text| text.0).filter(|text| !text.trim().is_empty()),
        extent: Extent::Whole,
        segment: segment(key),
        lines: lines.collect::<Result<_, _>>()?,
    };
    Ok(Revised { transaction, revision: posted.revision })
}

const fn status(word: Option<StatusWord>) -> TransactionStatus {
    match word {
        None | Some(StatusWord::Completed) => TransactionStatus::Completed,
        Some(StatusWord::Cancelled) => TransactionStatus::Cancelled,
        Some(StatusWord::Suspended) => TransactionStatus::Suspended,
        Some(StatusWord::Training) => TransactionStatus::Training,
    }
}

fn line(row: PostedLine) -> Result<LineItem, String> {
    let sku = row.sku.0;
    if sku.trim().is_empty() {
        return Err("`sku` is empty".to_owned());
    }
    let word = row.kind.unwrap_or(KindWord::Sale);
    let (delta, kind) = match (row.quantity, row.delta) {
        (Some(quantity), None) => from_quantity(word, quantity.0)?,
        (None, Some(delta)) => (delta.0, line_kind(word)),
        (Some(_), Some(_)) => {
            return Err("give `quantity` (as rung up) or `delta` (change of stock), not both".to_owned());
        }
        (None, None) => return Err("`quantity` is missing".to_owned()),
    };
    Ok(LineItem { sku: Sku::new(sku), delta, kind, ignored: None })
}

/// A quantity as rung up: goods sold and goods that came back are both positive.
fn from_quantity(word: KindWord, quantity: Quantity) -> Result<(Quantity, LineKind), String> {
    match word {
        KindWord::Sale if quantity.is_negative() => Ok((quantity.negated(), LineKind::Return)),
        KindWord::Sale => Ok((quantity.negated(), LineKind::Sale)),
        KindWord::Return | KindWord::Receipt if quantity.is_negative() => {
            Err("a return or receipt has a positive `quantity`; use `delta` for anything else".to_owned())
        }
        KindWord::Return => Ok((quantity, LineKind::Return)),
        KindWord::Receipt => Ok((quantity, LineKind::Receipt)),
        KindWord::Adjustment => Err("an adjustment needs `delta`, the signed change of stock".to_owned()),
    }
}

const fn line_kind(word: KindWord) -> LineKind {
    match word {
        KindWord::Sale => LineKind::Sale,
        KindWord::Return => LineKind::Return,
        KindWord::Receipt => LineKind::Receipt,
        KindWord::Adjustment => LineKind::Adjustment,
    }
}

/// A change is a ticket of one line, known by its batch and number: the sender gives neither again.
fn change(key: &Key, zone: &TimeZone, store: &str, batch: &str, posted: PostedChange) -> Result<Revised, String> {
    if batch.is_empty() || posted.id.0.is_empty() || posted.sku.0.trim().is_empty() {
        return Err("a change needs its `batch`, its `id` and a `sku`".to_owned());
    }
    let kind = match posted.kind {
        ChangeWord::Sale => LineKind::Sale,
        ChangeWord::Return => LineKind::Return,
        ChangeWord::Receipt => LineKind::Receipt,
        ChangeWord::Pick => LineKind::Sale,
        ChangeWord::Adjustment | ChangeWord::Edit | ChangeWord::Void | ChangeWord::Correction | ChangeWord::Mixed => {
            LineKind::Adjustment
        }
    };
    let transaction = Transaction {
        key: joined(&[&key.name, "change", store, batch, &posted.id.0]),
        register: String::new(),
        sold_at: time("sold_at", posted.sold_at.as_deref(), zone)?,
        status: TransactionStatus::Completed,
        online_order: None,
        extent: Extent::Whole,
        segment: segment(key),
        lines: vec![LineItem { sku: Sku::new(posted.sku.0), delta: posted.delta.0, kind, ignored: None }],
    };
    Ok(Revised { transaction, revision: None })
}

/// RFC 3339, or a local time of the store.
pub(super) fn time(field: &str, text: Option<&str>, zone: &TimeZone) -> Result<Option<Timestamp>, String> {
    let Some(text) = text.map(str::trim).filter(|text| !text.is_empty()) else { return Ok(None) };
    if let Ok(at) = text.parse::<jiff::Timestamp>() {
        return Ok(Some(Timestamp(at.as_microsecond())));
    }
    let local = text.parse::<jiff::civil::DateTime>().ok();
    match local.and_then(|local| zone.to_ambiguous_timestamp(local).compatible().ok()) {
        Some(at) => Ok(Some(Timestamp(at.as_microsecond()))),
        None => Err(format!("`{field}` is not a time such as `2026-11-24T10:00:00+01:00`")),
    }
}

#[cfg(test)]
mod tests;
