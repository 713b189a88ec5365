//! The only place that prints.

use std::io::Write as _;

/// One line of result, on standard output.
pub(crate) fn line(text: &str) {
    // A closed pipe is the reader's choice, not a failure.
    drop(writeln!(std::io::stdout(), "{text}"));
}

/// One line about what is being done, on standard error.
pub(crate) fn step(text: &str) {
    drop(writeln!(std::io::stderr(), "==> {text}"));
}

/// One line about what went wrong, on standard error.
pub(crate) fn problem(text: &str) {
    drop(writeln!(std::io::stderr(), "{text}"));
}
