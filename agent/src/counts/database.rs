//! The POS's own stock number, read from the database of a source.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use pos_adapters::SecretReader;
use pos_adapters::counts::{CountRow, CountSettings, RawCount};
use pos_adapters::database::count::{OnHand, on_hand};
use pos_adapters::database::plan::Plan;
use pos_adapters::database::profile::OnHandLag;
use sync_core::count::CountExtent;
use sync_core::model::{Quantity, Sku, Timestamp};

use super::{Counts, From, REPEAT_AFTER, REPEATS_MAX, counted, moved_meanwhile, not_now};
use crate::config::Config;
use crate::connect;
use crate::db;
use crate::writer::count::{CountAnswer, CountSheet, CountStep, Taken};

/// A database that knows the stock on hand.
pub(crate) struct Database {
    plan: Plan,
    secrets: Arc<dyn SecretReader>,
    source: String,
}

impl Database {
    /// The database of the source that a `[[count]]` names.
    pub(crate) fn new(config: &Config, settings: &CountSettings) -> Option<Self> {
        let name = settings.source.as_ref()?;
        let source = config.sources.iter().find(|source| source.name() == name)?;
        let context = connect::source_context(source, config);
        let mut plan = Plan::new(source.database()?, &context.zone).ok()?;
        // Not the copy that the source reads.
        plan.own_files = context.own_files.join("count");
        Some(Self { plan, secrets: context.secrets, source: name.clone() })
    }

    /// Reads it, and says what is unusual about its number.
    ///
    /// # Errors
    /// Why it cannot be compared.
    pub(crate) fn read(&self) -> Result<OnHand, String> {
        if self.is_only_counted() {
            return Err(self.lag_in_words());
        }
        match on_hand(&self.plan, &*self.secrets) {
            Ok(Some(read)) => Ok(read),
            Ok(None) => Err(format!(
                "source `{}` does not know the stock on hand; give it `queries.on_hand`, or count by file",
                self.source
            )),
            Err(error) => Err(format!("{}; {}", crate::ingest::chain(&error), error.hint())),
        }
    }

    fn knows_unapplied(&self) -> bool {
        self.plan.unapplied.is_some()
    }

    fn is_only_counted(&self) -> bool {
        self.plan.lag == OnHandLag::AtPhysicalCount && !self.knows_unapplied()
    }

    /// When its number moves, for people.
    pub(crate) fn lag_in_words(&self) -> String {
        match (self.plan.lag, self.knows_unapplied()) {
            (OnHandLag::AtSale, _) => "its number moves with each sale".to_owned(),
            (OnHandLag::AtPosting, true) => {
                "its number moves when tickets are posted; tickets that are not posted yet are taken off".to_owned()
            }
            (OnHandLag::AtClose, true) => {
                "its number moves when the day is closed; sales since then are taken off".to_owned()
            }
            (OnHandLag::AtPhysicalCount, true) => {
                "its number is from the last physical count; sales since then are taken off".to_owned()
            }
            (OnHandLag::AtPosting, false) => {
                "its number moves when tickets are posted, and it cannot be asked which are not: articles sold since midnight wait, so count after the posting and before the shop opens".to_owned()
            }
            (OnHandLag::AtClose, false) => {
                "its number moves when the day is closed: articles sold since midnight wait, so count after the close and before the shop opens".to_owned()
            }
            (OnHandLag::AtPhysicalCount, false) => {
                "its number moves only when somebody counts, so there is nothing to compare with; count by file, or give the source `queries.unapplied`".to_owned()
            }
        }
    }

    /// Sales from after this may not be in its number.
    fn posted_until(&self, now: Timestamp) -> Option<Timestamp> {
        if self.plan.lag == OnHandLag::AtSale || self.knows_unapplied() {
            return None;
        }
        let instant = jiff::Timestamp::from_microsecond(now.0).ok()?;
        let day = self.plan.zone.to_datetime(instant).date();
        let midnight = self.plan.zone.to_ambiguous_timestamp(day.at(0, 0, 0, 0)).compatible().ok()?;
        Some(Timestamp(midnight.as_microsecond()))
    }
}

impl Counts {
    /// Reads the POS's number, and again for what was sold in the middle of it.
    pub(super) fn count_database(
        &mut self,
        index: usize,
        dry_run: bool,
        who: &str,
    ) -> Result<Vec<CountAnswer>, String> {
        let mut answers = Vec::new();
        let mut only: Option<BTreeSet<Sku>> = None;
        for repeat in 0..=REPEATS_MAX {
            if repeat > 0 {
                self.sleep(REPEAT_AFTER);
            }
            if self.stopped {
                break;
            }
            let answer = self.count_database_once(index, dry_run, who, only.as_ref())?;
            let left = moved_meanwhile(&answer);
            let applied = answer.state == "applied";
            answers.push(answer);
            if left.is_empty() || !applied {
                break;
            }
            only = Some(left);
        }
        Ok(answers)
    }

    fn count_database_once(
        &mut self,
        index: usize,
        dry_run: bool,
        who: &str,
        only: Option<&BTreeSet<Sku>>,
    ) -> Result<CountAnswer, String> {
        let conn = db::open_reader(&self.database).map_err(|error| crate::ingest::chain(&error))?;
        let before = db::ledger::last_seq(&conn).map_err(|error| crate::ingest::chain(&error))?;
        drop(conn);
        let Some(source) = self.sources.get(index) else { return Err("there is no such count".to_owned()) };
        let From::Database(database) = &source.from else { return Err("it is no database".to_owned()) };
        let at = self.clock.now();
        let read = database.read()?;
        let (settle, posted_until) = (database.plan.settle, database.posted_until(at));
        let place = format!("source `{}`", database.source);
        let (config, kits) = (source.config.clone(), source.kits);
        let mut raw = RawCount { unreadable: read.unreadable.len(), notes: read.unreadable, rows: Vec::new() };
        raw.rows.extend(read.stock.into_iter().map(|(sku, quantity): (Sku, Quantity)| CountRow {
            code: sku.into_string(),
            quantity,
            counted_at: None,
        }));
        let mut resolved = self.resolve(raw, kits)?;
        let mut extent = config.settings.extent();
        if let Some(only) = only {
            resolved.lines.retain(|sku, _| only.contains(sku));
            extent = CountExtent::Partial;
        }
        // A ticket whose lines come one after the other is recorded once it has settled.
        self.sleep(settle + Duration::from_millis(100));
        if let Some(missing) = self.settle() {
            return Ok(not_now(&config.settings.name, &missing));
        }
        let sheet = CountSheet {
            name: config.settings.name.clone(),
            basis: config.settings.basis(),
            extent,
            taken: Taken::Snapshot { before, after: None, at },
            lines: counted(&resolved),
            notes: resolved.notes,
            unreadable: resolved.unreadable,
            hash: None,
            place,
            posted_until,
            stale: false,
        };
        self.ask_writer(CountStep::Sheet { sheet: Box::new(sheet), limits: config.limits, dry_run }, who)
    }
}
