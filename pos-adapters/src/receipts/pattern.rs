//! The pattern language of receipt templates: what a row must look like, and which parts of it are what. Pure.
//!
//! ```text
//! TOTAL            these letters, in any case          {name}           a part of the row, by its meaning
//! one blank        one or more blanks                  {name:20}        exactly 20 columns
//! [ … ]            may be missing                      {name:3-20}      3 to 20 characters
//! (A|B)            one of these                        \{ \[ \( \|      the character itself
//! ```
//! Texts take as little as possible and are tried longer until the rest fits; numbers and dates are taken whole. A row
//! fits only as a whole, without the blanks at its ends. With `columns` blanks count: the row is not trimmed, a blank in
//! the pattern is exactly one, and what the row lacks at its end is blank.

use std::fmt;

use sync_core::model::Quantity;

use super::figures::{NumberFormat, NumberKind, PrintedDateOrder, take_date, take_number, take_time};

/// Longest pattern, characters.
const PATTERN_CHARS_MAX: usize = 400;
/// Deepest nesting of `[` and `(`.
const DEPTH_MAX: usize = 8;
/// Longest row that is looked at, characters; a printer's row has at most some 80.
pub(super) const ROW_CHARS_MAX: usize = 256;
/// Steps after which a pattern does not fit: keeps a hostile row from costing more than a moment.
const STEPS_MAX: u32 = 4_000;

/// What a part of a row means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Field {
    Name,
    Sku,
    Quantity,
    Weight,
    Unit,
    Price,
    Amount,
    Flag,
    Number,
    Register,
    Date,
    Time,
    Count,
    Total,
    Fill,
    Percent,
    Any,
}

const FIELDS: [(&str, Field); 17] = [
    ("name", Field::Name),
    ("sku", Field::Sku),
    ("qty", Field::Quantity),
    ("weight", Field::Weight),
    ("unit", Field::Unit),
    ("price", Field::Price),
    ("amount", Field::Amount),
    ("flag", Field::Flag),
    ("number", Field::Number),
    ("register", Field::Register),
    ("date", Field::Date),
    ("time", Field::Time),
    ("count", Field::Count),
    ("total", Field::Total),
    ("fill", Field::Fill),
    ("percent", Field::Percent),
    ("_", Field::Any),
];

#[derive(Debug, Clone, PartialEq, Eq)]
enum Node {
    Literal(char),
    Blank,
    Field { field: Field, min: usize, max: usize },
    Optional(Vec<Self>),
    Either(Vec<Vec<Self>>),
}

/// A checked pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pattern {
    nodes: Vec<Node>,
    columns: bool,
    open_end: bool,
}

/// What a fitting row said.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Captures {
    pub(super) name: Option<String>,
    pub(super) sku: Option<String>,
    pub(super) quantity: Option<Quantity>,
    pub(super) unit: Option<String>,
    pub(super) price: Option<Quantity>,
    pub(super) amount: Option<Quantity>,
    pub(super) flag: Option<String>,
    pub(super) number: Option<String>,
    pub(super) register: Option<String>,
    pub(super) date: Option<jiff::civil::Date>,
    pub(super) time: Option<jiff::civil::Time>,
    pub(super) count: Option<Quantity>,
    pub(super) total: Option<Quantity>,
}

/// Why a text is not a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PatternFault(String);

impl fmt::Display for PatternFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How numbers and dates of the row are written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Writing<'a> {
    pub(super) numbers: &'a NumberFormat,
    pub(super) dates: PrintedDateOrder,
}

impl Pattern {
    /// Checks a pattern. With `columns` blanks count.
    pub(super) fn parse(text: &str, columns: bool) -> Result<Self, PatternFault> {
        let fault = |message: &str| PatternFault(format!("`{text}` {message}"));
        let chars: Vec<char> = text.chars().collect();
        if chars.len() > PATTERN_CHARS_MAX {
            return Err(fault("is too long"));
        }
        let mut source = Source { chars: &chars, at: 0, columns };
        let nodes = source.sequence(0).map_err(|message| fault(&message))?;
        if source.at < chars.len() {
            return Err(fault("closes a bracket that was not opened"));
        }
        if nodes.is_empty() {
            return Err(fault("is empty"));
        }
        Ok(Self { nodes, columns, open_end: false })
    }

    /// The same pattern for the start of a row, whatever follows.
    pub(super) fn into_prefix(mut self) -> Self {
        self.open_end = true;
        self
    }

    /// The fields that it may fill.
    pub(super) fn fields(&self) -> Vec<Field> {
        fn gather(nodes: &[Node], into: &mut Vec<Field>) {
            for node in nodes {
                match node {
                    Node::Field { field, .. } => into.push(*field),
                    Node::Optional(inner) => gather(inner, into),
                    Node::Either(branches) => branches.iter().for_each(|branch| gather(branch, into)),
                    Node::Literal(_) | Node::Blank => {}
                }
            }
        }
        let mut fields = Vec::new();
        gather(&self.nodes, &mut fields);
        fields
    }

    /// Reads a row; how much of it was taken (all of it unless a prefix), and what it says.
    pub(super) fn read(&self, row: &[char], writing: Writing<'_>) -> Option<(usize, Captures)> {
        if row.len() > ROW_CHARS_MAX {
            return None;
        }
        let blank = |c: &char| *c == ' ';
        let start = if self.columns { 0 } else { row.iter().take_while(|c| blank(c)).count() };
        let end = row.len().saturating_sub(row.iter().rev().take_while(|c| blank(c)).count());
        let row = row.get(..end)?;
        let mut reading = Reading {
            row,
            writing,
            columns: self.columns,
            open_end: self.open_end,
            steps: 0,
            found: Vec::new(),
            end: 0,
        };
        if !reading.rest(Rest { nodes: &self.nodes, then: None }, start) {
            return None;
        }
        let mut captures = Captures::default();
        for (field, from, to) in &reading.found {
            store(&mut captures, *field, row, *from, *to, writing);
        }
        Some((reading.end, captures))
    }
}

struct Source<'a> {
    chars: &'a [char],
    at: usize,
    columns: bool,
}

impl Source<'_> {
    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn sequence(&mut self, depth: usize) -> Result<Vec<Node>, String> {
        if depth > DEPTH_MAX {
            return Err("is nested too deep".to_owned());
        }
        let mut nodes = Vec::new();
        while let Some(c) = self.peek() {
            match c {
                ']' | ')' | '|' if depth > 0 => break,
                ']' | ')' | '}' => {
                    return Err(format!("has a `{c}` without its opening; write `\\{c}` for the character"));
                }
                '{' => nodes.push(self.field()?),
                '[' => {
                    self.at = self.at.saturating_add(1);
                    let inner = self.sequence(depth.saturating_add(1))?;
                    self.close(']')?;
                    nodes.push(Node::Optional(inner));
                }
                '(' => nodes.push(self.either(depth)?),
                ' ' => {
                    self.at = self.at.saturating_add(1);
                    if self.columns || nodes.last() != Some(&Node::Blank) {
                        nodes.push(Node::Blank);
                    }
                }
                '\\' => {
                    self.at = self.at.saturating_add(1);
                    let c = self.peek().ok_or("ends with a `\\`")?;
                    self.at = self.at.saturating_add(1);
                    nodes.push(Node::Literal(c));
                }
                c => {
                    self.at = self.at.saturating_add(1);
                    nodes.push(Node::Literal(c));
                }
            }
        }
        Ok(nodes)
    }

    fn close(&mut self, wanted: char) -> Result<(), String> {
        if self.peek() != Some(wanted) {
            return Err(format!("lacks a `{wanted}`"));
        }
        self.at = self.at.saturating_add(1);
        Ok(())
    }

    fn either(&mut self, depth: usize) -> Result<Node, String> {
        let mut branches = Vec::new();
        loop {
            self.at = self.at.saturating_add(1);
            branches.push(self.sequence(depth.saturating_add(1))?);
            if self.peek() != Some('|') {
                break;
            }
        }
        self.close(')')?;
        Ok(Node::Either(branches))
    }

    fn field(&mut self) -> Result<Node, String> {
        self.at = self.at.saturating_add(1);
        let inner: String = self.chars.iter().skip(self.at).take_while(|c| **c != '}').collect();
        self.at = self.at.saturating_add(inner.chars().count());
        self.close('}')?;
        let (name, width) = inner.split_once(':').map_or((inner.as_str(), None), |(name, width)| (name, Some(width)));
        let field = FIELDS.iter().find(|(word, _)| *word == name).map(|(_, field)| *field).ok_or_else(|| {
            let known: Vec<&str> = FIELDS.iter().map(|(word, _)| *word).collect();
            format!("has `{{{name}}}`, which is none of {}", known.join(", "))
        })?;
        let number = |text: &str| {
            text.trim()
                .parse::<usize>()
                .ok()
                .filter(|n| (1..=ROW_CHARS_MAX).contains(n))
                .ok_or_else(|| format!("has a width `{text}` that is not 1 to {ROW_CHARS_MAX}"))
        };
        let (min, max) = match width {
            None => (1, usize::MAX),
            Some(width) => match width.split_once('-') {
                Some((min, max)) => (number(min)?, number(max)?),
                None => (number(width)?, number(width)?),
            },
        };
        if min > max {
            return Err(format!("has a width `{min}-{max}` that is upside down"));
        }
        Ok(Node::Field { field, min, max })
    }
}

/// What is still to be matched: these nodes, then those of the bracket around them.
#[derive(Clone, Copy)]
struct Rest<'a> {
    nodes: &'a [Node],
    then: Option<&'a Rest<'a>>,
}

struct Reading<'a> {
    row: &'a [char],
    writing: Writing<'a>,
    columns: bool,
    open_end: bool,
    steps: u32,
    found: Vec<(Field, usize, usize)>,
    end: usize,
}

impl Reading<'_> {
    fn rest(&mut self, rest: Rest<'_>, at: usize) -> bool {
        self.steps = self.steps.saturating_add(1);
        if self.steps > STEPS_MAX {
            return false;
        }
        let Some((node, nodes)) = rest.nodes.split_first() else {
            return match rest.then {
                Some(then) => self.rest(*then, at),
                None => self.ends(at),
            };
        };
        let next = Rest { nodes, then: rest.then };
        match node {
            Node::Literal(wanted) => self.is_same(at, *wanted) && self.rest(next, at.saturating_add(1)),
            Node::Blank => self.blank(next, at),
            Node::Optional(inner) => self.attempt(Rest { nodes: inner, then: Some(&next) }, at) || self.rest(next, at),
            Node::Either(branches) => {
                branches.iter().any(|branch| self.attempt(Rest { nodes: branch, then: Some(&next) }, at))
            }
            Node::Field { field, min, max } => self.field(*field, *min, *max, next, at),
        }
    }

    fn ends(&mut self, at: usize) -> bool {
        self.end = at.min(self.row.len());
        self.open_end || at >= self.row.len()
    }

    fn attempt(&mut self, rest: Rest<'_>, at: usize) -> bool {
        let before = self.found.len();
        let fits = self.rest(rest, at);
        if !fits {
            self.found.truncate(before);
        }
        fits
    }

    fn is_same(&self, at: usize, wanted: char) -> bool {
        self.row.get(at).is_some_and(|found| *found == wanted || found.to_lowercase().eq(wanted.to_lowercase()))
    }

    fn blank(&mut self, next: Rest<'_>, at: usize) -> bool {
        if self.columns {
            return self.row.get(at).is_none_or(|c| *c == ' ') && self.rest(next, at.saturating_add(1));
        }
        let blanks = self.row.iter().skip(at).take_while(|c| **c == ' ').count();
        let at_gap = blanks > 0 || at == 0 || at.checked_sub(1).is_some_and(|i| self.row.get(i) == Some(&' '));
        (at_gap || at >= self.row.len()) && self.rest(next, at.saturating_add(blanks))
    }

    fn field(&mut self, field: Field, min: usize, max: usize, next: Rest<'_>, at: usize) -> bool {
        if self.columns && min == max {
            return self.column(field, min, next, at);
        }
        for length in self.lengths(field, at) {
            if length < min || length > max {
                continue;
            }
            let end = at.saturating_add(length);
            let before = self.found.len();
            self.found.push((field, at, end));
            if self.rest(next, end) {
                return true;
            }
            self.found.truncate(before);
            if self.steps > STEPS_MAX {
                return false;
            }
        }
        false
    }

    /// A part of a fixed width: blank parts say nothing, a number must fill its part but for blanks.
    fn column(&mut self, field: Field, width: usize, next: Rest<'_>, at: usize) -> bool {
        let end = at.saturating_add(width).min(self.row.len());
        let start = at.min(end);
        let part = self.row.get(start..end).unwrap_or_default();
        let left = part.iter().take_while(|c| **c == ' ').count();
        let right = part.iter().rev().take_while(|c| **c == ' ').count();
        let before = self.found.len();
        if left < part.len() {
            let (from, to) = (start.saturating_add(left), end.saturating_sub(right));
            let wants_whole = !matches!(field, Field::Name | Field::Any | Field::Flag | Field::Fill);
            if wants_whole && !self.lengths(field, from).contains(&to.saturating_sub(from)) {
                return false;
            }
            self.found.push((field, from, to));
        } else if !matches!(field, Field::Flag | Field::Any | Field::Fill) {
            return false;
        }
        if self.rest(next, at.saturating_add(width)) {
            return true;
        }
        self.found.truncate(before);
        false
    }

    /// How long the field may be at this place, in the order in which to try.
    fn lengths(&self, field: Field, at: usize) -> Vec<usize> {
        let here = self.row.get(at..).unwrap_or_default();
        let run = |wanted: &dyn Fn(char) -> bool| here.iter().take_while(|c| wanted(**c)).count();
        let down = |longest: usize| (1..=longest).rev().collect::<Vec<_>>();
        let number = |kind| {
            let follows_digit = at
                .checked_sub(1)
                .and_then(|i| self.row.get(i))
                .is_some_and(|c| c.is_ascii_digit() || matches!(c, '.' | ',') && kind != NumberKind::Count);
            if follows_digit {
                return Vec::new();
            }
            take_number(self.row, at, kind, self.writing.numbers).map(|(length, _)| vec![length]).unwrap_or_default()
        };
        match field {
            Field::Name | Field::Any => {
                if here.first().is_none_or(|c| *c == ' ') {
                    return Vec::new();
                }
                (1..=here.len())
                    .filter(|length| length.checked_sub(1).and_then(|i| here.get(i)).is_some_and(|c| *c != ' '))
                    .collect()
            }
            Field::Sku => {
                let longest = run(&|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/'));
                let digit = |length: &usize| here.iter().take(*length).any(char::is_ascii_digit);
                down(longest).into_iter().filter(digit).collect()
            }
            Field::Number => {
                let longest = run(&|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '/' | '.'));
                let digit = |length: &usize| here.iter().take(*length).any(char::is_ascii_digit);
                down(longest).into_iter().filter(digit).collect()
            }
            Field::Register => down(run(&|c| c.is_alphanumeric() || c == '-')),
            Field::Unit => down(run(&|c| c.is_alphabetic()).min(4)),
            Field::Flag => {
                down(run(&|c| c.is_ascii_uppercase() || c.is_ascii_digit() || matches!(c, '*' | '#' | '+')).min(3))
            }
            Field::Fill => down(run(&is_fill)),
            Field::Quantity => number(NumberKind::Quantity),
            Field::Weight => number(NumberKind::Weight),
            Field::Price => number(NumberKind::Price),
            Field::Amount | Field::Total => number(NumberKind::Amount),
            Field::Count => number(NumberKind::Count),
            Field::Percent => number(NumberKind::Quantity),
            Field::Date => {
                take_date(self.row, at, self.writing.dates).map(|(length, _)| vec![length]).unwrap_or_default()
            }
            Field::Time => take_time(self.row, at).map(|(length, _)| vec![length]).unwrap_or_default(),
        }
    }
}

/// Dots, dashes, stars and the lines of boxes.
fn is_fill(c: char) -> bool {
    matches!(
        c,
        '.' | '-' | '_' | '=' | '*' | '#' | '~' | '+' | '|' | '·' | '…' | '\u{2013}' | '\u{2014}' | '\u{2500}'
            ..='\u{259f}'
    )
}

fn store(into: &mut Captures, field: Field, row: &[char], from: usize, to: usize, writing: Writing<'_>) {
    let text = || row.get(from..to).map(|part| part.iter().collect::<String>().trim().to_owned());
    let number = |kind| take_number(row, from, kind, writing.numbers).map(|(_, value)| value);
    match field {
        Field::Name => into.name = text(),
        Field::Sku => into.sku = text(),
        Field::Quantity => into.quantity = number(NumberKind::Quantity),
        Field::Weight => into.quantity = number(NumberKind::Weight),
        Field::Unit => into.unit = text(),
        Field::Price => into.price = number(NumberKind::Price),
        Field::Amount => into.amount = number(NumberKind::Amount),
        Field::Flag => into.flag = text(),
        Field::Number => into.number = text(),
        Field::Register => into.register = text(),
        Field::Date => into.date = take_date(row, from, writing.dates).map(|(_, date)| date),
        Field::Time => into.time = take_time(row, from).map(|(_, time)| time),
        Field::Count => into.count = number(NumberKind::Count),
        Field::Total => into.total = number(NumberKind::Amount),
        Field::Fill | Field::Percent | Field::Any => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_taken_apart_by_what_stands_in_it() {
        let found = read("{name} {qty} {amount}", "BUD ICE 25 FL OZ   1     1.85").unwrap();
        assert_eq!(
            (found.name.as_deref(), text(found.quantity), text(found.amount)),
            (Some("BUD ICE 25 FL OZ"), "1".to_owned(), "1.85".to_owned())
        );
        let found = read("[{qty} (x|@) {price} ]{name} {amount}[ {flag}]", "2 x 1.29 Brot 2.58 A").unwrap();
        assert_eq!(
            (found.name.as_deref(), text(found.price), found.flag.as_deref()),
            (Some("Brot"), "1.29".to_owned(), Some("A"))
        );
        let found = read("{weight} {unit} @ {price}/{_} {amount}", "0.42 kg @ 2.99/kg 1.26").unwrap();
        assert_eq!((text(found.quantity), found.unit.as_deref()), ("0.42".to_owned(), Some("kg")));
        let found = read("ST#{register} DR#{_} TRAN#{number}", "ST#1       DR#1 TRAN#1028363").unwrap();
        assert_eq!((found.register.as_deref(), found.number.as_deref()), (Some("1"), Some("1028363")));
        assert!(read("(TOTAL|SUMME) {amount}", "total 3.99").is_some());
        assert!(read("TOTAL {amount}", "SUBTOTAL 3.99").is_none());
        assert!(read("TOTAL {amount}", "TOTAL 3.99 !").is_none());
        assert!(read("{name} {fill} {amount}", "Flat white ....... 4.20").is_some());
    }

    #[test]
    fn columns_keep_names_with_numbers_apart() {
        let pattern = Pattern::parse("{flag:2} {name:20}{qty:4}{amount:12}", true).unwrap();
        let row: Vec<char> = "   JURASSIC PARK $200,0   2       10.00 ".chars().collect();
        let numbers = NumberFormat::default();
        let (_, found) = pattern.read(&row, Writing { numbers: &numbers, dates: PrintedDateOrder::Mdy }).unwrap();
        assert_eq!(
            (found.name.as_deref(), text(found.quantity), found.flag),
            (Some("JURASSIC PARK $200,0"), "2".to_owned(), None)
        );
    }

    #[test]
    fn wrong_patterns_say_what_is_wrong() {
        for (pattern, word) in [
            ("{nme}", "none of"),
            ("[{name}", "lacks a `]`"),
            ("(A|B", "lacks a `)`"),
            ("{name:0}", "width"),
            ("a)", "opening"),
            ("", "empty"),
            ("{name", "lacks a `}`"),
        ] {
            let fault = Pattern::parse(pattern, false).unwrap_err().to_string();
            assert!(fault.contains(word), "{pattern}: {fault}");
        }
    }

    #[test]
    fn a_hostile_row_costs_no_more_than_a_moment() {
        let pattern = Pattern::parse("{name}[ {name}][ {name}][ {name}][ {name}] X", false).unwrap();
        let row: Vec<char> = "a ".repeat(120).chars().collect();
        let numbers = NumberFormat::default();
        assert!(pattern.read(&row, Writing { numbers: &numbers, dates: PrintedDateOrder::Dmy }).is_none());
    }

    fn text(value: Option<Quantity>) -> String {
        value.map(|value| value.to_string()).unwrap_or_default()
    }

    fn read(pattern: &str, row: &str) -> Option<Captures> {
        let row: Vec<char> = row.chars().collect();
        let numbers = NumberFormat::default();
        let writing = Writing { numbers: &numbers, dates: PrintedDateOrder::Dmy };
        Pattern::parse(pattern, false).unwrap().read(&row, writing).map(|(_, captures)| captures)
    }
}
