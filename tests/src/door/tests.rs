//! The door's own rules, each over a real connection.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use super::{DoorSettings, Refused, StandInDoor};
use crate::decimal::Decimal;
use crate::faults::{Fault, FaultRule};
use crate::moment::Moment;
use crate::raw_http::{Got, post};

const SECRET: &str = "whsec_c3RhbmQtaW4tc2VjcmV0";

#[tokio::test]
async fn a_signed_batch_is_applied_once_under_its_key() {
    let door = open().await;
    let body = batch("k1", &[("1", "TEA", "-2"), ("2", "CHEESE", "-0.345")]);
    assert_eq!(send(&door, "k1", &body, SECRET).await.status, 200);
    assert_eq!(send(&door, "k1", &body, SECRET).await.status, 200);
    assert_eq!(door.sums().get("CHEESE"), Decimal::parse("-0.345").as_ref());
    let stats = door.stats();
    assert_eq!((stats.applied_changes, stats.replays, stats.repeated_changes, door.arrivals().len()), (2, 1, 0, 2));
}

#[tokio::test]
async fn a_key_with_other_bytes_is_refused() {
    let door = open().await;
    send(&door, "k1", &batch("k1", &[("1", "TEA", "-2")]), SECRET).await;
    assert_eq!(send(&door, "k1", &batch("k1", &[("1", "TEA", "-3")]), SECRET).await.status, 422);
    assert_eq!(door.sums().get("TEA"), Some(&Decimal::units(-2)));
}

#[tokio::test]
async fn a_change_sent_under_two_keys_is_seen() {
    let door = open().await;
    send(&door, "k1", &batch("k1", &[("1", "TEA", "-2")]), SECRET).await;
    send(&door, "k2", &batch("k2", &[("1", "TEA", "-2")]), SECRET).await;
    assert_eq!((door.stats().repeated_changes, door.sums().get("TEA")), (1, Some(&Decimal::units(-4))));
}

#[tokio::test]
async fn a_wrong_or_old_signature_stays_outside() {
    let door = open().await;
    let body = batch("k1", &[("1", "TEA", "-2")]);
    assert_eq!(send(&door, "k1", &body, "whsec_b3RoZXI=").await.status, 401);
    assert_eq!(send_at(&door, "k1", &body, SECRET, -3600).await.status, 401);
    assert_eq!(post(&door.base_url(), "/changes", &[("idempotency-key", "k1")], &body).await.status, 401);
    assert_eq!((door.stats().unauthorised, door.sums().len()), (3, 0));
}

#[tokio::test]
async fn a_body_that_is_not_a_batch_is_the_senders_fault() {
    let door = open().await;
    let good: Value = serde_json::from_str(&batch("k1", &[("1", "TEA", "-2")])).unwrap();
    for (pointer, value) in [
        ("/changes/0/delta", json!(-2)),
        ("/changes/0/kind", json!("gift")),
        ("/batch", json!("k2")),
        ("/changes/0/sold_at", json!("yesterday")),
    ] {
        let mut body = good.clone();
        *body.pointer_mut(pointer).unwrap() = value;
        assert_eq!(send(&door, "k1", &body.to_string(), SECRET).await.status, 400, "{pointer}");
    }
    let mut missing = good.clone();
    missing["changes"][0].as_object_mut().unwrap().remove("on_hand");
    assert_eq!(send(&door, "k1", &missing.to_string(), SECRET).await.status, 400);
    assert_eq!(door.stats().invalid_requests, 5);
    assert_eq!(send(&door, "k1", &good.to_string(), SECRET).await.status, 200);
}

#[tokio::test]
async fn a_refused_sku_refuses_its_batch_and_names_the_change() {
    let door = open().await;
    door.refuse("TEA", Refused::Yes);
    let reply = send(&door, "k1", &batch("k1", &[("1", "TEA", "-2"), ("2", "MUG", "-1")]), SECRET).await;
    assert_eq!((reply.status, &reply.json()["refused"][0]["id"]), (422, &json!("1")));
    assert!(door.sums().is_empty());
}

#[tokio::test]
async fn a_repeat_in_work_is_a_conflict() {
    let door = open().await;
    door.fault(FaultRule::next(Fault::SlowApply { hold_ms: 1000 }, 1));
    let body = batch("k1", &[("1", "TEA", "-2")]);
    let (first, second) = tokio::join!(send(&door, "k1", &body, SECRET), async {
        while door.stats().requests == 0 {
            tokio::task::yield_now().await;
        }
        send(&door, "k1", &body, SECRET).await
    });
    assert_eq!((first.status, second.status), (200, 409));
}

#[tokio::test]
async fn a_lost_reply_and_its_retry_apply_once() {
    let door = open().await;
    door.fault(FaultRule::next(Fault::ReplyLost, 1));
    let body = batch("k1", &[("1", "TEA", "-2")]);
    assert_eq!(send(&door, "k1", &body, SECRET).await.status, 0);
    assert_eq!(send(&door, "k1", &body, SECRET).await.status, 200);
    assert_eq!(door.sums().get("TEA"), Some(&Decimal::units(-2)));
    door.fault(FaultRule::next(Fault::Throttled, 1));
    assert_eq!(send(&door, "k2", &batch("k2", &[("2", "TEA", "-2")]), SECRET).await.status, 429);
}

async fn open() -> StandInDoor {
    StandInDoor::start(DoorSettings { secret: Some(SECRET.to_owned()), ..DoorSettings::default() }).await.unwrap()
}

fn batch(key: &str, changes: &[(&str, &str, &str)]) -> String {
    let changes: Vec<Value> = changes
        .iter()
        .map(|(id, sku, delta)| json!({"id": id, "sku": sku, "delta": delta, "on_hand": null, "transaction": null, "sold_at": "2026-11-23T10:00:00Z", "kind": "sale"}))
        .collect();
    json!({"batch": key, "store": "s1", "changes": changes}).to_string()
}

async fn send(door: &StandInDoor, key: &str, body: &str, secret: &str) -> Got {
    send_at(door, key, body, secret, 0).await
}

async fn send_at(door: &StandInDoor, key: &str, body: &str, secret: &str, ahead_s: i64) -> Got {
    let timestamp = (Moment::now().wall_us / 1_000_000 + ahead_s).to_string();
    let mut mac =
        Hmac::<Sha256>::new_from_slice(&STANDARD.decode(secret.trim_start_matches("whsec_")).unwrap()).unwrap();
    mac.update(format!("{key}.{timestamp}.{body}").as_bytes());
    let signature = format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()));
    let headers = [
        ("idempotency-key", key),
        ("webhook-id", key),
        ("webhook-timestamp", &timestamp),
        ("webhook-signature", &signature),
    ];
    post(&door.base_url(), "/changes", &headers, body).await
}
