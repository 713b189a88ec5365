//! What is read: a receiver's list of refused changes, and our own frozen body to know their SKUs.

use std::borrow::Cow;

use serde::Deserialize;

/// The optional body of a 400 or 422.
#[derive(Debug, Deserialize)]
pub(super) struct Refusals {
    pub(super) refused: Vec<Refusal>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Refusal {
    pub(super) id: String,
    #[serde(default)]
    pub(super) code: Option<String>,
    #[serde(default)]
    pub(super) message: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct FrozenBody<'a> {
    #[serde(borrow, default)]
    pub(super) changes: Vec<FrozenChange<'a>>,
}

#[derive(Deserialize)]
pub(super) struct FrozenChange<'a> {
    #[serde(borrow)]
    pub(super) id: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) sku: Cow<'a, str>,
}
