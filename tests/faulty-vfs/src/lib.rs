//! A disk in memory for SQLite, whose power can be cut and which fails by a seed.
//!
//! [`install`] makes it the process's default file system of SQLite, so that a program opens its database on it
//! without knowing. Files live below the folder of a [`Disk`]; a path outside of any disk cannot be opened.
//!
//! What is kept apart: what programs see (the page cache) and what is on the platter. A write is seen at once and is
//! on the platter after the next fsync of its file; until then a power cut may lose it, keep some of its sectors, or
//! keep a later write and lose this one. A kill loses nothing that was written. After either, whoever had a file
//! open gets errors only, as the dead process that it stands for.
//!
//! Invariants: the same seed and the same calls give the same faults; nothing here reads a clock or waits; the
//! write-ahead log's shared memory is memory of this process and ends with a kill.

mod dice;
mod disk;
mod file;
#[expect(unsafe_code, reason = "SQLite's interface of virtual file systems is C")]
mod glue;

pub use disk::{Counters, Disk, Faults};
pub use glue::{InstallError, install};

#[cfg(test)]
mod tests;
