//! The registers of a store, and the threads they sell in.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::Context;

use crate::till::{Format, Pattern, Printed, Till, TillSettings, printed};

/// Time for which a file that is written anew must be unchanged; the registers here write in one go.
const SETTLE: &str = "settle = \"100ms\"\nscan = \"250ms\"\n";

/// Who sells.
#[derive(Debug, Clone)]
pub struct Registers {
    tills: Vec<TillSettings>,
}

impl Registers {
    /// These.
    #[must_use]
    pub const fn of(tills: Vec<TillSettings>) -> Self {
        Self { tills }
    }

    /// Four registers on a mixed day, each with another way to write: a CSV journal, a JSON Lines journal, an
    /// export renamed into place and a folder with one file a ticket.
    ///
    /// # Errors
    /// The folders cannot be made.
    pub fn mixed(folder: &Path, skus: &[String], weighed: &[String], seed: u64) -> anyhow::Result<Self> {
        let sales = folder.join("sales");
        std::fs::create_dir_all(sales.join("tickets")).context("cannot make the folder of sales")?;
        let till = |register: &str, format, pattern, name: &str, number: u64| {
            let log = folder.join(format!("{register}.printed"));
            let plain = TillSettings::journal(register, format, &sales.join(name), &log, skus.to_vec());
            TillSettings {
                pattern,
                weighed_skus: weighed.to_vec(),
                voids_per_mille: 80,
                durable_log: false,
                seed: seed.wrapping_mul(31).wrapping_add(number),
                ..plain.mixed()
            }
        };
        Ok(Self::of(vec![
            till("R1", Format::Csv, Pattern::Journal, "r1.csv", 1),
            till("R2", Format::JsonLines, Pattern::Journal, "r2.jsonl", 2),
            till("R3", Format::JsonLines, Pattern::ExportRenamed, "r3.jsonl", 3),
            till("R4", Format::JsonLines, Pattern::PerTransaction, "tickets", 4),
        ]))
    }

    /// One register with a plain JSON Lines journal: one line a ticket, one to three pieces.
    #[must_use]
    pub fn plain(folder: &Path, skus: &[String], seed: u64) -> Self {
        let (path, log) = (folder.join("r1.jsonl"), folder.join("R1.printed"));
        let till = TillSettings::journal("R1", Format::JsonLines, &path, &log, skus.to_vec());
        Self::of(vec![TillSettings { durable_log: false, seed, ..till }])
    }

    /// Their settings.
    #[must_use]
    pub fn tills(&self) -> &[TillSettings] {
        &self.tills
    }

    /// The agent's `[[source]]` tables.
    #[must_use]
    pub fn source_tables(&self) -> String {
        let table = |till: &TillSettings| {
            let head = format!("[[source]]\n{SETTLE}");
            till.source_table(&till.register).replacen("[[source]]\n", &head, 1)
        };
        self.tills.iter().map(table).collect::<Vec<_>>().join("\n")
    }

    /// What all of them have printed.
    ///
    /// # Errors
    /// A log cannot be read.
    pub fn printed(&self) -> anyhow::Result<Vec<Printed>> {
        let mut lines = Vec::new();
        for till in self.tills.iter().filter(|till| till.log.exists()) {
            lines.extend(printed(&till.log)?);
        }
        Ok(lines)
    }

    /// The first register, for a test that sells by hand.
    ///
    /// # Errors
    /// There is none, or its files cannot be opened.
    pub fn first(&self) -> anyhow::Result<Till> {
        Till::open(self.tills.first().context("there is no register")?.clone())
    }

    /// Sets all to work, each selling this often. Once only: a register that opens again gives its ticket numbers
    /// again, as no honest till does.
    #[must_use]
    pub fn open(&self, every: Duration) -> Selling {
        let stop = Arc::new(AtomicBool::new(false));
        let tickets = Arc::new(AtomicU64::new(0));
        let threads = self.tills.iter().cloned().map(|settings| {
            let (stop, tickets) = (Arc::clone(&stop), Arc::clone(&tickets));
            thread::spawn(move || work(settings, every, &stop, &tickets))
        });
        Selling { threads: threads.collect(), stop, tickets }
    }
}

fn work(settings: TillSettings, every: Duration, stop: &AtomicBool, tickets: &AtomicU64) -> anyhow::Result<()> {
    let mut till = Till::open(settings)?;
    while !stop.load(Ordering::Relaxed) {
        till.ring_up()?;
        tickets.fetch_add(1, Ordering::Relaxed);
        thread::park_timeout(every);
    }
    till.sync_log()
}

/// Registers at work.
#[derive(Debug)]
pub struct Selling {
    threads: Vec<JoinHandle<anyhow::Result<()>>>,
    stop: Arc<AtomicBool>,
    tickets: Arc<AtomicU64>,
}

impl Selling {
    /// Tickets so far.
    #[must_use]
    pub fn tickets(&self) -> u64 {
        self.tickets.load(Ordering::Relaxed)
    }

    /// Closes them; tickets in all.
    ///
    /// # Errors
    /// A register could not write.
    pub fn close(self) -> anyhow::Result<u64> {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads {
            thread.thread().unpark();
            thread.join().map_err(|_| anyhow::anyhow!("a register panicked"))??;
        }
        Ok(self.tickets.load(Ordering::Relaxed))
    }
}
