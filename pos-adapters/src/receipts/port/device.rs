//! A port of this machine, on Unix.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::fs::{Mode, OFlags};
use rustix::termios::{InputModes, OptionalActions};
use serialport::{SerialPort as _, TTYPort};

use super::{Framing, HEAR_BYTES_MAX, Heard, Parity, Port, Signals, Unmark};

/// A serial port or pseudo-terminal.
#[derive(Debug)]
pub struct Device {
    line: TTYPort,
    /// The same device, not blocking.
    writing: File,
    unmark: Unmark,
    has_wires: bool,
    buffer: Vec<u8>,
}

impl Device {
    /// Opens a port exclusively.
    ///
    /// # Errors
    /// It is not there, is no port, or another program has it.
    pub fn open(path: &str, framing: Framing) -> io::Result<Self> {
        // Before the exclusive one: afterwards the system lets nobody in, not even us.
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let writing: OwnedFd = rustix::fs::open(path, flags, Mode::empty())?;
        let line = serialport::new(path, framing.baud)
            .data_bits(data_bits(framing))
            .parity(parity(framing))
            .stop_bits(stop_bits(framing))
            .flow_control(serialport::FlowControl::None)
            .preserve_dtr_on_open()
            .open_native()?;
        mark_errors(&writing)?;
        Ok(Self {
            line,
            writing: File::from(writing),
            unmark: Unmark::default(),
            has_wires: true,
            buffer: vec![0; HEAR_BYTES_MAX],
        })
    }
}

/// Asks the driver to mark bytes with framing and parity errors.
fn mark_errors(port: &OwnedFd) -> io::Result<()> {
    let mut modes = rustix::termios::tcgetattr(port)?;
    modes.input_modes.remove(InputModes::IGNBRK | InputModes::BRKINT | InputModes::IGNPAR | InputModes::ISTRIP);
    modes.input_modes.insert(InputModes::INPCK | InputModes::PARMRK);
    rustix::termios::tcsetattr(port, OptionalActions::Now, &modes)?;
    Ok(())
}

impl Port for Device {
    fn hear(&mut self, into: &mut Vec<u8>, wait: Duration) -> io::Result<Heard> {
        if self.line.timeout() != wait {
            self.line.set_timeout(wait)?;
        }
        match self.line.read(&mut self.buffer) {
            Ok(0) => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the port was unplugged")),
            Ok(read) => Ok(self.unmark.take(self.buffer.get(..read).unwrap_or_default(), into)),
            Err(error) if is_passing(&error) => Ok(Heard::default()),
            Err(error) => Err(error),
        }
    }

    fn say(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.writing.write(bytes) {
            Ok(written) => Ok(written),
            Err(error) if is_passing(&error) => Ok(0),
            Err(error) => Err(error),
        }
    }

    fn waiting(&self) -> usize {
        self.line.bytes_to_write().ok().and_then(|bytes| usize::try_from(bytes).ok()).unwrap_or(0)
    }

    fn signals(&mut self) -> io::Result<Option<Signals>> {
        if !self.has_wires {
            return Ok(None);
        }
        let read = self.line.read_clear_to_send().and_then(|clear| Ok((clear, self.line.read_data_set_ready()?)));
        match read {
            Ok((clear, ready)) => Ok(Some(Signals { clear, ready })),
            Err(error) if super::has_no_wires(&error) => {
                self.has_wires = false;
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }

    fn raise(&mut self, signals: Signals) -> io::Result<()> {
        let set = self
            .line
            .write_request_to_send(signals.clear)
            .and_then(|()| self.line.write_data_terminal_ready(signals.ready));
        match set {
            Err(error) if !super::has_no_wires(&error) => Err(error.into()),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    fn tune(&mut self, framing: Framing) -> io::Result<()> {
        self.line.set_baud_rate(framing.baud)?;
        self.line.set_data_bits(data_bits(framing))?;
        self.line.set_parity(parity(framing))?;
        self.line.set_stop_bits(stop_bits(framing))?;
        self.line.clear(serialport::ClearBuffer::Input)?;
        Ok(())
    }

    fn split(&self) -> io::Result<Box<dyn Port>> {
        Ok(Box::new(Self {
            line: self.line.try_clone_native()?,
            writing: self.writing.try_clone()?,
            unmark: Unmark::default(),
            has_wires: self.has_wires,
            buffer: vec![0; HEAR_BYTES_MAX],
        }))
    }
}

fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}

const fn data_bits(framing: Framing) -> serialport::DataBits {
    if framing.data_bits == 7 { serialport::DataBits::Seven } else { serialport::DataBits::Eight }
}

const fn parity(framing: Framing) -> serialport::Parity {
    match framing.parity {
        Parity::None => serialport::Parity::None,
        Parity::Even => serialport::Parity::Even,
        Parity::Odd => serialport::Parity::Odd,
    }
}

const fn stop_bits(framing: Framing) -> serialport::StopBits {
    if framing.stop_bits == 2 { serialport::StopBits::Two } else { serialport::StopBits::One }
}
