//! Standard Webhooks signatures (standardwebhooks.com, version 1, symmetric).

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::secret::Secret;

const PREFIX: &str = "whsec_";
/// The specification asks for 24 to 64 bytes; fewer can be guessed.
const KEY_BYTES_MIN: usize = 24;

/// `v1,<base64>` for every key in `secret`, separated by spaces, over `<id>.<seconds>.<body>`.
///
/// The error is a reason for people and never repeats the secret.
pub(super) fn sign(secret: &Secret, id: &str, seconds: i64, body: &[u8]) -> Result<String, &'static str> {
    let mut header = String::new();
    for word in secret.expose().split_whitespace() {
        let encoded = word.strip_prefix(PREFIX).ok_or("the signing secret does not begin with whsec_")?;
        let key = STANDARD
            .decode(encoded)
            .or_else(|_| STANDARD_NO_PAD.decode(encoded))
            .map_err(|_| "the signing secret is not base64 after whsec_")?;
        if key.len() < KEY_BYTES_MIN {
            return Err("the signing secret is shorter than 24 bytes");
        }
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).map_err(|_| "the signing secret cannot be a key")?;
        mac.update(id.as_bytes());
        mac.update(b".");
        mac.update(itoa::Buffer::new().format(seconds).as_bytes());
        mac.update(b".");
        mac.update(body);
        if !header.is_empty() {
            header.push(' ');
        }
        header.push_str("v1,");
        STANDARD.encode_string(mac.finalize().into_bytes(), &mut header);
    }
    if header.is_empty() { Err("the signing secret is empty") } else { Ok(header) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

    #[test]
    fn a_signature_is_what_openssl_makes_of_it() {
        // printf '%s' 'k-1.1795428000.{}' | openssl dgst -sha256 -mac HMAC -macopt hexkey:000102…1f -binary | base64
        let signature = sign(&Secret::new(ONE), "k-1", 1_795_428_000, b"{}").unwrap();
        assert_eq!(signature, "v1,WldaLfNTICPjvB19uuTG9Yp4RPUzqcYZhEYsPPnZDA8=");
    }

    #[test]
    fn two_secrets_give_two_signatures() {
        let both = sign(&Secret::new(&format!("{ONE}\n{ONE}")), "k", 1, b"").unwrap();
        let (first, second) = both.split_once(' ').unwrap();
        assert_eq!(first, second);
    }

    #[test]
    fn a_secret_of_another_form_is_refused_without_repeating_it() {
        for secret in ["hunter2", "whsec_???", "whsec_aHVudGVyMg=="] {
            let reason = sign(&Secret::new(secret), "k", 1, b"").unwrap_err();
            assert!(!reason.contains("hunter2") && !reason.contains("aHVudGVyMg"), "{reason}");
        }
    }
}
