//! The test doubles' clock: wall time for people, monotonic time for latencies across processes.

use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// One point in time on both clocks of this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moment {
    /// Microseconds since 1970-01-01T00:00:00Z.
    pub wall_us: i64,
    /// Nanoseconds of `CLOCK_MONOTONIC`, comparable between processes until the next boot; from the wall
    /// clock where the system has no such clock.
    pub mono_ns: i64,
}

impl Moment {
    /// Now.
    #[must_use]
    pub fn now() -> Self {
        let wall_us = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |passed| i64::try_from(passed.as_micros()).unwrap_or(i64::MAX));
        Self { wall_us, mono_ns: monotonic_ns(wall_us) }
    }
}

#[cfg(unix)]
fn monotonic_ns(_wall_us: i64) -> i64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    // The field widths differ between 32-bit and 64-bit systems.
    #[expect(clippy::useless_conversion, reason = "the field is narrower on 32-bit systems")]
    let (seconds, nanos) = (i64::from(time.tv_sec), i64::from(time.tv_nsec));
    seconds.saturating_mul(1_000_000_000).saturating_add(nanos)
}

#[cfg(not(unix))]
fn monotonic_ns(wall_us: i64) -> i64 {
    wall_us.saturating_mul(1000)
}
