//! The hostile network and the hostile platform: which fault hits which request, and what it does to it.
//!
//! A [`Fault`] says what happens, a [`FaultRule`] when. How often each kind really happened is counted: a run
//! in which a planned fault never fired has proven nothing.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Response};
use serde::{Deserialize, Serialize};

use crate::dice::Dice;
use crate::wire::Connection;

/// Room that the head of a reply takes, about; only used to break a reply in the middle of its body.
const HEAD_BYTES: usize = 90;

/// Bytes of a dripping reply that leave at once.
const DRIP_BYTES: usize = 16;

/// What happens to one request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "fault", rename_all = "snake_case")]
pub enum Fault {
    /// The connection breaks before anything is applied.
    RequestLost,
    /// Applied, then the connection breaks before the reply.
    ReplyLost,
    /// Applied, then the connection breaks in the middle of the reply.
    ReplyCut,
    /// The same bytes arrive twice; the first reply is returned.
    Duplicate,
    /// The connection breaks at once, and the request is applied this much later, after others.
    Reorder {
        /// Milliseconds until it is applied.
        hold_ms: u64,
    },
    /// The request waits on the way; applied and answered afterwards, whether or not the client still listens.
    Delay {
        /// Milliseconds before it is applied.
        hold_ms: u64,
    },
    /// The key is taken at once and the change applied later: a repeat in between is concurrent.
    SlowApply {
        /// Milliseconds between both.
        hold_ms: u64,
    },
    /// Applied at once, answered later: a time-out after applying.
    Stall {
        /// Milliseconds before the reply.
        hold_ms: u64,
    },
    /// Another HTTP status.
    Status {
        /// E.g. 401, 402, 429, 503.
        status: u16,
        /// Whether it was applied all the same.
        #[serde(default)]
        applied: bool,
        /// `Retry-After` in seconds.
        #[serde(default)]
        retry_after_s: Option<u64>,
    },
    /// 200 with bytes that mean nothing.
    Garbage {
        /// Whether it was applied all the same.
        #[serde(default)]
        applied: bool,
    },
    /// 200 with an HTML page, as proxies and captive portals give.
    Html {
        /// Whether it was applied all the same.
        #[serde(default)]
        applied: bool,
    },
    /// Applied; the reply comes a few bytes at a time.
    Drip {
        /// Milliseconds between two pieces.
        pause_ms: u64,
    },
    /// The platform's own way to say "too many requests" (HTTP 200 with `THROTTLED` at the shop, 429 at the door).
    Throttled,
    /// Nothing is applied and the reply carries this `userErrors` code (shop only).
    UserError {
        /// E.g. `SERVICE_UNAVAILABLE`.
        code: String,
    },
}

impl Fault {
    /// The word under which it is counted.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::RequestLost => "request_lost",
            Self::ReplyLost => "reply_lost",
            Self::ReplyCut => "reply_cut",
            Self::Duplicate => "duplicate",
            Self::Reorder { .. } => "reorder",
            Self::Delay { .. } => "delay",
            Self::SlowApply { .. } => "slow_apply",
            Self::Stall { .. } => "stall",
            Self::Status { .. } => "status",
            Self::Garbage { .. } => "garbage",
            Self::Html { .. } => "html",
            Self::Drip { .. } => "drip",
            Self::Throttled => "throttled",
            Self::UserError { .. } => "user_error",
        }
    }
}

/// Which requests a rule is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum On {
    /// All of them.
    Any,
    /// Those that change stock.
    #[default]
    Write,
    /// Those that only read.
    Read,
    /// Requests for an access token.
    Token,
}

/// When a fault happens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultRule {
    /// What happens.
    #[serde(flatten)]
    pub fault: Fault,
    /// To which requests.
    #[serde(default)]
    pub on: On,
    /// To how many of a thousand.
    #[serde(default = "always")]
    pub per_mille: u32,
    /// So many matching requests are spared first.
    #[serde(default)]
    pub after: u64,
    /// At most so often.
    #[serde(default)]
    pub count: Option<u64>,
    /// Only for so many milliseconds from now.
    #[serde(default)]
    pub for_ms: Option<u64>,
}

const fn always() -> u32 {
    1000
}

impl FaultRule {
    /// Every write, until removed.
    #[must_use]
    pub const fn every(fault: Fault) -> Self {
        Self { fault, on: On::Write, per_mille: 1000, after: 0, count: None, for_ms: None }
    }

    /// The next so many writes.
    #[must_use]
    pub fn next(fault: Fault, count: u64) -> Self {
        Self { count: Some(count), ..Self::every(fault) }
    }

    /// So many of a thousand writes.
    #[must_use]
    pub fn some(fault: Fault, per_mille: u32) -> Self {
        Self { per_mille, ..Self::every(fault) }
    }

    /// The same on other requests.
    #[must_use]
    pub fn on(self, on: On) -> Self {
        Self { on, ..self }
    }

    /// The same, sparing the first matching requests.
    #[must_use]
    pub fn after(self, after: u64) -> Self {
        Self { after, ..self }
    }
}

#[derive(Debug)]
struct Armed {
    rule: FaultRule,
    until: Option<Instant>,
}

/// The rules in force, the first match wins.
#[derive(Debug)]
pub struct FaultPlan {
    armed: Vec<Armed>,
    dice: Dice,
    fired: BTreeMap<&'static str, u64>,
}

impl FaultPlan {
    /// No fault; the seed decides later ones.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self { armed: Vec::new(), dice: Dice::new(seed), fired: BTreeMap::new() }
    }

    /// Replaces all rules.
    pub fn replace(&mut self, rules: Vec<FaultRule>) {
        self.armed.clear();
        for rule in rules {
            self.add(rule);
        }
    }

    /// Adds a rule behind the others.
    pub fn add(&mut self, rule: FaultRule) {
        let until = rule.for_ms.and_then(|ms| Instant::now().checked_add(Duration::from_millis(ms)));
        self.armed.push(Armed { rule, until });
    }

    /// The rules that can still fire, with what is left of their counts.
    #[must_use]
    pub fn rules(&self) -> Vec<FaultRule> {
        self.armed.iter().map(|armed| armed.rule.clone()).collect()
    }

    /// How often each kind happened.
    #[must_use]
    pub const fn fired(&self) -> &BTreeMap<&'static str, u64> {
        &self.fired
    }

    /// The fault of the request that just came in.
    pub fn strike(&mut self, kind: On) -> Option<Fault> {
        let now = Instant::now();
        self.armed.retain(|armed| armed.until.is_none_or(|until| now < until) && armed.rule.count != Some(0));
        let Self { armed, dice, fired } = self;
        for Armed { rule, .. } in armed {
            if rule.on != On::Any && rule.on != kind {
                continue;
            }
            if rule.after > 0 {
                rule.after -= 1;
                continue;
            }
            if !dice.happens(rule.per_mille) {
                continue;
            }
            rule.count = rule.count.map(|left| left.saturating_sub(1));
            *fired.entry(rule.fault.name()).or_default() += 1;
            return Some(rule.fault.clone());
        }
        None
    }
}

/// A request as it came in.
#[derive(Debug, Clone)]
pub struct Incoming {
    /// Its number, from 1.
    pub request: u64,
    /// Its class.
    pub kind: On,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
    /// [`Desk::take_key`] was called for it before.
    pub holds_key: bool,
    /// Refuse with this `userErrors` code.
    pub forced_code: Option<String>,
}

/// A reply before it is on the wire.
#[derive(Debug, Clone)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// `Content-Type`.
    pub content_type: &'static str,
    /// `Retry-After` in seconds.
    pub retry_after_s: Option<u64>,
    /// The body.
    pub body: Bytes,
}

impl Reply {
    /// A JSON body.
    #[must_use]
    pub fn json(status: u16, body: impl Into<Bytes>) -> Self {
        Self { status, content_type: "application/json; charset=utf-8", retry_after_s: None, body: body.into() }
    }

    /// As the server sends it.
    #[must_use]
    pub fn into_response(self) -> Response<Body> {
        let mut response = Response::builder().status(self.status).header("content-type", self.content_type);
        if let Some(seconds) = self.retry_after_s {
            response = response.header("retry-after", seconds);
        }
        response.body(Body::from(self.body)).expect("status and headers are valid constants")
    }
}

/// The part of a stand-in that understands requests.
pub trait Desk: Send + Sync + 'static {
    /// Applies the request and answers it.
    fn serve(&self, incoming: &Incoming) -> Reply;

    /// Remembers the request's key as being worked on, and no more.
    fn take_key(&self, incoming: &Incoming);

    /// The platform's own "too many requests".
    fn throttled(&self) -> Reply;

    /// The body that the platform gives with a bare status.
    fn refusal(&self, status: u16) -> Bytes;
}

/// Serves one request as the fault has it.
pub async fn answer<D: Desk>(
    desk: &Arc<D>,
    connection: &Connection,
    fault: Option<Fault>,
    mut incoming: Incoming,
) -> Reply {
    connection.pass();
    let Some(fault) = fault else {
        return desk.serve(&incoming);
    };
    match fault {
        Fault::RequestLost => broken(connection),
        Fault::ReplyLost => {
            desk.serve(&incoming);
            broken(connection)
        }
        Fault::ReplyCut => {
            let reply = desk.serve(&incoming);
            connection.cut_after(HEAD_BYTES.saturating_add(reply.body.len() / 2));
            reply
        }
        Fault::Duplicate => {
            let reply = desk.serve(&incoming);
            desk.serve(&incoming);
            reply
        }
        Fault::Reorder { hold_ms } => {
            drop(later(desk, hold_ms, incoming));
            broken(connection)
        }
        Fault::Delay { hold_ms } => finished(later(desk, hold_ms, incoming)).await,
        Fault::SlowApply { hold_ms } => {
            desk.take_key(&incoming);
            incoming.holds_key = true;
            finished(later(desk, hold_ms, incoming)).await
        }
        Fault::Stall { hold_ms } => {
            let reply = desk.serve(&incoming);
            tokio::time::sleep(Duration::from_millis(hold_ms)).await;
            reply
        }
        Fault::Status { status, applied, retry_after_s } => {
            apply_if(desk, applied, &incoming);
            Reply { retry_after_s, ..Reply::json(status, desk.refusal(status)) }
        }
        Fault::Garbage { applied } => {
            apply_if(desk, applied, &incoming);
            Reply::json(200, Bytes::from_static(b"{\"data\":{\"\x00\xff\xfe}}]"))
        }
        Fault::Html { applied } => {
            apply_if(desk, applied, &incoming);
            let page = Bytes::from_static(b"<!DOCTYPE html><html><head><title>Sign in</title></head><body>Please accept the terms of use.</body></html>");
            Reply { content_type: "text/html; charset=utf-8", ..Reply::json(200, page) }
        }
        Fault::Drip { pause_ms } => {
            connection.drip(DRIP_BYTES, Duration::from_millis(pause_ms));
            desk.serve(&incoming)
        }
        Fault::Throttled => desk.throttled(),
        Fault::UserError { code } => {
            incoming.forced_code = Some(code);
            desk.serve(&incoming)
        }
    }
}

fn apply_if<D: Desk>(desk: &Arc<D>, applied: bool, incoming: &Incoming) {
    if applied {
        desk.serve(incoming);
    }
}

fn broken(connection: &Connection) -> Reply {
    connection.cut();
    Reply::json(200, Bytes::new())
}

/// In a task of its own, so that it happens even when the client hangs up meanwhile.
fn later<D: Desk>(desk: &Arc<D>, hold_ms: u64, incoming: Incoming) -> tokio::task::JoinHandle<Reply> {
    let desk = Arc::clone(desk);
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(hold_ms)).await;
        desk.serve(&incoming)
    })
}

async fn finished(task: tokio::task::JoinHandle<Reply>) -> Reply {
    task.await.unwrap_or_else(|_| Reply::json(500, Bytes::new()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_spares_then_strikes_as_often_as_it_says() {
        let mut plan = FaultPlan::new(1);
        plan.add(FaultRule::next(Fault::ReplyLost, 2).after(1));
        let struck: Vec<bool> = (0..5).map(|_| plan.strike(On::Write).is_some()).collect();
        assert_eq!(struck, [false, true, true, false, false]);
        assert_eq!(plan.fired().get("reply_lost"), Some(&2));
    }

    #[test]
    fn a_rule_leaves_other_requests_alone() {
        let mut plan = FaultPlan::new(1);
        plan.add(FaultRule::every(Fault::Throttled));
        assert_eq!(plan.strike(On::Read), None);
        assert_eq!(plan.strike(On::Write), Some(Fault::Throttled));
    }

    #[test]
    fn rules_are_read_from_json() {
        let rule: FaultRule =
            serde_json::from_str(r#"{"fault":"status","status":503,"applied":true,"per_mille":20,"on":"any"}"#)
                .unwrap();
        assert_eq!(rule.fault, Fault::Status { status: 503, applied: true, retry_after_s: None });
        assert_eq!((rule.per_mille, rule.on), (20, On::Any));
    }
}
