//! The source as the agent sees it: asks what the poller wants, in one short transaction a look.
//!
//! A look ends with its first page that brought something, after [`ASKS_PER_LOOK`] questions, or when nothing is left to
//! ask; the transaction ends with it. A database that says that nothing was written is not read at all.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use sync_core::model::Timestamp;

use super::engine::{Dialect, Engine, Rows};
use super::engines;
use super::map::{Columns, Mapper};
use super::plan::{Plan, day_start};
use super::poll::{Ask, Found, Next, Poller, Position};
use super::query;
use crate::error::Cause;
use crate::{Chunk, CursorUpdate, Poll, PosSource, SecretReader, SourceError};

/// Questions of one look.
const ASKS_PER_LOOK: usize = 8;
/// Origin of all transactions of a source of this family. It stays the same when the server moves.
const ORIGIN: &str = "database";
/// Cursor of the position.
const POSITION: &str = "position";
/// Cursors of tickets that were set aside begin with this.
const ASIDE: &str = "aside ";

/// Sales that a POS keeps in a database.
pub struct DatabaseSource {
    plan: Arc<Plan>,
    secrets: Arc<dyn SecretReader>,
    engine: Option<Box<dyn Engine>>,
    /// What is known of where it stands; made at the first look.
    under_way: Option<UnderWay>,
    cursors: Vec<(String, String)>,
    /// Something was written since the last overlap look began, or it is not known.
    is_dirty: bool,
}

struct UnderWay {
    poller: Poller,
    mapper: Mapper,
}

impl DatabaseSource {
    /// Connects nothing yet.
    #[must_use]
    pub fn new(plan: Plan, secrets: Arc<dyn SecretReader>) -> Self {
        Self { plan: Arc::new(plan), secrets, engine: None, under_way: None, cursors: Vec::new(), is_dirty: true }
    }

    fn look(&mut self, now: Timestamp) -> Result<Poll, SourceError> {
        if self.engine.is_none() {
            self.engine = Some(open(&self.plan, &*self.secrets)?);
        }
        let Some(engine) = &mut self.engine else { return Ok(Poll::Quiet { again_in: self.plan.poll }) };
        if self.under_way.is_none() {
            let (under_way, is_first) = start(&self.plan, engine.as_mut(), &self.cursors, now)?;
            let cursor = is_first.then(|| position(&under_way.poller));
            self.under_way = Some(under_way);
            if let Some(cursor) = cursor {
                // From now on it is known what is history.
                return Ok(Poll::Chunk(Chunk { cursors: vec![cursor], ..Chunk::default() }));
            }
        }
        let Some(UnderWay { poller, mapper }) = &mut self.under_way else {
            return Ok(Poll::Quiet { again_in: self.plan.poll });
        };
        if engine.changed() != Some(false) {
            self.is_dirty = true;
        }
        if !self.is_dirty && !poller.is_restless(now) {
            return Ok(Poll::Quiet { again_in: self.plan.poll });
        }
        let mut begun = false;
        for _ in 0..ASKS_PER_LOOK {
            let ask = match poller.next(now) {
                Next::Wait(again_in) => return Ok(Poll::Quiet { again_in }),
                Next::Ask(ask) => ask,
            };
            if poller.begins_overlap() {
                self.is_dirty = false;
            }
            if !begun {
                engine.begin().map_err(|cause| unreachable(&self.plan, cause))?;
                begun = true;
            }
            let rows = run(&self.plan, engine.as_mut(), &ask)?;
            let columns = Columns::find(&rows.columns).map_err(|reason| refused(&self.plan, "read sales", reason))?;
            let found = poller.answer(&columns, rows, mapper, now);
            let found = found.map_err(|reason| refused(&self.plan, "read sales", reason))?;
            if !found.transactions.is_empty() || !found.quarantined.is_empty() || found.coverage.is_some() {
                return Ok(Poll::Chunk(chunk(found, poller)));
            }
        }
        Ok(Poll::Quiet { again_in: Duration::ZERO })
    }
}

impl PosSource for DatabaseSource {
    fn watched(&self) -> Vec<PathBuf> {
        Vec::new()
    }

    fn poll(&mut self, _: &[PathBuf], now: Timestamp) -> Result<Poll, SourceError> {
        let looked = self.look(now);
        if let Some(engine) = &mut self.engine {
            engine.finish();
        }
        if looked.is_err() {
            // Whatever is wrong with the connection, the next look begins with a new one.
            self.engine = None;
            self.is_dirty = true;
            if let Some(under_way) = &mut self.under_way {
                under_way.poller.abort();
            }
        }
        looked
    }

    fn resume(&mut self, cursors: Vec<(String, String)>) {
        self.cursors = cursors;
        self.under_way = None;
        self.is_dirty = true;
    }

    fn backlog_bytes(&self) -> Option<u64> {
        let is_behind = self.under_way.as_ref().is_none_or(|under_way| under_way.poller.is_catching_up());
        (!is_behind).then_some(0)
    }
}

/// The engine with its password.
pub(super) fn open(plan: &Plan, secrets: &dyn SecretReader) -> Result<Box<dyn Engine>, SourceError> {
    let mut connection = plan.connection.clone();
    if let Some(reference) = &plan.password {
        let password = secrets.read(reference);
        connection.password = Some(password.map_err(|reason| unreachable(plan, reason.into()))?);
    }
    let opened = match connection.dialect {
        Dialect::Access => engines::open_copy(connection, &plan.own_files),
        Dialect::Postgres | Dialect::Mysql | Dialect::Mssql | Dialect::Firebird | Dialect::Sqlite | Dialect::Odbc => {
            engines::open(connection)
        }
    };
    opened.map_err(|reason| unreachable(plan, reason.into()))
}

/// Finds out which columns there are, and goes on from the cursors; `true` where there are none.
fn start(
    plan: &Plan,
    engine: &mut dyn Engine,
    cursors: &[(String, String)],
    now: Timestamp,
) -> Result<(UnderWay, bool), SourceError> {
    engine.begin().map_err(|cause| unreachable(plan, cause))?;
    let empty = format!("SELECT t.* FROM ({}) t WHERE 1 = 0", plan.sales.trim());
    let rows = engine.query(&empty, &[], 1).map_err(|cause| refused(plan, "read sales", cause))?;
    engine.finish();
    let columns = Columns::find(&rows.columns).map_err(|reason| refused(plan, "read sales", reason))?;
    let stored = cursors.iter().find(|(item, _)| item == POSITION).and_then(|(_, state)| Position::read(state));
    let mut aside = BTreeMap::new();
    for (item, state) in cursors {
        if let Some((id, hash)) = item.strip_prefix(ASIDE).zip(u64::from_str_radix(state, 16).ok()) {
            aside.insert(id.to_owned(), hash);
        }
    }
    let is_first = stored.is_none();
    let position = stored.unwrap_or_else(|| Position::new(plan.since.unwrap_or_else(|| today(plan, now))));
    let poller = Poller::new(plan, &columns, ORIGIN, position, aside, now);
    let mapper = Mapper::new(plan.words.clone(), plan.zone.clone(), poller.segment().clone());
    Ok((UnderWay { poller, mapper }, is_first))
}

fn today(plan: &Plan, now: Timestamp) -> Timestamp {
    let instant = jiff::Timestamp::from_microsecond(now.0).ok();
    instant.and_then(|instant| day_start(plan.zone.to_datetime(instant).date(), &plan.zone)).unwrap_or(now)
}

fn run(plan: &Plan, engine: &mut dyn Engine, ask: &Ask) -> Result<Rows, SourceError> {
    let dialect = engine.dialect();
    let rows = if ask.newest {
        engine.query(&query::newest(dialect, &plan.sales, ask.order), &[], 1)
    } else {
        let (from, until) = (ask.from.clone(), ask.until.clone());
        let (sql, parameters) = query::page(dialect, &plan.sales, ask.order, from, until, ask.rows_max);
        engine.query(&sql, &parameters, ask.rows_max)
    };
    rows.map_err(|cause| refused(plan, &format!("read sales by `{}`", ask.order.column()), cause))
}

fn chunk(found: Found, poller: &Poller) -> Chunk {
    let aside = found.aside.into_iter().map(|(id, hash)| CursorUpdate {
        item: format!("{ASIDE}{id}"),
        state: hash.map(|hash| format!("{hash:016x}")),
    });
    Chunk {
        transactions: found.transactions,
        quarantined: found.quarantined,
        coverage: found.coverage,
        cursors: aside.chain([position(poller)]).collect(),
        bytes: found.bytes,
        ..Chunk::default()
    }
}

fn position(poller: &Poller) -> CursorUpdate {
    CursorUpdate { item: POSITION.to_owned(), state: Some(poller.position().write()) }
}

pub(super) fn unreachable(plan: &Plan, cause: Cause) -> SourceError {
    SourceError::DatabaseUnreachable { source_name: plan.name.clone(), address: plan.connection.address(), cause }
}

pub(super) fn refused(plan: &Plan, step: &str, cause: impl Into<Cause>) -> SourceError {
    SourceError::DatabaseRefused { source_name: plan.name.clone(), step: step.to_owned(), cause: cause.into() }
}
