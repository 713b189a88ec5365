//! Settings made sense of: what is missing or does not fit is told, all at once, and defaults are filled in.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::journal::JournalMarks;
use super::parse::{Dialect, Line, Parser};
use super::port::{DeviceOpener, Framing, Parity, Signals};
use super::serial::Flow;
use super::settings::{FlowControl, Position, ReceiptFormat, ReceiptKind, ReceiptSettings};
use super::store::{Limits, SEGMENT_BYTES_DEFAULT};
use super::tcp::{self, Proxy};
use super::tickets::TicketPlan;
use crate::SourceContext;
use crate::file::SettingFault;
use crate::file::glob::PathPattern;

/// Templates and name tables are read up to this size.
const TABLE_BYTES_MAX: u64 = 16 * 1024 * 1024;
const BAUD_RANGE: std::ops::RangeInclusive<u32> = 300..=921_600;
const SILENCE_DEFAULT: Duration = Duration::from_secs(5);
const SILENCE_RANGE: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(600));
const MB: u64 = 1024 * 1024;

/// A source that makes sense.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) name: String,
    pub(super) input: Input,
    pub(super) line: Line,
    /// Tickets are told apart by the template only: rows are given to it as they come.
    pub(super) drains: bool,
    pub(super) silence: Duration,
    pub(super) tickets: TicketPlan,
    pub(super) limits: Limits,
    /// Where captured bytes are kept.
    pub(super) folder: PathBuf,
}

/// Where bytes come from.
#[derive(Debug, Clone)]
pub(super) enum Input {
    /// One port that only listens.
    Listen {
        opener: DeviceOpener,
        /// The rate is not known: try the usual ones.
        tries_rates: bool,
    },
    /// Two ports.
    PassThrough { pos: DeviceOpener, printer: DeviceOpener, flow: Flow },
    /// A network printer.
    Tcp(Proxy),
    /// Files.
    Files(PathPattern),
}

impl Plan {
    pub(super) fn new(settings: &ReceiptSettings, context: &SourceContext) -> Result<Self, Vec<SettingFault>> {
        let mut faults = Vec::new();
        let input = input(settings, &mut faults);
        let line = Line {
            dialect: dialect(settings),
            code_page: settings.code_page.clone(),
            columns: settings.columns,
            marks: marks(settings),
        };
        if let Err(message) = Parser::new(&line, 0) {
            let key = if settings.code_page.is_some() { "code_page" } else { "journal" };
            faults.push(fault(key, message));
        }
        let silence = duration(settings.silence.as_deref()).unwrap_or_else(|message| {
            faults.push(fault("silence", message));
            SILENCE_DEFAULT
        });
        let limits = limits(settings, &mut faults);
        let tickets = match settings.receipt.plan(context.zone.clone(), &read_text) {
            Ok(tickets) => Some(tickets),
            Err(more) => {
                faults.extend(more);
                None
            }
        };
        match (input, tickets) {
            (Some(input), Some(tickets)) if faults.is_empty() => Ok(Self {
                name: settings.name.clone(),
                input,
                drains: matches!(line.dialect, Dialect::Journal | Dialect::Plain)
                    && line.marks.start.is_empty()
                    && line.marks.end.is_empty(),
                line,
                silence,
                tickets,
                limits,
                folder: context.own_files.clone(),
            }),
            _ => Err(faults),
        }
    }
}

/// The dialect as written, or as the position of the port suggests.
pub(super) fn dialect(settings: &ReceiptSettings) -> Dialect {
    settings.dialect.unwrap_or(match settings.position {
        Some(Position::Journal) => Dialect::Journal,
        Some(Position::Tap | Position::PassThrough) | None => Dialect::Escpos,
    })
}

fn marks(settings: &ReceiptSettings) -> JournalMarks {
    let journal = &settings.journal;
    JournalMarks {
        delimiter: journal.delimiter.clone().into_bytes(),
        start: journal.start.clone().into_bytes(),
        end: journal.end.clone().into_bytes(),
    }
}

fn input(settings: &ReceiptSettings, faults: &mut Vec<SettingFault>) -> Option<Input> {
    refuse_strangers(settings, faults);
    match settings.kind {
        ReceiptKind::Serial => serial(settings, faults),
        ReceiptKind::TcpPrinter => {
            let listen = address("listen", settings.listen.as_deref(), faults);
            let printer = address("printer", settings.printer.as_deref(), faults);
            if let (Some(listen), Some(printer)) = (&listen, &printer)
                && listen == printer
            {
                faults.push(fault("listen", "must not be the printer itself".to_owned()));
            }
            Some(Input::Tcp(Proxy { listen: listen?, printer: printer? }))
        }
        ReceiptKind::File => {
            if settings.format != Some(ReceiptFormat::Receipt) {
                faults.push(fault("format", "must be `receipt`".to_owned()));
            }
            let Some(path) = settings.path.as_deref() else {
                faults.push(fault("path", "is missing: the captured file, folder or pattern".to_owned()));
                return None;
            };
            PathPattern::new(path).map(Input::Files).map_err(|message| faults.push(fault("path", message))).ok()
        }
    }
}

/// Keys that belong to another kind or position.
fn refuse_strangers(settings: &ReceiptSettings, faults: &mut Vec<SettingFault>) {
    let serial = settings.kind == ReceiptKind::Serial;
    let passing = serial && settings.position == Some(Position::PassThrough);
    let network = settings.kind == ReceiptKind::TcpPrinter;
    let file = settings.kind == ReceiptKind::File;
    let keys = [
        ("port", settings.port.is_some(), serial, "kind `serial`"),
        ("position", settings.position.is_some(), serial, "kind `serial`"),
        ("baud", settings.baud.is_some(), serial, "kind `serial`"),
        ("framing", settings.framing.is_some(), serial, "kind `serial`"),
        ("printer_port", settings.printer_port.is_some(), passing, "`position = \"pass-through\"`"),
        ("flow", settings.flow.is_some(), passing, "`position = \"pass-through\"`"),
        ("listen", settings.listen.is_some(), network, "kind `tcp-printer`"),
        ("printer", settings.printer.is_some(), network, "kind `tcp-printer`"),
        ("path", settings.path.is_some(), file, "kind `file`"),
        ("format", settings.format.is_some(), file, "kind `file`"),
    ];
    for (key, is_set, fits, belongs) in keys {
        if is_set && !fits {
            faults.push(fault(key, format!("belongs to {belongs}; take it out")));
        }
    }
}

fn serial(settings: &ReceiptSettings, faults: &mut Vec<SettingFault>) -> Option<Input> {
    let port = named_port("port", settings.port.as_deref(), faults);
    let framing = framing(settings, faults);
    // A listener that is fully wired has to look alive to a POS that checks its wires; a tap's are not connected.
    let raised = |on| Signals { clear: on, ready: on };
    match settings.position.unwrap_or_default() {
        position @ (Position::Tap | Position::Journal) => {
            let raised = raised(position == Position::Journal);
            let opener = DeviceOpener { port: port?, framing, raised };
            Some(Input::Listen { opener, tries_rates: settings.baud.is_none() })
        }
        Position::PassThrough => {
            let printer = named_port("printer_port", settings.printer_port.as_deref(), faults);
            if settings.baud.is_none() {
                faults
                    .push(fault("baud", "is missing: a pass-through must send at the rate of the printer".to_owned()));
            }
            if port.is_some() && port == printer {
                faults.push(fault("printer_port", "must be another port than `port`".to_owned()));
            }
            let flow = match settings.flow.unwrap_or_default() {
                FlowControl::None => Flow::None,
                FlowControl::XonXoff => Flow::XonXoff,
                FlowControl::RtsCts => Flow::RtsCts,
                FlowControl::DtrDsr => Flow::DtrDsr,
            };
            // The wires are set as soon as the other end's are seen.
            let end = |port| DeviceOpener { port, framing, raised: raised(false) };
            Some(Input::PassThrough { pos: end(port?), printer: end(printer?), flow })
        }
    }
}

fn named_port(key: &str, port: Option<&str>, faults: &mut Vec<SettingFault>) -> Option<String> {
    match port.map(str::trim) {
        Some(port) if !port.is_empty() => Some(port.to_owned()),
        Some(_) | None => {
            faults.push(fault(key, "is missing: the name of the port, as `tillsync ports` lists it".to_owned()));
            None
        }
    }
}

fn framing(settings: &ReceiptSettings, faults: &mut Vec<SettingFault>) -> Framing {
    let baud = settings.baud.unwrap_or(super::listen::RATES[0]);
    if !BAUD_RANGE.contains(&baud) {
        let message = format!("must be from {} to {} bits a second", BAUD_RANGE.start(), BAUD_RANGE.end());
        faults.push(fault("baud", message));
    }
    let text = settings.framing.as_deref().unwrap_or("8N1");
    parse_framing(baud, text).unwrap_or_else(|| {
        faults.push(fault("framing", format!("`{text}` must be such as `8N1`, `7E1` or `7O2`")));
        Framing::plain(baud)
    })
}

/// Data bits, parity and stop bits, as `7E1`.
pub(super) fn parse_framing(baud: u32, text: &str) -> Option<Framing> {
    let [data_bits, parity, stop_bits] = text.as_bytes() else { return None };
    let parity = match parity.to_ascii_uppercase() {
        b'N' => Parity::None,
        b'E' => Parity::Even,
        b'O' => Parity::Odd,
        _ => return None,
    };
    let digit = |byte: &u8, allowed: [u8; 2]| Some(byte.wrapping_sub(b'0')).filter(|digit| allowed.contains(digit));
    Some(Framing { baud, data_bits: digit(data_bits, [7, 8])?, parity, stop_bits: digit(stop_bits, [1, 2])? })
}

fn address(key: &str, address: Option<&str>, faults: &mut Vec<SettingFault>) -> Option<String> {
    let checked = match address {
        Some(address) => tcp::check_address(address).map(|()| address.to_owned()),
        None => Err("is missing: an address and a port, such as `192.0.2.7:9100`".to_owned()),
    };
    checked.map_err(|message| faults.push(fault(key, message))).ok()
}

fn limits(settings: &ReceiptSettings, faults: &mut Vec<SettingFault>) -> Limits {
    let capture = &settings.capture;
    let (keep, total) = (capture.keep_days.unwrap_or(31), capture.total_mb.unwrap_or(256));
    let reserve = capture.reserve_mb.unwrap_or(8);
    if !(1..=3650).contains(&keep) {
        faults.push(fault("capture.keep_days", "must be from 1 to 3650".to_owned()));
    }
    if !(16..=65_536).contains(&total) {
        faults.push(fault("capture.total_mb", "must be from 16 to 65536".to_owned()));
    }
    if reserve > (total / 2).min(64) {
        faults.push(fault("capture.reserve_mb", "must be at most half of `total_mb`, and 64".to_owned()));
    }
    Limits {
        total_bytes: u64::from(total).saturating_mul(MB),
        reserve_bytes: u64::from(reserve).saturating_mul(MB),
        keep: Duration::from_secs(u64::from(keep).saturating_mul(86_400)),
        segment_bytes: SEGMENT_BYTES_DEFAULT,
    }
}

fn duration(text: Option<&str>) -> Result<Duration, String> {
    let Some(text) = text else { return Ok(SILENCE_DEFAULT) };
    let digits: String = text.chars().take_while(char::is_ascii_digit).collect();
    let millis = match text.strip_prefix(digits.as_str()).map(str::trim) {
        Some("ms") => Some(1),
        Some("s") => Some(1000),
        Some("m" | "min") => Some(60_000),
        _ => None,
    };
    let read = digits.parse::<u64>().ok().zip(millis).and_then(|(number, millis)| number.checked_mul(millis));
    read.map(Duration::from_millis)
        .filter(|read| (SILENCE_RANGE.0..=SILENCE_RANGE.1).contains(read))
        .ok_or_else(|| format!("`{text}` must be a time such as `5s`, from 500 ms to 10 min"))
}

fn read_text(path: &Path) -> Result<String, String> {
    use std::io::Read as _;
    let mut text = String::new();
    let file = std::fs::File::open(path).map_err(|error| error.to_string())?;
    let read =
        file.take(TABLE_BYTES_MAX.saturating_add(1)).read_to_string(&mut text).map_err(|error| error.to_string())?;
    if u64::try_from(read).is_ok_and(|read| read > TABLE_BYTES_MAX) {
        return Err(format!("it is larger than {TABLE_BYTES_MAX} bytes"));
    }
    Ok(text)
}

fn fault(key: &str, message: String) -> SettingFault {
    SettingFault { key: key.to_owned(), message }
}
