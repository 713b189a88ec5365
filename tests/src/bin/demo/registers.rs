//! The store: which registers there are, what they sell, and the threads they work in.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::Context;
use system_tests::till::{Format, Pattern, Printed, Till, TillSettings, printed};

/// Articles sold by the piece.
pub(crate) const SKUS: u64 = 48;
/// Articles sold by weight.
pub(crate) const WEIGHED_SKUS: u64 = 2;
const WEIGHED: &str = "FRUIT-";
/// Pieces of each article at the shop in the morning.
pub(crate) const START_STOCK: i64 = 10_000;

/// All of them.
pub(crate) fn all_skus() -> Vec<String> {
    pieces().into_iter().chain(weighed()).collect()
}

/// Sold by weight.
pub(crate) fn is_weighed(sku: &str) -> bool {
    sku.starts_with(WEIGHED)
}

fn pieces() -> Vec<String> {
    (0..SKUS).map(|number| format!("SKU-{number:05}")).collect()
}

fn weighed() -> Vec<String> {
    (0..WEIGHED_SKUS).map(|number| format!("{WEIGHED}{number}")).collect()
}

/// Three registers that write in three ways.
#[derive(Debug)]
pub(crate) struct Registers {
    tills: Vec<(TillSettings, Duration)>,
}

impl Registers {
    pub(crate) fn new(work: &Path) -> anyhow::Result<Self> {
        let sales = work.join("sales");
        let tickets = sales.join("tickets");
        fs::create_dir_all(&tickets).with_context(|| format!("cannot make the folder {}", tickets.display()))?;
        let till = |register: &str, format, pattern, path: PathBuf, seed| {
            let plain =
                TillSettings::journal(register, format, &path, &work.join(format!("{register}.printed")), pieces());
            TillSettings { pattern, weighed_skus: weighed(), seed, ..plain.mixed() }
        };
        Ok(Self {
            tills: vec![
                (till("R1", Format::Csv, Pattern::Journal, sales.join("r1.csv"), 11), Duration::from_millis(310)),
                (
                    till("R2", Format::JsonLines, Pattern::Journal, sales.join("r2.jsonl"), 22),
                    Duration::from_millis(370),
                ),
                (till("R3", Format::JsonLines, Pattern::PerTransaction, tickets, 33), Duration::from_millis(430)),
            ],
        })
    }

    /// The agent's `[[source]]` tables.
    pub(crate) fn source_tables(&self) -> String {
        self.tills.iter().map(|(till, _)| source_table(till)).collect::<Vec<_>>().join("\n")
    }

    /// A line about each.
    pub(crate) fn describe(&self) -> Vec<String> {
        let describe = |till: &TillSettings| {
            let way = match till.pattern {
                Pattern::Journal => "appends to",
                Pattern::ExportInPlace | Pattern::ExportRenamed => "writes anew",
                Pattern::PerTransaction => "one file a ticket in",
            };
            format!("register {}   {way} {}", till.register, till.path.display())
        };
        self.tills.iter().map(|(till, _)| describe(till)).collect()
    }

    /// What all of them have printed, from their own logs.
    pub(crate) fn printed(&self) -> anyhow::Result<Vec<Printed>> {
        let mut lines = Vec::new();
        for (till, _) in &self.tills {
            lines.extend(printed(&till.log)?);
        }
        Ok(lines)
    }

    /// Sets them to work.
    pub(crate) fn open(&self) -> Selling {
        let stop = Arc::new(AtomicBool::new(false));
        let tickets = Arc::new(AtomicU64::new(0));
        let threads = self.tills.iter().cloned().map(|(settings, every)| {
            let (stop, tickets) = (Arc::clone(&stop), Arc::clone(&tickets));
            thread::spawn(move || work(settings, every, &stop, &tickets))
        });
        Selling { threads: threads.collect(), stop, tickets }
    }
}

/// A register that writes each ticket in one go need not be waited for as long as the default has it.
fn source_table(till: &TillSettings) -> String {
    let table = till.source_table(&till.register);
    match till.pattern {
        Pattern::Journal | Pattern::ExportInPlace | Pattern::ExportRenamed => table,
        Pattern::PerTransaction => table.replacen("[[source]]\n", "[[source]]\nsettle = \"200ms\"\n", 1),
    }
}

/// One at a time, so that the count is live.
fn work(settings: TillSettings, every: Duration, stop: &AtomicBool, tickets: &AtomicU64) -> anyhow::Result<()> {
    let mut till = Till::open(settings)?;
    let mut due = every;
    let start = std::time::Instant::now();
    while !stop.load(Ordering::Relaxed) {
        match due.checked_sub(start.elapsed()).filter(|wait| !wait.is_zero()) {
            // In short pieces, so that closing is not delayed.
            Some(wait) => thread::park_timeout(wait.min(Duration::from_millis(50))),
            None => {
                till.ring_up()?;
                tickets.fetch_add(1, Ordering::Relaxed);
                due += every;
            }
        }
    }
    till.sync_log()
}

/// Registers at work.
#[derive(Debug)]
pub(crate) struct Selling {
    threads: Vec<JoinHandle<anyhow::Result<()>>>,
    stop: Arc<AtomicBool>,
    tickets: Arc<AtomicU64>,
}

impl Selling {
    /// Tickets so far.
    pub(crate) fn tickets(&self) -> u64 {
        self.tickets.load(Ordering::Relaxed)
    }

    /// Closes them; tickets in all.
    pub(crate) fn close(self) -> anyhow::Result<u64> {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads {
            thread.join().map_err(|_| anyhow::anyhow!("a register panicked"))??;
        }
        Ok(self.tickets.load(Ordering::Relaxed))
    }
}
