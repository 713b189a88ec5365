//! The rule table on a made-up journal.

use crate::documents::feed::Feed;
use crate::documents::naxml::parse::Naxml;
use crate::documents::ticket::{ArticleRule, Found, Rules, SkuFrom, words};
use crate::documents::trial::rules;
use crate::documents::xml::End;

const JOURNAL: &[u8] = include_bytes!("../../../../tests/fixtures/naxml/journal.xml");

fn read(piece: usize, rules: Rules) -> Found {
    read_from(JOURNAL, piece, rules)
}

fn read_from(journal: &[u8], piece: usize, rules: Rules) -> Found {
    let mut feed = Feed::new(Box::new(Naxml::new(rules)));
    for piece in journal.chunks(piece) {
        feed.push(piece).unwrap();
    }
    assert_eq!(feed.finish(), Ok(End::Closed));
    feed.take()
}

fn gtin() -> Rules {
    Rules { sku: SkuFrom::Gtin, ..rules() }
}

#[test]
fn events_move_by_the_rule_table() {
    let lottery =
        ArticleRule { rule: "lottery".to_owned(), departments: vec!["70".to_owned()], skus: Vec::new(), prefix: None };
    let found = read(100, Rules { ignore: vec![lottery], ..gtin() });
    let expected = "\
77|1|8945|2026-12-08 @1796776298 Completed: 012345000013 -1 by cancelled-line, 012345000020 -1
77|1|8946|2026-12-08 @1796776298 Completed: 012345000037 -12, 9 -10 by fuel,  -1 by department-sale, 012345000044 -1 by filter:lottery
77|1|8947|2026-12-08 @1796776298 Completed: 012345000020 1
77|1|8948|2026-12-08 @1796776298 Completed: 012345000020 1, 012345000013 -1
77|1|8949|2026-12-08 @1796776298 Cancelled: 012345000020 -1 by cancelled-line
77|1|8950|2026-12-08 @1796776298 Training: 012345000020 -1
77|1|8951|2026-12-08 @1796776298 Suspended: 012345000020 -1
! the transaction adds up to 3, but says a total of 4
! the transaction has a line with the unknown status `adjusted` (line 1)
- financial-event 1
- other-event 1";
    assert_eq!(words(&found), expected);
}

#[test]
fn the_selector_of_the_pack_can_be_part_of_the_article() {
    let found = read(1000, Rules { sku: SkuFrom::GtinModifier, ..rules() });
    assert!(words(&found).contains("012345000037/2 -12"));
}

#[test]
fn a_void_with_lines_that_stand_is_set_aside() {
    let journal = String::from_utf8_lossy(JOURNAL).replace("RefundEvent", "VoidEvent");
    let found = read_from(journal.as_bytes(), 4096, gtin());
    let aside = found.doubts.iter().filter(|doubt| doubt.reason.contains("is a void whose line 1 is not cancelled"));
    assert_eq!(aside.count(), 2);
}

#[test]
fn the_size_of_the_pieces_does_not_matter() {
    for piece in [1, 2, 5, 63, 4096] {
        assert_eq!(read(piece, gtin()), read(usize::MAX, gtin()), "{piece}");
    }
}
