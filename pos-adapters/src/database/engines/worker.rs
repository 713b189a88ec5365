//! A thread that owns one connection of a driver that blocks without a time limit of its own.
//!
//! The engine asks and waits for an answer only as long as it wants to. A session that does not answer is given up: its
//! thread ends as soon as the driver returns. There are never more than [`GIVEN_UP_MAX`] of them to one database, save
//! those that hang for so long ([`GIVEN_UP_FOR`]) that their server must be gone. When the engine lets go, the session is
//! dropped, and with it its transaction.

use std::fmt;
use std::marker::PhantomData;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use thiserror::Error;

use super::shared::TimeLimits;
use crate::database::engine::{Rows, Value};
use crate::error::Cause;

/// Connections that are given up and not yet closed by the system, before no new one is made.
const GIVEN_UP_MAX: usize = 4;

/// A connection that hangs for longer than this no longer counts: nobody is at its other end.
const GIVEN_UP_FOR: Duration = Duration::from_secs(15 * 60);

/// Sessions that were let go of and still run, of all engines: an engine is made anew after a failure.
static GIVEN_UP: Mutex<Vec<GivenUp>> = Mutex::new(Vec::new());

struct GivenUp {
    database: String,
    since: Instant,
    thread: JoinHandle<()>,
}

/// Adds a session, or counts those of a database.
fn given_up(database: &str, added: Option<JoinHandle<()>>) -> usize {
    let mut all = GIVEN_UP.lock().unwrap_or_else(PoisonError::into_inner);
    all.retain(|one| !one.thread.is_finished() && one.since.elapsed() < GIVEN_UP_FOR);
    all.extend(added.map(|thread| GivenUp { database: database.to_owned(), since: Instant::now(), thread }));
    all.iter().filter(|one| one.database == database).count()
}

/// A connection as its driver has it; lives in the worker's thread.
pub(super) trait Session: Sized {
    /// What is needed to connect.
    type Login: Clone + Send + 'static;

    /// What tells one database from another.
    fn database(login: &Self::Login) -> String;

    fn connect(login: &Self::Login) -> Result<Self, Cause>;

    /// The server's number of this connection, by which it can be stopped from another one.
    fn number(&self) -> i64;

    fn begin(&mut self) -> Result<(), Cause>;

    fn query(&mut self, sql: &str, parameters: &[Value], rows_max: usize) -> Result<Rows, Cause>;

    fn finish(&mut self) -> Result<(), Cause>;

    /// Stops what the connection with this number is doing, from a connection of its own.
    fn stop(login: &Self::Login, number: i64) -> Result<(), Cause>;
}

/// What goes wrong beside the database's own errors.
#[derive(Debug, Error)]
pub enum WorkerError {
    /// No answer in time.
    #[error("the database gave no answer within {} s when asked to {step}", limit.as_secs())]
    TimedOut {
        /// What was asked.
        step: &'static str,
        /// The limit.
        limit: Duration,
    },
    /// The connection is gone.
    #[error("the connection to the database ended")]
    Lost,
    /// A query outside of a look.
    #[error("no transaction is open")]
    NotBegun,
    /// Too many connections hang.
    #[error(
        "{GIVEN_UP_MAX} connections to the database still hang; no further one is made until one of them has ended"
    )]
    Hanging,
}

#[derive(Debug)]
enum Request {
    Begin,
    Query { sql: String, parameters: Vec<Value>, rows_max: usize },
    Finish,
}

#[derive(Debug)]
enum Reply {
    Connected(i64),
    Done,
    Rows(Rows),
}

type Answer = Result<Reply, Cause>;

/// The engine's end.
pub(super) struct Worker<S: Session> {
    login: S::Login,
    limits: TimeLimits,
    link: Option<Link>,
    begun: bool,
    session: PhantomData<fn() -> S>,
}

impl<S: Session> fmt::Debug for Worker<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker")
            .field("connected", &self.link.is_some())
            .field("begun", &self.begun)
            .finish_non_exhaustive()
    }
}

#[derive(Debug)]
struct Link {
    requests: SyncSender<Request>,
    answers: Receiver<Answer>,
    number: i64,
    thread: JoinHandle<()>,
}

impl Link {
    fn wait(&self, step: &'static str, limit: Duration) -> Answer {
        match self.answers.recv_timeout(limit) {
            Ok(answer) => answer,
            Err(RecvTimeoutError::Timeout) => Err(WorkerError::TimedOut { step, limit }.into()),
            Err(RecvTimeoutError::Disconnected) => Err(WorkerError::Lost.into()),
        }
    }
}

impl<S: Session> Drop for Worker<S> {
    fn drop(&mut self) {
        if let Some(link) = self.link.take() {
            drop((link.requests, link.answers));
            given_up(&S::database(&self.login), Some(link.thread));
        }
    }
}

impl<S: Session + 'static> Worker<S> {
    pub(super) fn new(login: S::Login, limits: TimeLimits) -> Self {
        Self { login, limits, link: None, begun: false, session: PhantomData }
    }

    /// Begins a transaction; connects if need be.
    pub(super) fn begin(&mut self) -> Result<(), Cause> {
        // An idle connection may have been closed by the server meanwhile; that is no fault of this look.
        if self.link.is_some() {
            match self.ask(Request::Begin, "begin a transaction") {
                Ok(_) => {
                    self.begun = true;
                    return Ok(());
                }
                Err(cause) if timed_out(&cause) => return Err(cause),
                Err(cause) => tracing::debug!(cause, "The connection to the database is made anew"),
            }
        }
        self.connect()?;
        self.ask(Request::Begin, "begin a transaction")?;
        self.begun = true;
        Ok(())
    }

    pub(super) fn query(&mut self, sql: &str, parameters: &[Value], rows_max: usize) -> Result<Rows, Cause> {
        if !self.begun {
            return Err(WorkerError::NotBegun.into());
        }
        let request = Request::Query { sql: sql.to_owned(), parameters: parameters.to_vec(), rows_max };
        match self.ask(request, "run a query")? {
            Reply::Rows(rows) => Ok(rows),
            Reply::Connected(_) | Reply::Done => Err(WorkerError::Lost.into()),
        }
    }

    pub(super) fn finish(&mut self) {
        if std::mem::take(&mut self.begun)
            && let Err(cause) = self.ask(Request::Finish, "end a transaction")
        {
            tracing::debug!(cause, "The connection to the database is given up");
        }
    }

    /// Lets go of the connection, so that the next look makes one anew.
    #[cfg(feature = "odbc")]
    pub(super) fn close(&mut self) {
        self.give_up(false);
    }

    fn connect(&mut self) -> Result<(), Cause> {
        let database = S::database(&self.login);
        if given_up(&database, None) >= GIVEN_UP_MAX {
            return Err(WorkerError::Hanging.into());
        }
        let (requests, asked) = sync_channel(1);
        let (answer, answers) = sync_channel(1);
        let login = self.login.clone();
        let thread =
            thread::Builder::new().name("database".to_owned()).spawn(move || serve::<S>(&login, &asked, &answer))?;
        let mut link = Link { requests, answers, number: 0, thread };
        // Connecting is several round trips, some of them with a limit of their own.
        match link.wait("connect", self.limits.connect.saturating_mul(2)) {
            Ok(Reply::Connected(number)) => link.number = number,
            Ok(Reply::Done | Reply::Rows(_)) => return Err(WorkerError::Lost.into()),
            Err(cause) => {
                given_up(&database, Some(link.thread));
                return Err(cause);
            }
        }
        self.link = Some(link);
        Ok(())
    }

    /// Asks, waits, and drops the connection if that fails.
    fn ask(&mut self, request: Request, step: &'static str) -> Answer {
        let link = self.link.as_ref().ok_or(WorkerError::NotBegun)?;
        let answer = match link.requests.send(request) {
            Ok(()) => link.wait(step, self.limits.statement),
            Err(_) => Err(WorkerError::Lost.into()),
        };
        if let Err(cause) = &answer {
            self.give_up(timed_out(cause));
        }
        answer
    }

    fn give_up(&mut self, hangs: bool) {
        self.begun = false;
        let Some(link) = self.link.take() else { return };
        if hangs {
            self.stop(link.number);
        }
        drop((link.requests, link.answers));
        given_up(&S::database(&self.login), Some(link.thread));
    }

    /// Where this fails as well the server is out of reach, and the query ends with its connection.
    fn stop(&self, number: i64) {
        let login = self.login.clone();
        let (stopped, waiting) = sync_channel(1);
        let stop = move || drop(stopped.send(S::stop(&login, number)));
        if thread::Builder::new().name("database-stop".to_owned()).spawn(stop).is_ok() {
            match waiting.recv_timeout(self.limits.connect) {
                Ok(Ok(())) => {}
                Ok(Err(cause)) => tracing::warn!(cause, "A slow query could not be stopped at the database"),
                Err(_) => tracing::warn!("The database did not answer when a slow query was to be stopped"),
            }
        }
    }
}

fn timed_out(cause: &Cause) -> bool {
    matches!(cause.downcast_ref(), Some(WorkerError::TimedOut { .. }))
}

/// Connects, then answers until the engine lets go or something fails.
fn serve<S: Session>(login: &S::Login, requests: &Receiver<Request>, answers: &SyncSender<Answer>) {
    let mut session = match S::connect(login) {
        Ok(session) => session,
        Err(cause) => {
            drop(answers.send(Err(cause)));
            return;
        }
    };
    if answers.send(Ok(Reply::Connected(session.number()))).is_err() {
        return;
    }
    while let Ok(request) = requests.recv() {
        let answer = match request {
            Request::Begin => session.begin().map(|()| Reply::Done),
            Request::Query { sql, parameters, rows_max } => session.query(&sql, &parameters, rows_max).map(Reply::Rows),
            Request::Finish => session.finish().map(|()| Reply::Done),
        };
        let failed = answer.is_err();
        if answers.send(answer).is_err() || failed {
            return;
        }
    }
}
