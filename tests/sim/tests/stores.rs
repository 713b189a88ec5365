//! The simulation as a test: the seeds that once failed, a fixed set, and some that nobody has seen.

use std::time::{SystemTime, UNIX_EPOCH};

use sim::known;
use sim::run::{Given, Shared, run};
use sim::tally::Tally;

const FIXED: std::ops::Range<u64> = 1_000..1_012;
const FRESH: u64 = 6;
const DAYS: u64 = 30;

#[test]
fn no_sale_is_lost_or_doubled_whatever_fails() {
    let shared = Shared::new().unwrap();
    let first = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() * 1_000;
    let mut sum = Tally::default();
    for seed in known::seeds().into_iter().chain(FIXED).chain(first..first + FRESH) {
        let outcome =
            run(&Given { seed, days: DAYS, shared: &shared }).unwrap_or_else(|error| panic!("seed {seed}: {error:#}"));
        assert_eq!(outcome.finding, None, "seed {seed} of {DAYS} days: add it to tests/sim/seeds.txt");
        sum.add(&outcome.tally);
    }
    println!("{sum:?}");
    assert!(sum.tickets > 1_000 && sum.comparisons > 40, "{sum:?}");
    assert_eq!((sum.lost, sum.doubled, sum.oversold), (0, 0, 0));
    let seed = 1_003;
    let twice = [(); 2].map(|()| run(&Given { seed, days: DAYS, shared: &shared }).unwrap().tally);
    assert_eq!(twice[0], twice[1], "the same seed is the same run");
}
