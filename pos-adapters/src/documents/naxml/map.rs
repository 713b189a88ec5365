//! How a NAXML event moves stock. Pure.
//!
//! | event | line | quantity, amount | moves |
//! |---|---|---|---|
//! | any | status `cancel` | | nothing: `cancelled-line` |
//! | `VoidEvent` | all `cancel` | | nothing: the event is cancelled; else quarantined |
//! | `SaleEvent` | item | both + | −quantity × selling units |
//! | `SaleEvent` | item | both − | +quantity × selling units, as a return |
//! | `RefundEvent` | item | amount with the sign of the total | +quantity × selling units |
//! | `RefundEvent` | item | amount with the other sign | −quantity × selling units: given out in exchange |
//! | any | fuel, department | | nothing: `fuel`, `department-sale` |

use sync_core::model::{LineKind, Quantity, TransactionStatus};

use super::parse::{Event, Kind, Line, Ware};
use crate::documents::ticket::{self, Draft, Found, Rules, Ticket};

/// Takes an event.
///
/// # Errors
/// Why it is set aside.
pub(super) fn event(rules: &Rules, event: &Event, found: &mut Found) -> Result<(), String> {
    if event.number.is_empty() || event.register.is_empty() {
        return Err("has no number or no register, so it cannot be recognised when it is read again".to_owned());
    }
    let status = match (event.training, event.suspended, event.kind) {
        (true, _, _) => TransactionStatus::Training,
        (false, true, _) => TransactionStatus::Suspended,
        (false, false, Kind::Void) => TransactionStatus::Cancelled,
        (false, false, Kind::Sale | Kind::Refund) => TransactionStatus::Completed,
    };
    let total = event.grand.or(event.gross).or(event.net).filter(|total| !total.is_zero());
    let mut lines = Vec::with_capacity(event.lines.len());
    let mut amounts = Vec::new();
    for (at, line) in event.lines.iter().enumerate() {
        let number = at.saturating_add(1);
        let cancelled = match line.status.as_str() {
            "normal" | "" => false,
            "cancel" => true,
            other => return Err(format!("has a line with the unknown status `{other}` (line {number})")),
        };
        if !cancelled && event.kind == Kind::Void {
            return Err(format!("is a void whose line {number} is not cancelled: whether it was sold cannot be told"));
        }
        if !cancelled {
            amounts.push(line.amount);
        }
        lines.push(rules.line(draft(event.kind, line, cancelled, total, number)?));
    }
    let discounts = event.discounts.iter().map(|amount| amount.magnitude().negated());
    let plain = ticket::sum(amounts.iter().copied());
    let reduced = ticket::sum(amounts.iter().copied().chain(discounts));
    let taxed = |sum: Option<Quantity>| sum.zip(event.tax).and_then(|(sum, tax)| sum.checked_add(tax));
    let turned = |sum: Option<Quantity>| sum.filter(|_| event.kind == Kind::Refund).map(Quantity::negated);
    let sums = [plain, reduced, taxed(plain), taxed(reduced), turned(plain), turned(reduced)];
    let balance = ticket::balance(&sums, &[event.net, event.gross, event.grand]);
    let key = ticket::key(&[&event.store, &event.register, &event.number, &event.day]);
    let read = Ticket { key, register: event.register.clone(), sold_at: event.sold_at, status, lines };
    found.accept(read, balance, rules.control_sum)
}

fn draft(kind: Kind, line: &Line, cancelled: bool, total: Option<Quantity>, number: usize) -> Result<Draft, String> {
    let moved = ticket::times(line.quantity, line.units).ok_or_else(|| {
        format!(
            "has a quantity of {} times {} on line {number}, which is too fine or too large",
            line.quantity, line.units
        )
    })?;
    let ignored = match (cancelled, line.ware) {
        (true, _) => Some("cancelled-line"),
        (false, Ware::Fuel) => Some("fuel"),
        (false, Ware::Department) => Some("department-sale"),
        (false, Ware::Item) => None,
    };
    let (quantity, amount) = (line.quantity, line.amount);
    let (delta, line_kind) = match kind {
        _ if ignored.is_some() => (moved.negated(), LineKind::Sale),
        Kind::Sale | Kind::Void => {
            let differ = !amount.is_zero() && !quantity.is_zero() && amount.is_negative() != quantity.is_negative();
            if differ {
                return Err(format!(
                    "has a quantity of {quantity} and an amount of {amount} on line {number}: the signs differ"
                ));
            }
            (moved.negated(), if moved.is_negative() { LineKind::Return } else { LineKind::Sale })
        }
        Kind::Refund => {
            let given_out = match total {
                Some(total) if !amount.is_zero() => total.is_negative() != amount.is_negative(),
                _ if amount.is_zero() => false,
                _ => return Err("is a refund whose total is zero: what came back cannot be told".to_owned()),
            };
            if given_out {
                (moved.magnitude().negated(), LineKind::Sale)
            } else {
                (moved.magnitude(), LineKind::Return)
            }
        }
    };
    Ok(Draft { sku: line.sku.clone(), department: line.department.clone(), delta, kind: line_kind, ignored })
}

#[cfg(test)]
mod tests;
