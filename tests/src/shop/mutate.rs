//! The mutations that change stock, with the platform's checks and their codes; prices are in [`catalogue`].
//!
//! Everything or nothing: one refused row leaves all rows undone. The rules are those of Admin GraphQL 2026-10
//! as published and as recorded from real replies; where neither says, the stricter reading is taken.

pub(crate) mod catalogue;
mod checks;

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::Value;

pub(crate) use self::checks::UserError;
use self::checks::{
    change_from_is_named, common_faults, find_row, ledger_faults, out_of_bounds, row_error, stale, text, top_level,
    user_error,
};
use super::document::{Field, Variables};
use super::idempotency::{Outcome, Verdict, fingerprint};
use super::state::State;
use super::stock::entry;
use crate::faults::Incoming;
use crate::journal::{Cause, Origin};

const ADJUSTABLE: [&str; 6] = ["available", "damaged", "incoming", "quality_control", "reserved", "safety_stock"];
const SETTABLE: [&str; 2] = ["available", "on_hand"];

/// Bounds of a number after an adjustment.
const ADJUSTED_MAX: i64 = 2_000_000_000;

/// What one mutation did, kept for replays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Group {
    pub(crate) id: u64,
    pub(crate) created_us: i64,
    pub(crate) reason: String,
    pub(crate) reference: Option<String>,
    pub(crate) name: String,
    /// Index of the item, location, delta.
    pub(crate) rows: Vec<(usize, u64, i64)>,
}

/// What a mutation came to.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Done {
    /// Took effect now or before; `None` if there was nothing to do.
    Effect(Option<Arc<Group>>),
    /// Nothing took effect.
    Refused(Vec<UserError>),
}

struct Row {
    item: usize,
    location: u64,
    delta: i64,
}

/// Carries out one mutation field.
///
/// # Errors
/// A top-level GraphQL error.
pub(crate) fn run(
    state: &mut State,
    field: &Field,
    variables: &Variables,
    raw: &str,
    incoming: &Incoming,
) -> Result<Done, Value> {
    let Some(directive) = &field.idempotent else {
        return Err(top_level(
            "The @idempotent directive is required for this mutation but was not provided.",
            "BAD_REQUEST",
            &field.key,
        ));
    };
    let key = directive.value(variables).and_then(|key| key.as_str().map(str::to_owned)).unwrap_or_default();
    if key.trim().is_empty() {
        return Err(top_level(
            "The idempotency key cannot be an empty string or whitespace only.",
            "BAD_REQUEST",
            &field.key,
        ));
    }
    let input = field.argument("input", variables).unwrap_or(Value::Null);
    change_from_is_named(field, &input)?;
    if let Some(code) = &incoming.forced_code {
        return Ok(Done::Refused(vec![user_error(code, None, "refused on purpose")]));
    }
    let now_us = state.shop_now_us();
    let verdict = if state.settings.ignores_keys {
        Verdict::Fresh
    } else {
        state.keys.take(&key, fingerprint(&field.name, raw), now_us, incoming.holds_key)
    };
    match verdict {
        Verdict::Fresh => {}
        Verdict::Replay(group) => {
            state.stats.replays += 1;
            return Ok(Done::Effect(group));
        }
        Verdict::Refuse(code, message) => {
            state.stats.refused_keys += 1;
            return Ok(Done::Refused(vec![user_error(code, None, message)]));
        }
    }
    let reference = input.get("referenceDocumentUri").and_then(Value::as_str);
    let origin = Origin { request: incoming.request, key: Some(&key), reference };
    let done = match field.name.as_str() {
        "inventoryAdjustQuantities" => adjust(state, &input, origin),
        "inventorySetQuantities" => set(state, &input, origin),
        _ => activate(state, field, variables, origin),
    };
    let outcome = match &done {
        Done::Effect(group) => Outcome::Done(group.clone()),
        Done::Refused(_) => Outcome::Failed,
    };
    if outcome == Outcome::Failed {
        state.stats.refused_writes += 1;
    }
    state.keys.settle(&key, outcome);
    Ok(done)
}

/// Takes the key of a mutation without working on it.
pub(crate) fn take_key(state: &mut State, field: &Field, variables: &Variables, raw: &str) {
    if let Some(key) = field.idempotent.as_ref().and_then(|key| key.value(variables)).as_ref().and_then(Value::as_str) {
        let now_us = state.shop_now_us();
        state.keys.take(key, fingerprint(&field.name, raw), now_us, false);
    }
}

fn adjust(state: &mut State, input: &Value, origin: Origin<'_>) -> Done {
    let name = text(input, "name");
    let mut errors = common_faults(input, origin.reference);
    if !ADJUSTABLE.contains(&name) {
        errors.push(user_error(
            "INVALID_QUANTITY_NAME",
            Some(&["input", "name"]),
            "The specified quantity name is invalid.",
        ));
    }
    let given = input.get("changes").and_then(Value::as_array).cloned().unwrap_or_default();
    errors.extend(ledger_faults(name, &given));
    let mut rows = Vec::new();
    for (index, row) in given.iter().enumerate() {
        match find_row(state, row, "changes", index) {
            Ok((item, location, level)) => {
                let (delta, now) =
                    (row.get("delta").and_then(Value::as_i64).unwrap_or(0), level.named(name).unwrap_or(0));
                let overtaken = stale(row, now, "changes", index).filter(|_| !state.settings.ignores_expected);
                if let Some(error) = overtaken {
                    errors.push(error);
                } else if now.saturating_add(delta) > ADJUSTED_MAX {
                    errors.push(row_error(
                        "INVALID_QUANTITY_TOO_HIGH",
                        "changes",
                        index,
                        "delta",
                        "The quantity can't be higher than 2,000,000,000.",
                    ));
                } else if now.saturating_add(delta) < -ADJUSTED_MAX {
                    errors.push(row_error(
                        "INVALID_QUANTITY_TOO_LOW",
                        "changes",
                        index,
                        "delta",
                        "The quantity can't be lower than -2,000,000,000.",
                    ));
                }
                rows.push(Row { item, location, delta });
            }
            Err(error) => errors.push(error),
        }
    }
    if errors.is_empty() { apply(state, Cause::Adjust, name, input, rows, origin) } else { Done::Refused(errors) }
}

fn set(state: &mut State, input: &Value, origin: Origin<'_>) -> Done {
    let name = text(input, "name");
    let mut errors = common_faults(input, origin.reference);
    if !SETTABLE.contains(&name) {
        errors.push(user_error(
            "INVALID_NAME",
            Some(&["input", "name"]),
            "The quantity name must be either 'available' or 'on_hand'.",
        ));
    }
    let given = input.get("quantities").and_then(Value::as_array).cloned().unwrap_or_default();
    let mut seen = BTreeSet::new();
    let repeated = !given
        .iter()
        .all(|row| seen.insert((text(row, "inventoryItemId").to_owned(), text(row, "locationId").to_owned())));
    let mut rows = Vec::new();
    for (index, row) in given.iter().enumerate() {
        let wanted = row.get("quantity").and_then(Value::as_i64).unwrap_or(0);
        if repeated {
            let message = "The combination of inventoryItemId and locationId must be unique.";
            errors.push(row_error(
                "NO_DUPLICATE_INVENTORY_ITEM_ID_GROUP_ID_PAIR",
                "quantities",
                index,
                "locationId",
                message,
            ));
            continue;
        }
        let bound = out_of_bounds(name, wanted);
        if let Some(code) = bound {
            errors.push(row_error(code, "quantities", index, "quantity", "The quantity is out of bounds."));
            continue;
        }
        match find_row(state, row, "quantities", index) {
            Ok((item, location, level)) => {
                let now = level.named(name).unwrap_or(0);
                errors.extend(stale(row, now, "quantities", index).filter(|_| !state.settings.ignores_expected));
                rows.push(Row { item, location, delta: wanted.saturating_sub(now) });
            }
            Err(error) => errors.push(error),
        }
    }
    if errors.is_empty() { apply(state, Cause::Set, name, input, rows, origin) } else { Done::Refused(errors) }
}

fn activate(state: &mut State, field: &Field, variables: &Variables, origin: Origin<'_>) -> Done {
    let read = |name: &str| field.text(name, variables).unwrap_or_default();
    let number = |name: &str| field.argument(name, variables).and_then(|value| value.as_i64());
    let (available, on_hand) = (number("available"), number("onHand"));
    if available.is_some() && on_hand.is_some() {
        return Done::Refused(vec![user_error(
            "",
            Some(&["available"]),
            "Cannot use both onHand and available arguments.",
        )]);
    }
    let Some((item, _)) = state.stock.item(&read("inventoryItemId")) else {
        return Done::Refused(vec![user_error(
            "",
            Some(&["inventoryItemId"]),
            "The product couldn't be stocked because it wasn't found.",
        )]);
    };
    let Some(location) = state.stock.location(&read("locationId")).map(|location| location.id) else {
        return Done::Refused(vec![user_error("", Some(&["locationId"]), "The location wasn't found.")]);
    };
    let Some(level) = state.stock.activate(item, location) else {
        return Done::Effect(None);
    };
    let wanted = available
        .map(|available| available - level.available)
        .or_else(|| on_hand.map(|on_hand| on_hand - level.on_hand()));
    if let Some(delta) = wanted.filter(|delta| *delta != 0) {
        level.available += delta;
        if let Some(item) = state.stock.items().get(item) {
            let line = entry(item, location, Cause::Activate, "available", delta);
            state.journal.record(origin, vec![line]);
        }
    }
    Done::Effect(None)
}

/// The last step: all checks have passed.
fn apply(state: &mut State, cause: Cause, name: &str, input: &Value, rows: Vec<Row>, origin: Origin<'_>) -> Done {
    let slot = if name == "on_hand" { "available" } else { name };
    let (mut lines, mut changed) = (Vec::new(), Vec::new());
    for Row { item, location, delta } in rows.into_iter().filter(|row| row.delta != 0) {
        if let Some(number) = state.stock.level_mut(item, location).and_then(|level| level.slot(slot)) {
            *number += delta;
        }
        lines.extend(state.stock.items().get(item).map(|item| entry(item, location, cause, name, delta)));
        changed.push((item, location, delta));
    }
    if changed.is_empty() {
        return Done::Effect(None);
    }
    state.stats.applied_writes += 1;
    state.stats.applied_rows += super::stock::count(changed.len());
    state.journal.record(origin, lines);
    state.next_group += 1;
    Done::Effect(Some(Arc::new(Group {
        id: state.next_group,
        created_us: state.shop_now_us(),
        reason: text(input, "reason").to_owned(),
        reference: origin.reference.map(str::to_owned),
        name: name.to_owned(),
        rows: changed,
    })))
}
