//! Bytes of a file turned into text, and what its first bytes say about it. Pure.
//!
//! Record ends are found in the raw bytes (every supported encoding but UTF-16 keeps line breaks, quotes and commas
//! as single ASCII bytes), so that a byte offset always stands between two records.

use std::borrow::Cow;

use encoding_rs::{ISO_2022_JP, REPLACEMENT, UTF_8, UTF_16BE, UTF_16LE};
use oem_cp::code_table::DECODING_TABLE_CP_MAP;

/// How the text of a file is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    Utf8,
    Utf16Le,
    Utf16Be,
    /// A DOS code page by its number.
    Oem(u16),
    Whatwg(&'static encoding_rs::Encoding),
}

/// What most tills on Windows write when it is not Unicode.
pub(crate) const LEGACY: Encoding = Encoding::Whatwg(encoding_rs::WINDOWS_1252);

/// An encoding from its name in the configuration or in a cursor.
pub(crate) fn by_label(label: &str) -> Result<Encoding, String> {
    let number = label.to_ascii_lowercase().strip_prefix("cp").and_then(|digits| digits.parse::<u16>().ok());
    let far_eastern = match number {
        Some(932) => Some("shift_jis"),
        Some(936) => Some("gbk"),
        Some(949) => Some("euc-kr"),
        Some(950) => Some("big5"),
        _ => None,
    };
    if let Some(encoding) = encoding_rs::Encoding::for_label(far_eastern.unwrap_or(label).as_bytes()) {
        return match encoding {
            e if e == UTF_8 => Ok(Encoding::Utf8),
            e if e == UTF_16LE => Ok(Encoding::Utf16Le),
            e if e == UTF_16BE => Ok(Encoding::Utf16Be),
            e if e == ISO_2022_JP || e == REPLACEMENT => {
                Err(format!("`{label}` shifts between character sets and cannot be followed in a growing file"))
            }
            e => Ok(Encoding::Whatwg(e)),
        };
    }
    number
        .filter(|number| DECODING_TABLE_CP_MAP.contains_key(number))
        .map(Encoding::Oem)
        .ok_or_else(|| format!("`{label}` is no known encoding; write `auto`, `utf-8`, `utf-16le`, `cp1252`, `cp437`, `cp850`, `cp858` or another WHATWG label"))
}

impl Encoding {
    /// The name by which [`by_label`] finds it again.
    pub(crate) fn label(self) -> String {
        match self {
            Self::Utf8 => "utf-8".to_owned(),
            Self::Utf16Le => "utf-16le".to_owned(),
            Self::Utf16Be => "utf-16be".to_owned(),
            Self::Oem(number) => format!("cp{number}"),
            Self::Whatwg(encoding) => encoding.name().to_ascii_lowercase(),
        }
    }

    pub(crate) const fn is_utf16(self) -> bool {
        matches!(self, Self::Utf16Le | Self::Utf16Be)
    }

    /// Text of one record. Bytes that the encoding does not know become U+FFFD.
    pub(crate) fn decode(self, bytes: &[u8]) -> Cow<'_, str> {
        match self {
            Self::Utf8 => String::from_utf8_lossy(bytes),
            Self::Utf16Le | Self::Utf16Be => Cow::Owned(self.transcode(bytes)),
            Self::Oem(_) | Self::Whatwg(_) if bytes.is_ascii() => String::from_utf8_lossy(bytes),
            Self::Oem(number) => DECODING_TABLE_CP_MAP
                .get(&number)
                .map_or_else(|| String::from_utf8_lossy(bytes), |table| Cow::Owned(table.decode_string_lossy(bytes))),
            Self::Whatwg(encoding) => encoding.decode_without_bom_handling(bytes).0,
        }
    }

    /// UTF-16 as UTF-8, one U+FFFD for each lone surrogate so that [`utf16_bytes`] counts back exactly. A last odd byte
    /// and a last high surrogate are left for later.
    pub(crate) fn transcode(self, bytes: &[u8]) -> String {
        let unit = |pair: [u8; 2]| {
            if self == Self::Utf16Be { u16::from_be_bytes(pair) } else { u16::from_le_bytes(pair) }
        };
        let (pairs, _) = bytes.as_chunks::<2>();
        let pairs = match pairs.split_last() {
            Some((last, rest)) if (0xd800..0xdc00).contains(&unit(*last)) => rest,
            _ => pairs,
        };
        char::decode_utf16(pairs.iter().map(|pair| unit(*pair)))
            .map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER))
            .collect()
    }
}

/// How many bytes of UTF-16 a text came from.
pub(crate) fn utf16_bytes(text: &str) -> usize {
    text.chars().map(|c| c.len_utf16().saturating_mul(2)).sum()
}

/// What the first bytes of a file say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Opening {
    /// Bytes of the byte-order mark.
    pub(crate) mark: usize,
    /// Known from the mark, or from the zero bytes of UTF-16.
    pub(crate) encoding: Option<Encoding>,
    /// It is no text table at all: what it is instead.
    pub(crate) foreign: Option<&'static str>,
}

const SIGNATURES: [(&[u8], &str); 10] = [
    (b"PK\x03\x04", "a ZIP archive or an Excel workbook"),
    (b"%PDF", "a PDF document"),
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF8", "a GIF image"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"\xd0\xcf\x11\xe0", "an old Excel or Office document"),
    (b"{\\rtf", "a rich text document"),
    (b"SQLite format 3", "an SQLite database"),
    (b"Rar!", "a RAR archive"),
];

/// Looks at the first bytes (a few kilobytes are enough).
pub(crate) fn opening(sample: &[u8]) -> Opening {
    let marks: [(&[u8], Encoding); 3] =
        [(b"\xef\xbb\xbf", Encoding::Utf8), (b"\xff\xfe", Encoding::Utf16Le), (b"\xfe\xff", Encoding::Utf16Be)];
    let marked = marks.into_iter().find(|(mark, _)| sample.starts_with(mark));
    let mark = marked.map_or(0, |(mark, _)| mark.len());
    let encoding = marked.map(|(_, encoding)| encoding).or_else(|| utf16_without_mark(sample));
    let body = sample.get(mark..).unwrap_or_default();
    let text = match encoding {
        Some(utf16) if utf16.is_utf16() => Cow::Owned(utf16.transcode(body).into_bytes()),
        _ => Cow::Borrowed(body),
    };
    let markup = text.trim_ascii_start().first() == Some(&b'<');
    let foreign = SIGNATURES.into_iter().find(|(signature, _)| sample.starts_with(signature)).map(|(_, what)| what);
    Opening { mark, encoding, foreign: foreign.or(markup.then_some("a web page, an image or other markup")) }
}

/// Western text in UTF-16 has a zero in every second byte; a run of zeros has them in both halves.
fn utf16_without_mark(sample: &[u8]) -> Option<Encoding> {
    let (pairs, _) = sample.get(..sample.len().min(4096))?.as_chunks::<2>();
    if pairs.len() < 4 {
        return None;
    }
    let share = |zeros: usize| zeros.saturating_mul(10) >= pairs.len().saturating_mul(3);
    let first = pairs.iter().filter(|[a, b]| *a == 0 && *b != 0).count();
    let second = pairs.iter().filter(|[a, b]| *a != 0 && *b == 0).count();
    match (share(first), share(second)) {
        (false, true) => Some(Encoding::Utf16Le),
        (true, false) => Some(Encoding::Utf16Be),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_documented_label_is_known_and_found_again() {
        for label in [
            "utf-8",
            "utf-16le",
            "utf-16be",
            "cp1252",
            "cp437",
            "cp850",
            "cp858",
            "cp866",
            "cp932",
            "iso-8859-15",
            "cp1250",
        ] {
            let encoding = by_label(label).unwrap();
            assert_eq!(by_label(&encoding.label()), Ok(encoding), "{label}");
        }
        assert!(by_label("cp9").is_err() && by_label("iso-2022-jp").is_err());
    }

    #[test]
    fn dos_pages_differ_in_the_euro_sign() {
        assert_eq!(by_label("cp858").unwrap().decode(b"5 \xd5 caf\x82"), "5 € café");
        assert_eq!(by_label("cp437").unwrap().decode(b"caf\x82"), "café");
        assert_eq!(LEGACY.decode(b"caf\xe9 \x80"), "café €");
    }

    #[test]
    fn the_opening_tells_marks_and_foreign_files() {
        assert_eq!(opening(b"\xef\xbb\xbfa,b").mark, 3);
        assert_eq!(opening(b"a\0,\0b\0\n\0c\0").encoding, Some(Encoding::Utf16Le));
        assert_eq!(opening(b"\0a\0,\0b\0\n\0c").encoding, Some(Encoding::Utf16Be));
        assert!(opening(b" \n<svg").foreign.is_some() && opening(b"PK\x03\x04..").foreign.is_some());
        assert_eq!(opening(&[0; 64]).encoding, None);
    }

    #[test]
    fn a_transcoded_text_counts_back_to_its_bytes() {
        let bytes: Vec<u8> = "aé😀\r\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let text = Encoding::Utf16Le.transcode(&bytes);
        assert_eq!((text.as_str(), utf16_bytes(&text)), ("aé😀\r\n", bytes.len()));
        assert_eq!(Encoding::Utf16Le.transcode(&bytes[..7]), "aé");
    }
}
