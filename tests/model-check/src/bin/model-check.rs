//! Searches the models and prints what came out: `cargo xtask model-check`.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;
use model_check::cases::{self, Case, Expected};
use model_check::{Finding, Verdict};

#[derive(Debug, Parser)]
#[command(name = "model-check", about = "Search the models of the protocol exhaustively")]
struct Options {
    /// Only cases that take a second or two
    #[arg(long)]
    quick: bool,
    /// Only cases whose name contains this
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
    /// Print the table as Markdown
    #[arg(long)]
    markdown: bool,
}

fn main() -> ExitCode {
    let options = Options::parse();
    match run(&options) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            let _unheard = writeln!(io::stderr(), "model-check: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> anyhow::Result<bool> {
    let mut out = io::stdout().lock();
    let wanted = |case: &Case| {
        (!options.quick || case.quick) && options.only.as_deref().is_none_or(|text| case.name.contains(text))
    };
    if options.markdown {
        writeln!(out, "| case | rules | platform | states | s | verdict |\n|---|---|---|---|---|---|")?;
    }
    let (mut cases, mut states, mut wrong) = (0_usize, 0_usize, Vec::new());
    for case in cases::all().into_iter().filter(wanted) {
        let finding = case.search();
        let as_expected = case.is_met(&finding);
        print(&mut out, options, &case, &finding, as_expected)?;
        out.flush()?;
        cases += 1;
        states += finding.states;
        if !as_expected {
            wrong.push(case.name);
        }
    }
    writeln!(out, "\n{cases} cases, {states} states, {} not as expected: {}", wrong.len(), wrong.join(", "))?;
    Ok(wrong.is_empty() && cases > 0)
}

fn print(out: &mut impl Write, options: &Options, case: &Case, finding: &Finding, as_expected: bool) -> io::Result<()> {
    let verdict = match &finding.verdict {
        Verdict::Holds => "holds".to_owned(),
        Verdict::Violated { trace, .. } => format!("violated in {} steps", trace.len()),
        Verdict::Unfinished => "unfinished".to_owned(),
    };
    let (name, what, class, states) = (case.name, case.what, case.class, finding.states);
    let seconds = finding.time.as_secs_f32();
    if options.markdown {
        return writeln!(out, "| `{name}` | {what} | {class} | {states} | {seconds:.1} | {verdict} |");
    }
    writeln!(out, "{verdict:<22} {name:<28} {states:>10} states {seconds:>7.1} s  {what} ({class})")?;
    if !as_expected {
        let expected = match case.expected {
            Expected::Holds => "to hold".to_owned(),
            Expected::Violated { steps } => format!("a violation in {steps} steps"),
        };
        writeln!(out, "    NOT AS EXPECTED: {expected}")?;
    }
    if let Verdict::Violated { trace, fault } = &finding.verdict {
        writeln!(out, "    {}\n    => {fault}", trace.join("; "))?;
    }
    Ok(())
}
