//! The body of a batch and what one is allowed to say in it. No state.

use std::borrow::Cow;

use serde::Deserialize;

use crate::decimal::Decimal;

/// As sent.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Batch<'a> {
    #[serde(borrow)]
    pub(crate) batch: Cow<'a, str>,
    #[serde(borrow)]
    pub(crate) store: Cow<'a, str>,
    #[serde(borrow)]
    pub(crate) changes: Vec<Change<'a>>,
}

/// One change as sent. Every field must be there, `null` where allowed.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Change<'a> {
    #[serde(borrow)]
    pub(crate) id: Cow<'a, str>,
    #[serde(borrow)]
    pub(crate) sku: Cow<'a, str>,
    pub(crate) delta: Decimal,
    #[serde(deserialize_with = "present")]
    pub(crate) on_hand: Option<Decimal>,
    #[serde(deserialize_with = "present")]
    pub(crate) transaction: Option<String>,
    #[serde(deserialize_with = "present")]
    pub(crate) sold_at: Option<jiff::Timestamp>,
    #[serde(borrow)]
    pub(crate) kind: Cow<'a, str>,
}

/// With it, a missing field is an error and not a `null`.
fn present<'de, T: Deserialize<'de>, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    Option::deserialize(deserializer)
}

const KINDS: [&str; 9] = ["sale", "return", "receipt", "adjustment", "edit", "void", "correction", "pick", "mixed"];

impl<'a> Batch<'a> {
    /// Reads and checks a body.
    ///
    /// # Errors
    /// What is wrong with it, for the sender.
    pub(crate) fn read(body: &'a [u8], key: &str, changes_max: usize) -> Result<Self, String> {
        let batch: Self = serde_json::from_slice(body).map_err(|error| error.to_string())?;
        if batch.batch != key {
            return Err(format!("the batch is named {} but the idempotency key is {key}", batch.batch));
        }
        if batch.store.is_empty() {
            return Err("the store is not named".to_owned());
        }
        if batch.changes.is_empty() || batch.changes.len() > changes_max {
            return Err(format!("a batch has 1 to {changes_max} changes, this one has {}", batch.changes.len()));
        }
        if let Some(odd) = batch
            .changes
            .iter()
            .find(|change| !KINDS.contains(&change.kind.as_ref()) || change.sku.is_empty() || change.id.is_empty())
        {
            return Err(format!("change {} has no sku, no id or the unknown kind {}", odd.id, odd.kind));
        }
        if let Some(late) =
            batch.changes.iter().find(|change| change.sold_at.is_some_and(|at| at < jiff::Timestamp::UNIX_EPOCH))
        {
            return Err(format!("change {} was sold before 1970", late.id));
        }
        Ok(batch)
    }
}
