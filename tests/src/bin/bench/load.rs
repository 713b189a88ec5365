//! Sale lines: what they say, and writing them at once or at a pace.

use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context;
use system_tests::dice::Dice;
use system_tests::moment::Moment;

/// Articles.
pub(crate) const SKUS: u64 = 5000;

/// SKU number and pieces of a sale: the same for the same sale.
pub(crate) const fn article(sale: u64) -> (u64, u64) {
    let roll = Dice::new(sale).roll();
    (roll % SKUS, 1 + (roll >> 40) % 3)
}

/// One line of the JSON journal, about 100 bytes.
pub(crate) fn line(sale: u64) -> String {
    let (sku, pieces) = article(sale);
    let till = sale % 3 + 1;
    let (whole, cents) = (1 + sku % 99, sku % 100);
    format!(
        "{{\"id\":\"SALE-{sale:010}\",\"sku\":\"SKU-{sku:05}\",\"qty\":{pieces},\"price\":\"{whole}.{cents:02}\",\"store\":\"01\",\"till\":\"{till}\"}}\n"
    )
}

/// Writes sales 1 to `count` and makes them durable; pieces in all.
pub(crate) fn fill(path: &Path, count: u64) -> anyhow::Result<u64> {
    let file = File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
    let mut out = BufWriter::with_capacity(1 << 20, file);
    let mut pieces = 0;
    for sale in 1..=count {
        out.write_all(line(sale).as_bytes()).context("cannot write the sales")?;
        pieces += article(sale).1;
    }
    let file = out.into_inner().context("cannot write the sales")?;
    file.sync_all().context("cannot make the sales durable")?;
    Ok(pieces)
}

/// Calls `act` so often a second, each time up to half a period sooner or later, so that nothing falls into step;
/// and `between` half a period after each.
pub(crate) fn paced(
    rate: u32,
    times: u32,
    mut act: impl FnMut(u32) -> anyhow::Result<()>,
    mut between: impl FnMut() -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let period = Duration::from_secs(1) / rate.max(1);
    let mut dice = Dice::new(u64::from(rate));
    let mut due = Instant::now();
    for time in 0..times {
        // Between a half and one and a half periods.
        let share = u32::try_from(500 + dice.below(1001)).unwrap_or(1000);
        due += period * share / 1000;
        rest(due.saturating_duration_since(Instant::now()));
        act(time)?;
        rest(period / 2);
        between()?;
    }
    Ok(())
}

/// Appends sales `first..first + count` at a pace; when each was written, just before. `between` as for [`paced`].
pub(crate) fn trickle(
    path: &Path,
    first: u64,
    (count, rate): (u32, u32),
    between: impl FnMut() -> anyhow::Result<()>,
) -> anyhow::Result<Vec<i64>> {
    let mut file = OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .with_context(|| format!("cannot write {}", path.display()))?;
    let mut sent = Vec::new();
    let sell = |time| {
        let text = line(first + u64::from(time));
        sent.push(Moment::now().mono_ns);
        file.write_all(text.as_bytes()).context("cannot write a sale")
    };
    paced(rate, count, sell, between)?;
    Ok(sent)
}

/// Does nothing for so long.
#[expect(clippy::disallowed_methods, reason = "a benchmark's pace is made of waiting, and it has nothing to stop for")]
pub(crate) fn rest(time: Duration) {
    std::thread::sleep(time);
}
