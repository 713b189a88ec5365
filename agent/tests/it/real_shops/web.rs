//! Where a shop is, and JSON over HTTP.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Once};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use reqwest::header::HeaderMap;
use serde_json::Value;
use sync_core::model::Timestamp;
use tillsync::platform::transport::{HttpClient, ProxyChoice, TransportSettings, WallClock, client};

/// Shoppers wait long on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);
const BODY_BYTES_MAX: usize = 16 * 1024 * 1024;

/// A running shop, as xtask tells of it.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) user: String,
    pub(super) password: String,
    /// `http://127.0.0.1:<port>`
    pub(super) base: String,
}

/// The shop of this variable; `None`, with a notice, if it does not run.
#[expect(clippy::print_stderr, reason = "a test that was left out must say so")]
pub(super) fn place(variable: &str) -> Option<Place> {
    let Ok(text) = std::env::var(variable) else {
        eprintln!("skipped: {variable} is not set; `cargo xtask test --real-shops` starts the shop");
        return None;
    };
    Some(read(&text))
}

fn read(text: &str) -> Place {
    let (login, address) = text.rsplit_once('@').unwrap();
    let (user, password) = login.split_once(':').unwrap();
    Place { user: user.to_owned(), password: password.to_owned(), base: format!("http://{address}") }
}

/// A client that reaches nothing but loopback.
pub(super) fn http() -> HttpClient {
    static PROVIDER: Once = Once::new();
    PROVIDER.call_once(|| drop(rustls::crypto::ring::default_provider().install_default()));
    client(&TransportSettings { proxy: ProxyChoice::Direct, request_timeout: PATIENCE, ..TransportSettings::default() })
        .unwrap()
}

pub(super) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Timestamp(i64::try_from(since.as_micros()).unwrap())
}

pub(super) fn clock() -> WallClock {
    Arc::new(now)
}

/// A word that no other test of this run or of others has.
pub(super) fn unique(stem: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("{stem}-{:x}-{}-{}", now().0, std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Status, headers and JSON of an answer; `null` where it is none.
pub(super) struct Answered {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) json: Value,
}

pub(super) async fn post(http: &HttpClient, url: &str, headers: &[(&str, &str)], body: &Value) -> Answered {
    let mut request =
        http.post(url).timeout(PATIENCE).header("content-type", "application/json").body(body.to_string());
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    answered(http, request).await
}

pub(super) async fn get(http: &HttpClient, url: &str, headers: &[(&str, &str)]) -> Answered {
    let mut request = http.get(url).timeout(PATIENCE);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    answered(http, request).await
}

async fn answered(http: &HttpClient, request: reqwest::RequestBuilder) -> Answered {
    let reply = http.exchange(request, BODY_BYTES_MAX).await.unwrap();
    Answered {
        status: reply.status,
        headers: reply.headers,
        json: serde_json::from_slice(&reply.body).unwrap_or(Value::Null),
    }
}

impl Answered {
    /// The JSON of a success.
    #[track_caller]
    pub(super) fn good(self) -> Value {
        assert!((200..300).contains(&self.status), "{}: {}", self.status, self.json);
        self.json
    }
}

/// The text at a JSON pointer.
#[track_caller]
pub(super) fn text(value: &Value, pointer: &str) -> String {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_else(|| panic!("no {pointer} in {value}")).to_owned()
}

/// The whole number at a JSON pointer.
#[track_caller]
pub(super) fn number(value: &Value, pointer: &str) -> i64 {
    value.pointer(pointer).and_then(Value::as_i64).unwrap_or_else(|| panic!("no {pointer} in {value}"))
}
