//! What the profiles of known exports fill in. Columns are bound by name, so that added or moved columns of newer
//! versions change nothing; keys of the configuration win.

use super::settings::{
    Columns, FileSettings, Format, IgnoreRule, OneOrMore, Pattern, Profile, QuantitySign, Signs, StatusWords,
};

/// Fills every key that was left out with what the profile knows.
pub(super) fn fill(settings: &mut FileSettings) {
    let preset = match settings.profile {
        Profile::Generic => generic(),
        Profile::SquareItems => square_items(),
        Profile::LoyverseItems => loyverse_items(),
        Profile::LightspeedSales => lightspeed_sales(),
    };
    settings.format.get_or_insert(preset.format);
    settings.pattern.get_or_insert(preset.pattern);
    fill_columns(&mut settings.columns, preset.columns);
    fill_signs(&mut settings.signs, preset.signs);
    let status = &mut settings.status;
    fill_option(&mut status.cancelled, preset.status.cancelled);
    fill_option(&mut status.suspended, preset.status.suspended);
    fill_option(&mut status.training, preset.status.training);
    if settings.ignore.is_empty() {
        settings.ignore = preset.ignore;
    }
}

struct Preset {
    format: Format,
    pattern: Pattern,
    columns: Columns,
    signs: Signs,
    status: StatusWords,
    ignore: Vec<IgnoreRule>,
}

fn generic() -> Preset {
    Preset {
        format: Format::Csv,
        pattern: Pattern::Journal,
        columns: Columns {
            transaction: Some(OneOrMore::One("transaction".to_owned())),
            sku: named("sku"),
            quantity: named("quantity"),
            ..Columns::default()
        },
        signs: Signs::default(),
        status: StatusWords::default(),
        ignore: Vec::new(),
    }
}

/// Refund rows repeat the transaction of the sale with a negative quantity and a payment of their own.
fn square_items() -> Preset {
    Preset {
        format: Format::Csv,
        pattern: Pattern::Export,
        columns: Columns {
            transaction: more(&["Transaction ID", "Payment ID"]),
            register: named("Device Name"),
            sku: named("SKU"),
            quantity: named("Qty"),
            date: named("Date"),
            time: named("Time"),
            kind: named("Event Type"),
            name: named("Item"),
            ..Columns::default()
        },
        signs: Signs {
            quantity: Some(QuantitySign::Signed),
            sale: words(&["Payment"]),
            returned: words(&["Refund"]),
            ..Signs::default()
        },
        status: StatusWords::default(),
        ignore: vec![IgnoreRule {
            rule: "custom-amount".to_owned(),
            column: "Item".to_owned(),
            equals: vec!["Custom Amount".to_owned()],
            prefix: None,
        }],
    }
}

/// A sale cancelled later stays in the export as a sale with another status. Refunds are written with either sign.
fn loyverse_items() -> Preset {
    Preset {
        format: Format::Csv,
        pattern: Pattern::Export,
        columns: Columns {
            transaction: more(&["Store", "Receipt number"]),
            register: named("POS"),
            sku: named("SKU"),
            quantity: named("Quantity"),
            sold_at: named("Date"),
            kind: named("Receipt type"),
            status: named("Status"),
            name: named("Item"),
            ..Columns::default()
        },
        signs: Signs {
            quantity: Some(QuantitySign::ByKind),
            sale: words(&["Sale"]),
            returned: words(&["Refund"]),
            ..Signs::default()
        },
        status: StatusWords { cancelled: words(&["Cancelled", "Canceled"]), ..StatusWords::default() },
        ignore: Vec::new(),
    }
}

/// Receipt numbers are scoped to a register; rows of the sale itself and of its payments carry no article.
fn lightspeed_sales() -> Preset {
    Preset {
        format: Format::Csv,
        pattern: Pattern::Export,
        columns: Columns {
            transaction: more(&["Register", "Receipt Number"]),
            register: named("Register"),
            sku: named("SKU"),
            quantity: named("Quantity"),
            sold_at: named("Date"),
            kind: named("Line Type"),
            status: named("Status"),
            name: named("Details"),
            ..Columns::default()
        },
        signs: Signs { quantity: Some(QuantitySign::Signed), sale: words(&["Sale Line"]), ..Signs::default() },
        status: StatusWords {
            cancelled: words(&["Voided", "VOIDED"]),
            suspended: words(&["Saved", "Parked", "Layby", "On Account Saved"]),
            training: None,
        },
        ignore: ["Sale", "Payment"]
            .into_iter()
            .map(|value| IgnoreRule {
                rule: format!("{}-row", value.to_ascii_lowercase()),
                column: "Line Type".to_owned(),
                equals: vec![value.to_owned()],
                prefix: None,
            })
            .collect(),
    }
}

fn named(name: &str) -> Option<String> {
    Some(name.to_owned())
}

fn words(values: &[&str]) -> Option<Vec<String>> {
    Some(values.iter().map(|value| (*value).to_owned()).collect())
}

fn more(names: &[&str]) -> Option<OneOrMore> {
    words(names).map(OneOrMore::More)
}

fn fill_option<T>(slot: &mut Option<T>, preset: Option<T>) {
    if slot.is_none() {
        *slot = preset;
    }
}

fn fill_columns(columns: &mut Columns, preset: Columns) {
    let timed = columns.sold_at.is_some() || columns.date.is_some() || columns.time.is_some();
    fill_option(&mut columns.transaction, preset.transaction);
    fill_option(&mut columns.register, preset.register);
    fill_option(&mut columns.sku, preset.sku);
    fill_option(&mut columns.quantity, preset.quantity);
    if !timed {
        columns.sold_at = preset.sold_at;
        columns.date = preset.date;
        columns.time = preset.time;
    }
    fill_option(&mut columns.line, preset.line);
    fill_option(&mut columns.kind, preset.kind);
    fill_option(&mut columns.status, preset.status);
    fill_option(&mut columns.online_order, preset.online_order);
    fill_option(&mut columns.items, preset.items);
    fill_option(&mut columns.name, preset.name);
}

fn fill_signs(signs: &mut Signs, preset: Signs) {
    fill_option(&mut signs.quantity, preset.quantity);
    let worded =
        signs.sale.is_some() || signs.returned.is_some() || signs.receipt.is_some() || signs.adjustment.is_some();
    if !worded {
        signs.sale = preset.sale;
        signs.returned = preset.returned;
        signs.receipt = preset.receipt;
        signs.adjustment = preset.adjustment;
    }
}
