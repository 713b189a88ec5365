//! What the agent is told to do: a [`Config`] that cannot hold a bad value.
//!
//! `config/file.rs` is the TOML as written, `config/read.rs` turns text into it and keeps every fault with its
//! line, `config/resolve.rs` checks ranges and references between tables. The rest of the program sees only the
//! types of this file. Secrets are held as references and are never read here.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;
use pos_adapters::SourceSettings;
use pos_adapters::articles::ArticleSettings;
use sync_core::model::{LaneName, StoreId};

pub use self::connections::{Connection, Parts, WantedValues};
pub use crate::platform::http::Contents;
use crate::secret::SecretRef;

mod adobe;
pub mod connections;
mod count;
pub mod faults;
pub mod feeds;
pub mod file;
pub mod mask;
mod medusa;
pub mod online;
mod platforms;
pub mod read;
mod reconcile;
pub mod reference;
mod resolve;
pub mod sources;
mod vendure;
mod woocommerce;

pub use feeds::{FeedConfig, FeedInput};
pub use online::{Buffers, OnlineOrders};
pub use resolve::default_state_folder;

pub use faults::{ConfigFault, ConfigFaults, FaultCode, Severity};

/// The complete example, as shipped in `config/agent.example.toml`.
pub const EXAMPLE: &str = include_str!("../../config/agent.example.toml");

/// Largest configuration file that is read. Anything bigger is not a configuration.
pub const CONFIG_BYTES_MAX: u64 = 1024 * 1024;

/// Everything the agent needs to know, checked.
#[derive(Debug, Clone)]
pub struct Config {
    /// The file it came from.
    pub path: PathBuf,
    /// Who we are.
    pub store: StoreConfig,
    /// Where we keep our own files.
    pub state: StateConfig,
    /// What is read, in the order written. Names are unique.
    pub sources: Vec<SourceConfig>,
    /// The store's article table.
    pub articles: Option<ArticleSettings>,
    /// Where changes go, one lane each, in the order written. Names are unique.
    pub platforms: Vec<PlatformConfig>,
    /// The local status server; `None` switches it off.
    pub status: Option<StatusConfig>,
    /// Logs.
    pub log: LogConfig,
    /// Where counts of stock come from.
    pub counts: Vec<CountConfig>,
    /// Comparing the platforms' numbers with the ledger.
    pub reconcile: ReconcileConfig,
    /// How often an unknown SKU is looked up again.
    pub look_up: LookUpConfig,
    /// Copies of the database.
    pub backup: BackupConfig,
    /// How the platforms' orders meet the shelf.
    pub online_orders: OnlineOrders,
    /// Units that the platforms are never told.
    pub buffers: Buffers,
    /// Lists of prices and of units on order.
    pub feeds: Vec<FeedConfig>,
    /// Things that work but deserve a look; shown by `check`.
    pub warnings: Vec<ConfigFault>,
}

/// `[store]`
#[derive(Debug, Clone)]
pub struct StoreConfig {
    /// Unique among the stores that share a platform or a central server.
    pub id: StoreId,
    /// IANA name as written.
    pub timezone_name: String,
    /// Zone of POS times that carry none.
    pub timezone: TimeZone,
}

/// `[state]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateConfig {
    /// Folder of the database, backups and log files; absolute or relative to the working folder.
    pub path: PathBuf,
    /// Days that transaction versions are kept.
    pub retention_days: u32,
    /// Days that delivered batches are kept.
    pub batch_history_days: u32,
    /// Free bytes below which sources that can be read again pause.
    pub disk_reserve_bytes: u64,
}

/// One `[[source]]`, checked: settings of any family.
pub type SourceConfig = Arc<dyn SourceSettings>;

/// One `[[platform]]`.
#[derive(Debug, Clone)]
pub enum PlatformConfig {
    /// `kind = "shopify"`
    Shopify(ShopifyConfig),
    /// `kind = "http"`
    Http(HttpConfig),
    /// Any other kind.
    Other(Arc<dyn Connection>),
}

impl PlatformConfig {
    /// Unique name; the lane has the same.
    #[must_use]
    pub fn name(&self) -> &LaneName {
        match self {
            Self::Shopify(shopify) => &shopify.name,
            Self::Http(http) => &http.name,
            Self::Other(other) => other.name(),
        }
    }

    /// The word in `kind`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Shopify(_) => "shopify",
            Self::Http(_) => "http",
            Self::Other(other) => other.kind(),
        }
    }

    /// Every secret that it refers to, as (key, reference).
    #[must_use]
    pub fn secrets(&self) -> Vec<(String, &SecretRef)> {
        match self {
            Self::Shopify(shopify) => match &shopify.auth {
                ShopifyAuth::Token(token) => vec![("token".to_owned(), token)],
                ShopifyAuth::ClientCredentials { client_id, client_secret } => client_id
                    .secret()
                    .map(|id| ("client_id".to_owned(), id))
                    .into_iter()
                    .chain([("client_secret".to_owned(), client_secret)])
                    .collect(),
            },
            Self::Http(http) => http
                .secret
                .iter()
                .map(|secret| ("secret".to_owned(), secret))
                .chain(
                    http.headers
                        .iter()
                        .filter_map(|(name, value)| value.secret().map(|secret| (format!("headers.{name}"), secret))),
                )
                .collect(),
            Self::Other(other) => other.secrets(),
        }
    }
}

/// A Shopify shop and the location whose stock this store is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShopifyConfig {
    /// Lane name.
    pub name: LaneName,
    /// `https://{shop}.myshopify.com`, without a slash at the end.
    pub base_url: String,
    /// Numeric id, gid or unique name.
    pub location: String,
    /// How we are let in.
    pub auth: ShopifyAuth,
    /// What a SKU is compared with.
    pub match_by: MatchBy,
    /// Requests at the same time.
    pub in_flight_max: usize,
    /// Stock an item at the location when it is not yet.
    pub activate_missing: bool,
}

/// Access to a Shopify shop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ShopifyAuth {
    /// A static Admin API access token.
    Token(SecretRef),
    /// Client credentials of an app; tokens are fetched and renewed.
    ClientCredentials {
        /// Not a secret by itself, may be a reference too.
        client_id: PlainOrSecret,
        /// The secret.
        client_secret: SecretRef,
    },
}

/// What the store's SKU is compared with, exactly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MatchBy {
    /// The variant's SKU.
    #[default]
    Sku,
    /// The variant's barcode.
    Barcode,
    /// The SKU, and where none has it the barcode.
    SkuThenBarcode,
}

/// Any middleware that takes signed JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpConfig {
    /// Lane name.
    pub name: LaneName,
    /// Where batches are posted.
    pub url: String,
    /// Key of the Standard Webhooks signature; `None` sends unsigned.
    pub secret: Option<SecretRef>,
    /// What is posted.
    pub contents: Contents,
    /// By what the receiver is trusted.
    pub trust: Trust,
    /// Waiting changes of one SKU merge.
    pub merge: bool,
    /// Most changes of one request.
    pub changes_max: usize,
    /// Requests at the same time.
    pub in_flight_max: usize,
    /// More headers of every request.
    pub headers: BTreeMap<String, PlainOrSecret>,
}

/// By what a receiver is trusted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Trust {
    /// The system's certificate authorities.
    #[default]
    System,
    /// These too.
    Ca(PathBuf),
    /// The one certificate with this SHA-256.
    Fingerprint([u8; 32]),
}

/// Text that may stand in the file or be a reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PlainOrSecret {
    /// As written.
    Plain(String),
    /// To be read when needed.
    Secret(SecretRef),
}

impl PlainOrSecret {
    /// The reference, if it is one.
    #[must_use]
    pub const fn secret(&self) -> Option<&SecretRef> {
        match self {
            Self::Plain(_) => None,
            Self::Secret(reference) => Some(reference),
        }
    }
}

/// `[status]`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StatusConfig {
    /// A loopback address.
    pub listen: SocketAddr,
}

/// `[log]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogConfig {
    /// How a line looks and where it goes.
    pub format: LogFormat,
    /// A level, or directives as `info,tillsync::push=debug`.
    pub level: String,
    /// Always log to this file; `None` logs to a file only where there is no terminal and no journal.
    pub file: Option<PathBuf>,
    /// Size at which the file is rotated.
    pub file_bytes_max: u64,
}

/// How a log line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// Human on a terminal, journald under systemd, otherwise a size-capped file.
    #[default]
    Auto,
    /// Time, level, words.
    Human,
    /// One JSON object a line.
    Json,
    /// Priority prefix and no time: the journal has its own.
    Journald,
}

/// One `[[count]]`
#[derive(Debug, Clone)]
pub struct CountConfig {
    /// As written.
    pub settings: pos_adapters::counts::CountSettings,
    /// When; `None` only on change, or when asked.
    pub rhythm: Option<crate::schedule::Rhythm>,
    /// Files are taken in as they come.
    pub on_change: bool,
    /// How far clocks may differ.
    pub margin: Duration,
    /// The last sales before a moment have come in after this long.
    pub sales_within: Duration,
    /// What a person has to see.
    pub limits: sync_core::count::Limits,
}

/// `[reconcile]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReconcileConfig {
    /// When, in store-local time: six fields, seconds first; `None` only when asked.
    pub schedule: Option<String>,
    /// Also after a count was taken in.
    pub after_count: bool,
    /// Limits and guard rails.
    pub rules: sync_core::reconcile::Rules,
}

/// `[look_up]`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LookUpConfig {
    /// Wait after the first look-up that found nothing; doubles up to `retry_most`.
    pub retry_first: Duration,
    /// Longest wait.
    pub retry_most: Duration,
}

/// `[backup]`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BackupConfig {
    /// Time between copies of the database.
    pub every: Duration,
    /// Copies kept.
    pub keep: u32,
}

/// Reads and checks the file.
///
/// # Errors
/// All faults at once, each with its line and what would be right.
pub fn load(path: &Path) -> Result<Config, ConfigFaults> {
    parse(&text_of(path)?, path)
}

/// Reads the text of the file, without looking into it.
///
/// # Errors
/// One fault that names the file.
pub fn text_of(path: &Path) -> Result<String, ConfigFaults> {
    let refused = |what: String, hint: &str| {
        ConfigFaults::of_file(path, FaultCode::Unreadable, format!("cannot read the configuration: {what}"), hint)
    };
    let length = std::fs::metadata(path)
        .map_err(|error| refused(error.to_string(), "give the file with --config FILE or TILLSYNC_CONFIG"))?
        .len();
    if length > CONFIG_BYTES_MAX {
        return Err(refused(
            format!("{length} bytes, more than {CONFIG_BYTES_MAX}"),
            "this is not a configuration file",
        ));
    }
    let bytes = std::fs::read(path)
        .map_err(|error| refused(error.to_string(), "let the user that runs tillsync read the file"))?;
    let text = String::from_utf8(bytes)
        .map_err(|error| refused(format!("not UTF-8 ({})", error.utf8_error()), "save the file as UTF-8"))?;
    Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))
}

/// Checks `text` as if it stood in `origin`.
///
/// # Errors
/// See [`load`].
pub fn parse(text: &str, origin: &Path) -> Result<Config, ConfigFaults> {
    resolve::resolve(read::read(text), text, origin)
}

/// The text of the file as it may be shown to others; works with a configuration that has faults, as long as it is TOML.
///
/// # Errors
/// The file cannot be read, or is not TOML.
pub fn masked(path: &Path) -> Result<String, ConfigFaults> {
    let text = text_of(path)?;
    mask::mask_config(&text).map_err(|_| match parse(&text, path) {
        Err(faults) => faults,
        Ok(_) => ConfigFaults::of_file(
            path,
            FaultCode::Syntax,
            "cannot mask the configuration".to_owned(),
            "do not pass the file on as it is",
        ),
    })
}

#[cfg(test)]
mod tests;
