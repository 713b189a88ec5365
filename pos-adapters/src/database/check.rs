//! What `tillsync check --online` says of a database: whether it can be read, what is missing, what is too much.

use super::engine::Engine;
use super::map::Columns;
use super::plan::Plan;
use super::query;
use super::reader::open;
use crate::{Finding, SecretReader, Weight};

/// Looks at everything that the source needs. Reads no sale.
pub(super) fn findings(plan: &Plan, secrets: &dyn SecretReader) -> Vec<Finding> {
    let mut engine = match open(plan, secrets) {
        Ok(engine) => engine,
        Err(error) => return vec![fault(chain(&error), error.hint())],
    };
    if let Err(cause) = engine.begin() {
        let text = format!("cannot reach the database at {}: {}", plan.connection.address(), chain(&*cause));
        return vec![fault(text, "check that it runs, and the address, login and password")];
    }
    engine.finish();
    let mut findings = vec![good(format!("the database at {} answers", plan.connection.address()))];
    let before = findings.len();
    for (table, columns) in &plan.tables {
        findings.extend(missing(engine.as_mut(), table, columns));
    }
    if findings.len() == before {
        if !plan.tables.is_empty() {
            findings.push(good(format!("all {} tables have the columns that are read", plan.tables.len())));
        }
        findings.extend(queries(plan, engine.as_mut()));
    }
    match engine.rights() {
        Ok(rights) if rights.is_empty() => findings.push(good("the login may do nothing but read".to_owned())),
        Ok(rights) => findings.extend(rights),
        Err(cause) => findings.push(Finding {
            weight: Weight::Warning,
            text: format!("cannot find out what the login may do: {}", chain(&*cause)),
            hint: String::new(),
        }),
    }
    engine.finish();
    findings
}

/// Names the table, or its columns, that are not there or may not be read.
fn missing(engine: &mut dyn Engine, table: &str, columns: &[String]) -> Vec<Finding> {
    const HINT: &str =
        "check that it is the database of this POS and version, and run the grants script of the profile";
    let Err(cause) = try_columns(engine, table, columns) else { return Vec::new() };
    let unreadable: Vec<(&String, String)> = columns
        .iter()
        .filter_map(|column| {
            let one = std::slice::from_ref(column);
            try_columns(engine, table, one).err().map(|cause| (column, cause))
        })
        .collect();
    if unreadable.len() == columns.len() || unreadable.is_empty() {
        return vec![fault(format!("table {table} cannot be read: {cause}"), HINT)];
    }
    unreadable
        .into_iter()
        .map(|(column, cause)| fault(format!("column {column} of table {table} cannot be read: {cause}"), HINT))
        .collect()
}

fn try_columns(engine: &mut dyn Engine, table: &str, columns: &[String]) -> Result<(), String> {
    // Each in its own transaction: a failed statement ends it on some databases.
    let tried = engine.begin().and_then(|()| engine.query(&query::nothing_of(table, columns), &[], 1));
    engine.finish();
    tried.map(drop).map_err(|cause| chain(&*cause))
}

/// Runs each query for no rows.
fn queries(plan: &Plan, engine: &mut dyn Engine) -> Vec<Finding> {
    let optional = [
        ("queries.on_hand", &plan.on_hand),
        ("queries.unapplied", &plan.unapplied),
        ("queries.products", &plan.products),
    ];
    let all = optional.into_iter().filter_map(|(key, sql)| sql.as_ref().map(|sql| (key, sql)));
    let mut findings = Vec::new();
    for (key, sql) in std::iter::once(("queries.sales", &plan.sales)).chain(all) {
        let empty = format!("SELECT t.* FROM ({}) t WHERE 1 = 0", sql.trim());
        let tried = engine.begin().and_then(|()| engine.query(&empty, &[], 1));
        engine.finish();
        let checked = tried
            .map_err(|cause| chain(&*cause))
            .and_then(|rows| if key == "queries.sales" { Columns::find(&rows.columns).map(drop) } else { Ok(()) });
        if let Err(reason) = checked {
            findings
                .push(fault(format!("{key}: {reason}"), "correct the query; the page of databases lists the columns"));
        }
    }
    findings
}

fn fault(text: String, hint: &str) -> Finding {
    Finding { weight: Weight::Fault, text, hint: hint.to_owned() }
}

fn good(text: String) -> Finding {
    Finding { weight: Weight::Good, text, hint: String::new() }
}

/// An error with its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
