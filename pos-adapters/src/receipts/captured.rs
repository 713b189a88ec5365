//! Captured bytes as receipts, for the installer's commands: a file as it came from the line, a spool file, a text file, or
//! a segment of a line's own store. Pure.

use super::judge::{Looks, judge};
use super::parse::{Dialect, Line, Parser};
use super::receipt::Receipt;
use super::store::{self, Event};

/// Receipts of a capture, and the dialect in which they were read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Captured {
    /// In order; blank ones are left out.
    pub receipts: Vec<Receipt>,
    /// As given, or as judged from the bytes.
    pub dialect: Dialect,
}

/// Reads a capture. Without a dialect the bytes are judged.
///
/// # Errors
/// Why the bytes cannot be read, and what to do.
pub fn receipts(bytes: &[u8], dialect: Option<Dialect>, code_page: Option<&str>) -> Result<Captured, String> {
    let events = if store::is_segment(bytes) {
        store::events_of(bytes).into_iter().map(|arrival| arrival.event).collect()
    } else {
        vec![Event::Data(bytes.to_vec()), Event::End]
    };
    let data: Vec<u8> = events
        .iter()
        .flat_map(|event| if let Event::Data(bytes) = event { bytes.as_slice() } else { &[] })
        .copied()
        .collect();
    let judged = judge(&data);
    match judged.looks {
        Looks::WrongSpeed => return Err("is noise: the port was captured at the wrong speed".to_owned()),
        Looks::SevenBits { even } => {
            let parity = if even { "7E1" } else { "7O1" };
            return Err(format!("has a parity bit in each byte: capture it again with `framing = \"{parity}\"`"));
        }
        Looks::Readable | Looks::Pictures | Looks::TooLittle => {}
    }
    let dialect = dialect.unwrap_or(judged.dialect);
    let line = Line { dialect, code_page: code_page.map(str::to_owned), ..Line::default() };
    let mut parser = Parser::new(&line, 0)?;
    let mut receipts = Vec::new();
    for event in &events {
        match event {
            Event::Data(bytes) => parser.push(bytes, &mut receipts),
            Event::Damage(why) => parser.damaged(why),
            Event::Away => parser.damaged("the port went away"),
            Event::End => parser.silence(&mut receipts),
            Event::Answer(_) => {}
        }
    }
    parser.finish(&mut receipts);
    receipts.retain(|receipt| !receipt.is_blank());
    Ok(Captured { receipts, dialect })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn captured_text_becomes_receipts() {
        let text = "EXAMPLE STORE\nCOLA            1.50\nTOTAL           1.50\n\x0cEXAMPLE STORE\nTOTAL 0.00\n";
        let captured = receipts(text.as_bytes(), Some(Dialect::Plain), None).unwrap();
        assert_eq!(captured.receipts.len(), 2);
        assert_eq!(captured.receipts[0].rows[1].text, "COLA            1.50");
        assert!(receipts(text.as_bytes(), None, Some("no such page")).is_err());
    }
}
