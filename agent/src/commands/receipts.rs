//! `tillsync receipts`: templates for printed tickets, learned from captures and tried on them. Nothing is stored or sent.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use pos_adapters::receipts::learn::{self, Score};
use pos_adapters::receipts::names::NameTable;
use pos_adapters::receipts::receipt::Receipt;
use pos_adapters::receipts::template::{Template, built_in, built_in_names};
use pos_adapters::receipts::{Dialect, captured};
use serde_json::json;

use super::exit;
use crate::cli::output::{Align, Output, Table, Tone};
use crate::cli::{CaptureArgs, PrintedDialect, ReceiptsAction};

/// Largest capture that is read.
const CAPTURE_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Largest template or table of names.
const TEXT_BYTES_MAX: u64 = 16 * 1024 * 1024;

pub(super) fn receipts(action: &ReceiptsAction, out: &mut Output) -> anyhow::Result<u8> {
    match action {
        ReceiptsAction::Learn { captures, name, output } => learn(captures, name, output.as_deref(), out),
        ReceiptsAction::Check { template, rows, captures } => check(template, *rows, captures, out),
        ReceiptsAction::Templates { name } => templates(name.as_deref(), out),
        ReceiptsAction::Names { file } => names(file, out),
    }
}

fn learn(captures: &CaptureArgs, name: &str, output: Option<&Path>, out: &mut Output) -> anyhow::Result<u8> {
    let receipts = read(captures)?;
    let proposal = learn::learn(&receipts, name).map_err(anyhow::Error::msg)?;
    let file = proposal.template.to_toml();
    if let Some(path) = output {
        std::fs::write(path, &file).with_context(|| format!("cannot write `{}`", path.display()))?;
    }
    let answer = json!({
        "template": proposal.template, "built_in": proposal.built_in, "score": score_json(&proposal.score),
        "notes": proposal.notes
    });
    out.answer(&answer, |out| {
        match &proposal.built_in {
            Some(known) => out.line(&format!("The built-in template `{known}` reads these receipts best."))?,
            None => out.line("No built-in template reads these receipts as well as this one, made from them:")?,
        }
        tell_score(&proposal.score, out)?;
        for note in &proposal.notes {
            out.line(&out.paint(Tone::Warn, &format!("look at this: {note}")))?;
        }
        match output {
            Some(path) => out.line(&format!(
                "\nWritten to {}. Look at it, then try it on receipts that it was not learned from:\n  tillsync receipts check --template {} FILE...",
                path.display(),
                path.display()
            )),
            None if proposal.built_in.is_none() => out.line(&format!("\n{file}")),
            None => Ok(()),
        }
    })?;
    Ok(verdict(&proposal.score))
}

fn check(template: &str, rows: bool, captures: &CaptureArgs, out: &mut Output) -> anyhow::Result<u8> {
    let template = match built_in(template) {
        Some((_, template)) => template,
        None => {
            let text = text_of(Path::new(template))?;
            Template::from_toml(&text).map_err(anyhow::Error::msg).with_context(|| format!("`{template}`"))?
        }
    };
    let faults = template.faults();
    if !faults.is_empty() {
        let lines: Vec<String> = faults.iter().map(|fault| format!("{}: {}", fault.place, fault.message)).collect();
        bail!("template `{}` has faults:\n  {}", template.name, lines.join("\n  "));
    }
    let receipts = read(captures)?;
    let score = learn::score(&template, &receipts).map_err(anyhow::Error::msg)?;
    let explained = if rows { learn::explain(&template, &receipts).map_err(anyhow::Error::msg)? } else { Vec::new() };
    let json_rows: Vec<_> = explained.iter().map(|row| json!({ "row": row.text, "is": row.kind })).collect();
    out.answer(&json!({ "score": score_json(&score), "rows": json_rows }), |out| {
        if rows {
            let mut table = Table::new(&[("is", Align::Left), ("row", Align::Left)]);
            for row in &explained {
                table.row([row.kind.clone().unwrap_or_else(|| "?".to_owned()), row.text.clone()]);
            }
            out.table(&table)?;
        }
        tell_score(&score, out)
    })?;
    Ok(verdict(&score))
}

fn verdict(score: &Score) -> u8 {
    if score.tickets > 0 && score.believed == score.tickets { exit::OK } else { exit::FAULTS }
}

fn score_json(score: &Score) -> serde_json::Value {
    json!({
        "tickets": score.tickets, "believed": score.believed, "beside": score.beside, "rows": score.rows,
        "explained": score.explained, "set_aside": score.set_aside, "unexplained": score.unexplained
    })
}

fn tell_score(score: &Score, out: &mut Output) -> std::io::Result<()> {
    let tone = if score.tickets > 0 && score.believed == score.tickets { Tone::Good } else { Tone::Warn };
    let text = format!(
        "{} of {} tickets hold their control sums ({} %), {} move nothing by a rule; {} of {} rows are explained ({} %).",
        score.believed,
        score.tickets,
        score.believed_percent(),
        score.beside,
        score.explained,
        score.rows,
        score.explained_percent()
    );
    out.line(&out.paint(tone, &text))?;
    for (reason, count) in &score.set_aside {
        out.line(&format!("  set aside, {count} times: {reason}"))?;
    }
    for (shape, count) in &score.unexplained {
        out.line(&format!("  not explained, {count} times: {shape}"))?;
    }
    Ok(())
}

fn templates(name: Option<&str>, out: &mut Output) -> anyhow::Result<u8> {
    if let Some(name) = name {
        let (text, template) = built_in(name).with_context(|| format!("there is no built-in template `{name}`"))?;
        out.answer(&template, |out| out.bytes(text.as_bytes()))?;
        return Ok(exit::OK);
    }
    let known: Vec<(&str, String)> =
        built_in_names().filter_map(|name| built_in(name).map(|(_, template)| (name, template.about))).collect();
    let answer: Vec<_> = known.iter().map(|(name, about)| json!({ "name": name, "about": about })).collect();
    out.answer(&json!({ "templates": answer }), |out| {
        let mut table = Table::new(&[("template", Align::Left), ("for", Align::Left)]);
        for (name, about) in &known {
            table.row([*name, about]);
        }
        out.table(&table)
    })?;
    Ok(exit::OK)
}

fn names(file: &Path, out: &mut Output) -> anyhow::Result<u8> {
    let table = NameTable::from_csv(&text_of(file)?);
    let collisions = table.collisions();
    let listed: Vec<_> = collisions
        .iter()
        .map(|found| json!({ "name": found.name, "price": found.price, "skus": found.skus }))
        .collect();
    let faults: Vec<_> = table.faults.iter().map(|(line, fault)| json!({ "line": line, "fault": fault })).collect();
    out.answer(&json!({ "collisions": listed, "faults": faults }), |out| {
        for found in &collisions {
            let price = found.price.map(|price| format!(" at {price}")).unwrap_or_default();
            let text = format!("`{}`{price} has several SKUs and blocks: {}", found.name, found.skus.join(", "));
            out.line(&out.paint(Tone::Bad, &text))?;
        }
        for (line, fault) in &table.faults {
            out.line(&out.paint(Tone::Bad, &format!("line {line} {fault}")))?;
        }
        if collisions.is_empty() && table.faults.is_empty() {
            out.line(&out.paint(Tone::Good, "Every name stands for one SKU."))?;
        }
        Ok(())
    })?;
    Ok(if collisions.is_empty() && table.faults.is_empty() { exit::OK } else { exit::FAULTS })
}

/// The receipts of all captures. A folder stands for the files in it, in the order of their names.
fn read(captures: &CaptureArgs) -> anyhow::Result<Vec<Receipt>> {
    let dialect = captures.dialect.map(|dialect| match dialect {
        PrintedDialect::Escpos => Dialect::Escpos,
        PrintedDialect::Star => Dialect::Star,
        PrintedDialect::Journal => Dialect::Journal,
        PrintedDialect::Plain => Dialect::Plain,
    });
    let mut files: Vec<PathBuf> = Vec::new();
    for path in &captures.files {
        if path.is_dir() {
            let listed = std::fs::read_dir(path).with_context(|| format!("cannot list `{}`", path.display()))?;
            let mut inside: Vec<PathBuf> = listed.filter_map(Result::ok).map(|entry| entry.path()).collect();
            inside.retain(|path| path.is_file());
            inside.sort();
            files.extend(inside);
        } else {
            files.push(path.clone());
        }
    }
    let mut receipts = Vec::new();
    for path in &files {
        let bytes = bytes_of(path, CAPTURE_BYTES_MAX)?;
        let found = captured::receipts(&bytes, dialect, captures.code_page.as_deref())
            .map_err(|error| anyhow::anyhow!("`{}` {error}", path.display()))?;
        receipts.extend(found.receipts);
    }
    Ok(receipts)
}

fn text_of(path: &Path) -> anyhow::Result<String> {
    let bytes = bytes_of(path, TEXT_BYTES_MAX)?;
    String::from_utf8(bytes).with_context(|| format!("`{}` is not UTF-8 text", path.display()))
}

fn bytes_of(path: &Path, most: u64) -> anyhow::Result<Vec<u8>> {
    let file = std::fs::File::open(path).with_context(|| format!("cannot open `{}`", path.display()))?;
    let mut bytes = Vec::new();
    let read = file.take(most.saturating_add(1)).read_to_end(&mut bytes);
    let length = read.with_context(|| format!("cannot read `{}`", path.display()))?;
    anyhow::ensure!(
        u64::try_from(length).is_ok_and(|length| length <= most),
        "`{}` is larger than {most} bytes",
        path.display()
    );
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::output::Form;

    fn captures(files: Vec<PathBuf>) -> CaptureArgs {
        CaptureArgs { files, dialect: Some(PrintedDialect::Plain), code_page: None }
    }

    fn ticket(number: u32) -> String {
        format!(
            "EXAMPLE STORE\nTicket {number}  Till 2\n1{}/03/2026 10:00\nCOLA  2   3.00\nTEA   1   2.00\nTOTAL     5.00\nCASH      5.00\n",
            number % 9
        )
    }

    #[test]
    fn what_is_learned_is_written_and_reads_other_receipts() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: String| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let learned: Vec<PathBuf> = (1..6).map(|n| file(&format!("{n}.txt"), ticket(100 + n))).collect();
        let template = folder.path().join("template.toml");
        let mut out = Output::to(Box::new(std::io::sink()), Form::Human);
        let code = learn(&captures(learned), "front", Some(&template), &mut out).unwrap();
        assert_eq!(code, exit::OK);
        let template = template.to_string_lossy().into_owned();
        let other = file("other.txt", ticket(200));
        assert_eq!(check(&template, true, &captures(vec![other]), &mut out).unwrap(), exit::OK);
        let wrong = file("wrong.txt", ticket(201).replace("TOTAL     5.00", "TOTAL     6.00"));
        assert_eq!(check(&template, false, &captures(vec![wrong]), &mut out).unwrap(), exit::FAULTS);
    }

    #[test]
    fn a_name_with_two_skus_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("names.csv");
        std::fs::write(&path, "name,price,sku\nTEA,,1\nTEA,,2\n").unwrap();
        let mut out = Output::to(Box::new(std::io::sink()), Form::Json);
        assert_eq!(names(&path, &mut out).unwrap(), exit::FAULTS);
        assert_eq!(templates(None, &mut out).unwrap(), exit::OK);
        assert!(templates(Some("no-such"), &mut out).is_err());
    }
}
