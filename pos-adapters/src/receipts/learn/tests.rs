//! Made-up families of receipts by a receipt writer of our own: learned from a handful, measured on others that the
//! learning has not seen.

use super::super::receipt::{Ending, PrintedRow};
use super::*;

/// Receipts to learn from, and held out.
const LEARNED: usize = 8;
const HELD_OUT: usize = 60;

#[test]
fn templates_learned_from_eight_receipts_read_sixty_others() {
    println!("| family | learned from | held out | believed | wrong | rows explained |");
    for family in FAMILIES {
        let (all, truth) = family.receipts(LEARNED + HELD_OUT);
        let (taught, held) = all.split_at(LEARNED);
        let proposal = match learn(taught, "made-up") {
            Ok(proposal) => proposal,
            Err(error) => {
                println!("| {} | {LEARNED} | {HELD_OUT} | refused | 0 | – |", family.name);
                assert_eq!(family.least, 0, "{}: {error}", family.name);
                continue;
            }
        };
        let score = score(&proposal.template, held).unwrap();
        let wrong = wrong(&proposal.template, held, &truth[LEARNED..]);
        println!(
            "| {} | {LEARNED} | {HELD_OUT} | {} % | {wrong} | {} % |",
            family.name,
            score.believed_percent(),
            score.explained_percent()
        );
        assert_eq!(wrong, 0, "{}: {}", family.name, proposal.template.to_toml());
        assert!(
            score.believed_percent() >= family.least,
            "{}: {score:#?}\n{}",
            family.name,
            proposal.template.to_toml()
        );
        assert_eq!(learn(taught, "made-up"), Ok(proposal), "the same receipts give the same proposal");
    }
}

#[test]
fn a_journal_without_cuts_is_told_apart_by_its_numbers() {
    let lines = |from: usize, count: usize| {
        let mut writer = Writer(11);
        let tickets: Vec<Ticket> = (0..from + count).map(|n| writer.ticket(n)).collect();
        let rows = tickets[from..].iter().flat_map(journal_rows).map(|text| row(&text)).collect();
        Receipt { rows, ..Receipt::default() }
    };
    let proposal = learn(&[lines(0, LEARNED)], "made-up").unwrap();
    let score = score(&proposal.template, &[lines(LEARNED, HELD_OUT)]).unwrap();
    println!(
        "| journal, date and time before each row | {LEARNED} | {HELD_OUT} | {} % | 0 | {} % |",
        score.believed_percent(),
        score.explained_percent()
    );
    assert_eq!(proposal.template.ticket.ends, TicketEnd::Marker);
    assert_eq!((score.believed, score.tickets), (60, 60), "{score:#?}\n{}", proposal.template.to_toml());
}

#[test]
fn what_is_no_receipt_teaches_nothing() {
    assert!(learn(&[], "x").is_err());
    let picture = Receipt { pictures: 2, ..Receipt::default() };
    assert!(learn(&[picture], "x").unwrap_err().contains("text mode"));
}

#[test]
fn a_proposal_says_what_it_could_not_explain_without_naming_anybody() {
    let (mut all, _) = FAMILIES[0].receipts(6);
    all.iter_mut()
        .enumerate()
        .for_each(|(n, receipt)| receipt.rows.insert(1, row(&format!("Ada Example{}", "x".repeat(n)))));
    let proposal = learn(&all, "made-up").unwrap();
    assert!(proposal.score.unexplained.iter().any(|(shape, _)| shape.starts_with("Xxx Xxxxxxx")), "{proposal:#?}");
    assert!(!format!("{:?}", proposal.score).contains("Ada"));
}

#[test]
fn a_learned_template_is_a_file_like_any_other() {
    let (all, _) = FAMILIES[3].receipts(8);
    let proposal = learn(&all, "made-up").unwrap();
    let read = Template::from_toml(&proposal.template.to_toml()).unwrap();
    assert_eq!(read, proposal.template);
    assert_eq!(read.faults(), Vec::new());
}

/// Believed tickets whose lines are not what was sold.
fn wrong(template: &Template, receipts: &[Receipt], truth: &[Vec<(String, i64)>]) -> usize {
    let mut reader = TicketReader::new(TicketPlan::of_template(template, TimeZone::UTC).unwrap());
    let mut sold = receipts.iter().zip(truth).filter_map(|(receipt, truth)| {
        let events = reader.receipt(receipt, "", Timestamp(0));
        let transaction = events.into_iter().find_map(|event| match event {
            TicketEvent::Transaction { transaction, .. } => Some(transaction),
            TicketEvent::Quarantined(_) | TicketEvent::Ignored { .. } => None,
        })?;
        let mut net: BTreeMap<String, i64> = BTreeMap::new();
        for line in transaction.lines.iter().filter(|line| line.ignored.is_none()) {
            *net.entry(line.sku.to_string()).or_default() -= line.delta.micros() / 1_000;
        }
        let mut expected: BTreeMap<String, i64> = BTreeMap::new();
        truth.iter().for_each(|(name, units)| *expected.entry(name.clone()).or_default() += units);
        net.retain(|_, units| *units != 0);
        expected.retain(|_, units| *units != 0);
        Some((net, expected))
    });
    sold.by_ref().filter(|(net, expected)| net != expected).count()
}

struct Family {
    name: &'static str,
    /// Percent of held-out tickets that must be believed.
    least: u64,
    write: fn(&mut Writer, &Ticket) -> Vec<String>,
    /// What identifies an article in the transaction.
    key: fn(&Line) -> String,
}

const FAMILIES: [Family; 8] = [
    Family { name: "columns, decimal comma, tax letters, storno", least: 100, write: columns, key: by_name },
    Family { name: "two rows, tax added, card fragments", least: 100, write: two_rows, key: by_name },
    Family { name: "quantity × name, currency sign", least: 100, write: quantity_first, key: by_name },
    Family { name: "article number, quantity, price, amount", least: 100, write: article_numbers, key: by_sku },
    Family { name: "quantity above the line, balance, item count", least: 100, write: quantity_above, key: by_name },
    Family { name: "price xquantity, no sales between", least: 100, write: price_times, key: by_name },
    Family {
        name: "name, below it quantity × price; trailing minus", least: 100, write: trailing_minus, key: by_name
    },
    Family { name: "words and signs that no list knows", least: 0, write: foreign_words, key: by_name },
];

fn by_name(line: &Line) -> String {
    line.name.to_owned()
}

fn by_sku(line: &Line) -> String {
    line.sku.to_string()
}

const ARTICLES: [(&str, i64); 12] = [
    ("BROWN BREAD", 250),
    ("COLA 1.5L BOTTLE", 199),
    ("7UP CAN", 120),
    ("TEA 20 BAGS", 349),
    ("A4 PAPER", 599),
    ("APPLES RED", 240),
    ("OLD CHEESE 48+", 780),
    ("MILK 2%", 105),
    ("SOAP", 99),
    ("BATTERIES AA 4-PACK", 449),
    ("OLIVE OIL", 1299),
    ("PENCIL HB", 45),
];

#[derive(Clone)]
struct Line {
    name: &'static str,
    sku: u32,
    units: i64,
    price: i64,
}

struct Ticket {
    number: u32,
    day: u32,
    minute: u32,
    lines: Vec<Line>,
    /// The last line was rung up twice and taken back once.
    voided: bool,
}

impl Ticket {
    fn sum(&self) -> i64 {
        self.lines.iter().map(|line| line.units * line.price).sum()
    }

    fn pieces(&self) -> i64 {
        self.lines.iter().map(|line| line.units).sum()
    }
}

/// Numbers that look random and are the same each time.
struct Writer(u64);

impl Writer {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }

    fn ticket(&mut self, n: usize) -> Ticket {
        let lines = (0..=self.below(6))
            .map(|_| {
                let at = usize::try_from(self.below(12)).unwrap();
                let (name, price) = ARTICLES[at];
                let units = if self.below(3) == 0 { i64::try_from(self.below(5)).unwrap() + 1 } else { 1 };
                Line { name, sku: 10_000 + u32::try_from(at).unwrap() * 7, units, price }
            })
            .collect();
        let n = u32::try_from(n).unwrap();
        Ticket { number: 1_040 + n, day: 1 + n % 28, minute: n % 60, lines, voided: self.below(7) == 0 }
    }
}

impl Family {
    fn receipts(&self, count: usize) -> (Vec<Receipt>, Vec<Vec<(String, i64)>>) {
        let mut writer = Writer(7);
        let (mut receipts, mut truth) = (Vec::new(), Vec::new());
        for n in 0..count {
            let ticket = writer.ticket(n);
            let rows = (self.write)(&mut writer, &ticket).iter().map(|text| row(text)).collect();
            receipts.push(Receipt { rows, ending: Ending::Cut, ..Receipt::default() });
            truth.push(ticket.lines.iter().map(|line| ((self.key)(line), line.units * 1_000)).collect());
        }
        (receipts, truth)
    }
}

fn row(text: &str) -> PrintedRow {
    PrintedRow { text: text.trim_end().to_owned(), ..PrintedRow::default() }
}

fn money(cents: i64, mark: char) -> String {
    let sign = if cents < 0 { "-" } else { "" };
    format!("{sign}{}{mark}{:02}", cents.abs() / 100, cents.abs() % 100)
}

fn columns(writer: &mut Writer, ticket: &Ticket) -> Vec<String> {
    let amount = |cents| money(cents, ',');
    let mut rows = vec![
        "        BEISPIELMARKT".to_owned(),
        "     Musterweg 1, Musterstadt".to_owned(),
        format!("Bon-Nr. {}   Kasse 2", ticket.number),
        format!("{:02}.03.2026 10:{:02}", ticket.day, ticket.minute),
        "-".repeat(40),
    ];
    let line = |line: &Line, units: i64| format!("{:<22}{:>4}{:>12} A", line.name, units, amount(units * line.price));
    rows.extend(ticket.lines.iter().map(|item| line(item, item.units)));
    if let Some(last) = ticket.lines.last().filter(|_| ticket.voided) {
        rows.push(line(last, last.units));
        rows.push(format!("STORNO {:<15}{:>4}{:>12} A", last.name, last.units, amount(-last.units * last.price)));
    }
    let total = ticket.sum();
    rows.push("-".repeat(40));
    rows.push(format!("SUMME EUR{:>29}", amount(total)));
    if writer.below(2) == 0 {
        let given = (total / 1_000 + 1) * 1_000;
        rows.push(format!("BAR{:>35}", amount(given)));
        rows.push(format!("Rückgeld{:>30}", amount(given - total)));
    } else {
        rows.push(format!("Girocard{:>30}", amount(total)));
    }
    rows.push(format!("MwSt 19% {:>20}", amount(total * 19 / 119)));
    rows.push("Es bediente Sie Frau Muster".to_owned());
    rows.push("   Vielen Dank für Ihren Einkauf".to_owned());
    rows
}

fn two_rows(writer: &mut Writer, ticket: &Ticket) -> Vec<String> {
    let amount = |cents| money(cents, '.');
    let mut rows = vec![
        "EXAMPLE CORNER STORE".to_owned(),
        "1 Sample Road".to_owned(),
        format!("Ticket #{}  Till 3  03/{:02}/2026 9:{:02} AM", ticket.number, ticket.day, ticket.minute),
        format!("Cashier: {}", if writer.below(2) == 0 { "Ada" } else { "Bob" }),
    ];
    for line in &ticket.lines {
        rows.push(line.name.to_owned());
        rows.push(format!("  {} @ {}{:>20} T", line.units, amount(line.price), amount(line.units * line.price)));
    }
    let (sum, tax) = (ticket.sum(), ticket.sum() * 7 / 100);
    rows.push(format!("SUBTOTAL{:>24}", amount(sum)));
    rows.push(format!("TAX 7.0%{:>24}", amount(tax)));
    rows.push(format!("TOTAL{:>27}", amount(sum + tax)));
    rows.push(format!("VISA ****{:04}{:>19}", writer.below(10_000), amount(sum + tax)));
    rows.push(format!("AUTH {:06}", writer.below(1_000_000)));
    rows.push(format!("ITEMS: {}", ticket.pieces()));
    rows.push("THANK YOU FOR SHOPPING".to_owned());
    rows
}

fn quantity_first(writer: &mut Writer, ticket: &Ticket) -> Vec<String> {
    let amount = |cents| format!("£{}", money(cents, '.'));
    let mut rows = vec!["The Example Deli".to_owned(), format!("Order no {}", ticket.number)];
    rows.push(format!("{:02}/03/2026 12:{:02}", ticket.day, ticket.minute));
    for line in &ticket.lines {
        rows.push(format!("{} x {:<20}{:>10}", line.units, line.name, amount(line.units * line.price)));
    }
    let total = ticket.sum();
    let given = (total / 500 + 1) * 500;
    rows.push(format!("Total{:>29}", amount(total)));
    if writer.below(3) == 0 {
        rows.push(format!("Card{:>30}", amount(total)));
    } else {
        rows.push(format!("Cash{:>30}", amount(given)));
        rows.push(format!("Change{:>28}", amount(given - total)));
    }
    rows.push("See you soon".to_owned());
    rows
}

fn article_numbers(writer: &mut Writer, ticket: &Ticket) -> Vec<String> {
    let amount = |cents| money(cents, ',');
    let mut rows = vec!["EPICERIE EXEMPLE".to_owned()];
    rows.push(format!("TICKET {} CAISSE 1 le {:02}/03/2026 18:{:02}", ticket.number, ticket.day, ticket.minute));
    for line in &ticket.lines {
        let total = amount(line.units * line.price);
        rows.push(format!("{} {:<20} {:>3} {:>7} {:>8}", line.sku, line.name, line.units, amount(line.price), total));
    }
    let total = ticket.sum();
    rows.push(format!("SOUS-TOTAL {:>20}", amount(total)));
    let off = if writer.below(4) == 0 { 50 } else { 0 };
    if off > 0 {
        rows.push(format!("REMISE FIDELITE {:>15}", amount(-off)));
    }
    rows.push(format!("TOTAL {:>25}", amount(total - off)));
    rows.push(format!("CB {:>28}", amount(total - off)));
    rows.push("MERCI DE VOTRE VISITE".to_owned());
    rows
}

fn quantity_above(writer: &mut Writer, ticket: &Ticket) -> Vec<String> {
    let amount = |cents| money(cents, '.');
    let mut rows = vec!["      EXAMPLE SUPERMARKET".to_owned()];
    for line in &ticket.lines {
        if line.units > 1 {
            rows.push(format!("  {} @ {}", line.units, amount(line.price)));
        }
        rows.push(format!("{:<24}{:>10} F", line.name, amount(line.units * line.price)));
    }
    let (sum, tax) = (ticket.sum(), ticket.sum() * 3 / 100);
    let given = (sum + tax) / 2_000 * 2_000 + 2_000;
    rows.push(format!("     TAX{:>26}", amount(tax)));
    rows.push(format!("**** BALANCE{:>22}", amount(sum + tax)));
    rows.push(format!("     CASH{:>25}", amount(given)));
    rows.push(format!("     CHANGE{:>23}", amount(given - sum - tax)));
    rows.push(format!("TOTAL NUMBER OF ITEMS SOLD = {}", ticket.pieces()));
    let operator = 400 + writer.below(9);
    rows.push(format!("03/{:02}/26 10:{:02} 0123 04 {:04} {operator}", ticket.day, ticket.minute, ticket.number));
    rows
}

fn price_times(writer: &mut Writer, ticket: &Ticket) -> Vec<String> {
    let amount = |cents| format!("${}", money(cents, '.'));
    if writer.below(9) == 0 {
        return vec!["*** NO SALE ***".to_owned(), format!("{:02}/03/2026 10:{:02}", ticket.day, ticket.minute)];
    }
    let mut rows = vec!["Example Bikes".to_owned(), format!("Receipt: {}", ticket.number)];
    rows.push(format!("Date: {:02}/03/2026 10:{:02}:00", ticket.day, ticket.minute));
    rows.push("Item        Price    Qty    Value".to_owned());
    for line in &ticket.lines {
        let name = format!("{:<20}", line.name);
        rows.push(format!("{name}{:>8} x{:<5}{:>9}", amount(line.price), line.units, amount(line.units * line.price)));
    }
    rows.push(format!("Items count: {}", ticket.lines.len()));
    rows.push(format!("Total.{:>20}", amount(ticket.sum())));
    rows.push(format!("Tendered:{:>17}", amount(ticket.sum())));
    rows
}

fn trailing_minus(writer: &mut Writer, ticket: &Ticket) -> Vec<String> {
    let amount = |cents: i64| {
        if cents < 0 { format!("{}-", money(-cents, ',')) } else { money(cents, ',') }
    };
    let mut rows = vec!["VOORBEELDWINKEL".to_owned(), "Voorbeeldstraat 1".to_owned()];
    rows.push(format!("Bonnr: {}  Kassa: 3  {:02}-03-2026 09:{:02}", ticket.number, ticket.day, ticket.minute));
    for line in &ticket.lines {
        if line.units == 1 {
            rows.push(format!("{:<24}{:>10}", line.name, amount(line.price)));
        } else {
            rows.push(line.name.to_owned());
            rows.push(format!("   {} X {:>8}{:>12}", line.units, amount(line.price), amount(line.units * line.price)));
        }
    }
    let off = i64::try_from(writer.below(3)).unwrap() * 25;
    if off > 0 {
        rows.push(format!("KORTING{:>27}", amount(-off)));
    }
    rows.push(format!("STATIEGELD{:>24}", amount(15)));
    rows.push(format!("TOTAAL{:>28}", amount(ticket.sum() - off + 15)));
    rows.push(format!("PIN{:>31}", amount(ticket.sum() - off + 15)));
    rows.push(format!("Artikelen: {}", ticket.pieces()));
    rows
}

fn foreign_words(_: &mut Writer, ticket: &Ticket) -> Vec<String> {
    let amount = |cents| money(cents, ',');
    let mut rows = vec!["SKLEP PRZYKLADOWY".to_owned(), format!("nr wydr. {}", ticket.number)];
    rows.push(format!("2026-03-{:02} 10:{:02}", ticket.day, ticket.minute));
    for line in &ticket.lines {
        rows.push(format!(
            "{:<18} {} *{}= {}A",
            line.name,
            line.units,
            amount(line.price),
            amount(line.units * line.price)
        ));
    }
    rows.push(format!("DO ZAPLATY PLN {:>12}", amount(ticket.sum())));
    rows.push(format!("GOTOWKA PLN {:>15}", amount(ticket.sum())));
    rows
}

fn journal_rows(ticket: &Ticket) -> Vec<String> {
    let amount = |cents| money(cents, '.');
    let mut rows: Vec<String> = ticket
        .lines
        .iter()
        .map(|line| format!("{:<20}{:>4}{:>10}", line.name, line.units, amount(line.units * line.price)))
        .collect();
    rows.push(format!("TOTAL{:>29}", amount(ticket.sum())));
    rows.push(format!("CASH{:>30}", amount(ticket.sum())));
    rows.push(format!("REG 4 TRANS {}", 5_000 + ticket.number));
    rows.iter().map(|row| format!("2026-03-{:02} 10:{:02}:00 R4 {row}", ticket.day, ticket.minute)).collect()
}
