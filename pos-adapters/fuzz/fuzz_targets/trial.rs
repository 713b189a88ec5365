//! Fuzzing of every parser that `pos_adapters::trial::TRIALS` names; run by `cargo xtask fuzz`.
//!
//! `TILLSYNC_TRIAL` says which parser this run is about: one target for each entry of the list, without a file for
//! each, so that a parser that is added there is fuzzed from then on. With `TILLSYNC_SEEDS` it writes the seeds of all
//! of them into that folder, prints their names and ends.

#![no_main]

use std::path::Path;
use std::sync::OnceLock;

use libfuzzer_sys::{Corpus, fuzz_target};
use pos_adapters::trial::{TRIALS, Trial, made_up};

/// Parsers whose result may depend on what arrives together: a ticket of an appended file may be given in two parts.
const DEPENDS_ON_ARRIVAL: &str = "file-";

/// Parsers that set a damaged ticket aside in as many parts as it arrived in. What they believe does not depend on it.
const SET_ASIDE_IN_PARTS: [&str; 1] = ["tickets"];

fuzz_target!(|data: &[u8]| -> Corpus {
    let (name, trial) = chosen();
    let Some((first, input)) = data.split_first() else { return Corpus::Reject };
    let piece = usize::from(*first).max(1);
    let mut in_pieces = trial(input, piece);
    if !name.starts_with(DEPENDS_ON_ARRIVAL) {
        let mut whole = trial(input, input.len());
        if SET_ASIDE_IN_PARTS.contains(name) {
            (in_pieces.quarantined, whole.quarantined) = (0, 0);
        }
        assert_eq!(in_pieces, whole, "pieces of {piece} bytes give something else than the whole");
    }
    Corpus::Keep
});

fn chosen() -> &'static (&'static str, Trial) {
    static CHOSEN: OnceLock<&'static (&'static str, Trial)> = OnceLock::new();
    CHOSEN.get_or_init(|| {
        if let Some(folder) = std::env::var_os("TILLSYNC_SEEDS") {
            write_seeds(Path::new(&folder));
            std::process::exit(0);
        }
        let wanted = std::env::var("TILLSYNC_TRIAL").unwrap_or_default();
        TRIALS.iter().find(|(name, _)| *name == wanted).unwrap_or_else(|| {
            eprintln!("TILLSYNC_TRIAL names no parser: `{wanted}`");
            std::process::exit(2);
        })
    })
}

fn write_seeds(folder: &Path) {
    for (name, _) in TRIALS {
        let own = folder.join(name);
        std::fs::create_dir_all(&own).expect("the folder of the seeds can be made");
        for (number, seed) in made_up::seeds(name).into_iter().enumerate() {
            // The first byte says how many bytes a piece has.
            let input: Vec<u8> = std::iter::once(61).chain(seed).collect();
            std::fs::write(own.join(format!("seed-{number}")), input).expect("a seed can be written");
        }
        println!("{name}");
    }
}
