//! Finds the values of bound keys in one JSON object without building a tree. Pure. Numbers stay the text that was
//! written: they never pass through a float.

use memchr::{memchr, memchr2};

use super::cells::{Cell, Cells};

/// Names to look for, as a tree of dotted paths.
#[derive(Debug, Clone, Default)]
pub(super) struct Paths(Vec<Node>);

#[derive(Debug, Clone)]
struct Node {
    name: String,
    slot: Option<usize>,
    below: Paths,
}

impl Paths {
    pub(super) fn add(&mut self, path: &str, slot: usize) {
        let (head, rest) = path.split_once('.').map_or((path, None), |(head, rest)| (head, Some(rest)));
        let at = self.0.iter().position(|node| node.name == head).unwrap_or_else(|| {
            self.0.push(Node { name: head.to_owned(), slot: None, below: Self::default() });
            self.0.len().saturating_sub(1)
        });
        let Some(node) = self.0.get_mut(at) else {
            return;
        };
        match rest {
            None => node.slot = Some(slot),
            Some(rest) => node.below.add(rest, slot),
        }
    }

    fn find(&self, name: &str) -> Option<&Node> {
        self.0.iter().find(|node| node.name == name)
    }
}

/// Why a record is not read; the text is for people.
pub(super) type Fault = String;

/// Reads one object, which must be all of `record`, into the slots of `paths`.
pub(super) fn read(record: &str, paths: &Paths, cells: &mut Cells) -> Result<(), Fault> {
    let start = record.len().saturating_sub(record.trim_ascii_start().len());
    let end = object(record, start, paths, cells)?;
    if record.get(end..).is_some_and(|rest| rest.trim_ascii().is_empty()) { Ok(()) } else { Err(garbled(end)) }
}

/// The elements of an array that was met as a value, as positions in the record.
pub(super) fn elements(record: &str, start: usize, end: usize) -> Result<Vec<(usize, usize)>, Fault> {
    let bytes = record.as_bytes();
    let mut found = Vec::new();
    if bytes.get(start) != Some(&b'[') {
        return Err("the array of lines is not an array".to_owned());
    }
    let mut at = blanks(bytes, start.saturating_add(1));
    while at < end && bytes.get(at) != Some(&b']') {
        let stop = value_end(bytes, at)?;
        found.push((at, stop));
        at = blanks(bytes, stop);
        if bytes.get(at) == Some(&b',') {
            at = blanks(bytes, at.saturating_add(1));
        } else if bytes.get(at) != Some(&b']') {
            return Err(garbled(at));
        }
    }
    Ok(found)
}

fn garbled(at: usize) -> Fault {
    format!("is not one well-formed JSON object (at byte {at} of the record)")
}

fn object(record: &str, start: usize, paths: &Paths, cells: &mut Cells) -> Result<usize, Fault> {
    let bytes = record.as_bytes();
    if bytes.get(start) != Some(&b'{') {
        return Err(garbled(start));
    }
    let mut at = blanks(bytes, start.saturating_add(1));
    if bytes.get(at) == Some(&b'}') {
        return Ok(at.saturating_add(1));
    }
    loop {
        if bytes.get(at) != Some(&b'"') {
            return Err(garbled(at));
        }
        let key_end = string_end(bytes, at)?;
        let key = record.get(at.saturating_add(1)..key_end.saturating_sub(1)).ok_or_else(|| garbled(at))?;
        let colon = blanks(bytes, key_end);
        if bytes.get(colon) != Some(&b':') {
            return Err(garbled(colon));
        }
        let value = blanks(bytes, colon.saturating_add(1));
        let node = if memchr(b'\\', key.as_bytes()).is_some() {
            let key: String =
                serde_json::from_str(record.get(at..key_end).unwrap_or_default()).map_err(|_| garbled(at))?;
            paths.find(&key)
        } else {
            paths.find(key)
        };
        let stop = match node {
            None => value_end(bytes, value)?,
            Some(node) => bound_value(record, value, node, cells)?,
        };
        at = blanks(bytes, stop);
        match bytes.get(at) {
            Some(b',') => at = blanks(bytes, at.saturating_add(1)),
            Some(b'}') => return Ok(at.saturating_add(1)),
            _ => return Err(garbled(at)),
        }
    }
}

fn bound_value(record: &str, start: usize, node: &Node, cells: &mut Cells) -> Result<usize, Fault> {
    let bytes = record.as_bytes();
    if !node.below.0.is_empty() && bytes.get(start) == Some(&b'{') {
        return object(record, start, &node.below, cells);
    }
    let end = value_end(bytes, start)?;
    let Some(slot) = node.slot else {
        return Ok(end);
    };
    if !matches!(cells.cell(slot), Cell::Absent) {
        return Err(format!("has the key `{}` twice", node.name));
    }
    match bytes.get(start) {
        Some(b'"') => {
            let text = record.get(start.saturating_add(1)..end.saturating_sub(1)).ok_or_else(|| garbled(start))?;
            if memchr(b'\\', text.as_bytes()).is_some() {
                let text: String =
                    serde_json::from_str(record.get(start..end).unwrap_or_default()).map_err(|_| garbled(start))?;
                cells.set_text(slot, &text);
            } else {
                cells.set(slot, start.saturating_add(1), end.saturating_sub(1));
            }
        }
        Some(b'n') => cells.set(slot, start, start),
        _ => cells.set(slot, start, end),
    }
    Ok(end)
}

fn blanks(bytes: &[u8], mut at: usize) -> usize {
    while matches!(bytes.get(at), Some(b' ' | b'\t' | b'\r' | b'\n')) {
        at = at.saturating_add(1);
    }
    at
}

/// After the closing quote of the string at `start`.
fn string_end(bytes: &[u8], start: usize) -> Result<usize, Fault> {
    let mut at = start.saturating_add(1);
    loop {
        let ahead = bytes.get(at..).and_then(|rest| memchr2(b'"', b'\\', rest)).ok_or_else(|| garbled(start))?;
        at = at.saturating_add(ahead);
        if bytes.get(at) == Some(&b'"') {
            return Ok(at.saturating_add(1));
        }
        at = at.saturating_add(2);
    }
}

fn value_end(bytes: &[u8], start: usize) -> Result<usize, Fault> {
    match bytes.get(start) {
        Some(b'"') => string_end(bytes, start),
        Some(b'{' | b'[') => composite_end(bytes, start).ok_or_else(|| garbled(start)),
        Some(b'-' | b'0'..=b'9' | b't' | b'f' | b'n') => {
            let rest = bytes.get(start..).unwrap_or_default();
            let long = rest.iter().take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'+' | b'.')).count();
            let token = rest.get(..long).unwrap_or_default();
            let word = token.first().is_some_and(u8::is_ascii_alphabetic);
            if word && !matches!(token, b"true" | b"false" | b"null") {
                return Err(garbled(start));
            }
            Ok(start.saturating_add(long))
        }
        _ => Err(garbled(start)),
    }
}

/// After the bracket that closes the object or array at `start`; `None` if it is not closed.
pub(super) fn composite_end(bytes: &[u8], start: usize) -> Option<usize> {
    let mut depth = 0_usize;
    let mut at = start;
    loop {
        match bytes.get(at)? {
            b'"' => {
                at = string_end(bytes, at).ok()?;
                continue;
            }
            b'{' | b'[' => depth = depth.saturating_add(1),
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return Some(at.saturating_add(1));
                }
            }
            _ => {}
        }
        at = at.saturating_add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bound_keys_are_found_at_any_depth() {
        check(
            r#"{"x":{"id":9},"id":"A1","line":{"sku":"S\u0031","n":[1,{"}":"{"}]},"qty":12345678901234567890.10}"#,
            Ok(&["A1", "S1", "12345678901234567890.10"]),
        );
        check(r#"{ "id" : null , "qty":-2 }"#, Ok(&["", "", "-2"]));
        check(r#"{"\u0069d":true}"#, Ok(&["true", "", ""]));
    }

    #[test]
    fn a_repeated_key_and_broken_records_are_refused() {
        check(r#"{"id":1,"id":2}"#, Err("twice"));
        for text in [r#"{"id":1"#, r#"{"id":1}{"id":2}"#, r#"{"id" 1}"#, "[1]", r#"{"a":nope}"#, r#"{"id":"a"b"}"#] {
            check(text, Err("well-formed"));
        }
    }

    fn check(record: &str, expected: Result<&[&str], &str>) {
        let mut paths = Paths::default();
        for (slot, path) in ["id", "line.sku", "qty"].into_iter().enumerate() {
            paths.add(path, slot);
        }
        let mut cells = Cells::default();
        cells.clear(3);
        let read = read(record, &paths, &mut cells);
        match expected {
            Ok(values) => {
                assert_eq!(read, Ok(()), "{record}");
                let found: Vec<_> = (0..3).map(|slot| cells.get(slot, record)).collect();
                assert_eq!(found, values);
            }
            Err(part) => assert!(read.is_err_and(|fault| fault.contains(part)), "{record}"),
        }
    }
}
