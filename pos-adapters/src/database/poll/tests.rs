//! What a poller asks and finds, against a table in memory that changes as POS databases do.

use super::*;
use crate::database::map::Columns;
use crate::database::plan::{Plan, Words};
use crate::database::profile::TicketId;
use crate::database::settings::DatabaseSettings;

const START: i64 = 1_772_452_800_000_000;
const MINUTE: i64 = 60_000_000;

/// A table in memory: number, time of sale, SKU.
struct Table {
    rows: Vec<(i64, Timestamp, &'static str)>,
    poller: Poller,
    mapper: Mapper,
    now: Timestamp,
}

fn names() -> Vec<String> {
    ["ticket", "seq", "sold_at", "sku", "quantity"].map(str::to_owned).to_vec()
}

fn value(at: Timestamp) -> Value {
    TimeForm::default().value(at, &TimeZone::UTC)
}

impl Table {
    fn new() -> Self {
        let settings: DatabaseSettings = serde_json::from_str(
            r#"{"name": "p", "kind": "database", "engine": "sqlite", "path": "x", "queries": {"sales": "SELECT 1"}}"#,
        )
        .unwrap();
        let plan = Plan::new(&settings, &TimeZone::UTC).unwrap();
        let columns = Columns::find(&names()).unwrap();
        let now = Timestamp(START);
        let poller =
            Poller::new(&plan, &columns, "db", Position::new(Timestamp(START - 3_600_000_000)), BTreeMap::new(), now);
        let mapper = Mapper::new(Words::plain(TicketId::Unique), TimeZone::UTC, poller.segment().clone());
        Self { rows: Vec::new(), poller, mapper, now }
    }

    fn sell(&mut self, seq: i64) {
        self.rows.push((seq, self.now, "A"));
    }

    /// Asks and answers until there is nothing to ask; the orders that were asked for, and what was found.
    fn look(&mut self) -> (Vec<String>, Found) {
        let mut asked = Vec::new();
        let mut all = Found::default();
        while let Next::Ask(ask) = self.poller.next(self.now) {
            let from = ask.from.as_ref().map(Value::text).unwrap_or_default();
            asked.push(format!("{}{} {from}", if ask.newest { "newest " } else { "" }, ask.order.column()));
            let rows = self.answer(&ask);
            let found =
                self.poller.answer(&Columns::find(&names()).unwrap(), rows, &mut self.mapper, self.now).unwrap();
            all.transactions.extend(found.transactions);
            all.quarantined.extend(found.quarantined);
            assert!(asked.len() < 1000, "{asked:?}");
        }
        (asked, all)
    }

    fn answer(&self, ask: &Ask) -> Rows {
        let key = |row: &(i64, Timestamp, &str)| if ask.order == Order::Seq { row.0 } else { row.1.0 };
        let bound = |bound: &Option<Value>| {
            bound.as_ref().map(|bound| {
                if let Value::Integer(number) = bound { *number } else { self.mapper.clone().time(bound).unwrap().0 }
            })
        };
        let (from, until) = (bound(&ask.from), bound(&ask.until));
        let mut rows: Vec<_> = self.rows.clone();
        rows.sort_by_key(key);
        if ask.newest {
            rows.reverse();
        }
        rows.retain(|row| from.is_none_or(|from| key(row) >= from) && until.is_none_or(|until| key(row) < until));
        rows.truncate(ask.rows_max);
        let row = |(seq, at, sku): (i64, Timestamp, &str)| {
            vec![Value::Integer(seq), Value::Integer(seq), value(at), Value::Text(sku.to_owned()), Value::Integer(1)]
        };
        Rows { columns: names(), rows: rows.into_iter().map(row).collect() }
    }

    fn wait(&mut self, micros: i64) {
        self.now.0 += micros;
    }

    fn settled(&self) -> Option<i64> {
        self.poller.position().settled
    }
}

#[test]
fn a_quiet_look_asks_for_the_newest_row_only() {
    let mut table = Table::new();
    table.sell(1);
    table.look();
    table.wait(3_000_000);
    assert_eq!(table.look().0, ["newest seq "]);
    assert_eq!(table.poller.next(table.now), Next::Wait(Duration::from_secs(2)));
    table.wait(MINUTE);
    let (asked, found) = table.look();
    assert_eq!(asked, ["newest seq ", "seq -498", "sold_at 2026-03-02 10:00:00"], "an overlap look");
    assert_eq!(found, Found::default());
}

#[test]
fn what_is_settled_waits_for_a_missing_number_and_not_for_ever() {
    let mut table = Table::new();
    table.sell(1);
    table.look();
    table.wait(3_000_000);
    table.sell(4);
    assert_eq!(table.look().1.transactions.len(), 1);
    assert_eq!(table.settled(), Some(1));
    table.wait(MINUTE);
    table.sell(3);
    table.sell(5);
    assert_eq!(table.look().1.transactions.len(), 2, "a number that became visible late");
    assert_eq!(table.settled(), Some(1), "number 2 is missing");
    table.wait(10 * MINUTE);
    table.look();
    assert_eq!(table.settled(), Some(5));
}

#[test]
fn each_ticket_is_given_once() {
    let mut table = Table::new();
    let mut given = 0;
    for number in 1..=300 {
        table.sell(number);
        table.wait(7_000_000);
        given += table.look().1.transactions.len();
    }
    assert_eq!(given, 300, "in none of the overlap looks and rescans again");
}

#[test]
fn a_few_missing_tickets_are_reversed_and_many_are_not() {
    for (kept, reversed, held) in [(98, 2, 0), (90, 10, 0), (50, 0, 1), (0, 0, 1)] {
        let mut table = Table::new();
        for number in 1..=100 {
            table.sell(number);
        }
        table.look();
        table.rows.truncate(kept);
        table.wait(3_000_000);
        let found = table.look().1;
        let vanished = found.transactions.iter().filter(|t| t.status == TransactionStatus::Vanished).count();
        assert_eq!((vanished, found.quarantined.len()), (reversed, held), "{kept} of 100 are left");
        table.wait(MINUTE);
        assert_eq!(table.look().1.quarantined, [], "said once");
    }
}

#[test]
fn one_moment_with_more_rows_than_a_page_may_have_is_an_error() {
    let mut table = Table::new();
    let columns = Columns::find(&names()).unwrap();
    table.sell(1);
    let Next::Ask(_) = table.poller.next(table.now) else { panic!("it asks") };
    let newest = table.answer(&Ask { order: Order::Seq, newest: true, from: None, until: None, rows_max: 1 });
    table.poller.answer(&columns, newest, &mut table.mapper, table.now).unwrap();
    let mut error = None;
    for _ in 0..20 {
        let Next::Ask(ask) = table.poller.next(table.now) else { break };
        assert!(ask.rows_max <= PAGE_ROWS_MAX);
        let row =
            vec![Value::Integer(1), Value::Integer(7), value(table.now), Value::Text("A".into()), Value::Integer(1)];
        let rows = Rows { columns: names(), rows: vec![row; ask.rows_max] };
        if let Err(reason) = table.poller.answer(&columns, rows, &mut table.mapper, table.now) {
            error = Some(reason);
            break;
        }
    }
    assert!(error.is_some_and(|reason| reason.contains("`seq`")));
}
