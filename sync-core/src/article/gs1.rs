//! GS1 element strings: what a DataBar, a GS1-128, a DataMatrix or a scanner that passes them on holds.
//!
//! Rules: GS1 General Specifications, section 3 (application identifiers) and 7.8 (processing). A field of variable
//! length ends at FNC1, which scanners send as the group separator `0x1D`. Identifiers of fixed length need none.

use super::gtin::Gtin;
use crate::model::Quantity;

/// FNC1 as scanners send it.
const SEPARATOR: char = '\u{1d}';
/// Longest element string that is looked at (a symbol holds 48 to 3,116 characters; labels of goods stay far below).
const LENGTH_MAX: usize = 512;

/// What matters of an element string.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Elements {
    /// (01) or (02): the article.
    pub gtin: Option<Gtin>,
    /// (310n) in kilograms, (320n) in pounds: the net weight, in the unit of the label.
    pub weight: Option<Quantity>,
    /// (30) or (37): how many.
    pub count: Option<i64>,
    /// (392n) or (393n): the price of the piece.
    pub price: Option<Quantity>,
}

/// How long the field of an identifier is.
enum Field {
    Fixed(usize),
    /// Up to this many characters.
    Upto(usize),
}

/// Reads an element string: as a scanner sends it (with or without its symbology identifier `]C1`, `]d2`, `]e0`, `]Q3`)
/// or as people write it, with identifiers in brackets. `None` if it is none, or names no article.
#[must_use]
pub fn parse(text: &str) -> Option<Elements> {
    if text.len() > LENGTH_MAX {
        return None;
    }
    let bare = ["]C1", "]d2", "]e0", "]Q3", "]J1"].into_iter().find_map(|mark| text.strip_prefix(mark));
    let marked = bare.is_some();
    let rest = bare.unwrap_or(text).trim_start_matches(SEPARATOR);
    if rest.starts_with('(') {
        return bracketed(rest).filter(|found| found.gtin.is_some());
    }
    // Without a mark, any long run of digits could be read as one: it must hold more than a plain code does.
    let holds_more = rest.starts_with("01") && rest.len() > 16;
    if !(marked || holds_more) {
        return None;
    }
    plain(rest).filter(|found| found.gtin.is_some())
}

fn bracketed(text: &str) -> Option<Elements> {
    let mut found = Elements::default();
    for part in text.split('(').skip(1) {
        let (identifier, value) = part.split_once(')')?;
        take(&mut found, identifier, value.trim_end_matches(SEPARATOR))?;
    }
    Some(found)
}

fn plain(mut rest: &str) -> Option<Elements> {
    let mut found = Elements::default();
    while !rest.is_empty() {
        let (length, field) = field_of(rest)?;
        let (identifier, after) = rest.split_at_checked(length)?;
        let end = match field {
            Field::Fixed(length) => length,
            Field::Upto(most) => {
                let end = after.find(SEPARATOR).unwrap_or(after.len());
                (end <= most && end > 0).then_some(end)?
            }
        };
        let (value, after) = after.split_at_checked(end)?;
        take(&mut found, identifier, value)?;
        rest = after.strip_prefix(SEPARATOR).unwrap_or(after);
    }
    Some(found)
}

/// Length of the identifier that the text begins with, and what follows it.
fn field_of(text: &str) -> Option<(usize, Field)> {
    let two = text.get(..2)?;
    Some(match two {
        "00" => (2, Field::Fixed(18)),
        "01" | "02" | "03" => (2, Field::Fixed(14)),
        "11" | "12" | "13" | "15" | "16" | "17" => (2, Field::Fixed(6)),
        "20" => (2, Field::Fixed(2)),
        "10" | "21" => (2, Field::Upto(20)),
        "22" => (2, Field::Upto(20)),
        "30" | "37" => (2, Field::Upto(8)),
        "31" | "32" | "33" | "34" | "35" | "36" => (4, Field::Fixed(6)),
        "39" => match text.get(..3)? {
            "390" | "392" => (4, Field::Upto(15)),
            "391" | "393" => (4, Field::Upto(18)),
            "394" => (4, Field::Fixed(4)),
            "395" => (4, Field::Fixed(6)),
            _ => return None,
        },
        "41" => (3, Field::Fixed(13)),
        "23" | "24" | "25" | "40" | "42" | "71" => (3, Field::Upto(30)),
        "43" | "70" | "80" | "81" | "82" => (4, Field::Upto(90)),
        "90" | "91" | "92" | "93" | "94" | "95" | "96" | "97" | "98" | "99" => (2, Field::Upto(90)),
        _ => return None,
    })
}

fn take(found: &mut Elements, identifier: &str, value: &str) -> Option<()> {
    let decimals = || identifier.chars().nth(3).and_then(|digit| digit.to_digit(10));
    match identifier {
        "01" | "02" => found.gtin = Some(Gtin::parse(value)?),
        "30" | "37" => found.count = Some(value.parse().ok().filter(|count| *count >= 0)?),
        _ if identifier.starts_with("310") || identifier.starts_with("320") => {
            found.weight = Some(implied(value, decimals()?)?);
        }
        _ if identifier.starts_with("392") => found.price = Some(implied(value, decimals()?)?),
        // Three digits of currency stand before the amount.
        _ if identifier.starts_with("393") => found.price = Some(implied(value.get(3..)?, decimals()?)?),
        _ => {}
    }
    Some(())
}

/// A whole number whose last `decimals` digits are decimals.
pub(super) fn implied(digits: &str, decimals: u32) -> Option<Quantity> {
    (!digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())).then_some(())?;
    let value: i64 = digits.parse().ok()?;
    let scale = 10_i64.checked_pow(6_u32.checked_sub(decimals)?)?;
    value.checked_mul(scale).map(Quantity::from_micros)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn weight_and_article_are_found_however_it_is_written() {
        for text in [
            "0104006381333931310300125017261231",
            "]e00104006381333931310300125017261231",
            "(01)04006381333931(3103)001250(17)261231",
            "]C1\u{1d}0104006381333931310300125010LOT7\u{1d}17261231",
        ] {
            let found = parse(text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!(found.gtin.map(|gtin| gtin.to_string()).as_deref(), Some("04006381333931"), "{text}");
            assert_eq!(found.weight, Some(Quantity::from_micros(1_250_000)), "{text}");
        }
    }

    #[test]
    fn price_and_count_are_found() {
        let found = parse("(01)04006381333931(3922)00499(30)3").expect("an element string");
        assert_eq!((found.price, found.count), (Some(Quantity::from_micros(4_990_000)), Some(3)));
        let found = parse("(01)04006381333931(3932)97800499").expect("an element string");
        assert_eq!(found.price, Some(Quantity::from_micros(4_990_000)));
    }

    #[test]
    fn plain_codes_are_none() {
        for text in
            ["4006381333931", "04006381333931", "0104006381333931", "", "(01)1", "]C1", "0104006381333932310300125"]
        {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_a_fault(text in "[]C10-9()\u{1d}a]{0,60}") {
            prop_assert!(parse(&text).is_none_or(|found| found.gtin.is_some()));
        }
    }
}
