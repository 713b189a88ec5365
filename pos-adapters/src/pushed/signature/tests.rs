//! Vectors made with openssl: `printf '%s' TEXT | openssl dgst -sha256 -mac HMAC -macopt key:KEY -binary | base64`.

use super::*;

const NOW: Timestamp = Timestamp(1_795_428_000_000_000);
const SECRET: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const MINUTES: Duration = Duration::from_mins(5);

fn webhook<'a>(signature: &'a str, body: &'a [u8]) -> Proof<'a> {
    Proof { id: Some("msg-1"), timestamp: Some("1795428000"), signature: Some(signature), body, ..Proof::default() }
}

const BODY: &[u8] = br#"{"transaction":"1"}"#;
const GOOD: &str = "v1,CSHpU2EmunsZAydFRZSpYqhLnzRsFKVcr3SUkik6km8=";

fn check_webhook(proof: &Proof<'_>, now: Timestamp) -> Standing {
    check(Scheme::StandardWebhooks, &keys(Scheme::StandardWebhooks, SECRET).unwrap(), proof, MINUTES, now)
}

#[test]
fn a_standard_webhook_is_what_openssl_makes_of_it() {
    assert_eq!(check_webhook(&webhook(GOOD, BODY), NOW), Standing::Genuine);
    let several = format!("v2,abc v1,AAAA {GOOD}");
    assert_eq!(check_webhook(&webhook(&several, BODY), NOW), Standing::Genuine);
}

#[test]
fn anything_tampered_with_is_wrong() {
    let good = webhook(GOOD, BODY);
    for proof in [
        Proof { body: br#"{"transaction":"2"}"#, ..good },
        Proof { id: Some("msg-2"), ..good },
        Proof { timestamp: Some("1795428001"), ..good },
        Proof { timestamp: Some("soon"), ..good },
        Proof { id: None, ..good },
        Proof { timestamp: None, ..good },
        Proof { signature: None, ..good },
        Proof { signature: Some(""), ..good },
        Proof { signature: Some("v1,"), ..good },
        Proof { signature: Some("CSHpU2EmunsZAydFRZSpYqhLnzRsFKVcr3SUkik6km8="), ..good },
        Proof { signature: Some("v1a,CSHpU2EmunsZAydFRZSpYqhLnzRsFKVcr3SUkik6km8="), ..good },
    ] {
        assert_eq!(check_webhook(&proof, NOW), Standing::Wrong, "{proof:?}");
    }
}

#[test]
fn an_old_or_future_request_is_stale() {
    let away = |seconds: i64| Timestamp(NOW.0 + seconds * 1_000_000);
    for (seconds, standing) in
        [(300, Standing::Genuine), (-300, Standing::Genuine), (301, Standing::Stale), (-301, Standing::Stale)]
    {
        assert_eq!(check_webhook(&webhook(GOOD, BODY), away(seconds)), standing, "{seconds}");
    }
}

#[test]
fn while_a_secret_is_replaced_both_are_good() {
    let other = "whsec_//////////////////////////////////////////8=";
    let both = keys(Scheme::StandardWebhooks, &format!("{other}\n{SECRET}\n")).unwrap();
    let proof = webhook(GOOD, BODY);
    assert_eq!(check(Scheme::StandardWebhooks, &both, &proof, MINUTES, NOW), Standing::Genuine);
    let one = keys(Scheme::StandardWebhooks, other).unwrap();
    assert_eq!(check(Scheme::StandardWebhooks, &one, &proof, MINUTES, NOW), Standing::Wrong);
}

#[test]
fn square_signs_its_address_and_the_body() {
    let keys = keys(Scheme::Square, "made-up-square-key").unwrap();
    let good = Proof {
        signature: Some("ceS6dDH2XA8EITDwMs4gtLvNo4jO5pcHuFSH87k3vt0="),
        notification_url: "https://till.example.com/sales/square",
        body: br#"{"type":"order.updated"}"#,
        ..Proof::default()
    };
    assert_eq!(check(Scheme::Square, &keys, &good, MINUTES, NOW), Standing::Genuine);
    for proof in [
        Proof { notification_url: "https://till.example.com/sales/square/", ..good },
        Proof { body: br#"{"type":"order.updated" }"#, ..good },
        Proof { signature: Some("AAAA"), ..good },
    ] {
        assert_eq!(check(Scheme::Square, &keys, &proof, MINUTES, NOW), Standing::Wrong);
    }
}

#[test]
fn shopify_signs_the_raw_body() {
    let keys = keys(Scheme::Shopify, "made-up-shopify-key").unwrap();
    let good = Proof {
        signature: Some("HoLWQIHz4qzbL81QvZ3u/OQ24lULfe1xjFtNfI7ZaJI="),
        body: br#"{"id":1}"#,
        ..Proof::default()
    };
    assert_eq!(check(Scheme::Shopify, &keys, &good, MINUTES, NOW), Standing::Genuine);
    assert_eq!(check(Scheme::Shopify, &keys, &Proof { body: b"{\"id\":2}", ..good }, MINUTES, NOW), Standing::Wrong);
}

#[test]
fn a_token_is_compared_whole() {
    let keys = keys(Scheme::Bearer, "made-up-token-of-a-till").unwrap();
    let with = |text: &'static str| Proof { signature: Some(text), ..Proof::default() };
    for (text, standing) in [
        ("Bearer made-up-token-of-a-till", Standing::Genuine),
        ("bearer  made-up-token-of-a-till", Standing::Genuine),
        ("Bearer made-up-token-of-a-tilL", Standing::Wrong),
        ("Bearer made-up-token-of-a-til", Standing::Wrong),
        ("Bearer ", Standing::Wrong),
        ("Basic made-up-token-of-a-till", Standing::Wrong),
        ("made-up-token-of-a-till", Standing::Wrong),
    ] {
        assert_eq!(check(Scheme::Bearer, &keys, &with(text), MINUTES, NOW), standing, "{text}");
    }
}

#[test]
fn a_secret_of_another_form_is_refused_without_repeating_it() {
    for (scheme, secret) in [
        (Scheme::StandardWebhooks, "hunter2"),
        (Scheme::StandardWebhooks, "whsec_???"),
        (Scheme::StandardWebhooks, "whsec_aHVudGVyMg=="),
        (Scheme::Bearer, "hunter2"),
        (Scheme::Square, " "),
    ] {
        let reason = keys(scheme, secret).unwrap_err();
        assert!(!reason.contains("hunter2") && !reason.contains("aHVudGVyMg"), "{reason}");
    }
}
