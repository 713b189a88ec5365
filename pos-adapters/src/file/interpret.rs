//! Records of one file turned into ticket lines. Pure: bytes and what is known of the file in, lines or reasons out.
//!
//! What holds for a whole file (encoding, delimiter, columns, decimal sign, date order) is decided once, kept in
//! [`Facts`], and never decided again from a single row.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sync_core::model::{LineItem, LineKind, Quantity, RuleName, Sku, Timestamp, TransactionStatus};

use super::cells::{Cell, Cells};
use super::csv::{self, Field, Layout};
use super::decode::{self, Encoding};
use super::frame::{self, Delimiters, Frame, Framing, LineEnd};
use super::json::{self, Paths};
use super::plan::{Plan, Scope};
use super::scrub;
use super::settings::{Format, QuantitySign};
use super::value::{self, DayOrder, DecimalSign, NumberFault, StoreClock, TimeFault, unwrap_cell};

/// What was decided about one file; part of its cursor.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Facts {
    /// Label of the encoding; `None` while everything was ASCII.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) encoding: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) line_end: Option<LineEnd>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) delimiter: Option<u8>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) header: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) decimal: Option<DecimalSign>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) date_order: Option<DayOrder>,
    /// A later header of the file does not fit: why; records are set aside until one fits again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) lost: Option<String>,
}

/// What all lines of a ticket share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head<'a> {
    pub(super) key: &'a str,
    pub(super) register: &'a str,
    pub(super) sold_at: Option<Timestamp>,
    pub(super) status: TransactionStatus,
    pub(super) online_order: Option<&'a str>,
}

/// Receives what was read, in the order of the file.
pub(super) trait Sink {
    /// One line of a ticket that others may continue; with its number if the source has one.
    fn line(&mut self, head: Head<'_>, line: LineItem, number: Option<i64>);
    /// A whole ticket.
    fn ticket(&mut self, head: Head<'_>, lines: Vec<LineItem>);
    /// A record left out by a named rule.
    fn dropped(&mut self, key: &str, rule: &str);
    /// A record that is no line; `key` is empty if it could not be read.
    fn faulty(&mut self, key: &str, reason: String, raw: String);
}

/// What became of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Done,
    /// It spans several lines and is no record as a whole: a stray quote. Nothing was given to the sink.
    Resync,
    /// It hinges on the decimal sign or date order of the file, which is not decided: look at more records first.
    Undecided,
}

/// Votes on what holds for the whole file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Evidence {
    quantity: Vote<DecimalSign>,
    anywhere: Vote<DecimalSign>,
    order: Vote<DayOrder>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Vote<T> {
    #[default]
    Open,
    For(T),
    Divided,
}

impl<T: PartialEq + Copy> Vote<T> {
    fn cast(&mut self, vote: Option<T>) {
        let Some(vote) = vote else { return };
        *self = match *self {
            Self::Open => Self::For(vote),
            Self::For(before) if before == vote => Self::For(vote),
            Self::For(_) | Self::Divided => Self::Divided,
        };
    }

    fn result(self) -> Option<T> {
        match self {
            Self::For(vote) => Some(vote),
            Self::Open | Self::Divided => None,
        }
    }
}

/// Reads the records of one file. Buffers are reused from record to record.
#[derive(Debug, Clone)]
pub(super) struct Interpreter {
    plan: Arc<Plan>,
    pub(super) facts: Facts,
    encoding: Option<Encoding>,
    layout: Option<Layout>,
    ticket_paths: Paths,
    line_paths: Paths,
    items_slot: usize,
    clock: StoreClock,
    cells: Cells,
    line_cells: Cells,
    fields: Vec<Field>,
    key: String,
    evidence: Evidence,
    /// Every record at hand was surveyed: undecided cells are now read as they stand, or refused.
    pub(super) surveyed: bool,
}

enum Line {
    Item(LineItem),
    Dropped(RuleName),
    Faulty(String),
    Undecided,
}

/// Said of a line that opens a quoted field and is no record.
pub(super) const STRAY_QUOTE: &str = "starts a quoted field that does not end as it should";

const TOTAL_WORDS: [&str; 12] = [
    "total",
    "totals",
    "grand total",
    "subtotal",
    "sum",
    "summe",
    "gesamt",
    "gesamtsumme",
    "totaal",
    "totale",
    "total general",
    "somme",
];

impl Interpreter {
    /// For a file of which `facts` are known.
    pub(super) fn new(plan: Arc<Plan>, facts: Facts) -> Self {
        let (mut ticket_paths, mut line_paths) = (Paths::default(), Paths::default());
        for (at, slot) in plan.slots.iter().enumerate() {
            if slot.scope != Scope::Line {
                ticket_paths.add(&slot.name, at);
            }
            if slot.scope != Scope::Ticket {
                line_paths.add(&slot.name, at);
            }
        }
        let items_slot = plan.slots.len();
        if let Some(items) = &plan.items {
            ticket_paths.add(items, items_slot);
        }
        let encoding =
            plan.encoding.or_else(|| facts.encoding.as_deref().and_then(|label| decode::by_label(label).ok()));
        let layout = facts.delimiter.and_then(|delimiter| match &facts.header {
            Some(header) => Layout::by_name(delimiter, header.clone(), &plan.slots).ok(),
            None if !plan.header => Some(Layout::by_number(delimiter, &plan.slots)),
            None => None,
        });
        let clock = StoreClock::new(plan.zone.clone());
        Self {
            plan,
            facts,
            encoding,
            layout,
            ticket_paths,
            line_paths,
            items_slot,
            clock,
            cells: Cells::default(),
            line_cells: Cells::default(),
            fields: Vec::new(),
            key: String::new(),
            evidence: Evidence::default(),
            surveyed: false,
        }
    }

    /// Takes the columns of a found header.
    pub(super) fn set_layout(&mut self, layout: Layout) {
        self.facts.delimiter = Some(layout.delimiter);
        self.facts.header = self.plan.header.then(|| layout.header.clone());
        self.layout = Some(layout);
    }

    /// The encoding as far as known.
    pub(super) fn encoding(&self) -> Option<Encoding> {
        self.encoding
    }

    pub(super) fn set_encoding(&mut self, encoding: Encoding) {
        if self.plan.encoding.is_none() {
            self.facts.encoding = Some(encoding.label());
            self.encoding = Some(encoding);
        }
    }

    /// How records are found in the (transcoded) bytes.
    pub(super) fn framing(&self) -> Framing {
        let end = self.facts.line_end.unwrap_or(LineEnd::Lf);
        match self.plan.format {
            Format::Csv | Format::Fixed | Format::Dbf | Format::Xlsx => {
                Framing::Quoted(end, self.facts.delimiter.map_or(Delimiters::Usual, Delimiters::One))
            }
            Format::Jsonl => Framing::Lines(end),
            Format::Json => Framing::Elements,
        }
    }

    /// The text of a record. UTF-16 was made UTF-8 before.
    pub(super) fn text<'a>(&mut self, bytes: &'a [u8]) -> std::borrow::Cow<'a, str> {
        if bytes.is_ascii() {
            return String::from_utf8_lossy(bytes);
        }
        match self.encoding {
            Some(encoding) if encoding.is_utf16() => String::from_utf8_lossy(bytes),
            Some(encoding) => encoding.decode(bytes),
            None => {
                let encoding = if std::str::from_utf8(bytes).is_ok() { Encoding::Utf8 } else { decode::LEGACY };
                self.set_encoding(encoding);
                encoding.decode(bytes)
            }
        }
    }

    /// Reads one record.
    pub(super) fn read(&mut self, bytes: &[u8], sink: &mut impl Sink) -> Step {
        let text = self.text(bytes);
        let text = text.trim_start_matches(['\u{1a}', '\u{feff}']);
        if text.is_empty() {
            return Step::Done;
        }
        if text.contains('\0') {
            sink.faulty(
                "",
                "contains zero bytes, as a file has after a power cut".to_owned(),
                scrub::raw(&text.replace('\0', "")),
            );
            return Step::Done;
        }
        match self.plan.format {
            Format::Csv | Format::Fixed | Format::Dbf | Format::Xlsx => self.read_csv(text, sink),
            Format::Jsonl | Format::Json => self.read_json(text, sink),
        }
    }

    fn read_csv(&mut self, text: &str, sink: &mut impl Sink) -> Step {
        let Some(layout) = self.layout.take() else {
            return Step::Done;
        };
        let mut fields = std::mem::take(&mut self.fields);
        csv::split(text, layout.delimiter, &mut fields);
        let outcome = self.csv_record(text, &layout, &fields, sink);
        self.fields = fields;
        self.layout = Some(layout);
        match outcome {
            CsvOutcome::Step(step) => step,
            CsvOutcome::NewHeader(layout) => {
                self.set_layout(*layout);
                Step::Done
            }
        }
    }

    fn csv_record(&mut self, text: &str, layout: &Layout, fields: &[Field], sink: &mut impl Sink) -> CsvOutcome {
        let complete = layout.fill(fields, text, &self.plan.slots, &mut self.cells);
        self.fill_key(text);
        if csv::is_blank(fields, text) {
            sink.dropped("", "blank");
            return CsvOutcome::Step(Step::Done);
        }
        if fields.iter().any(|field| field.is_suspicious(text)) {
            return CsvOutcome::Step(Step::Resync);
        }
        let read = if layout.overflows(fields, text) {
            Line::Faulty("has more fields than the header".to_owned())
        } else if !complete {
            Line::Faulty("has fewer fields than the mapped columns need".to_owned())
        } else if let Some(reason) = &self.facts.lost {
            Line::Faulty(reason.clone())
        } else {
            self.line(text, None)
        };
        let reason = match read {
            Line::Undecided => return CsvOutcome::Step(Step::Undecided),
            Line::Item(item) if !self.key.is_empty() => {
                return CsvOutcome::Step(self.give_line(text, item, sink));
            }
            Line::Dropped(rule) => {
                sink.dropped(&self.key, rule.as_str());
                return CsvOutcome::Step(Step::Done);
            }
            Line::Item(_) => "has no transaction number".to_owned(),
            Line::Faulty(reason) => reason,
        };
        self.csv_fault(text, layout, fields, reason, sink)
    }

    /// A record that is no line: a total row, another header, a stray quote, or a fault to be kept.
    fn csv_fault(
        &mut self,
        text: &str,
        layout: &Layout,
        fields: &[Field],
        reason: String,
        sink: &mut impl Sink,
    ) -> CsvOutcome {
        let first = fields.iter().map(|field| field.text(text)).find(|cell| !unwrap_cell(cell).is_empty());
        let total = first.is_some_and(|cell| {
            TOTAL_WORDS.contains(&unwrap_cell(&cell).trim_end_matches(':').to_lowercase().as_str())
        });
        if total && unwrap_cell(self.cells.get(self.plan.roles.sku, text)).is_empty() {
            sink.dropped("", "total-row");
            return CsvOutcome::Step(Step::Done);
        }
        if memchr::memchr2(b'\n', b'\r', text.as_bytes()).is_some() {
            return CsvOutcome::Step(Step::Resync);
        }
        if layout.resembles_header(fields, text) {
            let names = fields.iter().map(|field| unwrap_cell(&field.text(text)).to_owned()).collect();
            match Layout::by_name(layout.delimiter, names, &self.plan.slots) {
                Ok(layout) => {
                    self.facts.lost = None;
                    sink.dropped("", "repeated-header");
                    return CsvOutcome::NewHeader(Box::new(layout));
                }
                Err(faults) => {
                    self.facts.lost = Some(format!("follows a header that does not fit: {}", faults.join(", ")))
                }
            }
        }
        let raw =
            scrub::fields(&layout.header, fields.iter().map(|field| field.text(text)), char::from(layout.delimiter));
        sink.faulty(&self.key, reason, raw);
        CsvOutcome::Step(Step::Done)
    }

    fn give_line(&mut self, text: &str, item: LineItem, sink: &mut impl Sink) -> Step {
        let Ok(sold_at) = self.sold_at(text) else {
            return Step::Undecided;
        };
        let number = self.plan.roles.line.and_then(|slot| self.cells.get(slot, text).trim().parse().ok());
        sink.line(self.head(text, sold_at), item, number);
        Step::Done
    }

    fn read_json(&mut self, text: &str, sink: &mut impl Sink) -> Step {
        if text.trim_ascii().is_empty() {
            return Step::Done;
        }
        self.cells.clear(self.items_slot.saturating_add(1));
        self.line_cells.clear(self.items_slot);
        if let Err(fault) = json::read(text, &self.ticket_paths, &mut self.cells) {
            sink.faulty("", fault, scrub::raw(text));
            return Step::Done;
        }
        self.fill_key(text);
        if self.key.is_empty() {
            sink.faulty("", "has no transaction number".to_owned(), scrub::raw(text));
            return Step::Done;
        }
        if self.plan.items.is_some() {
            return self.json_ticket(text, sink);
        }
        match self.line(text, None) {
            Line::Item(item) => self.give_line(text, item, sink),
            Line::Undecided => Step::Undecided,
            Line::Dropped(rule) => {
                sink.dropped(&self.key, rule.as_str());
                Step::Done
            }
            Line::Faulty(reason) => {
                sink.faulty(&self.key, reason, scrub::raw(text));
                Step::Done
            }
        }
    }

    /// One object with an array of lines. Faulty lines are set aside one by one, the others make the ticket.
    fn json_ticket(&mut self, text: &str, sink: &mut impl Sink) -> Step {
        let Ok(sold_at) = self.sold_at(text) else {
            return Step::Undecided;
        };
        let elements = match self.cells.cell(self.items_slot) {
            Cell::Record(start, end) if start < end => json::elements(text, start, end),
            Cell::Record(..) | Cell::Absent | Cell::Rewritten(..) => Err("has no array of lines".to_owned()),
        };
        let elements = match elements {
            Ok(elements) => elements,
            Err(fault) => {
                sink.faulty(&self.key, fault, scrub::raw(text));
                return Step::Done;
            }
        };
        let mut lines: Vec<(i64, LineItem)> = Vec::with_capacity(elements.len());
        let mut aside: Vec<(Line, &str)> = Vec::new();
        for (start, end) in elements {
            let element = text.get(start..end).unwrap_or_default();
            self.line_cells.clear(self.items_slot);
            let read = match json::read(element, &self.line_paths, &mut self.line_cells) {
                Ok(()) => self.line(text, Some(element)),
                Err(fault) => Line::Faulty(fault),
            };
            match read {
                Line::Item(item) => {
                    let number =
                        self.plan.roles.line.and_then(|slot| self.line_cells.get(slot, element).trim().parse().ok());
                    lines.push((number.unwrap_or(0), item));
                }
                Line::Undecided => return Step::Undecided,
                Line::Dropped(_) | Line::Faulty(_) => aside.push((read, element)),
            }
        }
        lines.sort_by_key(|(number, _)| *number);
        for (read, element) in aside {
            match read {
                Line::Faulty(reason) => sink.faulty(&self.key, reason, scrub::raw(element)),
                Line::Dropped(rule) => sink.dropped(&self.key, rule.as_str()),
                Line::Item(_) | Line::Undecided => {}
            }
        }
        sink.ticket(self.head(text, sold_at), lines.into_iter().map(|(_, line)| line).collect());
        Step::Done
    }

    fn head<'a>(&'a self, text: &'a str, sold_at: Option<Timestamp>) -> Head<'a> {
        let roles = &self.plan.roles;
        let status = roles.status.map_or("", |slot| unwrap_cell(self.cells.get(slot, text)));
        Head {
            key: &self.key,
            register: roles.register.map_or("", |slot| unwrap_cell(self.cells.get(slot, text))),
            sold_at,
            online_order: roles
                .online_order
                .map(|slot| unwrap_cell(self.cells.get(slot, text)).trim())
                .filter(|order| !order.is_empty()),
            status: if status.is_empty() {
                TransactionStatus::Completed
            } else if self.plan.cancelled.contain(status) {
                TransactionStatus::Cancelled
            } else if self.plan.suspended.contain(status) {
                TransactionStatus::Suspended
            } else if self.plan.training.contain(status) {
                TransactionStatus::Training
            } else {
                TransactionStatus::Completed
            },
        }
    }

    /// Joins the parts of the key; empty if all are empty or one is damaged.
    fn fill_key(&mut self, text: &str) {
        self.key.clear();
        let mut any = false;
        for (at, slot) in self.plan.roles.key.iter().enumerate() {
            let part = unwrap_cell(self.cells.get(*slot, text));
            if at > 0 {
                self.key.push('|');
            }
            any |= !part.is_empty();
            self.key.push_str(part);
        }
        if !any || self.key.contains(char::REPLACEMENT_CHARACTER) {
            self.key.clear();
        }
    }

    fn value<'a>(&'a self, slot: usize, text: &'a str, element: Option<&'a str>) -> &'a str {
        let raw = match element {
            Some(element) if self.line_cells.cell(slot) != Cell::Absent => self.line_cells.get(slot, element),
            Some(_) | None => self.cells.get(slot, text),
        };
        unwrap_cell(raw)
    }

    /// Reads what one line does to stock. `element` is the line within a JSON ticket.
    fn line(&self, text: &str, element: Option<&str>) -> Line {
        let plan = &*self.plan;
        let ignored = plan
            .filters
            .iter()
            .find(|filter| filter.matches(self.value(filter.slot, text, element)))
            .map(|f| f.rule.clone());
        let sku = self.value(plan.roles.sku, text, element);
        if let Some(rule) = ignored {
            if sku.is_empty() {
                return Line::Dropped(rule);
            }
            let delta = self
                .quantity(self.value(plan.roles.quantity, text, element))
                .ok()
                .and_then(|q| self.signed(q, text, element).ok());
            let (delta, kind) = delta.unwrap_or((Quantity::ZERO, LineKind::Sale));
            return Line::Item(LineItem { sku: Sku::from(sku), delta, kind, ignored: Some(rule) });
        }
        if sku.is_empty() {
            return Line::Faulty(format!("has no article number{}", self.named(text, element)));
        }
        if sku.contains(char::REPLACEMENT_CHARACTER) {
            return Line::Faulty(format!("article number `{sku}` is damaged: check `encoding`"));
        }
        if value::is_spreadsheet_exponent(sku) {
            return Line::Faulty(format!(
                "article number `{sku}` was rounded by a spreadsheet, its digits are lost: export again without opening it there"
            ));
        }
        let amount = match self.quantity(self.value(plan.roles.quantity, text, element)) {
            Ok(amount) => amount,
            Err(None) => return Line::Undecided,
            Err(Some(reason)) => return Line::Faulty(reason),
        };
        match self.signed(amount, text, element) {
            Ok((delta, kind)) => Line::Item(LineItem { sku: Sku::from(sku), delta, kind, ignored: None }),
            Err(reason) => Line::Faulty(reason),
        }
    }

    fn named(&self, text: &str, element: Option<&str>) -> String {
        let name = self.plan.roles.name.map_or("", |slot| self.value(slot, text, element));
        if name.is_empty() { String::new() } else { format!(" (`{name}`)") }
    }

    /// `Err(None)` while the file's decimal sign is not decided.
    fn quantity(&self, cell: &str) -> Result<Quantity, Option<String>> {
        let json = self.plan.format != Format::Csv;
        let sign = self.plan.decimal.or(self.facts.decimal).or(json.then_some(DecimalSign::Point));
        let fallback = match (value::quantity(cell, sign), self.facts.delimiter) {
            (Ok(amount), _) => return Ok(amount),
            (Err(NumberFault::Unreadable(reason)), _) => return Err(Some(reason)),
            (Err(NumberFault::Ambiguous), _) if !self.surveyed => return Err(None),
            (Err(NumberFault::Ambiguous), _) if cell.contains('.') => DecimalSign::Point,
            // Where lists are separated by semicolons, the comma is the decimal sign.
            (Err(NumberFault::Ambiguous), Some(b';')) => DecimalSign::Comma,
            (Err(NumberFault::Ambiguous), _) => {
                return Err(Some(format!(
                    "`{cell}` may be a thousand or have decimals: set `decimal` for this source"
                )));
            }
        };
        value::quantity(cell, Some(fallback)).map_err(|_| Some(format!("`{cell}` is not a quantity")))
    }

    /// The stock change and kind of a line.
    fn signed(&self, amount: Quantity, text: &str, element: Option<&str>) -> Result<(Quantity, LineKind), String> {
        let signs = &self.plan.signs;
        let word = self.plan.roles.kind.map_or("", |slot| self.value(slot, text, element));
        let named = [
            (&signs.sale, LineKind::Sale),
            (&signs.returned, LineKind::Return),
            (&signs.receipt, LineKind::Receipt),
            (&signs.adjustment, LineKind::Adjustment),
        ]
        .into_iter()
        .find(|(words, _)| !words.is_empty() && words.contain(word))
        .map(|(_, kind)| kind);
        let worded = ![&signs.sale, &signs.returned, &signs.receipt, &signs.adjustment]
            .into_iter()
            .all(super::plan::Words::is_empty);
        if worded && named.is_none() {
            return Err(format!(
                "kind `{word}` is not listed in `signs`: list it, or leave such lines out with an ignore rule"
            ));
        }
        let by_sign = |negative| {
            if negative { LineKind::Return } else { LineKind::Sale }
        };
        Ok(match signs.quantity {
            QuantitySign::Signed => {
                let kind = named.unwrap_or_else(|| by_sign(amount.is_negative()));
                match kind {
                    LineKind::Sale | LineKind::Return => (amount.negated(), kind),
                    LineKind::Receipt | LineKind::Adjustment => (amount, kind),
                }
            }
            QuantitySign::ByKind => match named {
                Some(kind @ LineKind::Sale) => (amount.magnitude().negated(), kind),
                Some(kind @ (LineKind::Return | LineKind::Receipt)) => (amount.magnitude(), kind),
                Some(kind @ LineKind::Adjustment) => (amount, kind),
                None => return Err(format!("kind `{word}` is not listed in `signs`")),
            },
            QuantitySign::Stock => (amount, named.unwrap_or_else(|| by_sign(!amount.is_negative()))),
        })
    }

    /// `Err` while the file's date order is not decided.
    fn sold_at(&mut self, text: &str) -> Result<Option<Timestamp>, ()> {
        let roles = &self.plan.roles;
        let order = self.plan.date_order.or(self.facts.date_order);
        let cell = |slot| unwrap_cell(self.cells.get(slot, text));
        let read = match (roles.sold_at, roles.date) {
            (Some(slot), _) => value::moment(cell(slot), order),
            (None, Some(date)) => value::moment_of(cell(date), roles.time.map_or("", cell), order),
            (None, None) => return Ok(None),
        };
        match read {
            Ok(moment) => Ok(self.clock.utc(moment)),
            Err(TimeFault::NeedsOrder(..)) if !self.surveyed => Err(()),
            Err(TimeFault::NeedsOrder(..) | TimeFault::Unreadable) => Ok(None),
        }
    }

    /// Notes what a record tells about the whole file.
    pub(super) fn survey(&mut self, bytes: &[u8]) {
        let text = self.text(bytes);
        let mut evidence = self.evidence;
        if self.plan.format == Format::Csv {
            let Some(layout) = self.layout.take() else {
                return;
            };
            let mut fields = std::mem::take(&mut self.fields);
            csv::split(&text, layout.delimiter, &mut fields);
            layout.fill(&fields, &text, &self.plan.slots, &mut self.cells);
            for field in &fields {
                evidence.anywhere.cast(value::decimal_evidence(unwrap_cell(&field.text(&text))));
            }
            evidence
                .quantity
                .cast(value::decimal_evidence(unwrap_cell(self.cells.get(self.plan.roles.quantity, &text))));
            self.fields = fields;
            self.layout = Some(layout);
        } else {
            self.cells.clear(self.items_slot.saturating_add(1));
            if json::read(&text, &self.ticket_paths, &mut self.cells).is_err() {
                return;
            }
        }
        let slot = self.plan.roles.sold_at.or(self.plan.roles.date);
        if let Some(Err(TimeFault::NeedsOrder(first, second))) =
            slot.map(|slot| value::moment(unwrap_cell(self.cells.get(slot, &text)), None))
        {
            let order = |day: i64, order| (day > 12).then_some(order);
            evidence.order.cast(order(first, DayOrder::Dmy));
            evidence.order.cast(order(second, DayOrder::Mdy));
        }
        self.evidence = evidence;
    }

    /// Decides by what was surveyed. What is still open is then read as it stands or refused.
    pub(super) fn decide(&mut self) {
        let evidence = std::mem::take(&mut self.evidence);
        let anywhere = if evidence.quantity == Vote::Open { evidence.anywhere.result() } else { None };
        self.facts.decimal = self.facts.decimal.or(evidence.quantity.result()).or(anywhere);
        self.facts.date_order = self.facts.date_order.or(evidence.order.result());
        self.surveyed = true;
    }

    /// Reads the physical lines of a record that is none as a whole: its first line is set aside, the others are read.
    pub(super) fn read_lines(&mut self, record: &[u8], sink: &mut impl Sink) {
        let mut rest = record;
        let mut frames = Vec::new();
        'lines: while let Some(at) = memchr::memchr2(b'\n', b'\r', rest) {
            let (line, after) = rest.split_at_checked(at).unwrap_or((rest, &[]));
            sink.faulty("", STRAY_QUOTE.to_owned(), scrub::raw(&self.text(line)));
            rest = after.get(1..).unwrap_or_default();
            if let (Some(b'\r'), Some(b'\n')) = (after.first(), rest.first()) {
                rest = rest.get(1..).unwrap_or_default();
            }
            let tail = frame::frames(rest, 0, self.framing(), usize::MAX, &mut frames);
            frames.push(Frame { start: tail.start, end: rest.len(), next: rest.len() });
            for frame in &frames {
                if self.read(rest.get(frame.start..frame.end).unwrap_or_default(), sink) == Step::Resync {
                    rest = rest.get(frame.start..).unwrap_or_default();
                    continue 'lines;
                }
            }
            return;
        }
    }

    /// Surveys all records of a block and decides.
    pub(super) fn survey_block(&mut self, block: &[u8], frames: &[Frame]) {
        for frame in frames {
            self.survey(block.get(frame.start..frame.end).unwrap_or_default());
        }
        self.decide();
    }
}

enum CsvOutcome {
    Step(Step),
    NewHeader(Box<Layout>),
}
