//! The point of sale: registers that write tickets, change and void them, and what lies on the shelf by right.
//!
//! This is the independent model: `on_shelf` is kept by adding up what the tickets say, and asks the agent nothing.
//! A register's journal only grows; a later record of the same ticket replaces the earlier one.

use sync_core::model::{Extent, LineKind};
use sync_core::model::{LineItem, Quantity, Segment, Sku, Timestamp, Transaction, TransactionKey, TransactionStatus};

use crate::dice::Dice;

/// Most lines of a ticket.
const LINES_MAX: u64 = 4;
/// An article with less on the shelf is received, not sold: no edit can take it below zero.
const RESTOCK_BELOW: i64 = 40;
/// Tickets that may still be changed.
const CHANGEABLE: usize = 40;

/// One line: article by its index, change of stock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line {
    /// Index of the article.
    pub article: usize,
    /// In units; negative for a sale.
    pub delta: i64,
    /// What it is.
    pub kind: LineKind,
}

/// One record of a journal: a ticket as it is from here on.
#[derive(Debug, Clone)]
pub struct Record {
    ticket: u64,
    sold_at: Timestamp,
    voided: bool,
    lines: Vec<Line>,
}

/// A register.
#[derive(Debug, Default)]
pub struct Register {
    journal: Vec<Record>,
    tickets: u64,
}

/// All registers of a store.
#[derive(Debug)]
pub struct Pos {
    registers: Vec<Register>,
    on_shelf: Vec<i64>,
}

/// What a change of the journal was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Changed {
    /// A ticket got other lines.
    Edited,
    /// A ticket was voided as a whole.
    Voided,
    /// There was nothing to change.
    Nothing,
}

/// An article's code at the POS and in the shop.
#[must_use]
pub fn code(article: usize) -> String {
    format!("A-{article:03}")
}

impl Pos {
    /// A store with this much of each article.
    #[must_use]
    pub fn new(registers: usize, on_shelf: Vec<i64>) -> Self {
        Self { registers: (0..registers).map(|_| Register::default()).collect(), on_shelf }
    }

    /// How many registers it has.
    #[must_use]
    pub fn registers(&self) -> usize {
        self.registers.len()
    }

    /// What lies there by right, by article.
    #[must_use]
    pub fn on_shelf(&self) -> &[i64] {
        &self.on_shelf
    }

    /// How many records a register has written.
    #[must_use]
    pub fn written(&self, register: usize) -> usize {
        self.registers.get(register).map_or(0, |register| register.journal.len())
    }

    /// Rings up a ticket. Returns its number of lines and whether it has a return or goods received on it.
    pub fn ring_up(&mut self, register: usize, now: Timestamp, dice: &mut Dice) -> Vec<Line> {
        let lines: Vec<Line> = (0..dice.between(1, LINES_MAX)).map(|_| self.line(dice)).collect();
        let Some(till) = self.registers.get_mut(register) else { return Vec::new() };
        till.tickets += 1;
        let record = Record { ticket: till.tickets, sold_at: now, voided: false, lines: lines.clone() };
        till.journal.push(record);
        self.shelve(&lines, 1);
        lines
    }

    fn line(&self, dice: &mut Dice) -> Line {
        let article = dice.index(self.on_shelf.len());
        let units = i64::try_from(dice.between(1, 3)).unwrap_or(1);
        let left = self.on_shelf.get(article).copied().unwrap_or(0);
        if left < RESTOCK_BELOW {
            return Line { article, delta: units + 40, kind: LineKind::Receipt };
        }
        if dice.per_mille(60) {
            return Line { article, delta: units, kind: LineKind::Return };
        }
        Line { article, delta: -units, kind: LineKind::Sale }
    }

    /// Changes or voids one of the latest tickets.
    pub fn change(&mut self, register: usize, dice: &mut Dice) -> Changed {
        let Some(till) = self.registers.get(register).filter(|till| !till.journal.is_empty()) else {
            return Changed::Nothing;
        };
        let back = dice.index(till.journal.len().min(CHANGEABLE)) + 1;
        let Some(number) = till.journal.iter().rev().nth(back - 1).map(|record| record.ticket) else {
            return Changed::Nothing;
        };
        let Some(latest) = till.journal.iter().rev().find(|record| record.ticket == number).cloned() else {
            return Changed::Nothing;
        };
        let goods_came = latest.lines.iter().any(|line| line.kind == LineKind::Receipt);
        if latest.voided || goods_came {
            return Changed::Nothing;
        }
        let (record, changed) = if dice.per_mille(400) {
            (Record { voided: true, ..latest.clone() }, Changed::Voided)
        } else {
            let mut lines = latest.lines.clone();
            let at = dice.index(lines.len());
            match dice.below(3) {
                0 if lines.len() > 1 => drop(lines.remove(at)),
                1 => lines.push(self.line(dice)),
                _ => {
                    if let Some(line) = lines.get_mut(at) {
                        line.delta += line.delta.signum();
                    }
                }
            }
            (Record { lines, ..latest.clone() }, Changed::Edited)
        };
        self.shelve(&latest.lines, -1);
        if !record.voided {
            self.shelve(&record.lines, 1);
        }
        if let Some(till) = self.registers.get_mut(register) {
            till.journal.push(record);
        }
        changed
    }

    /// Goods leave the shelf for an online order; the shop knows, and no ticket is written.
    pub fn hand_over(&mut self, article: usize, units: i64) {
        if let Some(left) = self.on_shelf.get_mut(article) {
            *left -= units;
        }
    }

    fn shelve(&mut self, lines: &[Line], times: i64) {
        for line in lines {
            if let Some(left) = self.on_shelf.get_mut(line.article) {
                *left += line.delta * times;
            }
        }
    }

    /// The records of a register from `from` on, as a reader hands them over.
    #[must_use]
    pub fn read(&self, register: usize, from: usize) -> Vec<Transaction> {
        let Some(till) = self.registers.get(register) else { return Vec::new() };
        till.journal.iter().skip(from).map(|record| transaction(register, record)).collect()
    }
}

fn transaction(register: usize, record: &Record) -> Transaction {
    let lines = record.lines.iter().map(|line| LineItem {
        sku: Sku::new(code(line.article)),
        delta: Quantity::from_units(line.delta).unwrap_or_default(),
        kind: line.kind,
        ignored: None,
    });
    Transaction {
        key: TransactionKey::new(format!("{register}/{}", record.ticket)),
        register: format!("till-{register}"),
        sold_at: Some(record.sold_at),
        status: if record.voided { TransactionStatus::Cancelled } else { TransactionStatus::Completed },
        extent: Extent::Whole,
        segment: Segment::new(format!("journal-{register}")),
        online_order: None,
        lines: lines.collect(),
    }
}
