//! Where records begin and end in a block of bytes. Pure; a record is complete only at its terminator.

use memchr::{memchr, memchr2};
use serde::{Deserialize, Serialize};

/// How lines end, decided once per file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum LineEnd {
    /// LF, with or without a CR before it.
    Lf,
    /// CR alone, as old Macintosh programs write.
    Cr,
}

/// What separates records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    /// Lines.
    Lines(LineEnd),
    /// Lines, but a field that starts with a quote may contain line breaks.
    Quoted(LineEnd, Delimiters),
    /// Elements of one JSON array, or JSON objects one after another.
    Elements,
}

/// Bytes after which a field starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Delimiters {
    One(u8),
    /// Not decided yet: any usual one.
    Usual,
}

impl Delimiters {
    const fn contains(self, byte: u8) -> bool {
        match self {
            Self::One(one) => one == byte,
            Self::Usual => matches!(byte, b',' | b';' | b'\t' | b'|'),
        }
    }
}

/// One record in a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) start: usize,
    /// End of the content, without terminator.
    pub(super) end: usize,
    /// Start of the next record.
    pub(super) next: usize,
}

/// What is left after the last complete record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tail {
    pub(super) start: usize,
    /// A quote was opened and not closed.
    pub(super) open_quote: bool,
    /// JSON: the array or object of the whole file was closed.
    pub(super) closed: bool,
}

/// Decides how lines end: `None` while the block does not tell.
pub(super) fn line_end(block: &[u8]) -> Option<LineEnd> {
    match memchr2(b'\r', b'\n', block) {
        None => None,
        Some(at) => match (block.get(at), block.get(at.saturating_add(1))) {
            (Some(b'\n'), _) | (Some(b'\r'), Some(b'\n')) => Some(LineEnd::Lf),
            (Some(b'\r'), Some(b'\r')) => memchr(b'\n', block).map(|_| LineEnd::Lf).or(Some(LineEnd::Cr)),
            (Some(b'\r'), Some(_)) => Some(LineEnd::Cr),
            _ => None,
        },
    }
}

/// Finds the complete records from `from` on, at most `records_max`.
pub(super) fn frames(block: &[u8], from: usize, framing: Framing, records_max: usize, found: &mut Vec<Frame>) -> Tail {
    found.clear();
    let mut start = from;
    let mut open_quote = false;
    let mut closed = false;
    while found.len() < records_max {
        let step = match framing {
            Framing::Lines(end) => line(block, start, end).map_or(Step::Incomplete, Step::Record),
            Framing::Quoted(end, delimiters) => quoted(block, start, end, delimiters),
            Framing::Elements => element(block, start),
        };
        match step {
            Step::Record(frame) => {
                start = frame.next;
                found.push(frame);
            }
            Step::Incomplete => break,
            Step::OpenQuote => {
                open_quote = true;
                break;
            }
            Step::Closed(next) => {
                (start, closed) = (next, true);
                break;
            }
        }
    }
    Tail { start, open_quote, closed }
}

enum Step {
    Record(Frame),
    Incomplete,
    OpenQuote,
    Closed(usize),
}

/// The physical line at `start`, whatever quotes it contains.
pub(super) fn line(block: &[u8], start: usize, end: LineEnd) -> Option<Frame> {
    let terminator = match end {
        LineEnd::Lf => b'\n',
        LineEnd::Cr => b'\r',
    };
    let at = start.saturating_add(memchr(terminator, block.get(start..)?)?);
    Some(terminated(block, start, at, end))
}

fn terminated(block: &[u8], start: usize, at: usize, end: LineEnd) -> Frame {
    let carriage = end == LineEnd::Lf && at > start && block.get(at.saturating_sub(1)) == Some(&b'\r');
    Frame { start, end: if carriage { at.saturating_sub(1) } else { at }, next: at.saturating_add(1) }
}

fn quoted(block: &[u8], start: usize, end: LineEnd, delimiters: Delimiters) -> Step {
    let terminator = if end == LineEnd::Lf { b'\n' } else { b'\r' };
    let Some(rest) = block.get(start..) else {
        return Step::Incomplete;
    };
    let first_line = memchr(terminator, rest);
    let reach = rest.get(..first_line.unwrap_or(rest.len())).unwrap_or_default();
    let Some(first_quote) = memchr(b'"', reach) else {
        return first_line
            .map_or(Step::Incomplete, |at| Step::Record(terminated(block, start, start.saturating_add(at), end)));
    };
    let mut at = start.saturating_add(first_quote);
    let starts_field =
        |at: usize| at == start || block.get(at.saturating_sub(1)).is_some_and(|b| delimiters.contains(*b));
    loop {
        // `at` is a quote outside of a quoted field.
        if starts_field(at) {
            match closing_quote(block, at.saturating_add(1), delimiters) {
                Some(close) => at = close.saturating_add(1),
                None => return Step::OpenQuote,
            }
        } else {
            at = at.saturating_add(1);
        }
        match block.get(at..).and_then(|rest| memchr2(b'"', terminator, rest)) {
            None => return Step::Incomplete,
            Some(ahead) => at = at.saturating_add(ahead),
        }
        if block.get(at) == Some(&terminator) {
            return Step::Record(terminated(block, start, at, end));
        }
    }
}

/// The quote that ends a field: one before a delimiter or a line break. Doubled quotes, quotes after a backslash and
/// stray ones belong to the text.
pub(super) fn closing_quote(block: &[u8], mut from: usize, delimiters: Delimiters) -> Option<usize> {
    loop {
        let at = from.saturating_add(memchr(b'"', block.get(from..)?)?);
        match block.get(at.saturating_add(1)) {
            Some(b'"') => from = at.saturating_add(2),
            Some(b'\n' | b'\r') => return Some(at),
            Some(next) if delimiters.contains(*next) => return Some(at),
            Some(_) => from = at.saturating_add(1),
            None => return None,
        }
    }
}

/// The next JSON element: commas, blanks and the opening bracket before it are skipped.
fn element(block: &[u8], start: usize) -> Step {
    let mut at = start;
    loop {
        match block.get(at) {
            None => return Step::Incomplete,
            Some(b' ' | b'\t' | b'\r' | b'\n' | b',' | b'[') => at = at.saturating_add(1),
            Some(b']') => return Step::Closed(block.len()),
            Some(b'{') => {
                let Some(end) = super::json::composite_end(block, at) else {
                    return Step::Incomplete;
                };
                return Step::Record(Frame { start: at, end, next: end });
            }
            Some(_) => {
                // Not an element: taken up to the next line, to be refused there.
                let ahead = memchr(b'\n', block.get(at..).unwrap_or_default());
                let end = ahead.map_or(block.len(), |ahead| at.saturating_add(ahead));
                return Step::Record(Frame { start: at, end, next: end });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMA: Framing = Framing::Quoted(LineEnd::Lf, Delimiters::One(b','));

    #[test]
    fn only_terminated_records_are_complete() {
        check(b"a,b\r\nc,d\ne,", COMMA, &["a,b", "c,d"], false);
        check(b"a\rb\rc", Framing::Lines(LineEnd::Cr), &["a", "b"], false);
    }

    #[test]
    fn a_quoted_field_may_contain_line_breaks() {
        check(b"a,\"x\ny\",b\nc\n", COMMA, &["a,\"x\ny\",b", "c"], false);
        check(b"a,\"say \"\"hi\"\"\n\",b\nc\n", COMMA, &["a,\"say \"\"hi\"\"\n\",b", "c"], false);
        check(b"a\n1,\"x\ny", COMMA, &["a"], true);
        check(b"a,19\" rack,b\n1,=\"001\",2\n", COMMA, &["a,19\" rack,b", "1,=\"001\",2"], false);
        check(b"a,\"19\" rack\",b\nc\n", COMMA, &["a,\"19\" rack\",b", "c"], false);
    }

    #[test]
    fn elements_of_an_array_are_found_over_line_breaks() {
        check(b"[ {\"a\":\"]}\"},\n{\"b\":[{}]}\n]\n", Framing::Elements, &["{\"a\":\"]}\"}", "{\"b\":[{}]}"], false);
        check(b"[{\"a\":1},{\"b\":", Framing::Elements, &["{\"a\":1}"], false);
    }

    #[test]
    fn line_ends_are_told_by_the_first_one() {
        assert_eq!(line_end(b"a\r\nb"), Some(LineEnd::Lf));
        assert_eq!(line_end(b"a\rb"), Some(LineEnd::Cr));
        assert_eq!(line_end(b"a\r"), None);
    }

    fn check(block: &[u8], framing: Framing, expected: &[&str], open_quote: bool) {
        let mut found = Vec::new();
        let tail = frames(block, 0, framing, 100, &mut found);
        let texts: Vec<_> = found.iter().map(|f| std::str::from_utf8(&block[f.start..f.end]).unwrap()).collect();
        assert_eq!((texts.as_slice(), tail.open_quote), (expected, open_quote));
    }
}
