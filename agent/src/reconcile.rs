//! Carries a reconciliation out: reads the platform page by page, lets `sync_core::reconcile` plan, looks a second time at
//! what differs, and hands the repairs to the writer. Holds no policy: what is compared, repaired or held is in the plan.
//!
//! ```text
//!  levels, page by page ─► facts of the ledger ─► plan ─► held? ─► a person
//!                                                  └► differences: kept, looked at again after `confirm_after`
//!                                                        ─► facts ─► plan ─► repairs, a request at a time ─► log
//! ```
//!
//! The ledger is asked before and after the numbers are read: an article that was on its way before, or has moved since, is
//! not compared. Net numbers are judged by online orders that were read after them. A difference needs two looks. Right
//! before a repair its number is read once more where the platform has no compare-and-set.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::time::Duration;

use serde::Serialize;
use sync_core::model::{Seq, Sku, Timestamp};
use sync_core::reconcile::{self, Difference, Finding, Plan, Rules, Shown, Snapshot, Standing};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::db;
use crate::platform::{CallFailure, Number, Platform, ReadBack};
use crate::writer::facts::{Articles, FactsRequest, RunRequest, RunState, RunStep};
use crate::writer::repair::{RepairAnswer, RepairRequest, RepairRow};
use crate::writer::{Command, Commands};

/// Most pages of one reading; at 50 items a page that is 250,000 articles.
const PAGES_MAX: usize = 5_000;
/// Items of one question when numbers are looked at again.
const LOOK_AGAIN_ITEMS: usize = 100;
/// How often a page that could not be read is asked for again.
const PAGE_TRIES_MAX: u32 = 6;
/// Longest wait between two such tries.
const PAGE_WAIT_MAX: Duration = Duration::from_secs(60);
/// How often a lane that cannot send is asked again, and how often in all, before the run is left to the next.
const BUSY_WAIT: Duration = Duration::from_millis(200);
const BUSY_TRIES_MAX: u32 = 600;
/// Longest wait for the answer to a request of repairs; the lane goes on by itself after it.
const ANSWER_WAIT_MAX: Duration = Duration::from_secs(120);
/// First and longest wait between two looks at the outcome.
const WRITTEN_WAIT: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(1));
/// Times that repairs which were overtaken are looked at and written again in one run.
const ROUNDS_MAX: u32 = 3;
/// Longest wait for online orders that were read after the numbers.
pub const ORDERS_WAIT_MAX: Duration = Duration::from_secs(150);

/// What is asked of the reconciler.
pub struct Ask {
    /// Only this platform.
    pub platform: Option<String>,
    /// What to do.
    pub what: What,
    /// Who or what asks.
    pub who: String,
    /// Where to answer.
    pub reply: Option<SyncSender<Result<String, String>>>,
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// Compare, and only say what would be done.
    DryRun,
    /// Compare and repair.
    Run,
    /// Carry a held run out.
    Approve {
        /// Which.
        run: i64,
    },
    /// Give a held run up.
    Refuse {
        /// Which.
        run: i64,
        /// Why.
        reason: Option<String>,
    },
}

/// Where asks are put.
pub type Asks = UnboundedSender<Ask>;

/// One lane that can be reconciled.
pub struct ReconcileLane {
    /// Its index at the writer.
    pub index: usize,
    /// Its name.
    pub name: String,
    /// The connection.
    pub platform: Arc<dyn Platform>,
    /// Makes its online orders be read at once, where it has some.
    pub soon: Option<Arc<tokio::sync::Notify>>,
}

/// Units of an article that a shop is never told.
pub type BufferOf = Arc<dyn Fn(&str, &Sku) -> i64 + Send + Sync>;

/// The service.
pub struct Reconciler {
    /// What can be reconciled.
    pub lanes: Vec<ReconcileLane>,
    /// The writer.
    pub commands: Commands,
    /// Time.
    pub clock: Arc<Clock>,
    /// The database, for reading.
    pub database: PathBuf,
    /// Limits.
    pub rules: Rules,
    /// By lane name and article.
    pub buffers: BufferOf,
    /// Longest wait for online orders; [`ORDERS_WAIT_MAX`] but in tests.
    pub orders_wait: Duration,
}

/// What was on its way when numbers began to be read.
struct Before {
    on_their_way: BTreeSet<Sku>,
    seq: Seq,
}

/// What a run tells.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The platform.
    pub platform: String,
    /// Number of the run; `None` of a dry run.
    pub run: Option<i64>,
    /// `dry-run`, `done`, `held` or `failed`.
    pub state: &'static str,
    /// Requests that reading took.
    pub pages: usize,
    /// Articles repaired.
    pub repaired: usize,
    /// In plain words.
    pub summary: String,
    /// Whole plan.
    pub plan: Plan,
}

/// Why a run ended early.
enum Trouble {
    Platform(String),
    Writer,
}

impl Reconciler {
    /// Serves asks, one after the other, until stopped.
    pub async fn serve(self, mut asks: UnboundedReceiver<Ask>, stop: CancellationToken) {
        loop {
            let ask = tokio::select! {
                () = stop.cancelled() => return,
                ask = asks.recv() => ask,
            };
            let Some(ask) = ask else { return };
            let answer = tokio::select! {
                () = stop.cancelled() => return,
                answer = self.answer(&ask) => answer,
            };
            if let Some(reply) = ask.reply {
                let _nobody_waits = reply.send(answer);
            }
        }
    }

    async fn answer(&self, ask: &Ask) -> Result<String, String> {
        let mut reports = Vec::new();
        match &ask.what {
            What::Refuse { run, reason } => return self.refuse(*run, &ask.who, reason.as_deref()).await,
            What::Approve { run } => reports.push(self.approve(*run, &ask.who).await?),
            What::DryRun | What::Run => {
                let wanted = |lane: &&ReconcileLane| ask.platform.as_ref().is_none_or(|name| *name == lane.name);
                let lanes: Vec<&ReconcileLane> = self.lanes.iter().filter(wanted).collect();
                if lanes.is_empty() {
                    return Err("there is no platform of this name whose numbers can be compared".to_owned());
                }
                for lane in lanes {
                    reports.push(if ask.what == What::DryRun {
                        self.dry_run(lane).await
                    } else {
                        self.run(lane, &ask.who, None).await
                    });
                }
            }
        }
        serde_json::to_string(&reports).map_err(|error| error.to_string())
    }

    async fn dry_run(&self, lane: &ReconcileLane) -> Report {
        let mut pages = 0;
        match self.compare(lane, &mut pages).await {
            Ok((_, plan)) => report(lane, None, "dry-run", pages, 0, plan),
            Err(trouble) => failed(lane, None, pages, &trouble),
        }
    }

    /// Compares, looks again, repairs. `approved`: a plan that a person has approved; nothing beside it is written.
    async fn run(&self, lane: &ReconcileLane, who: &str, approved: Option<&Plan>) -> Report {
        let Some(run) = self.keep(lane, RunStep::Began { who: who.to_owned() }).await else {
            return failed(lane, None, 0, &Trouble::Writer);
        };
        let mut pages = 0;
        let report = match self.run_to_end(lane, run, who, approved, &mut pages).await {
            Ok(report) => report,
            Err(trouble) => failed(lane, Some(run), pages, &trouble),
        };
        let state = match report.state {
            "held" => RunState::Held,
            "failed" => RunState::Failed,
            _ => RunState::Done,
        };
        let count = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        let ended = RunStep::Ended {
            run,
            state,
            compared: count(report.plan.compared),
            different: count(report.plan.differences.len()),
            repaired: count(report.repaired),
            summary: report.summary.clone(),
            plan: (state == RunState::Held).then(|| serde_json::to_string(&report.plan).unwrap_or_default()),
        };
        if self.keep(lane, ended).await.is_none() {
            tracing::warn!(lane = lane.name, run, "The end of a reconciliation could not be stored");
        }
        tracing::info!(lane = lane.name, run, state = report.state, summary = report.summary, "Reconciliation ended");
        report
    }

    async fn run_to_end(
        &self,
        lane: &ReconcileLane,
        run: i64,
        who: &str,
        approved: Option<&Plan>,
        pages: &mut usize,
    ) -> Result<Report, Trouble> {
        let (mut shown, mut plan) = self.compare(lane, pages).await?;
        self.keep(lane, RunStep::Found { differences: plan.differences.clone() }).await.ok_or(Trouble::Writer)?;
        if approved.is_none() && !plan.held.is_empty() {
            return Ok(report(lane, Some(run), "held", *pages, 0, plan));
        }
        if plan.found().next().is_some() {
            tokio::time::sleep(self.rules.confirm_after).await;
            let items: Vec<String> = plan.differences.iter().map(|difference| difference.item.clone()).collect();
            let before = self.before(lane).await?;
            let numbers = self.look_again(lane, &items, pages).await?;
            shown.retain_mut(|row| match numbers.get(&row.item).copied().flatten() {
                Some(number) => {
                    row.number = number;
                    true
                }
                // Equal at the first look and not read again, or gone.
                None => false,
            });
            let second = self.plan(lane, shown, &before).await?;
            plan = plan.after_second_look(second, &self.rules);
            self.keep(lane, RunStep::Found { differences: plan.differences.clone() }).await.ok_or(Trouble::Writer)?;
            if approved.is_none() && !plan.held.is_empty() {
                return Ok(report(lane, Some(run), "held", *pages, 0, plan));
            }
        }
        let wanted = |difference: &&Difference| {
            approved.is_none_or(|approved| {
                approved
                    .differences
                    .iter()
                    .any(|known| known.item == difference.item && known.change() == difference.change())
            })
        };
        let repairs: Vec<Difference> = plan.repairs().filter(wanted).cloned().collect();
        let repaired = self.repair(lane, run, who, repairs, pages).await?;
        Ok(report(lane, Some(run), "done", *pages, repaired, plan))
    }

    /// Reads all numbers and plans.
    async fn compare(&self, lane: &ReconcileLane, pages: &mut usize) -> Result<(Vec<Shown>, Plan), Trouble> {
        let before = self.before(lane).await?;
        let mut shown = Vec::new();
        let mut next = None;
        loop {
            *pages += 1;
            if *pages > PAGES_MAX {
                return Err(Trouble::Platform(format!("it has more than {PAGES_MAX} pages of numbers")));
            }
            let read = again(|| lane.platform.levels(next.clone())).await?;
            shown.extend(read.levels.into_iter().map(|level| Shown {
                item: level.item,
                sku: level.sku,
                number: level.number,
            }));
            next = read.next;
            if next.is_none() {
                break;
            }
        }
        let plan = self.plan(lane, shown.clone(), &before).await?;
        Ok((shown, plan))
    }

    /// What is on its way before numbers are read.
    async fn before(&self, lane: &ReconcileLane) -> Result<Before, Trouble> {
        let (articles, seq) = self.facts(lane, None).await.ok_or(Trouble::Writer)?;
        let on_their_way = articles.into_iter().filter(|(_, article)| article.on_its_way).map(|(sku, _)| sku).collect();
        Ok(Before { on_their_way, seq })
    }

    async fn plan(&self, lane: &ReconcileLane, shown: Vec<Shown>, before: &Before) -> Result<Plan, Trouble> {
        let traits = lane.platform.traits();
        let open_orders = if traits.number == Number::Net {
            self.open_orders(lane, self.clock.now()).await?
        } else {
            BTreeMap::new()
        };
        let (mut articles, _) = self.facts(lane, Some(before.seq)).await.ok_or(Trouble::Writer)?;
        for (sku, article) in &mut articles {
            article.buffer = (self.buffers)(&lane.name, sku);
            article.on_its_way |= before.on_their_way.contains(sku);
        }
        let findings = self.findings(lane)?;
        let snapshot = Snapshot { articles, shown, open_orders, findings, floor_zero: traits.floor_zero };
        Ok(reconcile::plan(&snapshot, &self.rules, self.clock.now()))
    }

    /// The numbers of some items now.
    async fn look_again(
        &self,
        lane: &ReconcileLane,
        items: &[String],
        pages: &mut usize,
    ) -> Result<BTreeMap<String, Option<i64>>, Trouble> {
        let mut numbers = BTreeMap::new();
        for part in items.chunks(LOOK_AGAIN_ITEMS) {
            *pages += 1;
            let question = ReadBack { items: part.to_vec(), sent: None };
            let seen = again(|| lane.platform.read_back(&question)).await?;
            numbers.extend(part.iter().cloned().zip(seen.into_iter().map(|seen| seen.number)));
        }
        Ok(numbers)
    }

    /// Writes what is confirmed, a request at a time. Returns how many articles were repaired.
    async fn repair(
        &self,
        lane: &ReconcileLane,
        run: i64,
        who: &str,
        mut left: Vec<Difference>,
        pages: &mut usize,
    ) -> Result<usize, Trouble> {
        let traits = lane.platform.traits();
        let mut repaired = 0;
        for round in 0..ROUNDS_MAX {
            if left.is_empty() {
                break;
            }
            let mut overtaken = Vec::new();
            for part in left.chunks(traits.rows_max.max(1)) {
                // With compare-and-set the platform looks by itself; a second round has to know what was overtaken.
                let part = if traits.compare_and_set && round == 0 {
                    part.to_vec()
                } else {
                    self.unchanged(lane, part, pages).await?
                };
                if !self.freeze(lane, run, who, &part).await? {
                    return Ok(repaired);
                }
                let written = self.written(run, &part).await?;
                repaired += written.len();
                overtaken.extend(part.into_iter().filter(|difference| !written.contains(&difference.item)));
            }
            left = overtaken;
        }
        Ok(repaired)
    }

    /// Of these, the ones whose number is still the one that was compared.
    async fn unchanged(
        &self,
        lane: &ReconcileLane,
        differences: &[Difference],
        pages: &mut usize,
    ) -> Result<Vec<Difference>, Trouble> {
        let items: Vec<String> = differences.iter().map(|difference| difference.item.clone()).collect();
        let numbers = self.look_again(lane, &items, pages).await?;
        let is_unchanged =
            |difference: &&Difference| numbers.get(&difference.item).copied().flatten() == Some(difference.shown);
        Ok(differences.iter().filter(is_unchanged).cloned().collect())
    }

    /// Asks the writer until it has taken the repairs. `false` if the lane cannot send for long.
    async fn freeze(&self, lane: &ReconcileLane, run: i64, who: &str, part: &[Difference]) -> Result<bool, Trouble> {
        if part.is_empty() {
            return Ok(true);
        }
        let rows: Vec<RepairRow> = part
            .iter()
            .map(|difference| RepairRow {
                sku: difference.sku.clone(),
                item: difference.item.clone(),
                shown: difference.shown,
                due: difference.due,
                on_hand: difference.on_hand,
                why: difference.why(),
            })
            .collect();
        for _ in 0..BUSY_TRIES_MAX {
            let (reply, answer) = oneshot::channel();
            let request = RepairRequest { lane: lane.index, run, rows: rows.clone(), who: who.to_owned(), reply };
            match self.ask(Command::Repair(request), answer).await.ok_or(Trouble::Writer)? {
                RepairAnswer::Taken { left, .. } => {
                    for (sku, reason) in left {
                        tracing::info!(lane = lane.name, %sku, reason, "Not repaired now");
                    }
                    return Ok(true);
                }
                RepairAnswer::Busy | RepairAnswer::Failed => tokio::time::sleep(BUSY_WAIT).await,
            }
        }
        tracing::warn!(lane = lane.name, run, "The platform does not take requests; the rest waits for the next run");
        Ok(false)
    }

    /// Waits until the writer has logged the outcome of every overwrite of this request. Returns the items written.
    async fn written(&self, run: i64, part: &[Difference]) -> Result<Vec<String>, Trouble> {
        let until = tokio::time::Instant::now() + ANSWER_WAIT_MAX;
        let mut wait = WRITTEN_WAIT.0;
        loop {
            let states = self.overwrites(run)?;
            let open = part.iter().any(|difference| states.get(&difference.item).is_some_and(|state| state == "sent"));
            if !open || tokio::time::Instant::now() >= until {
                let is_written =
                    |difference: &&Difference| states.get(&difference.item).is_some_and(|state| state == "written");
                return Ok(part.iter().filter(is_written).map(|difference| difference.item.clone()).collect());
            }
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(WRITTEN_WAIT.1);
        }
    }

    async fn approve(&self, run: i64, who: &str) -> Result<Report, String> {
        let (lane, text) = self.held(run)?;
        let plan: Plan =
            serde_json::from_str(&text).map_err(|error| format!("the held plan cannot be read: {error}"))?;
        let decided = RunStep::Decided { run, approved: true, by: who.to_owned(), note: None };
        match self.keep(lane, decided).await {
            Some(found) if found == run => Ok(self.run(lane, who, Some(&plan)).await),
            Some(_) => Err(format!("run {run} does not wait for a decision")),
            None => Err("it could not be stored; try again".to_owned()),
        }
    }

    async fn refuse(&self, run: i64, who: &str, reason: Option<&str>) -> Result<String, String> {
        let (lane, _) = self.held(run)?;
        let decided = RunStep::Decided { run, approved: false, by: who.to_owned(), note: reason.map(str::to_owned) };
        match self.keep(lane, decided).await {
            Some(found) if found == run => Ok("[]".to_owned()),
            Some(_) => Err(format!("run {run} does not wait for a decision")),
            None => Err("it could not be stored; try again".to_owned()),
        }
    }

    // --- the writer and the database ----------------------------------------------------------------------------

    async fn ask<T>(&self, command: Command, answer: oneshot::Receiver<T>) -> Option<T> {
        self.commands.send(command).ok()?;
        // Dropped unanswered with a group that could not be stored.
        answer.await.ok()
    }

    async fn keep(&self, lane: &ReconcileLane, step: RunStep) -> Option<i64> {
        let (reply, answer) = oneshot::channel();
        self.ask(Command::Reconcile(RunRequest { lane: lane.index, step, reply }), answer).await.flatten()
    }

    async fn facts(&self, lane: &ReconcileLane, since: Option<Seq>) -> Option<(Articles, Seq)> {
        let (reply, answer) = oneshot::channel();
        self.ask(Command::Facts(FactsRequest { lane: lane.index, since, reply }), answer).await.flatten()
    }

    fn read<T>(&self, what: impl FnOnce(&rusqlite::Connection) -> rusqlite::Result<T>) -> Result<T, Trouble> {
        let unreadable = |error: &dyn std::fmt::Display| {
            tracing::warn!(%error, "The database cannot be read beside the writer");
            Trouble::Writer
        };
        let conn = db::open_reader(&self.database).map_err(|error| unreadable(&error))?;
        what(&conn).map_err(|error| unreadable(&error))
    }

    fn findings(&self, lane: &ReconcileLane) -> Result<BTreeMap<String, Finding>, Trouble> {
        self.read(|conn| {
            let mut statement = conn.prepare(
                "SELECT item, shown, due, seen_at FROM finding WHERE lane = (SELECT id FROM lane WHERE name = ?1)",
            )?;
            let rows = statement.query_map([&lane.name], |row| {
                let finding = Finding { shown: row.get(1)?, due: row.get(2)?, seen_at: Timestamp(row.get(3)?) };
                Ok((row.get(0)?, finding))
            })?;
            rows.collect()
        })
    }

    /// Units of open online orders by item, as read after `read_at`; refused if they do not become known.
    async fn open_orders(&self, lane: &ReconcileLane, read_at: Timestamp) -> Result<BTreeMap<String, i64>, Trouble> {
        let until = tokio::time::Instant::now() + self.orders_wait;
        if let Some(soon) = &lane.soon {
            soon.notify_one();
        }
        loop {
            let polled: Option<i64> = self.read(|conn| {
                conn.query_row(
                    "SELECT max(polled_at) FROM online_poll WHERE lane = (SELECT id FROM lane WHERE name = ?1)",
                    [&lane.name],
                    |row| row.get(0),
                )
            })?;
            if polled.is_some_and(|at| Timestamp(at) >= read_at) {
                break;
            }
            if tokio::time::Instant::now() >= until {
                return Err(Trouble::Platform(
                    "its online orders have not been read since, and its numbers cannot be judged without them"
                        .to_owned(),
                ));
            }
            tokio::time::sleep(BUSY_WAIT).await;
        }
        self.read(|conn| {
            let mut statement = conn.prepare(
                "SELECT item, sum(open) FROM online_line WHERE lane = (SELECT id FROM lane WHERE name = ?1) GROUP BY item",
            )?;
            let rows = statement.query_map([&lane.name], |row| Ok((row.get(0)?, row.get(1)?)))?;
            rows.collect()
        })
    }

    fn overwrites(&self, run: i64) -> Result<BTreeMap<String, String>, Trouble> {
        self.read(|conn| {
            let mut statement = conn.prepare("SELECT item, state FROM overwrite WHERE run = ?1 ORDER BY id")?;
            let rows = statement.query_map([run], |row| Ok((row.get(0)?, row.get(1)?)))?;
            rows.collect()
        })
    }

    fn held(&self, run: i64) -> Result<(&ReconcileLane, String), String> {
        let found: Option<(String, Option<String>)> = self
            .read(|conn| {
                use rusqlite::OptionalExtension;
                conn.query_row(
                    "SELECT l.name, r.plan FROM reconcile_run r JOIN lane l ON l.id = r.lane WHERE r.id = ?1 AND r.state = 'held'",
                    [run],
                    |row| Ok((row.get(0)?, row.get(1)?)),
                )
                .optional()
            })
            .map_err(|_| "the database cannot be read now; try again".to_owned())?;
        let (name, plan) = found.ok_or_else(|| format!("run {run} does not wait for a decision"))?;
        let lane = self.lanes.iter().find(|lane| lane.name == name);
        let lane = lane.ok_or_else(|| format!("the platform `{name}` is no longer configured"))?;
        Ok((lane, plan.unwrap_or_default()))
    }
}

/// Asks a platform again while it fails in passing.
async fn again<'a, T, F: Fn() -> crate::platform::Call<'a, Result<T, CallFailure>>>(call: F) -> Result<T, Trouble> {
    let mut wait = Duration::from_secs(1);
    let mut tries = 0;
    loop {
        match call().await {
            Ok(value) => return Ok(value),
            Err(CallFailure::LaneRefused { detail, .. }) => return Err(Trouble::Platform(detail)),
            Err(CallFailure::Passing { reason, .. }) if tries >= PAGE_TRIES_MAX => {
                return Err(Trouble::Platform(reason));
            }
            Err(CallFailure::Passing { wait: asked, .. }) => {
                tries += 1;
                tokio::time::sleep(asked.unwrap_or(wait).min(PAGE_WAIT_MAX)).await;
                wait = (wait * 2).min(PAGE_WAIT_MAX);
            }
        }
    }
}

fn report(
    lane: &ReconcileLane,
    run: Option<i64>,
    state: &'static str,
    pages: usize,
    repaired: usize,
    plan: Plan,
) -> Report {
    let summary = summary(&plan, state, repaired);
    Report { platform: lane.name.clone(), run, state, pages, repaired, summary, plan }
}

fn failed(lane: &ReconcileLane, run: Option<i64>, pages: usize, trouble: &Trouble) -> Report {
    let why = match trouble {
        Trouble::Platform(why) => format!("the shop's numbers could not be read: {why}"),
        Trouble::Writer => "the agent's database could not be used".to_owned(),
    };
    tracing::warn!(lane = lane.name, why, "Reconciliation failed; it is tried again when next due");
    Report {
        platform: lane.name.clone(),
        run,
        state: "failed",
        pages,
        repaired: 0,
        summary: why,
        plan: Plan::default(),
    }
}

/// One or two sentences for a manager.
fn summary(plan: &Plan, state: &str, repaired: usize) -> String {
    let different = plan.differences.len();
    let mut text = match (state, different) {
        (_, 0) if plan.compared == 0 => "No article could be compared: count the store first.".to_owned(),
        (_, 0) => format!("All {} compared articles are right.", plan.compared),
        ("dry-run", _) => format!("{different} of {} compared articles differ.", plan.compared),
        ("held", _) => {
            let reasons: Vec<String> = plan.held.iter().map(reconcile::HoldReason::words).collect();
            format!("Nothing was written, a person has to decide: {}.", reasons.join("; "))
        }
        _ => format!("{different} of {} compared articles differed, {repaired} were repaired.", plan.compared),
    };
    let waiting = plan.differences.iter().filter(|difference| difference.standing != Standing::Confirmed).count();
    if state == "done" && waiting > 0 {
        text.push_str(&format!(" {waiting} are looked at again in the next run."));
    }
    text
}
