//! What a run does, line by line, for looking at one seed.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

static ON: AtomicBool = AtomicBool::new(false);

/// Every further line is shown.
pub fn turn_on() {
    ON.store(true, Ordering::Relaxed);
}

/// Shows a line, if anybody looks.
#[expect(clippy::print_stderr, reason = "asked for on the command line")]
pub fn line(at: Duration, text: impl FnOnce() -> String) {
    if ON.load(Ordering::Relaxed) {
        let seconds = at.as_secs();
        eprintln!(
            "{}d {:02}:{:02}:{:02}.{:03} {}",
            seconds / 86_400,
            seconds / 3600 % 24,
            seconds / 60 % 60,
            seconds % 60,
            at.subsec_millis(),
            text()
        );
    }
}
