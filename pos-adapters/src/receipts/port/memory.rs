//! Ports in memory: two ends of a line whose wires, errors and unplugging are in the hands of a test.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::{Framing, HEAR_BYTES_MAX, Heard, Opener, Port, Signals};

/// Bytes that one direction holds before a writer has to wait, as a driver does.
const DRIVER_BYTES: usize = 4096;

/// One end of a line in memory.
#[derive(Debug, Clone)]
pub struct MemoryPort {
    line: Arc<Line>,
    /// Which end: 0 or 1.
    end: usize,
}

#[derive(Debug)]
struct Line {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    /// By the end that reads them; `true` marks a damaged byte.
    bytes: [VecDeque<(u8, bool)>; 2],
    /// By the end that raised them.
    signals: [Signals; 2],
    framing: Option<Framing>,
    gone: bool,
}

impl MemoryPort {
    /// Both ends of a new line, with nothing raised.
    #[must_use]
    pub fn pair() -> (Self, Self) {
        let none = Signals { clear: false, ready: false };
        let state = State { bytes: [VecDeque::new(), VecDeque::new()], signals: [none; 2], framing: None, gone: false };
        let line = Arc::new(Line { state: Mutex::new(state), changed: Condvar::new() });
        (Self { line: Arc::clone(&line), end: 0 }, Self { line, end: 1 })
    }

    /// Sends bytes that arrive with a framing error.
    pub fn say_damaged(&mut self, bytes: &[u8]) {
        let other = 1 - self.end;
        self.state().bytes[other].extend(bytes.iter().map(|byte| (*byte, true)));
        self.line.changed.notify_all();
    }

    /// Pulls the plug: every later call at either end fails.
    pub fn unplug(&self) {
        self.state().gone = true;
        self.line.changed.notify_all();
    }

    /// How the other end was last told to listen.
    #[must_use]
    pub fn framing(&self) -> Option<Framing> {
        self.state().framing
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.line.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn present(&self) -> io::Result<MutexGuard<'_, State>> {
        let state = self.state();
        if state.gone { Err(io::Error::new(io::ErrorKind::BrokenPipe, "the port was unplugged")) } else { Ok(state) }
    }
}

impl Port for MemoryPort {
    fn hear(&mut self, into: &mut Vec<u8>, wait: Duration) -> io::Result<Heard> {
        let until = Instant::now() + wait;
        let mut state = self.present()?;
        while state.bytes[self.end].is_empty() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(Heard::default());
            }
            state = self.line.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
            if state.gone {
                return Err(io::Error::new(io::ErrorKind::BrokenPipe, "the port was unplugged"));
            }
        }
        let mut heard = Heard::default();
        while heard.bytes < HEAR_BYTES_MAX
            && let Some((byte, damaged)) = state.bytes[self.end].pop_front()
        {
            into.push(byte);
            heard.bytes = heard.bytes.saturating_add(1);
            heard.damaged = heard.damaged.saturating_add(u32::from(damaged));
        }
        self.line.changed.notify_all();
        Ok(heard)
    }

    fn say(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut state = self.present()?;
        let queue = &mut state.bytes[1 - self.end];
        let taken = DRIVER_BYTES.saturating_sub(queue.len()).min(bytes.len());
        queue.extend(bytes.iter().take(taken).map(|byte| (*byte, false)));
        self.line.changed.notify_all();
        Ok(taken)
    }

    fn waiting(&self) -> usize {
        self.state().bytes[1 - self.end].len()
    }

    fn signals(&mut self) -> io::Result<Option<Signals>> {
        Ok(Some(self.present()?.signals[1 - self.end]))
    }

    fn raise(&mut self, signals: Signals) -> io::Result<()> {
        self.present()?.signals[self.end] = signals;
        Ok(())
    }

    fn tune(&mut self, framing: Framing) -> io::Result<()> {
        self.present()?.framing = Some(framing);
        Ok(())
    }

    fn split(&self) -> io::Result<Box<dyn Port>> {
        Ok(Box::new(self.clone()))
    }
}

/// Gives out ports that a test puts in, one each time it is asked.
#[derive(Debug, Clone, Default)]
pub struct MemoryOpener {
    ports: Arc<Mutex<VecDeque<MemoryPort>>>,
}

impl MemoryOpener {
    /// The port is there from now on, for one opening.
    pub fn plug_in(&self, port: MemoryPort) {
        self.ports.lock().unwrap_or_else(PoisonError::into_inner).push_back(port);
    }
}

impl Opener for MemoryOpener {
    fn open(&self) -> io::Result<Box<dyn Port>> {
        let port = self.ports.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        match port {
            Some(port) => Ok(Box::new(port)),
            None => Err(io::Error::new(io::ErrorKind::NotFound, "no such port")),
        }
    }

    fn name(&self) -> String {
        "memory".to_owned()
    }
}
