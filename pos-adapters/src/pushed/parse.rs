//! Bodies of requests, read into what they say. Pure; knows nothing of stock: [`super::map`] does.
//!
//! Our own body is a transaction, a list of them, or a batch as another Tillsync posts it:
//!
//! ```text
//! {"transaction": "1001", "register": "1", "business_date": "2026-11-24", "sold_at": "2026-11-24T10:00:00+01:00",
//!  "status": "completed", "revision": 1, "lines": [{"sku": "TEA-1", "quantity": "2", "kind": "sale"}]}
//! [ …, … ]
//! {"batch": "…", "store": "…", "transactions": [ … ], "changes": [ … ]}
//! ```
//! Unknown keys are refused: a misspelt `status` must not move stock. One transaction that cannot be read does not
//! keep the others of its request from being read.

pub mod shopify;
pub mod square;

use std::fmt;

use serde::de::{self, Deserializer, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sync_core::model::Quantity;

/// Most transactions and changes of one request.
pub const ROWS_MAX: usize = 20_000;
/// Longest text of one field, in bytes.
pub const TEXT_BYTES_MAX: usize = 256;

/// A body as it comes in, never more than it may be.
#[derive(Debug, Clone)]
pub struct Body {
    bytes: Vec<u8>,
    bytes_max: usize,
}

/// The body is longer than it may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooLong;

impl Body {
    /// For so many bytes at most.
    #[must_use]
    pub const fn new(bytes_max: usize) -> Self {
        Self { bytes: Vec::new(), bytes_max }
    }

    /// Takes the next piece.
    ///
    /// # Errors
    /// [`TooLong`]; nothing of the piece is kept.
    pub fn push(&mut self, piece: &[u8]) -> Result<(), TooLong> {
        if self.bytes.len().saturating_add(piece.len()) > self.bytes_max {
            return Err(TooLong);
        }
        self.bytes.extend_from_slice(piece);
        Ok(())
    }

    /// All of it.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// A part of a body that is not what it should be, with its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    /// Why, in plain words.
    pub reason: String,
    /// The part, as sent.
    pub raw: String,
}

/// Why a body cannot be read at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whole {
    /// It is something else.
    Unreadable(Unreadable),
    /// More than [`ROWS_MAX`].
    TooMany,
}

/// What a body of our own says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Posted {
    /// Key of the batch, if it is one.
    pub batch: Option<String>,
    /// The store that a batch names.
    pub store: String,
    /// Whole tickets.
    pub transactions: Vec<Result<PostedTransaction, Unreadable>>,
    /// Signed changes of single articles.
    pub changes: Vec<Result<PostedChange, Unreadable>>,
}

/// One ticket as posted.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct PostedTransaction {
    /// Source of the collector that read it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Text>,
    /// Its number.
    pub transaction: Text,
    /// The till.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub register: Option<Text>,
    /// Part of what makes it unique, where numbers start again each day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub business_date: Option<Text>,
    /// RFC 3339, or local time of the store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sold_at: Option<String>,
    /// `completed` if it is not there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<StatusWord>,
    /// The online order that it rings up, as the POS writes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub online_order: Option<Text>,
    /// Grows with each change of the ticket: a lower one than the known is old news.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<i64>,
    /// All its lines.
    pub lines: Vec<PostedLine>,
}

/// One line as posted. Either `quantity` or `delta`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct PostedLine {
    /// The article.
    pub sku: Text,
    /// As rung up: two sold are 2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantity: Option<Amount>,
    /// Signed change of stock: two sold are -2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delta: Option<Amount>,
    /// `sale` if it is not there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<KindWord>,
}

/// One change of a batch, as the `http` platform sends it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct PostedChange {
    /// Unique in its batch.
    pub id: Text,
    /// The article.
    pub sku: Text,
    /// Signed change of stock.
    pub delta: Amount,
    /// The sender's own number; not used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_hand: Option<Amount>,
    /// The ticket, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transaction: Option<String>,
    /// RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sold_at: Option<String>,
    /// Why stock moved.
    pub kind: ChangeWord,
}

/// Whether a ticket moves stock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum StatusWord {
    /// Finished.
    Completed,
    /// Voided as a whole.
    #[serde(alias = "voided")]
    Cancelled,
    /// Parked.
    Suspended,
    /// Training.
    Training,
}

/// What a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum KindWord {
    /// Goods handed out.
    Sale,
    /// Goods that came back.
    Return,
    /// Goods received.
    Receipt,
    /// A correction.
    Adjustment,
}

/// Why a change was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ChangeWord {
    /// See [`KindWord::Sale`].
    Sale,
    /// See [`KindWord::Return`].
    Return,
    /// See [`KindWord::Receipt`].
    Receipt,
    /// See [`KindWord::Adjustment`].
    Adjustment,
    /// A changed ticket.
    Edit,
    /// A voided ticket.
    Void,
    /// A count said so.
    Correction,
    /// Handed over for an online order.
    Pick,
    /// Several, merged.
    Mixed,
}

/// Reads a body of our own.
///
/// # Errors
/// [`Whole`] if nothing of it can be read.
pub fn posted(body: &[u8]) -> Result<Posted, Whole> {
    let text = std::str::from_utf8(body)
        .map_err(|error| whole(format!("not UTF-8 ({error})"), &String::from_utf8_lossy(body)))?;
    if text.trim_start().starts_with('[') {
        let rows: Vec<&RawValue> = serde_json::from_str(text).map_err(|error| whole(said(&error), text))?;
        return Ok(Posted { transactions: rows_of(&rows)?, ..Posted::default() });
    }
    let peek: Peek = serde_json::from_str(text).map_err(|error| whole(said(&error), text))?;
    if peek.batch.is_none() {
        let one = serde_json::from_str(text).map_err(|error| whole(said(&error), text))?;
        return Ok(Posted { transactions: vec![Ok(one)], ..Posted::default() });
    }
    let batch: BatchBody<'_> = serde_json::from_str(text).map_err(|error| whole(said(&error), text))?;
    Ok(Posted {
        batch: Some(batch.batch.0),
        store: batch.store.0,
        transactions: rows_of(&batch.transactions)?,
        changes: rows_of(&batch.changes)?,
    })
}

/// Whether there is a batch; everything else is looked at afterwards.
#[derive(Deserialize)]
struct Peek {
    #[serde(default)]
    batch: Option<de::IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BatchBody<'a> {
    batch: Text,
    store: Text,
    #[serde(default, borrow)]
    transactions: Vec<&'a RawValue>,
    #[serde(default, borrow)]
    changes: Vec<&'a RawValue>,
}

fn rows_of<'a, T: Deserialize<'a>>(rows: &[&'a RawValue]) -> Result<Vec<Result<T, Unreadable>>, Whole> {
    if rows.len() > ROWS_MAX {
        return Err(Whole::TooMany);
    }
    let read = |row: &&'a RawValue| {
        serde_json::from_str(row.get()).map_err(|error| Unreadable { reason: said(&error), raw: row.get().to_owned() })
    };
    Ok(rows.iter().map(read).collect())
}

fn whole(reason: String, raw: &str) -> Whole {
    Whole::Unreadable(Unreadable { reason, raw: raw.to_owned() })
}

/// What the parser says, which may quote the input: shortened, for a reply and the quarantine.
fn said(error: &serde_json::Error) -> String {
    const CHARS_MAX: usize = 200;
    error.to_string().chars().filter(|c| !c.is_control()).take(CHARS_MAX).collect()
}

/// A short text; a whole number is taken as its digits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Text(pub String);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reads;
        impl Visitor<'_> for Reads {
            type Value = Text;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "text of at most {TEXT_BYTES_MAX} bytes")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Text, E> {
                if text.len() > TEXT_BYTES_MAX || text.chars().any(char::is_control) {
                    return Err(E::custom(format!(
                        "text longer than {TEXT_BYTES_MAX} bytes, or with control characters"
                    )));
                }
                Ok(Text(text.to_owned()))
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Text, E> {
                Ok(Text(number.to_string()))
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Text, E> {
                Ok(Text(number.to_string()))
            }
        }
        deserializer.deserialize_any(Reads)
    }
}

/// An exact decimal, as text or as a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Amount(pub Quantity);

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reads;
        impl Visitor<'_> for Reads {
            type Value = Amount;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a decimal number with at most six decimals")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Amount, E> {
                Quantity::parse(text).map(Amount).map_err(E::custom)
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Amount, E> {
                self.visit_str(&number.to_string())
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Amount, E> {
                self.visit_str(&number.to_string())
            }

            // The shortest text that gives this number again: what the sender wrote, for any quantity of goods.
            fn visit_f64<E: de::Error>(self, number: f64) -> Result<Amount, E> {
                self.visit_str(&number.to_string())
            }
        }
        deserializer.deserialize_any(Reads)
    }
}

/// A body of a cloud POS as it may be kept: only what says which goods moved. It holds customers and payments too.
#[must_use]
pub fn goods_only(body: &[u8]) -> String {
    serde_json::from_slice(body)
        .ok()
        .and_then(known_only)
        .map_or_else(|| format!("{} bytes that are not JSON", body.len()), |value| value.to_string())
}

/// Keys of scalars that name goods, tickets and places, and nobody.
const GOODS_KEYS: [&str; 22] = [
    "catalog_object_id",
    "closed_at",
    "created_at",
    "event_id",
    "gift_card",
    "id",
    "item_type",
    "line_item_id",
    "location_id",
    "order_id",
    "product_id",
    "quantity",
    "restock_type",
    "sku",
    "source_name",
    "state",
    "test",
    "type",
    "uid",
    "updated_at",
    "variant_id",
    "version",
];
/// Keys of parts that hold more of them.
const GOODS_PARTS: [&str; 10] = [
    "data",
    "line_item",
    "line_items",
    "object",
    "order",
    "order_created",
    "order_updated",
    "refund_line_items",
    "return_line_items",
    "returns",
];

fn known_only(value: serde_json::Value) -> Option<serde_json::Value> {
    use serde_json::Value;
    match value {
        Value::Array(rows) => Some(Value::Array(rows.into_iter().filter_map(known_only).collect())),
        Value::Object(fields) => {
            let kept = fields.into_iter().filter_map(|(name, value)| {
                let part = value.is_object() || value.is_array();
                if part && GOODS_PARTS.contains(&name.as_str()) {
                    return Some((name, known_only(value)?));
                }
                (!part && GOODS_KEYS.contains(&name.as_str())).then_some((name, value))
            });
            Some(Value::Object(kept.collect()))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TICKET: &str = r#"{"transaction": 1001, "register": "1", "sold_at": "2026-11-24T10:00:00+01:00",
        "lines": [{"sku": "TEA-1", "quantity": 2}, {"sku": "CHEESE", "quantity": "0.345", "kind": "sale"}]}"#;

    #[test]
    fn a_ticket_alone_in_a_list_and_in_a_batch_is_the_same() {
        let one = posted(TICKET.as_bytes()).unwrap();
        assert_eq!(one.transactions[0].as_ref().unwrap().transaction, Text("1001".to_owned()));
        let list = posted(format!("[{TICKET},{TICKET}]").as_bytes()).unwrap();
        assert_eq!(list.transactions, [one.transactions.clone(), one.transactions.clone()].concat());
        let batch = posted(format!(r#"{{"batch":"b","store":"s","transactions":[{TICKET}]}}"#).as_bytes()).unwrap();
        assert_eq!((batch.batch.as_deref(), batch.transactions), (Some("b"), one.transactions));
    }

    #[test]
    fn a_number_is_read_as_it_was_written() {
        for (written, micros) in [("2", 2_000_000), ("0.345", 345_000), ("\"-0.1\"", -100_000), ("1.000001", 1_000_001)]
        {
            let line: PostedLine = serde_json::from_str(&format!(r#"{{"sku":"A","quantity":{written}}}"#)).unwrap();
            assert_eq!(line.quantity.unwrap().0.micros(), micros, "{written}");
        }
        for written in ["\"2,5\"", "1e-9", "1e300", "true", "[1]"] {
            assert!(
                serde_json::from_str::<PostedLine>(&format!(r#"{{"sku":"A","quantity":{written}}}"#)).is_err(),
                "{written}"
            );
        }
    }

    #[test]
    fn a_misspelt_key_is_not_overlooked() {
        let body = TICKET.replace("\"register\"", "\"state\": \"voided\", \"register\"");
        let Err(Whole::Unreadable(unreadable)) = posted(body.as_bytes()) else { panic!("it was read") };
        assert!(unreadable.reason.contains("unknown field `state`"), "{}", unreadable.reason);
    }

    #[test]
    fn one_bad_ticket_does_not_hide_the_others() {
        let read = posted(format!(r#"[{TICKET}, {{"transaction":"2"}}, 7, {TICKET}]"#).as_bytes()).unwrap();
        let good: Vec<bool> = read.transactions.iter().map(Result::is_ok).collect();
        assert_eq!(good, [true, false, false, true]);
        assert_eq!(read.transactions[1].as_ref().unwrap_err().raw, r#"{"transaction":"2"}"#);
    }

    #[test]
    fn a_batch_of_the_http_platform_is_read() {
        let body = r#"{"batch":"k-1","store":"harbour","changes":[{"id":"7","sku":"TEA-1","delta":"-2","on_hand":null,
            "transaction":null,"sold_at":"2026-11-23T10:00:00Z","kind":"mixed"}]}"#;
        let read = posted(body.as_bytes()).unwrap();
        assert_eq!(read.changes[0].as_ref().unwrap().delta.0.micros(), -2_000_000);
        assert!(posted(br#"{"batch":"probe","store":"s","changes":[]}"#).unwrap().changes.is_empty());
    }

    #[test]
    fn a_body_is_never_longer_than_it_may_be() {
        let mut body = Body::new(4);
        assert_eq!((body.push(b"abc"), body.push(b"de"), body.push(b"d")), (Ok(()), Err(TooLong), Ok(())));
        assert_eq!(body.bytes(), b"abcd");
    }

    proptest! {
        #[test]
        fn no_text_is_a_crash(text in ".{0,200}") {
            let _any_answer = posted(text.as_bytes());
        }

        #[test]
        fn any_cut_of_a_body_gives_the_same(pieces in proptest::collection::vec(1_usize..40, 1..40)) {
            let (mut body, mut at) = (Body::new(10_000), 0);
            for piece in pieces.iter().cycle() {
                let end = (at + piece).min(TICKET.len());
                body.push(&TICKET.as_bytes()[at..end]).unwrap();
                at = end;
                if at == TICKET.len() { break; }
            }
            prop_assert_eq!(posted(body.bytes()), posted(TICKET.as_bytes()));
        }
    }
}
