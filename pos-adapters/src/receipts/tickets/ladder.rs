//! The control sums of a finished ticket: accept it, or say which sum does not hold. Pure.
//!
//! ```text
//! quantity × price = amount      of every line that prints all three
//! voids          every line that takes back has a line that it takes back
//! subtotal       lines so far = subtotal
//! total          lines (+ printed taxes) = total, or up to the highest tax rate above it where no tax is printed
//! item count     pieces, or lines, = count
//! tender         tender − change = total
//! ```

use sync_core::model::Quantity;

use super::super::template::{Compiled, TaxRule};
use super::draft::{Draft, DraftLine, LineClass, times};
use super::{Balance, Proof};

/// A sum that does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    /// The rule.
    pub(super) rule: &'static str,
    /// What was expected and found.
    pub(super) text: String,
}

/// Climbs the ladder. `tax_max` in percent.
pub(super) fn climb(draft: &mut Draft, compiled: &Compiled, tax_max: Quantity) -> Result<Proof, Failure> {
    let mut held = Vec::new();
    if lines_multiply(draft, compiled)? {
        held.push("quantity×price");
    }
    if pair_voids(&mut draft.lines)? {
        held.push("voids");
    }
    if let Some((printed, found)) = draft.subtotal {
        if printed.magnitude() != found.magnitude() {
            return Err(failed("subtotal", format!("the lines give {found}, the subtotal says {printed}")));
        }
        held.push("subtotal");
    }
    let balance = total(draft, compiled, tax_max)?;
    if balance != Balance::Unchecked {
        held.push("total");
    }
    if let Some(counted) = draft.counted {
        count(draft, counted)?;
        held.push("item-count");
    }
    if tender(draft, compiled)? {
        held.push("tender");
    }
    Ok(Proof { balance, held, recalled: draft.recalled })
}

fn failed(rule: &'static str, text: String) -> Failure {
    Failure { rule, text }
}

/// The smallest amount that the till prints.
fn minor_unit(compiled: &Compiled) -> Quantity {
    let decimals = u32::from(compiled.template.numbers.decimals.min(4));
    Quantity::from_micros(1_000_000_i64 / 10_i64.saturating_pow(decimals))
}

fn lines_multiply(draft: &Draft, compiled: &Compiled) -> Result<bool, Failure> {
    let minor = minor_unit(compiled);
    let mut any = false;
    for line in draft.lines.iter().filter(|line| line.class == LineClass::Item && !line.struck) {
        let Some(product) = line.price.and_then(|price| times(line.units.magnitude(), price)) else { continue };
        let off = product.saturating_sub(line.amount.magnitude()).magnitude();
        // A weighed line is rounded, by some tills down.
        let whole = line.units.micros() % 1_000_000 == 0;
        if off >= minor || (whole && !off.is_zero()) {
            let text = format!("`{}`: the units times the price give {product}, not {}", line.name, line.amount);
            return Err(failed("quantity×price", text));
        }
        any = true;
    }
    Ok(any)
}

/// Strikes lines out against the lines that take them back. A line that takes back only a part of an earlier one stays,
/// and counts against it.
fn pair_voids(lines: &mut [DraftLine]) -> Result<bool, Failure> {
    let mut any = false;
    for at in 0..lines.len() {
        let Some((line, earlier)) = lines.get_mut(..=at).and_then(<[DraftLine]>::split_last_mut) else { continue };
        if !line.voids {
            continue;
        }
        any = true;
        let same = |other: &DraftLine| {
            other.class == LineClass::Item && !other.voids && other.name == line.name && other.sku == line.sku
        };
        let opposite = |other: &&mut DraftLine| {
            same(other) && !other.struck && other.amount == line.amount.negated() && other.units == line.units.negated()
        };
        if let Some(taken) = earlier.iter_mut().rev().find(opposite) {
            taken.struck = true;
            line.struck = true;
        } else if !earlier.iter().any(|other| same(other) && other.amount.magnitude() >= line.amount.magnitude()) {
            let text = format!("`{}` {} takes back a line that is not there", line.name, line.amount);
            return Err(failed("voids", text));
        }
    }
    Ok(any)
}

fn total(draft: &Draft, compiled: &Compiled, tax_max: Quantity) -> Result<Balance, Failure> {
    // Struck pairs give nothing; a struck line without its pair was printed with no amount taken back.
    let lines = draft.sum();
    let Some(total) = draft.signed_total() else {
        return if draft.lines.is_empty() {
            Ok(Balance::Unchecked)
        } else {
            Err(failed("total", "no total is printed".to_owned()))
        };
    };
    let taxes = draft.taxes.unwrap_or(Quantity::ZERO);
    let taxes = if total.is_negative() { taxes.magnitude().negated() } else { taxes };
    let with_tax = lines.saturating_add(taxes);
    let rule = compiled.ticket().tax;
    match rule {
        TaxRule::Included if lines == total => Ok(Balance::Exact),
        TaxRule::Added if with_tax == total => Ok(Balance::Exact),
        TaxRule::Unprinted if lines == total => Ok(Balance::Exact),
        TaxRule::Unprinted if is_taxed(draft, compiled, tax_max, total.saturating_sub(lines)) => Ok(Balance::WithTax),
        TaxRule::Included if !taxes.is_zero() && with_tax == total => Err(failed(
            "total",
            format!(
                "the lines give {lines}, with the printed tax {with_tax}: the template should say `tax = \"added\"`"
            ),
        )),
        TaxRule::Added if lines == total => Err(failed(
            "total",
            format!("the lines give {lines} without the printed tax: the template should say `tax = \"included\"`"),
        )),
        TaxRule::Included | TaxRule::Added | TaxRule::Unprinted => {
            let found = if rule == TaxRule::Added { with_tax } else { lines };
            Err(failed("total", format!("the lines give {found}, the total says {total}")))
        }
    }
}

/// Whether an excess may be the tax of the lines that are taxed.
fn is_taxed(draft: &Draft, compiled: &Compiled, percent: Quantity, excess: Quantity) -> bool {
    let flags = &compiled.ticket().taxed_flags;
    let taxed = draft
        .lines
        .iter()
        .filter(|line| !line.struck)
        .filter(|line| flags.is_empty() || line.flag.as_ref().is_some_and(|flag| flags.contains(flag)))
        .fold(Quantity::ZERO, |sum, line| sum.saturating_add(line.amount));
    let most = compiled.tax_max(taxed.magnitude(), percent).saturating_add(minor_unit(compiled));
    !taxed.is_zero() && taxed.is_negative() == excess.is_negative() && excess.magnitude() <= most
}

/// Pieces are counted, weighed lines as one; some tills count lines.
fn count(draft: &Draft, counted: Quantity) -> Result<(), Failure> {
    let items = || draft.lines.iter().filter(|line| line.class == LineClass::Item && !line.struck);
    let pieces = |line: &DraftLine| {
        if line.units.micros() % 1_000_000 == 0 { line.units } else { Quantity::from_micros(1_000_000) }
    };
    let net = items().fold(Quantity::ZERO, |sum, line| sum.saturating_add(pieces(line)));
    let lines = i64::try_from(items().count()).ok().and_then(Quantity::from_units);
    let fits = net.magnitude() == counted || lines == Some(counted);
    if fits {
        Ok(())
    } else {
        Err(failed("item-count", format!("the lines hold {net} items, the ticket counts {counted}")))
    }
}

fn tender(draft: &Draft, compiled: &Compiled) -> Result<bool, Failure> {
    let rules = compiled.ticket();
    let total = draft.signed_total().unwrap_or(Quantity::ZERO);
    let Some(tendered) = draft.tendered else {
        return if rules.needs_tender && !total.is_zero() {
            Err(failed("tender", "no payment is printed".to_owned()))
        } else {
            Ok(false)
        };
    };
    // Money that goes out is printed with or without its sign.
    let tendered = if total.is_negative() { tendered.magnitude().negated() } else { tendered };
    let paid = tendered.saturating_sub(draft.change.unwrap_or(Quantity::ZERO));
    let over = !rules.change_printed && draft.change.is_none() && !total.is_negative() && paid >= total;
    if paid == total || over {
        return Ok(true);
    }
    Err(failed("tender", format!("the payments less change give {paid}, the total says {total}")))
}
