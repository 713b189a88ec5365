//! How a POSLog ticket moves stock: the rule table of signs, what moves nothing, and the control sum. Pure.
//!
//! | element | `VoidFlag` | quantity | amount | moves |
//! |---|---|---|---|---|
//! | `Sale` | no | + | + or 0 | −quantity |
//! | `Sale` | no | − | − or 0 | +quantity, as a return |
//! | `Sale` | no | signs differ | | quarantined |
//! | `Sale` | yes | − | | +quantity: takes an earlier line back (NCR ACS) |
//! | `Sale` | yes | + | + or 0 | nothing: the line itself is void (ARTS) |
//! | `Return` | no | any | | +quantity |
//! | `Return` | yes | any | | quarantined: cannot be told |
//! | `NegativeItem` | | | | nothing, by rule |

use std::collections::BTreeSet;

use sync_core::model::{LineKind, Quantity, Timestamp, TransactionStatus};

use super::parse::{Direction, Head, Line, Retail};
use crate::documents::ticket::{self, Balance, Draft, Found, Rules, Ticket};

/// Item types that are no goods on a shelf: rule by `ItemType`.
const ITEM_TYPES: [(&str, &str); 16] = [
    ("Service", "service"),
    ("ServiceContract", "service"),
    ("Alteration", "service"),
    ("Warranty", "service"),
    ("Fee", "fee"),
    ("ShippingHandling", "fee"),
    ("Deposit", "deposit"),
    ("DepositRefund", "deposit"),
    ("ItemDeposit", "deposit"),
    ("GiftCertificate", "gift-card"),
    ("GiftCard", "gift-card"),
    ("StoredValue", "gift-card"),
    ("PhoneCard", "gift-card"),
    ("Lottery", "lottery"),
    ("Fuel", "fuel"),
    ("Coupon", "coupon"),
];

/// Takes a ticket.
///
/// # Errors
/// Why it is set aside.
pub(super) fn ticket(
    rules: &Rules,
    head: &Head,
    sold_at: Option<Timestamp>,
    retail: Retail,
    found: &mut Found,
) -> Result<(), String> {
    if head.number.is_empty() || head.workstation.is_empty() {
        return Err("has no number or no register, so it cannot be recognised when it is read again".to_owned());
    }
    let status = status(&retail)?;
    if let Some(other) = &retail.voids
        && retail.lines.is_empty()
        && status.moves_stock()
    {
        return Err(format!("voids {other} without saying which goods came back"));
    }
    let mut lines = Vec::with_capacity(retail.lines.len());
    let (mut written, mut turned) = (Vec::new(), Vec::new());
    for line in &retail.lines {
        let (drafted, counts) = movement(line)?;
        lines.push(rules.line(drafted));
        if counts {
            written.push(line.amount);
            // Some write what is paid back without its sign.
            let back = line.direction == Direction::Return && !line.amount.is_negative();
            turned.push(if back { line.amount.negated() } else { line.amount });
        }
    }
    for rule in &retail.passed_over {
        found.ignore(rule);
    }
    let balance = balance(&retail, &written, &turned);
    let key = ticket::key(&[&head.store, &head.workstation, &head.number, &head.day]);
    let ticket = Ticket { key, register: head.workstation.clone(), sold_at, status, lines };
    found.accept(ticket, balance, rules.control_sum)
}

fn status(retail: &Retail) -> Result<TransactionStatus, String> {
    if retail.training {
        return Ok(TransactionStatus::Training);
    }
    if retail.cancelled {
        return Ok(TransactionStatus::Cancelled);
    }
    match retail.state.as_str() {
        "" | "Totaled" | "Finished" | "Completed" | "Delivered" | "Tendered" | "Finalized" => {
            Ok(TransactionStatus::Completed)
        }
        "Suspended" | "SuspendedRetrieved" | "InProcess" | "Rainchecked" => Ok(TransactionStatus::Suspended),
        "SuspendedDeleted" | "PostVoided" | "Voided" | "Canceled" | "Cancelled" | "Failed" => {
            Ok(TransactionStatus::Cancelled)
        }
        other => Err(format!("has the unknown status `{other}`")),
    }
}

/// What a line moves, and whether its amount is part of the total.
fn movement(line: &Line) -> Result<(Draft, bool), String> {
    let amount = line.amount;
    let quantity = match line.quantity {
        Some(quantity) => quantity,
        None if amount.is_negative() => return Err(format!("has no quantity on line {}", line.number)),
        None => Quantity::from_micros(1_000_000),
    };
    let itself_void = line.direction == Direction::Sale
        && line.void
        && !line.negative_item
        && !quantity.is_negative()
        && !amount.is_negative();
    let ignored = if itself_void { Some("voided-line") } else { without_goods(line) };
    let (delta, kind) = match (line.direction, line.void) {
        _ if ignored.is_some() => (quantity.negated(), LineKind::Sale),
        (Direction::Sale, false) => {
            let differ = !amount.is_zero() && !quantity.is_zero() && amount.is_negative() != quantity.is_negative();
            if differ {
                return Err(format!(
                    "has a quantity of {quantity} and an amount of {amount} on line {}: the signs differ",
                    line.number
                ));
            }
            let kind = if quantity.is_negative() { LineKind::Return } else { LineKind::Sale };
            (quantity.negated(), kind)
        }
        (Direction::Sale, true) => (quantity.magnitude(), LineKind::Sale),
        (Direction::Return, false) => (quantity.magnitude(), LineKind::Return),
        (Direction::Return, true) => {
            return Err(format!("has a voided return on line {}, whose sign cannot be told", line.number));
        }
    };
    let draft = Draft { sku: line.sku.clone(), department: line.department.clone(), delta, kind, ignored };
    Ok((draft, !itself_void))
}

/// The rule by which a line is no goods on a shelf.
fn without_goods(line: &Line) -> Option<&'static str> {
    if line.negative_item {
        return Some("negative-item");
    }
    if let Some((_, rule)) = ITEM_TYPES.iter().find(|(word, _)| line.item_type.eq_ignore_ascii_case(word)) {
        return Some(rule);
    }
    if line.id_type.eq_ignore_ascii_case("Department") || (!line.sku.is_empty() && line.sku.bytes().all(|b| b == b'0'))
    {
        return Some("department-sale");
    }
    if line.entry == "Linked" || line.entry.ends_with(":Linked") {
        return Some("linked-deposit");
    }
    match line.disposal.as_deref() {
        None | Some("ReturnToStock" | "Return To Stock" | "Restock" | "") => None,
        Some(_) => Some("returned-not-to-stock"),
    }
}

/// Lines, taxes and rewards against the total. A reward that is logged for each article and once more in sum counts once.
fn balance(retail: &Retail, written: &[Quantity], turned: &[Quantity]) -> Balance {
    let detailed: BTreeSet<_> = retail.rewards.iter().filter(|r| r.detailed).map(|r| r.promotion.clone()).collect();
    let rewards = retail.rewards.iter().filter(|r| r.detailed || !detailed.contains(&r.promotion)).map(|r| r.amount);
    let rewards: Vec<Quantity> = rewards.collect();
    let taxes: Vec<Quantity> =
        if retail.taxes.is_empty() { retail.tax_total.into_iter().collect() } else { retail.taxes.clone() };
    let discounts: Vec<Quantity> = retail.discounts.iter().map(|amount| amount.magnitude().negated()).collect();
    let mut sums = Vec::new();
    for lines in [written, turned] {
        let plain = lines.iter().chain(&rewards).copied();
        let taxed = plain.clone().chain(taxes.iter().copied());
        sums.push(ticket::sum(taxed.clone()));
        sums.push(ticket::sum(plain.clone()));
        if !discounts.is_empty() {
            sums.push(ticket::sum(taxed.chain(discounts.iter().copied())));
            sums.push(ticket::sum(plain.chain(discounts.iter().copied())));
        }
    }
    ticket::balance(&sums, &[retail.grand_total, retail.net_total.filter(|_| retail.grand_total.is_none())])
}

#[cfg(test)]
mod tests;
