//! A person's actions on what waits: retry or discard, with a reason, always recorded.

use std::sync::mpsc::SyncSender;

use rusqlite::{OptionalExtension, params};
use serde::{Deserialize, Serialize};
use sync_core::model::EntryId;

use super::Writer;
use crate::db::{self, DbError, step};

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Action {
    /// Try a dead letter again.
    RetryEntry {
        /// Its number.
        id: i64,
    },
    /// Give a dead letter up.
    DiscardEntry {
        /// Its number.
        id: i64,
        /// Why.
        reason: String,
    },
    /// Read a source again from its start: what is known gives nothing, what was quarantined gets another chance.
    RereadSource {
        /// Its name.
        source: String,
    },
    /// Read a captured file with the settings of a source; what is known gives nothing.
    Replay {
        /// Its name.
        source: String,
        /// The file or folder, absolute.
        path: std::path::PathBuf,
    },
    /// Give a quarantined record up.
    DiscardQuarantined {
        /// Its number.
        id: i64,
        /// Why.
        reason: String,
    },
    /// Compare the platforms' numbers with the ledger, and repair them.
    Reconcile {
        /// Only this platform.
        platform: Option<String>,
        /// Only say what would be done.
        dry_run: bool,
        /// Who asks.
        who: String,
    },
    /// Decide about a reconciliation that waits for a person.
    DecideReconcile {
        /// Its number.
        run: i64,
        /// Carry it out, or give it up.
        approve: bool,
        /// Why.
        reason: Option<String>,
        /// Who decides.
        who: String,
    },
    /// Count now.
    CountNow {
        /// Name of the `[[count]]`.
        name: String,
        /// Only say what it would do.
        dry_run: bool,
        /// Who asks.
        who: String,
    },
    /// Somebody has counted.
    CountSet {
        /// Codes with quantities.
        lines: Vec<(String, sync_core::model::Quantity)>,
        /// Only say what it would do.
        dry_run: bool,
        /// Who counted.
        who: String,
    },
    /// Decide about a count that waits for a person.
    DecideCount {
        /// Its number.
        id: i64,
        /// Take it in, or give it up.
        approve: bool,
        /// Why.
        reason: Option<String>,
        /// Who decides.
        who: String,
    },
    /// Look a SKU up again.
    ForgetTarget {
        /// The SKU.
        sku: String,
        /// Only on this platform.
        #[serde(default)]
        platform: Option<String>,
    },
    /// Let held values through to the platforms.
    ApproveValues {
        /// Number of the hold.
        id: i64,
    },
    /// Refuse held values.
    RefuseValues {
        /// Number of the hold.
        id: i64,
        /// Why.
        reason: String,
    },
}

/// An action with its way back: what was done, or why not.
#[derive(Debug)]
pub struct Request {
    /// What is asked.
    pub action: Action,
    /// Where to answer.
    pub reply: SyncSender<Result<String, String>>,
}

/// An answer with its way back.
pub(super) type Answered = (SyncSender<Result<String, String>>, Result<String, String>);

impl Writer {
    /// Applies a request; the answer is sent after the commit.
    pub(super) fn admin(&mut self, request: Request) -> Result<Answered, DbError> {
        tracing::info!(action = ?request.action, "Asked by a person");
        let done = match request.action {
            Action::RetryEntry { id } => self.retry_entry(EntryId(id))?,
            Action::DiscardEntry { id, reason } => self.discard(
                "UPDATE dead_letter SET state = 'discarded', note = ?2 WHERE id = ?1 AND state = 'open'",
                id,
                &reason,
                "dead letter",
            )?,
            Action::DiscardQuarantined { id, reason } => self.discard(
                "UPDATE quarantine SET state = 'discarded', note = ?2 WHERE id = ?1 AND state = 'open'",
                id,
                &reason,
                "quarantined record",
            )?,
            Action::RereadSource { source } => self.reread(&source)?,
            Action::Reconcile { .. } | Action::DecideReconcile { .. } => {
                Err("the reconciler is not the writer".to_owned())
            }
            Action::CountNow { .. } | Action::CountSet { .. } | Action::DecideCount { .. } => {
                Err("counts are asked of the thread that counts".to_owned())
            }
            // Read by the thread that takes requests, see `replay`; it never gets here.
            Action::Replay { .. } => Err("a file is not replayed by the writer".to_owned()),
            Action::ForgetTarget { sku, platform } => self.forget(&sku, platform.as_deref())?,
            Action::ApproveValues { id } => self.approve_values(id)?,
            Action::RefuseValues { id, reason } => self.refuse_values(id, &reason)?,
        };
        self.board.recount(&self.conn)?;
        Ok((request.reply, done))
    }

    fn retry_entry(&mut self, id: EntryId) -> Result<Result<String, String>, DbError> {
        let Some((lane_id, entry)) = db::outbox::take_dead(&self.conn, id)? else {
            return Ok(Err(format!("there is no open dead letter {id}")));
        };
        db::outbox::put_pending(&self.conn, lane_id, &entry)?;
        if let Some(runtime) = self.lanes.iter_mut().find(|runtime| runtime.id == lane_id) {
            runtime.lane.restore_waiting(entry);
        }
        Ok(Ok(format!("entry {id} waits to be sent again")))
    }

    fn discard(&self, sql: &str, id: i64, reason: &str, what: &str) -> Result<Result<String, String>, DbError> {
        let changed = self.conn.execute(sql, params![id, reason]).map_err(step("discard"))?;
        Ok(if changed == 1 {
            Ok(format!("{what} {id} discarded"))
        } else {
            Err(format!("there is no open {what} {id}"))
        })
    }

    pub(super) fn reread(&mut self, name: &str) -> Result<Result<String, String>, DbError> {
        let Some(source) = self.sources.iter().find(|source| source.name == name) else {
            return Ok(Err(format!("there is no source `{name}`")));
        };
        self.conn
            .execute(
                "DELETE FROM cursor WHERE source = ?1 AND substr(item, 1, length(?2)) <> ?2",
                params![source.id, pos_adapters::KEPT_ITEM],
            )
            .map_err(step("reread a source"))?;
        let opened = self
            .conn
            .execute(
                "UPDATE quarantine SET state = 'resolved', note = 'read again' WHERE source = ?1 AND state = 'open'",
                [source.id],
            )
            .map_err(step("reread a source"))?;
        Ok(Ok(format!("source `{name}` is read again from its start; {opened} quarantined records get another chance")))
    }

    fn forget(&mut self, sku: &str, platform: Option<&str>) -> Result<Result<String, String>, DbError> {
        let id = self
            .conn
            .query_row("SELECT id FROM sku WHERE code = ?1", [sku], |row| row.get(0))
            .optional()
            .map_err(step("find a SKU"))?;
        let Some(id) = id.map(sync_core::model::SkuId) else {
            return Ok(Err(format!("no sale of SKU `{sku}` was ever read")));
        };
        for runtime in self.lanes.iter_mut().filter(|runtime| platform.is_none_or(|name| runtime.name == name)) {
            db::tables::forget_target(&self.conn, runtime.id, id)?;
            runtime.lane.forget_target(id);
        }
        Ok(Ok(format!("SKU `{sku}` is looked up again")))
    }
}
