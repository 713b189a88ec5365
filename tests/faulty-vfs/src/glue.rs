//! The C side: SQLite's `sqlite3_vfs` and `sqlite3_io_methods` (sqlite.org/c3ref/vfs.html, io_methods.html).
//!
//! Every function finds its handle, asks [`crate::disk`] and translates the answer. Nothing is decided here.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr;
use std::sync::{Arc, Mutex, Once};

use rusqlite::ffi;

use crate::disk::{Failure, State, lock, of_path};

pub(crate) mod shm;

use shm::{Held, Shm};

const NAME: &CStr = c"faulty";
const PATH_BYTES_MAX: c_int = 512;
const SECTOR_BYTES: c_int = 4096;
/// 2026-11-01 in milliseconds of the Julian calendar: no statement of a program under test may ask the time.
const JULIAN_MS: i64 = 211_928_832_000_000;

/// SQLite took no other file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InstallError(pub c_int);

impl std::fmt::Display for InstallError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SQLite refused the file system in memory with code {}", self.0)
    }
}

impl std::error::Error for InstallError {}

/// Makes disks in memory the default file system of SQLite in this process. Later calls do nothing.
///
/// # Errors
/// [`InstallError`], at the first call.
pub fn install() -> Result<(), InstallError> {
    static ONCE: Once = Once::new();
    let mut code = ffi::SQLITE_OK;
    ONCE.call_once(|| {
        let vfs = Box::leak(Box::new(vfs()));
        // SAFETY: the structure is complete and lives as long as the process.
        code = unsafe { ffi::sqlite3_vfs_register(vfs, 1) };
    });
    if code == ffi::SQLITE_OK { Ok(()) } else { Err(InstallError(code)) }
}

/// What SQLite allocates for an open file; it knows the first field only.
#[repr(C)]
struct Opened {
    base: ffi::sqlite3_file,
    /// From [`Box::into_raw`]; null once closed.
    handle: *mut Handle,
}

struct Handle {
    disk: Arc<Mutex<State>>,
    inode: u64,
    generation: u64,
    /// Which of SQLite's locks of the file it holds.
    lock: c_int,
    shm: Option<Arc<Shm>>,
    held: Held,
    delete_on_close: Option<String>,
}

fn vfs() -> ffi::sqlite3_vfs {
    ffi::sqlite3_vfs {
        iVersion: 2,
        szOsFile: c_int::try_from(size_of::<Opened>()).unwrap_or(c_int::MAX),
        mxPathname: PATH_BYTES_MAX,
        pNext: ptr::null_mut(),
        zName: NAME.as_ptr(),
        pAppData: ptr::null_mut(),
        xOpen: Some(open),
        xDelete: Some(delete),
        xAccess: Some(access),
        xFullPathname: Some(full_pathname),
        xDlOpen: None,
        xDlError: None,
        xDlSym: None,
        xDlClose: None,
        xRandomness: Some(randomness),
        xSleep: Some(sleep),
        xCurrentTime: None,
        xGetLastError: None,
        xCurrentTimeInt64: Some(current_time),
        xSetSystemCall: None,
        xGetSystemCall: None,
        xNextSystemCall: None,
    }
}

static METHODS: ffi::sqlite3_io_methods = ffi::sqlite3_io_methods {
    iVersion: 2,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(file_size),
    xLock: Some(take_lock),
    xUnlock: Some(unlock),
    xCheckReservedLock: Some(check_reserved_lock),
    xFileControl: Some(file_control),
    xSectorSize: Some(sector_size),
    xDeviceCharacteristics: Some(device_characteristics),
    xShmMap: Some(shm_map),
    xShmLock: Some(shm_lock),
    xShmBarrier: Some(shm_barrier),
    xShmUnmap: Some(shm_unmap),
    xFetch: None,
    xUnfetch: None,
};

/// # Safety
/// `name` is null or a string that outlives the call.
unsafe fn text<'a>(name: *const c_char) -> Option<&'a str> {
    if name.is_null() {
        return None;
    }
    // SAFETY: as the caller promises.
    unsafe { CStr::from_ptr(name) }.to_str().ok()
}

/// # Safety
/// `file` was opened by [`open`] and not closed.
unsafe fn handle<'a>(file: *mut ffi::sqlite3_file) -> &'a mut Handle {
    // SAFETY: `open` put a handle there, SQLite uses a file from one thread at a time, and `close` is the last call.
    unsafe { &mut *(*file.cast::<Opened>()).handle }
}

unsafe extern "C" fn open(
    _vfs: *mut ffi::sqlite3_vfs,
    name: ffi::sqlite3_filename,
    file: *mut ffi::sqlite3_file,
    flags: c_int,
    out_flags: *mut c_int,
) -> c_int {
    let opened = file.cast::<Opened>();
    // SAFETY: SQLite hands over `szOsFile` bytes. Without methods it does not call `close`.
    unsafe { (*opened).base.pMethods = ptr::null() };
    // SAFETY: SQLite's strings outlive the call.
    let name = unsafe { text(name) };
    let Some((disk, name)) = name.and_then(of_path) else { return ffi::SQLITE_CANTOPEN };
    let (inode, generation) = {
        let mut state = lock(&disk);
        let generation = state.generation;
        if state.alive(generation).is_err() {
            return ffi::SQLITE_IOERR;
        }
        let Some(inode) = state.open(name, flags & ffi::SQLITE_OPEN_CREATE != 0) else {
            return ffi::SQLITE_CANTOPEN;
        };
        (inode, generation)
    };
    let handle = Handle {
        disk,
        inode,
        generation,
        lock: ffi::SQLITE_LOCK_NONE,
        shm: None,
        held: Held::default(),
        delete_on_close: (flags & ffi::SQLITE_OPEN_DELETEONCLOSE != 0).then(|| name.to_owned()),
    };
    // SAFETY: as above; the box is freed in `close`. `out_flags` may be null.
    unsafe {
        (*opened).handle = Box::into_raw(Box::new(handle));
        (*opened).base.pMethods = &raw const METHODS;
        if !out_flags.is_null() {
            *out_flags = flags;
        }
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn close(file: *mut ffi::sqlite3_file) -> c_int {
    let opened = file.cast::<Opened>();
    // SAFETY: the handle came from a box in `open` and is taken back once: the pointer is null afterwards.
    let mut handle = unsafe {
        if (*opened).handle.is_null() {
            return ffi::SQLITE_OK;
        }
        let handle = Box::from_raw((*opened).handle);
        (*opened).handle = ptr::null_mut();
        handle
    };
    handle.release(ffi::SQLITE_LOCK_NONE);
    if let Some(shm) = handle.shm.take() {
        shm.unlock_all(&mut handle.held);
    }
    if let Some(path) = handle.delete_on_close.take() {
        lock(&handle.disk).delete(&path);
    }
    ffi::SQLITE_OK
}

impl Handle {
    /// The disk, if the process that the handle belongs to is alive.
    fn live(&self) -> Result<std::sync::MutexGuard<'_, State>, Failure> {
        let state = lock(&self.disk);
        state.alive(self.generation).map(|()| state)
    }

    fn acquire(&mut self, level: c_int) -> Result<bool, Failure> {
        let mut state = lock(&self.disk);
        state.alive(self.generation)?;
        let Some(inode) = state.inodes.get_mut(&self.inode) else { return Err(Failure::Error) };
        let locks = &mut inode.locks;
        if level <= self.lock {
            return Ok(true);
        }
        match level {
            ffi::SQLITE_LOCK_SHARED => {
                if locks.pending || locks.exclusive {
                    return Ok(false);
                }
                locks.shared += 1;
            }
            ffi::SQLITE_LOCK_RESERVED => {
                if locks.reserved {
                    return Ok(false);
                }
                locks.reserved = true;
            }
            _ => {
                if self.lock < ffi::SQLITE_LOCK_PENDING && (locks.pending || locks.exclusive) {
                    return Ok(false);
                }
                if self.lock < ffi::SQLITE_LOCK_RESERVED {
                    if locks.reserved {
                        return Ok(false);
                    }
                    locks.reserved = true;
                }
                locks.pending = true;
                self.lock = ffi::SQLITE_LOCK_PENDING;
                if locks.shared > 1 {
                    return Ok(false);
                }
                locks.exclusive = true;
            }
        }
        self.lock = level;
        Ok(true)
    }

    fn release(&mut self, level: c_int) {
        let mut state = lock(&self.disk);
        let alive = state.generation == self.generation;
        if let Some(inode) = state.inodes.get_mut(&self.inode).filter(|_| alive) {
            let locks = &mut inode.locks;
            if self.lock > ffi::SQLITE_LOCK_SHARED {
                locks.exclusive &= self.lock != ffi::SQLITE_LOCK_EXCLUSIVE;
                locks.pending &= self.lock < ffi::SQLITE_LOCK_PENDING;
                locks.reserved = false;
            }
            if level == ffi::SQLITE_LOCK_NONE && self.lock >= ffi::SQLITE_LOCK_SHARED {
                locks.shared = locks.shared.saturating_sub(1);
            }
        }
        self.lock = self.lock.min(level);
    }
}

unsafe extern "C" fn read(
    file: *mut ffi::sqlite3_file,
    into: *mut c_void,
    bytes: c_int,
    at: ffi::sqlite3_int64,
) -> c_int {
    let (Ok(bytes), Ok(at)) = (usize::try_from(bytes), usize::try_from(at)) else { return ffi::SQLITE_IOERR_READ };
    // SAFETY: SQLite hands over an open file and a buffer of `bytes`.
    let (handle, into) = unsafe { (handle(file), std::slice::from_raw_parts_mut(into.cast::<u8>(), bytes)) };
    match handle.live().and_then(|mut state| state.read(handle.inode, at, into)) {
        Ok(true) => ffi::SQLITE_OK,
        Ok(false) => ffi::SQLITE_IOERR_SHORT_READ,
        Err(_) => ffi::SQLITE_IOERR_READ,
    }
}

unsafe extern "C" fn write(
    file: *mut ffi::sqlite3_file,
    from: *const c_void,
    bytes: c_int,
    at: ffi::sqlite3_int64,
) -> c_int {
    let (Ok(bytes), Ok(at)) = (usize::try_from(bytes), usize::try_from(at)) else { return ffi::SQLITE_IOERR_WRITE };
    // SAFETY: SQLite hands over an open file and `bytes` to write.
    let (handle, from) = unsafe { (handle(file), std::slice::from_raw_parts(from.cast::<u8>(), bytes)) };
    code(handle.live().and_then(|mut state| state.write(handle.inode, at, from)), ffi::SQLITE_IOERR_WRITE)
}

unsafe extern "C" fn truncate(file: *mut ffi::sqlite3_file, size: ffi::sqlite3_int64) -> c_int {
    let Ok(size) = usize::try_from(size) else { return ffi::SQLITE_IOERR_TRUNCATE };
    // SAFETY: SQLite hands over an open file.
    let handle = unsafe { handle(file) };
    code(handle.live().and_then(|mut state| state.truncate(handle.inode, size)), ffi::SQLITE_IOERR_TRUNCATE)
}

unsafe extern "C" fn sync(file: *mut ffi::sqlite3_file, _flags: c_int) -> c_int {
    // SAFETY: SQLite hands over an open file.
    let handle = unsafe { handle(file) };
    code(handle.live().and_then(|mut state| state.sync(handle.inode)), ffi::SQLITE_IOERR_FSYNC)
}

fn code(done: Result<(), Failure>, error: c_int) -> c_int {
    match done {
        Ok(()) => ffi::SQLITE_OK,
        Err(Failure::Full) => ffi::SQLITE_FULL,
        Err(Failure::Error | Failure::Dead) => error,
    }
}

unsafe extern "C" fn file_size(file: *mut ffi::sqlite3_file, size: *mut ffi::sqlite3_int64) -> c_int {
    // SAFETY: SQLite hands over an open file.
    let handle = unsafe { handle(file) };
    let found = handle.live().ok().and_then(|state| state.inodes.get(&handle.inode).map(|inode| inode.file.len()));
    let Some(Ok(len)) = found.map(i64::try_from) else { return ffi::SQLITE_IOERR_FSTAT };
    // SAFETY: SQLite hands over a place for the answer.
    unsafe { *size = len };
    ffi::SQLITE_OK
}

unsafe extern "C" fn take_lock(file: *mut ffi::sqlite3_file, level: c_int) -> c_int {
    // SAFETY: SQLite hands over an open file.
    match unsafe { handle(file) }.acquire(level) {
        Ok(true) => ffi::SQLITE_OK,
        Ok(false) => ffi::SQLITE_BUSY,
        Err(_) => ffi::SQLITE_IOERR_LOCK,
    }
}

unsafe extern "C" fn unlock(file: *mut ffi::sqlite3_file, level: c_int) -> c_int {
    // SAFETY: SQLite hands over an open file.
    unsafe { handle(file) }.release(level);
    ffi::SQLITE_OK
}

unsafe extern "C" fn check_reserved_lock(file: *mut ffi::sqlite3_file, answer: *mut c_int) -> c_int {
    // SAFETY: SQLite hands over an open file.
    let handle = unsafe { handle(file) };
    let reserved =
        handle.live().ok().and_then(|state| state.inodes.get(&handle.inode).map(|inode| inode.locks.reserved));
    let Some(reserved) = reserved else { return ffi::SQLITE_IOERR_CHECKRESERVEDLOCK };
    // SAFETY: SQLite hands over a place for the answer.
    unsafe { *answer = c_int::from(reserved) };
    ffi::SQLITE_OK
}

unsafe extern "C" fn file_control(_file: *mut ffi::sqlite3_file, _op: c_int, _arg: *mut c_void) -> c_int {
    ffi::SQLITE_NOTFOUND
}

unsafe extern "C" fn sector_size(_file: *mut ffi::sqlite3_file) -> c_int {
    SECTOR_BYTES
}

/// As SQLite's own file system for Unix says of any disk: bytes beside those written are never damaged.
unsafe extern "C" fn device_characteristics(_file: *mut ffi::sqlite3_file) -> c_int {
    ffi::SQLITE_IOCAP_POWERSAFE_OVERWRITE
}

unsafe extern "C" fn shm_map(
    file: *mut ffi::sqlite3_file,
    region: c_int,
    bytes: c_int,
    extend: c_int,
    out: *mut *mut c_void,
) -> c_int {
    let (Ok(region), Ok(bytes)) = (usize::try_from(region), usize::try_from(bytes)) else {
        return ffi::SQLITE_IOERR_SHMMAP;
    };
    // SAFETY: SQLite hands over an open file.
    let handle = unsafe { handle(file) };
    if handle.shm.is_none() {
        let mut state = lock(&handle.disk);
        if state.alive(handle.generation).is_err() {
            return ffi::SQLITE_IOERR_SHMMAP;
        }
        let Some(inode) = state.inodes.get_mut(&handle.inode) else { return ffi::SQLITE_IOERR_SHMMAP };
        handle.shm = Some(Arc::clone(inode.shm.get_or_insert_default()));
    }
    let start = handle.shm.as_ref().and_then(|shm| shm.region(region, bytes, extend != 0));
    // SAFETY: SQLite hands over a place for the answer; null says that there is no such region yet.
    unsafe { *out = start.map_or(ptr::null_mut(), <*mut u8>::cast) };
    if start.is_none() && extend != 0 { ffi::SQLITE_NOMEM } else { ffi::SQLITE_OK }
}

unsafe extern "C" fn shm_lock(file: *mut ffi::sqlite3_file, first: c_int, count: c_int, flags: c_int) -> c_int {
    let (Ok(first), Ok(count)) = (usize::try_from(first), usize::try_from(count)) else {
        return ffi::SQLITE_IOERR_SHMLOCK;
    };
    // SAFETY: SQLite hands over an open file.
    let handle = unsafe { handle(file) };
    let Some(shm) = handle.shm.clone() else { return ffi::SQLITE_IOERR_SHMLOCK };
    if flags & ffi::SQLITE_SHM_UNLOCK != 0 {
        shm.unlock(&mut handle.held, first, count);
        return ffi::SQLITE_OK;
    }
    let taken = shm.lock(&mut handle.held, first, count, flags & ffi::SQLITE_SHM_EXCLUSIVE != 0);
    if taken { ffi::SQLITE_OK } else { ffi::SQLITE_BUSY }
}

unsafe extern "C" fn shm_barrier(_file: *mut ffi::sqlite3_file) {
    std::sync::atomic::fence(std::sync::atomic::Ordering::SeqCst);
}

unsafe extern "C" fn shm_unmap(file: *mut ffi::sqlite3_file, delete: c_int) -> c_int {
    // SAFETY: SQLite hands over an open file.
    let handle = unsafe { handle(file) };
    if let Some(shm) = handle.shm.take() {
        shm.unlock_all(&mut handle.held);
        drop(shm);
        if delete != 0
            && let Ok(mut state) = handle.live()
            && let Some(inode) = state.inodes.get_mut(&handle.inode)
            && inode.shm.as_ref().is_some_and(|shm| Arc::strong_count(shm) == 1)
        {
            inode.shm = None;
        }
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn delete(_vfs: *mut ffi::sqlite3_vfs, name: *const c_char, _sync_folder: c_int) -> c_int {
    // SAFETY: SQLite's strings outlive the call.
    let name = unsafe { text(name) };
    let Some((disk, name)) = name.and_then(of_path) else {
        return ffi::SQLITE_IOERR_DELETE;
    };
    let mut state = lock(&disk);
    let generation = state.generation;
    if state.alive(generation).is_err() {
        return ffi::SQLITE_IOERR_DELETE;
    }
    if state.delete(name) { ffi::SQLITE_OK } else { ffi::SQLITE_IOERR_DELETE_NOENT }
}

unsafe extern "C" fn access(
    _vfs: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    _flags: c_int,
    answer: *mut c_int,
) -> c_int {
    // SAFETY: SQLite's strings outlive the call.
    let name = unsafe { text(name) };
    let there = name.and_then(of_path).is_some_and(|(disk, name)| lock(&disk).has_content(name));
    // SAFETY: SQLite hands over a place for the answer.
    unsafe { *answer = c_int::from(there) };
    ffi::SQLITE_OK
}

unsafe extern "C" fn full_pathname(
    _vfs: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    bytes: c_int,
    out: *mut c_char,
) -> c_int {
    // SAFETY: SQLite's strings outlive the call.
    let name = unsafe { CStr::from_ptr(name) }.to_bytes_with_nul();
    if usize::try_from(bytes).is_ok_and(|room| name.len() > room) {
        return ffi::SQLITE_CANTOPEN;
    }
    // SAFETY: SQLite hands over `bytes` of room, and the name fits.
    unsafe { ptr::copy_nonoverlapping(name.as_ptr().cast::<c_char>(), out, name.len()) };
    ffi::SQLITE_OK
}

/// The same numbers in every run: they only salt the write-ahead log.
unsafe extern "C" fn randomness(_vfs: *mut ffi::sqlite3_vfs, bytes: c_int, out: *mut c_char) -> c_int {
    let Ok(len) = usize::try_from(bytes) else { return 0 };
    let mut dice = crate::dice::Dice::new(0);
    // SAFETY: SQLite hands over `bytes` of room.
    for byte in unsafe { std::slice::from_raw_parts_mut(out.cast::<u8>(), len) } {
        *byte = dice.next().to_le_bytes()[0];
    }
    bytes
}

/// Whoever holds a lock is in this thread: there is nothing to wait for.
unsafe extern "C" fn sleep(_vfs: *mut ffi::sqlite3_vfs, micros: c_int) -> c_int {
    micros
}

unsafe extern "C" fn current_time(_vfs: *mut ffi::sqlite3_vfs, out: *mut ffi::sqlite3_int64) -> c_int {
    // SAFETY: SQLite hands over a place for the answer.
    unsafe { *out = JULIAN_MS };
    ffi::SQLITE_OK
}
