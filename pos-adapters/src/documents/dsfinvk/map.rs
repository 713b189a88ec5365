//! How a ticket of an export moves stock. Pure.
//!
//! | `BON_TYP` | moves |
//! |---|---|
//! | `Beleg`, `AVRechnung` | its positions; a negative quantity is a return |
//! | `AVSachbezug` | its positions, as an adjustment: goods for staff |
//! | `AVBelegstorno`, or `BON_STORNO` = 1 | its negative positions; without positions, those of the ticket it refers to, reversed |
//! | `AVBelegabbruch` | nothing: cancelled |
//! | `AVTraining` | nothing: training |
//! | `AVBestellung`, `AVTransfer`, `AVSonstige` | nothing: `order`, `transfer`, `without-goods` |
//!
//! Of the positions only `GV_TYP` `Umsatz` (and what is owed: `Forderungsentstehung`) moves; deposits (`Pfand`,
//! `PfandRueckzahlung`) are left out by `deposit`, vouchers by `gift-card`, everything else by `without-goods`.
//! `MENGE` × `FAKTOR` is the quantity.

use std::collections::HashMap;

use sync_core::model::{LineKind, Quantity, TransactionStatus};

use super::parse::{Bon, Joined, Position};
use crate::documents::ticket::{self, Balance, Doubt, Draft, Found, Rules, SkuFrom, Ticket};

/// Sums of positions carry five decimals, totals two.
const ROUNDING_MICROS: i64 = 10_000;

/// All tickets of an export.
pub(crate) fn tickets(mut rules: Rules, joined: Joined) -> Found {
    let mut found = Found { doubts: joined.doubts, ..Found::default() };
    let places: HashMap<(&str, &str, &str), usize> = joined
        .bons
        .iter()
        .enumerate()
        .filter_map(|(at, bon)| {
            let mut parts = bon.key.split('|');
            let (register, _, closing, id) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
            Some(((register, closing, id), at))
        })
        .collect();
    for bon in &joined.bons {
        let other = bon.refers_to.as_ref().and_then(|(register, closing, id)| {
            let place = places.get(&(register.as_str(), closing.as_str(), id.as_str()))?;
            joined.bons.get(*place)
        });
        if let Err(reason) = take(&mut rules, bon, other, &mut found) {
            let raw = format!("{} {} {}", bon.key, bon.kind, bon.ended);
            let reason = format!("the ticket {} {reason}", bon.key);
            found.doubts.push(Doubt { at: None, reason, raw, records: 1 });
            found.unsure = true;
        }
    }
    if joined.orphans > 0 {
        let reason = "rows of lines, taxes, parts or references belong to no ticket of the export".to_owned();
        found.doubts.push(Doubt { at: None, reason, raw: String::new(), records: joined.orphans });
        found.unsure = true;
    }
    found
}

fn take(rules: &mut Rules, bon: &Bon, other: Option<&Bon>, found: &mut Found) -> Result<(), String> {
    if let Some(fault) = &bon.fault {
        return Err(fault.clone());
    }
    let mut kind = LineKind::Sale;
    let mut status = TransactionStatus::Completed;
    let mut void = bon.void;
    match bon.kind.as_str() {
        "Beleg" | "AVRechnung" => {}
        "AVSachbezug" => kind = LineKind::Adjustment,
        "AVBelegstorno" => void = true,
        "AVBelegabbruch" => status = TransactionStatus::Cancelled,
        "AVTraining" => status = TransactionStatus::Training,
        "AVBestellung" => return ignore(found, "order"),
        "AVTransfer" => return ignore(found, "transfer"),
        "AVSonstige" => return ignore(found, "without-goods"),
        other => return Err(format!("has the unknown BON_TYP `{other}`")),
    }
    let reversed = void && bon.positions.is_empty();
    let source = match (reversed, other) {
        (false, _) => bon,
        (true, Some(other)) => other,
        (true, None) => return Err("takes back a ticket without saying which goods came back".to_owned()),
    };
    let mut lines = Vec::with_capacity(source.positions.len());
    for position in &source.positions {
        let rule = without_goods(position);
        let parts = || source.parts.iter().filter(|part| part.number == position.number);
        if rule.is_none() && rules.components && parts().next().is_some() {
            // The quantity of a part is that of one set or of all of them: only the sign of the set is sure.
            for part in parts() {
                let signed = if position.quantity.is_negative() && !part.quantity.is_negative() {
                    Position { quantity: part.quantity.negated(), ..part.clone() }
                } else {
                    part.clone()
                };
                lines.push(rules.line(draft(rules, &signed, kind, None, void, reversed)?));
            }
        } else {
            lines.push(rules.line(draft(rules, position, kind, rule, void, reversed)?));
        }
    }
    let sold_at = rules.time(Some(&bon.ended));
    let ticket = Ticket { key: bon.key.clone(), register: bon.register.clone(), sold_at, status, lines };
    found.accept(ticket, if reversed { Balance::NoTotal } else { balance(bon) }, rules.control_sum)
}

fn ignore(found: &mut Found, rule: &str) -> Result<(), String> {
    found.ignore(rule);
    Ok(())
}

fn draft(
    rules: &Rules,
    position: &Position,
    kind: LineKind,
    ignored: Option<&'static str>,
    void: bool,
    reversed: bool,
) -> Result<Draft, String> {
    let number = &position.number;
    let quantity = ticket::times(position.quantity, position.factor).ok_or_else(|| {
        format!(
            "has a quantity of {} times {} on line {number}, which is too fine or too large",
            position.quantity, position.factor
        )
    })?;
    let quantity = if reversed { quantity.negated() } else { quantity };
    if void && !reversed && ignored.is_none() && !quantity.is_negative() && !quantity.is_zero() {
        return Err(format!("takes goods back, but has a positive quantity on line {number}"));
    }
    let kind = if kind == LineKind::Sale && quantity.is_negative() { LineKind::Return } else { kind };
    let sku = match rules.sku {
        SkuFrom::ItemId => &position.article,
        SkuFrom::Gtin | SkuFrom::GtinModifier => &position.gtin,
    };
    Ok(Draft { sku: sku.clone(), department: position.group.clone(), delta: quantity.negated(), kind, ignored })
}

fn without_goods(position: &Position) -> Option<&'static str> {
    if position.void && !position.quantity.is_negative() {
        return Some("voided-line");
    }
    match position.business.as_str() {
        "Umsatz" | "Forderungsentstehung" => None,
        "Pfand" | "PfandRueckzahlung" => Some("deposit"),
        "EinzweckgutscheinKauf"
        | "EinzweckgutscheinEinloesung"
        | "MehrzweckgutscheinKauf"
        | "MehrzweckgutscheinEinloesung" => Some("gift-card"),
        _ => Some("without-goods"),
    }
}

fn balance(bon: &Bon) -> Balance {
    let (Some(total), Some(sum)) = (bon.total, bon.positions_total) else {
        return Balance::NoTotal;
    };
    let close = total.checked_sub(sum).is_some_and(|rest| rest.magnitude() < Quantity::from_micros(ROUNDING_MICROS));
    if close { Balance::Exact } else { Balance::Off(format!("adds up to {sum}, but says a total of {total}")) }
}

#[cfg(test)]
mod tests;
