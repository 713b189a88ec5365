//! Takes card numbers and what names people out of raw records before they are kept (invariant 12). Pure.

use std::borrow::Cow;

use crate::QUARANTINE_BYTES_MAX;

const MASK: &str = "***";

/// Columns with these words hold people or payment means.
const PRIVATE_WORDS: [&str; 18] = [
    "customer",
    "client",
    "contact",
    "phone",
    "mobile",
    "email",
    "e-mail",
    "address",
    "street",
    "card",
    "pan suffix",
    "iban",
    "account",
    "cashier",
    "employee",
    "staff",
    "signature",
    "birth",
];

/// Whether a column or key of this name is masked.
pub(crate) fn is_private(name: &str) -> bool {
    let name = name.to_lowercase();
    PRIVATE_WORDS.iter().any(|word| name.contains(word))
}

/// A record as it may be kept: masked, shortened.
pub(crate) fn raw(record: &str) -> String {
    let masked = mask_cards(&mask_keys(record)).into_owned();
    let end = (0..=masked.len().min(QUARANTINE_BYTES_MAX)).rev().find(|at| masked.is_char_boundary(*at)).unwrap_or(0);
    masked.get(..end).unwrap_or_default().to_owned()
}

/// Masks the fields of a CSV record whose column is private.
pub(crate) fn fields<'a>(header: &[String], fields: impl Iterator<Item = Cow<'a, str>>, delimiter: char) -> String {
    let mut out = String::new();
    for (at, field) in fields.enumerate() {
        if at > 0 {
            out.push(delimiter);
        }
        let private = header.get(at).is_some_and(|name| is_private(name));
        out.push_str(if private && !field.is_empty() { MASK } else { &field });
    }
    raw(&out)
}

/// Masks string values after private keys of JSON text.
fn mask_keys(record: &str) -> Cow<'_, str> {
    if !record.trim_start().starts_with(['{', '[']) {
        return Cow::Borrowed(record);
    }
    let mut out = String::with_capacity(record.len());
    let mut private_key = false;
    let mut after_colon = false;
    for (at, part) in record.split('"').enumerate() {
        let inside = at % 2 == 1;
        if at > 0 {
            out.push('"');
        }
        if inside && after_colon && private_key {
            out.push_str(MASK);
        } else {
            out.push_str(part);
        }
        if inside && !after_colon {
            private_key = is_private(part);
        } else if !inside {
            after_colon = part.trim_end().ends_with(':');
        }
    }
    Cow::Owned(out)
}

/// Masks runs of 14 to 19 digits (blanks and dashes between them allowed) that pass the check digit of card numbers.
fn mask_cards(text: &str) -> Cow<'_, str> {
    let bytes = text.as_bytes();
    let mut masked: Option<Vec<u8>> = None;
    let mut at = 0;
    while at < bytes.len() {
        let run = bytes.iter().skip(at).take_while(|b| b.is_ascii_digit() || matches!(b, b' ' | b'-')).count();
        let digits: Vec<u8> =
            bytes.iter().skip(at).take(run).filter(|b| b.is_ascii_digit()).map(|b| b.wrapping_sub(b'0')).collect();
        if (14..=19).contains(&digits.len()) && passes_luhn(&digits) {
            let out = masked.get_or_insert_with(|| bytes.to_vec());
            for byte in out.iter_mut().skip(at).take(run).filter(|b| b.is_ascii_digit()) {
                *byte = b'*';
            }
        }
        at = at.saturating_add(run.max(1));
    }
    masked.map_or(Cow::Borrowed(text), |bytes| Cow::Owned(String::from_utf8_lossy(&bytes).into_owned()))
}

fn passes_luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(at, digit)| {
            let digit = u32::from(*digit);
            let doubled = if at % 2 == 1 { digit.saturating_mul(2) } else { digit };
            if doubled > 9 { doubled.saturating_sub(9) } else { doubled }
        })
        .sum();
    sum.is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn card_numbers_and_names_of_people_are_masked() {
        assert_eq!(raw("T1,4111 1111 1111 1111,2"), "T1,**** **** **** ****,2");
        assert_eq!(raw("T1,4006381333931,2"), "T1,4006381333931,2");
        assert_eq!(raw(r#"{"sku":"A","customer_name":"Jo Doe","n":1}"#), r#"{"sku":"A","customer_name":"***","n":1}"#);
        let header = ["SKU".to_owned(), "Customer name".to_owned()];
        let row = ["A", "Jo Doe"].into_iter().map(Cow::Borrowed);
        assert_eq!(fields(&header, row, ';'), "A;***");
    }

    #[test]
    fn long_records_are_cut_between_characters() {
        assert!(raw(&"é".repeat(QUARANTINE_BYTES_MAX)).len() <= QUARANTINE_BYTES_MAX);
    }
}
