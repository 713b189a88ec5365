//! Fills the snapshot from the writer's board. Reads file sizes; decides nothing.

use std::path::Path;

use sync_core::model::Timestamp;
use sync_core::outbox::lane::Condition;

use super::{
    ClockStatus, DiskStatus, LaneState, LaneStatus, LatencyHistogram, LedgerStatus, SourceState, SourceStatus,
    StatusError, StatusSnapshot,
};
use crate::clock::Clock;
use crate::config::Config;
use crate::db::StateFolder;
use crate::disk::Disk;
use crate::writer::view::{Facts, LaneCounts, LaneFacts, SourceFacts};

/// How it stands now.
pub fn snapshot(
    facts: &Facts,
    config: &Config,
    state: &Path,
    free: &Disk,
    clock: &Clock,
    started_at: Timestamp,
) -> StatusSnapshot {
    let sources: Vec<SourceStatus> = facts.sources.iter().map(source).collect();
    let lanes: Vec<LaneStatus> =
        facts.lanes.iter().zip(&facts.counts).map(|(lane_facts, counts)| lane(lane_facts, counts)).collect();
    let fault = facts.fault.as_ref().map(|(code, message, _)| format!("{code}: {message}"));
    let healthy = fault.is_none()
        && facts.clock_note.is_none()
        && sources.iter().all(|source| source.state != SourceState::Error)
        && lanes.iter().all(|lane| lane.state != LaneState::Paused && lane.dead_letters == 0);
    StatusSnapshot {
        counts: Vec::new(),
        schedules: Vec::new(),
        store: config.store.id.to_string(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        started_at,
        now: clock.now(),
        ready: facts.started && fault.is_none(),
        waiting_for: fault.or_else(|| (!facts.started).then(|| "the database".to_owned())),
        healthy,
        ledger: LedgerStatus {
            transactions: sources.iter().map(|source| source.transactions).sum(),
            lines: sources.iter().map(|source| source.lines).sum(),
            seq: facts.seq.0,
            skus: u64::try_from(facts.skus).unwrap_or(0),
        },
        disk: disk(state, free),
        clock: ClockStatus { trusted: facts.clock_note.is_none(), note: facts.clock_note.map(str::to_owned) },
        latency: latency(&facts.counts),
        sources,
        lanes,
        online: Vec::new(),
        lists: Vec::new(),
    }
}

fn source(facts: &SourceFacts) -> SourceStatus {
    let error = facts.fault.clone().map(|(code, message, hint)| StatusError { code, message, hint });
    let state = match (&error, facts.caught_up || facts.last_read_at.is_some()) {
        (Some(_), _) => SourceState::Error,
        (None, true) => SourceState::Ok,
        (None, false) => SourceState::Waiting,
    };
    SourceStatus {
        name: facts.name.clone(),
        state,
        last_read_at: facts.last_read_at,
        last_sale_at: facts.last_sale_at,
        transactions: facts.transactions,
        lines: facts.lines,
        quarantined: facts.quarantined,
        backlog_bytes: facts.backlog,
        error,
        door: None,
    }
}

fn lane(facts: &LaneFacts, counts: &LaneCounts) -> LaneStatus {
    let (state, reason, next_try_at) = match &facts.condition {
        Condition::Open => (LaneState::Open, None, None),
        Condition::BackingOff { until, reason } => (LaneState::BackingOff, Some(reason.clone()), Some(*until)),
        Condition::Paused { cause, detail, probe_at } => {
            (LaneState::Paused, Some(format!("{}: {detail}", cause.as_str())), Some(*probe_at))
        }
    };
    let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    LaneStatus {
        name: facts.name.clone(),
        kind: facts.kind.to_owned(),
        state,
        reason,
        next_try_at,
        waiting_entries: count(facts.waiting_entries),
        waiting_lines: u64::try_from(facts.waiting_lines).unwrap_or(0),
        waiting_units: facts.waiting_units.to_string(),
        in_flight: count(facts.in_flight),
        delivered_lines: u64::try_from(counts.delivered_lines).unwrap_or(0),
        dead_letters: u64::try_from(counts.dead_letters).unwrap_or(0),
        unknown_skus: count(facts.unknown_skus),
        uncertain: count(facts.uncertain),
        last_delivered_at: counts.last_delivered_at,
        oldest_waiting_at: facts.oldest_waiting_at,
        requests: counts.requests,
        retries: counts.retries,
    }
}

fn latency(counts: &[LaneCounts]) -> LatencyHistogram {
    let mut all = LatencyHistogram::default();
    for counts in counts {
        for (sum, count) in all.buckets.iter_mut().zip(counts.delays.buckets) {
            *sum += count;
        }
        all.sum_ms = all.sum_ms.saturating_add(counts.delays.sum_ms);
    }
    all
}

fn disk(state: &Path, free: &Disk) -> DiskStatus {
    let database = StateFolder::shared(state).database();
    let size = |path: &Path| std::fs::metadata(path).map_or(0, |file| file.len());
    let mut log = database.clone().into_os_string();
    log.push("-wal");
    DiskStatus { state_bytes: size(&database), wal_bytes: size(Path::new(&log)), free_bytes: free.free_bytes() }
}
