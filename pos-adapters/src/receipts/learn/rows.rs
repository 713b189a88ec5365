//! What rows mean, told from words that tills print and from what repeats between tickets. Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::super::figures::{NumberFormat, PrintedDateOrder};
use super::super::scrub;
use super::super::template::{RowKind, RowRule};
use super::vocabulary::{AMOUNT_LABELS, COUNT_LABELS, LINE_WORDS, NUMBER_WORDS, PEOPLE, REGISTER_WORDS, TITLES};
use super::writing::{Piece, literal, pieces};

/// Patterns of one kind, at most.
const PATTERNS_MAX: usize = 40;
/// Share of tickets on which a row must stand to be the head or the frame of all, in percent.
const COMMON_PERCENT: usize = 60;

/// A row of a ticket, cut.
#[derive(Debug, Clone)]
pub(super) struct Cut {
    pub(super) text: String,
    pub(super) pieces: Vec<Piece>,
}

impl Cut {
    pub(super) fn of(text: &str, numbers: &NumberFormat, dates: PrintedDateOrder) -> Self {
        Self { text: text.trim().to_owned(), pieces: pieces(text, numbers, dates) }
    }

    fn has(&self, wanted: &Piece) -> bool {
        self.pieces.contains(wanted)
    }

    fn has_number(&self) -> bool {
        self.pieces.iter().any(|piece| matches!(piece, Piece::Number(_)))
    }

    /// The text in front of the last amount, and whether more than a flag follows it.
    fn label(&self) -> Option<(String, bool)> {
        let at = self.pieces.iter().rposition(|piece| *piece == Piece::Amount)?;
        let before: String = self.pieces.iter().take(at).map(written).collect();
        let after: String = self.pieces.iter().skip(at).skip(1).map(written).collect();
        let flag = after.trim();
        let short =
            flag.len() <= 3 && flag.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || "*#+".contains(c));
        Some((trimmed(&before).to_owned(), !short))
    }
}

fn written(piece: &Piece) -> String {
    match piece {
        Piece::Text(text) => text.clone(),
        Piece::Number(digits) => digits.clone(),
        Piece::Date | Piece::Time | Piece::Amount => "0".to_owned(),
    }
}

fn trimmed(label: &str) -> &str {
    label
        .trim()
        .trim_end_matches([':', '.', '-', '=', '_', '*', ' '])
        .trim_start_matches(['*', '-', '=', '.', ' '])
        .trim()
}

/// Rules gathered by kind, each with its patterns in the order found.
#[derive(Debug, Default)]
pub(super) struct Rules {
    patterns: BTreeMap<RowKind, Vec<String>>,
}

impl Rules {
    fn add(&mut self, kind: RowKind, pattern: String) {
        let patterns = self.patterns.entry(kind).or_default();
        if patterns.len() < PATTERNS_MAX && !patterns.contains(&pattern) {
            patterns.push(pattern);
        }
    }

    pub(super) fn has(&self, kind: RowKind) -> bool {
        self.patterns.contains_key(&kind)
    }

    /// The patterns of `from` become those of `to`.
    pub(super) fn turn(&mut self, from: RowKind, to: RowKind) {
        if let Some(patterns) = self.patterns.remove(&from) {
            self.patterns.insert(to, patterns);
        }
    }

    /// As rows of a template, in the order in which they are to be tried.
    pub(super) fn into_rules(self) -> Vec<RowRule> {
        // What is said by a whole row goes before what is said by a word in it.
        const LATE: [RowKind; 4] = [RowKind::Void, RowKind::Return, RowKind::Discount, RowKind::Deposit];
        let rule = |(is, patterns): (RowKind, Vec<String>)| RowRule {
            is,
            patterns,
            columns: false,
            sign: None,
            applies: None,
            no_stock: None,
        };
        let (late, early): (Vec<_>, Vec<_>) = self.patterns.into_iter().partition(|(kind, _)| LATE.contains(kind));
        let (ignored, early): (Vec<_>, Vec<_>) = early.into_iter().partition(|(kind, _)| *kind == RowKind::Ignore);
        early.into_iter().chain(ignored).chain(late).map(rule).collect()
    }
}

/// Rows with words that are known.
pub(super) fn by_words(tickets: &[Vec<Cut>], rules: &mut Rules) {
    for row in tickets.iter().flatten() {
        if let Some((label, trailing)) = row.label() {
            if !trailing {
                labelled(row, &label, rules);
            }
            continue;
        }
        let lower = row.text.to_lowercase();
        if titled(row, &lower, rules) || counted(row, rules) {
            continue;
        }
        let first: String = lower.chars().take_while(|c| c.is_alphanumeric() || *c == '-').collect();
        if let Some(kind) = find(PEOPLE, &first).filter(|_| row.text.len() > first.len()) {
            let word: String = row.text.chars().take(first.chars().count()).collect();
            rules.add(kind, format!("{}[:][ {{_}}]", literal(&word)));
            rules.add(kind, format!("{}{{_}}", literal(&word)));
        }
    }
}

fn find(words: &[(RowKind, &[&str])], wanted: &str) -> Option<RowKind> {
    words.iter().find(|(_, words)| words.contains(&wanted)).map(|(kind, _)| *kind)
}

fn labelled(row: &Cut, label: &str, rules: &mut Rules) {
    let lower = label.to_lowercase();
    let tail = "[:][.][ {fill}] {amount}[ {flag}]";
    if let Some(kind) = find(AMOUNT_LABELS, &lower) {
        return rules.add(kind, format!("[{{fill}}][ ]{}{tail}", literal(label)));
    }
    for (kind, words) in AMOUNT_LABELS {
        for word in words.iter().filter(|word| starts_with_word(&lower, word)) {
            let rest = lower.get(word.len()..).unwrap_or_default();
            let letters = rest.chars().filter(|c| c.is_alphabetic()).count();
            // `VAT 20% A` and `VISA ****4242`, but not the card game; a discount may name what it is for.
            let named = matches!(kind, RowKind::Discount | RowKind::Deposit);
            let exact = matches!(kind, RowKind::Subtotal | RowKind::Total | RowKind::ZTotal);
            if !exact && (named || letters <= 2) {
                let printed: String = row.text.chars().take(word.chars().count()).collect();
                return rules.add(*kind, format!("{}[ {{_}}] {{amount}}[ {{flag}}]", literal(&printed)));
            }
        }
    }
    for (kind, words) in LINE_WORDS {
        if let Some(word) = words.iter().find(|word| starts_with_word(&lower, word)) {
            let printed: String = row.text.chars().take(word.chars().count()).collect();
            return rules.add(*kind, format!("{} {{name}}[ {{qty}}] {{amount}}[ {{flag}}]", literal(&printed)));
        }
    }
}

fn starts_with_word(text: &str, word: &str) -> bool {
    text.strip_prefix(word).is_some_and(|rest| rest.starts_with(|c: char| !c.is_alphanumeric()))
}

fn titled(row: &Cut, lower: &str, rules: &mut Rules) -> bool {
    let suspend = ["suspended", "parked", "geparkt"].iter().any(|word| lower.contains(word));
    let recall = ["recalled", "retrieved", "resumed", "entparkt"].iter().any(|word| lower.contains(word));
    if (suspend || recall) && row.text.len() <= 48 {
        let mut given = false;
        let pattern = row.pattern(|_| if std::mem::replace(&mut given, true) { "{_}" } else { "{number}" });
        rules.add(if suspend { RowKind::Suspend } else { RowKind::Recall }, pattern);
        return true;
    }
    let bare = lower.trim_matches(|c: char| !c.is_alphanumeric());
    let Some(kind) = find(TITLES, bare) else { return false };
    let printed = row.text.trim_matches(|c: char| !c.is_alphanumeric());
    rules.add(kind, format!("[{{fill}}][ ]{}[ ][{{fill}}]", literal(printed)));
    true
}

fn counted(row: &Cut, rules: &mut Rules) -> bool {
    let Some((Piece::Number(_), before)) = row.pieces.split_last() else { return false };
    let text: String = before.iter().map(written).collect();
    let label = trimmed(&text);
    let lower = label.to_lowercase();
    let kind = find(COUNT_LABELS, &lower).or_else(|| {
        let (kind, words) = COUNT_LABELS.first()?;
        words.iter().any(|word| lower.ends_with(&format!(" {word}"))).then_some(*kind)
    });
    let Some(kind) = kind.filter(|_| before.iter().all(|piece| matches!(piece, Piece::Text(_)))) else { return false };
    rules.add(kind, format!("{}[:][ ][=] {{count}}", literal(label)));
    true
}

impl Cut {
    /// The row with its numbers as fields, dates and times as such.
    fn pattern(&self, mut number: impl FnMut(usize) -> &'static str) -> String {
        let mut out = String::new();
        let mut at = 0;
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => out.push_str(&literal(text)),
                Piece::Number(_) => {
                    out.push_str(number(at));
                    at = at.saturating_add(1);
                }
                Piece::Date => out.push_str("{date}"),
                Piece::Time => out.push_str("{time}"),
                Piece::Amount => out.push_str("{total}"),
            }
        }
        out
    }

    /// The row with its numbers left out.
    fn shape(&self) -> String {
        self.pattern(|_| "#")
    }

    /// Each number with the word in front of it, in lower case.
    fn numbers(&self) -> Vec<(String, &str)> {
        let mut word = String::new();
        let mut found = Vec::new();
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => {
                    let words = text.to_lowercase();
                    let last = words.split(|c: char| !c.is_alphabetic()).rfind(|word| !word.is_empty());
                    last.unwrap_or_default().clone_into(&mut word);
                }
                Piece::Number(digits) => found.push((word.clone(), digits.as_str())),
                Piece::Date | Piece::Time | Piece::Amount => word.clear(),
            }
        }
        found
    }
}

/// Where the ticket number stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NumberPlace {
    shape: String,
    index: usize,
}

/// What stands at one place of rows of one shape.
#[derive(Default)]
struct Place<'a> {
    /// Tickets that have such a row.
    on: BTreeSet<usize>,
    values: BTreeSet<&'a str>,
    /// The word in front says that it is a ticket number.
    named: bool,
    /// In the order of the tickets.
    numbers: Vec<u64>,
}

/// The place whose number differs on every ticket, best behind a word that says so.
pub(super) fn number_place(tickets: &[Vec<Cut>]) -> Option<NumberPlace> {
    let mut places: BTreeMap<(String, usize), Place<'_>> = BTreeMap::new();
    for (ticket, rows) in tickets.iter().enumerate() {
        for row in rows.iter().filter(|row| row.has_number() && !row.has(&Piece::Amount)) {
            for (index, (word, digits)) in row.numbers().into_iter().enumerate() {
                let place = places.entry((row.shape(), index)).or_default();
                place.on.insert(ticket);
                place.values.insert(digits);
                place.named = NUMBER_WORDS.contains(&word.as_str());
                place.numbers.extend(digits.parse::<u64>().ok());
            }
        }
    }
    let common = |found: usize| found.saturating_mul(100) >= tickets.len().saturating_mul(COMMON_PERCENT);
    let best = places
        .iter()
        .filter(|(_, place)| {
            let (on, values) = (place.on.len(), place.values.len());
            // A place without a word must differ everywhere, and on enough tickets for that to mean something.
            let differs = if place.named { values.saturating_mul(2) > on } else { values == on && on >= 3 };
            common(on) && differs
        })
        .max_by_key(|((shape, index), place)| {
            let (on, values) = (place.on.len(), place.values.len());
            let first = std::cmp::Reverse((shape.clone(), *index));
            (place.named && values == on, place.numbers.is_sorted(), place.named, values, first)
        })?;
    let ((shape, index), _) = best;
    Some(NumberPlace { shape: shape.clone(), index: *index })
}

/// Rows with the ticket number, the register, dates and times.
pub(super) fn heads(tickets: &[Vec<Cut>], place: Option<&NumberPlace>, rules: &mut Rules) {
    let mut by_shape: BTreeMap<String, (&Cut, BTreeSet<usize>)> = BTreeMap::new();
    for (ticket, rows) in tickets.iter().enumerate() {
        for row in rows.iter().filter(|row| !row.has(&Piece::Amount)) {
            by_shape.entry(row.shape()).or_insert_with(|| (row, BTreeSet::new())).1.insert(ticket);
        }
    }
    let common = |found: usize| found.saturating_mul(100) >= tickets.len().saturating_mul(COMMON_PERCENT);
    for (shape, (row, _)) in by_shape.iter().filter(|(_, (_, on))| common(on.len())) {
        let numbers = row.numbers();
        let is_number = |index: usize| place.is_some_and(|place| place.shape == *shape && place.index == index);
        let is_register = |index: usize| {
            numbers.get(index).is_some_and(|(word, _)| REGISTER_WORDS.contains(&word.as_str())) && !is_number(index)
        };
        let matters = row.has(&Piece::Date)
            || row.has(&Piece::Time)
            || (0..numbers.len()).any(|i| is_number(i) || is_register(i));
        let registers = (0..numbers.len()).filter(|index| is_register(*index)).count();
        if matters {
            let mut taken = 0;
            let pattern = row.pattern(|index| {
                if is_number(index) {
                    "{number}"
                } else if is_register(index) {
                    taken += 1;
                    // The last one is the drawer or register, those before it the station.
                    if taken == registers { "{register}" } else { "{_}" }
                } else {
                    "{_}"
                }
            });
            rules.add(RowKind::Head, pattern);
        }
    }
    let dated = tickets.iter().flatten().any(|row| row.has(&Piece::Date));
    if dated {
        rules.add(RowKind::Head, "[{_} ]{date}[ {_}][ {time}][ {_}]".to_owned());
    }
}

/// Rows that stand on most tickets above the first line or below the payment: the shop's name, thanks, adverts.
pub(super) fn frames(tickets: &[Vec<Cut>], rules: &mut Rules) {
    rules.add(RowKind::Ignore, "{fill}".to_owned());
    let mut on: BTreeMap<&str, BTreeSet<usize>> = BTreeMap::new();
    for (ticket, rows) in tickets.iter().enumerate() {
        let first = rows.iter().position(|row| row.has(&Piece::Amount)).unwrap_or(rows.len());
        let last = rows.iter().rposition(|row| row.has(&Piece::Amount)).unwrap_or(0);
        for (at, row) in rows.iter().enumerate() {
            let outside = at < first || at > last;
            let plain = row.pieces.iter().all(|piece| matches!(piece, Piece::Text(_) | Piece::Number(_)));
            if outside && plain && !scrub::is_private(&row.text) && row.text.chars().any(char::is_alphabetic) {
                on.entry(row.text.as_str()).or_default().insert(ticket);
            }
        }
    }
    let needed = tickets.len().saturating_mul(COMMON_PERCENT).div_ceil(100).max(2);
    for (text, _) in on.iter().filter(|(_, on)| on.len() >= needed) {
        rules.add(RowKind::Ignore, literal(text));
    }
}

/// Where each ticket of a journal ends: behind the row with the ticket number. `None` if that is not after the totals.
pub(super) fn split_journal(rows: &[Cut]) -> Option<Vec<Vec<Cut>>> {
    let is_total = |row: &Cut| {
        row.label().is_some_and(|(label, _)| find(AMOUNT_LABELS, &label.to_lowercase()) == Some(RowKind::Total))
    };
    let totals = rows.iter().filter(|row| is_total(row)).count();
    if totals < 2 {
        return None;
    }
    let mut shapes: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.has_number() && !row.has(&Piece::Amount)) {
        let last = row.numbers().last().and_then(|(_, digits)| digits.parse::<u64>().ok());
        shapes.entry(row.shape()).or_default().extend(last);
    }
    let fits = |values: &Vec<u64>| {
        let apart = values.len().abs_diff(totals);
        values.is_sorted_by(|a, b| a < b) && apart.saturating_mul(4) <= totals && values.len() >= 2
    };
    let (end, _) = shapes
        .iter()
        .filter(|(_, values)| fits(values))
        .max_by_key(|(shape, values)| (values.len(), std::cmp::Reverse((*shape).clone())))?;
    let mut tickets = vec![Vec::new()];
    for row in rows {
        let ends = row.shape() == *end;
        if let Some(ticket) = tickets.last_mut() {
            ticket.push(row.clone());
        }
        if ends {
            tickets.push(Vec::new());
        }
    }
    tickets.retain(|ticket| !ticket.is_empty());
    Some(tickets)
}
