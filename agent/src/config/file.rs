//! The configuration as written in TOML. The doc comments are the reference: `config/agent.schema.json` and
//! `docs/configure.md` are made from them. Nothing outside of `config` uses these types.

use std::collections::BTreeMap;

use pos_adapters::articles::ArticleSettings;
use pos_adapters::database::DatabaseSettings;
use pos_adapters::documents::DocumentSettings;
use pos_adapters::file::settings::FileSettings;
use pos_adapters::pushed::PushedSettings;
use pos_adapters::receipts::ReceiptSettings;
use schemars::JsonSchema;
use serde::Deserialize;

use super::adobe::AdobeTable;
use super::feeds::FeedTable;
use super::medusa::MedusaTable;
use super::online::{BuffersTable, OnlineOrdersTable};
use super::reconcile::ReconcileTable;
use super::vendure::VendureTable;

/// Configuration of the Tillsync agent.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, title = "Tillsync agent")]
#[expect(dead_code, reason = "exists for the schema: tables are read one by one, see `read.rs`")]
pub(super) struct ConfigFile {
    /// The store.
    pub(super) store: StoreTable,
    /// Where the agent keeps its own files.
    pub(super) state: Option<StateTable>,
    /// What is read. One table for each source; at least one.
    #[schemars(length(min = 1))]
    pub(super) source: Vec<AnySource>,
    /// The store's article table: barcodes, packs, kits, lines that move no stock.
    pub(super) articles: Option<ArticleSettings>,
    /// Where stock changes go. One table for each platform; each is a lane of its own.
    pub(super) platform: Option<Vec<PlatformTable>>,
    /// Where counts of stock come from. One table for each.
    pub(super) count: Option<Vec<pos_adapters::counts::CountSettings>>,
    /// Comparing the platforms' numbers with the store's.
    pub(super) reconcile: Option<ReconcileTable>,
    /// The local status server.
    pub(super) status: Option<StatusTable>,
    /// Logs.
    pub(super) log: Option<LogTable>,
    /// How often a SKU that the platform does not know is looked up again.
    pub(super) look_up: Option<LookUpTable>,
    /// Copies of the agent's database.
    pub(super) backup: Option<BackupTable>,
    /// Orders of the platforms that this store hands out.
    pub(super) online_orders: Option<OnlineOrdersTable>,
    /// Units that the platforms are never told.
    pub(super) buffers: Option<BuffersTable>,
    /// Prices that the POS decides and the platforms are told. One table for each list.
    pub(super) prices: Option<Vec<FeedTable>>,
    /// Units on order from suppliers that the platforms are told. One table for each list.
    pub(super) incoming: Option<Vec<FeedTable>>,
}

/// The tables that stand once. `source` and `platform` are read by their `kind`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct SingleTables {
    pub(super) store: Option<StoreTable>,
    pub(super) state: StateTable,
    pub(super) reconcile: ReconcileTable,
    pub(super) status: StatusTable,
    pub(super) log: LogTable,
    pub(super) look_up: LookUpTable,
    pub(super) backup: BackupTable,
    pub(super) articles: Option<ArticleSettings>,
    pub(super) online_orders: OnlineOrdersTable,
    pub(super) buffers: BuffersTable,
    pub(super) prices: Vec<FeedTable>,
    pub(super) incoming: Vec<FeedTable>,
}

/// The store.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct StoreTable {
    /// Name of this store, unique among the stores of one platform: 1 to 64 letters, digits, `-`, `_` or `.`. Required.
    #[schemars(required, extend("example" = "store-12"))]
    pub(super) id: Option<String>,
    /// Time zone of POS times that carry none: an IANA name such as `Europe/Berlin`.
    #[schemars(extend("default" = "UTC"))]
    pub(super) timezone: Option<String>,
}

/// Where the agent keeps its own files.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct StateTable {
    /// Folder of the database, backups and log files. On a local disk, never on a network share.
    #[schemars(extend("default" = "/var/lib/tillsync, on Windows C:\\ProgramData\\Tillsync"))]
    pub(super) path: Option<String>,
    /// Days that transactions are kept after their last change (30 to 3650). A ticket that is edited later than
    /// that is read as a new one.
    #[schemars(extend("default" = 400, "minimum" = 30, "maximum" = 3650))]
    pub(super) retention_days: Option<i64>,
    /// Days that delivered batches are kept (1 to 400).
    #[schemars(extend("default" = 30, "minimum" = 1, "maximum" = 400))]
    pub(super) batch_history_days: Option<i64>,
    /// Free megabytes of the disk below which sources that can be read again pause (16 to 65536).
    #[schemars(extend("default" = 256, "minimum" = 16, "maximum" = 65536))]
    pub(super) disk_reserve_mb: Option<i64>,
}

/// The local status server.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct StatusTable {
    /// Loopback address and port, or `off`.
    #[schemars(extend("default" = "127.0.0.1:7737"))]
    pub(super) listen: Option<String>,
}

/// Logs.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LogTable {
    /// `auto` is `human` on a terminal, `journald` under systemd and a size-capped file otherwise.
    #[schemars(extend("default" = "auto"))]
    pub(super) format: Option<LogFormatWord>,
    /// `error`, `warn`, `info`, `debug` or `trace`; or directives such as `info,tillsync::push=debug`.
    #[schemars(extend("default" = "info"))]
    pub(super) level: Option<String>,
    /// Log to this file, whatever the format. Without it, `auto` logs to `logs/tillsync.log` in the state folder
    /// where there is neither a terminal nor a journal.
    pub(super) file: Option<String>,
    /// Size in megabytes at which the file is rotated (1 to 1024). Three old files are kept.
    #[schemars(extend("default" = 10, "minimum" = 1, "maximum" = 1024))]
    pub(super) file_max_mb: Option<i64>,
}

/// How a log line looks.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(super) enum LogFormatWord {
    Auto,
    Human,
    Json,
    Journald,
}

/// How often a SKU that the platform does not know is looked up again.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LookUpTable {
    /// First wait and longest wait; the wait doubles in between (`10s` to `24h`).
    pub(super) retry: Option<RetryTable>,
}

/// First and longest wait.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub(super) struct RetryTable {
    /// Wait after the first look-up that found nothing.
    #[schemars(extend("default" = "1m"))]
    pub(super) first: Option<String>,
    /// Longest wait between two look-ups of one SKU.
    #[schemars(extend("default" = "15m"))]
    pub(super) most: Option<String>,
}

/// Copies of the agent's database.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct BackupTable {
    /// Time between two copies (`1h` to `30d`).
    #[schemars(extend("default" = "24h"))]
    pub(super) every: Option<String>,
    /// Copies kept in `backups` of the state folder (1 to 100).
    #[schemars(extend("default" = 7, "minimum" = 1, "maximum" = 100))]
    pub(super) keep: Option<i64>,
}

/// One source.
#[derive(JsonSchema)]
#[schemars(untagged)]
#[expect(dead_code, clippy::large_enum_variant, reason = "exists for the schema")]
pub(super) enum AnySource {
    /// CSV, JSON Lines and JSON files.
    File(FileSettings),
    /// Files of a retail standard.
    Document(DocumentSettings),
    /// A database.
    Database(DatabaseSettings),
    /// The receipt printer's line.
    Receipts(ReceiptSettings),
    /// Sales that are posted to this agent.
    Pushed(PushedSettings),
}

/// One platform.
#[derive(JsonSchema)]
#[schemars(untagged)]
#[expect(dead_code, reason = "exists for the schema")]
pub(super) enum PlatformTable {
    /// A Shopify shop.
    Shopify(ShopifyTable),
    /// A WooCommerce shop.
    WooCommerce(super::woocommerce::WooTable),
    /// The open door for any middleware.
    Http(HttpTable),
    /// An Adobe Commerce or Magento Open Source site.
    Adobe(AdobeTable),
    /// A BigCommerce store.
    BigCommerce(super::connections::bigcommerce::BigCommerceTable),
    /// A Square seller.
    Square(super::connections::square::SquareTable),
    /// A Medusa shop.
    Medusa(MedusaTable),
    /// A Vendure shop.
    Vendure(VendureTable),
}

/// A Shopify shop and the location whose stock this store is.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ShopifyTable {
    /// `shopify`
    #[schemars(required, extend("const" = "shopify"))]
    #[expect(dead_code, reason = "was looked at before the table was read")]
    pub(super) kind: Option<String>,
    /// Name of the lane, unique.
    #[schemars(extend("default" = "shopify"))]
    pub(super) name: Option<String>,
    /// The shop's permanent name: `name.myshopify.com`. Required unless `base_url` is given.
    pub(super) shop: Option<String>,
    /// Address to use in place of the shop's own; `http://` only on loopback.
    pub(super) base_url: Option<String>,
    /// The location whose stock this store is: numeric id, gid, or its unique name. Required.
    #[schemars(required)]
    pub(super) location: Option<String>,
    /// Reference to a static Admin API access token: `env:NAME`, `file:/path` or `credential:NAME`.
    pub(super) token: Option<String>,
    /// Client id of the app, in place of `token`. May be a reference.
    pub(super) client_id: Option<String>,
    /// Reference to the client secret of the app.
    pub(super) client_secret: Option<String>,
    /// What the store's SKU is compared with, exactly.
    #[serde(rename = "match")]
    #[schemars(extend("default" = "sku"))]
    pub(super) match_by: Option<MatchWord>,
    /// Requests at the same time (1 to 16).
    #[schemars(extend("default" = 4, "minimum" = 1, "maximum" = 16))]
    pub(super) in_flight: Option<i64>,
    /// Stock an item at the location when it is not yet; without it, such SKUs wait in quarantine.
    #[schemars(extend("default" = false))]
    pub(super) activate_missing: Option<bool>,
}

/// What a SKU is compared with.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub(super) enum MatchWord {
    Sku,
    Barcode,
    SkuThenBarcode,
}

/// What is posted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub(super) enum BodyWord {
    Changes,
    Transactions,
}

/// The open door: batches of changes posted as signed JSON.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct HttpTable {
    /// `http`
    #[schemars(required, extend("const" = "http"))]
    #[expect(dead_code, reason = "was looked at before the table was read")]
    pub(super) kind: Option<String>,
    /// Name of the lane, unique.
    #[schemars(extend("default" = "http"))]
    pub(super) name: Option<String>,
    /// Where batches are posted. `https://`, or `http://` to loopback and private addresses. Required.
    #[schemars(required)]
    pub(super) url: Option<String>,
    /// Reference to the signing secret (`whsec_...`): `env:NAME`, `file:/path` or `credential:NAME`.
    pub(super) secret: Option<String>,
    /// `changes` posts signed changes of stock, for a middleware; `transactions` posts whole tickets to the ledger of
    /// another Tillsync (this one is a collector). Decide before the first start.
    #[schemars(extend("default" = "changes"))]
    pub(super) body: Option<BodyWord>,
    /// SHA-256 of the receiver's own certificate, as its `tillsync check` shows it: this certificate is trusted, and no
    /// other.
    pub(super) fingerprint: Option<String>,
    /// PEM file of a further certificate authority to trust for this address.
    pub(super) ca: Option<String>,
    /// Waiting changes of one SKU become one; `false` keeps one change for each line sold. With
    /// `body = "transactions"` always `false`.
    #[schemars(extend("default" = true))]
    pub(super) merge: Option<bool>,
    /// Most changes in one request (1 to 10000).
    #[schemars(extend("default" = 1000, "minimum" = 1, "maximum" = 10000))]
    pub(super) changes_max: Option<i64>,
    /// Requests at the same time (1 to 16). With `body = "transactions"` always 1.
    #[schemars(extend("default" = 4, "minimum" = 1, "maximum" = 16))]
    pub(super) in_flight: Option<i64>,
    /// More headers of each request. Values of headers that let someone in must be references.
    pub(super) headers: Option<BTreeMap<String, String>>,
}
