//! Whether a request comes from who it says: Standard Webhooks, Square, Shopify, a bearer token. Pure.
//!
//! All comparisons take the same time whatever the given value is. A secret never gets into a message.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use sync_core::model::Timestamp;

use super::settings::Scheme;

/// Fewer bytes can be guessed. Standard Webhooks asks for 24 to 64; the others give longer ones.
const WEBHOOK_KEY_BYTES_MIN: usize = 24;
/// Shortest token or signature key.
const TOKEN_BYTES_MIN: usize = 16;
/// Most secrets at the same time, during a rotation.
const SECRETS_MAX: usize = 4;
/// Most signatures that one request may offer.
const SIGNATURES_MAX: usize = 8;
const PREFIX: &str = "whsec_";

/// How a request stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// From who it says.
    Genuine,
    /// No signature or token, or a wrong one.
    Wrong,
    /// Well signed, but at a time too far from now.
    Stale,
}

/// What a scheme looks at, as far as the request has it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Proof<'a> {
    /// `webhook-id`
    pub id: Option<&'a str>,
    /// `webhook-timestamp`, seconds since 1970.
    pub timestamp: Option<&'a str>,
    /// `webhook-signature`, `x-square-hmacsha256-signature`, `x-shopify-hmac-sha256` or `authorization`.
    pub signature: Option<&'a str>,
    /// Square: as entered there.
    pub notification_url: &'a str,
    /// The raw body.
    pub body: &'a [u8],
}

/// The header that a scheme signs in.
#[must_use]
pub const fn header(scheme: Scheme) -> &'static str {
    match scheme {
        Scheme::StandardWebhooks => "webhook-signature",
        Scheme::Bearer => "authorization",
        Scheme::Square => "x-square-hmacsha256-signature",
        Scheme::Shopify => "x-shopify-hmac-sha256",
    }
}

/// The keys in a secret: one, or several separated by white space while one is replaced.
///
/// # Errors
/// What is wrong with its form.
pub fn keys(scheme: Scheme, secret: &str) -> Result<Vec<Vec<u8>>, String> {
    let words: Vec<&str> = secret.split_whitespace().collect();
    if words.is_empty() {
        return Err("the secret is empty".to_owned());
    }
    if words.len() > SECRETS_MAX {
        return Err(format!("the secret holds more than {SECRETS_MAX} words"));
    }
    words.into_iter().map(|word| key(scheme, word)).collect()
}

fn key(scheme: Scheme, word: &str) -> Result<Vec<u8>, String> {
    match scheme {
        Scheme::StandardWebhooks => {
            let encoded = word.strip_prefix(PREFIX).ok_or("the secret does not begin with whsec_")?;
            let key = STANDARD
                .decode(encoded)
                .or_else(|_| STANDARD_NO_PAD.decode(encoded))
                .map_err(|_| "the secret is not base64 after whsec_")?;
            if key.len() < WEBHOOK_KEY_BYTES_MIN {
                return Err(format!("the secret is shorter than {WEBHOOK_KEY_BYTES_MIN} bytes"));
            }
            Ok(key)
        }
        // Square and Shopify use the text of their key as it is.
        Scheme::Bearer | Scheme::Square | Scheme::Shopify if word.len() < TOKEN_BYTES_MIN => {
            Err(format!("the secret is shorter than {TOKEN_BYTES_MIN} characters"))
        }
        Scheme::Bearer | Scheme::Square | Scheme::Shopify => Ok(word.as_bytes().to_vec()),
    }
}

/// Checks a request.
#[must_use]
pub fn check(scheme: Scheme, keys: &[Vec<u8>], proof: &Proof<'_>, tolerance: Duration, now: Timestamp) -> Standing {
    let Some(signature) = proof.signature else { return Standing::Wrong };
    match scheme {
        Scheme::StandardWebhooks => standard_webhooks(keys, signature, proof, tolerance, now),
        Scheme::Bearer => {
            let given = signature.split_once(' ').filter(|(word, _)| word.eq_ignore_ascii_case("bearer"));
            let Some((_, token)) = given else { return Standing::Wrong };
            standing(keys.iter().any(|key| same(key, token.trim().as_bytes())))
        }
        // https://developer.squareup.com/docs/webhooks/step3validate
        Scheme::Square => {
            let parts = [proof.notification_url.as_bytes(), proof.body];
            standing(keys.iter().any(|key| signed(key, &parts, signature)))
        }
        // https://shopify.dev/docs/apps/build/webhooks/subscribe/https
        Scheme::Shopify => standing(keys.iter().any(|key| signed(key, &[proof.body], signature))),
    }
}

/// <https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>
fn standard_webhooks(
    keys: &[Vec<u8>],
    signature: &str,
    proof: &Proof<'_>,
    tolerance: Duration,
    now: Timestamp,
) -> Standing {
    let (Some(id), Some(timestamp)) = (proof.id, proof.timestamp) else { return Standing::Wrong };
    let Ok(seconds) = timestamp.parse::<i64>() else { return Standing::Wrong };
    let parts = [id.as_bytes(), b".", timestamp.as_bytes(), b".", proof.body];
    let offered = signature.split_whitespace().take(SIGNATURES_MAX).filter_map(|word| word.strip_prefix("v1,"));
    let genuine = offered.fold(false, |found, offered| found | keys.iter().any(|key| signed(key, &parts, offered)));
    if !genuine {
        return Standing::Wrong;
    }
    let away = now.0.div_euclid(1_000_000).abs_diff(seconds);
    if away > tolerance.as_secs() { Standing::Stale } else { Standing::Genuine }
}

const fn standing(genuine: bool) -> Standing {
    if genuine { Standing::Genuine } else { Standing::Wrong }
}

/// Whether `signature` is the base64 of the HMAC-SHA256 of the parts.
fn signed(key: &[u8], parts: &[&[u8]], signature: &str) -> bool {
    let (Ok(given), Ok(mut mac)) = (STANDARD.decode(signature.trim()), Hmac::<Sha256>::new_from_slice(key)) else {
        return false;
    };
    parts.iter().for_each(|part| mac.update(part));
    mac.verify_slice(&given).is_ok()
}

/// Whether two texts are the same: their digests are compared, so neither length nor place of a difference shows.
fn same(expected: &[u8], given: &[u8]) -> bool {
    let digest = |text: &[u8]| {
        Hmac::<Sha256>::new_from_slice(b"compare tokens").map(|mut mac| {
            mac.update(text);
            mac
        })
    };
    match (digest(expected), digest(given)) {
        (Ok(expected), Ok(given)) => expected.verify_slice(&given.finalize().into_bytes()).is_ok(),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
