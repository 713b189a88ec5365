//! The outbox: what one platform still has to be told, and what becomes of it.
//!
//! ```text
//!  movement ──► Pending ──freeze──► InFlight ──Applied──────────────► Delivered
//!                 ▲  (merges with     │  ├─ row refused ─► DeadLetter
//!                 │   its SKU's       │  ├─ rest of a refused batch ─► re-frozen under a new key
//!                 │   waiting entry)  │  └─ outcome unknown past the key's window ─► read back ─► absolute write
//!                 └── unknown SKU: waits, looked up again and again
//! ```
//!
//! An entry lives in exactly one place: the waiting set or one batch (invariant 4). [`lane`] is the machine of
//! one platform; [`verdict`] turns a classed answer into what happens to the batch and to the lane.

pub mod lane;
pub mod settle;
pub mod verdict;
