//! How a cash transaction moves stock. Pure.
//!
//! | transaction (code) | line | moves |
//! |---|---|---|
//! | cash and credit sales, exchanges, returns (11001, 11002, 11006, 11012, 11013, 11015-11017) | credit, quantity + | −quantity |
//! | the same | debit, any quantity | +quantity, as a return |
//! | the same | credit, quantity − | quarantined: the sides differ |
//! | purchase (11003) | article | +quantity, as a receipt |
//! | payments, cash counts (11004, 11005, 11007, 11008, 11010, 11011) | | nothing: `without-goods` |
//! | correction, inventory, other (11009, 11014, 11999) and unknown | with articles | quarantined |
//! | `voidTransaction`, `trainingID` | | nothing |

use sync_core::model::{LineKind, Quantity, TransactionStatus};

use super::parse::{Line, Transaction};
use crate::documents::ticket::{self, Draft, Found, Rules, Ticket};

/// Takes a transaction.
///
/// # Errors
/// Why it is set aside.
pub(super) fn transaction(rules: &Rules, read: &Transaction, found: &mut Found) -> Result<(), String> {
    if read.id.is_empty() && read.number.is_empty() {
        return Err("has no number, so it cannot be recognised when it is read again".to_owned());
    }
    let status = if read.training {
        TransactionStatus::Training
    } else if read.void {
        TransactionStatus::Cancelled
    } else {
        TransactionStatus::Completed
    };
    let mut purchase = false;
    match read.code.as_str() {
        "11001" | "11002" | "11006" | "11012" | "11013" | "11015" | "11016" | "11017" => {}
        "11003" => purchase = true,
        _ if read.lines.iter().all(|line| line.article.is_empty()) => {
            found.ignore("without-goods");
            return Ok(());
        }
        "11004" | "11005" | "11007" | "11008" | "11010" | "11011" => {
            found.ignore("without-goods");
            return Ok(());
        }
        other => return Err(format!("is of the kind `{other}`, whose lines cannot be read as stock")),
    }
    let mut lines = Vec::with_capacity(read.lines.len());
    for line in &read.lines {
        lines.push(rules.line(draft(line, purchase)?));
    }
    let amounts = || read.lines.iter().map(|line| line.amount);
    // Some write what is paid back without its sign and mark it as debit only.
    let sided = read.lines.iter().map(|line| if line.debit { line.amount.magnitude().negated() } else { line.amount });
    let sided = ticket::sum(sided);
    let sums = [ticket::sum(amounts()), sided, sided.map(Quantity::negated).filter(|_| read.code == "11006")];
    let mut balance = ticket::balance(&sums, &[read.total]);
    if let ticket::Balance::Off(_) = balance
        && read.total_without_tax.is_some()
        && read.total_without_tax == read.sum_without_tax
    {
        balance = ticket::Balance::Exact;
    }
    let key = ticket::key(&[&read.register, &read.day, &read.id, &read.number]);
    let ticket = Ticket { key, register: read.register.clone(), sold_at: read.sold_at, status, lines };
    found.accept(ticket, balance, rules.control_sum)
}

fn draft(line: &Line, purchase: bool) -> Result<Draft, String> {
    let (sku, department) = (line.article.clone(), line.group.clone());
    let quantity = match line.quantity {
        Some(quantity) => quantity,
        None if line.article.is_empty() => Quantity::ZERO,
        None => return Err(format!("has no quantity on line {}", line.number)),
    };
    let (delta, kind) = if purchase {
        (quantity.magnitude(), LineKind::Receipt)
    } else if line.debit {
        (quantity.magnitude(), LineKind::Return)
    } else if quantity.is_negative() {
        return Err(format!(
            "has a quantity of {quantity} on the credit side on line {}: the sides differ",
            line.number
        ));
    } else {
        (quantity.negated(), LineKind::Sale)
    };
    Ok(Draft { sku, department, delta, kind, ignored: None })
}

#[cfg(test)]
mod tests;
