//! The deterministic simulation: whole stores from a seed, around the real writer, database and platform clients.
//!
//! One thread, virtual time, no file and no socket. A run is a store with its tills (`till`), its computer with a disk
//! that lies (`faulty-vfs`) and the agent on it (`agent`), a network and a shop (`shop`). Now and then everything that
//! is in the way is taken away, and when all is at rest the numbers must be right (`verdict`). The same seed gives
//! the same run, byte for byte.

pub mod agent;
pub mod dice;
pub mod known;
pub mod run;
pub mod shop;
pub mod tally;
pub mod till;
pub mod time;
pub mod trace;
pub mod verdict;
