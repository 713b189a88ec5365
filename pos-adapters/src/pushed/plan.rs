//! The settings, checked: an address, keys with their scope, limits. Reads no secret and opens nothing.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;
use sync_core::model::{LineKind, Transaction};

use super::settings::{LineKindWord, PushedKey, PushedSettings, Scheme};
use super::signature;
use crate::file::SettingFault;
use crate::{SecretReader, SourceContext};

/// Most keys of one source.
pub(crate) const KEYS_MAX: usize = 64;
const DEFAULT_LISTEN: &str = "127.0.0.1:7738";
const BODY_KB: (u32, u32, u32) = (16, 4096, 16_384);
const PER_MINUTE: (u32, u32, u32) = (1, 6000, 60_000);
const TOLERANCE_DEFAULT: Duration = Duration::from_mins(5);
const TOLERANCE_MIN: Duration = Duration::from_secs(10);
const TOLERANCE_MAX: Duration = Duration::from_hours(1);
const NAME_CHARS_MAX: usize = 64;

/// Everything that a door needs to know.
#[derive(Clone)]
pub struct Plan {
    /// Name of the `[[source]]`.
    pub name: String,
    /// Where it listens.
    pub listen: SocketAddr,
    /// Encrypted, and with whose certificate.
    pub tls: Option<Certificate>,
    /// Most bytes of one request.
    pub body_bytes_max: usize,
    /// Who may post.
    pub keys: Vec<Key>,
    /// Zone of times that carry none.
    pub zone: TimeZone,
    /// Where a certificate of our own is kept.
    pub own_files: PathBuf,
    /// Reads secrets, anew for every request: a replaced one counts at once.
    pub secrets: Arc<dyn SecretReader>,
}

impl fmt::Debug for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plan").field("name", &self.name).field("listen", &self.listen).finish_non_exhaustive()
    }
}

/// Whose certificate the listener shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Certificate {
    /// One that is made when first needed and kept in the source's own folder.
    Own,
    /// From PEM files.
    Files {
        /// The certificate and those that vouch for it.
        certificate: PathBuf,
        /// Its private key.
        private_key: PathBuf,
    },
}

/// One that may post.
#[derive(Debug, Clone)]
pub struct Key {
    /// Its name, also the last part of its address.
    pub name: String,
    /// How it proves who it is.
    pub scheme: Scheme,
    /// Reference to its secret.
    pub secret: String,
    /// Registers that it may post for; empty: any.
    pub registers: Vec<String>,
    /// Kinds of line that it may post; empty: any.
    pub kinds: Vec<LineKind>,
    /// For the time in a signature.
    pub clock_tolerance: Duration,
    /// Most requests in a minute.
    pub requests_per_minute: u32,
    /// Part of what Square signs.
    pub notification_url: String,
    /// Locations that are this store; empty: any.
    pub locations: Vec<String>,
}

impl Key {
    /// Whether the secret can be used in this scheme; never repeats it.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn usable(&self, secret: &str) -> Result<(), String> {
        signature::keys(self.scheme, secret).map(|_| ())
    }

    /// The first thing of a transaction that this key may not post.
    #[must_use]
    pub fn out_of_scope(&self, transaction: &Transaction) -> Option<String> {
        if !self.registers.is_empty() && !self.registers.contains(&transaction.register) {
            return Some(format!("key `{}` may not post for register `{}`", self.name, transaction.register));
        }
        let outside = |kind: &LineKind| !self.kinds.is_empty() && !self.kinds.contains(kind);
        let kind = transaction.lines.iter().map(|line| line.kind).find(outside)?;
        Some(format!("key `{}` may not post lines of kind `{}`", self.name, kind.as_str()))
    }

    /// Whether a location of a cloud POS is this store.
    #[must_use]
    pub fn is_here(&self, location: Option<&str>) -> bool {
        self.locations.is_empty() || location.is_some_and(|id| self.locations.iter().any(|here| here == id))
    }
}

impl Plan {
    /// Checks the settings.
    ///
    /// # Errors
    /// All faults at once.
    pub fn new(settings: &PushedSettings, context: &SourceContext) -> Result<Self, Vec<SettingFault>> {
        let mut faults = Faults::default();
        if settings.name.trim().is_empty() {
            faults.add("name", "must not be empty");
        }
        let listen = settings.listen.as_deref().unwrap_or(DEFAULT_LISTEN);
        let listen = listen.parse::<SocketAddr>().ok().or_else(|| {
            faults.add("listen", "must be an address and a port, as `127.0.0.1:7738` or `192.168.1.10:7738`");
            None
        });
        if let (Some(address), None) = (listen, &settings.tls)
            && !address.ip().is_loopback()
        {
            faults.add("listen", "can be reached from other machines: add `[source.tls]`, or listen on 127.0.0.1");
        }
        let tls = settings.tls.as_ref().and_then(|tls| match (&tls.certificate, &tls.private_key) {
            (None, None) => Some(Certificate::Own),
            (Some(certificate), Some(private_key)) => {
                Some(Certificate::Files { certificate: certificate.clone(), private_key: private_key.clone() })
            }
            _ => {
                faults.add(
                    "tls",
                    "`certificate` and `private_key` belong together; leave both out for a certificate of our own",
                );
                None
            }
        });
        let body_kb = faults.number("body_max_kb", settings.body_max_kb, BODY_KB);
        let keys = keys(&settings.key, &mut faults);
        match listen {
            Some(listen) if faults.0.is_empty() => Ok(Self {
                name: settings.name.clone(),
                listen,
                tls,
                body_bytes_max: usize::try_from(body_kb).unwrap_or(usize::MAX).saturating_mul(1024),
                keys,
                zone: context.zone.clone(),
                own_files: context.own_files.clone(),
                secrets: Arc::clone(&context.secrets),
            }),
            _ => Err(faults.0),
        }
    }

    /// The key of an address.
    #[must_use]
    pub fn key(&self, name: &str) -> Option<&Key> {
        self.keys.iter().find(|key| key.name == name)
    }

    /// Where a key posts to.
    #[must_use]
    pub fn address_of(&self, key: &Key) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}/sales/{}", self.listen, key.name)
    }
}

fn keys(written: &[PushedKey], faults: &mut Faults) -> Vec<Key> {
    if written.is_empty() {
        faults.add("key", "is missing: add a `[[source.key]]` for each that may post");
    }
    if written.len() > KEYS_MAX {
        faults.add("key", &format!("more than {KEYS_MAX} of them"));
    }
    let mut keys: Vec<Key> = Vec::new();
    for (at, one) in written.iter().take(KEYS_MAX).enumerate() {
        let key = |name: &str| format!("key[{at}].{name}");
        let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if one.name.is_empty() || one.name.len() > NAME_CHARS_MAX || !one.name.chars().all(legal) {
            faults.add(&key("name"), "must be 1 to 64 letters, digits, `-`, `_` or `.`");
        }
        if keys.iter().any(|known| known.name == one.name) {
            faults.add(&key("name"), "is there twice");
        }
        let per_minute = faults.number(&key("requests_per_minute"), one.requests_per_minute, PER_MINUTE);
        if one.scheme == Scheme::Square && one.notification_url.is_none() {
            faults.add(&key("notification_url"), "is needed: Square signs it with each request");
        }
        if one.scheme != Scheme::Square && one.notification_url.is_some() {
            faults.add(&key("notification_url"), "only has a meaning with `scheme = \"square\"`");
        }
        if !one.locations.is_empty() && !matches!(one.scheme, Scheme::Square | Scheme::Shopify) {
            faults.add(&key("locations"), "only has a meaning with `scheme = \"square\"` or `\"shopify\"`");
        }
        keys.push(Key {
            name: one.name.clone(),
            scheme: one.scheme,
            secret: one.secret.clone(),
            registers: one.registers.clone(),
            kinds: one.kinds.iter().map(|kind| line_kind(*kind)).collect(),
            clock_tolerance: tolerance(&key("clock_tolerance"), one.clock_tolerance.as_deref(), faults),
            requests_per_minute: per_minute,
            notification_url: one.notification_url.clone().unwrap_or_default(),
            locations: one.locations.clone(),
        });
    }
    keys
}

const fn line_kind(word: LineKindWord) -> LineKind {
    match word {
        LineKindWord::Sale => LineKind::Sale,
        LineKindWord::Return => LineKind::Return,
        LineKindWord::Receipt => LineKind::Receipt,
        LineKindWord::Adjustment => LineKind::Adjustment,
    }
}

/// `90s`, `5m`, `1h`.
fn tolerance(key: &str, text: Option<&str>, faults: &mut Faults) -> Duration {
    let Some(text) = text else { return TOLERANCE_DEFAULT };
    let units = [('s', 1_u64), ('m', 60), ('h', 3600)];
    let read = units.iter().find_map(|(unit, seconds)| {
        let number: u64 = text.trim().strip_suffix(*unit)?.parse().ok()?;
        Some(Duration::from_secs(number.checked_mul(*seconds)?))
    });
    match read {
        Some(span) if (TOLERANCE_MIN..=TOLERANCE_MAX).contains(&span) => span,
        _ => {
            faults.add(key, "must be a time from `10s` to `1h`");
            TOLERANCE_DEFAULT
        }
    }
}

#[derive(Default)]
struct Faults(Vec<SettingFault>);

impl Faults {
    fn add(&mut self, key: &str, message: &str) {
        self.0.push(SettingFault { key: key.to_owned(), message: message.to_owned() });
    }

    fn number(&mut self, key: &str, written: Option<u32>, (least, usual, most): (u32, u32, u32)) -> u32 {
        match written {
            None => usual,
            Some(number) if (least..=most).contains(&number) => number,
            Some(_) => {
                self.add(key, &format!("must be from {least} to {most}"));
                usual
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::NoSecrets;

    fn context() -> SourceContext {
        SourceContext {
            store: "s".to_owned(),
            zone: TimeZone::UTC,
            own_files: Path::new("own").to_owned(),
            secrets: Arc::new(NoSecrets),
        }
    }

    fn written(more: &str) -> PushedSettings {
        toml::from_str(&format!("name = \"in\"\nkind = \"http\"\n{more}")).unwrap()
    }

    fn check(more: &str) -> Result<Plan, Vec<String>> {
        Plan::new(&written(more), &context()).map_err(|faults| faults.into_iter().map(|fault| fault.key).collect())
    }

    const KEY: &str = "[[key]]\nname = \"till-1\"\nsecret = \"env:T1\"\n";

    #[test]
    fn the_least_is_one_key_and_stays_on_this_machine() {
        let plan = check(KEY).unwrap();
        assert!(plan.listen.ip().is_loopback() && plan.tls.is_none());
        assert_eq!(plan.address_of(&plan.keys[0]), "http://127.0.0.1:7738/sales/till-1");
        assert_eq!(plan.keys[0].clock_tolerance, Duration::from_mins(5));
    }

    #[test]
    fn an_address_of_the_network_needs_tls() {
        assert_eq!(check(&format!("listen = \"192.168.1.10:7738\"\n{KEY}")).unwrap_err(), ["listen"]);
        let plan = check(&format!("listen = \"192.168.1.10:7738\"\n[tls]\n{KEY}")).unwrap();
        assert_eq!(plan.tls, Some(Certificate::Own));
    }

    #[test]
    fn all_faults_are_told_at_once() {
        let faults = check(concat!(
            "listen = \"here\"\nbody_max_kb = 1\n[tls]\ncertificate = \"a.pem\"\n",
            "[[key]]\nname = \"a/b\"\nsecret = \"env:A\"\nscheme = \"square\"\n",
            "[[key]]\nname = \"c\"\nsecret = \"env:C\"\nclock_tolerance = \"2d\"\nlocations = [\"1\"]\nrequests_per_minute = 0\n",
            "[[key]]\nname = \"c\"\nsecret = \"env:C\"\nnotification_url = \"https://example.com\"\n",
        ))
        .unwrap_err();
        for key in [
            "listen",
            "body_max_kb",
            "tls",
            "key[0].name",
            "key[0].notification_url",
            "key[1].clock_tolerance",
            "key[1].locations",
            "key[1].requests_per_minute",
            "key[2].name",
            "key[2].notification_url",
        ] {
            assert!(faults.iter().any(|fault| fault == key), "{key} is not among {faults:?}");
        }
        assert_eq!(check("").unwrap_err(), ["key"]);
    }
}
