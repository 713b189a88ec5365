//! Our words to Shopify's and back: the bytes of a batch, the search terms, which hit is the article.

use std::collections::BTreeMap;

use serde::Serialize;
use sync_core::model::{IdempotencyKey, Timestamp};

use super::MatchBy;
use super::wire::{ADJUST, AdjustRow, Input, Item, Request, SET, SetRow, Variant, WriteVariables};
use crate::platform::{Absolute, Change};

const LOCATION_GID: &str = "gid://shopify/Location/";
/// A closed list at Shopify with no word for a sale.
const REASON: &str = "correction";
/// Title that Shopify gives to the only variant of a product.
const ONLY_VARIANT: &str = "Default Title";

/// A location of the shop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// `gid://shopify/Location/<number>`.
    Id(String),
    /// Its name, which must be the only one; resolved at the first call.
    Name(String),
}

impl Location {
    /// Reads a global id, a bare number, or else a name.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let text = text.trim();
        if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
            return Self::Id(format!("{LOCATION_GID}{text}"));
        }
        if text.starts_with(LOCATION_GID) { Self::Id(text.to_owned()) } else { Self::Name(text.to_owned()) }
    }

    /// What stands in frozen bytes: the id, or a mark that [`with_location`] replaces on the way out. The mark
    /// keeps encoding pure and possible while the shop cannot be asked.
    pub(super) fn frozen(&self) -> String {
        match self {
            Self::Id(id) => id.clone(),
            Self::Name(name) => format!("name:{name}"),
        }
    }
}

/// The bytes to send: the frozen ones with the location's mark replaced by its id. The same id gives the same
/// bytes; another one under the same key is refused by Shopify without effect.
pub(super) fn with_location(frozen: &[u8], location: &Location, id: &str) -> Vec<u8> {
    if matches!(location, Location::Id(_)) {
        return frozen.to_vec();
    }
    let field = |value: &str| [b"\"locationId\":".as_slice(), &json(&value)].concat();
    replace(frozen, &field(&location.frozen()), &field(id))
}

fn replace(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((&first, tail)) = rest.split_first() {
        if let Some(after) = rest.strip_prefix(from) {
            out.extend_from_slice(to);
            rest = after;
        } else {
            out.push(first);
            rest = tail;
        }
    }
    out
}

pub(super) fn json<T: Serialize + ?Sized>(value: &T) -> Vec<u8> {
    serde_json::to_vec(value).expect("plain structs with text keys always serialise")
}

/// The reference shown in the shop's inventory history.
pub(super) fn reference(app_name: &str, key: &IdempotencyKey) -> String {
    let mut uri = format!("gid://{app_name}/Batch/");
    for byte in key.as_str().bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => uri.push(char::from(byte)),
            other => uri.push_str(&format!("%{other:02X}")),
        }
    }
    uri
}

/// The deltas of a batch: each item once, in the order of their ids, without those that add up to nothing.
pub(super) fn adjust_body(app_name: &str, location: &Location, key: &IdempotencyKey, changes: &[Change]) -> Vec<u8> {
    let mut sums: BTreeMap<&str, i64> = BTreeMap::new();
    for change in changes {
        for part in change.target.iter().flat_map(|target| &target.parts) {
            let sum = sums.entry(&part.item).or_default();
            *sum = sum.saturating_add(change.units.saturating_mul(part.per));
        }
    }
    let location = location.frozen();
    // One row of zero is a success without effect at Shopify; what an empty list is, it does not say.
    let keep_a_zero = sums.values().all(|delta| *delta == 0);
    let rows = sums
        .iter()
        .filter(|(_, delta)| **delta != 0 || keep_a_zero)
        .take(if keep_a_zero { 1 } else { usize::MAX })
        .map(|(item, delta)| AdjustRow {
            inventory_item_id: item,
            location_id: &location,
            delta: *delta,
            change_from_quantity: None,
            ledger_document_uri: None,
        })
        .collect();
    let reference = reference(app_name, key);
    let input = Input {
        name: "available",
        reason: REASON,
        reference_document_uri: &reference,
        changes: Some(rows),
        quantities: None,
    };
    json(&Request { query: ADJUST, variables: WriteVariables { input, key: key.as_str() } })
}

/// An absolute write of the physical number, refused by Shopify if it is no longer the number that was read.
pub(super) fn set_body(app_name: &str, location: &Location, key: &IdempotencyKey, rows: &[Absolute]) -> Vec<u8> {
    let location = location.frozen();
    let reference = reference(app_name, key);
    let rows = rows
        .iter()
        .map(|row| SetRow {
            inventory_item_id: &row.part.item,
            location_id: &location,
            quantity: row.on_hand,
            change_from_quantity: Some(row.expected),
        })
        .collect();
    let input = Input {
        name: "on_hand",
        reason: REASON,
        reference_document_uri: &reference,
        changes: None,
        quantities: Some(rows),
    };
    json(&Request { query: SET, variables: WriteVariables { input, key: key.as_str() } })
}

/// The search for some SKUs (shopify.dev/api/usage/search-syntax): quoted terms joined by `OR`. The index finds
/// more than was asked for, so every hit is compared again.
pub(super) fn search(match_by: MatchBy, skus: &[&str]) -> String {
    let fields: &[&str] = match match_by {
        MatchBy::Sku => &["sku"],
        MatchBy::Barcode => &["barcode"],
        MatchBy::SkuThenBarcode => &["sku", "barcode"],
    };
    let mut query = String::new();
    for sku in skus {
        for field in fields {
            if !query.is_empty() {
                query.push_str(" OR ");
            }
            query.push_str(field);
            query.push_str(":'");
            for c in sku.chars() {
                if matches!(c, '\'' | '\\') {
                    query.push('\\');
                }
                query.push(c);
            }
            query.push('\'');
        }
    }
    query
}

/// Which of the hits is the article.
#[derive(Debug)]
pub(super) enum Pick<'a> {
    Nothing,
    One(&'a Variant),
    Several(Vec<String>),
}

/// Exact comparison, byte by byte. Variants that share one inventory item are one article.
pub(super) fn pick<'a>(match_by: MatchBy, sku: &str, hits: &'a [Variant]) -> Pick<'a> {
    let by = |field: fn(&Variant) -> Option<&str>| {
        let mut found: Vec<&'a Variant> = Vec::new();
        for variant in hits.iter().filter(|v| field(v) == Some(sku)) {
            if found.iter().all(|v| v.inventory_item.id != variant.inventory_item.id) {
                found.push(variant);
            }
        }
        found
    };
    let sku_of: fn(&Variant) -> Option<&str> = |v| v.sku.as_deref();
    let barcode_of: fn(&Variant) -> Option<&str> = |v| v.barcode.as_deref();
    let found = match match_by {
        MatchBy::Sku => by(sku_of),
        MatchBy::Barcode => by(barcode_of),
        MatchBy::SkuThenBarcode => {
            let found = by(sku_of);
            if found.is_empty() { by(barcode_of) } else { found }
        }
    };
    match found.as_slice() {
        [] => Pick::Nothing,
        [one] => Pick::One(one),
        several => Pick::Several(several.iter().map(|v| format!("{} ({})", title(v), v.id)).collect()),
    }
}

/// The article number of an item as the connection matches it. Where a barcode stands in for a missing SKU only one of the
/// two can be told: the SKU, if there is one.
pub(super) fn article<'a>(match_by: MatchBy, sku: Option<&'a str>, barcode: Option<&'a str>) -> Option<&'a str> {
    let (sku, barcode) = (sku.filter(|text| !text.is_empty()), barcode.filter(|text| !text.is_empty()));
    match match_by {
        MatchBy::Sku => sku,
        MatchBy::Barcode => barcode,
        MatchBy::SkuThenBarcode => sku.or(barcode),
    }
}

/// The number at the end of a global id.
pub(super) fn numbered(gid: &str) -> Option<u64> {
    gid.rsplit('/').next()?.parse().ok()
}

/// A time as Shopify writes it.
pub(super) fn moment(text: &str) -> Option<Timestamp> {
    text.parse::<jiff::Timestamp>().ok().map(|at| Timestamp(at.as_microsecond()))
}

/// `Product / Variant`, for people.
pub(super) fn title(variant: &Variant) -> String {
    if variant.title == ONLY_VARIANT {
        variant.product.title.clone()
    } else {
        format!("{} / {}", variant.product.title, variant.title)
    }
}

/// Whether an item can hold stock at the location.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stock {
    Ready {
        on_hand: i64,
    },
    Untracked,
    NotStocked,
    /// The reply lacks the number that was asked for.
    Odd,
}

pub(super) fn stock(item: &Item) -> Stock {
    match &item.inventory_level {
        _ if !item.tracked => Stock::Untracked,
        Some(level) if level.is_active => match level.on_hand() {
            Some(on_hand) => Stock::Ready { on_hand },
            None => Stock::Odd,
        },
        Some(_) | None => Stock::NotStocked,
    }
}

#[cfg(test)]
mod tests;
