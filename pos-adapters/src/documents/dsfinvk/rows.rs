//! Rows of a table with delimiters, in pieces of any size. Pure.

use std::borrow::Cow;

/// Longest row.
pub(crate) const ROW_BYTES_MAX: usize = 256 * 1024;

/// Takes the fields of one row, or says why the table is refused.
pub(super) type TakeRow<'t> = &'t mut dyn FnMut(&[Cow<'_, str>]) -> Result<(), String>;

/// Cuts rows at line breaks outside of quotes.
#[derive(Debug)]
pub(super) struct Rows {
    delimiter: u8,
    quote: u8,
    row: Vec<u8>,
    quoted: bool,
    first: bool,
}

impl Rows {
    pub(super) fn new(delimiter: u8, quote: u8) -> Self {
        Self { delimiter, quote, row: Vec::new(), quoted: false, first: true }
    }

    /// Takes a piece and gives on the rows that it ends.
    pub(super) fn push(&mut self, piece: &[u8], take: TakeRow<'_>) -> Result<(), String> {
        let mut rest = piece;
        while let Some(found) = rest.iter().position(|b| *b == b'\n' || *b == self.quote) {
            let (before, after) = rest.split_at_checked(found).unwrap_or((rest, &[]));
            self.row.extend_from_slice(before);
            let byte = after.first().copied().unwrap_or(b'\n');
            rest = after.get(1..).unwrap_or_default();
            if byte == b'\n' && !self.quoted {
                self.give(take)?;
            } else {
                self.row.push(byte);
                self.quoted ^= byte == self.quote;
            }
            self.within_limit()?;
        }
        self.row.extend_from_slice(rest);
        self.within_limit()
    }

    /// The last row needs no line break. A row that ends within quotes was not written to its end.
    pub(super) fn finish(&mut self, take: TakeRow<'_>) -> Result<(), String> {
        if self.quoted {
            return Err("ends within quotes: it was not written to its end".to_owned());
        }
        self.give(take)
    }

    fn within_limit(&self) -> Result<(), String> {
        if self.row.len() > ROW_BYTES_MAX {
            Err(format!("has a row longer than {ROW_BYTES_MAX} bytes"))
        } else {
            Ok(())
        }
    }

    fn give(&mut self, take: TakeRow<'_>) -> Result<(), String> {
        let mut row: &[u8] = &self.row;
        if std::mem::take(&mut self.first) {
            row = row.strip_prefix(b"\xef\xbb\xbf").unwrap_or(row);
        }
        row = row.strip_suffix(b"\r").unwrap_or(row);
        if !matches!(row.trim_ascii(), [] | [0x1a]) {
            let text = std::str::from_utf8(row)
                .map_or_else(|_| encoding_rs::WINDOWS_1252.decode_without_bom_handling(row).0, Cow::Borrowed);
            let fields = split(&text, char::from(self.delimiter), char::from(self.quote));
            take(&fields)?;
        }
        self.row.clear();
        Ok(())
    }
}

fn split(row: &str, delimiter: char, quote: char) -> Vec<Cow<'_, str>> {
    let mut fields = Vec::new();
    let mut rest = row;
    loop {
        let trimmed = rest.trim_start_matches([' ', '\t']);
        if let Some(inner) = trimmed.strip_prefix(quote) {
            let (field, after) = quoted(inner, quote);
            fields.push(field);
            match after.find(delimiter).and_then(|at| after.get(at.saturating_add(delimiter.len_utf8())..)) {
                Some(next) => rest = next,
                None => return fields,
            }
        } else if let Some((field, next)) = rest.split_once(delimiter) {
            fields.push(Cow::Borrowed(field.trim()));
            rest = next;
        } else {
            fields.push(Cow::Borrowed(rest.trim()));
            return fields;
        }
    }
}

/// The field up to its closing quote, doubled quotes made single, and what follows.
fn quoted(inner: &str, quote: char) -> (Cow<'_, str>, &str) {
    let mut field: Option<String> = None;
    let mut rest = inner;
    while let Some((before, after)) = rest.split_once(quote) {
        match after.strip_prefix(quote) {
            Some(next) => {
                let text = field.get_or_insert_with(String::new);
                text.push_str(before);
                text.push(quote);
                rest = next;
            }
            None => {
                let whole = match field {
                    Some(text) => Cow::Owned(text + before),
                    None => Cow::Borrowed(before),
                };
                return (whole, after);
            }
        }
    }
    (Cow::Owned(field.unwrap_or_default() + rest), "")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rows(text: &[u8], piece: usize) -> Result<Vec<Vec<String>>, String> {
        let mut read = Vec::new();
        let mut rows = Rows::new(b';', b'"');
        let mut take = |fields: &[Cow<'_, str>]| {
            read.push(fields.iter().map(|field| field.clone().into_owned()).collect());
            Ok(())
        };
        for piece in text.chunks(piece) {
            rows.push(piece, &mut take)?;
        }
        rows.finish(&mut take)?;
        Ok(read)
    }

    #[test]
    fn quotes_hold_delimiters_and_line_breaks() {
        let read =
            rows(b"\xef\xbb\xbfa; b ;\r\n\"x;1\";\"say \"\"no\"\"\r\nnow\";3\r\n\r\n1;;caf\xe9\n\x1a", 1000).unwrap();
        assert_eq!(read, [vec!["a", "b", ""], vec!["x;1", "say \"no\"\r\nnow", "3"], vec!["1", "", "café"]]);
        assert!(rows(b"a;\"b\n", 10).unwrap_err().contains("within quotes"));
    }

    proptest! {
        #[test]
        fn the_size_of_the_pieces_does_not_matter(text in "[a;\"\r\n ]{0,60}", piece in 1_usize..8) {
            prop_assert_eq!(rows(text.as_bytes(), piece), rows(text.as_bytes(), 1000));
        }
    }
}
