//! The decisions of Tillsync, and nothing else: no clock, file, socket, environment or thread.
//!
//! Whoever calls passes `now`, jitter and limits in and carries out what comes back. The invariants that
//! tests and module docs cite by number (`docs/invariants.md` has the long form):
//!
//! 1. Recorded once: a line durable at the POS is in the ledger exactly once.
//! 2. The cursor never runs ahead of what it covers.
//! 3. A sent batch is frozen: bytes and key are stored before the first send.
//! 4. Each effect once: an entry is in at most one live batch.
//! 5. A count becomes a correction.
//! 6. Store wins, on the physical number only.
//! 7. Nothing disappears.
//! 8. Convergence.
//! 9. Guard rails.
//! 10. The POS is never harmed.
//! 11. Bounded.
//! 12. No secret, card number or customer's name.

#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing, missing_docs)]

pub mod article;
pub mod audit;
pub mod budget;
pub mod count;
pub mod ledger;
pub mod model;
pub mod orders;
pub mod outbox;
pub mod reconcile;
pub mod retry;
pub mod values;
