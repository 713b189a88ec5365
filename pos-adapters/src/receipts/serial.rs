//! The threads on serial ports: one that listens (passive tap, journal text port), or two that pass everything on
//! between the POS and its printer.
//!
//! ```text
//! POS ══ pos port ──> [POS thread] ──> printer port ══ printer     bytes, CTS/DSR seen -> RTS/DTR raised
//!                <── [printer thread] <──                           answers, XON/XOFF, the same the other way
//!                        └──> Tap (never waits) ──> store
//! ```
//! Invariants: a byte goes on before it is handed to the tap; nothing is synthesized (a printer out of paper is seen by
//! the till as such); when the printer holds and our buffer is full, we stop reading, as the printer would; a port that
//! goes away closes the other one too, so that the POS sees no printer where there is none.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::line::{Health, Stop, Tap};
use super::port::{Heard, Opener, Port, Signals};
use super::store::Event;

/// Longest wait for bytes; also how often the wires are looked at. On Windows a port that is being read cannot be written
/// to, so it is short there.
const HEAR: Duration = if cfg!(windows) { Duration::from_millis(2) } else { Duration::from_millis(10) };
/// The same while bytes wait for the printer.
const HEAR_PENDING: Duration = Duration::from_millis(1);
/// Bytes that wait for a printer that holds; about two long receipts.
const PENDING_BYTES_MAX: usize = 64 * 1024;
/// Most bytes in the driver of a printer that may hold at any time: what is in the driver cannot be held back any more.
/// Printers say "hold" while they still have room for more than this.
const FLOW_WINDOW: usize = 32;
/// How often the wires are looked at while bytes flow: each look is a request to a USB adapter.
const WIRES_AGAIN: Duration = Duration::from_millis(5);
/// Delays before a port is opened again.
const REOPEN_FIRST: Duration = Duration::from_millis(100);
const REOPEN_MAX: Duration = Duration::from_secs(2);

const XON: u8 = 0x11;
const XOFF: u8 = 0x13;

/// How the printer says that it cannot take more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// It never does.
    None,
    /// It sends XOFF and XON.
    XonXoff,
    /// It lowers its RTS (our CTS).
    RtsCts,
    /// It lowers its DTR (our DSR): most receipt printers.
    DtrDsr,
}

/// What every thread of a line has.
#[derive(Debug, Clone)]
pub struct Shared {
    /// Where bytes go.
    pub tap: Tap,
    /// How the line is.
    pub health: Arc<Health>,
    /// The end.
    pub stop: Arc<Stop>,
}

/// Listens along, and may ask for another way to listen.
pub trait Ear: Send {
    /// The port was opened, now or anew.
    fn opened(&mut self, port: &mut dyn Port);

    /// Bytes came, or none for a while.
    fn heard(&mut self, bytes: &[u8], heard: Heard, port: &mut dyn Port, health: &Health);
}

/// Listens on one port until stopped.
pub fn listen(opener: &dyn Opener, ear: &mut dyn Ear, shared: &Shared) {
    supervise(&opener.name(), shared, || match opener.open() {
        Ok(mut port) => {
            shared.health.device_up();
            ear.opened(port.as_mut());
            (true, hear_all(port.as_mut(), ear, shared))
        }
        Err(error) => (false, Err(error)),
    });
}

/// Reads eagerly: what the driver still holds when a port goes away is lost. `Ok` at the end of the line.
fn hear_all(port: &mut dyn Port, ear: &mut dyn Ear, shared: &Shared) -> io::Result<()> {
    let mut bytes = Vec::new();
    while !shared.stop.is_stopped() {
        bytes.clear();
        let heard = port.hear(&mut bytes, HEAR)?;
        if !bytes.is_empty() {
            shared.tap.put(Event::Data(bytes.clone()));
        }
        tell_damage(heard, shared);
        ear.heard(&bytes, heard, port, &shared.health);
    }
    Ok(())
}

fn tell_damage(heard: Heard, shared: &Shared) {
    if heard.damaged > 0 {
        shared.health.damaged(u64::from(heard.damaged));
        let text = format!("{} bytes came with a framing or parity error", heard.damaged);
        shared.tap.put(Event::Damage(text));
    }
}

/// Opens again and again, with a growing delay, until stopped. `once` says whether it got the port open, and how it ended.
fn supervise(name: &str, shared: &Shared, mut once: impl FnMut() -> (bool, io::Result<()>)) {
    let mut delay = REOPEN_FIRST;
    while !shared.stop.is_stopped() {
        let (was_open, Err(error)) = once() else { return };
        shared.health.device_down(name, &error.to_string());
        if was_open {
            tracing::warn!(port = name, %error, "A port went away; it is opened again as soon as it is back");
            shared.health.unplugged();
            shared.tap.put(Event::Away);
            delay = REOPEN_FIRST;
        }
        if shared.stop.wait(delay) {
            return;
        }
        delay = delay.saturating_mul(2).min(REOPEN_MAX);
    }
}

/// Passes everything on between the POS and the printer until stopped.
pub fn pass_through(pos: &dyn Opener, printer: &dyn Opener, flow: Flow, shared: &Shared) {
    let name = format!("{} and {}", pos.name(), printer.name());
    supervise(&name, shared, || {
        // The printer first: the POS must not see a port that is up with nothing behind it.
        let opened = printer.open().and_then(|printer| Ok((pos.open()?, printer)));
        match opened {
            Ok((pos, printer)) => {
                shared.health.device_up();
                (true, pass_both(pos, printer, flow, shared))
            }
            Err(error) => (false, Err(error)),
        }
    });
}

/// What the two directions tell each other.
#[derive(Debug, Default)]
struct Pair {
    /// One of them ended.
    broken: AtomicBool,
    /// The printer asked to wait.
    printer_holds: AtomicBool,
}

fn pass_both(pos: Box<dyn Port>, printer: Box<dyn Port>, flow: Flow, shared: &Shared) -> io::Result<()> {
    let pair = Pair::default();
    let (to_printer, to_pos) = (printer.split()?, pos.split()?);
    let mut towards_printer = Direction::new(pos, to_printer, Side::Pos, flow);
    let mut towards_pos = Direction::new(printer, to_pos, Side::Printer, flow);
    std::thread::scope(|scope| {
        let answers = std::thread::Builder::new()
            .name("printer-answers".to_owned())
            .spawn_scoped(scope, || towards_pos.run(&pair, shared))?;
        let sent = towards_printer.run(&pair, shared);
        let answered =
            answers.join().unwrap_or_else(|_| Err(io::Error::other("the thread of the printer's port ended")));
        sent.and(answered)
    })
}

/// Whose bytes a direction carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Pos,
    Printer,
}

/// One of the two directions: reads `from` and owns it, writes `to`.
struct Direction {
    from: Box<dyn Port>,
    to: Box<dyn Port>,
    side: Side,
    flow: Flow,
    /// Read and not yet written.
    pending: VecDeque<u8>,
    /// The wires as passed on last, and when they were looked at.
    seen: Option<Signals>,
    looked_at: Option<Instant>,
    /// The wire by which the printer holds was high once.
    is_wired: bool,
}

impl Direction {
    fn new(from: Box<dyn Port>, to: Box<dyn Port>, side: Side, flow: Flow) -> Self {
        let pending = VecDeque::new();
        Self { from, to, side, flow, pending, seen: None, looked_at: None, is_wired: false }
    }

    fn run(&mut self, pair: &Pair, shared: &Shared) -> io::Result<()> {
        let result = self.relay(pair, shared);
        pair.broken.store(true, Ordering::Release);
        result
    }

    fn relay(&mut self, pair: &Pair, shared: &Shared) -> io::Result<()> {
        let mut bytes = Vec::new();
        while !shared.stop.is_stopped() && !pair.broken.load(Ordering::Acquire) {
            self.relay_wires(pair)?;
            self.write_pending(pair)?;
            if self.pending.len() >= PENDING_BYTES_MAX {
                shared.stop.wait(HEAR_PENDING);
                continue;
            }
            let wait = if self.pending.is_empty() { HEAR } else { HEAR_PENDING };
            bytes.clear();
            let heard = self.from.hear(&mut bytes, wait)?;
            if bytes.is_empty() && heard.breaks == 0 {
                continue;
            }
            self.watch_flow(&bytes, pair);
            self.pending.extend(&bytes);
            self.write_pending(pair)?;
            self.tell(&mut bytes, heard, shared);
        }
        Ok(())
    }

    /// After the bytes went on: hands them to the tap.
    fn tell(&self, bytes: &mut Vec<u8>, heard: Heard, shared: &Shared) {
        let bytes = std::mem::take(bytes);
        match self.side {
            Side::Pos => {
                if !bytes.is_empty() {
                    shared.tap.put(Event::Data(bytes));
                }
                tell_damage(heard, shared);
            }
            Side::Printer => shared.tap.put(Event::Answer(bytes)),
        }
    }

    fn write_pending(&mut self, pair: &Pair) -> io::Result<()> {
        while !self.pending.is_empty() {
            let room = self.room(pair);
            let (front, _) = self.pending.as_slices();
            let piece = front.get(..front.len().min(room)).unwrap_or_default();
            if piece.is_empty() {
                return Ok(());
            }
            let taken = self.to.say(piece)?;
            if taken == 0 {
                return Ok(());
            }
            self.pending.drain(..taken.min(self.pending.len()));
        }
        Ok(())
    }

    /// How many bytes may be given to the driver now.
    fn room(&self, pair: &Pair) -> usize {
        match (self.side, self.flow) {
            (Side::Printer, _) | (_, Flow::None) => usize::MAX,
            (Side::Pos, _) if pair.printer_holds.load(Ordering::Acquire) => 0,
            (Side::Pos, _) => FLOW_WINDOW.saturating_sub(self.to.waiting()),
        }
    }

    /// XON and XOFF come from the printer only, and go on to the POS as everything does. Towards the printer the same
    /// bytes are data (pictures).
    fn watch_flow(&self, bytes: &[u8], pair: &Pair) {
        if self.side == Side::Printer
            && self.flow == Flow::XonXoff
            && let Some(last) = bytes.iter().rev().find(|byte| matches!(**byte, XON | XOFF))
        {
            pair.printer_holds.store(*last == XOFF, Ordering::Release);
        }
    }

    /// What one end raises, the other sees. Where an end has no wires, the other is told that it is ready.
    fn relay_wires(&mut self, pair: &Pair) -> io::Result<()> {
        if self.looked_at.is_some_and(|at| at.elapsed() < WIRES_AGAIN) {
            return Ok(());
        }
        self.looked_at = Some(Instant::now());
        let signals = match self.from.signals()? {
            Some(signals) => {
                self.watch_wires(signals, pair);
                signals
            }
            None => Signals { clear: true, ready: true },
        };
        if self.seen != Some(signals) {
            self.to.raise(signals)?;
            self.seen = Some(signals);
        }
        Ok(())
    }

    /// A wire that was never high is not connected, and holds nobody.
    fn watch_wires(&mut self, signals: Signals, pair: &Pair) {
        let wire = match (self.side, self.flow) {
            (Side::Printer, Flow::RtsCts) => signals.clear,
            (Side::Printer, Flow::DtrDsr) => signals.ready,
            (Side::Printer, Flow::None | Flow::XonXoff) | (Side::Pos, _) => return,
        };
        self.is_wired |= wire;
        pair.printer_holds.store(self.is_wired && !wire, Ordering::Release);
    }
}

#[cfg(test)]
mod tests;
