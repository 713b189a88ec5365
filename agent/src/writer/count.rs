//! Counts enter the ledger (invariant 5): judged where the ledger is exact, and stored with their corrections in one commit.
//!
//! What is decided is in `sync_core::count`; this module gathers what it needs and keeps what came of it. A count that a
//! person has to see is kept whole, with its place in the stream, and judged again when it is approved (invariant 9).

use std::collections::BTreeMap;
use std::sync::mpsc::SyncSender;
use std::time::Duration;

use rusqlite::{OptionalExtension as _, params};
use serde::{Deserialize, Serialize};
use sync_core::count::guard::Sheet;
use sync_core::count::{Basis, CountExtent, Limits, Outcome, Plan, Reference, Span, Unsure};
use sync_core::ledger::MovementKind;
use sync_core::model::{Quantity, Seq, Sku, SkuId, Timestamp};

use super::Writer;
use super::post::Posting;
use crate::db::{DbError, step};

pub(super) mod late;
mod standing;

/// Most reasons and notes that are kept of one count.
const NOTES_MAX: usize = 20;

/// When a count was taken, as far as it can be known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "lowercase")]
pub enum Taken {
    /// Read from the POS's database. When it reaches the writer, every source was read to its end after it.
    Snapshot {
        /// Position of the ledger right before it was read.
        before: Seq,
        /// Position when it reached the writer; filled in there.
        after: Option<Seq>,
        /// When it was read.
        at: Timestamp,
    },
    /// As of a moment.
    Moment {
        /// For lines that do not say their own.
        at: Timestamp,
        /// How far clocks may differ.
        margin: Duration,
    },
}

impl Taken {
    /// When it was taken.
    #[must_use]
    pub const fn at(&self) -> Timestamp {
        match self {
            Self::Snapshot { at, .. } | Self::Moment { at, .. } => *at,
        }
    }
}

/// One article of a sheet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counted {
    /// How much lies there.
    pub quantity: Quantity,
    /// When it was counted, if its rows say it.
    pub span: Option<Span>,
}

/// A count as it comes to the writer, and as it is kept while it is held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CountSheet {
    /// Name of the `[[count]]`, or `manual`.
    pub name: String,
    /// What was counted.
    pub basis: Basis,
    /// How much of the store it is about.
    pub extent: CountExtent,
    /// When.
    pub taken: Taken,
    /// By article.
    pub lines: BTreeMap<Sku, Counted>,
    /// Rows that could not be read, in words.
    pub notes: Vec<String>,
    /// How many they are.
    pub unreadable: usize,
    /// Of a file's content: the same file is taken in once.
    pub hash: Option<String>,
    /// The file, or who counted.
    pub place: String,
    /// The POS's number may not know sales from after this yet.
    pub posted_until: Option<Timestamp>,
    /// It is too old to be believed without a person.
    pub stale: bool,
}

/// What is asked.
#[derive(Debug)]
pub enum CountStep {
    /// Take a sheet in, or only say what it would do.
    Sheet {
        /// The sheet.
        sheet: Box<CountSheet>,
        /// What a person has to see.
        limits: Limits,
        /// Only say it.
        dry_run: bool,
    },
    /// Decide about one that is held.
    Decide {
        /// Its number.
        id: i64,
        /// Take it in, or give it up.
        approve: bool,
        /// Why.
        reason: Option<String>,
    },
}

/// A step with its way back.
#[derive(Debug)]
pub struct CountRequest {
    /// What is asked.
    pub step: CountStep,
    /// Who or what asks.
    pub who: String,
    /// Told after the commit; `None` if it could not be stored.
    pub reply: SyncSender<Option<CountAnswer>>,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CountAnswer {
    /// Number of the count; `None` of a dry run.
    pub id: Option<i64>,
    /// `planned`, `applied`, `held`, `known` (the same file again), `refused`, `not_now`, `no_such_count`.
    pub state: String,
    /// Name of the count.
    pub name: String,
    /// In plain words.
    pub summary: String,
    /// What it does.
    pub plan: Plan,
}

impl CountAnswer {
    /// An answer without a plan.
    pub(super) fn plain(state: &str, name: &str, summary: impl Into<String>) -> Self {
        Self {
            id: None,
            state: state.to_owned(),
            name: name.to_owned(),
            summary: summary.into(),
            plan: Plan::default(),
        }
    }
}

impl Writer {
    /// Carries a step out inside the open SQL transaction.
    pub(super) fn count(&mut self, request: &CountRequest) -> Result<CountAnswer, DbError> {
        self.post_movements()?;
        match &request.step {
            CountStep::Sheet { sheet, limits, dry_run } => self.take_sheet(sheet, limits, *dry_run, &request.who),
            CountStep::Decide { id, approve, reason } => {
                self.decide_count(*id, *approve, reason.as_deref(), &request.who)
            }
        }
    }

    fn take_sheet(
        &mut self,
        sheet: &CountSheet,
        limits: &Limits,
        dry_run: bool,
        who: &str,
    ) -> Result<CountAnswer, DbError> {
        if self.restored.is_catching_up() {
            let words = "the database was restored and its sources are still read again; count when they are read";
            return Ok(CountAnswer::plain("not_now", &sheet.name, words));
        }
        if let Some(hash) = sheet.hash.as_deref().filter(|_| !dry_run)
            && let Some((id, state)) = self.known_count(&sheet.name, hash)?
        {
            let words = format!("count {id} had the same content and is {state}; nothing is done");
            return Ok(CountAnswer { id: Some(id), ..CountAnswer::plain("known", &sheet.name, words) });
        }
        let mut sheet = sheet.clone();
        if let Taken::Snapshot { after, .. } = &mut sheet.taken {
            *after = Some(self.seq);
        }
        let guard = Sheet {
            extent: sheet.extent,
            unreadable: sheet.unreadable,
            last_articles: self.last_articles(&sheet)?,
            is_older: sheet.stale || self.is_older(&sheet)?,
        };
        let plan = self.plan_count(&sheet, &guard, limits)?;
        if dry_run {
            let summary = summary(&plan);
            return Ok(CountAnswer { plan, ..CountAnswer::plain("planned", &sheet.name, summary) });
        }
        let held = !plan.held.is_empty();
        let id = self.keep_count(&sheet, &plan, held, who)?;
        if held {
            tracing::warn!(count = id, name = sheet.name, "A count waits for a person; see `tillsync count held`");
            let summary = format!("held as count {id}: {}", words_of(&plan));
            return Ok(CountAnswer { id: Some(id), plan, ..CountAnswer::plain("held", &sheet.name, summary) });
        }
        self.apply_count(id, &sheet, &plan, who)?;
        let summary = summary(&plan);
        Ok(CountAnswer { id: Some(id), plan, ..CountAnswer::plain("applied", &sheet.name, summary) })
    }

    /// Judges a sheet; stores nothing.
    fn plan_count(&self, sheet: &CountSheet, guard: &Sheet, limits: &Limits) -> Result<Plan, DbError> {
        let standings = self.standings(sheet)?;
        let counted = sheet.lines.iter().map(|(sku, counted)| (sku.clone(), counted.quantity)).collect();
        Ok(Plan::new(&counted, &standings, guard, limits))
    }

    fn apply_count(&mut self, id: i64, sheet: &CountSheet, plan: &Plan, who: &str) -> Result<(), DbError> {
        for line in &plan.lines {
            let sku = self.sku(&line.sku)?;
            self.keep_line(id, sku, line)?;
            match line.outcome {
                Outcome::Waits { .. } => continue,
                Outcome::First { base } => {
                    self.set_base(sku, base)?;
                }
                Outcome::Equal => {}
                Outcome::Corrected { by } => self.post(&Posting {
                    sku: line.sku.clone(),
                    delta: by,
                    kind: MovementKind::Correction,
                    exempt: None,
                    count: Some(id),
                    why: format!("count {id} ({})", sheet.name),
                    who: who.to_owned(),
                })?,
            }
            let span = span_of(sheet, &line.sku);
            self.conn
                .prepare_cached("UPDATE stock SET counted_at = ?2 WHERE sku = ?1")
                .and_then(|mut statement| statement.execute(params![sku.0, span.until.0]))
                .map_err(step("keep when an article was counted"))?;
            self.keep_shelf_count(id, sku, sheet, span)?;
        }
        Ok(())
    }

    fn set_base(&self, sku: SkuId, base: Quantity) -> Result<(), DbError> {
        self.conn
            .prepare_cached(
                "INSERT INTO stock (sku, moved, base) VALUES (?1, 0, ?2) ON CONFLICT (sku) DO UPDATE SET base = ?2",
            )
            .and_then(|mut statement| statement.execute(params![sku.0, base.micros()]))
            .map_err(step("keep the first count of an article"))?;
        Ok(())
    }

    fn keep_line(&self, id: i64, sku: SkuId, line: &sync_core::count::PlanLine) -> Result<(), DbError> {
        self.conn
            .prepare_cached("INSERT OR REPLACE INTO stock_count_line VALUES (?1, ?2, ?3, ?4, ?5)")
            .and_then(|mut statement| {
                let due = line.due.map(Quantity::micros);
                statement.execute(params![id, sku.0, line.counted.micros(), due, line.outcome.as_str()])
            })
            .map_err(step("keep a line of a count"))?;
        Ok(())
    }

    /// A held count keeps its sheet; one that is taken in keeps its lines.
    fn keep_count(&self, sheet: &CountSheet, plan: &Plan, held: bool, who: &str) -> Result<i64, DbError> {
        let mut reasons: Vec<String> = plan.held.iter().map(ToString::to_string).collect();
        reasons.extend(sheet.notes.iter().take(NOTES_MAX).cloned());
        let text = |value: serde_json::Result<String>| {
            value.map_err(|error| DbError::Row { what: format!("count `{}`", sheet.name), detail: error.to_string() })
        };
        let whole = if held { Some(text(serde_json::to_string(sheet))?) } else { None };
        let number = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        let now = self.now();
        self.conn
            .execute(
                "INSERT INTO stock_count (name, basis, extent, taken_at, seq, read_at, state, articles, corrected, waiting, reasons,
                 sheet, who, decided_at, note, hash, place)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, NULL, NULL, ?14, ?15)",
                params![
                    sheet.name,
                    sheet.basis.as_str(),
                    sheet.extent.as_str(),
                    sheet.taken.at().0,
                    self.seq.0,
                    now.0,
                    if held { "held" } else { "applied" },
                    number(plan.lines.len()),
                    number(plan.count("corrected")),
                    number(plan.count("waits")),
                    text(serde_json::to_string(&reasons))?,
                    whole,
                    who,
                    sheet.hash,
                    sheet.place
                ],
            )
            .map_err(step("keep a count"))?;
        Ok(self.conn.last_insert_rowid())
    }

    fn decide_count(
        &mut self,
        id: i64,
        approve: bool,
        reason: Option<&str>,
        who: &str,
    ) -> Result<CountAnswer, DbError> {
        let row: Option<(String, String)> = self
            .conn
            .query_row("SELECT name, sheet FROM stock_count WHERE id = ?1 AND state = 'held'", [id], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
            .optional()
            .map_err(step("read a held count"))?;
        let Some((name, text)) = row else {
            let words = format!("no count {id} is held; `tillsync count held` lists those that are");
            return Ok(CountAnswer::plain("no_such_count", "", words));
        };
        let note = format!("{} by {who}{}", if approve { "approved" } else { "refused" }, suffix(reason));
        if !approve {
            self.end_held(id, "refused", &Plan::default(), &note)?;
            let words = format!("count {id} is refused; nothing of it is taken in");
            return Ok(CountAnswer { id: Some(id), ..CountAnswer::plain("refused", &name, words) });
        }
        let sheet: CountSheet = serde_json::from_str(&text)
            .map_err(|error| DbError::Row { what: format!("count {id}"), detail: error.to_string() })?;
        let guard = Sheet { extent: sheet.extent, unreadable: 0, last_articles: None, is_older: false };
        // A person has seen it: what stays is what cannot be known.
        let mut plan = self.plan_count(&sheet, &guard, &Limits::default())?;
        plan.held.clear();
        self.end_held(id, "applied", &plan, &note)?;
        self.apply_count(id, &sheet, &plan, who)?;
        let summary = summary(&plan);
        Ok(CountAnswer { id: Some(id), plan, ..CountAnswer::plain("applied", &name, summary) })
    }

    fn end_held(&self, id: i64, state: &str, plan: &Plan, note: &str) -> Result<(), DbError> {
        let number = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        self.conn
            .execute(
                "UPDATE stock_count SET state = ?2, note = ?3, decided_at = ?4, corrected = ?5, waiting = ?6, seq = ?7,
                 sheet = CASE WHEN ?2 = 'applied' THEN NULL ELSE sheet END WHERE id = ?1",
                params![
                    id,
                    state,
                    note,
                    self.now().0,
                    number(plan.count("corrected")),
                    number(plan.count("waits")),
                    self.seq.0
                ],
            )
            .map_err(step("decide about a count"))?;
        Ok(())
    }

    fn known_count(&self, name: &str, hash: &str) -> Result<Option<(i64, String)>, DbError> {
        self.conn
            .query_row(
                "SELECT id, state FROM stock_count WHERE name = ?1 AND hash = ?2 ORDER BY id DESC LIMIT 1",
                params![name, hash],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )
            .optional()
            .map_err(step("look for a count"))
    }

    fn last_articles(&self, sheet: &CountSheet) -> Result<Option<usize>, DbError> {
        self.conn
            .query_row(
                "SELECT articles FROM stock_count WHERE name = ?1 AND extent = 'full' AND state = 'applied' ORDER BY id DESC LIMIT 1",
                [&sheet.name],
                |row| row.get::<_, i64>(0),
            )
            .optional()
            .map(|found| found.and_then(|articles| usize::try_from(articles).ok()))
            .map_err(step("look for the last count"))
    }

    fn is_older(&self, sheet: &CountSheet) -> Result<bool, DbError> {
        self.conn
            .query_row(
                "SELECT EXISTS (SELECT 1 FROM stock_count WHERE name = ?1 AND state = 'applied' AND extent = 'full'
                 AND ?3 = 'full' AND taken_at > ?2)",
                params![sheet.name, sheet.taken.at().0, sheet.extent.as_str()],
                |row| row.get(0),
            )
            .map_err(step("look for a later count"))
    }
}

/// The time that an article was counted at.
pub(super) fn span_of(sheet: &CountSheet, sku: &Sku) -> Span {
    let own = sheet.lines.get(sku).and_then(|counted| counted.span);
    own.unwrap_or_else(|| Span::at(sheet.taken.at()))
}

fn suffix(reason: Option<&str>) -> String {
    reason.map(|reason| format!(": {reason}")).unwrap_or_default()
}

fn words_of(plan: &Plan) -> String {
    plan.held.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

fn summary(plan: &Plan) -> String {
    plan.to_string().lines().next().unwrap_or_default().to_owned()
}

/// Where a sheet stands in the stream.
pub(super) fn reference(sheet: &CountSheet, before: Seq) -> Reference {
    match (sheet.taken, sheet.basis) {
        (Taken::Snapshot { before, after, .. }, _) => Reference::Snapshot { before, after: after.unwrap_or(before) },
        (Taken::Moment { margin, .. }, Basis::Ledger) => Reference::Export { before, margin },
        (Taken::Moment { margin, .. }, Basis::Shelf) => Reference::Shelf { before, margin },
    }
}

/// Why an article cannot be compared although its movements are known.
pub(super) const NOT_POSTED: Unsure = Unsure::NotPosted;
