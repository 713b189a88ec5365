//! Seeds that once failed, and how much of a core the program has used.

/// One seed a line, `#` begins a comment. They are run in every run.
const SEEDS: &str = include_str!("../seeds.txt");

/// Every seed that ever failed.
#[must_use]
pub fn seeds() -> Vec<u64> {
    let words = SEEDS.lines().filter_map(|line| line.split('#').next()?.split_whitespace().next());
    words.filter_map(|word| word.parse().ok()).collect()
}

/// Processor time of this thread so far, in milliseconds.
#[cfg(unix)]
#[must_use]
pub fn cpu_millis() -> u64 {
    let spent = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    let millis = spent.tv_sec.saturating_mul(1000).saturating_add(spent.tv_nsec / 1_000_000);
    u64::try_from(millis).unwrap_or(0)
}

/// Not told on this system.
#[cfg(not(unix))]
#[must_use]
pub fn cpu_millis() -> u64 {
    0
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_seeds_that_once_failed_are_read() {
        assert!(!super::seeds().is_empty());
    }
}
