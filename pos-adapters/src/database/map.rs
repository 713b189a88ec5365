//! Rows of a sales query turned into tickets. Pure.
//!
//! All rows of a ticket are in what is given here (the poller sees to that). Rows are put into the order of `line_no`,
//! and where that does not decide, of their content, so that the same ticket always reads the same. What cannot be read
//! is given as quarantined with its ticket, never dropped.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use sha2::{Digest, Sha256};
use sync_core::model::{
    Extent, LineItem, LineKind, Quantity, RuleName, Segment, Sku, Timestamp, Transaction, TransactionKey,
    TransactionStatus,
};

use super::engine::{Rows, Value};
use super::plan::{Words, fold};
use super::profile::TicketId;
use super::query::Order;
use crate::Quarantined;
use crate::file::scrub;
use crate::file::settings::QuantitySign;
use crate::file::value::{DayOrder, StoreClock, moment};

/// Decimals of a stock quantity.
const DECIMALS: usize = 6;
/// Most decimals that totals are compared with.
const TOTAL_DECIMALS_MAX: usize = 8;

/// Where each known column is in the rows.
#[derive(Debug, Clone, Default)]
pub struct Columns {
    names: Vec<String>,
    ticket: Vec<usize>,
    sold_at: usize,
    seq: Option<usize>,
    changed_at: Option<usize>,
    register: Option<usize>,
    status: Option<usize>,
    line_no: Option<usize>,
    sku: usize,
    quantity: usize,
    factor: Option<usize>,
    divisor: Option<usize>,
    kind: Option<usize>,
    ignored: Option<usize>,
    line_count: Option<usize>,
    total: Option<usize>,
    line_total: Option<usize>,
    online_order: Option<usize>,
}

impl Columns {
    /// From the names that the database gives.
    ///
    /// # Errors
    /// Names a column that is missing.
    pub fn find(names: &[String]) -> Result<Self, String> {
        let at = |name: &str| names.iter().position(|known| known == name);
        let needed = |name: &str| at(name).ok_or_else(|| format!("the sales query gives no column `{name}`"));
        let mut ticket = vec![needed("ticket")?];
        ticket.extend(at("ticket_2"));
        ticket.extend(at("ticket_3"));
        Ok(Self {
            names: names.to_vec(),
            ticket,
            sold_at: needed("sold_at")?,
            seq: at("seq"),
            changed_at: at("changed_at"),
            register: at("register"),
            status: at("status"),
            line_no: at("line_no"),
            sku: needed("sku")?,
            quantity: needed("quantity")?,
            factor: at("factor"),
            divisor: at("divisor"),
            kind: at("kind"),
            ignored: at("ignored"),
            line_count: at("line_count"),
            total: at("total"),
            line_total: at("line_total"),
            online_order: at("online_order"),
        })
    }

    /// The place of the column of an order, if the query gives it.
    #[must_use]
    pub fn of(&self, order: Order) -> Option<usize> {
        match order {
            Order::Seq => self.seq,
            Order::Changed => self.changed_at,
            Order::Sold => Some(self.sold_at),
        }
    }
}

/// A ticket as the database has it now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ticket {
    /// What makes it unique; the same as its transaction's key, which is empty where its rows make no sense together.
    pub id: String,
    /// Its number in the order in which tickets are begun.
    pub seq: Option<i64>,
    /// Tells a changed ticket from an unchanged one.
    pub hash: u64,
    /// Why it is not complete yet; taken when it is.
    pub waits: Option<String>,
    /// The snapshot.
    pub transaction: Transaction,
    /// Lines that cannot be read.
    pub quarantined: Vec<Quarantined>,
    /// Size of its rows in bytes.
    pub bytes: u64,
}

/// Turns rows into tickets.
#[derive(Debug, Clone)]
pub struct Mapper {
    words: Words,
    clock: StoreClock,
    segment: Segment,
}

impl Mapper {
    /// `segment` is where all transactions of the source are read from.
    #[must_use]
    pub fn new(words: Words, zone: TimeZone, segment: Segment) -> Self {
        Self { words, clock: StoreClock::new(zone), segment }
    }

    /// A time of the database, made UTC.
    pub fn time(&mut self, value: &Value) -> Option<Timestamp> {
        let read = moment(&value.text(), Some(DayOrder::Ymd)).ok()?;
        self.clock.utc(read)
    }

    /// The tickets of some rows, in the order in which they come first.
    #[must_use]
    pub fn tickets(&mut self, columns: &Columns, rows: &Rows) -> Vec<Ticket> {
        let mut at: BTreeMap<String, usize> = BTreeMap::new();
        let mut groups: Vec<(String, Vec<&[Value]>)> = Vec::new();
        for row in &rows.rows {
            let key = self.key(columns, row);
            match at.get(&key).and_then(|at| groups.get_mut(*at)) {
                Some((_, group)) => group.push(row),
                None => {
                    at.insert(key.clone(), groups.len());
                    groups.push((key, vec![row]));
                }
            }
        }
        groups.into_iter().map(|(key, rows)| self.ticket(columns, key, rows)).collect()
    }

    fn key(&self, columns: &Columns, row: &[Value]) -> String {
        let mut parts: Vec<String> = columns.ticket.iter().map(|at| cell(row, *at).text()).collect();
        if parts.iter().all(|part| part.trim().is_empty()) {
            return String::new();
        }
        if self.words.ticket == TicketId::Reusable {
            parts.push(cell(row, columns.sold_at).text());
        }
        parts.join("|")
    }

    fn ticket(&mut self, columns: &Columns, key: String, mut rows: Vec<&[Value]>) -> Ticket {
        rows.sort_by_cached_key(|row| {
            let number = match columns.line_no.map(|at| cell(row, at)) {
                Some(Value::Integer(number)) => *number,
                Some(other) => Quantity::parse(&other.text()).map_or(i64::MAX, Quantity::micros),
                None => 0,
            };
            (number, rendered(columns, row))
        });
        let first = rows.first().copied().unwrap_or_default();
        let text = |at: Option<usize>| at.map(|at| cell(first, at).text()).unwrap_or_default();
        let mut hasher = Sha256::new();
        let mut ticket = Ticket {
            id: key.clone(),
            seq: columns.seq.and_then(|at| whole(cell(first, at))),
            hash: 0,
            waits: None,
            transaction: Transaction {
                key: TransactionKey::new(key),
                register: text(columns.register),
                sold_at: self.time(cell(first, columns.sold_at)),
                status: TransactionStatus::Completed,
                online_order: columns
                    .online_order
                    .map(|at| cell(first, at).text())
                    .filter(|text| !text.trim().is_empty()),
                extent: Extent::Whole,
                segment: self.segment.clone(),
                lines: Vec::new(),
            },
            quarantined: Vec::new(),
            bytes: 0,
        };
        if ticket.id.is_empty() {
            return self.refused(ticket, columns, &rows, "a line without a ticket");
        }
        let word = text(columns.status);
        match self.words.statuses.get(&fold(&word)) {
            Some(status) => ticket.transaction.status = *status,
            None if word.trim().is_empty() => {}
            None => return self.refused(ticket, columns, &rows, &format!("status `{word}` is not known")),
        }
        if let Some(reason) = disagreement(columns, &rows) {
            return self.refused(ticket, columns, &rows, &reason);
        }
        let mut lines_there: i64 = 0;
        for row in &rows {
            for value in *row {
                let shown = value.text();
                hasher.update(u64::try_from(shown.len()).unwrap_or(u64::MAX).to_le_bytes());
                hasher.update(shown.as_bytes());
                ticket.bytes = ticket.bytes.saturating_add(u64::try_from(value.bytes()).unwrap_or(u64::MAX));
            }
            // A ticket without lines, by a LEFT JOIN.
            if *cell(row, columns.sku) == Value::Null && *cell(row, columns.quantity) == Value::Null {
                continue;
            }
            lines_there = lines_there.saturating_add(1);
            match self.line(columns, row) {
                Ok(line) => ticket.transaction.lines.push(line),
                Err(reason) => ticket.quarantined.push(quarantined(&ticket, columns, row, reason)),
            }
        }
        ticket.hash = hasher.finalize().iter().take(8).fold(0, |hash, byte| hash << 8 | u64::from(*byte));
        ticket.waits = waits(columns, &rows, lines_there);
        ticket
    }

    /// Its rows cannot be understood as one ticket: set aside whole, without effect on stock.
    fn refused(&self, mut ticket: Ticket, columns: &Columns, rows: &[&[Value]], reason: &str) -> Ticket {
        let shown: Vec<String> = rows.iter().map(|row| rendered(columns, row)).collect();
        let digest = Sha256::digest(format!("{reason}\n{}", shown.join("\n")));
        ticket.hash = digest.iter().take(8).fold(0, |hash, byte| hash << 8 | u64::from(*byte));
        let mut record = quarantined(&ticket, columns, rows.first().copied().unwrap_or_default(), reason.to_owned());
        record.raw = scrub::raw(&shown.join("\n"));
        record.records = u32::try_from(rows.len()).unwrap_or(u32::MAX);
        ticket.quarantined = vec![record];
        ticket.transaction.key = TransactionKey::new(String::new());
        ticket
    }

    fn line(&self, columns: &Columns, row: &[Value]) -> Result<LineItem, String> {
        let sku = cell(row, columns.sku).text();
        let rule = self.rule(columns, row);
        if sku.trim().is_empty() && rule.is_none() {
            return Err("a line without an article number; leave such lines out with a rule".to_owned());
        }
        let amount = match stock_units(columns, row) {
            Ok(amount) => amount,
            Err(_) if rule.is_some() => Quantity::ZERO,
            Err(reason) => return Err(reason),
        };
        let (delta, kind) = match self.signed(columns, row, amount) {
            Ok(signed) => signed,
            Err(_) if rule.is_some() => (Quantity::ZERO, LineKind::Sale),
            Err(reason) => return Err(reason),
        };
        Ok(LineItem { sku: Sku::new(sku.trim()), delta, kind, ignored: rule })
    }

    fn rule(&self, columns: &Columns, row: &[Value]) -> Option<RuleName> {
        let own = columns.ignored.map(|at| cell(row, at).text()).filter(|rule| !rule.trim().is_empty());
        own.or_else(|| {
            let rule = self.words.ignore.iter().find(|(_, column, values)| {
                let at = columns.names.iter().position(|name| name == column);
                at.is_some_and(|at| values.contains(&fold(&cell(row, at).text())))
            });
            rule.map(|(name, ..)| name.clone())
        })
        .map(RuleName::new)
    }

    fn signed(&self, columns: &Columns, row: &[Value], amount: Quantity) -> Result<(Quantity, LineKind), String> {
        let word = columns.kind.map(|at| cell(row, at).text()).unwrap_or_default();
        let named = self.words.kinds.get(&fold(&word)).copied();
        if named.is_none() && !word.trim().is_empty() {
            return Err(format!("kind `{word}` is not known: list it in `rules.kinds`, or leave such lines out"));
        }
        let by_sign = |sold: bool| if sold { LineKind::Sale } else { LineKind::Return };
        Ok(match self.words.quantity {
            QuantitySign::Signed => match named.unwrap_or_else(|| by_sign(!amount.is_negative())) {
                kind @ (LineKind::Sale | LineKind::Return) => (amount.negated(), kind),
                kind @ (LineKind::Receipt | LineKind::Adjustment) => (amount, kind),
            },
            QuantitySign::ByKind => match named.unwrap_or(LineKind::Sale) {
                kind @ LineKind::Sale => (amount.magnitude().negated(), kind),
                kind @ (LineKind::Return | LineKind::Receipt) => (amount.magnitude(), kind),
                kind @ LineKind::Adjustment => (amount, kind),
            },
            QuantitySign::Stock => (amount, named.unwrap_or_else(|| by_sign(amount.is_negative()))),
        })
    }
}

/// What must be the same on all rows of a ticket and is not.
fn disagreement(columns: &Columns, rows: &[&[Value]]) -> Option<String> {
    let shared = [columns.seq, columns.changed_at, Some(columns.sold_at), columns.status, columns.line_count];
    let (first, others) = rows.split_first()?;
    shared.into_iter().flatten().find(|at| others.iter().any(|row| cell(row, *at) != cell(first, *at))).map(|at| {
        let name = columns.names.get(at).map(String::as_str).unwrap_or_default();
        format!("the rows of the ticket disagree in `{name}`, which must be of the ticket and not of the line")
    })
}

/// Why the ticket is not complete, as its header says.
fn waits(columns: &Columns, rows: &[&[Value]], lines_there: i64) -> Option<String> {
    let first = rows.first()?;
    if let Some(count) = columns.line_count.and_then(|at| whole(cell(first, at)))
        && count != lines_there
    {
        return Some(format!("its header says {count} lines, and there are {lines_there}"));
    }
    let (Some(total), Some(share)) = (columns.total, columns.line_total) else { return None };
    let total = cell(first, total);
    if *total == Value::Null {
        return None;
    }
    let mut sum = Some(0_i128);
    for row in rows {
        let share = cell(row, share);
        if *share != Value::Null {
            sum = sum.zip(scaled(&share.text())).and_then(|(sum, share)| sum.checked_add(share));
        }
    }
    if sum.is_some() && sum == scaled(&total.text()) {
        return None;
    }
    Some(format!("its header says a total of {}, and its lines add up to something else", total.text()))
}

/// A decimal times 10^[`TOTAL_DECIMALS_MAX`], rounded there: totals of binary fractions agree to that.
fn scaled(text: &str) -> Option<i128> {
    let rounded = rounded(text, TOTAL_DECIMALS_MAX)?;
    let (whole, fraction) = rounded.split_once('.').unwrap_or((rounded.as_str(), ""));
    format!("{whole}{fraction:0<TOTAL_DECIMALS_MAX$}").parse().ok()
}

/// Quantity × factor ÷ divisor, exactly.
fn stock_units(columns: &Columns, row: &[Value]) -> Result<Quantity, String> {
    let amount = quantity(cell(row, columns.quantity))?;
    let part = |at: Option<usize>| at.map(|at| cell(row, at)).filter(|value| **value != Value::Null).map(quantity);
    let (factor, divisor) = (part(columns.factor).transpose()?, part(columns.divisor).transpose()?);
    if factor.is_none() && divisor.is_none() {
        return Ok(amount);
    }
    let one = Quantity::from_micros(1_000_000);
    let micros = |quantity: Quantity| i128::from(quantity.micros());
    let (factor, divisor) = (micros(factor.unwrap_or(one)), micros(divisor.unwrap_or(one)));
    if divisor == 0 {
        return Err("the divisor of its unit is 0".to_owned());
    }
    let product = micros(amount).checked_mul(factor).ok_or("its quantity is too large")?;
    if product.checked_rem(divisor) != Some(0) {
        return Err(format!("{amount} × {factor} ÷ {divisor} is no exact quantity"));
    }
    let units = product.checked_div(divisor).and_then(|micros| i64::try_from(micros).ok());
    units.map(Quantity::from_micros).ok_or_else(|| "its quantity is too large".to_owned())
}

/// A quantity as the database has it; binary fractions are rounded to six decimals.
pub(super) fn quantity(value: &Value) -> Result<Quantity, String> {
    let text = match value {
        Value::Null => return Err("a line without a quantity".to_owned()),
        Value::Float(text) => rounded(text, DECIMALS).ok_or_else(|| format!("`{text}` is no quantity"))?,
        Value::Integer(_) | Value::Decimal(_) | Value::Text(_) | Value::Time(_) | Value::Bytes(_) => value.text(),
    };
    Quantity::parse(text.trim()).map_err(|error| error.to_string())
}

/// Decimal digits rounded half away from zero, without exponent.
fn rounded(text: &str, decimals: usize) -> Option<String> {
    let text = text.trim();
    let (negative, digits) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let only_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if (whole.is_empty() && fraction.is_empty()) || !only_digits(whole) || !only_digits(fraction) {
        return None;
    }
    let kept: String = fraction.chars().chain(std::iter::repeat('0')).take(decimals).collect();
    let up = fraction.as_bytes().get(decimals).is_some_and(|digit| *digit >= b'5');
    let number: i128 = format!("0{whole}{kept}").parse().ok()?;
    let number = number.checked_add(i128::from(up))?;
    let width = decimals.checked_add(1)?;
    let shown = format!("{number:0>width$}");
    let (whole, fraction) = shown.split_at_checked(shown.len().checked_sub(decimals)?)?;
    Some(format!("{}{whole}.{fraction}", if negative && number != 0 { "-" } else { "" }))
}

pub(super) fn whole(value: &Value) -> Option<i64> {
    match value {
        Value::Integer(number) => Some(*number),
        Value::Decimal(text) | Value::Float(text) | Value::Text(text) => {
            let (whole, fraction) = text.trim().split_once('.').unwrap_or((text.trim(), ""));
            fraction.bytes().all(|byte| byte == b'0').then(|| whole.parse().ok()).flatten()
        }
        Value::Null | Value::Time(_) | Value::Bytes(_) => None,
    }
}

fn cell(row: &[Value], at: usize) -> &Value {
    row.get(at).unwrap_or(&Value::Null)
}

/// A row for people: `column=value`, private columns masked.
fn rendered(columns: &Columns, row: &[Value]) -> String {
    let mut text = String::new();
    for (name, value) in columns.names.iter().zip(row) {
        if !text.is_empty() {
            text.push_str(", ");
        }
        text.push_str(name);
        text.push('=');
        text.push_str(if scrub::is_private(name) { "***" } else { "" });
        if !scrub::is_private(name) {
            text.push_str(&value.text());
        }
    }
    text
}

fn quarantined(ticket: &Ticket, columns: &Columns, row: &[Value], reason: String) -> Quarantined {
    let key = &ticket.transaction.key;
    Quarantined {
        at: format!("{}, transaction {key}", ticket.transaction.segment),
        reason,
        raw: scrub::raw(&rendered(columns, row)),
        records: 1,
    }
}

#[cfg(test)]
mod tests;
