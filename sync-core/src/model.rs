//! The vocabulary: identifiers, exact quantities, transactions as read, times.
//!
//! Nothing here knows a file format, a table or a platform. Every amount is exact; there is no float.

mod ids;
mod quantity;
mod time;
mod transaction;

pub use ids::{
    BatchId, EntryId, IdempotencyKey, LaneName, RuleName, Segment, Seq, Sku, SkuId, SourceName, StoreId, TransactionKey,
};
pub use quantity::{Quantity, QuantityError};
pub use time::Timestamp;
pub use transaction::{Extent, LineItem, LineKind, Transaction, TransactionStatus};
