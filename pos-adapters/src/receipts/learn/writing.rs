//! How a till writes numbers and dates, told from its receipts; and rows cut into words, numbers, dates and amounts. Pure.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use super::super::figures::{
    DecimalMark, NumberFormat, NumberKind, PrintedDateOrder, take_date, take_number, take_time,
};
use super::vocabulary::CURRENCIES;

/// A piece of a row.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Piece {
    /// Anything else, with single blanks.
    Text(String),
    /// Digits.
    Number(String),
    Date,
    Time,
    Amount,
}

/// How the numbers are written: what most of them are.
pub(super) fn numbers<'a>(rows: impl Iterator<Item = &'a str>) -> NumberFormat {
    let (mut point, mut comma, mut grouped) = (0_u32, 0_u32, false);
    let mut marks: Vec<&str> = Vec::new();
    for row in rows {
        for word in row.split_whitespace() {
            let bare = word.trim_matches(|c: char| !c.is_ascii_digit());
            let Some((whole, decimals)) = bare.rsplit_once(['.', ',']) else { continue };
            let two = decimals.len() == 2 && decimals.bytes().all(|b| b.is_ascii_digit());
            if !two || whole.matches(['.', ',']).count() > 1 || word.contains([':', '/']) {
                continue;
            }
            if bare.ends_with(&format!(".{decimals}")) {
                point = point.saturating_add(1);
            } else {
                comma = comma.saturating_add(1);
            }
            grouped |= whole.contains(['.', ',']);
        }
        for mark in CURRENCIES {
            if !marks.contains(mark) && has_mark(row, mark) {
                marks.push(mark);
            }
        }
    }
    marks.sort_unstable();
    let decimal = if comma > point { DecimalMark::Comma } else { DecimalMark::Point };
    let other = if comma > point { "." } else { "," };
    NumberFormat {
        decimal,
        decimals: if point.saturating_add(comma) == 0 { 0 } else { 2 },
        group: (grouped || point.saturating_add(comma) == 0).then(|| other.to_owned()),
        currency: marks.into_iter().map(str::to_owned).collect(),
        ..NumberFormat::default()
    }
}

/// Whether a currency mark stands beside a number.
fn has_mark(row: &str, mark: &str) -> bool {
    let digit_after = |rest: &str| {
        rest.trim_start().trim_start_matches(['-', '(']).chars().next().is_some_and(|c| c.is_ascii_digit())
    };
    let digit_before = |rest: &str| rest.trim_end().chars().next_back().is_some_and(|c| c.is_ascii_digit());
    let word = mark.chars().all(char::is_alphabetic);
    row.match_indices(mark).any(|(at, _)| {
        let (before, after) =
            (row.get(..at).unwrap_or_default(), row.get(at.saturating_add(mark.len())..).unwrap_or_default());
        let alone = !word || (!before.ends_with(char::is_alphabetic) && !after.starts_with(char::is_alphabetic));
        alone && (digit_after(after) || (digit_before(before) && after.trim().is_empty()))
    })
}

/// Order of the dates, and whether any date told it: a number above 12, or else the part that differs more between the
/// tickets of some days, which is the day.
pub(super) fn dates<'a>(rows: impl Iterator<Item = &'a str>) -> (PrintedDateOrder, bool) {
    let (mut first_parts, mut second_parts) = (BTreeSet::new(), BTreeSet::new());
    for word in rows.flat_map(str::split_whitespace) {
        let parts: Vec<&str> = word.split(['/', '-', '.']).collect();
        let [first, second, third] = parts.as_slice() else { continue };
        let number = |text: &str| text.parse::<u16>().ok().filter(|_| text.len() <= 4);
        let (Some(first_n), Some(second_n), Some(_)) = (number(first), number(second), number(third)) else { continue };
        if first.len() == 4 {
            return (PrintedDateOrder::Ymd, true);
        }
        if third.len() != 2 && third.len() != 4 {
            continue;
        }
        if first_n > 12 && second_n <= 12 {
            return (PrintedDateOrder::Dmy, true);
        }
        if second_n > 12 && second_n <= 31 {
            return (PrintedDateOrder::Mdy, true);
        }
        first_parts.insert(first_n);
        second_parts.insert(second_n);
    }
    match first_parts.len().cmp(&second_parts.len()) {
        Ordering::Greater => (PrintedDateOrder::Dmy, true),
        Ordering::Less => (PrintedDateOrder::Mdy, true),
        Ordering::Equal => (PrintedDateOrder::Dmy, first_parts.is_empty()),
    }
}

/// Cuts a row into pieces.
pub(super) fn pieces(row: &str, numbers: &NumberFormat, dates: PrintedDateOrder) -> Vec<Piece> {
    let chars: Vec<char> = row.trim().chars().collect();
    let mut pieces = Vec::new();
    let mut at = 0;
    while at < chars.len() {
        let fresh = at
            .checked_sub(1)
            .and_then(|i| chars.get(i))
            .is_none_or(|c| !c.is_alphanumeric() && !matches!(c, '.' | ','));
        let found = if fresh {
            take_date(&chars, at, dates)
                .map(|(length, _)| (length, Piece::Date))
                .or_else(|| take_time(&chars, at).map(|(length, _)| (length, Piece::Time)))
                .or_else(|| amount(&chars, at, numbers))
        } else {
            None
        };
        let found = found.or_else(|| digits(&chars, at));
        if let Some((length, piece)) = found {
            pieces.push(piece);
            at = at.saturating_add(length.max(1));
            continue;
        }
        let Some(c) = chars.get(at).copied() else { break };
        match pieces.last_mut() {
            Some(Piece::Text(text)) if c == ' ' && text.ends_with(' ') => {}
            Some(Piece::Text(text)) => text.push(c),
            _ => pieces.push(Piece::Text(c.to_string())),
        }
        at = at.saturating_add(1);
    }
    pieces
}

fn amount(chars: &[char], at: usize, numbers: &NumberFormat) -> Option<(usize, Piece)> {
    if numbers.decimals == 0 {
        return None;
    }
    take_number(chars, at, NumberKind::Amount, numbers).map(|(length, _)| (length, Piece::Amount))
}

fn digits(chars: &[char], at: usize) -> Option<(usize, Piece)> {
    let digits: String = chars.iter().skip(at).take_while(|c| c.is_ascii_digit()).collect();
    if digits.is_empty() { None } else { Some((digits.len(), Piece::Number(digits))) }
}

/// A literal text in the pattern language.
pub(super) fn literal(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '\\' | '{' | '}' | '[' | ']' | '(' | ')' | '|') {
            out.push('\\');
        }
        if c != ' ' || !out.ends_with(' ') {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn number_and_date_formats_are_told_from_the_rows() {
        let format = numbers(["Brot 2 3,98 A", "SUMME EUR 1.203,98", "7,5 %"].into_iter());
        assert_eq!((format.decimal, format.group.as_deref(), format.decimals), (DecimalMark::Comma, Some("."), 2));
        assert_eq!(format.currency, ["EUR"]);
        assert_eq!(dates(["am 03/04/26", "17/04/26"].into_iter()), (PrintedDateOrder::Dmy, true));
        assert_eq!(dates(["03/04/26"].into_iter()), (PrintedDateOrder::Dmy, false));
        assert_eq!(dates(["03/24/2026 10:00"].into_iter()), (PrintedDateOrder::Mdy, true));
        assert_eq!(dates(["03/04/26", "03/05/26", "03/05/26"].into_iter()), (PrintedDateOrder::Mdy, true));
    }

    #[test]
    fn a_row_is_cut_into_what_it_holds() {
        let format = NumberFormat::default();
        let cut = pieces("ST#1   DR#2 TRAN#1028363  03/01/26 10:00 -1.50", &format, PrintedDateOrder::Mdy);
        let text = |text: &str| Piece::Text(text.to_owned());
        let number = |text: &str| Piece::Number(text.to_owned());
        let expected = [
            text("ST#"),
            number("1"),
            text(" DR#"),
            number("2"),
            text(" TRAN#"),
            number("1028363"),
            text(" "),
            Piece::Date,
            text(" "),
            Piece::Time,
            text(" "),
            Piece::Amount,
        ];
        assert_eq!(cut, expected);
    }
}
