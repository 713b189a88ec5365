//! The table, one line at a time as the figures come.

use std::io::Write as _;

/// Figures as they are printed.
#[derive(Debug)]
pub(crate) struct Table {
    wrong: Vec<String>,
}

impl Table {
    pub(crate) fn new() -> Self {
        row("what", "measured", "limit of the machine", "ratio", "asked for");
        row("----", "--------", "--------------------", "-----", "---------");
        Self { wrong: Vec::new() }
    }

    /// A figure with its limit, and what is asked for.
    pub(crate) fn figure(&mut self, what: &str, measured: &str, limit: &str, ratio: Option<String>, asked: &str) {
        row(what, measured, limit, ratio.as_deref().unwrap_or(""), asked);
    }

    /// A figure that has no limit beside it.
    pub(crate) fn plain(&mut self, what: &str, measured: &str, asked: &str) {
        row(what, measured, "", "", asked);
    }

    /// Counts of what may never happen.
    pub(crate) fn exact(&mut self, what: &str, lost: u64, doubled: u64) {
        row(what, &format!("lost {lost}, doubled {doubled}"), "", "", "lost 0, doubled 0");
        if lost > 0 || doubled > 0 {
            self.wrong.push(format!("{what}: lost {lost}, doubled {doubled}"));
        }
    }

    /// Nothing was lost or doubled.
    pub(crate) fn exactly_once(&self) -> bool {
        self.wrong.is_empty()
    }

    /// The closing line.
    pub(crate) fn end(&self) {
        if self.wrong.is_empty() {
            say("\nEvery sale of every run arrived exactly once.");
        }
        for wrong in &self.wrong {
            say(&format!("\nWRONG: {wrong}"));
        }
    }
}

/// Microseconds as milliseconds.
pub(crate) fn ms(us: u64) -> String {
    format!("{}.{:02} ms", us / 1000, us % 1000 / 10)
}

/// `part` over `whole` with two decimals.
pub(crate) fn ratio(part: u64, whole: u64) -> Option<String> {
    let hundredths = part.saturating_mul(100).checked_div(whole)?;
    Some(format!("{}.{:02} x", hundredths / 100, hundredths % 100))
}

/// The value below which so many of a hundred lie.
pub(crate) fn percentile(values: &mut [u64], hundredths: usize) -> u64 {
    values.sort_unstable();
    let last = values.len().saturating_sub(1);
    values.get((last * hundredths).div_ceil(100)).copied().unwrap_or(0)
}

/// `1,000,000`.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn row(what: &str, measured: &str, limit: &str, ratio: &str, asked: &str) {
    say(&format!("{what:<38} {measured:<30} {limit:<42} {ratio:<8} {asked}"));
}

/// A line of output.
pub(crate) fn say(text: &str) {
    // A closed pipe is the reader's choice.
    drop(writeln!(std::io::stdout(), "{}", text.trim_end()));
}
