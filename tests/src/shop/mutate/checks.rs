//! The platform's checks of one input, each with its code. They look and change nothing.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::super::document::Field;
use super::super::state::State;
use super::super::stock::Level;

const REASONS: [&str; 17] = [
    "correction",
    "cycle_count_available",
    "damaged",
    "movement_canceled",
    "movement_created",
    "movement_received",
    "movement_updated",
    "other",
    "promotion",
    "quality_control",
    "received",
    "reservation_created",
    "reservation_deleted",
    "reservation_updated",
    "restock",
    "safety_stock",
    "shrinkage",
];

/// Bounds of a number that is set.
const SET_MAX: i64 = 1_000_000_000;

/// A refused input, as `userErrors` has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UserError {
    pub(crate) code: String,
    pub(crate) field: Option<Vec<String>>,
    pub(crate) message: String,
}

/// Optional in the schema, mandatory at run time since 2026-04; an explicit `null` is fine.
pub(crate) fn change_from_is_named(field: &Field, input: &Value) -> Result<(), Value> {
    let (list, type_name) = match field.name.as_str() {
        "inventoryAdjustQuantities" => ("changes", "InventoryChangeInput"),
        "inventorySetQuantities" => ("quantities", "InventoryQuantityInput"),
        _ => return Ok(()),
    };
    let rows = input.get(list).and_then(Value::as_array);
    if rows.into_iter().flatten().any(|row| row.get("changeFromQuantity").is_none()) {
        let message = format!("{type_name} must include the following argument: changeFromQuantity.");
        return Err(top_level(&message, "INVALID_FIELD_ARGUMENTS", &field.key));
    }
    Ok(())
}

/// The code for a number that cannot be set.
pub(crate) fn out_of_bounds(name: &str, wanted: i64) -> Option<&'static str> {
    if wanted > SET_MAX {
        Some("INVALID_QUANTITY_TOO_HIGH")
    } else if name == "on_hand" && wanted < 0 {
        Some("INVALID_QUANTITY_NEGATIVE")
    } else if wanted < -SET_MAX {
        Some("INVALID_QUANTITY_TOO_LOW")
    } else {
        None
    }
}

pub(crate) fn find_row(state: &State, row: &Value, list: &str, index: usize) -> Result<(usize, u64, Level), UserError> {
    let Some((item_index, item)) = state.stock.item(text(row, "inventoryItemId")) else {
        return Err(row_error(
            "INVALID_INVENTORY_ITEM",
            list,
            index,
            "inventoryItemId",
            "The specified inventory item could not be found.",
        ));
    };
    let Some(location) = state.stock.location(text(row, "locationId")) else {
        return Err(row_error(
            "INVALID_LOCATION",
            list,
            index,
            "locationId",
            "The specified location could not be found.",
        ));
    };
    if !item.given.components.is_empty() {
        let message = "The specified inventory item is not allowed to be adjusted via API. Example: if the inventory item is a parent bundle.";
        return Err(row_error("NON_MUTABLE_INVENTORY_ITEM", list, index, "inventoryItemId", message));
    }
    if !item.given.tracked {
        return Err(row_error(
            "INVALID_INVENTORY_ITEM",
            list,
            index,
            "inventoryItemId",
            "The specified inventory item does not have inventory tracking enabled.",
        ));
    }
    match item.levels.get(&location.id) {
        Some(level) if level.active || state.settings.inactive_levels_take_changes => {
            Ok((item_index, location.id, *level))
        }
        Some(_) | None => {
            let message = "The specified inventory item is not stocked at the location.";
            Err(row_error("ITEM_NOT_STOCKED_AT_LOCATION", list, index, "locationId", message))
        }
    }
}

pub(crate) fn stale(row: &Value, now: i64, list: &str, index: usize) -> Option<UserError> {
    let expected = row.get("changeFromQuantity").and_then(Value::as_i64)?;
    let message = "The changeFromQuantity argument no longer matches the persisted quantity.";
    (expected != now).then(|| row_error("CHANGE_FROM_QUANTITY_STALE", list, index, "changeFromQuantity", message))
}

pub(crate) fn common_faults(input: &Value, reference: Option<&str>) -> Vec<UserError> {
    let mut errors = Vec::new();
    if !REASONS.contains(&text(input, "reason")) {
        let message = format!("The specified reason is invalid. Valid values are: {}.", REASONS.join(", "));
        errors.push(user_error("INVALID_REASON", Some(&["input", "reason"]), &message));
    }
    if reference.is_some_and(|uri| !is_uri(uri)) {
        errors.push(user_error(
            "INVALID_REFERENCE_DOCUMENT",
            Some(&["input", "referenceDocumentUri"]),
            "The specified reference document is invalid.",
        ));
    }
    errors
}

/// `available` takes no ledger document, every other number needs one, and one only.
pub(crate) fn ledger_faults(name: &str, rows: &[Value]) -> Vec<UserError> {
    let mut errors = Vec::new();
    let mut documents = BTreeSet::new();
    for (index, row) in rows.iter().enumerate() {
        let document = row.get("ledgerDocumentUri").and_then(Value::as_str);
        documents.extend(document);
        let code = match document {
            Some(_) if name == "available" => "INVALID_AVAILABLE_DOCUMENT",
            None if name != "available" => "INVALID_QUANTITY_DOCUMENT",
            Some(uri) if uri.starts_with("gid://shopify/") => "INTERNAL_LEDGER_DOCUMENT",
            Some(uri) if !is_uri(uri) => "INVALID_LEDGER_DOCUMENT",
            Some(_) | None => continue,
        };
        errors.push(row_error(
            code,
            "changes",
            index,
            "ledgerDocumentUri",
            "The specified ledger document is not allowed here.",
        ));
    }
    if documents.len() > 1 {
        errors.push(user_error("MAX_ONE_LEDGER_DOCUMENT", Some(&["input", "changes"]), "All changes must have the same ledger document URI or, in the case of adjusting available, no ledger document URI."));
    }
    errors
}

pub(crate) fn is_uri(text: &str) -> bool {
    text.split_once(':').is_some_and(|(scheme, rest)| {
        !scheme.is_empty()
            && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
            && !rest.trim_matches('/').is_empty()
    })
}

pub(crate) fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

pub(crate) fn user_error(code: &str, field: Option<&[&str]>, message: &str) -> UserError {
    UserError {
        code: code.to_owned(),
        field: field.map(|path| path.iter().map(|&part| part.to_owned()).collect()),
        message: message.to_owned(),
    }
}

pub(crate) fn row_error(code: &str, list: &str, index: usize, name: &str, message: &str) -> UserError {
    user_error(code, Some(&["input", list, &index.to_string(), name]), message)
}

pub(crate) fn top_level(message: &str, code: &str, root: &str) -> Value {
    json!({"message": message, "path": [root], "extensions": {"code": code}})
}
