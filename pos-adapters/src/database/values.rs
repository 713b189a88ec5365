//! Prices and units on order from the tables of the POS: one short transaction, all rows or none.

use std::path::Path;

use jiff::tz::TimeZone;
use sync_core::values::{VALUES_MAX, ValueKind};

use super::engine::{Rows, Value};
use super::map;
use super::plan::Plan;
use super::query;
use super::reader::{open, refused, unreachable};
use super::settings::DatabaseSettings;
use crate::file::SettingFault;
use crate::values::{ValueList, value_column};
use crate::{SecretReader, SourceError};

/// Barcodes of one article, at most, for the bound of the rows: a list of products has one row for each.
const ROWS_PER_VALUE: usize = 4;

/// The plan of the source with the query of the list in place of its products.
pub(crate) fn plan(
    source: &DatabaseSettings,
    kind: ValueKind,
    query: Option<&str>,
    zone: &TimeZone,
) -> Result<Plan, Vec<SettingFault>> {
    let mut settings = source.clone();
    if let Some(query) = query {
        settings.queries.products = Some(query.to_owned());
    } else if kind == ValueKind::Incoming {
        return Err(vec![fault(
            "no profile knows purchase orders: give a `query` with the columns `sku` and `quantity`",
        )]);
    }
    let plan = Plan::new(&settings, zone).map_err(|faults| {
        let own = |fault: &SettingFault| fault.key == "queries.products";
        faults.into_iter().filter(own).map(|found| fault(&found.message)).collect::<Vec<_>>()
    })?;
    if plan.products.is_none() {
        return Err(vec![fault("the source knows no prices: give a `query` with the columns `sku` and `price`")]);
    }
    Ok(plan)
}

fn fault(message: &str) -> SettingFault {
    SettingFault { key: "query".to_owned(), message: message.to_owned() }
}

/// Reads the list.
pub(crate) fn read(
    source: &DatabaseSettings,
    kind: ValueKind,
    own: Option<&str>,
    zone: &TimeZone,
    own_files: &Path,
    secrets: &dyn SecretReader,
) -> Result<ValueList, SourceError> {
    let mut plan = match plan(source, kind, own, zone) {
        Ok(plan) => plan,
        Err(faults) => {
            let reason = faults.first().map_or_else(|| "the settings are at fault".to_owned(), |f| f.message.clone());
            return Err(SourceError::DatabaseRefused {
                source_name: source.name.clone(),
                step: "read a list".to_owned(),
                cause: reason.into(),
            });
        }
    };
    // Not the copy that the source itself reads.
    plan.own_files = own_files.to_path_buf();
    let step = match kind {
        ValueKind::Price => "read prices",
        ValueKind::Incoming => "read purchase orders",
    };
    let wanted = plan.products.clone().unwrap_or_default();
    let rows_max = VALUES_MAX.saturating_mul(ROWS_PER_VALUE);
    let mut engine = open(&plan, secrets)?;
    engine.begin().map_err(|cause| unreachable(&plan, cause))?;
    let sql = query::bounded(engine.dialect(), &wanted, rows_max);
    let rows = engine.query(&sql, &[], rows_max);
    engine.finish();
    let rows = rows.map_err(|cause| refused(&plan, step, cause))?;
    if rows.rows.len() >= rows_max {
        return Err(refused(&plan, step, format!("it has more than {rows_max} rows")));
    }
    list(kind, &rows).map_err(|reason| refused(&plan, step, reason))
}

fn list(kind: ValueKind, rows: &Rows) -> Result<ValueList, String> {
    let at = |name: &str| {
        let at = rows.columns.iter().position(|known| known == name);
        at.ok_or_else(|| format!("the query gives no column `{name}`"))
    };
    let (sku_at, value_at) = (at("sku")?, at(value_column(kind))?);
    let mut list = ValueList::default();
    for row in &rows.rows {
        let (Some(sku), Some(value)) = (row.get(sku_at), row.get(value_at)) else { continue };
        // Prices of some POS are net, with many decimals: the sixth is far below any coin.
        let value = match value {
            Value::Decimal(text) => map::quantity(&Value::Float(text.clone())),
            other => map::quantity(other),
        };
        list.add(kind, &sku.text(), value);
    }
    Ok(list)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_row_for_each_barcode_is_one_price() {
        let rows = Rows {
            columns: vec!["sku".into(), "name".into(), "price".into()],
            rows: [("A", "1.50"), ("A", "1.5"), ("B", "2")]
                .iter()
                .map(|(sku, price)| {
                    vec![Value::Text((*sku).into()), Value::Text("x".into()), Value::Decimal((*price).into())]
                })
                .collect(),
        };
        let found = list(ValueKind::Price, &rows).expect("a list");
        assert_eq!(found.values.len(), 2);
        assert!(list(ValueKind::Incoming, &rows).unwrap_err().contains("`quantity`"));
    }
}
