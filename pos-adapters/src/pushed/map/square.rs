//! Square: events to transactions, as far as they can be read without asking Square.
//!
//! Square's own events name an order and carry no lines. A completed order without lines is a sale that is not known:
//! it is kept for a person, never passed over. Other events are counted by kind.

use jiff::tz::TimeZone;
use sync_core::model::{Extent, LineItem, LineKind, RuleName, Sku, Transaction, TransactionStatus};

use super::{Mapped, joined, segment, time};
use crate::Quarantined;
use crate::pushed::inbox::Revised;
use crate::pushed::parse::square::{Event, Item, Note, Order};
use crate::pushed::plan::Key;

/// Maps one event.
#[must_use]
pub fn posted(key: &Key, zone: &TimeZone, place: &str, event: &Event) -> Mapped {
    let mut mapped = Mapped::default();
    let object = &event.data.object;
    let family = event.kind.split('.').next().unwrap_or_default();
    match (family, &object.order, object.order_updated.as_ref().or(object.order_created.as_ref())) {
        ("order", Some(order), _) => self::order(key, zone, place, order, &mut mapped),
        ("order", None, Some(note)) => self::note(key, place, note, &mut mapped),
        ("order", None, None) => mapped.ignore("square: order event without an order"),
        ("payment", _, _) => mapped.ignore("square: payment event"),
        ("refund", _, _) => mapped.ignore("square: refund event"),
        ("inventory" | "catalog", _, _) => mapped.ignore("square: inventory or catalogue event"),
        _ => mapped.ignore("square: event of another kind"),
    }
    mapped
}

fn note(key: &Key, place: &str, note: &Note, mapped: &mut Mapped) {
    if !key.is_here(note.location_id.as_ref().map(|id| id.0.as_str())) {
        mapped.ignore("square: another location");
    } else if note.state.as_deref() == Some("COMPLETED") {
        unknown_lines(place, &note.order_id.0, mapped);
    } else {
        mapped.ignore("square: order not completed");
    }
}

fn unknown_lines(place: &str, order: &str, mapped: &mut Mapped) {
    mapped.quarantined.push(Quarantined {
        at: place.to_owned(),
        reason: format!(
            "order {order} is completed and Square's event carries no lines: what was sold cannot be known without asking Square; post it with its lines, see docs/pos/pushed.md"
        ),
        raw: format!("{{\"order_id\":\"{order}\"}}"),
        records: 1,
    });
}

fn order(key: &Key, zone: &TimeZone, place: &str, order: &Order, mapped: &mut Mapped) {
    if !key.is_here(order.location_id.as_ref().map(|id| id.0.as_str())) {
        mapped.ignore("square: another location");
        return;
    }
    let status = match order.state.as_deref() {
        Some("COMPLETED") => TransactionStatus::Completed,
        Some("CANCELED") => TransactionStatus::Cancelled,
        _ => TransactionStatus::Suspended,
    };
    if order.line_items.is_none() && order.returns.is_empty() && status.moves_stock() {
        unknown_lines(place, &order.id.0, mapped);
        return;
    }
    let mut lines = Vec::new();
    let place = format!("{place}, order {}", order.id.0);
    for item in order.line_items.iter().flatten() {
        lines.extend(line(item, LineKind::Sale, &place, mapped));
    }
    for item in order.returns.iter().flat_map(|returned| &returned.return_line_items) {
        lines.extend(line(item, LineKind::Return, &place, mapped));
    }
    let sold_at = order.closed_at.as_deref().or(order.created_at.as_deref());
    let transaction = Transaction {
        key: joined(&[&key.name, "order", &order.id.0]),
        register: String::new(),
        sold_at: time("closed_at", sold_at, zone).ok().flatten(),
        status,
        online_order: None,
        extent: Extent::Whole,
        segment: segment(key),
        lines,
    };
    mapped.transactions.push(Revised { transaction, revision: order.version });
}

fn line(item: &Item, kind: LineKind, place: &str, mapped: &mut Mapped) -> Option<LineItem> {
    let quantity = item.quantity.0;
    let delta = if kind == LineKind::Sale { quantity.negated() } else { quantity };
    let rule = match item.item_type.as_deref() {
        Some("GIFT_CARD") => Some("gift card"),
        Some("CUSTOM_AMOUNT") => Some("custom item"),
        _ => None,
    };
    match (&item.catalog_object_id, rule) {
        (None, None) => {
            mapped.quarantined.push(Quarantined {
                at: place.to_owned(),
                reason: "a line names no object of the catalogue, so its article is not known".to_owned(),
                raw: format!("{{\"delta\":\"{delta}\"}}"),
                records: 1,
            });
            None
        }
        (id, rule) => {
            let sku = id.as_ref().map(|id| id.0.as_str()).unwrap_or_default();
            Some(LineItem { sku: Sku::from(sku), delta, kind, ignored: rule.map(RuleName::from) })
        }
    }
}
