//! OAuth 1.0a as the platform checks it: HMAC-SHA256 over method, address and all parameters; each nonce once.
//! <https://datatracker.ietf.org/doc/html/rfc5849#section-3.4>

use std::collections::{BTreeMap, HashSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// What an integration is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials {
    /// Consumer key.
    pub consumer_key: String,
    /// Consumer secret.
    pub consumer_secret: String,
    /// Access token.
    pub token: String,
    /// Access token secret.
    pub token_secret: String,
}

impl Credentials {
    /// Worth nothing anywhere else.
    #[must_use]
    pub fn made_up() -> Self {
        let text = |what: &str| format!("stand-in-{what}");
        Self {
            consumer_key: text("consumer-key"),
            consumer_secret: text("consumer/secret"),
            token: text("token"),
            token_secret: text("token&secret"),
        }
    }
}

/// Nonces that were used.
#[derive(Debug, Default)]
pub(crate) struct Nonces(HashSet<String>);

/// Checks the `Authorization` header of a request; the error is the platform's word.
pub(crate) fn check(
    credentials: &Credentials,
    nonces: &mut Nonces,
    header: &str,
    method: &str,
    address: &str,
    query: &str,
) -> Result<(), &'static str> {
    let given: BTreeMap<String, String> = header
        .split(',')
        .filter_map(|pair| pair.trim().split_once('='))
        .map(|(name, value)| (decoded(name), decoded(value.trim_matches('"'))))
        .collect();
    let says = |name: &str| given.get(name).map(String::as_str).unwrap_or_default();
    if says("oauth_consumer_key") != credentials.consumer_key {
        return Err("consumer_key_rejected");
    }
    if says("oauth_token") != credentials.token {
        return Err("token_rejected");
    }
    if says("oauth_signature_method") != "HMAC-SHA256" {
        return Err("signature_method_rejected");
    }
    let mut parameters: Vec<(String, String)> = url::form_urlencoded::parse(query.as_bytes())
        .map(|(name, value)| (encoded(&name), encoded(&value)))
        .chain(
            given
                .iter()
                .filter(|(name, _)| *name != "oauth_signature" && *name != "realm")
                .map(|(name, value)| (encoded(name), encoded(value))),
        )
        .collect();
    parameters.sort();
    let joined: Vec<String> = parameters.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let base = format!("{method}&{}&{}", encoded(address), encoded(&joined.join("&")));
    let key = format!("{}&{}", encoded(&credentials.consumer_secret), encoded(&credentials.token_secret));
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).map_err(|_| "signature_invalid")?;
    mac.update(base.as_bytes());
    if says("oauth_signature") != STANDARD.encode(mac.finalize().into_bytes()) {
        return Err("signature_invalid");
    }
    let nonce = says("oauth_nonce").to_owned();
    if nonce.is_empty() || !nonces.0.insert(nonce) { Err("nonce_used") } else { Ok(()) }
}

fn decoded(text: &str) -> String {
    // `+` is a plus sign here, unlike in a form.
    let text = text.replace('+', "%2B");
    url::form_urlencoded::parse(format!("x={text}").as_bytes()).next().map_or_else(String::new, |(_, v)| v.into_owned())
}

/// RFC 3986: all but letters, digits and `-._~`.
pub(crate) fn encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
            other => format!("%{other:02X}"),
        })
        .collect()
}
