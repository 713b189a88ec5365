//! Looks for what can be read on this machine and on a network segment that it was pointed at, and proposes a
//! configuration.
//!
//! Only looks: files are opened for reading and let go, addresses are connected to and, at most, greeted as their protocol
//! begins; nothing is logged into. Every walk and every scan is bounded, and only private addresses are scanned.
//!
//! `files` walks folders and recognises what it sees by its first bytes (`sniff`, pure), `network` asks addresses,
//! `propose` writes the configuration (pure).

use std::net::Ipv4Addr;
use std::path::PathBuf;

use crate::database::engine::Dialect;

mod files;
mod network;
mod propose;
mod sniff;

pub use files::walk;
pub use network::{Segment, SegmentFault, scan};
pub use propose::{Store, proposal};

/// Something that a source could read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// A database server.
    Server {
        /// What it speaks.
        engine: Dialect,
        /// Where.
        host: Ipv4Addr,
        /// Where.
        port: u16,
    },
    /// A database in a file.
    DatabaseFile {
        /// What reads it.
        engine: Dialect,
        /// The file.
        path: PathBuf,
        /// The POS that has such tables.
        profile: Option<&'static str>,
    },
    /// Files that hold sales.
    Files {
        /// The file, or a pattern for several alike in one folder.
        path: String,
        /// What they are.
        kind: FileKind,
        /// How many.
        count: usize,
    },
    /// A receipt printer on the network.
    Printer {
        /// Where.
        host: Ipv4Addr,
        /// Where.
        port: u16,
    },
    /// A serial port.
    SerialPort {
        /// As the system names it.
        name: String,
        /// What is plugged in, as far as it says.
        device: String,
    },
}

/// What files are, by their first bytes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum FileKind {
    /// A document of a standard: the word in `format`.
    Document(&'static str),
    /// A dBase table with its columns.
    Dbf(Vec<String>),
    /// A workbook.
    Workbook,
    /// A printer's bytes.
    Receipts,
    /// CSV or JSON lines, with what the columns seem to be.
    Records {
        /// The word in `format`.
        format: &'static str,
        /// The word in `profile`, for a known export.
        profile: Option<&'static str>,
        /// Columns by their part: `transaction`, `sku`, `quantity`, `sold_at`, `register`.
        columns: Vec<(&'static str, String)>,
    },
}

/// Serial ports of this machine.
#[must_use]
pub fn serial_ports() -> Vec<Found> {
    let ports = serialport::available_ports().unwrap_or_default();
    ports
        .into_iter()
        .map(|port| {
            let device = match port.port_type {
                serialport::SerialPortType::UsbPort(usb) => {
                    let named = [usb.manufacturer, usb.product].into_iter().flatten().collect::<Vec<_>>().join(" ");
                    format!("USB {:04x}:{:04x} {named}", usb.vid, usb.pid).trim_end().to_owned()
                }
                serialport::SerialPortType::BluetoothPort => "Bluetooth".to_owned(),
                serialport::SerialPortType::PciPort => "built in".to_owned(),
                serialport::SerialPortType::Unknown => String::new(),
            };
            Found::SerialPort { name: port.port_name, device }
        })
        .collect()
}
