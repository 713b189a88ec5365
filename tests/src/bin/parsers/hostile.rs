//! Memory and time of each parser on hostile input.

use std::fs;
use std::time::Instant;

use pos_adapters::trial::Trial;
use pos_adapters::trial::made_up::{ENDINGS, seeds};

use crate::say;

/// Length of an input.
const INPUT_BYTES: usize = 100_000_000;
const INPUT_BYTES_QUICK: usize = 5_000_000;
/// What a reader gets at once.
const PIECE_BYTES: usize = 64 * 1024;
/// By how much the memory may grow.
const GROWTH_MAX_KB: u64 = 96 * 1024;

/// Prints a row for each parser with its worst inputs; whether all stayed within bounds.
pub(crate) fn run(trials: &[(&str, Trial)], quick: bool) -> bool {
    let bytes = if quick { INPUT_BYTES_QUICK } else { INPUT_BYTES };
    let mut good = true;
    say(&format!("{} MB of each of {} kinds of hostile input", bytes / 1_000_000, ENDINGS.len()));
    for (name, trial) in trials {
        let seed = seeds(name).into_iter().next().unwrap_or_default();
        let (mut most, mut slowest) = ((0, ""), (0, ""));
        for ending in ENDINGS {
            let input = ending.input(&seed, bytes);
            let before = peak_kb();
            let begun = Instant::now();
            trial(&input, PIECE_BYTES);
            let took = begun.elapsed().as_millis();
            let growth = peak_kb().saturating_sub(before);
            most = most.max((growth, ending.name));
            slowest = slowest.max((took, ending.name));
            if growth > GROWTH_MAX_KB {
                say(&format!("WRONG: {name} took {growth} kB on \"{}\"", ending.name));
                good = false;
            }
        }
        say(&format!(
            "{name:<22} most memory {:>7} kB ({}), longest {:>6} ms ({})",
            most.0, most.1, slowest.0, slowest.1
        ));
    }
    good
}

/// The most memory that this process has had since the last call, in kB; 0 where the system does not tell.
fn peak_kb() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let peak = peak.and_then(|peak| peak.trim().trim_end_matches(" kB").parse().ok()).unwrap_or_default();
    // From here on the peak is counted anew.
    drop(fs::write("/proc/self/clear_refs", "5"));
    peak
}
