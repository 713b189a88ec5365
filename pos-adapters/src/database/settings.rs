//! One `[[source]]` table of this family, as written in the configuration. It holds what a person wrote and decides
//! nothing; [`super::plan`] checks it and fills in the profile.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::check;
use super::engine::{Dialect, Tls};
use super::plan::Plan;
use super::reader::DatabaseSource;
use crate::file::SettingFault;
use crate::file::settings::QuantitySign;
use crate::{Finding, PosSource, SourceContext, SourceSettings};

/// A database that the POS writes.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "database")]
pub struct DatabaseSettings {
    /// Name of this source, unique in the configuration. It is part of what makes a transaction unique: do not
    /// change it later.
    pub name: String,
    /// The kind of source.
    pub kind: DatabaseKind,
    /// What the database is: `postgres`, `mysql` (MariaDB too), `mssql`, `firebird`, `sqlite`, `access` (a
    /// file, read from a copy) or `odbc`.
    pub engine: Dialect,
    /// Name or address of the server. Default: `127.0.0.1`.
    #[serde(default)]
    pub host: Option<String>,
    /// Port of the server. Default: the usual one.
    #[serde(default)]
    pub port: Option<u16>,
    /// Named instance of SQL Server, in place of a port.
    #[serde(default)]
    pub instance: Option<String>,
    /// Name of the database; with Firebird the path or alias as the server knows it.
    #[serde(default)]
    pub database: Option<String>,
    /// The login: one that may do nothing but read what is needed.
    #[serde(default)]
    pub user: Option<String>,
    /// Its password, by reference: `env:NAME`, `file:/path` or `credential:NAME`.
    #[serde(default)]
    pub password: Option<String>,
    /// The file of an SQLite or Access database.
    #[serde(default)]
    pub path: Option<String>,
    /// `off`, `encrypt` (whoever answers), or `verify` (the certificate must come from `tls_ca`). Default: `off` on this
    /// machine, `encrypt` elsewhere.
    #[serde(default)]
    pub tls: Option<Tls>,
    /// PEM file of the authority that signed the server's certificate.
    #[serde(default)]
    pub tls_ca: Option<String>,
    /// Character set of columns that do not say theirs (Firebird's `NONE`), e.g. `cp1252`.
    #[serde(default)]
    pub charset: Option<String>,
    /// ODBC connection string, without the password: `Driver={…};…` or `DSN=…`. With Access only the driver; default:
    /// Microsoft's.
    #[serde(default)]
    pub connection: Option<String>,
    /// A known POS. Without one, `[source.queries]` says how to read.
    #[serde(default)]
    pub profile: Option<String>,
    /// IANA time zone of times that carry none. Default: what the profile says, else the store's.
    #[serde(default)]
    pub timezone: Option<String>,
    /// Sales from before this day (`2026-01-31`) are not taken. Default: the day of the first look.
    #[serde(default)]
    pub since: Option<String>,
    /// Time between two looks. From 200 ms to 1 h. Default: `2s`.
    #[serde(default)]
    pub poll: Option<String>,
    /// How many ticket numbers back each overlap look reaches. From 1 to 10000. Default: 500.
    #[serde(default)]
    pub overlap: Option<i64>,
    /// How far back in time each overlap look reaches. From 5 min to 24 h. Default: `2h`.
    #[serde(default)]
    pub window: Option<String>,
    /// How many days are read again each day, to find what came late, was changed or deleted. From 7 to 31. Default: 14.
    #[serde(default)]
    pub rescan_days: Option<u32>,
    /// How long a ticket must stay unchanged before it is taken. From 0 s to 10 min. Default: `0s`, or `10s` where the
    /// POS writes header and lines one after the other.
    #[serde(default)]
    pub settle: Option<String>,
    /// Largest share of transactions that may vanish at once (0 to 1); more than that is held for a person.
    /// Default: 0.2.
    #[serde(default)]
    pub vanish_limit: Option<f64>,
    /// What the profile needs to know: location, store, warehouse. Each profile's page lists its options.
    #[serde(default)]
    pub options: BTreeMap<String, OptionValue>,
    /// Own queries, in place of a profile or of single queries of it.
    #[serde(default)]
    pub queries: Queries,
    /// How own queries are to be understood.
    #[serde(default)]
    pub rules: Rules,
}

/// The kind of this source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DatabaseKind {
    /// `database`
    Database,
}

/// Value of an option of a profile.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum OptionValue {
    /// One word.
    Text(String),
    /// A number.
    Integer(i64),
    /// Several words.
    List(Vec<String>),
}

impl OptionValue {
    /// The words in order.
    #[must_use]
    pub fn words(&self) -> Vec<String> {
        match self {
            Self::Text(text) => vec![text.clone()],
            Self::Integer(number) => vec![number.to_string()],
            Self::List(words) => words.clone(),
        }
    }
}

/// Own queries. The columns of each are described on the page of databases.
#[derive(Debug, Clone, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "DatabaseQueries")]
pub struct Queries {
    /// Sales: one row a line.
    #[serde(default)]
    pub sales: Option<String>,
    /// Stock on hand: `sku`, `quantity`.
    #[serde(default)]
    pub on_hand: Option<String>,
    /// Sales that the stock on hand does not know yet: `sku`, `quantity`.
    #[serde(default)]
    pub unapplied: Option<String>,
    /// Articles: `sku`, `name`, `price`, `barcode`.
    #[serde(default)]
    pub products: Option<String>,
}

/// How own queries are to be understood.
#[derive(Debug, Clone, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "DatabaseRules")]
pub struct Rules {
    /// How the quantity is to be read. Default: `signed`.
    #[serde(default)]
    pub quantity: Option<QuantitySign>,
    /// Words of the `kind` column, each with `sale`, `return`, `receipt` or `adjustment`.
    #[serde(default)]
    pub kinds: BTreeMap<String, String>,
    /// Words of the `status` column, each with `completed`, `cancelled`, `suspended` or `training`.
    #[serde(default)]
    pub statuses: BTreeMap<String, String>,
    /// Whether `ticket` alone is unique for ever (a UUID). Default: false, and `sold_at` becomes part of the key.
    #[serde(default)]
    pub ticket_is_unique: Option<bool>,
    /// Whether the POS writes header and lines one after the other. Default: false.
    #[serde(default)]
    pub lines_come_later: Option<bool>,
}

impl SourceSettings for DatabaseSettings {
    fn name(&self) -> &str {
        &self.name
    }

    fn kind(&self) -> &'static str {
        "database"
    }

    fn secrets(&self) -> Vec<(String, String)> {
        self.password.iter().map(|reference| ("password".to_owned(), reference.clone())).collect()
    }

    fn vanish_limit(&self) -> Option<f64> {
        self.vanish_limit
    }

    fn database(&self) -> Option<&DatabaseSettings> {
        Some(self)
    }

    fn reading(&self, input: &Path) -> Result<Arc<dyn SourceSettings>, String> {
        if self.engine != Dialect::Sqlite {
            return Err(format!("source `{}` reads a server, so it cannot read `{}`", self.name, input.display()));
        }
        Ok(Arc::new(Self { path: Some(input.to_string_lossy().into_owned()), ..self.clone() }))
    }

    fn open(&self, context: &SourceContext) -> Result<Box<dyn PosSource>, Vec<SettingFault>> {
        let mut plan = Plan::new(self, &context.zone)?;
        plan.own_files.clone_from(&context.own_files);
        Ok(Box::new(DatabaseSource::new(plan, Arc::clone(&context.secrets))))
    }

    fn probe(&self, context: &SourceContext) -> Vec<Finding> {
        match Plan::new(self, &context.zone) {
            Ok(mut plan) => {
                // Not the copy that the running agent reads.
                plan.own_files = context.own_files.join("check");
                check::findings(&plan, &*context.secrets)
            }
            // Faults of settings are shown when they are read.
            Err(_) => Vec::new(),
        }
    }
}
