//! The ledger: changes dated by when they happened, and the numbers that follow from them.

use serde_json::{Value, json};

use super::machine::{Refusal, SquareMachine};
use crate::counter::{iso, parse_iso};
use crate::decimal::Decimal;
use crate::journal::{Cause, Entry, Origin};

/// Changes of one request.
const CHANGES_MAX: usize = 100;
/// How old a change may be, microseconds.
const AGE_MAX_US: i64 = 24 * 3600 * 1_000_000;
/// Rows of a page.
const PAGE_MAX: usize = 1000;
/// What a client may move between.
const STATES: [(&str, &str); 6] = [
    ("IN_STOCK", "SOLD"),
    ("IN_STOCK", "WASTE"),
    ("NONE", "IN_STOCK"),
    ("UNLINKED_RETURN", "IN_STOCK"),
    ("UNLINKED_RETURN", "WASTE"),
    ("NONE", "WASTE"),
];

/// One row of the history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) variation: String,
    pub(super) occurred_us: i64,
    pub(super) created_us: i64,
    pub(super) reference: Option<String>,
    pub(super) what: What,
}

/// What a change does to the number in stock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum What {
    /// From one state to another; the difference it makes to what is in stock.
    Adjustment { from: String, to: String, units: i64 },
    /// What was counted.
    Count(i64),
}

impl SquareMachine {
    /// The number in stock: the last count, and what happened after it.
    #[must_use]
    pub fn in_stock(&self, variation: &str) -> Option<i64> {
        let mut rows: Vec<(i64, usize, &What)> = self
            .changes
            .iter()
            .enumerate()
            .filter(|(_, change)| change.variation == variation)
            .map(|(index, change)| (change.occurred_us, index, &change.what))
            .collect();
        if rows.is_empty() {
            return None;
        }
        rows.sort_by_key(|(at, index, _)| (*at, *index));
        Some(rows.into_iter().fold(0, |number, (_, _, what)| match what {
            What::Count(counted) => *counted,
            What::Adjustment { units, .. } => number + units,
        }))
    }

    /// The number of a SKU.
    #[must_use]
    pub fn stock_of(&self, sku: &str) -> Option<i64> {
        let (id, _) = self.variations.iter().find(|(_, variation)| variation.sku == sku)?;
        self.in_stock(id)
    }

    /// Adds a change and returns the difference that it makes.
    pub(super) fn add_change(&mut self, change: Change) -> i64 {
        let variation = change.variation.clone();
        let before = self.in_stock(&variation).unwrap_or(0);
        self.changes.push(change);
        self.in_stock(&variation).unwrap_or(0) - before
    }

    pub(super) fn entry(&self, variation: &str, cause: Cause, delta: i64) -> Entry {
        Entry {
            cause,
            sku: self.variations.get(variation).map(|known| known.sku.clone()).unwrap_or_default(),
            name: "IN_STOCK".to_owned(),
            delta: Decimal::units(delta),
            on_hand: self.in_stock(variation),
            item: Some(variation.to_owned()),
            location: Some(self.settings.location.clone()),
            change: None,
            transaction: None,
        }
    }

    /// Somebody changes a number in Square's own dashboard.
    pub fn change_elsewhere(&mut self, sku: &str, delta: i64, now_us: i64) -> bool {
        self.happen(sku, delta, Cause::Elsewhere, now_us)
    }

    pub(super) fn happen(&mut self, sku: &str, delta: i64, cause: Cause, now_us: i64) -> bool {
        let Some(id) = self.variations.iter().find(|(_, known)| known.sku == sku).map(|(id, _)| id.clone()) else {
            return false;
        };
        let (from, to) = if delta < 0 { ("IN_STOCK", "SOLD") } else { ("NONE", "IN_STOCK") };
        let what = What::Adjustment { from: from.to_owned(), to: to.to_owned(), units: delta };
        self.add_change(Change {
            variation: id.clone(),
            occurred_us: now_us,
            created_us: now_us,
            reference: None,
            what,
        });
        let entry = self.entry(&id, cause, delta);
        self.record(Origin::default(), vec![entry]);
        true
    }

    /// `POST /v2/inventory/changes/batch-create`: all or nothing.
    pub(super) fn change(&mut self, body: &Value, request: u64, now_us: i64) -> Result<Value, Refusal> {
        let changes = body.get("changes").and_then(Value::as_array).cloned().unwrap_or_default();
        if changes.is_empty() {
            return Err(Refusal::of("ARRAY_EMPTY", "changes".to_owned(), "There is nothing to do."));
        }
        if changes.len() > CHANGES_MAX {
            return Err(Refusal::of("ARRAY_LENGTH_TOO_LONG", "changes".to_owned(), "At most 100 changes."));
        }
        let mut rows = Vec::with_capacity(changes.len());
        for (index, change) in changes.iter().enumerate() {
            rows.push(self.read_change(change, index, now_us)?);
        }
        let mut entries = Vec::with_capacity(rows.len());
        let mut counts = Vec::with_capacity(rows.len());
        for row in rows {
            let variation = row.variation.clone();
            // What the change says, not what it does to the number: a sale dated before a count is lost on purpose here.
            let cause = match row.what {
                What::Count(_) => Cause::Set,
                What::Adjustment { .. } => Cause::Adjust,
            };
            let delta = self.add_change(row);
            entries.push(self.entry(&variation, cause, delta));
            counts.push(self.count_row(&variation));
        }
        let key = body.get("idempotency_key").and_then(Value::as_str);
        self.record(Origin { request, key, reference: None }, entries);
        Ok(json!({"counts": counts, "changes": changes}))
    }

    fn read_change(&self, change: &Value, index: usize, now_us: i64) -> Result<Change, Refusal> {
        let (kind, part) = match change.get("type").and_then(Value::as_str) {
            Some("ADJUSTMENT") => ("adjustment", change.get("adjustment")),
            Some("PHYSICAL_COUNT") => ("physical_count", change.get("physical_count")),
            _ => ("type", None),
        };
        let refuse =
            |code, name: &str, detail: &str| Refusal::of(code, format!("changes[{index}].{kind}.{name}"), detail);
        let Some(part) = part else { return Err(refuse("INVALID_ENUM_VALUE", "type", "It is no change.")) };
        let text = |name: &str| part.get(name).and_then(Value::as_str).unwrap_or_default();
        if text("location_id") != self.settings.location {
            return Err(refuse("INVALID_VALUE", "location_id", "There is no such location."));
        }
        let variation = text("catalog_object_id").to_owned();
        let known = self.variations.get(&variation).filter(|known| known.tracked && !known.deleted);
        if known.is_none() {
            return Err(refuse("INVALID_VALUE", "catalog_object_id", "It is not there, or not tracked."));
        }
        let occurred_us =
            parse_iso(text("occurred_at")).filter(|at| *at <= now_us && *at >= now_us - AGE_MAX_US).ok_or_else(
                || refuse("INVALID_TIME", "occurred_at", "occurred_at is in the future or older than 24 hours."),
            )?;
        let units = text("quantity").parse::<i64>().ok().filter(|units| *units >= 0);
        let units = units.ok_or_else(|| refuse("INVALID_VALUE", "quantity", "It is no quantity."))?;
        let what = if kind == "physical_count" {
            What::Count(units)
        } else {
            let (from, to) = (text("from_state"), text("to_state"));
            if !STATES.contains(&(from, to)) || units == 0 {
                return Err(refuse("INVALID_VALUE", "to_state", "There is no way from one to the other."));
            }
            let sign = i64::from(to == "IN_STOCK") - i64::from(from == "IN_STOCK");
            What::Adjustment { from: from.to_owned(), to: to.to_owned(), units: units * sign }
        };
        let reference = Some(text("reference_id")).filter(|text| !text.is_empty()).map(str::to_owned);
        Ok(Change { variation, occurred_us, created_us: now_us, reference, what })
    }

    fn count_row(&self, variation: &str) -> Value {
        json!({"catalog_object_id": variation, "catalog_object_type": "ITEM_VARIATION", "state": "IN_STOCK",
            "location_id": self.settings.location, "quantity": self.in_stock(variation).unwrap_or(0).to_string()})
    }

    /// `POST /v2/inventory/counts/batch-retrieve`.
    pub(super) fn counts(&self, body: &Value) -> Value {
        let asked = ids(body, "catalog_object_ids");
        let rows: Vec<Value> = self
            .variations
            .iter()
            .filter(|(id, known)| !known.deleted && asked.as_ref().is_none_or(|asked| asked.contains(*id)))
            .filter(|(id, _)| self.in_stock(id).is_some())
            .map(|(id, _)| self.count_row(id))
            .collect();
        paged("counts", rows, body)
    }

    /// `POST /v2/inventory/changes/batch-retrieve`, oldest first.
    pub(super) fn history(&self, body: &Value) -> Value {
        let asked = ids(body, "catalog_object_ids");
        let after = body.get("updated_after").and_then(Value::as_str).and_then(parse_iso).unwrap_or(i64::MIN);
        let mut found: Vec<&Change> = self
            .changes
            .iter()
            .filter(|change| asked.as_ref().is_none_or(|asked| asked.contains(&change.variation)))
            .filter(|change| change.created_us > after)
            .collect();
        found.sort_by_key(|change| change.occurred_us);
        let rows = found
            .into_iter()
            .map(|change| {
                let mut part = json!({"catalog_object_id": change.variation, "location_id": self.settings.location,
                    "occurred_at": iso(change.occurred_us), "created_at": iso(change.created_us)});
                if let Some(reference) = &change.reference {
                    part["reference_id"] = Value::from(reference.as_str());
                }
                match &change.what {
                    What::Count(counted) => {
                        part["state"] = Value::from("IN_STOCK");
                        part["quantity"] = Value::from(counted.to_string());
                        json!({"type": "PHYSICAL_COUNT", "physical_count": part})
                    }
                    What::Adjustment { from, to, units } => {
                        part["from_state"] = Value::from(from.as_str());
                        part["to_state"] = Value::from(to.as_str());
                        part["quantity"] = Value::from(units.abs().to_string());
                        json!({"type": "ADJUSTMENT", "adjustment": part})
                    }
                }
            })
            .collect();
        paged("changes", rows, body)
    }
}

pub(super) fn ids(body: &Value, name: &str) -> Option<Vec<String>> {
    let list = body.get(name)?.as_array()?;
    Some(list.iter().filter_map(Value::as_str).map(str::to_owned).collect())
}

/// One page of rows; the cursor is where the next one begins.
pub(super) fn paged(name: &str, rows: Vec<Value>, body: &Value) -> Value {
    let from: usize = body.get("cursor").and_then(Value::as_str).and_then(|text| text.parse().ok()).unwrap_or(0);
    let limit = body.get("limit").and_then(Value::as_u64).and_then(|limit| usize::try_from(limit).ok());
    let limit = limit.unwrap_or(100).clamp(1, PAGE_MAX);
    let more = rows.len() > from + limit;
    let mut page = json!({name: rows.into_iter().skip(from).take(limit).collect::<Vec<_>>()});
    if more {
        page["cursor"] = Value::from((from + limit).to_string());
    }
    page
}
