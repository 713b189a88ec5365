//! `[[platform]]` tables of the platforms that have a file of their own below this folder: from the table as written to
//! a [`Connection`] that cannot hold a bad value.
//!
//! To add one: a table and its `resolve` in a file here, a line in [`table`], its name in `read::PLATFORM_KINDS`, a variant
//! of `file::PlatformTable` for the schema.

use std::fmt::Debug;
use std::sync::Arc;

use sync_core::model::LaneName;
use sync_core::values::ValueKind;
use toml::Spanned;
use toml::de::DeTable;

use super::adobe::AdobeTable;
use super::medusa::MedusaTable;
use super::read::Read;
use super::resolve::Resolver;
use super::vendure::VendureTable;
use super::woocommerce;
use crate::platform::Platform;
use crate::platform::transport::WallClock;
use crate::secret::SecretRef;

pub(super) mod bigcommerce;
pub(super) mod square;

/// A platform's settings, every value checked.
pub trait Connection: Debug + Send + Sync {
    /// Lane name.
    fn name(&self) -> &LaneName;

    /// As in `kind = "…"`.
    fn kind(&self) -> &'static str;

    /// Every secret that it refers to, as (key, reference).
    fn secrets(&self) -> Vec<(String, &SecretRef)>;

    /// Sets the connection up; opens none yet.
    ///
    /// # Errors
    /// What is missing at this machine.
    fn connect(&self, parts: &Parts) -> anyhow::Result<Arc<dyn Platform>>;
}

/// What a connection is built from.
#[derive(Clone)]
pub struct Parts {
    /// Sends requests.
    pub http: crate::platform::transport::HttpClient,
    /// Tells the time.
    pub wall: WallClock,
    /// The store's id.
    pub store: String,
    /// What it is to be told beside stock.
    pub values: WantedValues,
}

/// Values that the configuration has lists of; a platform opens a lane of values only for these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct WantedValues {
    /// There is a list of prices.
    pub prices: bool,
    /// There is a list of units on order.
    pub incoming: bool,
    /// Articles may be sold below zero while some are on order.
    pub backorder_while_incoming: bool,
}

impl WantedValues {
    /// From the lists of the configuration.
    #[must_use]
    pub fn of(feeds: &[super::FeedConfig]) -> Self {
        let any = |kind| feeds.iter().any(|feed| feed.kind == kind);
        Self {
            prices: any(ValueKind::Price),
            incoming: any(ValueKind::Incoming),
            backorder_while_incoming: feeds.iter().any(|feed| feed.backorder_while_incoming),
        }
    }
}

/// A table as written.
pub(super) trait ConnectionTable: Debug {
    /// Checks it; faults go to the resolver.
    fn resolve(self: Box<Self>, resolver: &mut Resolver<'_>, path: &str) -> Option<Arc<dyn Connection>>;
}

/// Reads a `[[platform]]` table of one of these kinds.
pub(super) fn table(
    read: &mut Read,
    kind: &str,
    table: Spanned<DeTable<'_>>,
    path: &str,
    text: &str,
) -> Option<Box<dyn ConnectionTable>> {
    match kind {
        "adobe-commerce" => boxed(read.deserialize::<AdobeTable>(table, path, text)),
        "bigcommerce" => boxed(read.deserialize::<bigcommerce::BigCommerceTable>(table, path, text)),
        "square" => boxed(read.deserialize::<square::SquareTable>(table, path, text)),
        "medusa" => boxed(read.deserialize::<MedusaTable>(table, path, text)),
        "vendure" => boxed(read.deserialize::<VendureTable>(table, path, text)),
        "woocommerce" => boxed(read.deserialize::<woocommerce::WooTable>(table, path, text)),
        _ => None,
    }
}

/// A table that could be read.
fn boxed<T: ConnectionTable + 'static>(table: Option<T>) -> Option<Box<dyn ConnectionTable>> {
    table.map(|table| -> Box<dyn ConnectionTable> { Box::new(table) })
}
