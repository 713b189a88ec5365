//! Small models of the protocol between store, agent and platform, searched exhaustively with stateright.
//!
//! Two models. [`counts`] has the ways in which sales and counts can travel to a platform that adds changes up: the
//! order of cursor and outbox, keys, counts as numbers or as corrections. [`lanes`] has one article on one lane as
//! `sync_core::outbox` and the agent's writer drive it: frozen batches, every class of platform, read-back, drift
//! repair, online orders, a second agent on a cloned disk. What is read back is judged by the functions of
//! `sync_core::outbox::settle` themselves.
//!
//! A [`Case`] is one set of rules with its bounds and with what must come out: the rules in use hold, each broken rule
//! is violated by a shortest trace of known length. Everything within the bounds is visited: every order of steps,
//! every loss, every crash. Not modelled: two articles at once (their rows do not touch each other), amounts that are not whole
//! units, and requests that the platform refuses for cause.

pub mod cases;
pub mod check;
pub mod counts;
pub mod lanes;

pub use cases::Case;
pub use check::{Finding, Verdict};
