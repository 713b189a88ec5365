//! Newtypes for every identifier, so that a register cannot be passed where a SKU is meant.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Wraps the text as it is.
            pub fn new(text: impl Into<String>) -> Self {
                Self(text.into())
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// The text, owned.
            pub fn into_string(self) -> String {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.to_owned())
            }
        }
    };
}

macro_rules! number_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default)]
        #[serde(transparent)]
        pub struct $name(pub i64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

text_id!(/// The shop, as named in the configuration.
    StoreId);
text_id!(/// One `[[source]]` of the configuration.
    SourceName);
text_id!(/// One `[[platform]]` of the configuration: the ordered stream to it is its lane.
    LaneName);
text_id!(/// The store's own article number, exactly as the POS writes it (case and zeros kept).
    Sku);
text_id!(/// Everything that makes a transaction unique at its source, joined by `|`.
    TransactionKey);
text_id!(/// Name of the rule by which a line was ignored, e.g. `cancelled` or `filter:Deposit`.
    RuleName);
text_id!(/// Sent with a batch; the platform applies one key at most once within its window.
    IdempotencyKey);

/// The stretch of input that a transaction was read from: one generation of one file. Shared by all its
/// transactions. Lines that extend a transaction continue it only within one segment; see [`super::Extent`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Segment(Arc<str>);

impl Segment {
    /// Wraps the text as it is.
    pub fn new(text: impl Into<Arc<str>>) -> Self {
        Self(text.into())
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<&str> for Segment {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

number_id!(/// Position in the movement stream: the number of the commit that recorded it. Starts at 1.
    Seq);
number_id!(/// Row number of a SKU in the store's database.
    SkuId);
number_id!(/// Row number of an outbox entry; grows with time, never used again.
    EntryId);
number_id!(/// Row number of a batch; grows with time, never used again.
    BatchId);
