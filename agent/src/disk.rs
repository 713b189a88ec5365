//! How much room the disk of the state folder has: when it runs short, sources that can be read again pause first
//! (invariant 11), so that answers and bytes that cannot be read again still find room.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

/// The answer of the system is used for this long.
const ASK_AGAIN: Duration = Duration::from_secs(2);

/// Watches one folder's disk.
#[derive(Debug)]
pub struct Disk {
    folder: PathBuf,
    reserve_bytes: u64,
    seen: Mutex<Option<(Instant, Option<u64>)>>,
}

impl Disk {
    /// Of the state folder; below `reserve_bytes` of free space, sources pause.
    pub fn new(folder: &Path, reserve_bytes: u64) -> Self {
        Self { folder: folder.to_owned(), reserve_bytes, seen: Mutex::new(None) }
    }

    /// Free bytes, if the system says.
    pub fn free_bytes(&self) -> Option<u64> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        match *seen {
            Some((at, free)) if at.elapsed() < ASK_AGAIN => free,
            Some(_) | None => {
                let free = fs4::available_space(&self.folder).ok();
                *seen = Some((Instant::now(), free));
                free
            }
        }
    }

    /// Less than the reserve is left. A system that does not say is not short.
    pub fn is_short(&self) -> bool {
        self.free_bytes().is_some_and(|free| free < self.reserve_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reserve_larger_than_the_disk_is_short() {
        let folder = tempfile::tempdir().expect("a folder");
        assert!(Disk::new(folder.path(), u64::MAX).is_short());
        assert!(!Disk::new(folder.path(), 0).is_short());
    }
}
