//! Prices and the policy of selling what is not there: `productVariantsBulkUpdate`, which knows no idempotency key.
//!
//! Without `allowPartialUpdates` one refused variant leaves all undone.
//! <https://shopify.dev/docs/api/admin-graphql/latest/mutations/productVariantsBulkUpdate>

use serde_json::Value;

use super::super::document::{Field, Variables};
use super::super::state::State;
use super::Done;
use super::checks::{UserError, text, user_error};
use crate::faults::Incoming;

/// Carries it out.
pub(crate) fn update(state: &mut State, field: &Field, variables: &Variables, incoming: &Incoming) -> Done {
    if let Some(code) = &incoming.forced_code {
        return Done::Refused(vec![user_error(code, None, "refused on purpose")]);
    }
    let product = field.text("productId", variables).unwrap_or_default();
    let given = field.argument("variants", variables).and_then(|v| v.as_array().cloned()).unwrap_or_default();
    let Some(item) = state.stock.of_product(&product) else {
        return refused(
            state,
            vec![user_error("PRODUCT_DOES_NOT_EXIST", Some(&["productId"]), "Product does not exist")],
        );
    };
    let variant = super::super::stock::gid("ProductVariant", item.variant);
    let errors: Vec<UserError> =
        given.iter().enumerate().filter_map(|(index, row)| fault(row, &variant, &index.to_string())).collect();
    if !errors.is_empty() {
        return refused(state, errors);
    }
    for row in &given {
        if let Some(price) = row.get("price").and_then(money) {
            item.given.price = price;
        }
        match text(row, "inventoryPolicy") {
            "CONTINUE" => item.given.sells_below_zero = true,
            "DENY" => item.given.sells_below_zero = false,
            _ => {}
        }
    }
    state.stats.applied_writes += 1;
    Done::Effect(None)
}

fn refused(state: &mut State, errors: Vec<UserError>) -> Done {
    state.stats.refused_writes += 1;
    Done::Refused(errors)
}

fn fault(row: &Value, variant: &str, index: &str) -> Option<UserError> {
    if text(row, "id") != variant {
        let message = "Product variant does not exist";
        return Some(user_error("PRODUCT_VARIANT_DOES_NOT_EXIST", Some(&["variants", index, "id"]), message));
    }
    if row.get("price").and_then(money).is_some_and(|price| price.starts_with('-')) {
        let message = "Price must be greater than or equal to 0";
        return Some(user_error("GREATER_THAN_OR_EQUAL_TO", Some(&["variants", index, "price"]), message));
    }
    if row.get("inventoryQuantities").is_some() {
        let message = "Inventory quantities can only be provided during create.";
        return Some(user_error("NO_INVENTORY_QUANTITIES_ON_VARIANTS_UPDATE", Some(&["variants", index]), message));
    }
    None
}

/// A price with two places, as the platform shows it.
fn money(value: &Value) -> Option<String> {
    let given = value.as_str().map(str::to_owned).or_else(|| value.is_number().then(|| value.to_string()))?;
    let (whole, part) = given.split_once('.').unwrap_or((&given, ""));
    let part: String = part.chars().chain(std::iter::repeat('0')).take(2).collect();
    Some(format!("{whole}.{part}"))
}
