//! Codes as tills write them, and what must come out.

use proptest::prelude::*;

use super::*;
use crate::article::restricted::Layout;
use crate::article::table::Rules;
use crate::model::{Extent, LineKind, Segment, TransactionKey, TransactionStatus};

#[test]
fn one_article_has_many_codes() {
    let table = table(Rules::default());
    for code in [
        "APPLE-JUICE",
        "4006381333931",
        "04006381333931",
        "400638133393",
        "*4006381333931*",
        "(01)04006381333931(17)261231",
    ] {
        check(&table, code, "-1", Ok(&[("APPLE-JUICE", "-1")]));
    }
    check(&table, "6236", "-1", Ok(&[("6236", "-1")]));
    check(&table, "00000000062367", "-1", Ok(&[("6236", "-1")]));
    check(&table, "006236", "-1", Ok(&[("6236", "-1")]));
}

#[test]
fn a_code_of_two_articles_is_blocked_and_listed() {
    let table = table(Rules::default());
    check(&table, "96385074", "-1", Err("belongs to `BLUE` and `RED`"));
    let collisions = table.collisions();
    assert_eq!(collisions.len(), 1, "{collisions:?}");
    assert_eq!(collisions[0].code, "96385074");
    check(&table, "RED", "-1", Ok(&[("RED", "-1")]));
}

#[test]
fn unknown_codes_stay_or_are_refused() {
    check(&table(Rules::default()), "NOBODY", "-1", Ok(&[("NOBODY", "-1")]));
    let strict = table(Rules { unknown: Unknown::Refuse, ..Rules::default() });
    check(&strict, "NOBODY", "-1", Err("does not know `NOBODY`"));
}

#[test]
fn packs_are_exact() {
    let table = table(Rules::default());
    check(&table, "036000291452", "-2", Ok(&[("BEER", "-12")]));
    check(&table, "036000291452", "1", Ok(&[("BEER", "6")]));
    check(&table, "SLICE", "-3", Ok(&[("CAKE", "-0.25")]));
    check(&table, "THIRD", "-3", Ok(&[("CAKE", "-1")]));
    check(&table, "THIRD", "-1", Err("cannot be written exactly"));
}

#[test]
fn kits_are_taken_apart_once() {
    let table = table(Rules::default());
    let apart: &[(&str, &str)] = &[("APPLE-JUICE", "-4"), ("CUP", "-8"), ("BEER", "-2")];
    check(&table, "PARTY", "-2", Ok(apart));
    let kept = resolve(sale("PARTY", "-2"), &table, Kits::TakenApart);
    assert_eq!(lines(&kept), [("PARTY".to_owned(), "-2".to_owned())]);
    check(&table, "SNAKE", "-1", Err("in a circle"));
}

#[test]
fn lines_that_move_no_stock_say_by_which_rule() {
    let Resolved::Transaction(read) = resolve(sale("DEPOSIT", "-1"), &table(Rules::default()), Kits::TakeApart) else {
        panic!("it is known");
    };
    assert_eq!(read.lines[0].ignored, Some(RuleName::from("deposit")));
}

#[test]
fn weight_and_price_codes_give_article_and_quantity() {
    let layouts = vec![Layout::parse("21IIIIIWWWWWC").unwrap(), Layout::parse("2IIIIIVPPPPC").unwrap()];
    let table = table(Rules { layouts, quantity_from_code: true, ..Rules::default() });
    check(&table, &with_check("210006201250"), "-1", Ok(&[("CHEESE", "-1.25")]));
    // 4.99 at 3.99 a unit.
    check(&table, &with_check("20007700499"), "-1", Ok(&[("HAM", "-1.251")]));
    check(&table, &with_check("20007700499"), "-0.4", Ok(&[("HAM", "-0.4")]));
    // The price was taken out by the till: the line's own quantity stands.
    check(&table, "00200077000007", "-1", Ok(&[("HAM", "-1")]));
}

proptest! {
    #[test]
    fn resolving_twice_gives_the_same(code in "[0-9A-Z]{1,14}", units in -50_i64..50) {
        let table = table(Rules::default());
        let read = sale(&code, &units.to_string());
        let once = resolve(read.clone(), &table, Kits::TakeApart);
        prop_assert_eq!(&once, &resolve(read, &table, Kits::TakeApart));
    }
}

fn table(rules: Rules) -> ArticleTable {
    let rows = [
        article("APPLE-JUICE", Some("4006381333931"), "1"),
        article("6236", None, "1"),
        article("RED", Some("96385074"), "1"),
        article("BLUE", Some("96385074"), "1"),
        article("BEER", None, "1"),
        article("BEER", Some("036000291452"), "6"),
        article("CAKE", Some("SLICE"), "1/12"),
        article("CAKE", Some("THIRD"), "1/3"),
        article("CHEESE", Some("00062"), "1"),
        Article { unit_price: Quantity::parse("3.99").ok(), ..article("HAM", Some("00077"), "1") },
        Article { non_stock: Some(RuleName::from("deposit")), ..article("DEPOSIT", None, "1") },
        kit("PARTY", &[("APPLE-JUICE", "2"), ("CUP", "4"), ("BEER", "1")]),
        kit("SNAKE", &[("SNAKE", "1")]),
    ];
    ArticleTable::new(rows.to_vec(), rules)
}

fn article(sku: &str, barcode: Option<&str>, pack: &str) -> Article {
    Article {
        sku: Sku::from(sku),
        barcode: barcode.map(str::to_owned),
        pack: Ratio::parse(pack).unwrap(),
        kit: Vec::new(),
        non_stock: None,
        unit_price: None,
    }
}

fn kit(sku: &str, components: &[(&str, &str)]) -> Article {
    let kit = components.iter().map(|(sku, each)| (Sku::from(*sku), Ratio::parse(each).unwrap())).collect();
    Article { kit, ..article(sku, None, "1") }
}

fn sale(code: &str, delta: &str) -> Transaction {
    Transaction {
        key: TransactionKey::from("1"),
        register: String::new(),
        sold_at: None,
        status: TransactionStatus::Completed,
        online_order: None,
        extent: Extent::Whole,
        segment: Segment::from("test"),
        lines: vec![LineItem {
            sku: Sku::from(code),
            delta: Quantity::parse(delta).unwrap(),
            kind: LineKind::Sale,
            ignored: None,
        }],
    }
}

fn lines(resolved: &Resolved) -> Vec<(String, String)> {
    match resolved {
        Resolved::Transaction(read) => {
            read.lines.iter().map(|line| (line.sku.to_string(), line.delta.to_string())).collect()
        }
        Resolved::Refused(reason) => panic!("refused: {reason}"),
    }
}

fn check(table: &ArticleTable, code: &str, delta: &str, expected: Result<&[(&str, &str)], &str>) {
    match (resolve(sale(code, delta), table, Kits::TakeApart), expected) {
        (Resolved::Refused(reason), Err(words)) => assert!(reason.contains(words), "{code}: {reason}"),
        (resolved, Ok(expected)) => {
            let expected: Vec<(String, String)> =
                expected.iter().map(|(sku, delta)| ((*sku).to_owned(), (*delta).to_owned())).collect();
            assert_eq!(lines(&resolved), expected, "{code}");
        }
        (resolved, Err(words)) => panic!("{code}: {resolved:?} instead of {words}"),
    }
}

fn with_check(body: &str) -> String {
    let digits: Vec<u8> = body.bytes().map(|byte| byte.wrapping_sub(b'0')).collect();
    format!("{body}{}", crate::article::gtin::check_digit(&digits))
}
