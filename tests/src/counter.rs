//! The counter in front of a stand-in's rules: a thin HTTP server, the faults, the clock that can be moved.
//!
//! The rules of a platform are a [`Machine`]: it opens no socket and reads no clock, so it can stand behind a real
//! port here and inside a simulation elsewhere.

use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, DefaultBodyLimit, State as Given};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Response as Http, Uri};
use serde_json::Value;

use crate::faults::{Desk, FaultPlan, FaultRule, Incoming, On, Reply, answer};
use crate::journal::JournalLine;
use crate::locked;
use crate::moment::Moment;
use crate::server::Server;
use crate::wire::Connection;

/// Most bytes of one request.
const BODY_BYTES_MAX: usize = 8 * 1024 * 1024;

/// A request as a machine sees it.
#[derive(Debug, Clone)]
pub struct Request {
    /// Its number, from 1.
    pub number: u64,
    /// `GET`, `POST`, `PUT`.
    pub method: String,
    /// Path without the query.
    pub path: String,
    /// Decoded query, in order.
    pub query: Vec<(String, String)>,
    /// As sent.
    pub headers: HeaderMap,
    /// As sent.
    pub body: Bytes,
    /// [`Machine::take_key`] was called for it before.
    pub holds_key: bool,
}

impl Request {
    /// The first value of a query parameter.
    #[must_use]
    pub fn asked(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// A header as text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The body as JSON; `Null` if it is none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }
}

/// What a machine answers.
#[derive(Debug, Clone)]
pub struct Response {
    /// HTTP status.
    pub status: u16,
    /// Headers beside the content type.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: Bytes,
}

impl Response {
    /// JSON.
    #[must_use]
    pub fn json(status: u16, body: &Value) -> Self {
        Self { status, headers: Vec::new(), body: body.to_string().into() }
    }
}

/// The rules of a platform.
pub trait Machine: Send + 'static {
    /// Applies a request and answers it, at the platform's own time in microseconds since 1970.
    fn handle(&mut self, request: &Request, now_us: i64) -> Response;

    /// Whether it changes anything.
    fn is_write(request: &Request) -> bool;

    /// Remembers the request's key as being worked on, where there are keys.
    fn take_key(&mut self, request: &Request);

    /// The platform's own "too many requests".
    fn throttled(&mut self, now_us: i64) -> Response;

    /// What it has applied.
    fn journal(&self) -> &[JournalLine];

    /// Requests that no correct client sends.
    fn invalid_requests(&self) -> u64;
}

/// A machine behind a port. The port closes with the last clone.
pub struct Counter<M: Machine>(Arc<Running<M>>);

impl<M: Machine> Clone for Counter<M> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<M: Machine> fmt::Debug for Counter<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Counter").field("addr", &self.0.0.addr).finish_non_exhaustive()
    }
}

struct Running<M: Machine>(Arc<Shop<M>>);

impl<M: Machine> Drop for Running<M> {
    fn drop(&mut self) {
        // The server's routes hold the shop in turn: without this neither would ever go.
        if let Ok(mut server) = self.0.server.try_lock() {
            *server = None;
        }
    }
}

struct Shop<M> {
    machine: Mutex<M>,
    faults: Mutex<FaultPlan>,
    server: tokio::sync::Mutex<Option<Server>>,
    addr: Mutex<SocketAddr>,
    ahead_us: Mutex<i64>,
    requests: Mutex<u64>,
}

impl<M: Machine> Shop<M> {
    fn now_us(&self) -> i64 {
        Moment::now().wall_us.saturating_add(*locked(&self.ahead_us))
    }
}

impl<M: Machine> Counter<M> {
    /// Opens on 127.0.0.1; port 0 takes any free one.
    ///
    /// # Errors
    /// The port is taken.
    pub async fn open(machine: M, port: u16, seed: u64) -> anyhow::Result<Self> {
        let shop = Arc::new(Shop {
            machine: Mutex::new(machine),
            faults: Mutex::new(FaultPlan::new(seed)),
            server: tokio::sync::Mutex::default(),
            addr: Mutex::new(SocketAddr::from(([127, 0, 0, 1], 0))),
            ahead_us: Mutex::new(0),
            requests: Mutex::new(0),
        });
        let router = Router::new()
            .fallback(serve::<M>)
            .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
            .with_state(Arc::clone(&shop));
        let server = Server::open(port, router).await?;
        *locked(&shop.addr) = server.addr();
        *shop.server.lock().await = Some(server);
        Ok(Self(Arc::new(Running(shop))))
    }

    /// Base address for a client, e.g. `http://127.0.0.1:40123`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", locked(&self.0.0.addr))
    }

    /// Does something with the rules and the goods, at the platform's own time in microseconds since 1970.
    pub fn with<T>(&self, act: impl FnOnce(&mut M, i64) -> T) -> T {
        let now_us = self.0.0.now_us();
        act(&mut locked(&self.0.0.machine), now_us)
    }

    /// Moves the platform's own clock.
    pub fn advance_clock(&self, by: Duration) {
        let mut ahead = locked(&self.0.0.ahead_us);
        *ahead = ahead.saturating_add(i64::try_from(by.as_micros()).unwrap_or(i64::MAX));
    }

    /// Adds a fault behind the others.
    pub fn fault(&self, rule: FaultRule) {
        locked(&self.0.0.faults).add(rule);
    }

    /// Removes all faults.
    pub fn clear_faults(&self) {
        locked(&self.0.0.faults).replace(Vec::new());
    }

    /// How often a kind of fault happened.
    #[must_use]
    pub fn fired(&self, name: &str) -> u64 {
        locked(&self.0.0.faults).fired().get(name).copied().unwrap_or(0)
    }

    /// The journal's lines.
    #[must_use]
    pub fn arrivals(&self) -> Vec<JournalLine> {
        locked(&self.0.0.machine).journal().to_vec()
    }

    /// Requests that no correct client sends.
    #[must_use]
    pub fn invalid_requests(&self) -> u64 {
        locked(&self.0.0.machine).invalid_requests()
    }

    /// Closes the port and breaks all connections; what is being worked on is still applied.
    pub async fn go_down(&self) {
        if let Some(server) = self.0.0.server.lock().await.as_mut() {
            server.close().await;
        }
    }

    /// Opens the same port again.
    ///
    /// # Errors
    /// The port was taken meanwhile.
    pub async fn come_up(&self) -> anyhow::Result<()> {
        match self.0.0.server.lock().await.as_mut() {
            Some(server) => server.reopen().await,
            None => Ok(()),
        }
    }
}

async fn serve<M: Machine>(
    Given(shop): Given<Arc<Shop<M>>>,
    ConnectInfo(connection): ConnectInfo<Connection>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Http<Body> {
    let number = {
        let mut requests = locked(&shop.requests);
        *requests += 1;
        *requests
    };
    let query = url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()).into_owned().collect();
    let request = Request {
        number,
        method: method.as_str().to_owned(),
        path: uri.path().to_owned(),
        query,
        headers: headers.clone(),
        body: body.clone(),
        holds_key: false,
    };
    let kind = if M::is_write(&request) { On::Write } else { On::Read };
    let fault = locked(&shop.faults).strike(kind);
    let incoming = Incoming { request: number, kind, headers, body, holds_key: false, forced_code: None };
    let clerk = Arc::new(Clerk { shop, request, headers: Mutex::default() });
    let mut response = answer(&clerk, &connection, fault, incoming).await.into_response();
    for (name, value) in locked(&clerk.headers).drain(..) {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().insert(HeaderName::from_static(name), value);
        }
    }
    response
}

/// Serves one request. The headers of the reply go past the faults, which have no place for them.
struct Clerk<M> {
    shop: Arc<Shop<M>>,
    request: Request,
    headers: Mutex<Vec<(&'static str, String)>>,
}

impl<M: Machine> Clerk<M> {
    fn reply(&self, response: Response) -> Reply {
        *locked(&self.headers) = response.headers;
        Reply::json(response.status, response.body)
    }
}

impl<M: Machine> Desk for Clerk<M> {
    fn serve(&self, incoming: &Incoming) -> Reply {
        let now_us = self.shop.now_us();
        let request = Request { holds_key: incoming.holds_key, ..self.request.clone() };
        let response = locked(&self.shop.machine).handle(&request, now_us);
        self.reply(response)
    }

    fn take_key(&self, _incoming: &Incoming) {
        locked(&self.shop.machine).take_key(&self.request);
    }

    fn throttled(&self) -> Reply {
        let now_us = self.shop.now_us();
        let response = locked(&self.shop.machine).throttled(now_us);
        self.reply(response)
    }

    fn refusal(&self, _status: u16) -> Bytes {
        Bytes::from_static(b"{}")
    }
}

/// ISO 8601 of microseconds since 1970, in milliseconds.
#[must_use]
pub fn iso(us: i64) -> String {
    jiff::Timestamp::from_millisecond(us.div_euclid(1000)).map_or_else(|_| String::new(), |at| format!("{at:.3}"))
}

/// The reverse of [`iso`], for any offset.
#[must_use]
pub fn parse_iso(text: &str) -> Option<i64> {
    text.parse::<jiff::Timestamp>().ok().map(|at| at.as_microsecond())
}
