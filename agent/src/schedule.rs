//! Named schedules in the store's local time: each is due once for each instant of its rhythm, whatever the clock does.
//!
//! A schedule asks the table `schedule_state` when it was last due and works the latest due instant out itself; whoever
//! calls [`Schedules::run_if_due`] how often does not matter. From that follows:
//! - After downtime the latest missed instant is caught up, once.
//! - An hour that the clock skips in spring is due when it is over; an hour that it shows twice in autumn is due once.
//! - A run that is still going on is not begun a second time; a panic ends its run only.
//! - A schedule that is new is not due for the past.
//! - A run that the end of the program cut short is begun again at the next start.
//!
//! [`tick`] wakes it: an alarm clock that may be late or early, never the judge of what is due.

use std::collections::BTreeMap;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::FutureExt as _;
use serde::{Deserialize, Serialize};
use sync_core::model::Timestamp;
use tokio::task::JoinHandle;

pub mod rhythm;
pub mod store;
pub mod tick;

pub use rhythm::Rhythm;
pub use store::{MemoryStore, StateStore, WriterStore};

/// A stored instant this far ahead was written while the clock was wrong: it is forgotten.
const AHEAD_MAX: Duration = Duration::from_secs(60 * 60);
/// Longest outcome that is kept.
const OUTCOME_CHARS_MAX: usize = 500;

/// What a run of a schedule answers: in words, or why it failed.
pub type Outcome = Result<String, String>;
type Work = Arc<dyn Fn() -> Pin<Box<dyn Future<Output = Outcome> + Send>> + Send + Sync>;

/// How a schedule stands in the database.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ScheduleState {
    /// The instant of the rhythm that was last begun.
    pub due_at: Timestamp,
    /// When that was begun.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// How, in words; begins with `failed: ` if it did.
    pub outcome: Option<String>,
}

/// A schedule as the status shows it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ScheduleStatus {
    /// Its name.
    pub name: String,
    /// The rhythm as configured.
    pub rhythm: String,
    /// It runs now.
    pub running: bool,
    /// When it is due next.
    #[serde(with = "crate::status::rfc3339::option")]
    pub next_at: Option<Timestamp>,
    /// When the last run began.
    #[serde(with = "crate::status::rfc3339::option")]
    pub started_at: Option<Timestamp>,
    /// When it ended.
    #[serde(with = "crate::status::rfc3339::option")]
    pub ended_at: Option<Timestamp>,
    /// How it ended, in words.
    pub outcome: Option<String>,
}

struct Entry {
    name: String,
    rhythm: Rhythm,
    work: Work,
    running: Arc<AtomicBool>,
    /// As stored; `None` until it was first looked at.
    state: Arc<Mutex<Option<ScheduleState>>>,
}

/// The schedules of this agent.
pub struct Schedules {
    entries: BTreeMap<String, Entry>,
    zone: chrono_tz::Tz,
    store: Arc<dyn StateStore>,
    now: Arc<dyn Fn() -> Timestamp + Send + Sync>,
}

/// What became of a look.
#[derive(Debug)]
pub enum Looked {
    /// Nothing to do, or no such schedule.
    NotDue,
    /// It is due, and the run before it has not ended.
    StillRunning,
    /// It could not be stored that it begins, so it does not: the next look tries again.
    NotStored,
    /// It runs.
    Begun(JoinHandle<()>),
}

impl Schedules {
    /// Without any schedule. `zone` is the IANA name of the store's zone; UTC if this program does not know it.
    pub fn new(zone: &str, store: Arc<dyn StateStore>, now: Arc<dyn Fn() -> Timestamp + Send + Sync>) -> Self {
        let zone = zone.parse().unwrap_or_else(|_| {
            tracing::warn!(zone, "Schedules do not know this zone and run in UTC");
            chrono_tz::UTC
        });
        Self { entries: BTreeMap::new(), zone, store, now }
    }

    /// Adds a schedule; one of the same name is replaced.
    pub fn add<F, W>(&mut self, name: &str, rhythm: Rhythm, work: W)
    where
        W: Fn() -> F + Send + Sync + 'static,
        F: Future<Output = Outcome> + Send + 'static,
    {
        let entry = Entry {
            name: name.to_owned(),
            rhythm,
            work: Arc::new(move || Box::pin(work())),
            running: Arc::default(),
            state: Arc::default(),
        };
        self.entries.insert(name.to_owned(), entry);
    }

    /// The names, in order.
    pub fn names(&self) -> Vec<String> {
        self.entries.keys().cloned().collect()
    }

    /// The rhythm of a schedule.
    pub fn rhythm(&self, name: &str) -> Option<&Rhythm> {
        self.entries.get(name).map(|entry| &entry.rhythm)
    }

    /// The store's zone.
    pub fn zone(&self) -> chrono_tz::Tz {
        self.zone
    }

    /// The time by which it judges.
    pub fn now(&self) -> Timestamp {
        (self.now)()
    }

    /// Begins the run of a schedule if it is due now. Must be called inside a tokio runtime.
    pub async fn run_if_due(&self, name: &str) -> Looked {
        let Some(entry) = self.entries.get(name) else { return Looked::NotDue };
        let now = (self.now)();
        let Some(state) = self.state(entry, now).await else { return Looked::NotStored };
        // Begun and never ended: it was cut short by the end of the program, or runs now.
        let cut_short = state.started_at.is_some() && state.ended_at.is_none();
        let due_at = match entry.rhythm.due(self.zone, state.due_at, now) {
            Some(due_at) => due_at,
            None if cut_short && !entry.running.load(Ordering::Acquire) => state.due_at,
            None => return Looked::NotDue,
        };
        if entry.running.swap(true, Ordering::AcqRel) {
            return Looked::StillRunning;
        }
        let begun = ScheduleState { due_at, started_at: Some(now), ended_at: None, outcome: state.outcome };
        if !self.store.put(name, &begun).await {
            entry.running.store(false, Ordering::Release);
            return Looked::NotStored;
        }
        remember(entry, begun.clone());
        tracing::debug!(schedule = name, "A schedule is due");
        Looked::Begun(self.spawn(entry, begun))
    }

    fn spawn(&self, entry: &Entry, begun: ScheduleState) -> JoinHandle<()> {
        let (name, work, running, state) =
            (entry.name.clone(), Arc::clone(&entry.work), Arc::clone(&entry.running), Arc::clone(&entry.state));
        let (store, now) = (Arc::clone(&self.store), Arc::clone(&self.now));
        tokio::spawn(async move {
            let ended = AssertUnwindSafe(async { work().await }).catch_unwind().await;
            let outcome = match ended {
                Ok(Ok(words)) => words,
                Ok(Err(reason)) => format!("failed: {reason}"),
                Err(_panic) => "failed: it ended in a panic; please report it with `tillsync diag`".to_owned(),
            };
            if outcome.starts_with("failed: ") {
                tracing::warn!(schedule = name, outcome, "A schedule's run failed; it is due again at its next time");
            }
            let outcome = outcome.chars().take(OUTCOME_CHARS_MAX).collect();
            let ended = ScheduleState { ended_at: Some(now()), outcome: Some(outcome), ..begun };
            if !store.put(&name, &ended).await {
                tracing::warn!(schedule = name, "The end of a schedule's run could not be stored");
            }
            *state.lock().unwrap_or_else(PoisonError::into_inner) = Some(ended);
            running.store(false, Ordering::Release);
        })
    }

    /// How a schedule stands; a new one begins now.
    async fn state(&self, entry: &Entry, now: Timestamp) -> Option<ScheduleState> {
        let known = entry.state.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let state = match known {
            Some(state) => Some(state),
            None => self.store.get(&entry.name).await.ok()?,
        };
        let state = match state {
            Some(state) if state.due_at <= now.plus(AHEAD_MAX) => state,
            stored => {
                if stored.is_some() {
                    tracing::warn!(
                        schedule = entry.name,
                        "A schedule was stored while the clock was wrong; it begins anew"
                    );
                }
                let new = ScheduleState { due_at: entry.rhythm.before(self.zone, now), ..ScheduleState::default() };
                self.store.put(&entry.name, &new).await.then_some(new)?
            }
        };
        remember(entry, state.clone());
        Some(state)
    }

    /// All schedules, for the status.
    pub fn status(&self) -> Vec<ScheduleStatus> {
        let now = (self.now)();
        self.entries
            .values()
            .map(|entry| {
                let state = entry.state.lock().unwrap_or_else(PoisonError::into_inner).clone().unwrap_or_default();
                ScheduleStatus {
                    name: entry.name.clone(),
                    rhythm: entry.rhythm.to_string(),
                    running: entry.running.load(Ordering::Acquire),
                    next_at: entry.rhythm.next(self.zone, state.due_at, now),
                    started_at: state.started_at,
                    ended_at: state.ended_at,
                    outcome: state.outcome,
                }
            })
            .collect()
    }
}

fn remember(entry: &Entry, state: ScheduleState) {
    *entry.state.lock().unwrap_or_else(PoisonError::into_inner) = Some(state);
}

#[cfg(test)]
mod tests;
