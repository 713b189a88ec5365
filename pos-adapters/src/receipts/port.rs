//! A serial port as the line's threads use it, on real hardware and in memory.
//!
//! A real port is read through `serialport`. On Unix a second, non-blocking handle of the same device writes (a write
//! that the printer holds must never hold us) and asks the driver to mark bytes with framing or parity errors (`PARMRK`),
//! which [`Unmark`] takes out again. What the driver does not tell: overruns (Linux counts them, and tells no reader), and
//! on Windows any error at all.

use std::fmt;
use std::io;
use std::time::Duration;

#[cfg(unix)]
mod device;
#[cfg(not(unix))]
#[path = "port/device_plain.rs"]
mod device;
mod memory;

pub use device::Device;
pub use memory::{MemoryOpener, MemoryPort};

/// Most bytes that one look at a port gives.
pub const HEAR_BYTES_MAX: usize = 4096;

/// How bytes are sent over the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Framing {
    /// Bits a second.
    pub baud: u32,
    /// 7 or 8 data bits.
    pub data_bits: u8,
    /// Parity bit.
    pub parity: Parity,
    /// 1 or 2 stop bits.
    pub stop_bits: u8,
}

/// Parity bit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parity {
    /// None.
    None,
    /// Even.
    Even,
    /// Odd.
    Odd,
}

impl Framing {
    /// Eight bits, no parity, one stop bit.
    #[must_use]
    pub const fn plain(baud: u32) -> Self {
        Self { baud, data_bits: 8, parity: Parity::None, stop_bits: 1 }
    }

    /// How long one byte takes on the wire, with start, parity and stop bits.
    #[must_use]
    pub fn byte_time(self) -> Duration {
        let bits = u64::from(self.data_bits)
            .saturating_add(u64::from(self.stop_bits))
            .saturating_add(if self.parity == Parity::None { 1 } else { 2 });
        Duration::from_nanos(bits.saturating_mul(1_000_000_000).checked_div(u64::from(self.baud)).unwrap_or(0))
    }
}

impl fmt::Display for Framing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parity = match self.parity {
            Parity::None => 'N',
            Parity::Even => 'E',
            Parity::Odd => 'O',
        };
        write!(f, "{} {}{parity}{}", self.baud, self.data_bits, self.stop_bits)
    }
}

/// Two of the control wires. As inputs they are CTS and DSR, as outputs RTS and DTR: what one end raises, the other
/// sees through the cable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signals {
    /// CTS in, RTS out.
    pub clear: bool,
    /// DSR in, DTR out.
    pub ready: bool,
}

/// What one look at a port brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Heard {
    /// Bytes that were added.
    pub bytes: usize,
    /// How many of them had a framing or parity error.
    pub damaged: u32,
    /// Breaks: the line was held low for longer than a byte.
    pub breaks: u32,
}

/// One end of a serial line.
pub trait Port: Send {
    /// Waits up to `wait` for bytes and adds them; nothing heard is not an error.
    ///
    /// # Errors
    /// The port is gone: close it and open it again.
    fn hear(&mut self, into: &mut Vec<u8>, wait: Duration) -> io::Result<Heard>;

    /// Gives bytes to the port, as many as it takes without waiting for longer than a few milliseconds.
    ///
    /// # Errors
    /// The port is gone.
    fn say(&mut self, bytes: &[u8]) -> io::Result<usize>;

    /// Bytes given and still in the driver.
    fn waiting(&self) -> usize;

    /// The wires as the other end holds them; `None` where the port has none.
    ///
    /// # Errors
    /// The port is gone.
    fn signals(&mut self) -> io::Result<Option<Signals>>;

    /// Sets our own wires, where there are any.
    ///
    /// # Errors
    /// The port is gone.
    fn raise(&mut self, signals: Signals) -> io::Result<()>;

    /// Listens in another way from now on.
    ///
    /// # Errors
    /// The port does not know the rate, or is gone.
    fn tune(&mut self, framing: Framing) -> io::Result<()>;

    /// A second handle, so that one thread can write while another reads.
    ///
    /// # Errors
    /// The system has no more handles.
    fn split(&self) -> io::Result<Box<dyn Port>>;
}

/// Opens the same port again and again, by whatever name it has then.
pub trait Opener: Send + Sync {
    /// Opens the port.
    ///
    /// # Errors
    /// It is not there, or another program has it.
    fn open(&self) -> io::Result<Box<dyn Port>>;

    /// As a person would name it.
    fn name(&self) -> String;
}

/// A port of this machine: by path or name, or by the serial number of its USB adapter, which stays the same when
/// adapters are plugged into other sockets.
#[derive(Debug, Clone)]
pub struct DeviceOpener {
    /// `/dev/…`, `COM3`, or `usb:` and a serial number.
    pub port: String,
    /// How bytes are sent.
    pub framing: Framing,
    /// Which wires we raise when it opens. A passive tap raises none.
    pub raised: Signals,
}

/// Prefix of a port that is named by its adapter's serial number.
pub const USB_PREFIX: &str = "usb:";

impl Opener for DeviceOpener {
    fn open(&self) -> io::Result<Box<dyn Port>> {
        let path = match self.port.strip_prefix(USB_PREFIX) {
            Some(serial) => path_of_adapter(serial)?,
            None => self.port.clone(),
        };
        let mut port = Device::open(&path, self.framing)?;
        port.raise(self.raised)?;
        Ok(Box::new(port))
    }

    fn name(&self) -> String {
        self.port.clone()
    }
}

fn path_of_adapter(serial: &str) -> io::Result<String> {
    let ports = serialport::available_ports().map_err(io::Error::from)?;
    let has_serial = |port: &serialport::SerialPortInfo| match &port.port_type {
        serialport::SerialPortType::UsbPort(usb) => usb.serial_number.as_deref() == Some(serial),
        serialport::SerialPortType::PciPort
        | serialport::SerialPortType::BluetoothPort
        | serialport::SerialPortType::Unknown => false,
    };
    ports.into_iter().find(has_serial).map(|port| port.port_name).ok_or_else(|| {
        io::Error::new(
            io::ErrorKind::NotFound,
            format!("no USB adapter with the serial number `{serial}` is plugged in"),
        )
    })
}

/// What counts as "this port has no such wires" rather than as a fault: pseudo-terminals and some adapters.
fn has_no_wires(error: &serialport::Error) -> bool {
    const ENOTTY: &str = "Not a typewriter";
    match error.kind() {
        serialport::ErrorKind::InvalidInput | serialport::ErrorKind::Unknown => true,
        serialport::ErrorKind::NoDevice => false,
        serialport::ErrorKind::Io(kind) => {
            !matches!(kind, io::ErrorKind::BrokenPipe | io::ErrorKind::NotFound)
                && (error.description.contains(ENOTTY)
                    || matches!(kind, io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported))
        }
    }
}

/// Takes the driver's marks out of what was read: `FF 00 x` is a byte `x` with an error, `FF 00 00` a break, `FF FF` a
/// plain `FF` (termios(3), `PARMRK`). Keeps what a read cut off.
#[derive(Debug, Clone, Default)]
pub struct Unmark {
    held: Held,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Held {
    #[default]
    Nothing,
    Mark,
    MarkZero,
}

impl Unmark {
    /// Adds the bytes of `marked` to `into`.
    pub fn take(&mut self, marked: &[u8], into: &mut Vec<u8>) -> Heard {
        let before = into.len();
        let mut heard = Heard::default();
        for byte in marked.iter().copied() {
            self.held = match (self.held, byte) {
                (Held::Nothing, 0xFF) => Held::Mark,
                (Held::Mark, 0) => Held::MarkZero,
                (Held::Nothing | Held::Mark, byte) => {
                    into.push(byte);
                    Held::Nothing
                }
                (Held::MarkZero, 0) => {
                    heard.breaks = heard.breaks.saturating_add(1);
                    Held::Nothing
                }
                (Held::MarkZero, byte) => {
                    heard.damaged = heard.damaged.saturating_add(1);
                    into.push(byte);
                    Held::Nothing
                }
            };
        }
        heard.bytes = into.len().saturating_sub(before);
        heard
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_taken_out_wherever_a_read_ends() {
        let marked = b"ab\xFF\x00c\xFF\xFF\xFF\x00\x00d\xFF\x00\xFFe";
        for piece in 1..=marked.len() {
            let (mut unmark, mut bytes, mut damaged, mut breaks) = (Unmark::default(), Vec::new(), 0, 0);
            for part in marked.chunks(piece) {
                let heard = unmark.take(part, &mut bytes);
                damaged += heard.damaged;
                breaks += heard.breaks;
            }
            assert_eq!((bytes.as_slice(), damaged, breaks), (&b"abc\xFFd\xFFe"[..], 2, 1), "{piece}");
        }
    }

    #[test]
    fn a_byte_takes_its_bits_on_the_wire() {
        assert_eq!(Framing::plain(9600).byte_time(), Duration::from_nanos(1_041_666));
        let framing = Framing { baud: 1200, data_bits: 7, parity: Parity::Even, stop_bits: 1 };
        assert_eq!((framing.to_string().as_str(), framing.byte_time().as_micros()), ("1200 7E1", 8_333));
    }
}
