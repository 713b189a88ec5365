//! `cargo xtask bench`: the agent beside the limits of the machine, and with `--peers` beside what others use.

mod peers;

use clap::Args;

use crate::build::{self, Doubles};
use crate::contracts;
use crate::say;
use crate::shell;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Run beside other programs that do the same work (needs ../shared/bench)
    #[arg(long)]
    peers: bool,
    /// Only the parsers of what tills write, each beside a count of the lines of the same bytes
    #[arg(long, conflicts_with = "peers")]
    parsers: bool,
    /// Only reconciliation: 50,000 articles with 1 % drift at each platform's own limits
    #[arg(long, conflicts_with_all = ["peers", "parsers"])]
    reconcile: bool,
    /// Fewer samples: shows that it works, proves little
    #[arg(long)]
    quick: bool,
}

pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    if options.parsers {
        let program = build::doubles(Doubles::Release, &["parsers"])?.remove(0);
        let mut command = shell::command(program);
        if options.quick {
            command.arg("--quick");
        }
        return shell::hand_over_to(command);
    }
    let agent = build::agent()?;
    if options.reconcile {
        let program = build::doubles(Doubles::Release, &["reconcile"])?.remove(0);
        let mut command = shell::command(program);
        command.arg("--agent").arg(agent);
        if options.quick {
            command.args(["--articles", "2000"]);
        }
        return shell::hand_over_to(command);
    }
    if options.peers {
        return peers::run(&agent, options.quick);
    }
    let bench = build::doubles(Doubles::Release, &["bench"])?.remove(0);
    if shell::find("strace").is_none() && shell::may_install() {
        say::step("Installing strace");
        // Without it one row is left out, and says so.
        drop(shell::install(&["strace"]));
    }
    let mut command = shell::command(bench);
    command.arg("--agent").arg(agent).arg("--work").arg(shell::target().join("bench"));
    command.arg("--templates").arg(shell::root().join("xtask").join("bench"));
    if let Some(folder) = contracts::present() {
        command.env(contracts::VARIABLE, folder);
    }
    if options.quick {
        command.arg("--quick");
    }
    shell::hand_over_to(command)
}
