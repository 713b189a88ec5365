//! A believed ticket as a transaction: names to SKUs, units to stock changes. Pure.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use sync_core::model::{
    Extent, LineItem, LineKind, RuleName, Sku, Timestamp, Transaction, TransactionKey, TransactionStatus,
};

use super::super::names::{Named, unit_price};
use super::super::reading::UnknownNames;
use super::TicketPlan;
use super::draft::{Draft, DraftLine, LineClass};

/// Lines without a SKU that are named in one note.
const NAMED_MAX: usize = 50;

/// Rule of lines that were taken back before their ticket ended.
const VOIDED_LINE: &str = "voided-line";

/// What the lines do not tell.
pub(super) struct Head {
    pub(super) key: String,
    pub(super) register: String,
    /// The whole ticket was taken back.
    pub(super) voided: bool,
}

/// A ticket as mapped.
pub(super) struct Mapped {
    pub(super) transaction: Transaction,
    /// Lines that have no article: rule and count.
    pub(super) no_stock: BTreeMap<String, u64>,
    /// Lines whose article is not known, in words.
    pub(super) unnamed: Vec<String>,
}

/// Makes the transaction.
pub(super) fn map(draft: &Draft, head: Head, sold_at: Timestamp, plan: &TicketPlan) -> Mapped {
    let mut lines = Vec::new();
    let mut no_stock: BTreeMap<String, u64> = BTreeMap::new();
    let mut unnamed = Vec::new();
    let mut left_out = |rule: &str| {
        let count = no_stock.entry(rule.to_owned()).or_default();
        *count = count.saturating_add(1);
    };
    for line in &draft.lines {
        match line.class {
            LineClass::Discount => left_out("discount"),
            LineClass::Charge => left_out(line.no_stock.as_deref().unwrap_or("charge")),
            LineClass::Deposit => left_out(line.no_stock.as_deref().unwrap_or("deposit")),
            LineClass::Item => match (&line.no_stock, article(line, plan)) {
                (Some(rule), _) => left_out(rule),
                (None, Named::NoStock(rule)) => left_out(&rule),
                (None, Named::Sku(sku)) => lines.push(item(line, sku)),
                // A line that moves nothing needs no article.
                (None, Named::Unknown | Named::Collides(_)) if head.voided || line.struck => left_out(VOIDED_LINE),
                (None, Named::Unknown) if unnamed.len() < NAMED_MAX => {
                    unnamed.push(format!("`{}` {}", line.name, line.amount));
                }
                (None, Named::Collides(skus)) if unnamed.len() < NAMED_MAX => {
                    unnamed.push(format!("`{}` {}, which may be {}", line.name, line.amount, skus.join(" or ")));
                }
                (None, Named::Unknown | Named::Collides(_)) => {}
            },
        }
    }
    let transaction = Transaction {
        key: TransactionKey::new(head.key),
        register: head.register,
        sold_at: Some(sold_at),
        status: if head.voided { TransactionStatus::Cancelled } else { TransactionStatus::Completed },
        online_order: None,
        extent: Extent::Whole,
        segment: plan.segment.clone(),
        lines,
    };
    Mapped { transaction, no_stock, unnamed }
}

fn article(line: &DraftLine, plan: &TicketPlan) -> Named {
    if let Some(sku) = &line.sku {
        return Named::Sku(Sku::new(sku.as_str()));
    }
    let columns = usize::from(plan.compiled.ticket().name_columns);
    match plan.names.named(&line.name, unit_price(line.price, line.amount, line.units), columns) {
        Named::Unknown if plan.unknown_names == UnknownNames::AsSku => Named::Sku(Sku::new(line.name.as_str())),
        named @ (Named::Sku(_) | Named::NoStock(_) | Named::Unknown | Named::Collides(_)) => named,
    }
}

fn item(line: &DraftLine, sku: Sku) -> LineItem {
    let returned = line.units.is_negative() && !line.voids;
    LineItem {
        sku,
        delta: line.units.negated(),
        kind: if returned { LineKind::Return } else { LineKind::Sale },
        ignored: line.struck.then(|| RuleName::from(VOIDED_LINE)),
    }
}

/// What makes two prints of one ticket the same, whatever their titles say.
pub(super) fn content(draft: &Draft) -> String {
    let mut text = String::new();
    for line in &draft.lines {
        let sku = line.sku.as_deref().unwrap_or_default();
        let _never_fails = writeln!(text, "{sku}|{}|{}|{}", line.name, line.units, line.amount);
    }
    text
}
