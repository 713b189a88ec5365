//! Printed numbers and dates: how a template's till writes them, and reading one at a place in a row. Pure, exact.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sync_core::model::Quantity;

/// Digits of a number, at most; longer runs are numbers of something, not amounts.
const DIGITS_MAX: usize = 12;

/// How numbers are printed.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NumberFormat {
    /// Decimal sign. Default: `.`
    #[serde(default = "point")]
    pub decimal: DecimalMark,
    /// Decimals that every amount has (0 to 4). Default: 2.
    #[serde(default = "two")]
    pub decimals: u8,
    /// Sign between thousands: `,`, `.`, `'` or a blank. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Currency marks that may stand before or after an amount, e.g. `["$", "EUR"]`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub currency: Vec<String>,
    /// `1.00-` is minus one. Default: true.
    #[serde(default = "yes", skip_serializing_if = "is_true")]
    pub trailing_minus: bool,
    /// `(1.00)` is minus one. Default: true.
    #[serde(default = "yes", skip_serializing_if = "is_true")]
    pub parentheses: bool,
}

/// Decimal sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum DecimalMark {
    /// `1.50`
    #[serde(rename = ".")]
    Point,
    /// `1,50`
    #[serde(rename = ",")]
    Comma,
}

impl DecimalMark {
    /// The character.
    #[must_use]
    pub const fn as_char(self) -> char {
        match self {
            Self::Point => '.',
            Self::Comma => ',',
        }
    }
}

const fn point() -> DecimalMark {
    DecimalMark::Point
}

const fn two() -> u8 {
    2
}

const fn yes() -> bool {
    true
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the shape that serde asks for")]
const fn is_true(value: &bool) -> bool {
    *value
}

impl Default for NumberFormat {
    fn default() -> Self {
        Self {
            decimal: point(),
            decimals: two(),
            group: None,
            currency: Vec::new(),
            trailing_minus: true,
            parentheses: true,
        }
    }
}

/// What a number stands for, which decides how it may look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NumberKind {
    /// Money: with exactly the format's decimals.
    Amount,
    /// Price of a unit: with at least the format's decimals, at most four.
    Price,
    /// Pieces or a weight: up to four decimals, no currency.
    Quantity,
    /// A weight: at least one decimal, up to four.
    Weight,
    /// Whole, without a sign.
    Count,
}

impl NumberKind {
    fn takes(self, decimals: Option<usize>, format: &NumberFormat) -> bool {
        let usual = usize::from(format.decimals);
        let found = decimals.unwrap_or(0);
        match self {
            Self::Amount => found == usual && (usual > 0 || decimals.is_none()),
            Self::Price => found >= usual && found <= 4,
            Self::Quantity => found <= 4,
            Self::Weight => (1..=4).contains(&found),
            Self::Count => decimals.is_none(),
        }
    }

    const fn has_currency(self) -> bool {
        matches!(self, Self::Amount | Self::Price)
    }
}

/// Reads a number that starts at `from`; how many characters it takes, and its value.
pub(super) fn take_number(
    row: &[char],
    from: usize,
    kind: NumberKind,
    format: &NumberFormat,
) -> Option<(usize, Quantity)> {
    let mut at = Walk { row, at: from };
    let bracket = format.parentheses && kind != NumberKind::Count && at.eat('(');
    let mut negative = bracket;
    let mut sign = |at: &mut Walk<'_>| {
        let minus = kind != NumberKind::Count && (at.eat('-') || at.eat('\u{2212}'));
        let signed = minus || (kind != NumberKind::Count && at.eat('+'));
        negative |= minus;
        signed
    };
    let signed = sign(&mut at);
    if kind.has_currency() && at.currency(format) {
        at.blanks();
    }
    let signed = signed || sign(&mut at);
    if signed {
        at.blanks();
    }
    let (plain, decimals) = at.digits(format)?;
    if !kind.takes(decimals, format) {
        return None;
    }
    if kind != NumberKind::Count && format.trailing_minus && !signed && !bracket && at.minus_at_end() {
        negative = true;
    }
    if kind.has_currency() {
        let before = at.at;
        at.blanks();
        if !at.currency(format) {
            at.at = before;
        }
    }
    if bracket && !at.eat(')') {
        return None;
    }
    // A number that runs on into a word or more digits is part of something else.
    if at.peek().is_some_and(|c| c.is_alphanumeric() && kind != NumberKind::Quantity && !bracket && c.is_numeric()) {
        return None;
    }
    let value = Quantity::parse(&plain).ok()?;
    Some((at.at.saturating_sub(from), if negative { value.negated() } else { value }))
}

struct Walk<'a> {
    row: &'a [char],
    at: usize,
}

impl Walk<'_> {
    fn peek(&self) -> Option<char> {
        self.row.get(self.at).copied()
    }

    fn eat(&mut self, wanted: char) -> bool {
        let found = self.peek() == Some(wanted);
        if found {
            self.at = self.at.saturating_add(1);
        }
        found
    }

    fn blanks(&mut self) {
        while self.eat(' ') {}
    }

    fn word(&mut self, word: &str) -> bool {
        let length = word.chars().count();
        let Some(here) = self.row.get(self.at..self.at.saturating_add(length)) else {
            return false;
        };
        let same = length > 0 && here.iter().copied().eq(word.chars());
        if same {
            self.at = self.at.saturating_add(length);
        }
        same
    }

    fn currency(&mut self, format: &NumberFormat) -> bool {
        format.currency.iter().any(|mark| self.word(mark))
    }

    /// A minus directly behind the digits, and nothing behind it that would make it a dash.
    fn minus_at_end(&mut self) -> bool {
        let ends = self.row.get(self.at.saturating_add(1)).is_none_or(|next| !next.is_alphanumeric());
        ends && (self.eat('-') || self.eat('\u{2212}'))
    }

    /// Digits with a point, and how many decimals if there is a decimal sign.
    fn digits(&mut self, format: &NumberFormat) -> Option<(String, Option<usize>)> {
        let decimal = format.decimal.as_char();
        let group = format.group.as_deref().and_then(|group| group.chars().next());
        let mut plain = String::new();
        let mut run = 0_usize;
        while let Some(c) = self.peek() {
            if c.is_ascii_digit() {
                plain.push(c);
                run = run.saturating_add(1);
            } else if Some(c) == group && (1..=3).contains(&run) && self.group_follows() {
                run = 0;
            } else {
                break;
            }
            self.at = self.at.saturating_add(1);
        }
        let mut decimals = None;
        let digit_next = self.row.get(self.at.saturating_add(1)).is_some_and(char::is_ascii_digit);
        if self.peek() == Some(decimal) && digit_next {
            self.at = self.at.saturating_add(1);
            plain.push('.');
            let before = plain.len();
            while let Some(c) = self.peek().filter(char::is_ascii_digit) {
                plain.push(c);
                self.at = self.at.saturating_add(1);
            }
            decimals = Some(plain.len().saturating_sub(before));
        }
        let readable = plain.chars().any(|c| c.is_ascii_digit()) && plain.len() <= DIGITS_MAX;
        readable.then_some((plain, decimals))
    }

    fn group_follows(&self) -> bool {
        (1..=3).all(|n| self.row.get(self.at.saturating_add(n)).is_some_and(char::is_ascii_digit))
            && self.row.get(self.at.saturating_add(4)).is_none_or(|c| !c.is_ascii_digit())
    }
}

/// Order of day, month and year where a date does not tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum PrintedDateOrder {
    /// Day, month, year.
    #[default]
    Dmy,
    /// Month, day, year.
    Mdy,
    /// Year, month, day.
    Ymd,
}

const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

/// Reads a date that starts at `from`: `31/12/2025`, `12-31-25`, `2025-12-31`, `06 Apr 2015`, `Apr 6, 2015`,
/// `6th of April 2015`. How many characters it takes, and the day.
pub(super) fn take_date(row: &[char], from: usize, order: PrintedDateOrder) -> Option<(usize, jiff::civil::Date)> {
    let mut walk = Walk { row, at: from };
    let date = if walk.peek()?.is_ascii_digit() {
        let (first, long) = walk.small_number(4)?;
        match walk.peek()? {
            separator @ ('/' | '-' | '.')
                if walk.row.get(walk.at.saturating_add(1)).is_some_and(char::is_ascii_digit) =>
            {
                walk.eat(separator);
                let (second, _) = walk.small_number(2)?;
                if !walk.eat(separator) {
                    return None;
                }
                let (third, third_long) = walk.small_number(4)?;
                numeric_date((first, long), second, (third, third_long), order)
            }
            _ => {
                let _ordinal = ["st", "nd", "rd", "th"].iter().any(|ending| walk.word(ending));
                walk.date_gap();
                let _of = walk.word("of ");
                let month = walk.month()?;
                walk.date_gap();
                let (year, year_long) = walk.small_number(4)?;
                day(full_year(year, year_long), month, first)
            }
        }
    } else {
        let month = walk.month()?;
        walk.date_gap();
        let (number, _) = walk.small_number(2)?;
        walk.date_gap();
        let (year, long) = walk.small_number(4)?;
        day(full_year(year, long), month, number)
    }?;
    walk.peek().is_none_or(|next| !next.is_ascii_digit()).then(|| (walk.at.saturating_sub(from), date))
}

/// Reads a time of day that starts at `from`: `14:05`, `14:05:33`, `2:05 PM`.
pub(super) fn take_time(row: &[char], from: usize) -> Option<(usize, jiff::civil::Time)> {
    let mut walk = Walk { row, at: from };
    let (mut hour, _) = walk.small_number(2)?;
    let minute = if walk.eat(':') { walk.two_digits()? } else { return None };
    let second = if walk.eat(':') { walk.two_digits()? } else { 0 };
    let before = walk.at;
    walk.blanks();
    let afternoon = walk.word("PM") || walk.word("pm");
    if afternoon || walk.word("AM") || walk.word("am") {
        if !(1..=12).contains(&hour) {
            return None;
        }
        hour = (hour % 12).saturating_add(if afternoon { 12 } else { 0 });
    } else {
        walk.at = before;
    }
    let small = |n: i16| i8::try_from(n).ok();
    let time = jiff::civil::Time::new(small(hour)?, small(minute)?, small(second.min(59))?, 0).ok()?;
    walk.peek().is_none_or(|next| !next.is_ascii_digit()).then(|| (walk.at.saturating_sub(from), time))
}

fn numeric_date(
    first: (i16, usize),
    second: i16,
    third: (i16, usize),
    order: PrintedDateOrder,
) -> Option<jiff::civil::Date> {
    if first.1 == 4 {
        return day(first.0, second, third.0);
    }
    match order {
        PrintedDateOrder::Dmy => day(full_year(third.0, third.1), second, first.0),
        PrintedDateOrder::Mdy => day(full_year(third.0, third.1), first.0, second),
        PrintedDateOrder::Ymd => day(full_year(first.0, first.1), second, third.0),
    }
}

const fn full_year(year: i16, digits: usize) -> i16 {
    if digits == 2 { year.saturating_add(2000) } else { year }
}

fn day(year: i16, month: i16, day: i16) -> Option<jiff::civil::Date> {
    let date = jiff::civil::Date::new(year, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()?;
    (1980..=2200).contains(&year).then_some(date)
}

impl Walk<'_> {
    fn small_number(&mut self, digits_max: usize) -> Option<(i16, usize)> {
        let mut digits = String::new();
        while let Some(c) = self.peek().filter(char::is_ascii_digit) {
            if digits.len() >= digits_max {
                return None;
            }
            digits.push(c);
            self.at = self.at.saturating_add(1);
        }
        Some((digits.parse().ok()?, digits.len()))
    }

    fn two_digits(&mut self) -> Option<i16> {
        self.small_number(2).filter(|(_, long)| *long == 2).map(|(number, _)| number)
    }

    fn date_gap(&mut self) {
        while self.eat(' ') || self.eat(',') || self.eat('.') || self.eat('-') {}
    }

    /// A month by its English name, whole or shortened.
    fn month(&mut self) -> Option<i16> {
        let name: String =
            self.row.iter().skip(self.at).take(9).take_while(|c| c.is_ascii_alphabetic()).collect::<String>();
        let lower = name.to_lowercase();
        let found = MONTHS.iter().position(|month| lower.starts_with(month))?;
        self.at = self.at.saturating_add(name.len());
        i16::try_from(found).ok()?.checked_add(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_as_the_till_prints_them() {
        let us =
            NumberFormat { currency: vec!["$".to_owned()], group: Some(",".to_owned()), ..NumberFormat::default() };
        for (text, expected) in [
            ("12.50", "12.5"),
            ("$ 12.50", "12.5"),
            ("-$1.00", "-1"),
            ("$-1.00", "-1"),
            ("1.00-", "-1"),
            ("(1.00)", "-1"),
            ("($1.00)", "-1"),
            ("1,234.00", "1234"),
            ("1.00 $", "1"),
        ] {
            check(text, NumberKind::Amount, &us, Some(expected));
        }
        check("1.5", NumberKind::Amount, &us, None);
        check("1.505", NumberKind::Amount, &us, None);
        check("12", NumberKind::Amount, &us, None);
        let eu = NumberFormat {
            decimal: DecimalMark::Comma,
            group: Some(".".to_owned()),
            currency: vec!["EUR".to_owned()],
            ..NumberFormat::default()
        };
        check("1.234,50 EUR", NumberKind::Amount, &eu, Some("1234.5"));
        check("EUR 3,99", NumberKind::Amount, &eu, Some("3.99"));
        check("0,425", NumberKind::Weight, &eu, Some("0.425"));
        check("3", NumberKind::Count, &eu, Some("3"));
        let yen = NumberFormat { decimals: 0, group: Some(",".to_owned()), ..NumberFormat::default() };
        check("12,300", NumberKind::Amount, &yen, Some("12300"));
    }

    #[test]
    fn dates_and_times_are_read_as_printed() {
        let date = |text: &str, order| {
            let row: Vec<char> = text.chars().collect();
            take_date(&row, 0, order).map(|(length, date)| (length, date.to_string()))
        };
        let at = |length, day: &str| Some((length, day.to_owned()));
        assert_eq!(date("31/12/2025", PrintedDateOrder::Dmy), at(10, "2025-12-31"));
        assert_eq!(date("12/31/25 x", PrintedDateOrder::Mdy), at(8, "2025-12-31"));
        assert_eq!(date("2025-12-31", PrintedDateOrder::Mdy), at(10, "2025-12-31"));
        assert_eq!(date("6th of April 2015 02", PrintedDateOrder::Dmy), at(17, "2015-04-06"));
        assert_eq!(date("Nov 1, 2012", PrintedDateOrder::Dmy), at(11, "2012-11-01"));
        assert_eq!(date("31/13/2025", PrintedDateOrder::Dmy), None);
        let time = |text: &str| {
            let row: Vec<char> = text.chars().collect();
            take_time(&row, 0).map(|(length, time)| (length, time.to_string()))
        };
        assert_eq!(time("02:56:25 PM"), at(11, "14:56:25"));
        assert_eq!(time("9:05"), at(4, "09:05:00"));
        assert_eq!(time("25:05"), None);
        assert_eq!(time("3.99"), None);
    }

    fn check(text: &str, kind: NumberKind, format: &NumberFormat, expected: Option<&str>) {
        let row: Vec<char> = text.chars().collect();
        let read = take_number(&row, 0, kind, format).filter(|(length, _)| *length == row.len());
        assert_eq!(read.map(|(_, value)| value.to_string()).as_deref(), expected, "{text}");
    }
}
