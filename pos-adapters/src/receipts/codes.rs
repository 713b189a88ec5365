//! Payloads of printed codes, as a scanner would read them. Pure.

/// `m` of `GS k` in ESC/POS, in either of its forms.
pub(super) const fn escpos_kind(number: u8) -> &'static str {
    match number {
        0 | 65 => "upca",
        1 | 66 => "upce",
        2 | 67 => "ean13",
        3 | 68 => "ean8",
        4 | 69 => "code39",
        5 | 70 => "itf",
        6 | 71 => "codabar",
        72 => "code93",
        73 | 79 => "code128",
        74 => "gs1-128",
        75..=78 => "gs1-databar",
        _ => "barcode",
    }
}

/// `cn` of `GS ( k` in ESC/POS.
pub(super) const fn matrix_kind(number: u8) -> &'static str {
    match number {
        48 => "pdf417",
        49 => "qr",
        50 => "maxicode",
        51 => "gs1-databar",
        52 => "composite",
        53 => "aztec",
        54 => "datamatrix",
        _ => "matrix",
    }
}

/// `n1` of `ESC b` in Star line mode: a number or its digit.
pub(super) const fn star_kind(number: u8) -> &'static str {
    match number {
        0 | b'0' => "upce",
        1 | b'1' => "upca",
        2 | b'2' => "ean8",
        3 | b'3' => "ean13",
        4 | b'4' => "code39",
        5 | b'5' => "itf",
        6 | b'6' => "code128",
        7 | b'7' => "code93",
        8 | b'8' => "codabar",
        9 | b'9' => "gs1-128",
        _ => "barcode",
    }
}

/// Payload of a code whose bytes are what they say.
pub(super) fn plain(data: &[u8]) -> String {
    String::from_utf8_lossy(data).trim_end_matches('\0').to_owned()
}

/// Payload of a Code 128 whose data choose their code sets: `{A`, `{B`, `{C` (two digits a byte), `{{` for a brace,
/// `{1` to `{4` for function characters.
pub(super) fn code128(data: &[u8]) -> String {
    if !data.contains(&b'{') {
        return plain(data);
    }
    let mut text = String::new();
    let mut pairs = false;
    let mut bytes = data.iter().copied();
    while let Some(byte) = bytes.next() {
        match byte {
            b'{' => match bytes.next() {
                Some(b'C') => pairs = true,
                Some(b'A' | b'B') => pairs = false,
                Some(b'{') => text.push('{'),
                Some(_) | None => {}
            },
            0..=99 if pairs => {
                text.push(char::from(b'0'.saturating_add(byte.div_euclid(10))));
                text.push(char::from(b'0'.saturating_add(byte.rem_euclid(10))));
            }
            other => text.push(char::from(other)),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_sets_of_code_128_leave_no_trace() {
        assert_eq!(code128(b"{BNo.{C\x0c\x22\x38"), "No.123456");
        assert_eq!(code128(b"{B{{x{1y"), "{xy");
        assert_eq!(code128(b"PLAIN-7"), "PLAIN-7");
    }
}
