//! The parsers of what tills write, measured: megabytes and transactions a second on made-up sales, beside a bare
//! count of the lines of the same bytes in the same run; and with `--hostile`, memory and time on 100 MB of everything
//! that never ends.
//!
//! Never a test: it fails only if a parser does not read what was made for it, or needs more memory than it may. Run
//! by `cargo xtask bench --parsers` and `cargo xtask fuzz --hostile`.

mod hostile;
mod speed;

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser;
use pos_adapters::trial::{TRIALS, Trial};

/// Measures the parsers of what tills write.
#[derive(Debug, Parser)]
struct Arguments {
    /// Less data: shows that it works, proves little
    #[arg(long)]
    quick: bool,
    /// 100 MB of each kind of hostile input instead
    #[arg(long)]
    hostile: bool,
    /// Only this parser
    #[arg(long)]
    only: Option<String>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let chosen: Vec<(&str, Trial)> =
        TRIALS.iter().copied().filter(|(name, _)| arguments.only.as_deref().is_none_or(|only| only == *name)).collect();
    let good =
        if arguments.hostile { hostile::run(&chosen, arguments.quick) } else { speed::run(&chosen, arguments.quick) };
    if good && !chosen.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// A line of output.
fn say(text: &str) {
    // A closed pipe is the reader's choice.
    drop(writeln!(std::io::stdout(), "{}", text.trim_end()));
}
