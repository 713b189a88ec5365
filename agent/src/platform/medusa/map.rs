//! Our words to Medusa's and back: frozen bytes, which variant is the article, what an order holds of our shelf.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use sync_core::model::{Sku, Timestamp};

use super::MatchBy;
use super::wire::{ItemLevel, Order, Reservation, Variant};
use crate::platform::{Absolute, Level, OnlineOrder, OrderLine};

const LOCATION_ID: &str = "sloc_";

/// A stock location.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// `sloc_…`.
    Id(String),
    /// Its name, which must be the only one; resolved at the first call.
    Name(String),
}

impl Location {
    /// Reads an id or else a name.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let text = text.trim();
        if text.starts_with(LOCATION_ID) { Self::Id(text.to_owned()) } else { Self::Name(text.to_owned()) }
    }
}

/// What is stored of a write before it is sent. `expected` was read; nothing is written if it is no longer so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Frozen {
    pub(super) rows: Vec<FrozenRow>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct FrozenRow {
    pub(super) inventory_item_id: String,
    pub(super) stocked_quantity: i64,
    pub(super) expected: i64,
}

pub(super) fn freeze(rows: &[Absolute]) -> Vec<u8> {
    let rows = rows
        .iter()
        .map(|row| FrozenRow {
            inventory_item_id: row.part.item.clone(),
            // Below zero is refused (seen); the lane knows of the floor.
            stocked_quantity: row.on_hand.max(0),
            expected: row.expected,
        })
        .collect();
    json(&Frozen { rows })
}

pub(super) fn json<T: Serialize + ?Sized>(value: &T) -> Vec<u8> {
    serde_json::to_vec(value).expect("plain structs with text keys always serialise")
}

/// The number at our location.
pub(super) fn at(levels: &[ItemLevel], location: &str) -> Option<i64> {
    levels.iter().find(|level| level.location_id == location).map(|level| level.stocked_quantity.0)
}

/// Which of the hits is the article.
#[derive(Debug)]
pub(super) enum Pick<'a> {
    Nothing,
    One(&'a Variant),
    Several(Vec<String>),
}

/// The codes of a variant that `match_by` compares.
pub(super) fn codes(match_by: MatchBy, variant: &Variant) -> BTreeSet<&str> {
    let barcodes = [&variant.ean, &variant.upc, &variant.barcode];
    let found: Vec<&Option<String>> = match match_by {
        MatchBy::Sku | MatchBy::SkuThenBarcode => vec![&variant.sku],
        MatchBy::Barcode => barcodes.to_vec(),
    };
    found.into_iter().filter_map(|code| code.as_deref()).filter(|code| !code.is_empty()).collect()
}

/// Exact comparison. Variants that stand for the same inventory items are one article.
pub(super) fn pick<'a>(match_by: MatchBy, sku: &str, hits: &'a [Variant]) -> Pick<'a> {
    let by = |match_by: MatchBy| {
        let mut found: Vec<&'a Variant> = Vec::new();
        for variant in hits.iter().filter(|variant| codes(match_by, variant).contains(sku)) {
            if found.iter().all(|known| known.id != variant.id && !same_items(known, variant)) {
                found.push(variant);
            }
        }
        found
    };
    let mut found = by(match_by);
    if found.is_empty() && match_by == MatchBy::SkuThenBarcode {
        found = by(MatchBy::Barcode);
    }
    match found.as_slice() {
        [] => Pick::Nothing,
        [one] => Pick::One(one),
        several => {
            Pick::Several(several.iter().map(|variant| format!("{} ({})", title(variant), variant.id)).collect())
        }
    }
}

fn same_items(a: &Variant, b: &Variant) -> bool {
    let items = |variant: &Variant| -> BTreeMap<String, i64> {
        variant
            .inventory_items
            .iter()
            .map(|item| (item.inventory_item_id.clone(), per(item.required_quantity)))
            .collect()
    };
    !a.inventory_items.is_empty() && items(a) == items(b)
}

/// Units of an item in one variant.
pub(super) fn per(required: Option<super::wire::Whole>) -> i64 {
    required.map_or(1, |required| required.0.max(1))
}

/// `Product / Variant`, for people.
pub(super) fn title(variant: &Variant) -> String {
    let product = variant.product.as_ref().and_then(|product| product.title.as_deref());
    match (product, variant.title.as_deref()) {
        (Some(product), Some(variant)) => format!("{product} / {variant}"),
        (Some(one), None) | (None, Some(one)) => one.to_owned(),
        (None, None) => variant.id.clone(),
    }
}

/// The number of a variant that is one unit of one inventory item; kits have none of their own.
pub(super) fn levels<'a>(match_by: MatchBy, variant: &'a Variant, location: &'a str) -> Vec<Level> {
    let [item] = variant.inventory_items.as_slice() else { return Vec::new() };
    if !variant.manage_inventory || per(item.required_quantity) != 1 {
        return Vec::new();
    }
    let number = item.inventory.as_ref().and_then(|inventory| at(&inventory.location_levels, location));
    let Some(number) = number else { return Vec::new() };
    codes(match_by, variant)
        .into_iter()
        .map(|code| Level { item: item.inventory_item_id.clone(), sku: Sku::from(code), number })
        .collect()
}

/// What an order holds of our shelf: units reserved at our location, and units of fulfilments from it. Medusa lowers
/// `stocked_quantity` when a fulfilment is made, whatever becomes of the parcel later. `None` without readable times.
pub(super) fn online_order(order: &Order, reservations: &[Reservation], location: &str) -> Option<OnlineOrder> {
    let mut lines: BTreeMap<(&str, &str), (i64, i64)> = BTreeMap::new();
    let sku_of = |id: &str| {
        let line = order.items.iter().find(|line| line.id == id)?;
        let items = line.variant.as_ref().map_or(0, |variant| variant.inventory_items.len());
        // The SKU of a kit is not that of its items.
        line.variant_sku.as_deref().filter(|_| items == 1).map(Sku::from)
    };
    for line in &order.items {
        for item in line.variant.iter().flat_map(|variant| &variant.inventory_items) {
            lines.entry((&line.id, &item.inventory_item_id)).or_default();
        }
        for held in reservations.iter().filter(|held| held.line_item_id.as_deref() == Some(&line.id)) {
            let (open, _) = lines.entry((&line.id, &held.inventory_item_id)).or_default();
            *open = open.saturating_add(held.quantity.0);
        }
    }
    let ours = |location_id: &Option<String>| location_id.as_deref() == Some(location);
    let handed_over = order.fulfillments.iter().filter(|f| f.canceled_at.is_none() && ours(&f.location_id));
    for item in handed_over.flat_map(|fulfillment| &fulfillment.items) {
        let (Some(line), Some(stock)) = (&item.line_item_id, &item.inventory_item_id) else { continue };
        let (_, units) = lines.entry((line, stock)).or_default();
        *units = units.saturating_add(item.quantity.0);
    }
    let lines = lines
        .into_iter()
        .map(|((line, item), (open, handed_over))| OrderLine {
            // A kit is several items of one line.
            id: format!("{line}/{item}"),
            item: item.to_owned(),
            sku: sku_of(line),
            open,
            handed_over,
        })
        .collect();
    Some(OnlineOrder {
        id: order.id.clone(),
        name: order.display_id.as_ref().map_or_else(|| order.id.clone(), |number| format!("#{number}")),
        placed_at: time(&order.created_at),
        changed_at: time(&order.updated_at)?,
        lines,
    })
}

/// A time as Medusa writes it.
pub(super) fn time(text: &str) -> Option<Timestamp> {
    text.parse::<jiff::Timestamp>().ok().map(|time| Timestamp(time.as_microsecond()))
}

/// Micros of a major unit as a JSON number: 7250000 is 7.25.
pub(super) fn major_units(micros: i64) -> serde_json::Number {
    let magnitude = micros.unsigned_abs();
    let (whole, fraction) = (magnitude / 1_000_000, magnitude % 1_000_000);
    let sign = if micros < 0 { "-" } else { "" };
    let text = if fraction == 0 {
        format!("{sign}{whole}")
    } else {
        format!("{sign}{whole}.{fraction:06}").trim_end_matches('0').to_owned()
    };
    text.parse().unwrap_or_else(|_| serde_json::Number::from(0))
}

#[cfg(test)]
mod tests;
