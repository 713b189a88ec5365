//! A ticket that has not ended: its lines, sums and titles as far as they were printed. Pure.
//!
//! Everything here is provisional. Nothing of it is a sale before [`super::ladder`] has seen the whole.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use sync_core::model::Quantity;

use super::super::pattern::Captures;
use super::super::scrub;
use super::super::template::{Applies, Compiled, Fit, Meaning, RowKind, SignRule};

/// Rows of one ticket that are kept, at most; the longest till rolls hold some hundred.
const ROWS_MAX: usize = 2_000;
/// Lines of one ticket, at most.
const LINES_MAX: usize = 1_000;
/// Bytes of rows that are kept for the quarantine.
const KEPT_BYTES_MAX: usize = 12 * 1024;

/// A ticket that has not ended.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Draft {
    pub(super) lines: Vec<DraftLine>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) number: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) register: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) date: Option<jiff::civil::Date>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) time: Option<jiff::civil::Time>,
    /// The last subtotal as printed, and what the lines gave there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) subtotal: Option<(Quantity, Quantity)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) taxes: Option<Quantity>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) total: Option<Quantity>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) tendered: Option<Quantity>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) change: Option<Quantity>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) counted: Option<Quantity>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) period_total: Option<Quantity>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) period_count: Option<Quantity>,
    /// Titles that were printed.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(super) titles: BTreeSet<RowKind>,
    #[serde(default, skip_serializing_if = "Pending::is_none")]
    pending: Pending,
    /// Of a title that says that all goods come back.
    #[serde(default)]
    all_back: bool,
    #[serde(default)]
    pub(super) recalled: bool,
    /// Why it cannot be trusted, whatever its sums say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) damage: Option<String>,
    /// Scrubbed rows, for the quarantine.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    rows: Vec<String>,
    #[serde(default)]
    kept_bytes: usize,
    #[serde(default)]
    pub(super) row_count: usize,
    /// Rows that no pattern explains.
    #[serde(default)]
    pub(super) unexplained: usize,
    /// What the last row meant.
    #[serde(skip)]
    pub(super) last_kind: Option<RowKind>,
}

/// What a row left for the next one.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
struct Pending {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    quantity: Option<(Quantity, Option<Quantity>)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    mark: Option<Mark>,
}

impl Pending {
    fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

/// What is said of the next line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Mark {
    /// It takes an earlier line back; whether its own signs hold.
    Voids { signs_hold: bool },
    /// It is a return.
    Return { signs_hold: bool },
}

/// What a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum LineClass {
    Item,
    Discount,
    Deposit,
    Charge,
}

/// One line of a draft.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct DraftLine {
    pub(super) class: LineClass,
    pub(super) name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) sku: Option<String>,
    /// Signed: below zero came back.
    pub(super) units: Quantity,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) price: Option<Quantity>,
    /// Signed: below zero was given back.
    pub(super) amount: Quantity,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) flag: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) no_stock: Option<String>,
    /// It takes an earlier line back.
    #[serde(default)]
    pub(super) voids: bool,
    /// Taken back by a mark that printed no amount: it counts in no sum.
    #[serde(default)]
    pub(super) struck: bool,
}

/// What a row asks of the machine beyond its ticket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    Goes,
    Starts,
    Ends,
    Suspends(Option<String>),
    Recalls(Option<String>),
}

impl Draft {
    /// Nothing was printed that would make a ticket.
    pub(super) fn is_blank(&self) -> bool {
        self.lines.is_empty()
            && self.titles.is_empty()
            && self.total.is_none()
            && self.tendered.is_none()
            && self.number.is_none()
            && self.damage.is_none()
    }

    /// Sum of what counts.
    pub(super) fn sum(&self) -> Quantity {
        let counted = self.lines.iter().filter(|line| !line.struck);
        counted.fold(Quantity::ZERO, |sum, line| sum.saturating_add(line.amount))
    }

    /// The total with its sign: on a ticket on which all goods come back it is often printed without.
    pub(super) fn signed_total(&self) -> Option<Quantity> {
        self.total.map(|total| if self.all_back { total.magnitude().negated() } else { total })
    }

    /// The kept rows as one text.
    pub(super) fn text(&self) -> String {
        self.rows.join("\n")
    }

    /// Takes the head of `earlier`'s lines over, in front of its own.
    pub(super) fn take_over(&mut self, earlier: Self) {
        let mut lines = earlier.lines;
        lines.append(&mut self.lines);
        self.lines = lines;
    }

    /// Notes a head that a code or prefix gave.
    pub(super) fn head(&mut self, captures: &Captures) {
        let set = |into: &mut Option<String>, from: &Option<String>| {
            if from.is_some() {
                into.clone_from(from);
            }
        };
        set(&mut self.number, &captures.number);
        set(&mut self.register, &captures.register);
        self.date = captures.date.or(self.date);
        self.time = captures.time.or(self.time);
    }

    /// Reads one row.
    pub(super) fn row(&mut self, text: &str, compiled: &Compiled) -> Step {
        let chars: Vec<char> = text.chars().collect();
        let (head, row) = compiled.strip(&chars);
        if row.iter().all(|c| *c == ' ') {
            return Step::Goes;
        }
        let meaning = compiled.meaning(row, &|meaning| self.fits(meaning, compiled));
        self.last_kind = meaning.as_ref().map(|meaning| meaning.kind);
        self.keep(text, self.last_kind);
        let Some(meaning) = meaning else {
            self.pending.name = None;
            self.unexplained = self.unexplained.saturating_add(1);
            return Step::Goes;
        };
        self.head(&head);
        // The number of a suspension or of a report is not that of the ticket.
        let foreign = matches!(meaning.kind, RowKind::Suspend | RowKind::Recall | RowKind::XReport | RowKind::ZReport);
        if !foreign && !meaning.kind.is_private() {
            self.head(&meaning.captures);
        }
        self.apply(meaning)
    }

    fn keep(&mut self, text: &str, kind: Option<RowKind>) {
        self.row_count = self.row_count.saturating_add(1);
        // Above the first line a lone text is as likely a person's name as an article's.
        let known = kind.filter(|kind| *kind != RowKind::Name || !self.lines.is_empty());
        let kept = scrub::row(text, known);
        if self.rows.len() < ROWS_MAX && self.kept_bytes.saturating_add(kept.len()) < KEPT_BYTES_MAX {
            self.kept_bytes = self.kept_bytes.saturating_add(kept.len()).saturating_add(1);
            self.rows.push(kept);
        }
        if self.row_count > ROWS_MAX {
            self.damage.get_or_insert_with(|| format!("has more than {ROWS_MAX} rows without an end"));
        }
    }

    /// Whether a rule makes sense here: lines end at the total, numbers alone need a line before them.
    fn fits(&self, meaning: &Meaning, compiled: &Compiled) -> Fit {
        let line = matches!(meaning.kind, RowKind::Item | RowKind::Name | RowKind::Quantity);
        if line && self.total.is_some() && !compiled.ticket().lines_after_total {
            return Fit::No;
        }
        let named = meaning.captures.name.is_some() || meaning.captures.sku.is_some();
        let about_last = meaning.kind == RowKind::Quantity && meaning.applies == Applies::Previous;
        let after_item = self.lines.last().is_some_and(|line| line.class == LineClass::Item);
        let numbers_alone =
            (meaning.kind == RowKind::Item && !named && self.pending.name.is_none()) || (about_last && !after_item);
        if numbers_alone { Fit::Never } else { Fit::Yes }
    }

    fn apply(&mut self, meaning: Meaning) -> Step {
        let kind = meaning.kind;
        let amount = meaning.captures.amount.or(meaning.captures.total);
        if !matches!(kind, RowKind::Item | RowKind::Quantity) {
            self.pending.name = None;
        }
        match kind {
            RowKind::Name => self.pending.name = meaning.captures.name,
            RowKind::Quantity => self.quantity(&meaning),
            RowKind::Item => self.line(meaning, LineClass::Item),
            RowKind::Void | RowKind::ErrorCorrect | RowKind::Return => self.marked(meaning),
            RowKind::Discount => self.line(meaning, LineClass::Discount),
            RowKind::Deposit => self.line(meaning, LineClass::Deposit),
            RowKind::Charge => self.line(meaning, LineClass::Charge),
            RowKind::Subtotal => self.subtotal = amount.map(|amount| (amount, self.sum())),
            RowKind::Total => self.total = amount.or(self.total),
            RowKind::Tax => self.taxes = added(self.taxes, amount),
            RowKind::Tender => self.tendered = added(self.tendered, amount),
            RowKind::Change => self.change = added(self.change, amount.map(Quantity::magnitude)),
            RowKind::ItemCount => self.counted = meaning.captures.count,
            RowKind::ZTotal => self.period_total = amount,
            RowKind::ZCount => self.period_count = meaning.captures.count,
            RowKind::ReturnTicket => {
                self.all_back = meaning.sign == SignRule::Back;
                self.titles.insert(kind);
            }
            RowKind::Start => return Step::Starts,
            RowKind::End => return Step::Ends,
            RowKind::Suspend => return Step::Suspends(meaning.captures.number),
            RowKind::Recall => return Step::Recalls(meaning.captures.number),
            RowKind::Head
            | RowKind::Cashier
            | RowKind::Customer
            | RowKind::Card
            | RowKind::Loyalty
            | RowKind::Ignore => {}
            RowKind::Reprint
            | RowKind::Training
            | RowKind::VoidTicket
            | RowKind::NoSale
            | RowKind::XReport
            | RowKind::ZReport
            | RowKind::CardSlip
            | RowKind::Kitchen
            | RowKind::Proforma
            | RowKind::Gift
            | RowKind::Quote
            | RowKind::PaidIn
            | RowKind::PaidOut => {
                self.titles.insert(kind);
            }
        }
        Step::Goes
    }

    /// A row that takes back or marks: with an amount it is the line itself, without one it is about another.
    fn marked(&mut self, meaning: Meaning) {
        let has_amount = meaning.captures.amount.is_some();
        let is_void = meaning.kind != RowKind::Return;
        if has_amount {
            let from = self.lines.len();
            self.line(meaning, LineClass::Item);
            self.lines.iter_mut().skip(from).for_each(|line| line.voids = is_void);
            return;
        }
        match meaning.applies {
            Applies::Next => {
                let signs_hold = meaning.sign == SignRule::Printed && meaning.kind != RowKind::Return;
                self.pending.mark =
                    Some(if is_void { Mark::Voids { signs_hold } } else { Mark::Return { signs_hold } });
            }
            Applies::Previous => {
                let Some(last) = self.lines.iter_mut().rev().find(|line| !line.struck && line.class == LineClass::Item)
                else {
                    self.damage.get_or_insert_with(|| "takes a line back before there is one".to_owned());
                    return;
                };
                if is_void {
                    last.struck = true;
                } else {
                    last.units = last.units.magnitude().negated();
                    last.amount = last.amount.magnitude().negated();
                }
            }
        }
    }

    fn quantity(&mut self, meaning: &Meaning) {
        let Some(quantity) = meaning.captures.quantity else { return };
        if meaning.applies == Applies::Next {
            self.pending.quantity = Some((quantity, meaning.captures.price));
            return;
        }
        if let Some(last) = self.lines.last_mut() {
            let magnitude = quantity.magnitude();
            last.units = if last.units.is_negative() { magnitude.negated() } else { magnitude };
            last.price = meaning.captures.price.or(last.price);
        }
    }

    fn line(&mut self, meaning: Meaning, class: LineClass) {
        let captures = meaning.captures;
        let is_item = class == LineClass::Item;
        let pending = if is_item { std::mem::take(&mut self.pending) } else { Pending::default() };
        let (waiting, waiting_price) = pending.quantity.map_or((None, None), |(units, price)| (Some(units), price));
        let units = captures.quantity.or(waiting).unwrap_or(Quantity::from_micros(1_000_000));
        let price = captures.price.or(waiting_price);
        let Some(amount) = captures.amount.or(captures.total).or_else(|| price.and_then(|price| times(units, price)))
        else {
            return;
        };
        let sign = match pending.mark {
            Some(Mark::Voids { signs_hold: false } | Mark::Return { signs_hold: false }) => SignRule::Back,
            Some(Mark::Voids { signs_hold: true } | Mark::Return { signs_hold: true }) | None => meaning.sign,
        };
        let sign = if self.all_back && is_item { SignRule::Back } else { sign };
        let (back, amount) = match sign {
            SignRule::Printed => (amount.is_negative() || units.is_negative(), amount),
            SignRule::Back => (true, amount.magnitude().negated()),
            SignRule::Out => (false, amount.magnitude()),
        };
        let units = if back { units.magnitude().negated() } else { units.magnitude() };
        if self.lines.len() >= LINES_MAX {
            self.damage.get_or_insert_with(|| format!("has more than {LINES_MAX} lines"));
            return;
        }
        self.lines.push(DraftLine {
            class,
            name: captures.name.or(pending.name).unwrap_or_default(),
            sku: captures.sku,
            units,
            price: price.map(Quantity::magnitude),
            amount,
            flag: captures.flag,
            no_stock: meaning.no_stock,
            voids: matches!(pending.mark, Some(Mark::Voids { .. })),
            struck: false,
        });
    }
}

fn added(sum: Option<Quantity>, amount: Option<Quantity>) -> Option<Quantity> {
    match (sum, amount) {
        (Some(sum), Some(amount)) => Some(sum.saturating_add(amount)),
        (sum, amount) => amount.or(sum),
    }
}

/// Units times price, rounded half up to a ten-thousandth; `None` outside of the range.
pub(super) fn times(units: Quantity, price: Quantity) -> Option<Quantity> {
    let product = i128::from(units.micros()).checked_mul(i128::from(price.micros()))?;
    let micros = product.checked_add(500_000)?.div_euclid(1_000_000);
    i64::try_from(micros).ok().map(Quantity::from_micros)
}
