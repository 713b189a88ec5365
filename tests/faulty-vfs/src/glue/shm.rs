//! The shared memory of a write-ahead log (sqlite.org/walformat.html, section 2) and its eight locks.

use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::sync::{Mutex, PoisonError};

const LOCKS: usize = 8;

/// Regions that live until the last handle lets go: SQLite keeps pointers into them.
#[derive(Debug, Default)]
pub(crate) struct Shm {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    regions: Vec<Region>,
    /// Holders of each lock; -1 is one exclusive holder.
    locks: [i32; LOCKS],
}

#[derive(Debug)]
struct Region {
    start: *mut u8,
    layout: Layout,
}

// SAFETY: the memory belongs to the region alone; SQLite orders what it does there by its own locks and barriers.
unsafe impl Send for Region {}

impl Drop for Region {
    fn drop(&mut self) {
        // SAFETY: allocated in `region` with this layout, and freed only here.
        unsafe { dealloc(self.start, self.layout) }
    }
}

/// What one handle holds, as bit masks.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Held {
    shared: u8,
    exclusive: u8,
}

impl Shm {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where region `index` begins; made with all before it if `extend`.
    pub(super) fn region(&self, index: usize, bytes: usize, extend: bool) -> Option<*mut u8> {
        let mut state = self.state();
        while state.regions.len() <= index {
            if !extend {
                return None;
            }
            let layout = Layout::from_size_align(bytes.max(8), 8).ok()?;
            // SAFETY: the layout's size is at least 8.
            let start = unsafe { alloc_zeroed(layout) };
            if start.is_null() {
                return None;
            }
            state.regions.push(Region { start, layout });
        }
        state.regions.get(index).map(|region| region.start)
    }

    /// Takes locks `first..first + count`, all or none. True if taken.
    pub(super) fn lock(&self, held: &mut Held, first: usize, count: usize, exclusive: bool) -> bool {
        let mut state = self.state();
        let wanted = first..first.saturating_add(count).min(LOCKS);
        for lock in wanted.clone() {
            let (bit, holders) = (1_u8 << lock, state.locks[lock]);
            let own = i32::from(held.shared & bit != 0);
            let free = if held.exclusive & bit != 0 {
                true
            } else if exclusive {
                holders == own
            } else {
                holders >= 0
            };
            if !free {
                return false;
            }
        }
        for lock in wanted {
            let bit = 1_u8 << lock;
            if held.exclusive & bit != 0 || (!exclusive && held.shared & bit != 0) {
                continue;
            }
            if exclusive {
                state.locks[lock] = -1;
                held.exclusive |= bit;
                held.shared &= !bit;
            } else {
                state.locks[lock] += 1;
                held.shared |= bit;
            }
        }
        true
    }

    /// Gives locks back that the handle holds.
    pub(super) fn unlock(&self, held: &mut Held, first: usize, count: usize) {
        let mut state = self.state();
        for lock in first..first.saturating_add(count).min(LOCKS) {
            let bit = 1_u8 << lock;
            if held.exclusive & bit != 0 {
                state.locks[lock] = 0;
            } else if held.shared & bit != 0 {
                state.locks[lock] -= 1;
            }
            held.exclusive &= !bit;
            held.shared &= !bit;
        }
    }

    pub(super) fn unlock_all(&self, held: &mut Held) {
        self.unlock(held, 0, LOCKS);
    }
}
