//! Takes people's data out of printed rows before they are kept (invariant 12). Pure.
//!
//! What a template understands as cashier, customer, card or loyalty rows is dropped. A row that it does not understand
//! may name somebody: unless it ends like a line of sale, only its shape is kept (`Xxxx Xxxxx 999`), which is enough to
//! write a pattern for it.

use super::template::{RowKind, kind_name};
use crate::file::scrub as records;

/// Words by which a row is known to be about a person or a card, whatever else it looks like.
const PRIVATE_WORDS: [&str; 38] = [
    "customer",
    "client",
    "kunde",
    "cliente",
    "member",
    "loyalty",
    "points",
    "address",
    "street",
    "phone",
    "tel",
    "mobile",
    "e-mail",
    "email",
    "debt",
    "balance due",
    "credit limit",
    "card",
    "karte",
    "carte",
    "visa",
    "mastercard",
    "amex",
    "maestro",
    "auth",
    "aid",
    "pan",
    "iban",
    "signature",
    "cashier",
    "operator",
    "clerk",
    "served by",
    "birth",
    "bediente",
    "bedient",
    "kassierer",
    "caissier",
];

/// Words of receipts that are kept as they are in a row that is not understood, so that a person sees what it is.
const PLAIN_WORDS: [&str; 40] = [
    "total",
    "subtotal",
    "sub-total",
    "summe",
    "gesamt",
    "tax",
    "vat",
    "mwst",
    "tva",
    "iva",
    "cash",
    "bar",
    "change",
    "due",
    "paid",
    "tender",
    "void",
    "storno",
    "annul",
    "refund",
    "return",
    "discount",
    "rabatt",
    "deposit",
    "pfand",
    "receipt",
    "ticket",
    "invoice",
    "register",
    "till",
    "training",
    "reprint",
    "copy",
    "duplicate",
    "suspended",
    "recalled",
    "report",
    "no",
    "items",
    "date",
];

/// A row as it may be kept; `kind` is what the template makes of it.
pub(super) fn row(text: &str, kind: Option<RowKind>) -> String {
    match kind {
        Some(kind) if kind.is_private() => format!("({} row)", kind_name(kind)),
        Some(_) => records::raw(text),
        None if is_private(text) || !ends_like_a_line(text) => shape(text),
        None => records::raw(text),
    }
}

/// Whether a text has a word about people or cards in it.
pub(super) fn is_private(text: &str) -> bool {
    let lower = text.to_lowercase();
    let words: Vec<&str> = lower.split(|c: char| !c.is_alphanumeric() && c != '-').collect();
    lower.contains('@') && lower.contains('.') && !lower.contains(" @ ")
        || PRIVATE_WORDS
            .iter()
            .any(|private| if private.contains(' ') { lower.contains(private) } else { words.contains(private) })
}

/// Text, and a number with decimals near its end.
fn ends_like_a_line(text: &str) -> bool {
    text.split_whitespace().rev().take(2).any(|word| {
        let digits = word.chars().filter(char::is_ascii_digit).count();
        digits <= 9
            && word.rsplit_once(['.', ',']).is_some_and(|(whole, rest)| {
                whole.ends_with(|c: char| c.is_ascii_digit())
                    && rest.chars().take_while(char::is_ascii_digit).count() >= 2
            })
    })
}

/// Letters as `x`, digits as `9`; words that every receipt has stay.
pub(super) fn shape(text: &str) -> String {
    let mask = |word: &str| {
        if PLAIN_WORDS.contains(&word.to_lowercase().as_str()) {
            return word.to_owned();
        }
        word.chars()
            .map(|c| {
                if c.is_numeric() {
                    '9'
                } else if c.is_uppercase() {
                    'X'
                } else if c.is_alphabetic() {
                    'x'
                } else {
                    c
                }
            })
            .collect()
    };
    let mut out = String::with_capacity(text.len());
    let mut word = String::new();
    for c in text.chars() {
        if c.is_alphanumeric() {
            word.push(c);
        } else {
            out.push_str(&mask(&word));
            word.clear();
            out.push(c);
        }
    }
    out.push_str(&mask(&word));
    out
}

/// The start of a text, at most `bytes`, cut between characters.
pub(super) fn cut(text: &str, bytes: usize) -> &str {
    let end = (0..=text.len().min(bytes)).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    text.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_about_people_and_cards_are_not_kept() {
        assert_eq!(row("Cashier: Ada Example", Some(RowKind::Cashier)), "(cashier row)");
        for (text, kept) in [
            ("Ada Example", "Xxx Xxxxxxx"),
            ("Tel. 555 0100", "Xxx. 999 9999"),
            ("ada@example.com", "xxx@xxxxxxx.xxx"),
            ("Customer debt 12.50", "Xxxxxxxx xxxx 99.99"),
            ("VISA ****4242 12.50", "XXXX ****9999 99.99"),
            ("Brown bread 2.50", "Brown bread 2.50"),
            ("2 @ 3.99 7.98", "2 @ 3.99 7.98"),
            ("GRAND TOTAL -- 12", "XXXXX TOTAL -- 99"),
        ] {
            assert_eq!(row(text, None), kept, "{text}");
        }
    }
}
