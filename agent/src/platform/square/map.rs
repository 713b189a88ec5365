//! Our words to Square's and back: states, decimal strings, times, the bytes of a batch.

use std::collections::BTreeMap;

use serde::Serialize;
use sync_core::model::{IdempotencyKey, Timestamp};

use super::ledger::Dates;
use super::wire::{Adjustment, BatchCreate, InventoryChange, PhysicalCount};
use crate::platform::{Absolute, Change};

/// Sellable goods.
pub(super) const IN_STOCK: &str = "IN_STOCK";

pub(super) fn json<T: Serialize + ?Sized>(value: &T) -> Vec<u8> {
    serde_json::to_vec(value).expect("plain structs with text keys always serialise")
}

/// RFC 3339, in milliseconds.
pub(super) fn rfc3339(at: Timestamp) -> String {
    let millis = at.0.div_euclid(1000);
    jiff::Timestamp::from_millisecond(millis).map_or_else(|_| String::new(), |at| format!("{at:.3}"))
}

pub(super) fn parse_time(text: &str) -> Option<Timestamp> {
    text.parse::<jiff::Timestamp>().ok().map(|at| Timestamp(at.as_microsecond()))
}

/// A decimal string as whole units, rounded down. `None` if it is none.
pub(super) fn units(text: &str) -> Option<i64> {
    let (sign, magnitude) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
    let (whole, fraction) = magnitude.split_once('.').unwrap_or((magnitude, ""));
    let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(fraction) {
        return None;
    }
    let units: i64 = whole.parse().ok()?;
    let beyond = i64::from(sign < 0 && fraction.bytes().any(|b| b != b'0'));
    Some(sign * units - beyond)
}

/// From which state to which, by sign and kind. Square has no word for an edit or a void: goods that are gone for another
/// reason than a sale are waste, goods that are there again came from nowhere.
fn states(kind: &str, units: i64) -> (&'static str, &'static str) {
    match (units < 0, kind) {
        (true, "adjustment") => (IN_STOCK, "WASTE"),
        (true, _) => (IN_STOCK, "SOLD"),
        (false, "return") => ("UNLINKED_RETURN", IN_STOCK),
        (false, _) => ("NONE", IN_STOCK),
    }
}

struct Row {
    units: i64,
    kind: &'static str,
    sold_at: Option<Timestamp>,
}

/// The changes of a batch: each variation once, in the order of their ids, without those that add up to nothing.
pub(super) fn adjustments(
    location: &str,
    dates: &Dates,
    key: &IdempotencyKey,
    changes: &[Change],
    now: Timestamp,
) -> Vec<u8> {
    let mut sums: BTreeMap<&str, Row> = BTreeMap::new();
    for change in changes {
        for part in change.target.iter().flat_map(|target| &target.parts) {
            let units = change.units.saturating_mul(part.per);
            sums.entry(&part.item)
                .and_modify(|row| {
                    row.units = row.units.saturating_add(units);
                    row.sold_at = row.sold_at.max(change.sold_at);
                    if row.kind != change.kind {
                        row.kind = "mixed";
                    }
                })
                .or_insert(Row { units, kind: change.kind, sold_at: change.sold_at });
        }
    }
    let changes = sums
        .into_iter()
        .filter(|(_, row)| row.units != 0)
        .map(|(item, row)| {
            let (from, to) = states(row.kind, row.units);
            InventoryChange {
                kind: "ADJUSTMENT".to_owned(),
                physical_count: None,
                adjustment: Some(Adjustment {
                    catalog_object_id: item.to_owned(),
                    location_id: location.to_owned(),
                    from_state: from.to_owned(),
                    to_state: to.to_owned(),
                    quantity: row.units.unsigned_abs().to_string(),
                    occurred_at: rfc3339(dates.change(item, row.sold_at, now)),
                    reference_id: Some(reference(key)),
                }),
            }
        })
        .collect();
    request(key, changes)
}

/// Numbers to be set, each dated when it was read. A number below zero cannot be counted.
pub(super) fn counts(
    location: &str,
    dates: &Dates,
    key: &IdempotencyKey,
    rows: &[Absolute],
    now: Timestamp,
) -> Vec<u8> {
    let changes = rows
        .iter()
        .map(|row| InventoryChange {
            kind: "PHYSICAL_COUNT".to_owned(),
            adjustment: None,
            physical_count: Some(PhysicalCount {
                catalog_object_id: row.part.item.clone(),
                location_id: location.to_owned(),
                state: IN_STOCK.to_owned(),
                quantity: row.on_hand.max(0).to_string(),
                occurred_at: rfc3339(dates.count(&row.part.item, row.expected, now)),
                reference_id: Some(reference(key)),
            }),
        })
        .collect();
    request(key, changes)
}

fn request(key: &IdempotencyKey, changes: Vec<InventoryChange>) -> Vec<u8> {
    // A count that changes nothing still has to leave its reference: it is looked for after a lost reply.
    json(&BatchCreate { idempotency_key: key.to_string(), changes, ignore_unchanged_counts: false })
}

/// What Square's history shows of a request of ours.
pub(super) fn reference(key: &IdempotencyKey) -> String {
    format!("tillsync:{key}")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use sync_core::model::{EntryId, Quantity, Sku};

    use super::*;
    use crate::platform::{Target, TargetPart};

    const NOW: Timestamp = Timestamp(1_795_428_000_000_000);

    fn change(item: &str, units: i64, kind: &'static str) -> Change {
        Change {
            entry: EntryId(1),
            sku: Sku::from("A"),
            target: Some(Arc::new(Target { parts: vec![TargetPart { item: item.to_owned(), per: 1 }] })),
            delta: Quantity::from_units(units).unwrap(),
            units,
            on_hand: None,
            transaction: None,
            sold_at: Some(NOW.plus(Duration::from_secs(5))),
            kind,
        }
    }

    fn encoded(changes: &[Change]) -> BatchCreate {
        let dates = Dates::new(NOW);
        let bytes = adjustments("L", &dates, &IdempotencyKey::from("k"), changes, NOW.plus(Duration::from_secs(60)));
        serde_json::from_slice(&bytes).unwrap()
    }

    #[test]
    fn each_kind_of_change_moves_between_its_states() {
        for (units, kind, from, to, quantity) in [
            (-2, "sale", "IN_STOCK", "SOLD", "2"),
            (-1, "mixed", "IN_STOCK", "SOLD", "1"),
            (-1, "adjustment", "IN_STOCK", "WASTE", "1"),
            (1, "return", "UNLINKED_RETURN", "IN_STOCK", "1"),
            (5, "receipt", "NONE", "IN_STOCK", "5"),
            (1, "void", "NONE", "IN_STOCK", "1"),
        ] {
            let sent = encoded(&[change("V1", units, kind)]);
            let row = sent.changes[0].adjustment.clone().unwrap();
            assert_eq!((row.from_state.as_str(), row.to_state.as_str(), row.quantity.as_str()), (from, to, quantity));
            assert_eq!(row.reference_id.as_deref(), Some("tillsync:k"));
            assert_eq!(row.occurred_at, "2026-11-23T10:00:05.000Z");
        }
    }

    #[test]
    fn changes_of_one_variation_are_one_row() {
        let sent = encoded(&[
            change("V1", -2, "sale"),
            change("V1", 1, "return"),
            change("V2", 1, "sale"),
            change("V2", -1, "sale"),
        ]);
        assert_eq!(sent.changes.len(), 1);
        assert_eq!(sent.changes[0].adjustment.as_ref().unwrap().quantity, "1");
    }

    #[test]
    fn decimal_strings_are_rounded_down() {
        for (text, expected) in [
            ("7", Some(7)),
            ("7.99999", Some(7)),
            ("-1", Some(-1)),
            ("-0.5", Some(-1)),
            ("0.0", Some(0)),
            ("", None),
            ("x", None),
            ("1.x", None),
        ] {
            assert_eq!(units(text), expected, "{text}");
        }
    }

    #[test]
    fn times_are_read_back() {
        assert_eq!(rfc3339(NOW), "2026-11-23T10:00:00.000Z");
        assert_eq!(parse_time("2026-11-23T10:00:00Z"), Some(NOW));
        assert_eq!(parse_time("2026-11-23T05:00:00-05:00"), Some(NOW));
        assert_eq!(parse_time("soon"), None);
    }
}
