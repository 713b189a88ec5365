//! The open door: headers, signatures, rotation of secrets, faults.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sync_core::model::{EntryId, IdempotencyKey, Quantity, Sku, StoreId};
use sync_core::outbox::verdict::{Answer, LaneRefusal};
use tillsync::platform::http::{HeaderText, Http, HttpSettings};
use tillsync::platform::{CallFailure, Change, Platform};
use tillsync::secret::SecretRef;

use super::server::{Canned, Server, clock, http, set_clock};

const KEY_BYTES: [u8; 32] = [7; 32];

fn change() -> Change {
    Change {
        entry: EntryId(41),
        sku: Sku::from("TEA-1"),
        target: None,
        delta: Quantity::from_units(-1).unwrap(),
        units: -1,
        on_hand: None,
        transaction: Some("t-1".to_owned()),
        sold_at: None,
        kind: "sale",
    }
}

fn settings(server: &Server) -> HttpSettings {
    HttpSettings::new(server.url.join("/in?door=3").unwrap(), StoreId::from("harbour"))
}

struct Kept {
    folder: tempfile::TempDir,
}

impl Kept {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn secret(&self, name: &str, text: &str) -> SecretRef {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        SecretRef::File(path)
    }
}

fn expected_signature(id: &str, seconds: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(&KEY_BYTES).unwrap();
    mac.update(format!("{id}.{seconds}.").as_bytes());
    mac.update(body);
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}

#[tokio::test]
async fn a_retry_is_the_same_bytes_with_a_new_signature() {
    let server = Server::with([Canned::Reply(503, "retry-after: 4\r\n", String::new()), Canned::ok("")]).await;
    let kept = Kept::new();
    let secret = kept.secret("sign", &format!("whsec_{}\n", STANDARD.encode(KEY_BYTES)));
    let offset = Arc::new(Mutex::new(Duration::ZERO));
    let door = Http::new(HttpSettings { secret: Some(secret), ..settings(&server) }, http(), set_clock(&offset));
    let key = IdempotencyKey::from("key-1");
    let body: Arc<[u8]> = door.encode(&key, &[change()]).into();
    let first = door.send(&key, Arc::clone(&body)).await;
    assert!(matches!(first, Answer::Unknown { wait: Some(wait), .. } if wait == Duration::from_secs(4)), "{first:?}");
    *offset.lock().unwrap() = Duration::from_secs(60);
    assert_eq!(door.send(&key, Arc::clone(&body)).await, Answer::Applied { reference: None });

    let received = server.received();
    for (request, seconds) in received.iter().zip(["1795428000", "1795428060"]) {
        assert_eq!(request.body, *body);
        assert_eq!(request.header("webhook-id"), Some("key-1"));
        assert_eq!(request.header("idempotency-key"), Some("key-1"));
        assert_eq!(request.header("webhook-timestamp"), Some(seconds));
        let signature = expected_signature("key-1", seconds, &body);
        assert_eq!(request.header("webhook-signature"), Some(signature.as_str()));
        assert_eq!(request.header("content-type"), Some("application/json"));
        assert_eq!(request.path(), "/in?door=3");
    }
    assert_eq!(received.len(), 2);
    assert_eq!(received[0].json()["changes"][0]["id"], "41");
}

#[tokio::test]
async fn a_rotated_token_is_picked_up_at_the_first_refusal() {
    let server = Server::start(|request| {
        let status = if request.header("authorization") == Some("Bearer new") { 200 } else { 401 };
        Canned::Reply(status, "", String::new())
    })
    .await;
    let kept = Kept::new();
    let token = kept.secret("token", "Bearer new-but-wrong");
    let headers = vec![("authorization".to_owned(), HeaderText::Secret(token))];
    let door = Http::new(HttpSettings { headers, ..settings(&server) }, http(), clock());
    let key = IdempotencyKey::from("k");
    let body: Arc<[u8]> = door.encode(&key, &[change()]).into();
    let refused = door.send(&key, Arc::clone(&body)).await;
    assert!(matches!(&refused, Answer::LaneRefused { cause: LaneRefusal::Unauthorised, .. }), "{refused:?}");
    assert!(!format!("{refused:?}").contains("new-but-wrong"));
    assert_eq!(server.received().len(), 1);
    kept.secret("token", "Bearer new");
    assert_eq!(door.send(&key, body).await, Answer::Applied { reference: None });
    assert_eq!(server.received().len(), 3);
}

#[tokio::test]
async fn a_lost_reply_is_unknown_and_a_closed_port_is_unavailable() {
    let server = Server::with([Canned::Cut, Canned::HalfReply]).await;
    let door = Http::new(settings(&server), http(), clock());
    let key = IdempotencyKey::from("k");
    let body: Arc<[u8]> = door.encode(&key, &[change()]).into();
    assert!(matches!(door.send(&key, Arc::clone(&body)).await, Answer::Unknown { .. }));
    // The status line was a yes; what was to follow does not matter.
    assert_eq!(door.send(&key, Arc::clone(&body)).await, Answer::Applied { reference: None });

    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/?key=hush", closed.local_addr().unwrap()).parse().unwrap();
    drop(closed);
    let door = Http::new(HttpSettings::new(url, StoreId::from("s")), http(), clock());
    let answer = door.send(&key, body).await;
    assert!(matches!(answer, Answer::Unavailable { .. }), "{answer:?}");
    assert!(!format!("{answer:?}").contains("hush"), "{answer:?}");
}

#[tokio::test]
async fn a_handshake_that_fails_has_sent_nothing() {
    let plain = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}/in", plain.local_addr().unwrap()).parse().unwrap();
    tokio::spawn(async move { while plain.accept().await.is_ok() {} });
    let door = Http::new(HttpSettings::new(url, StoreId::from("s")), http(), clock());
    let key = IdempotencyKey::from("k");
    let answer = door.send(&key, door.encode(&key, &[change()]).into()).await;
    assert!(matches!(answer, Answer::Unavailable { .. }), "{answer:?}");
}

#[tokio::test]
async fn a_secret_that_cannot_be_had_refuses_the_lane_and_names_it() {
    let server = Server::with([]).await;
    let kept = Kept::new();
    let secret = kept.secret("sign", "hunter2");
    let door = Http::new(HttpSettings { secret: Some(secret), ..settings(&server) }, http(), clock());
    let key = IdempotencyKey::from("k");
    let Answer::LaneRefused { cause, detail } = door.send(&key, door.encode(&key, &[]).into()).await else {
        panic!("nothing can be signed")
    };
    assert_eq!(cause, LaneRefusal::Misconfigured);
    assert!(detail.contains("whsec_") && detail.contains("sign") && !detail.contains("hunter2"), "{detail}");
}

#[tokio::test]
async fn a_probe_has_no_changes_and_tells_a_refusal_from_a_picky_door() {
    let server = Server::with([
        Canned::ok(""),
        Canned::Reply(422, "", "no changes".to_owned()),
        Canned::Reply(403, "", String::new()),
        Canned::Reply(500, "", String::new()),
    ])
    .await;
    let door = Http::new(settings(&server), http(), clock());
    assert!(door.probe().await.unwrap().faults.is_empty());
    door.probe().await.unwrap();
    let refused = door.probe().await.unwrap_err();
    assert!(matches!(refused, CallFailure::LaneRefused { cause: LaneRefusal::Forbidden, .. }), "{refused:?}");
    assert!(matches!(door.probe().await.unwrap_err(), CallFailure::Passing { .. }));
    assert_eq!(server.received()[0].json()["changes"], serde_json::json!([]));
}

#[test]
fn settings_show_no_secret() {
    let url = "https://user:pass@example.com/in?key=hush".parse().unwrap();
    let mut settings = HttpSettings::new(url, StoreId::from("s"));
    settings.headers.push(("x-api-key".to_owned(), HeaderText::Plain("hush".to_owned())));
    let shown = format!("{settings:?}");
    assert!(!shown.contains("hush") && !shown.contains("pass") && shown.contains("example.com/in"), "{shown}");
}
