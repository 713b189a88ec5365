//! How tickets get into sale files: one write a ticket, or two on purpose.

use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;

use super::ticket::{CSV_HEADER, Ticket};
use super::{Format, Pattern, TillSettings, pause};
use crate::dice::Dice;

/// Between the two pieces of a torn write.
const TORN_PAUSE: Duration = Duration::from_millis(3);

/// What is still to be written of a ticket.
#[derive(Debug)]
pub(crate) enum Pending {
    /// To the end of the journal.
    Append(Vec<u8>),
    /// A whole file.
    Whole(PathBuf, Vec<u8>),
}

/// The open journal, or the tickets of an export.
#[derive(Debug)]
pub(crate) struct SaleFiles {
    journal: Option<File>,
    /// Tickets of an export with their text, in order.
    exported: Vec<(String, String)>,
    rotations: u32,
    corrects: bool,
}

impl SaleFiles {
    pub(crate) fn open(settings: &TillSettings) -> anyhow::Result<Self> {
        let journal = match settings.pattern {
            Pattern::Journal => Some(open_journal(settings)?),
            Pattern::PerTransaction => {
                std::fs::create_dir_all(&settings.path)
                    .with_context(|| format!("cannot make the folder {}", settings.path.display()))?;
                None
            }
            Pattern::ExportRenamed | Pattern::ExportInPlace => None,
        };
        // Rows of a CSV journal can only be added to a ticket, never changed.
        let corrects = settings.pattern != Pattern::Journal || settings.format == Format::JsonLines;
        Ok(Self { journal, exported: Vec::new(), rotations: 0, corrects })
    }

    pub(crate) const fn takes_corrections(&self) -> bool {
        self.corrects
    }

    /// Prepares the ticket, and writes the first piece of a torn one.
    pub(crate) fn begin(
        &mut self,
        settings: &TillSettings,
        ticket: &Ticket,
        torn: bool,
        dice: &mut Dice,
    ) -> anyhow::Result<Pending> {
        let text = ticket.text(settings.format);
        match settings.pattern {
            Pattern::Journal => {
                let mut bytes = text.into_bytes();
                if torn {
                    let cut = usize::try_from(dice.below(u64::try_from(bytes.len())?))?;
                    let rest = bytes.split_off(cut);
                    self.append(&bytes)?;
                    pause(TORN_PAUSE);
                    bytes = rest;
                }
                Ok(Pending::Append(bytes))
            }
            Pattern::ExportRenamed | Pattern::ExportInPlace => {
                match self.exported.iter_mut().rev().find(|(number, _)| *number == ticket.number) {
                    Some((_, known)) => *known = text,
                    None => self.exported.push((ticket.number.clone(), text)),
                }
                let all = self.exported.iter().map(|(_, text)| text.as_str());
                Ok(Pending::Whole(
                    settings.path.clone(),
                    header(settings).into_iter().chain(all).collect::<String>().into_bytes(),
                ))
            }
            Pattern::PerTransaction => {
                let ending = if settings.format == Format::Csv { "csv" } else { "json" };
                let path = settings.path.join(format!("{}.{ending}", ticket.number));
                Ok(Pending::Whole(
                    path,
                    header(settings).into_iter().chain([text.as_str()]).collect::<String>().into_bytes(),
                ))
            }
        }
    }

    /// Completes the ticket.
    pub(crate) fn finish(&mut self, settings: &TillSettings, pending: Pending) -> anyhow::Result<()> {
        match pending {
            Pending::Append(bytes) => self.append(&bytes),
            Pending::Whole(path, bytes) if settings.pattern == Pattern::ExportInPlace => write_whole(&path, &bytes),
            Pending::Whole(path, bytes) => {
                let beside = path.with_file_name(".being-written.tmp");
                write_whole(&beside, &bytes)?;
                std::fs::rename(&beside, &path).with_context(|| format!("cannot rename into {}", path.display()))
            }
        }
    }

    fn append(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        self.journal.as_mut().context("no journal is open")?.write_all(bytes).context("cannot write the sale file")
    }

    pub(crate) fn rotate(&mut self, settings: &TillSettings) -> anyhow::Result<PathBuf> {
        anyhow::ensure!(self.journal.is_some(), "only a journal can be rotated");
        self.rotations += 1;
        let name = settings.path.file_name().and_then(|name| name.to_str()).unwrap_or("sales");
        let old = settings.path.with_file_name(format!("{name}.{}", self.rotations));
        std::fs::rename(&settings.path, &old).with_context(|| format!("cannot rename {}", settings.path.display()))?;
        self.journal = Some(open_journal(settings)?);
        Ok(old)
    }
}

fn write_whole(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let mut file = File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
    file.write_all(bytes).with_context(|| format!("cannot write {}", path.display()))
}

fn open_journal(settings: &TillSettings) -> anyhow::Result<File> {
    let open = || OpenOptions::new().create(true).append(true).open(&settings.path);
    let mut file = open().with_context(|| format!("cannot open the sale file {}", settings.path.display()))?;
    let empty = file.metadata().is_ok_and(|metadata| metadata.len() == 0);
    if let Some(header) = header(settings).filter(|_| empty) {
        file.write_all(header.as_bytes()).context("cannot write the header of the sale file")?;
    }
    Ok(file)
}

fn header(settings: &TillSettings) -> Option<&'static str> {
    (settings.format == Format::Csv).then_some(CSV_HEADER)
}

pub(crate) fn source_table(settings: &TillSettings, name: &str) -> String {
    let (format, pattern) = (
        if settings.format == Format::Csv { "csv" } else { "jsonl" },
        match settings.pattern {
            Pattern::Journal => "journal",
            Pattern::ExportRenamed | Pattern::ExportInPlace => "export",
            Pattern::PerTransaction => "per-transaction",
        },
    );
    let mut table = String::new();
    writeln!(
        table,
        "[[source]]\nname = {name:?}\nkind = \"file\"\npath = {:?}\nformat = {format:?}\npattern = {pattern:?}\n",
        settings.path.display().to_string()
    )
    .expect("writing to a string never fails");
    table.push_str("[source.columns]\ntransaction = \"transaction\"\nregister = \"register\"\nline = \"line\"\nsold_at = \"sold_at\"\nstatus = \"status\"\nkind = \"kind\"\nsku = \"sku\"\nquantity = \"quantity\"\n");
    if settings.format == Format::JsonLines {
        table.push_str("items = \"items\"\n");
    }
    table.push_str("\n[source.signs]\nsale = [\"sale\"]\nreturn = [\"return\"]\nquantity = \"signed\"\n\n[source.status]\ncancelled = [\"voided\"]\n");
    table
}
