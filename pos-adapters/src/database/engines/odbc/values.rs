//! ODBC's values as ours. Pure.

use odbc_api::buffers::{AnyColumnBufferSlice, NullableSlice};
use odbc_api::parameter::InputParameter;
use odbc_api::sys::{Date, Timestamp};
use odbc_api::{DataType, IntoParameter as _, Nullable};

use crate::database::engine::{VALUE_BYTES_MAX, Value};
use crate::error::Cause;

/// Longest decimal as text: 38 digits, sign, point, and what drivers pad.
pub(super) const DECIMAL_UNITS_MAX: usize = 64;

/// Length of text whose driver names none.
const UNKNOWN_UNITS_MAX: usize = 4096;

/// SQL data type codes of drivers that are not in the standard: PostgreSQL's and Db2's `DECFLOAT` (-360).
const DECFLOAT: i16 = -360;

/// How a column is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Integer,
    Float,
    Single,
    /// A number with decimals, as text.
    Decimal,
    /// `padded`: `CHAR`, whose spaces at the end are not part of it.
    Text {
        units_max: usize,
        padded: bool,
    },
    Bytes {
        bytes_max: usize,
    },
    Day,
    Time,
}

pub(super) fn kind(data_type: DataType) -> Kind {
    let text = |length: Option<std::num::NonZeroUsize>, padded| Kind::Text {
        // A character outside of the first plane takes two units.
        units_max: length.map_or(UNKNOWN_UNITS_MAX, |length| length.get().saturating_mul(2)).min(VALUE_BYTES_MAX),
        padded,
    };
    match data_type {
        DataType::TinyInt | DataType::SmallInt | DataType::Integer | DataType::BigInt | DataType::Bit => Kind::Integer,
        DataType::Real | DataType::Float { precision: 0..=24 } => Kind::Single,
        DataType::Double | DataType::Float { .. } => Kind::Float,
        DataType::Numeric { .. } | DataType::Decimal { .. } => Kind::Decimal,
        DataType::Other { data_type, .. } if data_type.0 == DECFLOAT => Kind::Decimal,
        DataType::Char { length } | DataType::WChar { length } => text(length, true),
        DataType::Varchar { length }
        | DataType::WVarchar { length }
        | DataType::LongVarchar { length }
        | DataType::WLongVarchar { length } => text(length, false),
        DataType::Binary { length } | DataType::Varbinary { length } | DataType::LongVarbinary { length } => {
            let bytes_max = length.map_or(UNKNOWN_UNITS_MAX, std::num::NonZeroUsize::get).min(VALUE_BYTES_MAX);
            Kind::Bytes { bytes_max }
        }
        DataType::Date => Kind::Day,
        DataType::Timestamp { .. } => Kind::Time,
        DataType::Time { .. } | DataType::Other { .. } | DataType::Unknown => text(None, false),
    }
}

/// One value of a fetched column.
pub(super) fn cell(kind: &Kind, column: AnyColumnBufferSlice<'_>, row: usize) -> Result<Value, Cause> {
    let odd = || Cause::from("the ODBC driver gives another type than it announced");
    Ok(match kind {
        Kind::Integer => {
            at(column.as_nullable_slice::<i64>().ok_or_else(odd)?, row).map_or(Value::Null, Value::Integer)
        }
        Kind::Float => at(column.as_nullable_slice::<f64>().ok_or_else(odd)?, row).map_or(Value::Null, Value::from_f64),
        Kind::Single => {
            at(column.as_nullable_slice::<f32>().ok_or_else(odd)?, row).map_or(Value::Null, Value::from_f32)
        }
        Kind::Day => at(column.as_nullable_slice::<Date>().ok_or_else(odd)?, row).map_or(Value::Null, day),
        Kind::Time => at(column.as_nullable_slice::<Timestamp>().ok_or_else(odd)?, row).map_or(Value::Null, time),
        Kind::Bytes { .. } => {
            let bytes = column.as_binary().ok_or_else(odd)?.get(row);
            bytes.map_or(Value::Null, |bytes| Value::Bytes(bytes.to_vec()))
        }
        Kind::Decimal => match column.as_wide_text().ok_or_else(odd)?.get(row) {
            Some(units) => decimal(&String::from_utf16(units)?),
            None => Value::Null,
        },
        Kind::Text { padded, .. } => match column.as_wide_text().ok_or_else(odd)?.get(row) {
            Some(units) => {
                let text = String::from_utf16(units)?;
                Value::Text(if *padded { text.trim_end_matches(' ').to_owned() } else { text })
            }
            None => Value::Null,
        },
    })
}

/// A value that a driver gives as text whatever its type.
pub(super) fn written(kind: &Kind, text: &str) -> Value {
    let plain = text.trim();
    match kind {
        Kind::Integer => plain.parse().map_or_else(|_| Value::Text(plain.to_owned()), Value::Integer),
        Kind::Float | Kind::Single => plain.parse().map_or_else(|_| Value::Text(plain.to_owned()), Value::from_f64),
        Kind::Decimal => decimal(plain),
        Kind::Day | Kind::Time => Value::Time(plain.to_owned()),
        Kind::Text { padded: false, .. } => Value::Text(text.to_owned()),
        Kind::Text { padded: true, .. } => Value::Text(text.trim_end_matches(' ').to_owned()),
        Kind::Bytes { .. } => Value::Bytes(text.as_bytes().to_vec()),
    }
}

fn at<T: Copy>(column: NullableSlice<'_, T>, row: usize) -> Option<T> {
    column.into_iter().nth(row).flatten().copied()
}

/// Drivers write decimals as `.5`, `1,25` (in the system's language) or with spaces around.
fn decimal(text: &str) -> Value {
    let text = text.trim().replacen(',', ".", 1);
    let (sign, digits) = text.strip_prefix('-').map_or(("", text.as_str()), |digits| ("-", digits));
    let digits = digits.trim_start_matches('+');
    let zero = if digits.starts_with('.') { "0" } else { "" };
    Value::Decimal(format!("{sign}{zero}{}", digits.strip_suffix('.').unwrap_or(digits)))
}

fn day(day: Date) -> Value {
    Value::Time(format!("{:04}-{:02}-{:02}", day.year, day.month, day.day))
}

/// The fraction is in nanoseconds; kept to microseconds.
fn time(time: Timestamp) -> Value {
    let Timestamp { year, month, day, hour, minute, second, fraction } = time;
    let seconds = format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}");
    match fraction / 1000 {
        0 => Value::Time(seconds),
        micros => Value::Time(format!("{seconds}.{micros:06}")),
    }
}

/// A parameter. Decimals and times go as text, which databases turn into the type that they are compared with.
pub(super) fn parameter(value: &Value) -> Box<dyn InputParameter> {
    match value {
        Value::Null => Box::new(Option::<String>::None.into_parameter()),
        Value::Integer(number) => Box::new(Nullable::new(*number)),
        Value::Decimal(text) | Value::Float(text) | Value::Text(text) => Box::new(text.clone().into_parameter()),
        Value::Time(text) => Box::new(plain_time(text).into_parameter()),
        Value::Bytes(bytes) => Box::new(bytes.clone().into_parameter()),
    }
}

/// A value as it is written in a query.
pub(super) fn literal(value: &Value) -> Result<String, Cause> {
    Ok(match value {
        Value::Null => "NULL".to_owned(),
        Value::Integer(number) => number.to_string(),
        Value::Decimal(text) | Value::Float(text) => text.clone(),
        Value::Text(text) => format!("'{}'", text.replace('\'', "''")),
        Value::Time(text) => format!("'{}'", plain_time(text)),
        Value::Bytes(_) => return Err(Cause::from("this driver takes no bytes in a query")),
    })
}

fn plain_time(text: &str) -> String {
    text.trim_end_matches('Z').replacen('T', " ", 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_read_as_drivers_write_them() {
        for (written, expected) in
            [(".5", "0.5"), ("-.250", "-0.250"), (" 12.50 ", "12.50"), ("1,25", "1.25"), ("7.", "7"), ("+3", "3")]
        {
            assert_eq!(decimal(written), Value::Decimal(expected.to_owned()));
        }
    }

    #[test]
    fn a_time_keeps_its_microseconds() {
        let at = Timestamp { year: 2026, month: 1, day: 2, hour: 3, minute: 4, second: 5, fraction: 120_000_999 };
        assert_eq!(time(at), Value::Time("2026-01-02 03:04:05.120000".to_owned()));
    }

    #[test]
    fn the_size_of_a_column_is_bounded_whatever_its_driver_says() {
        let huge = std::num::NonZeroUsize::new(usize::MAX);
        assert_eq!(kind(DataType::Varchar { length: huge }), Kind::Text { units_max: VALUE_BYTES_MAX, padded: false });
        assert_eq!(kind(DataType::Binary { length: huge }), Kind::Bytes { bytes_max: VALUE_BYTES_MAX });
    }
}
