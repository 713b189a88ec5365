//! The listener for sources that wait to be told (kind `http`): sockets, TLS and HTTP around a
//! [`Door`], which decides.
//!
//! ```text
//! accept -> place among CONNECTIONS_MAX -> TLS handshake in its own task -> head in HEAD_MAX -> body in BODY_MAX
//!   -> Door::admit -> Inbox::put -> wait for the commit, COMMIT_MAX at most -> answer
//! ```
//! Success is answered only after the commit; everything else leaves the sender to come again with the same request.
//! A listener that cannot be opened is a fault of its source and is tried again; the rest of the agent goes on.

mod answer;
pub mod certificate;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, Response};
use futures_util::StreamExt as _;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use pos_adapters::pushed::{Door, Headers, Inbox, Refused, parse};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use self::answer::Answer;
use crate::clock::Clock;
use crate::ingest::chain;

/// Connections at the same time; more are closed at once.
const CONNECTIONS_MAX: usize = 64;
/// Of them, from one address, so that one cannot keep the others out.
const CONNECTIONS_PER_ADDRESS_MAX: usize = 16;
/// Bodies that are read at the same time: together they bound the memory.
const BODIES_MAX: usize = 8;
/// Longest TLS handshake.
const HANDSHAKE_MAX: Duration = Duration::from_secs(10);
/// Longest wait for the head of a request; an idle connection is closed after it.
const HEAD_MAX: Duration = Duration::from_secs(15);
/// Longest wait for the body.
const BODY_MAX: Duration = Duration::from_secs(30);
/// Longest wait for the commit. Senders wait 30 s or more.
const COMMIT_MAX: Duration = Duration::from_secs(15);
/// Bytes of a head.
const HEAD_BYTES_MAX: usize = 16 * 1024;
/// Larger bodies are looked at on another thread.
const LARGE_BODY_BYTES: usize = 64 * 1024;
/// Pause before an address that cannot be had is tried again.
const LISTEN_AGAIN: Duration = Duration::from_secs(5);
/// Where others post to, before the name of their key.
const PATH: &str = "/sales/";

/// How long a sender may take; shorter in tests.
#[derive(Debug, Clone, Copy)]
struct Limits {
    handshake: Duration,
    head: Duration,
    body: Duration,
    commit: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { handshake: HANDSHAKE_MAX, head: HEAD_MAX, body: BODY_MAX, commit: COMMIT_MAX }
    }
}

/// How the listener of a source stands.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct DoorStatus {
    /// The address, while it is listened on.
    pub listening: Option<String>,
    /// SHA-256 of the certificate, for others to trust; absent without TLS.
    pub fingerprint: Option<String>,
    /// Requests let in since the start.
    pub admitted: u64,
    /// Requests without a good signature.
    pub unauthorised: u64,
    /// Requests refused for anything else.
    pub refused: u64,
}

/// The listener of one source.
#[derive(Debug)]
pub struct Receiver {
    inbox: Arc<Inbox>,
    door: Arc<Door>,
    clock: Arc<Clock>,
    places: Arc<Semaphore>,
    bodies: Semaphore,
    by_address: Mutex<BTreeMap<IpAddr, usize>>,
    shown: Mutex<(Option<SocketAddr>, Option<String>)>,
    limits: Limits,
}

impl Receiver {
    /// For the inbox of a source.
    #[must_use]
    pub fn new(inbox: Arc<Inbox>, clock: Arc<Clock>) -> Self {
        Self {
            door: Arc::new(Door::new(Arc::clone(inbox.plan()))),
            inbox,
            clock,
            places: Arc::new(Semaphore::new(CONNECTIONS_MAX)),
            bodies: Semaphore::new(BODIES_MAX),
            by_address: Mutex::default(),
            shown: Mutex::default(),
            limits: Limits::default(),
        }
    }

    /// Name of the source.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.inbox.plan().name
    }

    /// How it stands.
    #[must_use]
    pub fn status(&self) -> DoorStatus {
        let (address, fingerprint) = self.shown.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let counts = &self.door.counts;
        DoorStatus {
            listening: address.map(|address| address.to_string()),
            fingerprint,
            admitted: counts.admitted.load(Ordering::Relaxed),
            unauthorised: counts.unauthorised.load(Ordering::Relaxed),
            refused: counts.refused.load(Ordering::Relaxed),
        }
    }

    /// Listens until `stop`.
    pub async fn serve(self: Arc<Self>, stop: CancellationToken) {
        loop {
            match self.open().await {
                Ok((listener, tls)) => {
                    self.inbox.listening(None);
                    return self.accept(listener, tls, stop).await;
                }
                Err(fault) => {
                    tracing::warn!(source = self.source(), fault, "Cannot listen for sales; it is tried again");
                    self.inbox.listening(Some(fault));
                }
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(LISTEN_AGAIN) => {}
            }
        }
    }

    async fn open(&self) -> Result<(TcpListener, Option<TlsAcceptor>), String> {
        let plan = self.inbox.plan();
        let identity = match &plan.tls {
            None => None,
            Some(wanted) => Some(certificate::load(wanted, &plan.own_files).map_err(|error| chain(&error))?),
        };
        let listener = TcpListener::bind(plan.listen).await.map_err(|error| error.to_string())?;
        let address = listener.local_addr().map_err(|error| error.to_string())?;
        let fingerprint = identity.as_ref().map(|identity| identity.fingerprint.clone());
        tracing::info!(source = plan.name, %address, fingerprint, "Listening for sales");
        *self.shown.lock().unwrap_or_else(PoisonError::into_inner) = (Some(address), fingerprint);
        Ok((listener, identity.map(|identity| TlsAcceptor::from(identity.config))))
    }

    async fn accept(self: Arc<Self>, listener: TcpListener, tls: Option<TlsAcceptor>, stop: CancellationToken) {
        loop {
            let (stream, from) = tokio::select! {
                () = stop.cancelled() => return,
                accepted = listener.accept() => match accepted {
                    Ok(accepted) => accepted,
                    Err(error) => {
                        // Mostly: too many open files. It passes; spinning would not help.
                        tracing::warn!(%error, "Cannot accept a connection");
                        tokio::time::sleep(Duration::from_millis(100)).await;
                        continue;
                    }
                },
            };
            let Some(seat) = self.seat(from.ip()) else { continue };
            let (receiver, tls, stop) = (Arc::clone(&self), tls.clone(), stop.clone());
            tokio::spawn(async move {
                let _seat = seat;
                tokio::select! {
                    () = stop.cancelled() => {}
                    () = async {
                        match tls {
                            None => receiver.connection(stream).await,
                            Some(tls) => match tokio::time::timeout(receiver.limits.handshake, tls.accept(stream)).await {
                                Ok(Ok(stream)) => receiver.connection(stream).await,
                                Ok(Err(error)) => tracing::debug!(%from, %error, "No TLS with a sender"),
                                Err(_) => tracing::debug!(%from, "A TLS handshake took too long"),
                            },
                        }
                    } => {}
                }
            });
        }
    }

    /// A place for one more connection, if there is one.
    fn seat(self: &Arc<Self>, from: IpAddr) -> Option<Seat> {
        let place = Arc::clone(&self.places).try_acquire_owned().ok()?;
        let mut by_address = self.by_address.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = by_address.entry(from).or_insert(0);
        if *taken >= CONNECTIONS_PER_ADDRESS_MAX {
            return None;
        }
        *taken += 1;
        Some(Seat { receiver: Arc::clone(self), from, _place: place })
    }

    async fn connection<S: AsyncRead + AsyncWrite + Unpin>(self: &Arc<Self>, stream: S) {
        let service = service_fn(|request| async { Ok::<_, Infallible>(self.answer(request).await) });
        let served = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.limits.head)
            .max_buf_size(HEAD_BYTES_MAX)
            .serve_connection(TokioIo::new(stream), service)
            .await;
        if let Err(error) = served {
            tracing::debug!(%error, "A connection of a sender ended early");
        }
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Body> {
        let (head, body) = request.into_parts();
        let Some(key) = head.uri.path().strip_prefix(PATH).map(str::to_owned) else {
            return Answer::closing(404, "post to /sales/ and the name of your key").into();
        };
        if head.method != Method::POST {
            return Answer::closing(405, "POST only").into();
        }
        // A stranger is not let to fill the memory.
        if self.inbox.plan().key(&key).is_none() {
            self.door.counts.unauthorised.fetch_add(1, Ordering::Relaxed);
            return Answer::closing(401, &Refused::Unauthorised.message()).into();
        }
        let body = match tokio::time::timeout(self.limits.body, self.body(body)).await {
            Ok(Ok(body)) => body,
            Ok(Err(answer)) => return answer.into(),
            Err(_) => return Answer::closing(408, "the body took too long").into(),
        };
        self.take(key, head.headers, body).await.into()
    }

    /// The body, never longer than it may be.
    async fn body(&self, incoming: Incoming) -> Result<parse::Body, Answer> {
        let most = self.inbox.plan().body_bytes_max;
        let too_large = || Answer::closing(413, &Refused::TooLarge.message());
        let announced = hyper::body::Body::size_hint(&incoming).lower();
        if usize::try_from(announced).map_or(true, |announced| announced > most) {
            return Err(too_large());
        }
        let _place = self.bodies.acquire().await.map_err(|_| Answer::busy())?;
        let mut body = parse::Body::new(most);
        let mut pieces = Body::new(incoming).into_data_stream();
        while let Some(piece) = pieces.next().await {
            let piece = piece.map_err(|_| Answer::closing(400, "the body broke off"))?;
            body.push(&piece).map_err(|parse::TooLong| too_large())?;
        }
        Ok(body)
    }

    /// A complete request: let in, stored, answered.
    async fn take(&self, key: String, headers: HeaderMap, body: parse::Body) -> Answer {
        let (door, now) = (Arc::clone(&self.door), self.clock.now());
        let name = key.clone();
        let large = body.bytes().len() > LARGE_BODY_BYTES;
        let look = move || door.admit(&key, &Given(headers), body.bytes(), now);
        let admitted = if large {
            match tokio::task::spawn_blocking(look).await {
                Ok(admitted) => admitted,
                Err(_) => return Answer::busy(),
            }
        } else {
            look()
        };
        let admitted = match admitted {
            Ok(admitted) => admitted,
            Err(refused) => {
                let reason = if let Refused::Unusable(reason) = &refused { reason } else { &refused.message() };
                tracing::warn!(
                    source = self.source(),
                    key = name,
                    status = refused.status(),
                    reason,
                    "Refused a request"
                );
                return Answer::refused(&refused);
            }
        };
        let receipt = answer::Receipt {
            transactions: admitted.transactions,
            quarantined: admitted.quarantined,
            reasons: admitted.reasons,
            says_quarantined: admitted.says_quarantined,
        };
        if self.inbox.put(admitted.delivery).is_err() {
            return Answer::busy();
        }
        match tokio::time::timeout(self.limits.commit, admitted.told).await {
            Ok(Ok(told)) => Answer::told(told, &receipt),
            // The commit failed, or takes too long: nothing is certain but that the same request may come again.
            Ok(Err(_)) | Err(_) => Answer::busy(),
        }
    }
}

/// Gives its place back when dropped.
struct Seat {
    receiver: Arc<Receiver>,
    from: IpAddr,
    _place: tokio::sync::OwnedSemaphorePermit,
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut by_address = self.receiver.by_address.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(taken) = by_address.get_mut(&self.from) {
            *taken = taken.saturating_sub(1);
            if *taken == 0 {
                by_address.remove(&self.from);
            }
        }
    }
}

/// Headers of a request; one that stands twice is not there.
struct Given(HeaderMap);

impl Headers for Given {
    fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.0.get_all(name).iter();
        match (values.next(), values.next()) {
            (Some(value), None) => value.to_str().ok(),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
