//! What engines have in common: time limits, the bound of a value, numbers as text.

use std::time::Duration;

use crate::database::engine::{CONNECT_TIMEOUT, LOCK_TIMEOUT, STATEMENT_TIMEOUT, VALUE_BYTES_MAX, Value};
use crate::error::Cause;

/// Time limits of one look at a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeLimits {
    /// Until the server answers a connection.
    pub connect: Duration,
    /// Until a query has given all its rows; it is stopped at the server after that.
    pub statement: Duration,
    /// How long a query may wait for a lock of the POS; whole seconds where the database counts in seconds.
    pub lock: Duration,
}

impl Default for TimeLimits {
    fn default() -> Self {
        Self { connect: CONNECT_TIMEOUT, statement: STATEMENT_TIMEOUT, lock: LOCK_TIMEOUT }
    }
}

/// Refuses values that are longer than [`VALUE_BYTES_MAX`].
///
/// # Errors
/// Names the column.
pub fn bounded_rows(rows: Vec<Vec<Value>>, columns: &[String]) -> Result<Vec<Vec<Value>>, Cause> {
    for row in &rows {
        if let Some(at) = row.iter().position(|value| value.bytes() > VALUE_BYTES_MAX) {
            return Err(too_long(columns.get(at).map_or("", String::as_str)));
        }
    }
    Ok(rows)
}

/// A value of this column is longer than [`VALUE_BYTES_MAX`].
#[must_use]
pub fn too_long(column: &str) -> Cause {
    Cause::from(format!(
        "column `{column}` has a value of more than {} KiB: leave it out of the query or cast it to a short text",
        VALUE_BYTES_MAX / 1024
    ))
}

/// The parameters in the order of the marks that stand for them.
///
/// # Errors
/// Names the parameter that is not given.
pub fn arranged<'a, T>(order: &[usize], parameters: &'a [T]) -> Result<Vec<&'a T>, Cause> {
    let place = |index: &usize| {
        parameters.get(*index).ok_or_else(|| {
            let number = index.saturating_add(1);
            Cause::from(format!("the query uses ${number}, and only {} values are given", parameters.len()))
        })
    };
    order.iter().map(place).collect()
}

/// `unscaled` × 10^-`scale` as plain text: `(-1250, 3)` is `-1.250`.
#[must_use]
pub fn scaled(unscaled: i128, scale: u8) -> String {
    let sign = if unscaled < 0 { "-" } else { "" };
    let mut digits = unscaled.unsigned_abs().to_string();
    let scale = usize::from(scale);
    if scale == 0 {
        return format!("{sign}{digits}");
    }
    if digits.len() <= scale {
        digits.insert_str(0, &"0".repeat(scale.saturating_add(1).saturating_sub(digits.len())));
    }
    let whole = digits.len().saturating_sub(scale);
    let (whole, fraction) = digits.split_at(whole);
    format!("{sign}{whole}.{fraction}")
}

/// How many digits of a plain decimal count: without sign, point, leading zeros and zeros after the last digit.
#[must_use]
pub fn significant_digits(decimal: &str) -> usize {
    let digits: String = decimal.chars().filter(char::is_ascii_digit).collect();
    digits.trim_matches('0').len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scaled_integer_keeps_its_sign_and_its_zeros() {
        let check = |unscaled, scale, expected: &str| assert_eq!(scaled(unscaled, scale), expected);
        check(-1250, 3, "-1.250");
        check(5, 4, "0.0005");
        check(-5, 1, "-0.5");
        check(0, 2, "0.00");
        check(7, 0, "7");
        check(i128::MIN, 2, "-1701411834604692317316873037158841057.28");
    }

    #[test]
    fn a_parameter_that_is_not_given_is_named() {
        assert_eq!(arranged(&[1, 0, 1], &["a", "b"]).unwrap(), [&"b", &"a", &"b"]);
        assert!(arranged(&[2], &["a", "b"]).unwrap_err().to_string().contains("$3"));
    }

    #[test]
    fn digits_that_count_are_counted() {
        assert_eq!(significant_digits("0.0012500"), 3);
        assert_eq!(significant_digits("-90071992547409.93"), 16);
        assert_eq!(significant_digits("1000"), 1);
        assert_eq!(significant_digits("0"), 0);
    }
}
