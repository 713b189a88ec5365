//! SQL Server's values as ours, and ours as its parameters. Pure.

use jiff::civil::{Date, date};
use tiberius::{Column, ColumnData, ColumnType, Query};

use crate::database::engine::Value;
use crate::database::engines::shared::scaled;
use crate::error::Cause;

/// `DATETIME` counts in 1/300 of a second (MS-TDS 2.2.5.5.1.8).
const DATETIME_TICKS_A_SECOND: u64 = 300;

/// `MONEY` up to here is exact as the binary fraction that the driver makes of it: 2^52 of its ten-thousandths.
const MONEY_EXACT_MAX: f64 = 450_359_962_737.049_6;

/// One value.
pub(super) fn value(column: &Column, data: &ColumnData<'_>) -> Result<Value, Cause> {
    Ok(match data {
        ColumnData::U8(number) => integer(*number),
        ColumnData::I16(number) => integer(*number),
        ColumnData::I32(number) => integer(*number),
        ColumnData::I64(number) => integer(*number),
        ColumnData::Bit(yes) => integer(*yes),
        ColumnData::F32(number) => or_null(*number, Value::from_f32),
        ColumnData::F64(number) => match (column.column_type(), number) {
            (ColumnType::Money | ColumnType::Money4, Some(number)) => money(*number, column.name())?,
            _ => or_null(*number, Value::from_f64),
        },
        ColumnData::Numeric(number) => {
            or_null(*number, |number| Value::Decimal(scaled(number.value(), number.scale())))
        }
        ColumnData::String(text) => or_null(text.as_deref(), |text| padded(column.column_type(), text)),
        ColumnData::Guid(id) => or_null(*id, |id| Value::Text(id.to_string().to_lowercase())),
        ColumnData::Binary(bytes) => or_null(bytes.as_deref(), |bytes| Value::Bytes(bytes.to_vec())),
        ColumnData::Xml(xml) => or_null(xml.as_deref(), |xml| Value::Text(xml.to_string())),
        ColumnData::DateTime(time) => match time {
            Some(time) => datetime(time.days(), time.seconds_fragments())?,
            None => Value::Null,
        },
        ColumnData::SmallDateTime(time) => match time {
            // Minutes after midnight.
            Some(time) => {
                let second = u32::from(time.seconds_fragments()).saturating_mul(60);
                Value::Time(format!("{} {}", day(since_1900(i32::from(time.days()))?), clock(second.into(), 0, 0)))
            }
            None => Value::Null,
        },
        ColumnData::Date(days) => match days {
            Some(days) => Value::Time(day(since_year_one(days.days())?)),
            None => Value::Null,
        },
        ColumnData::Time(time) => or_null(*time, |time| Value::Text(fraction(time.increments(), time.scale()))),
        ColumnData::DateTime2(time) => match time {
            Some(time) => Value::Time(format!(
                "{} {}",
                day(since_year_one(time.date().days())?),
                fraction(time.time().increments(), time.time().scale())
            )),
            None => Value::Null,
        },
        ColumnData::DateTimeOffset(time) => match time {
            // In UTC on the wire; the offset is only how it was written.
            Some(time) => {
                let time = time.datetime2();
                let clock = fraction(time.time().increments(), time.time().scale());
                Value::Time(format!("{}T{clock}Z", day(since_year_one(time.date().days())?)))
            }
            None => Value::Null,
        },
    })
}

fn integer(number: Option<impl Into<i64>>) -> Value {
    or_null(number, |number| Value::Integer(number.into()))
}

fn or_null<T>(value: Option<T>, some: impl FnOnce(T) -> Value) -> Value {
    value.map_or(Value::Null, some)
}

/// `MONEY` has four decimals; the driver gives it as a binary fraction.
fn money(number: f64, column: &str) -> Result<Value, Cause> {
    if number.abs() > MONEY_EXACT_MAX {
        return Err(Cause::from(format!(
            "column `{column}` has a MONEY of more than 12 digits: write CAST({column} AS DECIMAL(19,4)) in the query"
        )));
    }
    Ok(Value::Decimal(format!("{number:.4}")))
}

/// The padding of `CHAR` and `NCHAR` is taken off.
fn padded(column: ColumnType, text: &str) -> Value {
    let fixed = matches!(column, ColumnType::BigChar | ColumnType::NChar);
    Value::Text(if fixed { text.trim_end_matches(' ') } else { text }.to_owned())
}

/// As SQL Server itself shows it: rounded to milliseconds.
fn datetime(days: i32, ticks: u32) -> Result<Value, Cause> {
    let ticks = u64::from(ticks);
    let second = ticks / DATETIME_TICKS_A_SECOND;
    let rest = ticks % DATETIME_TICKS_A_SECOND;
    // 1/300 s is 10/3 ms; the nearest whole number of them.
    let millis = rest.saturating_mul(10).saturating_add(1) / 3;
    Ok(Value::Time(format!("{} {}", day(since_1900(days)?), clock(second, millis, 3))))
}

fn since_1900(days: i32) -> Result<Date, Cause> {
    Ok(date(1900, 1, 1).checked_add(jiff::Span::new().try_days(days)?)?)
}

fn since_year_one(days: u32) -> Result<Date, Cause> {
    Ok(date(1, 1, 1).checked_add(jiff::Span::new().try_days(days)?)?)
}

fn day(date: Date) -> String {
    date.strftime("%Y-%m-%d").to_string()
}

/// Time of day in increments of 10^-`scale` seconds; cut to microseconds.
fn fraction(increments: u64, scale: u8) -> String {
    let second = 10_u64.saturating_pow(u32::from(scale));
    let (seconds, rest) = (increments / second, increments % second);
    if scale > 6 {
        let cut = 10_u64.saturating_pow(u32::from(scale).saturating_sub(6));
        return clock(seconds, rest / cut, 6);
    }
    clock(seconds, rest, scale)
}

fn clock(second: u64, fraction: u64, digits: u8) -> String {
    let (hours, minutes, seconds) = (second / 3600, second / 60 % 60, second % 60);
    if fraction == 0 {
        return format!("{hours:02}:{minutes:02}:{seconds:02}");
    }
    let width = usize::from(digits);
    format!("{hours:02}:{minutes:02}:{seconds:02}.{fraction:0width$}")
}

/// Adds a parameter.
///
/// Numbers with decimals and times go as text: the server turns text into the type of the column that it is compared
/// with, exactly, and can still use an index. Times have the three decimals that `DATETIME` reads.
pub(super) fn bind(query: &mut Query<'_>, value: &Value) {
    match value {
        Value::Null => query.bind(Option::<String>::None),
        Value::Integer(number) => query.bind(*number),
        Value::Decimal(text) | Value::Float(text) | Value::Text(text) => query.bind(text.clone()),
        Value::Time(text) => query.bind(three_decimals(text)),
        Value::Bytes(bytes) => query.bind(bytes.clone()),
    }
}

/// `2026-01-02 03:04:05.123456` to `2026-01-02T03:04:05.123`, which is read alike whatever the server's language.
fn three_decimals(time: &str) -> String {
    let time = time.trim_end_matches('Z').replacen(' ', "T", 1);
    let (seconds, fraction) = time.split_once('.').unwrap_or((&time, ""));
    let fraction: String = fraction.chars().take(3).collect();
    if fraction.is_empty() { seconds.to_owned() } else { format!("{seconds}.{fraction}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(kind: ColumnType, data: ColumnData<'_>, expected: Value) {
        assert_eq!(value(&Column::new("A".to_owned(), kind), &data).unwrap(), expected);
    }

    #[test]
    fn money_has_its_four_decimals() {
        check(ColumnType::Money, ColumnData::F64(Some(-19.99)), Value::Decimal("-19.9900".to_owned()));
        check(ColumnType::Money, ColumnData::F64(None), Value::Null);
        let column = Column::new("TOTAL".to_owned(), ColumnType::Money);
        let refused = value(&column, &ColumnData::F64(Some(1e14))).unwrap_err().to_string();
        assert!(refused.contains("CAST(TOTAL AS DECIMAL(19,4))"), "{refused}");
    }

    #[test]
    fn a_datetime_is_rounded_as_the_server_shows_it() {
        let at = |ticks| datetime(46_022, ticks).unwrap();
        assert_eq!(at(0), Value::Time("2026-01-02 00:00:00".to_owned()));
        assert_eq!(at(1), Value::Time("2026-01-02 00:00:00.003".to_owned()));
        assert_eq!(at(2), Value::Time("2026-01-02 00:00:00.007".to_owned()));
        assert_eq!(at(300 * 86_400 - 1), Value::Time("2026-01-02 23:59:59.997".to_owned()));
    }

    #[test]
    fn a_time_of_day_keeps_six_decimals() {
        assert_eq!(fraction(1_234_567, 7), "00:00:00.123456");
        assert_eq!(fraction(3_600_000, 3), "01:00:00");
        assert_eq!(fraction(5, 1), "00:00:00.5");
        assert_eq!(three_decimals("2026-01-02 03:04:05.123456"), "2026-01-02T03:04:05.123");
        assert_eq!(three_decimals("2026-01-02T03:04:05Z"), "2026-01-02T03:04:05");
    }

    #[test]
    fn only_char_columns_lose_their_padding() {
        let text = || ColumnData::String(Some("AB ".into()));
        check(ColumnType::NChar, text(), Value::Text("AB".to_owned()));
        check(ColumnType::NVarchar, text(), Value::Text("AB ".to_owned()));
    }
}
