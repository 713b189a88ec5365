//! How a database writes its times, learned from one of them, so that times it is asked for look the same. Pure.

use jiff::tz::TimeZone;
use sync_core::model::Timestamp;

use crate::database::engine::Value;

/// How a column writes times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeForm {
    kind: Kind,
    /// A column of text, not of times.
    is_text: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Wall clock with this between date and time.
    Civil(char),
    /// A date alone.
    Date,
    /// RFC 3339 in UTC.
    Utc,
    /// Unix time with this many parts a second.
    Unix(i64),
}

/// Unix times above are in milliseconds: the year 5138 in seconds.
const UNIX_SECONDS_MAX: i64 = 100_000_000_000;

impl Default for TimeForm {
    fn default() -> Self {
        Self { kind: Kind::Civil(' '), is_text: false }
    }
}

impl TimeForm {
    /// From a value of the column; `None` where it is no time.
    #[must_use]
    pub fn of(sample: &Value) -> Option<Self> {
        let (text, is_text) = match sample {
            Value::Integer(number) => {
                let parts = if number.abs() > UNIX_SECONDS_MAX { 1000 } else { 1 };
                return Some(Self { kind: Kind::Unix(parts), is_text: false });
            }
            Value::Time(text) => (text, false),
            Value::Text(text) => (text, true),
            Value::Null | Value::Decimal(_) | Value::Float(_) | Value::Bytes(_) => return None,
        };
        let kind = match text.as_bytes().get(10) {
            None => Kind::Date,
            Some(b'T') if text.ends_with('Z') => Kind::Utc,
            Some(b'T') => Kind::Civil('T'),
            Some(_) => Kind::Civil(' '),
        };
        Some(Self { kind, is_text })
    }

    /// A time as the column would write it.
    #[must_use]
    pub fn value(self, at: Timestamp, zone: &TimeZone) -> Value {
        let Ok(instant) = jiff::Timestamp::from_microsecond(at.0) else { return Value::Null };
        let civil = zone.to_datetime(instant);
        let text = match self.kind {
            Kind::Unix(parts) => return Value::Integer(at.0.div_euclid(1_000_000 / parts.max(1))),
            Kind::Utc => instant.to_string(),
            Kind::Date => civil.date().to_string(),
            Kind::Civil(between) => civil.to_string().replacen('T', between.encode_utf8(&mut [0; 4]), 1),
        };
        if self.is_text { Value::Text(text) } else { Value::Time(text) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_asked_for_as_they_are_written() {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        let at = Timestamp(1_772_442_000_000_000);
        let time = |text: &str| Value::Time(text.to_owned());
        let text = |text: &str| Value::Text(text.to_owned());
        let check = |sample: Value, expected: Value| {
            assert_eq!(TimeForm::of(&sample).map(|form| form.value(at, &zone)), Some(expected));
        };
        check(time("2020-01-01 00:00:00"), time("2026-03-02 10:00:00"));
        check(text("2020-01-01T00:00:00"), text("2026-03-02T10:00:00"));
        check(time("2020-01-01T00:00:00Z"), time("2026-03-02T09:00:00Z"));
        check(text("2020-01-01"), text("2026-03-02"));
        check(Value::Integer(1_600_000_000), Value::Integer(1_772_442_000));
        check(Value::Integer(1_600_000_000_000), Value::Integer(1_772_442_000_000));
        assert_eq!(TimeForm::of(&Value::Null), None);
    }
}
