//! Rows as databases give them, and the tickets that must come out.

use super::*;

fn int(number: i64) -> Value {
    Value::Integer(number)
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

fn decimal(text: &str) -> Value {
    Value::Decimal(text.to_owned())
}

/// Columns and rows to tickets, by the rules of `words`.
fn read_by(words: Words, columns: &str, rows: Vec<Vec<Value>>) -> Vec<Ticket> {
    let columns: Vec<String> = columns.split(' ').map(str::to_owned).collect();
    let found = Columns::find(&columns).unwrap();
    let zone = TimeZone::get("Europe/Berlin").unwrap();
    Mapper::new(words, zone, Segment::from("db#1")).tickets(&found, &Rows { columns, rows })
}

fn read(columns: &str, rows: Vec<Vec<Value>>) -> Vec<Ticket> {
    read_by(Words::plain(TicketId::Unique), columns, rows)
}

fn lines(ticket: &Ticket) -> String {
    let one = |line: &LineItem| match &line.ignored {
        None => format!("{} {} {}", line.sku, line.delta, line.kind.as_str()),
        Some(rule) => format!("{} {} by {rule}", line.sku, line.delta),
    };
    ticket.transaction.lines.iter().map(one).collect::<Vec<_>>().join(", ")
}

const AT: &str = "2026-03-02 10:00:00";

#[test]
fn rows_become_tickets_in_the_order_of_their_lines() {
    let tickets = read(
        "ticket sold_at line_no sku quantity register",
        vec![
            vec![text("b"), text(AT), int(2), text("S2"), decimal("0.250"), text("1")],
            vec![text("a"), text(AT), int(1), text("S9"), int(-1), text("2")],
            vec![text("b"), text(AT), int(1), text("S1"), int(2), text("1")],
        ],
    );
    assert_eq!(tickets.len(), 2);
    assert_eq!(lines(&tickets[0]), "S1 -2 sale, S2 -0.25 sale");
    assert_eq!(lines(&tickets[1]), "S9 1 return");
    assert_eq!(tickets[0].transaction.register, "1");
    assert_eq!(tickets[0].transaction.sold_at, Some(Timestamp(1_772_442_000_000_000)), "09:00 UTC");
}

#[test]
fn the_same_rows_in_any_order_are_the_same_ticket() {
    let row = |sku: &str| vec![text("a"), text(AT), text(sku), int(1)];
    let columns = "ticket sold_at sku quantity";
    let one = read(columns, vec![row("x"), row("y"), row("x")]);
    let other = read(columns, vec![row("x"), row("x"), row("y")]);
    assert_eq!(one, other);
    assert_ne!(one[0].hash, read(columns, vec![row("x"), row("y")])[0].hash);
}

#[test]
fn a_number_that_comes_again_is_told_apart_by_its_time() {
    let row = |at: &str| vec![int(7), text(at), text("x"), int(1)];
    let rows = vec![row(AT), row("2026-03-02 11:00:00")];
    let tickets = read_by(Words::plain(TicketId::Reusable), "ticket sold_at sku quantity", rows);
    let keys: Vec<&str> = tickets.iter().map(|ticket| ticket.transaction.key.as_str()).collect();
    assert_eq!(keys, ["7|2026-03-02 10:00:00", "7|2026-03-02 11:00:00"]);
}

#[test]
fn words_decide_what_moves() {
    let mut words = Words::plain(TicketId::Unique);
    words.quantity = QuantitySign::ByKind;
    words.kinds.insert("r".to_owned(), LineKind::Return);
    words.statuses.insert("2".to_owned(), TransactionStatus::Cancelled);
    words.ignore.push(("money".to_owned(), "art".to_owned(), vec!["a".to_owned()]));
    let row = |kind: &str, status: i64, art: &str| {
        vec![text("t"), text(AT), text("x"), int(3), text(kind), int(status), text(art)]
    };
    let columns = "ticket sold_at sku quantity kind status art";
    let tickets = |row| read_by(words.clone(), columns, vec![row]);
    assert_eq!(tickets(row("R", 2, "")).remove(0).transaction.status, TransactionStatus::Cancelled);
    assert_eq!(lines(&tickets(row("R ", 2, ""))[0]), "x 3 return");
    assert_eq!(lines(&tickets(row("sale", 2, "A"))[0]), "x -3 by money");
    let unknown = tickets(row("sale", 9, "")).remove(0);
    assert!(unknown.transaction.key.as_str().is_empty() && unknown.quarantined[0].reason.contains("status `9`"));
    let unknown = tickets(row("q", 2, "")).remove(0);
    assert!(unknown.transaction.lines.is_empty() && unknown.quarantined[0].reason.contains("kind `q`"));
}

#[test]
fn a_ticket_waits_until_its_header_agrees() {
    let columns = "ticket sold_at sku quantity line_count";
    let row = |sku: Value, quantity: Value, count: i64| vec![text("a"), text(AT), sku, quantity, int(count)];
    assert_eq!(read(columns, vec![row(text("x"), int(1), 1)])[0].waits, None);
    assert!(read(columns, vec![row(text("x"), int(1), 2)])[0].waits.is_some());
    let empty = read(columns, vec![row(Value::Null, Value::Null, 1)]).remove(0);
    assert!(empty.waits.is_some() && empty.transaction.lines.is_empty() && empty.quarantined.is_empty());

    let columns = "ticket sold_at sku quantity total line_total";
    let row = |total: Value, share: Value| vec![text("a"), text(AT), text("x"), int(1), total, share];
    let float = |text: &str| Value::Float(text.to_owned());
    let waits = |rows| read(columns, rows)[0].waits.is_some();
    assert!(!waits(vec![row(decimal("3.00"), decimal("1.5")), row(decimal("3.00"), decimal("1.50"))]));
    assert!(!waits(vec![row(float("0.3"), float("0.1")), row(float("0.3"), float("0.20000000000000001"))]));
    assert!(waits(vec![row(decimal("3.00"), decimal("1.5"))]));
}

#[test]
fn rows_that_disagree_about_their_ticket_are_set_aside() {
    let rows = vec![
        vec![text("a"), text(AT), text("x"), int(1), int(5)],
        vec![text("a"), text(AT), text("y"), int(1), int(6)],
    ];
    let ticket = read("ticket sold_at sku quantity seq", rows).remove(0);
    assert_eq!(ticket.transaction.lines, []);
    assert_eq!(ticket.quarantined[0].records, 2);
    assert!(ticket.quarantined[0].reason.contains("disagree in `seq`"));
}

#[test]
fn units_are_exact_fractions() {
    let columns = "ticket sold_at sku quantity factor divisor";
    let check = |quantity: &str, factor: Value, divisor: Value, expected: &str| {
        let row = vec![text("a"), text(AT), text("x"), decimal(quantity), factor, divisor];
        let ticket = read(columns, vec![row]).remove(0);
        let shown = ticket.quarantined.first().map_or_else(|| lines(&ticket), |record| record.reason.clone());
        assert!(shown.contains(expected), "{shown}");
    };
    check("2", int(6), int(1), "x -12 sale");
    check("3", int(1), int(12), "x -0.25 sale");
    check("2", Value::Null, Value::Null, "x -2 sale");
    check("1", int(1), int(3), "no exact quantity");
    check("1", int(1), int(0), "divisor of its unit is 0");
}

#[test]
fn binary_fractions_are_rounded_and_others_are_not() {
    let check = |value: Value, expected: Option<&str>| {
        let read = quantity(&value).ok().map(|quantity| quantity.to_string());
        assert_eq!(read.as_deref(), expected, "{value:?}");
    };
    check(Value::Float("0.30000000000000004".into()), Some("0.3"));
    check(Value::Float("-0.0000005".into()), Some("-0.000001"));
    check(Value::Float("-0.0000004".into()), Some("0"));
    check(Value::Float("1".into()), Some("1"));
    check(Value::Float("x".into()), None);
    check(Value::Decimal("0.3000001".into()), None);
}

#[test]
fn what_cannot_be_read_is_kept_without_names() {
    let row = vec![text("a"), text(AT), text("x"), text("two"), text("somebody")];
    let ticket = read("ticket sold_at sku quantity customer", vec![row]).remove(0);
    assert_eq!(ticket.quarantined.len(), 1);
    assert!(ticket.quarantined[0].raw.contains("quantity=two"));
    assert!(!ticket.quarantined[0].raw.contains("somebody"), "{}", ticket.quarantined[0].raw);
}
