//! Our words to Vendure's and back: frozen bytes, which variant is the article, what a write really did, what an order
//! holds of our shelf.

use serde::{Deserialize, Serialize};
use sync_core::model::{Sku, Timestamp};

use super::MatchBy;
use super::wire::{Movement, Order, StockLevel, Variant};
use crate::platform::{Absolute, Level, OnlineOrder, OrderLine};

/// Log entries that move what is on hand, beside the adjustments of writes.
const MOVES_ON_HAND: [&str; 3] = ["SALE", "CANCELLATION", "RETURN"];
const ADJUSTMENT: &str = "ADJUSTMENT";
/// A fulfilment in this state has given its goods back.
const CANCELLED: &str = "Cancelled";
/// States of orders that still hold goods on the shelf.
pub(super) const OPEN_STATES: [&str; 6] = [
    "PaymentAuthorized",
    "PaymentSettled",
    "PartiallyShipped",
    "PartiallyDelivered",
    "Modifying",
    "ArrangingAdditionalPayment",
];
/// States of orders that have been sent out.
pub(super) const SENT_STATES: [&str; 2] = ["Shipped", "Delivered"];

/// A stock location.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// Its number.
    Id(String),
    /// Its name, which must be the only one.
    Name(String),
}

impl Location {
    /// Reads a number or else a name.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let text = text.trim();
        let is_number = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        if is_number { Self::Id(text.to_owned()) } else { Self::Name(text.to_owned()) }
    }
}

/// What is stored of a write before it is sent. `expected` was read; nothing is written if it is no longer so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Frozen {
    pub(super) rows: Vec<FrozenRow>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct FrozenRow {
    pub(super) id: String,
    pub(super) stock_on_hand: i64,
    pub(super) expected: i64,
}

pub(super) fn freeze(rows: &[Absolute]) -> Vec<u8> {
    let rows = rows
        .iter()
        .map(|row| FrozenRow { id: row.part.item.clone(), stock_on_hand: row.on_hand, expected: row.expected })
        .collect();
    json(&Frozen { rows })
}

pub(super) fn json<T: Serialize + ?Sized>(value: &T) -> Vec<u8> {
    serde_json::to_vec(value).expect("plain structs with text keys always serialise")
}

/// The number at our location.
pub(super) fn at(levels: &[StockLevel], location: &str) -> Option<i64> {
    levels.iter().find(|level| level.stock_location_id == location).map(|level| level.stock_on_hand)
}

/// Which of the hits is the article.
#[derive(Debug)]
pub(super) enum Pick<'a> {
    Nothing,
    One(&'a Variant),
    Several(Vec<String>),
}

/// The variant's code that `match_by` compares first.
pub(super) fn code<'a>(match_by: &MatchBy, variant: &'a Variant) -> Option<&'a str> {
    match match_by {
        MatchBy::Sku | MatchBy::SkuThenBarcode(_) => Some(variant.sku.as_str()),
        MatchBy::Barcode(field) => barcode(field, variant),
    }
    .filter(|code| !code.is_empty())
}

fn barcode<'a>(field: &str, variant: &'a Variant) -> Option<&'a str> {
    variant.custom_fields.get(field)?.as_str()
}

/// Exact comparison: the database's own may ignore letter case.
pub(super) fn pick<'a>(match_by: &MatchBy, sku: &str, hits: &'a [Variant]) -> Pick<'a> {
    let mut found: Vec<&'a Variant> = hits.iter().filter(|variant| code(match_by, variant) == Some(sku)).collect();
    if let (true, MatchBy::SkuThenBarcode(field)) = (found.is_empty(), match_by) {
        found = hits.iter().filter(|variant| barcode(field, variant) == Some(sku)).collect();
    }
    match found.as_slice() {
        [] => Pick::Nothing,
        [one] => Pick::One(one),
        several => {
            Pick::Several(several.iter().map(|variant| format!("{} ({})", title(variant), variant.id)).collect())
        }
    }
}

/// The variant's name, which repeats the product's.
pub(super) fn title(variant: &Variant) -> String {
    match &variant.product {
        Some(product) if variant.name.is_empty() => product.name.clone(),
        Some(_) | None => variant.name.clone(),
    }
}

/// The number of a variant at our location.
pub(super) fn level(match_by: &MatchBy, variant: &Variant, location: &str) -> Option<Level> {
    let number = at(&variant.stock_levels, location)?;
    Some(Level { item: variant.id.clone(), sku: Sku::from(code(match_by, variant)?), number })
}

/// A write as it was meant, and what was seen after it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Written<'a> {
    /// The number before it.
    pub(super) before: i64,
    /// By how much it was to change.
    pub(super) meant: i64,
    /// The number after it.
    pub(super) after: i64,
    /// Log entries since `before` was read.
    pub(super) log: &'a [Movement],
    /// The shop has one location only, so that every entry is about ours.
    pub(super) one_location: bool,
}

/// What is still to be added so that the write has changed the number by what was meant, and by nothing that others
/// did meanwhile. `None` if the log does not tell: somebody else adjusted the number too.
///
/// Vendure works out the difference to the number that it finds, logs it as an adjustment, and adds it to the number as
/// read a second time, without a lock (source of 3.7.3). A fulfilment before its first reading is undone by the
/// difference; one that it saves over is in the log, and not in the number.
pub(super) fn still_due(written: Written<'_>) -> Option<i64> {
    let adjusted: Vec<i64> = written.log.iter().filter(|entry| entry.kind == ADJUSTMENT).map(|e| e.quantity).collect();
    // A number that is already there is not logged.
    let logged = match adjusted.as_slice() {
        [] => 0,
        [one] => *one,
        _ => return None,
    };
    if !written.one_location {
        return Some(written.meant.saturating_sub(logged));
    }
    let others: i64 = written
        .log
        .iter()
        .filter(|entry| MOVES_ON_HAND.contains(&entry.kind.as_str()))
        .fold(0, |sum, entry| sum.saturating_add(entry.quantity));
    let due = written.before.saturating_add(written.meant).saturating_add(others);
    Some(due.saturating_sub(written.after))
}

/// Whether a write that changed a number by `change` is in the log since it was about to be sent.
pub(super) fn is_logged(log: &[Movement], change: i64) -> bool {
    log.iter().any(|entry| entry.kind == ADJUSTMENT && entry.quantity == change)
}

/// What an order holds of the shelf. Vendure lowers the number when a fulfilment is made, and raises it when one is
/// cancelled or a sent line is. `None` without a readable time.
pub(super) fn online_order(order: &Order) -> Option<OnlineOrder> {
    let is_placed = order.order_placed_at.is_some();
    let lines = order
        .lines
        .iter()
        .map(|line| {
            let fulfilments =
                line.fulfillment_lines.iter().flatten().filter(|part| part.fulfillment.state != CANCELLED);
            let sent = fulfilments.fold(0_i64, |sum, part| sum.saturating_add(part.quantity));
            // The quantity falls when units are cancelled, those that were sent included.
            let handed_over = sent.min(line.quantity);
            OrderLine {
                id: line.id.clone(),
                item: line.product_variant.id.clone(),
                sku: Some(Sku::from(line.product_variant.sku.as_str())),
                open: if is_placed { line.quantity.saturating_sub(handed_over).max(0) } else { 0 },
                handed_over,
            }
        })
        .collect();
    Some(OnlineOrder {
        id: order.id.clone(),
        name: order.code.clone(),
        placed_at: order.order_placed_at.as_deref().and_then(time),
        changed_at: time(&order.updated_at)?,
        lines,
    })
}

/// Whether nothing of an order is left to be sent.
pub(super) fn is_closed(order: &OnlineOrder) -> bool {
    order.lines.iter().all(|line| line.open == 0)
}

/// A time as Vendure writes it.
pub(super) fn time(text: &str) -> Option<Timestamp> {
    text.parse::<jiff::Timestamp>().ok().map(|time| Timestamp(time.as_microsecond()))
}

/// Micros of a major unit as minor ones, rounded half up: Vendure keeps two decimals in every currency, unless the shop
/// has a money strategy of its own.
pub(super) const fn minor_units(micros: i64) -> i64 {
    micros.saturating_add(5_000).div_euclid(10_000)
}

#[cfg(test)]
mod tests;
