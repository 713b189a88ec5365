//! The HTTP side of the door.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, State as Given};
use axum::http::{HeaderMap, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use super::batch::Batch;
use super::{Door, KeyState, Known, Memory};
use crate::faults::{Desk, FaultRule, Incoming, On, Reply, answer};
use crate::journal::{Cause, Entry, Origin};
use crate::locked;
use crate::moment::Moment;
use crate::wire::Connection;

/// `POST /changes`
pub(crate) async fn changes(
    Given(door): Given<Arc<Door>>,
    ConnectInfo(connection): ConnectInfo<Connection>,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let request = {
        let mut memory = locked(&door.memory);
        memory.stats.requests += 1;
        memory.stats.requests
    };
    let fault = locked(&door.faults).strike(On::Write);
    let incoming = Incoming { request, kind: On::Write, headers, body, holds_key: false, forced_code: None };
    answer(&door, &connection, fault, incoming).await.into_response()
}

/// `GET` and `HEAD /changes`: somebody looks whether the door is there.
pub(crate) async fn nothing() -> Response<Body> {
    Reply::json(405, r#"{"error":"post changes here"}"#).into_response()
}

impl Desk for Door {
    fn serve(&self, incoming: &Incoming) -> Reply {
        let mut memory = locked(&self.memory);
        let key = header(incoming, "idempotency-key").to_owned();
        if let Err(reason) = signed(&memory, incoming) {
            memory.stats.unauthorised += 1;
            return Reply::json(401, json!({"error": reason}).to_string());
        }
        memory.take_batch(&key, incoming)
    }

    fn take_key(&self, incoming: &Incoming) {
        let mut memory = locked(&self.memory);
        let key = header(incoming, "idempotency-key").to_owned();
        let known = Known { body: hash_of(&incoming.body), first_us: memory.now_us(), state: KeyState::Working };
        memory.keys.entry(key).or_insert(known);
    }

    fn throttled(&self) -> Reply {
        Reply { retry_after_s: Some(1), ..Reply::json(429, self.refusal(429)) }
    }

    fn refusal(&self, status: u16) -> Bytes {
        json!({"error": format!("status {status} on purpose")}).to_string().into()
    }
}

impl Memory {
    fn now_us(&self) -> i64 {
        Moment::now().wall_us.saturating_add(self.clock_ahead_us)
    }

    fn invalid(&mut self, status: u16, error: &str) -> Reply {
        self.stats.invalid_requests += 1;
        Reply::json(status, json!({"error": error}).to_string())
    }

    fn take_batch(&mut self, key: &str, incoming: &Incoming) -> Reply {
        if key.is_empty() {
            return self.invalid(400, "no Idempotency-Key");
        }
        let (body, now_us) = (hash_of(&incoming.body), self.now_us());
        let window_us = i64::try_from(self.settings.key_window.as_micros()).unwrap_or(i64::MAX);
        let known = self.keys.get(key).filter(|known| now_us.saturating_sub(known.first_us) < window_us);
        if let Some(known) = known {
            if known.body != body {
                return self.invalid(422, "this Idempotency-Key was used with other bytes");
            }
            match known.state {
                KeyState::Working if !incoming.holds_key => {
                    return Reply::json(409, r#"{"error":"this Idempotency-Key is being worked on"}"#);
                }
                KeyState::Working => {}
                KeyState::Done => {
                    self.stats.replays += 1;
                    return Reply::json(200, r#"{"replayed":true}"#);
                }
            }
        }
        let batch = match Batch::read(&incoming.body, key, self.settings.changes_max) {
            Ok(batch) => batch,
            Err(reason) => return self.invalid(400, &reason),
        };
        let refused: Vec<Value> = batch
            .changes
            .iter()
            .filter(|change| self.settings.refused_skus.contains(change.sku.as_ref()))
            .map(|change| json!({"id": change.id, "code": "unknown_sku", "message": format!("{} is not sold here", change.sku)}))
            .collect();
        if !refused.is_empty() {
            self.stats.refused_batches += 1;
            self.keys.remove(key);
            return Reply::json(422, json!({"refused": refused}).to_string());
        }
        self.apply(key, &batch, incoming.request);
        self.keys.insert(key.to_owned(), Known { body, first_us: now_us, state: KeyState::Done });
        Reply::json(200, "{}")
    }

    fn apply(&mut self, key: &str, batch: &Batch<'_>, request: u64) {
        let mut lines = Vec::with_capacity(batch.changes.len());
        for change in &batch.changes {
            if !self.changes.insert(change.id.as_ref().into()) {
                self.stats.repeated_changes += 1;
            }
            if let Some(sum) = self.sums.get_mut(change.sku.as_ref()) {
                *sum += change.delta;
            } else {
                self.sums.insert(change.sku.to_string(), change.delta);
            }
            lines.push(Entry {
                cause: Cause::Change,
                sku: change.sku.to_string(),
                name: change.kind.to_string(),
                delta: change.delta,
                on_hand: change.on_hand.map(crate::decimal::Decimal::floor_units),
                item: None,
                location: None,
                change: Some(change.id.to_string()),
                transaction: change.transaction.clone(),
            });
        }
        self.stats.applied_batches += 1;
        self.stats.applied_changes += u64::try_from(lines.len()).unwrap_or(u64::MAX);
        self.journal.record(Origin { request, key: Some(key), reference: None }, lines);
    }
}

fn header<'a>(incoming: &'a Incoming, name: &str) -> &'a str {
    incoming.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

fn hash_of(body: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    body.hash(&mut hasher);
    hasher.finish()
}

/// Standard Webhooks: `v1,` and the base64 of HMAC-SHA-256 over `id.timestamp.body`; any signature of the list will do.
fn signed(memory: &Memory, incoming: &Incoming) -> Result<(), String> {
    let Some(secret) = &memory.secret else {
        return Ok(());
    };
    let (id, timestamp) = (header(incoming, "webhook-id"), header(incoming, "webhook-timestamp"));
    if id.is_empty() || id != header(incoming, "idempotency-key") {
        return Err("webhook-id must be the Idempotency-Key".to_owned());
    }
    let seconds: i64 = timestamp.parse().map_err(|_| "webhook-timestamp is not a number of seconds".to_owned())?;
    let apart = (Moment::now().wall_us / 1_000_000).abs_diff(seconds);
    if memory.settings.clock_slack.is_some_and(|slack| apart > slack.as_secs()) {
        return Err(format!("webhook-timestamp is {apart} s off"));
    }
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).map_err(|error| error.to_string())?;
    mac.update(format!("{id}.{timestamp}.").as_bytes());
    mac.update(&incoming.body);
    let given = header(incoming, "webhook-signature")
        .split(' ')
        .filter_map(|one| STANDARD.decode(one.strip_prefix("v1,")?).ok());
    if given.into_iter().any(|signature| mac.clone().verify_slice(&signature).is_ok()) {
        Ok(())
    } else {
        Err("no signature fits".to_owned())
    }
}

fn said(body: &Value) -> Response<Body> {
    Reply::json(200, body.to_string()).into_response()
}

/// `GET /_door/stats`
pub(crate) async fn stats(Given(door): Given<Arc<Door>>) -> Response<Body> {
    said(&json!(door.stats()))
}

/// `GET /_door/sums`
pub(crate) async fn sums(Given(door): Given<Arc<Door>>) -> Response<Body> {
    said(&json!(door.sums()))
}

/// `POST /_door/faults`: the rules in force from now on.
pub(crate) async fn set_faults(Given(door): Given<Arc<Door>>, body: Bytes) -> Response<Body> {
    match serde_json::from_slice::<Vec<FaultRule>>(&body) {
        Ok(rules) => {
            locked(&door.faults).replace(rules);
            said(&json!({}))
        }
        Err(error) => Reply::json(400, json!({"error": error.to_string()}).to_string()).into_response(),
    }
}

/// `DELETE /_door/faults`
pub(crate) async fn clear_faults(Given(door): Given<Arc<Door>>) -> Response<Body> {
    door.clear_faults();
    said(&json!({}))
}

/// `POST /_door/clock`: `{"advance_s"}`
pub(crate) async fn advance(Given(door): Given<Arc<Door>>, body: Bytes) -> Response<Body> {
    door.advance_clock(Duration::from_secs(number(&body, "advance_s")));
    said(&json!({}))
}

/// `POST /_door/outage`: `{"for_ms"}`
pub(crate) async fn outage(Given(door): Given<Arc<Door>>, body: Bytes) -> Response<Body> {
    let for_ms = number(&body, "for_ms");
    tokio::spawn(async move {
        door.go_down().await;
        tokio::time::sleep(Duration::from_millis(for_ms)).await;
        door.come_up().await
    });
    said(&json!({}))
}

fn number(body: &[u8], name: &str) -> u64 {
    serde_json::from_slice::<Value>(body).ok().and_then(|body| body.get(name)?.as_u64()).unwrap_or(0)
}
