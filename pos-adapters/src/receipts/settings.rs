//! One `[[source]]` table of this family, as written in the configuration. Decides nothing; [`super::plan`] checks it.

use std::path::Path;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::parse::Dialect;
use super::plan::Plan;
use super::probe;
use super::reader::ReceiptSource;
use super::reading::TicketSettings;
use crate::file::SettingFault;
use crate::source::Finding;
use crate::{PosSource, SourceContext, SourceSettings};

/// The receipt printer's line: a serial port, a network printer, or captured files.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "receipts")]
pub struct ReceiptSettings {
    /// Name of this source, unique in the configuration. It is part of what makes a transaction unique: do not
    /// change it later.
    pub name: String,
    /// The kind of source.
    pub kind: ReceiptKind,
    /// Captured files, for kind `file`: one file that grows, a folder of files of one job each, a pattern with `*` and
    /// `?`, or the folder of a line's captured bytes.
    #[serde(default)]
    pub path: Option<String>,
    /// What the files contain, for kind `file`.
    #[serde(default)]
    pub format: Option<ReceiptFormat>,
    /// The serial port that the POS's bytes arrive at: `/dev/serial/by-id/…`, `COM3`, or `usb:` and the serial number of
    /// the adapter, as `tillsync ports` lists them.
    #[serde(default)]
    pub port: Option<String>,
    /// Where the port sits. Default: `tap`.
    #[serde(default)]
    pub position: Option<Position>,
    /// The port that the printer is connected to, for `position = "pass-through"`.
    #[serde(default)]
    pub printer_port: Option<String>,
    /// Bits a second, from 300 to 921600. Without it a tap or journal port tries the usual rates until it can read what
    /// it hears; a pass-through needs it.
    #[serde(default)]
    pub baud: Option<u32>,
    /// Data bits, parity and stop bits. Default: `8N1`.
    #[serde(default)]
    pub framing: Option<String>,
    /// How the printer says that it cannot take more, for a pass-through. Default: `dtr-dsr`.
    #[serde(default)]
    pub flow: Option<FlowControl>,
    /// Address and port on which the POS prints, for kind `tcp-printer`, e.g. `0.0.0.0:9100`.
    #[serde(default)]
    pub listen: Option<String>,
    /// The printer's address and port, for kind `tcp-printer`.
    #[serde(default)]
    pub printer: Option<String>,
    /// The printer's language. Default: `journal` at a journal port, else `escpos`.
    #[serde(default)]
    pub dialect: Option<Dialect>,
    /// Code page that the printer uses until it is told another, e.g. `cp437`, `cp858`, `cp1252`. Default: the dialect's.
    #[serde(default)]
    pub code_page: Option<String>,
    /// Columns of the paper. With it, longer lines are wrapped as the printer does.
    #[serde(default)]
    pub columns: Option<u16>,
    /// A line that is silent for this long has ended its ticket, even without a cut. From 500 ms to 10 min.
    /// Default: `5s`.
    #[serde(default)]
    pub silence: Option<String>,
    /// Strings that a journal port was told to send.
    #[serde(default)]
    pub journal: JournalSettings,
    /// How tickets are read.
    #[serde(default)]
    pub receipt: TicketSettings,
    /// How much of the line's raw bytes is kept.
    #[serde(default)]
    pub capture: CaptureSettings,
}

/// Strings that a journal port was told to send; empty: none. In TOML, control characters are written as `"\r\n"` or
/// `"\u0002"`.
#[derive(Debug, Clone, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct JournalSettings {
    /// Ends a line, beside line feeds.
    #[serde(default)]
    pub delimiter: String,
    /// Begins a ticket.
    #[serde(default)]
    pub start: String,
    /// Ends a ticket.
    #[serde(default)]
    pub end: String,
}

/// How much of the line's raw bytes is kept, so that tickets can be read again after a template was mended.
#[derive(Debug, Clone, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CaptureSettings {
    /// Days that bytes are kept after they were read, as far as `total_mb` allows; from 1 to 3650. Default: 31.
    #[serde(default)]
    pub keep_days: Option<u32>,
    /// Most space for the captured bytes of this line, in MB; from 16 to 65536. Bytes that were not read yet are never
    /// given up for newer ones. Default: 256.
    #[serde(default)]
    pub total_mb: Option<u32>,
    /// The part of it that is taken on the disk beforehand, for the day on which the disk is full, in MB; at most half of
    /// `total_mb` and 64. Default: 8.
    #[serde(default)]
    pub reserve_mb: Option<u32>,
}

/// The kind of this source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ReceiptKind {
    /// `serial`
    Serial,
    /// `tcp-printer`
    TcpPrinter,
    /// `file`
    File,
}

/// What the files contain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ReceiptFormat {
    /// Captured bytes of a receipt printer.
    Receipt,
}

/// Where a serial port sits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Position {
    /// Beside the line: only the POS's sending wire and ground are connected. Cannot disturb the till.
    #[default]
    Tap,
    /// At a port of the POS's own for text (journal, customer display, camera overlay).
    Journal,
    /// In the line: the POS at one port, the printer at another, everything passed on both ways.
    PassThrough,
}

/// How the printer says that it cannot take more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FlowControl {
    /// Not at all.
    None,
    /// By the characters XOFF and XON.
    XonXoff,
    /// By its RTS wire.
    RtsCts,
    /// By its DTR wire, as most receipt printers do.
    #[default]
    DtrDsr,
}

impl SourceSettings for ReceiptSettings {
    fn name(&self) -> &str {
        &self.name
    }

    fn kind(&self) -> &'static str {
        match self.kind {
            ReceiptKind::Serial => "serial",
            ReceiptKind::TcpPrinter => "tcp-printer",
            ReceiptKind::File => "file",
        }
    }

    fn path(&self) -> Option<&str> {
        self.path.as_deref()
    }

    fn reading(&self, input: &Path) -> Result<Arc<dyn SourceSettings>, String> {
        // The dialect stays what the line's position made it.
        let dialect = Some(super::plan::dialect(self));
        Ok(Arc::new(Self {
            kind: ReceiptKind::File,
            path: Some(input.to_string_lossy().into_owned()),
            format: Some(ReceiptFormat::Receipt),
            port: None,
            position: None,
            printer_port: None,
            baud: None,
            framing: None,
            flow: None,
            listen: None,
            printer: None,
            dialect,
            ..self.clone()
        }))
    }

    fn open(&self, context: &SourceContext) -> Result<Box<dyn PosSource>, Vec<SettingFault>> {
        Ok(Box::new(ReceiptSource::new(Plan::new(self, context)?)))
    }

    fn probe(&self, context: &SourceContext) -> Vec<Finding> {
        Plan::new(self, context).map(|plan| probe::probe(&plan)).unwrap_or_default()
    }
}
