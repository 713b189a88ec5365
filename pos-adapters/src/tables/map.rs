//! Rows as CSV records: every field quoted, quotes doubled, zero bytes and line breaks taken out. Pure.

/// CSV text with a byte-order mark, so that it is read as UTF-8.
#[derive(Debug)]
pub(super) struct Csv {
    text: Vec<u8>,
    fields: usize,
}

impl Csv {
    /// Begins with the names of the columns.
    pub(super) fn new(header: impl Iterator<Item = impl AsRef<str>>) -> Self {
        let mut csv = Self { text: b"\xef\xbb\xbf".to_vec(), fields: 0 };
        csv.record(header);
        csv
    }

    /// Adds a record.
    pub(super) fn record(&mut self, fields: impl Iterator<Item = impl AsRef<str>>) {
        for field in fields {
            self.field(field.as_ref());
        }
        self.end();
    }

    /// Adds one field to the record under way.
    pub(super) fn field(&mut self, field: &str) {
        if self.fields > 0 {
            self.text.push(b',');
        }
        self.fields = self.fields.saturating_add(1);
        self.text.push(b'"');
        for byte in field.bytes() {
            match byte {
                b'"' => self.text.extend_from_slice(b"\"\""),
                b'\\' => self.text.push(b'/'),
                0 => {}
                b'\r' | b'\n' | 0x1a => self.text.push(b' '),
                byte => self.text.push(byte),
            }
        }
        self.text.push(b'"');
    }

    /// Ends the record under way.
    pub(super) fn end(&mut self) {
        self.fields = 0;
        self.text.push(b'\n');
    }

    /// The whole text.
    pub(super) fn finish(self) -> Vec<u8> {
        self.text
    }
}
