//! Lines as the till wrote them → lines of stocked SKUs.

use super::ratio::Ratio;
use super::restricted::Content;
use super::table::{Answer, Article, ArticleTable, COMPONENTS_MAX, Unknown};
use crate::model::{LineItem, Quantity, RuleName, Sku, Transaction};

/// How deep kits may hold kits.
const KIT_DEPTH_MAX: u32 = 4;

/// Whether kits are taken apart here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kits {
    /// A line names the kit: its components move.
    TakeApart,
    /// The source gives the components itself.
    TakenApart,
}

/// What became of a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resolved {
    /// Its lines name stocked SKUs.
    Transaction(Transaction),
    /// It has to be set aside whole: why, in plain words.
    Refused(String),
}

/// Turns the lines of a transaction into lines of stocked SKUs. Lines that a rule has left out before stay as they are.
#[must_use]
pub fn resolve(mut read: Transaction, table: &ArticleTable, kits: Kits) -> Resolved {
    let mut lines = Vec::with_capacity(read.lines.len());
    for (at, line) in read.lines.into_iter().enumerate() {
        if line.ignored.is_some() {
            lines.push(line);
            continue;
        }
        if let Err(reason) = resolve_line(line, table, kits, &mut lines) {
            return Resolved::Refused(format!("line {}: {reason}", at.saturating_add(1)));
        }
    }
    read.lines = lines;
    Resolved::Transaction(read)
}

fn resolve_line(mut line: LineItem, table: &ArticleTable, kits: Kits, lines: &mut Vec<LineItem>) -> Result<(), String> {
    let code = line.sku.as_str();
    let found = match table.find(code) {
        Answer::One(found) => found,
        Answer::Several(skus) => {
            let skus: Vec<String> = skus.into_iter().map(|sku| format!("`{sku}`")).collect();
            return Err(format!(
                "the code `{code}` belongs to {}; take it off all but one of them in the article table",
                skus.join(" and ")
            ));
        }
        Answer::None if table.rules().unknown == Unknown::Refuse => {
            return Err(format!("the article table does not know `{code}`; add it, then let the source be read again"));
        }
        Answer::None => {
            lines.push(line);
            return Ok(());
        }
    };
    if let Some(rule) = &found.article.non_stock {
        line.ignored = Some(rule.clone());
        lines.push(line);
        return Ok(());
    }
    if table.rules().quantity_from_code
        && let Some(content) = &found.content
        && line.delta.magnitude() == Quantity::from_micros(1_000_000)
        && let Some(held) = held_quantity(content, found.article)
    {
        line.delta = if line.delta.is_negative() { held.negated() } else { held };
    }
    let delta = found.article.pack.of(line.delta).ok_or_else(|| {
        format!("{} of `{code}` times {} cannot be written exactly in millionths", line.delta, found.article.pack)
    })?;
    let sku = found.article.sku.clone();
    match kits {
        Kits::TakenApart => lines.push(LineItem { sku, delta, ..line }),
        Kits::TakeApart => take_apart(&sku, delta, &line, table, 0, lines)?,
    }
    Ok(())
}

/// The quantity that a code holds: a weight, a count, or a price divided by the price of a unit, to a thousandth.
fn held_quantity(content: &Content, article: &Article) -> Option<Quantity> {
    if let Some(held) = content.weight.or(content.count) {
        return Some(held);
    }
    let (price, unit) = (i128::from(content.price?.micros()), i128::from(article.unit_price?.micros()));
    (unit > 0).then_some(())?;
    let doubled = price.checked_mul(2_000)?.checked_add(unit)?;
    let thousandths = doubled.checked_div(unit.checked_mul(2)?)?;
    i64::try_from(thousandths.checked_mul(1_000)?).ok().map(Quantity::from_micros)
}

fn take_apart(
    sku: &Sku,
    delta: Quantity,
    line: &LineItem,
    table: &ArticleTable,
    depth: u32,
    lines: &mut Vec<LineItem>,
) -> Result<(), String> {
    let components: &[(Sku, Ratio)] = table.of_sku(sku.as_str()).map_or(&[], |article| &article.kit);
    if components.is_empty() {
        let rule: Option<RuleName> = table.of_sku(sku.as_str()).and_then(|article| article.non_stock.clone());
        lines.push(LineItem { sku: sku.clone(), delta, kind: line.kind, ignored: rule });
        return Ok(());
    }
    if depth >= KIT_DEPTH_MAX {
        return Err(format!("the kit `{}` holds kits in a circle or more than {KIT_DEPTH_MAX} deep", line.sku));
    }
    for (component, each) in components.iter().take(COMPONENTS_MAX) {
        let delta = each.of(delta).ok_or_else(|| {
            format!("{delta} of the kit `{sku}` times {each} cannot be written exactly in millionths")
        })?;
        take_apart(component, delta, line, table, depth.saturating_add(1), lines)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
