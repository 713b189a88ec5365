//! Cells of text turned into quantities and times. Pure; nothing is repaired or guessed from a single row where a
//! whole file can tell (research on vendors: decimal signs and date orders are constant within a file).

use std::borrow::Cow;

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use sync_core::model::{Quantity, Timestamp};

/// The sign before the decimals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum DecimalSign {
    Point,
    Comma,
}

/// Order of the parts of a date with the year at an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum DayOrder {
    Ymd,
    Dmy,
    Mdy,
}

/// Why a cell is not a quantity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NumberFault {
    /// `1,250` may be a thousand or one and a quarter.
    Ambiguous,
    /// With the reason in words.
    Unreadable(String),
}

/// Takes off what spreadsheets wrap around text: `="00123"`, `'00123`, blanks and no-break spaces.
pub(crate) fn unwrap_cell(cell: &str) -> &str {
    let cell = cell.trim_matches(is_blank);
    if let Some(inner) = cell.strip_prefix("=\"").and_then(|rest| rest.strip_suffix('"')) {
        return inner.trim_matches(is_blank);
    }
    cell.strip_prefix('\'').unwrap_or(cell)
}

fn is_blank(c: char) -> bool {
    c.is_whitespace() || c == '\u{feff}' || c == '\u{200b}'
}

/// A number that a spreadsheet has rounded for display, such as `1.23E+12`: its digits are lost.
pub(crate) fn is_spreadsheet_exponent(cell: &str) -> bool {
    let Some((mantissa, exponent)) = cell.split_once(['E', 'e']) else {
        return false;
    };
    let Some(exponent) = exponent.strip_prefix('+') else {
        return false;
    };
    !exponent.is_empty()
        && exponent.bytes().all(|b| b.is_ascii_digit())
        && mantissa.bytes().next().is_some_and(|b| b.is_ascii_digit())
        && mantissa.bytes().all(|b| b.is_ascii_digit() || b == b'.' || b == b',')
}

/// Reads a quantity exactly. `sign` is what is known of the file; `None` reads what is clear by itself.
pub(crate) fn quantity(cell: &str, sign: Option<DecimalSign>) -> Result<Quantity, NumberFault> {
    if !cell.is_empty() && cell.len() < 12 && cell.bytes().all(|b| b.is_ascii_digit()) {
        return Quantity::parse(cell).map_err(|e| NumberFault::Unreadable(e.to_string()));
    }
    let (negative, digits) = signed_digits(cell).ok_or_else(|| not_a_number(cell))?;
    let plain = normalise(&digits, sign)
        .map_err(|ambiguous| if ambiguous { NumberFault::Ambiguous } else { not_a_number(cell) })?;
    let read = Quantity::parse(&plain).map_err(|e| NumberFault::Unreadable(e.to_string()))?;
    Ok(if negative { read.negated() } else { read })
}

fn not_a_number(cell: &str) -> NumberFault {
    NumberFault::Unreadable(format!("`{cell}` is not a quantity"))
}

/// Splits off sign, currency marks and group blanks; what is left is digits, points and commas.
fn signed_digits(cell: &str) -> Option<(bool, Cow<'_, str>)> {
    let mut text = cell.trim_matches(is_blank);
    let mut negative = false;
    if let Some(inner) = text.strip_prefix('(').and_then(|t| t.strip_suffix(')')) {
        (negative, text) = (true, inner);
    }
    let is_mark = |c: char| is_blank(c) || matches!(c, '$' | '€' | '£' | '¥' | '₹' | '₱' | '฿' | '¤');
    text = text.trim_matches(is_mark);
    if let Some(rest) = text.strip_prefix(['-', '\u{2212}']).or_else(|| text.strip_suffix(['-', '\u{2212}'])) {
        if negative {
            return None;
        }
        (negative, text) = (true, rest);
    } else if let Some(rest) = text.strip_prefix('+') {
        text = rest;
    }
    text = text.trim_matches(is_mark);
    let is_group = |c: char| is_blank(c) || matches!(c, '\'' | '’');
    let digits = if text.contains(is_group) { Cow::Owned(ungroup(text, is_group)?) } else { Cow::Borrowed(text) };
    let numeric = digits.bytes().any(|b| b.is_ascii_digit())
        && digits.bytes().all(|b| b.is_ascii_digit() || b == b'.' || b == b',');
    numeric.then_some((negative, digits))
}

/// Group blanks stand between groups of three digits, anything else is two numbers in one cell.
fn ungroup(text: &str, is_group: impl Fn(char) -> bool) -> Option<String> {
    let whole = text.split(['.', ',']).next().unwrap_or_default();
    let mut groups = whole.split(&is_group);
    let first = groups.next().unwrap_or_default().len();
    let grouped = (1..=3).contains(&first) && groups.all(|group| group.len() == 3);
    let tail = text.get(whole.len()..).unwrap_or_default();
    (grouped && !tail.contains(&is_group)).then(|| text.chars().filter(|c| !is_group(*c)).collect())
}

/// Digits with a point, or whether the cell is ambiguous.
fn normalise(digits: &str, sign: Option<DecimalSign>) -> Result<Cow<'_, str>, bool> {
    let sign = match sign {
        Some(sign) => sign,
        None => match evidence(digits) {
            Evidence::None => DecimalSign::Point,
            Evidence::Sign(sign) => sign,
            Evidence::Either => return Err(true),
            Evidence::Nonsense => return Err(false),
        },
    };
    let (decimal, group) = match sign {
        DecimalSign::Point => ('.', ','),
        DecimalSign::Comma => (',', '.'),
    };
    let (whole, fraction) =
        digits.split_once(decimal).map_or((digits, None), |(whole, fraction)| (whole, Some(fraction)));
    if fraction.is_some_and(|f| f.contains([',', '.'])) || !is_grouped(whole, group) {
        return Err(false);
    }
    if decimal == '.' && !whole.contains(group) {
        return Ok(Cow::Borrowed(digits));
    }
    let whole: String = whole.chars().filter(|c| *c != group).collect();
    Ok(Cow::Owned(fraction.map_or_else(|| whole.clone(), |fraction| format!("{whole}.{fraction}"))))
}

fn is_grouped(whole: &str, group: char) -> bool {
    let mut parts = whole.split(group);
    let first = parts.next().unwrap_or_default();
    let mut rest = parts.peekable();
    rest.peek().is_none() || ((1..=3).contains(&first.len()) && rest.all(|part| part.len() == 3))
}

enum Evidence {
    None,
    Sign(DecimalSign),
    Either,
    Nonsense,
}

fn evidence(digits: &str) -> Evidence {
    let points = digits.matches('.').count();
    let commas = digits.matches(',').count();
    match (points, commas) {
        (0, 0) => Evidence::None,
        (1, 0) | (0, 1) => {
            let (whole, fraction) = digits.split_once(['.', ',']).unwrap_or_default();
            let grouped = fraction.len() == 3 && (1..=3).contains(&whole.len()) && !whole.starts_with('0');
            if grouped {
                Evidence::Either
            } else {
                Evidence::Sign(if points == 1 { DecimalSign::Point } else { DecimalSign::Comma })
            }
        }
        (_, 0) if is_grouped(digits, '.') => Evidence::Sign(DecimalSign::Comma),
        (0, _) if is_grouped(digits, ',') => Evidence::Sign(DecimalSign::Point),
        (_, 0) | (0, _) => Evidence::Nonsense,
        _ => match (digits.rfind('.') > digits.rfind(','), points, commas) {
            (true, 1, _) => Evidence::Sign(DecimalSign::Point),
            (false, _, 1) => Evidence::Sign(DecimalSign::Comma),
            _ => Evidence::Nonsense,
        },
    }
}

/// What a cell, of any column, tells about the decimal sign of its file.
pub(crate) fn decimal_evidence(cell: &str) -> Option<DecimalSign> {
    match evidence(&signed_digits(cell)?.1) {
        Evidence::Sign(sign) => Some(sign),
        Evidence::None | Evidence::Either | Evidence::Nonsense => None,
    }
}

/// A point in time as written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    /// With its own zone: microseconds since 1970 UTC.
    Instant(i64),
    /// On the clock of the store.
    Local(Civil),
}

/// Wall clock time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Civil {
    year: i64,
    month: i64,
    day: i64,
    /// Microseconds since midnight.
    of_day: i64,
}

/// Why a cell is not a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TimeFault {
    /// The first two numbers of a date whose order is not known.
    NeedsOrder(i64, i64),
    /// Anything else.
    Unreadable,
}

const SECOND: i64 = 1_000_000;
const DAY: i64 = 86_400 * SECOND;

/// Reads ISO 8601, `31/12/2025 14:05`, `12/31/25 2:05 PM`, `20251231`, `20251231140500` and Unix times between 2001 and 2286.
pub(crate) fn moment(cell: &str, order: Option<DayOrder>) -> Result<Moment, TimeFault> {
    let mut cursor = Digits { rest: cell.trim().as_bytes() };
    if let Some(read) = compact(cursor.rest) {
        return read;
    }
    let date = cursor.date(order)?;
    if cursor.rest.is_empty() {
        return Ok(Moment::Local(date));
    }
    cursor.skip(|b| matches!(b, b'T' | b't' | b' ' | b','));
    let of_day = cursor.time_of_day().ok_or(TimeFault::Unreadable)?;
    let civil = Civil { of_day, ..date };
    match cursor.zone().ok_or(TimeFault::Unreadable)? {
        Some(offset) => Ok(Moment::Instant(civil.utc_micros().saturating_sub(offset.saturating_mul(SECOND)))),
        None => Ok(Moment::Local(civil)),
    }
}

/// Puts a date cell and a time cell together.
pub(crate) fn moment_of(date: &str, time: &str, order: Option<DayOrder>) -> Result<Moment, TimeFault> {
    let day = match moment(date, order)? {
        Moment::Local(day) => day,
        instant @ Moment::Instant(_) => return Ok(instant),
    };
    if time.trim().is_empty() {
        return Ok(Moment::Local(day));
    }
    let mut cursor = Digits { rest: time.trim().as_bytes() };
    let of_day = cursor.time_of_day().filter(|_| cursor.rest.is_empty()).ok_or(TimeFault::Unreadable)?;
    Ok(Moment::Local(Civil { of_day, ..day }))
}

/// Digits only: a compact date or a Unix time.
fn compact(digits: &[u8]) -> Option<Result<Moment, TimeFault>> {
    let number = (digits.len() >= 8).then(|| number_of(digits)).flatten()?;
    let ymd = |n: i64| civil(n / 10_000, n / 100 % 100, n % 100, 0);
    let read = match digits.len() {
        8 => ymd(number).map(Moment::Local),
        14 => ymd(number / SECOND).and_then(|date| {
            let (h, m, s) = (number / 10_000 % 100, number / 100 % 100, number % 100);
            (h < 24 && m < 60 && s < 61)
                .then(|| Moment::Local(Civil { of_day: (h * 3600 + m * 60 + s) * SECOND, ..date }))
        }),
        10 => number.checked_mul(SECOND).map(Moment::Instant),
        13 => number.checked_mul(1000).map(Moment::Instant),
        16 => Some(Moment::Instant(number)),
        19 => Some(Moment::Instant(number / 1000)),
        _ => None,
    };
    Some(read.ok_or(TimeFault::Unreadable))
}

fn number_of(digits: &[u8]) -> Option<i64> {
    digits.iter().try_fold(0_i64, |n, b| {
        b.is_ascii_digit().then(|| n.checked_mul(10)?.checked_add(i64::from(b.wrapping_sub(b'0'))))?
    })
}

fn civil(year: i64, month: i64, day: i64, of_day: i64) -> Option<Civil> {
    let long = match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        1..=12 => 31,
        _ => return None,
    };
    ((1970..=2200).contains(&year) && (1..=long).contains(&day)).then_some(Civil { year, month, day, of_day })
}

impl Civil {
    /// As if the clock ran in UTC. Days from the civil date after H. Hinnant's published algorithm.
    fn utc_micros(self) -> i64 {
        let year = if self.month <= 2 { self.year - 1 } else { self.year };
        let era = year / 400;
        let of_era = year - era * 400;
        let of_year = (153 * ((self.month + 9) % 12) + 2) / 5 + self.day - 1;
        let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
        days * DAY + self.of_day
    }
}

struct Digits<'a> {
    rest: &'a [u8],
}

impl Digits<'_> {
    fn skip(&mut self, blank: impl Fn(u8) -> bool) {
        while let [first, rest @ ..] = self.rest {
            if !blank(*first) {
                break;
            }
            self.rest = rest;
        }
    }

    fn eat(&mut self, wanted: u8) -> bool {
        match self.rest {
            [first, rest @ ..] if *first == wanted => {
                self.rest = rest;
                true
            }
            _ => false,
        }
    }

    /// A number and how many digits it has (1 to 9).
    fn number(&mut self) -> Option<(i64, usize)> {
        let length = self.rest.iter().take(9).take_while(|b| b.is_ascii_digit()).count();
        let (digits, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        (length > 0).then(|| number_of(digits).map(|n| (n, length)))?
    }

    fn date(&mut self, order: Option<DayOrder>) -> Result<Civil, TimeFault> {
        let unreadable = TimeFault::Unreadable;
        let (first, first_long) = self.number().ok_or(unreadable)?;
        let separator = *self.rest.first().filter(|b| matches!(b, b'-' | b'/' | b'.')).ok_or(unreadable)?;
        self.eat(separator);
        let (second, _) = self.number().ok_or(unreadable)?;
        if !self.eat(separator) {
            return Err(unreadable);
        }
        let (third, third_long) = self.number().ok_or(unreadable)?;
        if first_long == 4 {
            return civil(first, second, third, 0).ok_or(unreadable);
        }
        // Dates with points are written day first wherever they are written.
        let order =
            order.or((separator == b'.').then_some(DayOrder::Dmy)).ok_or(TimeFault::NeedsOrder(first, second))?;
        let full = |year: i64, long: usize| if long == 2 { year + 2000 } else { year };
        match order {
            DayOrder::Ymd => civil(full(first, first_long), second, third, 0),
            DayOrder::Dmy => civil(full(third, third_long), second, first, 0),
            DayOrder::Mdy => civil(full(third, third_long), first, second, 0),
        }
        .ok_or(unreadable)
    }

    /// Microseconds since midnight.
    fn time_of_day(&mut self) -> Option<i64> {
        let (mut hour, _) = self.number()?;
        let minute = if self.eat(b':') {
            self.number()?.0
        } else {
            return None;
        };
        let second = if self.eat(b':') { self.number()?.0 } else { 0 };
        let mut micros = 0;
        if self.eat(b'.') || self.eat(b',') {
            let (digits, long) = self.number()?;
            micros = (long..6).fold(digits, |n, _| n * 10);
            micros = (6..long).fold(micros, |n, _| n / 10);
        }
        self.skip(|b| b == b' ');
        if let [half @ (b'A' | b'a' | b'P' | b'p'), b'M' | b'm', rest @ ..] = self.rest {
            self.rest = rest;
            if !(1..=12).contains(&hour) {
                return None;
            }
            hour = hour % 12 + if half.eq_ignore_ascii_case(&b'p') { 12 } else { 0 };
        }
        (hour < 24 && minute < 60 && second < 61).then_some((hour * 3600 + minute * 60 + second) * SECOND + micros)
    }

    /// Seconds east of UTC; the inner `None` if no zone is written.
    fn zone(&mut self) -> Option<Option<i64>> {
        self.skip(|b| b == b' ');
        match self.rest {
            [] => Some(None),
            b"Z" | b"z" | b"UTC" | b"GMT" => Some(Some(0)),
            [sign @ (b'+' | b'-'), rest @ ..] => {
                let (hours, minutes) = match rest {
                    [h1, h2, b':', m1, m2] | [h1, h2, m1, m2] => (number_of(&[*h1, *h2])?, number_of(&[*m1, *m2])?),
                    [h1, h2] => (number_of(&[*h1, *h2])?, 0),
                    _ => return None,
                };
                let east = hours * 3600 + minutes * 60;
                Some(Some(if *sign == b'-' { -east } else { east }))
            }
            _ => None,
        }
    }
}

/// The store's clock, made UTC. Remembers the offset of the last hour, as neighbouring lines share it.
#[derive(Debug, Clone)]
pub(crate) struct StoreClock {
    zone: TimeZone,
    /// Hour (UTC microseconds as if local, cut to the hour) and its offset in microseconds.
    last: Option<(i64, i64)>,
}

impl StoreClock {
    pub(crate) fn new(zone: TimeZone) -> Self {
        Self { zone, last: None }
    }

    /// An hour that the clock shows twice is taken as the first of the two, one that it skips as after the jump.
    pub(crate) fn utc(&mut self, moment: Moment) -> Option<Timestamp> {
        let local = match moment {
            Moment::Instant(micros) => return Some(Timestamp(micros)),
            Moment::Local(civil) => civil.utc_micros(),
        };
        let hour = local.div_euclid(3600 * SECOND);
        if let Some((known, offset)) = self.last
            && known == hour
        {
            return Some(Timestamp(local - offset));
        }
        let wall = TimeZone::UTC.to_datetime(jiff::Timestamp::from_microsecond(local).ok()?);
        let ambiguous = self.zone.to_ambiguous_timestamp(wall);
        let constant = !ambiguous.is_ambiguous();
        let utc = ambiguous.compatible().ok()?.as_microsecond();
        if constant && self.steady_within(wall, local - utc) {
            self.last = Some((hour, local - utc));
        }
        Some(Timestamp(utc))
    }

    /// Whether the offset is the same at both ends of the hour.
    fn steady_within(&self, wall: jiff::civil::DateTime, offset: i64) -> bool {
        let start = wall.with().minute(0).second(0).subsec_nanosecond(0).build();
        let end = wall.with().minute(59).second(59).subsec_nanosecond(999_999_999).build();
        [start, end].into_iter().all(|edge| {
            edge.is_ok_and(|edge| {
                let there = self.zone.to_ambiguous_timestamp(edge);
                let local = TimeZone::UTC.to_ambiguous_timestamp(edge).compatible().map(|t| t.as_microsecond());
                !there.is_ambiguous()
                    && there
                        .compatible()
                        .is_ok_and(|utc| local.is_ok_and(|local| local - utc.as_microsecond() == offset))
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_read_in_every_written_form() {
        check("2", None, Ok("2"));
        check("1.000", Some(DecimalSign::Point), Ok("1"));
        check("1,250", Some(DecimalSign::Comma), Ok("1.25"));
        check("1.250,5", None, Ok("1250.5"));
        check("1\u{a0}250,5", None, Ok("1250.5"));
        check("1\u{202f}250", None, Ok("1250"));
        check("(12.50)", None, Ok("-12.5"));
        check("12.50-", None, Ok("-12.5"));
        check("-$3.00", None, Ok("-3"));
        check("0,5", None, Ok("0.5"));
        check("0,250", None, Ok("0.25"));
        check("\u{2212}1", None, Ok("-1"));
        check("1,250", Some(DecimalSign::Point), Ok("1250"));
    }

    #[test]
    fn what_two_people_read_differently_is_not_guessed() {
        check("1,250", None, Err(true));
        check("1.250", None, Err(true));
        for text in ["1 2", "1,2,3", "1.23E+12", "--1", "12 kg", "(-1)", ""] {
            check(text, None, Err(false));
        }
    }

    #[test]
    fn spreadsheet_wrapping_is_taken_off() {
        assert_eq!(unwrap_cell(" =\"00123\" "), "00123");
        assert_eq!(unwrap_cell("'00123"), "00123");
        assert_eq!(unwrap_cell("\u{a0}A 1\u{a0}"), "A 1");
        assert!(is_spreadsheet_exponent("1.23E+12") && is_spreadsheet_exponent("1,2e+9"));
        assert!(!is_spreadsheet_exponent("12E5") && !is_spreadsheet_exponent("SHE+12"));
    }

    #[test]
    fn times_are_read_on_the_clock_of_the_store() {
        let berlin = TimeZone::get("Europe/Berlin").unwrap();
        let at =
            |text: &str, order| moment(text, order).map(|m| StoreClock::new(berlin.clone()).utc(m).unwrap().0 / SECOND);
        let noon = 1_795_431_600; // 2026-11-23T11:00:00Z
        assert_eq!(at("2026-11-23T12:00:00", None), Ok(noon));
        assert_eq!(at("2026-11-23 12:00", None), Ok(noon));
        assert_eq!(at("2026-11-23T11:00:00.000Z", None), Ok(noon));
        assert_eq!(at("2026-11-23T12:00:00+01:00", None), Ok(noon));
        assert_eq!(at("23/11/2026 12:00", Some(DayOrder::Dmy)), Ok(noon));
        assert_eq!(at("23.11.26 12:00:00", None), Ok(noon));
        assert_eq!(at("11/23/26 12:00 PM", Some(DayOrder::Mdy)), Ok(noon));
        assert_eq!(at("20261123120000", None), Ok(noon));
        assert_eq!(at("1795431600", None), Ok(noon));
        assert_eq!(at("1795431600000", None), Ok(noon));
        assert_eq!(at("3/4/2026", None), Err(TimeFault::NeedsOrder(3, 4)));
        assert_eq!(at("31/02/2026", Some(DayOrder::Dmy)), Err(TimeFault::Unreadable));
    }

    #[test]
    fn the_hours_around_a_clock_change_are_not_mixed_up() {
        let mut clock = StoreClock::new(TimeZone::get("Europe/Berlin").unwrap());
        let mut at = |text: &str| clock.utc(moment(text, None).unwrap()).unwrap().0 / SECOND;
        assert_eq!(at("2026-10-25T03:30:00") - at("2026-10-25T01:30:00"), 3 * 3600);
        assert_eq!(at("2026-03-29T03:30:00") - at("2026-03-29T01:30:00"), 3600);
    }

    fn check(text: &str, sign: Option<DecimalSign>, expected: Result<&str, bool>) {
        let read = quantity(text, sign).map(|q| q.to_string()).map_err(|fault| fault == NumberFault::Ambiguous);
        assert_eq!(read, expected.map(str::to_owned), "{text}");
    }
}
