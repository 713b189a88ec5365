//! What the rest of the program may know: one board, updated after each commit, read by the status server.

use std::sync::{Mutex, PoisonError};

use pos_adapters::Quarantined;
use rusqlite::Connection;
use sync_core::model::{Quantity, Seq, Timestamp};
use sync_core::outbox::lane::{Condition, Stage};
use sync_core::outbox::verdict::Answer;

use super::LaneRuntime;
use crate::clock::Clock;
use crate::db::{DbError, step};
use crate::status::LatencyHistogram;

/// Facts of one source.
#[derive(Debug, Clone, Default)]
pub struct SourceFacts {
    /// Its name.
    pub name: String,
    /// Transactions in the ledger.
    pub transactions: u64,
    /// Lines read since the start of the program.
    pub lines: u64,
    /// Records that wait for a person.
    pub quarantined: u64,
    /// Bytes read since the start.
    pub bytes: u64,
    /// Unread bytes, as far as known.
    pub backlog: Option<u64>,
    /// When something was last read.
    pub last_read_at: Option<Timestamp>,
    /// Latest POS time.
    pub last_sale_at: Option<Timestamp>,
    /// What is wrong: code, message, hint.
    pub fault: Option<(String, String, String)>,
    /// Something was read to its end since the start.
    pub caught_up: bool,
}

/// Facts of one lane that the pure machine does not count.
#[derive(Debug, Clone, Default)]
pub struct LaneCounts {
    /// Lines delivered, ever.
    pub delivered_lines: i64,
    /// Open dead letters.
    pub dead_letters: i64,
    /// Answers since the start.
    pub requests: u64,
    /// Answers that ask for another attempt.
    pub retries: u64,
    /// When the platform last took something.
    pub last_delivered_at: Option<Timestamp>,
    /// From the POS time of a sale to the platform's answer.
    pub delays: LatencyHistogram,
}

/// Facts of one lane as the pure machine has them.
#[derive(Debug, Clone)]
pub struct LaneFacts {
    /// Its name.
    pub name: String,
    /// The platform's kind.
    pub kind: &'static str,
    /// Whether it sends.
    pub condition: Condition,
    /// Waiting entries in memory.
    pub waiting_entries: usize,
    /// Lines that are not in the shop yet: waiting, or in a request without an answer.
    pub waiting_lines: i64,
    /// Units that they stand for, signs ignored.
    pub waiting_units: Quantity,
    /// Oldest POS time among them.
    pub oldest_waiting_at: Option<Timestamp>,
    /// Live batches.
    pub in_flight: usize,
    /// Of those, with an unknown outcome.
    pub uncertain: usize,
    /// SKUs that the platform does not know.
    pub unknown_skus: usize,
}

/// Everything on the board.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// Per source.
    pub sources: Vec<SourceFacts>,
    /// Per lane.
    pub counts: Vec<LaneCounts>,
    /// Per lane.
    pub lanes: Vec<LaneFacts>,
    /// Distinct SKUs.
    pub skus: usize,
    /// Position of the movement stream.
    pub seq: Seq,
    /// What is wrong with the database: code, message, hint.
    pub fault: Option<(String, String, String)>,
    /// What is wrong with the clock.
    pub clock_note: Option<&'static str>,
    /// The writer runs.
    pub started: bool,
}

/// What one chunk brought.
pub(super) struct Read {
    pub(super) transactions: usize,
    pub(super) lines: u64,
    pub(super) last_sale: Option<Timestamp>,
    pub(super) bytes: u64,
    pub(super) backlog: Option<u64>,
    pub(super) at: Timestamp,
}

/// The board. Counts change inside a group and count only when it is committed.
#[derive(Debug, Default)]
pub struct Board {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    shown: Facts,
    committed: Option<(Vec<SourceFacts>, Vec<LaneCounts>)>,
}

impl Board {
    /// A board with these sources and lanes.
    pub fn new(sources: &[String], lanes: usize) -> Self {
        let sources = sources.iter().map(|name| SourceFacts { name: name.clone(), ..SourceFacts::default() }).collect();
        let shown = Facts { sources, counts: vec![LaneCounts::default(); lanes], ..Facts::default() };
        Self { state: Mutex::new(State { shown, committed: None }) }
    }

    /// What it shows.
    pub fn facts(&self) -> Facts {
        self.lock().shown.clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn start(&self, conn: &Connection) -> Result<(), DbError> {
        let counted = conn
            .prepare(
                "SELECT s.name, count(*), max(t.sold_at) FROM txn t JOIN source s ON s.id = t.source GROUP BY t.source",
            )
            .and_then(|mut statement| {
                let rows = statement.query_map([], |row| {
                    Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?, row.get::<_, Option<i64>>(2)?))
                })?;
                rows.collect::<Result<Vec<_>, _>>()
            })
            .map_err(step("count transactions"))?;
        {
            let mut state = self.lock();
            for (name, transactions, last) in counted {
                if let Some(source) = state.shown.sources.iter_mut().find(|source| source.name == name) {
                    source.transactions = u64::try_from(transactions).unwrap_or(0);
                    source.last_sale_at = last.map(Timestamp);
                }
            }
            state.shown.started = true;
        }
        self.recount(conn)
    }

    /// Counts again what persons and restarts change.
    pub(super) fn recount(&self, conn: &Connection) -> Result<(), DbError> {
        let pairs = |sql: &str| -> Result<Vec<(String, i64)>, DbError> {
            conn.prepare_cached(sql)
                .and_then(|mut statement| {
                    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
                    rows.collect::<Result<Vec<_>, _>>()
                })
                .map_err(step("count what is open"))
        };
        let quarantined = pairs(
            "SELECT s.name, sum(q.records) FROM quarantine q JOIN source s ON s.id = q.source WHERE q.state = 'open' GROUP BY 1",
        )?;
        let by_lane =
            |sql: &str| -> Result<Vec<i64>, DbError> { Ok(pairs(sql)?.into_iter().map(|(_, count)| count).collect()) };
        let dead = by_lane(
            "SELECT l.name, (SELECT count(*) FROM dead_letter d WHERE d.lane = l.id AND d.state = 'open') FROM lane l ORDER BY l.id",
        )?;
        let delivered = by_lane(
            "SELECT l.name, coalesce((SELECT sum(lines) FROM sent WHERE lane = l.id AND outcome <> 'reopened'), 0)
                          + coalesce((SELECT sum(lines) FROM pruned WHERE lane = l.id), 0) FROM lane l ORDER BY l.id",
        )?;
        let mut state = self.lock();
        for source in &mut state.shown.sources {
            let open = quarantined.iter().find(|(name, _)| *name == source.name).map_or(0, |(_, count)| *count);
            source.quarantined = u64::try_from(open).unwrap_or(0);
        }
        for (counts, (dead, delivered)) in state.shown.counts.iter_mut().zip(dead.into_iter().zip(delivered)) {
            counts.dead_letters = dead;
            counts.delivered_lines = delivered;
        }
        Ok(())
    }

    pub(super) fn begin(&self) {
        let mut state = self.lock();
        state.committed = Some((state.shown.sources.clone(), state.shown.counts.clone()));
    }

    pub(super) fn commit(&self) {
        let mut state = self.lock();
        state.committed = None;
        state.shown.fault = None;
    }

    pub(super) fn fault(&self, fault: &DbError) {
        let mut state = self.lock();
        if let Some((sources, counts)) = state.committed.take() {
            state.shown.sources = sources;
            state.shown.counts = counts;
        }
        state.shown.fault = Some((fault.code().to_owned(), crate::ingest::chain(fault), fault.hint().to_owned()));
    }

    pub(super) fn recorded(&self, source: usize, read: &Read, quarantined: &[Quarantined]) {
        let mut state = self.lock();
        if let Some(facts) = state.shown.sources.get_mut(source) {
            facts.transactions += u64::try_from(read.transactions).unwrap_or(0);
            facts.lines += read.lines;
            facts.quarantined += quarantined.iter().map(|row| u64::from(row.records)).sum::<u64>();
            facts.bytes += read.bytes;
            facts.backlog = read.backlog;
            facts.last_read_at = Some(read.at);
            facts.last_sale_at = facts.last_sale_at.max(read.last_sale);
            facts.fault = None;
        }
    }

    pub(super) fn source_state(&self, source: usize, backlog: Option<u64>, fault: Option<(String, String, String)>) {
        let mut state = self.lock();
        if let Some(facts) = state.shown.sources.get_mut(source) {
            facts.caught_up |= fault.is_none();
            facts.backlog = backlog;
            facts.fault = fault;
        }
    }

    pub(super) fn answered(&self, lane: usize, answer: &Answer) {
        let mut state = self.lock();
        if let Some(counts) = state.shown.counts.get_mut(lane) {
            counts.requests += 1;
            counts.retries += u64::from(!matches!(answer, Answer::Applied { .. }));
        }
    }

    pub(super) fn delivered(&self, lane: usize, lines: i64, sold: &[Timestamp], now: Timestamp) {
        let mut state = self.lock();
        let Some(counts) = state.shown.counts.get_mut(lane) else { return };
        counts.delivered_lines += lines;
        counts.last_delivered_at = Some(now);
        for at in sold {
            counts.delays.record(now.since(*at));
        }
    }

    pub(super) fn died(&self, lane: usize) {
        let mut state = self.lock();
        if let Some(counts) = state.shown.counts.get_mut(lane) {
            counts.dead_letters += 1;
        }
    }

    pub(super) fn lanes(&self, lanes: Vec<LaneFacts>, skus: usize, seq: Seq, clock: &Clock) {
        let note = clock.note();
        let mut state = self.lock();
        state.shown.lanes = lanes;
        state.shown.skus = skus;
        state.shown.seq = seq;
        state.shown.clock_note = note;
    }
}

pub(super) fn lane_facts(runtime: &LaneRuntime) -> LaneFacts {
    let lane = &runtime.lane;
    let in_flight_lines: i64 =
        lane.batches().values().flat_map(|batch| &batch.items).map(|item| item.entry.lines).sum();
    LaneFacts {
        name: runtime.name.clone(),
        kind: runtime.kind,
        condition: lane.condition().clone(),
        waiting_entries: lane.waiting_len(),
        waiting_lines: lane.waiting().map(|entry| entry.lines).sum::<i64>() + in_flight_lines,
        waiting_units: lane.waiting().fold(Quantity::ZERO, |sum, entry| sum.saturating_add(entry.delta.magnitude())),
        oldest_waiting_at: lane.waiting().filter_map(|entry| entry.sold_at).min(),
        in_flight: lane.batches().len(),
        uncertain: lane.batches().values().filter(|batch| batch.stage != Stage::Change).count(),
        unknown_skus: lane.missing_skus(),
    }
}
