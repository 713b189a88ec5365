//! The command line: what can be asked, and how it is answered. Commands that only need the configuration are
//! carried out here (`check`, `grants`, `mask-config`, `config-schema`, `completions`); the others only have their shape here.
//!
//! Exit codes are in [`exit`]. Answers go to standard output, everything else to standard error.

use std::io;
use std::path::PathBuf;

use clap::{Args, CommandFactory, Parser, Subcommand};

use crate::config;
use output::{Form, Output};

pub mod check;
pub mod count;
pub mod grants;
pub mod output;
pub mod progress;
pub mod show;

/// Exit codes, the same for all commands.
pub mod exit {
    /// Done, and nothing is wrong.
    pub const OK: u8 = 0;
    /// Faults were found, or the count does not add up.
    pub const FAULTS: u8 = 1;
    /// The command line makes no sense.
    pub const USAGE: u8 = 2;
    /// Another agent holds the state folder.
    pub const HELD: u8 = 3;
    /// The agent, the platform or the database cannot be reached.
    pub const UNREACHABLE: u8 = 4;
}

const EXIT_HELP: &str = "Exit codes:
  0  done, nothing is wrong
  1  faults were found, or sales and deliveries do not add up
  2  the command line makes no sense
  3  another agent holds the state folder
  4  the agent, the platform or the database cannot be reached";

const START_HELP: &str = "Start here:
  tillsync discover                             what could be read here, as a proposed configuration
  tillsync check --config agent.toml            what is wrong with the configuration, all at once
  tillsync preview --source tills               what would be read; stores and sends nothing
  tillsync run                                  read, record and send, until stopped
  tillsync status                               is the shop right, and if not, what to do

Exit codes:
  0  done, nothing is wrong
  1  faults were found, or sales and deliveries do not add up
  2  the command line makes no sense
  3  another agent holds the state folder
  4  the agent, the platform or the database cannot be reached";

/// Keeps the web shop's stock equal to the store's: reads what the POS writes, records every sale once, sends
/// each change once.
#[derive(Debug, Parser)]
#[command(name = "tillsync", version, about, after_help = START_HELP, propagate_version = true, max_term_width = 100)]
pub struct Cli {
    /// What every command takes.
    #[command(flatten)]
    pub common: Common,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What every command takes.
#[derive(Debug, Clone, Args)]
pub struct Common {
    /// The configuration file.
    #[arg(long, short, global = true, value_name = "FILE", env = "TILLSYNC_CONFIG", default_value = default_config_path())]
    pub config: PathBuf,
    /// Answer in JSON, for scripts.
    #[arg(long, global = true)]
    pub json: bool,
}

impl Common {
    /// Who reads the answer.
    #[must_use]
    pub const fn form(&self) -> Form {
        if self.json { Form::Json } else { Form::Human }
    }
}

const fn default_config_path() -> &'static str {
    if cfg!(windows) { r"C:\ProgramData\Tillsync\agent.toml" } else { "/etc/tillsync/agent.toml" }
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Read, record and send until stopped (Ctrl-C, SIGTERM).
    #[command(after_help = EXIT_HELP)]
    Run,
    /// Find all faults of the configuration at once.
    #[command(
        after_help = "Examples:\n  tillsync check --config agent.toml\n  tillsync check --online    also ask each platform and look at each source\n  tillsync check --online --probe TEST-1    find out what a development shop does with repeats and stale numbers"
    )]
    Check(CheckArgs),
    /// Show what a source would give, storing and sending nothing.
    #[command(
        after_help = "Examples:\n  tillsync preview --source tills --limit 20\n  tillsync preview --source tills --input sample.csv --json"
    )]
    Preview(PreviewArgs),
    /// Feed a captured file to a source of the running agent once more; what is known moves nothing.
    #[command(
        after_help = "The file is read with the source's own settings, beside its live reader. Nothing is booked twice.\n\nExamples:\n  tillsync replay --source till-1 capture.bin\n  tillsync replay --source tills /backup/2026-11-23.csv"
    )]
    Replay(ReplayArgs),
    /// Look for databases, sales files, printers and ports, and propose a configuration.
    #[command(
        after_help = "Only looks: it writes nothing but the proposal, and logs into nothing.\n\nExamples:\n  tillsync discover\n  tillsync discover /srv/pos --network 192.168.1.0/24 --output agent.toml"
    )]
    Discover(DiscoverArgs),
    /// Prove that every line read is in exactly one place: delivered, waiting, superseded, refused, quarantined or ignored.
    #[command(after_help = "Exits with 1 if the count does not add up.")]
    Audit,
    /// Is the shop right, and if not, what to do.
    Status,
    /// Changes on their way to the platforms.
    #[command(
        after_help = "Examples:\n  tillsync outbox list\n  tillsync outbox retry 4711\n  tillsync outbox discard 4711 --reason \"article no longer sold online\""
    )]
    Outbox {
        /// What to do; `list` if left out.
        #[command(subcommand)]
        action: Option<OutboxAction>,
    },
    /// What was read and could not become stock changes yet.
    #[command(after_help = "Examples:\n  tillsync quarantine list\n  tillsync quarantine show 12")]
    Quarantine {
        /// What to do; `list` if left out.
        #[command(subcommand)]
        action: Option<QuarantineAction>,
    },
    /// Which item of a platform each SKU is.
    #[command(after_help = "Examples:\n  tillsync mapping list\n  tillsync mapping forget 00123    look it up again")]
    Mapping {
        /// What to do; `list` if left out.
        #[command(subcommand)]
        action: Option<MappingAction>,
    },
    /// Counts of stock: what was counted, what is held, count now.
    #[command(
        after_help = "Examples:\n  tillsync count now night --dry-run        what a count would correct\n  tillsync count set 4006381333931=12       somebody has counted these on the shelf\n  tillsync count held                       counts that wait for a decision\n  tillsync count approve 7                  take a held count in"
    )]
    Count {
        /// What to do.
        #[command(subcommand)]
        action: count::CountAction,
    },
    /// Online orders that this store hands out: what is promised and still on the shelf.
    #[command(
        after_help = "Examples:\n  tillsync orders             units promised, by order\n  tillsync orders --json"
    )]
    Orders(ListArgs),
    /// Prices and units on order that the shop is told: how the lists stand, and what is held for a person.
    #[command(
        after_help = "Examples:\n  tillsync prices                             how each list stands\n  tillsync prices held                        values that somebody has to look at\n  tillsync prices show 3                      each value of a hold\n  tillsync prices approve 3\n  tillsync prices refuse 3 --reason \"wrong column\""
    )]
    Prices {
        /// What to do; how the lists stand if left out.
        #[command(subcommand)]
        action: Option<PricesAction>,
    },
    /// Compare the platforms' numbers with the store's, and repair them.
    #[command(
        after_help = "Examples:\n  tillsync reconcile --dry-run     what differs, nothing is written\n  tillsync reconcile               compare, look twice, repair\n  tillsync reconcile held          runs that wait for a decision\n  tillsync reconcile approve 12    carry a held run out\n  tillsync reconcile log           every number that was overwritten, and why"
    )]
    Reconcile(ReconcileArgs),
    /// List serial ports, and say what is heard on them. Sends nothing.
    #[command(
        after_help = "Examples:\n  tillsync ports                                  which ports there are\n  tillsync ports --listen                         what is heard on each of them within 30 seconds\n  tillsync ports --listen 60 /dev/ttyUSB0         what is heard on one of them within a minute"
    )]
    Ports(PortsArgs),
    /// Templates for printed tickets: learn one from captures, try one on them. Stores and sends nothing.
    #[command(
        after_help = "Examples:\n  tillsync receipts learn captures/ --output till.toml     propose a template from some captured receipts\n  tillsync receipts check --template till.toml other.bin   how a template reads receipts\n  tillsync receipts templates unicenta                     print a built-in template\n  tillsync receipts names names.csv                        printed names that stand for several SKUs"
    )]
    Receipts {
        /// What to do.
        #[command(subcommand)]
        action: ReceiptsAction,
    },
    /// Make a support bundle without secrets.
    #[command(after_help = "Example:\n  tillsync diag --output diag.tar.gz")]
    Diag {
        /// Where to write it [default: tillsync-diag-TIME.tar.gz in the working folder].
        #[arg(long, short, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Copy the agent's database while it runs.
    Backup {
        /// Where to write it [default: `backups` in the state folder].
        #[arg(long, short, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Put a copy of the database in place; the agent must not run.
    #[command(
        after_help = "What was sent after the copy was made is unknown. The SKUs concerned are read back from the platform\nand settled; no change is sent twice."
    )]
    Restore {
        /// The copy.
        #[arg(long, value_name = "FILE")]
        from: PathBuf,
    },
    /// Print the script that gives a login of the POS's database exactly the rights that a profile needs.
    #[command(
        after_help = "Examples:\n  tillsync grants                             the profiles and their databases\n  tillsync grants odoo-pos\n  tillsync grants unicenta --engine mysql > grants.sql"
    )]
    Grants(grants::GrantsArgs),
    /// Print the configuration without secrets and personal bits.
    MaskConfig,
    /// Print the JSON Schema of the configuration, for editors.
    ConfigSchema,
    /// Print the completions of a shell.
    #[command(after_help = "Example:\n  tillsync completions bash > /etc/bash_completion.d/tillsync")]
    Completions {
        /// Which shell.
        shell: clap_complete::Shell,
    },
}

impl Command {
    /// Does it work without a configuration?
    #[must_use]
    pub const fn needs_config(&self) -> bool {
        !matches!(
            self,
            Self::ConfigSchema
                | Self::Completions { .. }
                | Self::MaskConfig
                | Self::Diag { .. }
                | Self::Discover(_)
                | Self::Grants(_)
                | Self::Ports(_)
                | Self::Receipts { .. }
        )
    }
}

/// `check`
#[derive(Debug, Clone, Args)]
pub struct CheckArgs {
    /// Also look at each source and ask each platform.
    #[arg(long)]
    pub online: bool,
    /// Find out with this article what the platform really does with keys and numbers, then put its number back. For a
    /// development shop and an article that nobody buys.
    #[arg(long, value_name = "SKU", requires = "online")]
    pub probe: Option<String>,
    /// The platform to probe, if there are several.
    #[arg(long, value_name = "NAME", requires = "probe")]
    pub platform: Option<String>,
    /// Do not ask before the article's number is changed.
    #[arg(long, requires = "probe")]
    pub yes: bool,
}

/// `replay`
#[derive(Debug, Clone, Args)]
pub struct ReplayArgs {
    /// Name of the source.
    #[arg(long, value_name = "NAME")]
    pub source: String,
    /// The file or folder.
    #[arg(value_name = "PATH")]
    pub path: PathBuf,
}

/// `discover`
#[derive(Debug, Clone, Args)]
pub struct DiscoverArgs {
    /// Folders to look in, with those below them [default: where tills usually keep their files].
    #[arg(value_name = "FOLDER")]
    pub folders: Vec<PathBuf>,
    /// An address or a segment of the store's own network, as 192.168.1.0/24; may be given several times.
    #[arg(long, value_name = "SEGMENT")]
    pub network: Vec<String>,
    /// Write the proposed configuration to this new file.
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// `preview`
#[derive(Debug, Clone, Args)]
pub struct PreviewArgs {
    /// Name of the source.
    #[arg(long, value_name = "NAME")]
    pub source: String,
    /// Read this file or folder with the source's settings, in place of its own path.
    #[arg(long, value_name = "PATH")]
    pub input: Option<PathBuf>,
    /// Stop after this many lines.
    #[arg(long, value_name = "N")]
    pub limit: Option<u64>,
}

/// `ports`
#[derive(Debug, Clone, Args)]
pub struct PortsArgs {
    /// Listen for so many seconds, at every usual rate until something can be read. Let the till print meanwhile.
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "30")]
    pub listen: Option<String>,
    /// The rate to begin with, in bits a second.
    #[arg(long, value_name = "RATE", default_value_t = 9600)]
    pub baud: u32,
    /// Only these ports: as listed, or any other path or name.
    #[arg(value_name = "PORT")]
    pub ports: Vec<String>,
}

/// `receipts ...`
#[derive(Debug, Clone, Subcommand)]
pub enum ReceiptsAction {
    /// Propose a template from a handful of captured receipts, with its score and what it could not explain.
    Learn {
        /// Captures of whole tickets of sales; 5 to 20 tickets are enough.
        #[command(flatten)]
        captures: CaptureArgs,
        /// Name of the template, in a-z, 0-9 and -.
        #[arg(long, default_value = "learned")]
        name: String,
        /// Where to write it.
        #[arg(long, short, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Show how a template reads captured receipts.
    Check {
        /// A built-in template, or the path of a TOML file.
        #[arg(long, value_name = "TEMPLATE")]
        template: String,
        /// Show each row with what it means.
        #[arg(long)]
        rows: bool,
        /// What to read.
        #[command(flatten)]
        captures: CaptureArgs,
    },
    /// List the built-in templates, or print one.
    Templates {
        /// Print this one.
        name: Option<String>,
    },
    /// Look for printed names that stand for several SKUs.
    Names {
        /// The CSV table: printed name, price, sku.
        file: PathBuf,
    },
}

/// Captured receipts.
#[derive(Debug, Clone, Args)]
pub struct CaptureArgs {
    /// Captured bytes of a line, spool files, or folders of them.
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// The printer's language; without it, it is judged from the bytes.
    #[arg(long)]
    pub dialect: Option<PrintedDialect>,
    /// Code page that the printer uses until it is told another.
    #[arg(long, value_name = "PAGE")]
    pub code_page: Option<String>,
}

/// The language of a printer's line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum PrintedDialect {
    /// ESC/POS.
    Escpos,
    /// Star line mode.
    Star,
    /// A journal or text-overlay port.
    Journal,
    /// Lines of text.
    Plain,
}

/// `outbox ...`
#[derive(Debug, Clone, Subcommand)]
pub enum OutboxAction {
    /// Waiting, in flight and refused entries.
    List(ListArgs),
    /// Everything about one entry.
    Show {
        /// Number of the entry.
        id: i64,
    },
    /// Send a refused entry again.
    Retry {
        /// Number of the entry.
        id: i64,
    },
    /// Give a refused entry up; it stays on record with the reason.
    Discard {
        /// Number of the entry.
        id: i64,
        /// Why, for the record.
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
}

/// `quarantine ...`
#[derive(Debug, Clone, Subcommand)]
pub enum QuarantineAction {
    /// All of it, newest first.
    List(ListArgs),
    /// One record as it was read.
    Show {
        /// Number of the record.
        id: i64,
    },
    /// Read a record again, after the cause was mended.
    Retry {
        /// Number of the record.
        id: i64,
    },
    /// Give a record up; it stays on record with the reason.
    Discard {
        /// Number of the record.
        id: i64,
        /// Why, for the record.
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
}

/// `prices ...`
#[derive(Debug, Clone, Subcommand)]
pub enum PricesAction {
    /// Values that wait for a person.
    Held(ListArgs),
    /// The values of one hold.
    Show {
        /// Its number.
        id: i64,
    },
    /// Let held values through.
    Approve {
        /// Number of the hold.
        id: i64,
    },
    /// Keep what the shop has, until the POS says something else.
    Refuse {
        /// Number of the hold.
        id: i64,
        /// Why, for the record.
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
}

/// `mapping ...`
#[derive(Debug, Clone, Subcommand)]
pub enum MappingAction {
    /// All of it.
    List(ListArgs),
    /// Forget where a SKU goes; it is looked up again before the next change.
    Forget {
        /// The store's SKU.
        sku: String,
        /// Only on this platform.
        #[arg(long, value_name = "NAME")]
        platform: Option<String>,
    },
}

/// What `reconcile` takes.
#[derive(Debug, Clone, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct ReconcileArgs {
    /// Only show what would be done.
    #[arg(long)]
    pub dry_run: bool,
    /// Only this platform.
    #[arg(long, value_name = "NAME")]
    pub platform: Option<String>,
    /// What else to do.
    #[command(subcommand)]
    pub action: Option<ReconcileAction>,
}

/// What can be done about reconciliations.
#[derive(Debug, Clone, Subcommand)]
pub enum ReconcileAction {
    /// Runs that wait for a person's decision.
    Held(ListArgs),
    /// All runs.
    Runs(ListArgs),
    /// Every number of a shop that was overwritten: before, after, why, who.
    Log(ListArgs),
    /// Carry a held run out: only what it showed, and only where nothing has moved since.
    Approve {
        /// Its number.
        run: i64,
    },
    /// Give a held run up.
    Refuse {
        /// Its number.
        run: i64,
        /// Why, for the record.
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
}

/// What every list takes.
#[derive(Debug, Clone, Args)]
pub struct ListArgs {
    /// Most rows shown.
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub limit: u64,
}

impl Default for ListArgs {
    fn default() -> Self {
        Self { limit: 100 }
    }
}

/// Carries out what needs neither the database, a platform nor the running agent, and answers the exit code;
/// `None` for every other command.
///
/// # Errors
/// The answer cannot be written.
pub fn run_offline(cli: &Cli, out: &mut Output) -> io::Result<Option<u8>> {
    match &cli.command {
        Command::Check(CheckArgs { online: false, .. }) => {
            let (report, _) = check::offline(&cli.common.config);
            check::print(out, &report)?;
            Ok(Some(report.exit_code()))
        }
        Command::Grants(args) => grants::grants(args, out).map(Some),
        Command::MaskConfig => match config::masked(&cli.common.config) {
            Ok(text) => {
                out.answer(&serde_json::json!({ "config": text }), |out| out.bytes(text.as_bytes()))?;
                Ok(Some(exit::OK))
            }
            Err(faults) => {
                check::print(out, &check::CheckReport::refused(&faults))?;
                Ok(Some(exit::FAULTS))
            }
        },
        Command::ConfigSchema => {
            out.bytes(config::reference::schema_json().as_bytes())?;
            Ok(Some(exit::OK))
        }
        Command::Completions { shell } => {
            out.bytes(&completions(*shell))?;
            Ok(Some(exit::OK))
        }
        Command::Check(CheckArgs { online: true, .. })
        | Command::Run
        | Command::Reconcile(_)
        | Command::Count { .. }
        | Command::Preview(_)
        | Command::Discover(_)
        | Command::Replay(_)
        | Command::Audit
        | Command::Status
        | Command::Outbox { .. }
        | Command::Quarantine { .. }
        | Command::Mapping { .. }
        | Command::Orders(_)
        | Command::Prices { .. }
        | Command::Ports(_)
        | Command::Receipts { .. }
        | Command::Diag { .. }
        | Command::Backup { .. }
        | Command::Restore { .. } => Ok(None),
    }
}

/// The completions of `shell`.
#[must_use]
pub fn completions(shell: clap_complete::Shell) -> Vec<u8> {
    let mut out = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "tillsync", &mut out);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn config_and_json_may_stand_before_or_after_the_command() {
        for line in [
            ["tillsync", "--config", "a.toml", "--json", "status"],
            ["tillsync", "status", "--config", "a.toml", "--json"],
        ] {
            let cli = Cli::try_parse_from(line).unwrap();
            assert_eq!(cli.common.config, PathBuf::from("a.toml"));
            assert!(cli.common.json);
        }
    }

    #[test]
    fn every_command_of_the_interface_is_there() {
        for line in [
            "run",
            "check",
            "check --online",
            "check --online --probe TEST-1 --platform shop --yes",
            "preview --source a --input b --limit 3",
            "replay --source a b.csv",
            "discover /srv --network 192.168.1.0/24 --output a.toml",
            "audit",
            "status",
            "outbox",
            "outbox list",
            "outbox show 1",
            "outbox retry 1",
            "outbox discard 1 --reason x",
            "quarantine",
            "quarantine list --limit 5",
            "quarantine show 1",
            "quarantine retry 1",
            "quarantine discard 1 --reason x",
            "mapping",
            "mapping list",
            "mapping forget 00123",
            "reconcile --dry-run",
            "orders --limit 5",
            "prices",
            "prices held",
            "prices show 1",
            "prices approve 1",
            "prices refuse 1 --reason x",
            "receipts learn a.bin b --output t.toml --name front",
            "receipts check --template unicenta --rows --dialect star a.bin",
            "receipts templates",
            "receipts names n.csv",
            "ports",
            "ports --listen",
            "ports --listen 5 /dev/ttyUSB0 COM3",
            "diag --output x",
            "backup",
            "backup --output x",
            "restore --from x",
            "grants",
            "grants unicenta --engine mysql",
            "mask-config",
            "config-schema",
            "completions bash",
        ] {
            Cli::try_parse_from(std::iter::once("tillsync").chain(line.split(' ')))
                .unwrap_or_else(|error| panic!("{line}: {error}"));
        }
    }

    #[test]
    fn a_wrong_command_line_exits_with_the_usage_code() {
        let error = Cli::try_parse_from(["tillsync", "outbox", "discard", "1"]).unwrap_err();
        assert_eq!(error.exit_code(), i32::from(exit::USAGE));
    }

    #[test]
    fn completions_name_the_commands() {
        for shell in [clap_complete::Shell::Bash, clap_complete::Shell::PowerShell] {
            let text = String::from_utf8(completions(shell)).unwrap();
            assert!(text.contains("quarantine") && text.contains("config-schema"));
        }
    }
}
