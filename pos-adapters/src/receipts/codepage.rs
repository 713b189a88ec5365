//! Which character a printer prints for a byte: code pages by number, international sets, far-eastern modes. Pure.

use std::borrow::Cow;

use crate::file::decode::{Encoding, by_label};

/// How bytes become characters on the paper.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Page {
    /// A page that is known elsewhere by its label.
    Known(Encoding),
    /// Epson's page 1, with the line-drawing characters of Japanese printers.
    Katakana,
    /// Two bytes of JIS for each character, without a shift.
    Jis,
    /// A page that is not known: ASCII can be read.
    Other,
}

impl Page {
    /// Whether characters have more bytes than one.
    pub(super) fn is_multibyte(self) -> bool {
        match self {
            Self::Jis => true,
            Self::Katakana | Self::Other => false,
            Self::Known(Encoding::Whatwg(encoding)) => !encoding.is_single_byte(),
            Self::Known(Encoding::Utf8 | Encoding::Utf16Le | Encoding::Utf16Be) => true,
            Self::Known(Encoding::Oem(_)) => false,
        }
    }

    /// Whether the print of a character is as wide as its bytes are many: all but UTF-8.
    pub(super) const fn is_as_wide_as_bytes(self) -> bool {
        !matches!(self, Self::Known(Encoding::Utf8))
    }
}

/// From its label in the settings (`cp437`, `cp1252`, `gbk`, `shift_jis`, …).
///
/// # Errors
/// No such page, in words.
pub(super) fn page(label: &str) -> Result<Page, String> {
    match by_label(label)? {
        encoding if encoding.is_utf16() => Err(format!("`{label}` is not what a printer's line carries")),
        encoding => Ok(Page::Known(encoding)),
    }
}

fn known(label: &str) -> Page {
    by_label(label).map_or(Page::Other, Page::Known)
}

/// `ESC t n` of ESC/POS, by Epson's numbers.
pub(super) fn escpos_page(number: u8) -> Page {
    match number {
        0 => known("cp437"),
        1 => Page::Katakana,
        2 => known("cp850"),
        3 => known("cp860"),
        4 => known("cp863"),
        5 => known("cp865"),
        13 => known("cp857"),
        14 => known("cp737"),
        15 => known("iso-8859-7"),
        16 => known("cp1252"),
        17 => known("cp866"),
        18 => known("cp852"),
        19 => known("cp858"),
        20 | 21 | 26 => known("cp874"),
        32 => known("cp720"),
        33 => known("cp775"),
        34 => known("cp855"),
        35 => known("cp861"),
        36 => known("cp862"),
        37 => known("cp864"),
        38 => known("cp869"),
        39 => known("iso-8859-2"),
        40 => known("iso-8859-15"),
        45 => known("cp1250"),
        46 => known("cp1251"),
        47 => known("cp1253"),
        48 => known("cp1254"),
        49 => known("cp1255"),
        50 => known("cp1256"),
        51 => known("cp1257"),
        52 => known("cp1258"),
        _ => Page::Other,
    }
}

/// `ESC GS t n` of Star line mode, by Star's numbers.
pub(super) fn star_page(number: u8) -> Page {
    match number {
        0 | 1 | 3 => known("cp437"),
        2 => Page::Katakana,
        4 => known("cp858"),
        5 => known("cp852"),
        6 => known("cp860"),
        7 => known("cp861"),
        8 => known("cp863"),
        9 => known("cp865"),
        10 => known("cp866"),
        11 => known("cp855"),
        12 => known("cp857"),
        13 => known("cp862"),
        14 => known("cp864"),
        15 => known("cp737"),
        17 => known("cp869"),
        21 => known("cp874"),
        32 => known("cp1252"),
        33 => known("cp1250"),
        34 => known("cp1251"),
        _ => Page::Other,
    }
}

/// The ASCII bytes whose print depends on the country.
const NATIONAL: [char; 12] = ['#', '$', '@', '[', '\\', ']', '^', '`', '{', '|', '}', '~'];

/// What stands for them, by the number in `ESC R n` (Epson and Star agree up to 13).
const fn national(set: u8) -> Option<[char; 12]> {
    Some(match set {
        1 => ['#', '$', 'à', '°', 'ç', '§', '^', '`', 'é', 'ù', 'è', '¨'],
        2 => ['#', '$', '§', 'Ä', 'Ö', 'Ü', '^', '`', 'ä', 'ö', 'ü', 'ß'],
        3 => ['£', '$', '@', '[', '\\', ']', '^', '`', '{', '|', '}', '~'],
        4 => ['#', '$', '@', 'Æ', 'Ø', 'Å', '^', '`', 'æ', 'ø', 'å', '~'],
        5 => ['#', '¤', 'É', 'Ä', 'Ö', 'Å', 'Ü', 'é', 'ä', 'ö', 'å', 'ü'],
        6 => ['#', '$', '@', '°', '\\', 'é', '^', 'ù', 'à', 'ò', 'è', 'ì'],
        7 => ['₧', '$', '@', '¡', 'Ñ', '¿', '^', '`', '¨', 'ñ', '}', '~'],
        8 => ['#', '$', '@', '[', '¥', ']', '^', '`', '{', '|', '}', '~'],
        9 => ['#', '¤', 'É', 'Æ', 'Ø', 'Å', 'Ü', 'é', 'æ', 'ø', 'å', 'ü'],
        10 => ['#', '$', 'É', 'Æ', 'Ø', 'Å', 'Ü', 'é', 'æ', 'ø', 'å', 'ü'],
        11 => ['#', '$', 'á', '¡', 'Ñ', '¿', 'é', '`', 'í', 'ñ', 'ó', 'ú'],
        12 => ['#', '$', 'á', '¡', 'Ñ', '¿', 'é', 'ü', 'í', 'ñ', 'ó', 'ú'],
        13 => ['#', '$', '@', '[', '₩', ']', '^', '`', '{', '|', '}', '~'],
        14 => ['#', '$', 'Ž', 'Š', 'Đ', 'Ć', 'Č', 'ž', 'š', 'đ', 'ć', 'č'],
        15 => ['#', '¥', '@', '[', '\\', ']', '^', '`', '{', '|', '}', '~'],
        _ => return None,
    })
}

/// The text that a run of bytes prints.
pub(super) fn decode(bytes: &[u8], page: Page, set: u8) -> String {
    let text = match page {
        Page::Known(encoding) => encoding.decode(bytes),
        Page::Katakana => Cow::Owned(bytes.iter().map(|byte| katakana(*byte)).collect()),
        Page::Jis => {
            let euc: Vec<u8> = bytes.iter().map(|byte| byte | 0x80).collect();
            Cow::Owned(encoding_rs::EUC_JP.decode_without_bom_handling(&euc).0.into_owned())
        }
        Page::Other => Cow::Owned(
            bytes
                .iter()
                .map(|byte| if byte.is_ascii() { char::from(*byte) } else { char::REPLACEMENT_CHARACTER })
                .collect(),
        ),
    };
    let Some(letters) = national(set).filter(|_| page != Page::Jis) else {
        return text.into_owned();
    };
    let of = |c: char| NATIONAL.iter().zip(letters).find(|(ascii, _)| **ascii == c).map_or(c, |(_, letter)| letter);
    text.chars().map(of).collect()
}

/// 0x80 to 0xa0 of Epson's page 1.
const BOXES: [char; 33] = [
    '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█', '▏', '▎', '▍', '▌', '▋', '▊', '▉', '┼', '┴', '┬', '┤', '├', '▔', '─', '│',
    '▕', '┌', '┐', '└', '┘', '╭', '╮', '╰', '╯', ' ',
];

/// 0xe0 to 0xff of Epson's page 1.
const SIGNS: [char; 32] = [
    '═', '╞', '╪', '╡', '◢', '◣', '◥', '◤', '♠', '♥', '♦', '♣', '●', '○', '╱', '╲', '╳', '円', '年', '月', '日', '時',
    '分', '秒', '〒', '市', '区', '町', '村', '人', '▒', ' ',
];

fn katakana(byte: u8) -> char {
    let at = |table: &[char], first: u8| {
        table.get(usize::from(byte.saturating_sub(first))).copied().unwrap_or(char::REPLACEMENT_CHARACTER)
    };
    match byte {
        0..=0x7f => char::from(byte),
        0x80..=0xa0 => at(&BOXES, 0x80),
        // Half-width katakana stand in the same order in Unicode.
        0xa1..=0xdf => char::from_u32(0xff61_u32.saturating_add(u32::from(byte.saturating_sub(0xa1))))
            .unwrap_or(char::REPLACEMENT_CHARACTER),
        0xe0..=0xff => at(&SIGNS, 0xe0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_known_by_its_number() {
        for (number, bytes, text) in [
            (0, &b"caf\x82"[..], "café"),
            (19, b"\xd5 5", "€ 5"),
            (16, b"\x80 5", "€ 5"),
            (1, b"\x9c\x95\x9d\xb1", "╭─╮ｱ"),
            (17, b"\x8f\xe0\xa8", "При"),
            (255, b"a\x80", "a\u{fffd}"),
        ] {
            assert_eq!(decode(bytes, escpos_page(number), 0), text, "page {number}");
        }
        assert_eq!(decode(b"\xc4\xb3\xd5", star_page(4), 0), "─│€");
    }

    #[test]
    fn an_international_set_changes_twelve_letters() {
        assert_eq!(decode(b"#1 \\500", escpos_page(0), 8), "#1 ¥500");
        assert_eq!(decode(b"#5 B[r~", escpos_page(0), 2), "#5 BÄrß");
        assert_eq!(decode(b"#5", escpos_page(0), 3), "£5");
        assert_eq!(decode(b"#5 ~", escpos_page(0), 99), "#5 ~");
    }

    #[test]
    fn far_eastern_pages_take_two_bytes() {
        assert_eq!(decode(b"\x93\xfa\x96{ 5", page("cp932").unwrap(), 0), "日本 5");
        assert_eq!(decode(b"\xc4\xe3\xba\xc3", page("gbk").unwrap(), 0), "你好");
        assert_eq!(decode(b"\x46\x7c\x4b\x5c", Page::Jis, 8), "日本");
        assert!(page("gbk").unwrap().is_multibyte() && !page("cp437").unwrap().is_multibyte());
        assert!(page("utf-16le").is_err() && page("cp9").is_err());
    }
}
