//! A copy of a database that is one file, for databases that a second program must not open (Access).
//!
//! A copy is taken only of a file that stood still for [`STILL`], by its size and time of change, and that is still the
//! same after copying. It replaces the one before, so there is never more than one, and one being made.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, SystemTime};

use thiserror::Error;

use crate::error::Cause;

/// How long a file must have stood still before it is copied.
pub const STILL: Duration = Duration::from_secs(1);

/// Largest file that is copied. Access itself ends at 2 GiB.
pub const FILE_BYTES_MAX: u64 = 2 * 1024 * 1024 * 1024;

/// Why there is no copy.
#[derive(Debug, Error)]
pub enum CopyError {
    /// Another program writes it all the time.
    #[error("`{}` changes while it is copied; it is tried again when it stands still", path.display())]
    Moving {
        /// The file.
        path: PathBuf,
    },
    /// Too large.
    #[error("`{}` has {bytes} bytes; files up to {FILE_BYTES_MAX} are copied", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its size.
        bytes: u64,
    },
    /// The system refuses.
    #[error("cannot {step} `{}`", path.display())]
    Io {
        /// What was tried.
        step: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        cause: io::Error,
    },
}

/// What tells one state of a file from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    bytes: u64,
    changed: Option<SystemTime>,
}

/// The copy of one file.
#[derive(Debug)]
pub struct FileCopy {
    original: PathBuf,
    copy: PathBuf,
    copied: Option<Stamp>,
    still: Duration,
}

impl FileCopy {
    /// Nothing is copied yet. `folder` is of our own.
    #[must_use]
    pub fn new(original: PathBuf, folder: &Path) -> Self {
        Self::with_still(original, folder, STILL)
    }

    /// With its own time of standing still.
    #[must_use]
    pub fn with_still(original: PathBuf, folder: &Path, still: Duration) -> Self {
        let name = original.file_name().unwrap_or_else(|| "database".as_ref());
        let copy = folder.join(name);
        Self { original, copy, copied: None, still }
    }

    /// Where the copy is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.copy
    }

    /// Whether the original is another than the one that was copied.
    ///
    /// # Errors
    /// The original cannot be looked at.
    pub fn is_outdated(&self) -> Result<bool, Cause> {
        Ok(self.copied != Some(self.stamp()?))
    }

    /// Copies the original if it stands still. A file that moves keeps the copy before it, if there is one.
    ///
    /// # Errors
    /// There is no copy to read, and why.
    pub fn renew(&mut self) -> Result<(), Cause> {
        let stamp = self.stamp()?;
        if stamp.bytes > FILE_BYTES_MAX {
            return Err(CopyError::TooLarge { path: self.original.clone(), bytes: stamp.bytes }.into());
        }
        let age = stamp.changed.and_then(|changed| changed.elapsed().ok());
        let stood_still = age.is_some_and(|age| age >= self.still) || {
            // The clock of a share may be ahead of ours, so its file is also seen to stand still.
            thread::park_timeout(self.still);
            self.stamp()? == stamp
        };
        if !stood_still || !self.take(stamp)? {
            return if self.copied.is_some() {
                Ok(())
            } else {
                Err(CopyError::Moving { path: self.original.clone() }.into())
            };
        }
        self.copied = Some(stamp);
        Ok(())
    }

    /// False if the original changed meanwhile; the copy before stays as it was.
    fn take(&self, stamp: Stamp) -> Result<bool, Cause> {
        let folder = self.copy.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder).map_err(|cause| failed("make the folder", folder, cause))?;
        let fresh = self.copy.with_extension("new");
        // Opened for reading only, and shared as the system does it: the POS goes on writing.
        let from = File::open(&self.original).map_err(|cause| failed("open", &self.original, cause))?;
        let mut to = File::create(&fresh).map_err(|cause| failed("write", &fresh, cause))?;
        let count =
            io::copy(&mut from.take(FILE_BYTES_MAX), &mut to).map_err(|cause| failed("copy", &self.original, cause))?;
        drop(to);
        if count != stamp.bytes || self.stamp()? != stamp {
            fs::remove_file(&fresh).map_err(|cause| failed("remove", &fresh, cause))?;
            return Ok(false);
        }
        fs::rename(&fresh, &self.copy).map_err(|cause| failed("replace", &self.copy, cause))?;
        Ok(true)
    }

    fn stamp(&self) -> Result<Stamp, Cause> {
        let data = fs::metadata(&self.original).map_err(|cause| failed("look at", &self.original, cause))?;
        Ok(Stamp { bytes: data.len(), changed: data.modified().ok() })
    }
}

fn failed(step: &'static str, path: &Path, cause: io::Error) -> Cause {
    CopyError::Io { step, path: path.to_path_buf(), cause }.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_moves_is_not_copied_and_the_copy_before_it_stays() {
        let place = tempfile::tempdir().unwrap();
        let original = place.path().join("Shop.mdb");
        fs::write(&original, b"one").unwrap();
        let own = place.path().join("own");
        let mut copy = FileCopy::with_still(original.clone(), &own, Duration::from_millis(150));
        let moving = Moving::start(original.clone());
        assert!(copy.renew().unwrap_err().to_string().contains("changes while it is copied"));
        moving.stop();
        fs::write(&original, b"one").unwrap();
        copy.renew().unwrap();
        assert_eq!(fs::read(copy.path()).unwrap(), b"one");
        let moving = Moving::start(original.clone());
        assert!(copy.is_outdated().unwrap());
        copy.renew().unwrap();
        assert_eq!(fs::read(copy.path()).unwrap(), b"one", "copied while it moved");
        moving.stop();
        fs::write(&original, b"two and more").unwrap();
        copy.renew().unwrap();
        assert_eq!(fs::read(copy.path()).unwrap(), b"two and more");
        assert!(!copy.is_outdated().unwrap());
        assert_eq!(fs::read_dir(own).unwrap().count(), 1, "only one copy is kept");
    }

    #[test]
    fn a_file_whose_clock_is_ahead_is_copied_when_it_stands_still() {
        let place = tempfile::tempdir().unwrap();
        let original = place.path().join("Shop.mdb");
        fs::write(&original, b"one").unwrap();
        let ahead = SystemTime::now() + Duration::from_secs(3600);
        File::options().write(true).open(&original).unwrap().set_modified(ahead).unwrap();
        let mut copy = FileCopy::with_still(original, &place.path().join("own"), Duration::from_millis(20));
        copy.renew().unwrap();
        assert_eq!(fs::read(copy.path()).unwrap(), b"one");
    }

    /// A POS that writes without a pause.
    struct Moving {
        stop: std::sync::mpsc::Sender<()>,
        writer: thread::JoinHandle<()>,
    }

    impl Moving {
        fn start(path: PathBuf) -> Self {
            let (stop, stopped) = std::sync::mpsc::channel();
            fs::write(&path, b"moves").unwrap();
            let writer = thread::spawn(move || {
                let mut bytes = b"moves".to_vec();
                while stopped.recv_timeout(Duration::from_millis(5)).is_err() {
                    bytes.push(b'.');
                    fs::write(&path, &bytes).unwrap();
                }
            });
            Self { stop, writer }
        }

        fn stop(self) {
            self.stop.send(()).unwrap();
            self.writer.join().unwrap();
        }
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let place = tempfile::tempdir().unwrap();
        let mut copy = FileCopy::new(place.path().join("Nothing.mdb"), place.path());
        assert!(copy.renew().unwrap_err().to_string().contains("Nothing.mdb"));
    }
}
