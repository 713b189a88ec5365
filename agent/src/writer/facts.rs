//! What a reconciliation needs of the writer: the ledger beside what is on its way, at one moment; and the record of runs.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::params;
use sync_core::model::{Quantity, Seq, Sku, SkuId, Timestamp};
use sync_core::reconcile::{Article, Difference};
use tokio::sync::oneshot;

use super::Writer;
use crate::db::{DbError, step};

/// The ledger's articles as one lane sees them.
pub type Articles = BTreeMap<Sku, Article>;

/// A question for the articles of a lane.
#[derive(Debug)]
pub struct FactsRequest {
    /// Index of the lane.
    pub lane: usize,
    /// Articles that have moved after this position count as on their way.
    pub since: Option<Seq>,
    /// Where to answer; `None` if they could not be read.
    pub reply: oneshot::Sender<Option<(Articles, Seq)>>,
}

/// A step of a run, to be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunStep {
    /// It begins; answered with its number.
    Began {
        /// Who or what asked.
        who: String,
    },
    /// What differs: findings of this lane are these and no others.
    Found {
        /// All differences that were not repaired.
        differences: Vec<Difference>,
    },
    /// It ended.
    Ended {
        /// Which.
        run: i64,
        /// How.
        state: RunState,
        /// Articles compared.
        compared: i64,
        /// Of those, different.
        different: i64,
        /// Of those, repaired.
        repaired: i64,
        /// In plain words.
        summary: String,
        /// The plan, if a person has to decide.
        plan: Option<String>,
    },
    /// A person has decided about a held one.
    Decided {
        /// Which.
        run: i64,
        /// To carry it out.
        approved: bool,
        /// Who.
        by: String,
        /// Why.
        note: Option<String>,
    },
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunState {
    /// As planned.
    Done,
    /// Waits for a person.
    Held,
    /// The platform could not be read to the end; nothing was written after that.
    Failed,
}

impl RunState {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Held => "held",
            Self::Failed => "failed",
        }
    }
}

/// A step with its lane and the way back.
#[derive(Debug)]
pub struct RunRequest {
    /// Index of the lane.
    pub lane: usize,
    /// What happened.
    pub step: RunStep,
    /// Told the number of the run (or of rows) after the commit; `None` if it could not be stored.
    pub reply: oneshot::Sender<Option<i64>>,
}

impl Writer {
    /// The articles of the ledger with what is on its way to this lane's platform.
    pub(super) fn facts(&mut self, lane: usize, since: Option<Seq>) -> Result<(Articles, Seq), DbError> {
        self.post_movements()?;
        let mut articles = Articles::new();
        let Some(runtime) = self.lanes.get(lane) else { return Ok((articles, self.seq)) };
        let moved = match since {
            Some(since) => self.moved_after(since)?,
            None => BTreeSet::new(),
        };
        let mut statement =
            self.conn.prepare_cached("SELECT sku, base + moved FROM stock").map_err(step("read the stock"))?;
        let rows = statement
            .query_map([], |row| Ok((SkuId(row.get(0)?), row.get::<_, Option<i64>>(1)?)))
            .map_err(step("read the stock"))?;
        for row in rows {
            let (id, on_hand) = row.map_err(step("read the stock"))?;
            let Some(code) = self.codes.get(&id) else { continue };
            let target = runtime.targets.get(&id);
            let composite =
                target.is_some_and(|target| target.parts.len() != 1 || target.parts.iter().any(|part| part.per != 1));
            let article = Article {
                on_hand: on_hand.map(Quantity::from_micros),
                on_its_way: !runtime.lane.is_idle(id) || moved.contains(&id),
                item: target
                    .filter(|_| !composite)
                    .and_then(|target| target.parts.first())
                    .map(|part| part.item.clone()),
                composite,
                buffer: 0,
            };
            articles.insert(code.clone(), article);
        }
        // An item that a bundle takes from moves with the bundle: the article's own ledger does not say where it should be.
        let shared: BTreeSet<&str> = runtime
            .targets
            .values()
            .filter(|target| target.parts.len() != 1 || target.parts.iter().any(|part| part.per != 1))
            .flat_map(|target| target.parts.iter().map(|part| part.item.as_str()))
            .collect();
        for article in articles.values_mut() {
            article.composite |= article.item.as_deref().is_some_and(|item| shared.contains(item));
        }
        Ok((articles, self.seq))
    }

    fn moved_after(&self, since: Seq) -> Result<BTreeSet<SkuId>, DbError> {
        let mut statement = self
            .conn
            .prepare_cached("SELECT DISTINCT sku FROM movement WHERE seq > ?1")
            .map_err(step("read what has moved"))?;
        let rows = statement.query_map([since.0], |row| Ok(SkuId(row.get(0)?))).map_err(step("read what has moved"))?;
        rows.collect::<Result<_, _>>().map_err(step("read what has moved"))
    }

    /// Keeps a step of a run. Returns its number.
    pub(super) fn keep_run(&mut self, request: &RunRequest) -> Result<i64, DbError> {
        let now = self.now();
        let Some(lane) = self.lanes.get(request.lane).map(|runtime| runtime.id) else { return Ok(0) };
        match &request.step {
            RunStep::Began { who } => {
                self.conn
                    .execute(
                        "INSERT INTO reconcile_run (lane, started_at, state, compared, different, repaired, summary, who)
                         VALUES (?1, ?2, 'running', 0, 0, 0, '', ?3)",
                        params![lane, now.0, who],
                    )
                    .map_err(step("begin a reconciliation"))?;
                Ok(self.conn.last_insert_rowid())
            }
            RunStep::Found { differences } => self.keep_findings(lane, differences, now),
            RunStep::Ended { run, state, compared, different, repaired, summary, plan } => {
                if *state == RunState::Held {
                    self.conn
                        .execute(
                            "UPDATE reconcile_run SET state = 'superseded', plan = NULL WHERE lane = ?1 AND state = 'held'",
                            [lane],
                        )
                        .map_err(step("hold a reconciliation"))?;
                }
                self.conn
                    .execute(
                        "UPDATE reconcile_run SET ended_at = ?2, state = ?3, compared = ?4, different = ?5, repaired = ?6,
                                summary = ?7, plan = ?8 WHERE id = ?1",
                        params![run, now.0, state.as_str(), compared, different, repaired, summary, plan],
                    )
                    .map_err(step("end a reconciliation"))?;
                Ok(*run)
            }
            RunStep::Decided { run, approved, by, note } => {
                let state = if *approved { "approved" } else { "refused" };
                let changed = self
                    .conn
                    .execute(
                        "UPDATE reconcile_run SET state = ?2, decided_by = ?3, decided_at = ?4, note = ?5
                          WHERE id = ?1 AND state = 'held'",
                        params![run, state, by, now.0, note],
                    )
                    .map_err(step("decide about a reconciliation"))?;
                Ok(if changed == 1 { *run } else { 0 })
            }
        }
    }

    /// A finding seen again the same keeps the time when it was seen first.
    fn keep_findings(&mut self, lane: i64, differences: &[Difference], now: Timestamp) -> Result<i64, DbError> {
        let earlier: BTreeMap<String, (i64, i64)> = self
            .conn
            .prepare_cached("SELECT item, due - shown, seen_at FROM finding WHERE lane = ?1")
            .and_then(|mut statement| {
                let rows = statement.query_map([lane], |row| Ok((row.get(0)?, (row.get(1)?, row.get(2)?))))?;
                rows.collect()
            })
            .map_err(step("read findings"))?;
        self.conn.execute("DELETE FROM finding WHERE lane = ?1", [lane]).map_err(step("keep findings"))?;
        for difference in differences {
            let sku = self.sku(&difference.sku)?;
            let seen_at = earlier
                .get(&difference.item)
                .filter(|(change, _)| *change == difference.change())
                .map_or(now.0, |(_, seen_at)| *seen_at);
            self.conn
                .prepare_cached("INSERT OR REPLACE INTO finding VALUES (?1, ?2, ?3, ?4, ?5, ?6)")
                .and_then(|mut statement| {
                    statement.execute(params![lane, difference.item, sku.0, difference.shown, difference.due, seen_at])
                })
                .map_err(step("keep findings"))?;
        }
        Ok(i64::try_from(differences.len()).unwrap_or(i64::MAX))
    }
}
