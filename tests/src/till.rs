//! A register that writes real sale files, and beside them the log of sales as printed.
//!
//! The log is one of the oracle's two inputs: what was sold, written by who sold it, never faulted and never
//! read by the agent. A line's time is taken just before its ticket is complete in the sale file, because that
//! is when the agent's obligation begins.

mod files;
mod ticket;

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;
use serde::{Deserialize, Serialize};

use self::files::SaleFiles;
pub use self::ticket::{Ticket, TicketLine};
use crate::decimal::Decimal;
use crate::dice::Dice;
use crate::journal::read_lines;
use crate::moment::Moment;

/// Shape of the records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// One row a ticket line, with a header.
    Csv,
    /// One object a ticket, with its lines in `items`.
    JsonLines,
}

/// How the file grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pattern {
    /// Appended to, for ever.
    Journal,
    /// Written anew with all tickets at each sale, in a temporary file that is renamed into place.
    ExportRenamed,
    /// The same, but truncated and written in place.
    ExportInPlace,
    /// A folder that fills up with one file a ticket.
    PerTransaction,
}

/// Who sells what, how often, and where it is written.
#[derive(Debug, Clone)]
pub struct TillSettings {
    /// Name of the register; part of every ticket number.
    pub register: String,
    /// Shape of the records.
    pub format: Format,
    /// How the file grows.
    pub pattern: Pattern,
    /// The sale file, or the folder of them.
    pub path: PathBuf,
    /// The log of sales as printed.
    pub log: PathBuf,
    /// Articles sold by the piece.
    pub skus: Vec<String>,
    /// Articles sold by weight.
    pub weighed_skus: Vec<String>,
    /// Most lines of a ticket.
    pub lines_max: u64,
    /// Of a thousand lines, so many are returns.
    pub returns_per_mille: u32,
    /// Of a thousand tickets, so many are cancelled as a whole: at once, or later where the pattern can say so.
    pub voids_per_mille: u32,
    /// Of a thousand lines, so many are taken back on the same ticket.
    pub line_voids_per_mille: u32,
    /// Of a thousand tickets, so many are written in two pieces with a pause between (journals only).
    pub torn_per_mille: u32,
    /// Article names with commas, quotes and line breaks.
    pub awkward_names: bool,
    /// Make the log durable at each ticket, instead of only when asked.
    pub durable_log: bool,
    /// The same seed sells the same goods.
    pub seed: u64,
}

impl TillSettings {
    /// Plain sales of one to three pieces, appended to `path`.
    #[must_use]
    pub fn journal(register: &str, format: Format, path: &Path, log: &Path, skus: Vec<String>) -> Self {
        Self {
            register: register.to_owned(),
            format,
            pattern: Pattern::Journal,
            path: path.to_path_buf(),
            log: log.to_path_buf(),
            skus,
            weighed_skus: Vec::new(),
            lines_max: 1,
            returns_per_mille: 0,
            voids_per_mille: 0,
            line_voids_per_mille: 0,
            torn_per_mille: 0,
            awkward_names: false,
            durable_log: true,
            seed: 1,
        }
    }

    /// The same till on a mixed day: several lines, returns, voids, weights, odd names, torn writes.
    #[must_use]
    pub fn mixed(self) -> Self {
        Self {
            lines_max: 4,
            returns_per_mille: 60,
            voids_per_mille: 30,
            line_voids_per_mille: 20,
            torn_per_mille: 30,
            awkward_names: true,
            ..self
        }
    }

    /// The `[[source]]` table of the agent's configuration that reads this till.
    #[must_use]
    pub fn source_table(&self, name: &str) -> String {
        files::source_table(self, name)
    }
}

/// One line as printed: what stock it moved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Printed {
    /// The register.
    pub register: String,
    /// The ticket's number.
    pub ticket: String,
    /// Its line, from 1; a cancellation repeats the line with the other sign.
    pub line: u64,
    /// The article.
    pub sku: String,
    /// Signed change of stock: a sale of two is −2.
    pub delta: Decimal,
    /// Just before the ticket was complete in the sale file.
    #[serde(flatten)]
    pub at: Moment,
}

/// Reads a log of sales as printed.
///
/// # Errors
/// It cannot be read, or is not such a log.
pub fn printed(log: &Path) -> anyhow::Result<Vec<Printed>> {
    read_lines(log)
}

/// A register at work. Blocking: give it a thread.
#[derive(Debug)]
pub struct Till {
    settings: TillSettings,
    files: SaleFiles,
    log: File,
    dice: Dice,
    sold: u64,
    /// The ticket before this one, which may still be cancelled.
    last: Option<Ticket>,
}

impl Till {
    /// Opens the sale file and the log; both are continued if they exist.
    ///
    /// # Errors
    /// One of them cannot be opened.
    pub fn open(settings: TillSettings) -> anyhow::Result<Self> {
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&settings.log)
            .with_context(|| format!("cannot open the log {}", settings.log.display()))?;
        let files = SaleFiles::open(&settings)?;
        Ok(Self { files, log, dice: Dice::new(settings.seed), sold: 0, last: None, settings })
    }

    /// Numbers of tickets so far.
    #[must_use]
    pub const fn sold(&self) -> u64 {
        self.sold
    }

    /// Continues the ticket numbers of an earlier run on the same file.
    #[must_use]
    pub const fn starting_after(mut self, sold: u64) -> Self {
        self.sold = sold;
        self
    }

    /// Sells once.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn ring_up(&mut self) -> anyhow::Result<Ticket> {
        self.sold += 1;
        let number = format!("{}-{:08}", self.settings.register, self.sold);
        let voided = self.dice.happens(self.settings.voids_per_mille);
        let later = voided && self.files.takes_corrections() && self.last.as_ref().is_some_and(|last| !last.voided);
        if later {
            self.cancel_last()?;
        }
        let mut ticket = Ticket::rung_up(&self.settings, &mut self.dice, number);
        ticket.voided = voided && !later;
        self.write(&ticket, ticket.moves())?;
        self.last = Some(ticket.clone());
        Ok(ticket)
    }

    /// Sells exactly this: (article, change of stock).
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn sell(&mut self, lines: &[(&str, Decimal)]) -> anyhow::Result<Ticket> {
        self.sold += 1;
        let number = format!("{}-{:08}", self.settings.register, self.sold);
        let ticket = Ticket::of(&self.settings.register, number, lines);
        self.write(&ticket, ticket.moves())?;
        self.last = Some(ticket.clone());
        Ok(ticket)
    }

    /// Cancels the ticket before, as a whole, after it was written.
    ///
    /// # Errors
    /// The pattern cannot say it (a CSV journal), nothing was sold, or a file cannot be written.
    pub fn cancel_last(&mut self) -> anyhow::Result<()> {
        anyhow::ensure!(self.files.takes_corrections(), "this kind of file cannot cancel a ticket later");
        let mut ticket = self.last.take().context("no ticket was sold that could be cancelled")?;
        let reversed = ticket.moves().into_iter().map(|(line, sku, delta)| (line, sku, -delta)).collect();
        ticket.voided = true;
        self.write(&ticket, reversed)
    }

    /// Starts a new journal; the old one keeps its content under another name.
    ///
    /// # Errors
    /// The file cannot be renamed.
    pub fn rotate(&mut self) -> anyhow::Result<PathBuf> {
        self.files.rotate(&self.settings)
    }

    /// Sells at this rate until told to stop or so many are sold; says how many.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn run(&mut self, every: Duration, most: Option<u64>, stop: &AtomicBool) -> anyhow::Result<u64> {
        let (start, mut made) = (Instant::now(), 0_u32);
        while !stop.load(Ordering::Relaxed) && most.is_none_or(|most| u64::from(made) < most) {
            let due = start + every.saturating_mul(made);
            // In short pieces, so that a slow till still stops at once.
            while let Some(wait) = due.checked_duration_since(Instant::now()).filter(|wait| !wait.is_zero()) {
                if stop.load(Ordering::Relaxed) {
                    return Ok(u64::from(made));
                }
                pause(wait.min(Duration::from_millis(50)));
            }
            self.ring_up()?;
            made += 1;
        }
        Ok(u64::from(made))
    }

    /// Makes the log durable.
    ///
    /// # Errors
    /// The disk says no.
    pub fn sync_log(&self) -> anyhow::Result<()> {
        self.log.sync_data().context("cannot make the log of sales durable")
    }

    fn write(&mut self, ticket: &Ticket, moves: Vec<(u64, String, Decimal)>) -> anyhow::Result<()> {
        let torn = self.dice.happens(self.settings.torn_per_mille);
        let pending = self.files.begin(&self.settings, ticket, torn, &mut self.dice)?;
        self.print(ticket, moves)?;
        self.files.finish(&self.settings, pending)?;
        if self.settings.durable_log { self.sync_log() } else { Ok(()) }
    }

    fn print(&mut self, ticket: &Ticket, moves: Vec<(u64, String, Decimal)>) -> anyhow::Result<()> {
        let at = Moment::now();
        let mut text = Vec::new();
        for (line, sku, delta) in moves {
            let printed =
                Printed { register: ticket.register.clone(), ticket: ticket.number.clone(), line, sku, delta, at };
            serde_json::to_writer(&mut text, &printed).context("cannot print a line")?;
            text.push(b'\n');
        }
        self.log.write_all(&text).context("cannot write the log of sales")
    }
}

#[expect(clippy::disallowed_methods, reason = "a till has a thread of its own and nothing to do between two sales")]
fn pause(time: Duration) {
    std::thread::sleep(time);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_csv_journal_and_its_log_say_the_same() {
        check(Format::Csv, Pattern::Journal);
    }

    #[test]
    fn a_json_journal_and_its_log_say_the_same() {
        check(Format::JsonLines, Pattern::Journal);
    }

    #[test]
    fn exports_and_single_files_are_complete_at_each_sale() {
        for pattern in [Pattern::ExportRenamed, Pattern::ExportInPlace, Pattern::PerTransaction] {
            check(Format::JsonLines, pattern);
            check(Format::Csv, pattern);
        }
    }

    #[test]
    fn a_rotated_journal_goes_on_in_a_new_file() {
        let folder = tempfile::tempdir().unwrap();
        let mut till = till(folder.path(), Format::Csv, Pattern::Journal);
        till.ring_up().unwrap();
        let old = till.rotate().unwrap();
        till.ring_up().unwrap();
        for path in [old, folder.path().join("sales")] {
            assert!(std::fs::read_to_string(path).unwrap().starts_with("transaction,"));
        }
    }

    /// The JSON files are read back with another reader and summed up against the log.
    fn check(format: Format, pattern: Pattern) {
        let folder = tempfile::tempdir().unwrap();
        let mut till = till(folder.path(), format, pattern);
        for _ in 0..200 {
            till.ring_up().unwrap();
        }
        let log = printed(&folder.path().join("log")).unwrap();
        assert!(log.iter().any(|line| !line.delta.is_negative()), "returns happen");
        if format == Format::JsonLines {
            let sold: Decimal = read_back(&folder.path().join("sales"), pattern).values().copied().sum();
            assert_eq!(sold, log.iter().map(|line| line.delta).sum(), "{pattern:?}");
        }
    }

    fn read_back(path: &Path, pattern: Pattern) -> std::collections::BTreeMap<String, Decimal> {
        let texts: Vec<String> = if pattern == Pattern::PerTransaction {
            std::fs::read_dir(path)
                .unwrap()
                .map(|entry| std::fs::read_to_string(entry.unwrap().path()).unwrap())
                .collect()
        } else {
            vec![std::fs::read_to_string(path).unwrap()]
        };
        let mut tickets = std::collections::BTreeMap::new();
        for line in texts.iter().flat_map(|text| text.lines()) {
            let ticket: serde_json::Value = serde_json::from_str(line).unwrap();
            let items = ticket["items"].as_array().unwrap().iter();
            let sum = items.map(|item| -Decimal::parse(item["quantity"].as_str().unwrap()).unwrap()).sum();
            let counts = ticket["status"] == "completed";
            tickets.insert(ticket["transaction"].to_string(), if counts { sum } else { Decimal::ZERO });
        }
        tickets
    }

    fn till(folder: &Path, format: Format, pattern: Pattern) -> Till {
        let skus = (0..20).map(|n| format!("SKU-{n:05}")).collect();
        let settings = TillSettings::journal("R1", format, &folder.join("sales"), &folder.join("log"), skus).mixed();
        Till::open(TillSettings {
            pattern,
            weighed_skus: vec!["CHEESE".to_owned()],
            durable_log: false,
            voids_per_mille: 100,
            ..settings
        })
        .unwrap()
    }
}
