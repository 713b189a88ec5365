//! Codes that a store or its scale makes: an article and a weight or a price in one number (GS1 prefixes 02, 20 to 29).
//!
//! The layout is national or the store's own, so it is written as a pattern: one letter for each digit of the code.
//!
//! | letter | digit |
//! |---|---|
//! | `0` to `9` | must be this digit |
//! | `I` | of the article |
//! | `W` | of the weight, in thousandths (grams) |
//! | `P` | of the price, in hundredths |
//! | `V` | price verifier, not looked at |
//! | `N` | of a count |
//! | `C` | check digit, which must be right |
//!
//! Sources: GS1 General Specifications, section 2.1; GS1 UK for `20|28 XXX RR V PPPP C`; UPC-A number system 2 for the
//! United States: `2 IIIII V PPPP C`.

use super::gs1::implied;
use super::gtin::Gtin;
use crate::model::Quantity;

/// Most layouts of one store.
pub const LAYOUTS_MAX: usize = 32;

/// One layout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout(Vec<u8>);

/// What a code of a layout holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    /// The digits of the article, with those that the layout fixes: `21` and the item for `21IIIIIWWWWWC`. All digits of
    /// weight and price are zero, the check digit is zero: as tills print a code with its price taken out.
    pub zeroed: String,
    /// The digits of the article alone, zeros kept.
    pub item: String,
    /// In kilograms, if the code holds a weight that is not zero.
    pub weight: Option<Quantity>,
    /// In the store's currency, if the code holds a price that is not zero.
    pub price: Option<Quantity>,
    /// If the code holds a count that is not zero.
    pub count: Option<Quantity>,
}

/// Layouts of a country, by its two letters.
#[must_use]
pub fn of_country(country: &str) -> Option<Vec<Layout>> {
    let patterns: &[&str] = match country {
        "us" | "ca" => &["2IIIIIVPPPPC", "02IIIIIVPPPPC"],
        "gb" => &["20IIIIIVPPPPC", "28IIIIIVPPPPC", "02IIIIIVPPPPC"],
        _ => return None,
    };
    patterns.iter().map(|pattern| Layout::parse(pattern)).collect()
}

impl Layout {
    /// `None` if it is not 8, 12 or 13 letters of the table above with an article and a check digit at the end.
    #[must_use]
    pub fn parse(pattern: &str) -> Option<Self> {
        let letters = pattern.as_bytes();
        let known = letters.iter().all(|letter| letter.is_ascii_digit() || b"IWPVNC".contains(letter));
        let ends = letters.last() == Some(&b'C') && letters.iter().filter(|letter| **letter == b'C').count() == 1;
        let fits = matches!(letters.len(), 8 | 12 | 13)
            && letters.contains(&b'I')
            && letters.first().is_some_and(u8::is_ascii_digit);
        (known && ends && fits).then(|| Self(letters.to_vec()))
    }

    /// Reads a code; `None` if it does not fit.
    #[must_use]
    pub fn read(&self, code: &str) -> Option<Content> {
        // Tills pad a UPC-A to 13 and an EAN-13 to 14.
        let surplus = code.len().checked_sub(self.0.len())?;
        let (padding, code) = code.split_at_checked(surplus)?;
        (padding.bytes().all(|byte| byte == b'0') && surplus <= 2).then_some(())?;
        let (mut item, mut zeroed) = (String::new(), String::new());
        let (mut weight, mut price, mut count) = (String::new(), String::new(), String::new());
        for (letter, digit) in self.0.iter().zip(code.chars()) {
            digit.is_ascii_digit().then_some(())?;
            match letter {
                b'I' => item.push(digit),
                b'W' => weight.push(digit),
                b'P' => price.push(digit),
                b'N' => count.push(digit),
                b'V' | b'C' => {}
                fixed => (u32::from(*fixed) == u32::from(digit)).then_some(())?,
            }
            zeroed.push(if matches!(letter, b'I' | b'0'..=b'9') { digit } else { '0' });
        }
        let values = format!("{weight}{price}{count}");
        let is_zeroed = values.bytes().all(|byte| byte == b'0');
        // A code whose value was zeroed keeps its old check digit at some tills.
        (is_zeroed || Gtin::parse(code).is_some()).then_some(())?;
        let filled = |digits: &str, decimals| implied(digits, decimals).filter(|value| !value.is_zero());
        Some(Content { zeroed, item, weight: filled(&weight, 3), price: filled(&price, 2), count: filled(&count, 0) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_weight_code_gives_article_and_kilograms() {
        let content = layout("21IIIIIWWWWWC").read(&with_check("211234501250")).expect("fits");
        assert_eq!(content.item, "12345");
        assert_eq!(content.weight, Some(Quantity::from_micros(1_250_000)));
        assert_eq!(content.zeroed, "2112345000000");
    }

    #[test]
    fn a_price_code_of_the_united_states_may_be_padded() {
        let layouts = of_country("us").expect("known");
        let code = with_check("21234500499");
        for code in [code.clone(), format!("0{code}"), format!("00{code}")] {
            let content = layouts.iter().find_map(|layout| layout.read(&code)).unwrap_or_else(|| panic!("{code}"));
            assert_eq!(
                (content.item.as_str(), content.price),
                ("12345", Some(Quantity::from_micros(4_990_000))),
                "{code}"
            );
        }
    }

    #[test]
    fn a_code_with_its_price_taken_out_is_still_its_article() {
        let content = layout("2IIIIIVPPPPC").read("00212345000000").expect("fits");
        assert_eq!((content.item.as_str(), content.price), ("12345", None));
    }

    #[test]
    fn other_codes_do_not_fit() {
        let layout = layout("21IIIIIWWWWWC");
        for code in ["4006381333931", "2112345012501", "", "21x2345012500", "99921123450125"] {
            assert_eq!(layout.read(code), None, "{code}");
        }
        for pattern in ["21IIIIIWWWWW", "IIIIIIIIIIIIC", "21IIIIIXWWWWC", "2100000WWWWWC", "21C"] {
            assert_eq!(Layout::parse(pattern), None, "{pattern}");
        }
    }

    fn layout(pattern: &str) -> Layout {
        Layout::parse(pattern).expect("a layout")
    }

    fn with_check(body: &str) -> String {
        let digits: Vec<u8> = body.bytes().map(|byte| byte.wrapping_sub(b'0')).collect();
        format!("{body}{}", super::super::gtin::check_digit(&digits))
    }
}
