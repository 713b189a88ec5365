//! Online orders inside the open SQL transaction: pages of a platform, and tickets that ring its orders up.
//!
//! What is taken in of an order line, the movement that it causes and how far the platform is read are one commit
//! (invariant 2). Decisions are in `sync_core::orders`.

use std::collections::{BTreeMap, BTreeSet};

use sync_core::ledger::MovementKind;
use sync_core::model::{Sku, SkuId, Timestamp, Transaction};
use sync_core::orders::{self, Asked, Claim, Picks, ReadOrder, Recognise, Ruling};

use super::post::Posting;
use super::{Applied, LaneRuntime, Writer};
use crate::db::orders::{DueLine, PollState};
use crate::db::{self, DbError, step};
use crate::ingest::Wake;
use crate::platform::{Number, OnlineOrder};

/// Lines of goods handed over that one page's commit takes in; the others follow with the next.
const DUE_MAX: i64 = 5_000;
/// How often it is written down that orders were read, if nothing else is.
const NOTE_EVERY: std::time::Duration = std::time::Duration::from_secs(60);

/// What the configuration says of online orders.
#[derive(Debug, Clone, Default)]
pub struct OnlineSettings {
    /// How tickets are recognised that ring one up.
    pub recognise: Recognise,
    /// By lane: where its goods enter the ledger from; `None` where the platform has no orders.
    pub picks: Vec<Option<Picks>>,
    /// By lane: makes its orders be read at once.
    pub soon: Vec<Option<std::sync::Arc<tokio::sync::Notify>>>,
}

impl OnlineSettings {
    /// Tickets may be recognised by more than what they say themselves.
    pub(super) fn recognises(&self) -> bool {
        !self.recognise.skus.is_empty() || !self.recognise.registers.is_empty()
    }

    fn of(&self, lane: usize) -> Picks {
        self.picks.get(lane).copied().flatten().unwrap_or_default()
    }
}

/// One page of a platform's orders, or why there is none.
#[derive(Debug)]
pub struct OrdersRequest {
    /// Index of the lane.
    pub lane: usize,
    /// The page; or what is wrong, in words.
    pub read: Result<OrdersRead, String>,
    /// Told after the commit whether it was stored.
    pub reply: tokio::sync::oneshot::Sender<bool>,
}

/// One page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrdersRead {
    /// In any order.
    pub orders: Vec<OnlineOrder>,
    /// When the round began that it belongs to.
    pub began_at: Timestamp,
    /// The round ends with it.
    pub end: Option<RoundEnd>,
}

/// The end of a round.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoundEnd {
    /// From where the next round reads.
    pub changed_after: Timestamp,
    /// After a full list: the orders on it.
    pub listed: Option<BTreeSet<String>>,
    /// Somebody waits for the round to be on record.
    pub wanted: bool,
}

impl Writer {
    /// Sets what the configuration says of online orders. Without it none are recognised, and goods that platforms
    /// report as handed over move nothing.
    #[must_use]
    pub fn with_online(mut self, settings: OnlineSettings) -> Self {
        self.online = settings;
        self
    }

    /// Takes a page in, and answers after the commit.
    pub(super) fn orders_read(&mut self, request: OrdersRequest, applied: &mut Applied) -> Result<(), DbError> {
        let again = self.take_orders(&request)?;
        let waiting = self.sources.iter().filter(|source| again.contains(&source.name));
        let wakes: Vec<_> = waiting.filter_map(|source| source.wake.clone()).collect();
        applied.after.push(Box::new(move |stored| {
            // Stored or not, the sources begin anew from what the database says.
            for wake in &wakes {
                let _ended = wake.send(Wake::Resume);
            }
            let _nobody_waits = request.reply.send(stored);
        }));
        Ok(())
    }

    /// Takes a page in. Returns the sources that have to be read again, because a ticket waited for one of the orders.
    fn take_orders(&mut self, request: &OrdersRequest) -> Result<Vec<String>, DbError> {
        let Some(runtime) = self.lanes.get(request.lane) else { return Ok(Vec::new()) };
        let (lane, number) = (runtime.id, runtime.traits.number);
        let mut state = db::orders::poll_state(&self.conn, lane)?;
        let read = match &request.read {
            Ok(read) => read,
            Err(reason) => {
                let failed = Some(reason.clone());
                if state.failed != failed {
                    db::orders::set_poll_state(&self.conn, lane, &PollState { failed, ..state })?;
                }
                return Ok(Vec::new());
            }
        };
        let mut new = BTreeSet::new();
        for order in &read.orders {
            if self.take_order(request.lane, (lane, number), order, state.paired_at)? {
                new.insert(orders::reference(&order.name));
                new.insert(order.id.clone());
            }
        }
        self.take_handed_over(request.lane)?;
        if let Some(end) = &read.end {
            self.end_round(lane, read.began_at, end, &mut state)?;
            self.orders_round_ended(request.lane, read.began_at)?;
        }
        self.tickets_that_waited(&new)
    }

    /// Returns whether the order is new.
    fn take_order(
        &mut self,
        index: usize,
        (lane, number): (i64, Number),
        order: &OnlineOrder,
        paired_at: Option<Timestamp>,
    ) -> Result<bool, DbError> {
        let known = db::orders::lines_of(&self.conn, lane, &order.id)?;
        let read = ReadOrder {
            placed_at: order.placed_at,
            changed_at: order.changed_at,
            lines: order.lines.iter().map(|line| (line.id.as_str(), (line.open, line.handed_over))).collect(),
        };
        for (id, now) in orders::take(&known, &read, paired_at) {
            let line = order.lines.iter().find(|line| line.id == id);
            let is_new = paired_at.is_some_and(|paired| order.placed_at.is_none_or(|at| at >= paired));
            if let (Some(line), true) = (line, is_new || known.contains_key(&id)) {
                // What the platform takes off its number by itself is off what it should show.
                let taken = orders::taken_off(known.get(&id), &now, number == Number::Net);
                self.orders_took(index, &line.item, taken)?;
            }
            db::orders::put_line(&self.conn, lane, order, &id, line, &now)?;
        }
        Ok(known.is_empty() && !order.lines.is_empty())
    }

    /// Goods that the platform reports as handed over become movements, which that platform knows by itself.
    fn take_handed_over(&mut self, index: usize) -> Result<(), DbError> {
        let Some((lane, name)) = self.lanes.get(index).map(|runtime| (runtime.id, runtime.name.clone())) else {
            return Ok(());
        };
        if self.online.of(index) != Picks::Platform {
            return db::orders::set_posted(&self.conn, lane, None);
        }
        let due = db::orders::due(&self.conn, lane, DUE_MAX)?;
        if due.is_empty() {
            return Ok(());
        }
        let articles = self.lanes.get(index).map(|runtime| Articles::of(runtime, &self.codes)).unwrap_or_default();
        for line in due {
            let Some((sku, per)) = articles.find(&line) else { continue };
            let Some(delta) = orders::pick_delta(line.units, per) else { continue };
            let posting = Posting {
                sku,
                delta,
                kind: MovementKind::Pick,
                exempt: Some(index),
                count: None,
                why: format!("online order {}", line.name),
                who: name.clone(),
            };
            self.post(&posting)?;
            db::orders::set_posted(&self.conn, lane, Some(&line))?;
        }
        Ok(())
    }

    fn end_round(&self, lane: i64, began_at: Timestamp, end: &RoundEnd, state: &mut PollState) -> Result<(), DbError> {
        if let Some(listed) = &end.listed {
            let closed = db::orders::close_absent(&self.conn, lane, listed, began_at)?;
            if closed > 0 {
                tracing::info!(lines = closed, "Online orders are gone at the platform; they promise nothing any more");
            }
        }
        let changed_after = state.changed_after.max(Some(end.changed_after));
        let is_news = state.paired_at.is_none() || state.changed_after != changed_after || state.failed.is_some();
        let now = self.now();
        if is_news || end.wanted || state.polled_at.is_none_or(|at| now.since(at) >= NOTE_EVERY || at > now) {
            state.paired_at.get_or_insert(began_at);
            // What the round says is true of its beginning.
            let polled_at = Some(began_at);
            let stored = PollState { paired_at: state.paired_at, changed_after, polled_at, failed: None };
            db::orders::set_poll_state(&self.conn, lane, &stored)?;
        }
        Ok(())
    }

    /// Tickets in quarantine whose order has appeared: their sources are read again.
    fn tickets_that_waited(&mut self, new: &BTreeSet<String>) -> Result<Vec<String>, DbError> {
        if new.is_empty() {
            return Ok(Vec::new());
        }
        let waiting: Vec<(String, String)> = self
            .conn
            .prepare_cached(
                "SELECT DISTINCT q.online_ref, s.name FROM quarantine q JOIN source s ON s.id = q.source
                 WHERE q.state = 'open' AND q.online_ref IS NOT NULL",
            )
            .and_then(|mut statement| statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect())
            .map_err(step("look for tickets that wait for an order"))?;
        let sources: BTreeSet<String> =
            waiting.into_iter().filter(|(order, _)| new.contains(order)).map(|(_, source)| source).collect();
        for source in &sources {
            if let Err(reason) = self.reread(source)? {
                tracing::debug!(source, reason, "A ticket that waited for its online order is not read again");
            }
        }
        Ok(sources.into_iter().collect())
    }

    /// What a ticket that may ring up an online order becomes: itself, itself without movements, or why it is set aside.
    pub(super) fn rule_online(&self, source: i64, read: &mut Transaction) -> Result<Result<(), SetAside>, DbError> {
        let claim = self.online.recognise.claim(read);
        if claim == Claim::No {
            return Ok(Ok(()));
        }
        self.online.recognise.take_markers_out(&mut read.lines);
        if let Some((known, _)) = db::ledger::snapshot(&self.conn, source, read.key.as_str())? {
            // How it was taken at first stays: an edit reverses what it moved, and a changed setting moves nothing old.
            if known.lines.iter().any(|line| line.ignored.as_ref().is_some_and(|rule| rule.as_str() == orders::RUNG_UP))
            {
                orders::ignore(&mut read.lines);
            }
            return Ok(Ok(()));
        }
        let key = read.key.as_str().to_owned();
        let written = read.online_order.clone();
        let mut asked = Vec::new();
        for (lane, runtime) in self.lanes.iter().enumerate() {
            let Some(picks) = self.online.picks.get(lane).copied().flatten() else { continue };
            let has_it = match &claim {
                Claim::Order(reference) => db::orders::has_order(&self.conn, runtime.id, reference)?,
                Claim::Some | Claim::No => true,
            };
            asked.push(Asked { lane, picks, has_it });
        }
        let ruling = orders::rule(&asked);
        let lane = match ruling {
            Ruling::NobodyHasIt | Ruling::Unclear => return Ok(Err(SetAside::new(&claim, ruling))),
            Ruling::KnownTo(lane) => self.lanes.get(lane).map(|runtime| runtime.id),
            Ruling::Ignore => {
                orders::ignore(&mut read.lines);
                None
            }
            Ruling::Ordinary => None,
        };
        db::orders::put_ticket(&self.conn, source, &key, written.as_deref(), lane)?;
        Ok(Ok(()))
    }

    /// The lane that knows of a ticket's goods by itself.
    pub(super) fn lane_that_knows(&self, source: i64, key: &str) -> Result<Option<usize>, DbError> {
        let Some(lane) = db::orders::ticket_lane(&self.conn, source, key)? else { return Ok(None) };
        Ok(self.lanes.iter().position(|runtime| runtime.id == lane))
    }
}

/// Why a ticket is set aside.
pub(super) struct SetAside {
    /// The order that it names.
    pub(super) order: Option<String>,
    /// In words, with what to do.
    pub(super) reason: String,
}

impl SetAside {
    fn new(claim: &Claim, ruling: Ruling) -> Self {
        let order = match claim {
            Claim::Order(reference) => Some(reference.clone()),
            Claim::Some | Claim::No => None,
        };
        let which =
            order.as_ref().map_or_else(|| "an online order".to_owned(), |order| format!("online order `{order}`"));
        let reason = match (ruling, &order) {
            (Ruling::Unclear, Some(_)) => format!(
                "rung up for {which}, which several platforms have: let the till write more of the number, or set [online_orders] recognise.prefixes"
            ),
            (Ruling::Unclear, None) => format!(
                "rung up for {which} without its number, and several platforms have online orders: let the till write the number, and name its column in the source"
            ),
            _ => format!(
                "rung up for {which}, which no platform has: it is read again by itself when the order appears; if the number is wrong, correct it at the POS, or discard the record and enter the goods as an adjustment"
            ),
        };
        Self { order, reason }
    }
}

/// The store's articles by the platform's ids of items.
#[derive(Default)]
struct Articles {
    by_item: BTreeMap<String, Vec<(SkuId, Sku, i64)>>,
}

impl Articles {
    fn of(runtime: &LaneRuntime, codes: &std::collections::HashMap<SkuId, Sku>) -> Self {
        let mut by_item: BTreeMap<String, Vec<(SkuId, Sku, i64)>> = BTreeMap::new();
        for (id, target) in &runtime.targets {
            // A bundle is sold as a whole; which of its parts an order line means cannot be told.
            let ([part], Some(code)) = (target.parts.as_slice(), codes.get(id)) else { continue };
            by_item.entry(part.item.clone()).or_default().push((*id, code.clone(), part.per));
        }
        for known in by_item.values_mut() {
            // Single pieces before packs, older articles before newer ones.
            known.sort_unstable_by_key(|(id, _, per)| (*per, *id));
        }
        Self { by_item }
    }

    /// The SKU that an order line means, and units of the item in one of it.
    fn find(&self, line: &DueLine) -> Option<(Sku, i64)> {
        let Some(known) = self.by_item.get(&line.item) else {
            return line.sku.as_deref().filter(|sku| !sku.trim().is_empty()).map(|sku| (Sku::from(sku), 1));
        };
        let named = known.iter().find(|(_, code, _)| line.sku.as_deref() == Some(code.as_str()));
        named.or_else(|| known.first()).map(|(_, code, per)| (code.clone(), *per))
    }
}
