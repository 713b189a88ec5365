//! Tickets as tills print them, and what must come out.

use jiff::tz::TimeZone;
use proptest::collection::vec;
use proptest::prelude::*;
use sync_core::model::{LineKind, Timestamp, TransactionStatus};

use super::super::names::NameTable;
use super::super::receipt::{PrintedCode, PrintedRow, Receipt};
use super::super::template::{Template, built_in};
use super::*;

#[test]
fn nothing_is_sold_before_the_ticket_ended_and_was_paid() {
    let mut till = journal();
    assert_eq!(till.rows(&["L           BROWN BREAD   1        2.50", "                      TOTAL        2.50"]), "");
    assert!(till.reader.is_mid_ticket());
    let saved = till.reader.state();
    till.reader = TicketReader::resumed(till.reader.plan.clone(), &saved);
    let sold = till.rows(&["                       CASH        5.00", "ST#1                   DR#1 TRAN#100"]);
    assert_eq!(sold, "1|100|2026-03-01 BROWN BREAD -1 exact");
    let unpaid = till.rows(&[
        "L           BROWN BREAD   1        2.50",
        "                      TOTAL        2.50",
        "ST#1                   DR#1 TRAN#101",
    ]);
    assert_eq!(unpaid, "? control sum `tender` does not hold: no payment is printed");
}

#[test]
fn an_error_correct_takes_the_earlier_line_back() {
    let mut till = journal();
    let sold = till.rows(&[
        "L                CRISPS   1        2.79",
        "L                  COLA   2        3.00",
        "************ ERROR CORRECT *************",
        "L                CRISPS   1       -2.79",
        "ERROR CORRECT",
        "****************************************",
        "                      TOTAL        3.00",
        "                       CASH        3.00",
        "ST#1                   DR#1 TRAN#100",
    ]);
    assert_eq!(sold, "1|100|2026-03-01 CRISPS -1 (voided-line) COLA -2 CRISPS 1 (voided-line) exact");
}

#[test]
fn a_void_without_its_line_is_set_aside() {
    let mut till = journal();
    let sold = till.rows(&[
        "L                  COLA   2        3.00",
        "************ ERROR CORRECT *************",
        "L                CRISPS   1       -2.79",
        "                      TOTAL        0.21",
        "                       CASH        0.21",
        "ST#1                   DR#1 TRAN#100",
    ]);
    assert_eq!(sold, "? control sum `voids` does not hold: `CRISPS` -2.79 takes back a line that is not there");
}

#[test]
fn the_last_total_counts_and_lines_may_change_after_the_first() {
    let mut till = journal();
    let sold = till.rows(&[
        "H               TOBACCO   2        2.58",
        "                      TOTAL        2.58",
        "H               TOBACCO   2       -2.58",
        "H               TOBACCO   1        1.29",
        "                      TOTAL        1.29",
        "                       CASH        1.29",
        "ST#1                   DR#1 TRAN#100",
    ]);
    assert_eq!(sold, "1|100|2026-03-01 TOBACCO -2 TOBACCO 2 TOBACCO -1 exact");
}

#[test]
fn a_recalled_ticket_is_sold_once_under_its_new_number() {
    let mut till = journal();
    let suspended = till.rows(&["H         SPARKLING TEA   2        4.58", "TRANSACTION SUSPENDED # 101"]);
    assert_eq!(suspended, "- suspended 1");
    let other = till.rows(&[
        "L                  COLA   1        1.50",
        "                      TOTAL        1.50",
        "                       CASH        1.50",
        "ST#1                   DR#1 TRAN#102",
    ]);
    assert_eq!(other, "1|102|2026-03-01 COLA -1 exact");
    let recalled = till.rows(&[
        "H         SPARKLING TEA   2        4.58",
        "TRANSACTION RECALLED #101",
        "                      TOTAL        4.95",
        "                      DEBIT        4.95",
        "ST#1                   DR#1 TRAN#103",
    ]);
    assert_eq!(recalled, "1|103|2026-03-01 SPARKLING TEA -2 tax recalled");
    assert_eq!(till.reader.counters().gaps, 0);
}

#[test]
fn a_tax_that_is_not_printed_may_only_come_from_taxed_lines() {
    let mut till = journal();
    let untaxed = till.rows(&[
        "              GIFT ITEM   1       10.00",
        "                      TOTAL       10.80",
        "                       CASH       10.80",
        "ST#1                   DR#1 TRAN#100",
    ]);
    assert_eq!(untaxed, "? control sum `total` does not hold: the lines give 10, the total says 10.8");
    let too_much = till.rows(&[
        "L              LEMONADE   1       10.00",
        "                      TOTAL       11.50",
        "                       CASH       11.50",
        "ST#1                   DR#1 TRAN#101",
    ]);
    assert_eq!(too_much, "? control sum `total` does not hold: the lines give 10, the total says 11.5");
}

#[test]
fn a_voided_ticket_moves_nothing_and_its_number_is_no_gap() {
    let mut till = journal();
    let first = till.rows(&["L   COLA", "VOID TICKET 100", "ST#1                   DR#1 TRAN#100"]);
    assert_eq!(first, "1|100|2026-03-01 cancelled");
    let second = till.rows(&[
        "L                  COLA   1        1.50",
        "                      TOTAL        1.50",
        "                       CASH        1.50",
        "ST#1                   DR#1 TRAN#101",
    ]);
    assert_eq!(second, "1|101|2026-03-01 COLA -1 exact");
}

#[test]
fn missing_ticket_numbers_are_told() {
    let mut till = two_line();
    till.cut(&sale("100", "COLA", "1.50"));
    let told = till.cut(&sale("104", "COLA", "1.50"));
    assert!(
        told.starts_with("? ticket numbers 101 to 103 of register `2` were not printed here (3 missing)"),
        "{told}"
    );
    assert_eq!(till.reader.missing_numbers(), 3);
    assert!(!till.cut(&sale("102", "COLA", "1.50")).contains('?'));
    assert_eq!(till.reader.missing_numbers(), 2);
}

#[test]
fn a_reprint_is_known_by_its_key_and_total_and_never_by_the_word() {
    let mut till = two_line();
    let reprint = |number: &str| {
        let mut rows = vec!["*** REPRINT ***".to_owned()];
        rows.extend(sale(number, "COLA", "1.50"));
        rows
    };
    // The original was never seen: the reprint is the sale.
    assert_eq!(till.cut(&reprint("100")), "2|100|2026-03-01 COLA -1 exact");
    assert_eq!(till.cut(&reprint("100")), "- reprint 1");
    assert_eq!(till.cut(&sale("100", "COLA", "1.50")), "- reprint 1");
    let other = till.cut(&sale("100", "COLA", "1.60"));
    assert_eq!(other, "? ticket 2|100|2026-03-01 was printed before with other lines or another total");
}

#[test]
fn what_is_printed_beside_sales_is_no_sale() {
    for title in ["*** TRAINING ***", "*** NO SALE ***", "X REPORT"] {
        let mut till = two_line();
        let mut rows = vec![title.to_owned()];
        if title.contains("TRAINING") {
            rows.extend(sale("100", "COLA", "1.50"));
        }
        let told = till.cut(&rows);
        assert!(told.starts_with("- "), "{title}: {told}");
    }
}

#[test]
fn a_z_report_is_compared_with_what_was_read() {
    let mut till = two_line();
    let report = |total: &str, count: &str| {
        vec!["Z REPORT".to_owned(), "TILL 2".to_owned(), format!("NET SALES {total}"), format!("TICKETS {count}")]
    };
    till.cut(&sale("100", "COLA", "1.50"));
    assert_eq!(till.cut(&report("900.00", "60")), "- z-report-of-a-partly-read-period 1");
    till.cut(&sale("101", "COLA", "1.50"));
    till.cut(&sale("102", "COLA", "2.00"));
    assert_eq!(till.cut(&report("3.50", "2")), "- z-report 1");
    till.cut(&sale("103", "COLA", "1.50"));
    let told = till.cut(&report("4.50", "3"));
    assert_eq!(told, "? the Z report says 4.5 in 3 tickets, read were 1.5 in 1 tickets since the one before");
}

#[test]
fn signs_follow_the_rule_of_the_row() {
    let mut till = two_line();
    let mixed = till.cut(&rows(&[
        "TICKET 100 TILL 2 01/03/2026 10:00",
        "APPLES",
        "2 @ 1.20 2.40",
        "BREAD 3.00",
        "VOID BREAD 3.00",
        "DISCOUNT 0.40",
        "BOTTLE REFUND -0.25",
        "0.425 kg @ 2.99/kg 1.27",
        "TOTAL 3.02",
        "CASH 5.00",
        "CHANGE 1.98",
    ]));
    // The weight has no name above it: that row is not explained, and the total shows that something is missing.
    assert_eq!(mixed, "? control sum `total` does not hold: the lines give 1.75, the total says 3.02");
    let mixed = till.cut(&rows(&[
        "TICKET 101 TILL 2 01/03/2026 10:05",
        "APPLES",
        "2 @ 1.20 2.40",
        "BREAD 3.00",
        "VOID BREAD 3.00",
        "DISCOUNT 0.40",
        "BOTTLE REFUND -0.25",
        "CHERRIES",
        "0.425 kg @ 2.99/kg 1.27",
        "TOTAL 3.02",
        "CASH 5.00",
        "CHANGE 1.98",
    ]));
    assert_eq!(
        mixed,
        "2|101|2026-03-01 APPLES -2 BREAD -1 (voided-line) BREAD 1 (voided-line) CHERRIES -0.425 exact / - deposit 1 / - discount 1"
    );
    let refund = till.cut(&rows(&[
        "TICKET 102 TILL 2 01/03/2026 10:06",
        "*** REFUND ***",
        "APPLES",
        "1 @ 1.20 1.20",
        "TOTAL 1.20",
        "CASH 1.20",
    ]));
    assert_eq!(refund, "2|102|2026-03-01 APPLES 1 exact");
}

#[test]
fn a_wrong_item_count_or_price_sets_the_ticket_aside() {
    let mut till = two_line();
    let told = till.cut(&rows(&[
        "TICKET 101 TILL 2 01/03/2026 10:05",
        "APPLES",
        "2 @ 1.20 2.40",
        "ITEMS 3",
        "TOTAL 2.40",
        "CASH 2.40",
    ]));
    assert_eq!(told, "? control sum `item-count` does not hold: the lines hold 2 items, the ticket counts 3");
    let told =
        till.cut(&rows(&["TICKET 102 TILL 2 01/03/2026 10:05", "APPLES", "3 @ 1.20 2.40", "TOTAL 2.40", "CASH 2.40"]));
    assert!(told.contains("`quantity×price` does not hold"), "{told}");
}

#[test]
fn lines_without_a_sku_are_set_aside_and_the_others_sold() {
    let mut till = two_line();
    till.reader.plan.unknown_names = UnknownNames::Quarantine;
    till.reader.plan.names =
        Arc::new(NameTable::from_csv("name,price,sku\nCOLA,,10\nTEA,,1\nTEA,,2\nSTAMPS,,!stamps\n"));
    let told = till.cut(&rows(&[
        "TICKET 100 TILL 2 01/03/2026 10:00",
        "COLA 1.50",
        "TEA 2.00",
        "STAMPS 1.00",
        "MUSTARD 1.00",
        "TOTAL 5.50",
        "CARD 5.50",
    ]));
    assert_eq!(
        told,
        "2|100|2026-03-01 10 -1 exact / - stamps 1 / ? ticket 2|100|2026-03-01: no SKU for `TEA` 2, which may be 1 or 2; `MUSTARD` 1"
    );
}

#[test]
fn damaged_and_unreadable_receipts_are_set_aside() {
    let mut till = two_line();
    let mut receipt = printed(&sale("100", "COLA", "1.50"));
    receipt.damage = Some("3 framing errors".to_owned());
    assert_eq!(till.give(&receipt), "? arrived damaged: 3 framing errors");
    let picture = Receipt { pictures: 1, ..Receipt::default() };
    assert!(till.give(&picture).starts_with("? is printed as a picture"));
}

#[test]
fn a_till_that_prints_while_it_sells_is_silent_in_the_middle() {
    let mut till = two_line();
    let whole = sale("100", "COLA", "1.50");
    let (head, rest) = whole.split_at(2);
    let (line, rest) = rest.split_at(1);
    let part = |texts: &[String], ending| Receipt { ending, ..printed(texts) };
    assert_eq!(till.give(&part(head, Ending::Silence)), "");
    assert_eq!(till.give(&part(line, Ending::Silence)), "");
    assert_eq!(till.give(&part(rest, Ending::Silence)), "2|100|2026-03-01 COLA -1 exact");
}

#[test]
fn a_code_may_give_the_number() {
    let (_, mut template) = built_in("receiptline").unwrap();
    template.codes = vec![template::CodeRule { kind: "code39".to_owned(), pattern: "{number}".to_owned() }];
    let mut till = Till::of(&template);
    let mut receipt = printed(&rows(&["02-09-2019 19:00", "BEER 2 13.00", "TOTAL 13.00", "CASH 13.00"]));
    receipt.codes = vec![PrintedCode { kind: "code39", payload: "0003".to_owned(), after_row: 4 }];
    assert_eq!(till.give(&receipt), "-|0003|2019-09-02 BEER -2 exact");
}

#[test]
fn neither_the_state_nor_the_quarantine_names_a_person() {
    let mut till = journal();
    till.rows(&["CSH: ADA EXAMPLE         03/01/26 10:00:00", "Loyalty member Ada Example", "L     COLA   x"]);
    let state = till.reader.state();
    assert!(!state.to_lowercase().contains("ada"), "{state}");
}

#[test]
fn a_ticket_of_unicenta_is_read() {
    check(
        "unicenta",
        &[
            "Example Store",
            "Receipt: 7",
            "Date: 01/03/2026 10:00:00",
            "Terminal: T1",
            "Customer: Ada Example",
            "Current Debt: 12.00",
            "Item             Price    Qty      Value",
            "BROWN BREAD 800G  $2.50 x2        $5.00",
            "COLA              $1.20 x1        $1.20",
            "----------------------------------------",
            "Items count: 2",
            "Subtotal.  $6.20",
            "Tax.       $0.56",
            "Total.     $6.20",
            "Cash       $10.00",
            "Change:    $3.80",
            "Cashier: Bob",
        ],
        "T1|7|2026-03-01 BROWN BREAD 800G -2 COLA -1 exact",
    );
}

#[test]
fn a_ticket_of_a_supermarket_lane_is_read() {
    check(
        "ncr-40",
        &[
            "        EXAMPLE MARKET",
            "2 @ 1.99",
            "MILK WHOLE              3.98 F",
            "00012345678905 CRACKERS 2.49 T",
            "1.25 lb @ 2.00 /lb",
            "APPLES                  2.50 F",
            "VOID CRACKERS           2.49 T",
            "SC CRACKERS            -0.50",
            "BOTTLE DEPOSIT          0.10",
            "     TAX                0.20",
            "**** BALANCE            6.28",
            "CASH                   10.00",
            "CHANGE                  3.72",
            "03/01/26 10:00 0123 04 0056 789",
        ],
        "? control sum `voids` does not hold: `CRACKERS` -2.49 takes back a line that is not there",
    );
    check(
        "ncr-40",
        &[
            "2 @ 1.99",
            "MILK WHOLE              3.98 F",
            "CRACKERS                2.49 T",
            "1.25 lb @ 2.00 /lb",
            "APPLES                  2.50 F",
            "VOID CRACKERS           2.49 T",
            "SC CRACKERS            -0.50",
            "BOTTLE DEPOSIT          0.10",
            "     TAX                0.20",
            "**** BALANCE            6.28",
            "CASH                   10.00",
            "CHANGE                  3.72",
            "TOTAL NUMBER OF ITEMS SOLD = 3",
            "03/01/26 10:00 0123 04 0056 789",
        ],
        "04|0056|2026-03-01 MILK WHOLE -2 CRACKERS -1 (voided-line) APPLES -1.25 CRACKERS 1 (voided-line) exact / - deposit 1 / - discount 1",
    );
}

#[test]
fn tickets_in_columns_are_read() {
    check(
        "columns-name-qty-amount",
        &[
            "BEISPIELMARKT",
            "BON-NR. 12 KASSE 3 01.03.2026 10:00",
            "BROT             2        5,00 A",
            "COLA 1,5L        1        1,99 B",
            "STORNO COLA 1,5L 1       -1,99 B",
            "PFAND                     0,25 B",
            "RABATT                   -0,50",
            "SUMME EUR                 4,75",
            "BAR                       5,00",
            "RÜCKGELD                  0,25",
            "A MWST 19% 0,76",
            "VIELEN DANK",
        ],
        "3|12|2026-03-01 BROT -2 COLA 1,5L -1 (voided-line) COLA 1,5L 1 (voided-line) exact / - deposit 1 / - discount 1",
    );
    check(
        "receiptline",
        &[
            "Example Terminal",
            "Receipt 15",
            "02-09-2026 19:00",
            "│ RECEIPT │",
            "TEA   2  13.00",
            "TOTAL  13.00",
            "CARD 13.00",
        ],
        "-|15|2026-09-02 TEA -2 exact",
    );
    check(
        "escpos-php",
        &[
            "Example Ltd.",
            "SALES INVOICE",
            "Order #77",
            "Scones ........ 4.00",
            "2 x Tea 3.00",
            "Subtotal 7.00",
            "A local tax 0.70",
            "Total  $ 7.70",
            "Monday 6th of April 2026 02:56:25 PM",
        ],
        "-|77|2026-04-06 Scones -1 Tea -2 exact",
    );
}

#[test]
fn any_split_of_a_journal_reads_the_same() {
    let all = [
        "H         SPARKLING TEA   2        4.58",
        "TRANSACTION SUSPENDED # 101",
        "L                  COLA   1        1.50",
        "                      TOTAL        1.50",
        "                       CASH        1.50",
        "ST#1                   DR#1 TRAN#102",
        "H         SPARKLING TEA   2        4.58",
        "TRANSACTION RECALLED #101",
        "                      TOTAL        4.95",
        "                      DEBIT        4.95",
        "ST#1                   DR#1 TRAN#103",
    ];
    let whole = journal().rows(&all);
    for piece in 1..all.len() {
        let mut till = journal();
        let parts: Vec<String> = all
            .chunks(piece)
            .map(|rows| {
                let saved = till.reader.state();
                till.reader = TicketReader::resumed(till.reader.plan.clone(), &saved);
                till.rows(rows)
            })
            .filter(|told| !told.is_empty())
            .collect();
        assert_eq!(parts.join(" / "), whole, "pieces of {piece}");
    }
}

proptest! {
    #[test]
    fn whatever_is_printed_the_state_goes_on_where_it_was_saved(rows in vec("[ -~]{0,44}|TOTAL +[0-9]{1,3}\\.[0-9]{2}|[A-Z]{1,9} [0-9] @ [0-9]\\.[0-9]{2} +[0-9]{1,2}\\.[0-9]{2}-?", 0..24)) {
        for name in template::built_in_names() {
            let plan = TicketPlan::of_template(&built_in(name).unwrap().1, TimeZone::UTC).unwrap();
            let (mut whole, mut saved) = (TicketReader::new(plan.clone()), TicketReader::new(plan.clone()));
            for part in rows.chunks(3) {
                let receipt = Receipt { ending: Ending::Open, ..printed(part) };
                let told = whole.receipt(&receipt, "x", Timestamp(0));
                saved = TicketReader::resumed(plan.clone(), &saved.state());
                prop_assert_eq!(told, saved.receipt(&receipt, "x", Timestamp(0)));
            }
            prop_assert_eq!(whole.state(), saved.state());
        }
    }
}

/// What a receipt gives under a built-in template.
fn check(template: &str, texts: &[&str], expected: &str) {
    let mut till = Till::of(&built_in(template).unwrap().1);
    assert_eq!(till.cut(&rows(texts)), expected, "{template}");
}

struct Till {
    reader: TicketReader,
    prefix: &'static str,
}

fn journal() -> Till {
    let (_, template) = built_in("verifone-journal").unwrap();
    Till { prefix: "03/01/26 10:00:00 102 ", ..Till::of(&template) }
}

fn two_line() -> Till {
    Till::of(&built_in("name-then-quantity").unwrap().1)
}

fn sale(number: &str, name: &str, amount: &str) -> Vec<String> {
    vec![
        "EXAMPLE STORE".to_owned(),
        format!("TICKET {number} TILL 2 01/03/2026 10:00"),
        format!("{name}   {amount} A"),
        format!("TOTAL      {amount}"),
        format!("CARD       {amount}"),
        "THANK YOU".to_owned(),
    ]
}

fn rows(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

fn printed(texts: &[String]) -> Receipt {
    let rows = texts.iter().map(|text| PrintedRow { text: text.clone(), ..PrintedRow::default() }).collect();
    Receipt { rows, ending: Ending::Cut, ..Receipt::default() }
}

impl Till {
    fn of(template: &Template) -> Self {
        let plan = TicketPlan::of_template(template, TimeZone::UTC).unwrap();
        Self { reader: TicketReader::new(plan), prefix: "" }
    }

    fn rows(&mut self, texts: &[&str]) -> String {
        let rows: Vec<String> = texts.iter().map(|text| format!("{}{text}", self.prefix)).collect();
        self.give(&printed(&rows))
    }

    fn cut(&mut self, texts: &[String]) -> String {
        self.give(&printed(texts))
    }

    fn give(&mut self, receipt: &Receipt) -> String {
        let told: Vec<String> = self.reader.receipt(receipt, "front", Timestamp(0)).iter().map(told).collect();
        told.join(" / ")
    }
}

/// One event in a few words.
fn told(event: &TicketEvent) -> String {
    match event {
        TicketEvent::Transaction { transaction, proof } => {
            let mut words = vec![transaction.key.to_string()];
            for line in &transaction.lines {
                assert_eq!(line.kind == LineKind::Return, !line.delta.is_negative() && line.kind != LineKind::Sale);
                words.push(format!("{} {}", line.sku, line.delta));
                words.extend(line.ignored.as_ref().map(|rule| format!("({rule})")));
            }
            words.push(
                match (transaction.status, proof.balance) {
                    (TransactionStatus::Cancelled, _) => "cancelled",
                    (_, Balance::Exact) => "exact",
                    (_, Balance::WithTax) => "tax",
                    (_, Balance::Unchecked) => "unchecked",
                }
                .to_owned(),
            );
            words.extend(proof.recalled.then(|| "recalled".to_owned()));
            words.join(" ")
        }
        TicketEvent::Quarantined(quarantined) => format!("? {}", quarantined.reason),
        TicketEvent::Ignored { rule, records } => format!("- {rule} {records}"),
    }
}
