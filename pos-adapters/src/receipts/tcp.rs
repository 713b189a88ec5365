//! Between the POS and a network printer: listens where the POS prints to, connects to the printer, and passes everything
//! on both ways.
//!
//! Invariants: bytes go on before they are handed to the tap; one connection at a time, as on most printers, the next one
//! waits; an end in one direction ends only that direction (half-close); while the printer does not answer we do not
//! listen either, so the POS is refused as it would be by the printer itself, and nothing is answered in its place.

use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream, ToSocketAddrs as _};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::serial::Shared;
use super::store::Event;

/// Longest wait for the printer's answer to a connection.
const CONNECT_MAX: Duration = Duration::from_secs(3);
/// How often the end of the line and new connections are looked for.
const LOOK: Duration = Duration::from_millis(5);
/// How often a printer that is away is asked for.
const PRINTER_AGAIN: Duration = Duration::from_secs(1);
/// A connection on which nothing moved for this long is closed if another one waits: its till was switched off.
const IDLE_MAX: Duration = Duration::from_secs(300);
/// The same once one side has ended: a till that closed waits for an answer for this long at most.
const HALF_CLOSED_MAX: Duration = Duration::from_secs(5);
/// How often a direction looks whether it should end.
const READ_WAIT: Duration = Duration::from_millis(250);
/// Bytes passed on at once; also all that is ever held of a connection.
const BUFFER_BYTES: usize = 16 * 1024;

/// Where the proxy stands.
#[derive(Debug, Clone)]
pub struct Proxy {
    /// Address and port on which the POS prints.
    pub listen: String,
    /// The printer's address and port.
    pub printer: String,
}

impl Proxy {
    /// Passes connections on until stopped.
    pub fn run(&self, shared: &Shared) {
        while !shared.stop.is_stopped() {
            match self.listen_once(shared) {
                Ok(()) => return,
                Err(Fault::Printer(error)) => shared.health.device_down(&self.printer, &error.to_string()),
                Err(Fault::Listener(error)) => {
                    shared.health.device_down(&format!("listening on {}", self.listen), &error.to_string());
                }
            }
            if shared.stop.wait(PRINTER_AGAIN) {
                return;
            }
        }
    }

    /// Listens while the printer answers. The first look at the printer is a connection of its own, closed at once.
    fn listen_once(&self, shared: &Shared) -> Result<(), Fault> {
        drop(self.connect().map_err(Fault::Printer)?);
        let listener = TcpListener::bind(self.listen.as_str()).map_err(Fault::Listener)?;
        listener.set_nonblocking(true).map_err(Fault::Listener)?;
        shared.health.device_up();
        let mut waiting: Option<TcpStream> = None;
        while !shared.stop.is_stopped() {
            let next = match waiting.take() {
                Some(next) => Some(next),
                None => accept(&listener).map_err(Fault::Listener)?,
            };
            match next {
                Some(pos) => waiting = self.carry(pos, &listener, shared)?,
                None => {
                    shared.stop.wait(LOOK);
                }
            }
        }
        Ok(())
    }

    /// Carries one connection to its end. Gives back a connection that came meanwhile.
    fn carry(&self, pos: TcpStream, listener: &TcpListener, shared: &Shared) -> Result<Option<TcpStream>, Fault> {
        // Dropping the POS's connection unread resets it: the POS sees a printer that does not take it.
        let printer = self.connect().map_err(Fault::Printer)?;
        let ready = prepare(&pos).and_then(|()| prepare(&printer));
        let handles = ready.and_then(|()| Ok((pos.try_clone()?, printer.try_clone()?)));
        let Ok((pos_out, printer_out)) = handles else { return Ok(None) };
        let state = Carried::default();
        let started = Instant::now();
        let mut next = None;
        std::thread::scope(|scope| {
            let sent = scope
                .spawn(|| pass_on(&pos, &printer_out, &state, started, shared, |bytes| Event::Data(bytes.to_vec())));
            let answered = scope
                .spawn(|| pass_on(&printer, &pos_out, &state, started, shared, |bytes| Event::Answer(bytes.to_vec())));
            while !(sent.is_finished() && answered.is_finished()) {
                if next.is_none() {
                    next = accept(listener).unwrap_or(None);
                }
                let idle = started.elapsed().saturating_sub(state.moved());
                let one_ended = sent.is_finished() || answered.is_finished();
                let patience = if one_ended { HALF_CLOSED_MAX } else { IDLE_MAX };
                if shared.stop.is_stopped() || (idle > patience && (one_ended || next.is_some())) {
                    state.over.store(true, Ordering::Release);
                }
                shared.stop.wait(LOOK);
            }
        });
        shared.tap.put(Event::End);
        Ok(next)
    }

    fn connect(&self) -> io::Result<TcpStream> {
        let mut refused = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
        for address in self.printer.to_socket_addrs()? {
            match TcpStream::connect_timeout(&address, CONNECT_MAX) {
                Ok(stream) => return Ok(stream),
                Err(error) => refused = error,
            }
        }
        Err(refused)
    }
}

/// Why listening ended.
enum Fault {
    Printer(io::Error),
    Listener(io::Error),
}

/// What both directions of a connection share.
#[derive(Debug, Default)]
struct Carried {
    over: AtomicBool,
    /// When something last moved, in milliseconds after the start.
    moved_ms: AtomicU64,
}

impl Carried {
    fn moved(&self) -> Duration {
        Duration::from_millis(self.moved_ms.load(Ordering::Relaxed))
    }
}

fn accept(listener: &TcpListener) -> io::Result<Option<TcpStream>> {
    match listener.accept() {
        Ok((stream, _)) => Ok(Some(stream)),
        Err(error) if is_passing(&error) || error.kind() == io::ErrorKind::ConnectionAborted => Ok(None),
        Err(error) => Err(error),
    }
}

fn prepare(stream: &TcpStream) -> io::Result<()> {
    stream.set_nonblocking(false)?;
    // Status answers are a few bytes and must not wait for more.
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(READ_WAIT))?;
    stream.set_write_timeout(Some(READ_WAIT))
}

/// One direction, to its end: then the receiver is told that nothing more comes.
fn pass_on(
    mut from: &TcpStream,
    to: &TcpStream,
    state: &Carried,
    started: Instant,
    shared: &Shared,
    event: fn(&[u8]) -> Event,
) {
    let mut buffer = vec![0; BUFFER_BYTES];
    while !state.over.load(Ordering::Acquire) {
        match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => {
                let bytes = buffer.get(..read).unwrap_or_default();
                let sent = send_all(to, bytes, state);
                let millis = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
                state.moved_ms.store(millis, Ordering::Relaxed);
                // What the printer did not take was not printed.
                shared.tap.put(event(bytes.get(..sent).unwrap_or_default()));
                if sent < read {
                    // The sender learns it as from the receiver itself.
                    state.over.store(true, Ordering::Release);
                    break;
                }
            }
            Err(error) if is_passing(&error) => {}
            Err(_) => {
                state.over.store(true, Ordering::Release);
                break;
            }
        }
    }
    // A connection that is already gone has nothing to be told.
    let _already_gone = to.shutdown(Shutdown::Write);
}

/// How many bytes the receiver took, in order. Waits as long as the receiver does not read: a printer without paper.
fn send_all(mut to: &TcpStream, bytes: &[u8], state: &Carried) -> usize {
    let mut sent = 0_usize;
    while sent < bytes.len() && !state.over.load(Ordering::Acquire) {
        match to.write(bytes.get(sent..).unwrap_or_default()) {
            Ok(0) => break,
            Ok(more) => sent = sent.saturating_add(more),
            Err(error) if is_passing(&error) => {}
            Err(_) => break,
        }
    }
    sent
}

fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}

/// Checks an address as written, without asking for names.
///
/// # Errors
/// What is wrong with it.
pub fn check_address(text: &str) -> Result<(), String> {
    let well_formed = text.parse::<SocketAddr>().is_ok()
        || text
            .rsplit_once(':')
            .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port > 0));
    if well_formed { Ok(()) } else { Err(format!("`{text}` must be an address and a port, such as `192.0.2.7:9100`")) }
}

#[cfg(test)]
mod tests;
