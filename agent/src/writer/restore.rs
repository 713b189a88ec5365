//! What a fresh or restored database means for the outbox.
//!
//! Each database has a random epoch, so that keys made after a restore can never equal keys made before it. After
//! a restore everything that is read again is *uncertain*: the lost database may have delivered it. Uncertain
//! entries are never sent as changes; they are settled by read-back, or held where a platform cannot be asked.

use rusqlite::Connection;
use std::collections::BTreeSet;

use super::Writer;
use crate::db::{self, DbError};

const EPOCH: &str = "epoch";
const CATCHING_UP: &str = "catching_up_after_restore";

/// The database's epoch, made if new.
pub(super) fn epoch(conn: &Connection) -> Result<String, DbError> {
    if let Some(epoch) = db::tables::meta(conn, EPOCH)? {
        return Ok(epoch);
    }
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes).map_err(|e| DbError::Row { what: EPOCH.to_owned(), detail: e.to_string() })?;
    let epoch: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    db::tables::set_meta(conn, EPOCH, &epoch)?;
    // Entry numbers go out as change ids: those of two databases of one store must not meet.
    let highest = db::outbox::highest(conn)?.0.0;
    // Below 2^53, so that no JSON reader rounds them.
    let base = i64::from(u16::from_le_bytes([bytes[0], bytes[1]]) & 0x1FFF) << 39;
    db::tables::set_meta(conn, "last_entry", &highest.max(base).to_string())?;
    Ok(epoch)
}

/// Marks a restored database: a new epoch, and everything open is uncertain.
///
/// # Errors
/// [`DbError`].
pub fn mark_restored(conn: &Connection) -> Result<(), DbError> {
    conn.execute("DELETE FROM meta WHERE key = ?1", [EPOCH]).map_err(db::step("mark a restored database"))?;
    epoch(conn)?;
    db::tables::set_meta(conn, CATCHING_UP, "1")?;
    conn.execute_batch(
        "UPDATE pending SET uncertain = 1;
         UPDATE batch SET stage = 'read_back', body = NULL
          WHERE stage <> 'read_back' AND lane IN (SELECT lane FROM target);",
    )
    .map_err(db::step("mark a restored database"))
}

/// Which sources have not yet read what the lost database may have known.
#[derive(Debug, Clone, Default)]
pub(super) struct CatchingUp {
    sources: BTreeSet<usize>,
}

impl CatchingUp {
    pub(super) fn load(conn: &Connection, sources: usize) -> Result<Self, DbError> {
        let restored = db::tables::meta(conn, CATCHING_UP)?.is_some();
        Ok(Self { sources: if restored { (0..sources).collect() } else { BTreeSet::new() } })
    }

    pub(super) fn is_catching_up(&self) -> bool {
        !self.sources.is_empty()
    }
}

impl Writer {
    /// A source has nothing new: after a restore, it has caught up. Not if its run has ended: what that had read was dropped.
    pub(super) fn source_quiet(
        &mut self,
        source: usize,
        run: u64,
        backlog: Option<u64>,
        fault: Option<(String, String, String)>,
    ) -> Result<(), DbError> {
        let caught_up = fault.is_none() && self.sources.get(source).is_some_and(|runtime| runtime.run == Some(run));
        self.board.source_state(source, backlog, fault);
        if !caught_up || !self.restored.sources.contains(&source) {
            return Ok(());
        }
        // What was read before in the same group is uncertain still.
        self.post_movements()?;
        self.restored.sources.remove(&source);
        if self.restored.sources.is_empty() {
            self.conn.execute("DELETE FROM meta WHERE key = ?1", [CATCHING_UP]).map_err(db::step("end catching up"))?;
            tracing::info!("Everything since the restored backup has been read again; new sales are sent as usual");
        }
        Ok(())
    }
}
