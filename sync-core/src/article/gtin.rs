//! GTIN-8, -12, -13 and -14, UPC-E, and their check digits.
//!
//! Rules: GS1 General Specifications, sections 3.3 and 7.9 (check digit: weights 3 and 1 from the right); UPC-E by the
//! last digit of its six. A GTIN keeps the form in which it was written; forms are compared by their fourteen digits.

use std::fmt;

/// A GTIN whose check digit is right, as its fourteen digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Gtin([u8; 14]);

impl Gtin {
    /// Reads 8, 12, 13 or 14 digits with a right check digit.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        matches!(text.len(), 8 | 12 | 13 | 14).then_some(())?;
        let digits = digits(text)?;
        let (check, body) = digits.split_last()?;
        (check_digit(body) == *check).then_some(())?;
        let mut padded = [0; 14];
        let start = padded.len().checked_sub(digits.len())?;
        padded.get_mut(start..)?.copy_from_slice(&digits);
        Some(Self(padded))
    }

    /// Adds the check digit that many tills leave out (11 digits of a UPC-A, 12 of an EAN-13).
    #[must_use]
    pub fn without_check_digit(text: &str) -> Option<Self> {
        matches!(text.len(), 11..=13).then_some(())?;
        let digits = digits(text)?;
        Self::parse(&format!("{text}{}", check_digit(&digits)))
    }

    /// Expands a UPC-E of six digits, of seven with its number system, or of eight with its check digit too.
    #[must_use]
    pub fn from_upc_e(text: &str) -> Option<Self> {
        let digits = digits(text)?;
        let (system, six, check) = match digits.as_slice() {
            six @ [_, _, _, _, _, _] => (0, six, None),
            [system @ 0..=1, six @ ..] if six.len() == 6 => (*system, six, None),
            [system @ 0..=1, six @ .., check] if six.len() == 6 => (*system, six, Some(*check)),
            _ => return None,
        };
        let [a, b, c, d, e, last] = six else { return None };
        let mut body = vec![system];
        match *last {
            0..=2 => body.extend([*a, *b, *last, 0, 0, 0, 0, *c, *d, *e]),
            3 => body.extend([*a, *b, *c, 0, 0, 0, 0, 0, *d, *e]),
            4 => body.extend([*a, *b, *c, *d, 0, 0, 0, 0, 0, *e]),
            _ => body.extend([*a, *b, *c, *d, *e, 0, 0, 0, 0, *last]),
        }
        let right = check_digit(&body);
        if check.is_some_and(|check| check != right) {
            return None;
        }
        let text: String = body.iter().chain([&right]).map(|digit| char::from(b'0'.wrapping_add(*digit))).collect();
        Self::parse(&text)
    }

    /// Its digits without zeros in front and without the check digit: what a padded PLU was before.
    #[must_use]
    pub fn unpadded(self) -> String {
        let text = self.to_string();
        let body = text.get(..13).unwrap_or_default();
        body.trim_start_matches('0').to_owned()
    }

    /// Whether it is for use within one company or store: prefix 02 or 20 to 29, or UPC-A number system 2.
    /// (GS1 General Specifications, section 2.1: restricted circulation numbers.)
    #[must_use]
    pub const fn is_restricted(self) -> bool {
        // As an EAN-13 it begins at the second digit of fourteen.
        let [_, first, second, ..] = self.0;
        first == 2 || (first == 0 && second == 2)
    }
}

impl fmt::Display for Gtin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|digit| write!(f, "{digit}"))
    }
}

/// The digits of a text of nothing but digits.
#[must_use]
pub(super) fn digits(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> =
        text.bytes().map(|byte| byte.is_ascii_digit().then(|| byte.wrapping_sub(b'0'))).collect();
    digits.filter(|digits| !digits.is_empty())
}

/// The check digit of the digits before it.
#[must_use]
pub fn check_digit(body: &[u8]) -> u8 {
    let sum = body.iter().rev().enumerate().fold(0_u32, |sum, (at, digit)| {
        let weight = if at.is_multiple_of(2) { 3 } else { 1 };
        sum.saturating_add(u32::from(*digit).saturating_mul(weight))
    });
    u8::try_from(10_u32.saturating_sub(sum % 10) % 10).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn all_lengths_are_one_number() {
        check("4006381333931", Some("04006381333931"));
        check("04006381333931", Some("04006381333931"));
        check("036000291452", Some("00036000291452"));
        check("96385074", Some("00000096385074"));
        check("4006381333932", None);
        check("400638133393", None);
        check("", None);
        check("40063813339x1", None);
    }

    #[test]
    fn a_padded_plu_is_found_again() {
        let padded = Gtin::parse("00000000062367").expect("its check digit is right");
        assert_eq!(padded.unpadded(), "6236");
    }

    #[test]
    fn upc_e_is_expanded_by_its_last_digit() {
        for (short, long) in [
            ("01234505", "012000003455"),
            ("04252614", "042100005264"),
            ("123453", "012300000451"),
            ("123454", "012340000053"),
            ("0123457", "012345000072"),
        ] {
            assert_eq!(Gtin::from_upc_e(short), Gtin::parse(long), "{short}");
            assert!(Gtin::parse(long).is_some(), "{long}");
        }
        assert_eq!(Gtin::from_upc_e("04252615"), None, "a wrong check digit");
    }

    #[test]
    fn restricted_numbers_are_known() {
        assert!(Gtin::parse("2012345678903").is_some_and(Gtin::is_restricted));
        assert!(Gtin::parse("212345678909").is_some_and(Gtin::is_restricted));
        assert!(!Gtin::parse("4006381333931").is_some_and(Gtin::is_restricted));
    }

    proptest! {
        #[test]
        fn a_wrong_digit_never_passes(body in proptest::collection::vec(0_u8..10, 12), at in 0_usize..12, add in 1_u8..10) {
            let right = check_digit(&body);
            let mut wrong = body.clone();
            wrong[at] = wrong[at].wrapping_add(add) % 10;
            prop_assert_ne!(right, check_digit(&wrong));
        }

        #[test]
        fn any_text_is_read_without_a_fault(text in ".{0,20}") {
            let read = [Gtin::parse(&text), Gtin::without_check_digit(&text), Gtin::from_upc_e(&text)];
            prop_assert!(read.into_iter().flatten().all(|gtin| gtin.to_string().len() == 14));
        }
    }

    fn check(text: &str, expected: Option<&str>) {
        assert_eq!(Gtin::parse(text).map(|gtin| gtin.to_string()), expected.map(str::to_owned), "{text}");
    }
}
