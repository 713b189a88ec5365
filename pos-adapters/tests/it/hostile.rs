//! Every parser under trial on input that is broken on purpose: it ends, it does not panic, and its memory is bounded.

use std::time::Instant;

use pos_adapters::trial::made_up::{Chance, ENDINGS, Ending, mutated, seeds};
use pos_adapters::trial::{TRIALS, Trial};

/// How often each seed is mutated here; fuzzing does it for hours.
const MUTATIONS: usize = 40;
/// The hostile input that is run whole.
const HOSTILE_BYTES: usize = 100_000_000;
/// All other endings are run so long.
const SHORT_BYTES: usize = 400_000;
/// What a reader gets at once.
const PIECE_BYTES: usize = 64 * 1024;
/// By how much the memory of the process may grow; generous, since other tests run beside this one.
const GROWTH_MAX_KB: u64 = 192 * 1024;

#[test]
fn mutated_inputs_are_survived() {
    let mut chance = Chance::new(0x7111_5c0d);
    for (name, trial) in TRIALS {
        for seed in seeds(name) {
            for _ in 0..MUTATIONS {
                let input = mutated(&seed, &mut chance);
                let piece = chance.place(300) + 1;
                trial(&input, piece);
            }
        }
    }
}

#[test]
fn hostile_input_takes_bounded_memory() {
    for (name, trial) in TRIALS {
        let good = seeds(name).first().cloned().unwrap_or_default();
        for ending in ENDINGS {
            run(name, *trial, ending, &good, SHORT_BYTES);
        }
        run(name, *trial, of_its_kind(&good), &good, HOSTILE_BYTES);
    }
}

/// An ending that the format's own reader would have to wait out.
fn of_its_kind(good: &[u8]) -> &'static Ending {
    let name = match good.first() {
        Some(b'<') => "text without an end",
        Some(b'{' | b'[') => "string without an end",
        Some(0x1b) => "pieces without a row",
        _ => "quote without an end",
    };
    ENDINGS.iter().find(|ending| ending.name == name).unwrap()
}

#[expect(clippy::print_stdout, reason = "figures of a run that failed are wanted")]
fn run(name: &str, trial: Trial, ending: &Ending, good: &[u8], bytes: usize) {
    let input = ending.input(good, bytes);
    // Counts the peak anew from here, where the system can do that.
    drop(std::fs::write("/proc/self/clear_refs", "5"));
    let before = peak_kb();
    let begun = Instant::now();
    let tally = trial(&input, PIECE_BYTES);
    let growth = peak_kb().zip(before).map(|(after, before)| after.saturating_sub(before));
    println!("{name}, {}: {tally:?}, {:?}, {growth:?} kB", ending.name, begun.elapsed());
    if let Some(growth) = growth {
        assert!(growth < GROWTH_MAX_KB, "{name} took {growth} kB for {bytes} bytes of \"{}\"", ending.name);
    }
}

/// The most memory that this process has had, in kB.
fn peak_kb() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?.trim().trim_end_matches(" kB").parse().ok()
}
