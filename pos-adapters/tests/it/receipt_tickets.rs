//! Real captures from their bytes to transactions: which share of the tickets is believed, by which control sum.

use jiff::tz::{Offset, TimeZone};
use pos_adapters::receipts::learn::learn;
use pos_adapters::receipts::parse::Line;
use pos_adapters::receipts::receipt::Receipt;
use pos_adapters::receipts::template::built_in;
use pos_adapters::receipts::tickets::{Balance, TicketEvent, TicketPlan, TicketReader};
use pos_adapters::receipts::{Dialect, Parser};
use sync_core::model::{Quantity, Timestamp, TransactionStatus};

use crate::captures::{Arrival, arrivals, hex_dump, sample};

/// The store of the capture is four hours behind UTC.
fn zone() -> TimeZone {
    TimeZone::fixed(Offset::constant(-4))
}

fn reader(template: &str, zone: TimeZone) -> TicketReader {
    TicketReader::new(TicketPlan::of_template(&built_in(template).unwrap().1, zone).unwrap())
}

/// What the journal of one port says, with the time at which each read arrived.
fn journal(reads: &[&Arrival]) -> (Vec<TicketEvent>, TicketReader) {
    let mut parser = Parser::new(&Line { dialect: Dialect::Journal, ..Line::default() }, 0).unwrap();
    let mut reader = reader("verifone-journal", zone());
    let mut events = Vec::new();
    for read in reads {
        let mut receipts = Vec::new();
        parser.push(&read.bytes, &mut receipts);
        receipts.extend(parser.drain());
        let at: jiff::Timestamp = read.at.parse().unwrap();
        for receipt in &receipts {
            events.extend(reader.receipt(receipt, "capture", Timestamp(at.as_microsecond())));
        }
    }
    let mut rest = Vec::new();
    parser.finish(&mut rest);
    rest.iter().for_each(|receipt| events.extend(reader.receipt(receipt, "capture", Timestamp(0))));
    (events, reader)
}

#[test]
fn every_ticket_of_the_journal_balances_exactly_or_with_tax_or_is_voided() {
    let Some(log) = sample("serial-journal/verifone-commander-capture-part1.txt") else { return };
    let all = arrivals(&log);
    let mut ports: Vec<&str> = all.iter().map(|read| read.port.as_str()).collect();
    ports.sort_unstable();
    ports.dedup();
    let (mut exact, mut taxed, mut recalled, mut voided, mut set_aside) = (0, 0, 0, 0, Vec::new());
    for port in ports {
        let reads: Vec<&Arrival> = all.iter().filter(|read| read.port == port).collect();
        let (events, reader) = journal(&reads);
        let counters = reader.counters();
        println!("{port}: {counters:?}, clock {:?}, missing {}", reader.clock_offset(), reader.missing_numbers());
        assert_eq!(counters.rows_unexplained, 0);
        assert_eq!(reader.missing_numbers(), 0);
        // The till's clock is 427 s ahead of the collector's.
        assert!(reader.clock_offset().is_none_or(|seconds| (426..=428).contains(&seconds)));
        for event in &events {
            match event {
                TicketEvent::Transaction { transaction, .. } if transaction.status == TransactionStatus::Cancelled => {
                    voided += 1;
                }
                TicketEvent::Transaction { proof, .. } => {
                    exact += u32::from(proof.balance == Balance::Exact);
                    taxed += u32::from(proof.balance == Balance::WithTax);
                    recalled += u32::from(proof.recalled);
                    assert!(proof.held.contains(&"tender"));
                }
                TicketEvent::Quarantined(quarantined) => set_aside.push(quarantined.reason.clone()),
                TicketEvent::Ignored { .. } => {}
            }
        }
    }
    println!(
        "{exact} exact, {taxed} with tax, {recalled} of them recalled, {voided} voided, set aside: {set_aside:#?}"
    );
    assert!(set_aside.is_empty());
    // In the whole capture 25 of 109 are exact, 81 taxed, 2 right only since suspensions are understood, 1 voided.
    assert_eq!((exact, taxed, recalled, voided), (9, 38, 1, 1));
}

#[test]
fn a_corrected_line_of_the_journal_moves_nothing() {
    let Some(log) = sample("serial-journal/verifone-commander-capture-part1.txt") else { return };
    let all = arrivals(&log);
    let (events, _) = journal(&all.iter().collect::<Vec<_>>());
    let ticket = |number: &str| {
        events
            .iter()
            .find_map(|event| match event {
                TicketEvent::Transaction { transaction, .. } if transaction.key.as_str().contains(number) => {
                    Some(transaction.clone())
                }
                TicketEvent::Transaction { .. } | TicketEvent::Quarantined(_) | TicketEvent::Ignored { .. } => None,
            })
            .unwrap()
    };
    for number in ["1028389", "1028406", "1028407"] {
        let ticket = ticket(number);
        let net = ticket.lines.iter().filter(|line| line.ignored.is_some());
        let (count, sum) = net.fold((0, Quantity::ZERO), |(n, sum), line| (n + 1, sum.saturating_add(line.delta)));
        assert!(count >= 2 && sum.is_zero(), "{ticket:#?}");
    }
}

#[test]
fn a_receipt_below_a_logo_is_one_sale_with_its_tax() {
    let Some(bytes) = sample("escpos/receipt-with-logo.bin") else { return };
    let (told, events) = told("escpos-php", Dialect::Escpos, &bytes);
    assert_eq!(told, ["-|14:56:25 14.25|2015-04-06: 4 lines, Exact"], "{events:#?}");
}

#[test]
fn a_generated_receipt_is_a_sale_and_its_order_slip_is_none() {
    for (name, dialect) in [
        ("en-receipt-escpos-cp437", Dialect::Escpos),
        ("en-receipt-escpos-multilingual", Dialect::Escpos),
        ("en-receipt-starlinesbcs-multilingual", Dialect::Star),
        ("en-guest-escpos-cp437", Dialect::Escpos),
        ("en-guest-starlinesbcs-multilingual", Dialect::Star),
    ] {
        let Some(bytes) = sample(&format!("escpos-generated/{name}.bin")) else { return };
        let (told, events) = told("receiptline", dialect, &bytes);
        let expected = if name.contains("guest") { "- kitchen" } else { "-|19:00:00 185.8|2019-09-02: 2 lines, Exact" };
        assert_eq!(told, [expected], "{name}: {events:#?}");
    }
    let Some(bytes) = sample("escpos-generated/en-receipt-stargraphic-multilingual.bin") else { return };
    let (told, _) = told("receiptline", Dialect::Star, &bytes);
    assert!(told.iter().all(|told| told.starts_with("? is printed as a picture")), "{told:?}");
}

fn receipts(dialect: Dialect, bytes: &[u8]) -> Vec<Receipt> {
    let mut parser = Parser::new(&Line { dialect, ..Line::default() }, 0).unwrap();
    let mut receipts: Vec<Receipt> = Vec::new();
    parser.push(bytes, &mut receipts);
    parser.finish(&mut receipts);
    receipts
}

fn told(template: &str, dialect: Dialect, bytes: &[u8]) -> (Vec<String>, Vec<TicketEvent>) {
    let receipts = receipts(dialect, bytes);
    let mut reader = reader(template, TimeZone::UTC);
    let events: Vec<TicketEvent> =
        receipts.iter().flat_map(|receipt| reader.receipt(receipt, "capture", Timestamp(0))).collect();
    let told = events
        .iter()
        .map(|event| match event {
            TicketEvent::Transaction { transaction, proof } => {
                format!("{}: {} lines, {:?}", transaction.key, transaction.lines.len(), proof.balance)
            }
            TicketEvent::Quarantined(quarantined) => format!("? {}", quarantined.reason),
            TicketEvent::Ignored { rule, .. } => format!("- {rule}"),
        })
        .collect();
    (told, events)
}

#[test]
fn templates_are_proposed_for_the_captures() {
    let mut told = Vec::new();
    for (name, dialect) in [
        ("escpos/receipt-with-logo.bin", Dialect::Escpos),
        ("escpos-generated/en-receipt-escpos-cp437.bin", Dialect::Escpos),
        ("escpos-generated/en-receipt-starlinesbcs-multilingual.bin", Dialect::Star),
    ] {
        let Some(bytes) = sample(name) else { return };
        told.push((name, receipts(dialect, &bytes)));
    }
    let Some(log) = sample("serial-journal/verifone-commander-capture-part1.txt") else { return };
    let bytes: Vec<u8> = arrivals(&log).into_iter().flat_map(|read| read.bytes).collect();
    told.push(("serial-journal", receipts(Dialect::Journal, &bytes)));
    let Some(dump) = sample("escpos/escpost-cafe-order-voucher.hex") else { return };
    told.push(("escpos/escpost-cafe-order-voucher.hex", receipts(Dialect::Escpos, &hex_dump(&dump))));
    for (name, receipts) in &told {
        let proposal = learn(receipts, "learned").unwrap();
        let score = &proposal.score;
        println!(
            "{name}: {:?}, {} of {} believed, {} beside, {} % of rows, {:?}",
            proposal.built_in,
            score.believed,
            score.tickets,
            score.beside,
            score.explained_percent(),
            score.unexplained
        );
        assert_eq!(score.believed, score.tickets, "{name}: {score:#?}");
        // Sums hold without the quantities too; what is proposed has to tell them apart.
        let quantities =
            proposal.template.rows.iter().any(|row| row.patterns.iter().any(|p| p.starts_with("{name} {qty}")));
        assert!(quantities || !name.contains("generated"), "{name}: {}", proposal.template.to_toml());
    }
}
