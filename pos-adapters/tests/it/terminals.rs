//! Pseudo-terminals as serial ports: one end is a file of the test, the other has a name that a source can open.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::{Mode, OFlags};
use rustix::pty::OpenptFlags;
use rustix::termios::OptionalActions;

/// Longest wait for something that should happen at once.
pub(crate) const SOON: Duration = Duration::from_secs(10);

/// A port: what is written here arrives there.
pub(crate) struct Terminal {
    end: File,
    path: PathBuf,
    /// Keeps the other end's settings while nobody has it open.
    _other: OwnedFd,
}

impl Terminal {
    pub(crate) fn new() -> Self {
        let end = rustix::pty::openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        rustix::pty::grantpt(&end).unwrap();
        rustix::pty::unlockpt(&end).unwrap();
        let path = rustix::pty::ptsname(&end, Vec::new()).unwrap().into_string().unwrap();
        let other = rustix::fs::open(&path, OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).unwrap();
        let mut modes = rustix::termios::tcgetattr(&other).unwrap();
        modes.make_raw();
        rustix::termios::tcsetattr(&other, OptionalActions::Now, &modes).unwrap();
        rustix::fs::fcntl_setfl(&end, OFlags::NONBLOCK).unwrap();
        Self { end: File::from(end), path: PathBuf::from(path), _other: other }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes all of it, as fast as it is taken.
    pub(crate) fn say(&mut self, mut bytes: &[u8]) {
        let until = Instant::now() + SOON;
        while !bytes.is_empty() {
            match self.end.write(bytes) {
                Ok(written) => bytes = &bytes[written..],
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => pause(Duration::from_micros(200)),
                Err(error) => panic!("cannot write: {error}"),
            }
            assert!(Instant::now() < until, "nobody takes what is written");
        }
    }

    /// What arrived; does not wait.
    pub(crate) fn hear(&mut self, into: &mut Vec<u8>) {
        let mut buffer = [0; 4096];
        while let Ok(read) = self.end.read(&mut buffer) {
            if read == 0 {
                return;
            }
            into.extend_from_slice(&buffer[..read]);
        }
    }

    /// Waits for so many bytes.
    pub(crate) fn hear_exactly(&mut self, count: usize) -> Vec<u8> {
        let (mut bytes, until) = (Vec::new(), Instant::now() + SOON);
        while bytes.len() < count && Instant::now() < until {
            self.hear(&mut bytes);
            pause(Duration::from_micros(20));
        }
        assert_eq!(bytes.len(), count, "bytes that arrived");
        bytes
    }
}

pub(crate) fn pause(for_long: Duration) {
    std::thread::park_timeout(for_long);
}

/// Waits for it.
pub(crate) fn wait_for(what: &str, mut true_soon: impl FnMut() -> bool) {
    let until = Instant::now() + SOON;
    while !true_soon() {
        assert!(Instant::now() < until, "{what}");
        pause(Duration::from_millis(1));
    }
}
