//! Firebird's values as ours. Pure.
//!
//! The driver hands NUMERIC and DECIMAL over as binary fractions. Up to [`DIGITS_EXACT`] digits the shortest decimal
//! that reads back to such a fraction is the stored number itself; where more digits are seen the query is asked again
//! with that column as text (see `session`), and [`settled`] chooses between the two. What may as well be a column of
//! binary fractions is [`Value::Float`]: up to six decimals that is the same number.

use rsfbclient::{Column, SqlType};

use crate::database::engine::Value;
use crate::database::engines::shared::significant_digits;

/// Decimal digits that a binary fraction of 64 bits keeps whatever the number (IEEE 754).
pub(super) const DIGITS_EXACT: usize = 15;

/// Whole numbers up to here are exact as binary fractions of 64 bits: 2^53.
const WHOLE_EXACT_MAX: u128 = 1 << 53;

/// One value. `CHAR` padding is taken off; the driver does not tell `CHAR` from `VARCHAR`, so spaces at the end of a
/// `VARCHAR` go as well.
pub(super) fn value(column: Column) -> Value {
    match column.value {
        SqlType::Null => Value::Null,
        SqlType::Integer(number) => Value::Integer(number),
        SqlType::Int128(number) => {
            i64::try_from(number).map_or_else(|_| Value::Decimal(number.to_string()), Value::Integer)
        }
        SqlType::Floating(number) => Value::from_f64(number),
        SqlType::Boolean(yes) => Value::Integer(i64::from(yes)),
        SqlType::Timestamp(time) => Value::Time(time.to_string()),
        SqlType::Binary(bytes) => Value::Bytes(bytes),
        SqlType::Text(text) => Value::Text(text.trim_end_matches(' ').to_owned()),
    }
}

/// Whether a number may have lost digits on its way through a binary fraction.
pub(super) fn is_wide(column: &Column) -> bool {
    matches!(column.value, SqlType::Floating(number)
        if significant_digits(&number.to_string()) > DIGITS_EXACT)
}

/// The number itself, from a binary fraction and what the server writes for the same column as text.
///
/// A column of decimals is written in full and is right; a column of binary fractions is written with 16 digits, and
/// its shortest form is nearer.
pub(super) fn settled(number: f64, text: &str) -> Value {
    let text = text.trim();
    let plain = text.chars().all(|c| c.is_ascii_digit() || c == '.' || c == '-');
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    let beyond = digits.parse::<u128>().is_ok_and(|whole| whole > WHOLE_EXACT_MAX) || digits.len() > 38;
    let equal = text.parse::<f64>().is_ok_and(|read| read.to_bits() == number.to_bits());
    if plain && beyond {
        Value::Decimal(text.to_owned())
    } else if plain && equal {
        Value::Float(text.to_owned())
    } else {
        Value::from_f64(number)
    }
}

/// A parameter. Times are given as text with the four decimals that Firebird reads.
pub(super) fn parameter(value: &Value) -> SqlType {
    match value {
        Value::Null => SqlType::Null,
        Value::Integer(number) => SqlType::Integer(*number),
        Value::Decimal(text) | Value::Float(text) | Value::Text(text) => SqlType::Text(text.clone()),
        Value::Time(text) => SqlType::Text(four_decimals(text)),
        Value::Bytes(bytes) => SqlType::Binary(bytes.clone()),
    }
}

/// `2026-01-02 03:04:05.123456` to `2026-01-02 03:04:05.1234`, and without the zone, which Firebird 3 does not read.
fn four_decimals(time: &str) -> String {
    let time = time.replacen('T', " ", 1);
    let (seconds, fraction) = time.split_once('.').unwrap_or((&time, ""));
    let seconds = seconds.trim_end_matches('Z');
    let fraction: String = fraction.chars().take_while(char::is_ascii_digit).take(4).collect();
    if fraction.is_empty() { seconds.to_owned() } else { format!("{seconds}.{fraction}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn floating(number: f64) -> Column {
        Column::new("A", 0, SqlType::Floating(number))
    }

    #[test]
    fn the_padding_of_a_char_column_is_taken_off() {
        let column = Column::new("A", 0, SqlType::Text("AB  ".to_owned()));
        assert_eq!(value(column), Value::Text("AB".to_owned()));
    }

    #[test]
    fn up_to_fifteen_digits_a_fraction_is_the_stored_decimal() {
        assert_eq!(value(floating(-1.25)), Value::Float("-1.25".to_owned()));
        assert!(!is_wide(&floating(1234567890.12345)));
        assert!(is_wide(&floating(90071992547409.93)));
    }

    #[test]
    fn more_digits_are_taken_from_the_servers_text() {
        assert_eq!(settled(90071992547409.92, "90071992547409.93"), Value::Decimal("90071992547409.93".to_owned()));
        assert_eq!(settled(0.1 + 0.2, "0.3000000000000000"), Value::Float("0.30000000000000004".to_owned()));
        assert_eq!(settled(1.0 / 3.0, "0.3333333333333333"), Value::Float("0.3333333333333333".to_owned()));
        assert_eq!(
            settled(3.333333333333333e-8, "3.333333333333333e-08"),
            Value::Float("0.00000003333333333333333".to_owned())
        );
    }

    #[test]
    fn a_time_is_given_with_the_decimals_that_firebird_reads() {
        assert_eq!(four_decimals("2026-01-02 03:04:05.123456"), "2026-01-02 03:04:05.1234");
        assert_eq!(four_decimals("2026-01-02T03:04:05Z"), "2026-01-02 03:04:05");
    }
}
