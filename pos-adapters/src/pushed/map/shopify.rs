//! Shopify POS: orders and refunds to transactions.
//!
//! An order's lines count with what was sold; what comes back counts by its refund, which says whether it was put back
//! on the shelf. An order's cancellation is therefore no reversal of its own: Shopify makes a refund for it.

use jiff::tz::TimeZone;
use sync_core::model::{Extent, LineItem, LineKind, RuleName, Sku, Transaction, TransactionStatus};

use super::{Mapped, joined, segment, time};
use crate::Quarantined;
use crate::pushed::inbox::Revised;
use crate::pushed::parse::shopify::{Item, Order, Posted, Refund};
use crate::pushed::plan::Key;

/// Maps one webhook.
#[must_use]
pub fn posted(key: &Key, zone: &TimeZone, place: &str, posted: &Posted) -> Mapped {
    let mut mapped = Mapped::default();
    match posted {
        Posted::Order(order) if order.source_name.as_deref() != Some("pos") => {
            mapped.ignore("shopify: not sold at a register");
        }
        Posted::Order(order) if !key.is_here(order.location_id.as_ref().map(|id| id.0.as_str())) => {
            mapped.ignore("shopify: another location");
        }
        Posted::Order(order) => self::order(key, zone, place, order, &mut mapped),
        Posted::Refund(refund) => self::refund(key, zone, place, refund, &mut mapped),
    }
    mapped
}

fn order(key: &Key, zone: &TimeZone, place: &str, order: &Order, mapped: &mut Mapped) {
    let at = |field, text: &Option<String>| time(field, text.as_deref(), zone).ok().flatten();
    let mut lines = Vec::new();
    for item in &order.line_items {
        let delta = item.quantity.0.negated();
        lines.extend(line(item, delta, LineKind::Sale, &format!("{place}, order {}", order.id.0), mapped));
    }
    let transaction = Transaction {
        key: joined(&[&key.name, "order", &order.id.0]),
        register: order.device_id.as_ref().map(|id| id.0.clone()).unwrap_or_default(),
        sold_at: at("created_at", &order.created_at),
        status: if order.test { TransactionStatus::Training } else { TransactionStatus::Completed },
        online_order: None,
        extent: Extent::Whole,
        segment: segment(key),
        lines,
    };
    mapped.transactions.push(Revised { transaction, revision: at("updated_at", &order.updated_at).map(|at| at.0) });
}

fn refund(key: &Key, zone: &TimeZone, place: &str, refund: &Refund, mapped: &mut Mapped) {
    let mut lines = Vec::new();
    for item in &refund.refund_line_items {
        let put_back = matches!(item.restock_type.as_deref(), Some("return" | "cancel" | "legacy_restock"));
        if !put_back {
            mapped.ignore("shopify: refunded and not put back");
        } else if !key.is_here(item.location_id.as_ref().map(|id| id.0.as_str())) {
            mapped.ignore("shopify: put back at another location");
        } else {
            let place = format!("{place}, refund {}", refund.id.0);
            lines.extend(line(&item.line_item, item.quantity.0, LineKind::Return, &place, mapped));
        }
    }
    if lines.is_empty() {
        return;
    }
    let transaction = Transaction {
        key: joined(&[&key.name, "refund", &refund.id.0]),
        register: String::new(),
        sold_at: time("created_at", refund.created_at.as_deref(), zone).ok().flatten(),
        status: TransactionStatus::Completed,
        online_order: None,
        extent: Extent::Whole,
        segment: segment(key),
        lines,
    };
    mapped.transactions.push(Revised { transaction, revision: None });
}

/// A line; nothing where the article has no SKU, which waits for a person.
fn line(
    item: &Item,
    delta: sync_core::model::Quantity,
    kind: LineKind,
    place: &str,
    mapped: &mut Mapped,
) -> Option<LineItem> {
    let sku = item.sku.as_deref().map(str::trim).unwrap_or_default();
    let rule = match (item.gift_card, &item.variant_id) {
        (true, _) => Some("gift card"),
        (false, None) => Some("custom item"),
        (false, Some(_)) => None,
    };
    if sku.is_empty() && rule.is_none() {
        let variant = item.variant_id.as_ref().map(|id| id.0.as_str()).unwrap_or_default();
        mapped.quarantined.push(Quarantined {
            at: place.to_owned(),
            reason: format!("variant {variant} has no SKU in Shopify: give it one, then have the webhook sent again"),
            raw: format!("{{\"variant_id\":\"{variant}\",\"delta\":\"{delta}\"}}"),
            records: 1,
        });
        return None;
    }
    Some(LineItem { sku: Sku::from(sku), delta, kind, ignored: rule.map(RuleName::from) })
}
