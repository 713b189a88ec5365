//! Exact decimal quantities of goods.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

const MICROS_PER_UNIT: i64 = 1_000_000;
const DECIMALS: usize = 6;

/// A quantity in millionths of a unit, exact. Range about ±9.2 × 10¹² units.
///
/// Six decimals hold every weight that a retail scale or a GS1 AI 310n field can express.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Quantity(i64);

/// Why a text is not a quantity.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum QuantityError {
    /// Not digits with at most one decimal point and a leading sign.
    #[error("`{0}` is not a decimal number")]
    NotDecimal(String),
    /// A non-zero digit beyond the sixth decimal.
    #[error("`{0}` has more than six decimals")]
    TooFine(String),
    /// Outside of the range of the type.
    #[error("`{0}` is too large for a quantity")]
    TooLarge(String),
}

impl Quantity {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// A whole number of units; `None` outside of the range.
    #[must_use]
    pub fn from_units(units: i64) -> Option<Self> {
        units.checked_mul(MICROS_PER_UNIT).map(Self)
    }

    /// From millionths of a unit.
    #[must_use]
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// In millionths of a unit.
    #[must_use]
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Sum; `None` outside of the range.
    #[must_use]
    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }

    /// Difference; `None` outside of the range.
    #[must_use]
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        self.0.checked_sub(other.0).map(Self)
    }

    /// Sum, held at the ends of the range.
    #[must_use]
    pub fn saturating_add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// Difference, held at the ends of the range.
    #[must_use]
    pub fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// The same amount with the other sign.
    #[must_use]
    pub fn negated(self) -> Self {
        Self(self.0.saturating_neg())
    }

    /// The amount without its sign.
    #[must_use]
    pub fn magnitude(self) -> Self {
        Self(self.0.saturating_abs())
    }

    /// Below zero.
    #[must_use]
    pub const fn is_negative(self) -> bool {
        self.0 < 0
    }

    /// Exactly zero.
    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// The greatest whole number of units that is not above this quantity.
    #[must_use]
    pub fn floor_units(self) -> i64 {
        self.0.div_euclid(MICROS_PER_UNIT)
    }

    /// Reads `-12`, `1.5`, `+0.250`, `.5`. No exponent, no thousands separator, no spaces.
    ///
    /// # Errors
    /// [`QuantityError`] if the text is anything else or does not fit exactly.
    pub fn parse(text: &str) -> Result<Self, QuantityError> {
        Self::from_ascii(text.as_bytes()).map_err(|kind| kind(text.to_owned()))
    }

    fn from_ascii(bytes: &[u8]) -> Result<Self, fn(String) -> QuantityError> {
        let (negative, digits) = match bytes {
            [b'-', rest @ ..] => (true, rest),
            [b'+', rest @ ..] => (false, rest),
            rest => (false, rest),
        };
        let too_large: fn(String) -> QuantityError = QuantityError::TooLarge;
        let mut value: i64 = 0;
        let mut decimals: Option<usize> = None;
        let mut seen = false;
        for &byte in digits {
            match byte {
                b'0'..=b'9' => {
                    seen = true;
                    if decimals.is_some_and(|n| n >= DECIMALS) {
                        if byte != b'0' {
                            return Err(QuantityError::TooFine);
                        }
                        continue;
                    }
                    decimals = decimals.map(|n| n.saturating_add(1));
                    value = value
                        .checked_mul(10)
                        .and_then(|v| v.checked_sub(i64::from(byte.wrapping_sub(b'0'))))
                        .ok_or(too_large)?;
                }
                b'.' if decimals.is_none() => decimals = Some(0),
                _ => return Err(QuantityError::NotDecimal),
            }
        }
        if !seen {
            return Err(QuantityError::NotDecimal);
        }
        for _ in decimals.unwrap_or(0)..DECIMALS {
            value = value.checked_mul(10).ok_or(too_large)?;
        }
        // Digits were gathered below zero, where the range is one larger.
        if negative { Ok(Self(value)) } else { value.checked_neg().map(Self).ok_or(too_large) }
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const PER_UNIT: u64 = MICROS_PER_UNIT.unsigned_abs();
        let micros = self.0.unsigned_abs();
        let (units, fraction) = (micros / PER_UNIT, micros % PER_UNIT);
        let sign = if self.0 < 0 { "-" } else { "" };
        if fraction == 0 {
            return write!(f, "{sign}{units}");
        }
        let digits = format!("{fraction:06}");
        write!(f, "{sign}{units}.{}", digits.trim_end_matches('0'))
    }
}

impl FromStr for Quantity {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Self, QuantityError> {
        Self::parse(text)
    }
}

impl Serialize for Quantity {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Quantity {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn decimals_are_read_exactly() {
        check("1", Ok(1_000_000));
        check("-2", Ok(-2_000_000));
        check("+0.250", Ok(250_000));
        check(".5", Ok(500_000));
        check("5.", Ok(5_000_000));
        check("0.0000010", Ok(1));
        check("-9223372036854.775808", Ok(i64::MIN));
    }

    #[test]
    fn anything_else_is_refused() {
        for text in ["", "-", ".", "1e3", "1,5", " 1", "1.2.3", "--1"] {
            check(text, Err(QuantityError::NotDecimal(text.to_owned())));
        }
        check("0.0000001", Err(QuantityError::TooFine("0.0000001".to_owned())));
        check("9223372036854.775808", Err(QuantityError::TooLarge("9223372036854.775808".to_owned())));
    }

    #[test]
    fn whole_units_are_the_floor() {
        assert_eq!(Quantity::from_micros(-300_000).floor_units(), -1);
        assert_eq!(Quantity::from_micros(1_999_999).floor_units(), 1);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(micros in any::<i64>()) {
            let quantity = Quantity::from_micros(micros);
            prop_assert_eq!(Quantity::parse(&quantity.to_string()), Ok(quantity));
        }
    }

    fn check(text: &str, expected: Result<i64, QuantityError>) {
        assert_eq!(Quantity::parse(text).map(Quantity::micros), expected, "{text}");
    }
}
