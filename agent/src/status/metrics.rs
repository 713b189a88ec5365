//! The snapshot in the Prometheus text format (version 0.0.4), written by hand: it is made only when asked for.

use std::fmt::Write;

use sync_core::model::Timestamp;

use super::{LATENCY_BOUNDS_MS, LaneState, LaneStatus, LatencyHistogram, SourceState, SourceStatus, StatusSnapshot};
use crate::telemetry::{Metric, MetricKind, metric};

/// The content type of [`text`].
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// All metrics.
#[must_use]
pub fn text(status: &StatusSnapshot) -> String {
    let mut out = Exposition(String::with_capacity(8 * 1024));
    let labels = [("store", status.store.as_str()), ("version", status.version.as_str())];
    out.family(metric::BUILD_INFO, [(&labels[..], Some(1))]);
    out.single(metric::HEALTHY, Some(u64::from(status.healthy)));
    out.single(metric::READY, Some(u64::from(status.ready)));
    out.single(metric::UPTIME_SECONDS, Some(status.now.since(status.started_at).as_secs()));
    sources(&mut out, &status.sources);
    lanes(&mut out, &status.lanes);
    out.single(metric::LEDGER_TRANSACTIONS, Some(status.ledger.transactions));
    out.single(metric::LEDGER_LINES, Some(status.ledger.lines));
    out.single(metric::LEDGER_SKUS, Some(status.ledger.skus));
    out.single(metric::STATE_BYTES, Some(status.disk.state_bytes));
    out.single(metric::WAL_BYTES, Some(status.disk.wal_bytes));
    out.single(metric::DISK_FREE_BYTES, status.disk.free_bytes);
    out.single(metric::CLOCK_TRUSTED, Some(u64::from(status.clock.trusted)));
    out.latency(metric::TILL_TO_SHOP, &status.latency);
    out.0
}

fn sources(out: &mut Exposition, sources: &[SourceStatus]) {
    let mut each = |metric: Metric, value: fn(&SourceStatus) -> Option<u64>| {
        let labels: Vec<_> = sources.iter().map(|source| [("source", source.name.as_str())]).collect();
        out.family(metric, labels.iter().zip(sources).map(|(labels, source)| (&labels[..], value(source))));
    };
    each(metric::SOURCE_UP, |source| Some(u64::from(source.state != SourceState::Error)));
    each(metric::SOURCE_TRANSACTIONS, |source| Some(source.transactions));
    each(metric::SOURCE_LINES, |source| Some(source.lines));
    each(metric::SOURCE_QUARANTINED, |source| Some(source.quarantined));
    each(metric::SOURCE_BACKLOG_BYTES, |source| source.backlog_bytes);
    each(metric::SOURCE_LAST_READ, |source| seconds(source.last_read_at));
    each(metric::SOURCE_LAST_SALE, |source| seconds(source.last_sale_at));
}

fn lanes(out: &mut Exposition, lanes: &[LaneStatus]) {
    let mut each = |metric: Metric, value: fn(&LaneStatus) -> Option<u64>| {
        let labels: Vec<_> = lanes.iter().map(|lane| [("lane", lane.name.as_str())]).collect();
        out.family(metric, labels.iter().zip(lanes).map(|(labels, lane)| (&labels[..], value(lane))));
    };
    each(metric::LANE_OPEN, |lane| Some(u64::from(lane.state == LaneState::Open)));
    each(metric::LANE_WAITING_ENTRIES, |lane| Some(lane.waiting_entries));
    each(metric::LANE_WAITING_LINES, |lane| Some(lane.waiting_lines));
    each(metric::LANE_IN_FLIGHT, |lane| Some(lane.in_flight));
    each(metric::LANE_DELIVERED_LINES, |lane| Some(lane.delivered_lines));
    each(metric::LANE_DEAD_LETTERS, |lane| Some(lane.dead_letters));
    each(metric::LANE_UNKNOWN_SKUS, |lane| Some(lane.unknown_skus));
    each(metric::LANE_UNCERTAIN, |lane| Some(lane.uncertain));
    each(metric::LANE_REQUESTS, |lane| Some(lane.requests));
    each(metric::LANE_RETRIES, |lane| Some(lane.retries));
    each(metric::LANE_LAST_DELIVERED, |lane| seconds(lane.last_delivered_at));
    each(metric::LANE_OLDEST_WAITING, |lane| seconds(lane.oldest_waiting_at));
}

fn seconds(at: Option<Timestamp>) -> Option<u64> {
    at.and_then(|at| u64::try_from(at.0 / 1_000_000).ok())
}

struct Exposition(String);

impl Exposition {
    fn single(&mut self, metric: Metric, value: Option<u64>) {
        self.family(metric, [(&[][..], value)]);
    }

    fn family<'l>(
        &mut self,
        metric: Metric,
        samples: impl IntoIterator<Item = (&'l [(&'l str, &'l str)], Option<u64>)>,
    ) {
        self.head(metric);
        for (labels, value) in samples {
            if let Some(value) = value {
                self.sample(metric.name, "", labels, value);
            }
        }
    }

    fn latency(&mut self, metric: Metric, latency: &LatencyHistogram) {
        self.head(metric);
        let mut seen = 0_u64;
        for (bucket, bound) in latency.buckets.iter().zip(LATENCY_BOUNDS_MS) {
            seen = seen.saturating_add(*bucket);
            self.sample(metric.name, "_bucket", &[("le", &seconds_text(bound))], seen);
        }
        self.sample(metric.name, "_bucket", &[("le", "+Inf")], latency.count());
        self.push(format_args!("{}_sum {}\n", metric.name, seconds_text(latency.sum_ms)));
        self.sample(metric.name, "_count", &[], latency.count());
    }

    fn head(&mut self, metric: Metric) {
        let kind = match metric.kind {
            MetricKind::Counter => "counter",
            MetricKind::Gauge => "gauge",
            MetricKind::Histogram => "histogram",
        };
        self.push(format_args!("# HELP {0} {1}\n# TYPE {0} {kind}\n", metric.name, metric.help));
    }

    fn sample(&mut self, name: &str, suffix: &str, labels: &[(&str, &str)], value: u64) {
        self.push(format_args!("{name}{suffix}"));
        for (index, (label, text)) in labels.iter().enumerate() {
            let text = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            self.push(format_args!("{}{label}=\"{text}\"", if index == 0 { '{' } else { ',' }));
        }
        self.push(format_args!("{} {value}\n", if labels.is_empty() { "" } else { "}" }));
    }

    fn push(&mut self, text: std::fmt::Arguments<'_>) {
        self.0.write_fmt(text).expect("writing to a string does not fail");
    }
}

/// Milliseconds as seconds without floats: `0.25`, `60`.
fn seconds_text(millis: u64) -> String {
    let (whole, rest) = (millis / 1_000, millis % 1_000);
    if rest == 0 { whole.to_string() } else { format!("{whole}.{rest:03}").trim_end_matches('0').to_owned() }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::tests::snapshot;
    use super::*;

    #[test]
    fn every_metric_is_there_once_with_help_and_type() {
        let mut status = snapshot();
        status.latency.record(Duration::from_millis(30));
        status.lanes[0].name = "a\"b\\c".to_owned();
        let text = text(&status);
        for metric in metric::ALL {
            assert_eq!(text.matches(&format!("# TYPE {} ", metric.name)).count(), 1, "{}", metric.name);
        }
        assert!(text.contains("tillsync_lane_delivered_lines_total{lane=\"a\\\"b\\\\c\"} 25\n"), "{text}");
        assert!(text.contains("tillsync_build_info{store=\"store-12\",version=\"0.1.0\"} 1\n"), "{text}");
        assert!(text.contains("tillsync_till_to_shop_seconds_bucket{le=\"0.025\"} 0\n"), "{text}");
        assert!(text.contains("tillsync_till_to_shop_seconds_bucket{le=\"0.05\"} 1\n"), "{text}");
        assert!(text.contains("tillsync_till_to_shop_seconds_bucket{le=\"+Inf\"} 1\n"), "{text}");
        assert!(text.contains("tillsync_till_to_shop_seconds_sum 0.03\n"), "{text}");
    }
}
