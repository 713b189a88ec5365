//! The whole program: registers write real files, the real agent reads them, stand-ins take the changes, and the
//! oracle counts. One module per subject. No test believes in a duration: each waits until what must be is.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test ends where something is not as it must be")]

mod adobe;
mod articles;
mod bigcommerce;
mod collectors;
mod counters;
mod counts;
mod faults;
mod kills;
mod lanes;
mod online;
mod outage;
mod probe;
mod pushed;
mod restored;
mod square;
mod state;
mod support;
mod tickets;
mod woocommerce;
