//! One `[[source]]` table of this family, as written in the configuration. Decides nothing; [`super::plan`] checks it.

use std::net::{Ipv4Addr, Ipv6Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::plan::Plan;
use super::reader::PushedSource;
use crate::file::SettingFault;
use crate::{Finding, PosSource, SourceContext, SourceSettings, Weight};

/// How long `check` waits for our own listener.
const LISTENER_WAIT_MAX: Duration = Duration::from_secs(2);

/// Sales that are posted to this agent.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "pushed")]
pub struct PushedSettings {
    /// Name of this source, unique in the configuration. It is part of what makes a transaction unique: do not
    /// change it later.
    pub name: String,
    /// The kind of source.
    pub kind: PushedKind,
    /// Address and port that others post to. Without `tls` only a loopback address. Default: `127.0.0.1:7738`.
    #[serde(default)]
    pub listen: Option<String>,
    /// Encryption. Needed for any address but loopback; an empty table makes and keeps a certificate of its own.
    #[serde(default)]
    pub tls: Option<PushedTls>,
    /// Who may post. At least one.
    #[serde(default)]
    pub key: Vec<PushedKey>,
    /// Largest request in kilobytes (16 to 16384). Default: 4096.
    #[serde(default)]
    pub body_max_kb: Option<u32>,
}

/// How the listener is encrypted.
#[derive(Debug, Clone, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct PushedTls {
    /// PEM file with the certificate and those that vouch for it. Without it, one is made and kept in the state
    /// folder; `tillsync check` shows its fingerprint for the others to trust.
    #[serde(default)]
    pub certificate: Option<PathBuf>,
    /// PEM file with the private key of `certificate`.
    #[serde(default)]
    pub private_key: Option<PathBuf>,
}

/// One that may post.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PushedKey {
    /// Name of who posts: the last part of its address, `/sales/NAME`. It is part of what makes its transactions
    /// unique: replace the secret as often as you like, but do not change the name.
    pub name: String,
    /// How it proves who it is, and what it posts.
    #[serde(default)]
    pub scheme: Scheme,
    /// Reference to its secret: `env:NAME`, `file:/path` or `credential:NAME`. While it is replaced, the secret may
    /// hold both, separated by white space.
    pub secret: String,
    /// Registers that it may post for. Default: any.
    #[serde(default)]
    pub registers: Vec<String>,
    /// Kinds of line that it may post. Default: any.
    #[serde(default)]
    pub kinds: Vec<LineKindWord>,
    /// Largest difference between the time in a Standard Webhooks signature and this machine's clock, as `5m`
    /// (`10s` to `1h`). Default: `5m`.
    #[serde(default)]
    pub clock_tolerance: Option<String>,
    /// Most requests in a minute (1 to 60000). Default: 6000.
    #[serde(default)]
    pub requests_per_minute: Option<u32>,
    /// Square: the notification URL exactly as entered at Square; it is part of what is signed.
    #[serde(default)]
    pub notification_url: Option<String>,
    /// Square and Shopify: ids of the locations that are this store; others are ignored. Default: any.
    #[serde(default)]
    pub locations: Vec<String>,
}

/// How one that posts proves who it is, and what its requests hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum Scheme {
    /// Standard Webhooks: `webhook-id`, `webhook-timestamp`, `webhook-signature`. Tillsync's own way.
    #[default]
    StandardWebhooks,
    /// `authorization: Bearer TOKEN`, for a POS that cannot sign. Only over TLS or on this machine.
    Bearer,
    /// Square's webhooks.
    Square,
    /// Shopify's webhooks, for Shopify POS.
    Shopify,
}

/// A kind of line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum LineKindWord {
    /// Goods handed to a customer.
    Sale,
    /// Goods that came back.
    Return,
    /// Goods received.
    Receipt,
    /// A correction.
    Adjustment,
}

/// The kind of this source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PushedKind {
    /// `http`
    Http,
}

impl SourceSettings for PushedSettings {
    fn name(&self) -> &str {
        &self.name
    }

    fn kind(&self) -> &'static str {
        "http"
    }

    fn secrets(&self) -> Vec<(String, String)> {
        let key = |(at, key): (usize, &PushedKey)| (format!("key[{at}].secret"), key.secret.clone());
        self.key.iter().enumerate().map(key).collect()
    }

    fn pushed(&self) -> Option<&PushedSettings> {
        Some(self)
    }

    fn reading(&self, input: &Path) -> Result<Arc<dyn SourceSettings>, String> {
        Err(format!(
            "source `{}` waits for requests, so it cannot read `{}`: post the file to it",
            self.name,
            input.display()
        ))
    }

    fn open(&self, context: &SourceContext) -> Result<Box<dyn PosSource>, Vec<SettingFault>> {
        Ok(Box::new(PushedSource::new(Plan::new(self, context)?)))
    }

    fn probe(&self, context: &SourceContext) -> Vec<Finding> {
        let Ok(plan) = Plan::new(self, context) else { return Vec::new() };
        let keys =
            plan.keys.iter().map(|key| match plan.secrets.read(&key.secret).and_then(|secret| key.usable(&secret)) {
                Ok(()) => Finding {
                    weight: Weight::Good,
                    text: format!("key `{}` posts to {}", key.name, plan.address_of(key)),
                    hint: String::new(),
                },
                // The service may have a variable or credential that the person who checks has not.
                Err(reason) => Finding {
                    weight: Weight::Warning,
                    text: format!("key `{}` cannot be used: {reason}", key.name),
                    hint: "check the reference and the form of the secret; until then its requests are answered 503"
                        .to_owned(),
                },
            });
        std::iter::once(listener(&plan)).chain(keys).collect()
    }
}

/// Whether anybody answers at the address; it is this machine's own.
fn listener(plan: &Plan) -> Finding {
    let mut address = plan.listen;
    if address.ip().is_unspecified() {
        address.set_ip(if address.is_ipv4() { Ipv4Addr::LOCALHOST.into() } else { Ipv6Addr::LOCALHOST.into() });
    }
    match TcpStream::connect_timeout(&address, LISTENER_WAIT_MAX) {
        Ok(_) => Finding { weight: Weight::Good, text: format!("{} is listened on", plan.listen), hint: String::new() },
        Err(error) => Finding {
            weight: Weight::Warning,
            text: format!("nobody listens on {} ({error})", plan.listen),
            hint: "fine while the agent is stopped; otherwise its log and status page say why".to_owned(),
        },
    }
}
