//! How it stands: one [`StatusSnapshot`] feeds the page, the JSON, the command line and the metrics.
//!
//! Owns the shape and the words; knows neither database nor lanes. Whoever has the facts fills the snapshot in.
//! The JSON is an interface: fields are added, never renamed.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use sync_core::model::Timestamp;

pub mod metrics;
pub mod online;
pub mod page;
pub mod server;
pub mod view;
mod words;

pub use words::{ago, summary};

/// Upper bounds of the till-to-shop histogram, milliseconds; a last bucket takes the rest.
pub const LATENCY_BOUNDS_MS: [u64; 14] =
    [5, 10, 25, 50, 100, 250, 500, 1_000, 2_000, 5_000, 15_000, 60_000, 600_000, 3_600_000];

/// Everything at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct StatusSnapshot {
    /// The store's id.
    pub store: String,
    /// Version of the program.
    pub version: String,
    /// When the agent started.
    #[serde(with = "rfc3339")]
    pub started_at: Timestamp,
    /// When this was true.
    #[serde(with = "rfc3339")]
    pub now: Timestamp,
    /// Sources and outbox are up.
    pub ready: bool,
    /// What is still waited for until then, in words.
    pub waiting_for: Option<String>,
    /// Nobody has to act.
    pub healthy: bool,
    /// In the order of the configuration.
    pub sources: Vec<SourceStatus>,
    /// In the order of the configuration.
    pub lanes: Vec<LaneStatus>,
    /// Online orders, by platform.
    #[serde(default)]
    pub online: Vec<online::OnlineStatus>,
    /// Lists of prices and of units on order.
    #[serde(default)]
    pub lists: Vec<online::ListStatus>,
    /// What is on record.
    pub ledger: LedgerStatus,
    /// Where it is kept.
    pub disk: DiskStatus,
    /// Whether times can be believed.
    pub clock: ClockStatus,
    /// From the POS's time of sale to the platform's answer.
    pub latency: LatencyHistogram,
    /// Counts of stock, by name.
    #[serde(default)]
    pub counts: Vec<crate::counts::CountStatus>,
    /// What is due when.
    #[serde(default)]
    pub schedules: Vec<crate::schedule::ScheduleStatus>,
}

/// One source.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SourceStatus {
    /// As configured.
    pub name: String,
    /// How it stands.
    pub state: SourceState,
    /// When it was last read.
    #[serde(with = "rfc3339::option")]
    pub last_read_at: Option<Timestamp>,
    /// POS time of the latest sale read.
    #[serde(with = "rfc3339::option")]
    pub last_sale_at: Option<Timestamp>,
    /// Transactions read since the start of the state, changed ones again.
    pub transactions: u64,
    /// Lines of them.
    pub lines: u64,
    /// Records that wait in quarantine.
    pub quarantined: u64,
    /// Bytes not read yet, as far as known.
    pub backlog_bytes: Option<u64>,
    /// Why it cannot be read, while it cannot.
    pub error: Option<StatusError>,
    /// Its listener, where others post to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub door: Option<crate::receive::DoorStatus>,
}

/// How a source stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SourceState {
    /// Read without fault.
    Ok,
    /// Not read yet, or nothing there yet.
    #[default]
    Waiting,
    /// Cannot be read; tried again by itself.
    Error,
}

/// An error that an operator may see.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusError {
    /// Stable, listed in `docs/errors.md`.
    pub code: String,
    /// What happened.
    pub message: String,
    /// The next step.
    pub hint: String,
}

/// One lane.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct LaneStatus {
    /// As configured.
    pub name: String,
    /// `shopify`, `http`.
    pub kind: String,
    /// How it stands.
    pub state: LaneState,
    /// Why it is not open, in words.
    pub reason: Option<String>,
    /// When it tries again by itself.
    #[serde(with = "rfc3339::option")]
    pub next_try_at: Option<Timestamp>,
    /// Outbox entries that wait.
    pub waiting_entries: u64,
    /// Sale lines that are not in the shop yet: waiting, or in a request without an answer.
    pub waiting_lines: u64,
    /// Units that they stand for, signs ignored; an exact decimal.
    pub waiting_units: String,
    /// Requests under way.
    pub in_flight: u64,
    /// Sale lines whose effect is on the platform.
    pub delivered_lines: u64,
    /// Entries that the platform will never take as they are.
    pub dead_letters: u64,
    /// SKUs that the platform does not know.
    pub unknown_skus: u64,
    /// Items whose effect is unknown and is being settled by read-back.
    pub uncertain: u64,
    /// When the platform last took a change.
    #[serde(with = "rfc3339::option")]
    pub last_delivered_at: Option<Timestamp>,
    /// Since when the oldest waiting entry waits.
    #[serde(with = "rfc3339::option")]
    pub oldest_waiting_at: Option<Timestamp>,
    /// Requests sent.
    pub requests: u64,
    /// Requests sent again.
    pub retries: u64,
}

/// How a lane stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LaneState {
    /// Sends as changes come.
    #[default]
    Open,
    /// The platform cannot be reached or asked for patience; goes on by itself.
    BackingOff,
    /// Refused for cause (token, closed shop, wrong location); asks again by itself, but somebody should mend it.
    Paused,
}

/// What is on record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct LedgerStatus {
    /// Transactions.
    pub transactions: u64,
    /// Their lines.
    pub lines: u64,
    /// Position in the movement stream.
    pub seq: i64,
    /// SKUs.
    pub skus: u64,
}

/// Where it is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct DiskStatus {
    /// The database.
    pub state_bytes: u64,
    /// Its write-ahead log.
    pub wal_bytes: u64,
    /// Free on the disk of the state folder, if known.
    pub free_bytes: Option<u64>,
}

/// Whether times can be believed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClockStatus {
    /// The machine's clock can be believed.
    pub trusted: bool,
    /// Why not, or what was noticed.
    pub note: Option<String>,
}

impl Default for ClockStatus {
    fn default() -> Self {
        Self { trusted: true, note: None }
    }
}

/// How many took how long; see [`LATENCY_BOUNDS_MS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LatencyHistogram {
    /// Count of each bucket, not cumulated; the last takes what is longer than every bound.
    pub buckets: [u64; LATENCY_BOUNDS_MS.len() + 1],
    /// Sum of all, milliseconds.
    pub sum_ms: u64,
}

impl Default for LatencyHistogram {
    fn default() -> Self {
        Self { buckets: [0; LATENCY_BOUNDS_MS.len() + 1], sum_ms: 0 }
    }
}

impl LatencyHistogram {
    /// Counts one.
    pub fn record(&mut self, took: Duration) {
        let millis = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        let place = LATENCY_BOUNDS_MS.partition_point(|bound| *bound < millis);
        if let Some(bucket) = self.buckets.get_mut(place) {
            *bucket = bucket.saturating_add(1);
        }
        self.sum_ms = self.sum_ms.saturating_add(millis);
    }

    /// How many were counted.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }

    /// The bound under which `percent` of them lie; `None` if there are none, or it is beyond all bounds.
    #[must_use]
    pub fn percentile_ms(&self, percent: u64) -> Option<u64> {
        let wanted = self.count().saturating_mul(percent.min(100)).div_ceil(100).max(1);
        let mut seen = 0_u64;
        for (bucket, bound) in self.buckets.iter().zip(LATENCY_BOUNDS_MS) {
            seen = seen.saturating_add(*bucket);
            if seen >= wanted {
                return Some(bound);
            }
        }
        None
    }
}

/// Times in JSON as people and scripts read them: RFC 3339 in UTC.
pub mod rfc3339 {
    use serde::{Deserialize, Deserializer, Serializer};
    use sync_core::model::Timestamp;

    /// The text form; the empty text for a time outside of the calendar.
    #[must_use]
    pub fn text(at: Timestamp) -> String {
        jiff::Timestamp::from_microsecond(at.0).map_or_else(|_| String::new(), |at| at.to_string())
    }

    fn parse(text: &str) -> Result<Timestamp, jiff::Error> {
        text.parse::<jiff::Timestamp>().map(|at| Timestamp(at.as_microsecond()))
    }

    pub(super) fn serialize<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&text(*at))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }

    pub(crate) mod option {
        use super::{Deserialize, Deserializer, Serializer, Timestamp, parse, text};

        pub(crate) fn serialize<S: Serializer>(at: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
            match at {
                Some(at) => serializer.serialize_some(&text(*at)),
                None => serializer.serialize_none(),
            }
        }

        pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
            Option::<String>::deserialize(deserializer)?
                .map(|at| parse(&at).map_err(serde::de::Error::custom))
                .transpose()
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A store with one source and one open lane, at 2026-03-01T12:00:00Z.
    pub(crate) fn snapshot() -> StatusSnapshot {
        let now = Timestamp(1_772_366_400_000_000);
        let earlier = |seconds: i64| Some(Timestamp(now.0 - seconds * 1_000_000));
        StatusSnapshot {
            counts: Vec::new(),
            schedules: Vec::new(),
            store: "store-12".to_owned(),
            version: "0.1.0".to_owned(),
            started_at: Timestamp(now.0 - 3_600_000_000),
            now,
            ready: true,
            healthy: true,
            sources: vec![SourceStatus {
                name: "tills".to_owned(),
                state: SourceState::Ok,
                last_read_at: earlier(2),
                last_sale_at: earlier(120),
                transactions: 10,
                lines: 25,
                ..SourceStatus::default()
            }],
            lanes: vec![LaneStatus {
                name: "shopify".to_owned(),
                kind: "shopify".to_owned(),
                waiting_units: "0".to_owned(),
                delivered_lines: 25,
                last_delivered_at: earlier(119),
                ..LaneStatus::default()
            }],
            ..StatusSnapshot::default()
        }
    }

    #[test]
    fn a_snapshot_survives_json() {
        let snapshot = snapshot();
        let text = serde_json::to_string(&snapshot).unwrap();
        assert!(text.contains("\"now\":\"2026-03-01T12:00:00Z\""), "{text}");
        assert!(text.contains("\"state\":\"open\""), "{text}");
        assert_eq!(serde_json::from_str::<StatusSnapshot>(&text).unwrap(), snapshot);
    }

    #[test]
    fn latencies_fall_in_their_buckets() {
        let mut latency = LatencyHistogram::default();
        assert_eq!(latency.percentile_ms(50), None);
        for millis in [1, 5, 6, 80, 90, 95, 99, 100, 400, 4_000_000] {
            latency.record(Duration::from_millis(millis));
        }
        assert_eq!(latency.count(), 10);
        assert_eq!(latency.buckets[0], 2);
        assert_eq!(latency.percentile_ms(50), Some(100));
        assert_eq!(latency.percentile_ms(90), Some(500));
        assert_eq!(latency.percentile_ms(100), None);
    }
}
