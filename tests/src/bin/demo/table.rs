//! What the demo says at the end.

use std::collections::BTreeMap;
use std::fmt;

use system_tests::decimal::Decimal;
use system_tests::journal::{Cause, JournalLine};
use system_tests::moment::Moment;
use system_tests::oracle::{self, Latency, Report, Terms};
use system_tests::shop::ShopStats;
use system_tests::till::Printed;

use crate::registers;

/// When the shop was away.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Outage {
    from: Moment,
    to: Option<Moment>,
}

impl Outage {
    pub(crate) const fn begun(from: Moment) -> Self {
        Self { from, to: None }
    }

    pub(crate) const fn end(&mut self, to: Moment) {
        self.to = Some(to);
    }

    pub(crate) const fn is_open(&self) -> bool {
        self.to.is_none()
    }

    /// In thousandths of a second.
    fn length(&self) -> i64 {
        self.to.map_or(0, |to| (to.mono_ns - self.from.mono_ns) / 1_000_000)
    }
}

/// Delays of all sales, and of those before the outage, when nothing was in their way.
pub(crate) fn delays(printed: &[Printed], journal: &[JournalLine], outage: Option<&Outage>) -> (Latency, Latency) {
    let moving = netted(printed);
    let all = oracle::judge(&moving, journal, &Terms::default()).latency;
    let Some(outage) = outage else {
        return (all, all);
    };
    // The last second is left out: its sales may have met the outage.
    let end = outage.from.mono_ns - 1_000_000_000;
    let early: Vec<Printed> = moving.into_iter().filter(|line| line.at.mono_ns < end).collect();
    let arrived: Vec<JournalLine> =
        journal.iter().filter(|line| line.at.mono_ns < outage.from.mono_ns).cloned().collect();
    (all, oracle::judge(&early, &arrived, &Terms::default()).latency)
}

/// One line for each ticket and article, without what has no delay of its own: what was taken back on the same ticket
/// never travels, and a shop that counts whole units sees a weighed line only once the next unit is full.
fn netted(printed: &[Printed]) -> Vec<Printed> {
    let mut sums: BTreeMap<(&str, &str, &str, i64), Printed> = BTreeMap::new();
    for line in printed.iter().filter(|line| !registers::is_weighed(&line.sku)) {
        let key = (line.register.as_str(), line.ticket.as_str(), line.sku.as_str(), line.at.mono_ns);
        sums.entry(key).and_modify(|sum| sum.delta += line.delta).or_insert_with(|| line.clone());
    }
    sums.into_values().filter(|line| !line.delta.is_zero()).collect()
}

/// Thousandths of a second from the end of the outage to the first change that arrived.
pub(crate) fn recovery(journal: &[JournalLine], outage: &Outage) -> Option<i64> {
    let end = outage.to?.mono_ns;
    let first = journal.iter().find(|line| line.cause == Cause::Adjust && line.at.mono_ns > end)?;
    Some((first.at.mono_ns - end) / 1_000_000)
}

/// The result of a run.
#[derive(Debug)]
pub(crate) struct Summary {
    pub(crate) report: Report,
    pub(crate) all: Latency,
    pub(crate) calm: Latency,
    pub(crate) outage: Option<Outage>,
    pub(crate) recovered: Option<i64>,
    pub(crate) stats: ShopStats,
    pub(crate) right: (usize, usize),
    pub(crate) orders: u64,
    pub(crate) drained: bool,
    pub(crate) conserved: bool,
}

impl Summary {
    /// Every sale arrived exactly once, and both counts agree.
    pub(crate) fn is_good(&self) -> bool {
        self.drained
            && self.conserved
            && self.report.sales > 0
            && self.report.exactly_once()
            && self.right.0 == self.right.1
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { report, all, calm, stats, .. } = self;
        let ms = |us: i64| format!("{} ms", Decimal::thousandths(us / 100 * 100));
        let seconds = |ms: i64| format!("{} s", Decimal::thousandths(ms / 10 * 10));
        let outage = self.outage.map_or_else(|| "none".to_owned(), |outage| seconds(outage.length()));
        let back =
            self.recovered.map_or_else(String::new, |ms| format!(", first change {} after its end", seconds(ms)));
        let yes = |good: bool| if good { "yes" } else { "NO" };
        let rows = [
            ("sales made", format!("{} tickets, {} lines", report.sales, report.lines)),
            ("delivered", format!("{} tickets", report.delivered)),
            ("till to shop", format!("p50 {}, p99 {} (before the outage)", ms(calm.p50_us), ms(calm.p99_us))),
            ("  with the outage", format!("p50 {}, p99 {}", ms(all.p50_us), ms(all.p99_us))),
            ("outage", format!("{outage}{back}")),
            (
                "requests",
                format!(
                    "{} ({} changed stock, {} repeats recognised)",
                    stats.requests, stats.applied_writes, stats.replays
                ),
            ),
            ("online orders", self.orders.to_string()),
            ("lost", format!("{} units", report.lost)),
            ("doubled", format!("{} units", report.doubled)),
            ("numbers right", format!("{} of {} articles", self.right.0, self.right.1)),
            ("audit", format!("conserved: {}", yes(self.conserved))),
        ];
        writeln!(f)?;
        for (name, value) in rows {
            writeln!(f, "  {name:<18} {value}")?;
        }
        for difference in report.differences.iter().take(10) {
            writeln!(f, "  {}: {} expected, {} applied", difference.sku, difference.expected, difference.applied)?;
        }
        write!(f, "\n  every sale exactly once: {}", yes(self.is_good()))
    }
}
