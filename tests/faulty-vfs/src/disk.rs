//! A disk: its files, who has them open, and what it does wrong when.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use crate::dice::Dice;
use crate::file::{CutLosses, CutMode, File};
use crate::glue::shm::Shm;

/// Folder of all disks.
pub(crate) const ROOT: &str = "/faulty-disk";

/// How often calls fail, each in parts of a million calls of its kind.
#[derive(Debug, Clone, Copy, Default)]
pub struct Faults {
    /// A read of a database or its log is an input/output error.
    pub read_error_ppm: u32,
    /// A write is an input/output error.
    pub write_error_ppm: u32,
    /// A write finds the disk full.
    pub full_ppm: u32,
    /// An fsync with something to write fails, loses some of it and takes it for clean: the next one says that all is
    /// well.
    pub sync_error_ppm: u32,
}

/// What the disk did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Writes and truncations.
    pub writes: u64,
    /// Fsyncs.
    pub syncs: u64,
    /// Failed reads.
    pub read_errors: u64,
    /// Failed writes.
    pub write_errors: u64,
    /// Writes refused for lack of room.
    pub full: u64,
    /// Failed fsyncs.
    pub sync_errors: u64,
    /// Power cuts.
    pub power_cuts: u64,
    /// Kills.
    pub kills: u64,
    /// Writes that a power cut lost.
    pub lost: u64,
    /// Writes of which a power cut left some sectors.
    pub torn: u64,
    /// Writes that outlived an earlier write of the same file.
    pub reordered: u64,
}

/// Why a call failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The handle is of a process that is dead, or the power is off.
    Dead,
    Error,
    Full,
}

#[derive(Debug)]
pub(crate) struct Inode {
    pub(crate) file: File,
    pub(crate) locks: Locks,
    pub(crate) shm: Option<Arc<Shm>>,
}

/// SQLite's locks of a file (sqlite.org/c3ref/c_lock_exclusive.html), over all handles.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Locks {
    pub(crate) shared: u32,
    pub(crate) reserved: bool,
    pub(crate) pending: bool,
    pub(crate) exclusive: bool,
}

#[derive(Debug)]
pub(crate) struct State {
    /// By number, so that a handle of a deleted file still has it.
    pub(crate) inodes: BTreeMap<u64, Inode>,
    names: BTreeMap<String, u64>,
    next_inode: u64,
    /// Which process may use it; handles of earlier ones are dead.
    pub(crate) generation: u64,
    faults: Faults,
    /// Writes and fsyncs until the power fails by itself.
    cut_after: Option<u64>,
    dice: Dice,
    counters: Counters,
}

/// A disk. Clones are the same disk.
#[derive(Debug, Clone)]
pub struct Disk {
    state: Arc<Mutex<State>>,
    folder: PathBuf,
}

static DISKS: Mutex<BTreeMap<u64, Weak<Mutex<State>>>> = Mutex::new(BTreeMap::new());
static NEXT: AtomicU64 = AtomicU64::new(1);

impl Disk {
    /// An empty disk without faults.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self::register(State {
            inodes: BTreeMap::new(),
            names: BTreeMap::new(),
            next_inode: 1,
            generation: 1,
            faults: Faults::default(),
            cut_after: None,
            dice: Dice::new(seed),
            counters: Counters::default(),
        })
    }

    fn register(state: State) -> Self {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let state = Arc::new(Mutex::new(state));
        let mut disks = DISKS.lock().unwrap_or_else(PoisonError::into_inner);
        disks.retain(|_, disk| disk.strong_count() > 0);
        disks.insert(number, Arc::downgrade(&state));
        Self { state, folder: PathBuf::from(format!("{ROOT}/{number}")) }
    }

    /// Its folder; a database in it is opened by a path below.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What it does wrong from now on.
    pub fn set_faults(&self, faults: Faults) {
        self.lock().faults = faults;
    }

    /// The power fails by itself before the `calls`-th further write or fsync; see [`Self::is_dead`].
    pub fn cut_after(&self, calls: u64) {
        self.lock().cut_after = Some(calls);
    }

    /// The power has failed by itself: every call fails until [`Self::power_cut`] or [`Self::kill`].
    #[must_use]
    pub fn is_dead(&self) -> bool {
        self.lock().cut_after == Some(0)
    }

    /// The power fails and comes back. Who has files open has them no more.
    pub fn power_cut(&self) {
        let mut state = self.lock();
        let state = &mut *state;
        state.counters.power_cuts += 1;
        let mode = match state.dice.below(8) {
            0 => CutMode::AllLost,
            1 => CutMode::PrefixKept,
            2..=4 => CutMode::Reordered,
            5 | 6 => CutMode::Torn { sector: 512 },
            _ => CutMode::Torn { sector: 4096 },
        };
        let mut losses = CutLosses::default();
        let mut gone = Vec::new();
        for (number, inode) in &mut state.inodes {
            if !inode.file.power_cut(mode, &mut state.dice, &mut losses) {
                gone.push(*number);
            }
        }
        state.names.retain(|_, number| !gone.contains(number));
        state.counters.lost += losses.lost;
        state.counters.torn += losses.torn;
        state.counters.reordered += losses.reordered;
        state.end_process();
    }

    /// The program dies and the system lives on: nothing that was written is lost.
    pub fn kill(&self) {
        let mut state = self.lock();
        state.counters.kills += 1;
        state.end_process();
    }

    /// An image of the disk as programs see it: another disk with the same files and its own seed.
    #[must_use]
    pub fn image(&self, seed: u64) -> Self {
        let state = self.lock();
        let inodes = state.names.values().filter_map(|number| {
            let mut file = state.inodes.get(number)?.file.clone();
            file.sync();
            Some((*number, Inode { file, locks: Locks::default(), shm: None }))
        });
        let copy = State {
            inodes: inodes.collect(),
            names: state.names.clone(),
            next_inode: state.next_inode,
            generation: 1,
            faults: Faults::default(),
            cut_after: None,
            dice: Dice::new(seed),
            counters: Counters::default(),
        };
        drop(state);
        Self::register(copy)
    }

    /// What it did so far.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.lock().counters
    }

    /// Whether a power cut now could lose something.
    #[must_use]
    pub fn is_dirty(&self) -> bool {
        self.lock().inodes.values().any(|inode| inode.file.is_dirty())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

pub(crate) fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The disk of a path, and the file's name on it.
pub(crate) fn of_path(path: &str) -> Option<(Arc<Mutex<State>>, &str)> {
    let (number, name) = path.strip_prefix(ROOT)?.strip_prefix('/')?.split_once('/')?;
    let disk = DISKS.lock().unwrap_or_else(PoisonError::into_inner).get(&number.parse().ok()?)?.upgrade()?;
    Some((disk, name))
}

impl State {
    fn end_process(&mut self) {
        self.generation += 1;
        self.cut_after = None;
        let named: BTreeSet<u64> = self.names.values().copied().collect();
        self.inodes.retain(|number, _| named.contains(number));
        for inode in self.inodes.values_mut() {
            inode.locks = Locks::default();
            inode.shm = None;
        }
    }

    /// The inode of a name, made if asked for.
    pub(crate) fn open(&mut self, name: &str, create: bool) -> Option<u64> {
        if let Some(number) = self.names.get(name) {
            return Some(*number);
        }
        if !create {
            return None;
        }
        let number = self.next_inode;
        self.next_inode += 1;
        self.inodes.insert(number, Inode { file: File::default(), locks: Locks::default(), shm: None });
        self.names.insert(name.to_owned(), number);
        Some(number)
    }

    /// Takes a name away; handles keep what they have open.
    pub(crate) fn delete(&mut self, name: &str) -> bool {
        self.names.remove(name).is_some()
    }

    /// A file that exists and is not empty, as SQLite's own file system for Unix answers.
    pub(crate) fn has_content(&self, name: &str) -> bool {
        self.names.get(name).and_then(|number| self.inodes.get(number)).is_some_and(|inode| inode.file.len() > 0)
    }

    pub(crate) fn alive(&self, generation: u64) -> Result<(), Failure> {
        if generation == self.generation && self.cut_after != Some(0) { Ok(()) } else { Err(Failure::Dead) }
    }

    pub(crate) fn read(&mut self, inode: u64, at: usize, into: &mut [u8]) -> Result<bool, Failure> {
        if self.dice.hits(self.faults.read_error_ppm) {
            self.counters.read_errors += 1;
            return Err(Failure::Error);
        }
        self.inodes.get(&inode).map(|inode| inode.file.read(at, into)).ok_or(Failure::Error)
    }

    pub(crate) fn write(&mut self, inode: u64, at: usize, data: &[u8]) -> Result<(), Failure> {
        self.may_write()?;
        self.inodes.get_mut(&inode).map(|inode| inode.file.write(at, data)).ok_or(Failure::Error)
    }

    pub(crate) fn truncate(&mut self, inode: u64, len: usize) -> Result<(), Failure> {
        self.may_write()?;
        self.inodes.get_mut(&inode).map(|inode| inode.file.truncate(len)).ok_or(Failure::Error)
    }

    fn may_write(&mut self) -> Result<(), Failure> {
        self.count_down()?;
        self.counters.writes += 1;
        if self.dice.hits(self.faults.full_ppm) {
            self.counters.full += 1;
            return Err(Failure::Full);
        }
        if self.dice.hits(self.faults.write_error_ppm) {
            self.counters.write_errors += 1;
            return Err(Failure::Error);
        }
        Ok(())
    }

    pub(crate) fn sync(&mut self, inode: u64) -> Result<(), Failure> {
        self.count_down()?;
        self.counters.syncs += 1;
        let Some(inode) = self.inodes.get_mut(&inode) else { return Err(Failure::Error) };
        if inode.file.is_dirty() && self.dice.hits(self.faults.sync_error_ppm) {
            self.counters.sync_errors += 1;
            inode.file.sync_failed(&mut self.dice);
            return Err(Failure::Error);
        }
        inode.file.sync();
        Ok(())
    }

    fn count_down(&mut self) -> Result<(), Failure> {
        if let Some(calls) = &mut self.cut_after {
            *calls = calls.saturating_sub(1);
            if *calls == 0 {
                return Err(Failure::Dead);
            }
        }
        Ok(())
    }
}
