//! Where schedules keep when they were last due.

use std::collections::BTreeMap;
use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};

use rusqlite::{Connection, OptionalExtension, params};
use sync_core::model::Timestamp;
use tokio::sync::oneshot;

use super::ScheduleState;
use crate::db::{self, DbError, step};
use crate::writer::{Command, Commands};

/// A future that is passed on.
pub type Later<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Keeps states by name.
pub trait StateStore: Send + Sync {
    /// The state under a name; `Err` while it cannot be read.
    fn get<'a>(&'a self, name: &'a str) -> Later<'a, Result<Option<ScheduleState>, ()>>;

    /// Keeps a state; `false` if it could not be stored.
    fn put<'a>(&'a self, name: &'a str, state: &'a ScheduleState) -> Later<'a, bool>;
}

/// In memory, for tests and simulations.
#[derive(Debug, Default)]
pub struct MemoryStore(Mutex<BTreeMap<String, ScheduleState>>);

impl StateStore for MemoryStore {
    fn get<'a>(&'a self, name: &'a str) -> Later<'a, Result<Option<ScheduleState>, ()>> {
        let found = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned();
        Box::pin(async move { Ok(found) })
    }

    fn put<'a>(&'a self, name: &'a str, state: &'a ScheduleState) -> Later<'a, bool> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), state.clone());
        Box::pin(async { true })
    }
}

/// In the agent's database, by way of its writer.
#[derive(Debug, Clone)]
pub struct WriterStore {
    commands: Commands,
    database: PathBuf,
}

/// A state to be kept.
#[derive(Debug)]
pub struct ScheduleRequest {
    /// Name of the schedule.
    pub name: String,
    /// Its state.
    pub state: ScheduleState,
    /// Told after the commit whether it is stored.
    pub reply: oneshot::Sender<bool>,
}

impl WriterStore {
    /// Reads `database`, writes by `commands`.
    pub fn new(commands: Commands, database: PathBuf) -> Self {
        Self { commands, database }
    }
}

impl StateStore for WriterStore {
    fn get<'a>(&'a self, name: &'a str) -> Later<'a, Result<Option<ScheduleState>, ()>> {
        let read = db::open_reader(&self.database).and_then(|conn| state(&conn, name));
        if let Err(error) = &read {
            tracing::warn!(
                schedule = name,
                error = crate::ingest::chain(error),
                "Cannot read when a schedule was last due"
            );
        }
        Box::pin(async move { read.map_err(|_| ()) })
    }

    fn put<'a>(&'a self, name: &'a str, state: &'a ScheduleState) -> Later<'a, bool> {
        let (reply, answer) = oneshot::channel();
        let request = ScheduleRequest { name: name.to_owned(), state: state.clone(), reply };
        let sent = self.commands.send(Command::Schedule(request)).is_ok();
        Box::pin(async move { sent && answer.await.unwrap_or(false) })
    }
}

/// The stored state of a schedule.
///
/// # Errors
/// [`DbError::Step`].
pub fn state(conn: &Connection, name: &str) -> Result<Option<ScheduleState>, DbError> {
    conn.prepare_cached("SELECT due_at, started_at, ended_at, outcome FROM schedule_state WHERE name = ?1")
        .and_then(|mut statement| {
            statement
                .query_row([name], |row| {
                    let started: i64 = row.get(1)?;
                    Ok(ScheduleState {
                        due_at: Timestamp(row.get(0)?),
                        started_at: (started > 0).then_some(Timestamp(started)),
                        ended_at: row.get::<_, Option<i64>>(2)?.map(Timestamp),
                        outcome: row.get(3)?,
                    })
                })
                .optional()
        })
        .map_err(step("read a schedule"))
}

/// Keeps the state of a schedule, inside the open SQL transaction.
///
/// # Errors
/// [`DbError::Step`].
pub fn put(conn: &Connection, name: &str, state: &ScheduleState) -> Result<(), DbError> {
    conn.prepare_cached("INSERT OR REPLACE INTO schedule_state VALUES (?1, ?2, ?3, ?4, ?5)")
        .and_then(|mut statement| {
            statement.execute(params![
                name,
                state.due_at.0,
                state.started_at.map_or(0, |at| at.0),
                state.ended_at.map(|at| at.0),
                state.outcome
            ])
        })
        .map_err(step("keep a schedule"))?;
    Ok(())
}
