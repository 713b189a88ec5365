//! OAuth 1.0a signatures (RFC 5849, section 3.4) with HMAC-SHA256, as integrations of the platform sign. Owns no state: time
//! and nonce are given.
//!
//! The body of a JSON request is not part of the signature; the parameters of its query are.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::secret::Secret;

/// The credentials of an integration.
pub(super) struct Signer {
    pub(super) consumer_key: Secret,
    pub(super) consumer_secret: Secret,
    pub(super) access_token: Secret,
    pub(super) access_token_secret: Secret,
}

impl Signer {
    /// The `Authorization` header of a request. `address` is without its query, `query` as pairs that are not encoded.
    pub(super) fn header(
        &self,
        method: &str,
        address: &str,
        query: &[(String, String)],
        seconds: i64,
        nonce: &str,
    ) -> String {
        let own = [
            ("oauth_consumer_key", self.consumer_key.expose().to_owned()),
            ("oauth_nonce", nonce.to_owned()),
            ("oauth_signature_method", "HMAC-SHA256".to_owned()),
            ("oauth_timestamp", seconds.to_string()),
            ("oauth_token", self.access_token.expose().to_owned()),
            ("oauth_version", "1.0".to_owned()),
        ];
        let mut pairs: Vec<(String, String)> = own
            .iter()
            .map(|(name, value)| (encoded(name), encoded(value)))
            .chain(query.iter().map(|(name, value)| (encoded(name), encoded(value))))
            .collect();
        pairs.sort();
        let joined: Vec<String> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let base = format!("{method}&{}&{}", encoded(address), encoded(&joined.join("&")));
        let key = format!("{}&{}", encoded(self.consumer_secret.expose()), encoded(self.access_token_secret.expose()));
        let signature = sign(key.as_bytes(), base.as_bytes());
        let mut header = "OAuth ".to_owned();
        for (name, value) in &own {
            header.push_str(&format!("{name}=\"{}\", ", encoded(value)));
        }
        header.push_str(&format!("oauth_signature=\"{}\"", encoded(&signature)));
        header
    }
}

fn sign(key: &[u8], text: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(text);
    STANDARD.encode(mac.finalize().into_bytes())
}

/// RFC 3986: all but letters, digits and `-._~`.
pub(super) fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            other => out.push_str(&format!("%{other:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_over_method_address_and_all_parameters_in_order() {
        let secret = Secret::new;
        let signer = Signer {
            consumer_key: secret("key"),
            consumer_secret: secret("s/1"),
            access_token: secret("tok"),
            access_token_secret: secret("s&2"),
        };
        let query = vec![("b[0]".to_owned(), "x y".to_owned()), ("a".to_owned(), "1".to_owned())];
        let header = signer.header("GET", "https://shop.example.com/rest/V1/orders", &query, 1_795_428_000, "n1");
        let base = "GET&https%3A%2F%2Fshop.example.com%2Frest%2FV1%2Forders&a%3D1%26b%255B0%255D%3Dx%2520y%26\
                    oauth_consumer_key%3Dkey%26oauth_nonce%3Dn1%26oauth_signature_method%3DHMAC-SHA256%26\
                    oauth_timestamp%3D1795428000%26oauth_token%3Dtok%26oauth_version%3D1.0";
        let signature = sign(b"s%2F1&s%262", base.as_bytes());
        assert!(header.starts_with("OAuth oauth_consumer_key=\"key\", "), "{header}");
        assert!(header.ends_with(&format!("oauth_signature=\"{}\"", encoded(&signature))), "{header}");
    }
}
