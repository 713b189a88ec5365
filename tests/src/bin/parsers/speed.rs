//! Speed of each parser on good input.

use std::hint::black_box;
use std::time::{Duration, Instant};

use pos_adapters::trial::{Trial, made_up};

use crate::say;

/// Made-up input of a parser, bytes.
const INPUT_BYTES: usize = 64_000_000;
const INPUT_BYTES_QUICK: usize = 4_000_000;
/// Sales from which the length of one is taken.
const PROBE_SALES: u64 = 1000;
/// What a reader reads at once.
const PIECE_BYTES: usize = 1024 * 1024;
/// Of so many runs the fastest counts, for the parser and for the line count alike.
const RUNS: u32 = 3;

/// What is asked for, in megabytes a second on one core.
const ASKED: [(&str, u64); 4] =
    [("file-csv", 100), ("file-json-lines", 100), ("file-json-tickets", 100), ("poslog", 50)];

/// Prints the table; whether every parser read all that was made for it.
pub(crate) fn run(trials: &[(&str, Trial)], quick: bool) -> bool {
    let wanted = if quick { INPUT_BYTES_QUICK } else { INPUT_BYTES };
    row(["parser", "MB", "MB/s", "transactions/s", "lines/s", "line count MB/s", "share", "asked for"]);
    let mut good = true;
    for (name, trial) in trials {
        let Some(input) = input(name, wanted) else {
            say(&format!("{name:<22} nothing is made up for it"));
            continue;
        };
        let mut tally = trial(&input, PIECE_BYTES);
        let parsing = fastest(|| tally = trial(black_box(&input), PIECE_BYTES));
        let counting = fastest(|| {
            black_box(memchr::memchr_iter(b'\n', black_box(&input)).count());
        });
        let bytes = u64::try_from(input.len()).unwrap_or(u64::MAX);
        let (parsed, counted) = (a_second(bytes, parsing), a_second(bytes, counting));
        let asked = ASKED
            .iter()
            .find(|(asked, _)| asked == name)
            .map_or_else(String::new, |(_, speed)| format!("{speed} MB/s"));
        row([
            name,
            &mega(bytes),
            &mega(parsed),
            &a_second(tally.transactions, parsing).to_string(),
            &a_second(tally.lines, parsing).to_string(),
            &mega(counted),
            &format!("1/{}", counted.checked_div(parsed).unwrap_or_default()),
            &asked,
        ]);
        if tally.quarantined > 0 || (tally.transactions == 0 && tally.lines == 0) {
            say(&format!("WRONG: {name} did not read all that was made for it: {tally:?}"));
            good = false;
        }
    }
    good
}

fn input(name: &str, wanted: usize) -> Option<Vec<u8>> {
    let probe = u64::try_from(made_up::document(name, PROBE_SALES, 1)?.len()).ok()?.max(1);
    let sales = u64::try_from(wanted).ok()?.saturating_mul(PROBE_SALES).div_ceil(probe);
    made_up::document(name, sales, 1)
}

fn fastest(mut run: impl FnMut()) -> Duration {
    let times = (0..RUNS).map(|_| {
        let begun = Instant::now();
        run();
        begun.elapsed()
    });
    times.min().unwrap_or_default()
}

/// So many in that time, each second.
fn a_second(count: u64, time: Duration) -> u64 {
    let nanoseconds = time.as_nanos().max(1);
    u64::try_from(u128::from(count).saturating_mul(1_000_000_000).checked_div(nanoseconds).unwrap_or_default())
        .unwrap_or(u64::MAX)
}

/// Bytes as megabytes with one decimal.
fn mega(bytes: u64) -> String {
    format!("{}.{}", bytes / 1_000_000, bytes % 1_000_000 / 100_000)
}

fn row(cells: [&str; 8]) {
    let [name, size, speed, transactions, lines, counted, share, asked] = cells;
    say(&format!("{name:<22} {size:>6} {speed:>8} {transactions:>15} {lines:>10} {counted:>16} {share:>7}  {asked}"));
}
