//! Checks `[[platform]]` tables: addresses, secret references, limits. Talks to nobody.

use std::collections::BTreeMap;
use std::net::IpAddr;

use sync_core::model::LaneName;
use url::{Host, Url};

use super::faults::{ConfigFault, FaultCode};
use super::file::{BodyWord, HttpTable, MatchWord, ShopifyTable};
use super::resolve::{Resolver, last};
use super::{Contents, HttpConfig, MatchBy, PlainOrSecret, ShopifyAuth, ShopifyConfig, Trust, mask};
use crate::secret::SecretRef;

/// Headers that the agent sets itself.
const OWN_HEADERS: [&str; 8] = [
    "content-type",
    "content-length",
    "host",
    "user-agent",
    "idempotency-key",
    "webhook-id",
    "webhook-timestamp",
    "webhook-signature",
];

/// Forms of a reference, for messages.
const REFERENCE_FORMS: &str = "env:NAME, file:/path or credential:NAME";

/// Which addresses may be reached without TLS.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum PlainHttp {
    Loopback,
    Private,
}

pub(super) fn shopify(resolver: &mut Resolver<'_>, path: &str, table: ShopifyTable) -> Option<ShopifyConfig> {
    let key = |name: &str| format!("{path}.{name}");
    let name = table.name.unwrap_or_else(|| "shopify".to_owned());
    resolver.name("platform", &key("name"), &name);
    let location = resolver.required(
        &key("location"),
        table.location,
        "the numeric id at the end of the location's address in the Shopify admin, or its unique name",
    );
    let base_url = match (table.shop, table.base_url) {
        (Some(_), Some(_)) => {
            let fault =
                ConfigFault::new(FaultCode::NotAllowed, key("base_url"), "`shop` and `base_url` exclude each other");
            resolver.fault(fault.hint("keep `shop`; `base_url` is for tests and proxies"));
            None
        }
        (None, Some(url)) => address(resolver, &key("base_url"), &url, PlainHttp::Loopback)
            .map(|url| url.trim_end_matches('/').to_owned()),
        (shop, None) => resolver
            .required(&key("shop"), shop, "the shop's permanent name, as `name.myshopify.com`")
            .and_then(|shop| shop_address(resolver, &key("shop"), &shop)),
    };
    let auth = auth(resolver, path, table.token, table.client_id, table.client_secret);
    let in_flight: u32 = resolver.number(&key("in_flight"), table.in_flight, 1..=16, 4);
    Some(ShopifyConfig {
        name: LaneName::new(name),
        base_url: base_url?,
        location: location?,
        auth: auth?,
        match_by: match table.match_by {
            None | Some(MatchWord::Sku) => MatchBy::Sku,
            Some(MatchWord::Barcode) => MatchBy::Barcode,
            Some(MatchWord::SkuThenBarcode) => MatchBy::SkuThenBarcode,
        },
        in_flight_max: usize::try_from(in_flight).unwrap_or(1),
        activate_missing: table.activate_missing.unwrap_or(false),
    })
}

pub(super) fn http(resolver: &mut Resolver<'_>, path: &str, table: HttpTable) -> Option<HttpConfig> {
    let key = |name: &str| format!("{path}.{name}");
    let name = table.name.unwrap_or_else(|| "http".to_owned());
    resolver.name("platform", &key("name"), &name);
    let url = resolver
        .required(&key("url"), table.url, "the address that takes batches, as `https://middleware.example.com/stock`")
        .and_then(|url| address(resolver, &key("url"), &url, PlainHttp::Private));
    let had_secret = table.secret.is_some();
    let secret = table.secret.and_then(|secret| reference(resolver, &key("secret"), &secret));
    if !had_secret {
        let fault = ConfigFault::new(FaultCode::Missing, path, "there is no `secret`: batches are sent unsigned");
        resolver.fault(
            fault
                .hint("agree on a `whsec_` secret with the receiver and refer to it, as `secret = \"env:DOOR_SECRET\"`")
                .as_warning(),
        );
    }
    let mut headers = BTreeMap::new();
    for (header, value) in table.headers.unwrap_or_default() {
        if let Some(value) = header_value(resolver, &key(&format!("headers.{header}")), &header, value) {
            headers.insert(header, value);
        }
    }
    let changes_max: u32 = resolver.number(&key("changes_max"), table.changes_max, 1..=10_000, 1000);
    let in_flight: u32 = resolver.number(&key("in_flight"), table.in_flight, 1..=16, 4);
    let contents = match table.body {
        None | Some(BodyWord::Changes) => Contents::Changes,
        Some(BodyWord::Transactions) => Contents::Transactions,
    };
    if contents == Contents::Transactions {
        for (given, name) in
            [(table.merge == Some(true), "merge"), (table.in_flight.is_some_and(|n| n != 1), "in_flight")]
        {
            if given {
                let message = format!("`{name}` has no meaning with `body = \"transactions\"`");
                let fault = ConfigFault::new(FaultCode::NotAllowed, key(name), message);
                resolver.fault(
                    fault.hint("take it out: whole tickets are never merged and go one request after the other"),
                );
            }
        }
    }
    let trust = trust(resolver, path, url.as_deref(), table.fingerprint, table.ca)?;
    Some(HttpConfig {
        name: LaneName::new(name),
        url: url?,
        secret,
        contents,
        trust,
        merge: table.merge.unwrap_or(true),
        changes_max: usize::try_from(changes_max).unwrap_or(1),
        in_flight_max: usize::try_from(in_flight).unwrap_or(1),
        headers,
    })
}

/// By what a receiver on this network is trusted.
fn trust(
    resolver: &mut Resolver<'_>,
    path: &str,
    url: Option<&str>,
    fingerprint: Option<String>,
    ca: Option<String>,
) -> Option<Trust> {
    let key = |name: &str| format!("{path}.{name}");
    let name = if fingerprint.is_some() { "fingerprint" } else { "ca" };
    let mut refuse = |message: &str, hint: &str| {
        resolver.fault(ConfigFault::new(FaultCode::NotAllowed, key(name), message.to_owned()).hint(hint));
        None
    };
    let plain = url.is_some_and(|url| url.starts_with("http://"));
    match (fingerprint, ca) {
        (None, None) => Some(Trust::System),
        (Some(_), Some(_)) => refuse("`fingerprint` and `ca` exclude each other", "keep `fingerprint`"),
        _ if plain => refuse("there is no certificate without `https://`", "write `url` with `https://`"),
        (None, Some(path)) => Some(Trust::Ca(path.into())),
        (Some(text), None) => match read_fingerprint(&text) {
            Some(digest) => Some(Trust::Fingerprint(digest)),
            None => refuse(
                "this is not the SHA-256 of a certificate",
                "copy it from `tillsync check` on the receiver: `sha256:` and 64 hexadecimal digits",
            ),
        },
    }
}

/// With or without `sha256:` and colons, in either case.
fn read_fingerprint(text: &str) -> Option<[u8; 32]> {
    let text = text.trim().to_ascii_lowercase();
    let digits: Vec<u32> = text
        .strip_prefix("sha256:")
        .unwrap_or(&text)
        .chars()
        .filter(|c| *c != ':')
        .map(|c| c.to_digit(16))
        .collect::<Option<_>>()?;
    let bytes: Vec<u8> =
        digits.chunks_exact(2).filter_map(|pair| u8::try_from(pair.first()? * 16 + pair.last()?).ok()).collect();
    if digits.len() == 64 { bytes.try_into().ok() } else { None }
}

fn auth(
    resolver: &mut Resolver<'_>,
    path: &str,
    token: Option<String>,
    client_id: Option<String>,
    client_secret: Option<String>,
) -> Option<ShopifyAuth> {
    let key = |name: &str| format!("{path}.{name}");
    match (token, client_id, client_secret) {
        (Some(token), None, None) => reference(resolver, &key("token"), &token).map(ShopifyAuth::Token),
        (None, Some(id), Some(secret)) => {
            let client_id = SecretRef::parse(&id).map_or_else(|_| PlainOrSecret::Plain(id), PlainOrSecret::Secret);
            let client_secret = reference(resolver, &key("client_secret"), &secret)?;
            Some(ShopifyAuth::ClientCredentials { client_id, client_secret })
        }
        (None, None, None) => {
            resolver.required(&key("token"), None, "give `token`, or `client_id` and `client_secret`");
            None
        }
        (Some(_), _, _) => {
            let message = "`token` and `client_id`/`client_secret` exclude each other";
            resolver.fault(ConfigFault::new(FaultCode::NotAllowed, key("token"), message).hint("keep one of them"));
            None
        }
        (None, Some(_), None) => {
            resolver.required(&key("client_secret"), None, "`client_id` needs it");
            None
        }
        (None, None, Some(_)) => {
            resolver.required(&key("client_id"), None, "`client_secret` needs it");
            None
        }
    }
}

/// How articles are matched, for the platforms below `connections`.
pub(super) fn match_by(word: Option<MatchWord>) -> crate::platform::matching::MatchBy {
    use crate::platform::matching::MatchBy as To;
    match word {
        None | Some(MatchWord::Sku) => To::Sku,
        Some(MatchWord::Barcode) => To::Barcode,
        Some(MatchWord::SkuThenBarcode) => To::SkuThenBarcode,
    }
}

/// A secret reference; a literal is a fault that does not repeat it.
pub(super) fn reference(resolver: &mut Resolver<'_>, key: &str, text: &str) -> Option<SecretRef> {
    let found = SecretRef::parse(text).ok();
    if found.is_none() {
        let fault = if text.starts_with("keyring:") {
            ConfigFault::new(FaultCode::NotInThisBuild, key, "secrets from the OS keyring are not in this build")
        } else {
            ConfigFault::new(
                FaultCode::LiteralSecret,
                key,
                format!("`{}` must be a reference, not the secret itself", last(key)),
            )
        };
        let hint = format!("write {REFERENCE_FORMS}; a secret that stood in a file should be replaced");
        resolver.fault(fault.hint(hint));
    }
    found
}

fn header_value(resolver: &mut Resolver<'_>, key: &str, header: &str, value: String) -> Option<PlainOrSecret> {
    let token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    let lower = header.to_ascii_lowercase();
    let fault = |message: String| ConfigFault::new(FaultCode::NotAllowed, key, message);
    if header.is_empty() || !header.chars().all(token) {
        resolver.fault(fault("this is not a header name".to_owned()).hint("letters, digits and `-`"));
        return None;
    }
    if OWN_HEADERS.contains(&lower.as_str()) {
        resolver.fault(fault(format!("the header `{header}` is set by the agent")).hint("take it out"));
        return None;
    }
    if let Ok(reference) = SecretRef::parse(&value) {
        return Some(PlainOrSecret::Secret(reference));
    }
    if mask::is_secret_path(&lower) || lower.contains("auth") || mask::scrub(&value) != value {
        return reference(resolver, key, &value).map(PlainOrSecret::Secret);
    }
    if value.chars().any(|c| c.is_control()) {
        resolver.fault(fault("the value holds control characters".to_owned()).hint("use one line of text"));
        return None;
    }
    Some(PlainOrSecret::Plain(value))
}

/// `https://name.myshopify.com` from what people write: with or without scheme and slash.
fn shop_address(resolver: &mut Resolver<'_>, key: &str, shop: &str) -> Option<String> {
    let name = shop.trim().trim_start_matches("https://").trim_end_matches('/').to_ascii_lowercase();
    let label = name.strip_suffix(".myshopify.com").unwrap_or_default();
    let well_formed =
        !label.is_empty() && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') && !label.starts_with('-');
    if well_formed {
        return Some(format!("https://{name}"));
    }
    let message = format!("`{}` is not the permanent name of a shop", mask::scrub(shop));
    let fault = ConfigFault::new(FaultCode::NotAllowed, key, message);
    resolver.fault(fault.hint("it ends in `.myshopify.com` (Settings, Domains), whatever domain customers see"));
    None
}

pub(super) fn address(resolver: &mut Resolver<'_>, key: &str, text: &str, plain: PlainHttp) -> Option<String> {
    let refuse = |resolver: &mut Resolver<'_>, message: String, hint: &str| {
        resolver.fault(ConfigFault::new(FaultCode::NotAllowed, key, message).hint(hint));
        None
    };
    let Ok(url) = Url::parse(text) else {
        return refuse(
            resolver,
            format!("`{}` is no address", last(key)),
            "write it in full, as `https://shop.example.com/path`",
        );
    };
    if !url.username().is_empty() || url.password().is_some() {
        let fault =
            ConfigFault::new(FaultCode::LiteralSecret, key, format!("`{}` holds a user name or password", last(key)));
        resolver.fault(fault.hint("take them out of the address; use `secret`, or `headers` with a reference"));
        return None;
    }
    if url.query_pairs().any(|(name, _)| mask::is_secret_path(&name)) {
        let fault =
            ConfigFault::new(FaultCode::LiteralSecret, key, format!("`{}` holds a secret in its query", last(key)));
        resolver.fault(fault.hint("use `secret`, or `headers` with a reference"));
        return None;
    }
    match (url.scheme(), reach(&url)) {
        ("https", _) | ("http", Reach::Loopback) => Some(text.to_owned()),
        ("http", Reach::Private) if plain == PlainHttp::Private => {
            let fault = ConfigFault::new(FaultCode::NotAllowed, key, format!("`{}` is not encrypted", last(key)));
            resolver.fault(
                fault
                    .hint("anyone on this network can read stock figures; use `https://` where the receiver can")
                    .as_warning(),
            );
            Some(text.to_owned())
        }
        ("http", _) => refuse(resolver, format!("`{}` would send unencrypted", last(key)), "use `https://`"),
        (scheme, _) => refuse(resolver, format!("`{scheme}://` is not a web address"), "use `https://`"),
    }
}

enum Reach {
    Loopback,
    Private,
    Public,
}

fn reach(url: &Url) -> Reach {
    let ip: Option<IpAddr> = match url.host() {
        Some(Host::Ipv4(ip)) => Some(ip.into()),
        Some(Host::Ipv6(ip)) => Some(ip.into()),
        Some(Host::Domain("localhost")) => return Reach::Loopback,
        Some(Host::Domain(_)) | None => None,
    };
    match ip {
        Some(ip) if ip.is_loopback() => Reach::Loopback,
        Some(IpAddr::V4(ip)) if ip.is_private() || ip.is_link_local() => Reach::Private,
        Some(IpAddr::V6(ip)) if ip.is_unique_local() || ip.is_unicast_link_local() => Reach::Private,
        Some(_) | None => Reach::Public,
    }
}
