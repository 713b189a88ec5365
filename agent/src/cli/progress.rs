//! Progress of long work (import of a backlog, audit, backup): a bar on a terminal, nothing anywhere else.

use std::io::{IsTerminal, stderr};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::output::Form;

/// Most redraws in a second.
const REDRAWS_PER_SECOND: u8 = 10;

/// A bar on standard error, or silence.
#[derive(Debug)]
pub struct Progress(ProgressBar);

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Shown as KiB, MiB.
    Bytes,
    /// Shown as a number.
    Count,
}

impl Progress {
    /// Of `total` units, or a spinner if the end is not known. Silent for scripts and without a terminal.
    #[must_use]
    pub fn new(what: &'static str, total: Option<u64>, unit: Unit, form: Form) -> Self {
        if form == Form::Json || !stderr().is_terminal() {
            return Self::silent();
        }
        let template = match (total, unit) {
            (Some(_), Unit::Bytes) => "{msg} [{bar:30}] {bytes}/{total_bytes} {bytes_per_sec} {eta}",
            (Some(_), Unit::Count) => "{msg} [{bar:30}] {human_pos}/{human_len} {per_sec} {eta}",
            (None, Unit::Bytes) => "{spinner} {msg} {bytes} {bytes_per_sec}",
            (None, Unit::Count) => "{spinner} {msg} {human_pos} {per_sec}",
        };
        let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::stderr_with_hz(REDRAWS_PER_SECOND));
        let style = ProgressStyle::with_template(template).expect("the templates above are well formed");
        bar.set_style(style.progress_chars("=> "));
        bar.set_message(what);
        if total.is_none() {
            bar.enable_steady_tick(Duration::from_millis(200));
        }
        Self(bar)
    }

    /// Shows nothing.
    #[must_use]
    pub fn silent() -> Self {
        Self(ProgressBar::hidden())
    }

    /// That much more is done.
    pub fn add(&self, units: u64) {
        self.0.inc(units);
    }

    /// That much is done in all.
    pub fn set(&self, units: u64) {
        self.0.set_position(units);
    }

    /// The total is known now, or has changed.
    pub fn total(&self, units: u64) {
        self.0.set_length(units);
    }

    /// Done: the bar goes away.
    pub fn finish(&self) {
        self.0.finish_and_clear();
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        // An error on the way must not leave half a bar above its message.
        self.0.finish_and_clear();
    }
}
