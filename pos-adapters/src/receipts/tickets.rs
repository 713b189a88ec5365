//! Receipts in, transactions out: the state machine between printed rows and the ledger. Pure.
//!
//! ```text
//! Receipt -> rows (template: what kind of row) -> draft (items stay provisional) -> end of ticket AND tender
//!         -> ladder (control sums) -> lines (names to SKUs) -> TicketEvent
//! ```
//! Nothing moves stock before its ticket ended and its sums hold; everything else is an event too (invariant 7). The
//! state between two receipts is small, holds no personal data, and is saved with the cursor.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use sync_core::model::{Quantity, Segment, Timestamp, Transaction};

use super::names::NameTable;
use super::reading::{TicketSettings, Unchecked, UnknownNames};
use super::receipt::{Ending, Receipt};
use super::scrub;
use super::template::{self, Compiled, Recall, RowKind, Template, TicketEnd};
use crate::file::SettingFault;
use crate::{QUARANTINE_BYTES_MAX, Quarantined};

mod draft;
pub(super) mod dry;
mod ladder;
mod lines;
mod numbers;

use draft::{Draft, Step};
use numbers::{Memory, Repeat, Seen};

/// Suspended tickets that are remembered, at most.
const SUSPENDED_MAX: usize = 32;
/// Version of the saved state.
const STATE_VERSION: u32 = 1;

/// What a receipt brought. A reader puts these into its chunk: transactions, quarantined, ignored (rule, count).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TicketEvent {
    /// A finished ticket whose sums hold.
    Transaction {
        /// With `Extent::Whole`.
        transaction: Box<Transaction>,
        /// Which sums showed it.
        proof: Proof,
    },
    /// A ticket or a line that cannot be trusted or has no SKU; a gap in the numbers; a Z report that does not agree.
    Quarantined(Quarantined),
    /// Rows or tickets that move nothing by a named rule (`reprint`, `no-sale`, `x-report`, `training`, …).
    Ignored {
        /// The rule.
        rule: String,
        /// How many records.
        records: u64,
    },
}

/// Why a ticket was believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// How lines and total agree.
    pub balance: Balance,
    /// Control sums that were there and held, in the order of the ladder.
    pub held: Vec<&'static str>,
    /// The ticket was suspended and recalled.
    pub recalled: bool,
}

/// How lines and total agree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Balance {
    /// Lines and printed taxes give the total.
    Exact,
    /// The total is above the lines by what an unprinted tax may be.
    WithTax,
    /// There was nothing to compare.
    Unchecked,
}

/// What was read so far, for status pages and reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct TicketCounters {
    /// Tickets whose sums hold exactly.
    pub exact: u64,
    /// Tickets whose total is above the lines by a possible tax.
    pub with_tax: u64,
    /// Tickets taken unchecked, by setting.
    pub unchecked: u64,
    /// Of all these: tickets that were suspended and recalled.
    pub recalled: u64,
    /// Tickets voided as a whole.
    pub voided: u64,
    /// Tickets that came again.
    pub reprints: u64,
    /// Tickets put aside.
    pub suspended: u64,
    /// Tickets set aside for a person.
    pub quarantined: u64,
    /// Tickets and reports that move nothing by a rule.
    pub ignored: u64,
    /// Gaps in the numbers that were told.
    pub gaps: u64,
    /// Z reports that agree with what was read since the one before.
    pub reports_agree: u64,
    /// Z reports that do not.
    pub reports_differ: u64,
    /// Rows of print.
    pub rows: u64,
    /// Rows that no pattern explains.
    pub rows_unexplained: u64,
}

/// Checked settings of a [`TicketReader`].
#[derive(Debug, Clone)]
pub struct TicketPlan {
    compiled: Arc<Compiled>,
    names: Arc<NameTable>,
    unknown_names: UnknownNames,
    unchecked: Unchecked,
    register: String,
    tax_max: Quantity,
    zone: TimeZone,
    segment: Segment,
}

impl TicketPlan {
    /// For a template, with names as SKUs and all else as usual.
    ///
    /// # Errors
    /// What is wrong with the template.
    pub fn of_template(template: &Template, zone: TimeZone) -> Result<Self, Vec<SettingFault>> {
        let compiled = template.compile().map_err(|faults| {
            let fault = |fault: template::TemplateFault| SettingFault {
                key: "receipt.template".to_owned(),
                message: format!("`{}`, {}: {}", template.name, fault.place, fault.message),
            };
            faults.into_iter().map(fault).collect::<Vec<_>>()
        })?;
        let percent = compiled.ticket().tax_max_percent;
        Ok(Self {
            compiled,
            names: Arc::default(),
            unknown_names: UnknownNames::AsSku,
            unchecked: Unchecked::Quarantine,
            register: String::new(),
            tax_max: Quantity::from_micros(i64::from(percent).saturating_mul(1_000_000)),
            zone,
            segment: Segment::new("printer"),
        })
    }

    pub(super) fn from_settings(
        settings: &TicketSettings,
        zone: TimeZone,
        read: &dyn Fn(&Path) -> Result<String, String>,
    ) -> Result<Self, Vec<SettingFault>> {
        let mut faults = Vec::new();
        let mut fault = |key: &str, message: String| {
            faults.push(SettingFault { key: format!("receipt.{key}"), message });
        };
        let names = settings.names.as_deref().and_then(|path| match read(Path::new(path)) {
            Ok(text) => Some(NameTable::from_csv(&text)),
            Err(error) => {
                fault("names", format!("`{path}`: {error}"));
                None
            }
        });
        let tax_max = settings.tax_max_percent.as_deref().and_then(|text| {
            let percent = Quantity::parse(text).ok().filter(|n| !n.is_negative() && n.floor_units() <= 30);
            if percent.is_none() {
                fault("tax_max_percent", format!("`{text}` is not a number of percent from 0 to 30"));
            }
            percent
        });
        let plan = match template::find(&settings.template, read) {
            Ok(template) => match Self::of_template(&template, zone) {
                Ok(plan) => Some(plan),
                Err(found) => {
                    faults.extend(found);
                    None
                }
            },
            Err(message) => {
                fault("template", message);
                None
            }
        };
        match plan {
            Some(plan) if faults.is_empty() => Ok(Self {
                names: Arc::new(names.unwrap_or_default()),
                unknown_names: settings.unknown_names,
                unchecked: settings.unchecked,
                register: settings.register.clone().unwrap_or_default(),
                tax_max: tax_max.unwrap_or(plan.tax_max),
                ..plan
            }),
            _ => Err(faults),
        }
    }

    /// The table of printed names.
    #[must_use]
    pub fn names(&self) -> &NameTable {
        &self.names
    }
}

/// Reads the tickets of one printer's line.
#[derive(Debug, Clone)]
pub struct TicketReader {
    plan: TicketPlan,
    state: State,
}

/// What survives a restart.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
struct State {
    version: u32,
    draft: Draft,
    /// Number and ticket, oldest first.
    suspended: VecDeque<(Option<String>, Draft)>,
    last_register: String,
    memory: Memory,
    counters: TicketCounters,
}

/// Where a ticket ended.
#[derive(Clone, Copy)]
struct Place<'a> {
    at: &'a str,
    arrived: Timestamp,
}

impl TicketReader {
    /// A reader that has seen nothing.
    #[must_use]
    pub fn new(plan: TicketPlan) -> Self {
        Self { plan, state: State { version: STATE_VERSION, ..State::default() } }
    }

    /// Goes on from a saved [`TicketReader::state`]; a state that cannot be read starts anew.
    #[must_use]
    pub fn resumed(plan: TicketPlan, state: &str) -> Self {
        match serde_json::from_str::<State>(state) {
            Ok(state) if state.version == STATE_VERSION => Self { plan, state },
            Ok(_) | Err(_) => Self::new(plan),
        }
    }

    /// The state to save with the cursor: a line of JSON.
    #[must_use]
    pub fn state(&self) -> String {
        serde_json::to_string(&self.state).unwrap_or_default()
    }

    /// What was read so far.
    #[must_use]
    pub fn counters(&self) -> TicketCounters {
        self.state.counters
    }

    /// Ticket numbers that are missing now.
    #[must_use]
    pub fn missing_numbers(&self) -> u64 {
        self.state.memory.missing()
    }

    /// Seconds that the till's clock is ahead of this machine's: the median of the last tickets.
    #[must_use]
    pub fn clock_offset(&self) -> Option<i64> {
        self.state.memory.clock_offset()
    }

    /// Whether a ticket is open: a cursor may stand here all the same, since the state holds it.
    #[must_use]
    pub fn is_mid_ticket(&self) -> bool {
        !self.state.draft.is_blank()
    }

    /// Takes the next receipt (or part of a journal). `at` names where it is, as a person would look it up
    /// (`front-2026-03-01.bin byte 8192`); `arrived` is when its bytes came, from the capture.
    pub fn receipt(&mut self, receipt: &Receipt, at: &str, arrived: Timestamp) -> Vec<TicketEvent> {
        let mut events = Vec::new();
        let place = Place { at, arrived };
        if receipt.is_unreadable() {
            let reason = "is printed as a picture and has no text: set the till's printer driver to text mode, or read \
                          the POS's files or database";
            self.quarantine(reason, "", place, &mut events);
            return events;
        }
        let compiled = Arc::clone(&self.plan.compiled);
        if let Some(damage) = &receipt.damage {
            self.state.draft.damage.get_or_insert_with(|| format!("arrived damaged: {damage}"));
        }
        for code in &receipt.codes {
            if let Some(captures) = compiled.code(code.kind, &code.payload) {
                self.state.draft.head(&captures);
                self.state.draft.total = self.state.draft.total.or(captures.total);
            }
        }
        for row in &receipt.rows {
            let step = self.state.draft.row(&row.text, &compiled);
            match step {
                Step::Goes => {}
                Step::Starts if !self.state.draft.lines.is_empty() => {
                    self.state.draft.damage.get_or_insert_with(|| "has no end before the next begins".to_owned());
                    self.finish(place, &mut events);
                }
                Step::Starts => {}
                Step::Ends => self.finish(place, &mut events),
                Step::Suspends(number) => self.suspend(number, place, &mut events),
                Step::Recalls(number) => self.recall(number),
            }
        }
        if compiled.ticket().ends == TicketEnd::Cut && self.is_over(receipt.ending) {
            self.finish(place, &mut events);
        }
        events
    }

    /// Whether the end of a receipt is the end of its ticket. A till that prints while it sells is silent in the middle.
    fn is_over(&self, ending: Ending) -> bool {
        match ending {
            Ending::Open | Ending::Limit => false,
            Ending::Cut | Ending::Mark => true,
            Ending::Silence => {
                let draft = &self.state.draft;
                let untitled = no_sale_rule(draft).is_none() && !draft.titles.contains(&RowKind::VoidTicket);
                let nothing_yet = draft.lines.is_empty() && draft.number.is_none();
                draft.total.is_some() || !untitled || nothing_yet
            }
        }
    }

    fn suspend(&mut self, number: Option<String>, place: Place<'_>, events: &mut Vec<TicketEvent>) {
        let draft = self.taken();
        let register = self.register(&draft);
        if let Some(number) = number.as_deref().or(draft.number.as_deref()) {
            self.sequence(&register, number, place, events);
        }
        self.state.counters.suspended = self.state.counters.suspended.saturating_add(1);
        events.push(ignored("suspended"));
        if self.state.suspended.len() >= SUSPENDED_MAX {
            self.state.suspended.pop_front();
            events.push(ignored("suspended-forgotten"));
        }
        self.state.suspended.push_back((number, draft));
    }

    fn recall(&mut self, number: Option<String>) {
        let found = match &number {
            Some(_) => self.state.suspended.iter().position(|(known, _)| *known == number),
            None => self.state.suspended.len().checked_sub(1),
        };
        let earlier = found.and_then(|at| self.state.suspended.remove(at));
        self.state.draft.recalled = true;
        if self.plan.compiled.ticket().recall == Recall::Replayed {
            return;
        }
        match earlier {
            Some((_, earlier)) => self.state.draft.take_over(earlier),
            None => {
                let number = number.unwrap_or_default();
                let reason = format!("goes on a suspended ticket {number} whose lines were not seen");
                self.state.draft.damage.get_or_insert(reason);
            }
        }
    }

    /// Takes the draft out, and counts its rows.
    fn taken(&mut self) -> Draft {
        let draft = std::mem::take(&mut self.state.draft);
        let counters = &mut self.state.counters;
        let count = |rows: usize| u64::try_from(rows).unwrap_or(u64::MAX);
        counters.rows = counters.rows.saturating_add(count(draft.row_count));
        counters.rows_unexplained = counters.rows_unexplained.saturating_add(count(draft.unexplained));
        draft
    }

    /// The till of a ticket. In a journal a suspended ticket has no end that would name it: it is the till of the
    /// ticket before.
    fn register(&mut self, draft: &Draft) -> String {
        if let Some(register) = &draft.register {
            self.state.last_register.clone_from(register);
            return register.clone();
        }
        let in_journal = self.plan.compiled.ticket().ends == TicketEnd::Marker;
        let known = if in_journal && !self.state.last_register.is_empty() {
            &self.state.last_register
        } else {
            &self.plan.register
        };
        known.clone()
    }

    /// A ticket has ended.
    fn finish(&mut self, place: Place<'_>, events: &mut Vec<TicketEvent>) {
        let draft = self.taken();
        if draft.is_blank() {
            if draft.row_count > 0 {
                self.ignore("no-ticket", events);
            }
            return;
        }
        let register = self.register(&draft);
        if let Some(reason) = draft.damage.clone() {
            self.numbered(&draft, &register, place, events);
            return self.quarantine(&reason, &draft.text(), place, events);
        }
        if let Some(rule) = no_sale_rule(&draft) {
            // Numbers of training tickets and of copies for others are those of other tickets.
            const FOREIGN: [RowKind; 5] =
                [RowKind::Training, RowKind::Kitchen, RowKind::Proforma, RowKind::Gift, RowKind::Quote];
            if rule == RowKind::ZReport {
                return self.report(&draft, &register, place, events);
            }
            if !FOREIGN.contains(&rule) {
                self.numbered(&draft, &register, place, events);
            }
            self.ignore(&template::kind_name(rule), events);
            return;
        }
        self.sale(draft, &register, place, events);
    }

    fn sale(&mut self, mut draft: Draft, register: &str, place: Place<'_>, events: &mut Vec<TicketEvent>) {
        let voided = draft.titles.contains(&RowKind::VoidTicket);
        if draft.lines.is_empty() && !voided {
            if draft.total.is_none_or(Quantity::is_zero) {
                self.numbered(&draft, register, place, events);
                return self.ignore("no-lines", events);
            }
            self.numbered(&draft, register, place, events);
            return self.quarantine("has a total and no line that the template knows", &draft.text(), place, events);
        }
        let Some(key) = self.key(&draft, register, place) else {
            let reason = "has neither a ticket number nor a time that would make it unique";
            return self.quarantine(reason, &draft.text(), place, events);
        };
        let compiled = Arc::clone(&self.plan.compiled);
        let verdict = if voided {
            Ok(Proof { balance: Balance::Unchecked, held: Vec::new(), recalled: draft.recalled })
        } else {
            ladder::climb(&mut draft, &compiled, self.plan.tax_max)
        };
        let total = draft.signed_total().unwrap_or(Quantity::ZERO);
        let repeat = self.state.memory.ticket(&key, total, &lines::content(&draft), verdict.is_ok());
        match repeat {
            Repeat::New | Repeat::Mends => {}
            Repeat::Same => {
                self.state.counters.reprints = self.state.counters.reprints.saturating_add(1);
                return self.ignore("reprint", events);
            }
            Repeat::Differs => {
                let reason = format!("ticket {key} was printed before with other lines or another total");
                return self.quarantine(&reason, &draft.text(), place, events);
            }
        }
        self.numbered(&draft, register, place, events);
        if !voided && repeat == Repeat::New {
            self.state.memory.sold(register, total);
        }
        let proof = match verdict {
            Ok(proof) => proof,
            Err(failure)
                if failure.rule == "total" && draft.total.is_none() && self.plan.unchecked == Unchecked::Accept =>
            {
                Proof { balance: Balance::Unchecked, held: Vec::new(), recalled: draft.recalled }
            }
            Err(failure) => {
                let reason = format!("control sum `{}` does not hold: {}", failure.rule, failure.text);
                return self.quarantine(&reason, &draft.text(), place, events);
            }
        };
        self.accept(&draft, lines::Head { key, register: register.to_owned(), voided }, proof, place, events);
    }

    fn accept(
        &mut self,
        draft: &Draft,
        head: lines::Head,
        proof: Proof,
        place: Place<'_>,
        events: &mut Vec<TicketEvent>,
    ) {
        let sold_at = self.sold_at(draft);
        if let Some(sold_at) = sold_at {
            self.state.memory.clock(sold_at, place.arrived);
        }
        let counters = &mut self.state.counters;
        let counter = match (head.voided, proof.balance) {
            (true, _) => &mut counters.voided,
            (false, Balance::Exact) => &mut counters.exact,
            (false, Balance::WithTax) => &mut counters.with_tax,
            (false, Balance::Unchecked) => &mut counters.unchecked,
        };
        *counter = counter.saturating_add(1);
        if proof.recalled {
            counters.recalled = counters.recalled.saturating_add(1);
        }
        let key = head.key.clone();
        let mapped = lines::map(draft, head, sold_at.unwrap_or(place.arrived), &self.plan);
        events.push(TicketEvent::Transaction { transaction: Box::new(mapped.transaction), proof });
        events.extend(mapped.no_stock.into_iter().map(|(rule, records)| TicketEvent::Ignored { rule, records }));
        if !mapped.unnamed.is_empty() {
            let records = u32::try_from(mapped.unnamed.len()).unwrap_or(u32::MAX);
            let reason = format!("ticket {key}: no SKU for {}", mapped.unnamed.join("; "));
            events.push(TicketEvent::Quarantined(Quarantined {
                at: place.at.to_owned(),
                reason: bounded(&reason),
                raw: bounded(&draft.text()),
                records,
            }));
        }
    }

    /// `register|number|date`; the time and total in place of a number that is not printed.
    fn key(&self, draft: &Draft, register: &str, place: Place<'_>) -> Option<String> {
        let date = draft.date.or_else(|| self.civil(place.arrived).map(|now| now.date()))?;
        let register = if register.is_empty() { "-" } else { register };
        match (&draft.number, draft.time.filter(|_| draft.date.is_some())) {
            (Some(number), _) => Some(format!("{register}|{number}|{date}")),
            (None, Some(time)) => {
                let total = draft.signed_total().unwrap_or(Quantity::ZERO);
                Some(format!("{register}|{time} {total}|{date}"))
            }
            (None, None) => None,
        }
    }

    fn civil(&self, at: Timestamp) -> Option<jiff::civil::DateTime> {
        let instant = jiff::Timestamp::from_microsecond(at.0).ok()?;
        Some(self.plan.zone.to_datetime(instant))
    }

    fn sold_at(&self, draft: &Draft) -> Option<Timestamp> {
        let printed = draft.date?.to_datetime(draft.time?);
        let instant = self.plan.zone.to_timestamp(printed).ok()?;
        Some(Timestamp(instant.as_microsecond()))
    }

    fn numbered(&mut self, draft: &Draft, register: &str, place: Place<'_>, events: &mut Vec<TicketEvent>) {
        if let Some(number) = draft.number.as_deref() {
            self.sequence(register, number, place, events);
        }
    }

    fn sequence(&mut self, register: &str, number: &str, place: Place<'_>, events: &mut Vec<TicketEvent>) {
        let Some(number) = number.parse::<u64>().ok().filter(|_| self.plan.compiled.ticket().sequence) else {
            return;
        };
        match self.state.memory.number(register, number) {
            Seen::Fits => {}
            Seen::Restarted => events.push(ignored("numbering-restarted")),
            Seen::Gap { first, last } => {
                self.state.counters.gaps = self.state.counters.gaps.saturating_add(1);
                let missing = last.saturating_sub(first).saturating_add(1);
                let which = if first == last { format!("{first}") } else { format!("{first} to {last}") };
                let reason = format!(
                    "ticket numbers {which} of register `{register}` were not printed here ({missing} missing): look them \
                     up at the POS; a sale may print nothing"
                );
                let raw = String::new();
                events.push(TicketEvent::Quarantined(Quarantined { at: place.at.to_owned(), reason, raw, records: 1 }));
            }
        }
    }

    /// Compares a Z report with what was read since the one before.
    fn report(&mut self, draft: &Draft, register: &str, place: Place<'_>, events: &mut Vec<TicketEvent>) {
        let period = self.state.memory.close(register);
        let count = i64::try_from(period.tickets).ok().and_then(Quantity::from_units);
        let total_differs = draft.period_total.is_some_and(|total| total != period.total);
        let count_differs = draft.period_count.is_some() && draft.period_count != count;
        if !period.whole {
            return self.ignore("z-report-of-a-partly-read-period", events);
        }
        if !total_differs && !count_differs {
            self.state.counters.reports_agree = self.state.counters.reports_agree.saturating_add(1);
            return self.ignore("z-report", events);
        }
        self.state.counters.reports_differ = self.state.counters.reports_differ.saturating_add(1);
        let printed = |value: Option<Quantity>| value.map_or_else(|| "nothing".to_owned(), |value| value.to_string());
        let reason = format!(
            "the Z report says {} in {} tickets, read were {} in {} tickets since the one before",
            printed(draft.period_total),
            printed(draft.period_count),
            period.total,
            period.tickets
        );
        self.quarantine(&reason, &draft.text(), place, events);
    }

    fn ignore(&mut self, rule: &str, events: &mut Vec<TicketEvent>) {
        self.state.counters.ignored = self.state.counters.ignored.saturating_add(1);
        events.push(ignored(rule));
    }

    fn quarantine(&mut self, reason: &str, raw: &str, place: Place<'_>, events: &mut Vec<TicketEvent>) {
        self.state.counters.quarantined = self.state.counters.quarantined.saturating_add(1);
        events.push(TicketEvent::Quarantined(Quarantined {
            at: place.at.to_owned(),
            reason: bounded(reason),
            raw: bounded(raw),
            records: 1,
        }));
    }
}

fn ignored(rule: &str) -> TicketEvent {
    TicketEvent::Ignored { rule: rule.to_owned(), records: 1 }
}

fn bounded(text: &str) -> String {
    scrub::cut(text, QUARANTINE_BYTES_MAX).to_owned()
}

/// The title by which a ticket is no sale. A card slip, drawer or cash title beside lines and a total is only a part of a
/// sale.
fn no_sale_rule(draft: &Draft) -> Option<RowKind> {
    const ALWAYS: [RowKind; 7] = [
        RowKind::Training,
        RowKind::ZReport,
        RowKind::XReport,
        RowKind::Kitchen,
        RowKind::Proforma,
        RowKind::Gift,
        RowKind::Quote,
    ];
    const WITHOUT_LINES: [RowKind; 4] = [RowKind::NoSale, RowKind::CardSlip, RowKind::PaidIn, RowKind::PaidOut];
    let has = |kind: &&RowKind| draft.titles.contains(*kind);
    let by_title = ALWAYS.iter().find(has);
    by_title.or_else(|| WITHOUT_LINES.iter().filter(|_| draft.lines.is_empty()).find(has)).copied()
}

#[cfg(test)]
mod tests;
