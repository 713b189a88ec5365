//! The rule table on a made-up export, in two encodings.

use crate::documents::feed::Feed;
use crate::documents::saft::parse::Saft;
use crate::documents::ticket::{Found, words};
use crate::documents::trial::rules;
use crate::documents::xml::End;

const REGISTER: &[u8] = include_bytes!("../../../../tests/fixtures/saft/register.xml");
const LATIN_1: &[u8] = include_bytes!("../../../../tests/fixtures/saft/register-latin1.xml");

fn read(document: &[u8], piece: usize) -> Found {
    let mut feed = Feed::new(Box::new(Saft::new(rules())));
    for piece in document.chunks(piece) {
        feed.push(piece).unwrap();
    }
    assert_eq!(feed.finish(), Ok(End::Closed));
    feed.take()
}

#[test]
fn transactions_move_by_their_side() {
    let expected = "\
K-1|2026-01-02|1|1 @1767344400 Completed: 1001 -2, 1002 -0.345
K-1|2026-01-02|2|2 @1767344400 Completed: 1001 1
K-1|2026-01-02|3|3 @1767344400 Completed: 1001 1
K-1|2026-01-02|4|4 @1767344400 Cancelled: 1001 -1
K-1|2026-01-02|5|5 @1767344400 Training: 1001 -1
K-1|2026-01-02|6|6 @1767344400 Completed: 1003 24
K-2|2026-01-02|1|1 @1767344400 Completed: 1004 -1
! the transaction is of the kind `11009`, whose lines cannot be read as stock
! the transaction has a quantity of -1 on the credit side on line 1: the sides differ
! the transaction adds up to 16.4, but says a total of 20
- without-goods 1";
    assert_eq!(words(&read(REGISTER, 333)), expected);
}

#[test]
fn both_encodings_give_the_same_tickets() {
    for piece in [1, 777, usize::MAX] {
        assert_eq!(read(LATIN_1, piece).tickets, read(REGISTER, piece).tickets);
    }
}

#[test]
fn what_is_set_aside_keeps_neither_staff_nor_signature() {
    let raws: String = read(REGISTER, 4096).doubts.into_iter().map(|doubt| doubt.raw).collect();
    assert!(raws.contains("<qnt>-1</qnt>") && !raws.contains("77") && !raws.contains("c2ln"), "{raws}");
}
