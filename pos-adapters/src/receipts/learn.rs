//! Proposes a template from a handful of captured receipts, with its score and what it could not explain. Pure and
//! deterministic: the same receipts give the same proposal.
//!
//! ```text
//! rows -> how numbers and dates are written -> known words, heads, frames -> each layout of lines x each tax rule
//!      -> the one under which most control sums hold, then the one that tells more, then the one that explains more rows
//! ```
//! The built-in templates compete. Nothing is applied: a person confirms the proposal.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use sync_core::model::{Quantity, Timestamp};

use super::figures::{NumberFormat, PrintedDateOrder};
use super::receipt::Receipt;
use super::scrub;
use super::template::{
    Applies, Compiled, Recall, RowKind, SignRule, TaxRule, Template, TicketEnd, TicketRules, built_in, built_in_names,
    kind_name,
};
use super::tickets::dry::{DryRun, Outcome};
use super::tickets::{TicketEvent, TicketPlan, TicketReader};

mod layouts;
mod rows;
mod vocabulary;
mod writing;

use rows::{Cut, Rules};

/// Receipts that are searched; more are only scored.
const SEARCHED_MAX: usize = 16;
/// Rows that are searched, over all receipts.
const SEARCHED_ROWS_MAX: usize = 1_500;
/// Shapes of unexplained rows that are listed.
const UNEXPLAINED_MAX: usize = 20;
/// A learned template replaces a built-in one that believes as many tickets only if it explains this many more rows, in
/// percent points.
const BETTER_PERCENT: u64 = 10;
/// Highest tax that a learned template allows where none is printed; to be set by a person.
const TAX_MAX_PERCENT: u8 = 10;

/// What was learned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposal {
    /// To be confirmed.
    pub template: Template,
    /// The built-in template that it is, if none had to be made.
    pub built_in: Option<String>,
    /// How it reads the receipts that it was learned from.
    pub score: Score,
    /// What a person has to look at.
    pub notes: Vec<String>,
}

/// How a template reads some receipts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Score {
    /// Tickets that are sales: believed or set aside.
    pub tickets: u64,
    /// Tickets whose control sums hold.
    pub believed: u64,
    /// Tickets and reports that move nothing by a rule.
    pub beside: u64,
    /// Parts of lines that were told apart: article numbers, prices, pieces, clean names. Sums hold without a quantity
    /// too; between two templates that believe the same tickets, the one that tells more apart is right.
    pub told: u64,
    /// Rows with print on them.
    pub rows: u64,
    /// Rows that a pattern explains.
    pub explained: u64,
    /// Why tickets were set aside, and how many.
    pub set_aside: BTreeMap<String, u64>,
    /// Shapes of rows that nothing explains (letters as `x`, digits as `9`), the most frequent first.
    pub unexplained: Vec<(String, u64)>,
}

impl Score {
    /// Share of the tickets that are believed, in percent, rounded down.
    #[must_use]
    pub fn believed_percent(&self) -> u64 {
        percent(self.believed, self.tickets)
    }

    /// Share of the rows that are explained, in percent, rounded down.
    #[must_use]
    pub fn explained_percent(&self) -> u64 {
        percent(self.explained, self.rows)
    }
}

fn percent(part: u64, whole: u64) -> u64 {
    part.saturating_mul(100).checked_div(whole).unwrap_or(0)
}

/// A row and what a template makes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExplainedRow {
    /// As printed.
    pub text: String,
    /// The kind of row; `None` if nothing explains it.
    pub kind: Option<String>,
}

/// What a template makes of each row.
///
/// # Errors
/// The template's faults, in words.
pub fn explain(template: &Template, receipts: &[Receipt]) -> Result<Vec<ExplainedRow>, String> {
    let run = dry_run(template, receipts)?;
    let row = |(text, kind): (String, Option<RowKind>)| ExplainedRow { text, kind: kind.map(kind_name) };
    Ok(run.rows.into_iter().map(row).collect())
}

/// How a template reads receipts.
///
/// # Errors
/// The template's faults, in words.
pub fn score(template: &Template, receipts: &[Receipt]) -> Result<Score, String> {
    let run = dry_run(template, receipts)?;
    let plan = TicketPlan::of_template(template, TimeZone::UTC)
        .map_err(|faults| faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))?;
    let mut reader = TicketReader::new(plan);
    let mut score = Score::default();
    for receipt in receipts {
        for event in reader.receipt(receipt, "", Timestamp(0)) {
            match event {
                TicketEvent::Transaction { .. } => score.believed = score.believed.saturating_add(1),
                TicketEvent::Quarantined(set_aside) if !set_aside.reason.starts_with("ticket numbers") => {
                    let reason = set_aside.reason.split(": ").next().unwrap_or_default().to_owned();
                    let count = score.set_aside.entry(reason).or_default();
                    *count = count.saturating_add(1);
                }
                TicketEvent::Quarantined(_) | TicketEvent::Ignored { .. } => {}
            }
        }
    }
    score.beside = reader.counters().ignored;
    score.tickets = score.set_aside.values().fold(score.believed, |sum, count| sum.saturating_add(*count));
    score.told = run.told;
    score.rows = count(run.rows.len());
    score.explained = explained(&run.rows);
    score.unexplained = unexplained(&run.rows);
    Ok(score)
}

fn count(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}

fn dry_run(template: &Template, receipts: &[Receipt]) -> Result<DryRun, String> {
    let compiled = template.compile().map_err(|faults| {
        faults.iter().map(|fault| format!("{}: {}", fault.place, fault.message)).collect::<Vec<_>>().join("; ")
    })?;
    let mut run = DryRun::default();
    if compiled.ticket().ends == TicketEnd::Marker {
        run.read(
            receipts.iter().flat_map(|receipt| &receipt.rows).map(|row| row.text.as_str()),
            &compiled,
            tax_max(&compiled),
        );
    } else {
        for receipt in receipts {
            run.read(receipt.rows.iter().map(|row| row.text.as_str()), &compiled, tax_max(&compiled));
        }
    }
    Ok(run)
}

fn tax_max(compiled: &Compiled) -> Quantity {
    Quantity::from_micros(i64::from(compiled.ticket().tax_max_percent).saturating_mul(1_000_000))
}

/// A name that no numbers follow explains nothing.
fn is_explained(rows: &[(String, Option<RowKind>)], at: usize) -> bool {
    match rows.get(at).and_then(|(_, kind)| *kind) {
        None => false,
        Some(RowKind::Name) => rows.get(at.saturating_add(1)).is_some_and(|(_, kind)| *kind == Some(RowKind::Item)),
        Some(_) => true,
    }
}

fn explained(rows: &[(String, Option<RowKind>)]) -> u64 {
    count((0..rows.len()).filter(|at| is_explained(rows, *at)).count())
}

fn unexplained(rows: &[(String, Option<RowKind>)]) -> Vec<(String, u64)> {
    let mut shapes: BTreeMap<String, u64> = BTreeMap::new();
    for (at, (text, _)) in rows.iter().enumerate() {
        if !is_explained(rows, at) {
            let count = shapes.entry(scrub::shape(text.trim())).or_default();
            *count = count.saturating_add(1);
        }
    }
    let mut shapes: Vec<(String, u64)> = shapes.into_iter().collect();
    shapes.sort_by(|(a, n), (b, m)| m.cmp(n).then_with(|| a.cmp(b)));
    shapes.truncate(UNEXPLAINED_MAX);
    shapes
}

/// Proposes a template.
///
/// # Errors
/// Why nothing can be learned, and what to do.
pub fn learn(receipts: &[Receipt], name: &str) -> Result<Proposal, String> {
    let receipts: Vec<Receipt> = receipts.iter().filter(|receipt| !receipt.is_blank()).cloned().collect();
    if receipts.is_empty() || receipts.iter().all(Receipt::is_unreadable) {
        return Err("there is no text on these receipts: if they are pictures, set the till's printer driver to text \
                    mode; else look at the dialect and speed with `tillsync ports`"
            .to_owned());
    }
    let mut best: Option<(Template, Score)> = None;
    for known in built_in_names() {
        let Some((_, template)) = built_in(known) else { continue };
        let Ok(score) = score(&template, &receipts) else { continue };
        if best.as_ref().is_none_or(|(_, top)| rank(&score) > rank(top)) {
            best = Some((template, score));
        }
    }
    let made = Study::of(&receipts).and_then(|study| study.template(name));
    let made = made.and_then(|(template, notes)| {
        let score = score(&template, &receipts).ok()?;
        Some((template, score, notes))
    });
    match (best, made) {
        (Some((known, top)), Some((template, score, notes))) => {
            let explains = score.explained_percent() >= top.explained_percent().saturating_add(BETTER_PERCENT);
            let clearly = (score.believed, score.told) > (top.believed, top.told)
                || ((score.believed, score.told) == (top.believed, top.told) && explains);
            if clearly {
                Ok(Proposal { template, built_in: None, score, notes })
            } else {
                Ok(Proposal { built_in: Some(known.name.clone()), template: known, score: top, notes: Vec::new() })
            }
        }
        (Some((known, score)), None) => {
            Ok(Proposal { built_in: Some(known.name.clone()), template: known, score, notes: Vec::new() })
        }
        (None, Some((template, score, notes))) => Ok(Proposal { template, built_in: None, score, notes }),
        (None, None) => {
            Err("no total with an amount is found on these receipts: give whole tickets of sales".to_owned())
        }
    }
}

fn rank(score: &Score) -> (u64, u64, u64) {
    (score.believed, score.told, score.explained)
}

/// Receipts prepared for the search.
struct Study {
    numbers: NumberFormat,
    dates: PrintedDateOrder,
    dates_told: bool,
    /// Rows by ticket, without the prefix.
    tickets: Vec<Vec<Cut>>,
    prefix: Option<String>,
    journal: bool,
}

impl Study {
    fn of(receipts: &[Receipt]) -> Option<Self> {
        let texts = || receipts.iter().flat_map(|receipt| &receipt.rows).map(|row| row.text.as_str());
        let numbers = writing::numbers(texts());
        let (dates, dates_told) = writing::dates(texts());
        let prefix = prefix(texts(), &numbers, dates);
        let bare = |row: &str| match &prefix {
            Some(_) => row.splitn(4, ' ').nth(3).unwrap_or_default().to_owned(),
            None => row.to_owned(),
        };
        let mut tickets: Vec<Vec<Cut>> = receipts
            .iter()
            .map(|receipt| {
                let rows = receipt.rows.iter().filter(|row| !row.text.trim().is_empty());
                rows.take(SEARCHED_ROWS_MAX).map(|row| Cut::of(&bare(&row.text), &numbers, dates)).collect()
            })
            .collect();
        let all: Vec<Cut> = tickets.iter().flatten().take(SEARCHED_ROWS_MAX).cloned().collect();
        let split = rows::split_journal(&all).filter(|split| split.len() > receipts.len().saturating_mul(3) / 2);
        let journal = split.is_some();
        if let Some(split) = split {
            tickets = split;
        }
        tickets.retain(|ticket| !ticket.is_empty());
        (!tickets.is_empty()).then_some(Self { numbers, dates, dates_told, tickets, prefix, journal })
    }

    /// The template under which most sums hold.
    fn template(&self, name: &str) -> Option<(Template, Vec<String>)> {
        let mut best: Option<((u64, u64, u64), Template)> = None;
        let base = self.base(name);
        if !base.rows.iter().any(|row| row.is == RowKind::Total) {
            return None;
        }
        for tax in self.taxes(&base) {
            for mark in marks(&base) {
                for layout in layouts::LAYOUTS {
                    let mut template = base.clone();
                    template.ticket.tax = tax;
                    template.ticket.tax_max_percent = if tax == TaxRule::Unprinted { TAX_MAX_PERCENT } else { 0 };
                    for row in template.rows.iter_mut().filter(|row| row.is == RowKind::ErrorCorrect) {
                        (row.applies, row.sign) = mark;
                    }
                    template.rows.extend(layouts::rules(layout));
                    let Some(rank) = self.try_out(&template) else { continue };
                    if best.as_ref().is_none_or(|(top, _)| rank > *top) {
                        best = Some((rank, template));
                    }
                }
            }
        }
        let (_, template) = best?;
        let notes = self.notes(&template);
        Some((template, notes))
    }

    /// All but the layout of the lines and the tax.
    fn base(&self, name: &str) -> Template {
        let mut rules = Rules::default();
        rows::by_words(&self.tickets, &mut rules);
        let place = rows::number_place(&self.tickets);
        rows::heads(&self.tickets, place.as_ref(), &mut rules);
        rows::frames(&self.tickets, &mut rules);
        if self.journal {
            rules.turn(RowKind::Head, RowKind::End);
        }
        let tender = rules.has(RowKind::Tender);
        let change = rules.has(RowKind::Change);
        Template {
            name: name.to_owned(),
            about: "learned from captured receipts".to_owned(),
            ticket: TicketRules {
                ends: if self.journal { TicketEnd::Marker } else { TicketEnd::Cut },
                prefix: self.prefix.clone(),
                date_order: self.dates,
                change_printed: change,
                lines_after_total: self.journal,
                needs_tender: tender,
                recall: Recall::Replayed,
                sequence: place.is_some(),
                ..TicketRules::default()
            },
            numbers: self.numbers.clone(),
            rows: rules.into_rules(),
            codes: Vec::new(),
        }
    }

    fn taxes(&self, base: &Template) -> Vec<TaxRule> {
        if base.rows.iter().any(|row| row.is == RowKind::Tax) {
            vec![TaxRule::Included, TaxRule::Added]
        } else {
            vec![TaxRule::Included, TaxRule::Unprinted]
        }
    }

    /// Tickets believed, parts told apart, rows explained.
    fn try_out(&self, template: &Template) -> Option<(u64, u64, u64)> {
        let compiled = template.compile().ok()?;
        let mut run = DryRun::default();
        let mut budget = SEARCHED_ROWS_MAX;
        for ticket in self.tickets.iter().take(SEARCHED_MAX) {
            if budget < ticket.len() {
                break;
            }
            budget = budget.saturating_sub(ticket.len());
            run.read(ticket.iter().map(|row| row.text.as_str()), &compiled, tax_max(&compiled));
        }
        let believed = count(run.tickets.iter().filter(|outcome| **outcome == Outcome::Believed).count());
        Some((believed, run.told, explained(&run.rows)))
    }

    fn notes(&self, template: &Template) -> Vec<String> {
        let mut notes = Vec::new();
        let has =
            |field: &str| template.rows.iter().any(|row| row.patterns.iter().any(|pattern| pattern.contains(field)));
        if !self.dates_told {
            notes.push("dates may be day first or month first: set `ticket.date_order`".to_owned());
        }
        if !has("{number}") {
            notes.push(
                "no ticket number is found: gaps cannot be seen, and time and total make a ticket unique".to_owned(),
            );
        }
        if !has("{register}") {
            notes.push("no register is found: set `register` for this source".to_owned());
        }
        if template.ticket.tax == TaxRule::Unprinted {
            notes.push(
                "totals are above the lines by a tax that is not printed: set `ticket.tax_max_percent`".to_owned(),
            );
        }
        if !has("{sku}") {
            notes.push("lines have names only: give a `names` table".to_owned());
        }
        notes
    }
}

/// What a row that only says that a line is taken back may be about.
fn marks(base: &Template) -> Vec<(Option<Applies>, Option<SignRule>)> {
    if base.rows.iter().any(|row| row.is == RowKind::ErrorCorrect) {
        vec![
            (Some(Applies::Previous), None),
            (Some(Applies::Next), Some(SignRule::Back)),
            (Some(Applies::Next), Some(SignRule::Printed)),
        ]
    } else {
        vec![(None, None)]
    }
}

/// Date, time and one more word in front of every row.
fn prefix<'a>(rows: impl Iterator<Item = &'a str>, numbers: &NumberFormat, dates: PrintedDateOrder) -> Option<String> {
    let (mut all, mut with) = (0_u32, 0_u32);
    for row in rows.filter(|row| !row.trim().is_empty()) {
        all = all.saturating_add(1);
        let pieces = writing::pieces(row, numbers, dates);
        let starts = matches!(pieces.as_slice(), [writing::Piece::Date, writing::Piece::Text(blank), writing::Piece::Time, ..] if blank == " ");
        with = with.saturating_add(u32::from(starts));
    }
    (all >= 10 && with.saturating_mul(10) >= all.saturating_mul(9)).then(|| "{date} {time} {_} ".to_owned())
}

#[cfg(test)]
mod tests;
