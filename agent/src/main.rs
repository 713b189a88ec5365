//! The `tillsync` program: parse, run, exit code.

use std::process::ExitCode;

use clap::Parser as _;
use tillsync::cli::Cli;
use tillsync::cli::output::{Form, Output, Tone};
use tillsync::{commands, connect, crash};

fn main() -> ExitCode {
    crash::arm();
    let cli = Cli::parse();
    let mut out = Output::stdout(if cli.common.json { Form::Json } else { Form::Human });
    connect::install_tls();
    match commands::run(&cli, &mut out) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            let mut errors = Output::to(Box::new(std::io::stderr()), Form::Human);
            let text = errors.paint(Tone::Bad, &format!("tillsync: {error:#}"));
            // Nothing is left to tell it to.
            let _unwritable = errors.line(&text);
            ExitCode::from(commands::exit_code(&error))
        }
    }
}
