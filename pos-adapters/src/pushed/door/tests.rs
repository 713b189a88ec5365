//! Who is let in, with what, and who is told what; no socket.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use jiff::tz::TimeZone;

use super::*;
use crate::{SecretReader, SourceContext};

const NOW: Timestamp = Timestamp(1_795_428_000_000_000);
const KEY_BYTES: [u8; 32] = [7; 32];

struct Kept;

impl SecretReader for Kept {
    fn read(&self, reference: &str) -> Result<String, String> {
        match reference {
            "env:SIGN" => Ok(format!("whsec_{}", STANDARD.encode(KEY_BYTES))),
            "env:TOKEN" => Ok("made-up-token-of-a-till".to_owned()),
            other => Err(format!("`{other}` is not set")),
        }
    }
}

/// A plan with these keys.
pub(crate) fn plan(keys: &str) -> Plan {
    let settings = toml::from_str(&format!("name = \"in\"\nkind = \"http\"\nbody_max_kb = 16\n{keys}")).unwrap();
    let context = SourceContext {
        store: "s".to_owned(),
        zone: TimeZone::UTC,
        own_files: Path::new("own").to_owned(),
        secrets: Arc::new(Kept),
    };
    Plan::new(&settings, &context).unwrap()
}

pub(crate) const SIGNED: &str = "[[key]]\nname = \"till-1\"\nsecret = \"env:SIGN\"\n";
const TOKEN: &str = "[[key]]\nname = \"pos\"\nscheme = \"bearer\"\nsecret = \"env:TOKEN\"\n";

pub(crate) struct Sent(Vec<(&'static str, String)>);

impl Headers for Sent {
    fn header(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
    }
}

/// The headers of a signed request.
pub(crate) fn signed(id: &str, body: &[u8]) -> Sent {
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(&KEY_BYTES).unwrap();
    mac.update(format!("{id}.1795428000.").as_bytes());
    mac.update(body);
    Sent(vec![
        ("webhook-id", id.to_owned()),
        ("webhook-timestamp", "1795428000".to_owned()),
        ("webhook-signature", format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))),
    ])
}

const TICKET: &[u8] = br#"{"transaction":"1","register":"1","lines":[{"sku":"A","quantity":1}]}"#;

fn door(keys: &str) -> Door {
    Door::new(Arc::new(plan(keys)))
}

#[test]
fn a_signed_ticket_comes_in() {
    let admitted = door(SIGNED).admit("till-1", &signed("m-1", TICKET), TICKET, NOW).unwrap();
    assert_eq!((admitted.transactions, admitted.quarantined), (1, 0));
    assert_eq!(admitted.delivery.id.as_deref(), Some("m-1"));
}

#[test]
fn strangers_are_refused_counted_and_told_nothing() {
    let door = door(SIGNED);
    let tampered = br#"{"transaction":"1","register":"1","lines":[{"sku":"A","quantity":9}]}"#;
    for (key, headers, body) in [
        ("till-1", signed("m-1", TICKET), &tampered[..]),
        ("till-1", Sent(Vec::new()), TICKET),
        ("till-2", signed("m-1", TICKET), TICKET),
    ] {
        assert_eq!(door.admit(key, &headers, body, NOW).unwrap_err(), Refused::Unauthorised);
    }
    let late = NOW.plus(Duration::from_secs(400));
    assert_eq!(door.admit("till-1", &signed("m-1", TICKET), TICKET, late).unwrap_err(), Refused::Stale);
    assert_eq!(door.counts.unauthorised.load(Ordering::Relaxed), 4);
    assert_eq!(door.counts.admitted.load(Ordering::Relaxed), 0);
}

#[test]
fn a_key_posts_only_what_is_in_its_scope() {
    let registers = door(&format!("{SIGNED}registers = [\"2\"]\n"));
    let refused = registers.admit("till-1", &signed("m", TICKET), TICKET, NOW).unwrap_err();
    assert_eq!((refused.status(), refused.message().contains("register `1`")), (403, true));
    let kinds = door(&format!("{SIGNED}kinds = [\"sale\"]\n"));
    let receipt = br#"{"transaction":"1","lines":[{"sku":"A","quantity":1,"kind":"receipt"}]}"#;
    assert_eq!(kinds.admit("till-1", &signed("m", receipt), receipt, NOW).unwrap_err().status(), 403);
    assert!(kinds.admit("till-1", &signed("m", TICKET), TICKET, NOW).is_ok());
}

#[test]
fn too_often_waits_and_too_much_is_refused() {
    let slow = door(&format!("{SIGNED}requests_per_minute = 1\n"));
    assert!(slow.admit("till-1", &signed("m", TICKET), TICKET, NOW).is_ok());
    assert!(matches!(slow.admit("till-1", &signed("m", TICKET), TICKET, NOW), Err(Refused::Throttled(_))));
    let large = vec![b' '; 17 * 1024];
    assert_eq!(door(SIGNED).admit("till-1", &signed("m", &large), &large, NOW).unwrap_err(), Refused::TooLarge);
}

#[test]
fn a_token_lets_in_and_its_request_may_have_an_id() {
    let door = door(TOKEN);
    let bearer = || ("authorization", "Bearer made-up-token-of-a-till".to_owned());
    assert_eq!(door.admit("pos", &Sent(vec![bearer()]), TICKET, NOW).unwrap().delivery.id, None);
    let named = Sent(vec![bearer(), ("idempotency-key", "i-1".to_owned())]);
    assert_eq!(door.admit("pos", &named, TICKET, NOW).unwrap().delivery.id.as_deref(), Some("i-1"));
    let batch = br#"{"batch":"i-2","store":"s","changes":[]}"#;
    assert_eq!(door.admit("pos", &named, batch, NOW).unwrap_err().status(), 422);
}

#[test]
fn what_is_genuine_and_unreadable_is_kept_for_a_person() {
    for body in [&b"{"[..], b"hello", b"[1]", br#"{"order":1,"customer":"Made Up"}"#, b"\xff\xfe"] {
        let admitted = door(SIGNED).admit("till-1", &signed("m", body), body, NOW).unwrap();
        assert_eq!((admitted.transactions, admitted.quarantined), (0, 1), "{body:?}");
        assert!(!admitted.delivery.quarantined[0].raw.contains("Made Up"));
    }
}

#[test]
fn a_secret_that_cannot_be_read_is_no_strangers_fault() {
    let refused = door("[[key]]\nname = \"a\"\nsecret = \"env:GONE\"\n").admit("a", &signed("m", TICKET), TICKET, NOW);
    let refused = refused.unwrap_err();
    assert_eq!((refused.status(), refused.message().contains("GONE")), (503, false));
}
