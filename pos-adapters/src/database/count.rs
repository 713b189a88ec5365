//! Stock on hand as the POS has it, for comparing full counts.
//!
//! Read in one transaction with the number of the newest ticket, so that the count and the stream of sales do not overlap.
//! What the POS's own number does not know yet is taken off where the profile says how.

use std::collections::BTreeMap;

use sync_core::model::{Quantity, Sku};

use super::engine::{Engine, Rows};
use super::map;
use super::plan::Plan;
use super::profile::OnHandLag;
use super::query::{self, Order};
use super::reader::{open, refused, unreachable};
use crate::{SecretReader, SourceError};

/// Most rows of a count; a larger answer is refused rather than cut short.
pub const COUNT_ROWS_MAX: usize = 500_000;

/// A full count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OnHand {
    /// Stock by article, rows of one article added up.
    pub stock: BTreeMap<Sku, Quantity>,
    /// Rows that are no stock of an article, in words; at most 20.
    pub unreadable: Vec<String>,
    /// The newest ticket number of the same moment, if tickets have numbers.
    pub as_of: Option<i64>,
    /// When the POS's number moves, for judging differences.
    pub lag: OnHandLag,
}

const UNREADABLE_MAX: usize = 20;

/// Reads the stock on hand; `None` where the source does not know any.
///
/// # Errors
/// [`SourceError`] names the step.
pub fn on_hand(plan: &Plan, secrets: &dyn SecretReader) -> Result<Option<OnHand>, SourceError> {
    let Some(wanted) = &plan.on_hand else { return Ok(None) };
    let mut engine = open(plan, secrets)?;
    engine.begin().map_err(|cause| unreachable(plan, cause))?;
    let read = count(plan, engine.as_mut(), wanted);
    engine.finish();
    read.map(Some)
}

fn count(plan: &Plan, engine: &mut dyn Engine, wanted: &str) -> Result<OnHand, SourceError> {
    let mut count = OnHand { stock: BTreeMap::new(), unreadable: Vec::new(), as_of: None, lag: plan.lag };
    let newest = query::newest(engine.dialect(), &plan.sales, Order::Seq);
    let empty = format!("SELECT t.* FROM ({}) t WHERE 1 = 0", plan.sales.trim());
    let columns = engine.query(&empty, &[], 1).map_err(|cause| refused(plan, "read sales", cause))?.columns;
    if let Some(at) = columns.iter().position(|name| name == Order::Seq.column()) {
        let rows = engine.query(&newest, &[], 1).map_err(|cause| refused(plan, "read the newest sale", cause))?;
        count.as_of = rows.rows.first().and_then(|row| row.get(at)).and_then(map::whole);
    }
    let rows = all(plan, engine, wanted, "read the stock on hand")?;
    add(&mut count, &rows, Sign::Plus).map_err(|reason| refused(plan, "read the stock on hand", reason))?;
    if let Some(unapplied) = &plan.unapplied {
        let step = "read sales that the stock on hand does not know";
        let rows = all(plan, engine, unapplied, step)?;
        add(&mut count, &rows, Sign::Minus).map_err(|reason| refused(plan, step, reason))?;
    }
    Ok(count)
}

fn all(plan: &Plan, engine: &mut dyn Engine, sql: &str, step: &str) -> Result<Rows, SourceError> {
    let sql = query::bounded(engine.dialect(), sql, COUNT_ROWS_MAX);
    let rows = engine.query(&sql, &[], COUNT_ROWS_MAX).map_err(|cause| refused(plan, step, cause))?;
    if rows.rows.len() >= COUNT_ROWS_MAX {
        return Err(refused(plan, step, format!("it has more than {COUNT_ROWS_MAX} rows")));
    }
    Ok(rows)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sign {
    Plus,
    Minus,
}

fn add(count: &mut OnHand, rows: &Rows, sign: Sign) -> Result<(), String> {
    let at = |name: &str| {
        let at = rows.columns.iter().position(|known| known == name);
        at.ok_or_else(|| format!("the query gives no column `{name}`"))
    };
    let (sku_at, quantity_at) = (at("sku")?, at("quantity")?);
    for row in &rows.rows {
        let (Some(sku), Some(quantity)) = (row.get(sku_at), row.get(quantity_at)) else { continue };
        let sku = sku.text();
        match map::quantity(quantity) {
            Ok(quantity) if !sku.trim().is_empty() => {
                let quantity = if sign == Sign::Plus { quantity } else { quantity.negated() };
                let sum = count.stock.entry(Sku::new(sku.trim())).or_default();
                *sum = sum.saturating_add(quantity);
            }
            Ok(_) => note(count, "stock without an article number".to_owned()),
            Err(reason) => note(count, format!("article `{}`: {reason}", sku.trim())),
        }
    }
    Ok(())
}

fn note(count: &mut OnHand, reason: String) {
    if count.unreadable.len() < UNREADABLE_MAX {
        count.unreadable.push(reason);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::database::engine::Value;

    #[test]
    fn rows_of_one_article_are_added_up_and_what_is_not_applied_is_taken_off() {
        let mut count = OnHand { stock: BTreeMap::new(), unreadable: Vec::new(), as_of: None, lag: OnHandLag::AtClose };
        let rows = |pairs: &[(&str, &str)]| Rows {
            columns: vec!["quantity".into(), "sku".into()],
            rows: pairs.iter().map(|(s, q)| vec![Value::Decimal((*q).into()), Value::Text((*s).into())]).collect(),
        };
        add(&mut count, &rows(&[("a", "2.5"), ("a", "1"), ("b", "-1"), ("", "1"), ("c", "x")]), Sign::Plus).unwrap();
        add(&mut count, &rows(&[("a", "0.5"), ("d", "1")]), Sign::Minus).unwrap();
        let shown: Vec<String> = count.stock.iter().map(|(sku, quantity)| format!("{sku} {quantity}")).collect();
        assert_eq!(shown, ["a 3", "b -1", "d -1"]);
        assert_eq!(count.unreadable.len(), 2);
        let nothing = Rows { columns: vec!["sku".into()], rows: Vec::new() };
        assert!(add(&mut count, &nothing, Sign::Plus).unwrap_err().contains("`quantity`"));
    }
}
