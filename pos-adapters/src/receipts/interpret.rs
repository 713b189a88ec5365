//! Captured events in, chunk out: the parser and the ticket reader behind each other. Pure.
//!
//! A cursor may stand at the end of any receipt (or drained part of one): there the parser remembers nothing that counts,
//! and the ticket reader's state goes into the cursor.

use std::sync::Arc;

use sync_core::model::Timestamp;

use super::parse::Parser;
use super::plan::Plan;
use super::receipt::Receipt;
use super::store::{Arrival, Event};
use super::tickets::{TicketEvent, TicketReader};
use crate::Chunk;

/// Reads one line or one file.
#[derive(Debug)]
pub(super) struct Interpreter {
    plan: Arc<Plan>,
    parser: Parser,
    tickets: TicketReader,
    /// What the bytes belong to, as a person would look it up.
    place: String,
    /// When bytes came last; `None` when the silence after them was already told.
    heard_at: Option<Timestamp>,
    /// End of the last receipt.
    boundary: u64,
}

impl Interpreter {
    /// For a stream from its byte `at` on, where the ticket reader had this state.
    pub(super) fn new(plan: &Arc<Plan>, place: &str, at: u64, state: Option<&str>) -> Self {
        let tickets = match state {
            Some(state) => TicketReader::resumed(plan.tickets.clone(), state),
            None => TicketReader::new(plan.tickets.clone()),
        };
        Self {
            parser: parser(plan, at),
            plan: Arc::clone(plan),
            tickets,
            place: place.to_owned(),
            heard_at: None,
            boundary: at,
        }
    }

    /// Where a cursor stands.
    pub(super) const fn boundary(&self) -> u64 {
        self.boundary
    }

    /// The ticket reader's state at the [`Interpreter::boundary`].
    pub(super) fn state(&self) -> String {
        self.tickets.state()
    }

    /// Takes the next event of the stream.
    pub(super) fn take(&mut self, arrival: &Arrival, chunk: &mut Chunk) {
        self.quiet(arrival.at, chunk);
        match &arrival.event {
            Event::Data(bytes) => {
                let mut done = Vec::new();
                self.parser.push(bytes, &mut done);
                if self.plan.drains {
                    done.extend(self.parser.drain());
                }
                self.heard_at = Some(arrival.at);
                self.give(&done, arrival.at, chunk);
            }
            Event::Damage(why) => self.parser.damaged(why),
            Event::Away => {
                // Between two tickets nothing is lost by it that their sums would not show.
                if self.is_mid_ticket() {
                    self.parser.damaged("the port went away in the middle of the ticket");
                }
            }
            Event::End => self.silent(arrival.at, chunk),
            Event::Answer(_) => {}
        }
    }

    /// Time went by: a line that has been silent for long enough has ended its ticket.
    pub(super) fn quiet(&mut self, now: Timestamp, chunk: &mut Chunk) {
        if self.heard_at.is_some_and(|heard| now.since(heard) >= self.plan.silence) {
            self.silent(now, chunk);
        }
    }

    /// How long after `now` the silence counts; `None` if nothing is open.
    pub(super) fn silent_in(&self, now: Timestamp) -> Option<std::time::Duration> {
        self.heard_at.map(|heard| self.plan.silence.saturating_sub(now.since(heard)))
    }

    /// The stream ends here for good, and another begins: of another file.
    pub(super) fn finish(&mut self, next_place: &str, now: Timestamp, chunk: &mut Chunk) {
        let mut done = Vec::new();
        std::mem::replace(&mut self.parser, parser(&self.plan, 0)).finish(&mut done);
        self.give(&done, now, chunk);
        self.heard_at = None;
        self.boundary = 0;
        next_place.clone_into(&mut self.place);
    }

    fn silent(&mut self, now: Timestamp, chunk: &mut Chunk) {
        let mut done = Vec::new();
        self.parser.silence(&mut done);
        let at = self.heard_at.take().unwrap_or(now);
        self.give(&done, at, chunk);
    }

    fn is_mid_ticket(&self) -> bool {
        !self.parser.open().is_blank() || self.tickets.is_mid_ticket()
    }

    fn give(&mut self, receipts: &[Receipt], arrived: Timestamp, chunk: &mut Chunk) {
        for receipt in receipts {
            self.boundary = receipt.bytes.1;
            if receipt.is_blank() && receipt.damage.is_none() {
                continue;
            }
            let at = format!("{} byte {}", self.place, receipt.bytes.0);
            for event in self.tickets.receipt(receipt, &at, arrived) {
                match event {
                    TicketEvent::Transaction { transaction, .. } => chunk.transactions.push(*transaction),
                    TicketEvent::Quarantined(quarantined) => chunk.quarantined.push(quarantined),
                    TicketEvent::Ignored { rule, records } => count(&mut chunk.ignored, &rule, records),
                }
            }
        }
    }
}

fn parser(plan: &Plan, at: u64) -> Parser {
    Parser::new(&plan.line, at).expect("the plan was made by parsing with the same settings")
}

fn count(ignored: &mut Vec<(String, u64)>, rule: &str, records: u64) {
    match ignored.iter_mut().find(|(name, _)| name == rule) {
        Some((_, sum)) => *sum = sum.saturating_add(records),
        None => ignored.push((rule.to_owned(), records)),
    }
}
