//! The rule table on a made-up set.

use crate::documents::feed::Feed;
use crate::documents::ticket::{Found, Rules, SkuFrom, words};
use crate::documents::trial::rules;
use crate::documents::verifone::parse::Verifone;
use crate::documents::xml::End;

const SET: &str = include_str!("../../../../tests/fixtures/verifone/set.xml");

fn read(document: &str, piece: usize, rules: Rules) -> Found {
    let mut feed = Feed::new(Box::new(Verifone::new(rules)));
    for piece in document.as_bytes().chunks(piece) {
        feed.push(piece).unwrap();
    }
    assert_eq!(feed.finish(), Ok(End::Closed));
    feed.take()
}

#[test]
fn transactions_move_by_the_sign_of_their_amounts() {
    let found = read(SET, 512, Rules { sku: SkuFrom::GtinModifier, ..rules() });
    let expected = "\
0508|SN-101 @1784210400 Completed: 0001234500001/002 -1, 0001234500002 -1, 0001234500002 1
0508|SN-102 @1784210400 Completed:  -1 by fuel,  -1 by department-sale
0508|SN-103 Cancelled: 
0508|SN-104 @1784210400 Completed: 0001234500001 1
0508|SN-105 @1784210400 Suspended: 0001234500001 -1
0508|2-2026-07-17|1|106 @1784210400 Completed: 0001234500001 -1, 0001234500003 -1 by voided-line,  -1 by lottery
! the transaction adds up to 10, but says a total of 11
! the transaction is of the unknown type `mystery` and has lines
- journal 1";
    assert_eq!(words(&found), expected);
}

#[test]
fn a_void_that_pays_goods_back_is_set_aside() {
    let found = read(&SET.replace("refund sale", "void"), 4096, rules());
    assert!(words(&found).contains("! the transaction is a void that pays goods back"));
}

#[test]
fn the_size_of_the_pieces_does_not_matter() {
    for piece in [1, 2, 5, 63] {
        assert_eq!(read(SET, piece, rules()), read(SET, usize::MAX, rules()), "{piece}");
    }
}

#[test]
fn totals_that_grew_by_more_than_the_listed_sales_are_told() {
    let found = read(&SET.replace("1558.70", "1600.00"), 4096, rules());
    let remark = found.doubts.last().unwrap();
    assert_eq!(remark.records, 0);
    assert!(
        remark
            .reason
            .starts_with("the totals of period 2-2026-07-17 grew by 100, but the sales that it lists come to 58.7")
    );
}
