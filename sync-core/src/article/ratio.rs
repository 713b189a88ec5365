//! Exact fractions for units and packs.

use std::fmt;

use crate::model::Quantity;

/// A positive fraction: stock units for one unit sold (6 for a six-pack, 1/12 for one of a case that is stocked).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ratio {
    numerator: i64,
    denominator: i64,
}

/// Largest numerator and denominator: a pallet of single sweets, or a gram of a tonne.
pub const RATIO_TERM_MAX: i64 = 1_000_000_000;

impl Ratio {
    /// One for one.
    pub const ONE: Self = Self { numerator: 1, denominator: 1 };

    /// `None` unless both terms are from 1 to [`RATIO_TERM_MAX`].
    #[must_use]
    pub fn new(numerator: i64, denominator: i64) -> Option<Self> {
        let allowed = 1..=RATIO_TERM_MAX;
        (allowed.contains(&numerator) && allowed.contains(&denominator)).then_some(())?;
        let divisor = common_divisor(numerator, denominator);
        Some(Self { numerator: numerator.checked_div(divisor)?, denominator: denominator.checked_div(divisor)? })
    }

    /// Reads `6`, `1/12`, `0.75`, `2.5/3`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (above, below) = text.trim().split_once('/').unwrap_or((text.trim(), "1"));
        let above = Quantity::parse(above.trim()).ok()?.micros();
        let below = Quantity::parse(below.trim()).ok()?.micros();
        (above > 0 && below > 0).then_some(())?;
        let divisor = common_divisor(above, below);
        Self::new(above.checked_div(divisor)?, below.checked_div(divisor)?)
    }

    /// The quantity times this fraction; `None` if it cannot be written in millionths exactly, or does not fit.
    #[must_use]
    pub fn of(self, quantity: Quantity) -> Option<Quantity> {
        let product = i128::from(quantity.micros()).checked_mul(i128::from(self.numerator))?;
        let below = i128::from(self.denominator);
        (product.checked_rem(below)? == 0).then_some(())?;
        i64::try_from(product.checked_div(below)?).ok().map(Quantity::from_micros)
    }

    /// This fraction of that one; `None` if a term leaves the range.
    #[must_use]
    pub fn times(self, other: Self) -> Option<Self> {
        let (a, b) =
            (common_divisor(self.numerator, other.denominator), common_divisor(other.numerator, self.denominator));
        Self::new(
            self.numerator.checked_div(a)?.checked_mul(other.numerator.checked_div(b)?)?,
            self.denominator.checked_div(b)?.checked_mul(other.denominator.checked_div(a)?)?,
        )
    }
}

impl fmt::Display for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.denominator {
            1 => write!(f, "{}", self.numerator),
            below => write!(f, "{}/{below}", self.numerator),
        }
    }
}

/// At least 1.
fn common_divisor(mut a: i64, mut b: i64) -> i64 {
    while b != 0 {
        (a, b) = (b, a.checked_rem(b).unwrap_or_default());
    }
    a.max(1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn fractions_are_read_and_written() {
        check("6", Some("6"));
        check("2/12", Some("1/6"));
        check("0.75", Some("3/4"));
        check(" 1 / 3 ", Some("1/3"));
        check("2.5/3", Some("5/6"));
        for wrong in ["0", "-1", "1/0", "a", "", "1/2/3", "10000000000"] {
            check(wrong, None);
        }
    }

    #[test]
    fn what_is_not_exact_is_refused() {
        let third = Ratio::parse("1/3").expect("a fraction");
        assert_eq!(third.of(Quantity::from_micros(3_000_000)), Some(Quantity::from_micros(1_000_000)));
        assert_eq!(third.of(Quantity::from_micros(1_000_000)), None);
        assert_eq!(Ratio::parse("1000").and_then(|r| r.of(Quantity::from_micros(i64::MAX))), None);
    }

    proptest! {
        #[test]
        fn packs_and_their_pieces_cancel(pieces in 1_i64..10_000, units in -1_000_000_i64..1_000_000) {
            let units = Quantity::from_units(units).expect("in range");
            let pack = Ratio::new(pieces, 1).expect("in range");
            let piece = Ratio::new(1, pieces).expect("in range");
            prop_assert_eq!(pack.of(units).and_then(|all| piece.of(all)), Some(units));
            prop_assert_eq!(pack.times(piece), Some(Ratio::ONE));
        }
    }

    fn check(text: &str, expected: Option<&str>) {
        assert_eq!(Ratio::parse(text).map(|ratio| ratio.to_string()), expected.map(str::to_owned), "{text}");
    }
}
