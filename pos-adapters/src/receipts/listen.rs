//! Which ports there are, and what is heard on them: for a listener whose rate is not known, for noticing a wrong one,
//! and for `tillsync ports`.

use std::fmt;
use std::io;
use std::time::{Duration, Instant};

use super::judge::{self, Judgement, Looks};
use super::line::{Health, Stop};
use super::parse::Dialect;
use super::port::{DeviceOpener, Framing, Heard, Opener as _, Parity, Port, Signals};
use super::serial::Ear;

/// The rates of receipt printers and journal ports, the usual ones first.
pub const RATES: [u32; 8] = [9600, 19_200, 38_400, 115_200, 57_600, 4800, 2400, 1200];
/// Bytes after which what was heard is judged.
const JUDGED_BYTES: usize = 192;
/// Bytes of noise after which a line with a fixed rate is called wrong, where the system marks no errors.
const CERTAIN_BYTES: usize = 1024;
/// Bytes that are judged at most.
const SAMPLE_BYTES_MAX: usize = 16 * 1024;
/// Share of bytes with framing errors from which the rate is certainly wrong: one in this many.
const DAMAGED_SHARE: usize = 4;
/// One look at a port.
const LOOK: Duration = Duration::from_millis(20);

/// The ear of a listening line: tells when what arrives is no text, and tries other rates where none was set.
#[derive(Debug)]
pub(super) struct RateEar {
    framing: Framing,
    tries: bool,
    /// What was heard since the last judgement.
    sample: Vec<u8>,
    damaged: usize,
    settled: bool,
}

impl RateEar {
    pub(super) const fn new(framing: Framing, tries: bool) -> Self {
        Self { framing, tries, sample: Vec::new(), damaged: 0, settled: false }
    }

    /// Errors on the wire are certain at any time. The bytes themselves are judged only until they could be read once:
    /// the middle of a picture looks like noise.
    fn judge(&mut self, port: &mut dyn Port, health: &Health) {
        let is_damaged = is_mostly_damaged(self.sample.len(), self.damaged);
        if is_damaged {
            self.clear();
            self.settled = false;
            return if self.tries { self.next_rate(port, health) } else { self.tell_noise(health) };
        }
        if self.settled {
            return self.clear();
        }
        match judge::judge(&self.sample).looks {
            Looks::Readable | Looks::Pictures => {
                self.clear();
                self.settled = true;
                health.garbled(None);
                if self.tries {
                    tracing::info!(framing = %self.framing, "The line can be read; set `baud` and `framing` to it so that nothing is missed after a restart");
                }
            }
            Looks::SevenBits { even } if self.tries && self.framing.data_bits == 8 => {
                self.clear();
                let parity = if even { Parity::Even } else { Parity::Odd };
                self.change(Framing { data_bits: 7, parity, ..self.framing }, port, health);
            }
            Looks::SevenBits { even } => {
                let set = if even { "7E1" } else { "7O1" };
                health.garbled(Some(format!(
                    "what arrives at {} has a parity bit: set `framing = \"{set}\"`",
                    self.framing
                )));
                self.clear();
            }
            Looks::WrongSpeed if self.tries => {
                self.clear();
                self.next_rate(port, health);
            }
            Looks::WrongSpeed if self.sample.len() >= CERTAIN_BYTES => {
                self.clear();
                self.tell_noise(health);
            }
            Looks::WrongSpeed | Looks::TooLittle if self.sample.len() >= SAMPLE_BYTES_MAX => self.clear(),
            Looks::WrongSpeed | Looks::TooLittle => {}
        }
    }

    fn clear(&mut self) {
        self.sample.clear();
        self.damaged = 0;
    }

    fn tell_noise(&self, health: &Health) {
        health.garbled(Some(format!(
            "what arrives at {} is noise, so the till probably sends at another rate; `tillsync ports --listen` finds it",
            self.framing
        )));
    }

    fn next_rate(&mut self, port: &mut dyn Port, health: &Health) {
        let at = RATES.iter().position(|rate| *rate == self.framing.baud).unwrap_or(0);
        let next = RATES.get(at.saturating_add(1)).copied().unwrap_or(RATES[0]);
        self.change(Framing::plain(next), port, health);
    }

    fn change(&mut self, framing: Framing, port: &mut dyn Port, health: &Health) {
        health.garbled(Some(format!("what arrives at {} is noise; trying {framing}", self.framing)));
        match port.tune(framing) {
            Ok(()) => self.framing = framing,
            Err(error) => tracing::debug!(%error, %framing, "The port cannot listen this way"),
        }
    }
}

impl Ear for RateEar {
    fn opened(&mut self, port: &mut dyn Port) {
        self.clear();
        if self.tries
            && let Err(error) = port.tune(self.framing)
        {
            tracing::debug!(%error, "The port cannot listen at the rate found last");
        }
    }

    fn heard(&mut self, bytes: &[u8], heard: Heard, port: &mut dyn Port, health: &Health) {
        self.sample.extend_from_slice(bytes);
        self.damaged =
            self.damaged.saturating_add(usize::try_from(heard.damaged.saturating_add(heard.breaks)).unwrap_or(0));
        if self.sample.len() >= JUDGED_BYTES || self.damaged >= JUDGED_BYTES / DAMAGED_SHARE {
            self.judge(port, health);
        }
    }
}

fn is_mostly_damaged(bytes: usize, damaged: usize) -> bool {
    damaged > 0 && damaged.saturating_mul(DAMAGED_SHARE) >= bytes
}

/// A serial port of this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundPort {
    /// What the system calls it now: `/dev/ttyUSB0`, `COM3`.
    pub path: String,
    /// The name that stays (`/dev/serial/by-id/…`), where there is one: the one to configure.
    pub lasting: Option<String>,
    /// What it is, as a person would recognise it.
    pub description: String,
    /// Vendor and product of a USB adapter, as `0403:6001`.
    pub usb: Option<String>,
    /// Serial number of a USB adapter.
    pub serial_number: Option<String>,
}

/// Lists the serial ports.
///
/// # Errors
/// The system does not list them.
pub fn ports() -> io::Result<Vec<FoundPort>> {
    // Containers and some small systems have no list of terminals at all, which the library takes for impossible.
    if cfg!(target_os = "linux") && !std::path::Path::new("/sys/class/tty").is_dir() {
        return Ok(Vec::new());
    }
    let lasting = lasting_names();
    let listed = serialport::available_ports().map_err(io::Error::from)?;
    let mut found: Vec<FoundPort> = listed
        .into_iter()
        .map(|port| {
            let (description, usb, serial_number) = describe(&port.port_type);
            let lasting = lasting.iter().find(|(_, target)| *target == port.port_name).map(|(name, _)| name.clone());
            FoundPort { path: port.port_name, lasting, description, usb, serial_number }
        })
        .collect();
    found.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}

fn describe(kind: &serialport::SerialPortType) -> (String, Option<String>, Option<String>) {
    match kind {
        serialport::SerialPortType::UsbPort(usb) => {
            let words: Vec<&str> =
                [usb.manufacturer.as_deref(), usb.product.as_deref()].into_iter().flatten().collect();
            let words = if words.is_empty() { "USB adapter".to_owned() } else { words.join(" ") };
            (words, Some(format!("{:04x}:{:04x}", usb.vid, usb.pid)), usb.serial_number.clone())
        }
        serialport::SerialPortType::PciPort => ("built in".to_owned(), None, None),
        serialport::SerialPortType::BluetoothPort => ("Bluetooth".to_owned(), None, None),
        serialport::SerialPortType::Unknown => ("serial port".to_owned(), None, None),
    }
}

/// Names under `/dev/serial/by-id` with the port that each stands for now; by-path where an adapter has no number of its
/// own.
fn lasting_names() -> Vec<(String, String)> {
    let mut names = Vec::new();
    for folder in ["/dev/serial/by-id", "/dev/serial/by-path"] {
        let Ok(entries) = std::fs::read_dir(folder) else { continue };
        for entry in entries.filter_map(Result::ok) {
            if let Ok(target) = std::fs::canonicalize(entry.path()) {
                names.push((entry.path().to_string_lossy().into_owned(), target.to_string_lossy().into_owned()));
            }
        }
    }
    names
}

/// What was heard on a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeardSound {
    /// How it was listened to.
    pub framing: Framing,
    /// Bytes that came.
    pub bytes: usize,
    /// Bytes with framing or parity errors.
    pub damaged: usize,
    /// The wires as the other end holds them, where the port has any.
    pub signals: Option<Signals>,
    /// What they look like.
    pub judgement: Judgement,
}

impl HeardSound {
    /// Whether the line can be read this way.
    #[must_use]
    pub fn is_readable(&self) -> bool {
        matches!(self.judgement.looks, Looks::Readable | Looks::Pictures) && !self.is_damaged()
    }

    fn is_damaged(&self) -> bool {
        is_mostly_damaged(self.bytes, self.damaged)
    }
}

impl fmt::Display for HeardSound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { framing, bytes, .. } = self;
        if *bytes == 0 {
            return write!(f, "silence at {framing}: let the till print, and check that its sending wire is connected");
        }
        if self.is_damaged() {
            return write!(f, "{bytes} bytes that do not fit {framing}: the till sends at another rate");
        }
        match self.judgement.looks {
            Looks::Readable => write!(f, "{} at {framing}", dialect_name(self.judgement.dialect)),
            Looks::Pictures => write!(
                f,
                "{} at {framing}, but hardly any text: the till draws its receipts as pictures; choose a text driver",
                dialect_name(self.judgement.dialect)
            ),
            Looks::WrongSpeed => write!(f, "{bytes} bytes of noise at {framing}: the till sends at another rate"),
            Looks::SevenBits { even } => {
                let set = if even { "7E1" } else { "7O1" };
                write!(f, "text with a parity bit at {framing}: set `framing = \"{set}\"`")
            }
            Looks::TooLittle => {
                write!(f, "{bytes} bytes at {framing}, too few to tell: let the till print a whole ticket")
            }
        }
    }
}

const fn dialect_name(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Escpos => "ESC/POS",
        Dialect::Star => "Star line mode",
        Dialect::Journal => "a text journal",
        Dialect::Plain => "plain text",
    }
}

/// Listens to a port without sending anything. Starts at `first`, and when what comes cannot be read that way, goes on
/// with the other rates, until it can or `for_long` is over. Gives the best that was heard.
///
/// # Errors
/// The port cannot be opened, or goes away.
pub fn listen_to(port: &str, first: Framing, for_long: Duration, stop: &Stop) -> io::Result<HeardSound> {
    let off = Signals { clear: false, ready: false };
    let opener = DeviceOpener { port: port.to_owned(), framing: first, raised: off };
    listen_at(opener.open()?.as_mut(), first, for_long, stop)
}

/// [`listen_to`] on a port that is open.
///
/// # Errors
/// The port goes away.
pub fn listen_at(port: &mut dyn Port, first: Framing, for_long: Duration, stop: &Stop) -> io::Result<HeardSound> {
    let until = Instant::now().checked_add(for_long).unwrap_or_else(Instant::now);
    let mut framing = first;
    let mut best: Option<HeardSound> = None;
    let mut others = RATES.iter().copied().filter(|rate| *rate != first.baud).map(Framing::plain).cycle();
    loop {
        let heard = listen_once(port, framing, until, stop)?;
        let is_over = Instant::now() >= until || stop.is_stopped();
        if heard.is_readable() || heard.bytes == 0 {
            // Silence ends only with the time; what was heard before says more.
            return Ok(if heard.bytes == 0 { best.unwrap_or(heard) } else { heard });
        }
        let next = match heard.judgement.looks {
            Looks::SevenBits { even } if framing.data_bits == 8 => {
                let parity = if even { Parity::Even } else { Parity::Odd };
                Some(Framing { data_bits: 7, parity, ..framing })
            }
            Looks::Readable | Looks::Pictures | Looks::WrongSpeed | Looks::SevenBits { .. } | Looks::TooLittle => {
                others.next()
            }
        };
        if best.as_ref().is_none_or(|best| heard.judgement.readable_percent > best.judgement.readable_percent) {
            best = Some(heard.clone());
        }
        let Some(next) = next.filter(|_| !is_over) else { return Ok(best.unwrap_or(heard)) };
        port.tune(next)?;
        framing = next;
    }
}

/// Until there is enough to judge, or the time is over.
fn listen_once(port: &mut dyn Port, framing: Framing, until: Instant, stop: &Stop) -> io::Result<HeardSound> {
    let (mut sample, mut damaged) = (Vec::new(), 0_usize);
    let mut last_heard = Instant::now();
    while Instant::now() < until && !stop.is_stopped() && sample.len() < SAMPLE_BYTES_MAX {
        let heard = port.hear(&mut sample, LOOK)?;
        damaged = damaged.saturating_add(usize::try_from(heard.damaged.saturating_add(heard.breaks)).unwrap_or(0));
        if heard.bytes > 0 {
            last_heard = Instant::now();
        }
        let is_pausing = last_heard.elapsed() > LOOK.saturating_mul(15);
        if sample.len() >= JUDGED_BYTES && (is_pausing || sample.len() >= JUDGED_BYTES.saturating_mul(8)) {
            break;
        }
        if damaged >= JUDGED_BYTES / DAMAGED_SHARE {
            break;
        }
    }
    let signals = port.signals()?;
    Ok(HeardSound { framing, bytes: sample.len(), damaged, signals, judgement: judge::judge(&sample) })
}

#[cfg(test)]
mod tests;
