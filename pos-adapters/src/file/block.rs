//! Blocks of a file at hand: what its start says, and where text positions are in its bytes. Pure.

use std::borrow::Cow;

use super::csv::{self, PREAMBLE_RECORDS_MAX};
use super::decode::{self, Encoding};
use super::frame::{self, Delimiters, Framing, LineEnd};
use super::interpret::Interpreter;
use super::plan::Plan;
use super::settings::Format;

/// Bytes within which the header must end.
pub(super) const HEADER_BYTES_MAX: usize = 64 * 1024;

/// What the start of a file says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Start {
    /// Data begins after so many bytes and records.
    Ready { bytes: usize, records: usize },
    /// There is too little to tell. The text says what is missing so far.
    Wait(String),
    /// It is not what the source reads.
    Refused(String),
}

/// Looks at the start of a file and prepares the interpreter. `complete`: nothing will follow.
pub(super) fn start(sample: &[u8], complete: bool, plan: &Plan, interpreter: &mut Interpreter) -> Start {
    let opening = decode::opening(sample);
    if let Some(what) = opening.foreign {
        return Start::Refused(format!("is {what}, not {}", name(plan)));
    }
    if let Some(encoding) = opening.encoding {
        interpreter.set_encoding(encoding);
    }
    let body = sample.get(opening.mark..).unwrap_or_default();
    let body = body.get(..body.len().min(HEADER_BYTES_MAX)).unwrap_or_default();
    let text = text(body, interpreter.encoding());
    interpreter.facts.line_end = frame::line_end(&text).or(interpreter.facts.line_end);
    let nothing = || Start::Wait("is empty".to_owned());
    if text.trim_ascii().is_empty() || text.iter().all(|b| *b == 0) {
        return nothing();
    }
    if plan.format != Format::Csv {
        return Start::Ready { bytes: opening.mark, records: 0 };
    }
    let Some(line_end) = interpreter.facts.line_end else {
        return if complete && !plan.header { headless(&text, opening.mark, plan, interpreter) } else { nothing() };
    };
    if !plan.header {
        return headless(&text, opening.mark, plan, interpreter);
    }
    with_header(&text, opening.mark, line_end, complete, plan, interpreter)
}

/// Looks for the header among the first records.
fn with_header(
    text: &[u8],
    mark: usize,
    line_end: LineEnd,
    complete: bool,
    plan: &Plan,
    interpreter: &mut Interpreter,
) -> Start {
    let mut frames = Vec::new();
    let delimiters = plan.delimiter.map_or(Delimiters::Usual, Delimiters::One);
    frame::frames(text, 0, Framing::Quoted(line_end, delimiters), PREAMBLE_RECORDS_MAX, &mut frames);
    let records: Vec<Cow<'_, str>> = frames
        .iter()
        .map(|frame| interpreter.clone().text(text.get(frame.start..frame.end).unwrap_or_default()))
        .collect();
    match csv::find_header(&records, plan.delimiter, &plan.slots) {
        Ok(found) => {
            let next = frames.get(found.records.saturating_sub(1)).map_or(0, |frame| frame.next);
            let bytes = raw_bytes(text.get(..next).unwrap_or_default(), interpreter.encoding());
            interpreter.set_layout(found.layout);
            Start::Ready { bytes: mark.saturating_add(bytes), records: found.records }
        }
        Err(lacks) => {
            let reason = format!(
                "has no header that names every mapped column: {}",
                lacks.unwrap_or_else(|| "no header at all".to_owned())
            );
            let searched = records.len() >= PREAMBLE_RECORDS_MAX || text.len() >= HEADER_BYTES_MAX;
            if complete || searched { Start::Refused(reason) } else { Start::Wait(reason) }
        }
    }
}

fn name(plan: &Plan) -> &'static str {
    match (&plan.table, plan.format) {
        (Some(table), _) => table.name(),
        (None, Format::Jsonl) => "a file of JSON lines",
        (None, Format::Json) => "a JSON file",
        (None, Format::Csv | Format::Fixed | Format::Dbf | Format::Xlsx) => "a CSV file",
    }
}

/// A file without a header: only the delimiter is to be found.
fn headless(text: &[u8], mark: usize, plan: &Plan, interpreter: &mut Interpreter) -> Start {
    let end = memchr::memchr2(b'\n', b'\r', text).unwrap_or(text.len());
    let first = String::from_utf8_lossy(text.get(..end).unwrap_or_default()).into_owned();
    let announced = csv::announced_delimiter(&first);
    let Some(delimiter) = plan.delimiter.or(announced).or_else(|| csv::delimiter_of(&first, &plan.slots)) else {
        return Start::Refused("has fewer columns than are mapped, with any usual delimiter".to_owned());
    };
    interpreter.set_layout(csv::Layout::by_number(delimiter, &plan.slots));
    let skipped = announced.map_or(0, |_| {
        let rest = text.get(end..).unwrap_or_default();
        end.saturating_add(if rest.starts_with(b"\r\n") { 2 } else { 1 })
    });
    let bytes = raw_bytes(text.get(..skipped).unwrap_or_default(), interpreter.encoding());
    Start::Ready { bytes: mark.saturating_add(bytes), records: usize::from(announced.is_some()) }
}

/// The bytes in which records are framed: as they are, or UTF-16 made UTF-8.
pub(super) fn text(bytes: &[u8], encoding: Option<Encoding>) -> Cow<'_, [u8]> {
    match encoding {
        Some(encoding) if encoding.is_utf16() => Cow::Owned(encoding.transcode(bytes).into_bytes()),
        Some(_) | None => Cow::Borrowed(bytes),
    }
}

/// How many bytes of the file a stretch of [`text`] came from.
pub(super) fn raw_bytes(text: &[u8], encoding: Option<Encoding>) -> usize {
    match encoding {
        Some(encoding) if encoding.is_utf16() => decode::utf16_bytes(&String::from_utf8_lossy(text)),
        Some(_) | None => text.len(),
    }
}
