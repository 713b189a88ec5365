//! Lists of what waits for the platform or for a person, and the actions on them.

use anyhow::Context as _;
use rusqlite::types::ValueRef;
use serde_json::{Map, Value};

use super::{exit, is_running, reader};
use crate::cli::output::{Align, Output, Table};
use crate::cli::{ListArgs, MappingAction, OutboxAction, PricesAction, QuarantineAction, ReplayArgs};
use crate::config::Config;
use crate::requests;
use crate::writer::admin::Action;

const ENTRIES: &str = "SELECT * FROM (
  SELECT p.id AS entry, l.name AS platform, 'waiting' AS state, s.code AS sku, p.delta / 1000000.0 AS quantity, p.lines AS lines,
         CASE WHEN t.sku IS NOT NULL AND t.target IS NULL THEN t.note END AS note
    FROM pending p JOIN lane l ON l.id = p.lane JOIN sku s ON s.id = p.sku LEFT JOIN target t ON t.lane = p.lane AND t.sku = p.sku
  UNION ALL
  SELECT json_extract(i.value, '$[0]'), l.name, 'in flight', s.code, json_extract(i.value, '$[2]') / 1000000.0, json_extract(i.value, '$[4]'),
         'batch ' || b.id || ', ' || b.stage
    FROM batch b JOIN lane l ON l.id = b.lane, json_each(b.items) i JOIN sku s ON s.id = json_extract(i.value, '$[1]')
  UNION ALL
  SELECT d.id, l.name, CASE d.state WHEN 'open' THEN 'dead letter' ELSE 'discarded' END, s.code, d.delta / 1000000.0, d.lines,
         d.code || ': ' || d.message || coalesce(' (' || d.note || ')', '')
    FROM dead_letter d JOIN lane l ON l.id = d.lane JOIN sku s ON s.id = d.sku)";

/// Records that could not be read, and changes of SKUs that their platform does not know (these have no number: they
/// are looked up again by themselves).
const QUARANTINED: &str = "SELECT * FROM (
  SELECT q.id, s.name AS origin, q.place, q.reason, q.records, q.state FROM quarantine q JOIN source s ON s.id = q.source
  UNION ALL
  SELECT NULL, l.name, 'SKU ' || s.code, t.note, sum(p.lines), 'open' FROM pending p JOIN lane l ON l.id = p.lane
    JOIN sku s ON s.id = p.sku JOIN target t ON t.lane = p.lane AND t.sku = p.sku WHERE t.target IS NULL GROUP BY p.lane, p.sku)";

const TARGETS: &str = "SELECT l.name AS platform, s.code AS sku, t.title, t.target, t.note, t.tries FROM target t
  JOIN lane l ON l.id = t.lane JOIN sku s ON s.id = t.sku";

const ONLINE: &str = "SELECT l.name AS platform, o.name AS online_order, coalesce(o.sku, s.code) AS sku, o.item, o.open AS promised, o.handed_over,
         CASE WHEN o.handed_over <> o.posted THEN 'the article is not known to the store' END AS note
    FROM online_line o JOIN lane l ON l.id = o.lane
    LEFT JOIN (SELECT t.lane, json_extract(t.target, '$.parts[0].item') AS item, min(k.code) AS code
                 FROM target t JOIN sku k ON k.id = t.sku WHERE t.target IS NOT NULL GROUP BY 1, 2) s
           ON s.lane = o.lane AND s.item = o.item
   WHERE o.open > 0 OR o.handed_over <> o.posted";

const FEEDS: &str = "SELECT f.name AS list, f.kind, f.articles, datetime(f.read_at / 1000000, 'unixepoch') AS read_at_utc,
         (SELECT count(*) FROM fact v WHERE v.kind = f.kind AND v.told = 1) AS changes,
         coalesce(f.failed, (SELECT 'held for a person: see `tillsync prices held`' FROM value_hold h WHERE h.feed = f.name AND h.state = 'held')) AS note
    FROM feed f";

const HELD: &str = "SELECT id, feed AS list, kind, datetime(held_at / 1000000, 'unixepoch') AS held_at_utc, json_array_length(rows) AS articles,
         reasons, state, note FROM value_hold";

pub(super) fn orders(config: &Config, args: &ListArgs, out: &mut Output) -> anyhow::Result<u8> {
    list(
        config,
        &format!("{ONLINE} ORDER BY platform, online_order"),
        args,
        "No online order waits for this store.",
        out,
    )
}

pub(super) fn prices(config: &Config, action: Option<&PricesAction>, out: &mut Output) -> anyhow::Result<u8> {
    match action {
        None => {
            let empty = "No list of prices or of units on order was read yet.";
            list(config, &format!("{FEEDS} ORDER BY list"), &ListArgs::default(), empty, out)
        }
        Some(PricesAction::Held(args)) => {
            list(config, &format!("{HELD} WHERE state = 'held' ORDER BY id"), args, "No value is held.", out)
        }
        Some(PricesAction::Show { id }) => {
            let sql = format!(
                "SELECT json_extract(r.value, '$.sku') AS sku, json_extract(r.value, '$.before') AS before,
                        json_extract(r.value, '$.after') AS after FROM value_hold h, json_each(h.rows) r WHERE h.id = {id}"
            );
            list(config, &sql, &ListArgs { limit: 100_000 }, "There is no hold of this number.", out)
        }
        Some(PricesAction::Approve { id }) => act(config, &Action::ApproveValues { id: *id }, out),
        Some(PricesAction::Refuse { id, reason }) => {
            act(config, &Action::RefuseValues { id: *id, reason: reason.clone() }, out)
        }
    }
}

pub(super) fn outbox(config: &Config, action: Option<&OutboxAction>, out: &mut Output) -> anyhow::Result<u8> {
    match action {
        None => list(
            config,
            &format!("{ENTRIES} WHERE state <> 'discarded' ORDER BY entry"),
            &ListArgs::default(),
            "The outbox is empty: everything read is in the shop.",
            out,
        ),
        Some(OutboxAction::List(args)) => list(
            config,
            &format!("{ENTRIES} ORDER BY entry"),
            args,
            "The outbox is empty: everything read is in the shop.",
            out,
        ),
        Some(OutboxAction::Show { id }) => list(
            config,
            &format!("{ENTRIES} WHERE entry = {id}"),
            &ListArgs::default(),
            "There is no open entry of this number; it may be delivered.",
            out,
        ),
        Some(OutboxAction::Retry { id }) => act(config, &Action::RetryEntry { id: *id }, out),
        Some(OutboxAction::Discard { id, reason }) => {
            act(config, &Action::DiscardEntry { id: *id, reason: reason.clone() }, out)
        }
    }
}

pub(super) fn quarantine(config: &Config, action: Option<&QuarantineAction>, out: &mut Output) -> anyhow::Result<u8> {
    let empty = "Nothing is in quarantine.";
    match action {
        None => list(
            config,
            &format!("{QUARANTINED} WHERE state = 'open' ORDER BY id DESC"),
            &ListArgs::default(),
            empty,
            out,
        ),
        Some(QuarantineAction::List(args)) => {
            list(config, &format!("{QUARANTINED} ORDER BY id DESC"), args, empty, out)
        }
        Some(QuarantineAction::Show { id }) => {
            let sql = format!(
                "SELECT q.*, s.name AS source FROM quarantine q JOIN source s ON s.id = q.source WHERE q.id = {id}"
            );
            list(config, &sql, &ListArgs::default(), "There is no record of this number.", out)
        }
        Some(QuarantineAction::Retry { id }) => {
            let source: Option<String> = reader(config)?
                .query_row(
                    "SELECT s.name FROM quarantine q JOIN source s ON s.id = q.source WHERE q.id = ?1",
                    [id],
                    |row| row.get(0),
                )
                .ok();
            match source {
                Some(source) => act(config, &Action::RereadSource { source }, out),
                None => {
                    out.line("There is no record of this number.")?;
                    Ok(exit::FAULTS)
                }
            }
        }
        Some(QuarantineAction::Discard { id, reason }) => {
            act(config, &Action::DiscardQuarantined { id: *id, reason: reason.clone() }, out)
        }
    }
}

pub(super) fn mapping(config: &Config, action: Option<&MappingAction>, out: &mut Output) -> anyhow::Result<u8> {
    let empty = "No SKU has been looked up yet.";
    match action {
        None => {
            list(config, &format!("{TARGETS} ORDER BY t.target IS NOT NULL, s.code"), &ListArgs::default(), empty, out)
        }
        Some(MappingAction::List(args)) => {
            list(config, &format!("{TARGETS} ORDER BY t.target IS NOT NULL, s.code"), args, empty, out)
        }
        Some(MappingAction::Forget { sku, platform }) => {
            act(config, &Action::ForgetTarget { sku: sku.clone(), platform: platform.clone() }, out)
        }
    }
}

/// Asks the running agent to read a captured file.
pub(super) fn replay(config: &Config, args: &ReplayArgs, out: &mut Output) -> anyhow::Result<u8> {
    let path = std::path::absolute(&args.path)?;
    std::fs::metadata(&path).with_context(|| format!("cannot look at `{}`", path.display()))?;
    if config.sources.iter().all(|source| source.name() != args.source) {
        anyhow::bail!("there is no source `{}`", args.source);
    }
    act(config, &Action::Replay { source: args.source.clone(), path }, out)
}

fn act(config: &Config, action: &Action, out: &mut Output) -> anyhow::Result<u8> {
    if !is_running(config) {
        out.line("The agent is not running; this waits for its next start.")?;
    }
    let done = requests::ask(&config.state.path, action)?;
    out.answer(&serde_json::json!({ "done": done }), |out| out.line(&done))?;
    Ok(exit::OK)
}

/// Any query as a table, or as JSON objects with the column names as keys.
fn list(config: &Config, sql: &str, args: &ListArgs, empty: &str, out: &mut Output) -> anyhow::Result<u8> {
    let conn = reader(config)?;
    let mut statement = conn.prepare(&format!("{sql} LIMIT {}", args.limit))?;
    let columns: Vec<String> = statement.column_names().map(str::to_owned).collect();
    let mut rows = statement.query([])?;
    let mut found: Vec<Map<String, Value>> = Vec::new();
    while let Some(row) = rows.next()? {
        let mut object = Map::new();
        for (index, column) in columns.iter().enumerate() {
            object.insert(column.clone(), value(row.get_ref(index)?));
        }
        found.push(object);
    }
    out.answer(&found, |out| {
        if found.is_empty() {
            return out.line(empty);
        }
        let mut table = Table::new(&columns.iter().map(|name| (name.as_str(), Align::Left)).collect::<Vec<_>>());
        for object in &found {
            table.row(columns.iter().map(|column| cell(object.get(column))));
        }
        out.table(&table)
    })?;
    Ok(exit::OK)
}

fn value(found: ValueRef<'_>) -> Value {
    match found {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => number.into(),
        ValueRef::Real(number) => number.into(),
        ValueRef::Text(text) => String::from_utf8_lossy(text).into_owned().into(),
        ValueRef::Blob(bytes) => format!("{} bytes", bytes.len()).into(),
    }
}

fn cell(found: Option<&Value>) -> String {
    match found {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        // Numbers of entries go beyond what a float holds exactly.
        Some(Value::Number(number)) if !number.is_f64() => number.to_string(),
        Some(Value::Number(number)) => {
            number.as_f64().filter(|n| n.fract() == 0.0).map_or_else(|| number.to_string(), |n| format!("{n:.0}"))
        }
        Some(other) => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_shown_exactly() {
        let shown = |number: Value| cell(Some(&number));
        assert_eq!(shown(Value::from(31_580_172_989_759_489_i64)), "31580172989759489");
        assert_eq!(shown(Value::from(-2.0)), "-2");
        assert_eq!(shown(Value::from(0.25)), "0.25");
        assert_eq!(cell(None), "");
    }
}
