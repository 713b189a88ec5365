//! How a transaction of a Commander set moves stock. Pure.
//!
//! The sign of a line is that of its amount: corrections keep a quantity of +1 and have a negative amount.
//!
//! | transaction | line | amount | moves |
//! |---|---|---|---|
//! | `void` | none negative | | nothing: cancelled; else quarantined |
//! | `suspend…` | | | nothing: suspended |
//! | `…sale` | `plu` | + | −quantity |
//! | `…sale` | `plu` | − | +quantity, as a return |
//! | `refund…` | `plu` | any | +quantity |
//! | any | `void …` | + | nothing: `voided-line` |
//! | any | `…Fuel` | | nothing: `fuel` |
//! | any | `dept` | | nothing: `department-sale` |

use sync_core::model::{LineKind, Quantity, TransactionStatus};

use super::parse::{Line, Trans};
use crate::documents::ticket::{self, Draft, Found, Rules, Ticket};

/// Takes a transaction.
///
/// # Errors
/// Why it is set aside.
pub(super) fn trans(rules: &Rules, trans: &Trans, found: &mut Found) -> Result<(), String> {
    let kind = trans.kind.to_ascii_lowercase();
    let status = if kind.contains("void") {
        if trans.lines.iter().any(|line| line.amount.is_negative()) {
            return Err("is a void that pays goods back: whether they were sold before cannot be told".to_owned());
        }
        TransactionStatus::Cancelled
    } else if kind.contains("suspend") {
        TransactionStatus::Suspended
    } else if kind.contains("training") {
        TransactionStatus::Training
    } else if kind.contains("sale") || kind.contains("refund") {
        TransactionStatus::Completed
    } else if trans.lines.is_empty() {
        found.ignore(if kind == "journal" { "journal" } else { "without-goods" });
        return Ok(());
    } else {
        return Err(format!("is of the unknown type `{}` and has lines", trans.kind));
    };
    let key = if trans.serial.is_empty() {
        if trans.number.is_empty() {
            return Err("has neither trUniqueSN nor a ticket number".to_owned());
        }
        ticket::key(&[&trans.site, &trans.period, &trans.register, &trans.number])
    } else {
        ticket::key(&[&trans.site, &trans.serial])
    };
    let refund = kind.contains("refund");
    let mut lines = Vec::with_capacity(trans.lines.len());
    let mut amounts = Vec::new();
    for (at, line) in trans.lines.iter().enumerate() {
        let (drafted, counts) = draft(line, refund, at.saturating_add(1))?;
        lines.push(rules.line(drafted));
        if counts {
            amounts.push(line.amount);
        }
    }
    let plain = ticket::sum(amounts);
    let balance = ticket::balance(&[plain, plain.filter(|_| refund).map(Quantity::negated)], &[trans.net, trans.gross]);
    let read = Ticket { key, register: trans.register.clone(), sold_at: trans.sold_at, status, lines };
    found.accept(read, balance, rules.control_sum)
}

fn draft(line: &Line, refund: bool, number: usize) -> Result<(Draft, bool), String> {
    let kind = line.kind.to_ascii_lowercase();
    let (quantity, amount) = (line.quantity, line.amount);
    let itself_void = kind.contains("void") && !amount.is_negative() && !quantity.is_negative() && !line.minus;
    let ignored = if itself_void {
        Some("voided-line")
    } else if kind.contains("fuel") || line.fuel {
        Some("fuel")
    } else if kind.contains("lott") {
        Some("lottery")
    } else if kind.contains("plu") {
        None
    } else if kind.contains("dept") {
        Some("department-sale")
    } else {
        Some("other-line")
    };
    let back = amount.is_negative() || (amount.is_zero() && (quantity.is_negative() || line.minus));
    if ignored.is_none() && quantity.is_negative() && !amount.is_negative() && !amount.is_zero() {
        return Err(format!(
            "has a quantity of {quantity} and an amount of {amount} on line {number}: the signs differ"
        ));
    }
    let (delta, line_kind) = if ignored.is_some() {
        (quantity.negated(), LineKind::Sale)
    } else if refund || back {
        (quantity.magnitude(), LineKind::Return)
    } else {
        (quantity.magnitude().negated(), LineKind::Sale)
    };
    let draft = Draft { sku: line.sku.clone(), department: line.department.clone(), delta, kind: line_kind, ignored };
    Ok((draft, !itself_void))
}

#[cfg(test)]
mod tests;
