//! The rule table on a made-up export of tables.

use crate::documents::dsfinvk::index;
use crate::documents::dsfinvk::parse::{Export, TableKind};
use crate::documents::ticket::{Found, Rules, SkuFrom, words};
use crate::documents::trial::rules;

const INDEX: &[u8] = include_bytes!("../../../../tests/fixtures/dsfinvk/export/index.xml");
const TABLES: [&[u8]; 5] = [
    include_bytes!("../../../../tests/fixtures/dsfinvk/export/transactions.csv"),
    include_bytes!("../../../../tests/fixtures/dsfinvk/export/lines.csv"),
    include_bytes!("../../../../tests/fixtures/dsfinvk/export/lines_vat.csv"),
    include_bytes!("../../../../tests/fixtures/dsfinvk/export/subitems.csv"),
    include_bytes!("../../../../tests/fixtures/dsfinvk/export/references.csv"),
];

fn read(piece: usize, rules: Rules) -> Found {
    let mut export = Export::new(index::read(INDEX).unwrap());
    for (kind, table) in TableKind::ALL.into_iter().zip(TABLES) {
        export.begin(kind);
        for piece in table.chunks(piece) {
            export.push(piece).unwrap();
        }
        export.end().unwrap();
    }
    super::tickets(rules, export.finish())
}

#[test]
fn tickets_move_by_their_kind_and_their_positions() {
    let expected = "\
K1|2026-03-01T20:00:00|1|b1 @1772355660 Completed: 101 -12, 900 -1 by deposit
K1|2026-03-01T20:00:00|1|b2 @1772355660 Completed: 101 -1, 101 1, 102 -0.333
K1|2026-03-01T20:00:00|1|b3 @1772355660 Training: 101 -9
K1|2026-03-01T20:00:00|1|b4 @1772355660 Cancelled: 101 -1
K1|2026-03-02T20:00:00|2|b1 @1772442060 Completed: 101 12
K1|2026-03-02T20:00:00|2|b2 @1772442060 Completed: 101 1, 101 -1, 102 0.333
K1|2026-03-02T20:00:00|2|b3 @1772442060 Completed: 103 -1
K1|2026-03-02T20:00:00|2|b4 @1772442060 Completed: 200 -1
K1|2026-03-02T20:00:00|2|b8 @1772442060 Completed:  -1 by gift-card
! the ticket K1|2026-03-02T20:00:00|2|b5 adds up to 2, but says a total of 3
! the ticket K1|2026-03-02T20:00:00|2|b6 has an unreadable MENGE: `zwei` is not a quantity
! the ticket K1|2026-03-02T20:00:00|2|b7 takes back a ticket without saying which goods came back
! rows of lines, taxes, parts or references belong to no ticket of the export
- order 1";
    assert_eq!(words(&read(4096, rules())), expected);
}

#[test]
fn a_set_moves_itself_or_its_parts_and_never_both() {
    let found = read(4096, Rules { components: true, sku: SkuFrom::ItemId, ..rules() });
    assert!(words(&found).contains("2|b4 @1772442060 Completed: 201 -1, 202 -2\n"));
}

#[test]
fn the_number_on_the_package_can_name_the_article() {
    let found = read(4096, Rules { sku: SkuFrom::Gtin, ..rules() });
    assert!(words(&found).contains("1|b1 @1772355660 Completed: 4000001000101 -12, 4000001000900 -1 by deposit\n"));
}

#[test]
fn the_size_of_the_pieces_does_not_matter() {
    for piece in [1, 3, 100] {
        assert_eq!(read(piece, rules()), read(usize::MAX, rules()), "{piece}");
    }
}

#[test]
fn a_table_without_a_needed_column_is_refused() {
    let mut export = Export::new(index::read(INDEX).unwrap());
    export.begin(TableKind::Transactions);
    let fault = export.push(b"Z_KASSE_ID;Z_NR;BON_ID\r\n").unwrap_err();
    assert_eq!(fault, "has a table `transactions.csv` that has no column Z_ERSTELLUNG");
}
