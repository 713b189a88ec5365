//! The status server: read-only, on loopback, costs nothing while nobody asks.
//!
//! A page of another site must not be able to read it through a browser (DNS rebinding), so the `Host` header
//! has to name this machine. There is nothing to write and no secret to see.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::serve::Listener;
use thiserror::Error;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use super::{StatusSnapshot, metrics, page};

/// Connections at the same time; more wait in the system's queue.
const CONNECTIONS_MAX: usize = 32;

/// How long open connections are waited for when stopping.
const STOP_TIMEOUT: Duration = Duration::from_secs(2);

/// Where the facts come from. Called on a thread that may block.
pub type SnapshotSource = Arc<dyn Fn() -> StatusSnapshot + Send + Sync>;

/// Why the status server cannot run.
#[derive(Debug, Error)]
pub enum ServerError {
    /// The address cannot be had.
    #[error("cannot listen on {address} for the status page")]
    Listen {
        /// As configured.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// Not loopback.
    #[error("{address} can be reached from other machines; the status page has no log-in")]
    NotLoopback {
        /// As configured.
        address: SocketAddr,
    },
    /// Serving failed.
    #[error("the status server stopped")]
    Serve(#[source] io::Error),
}

impl ServerError {
    /// Stable code, listed in `docs/errors.md`.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Listen { .. } => "status_address_in_use",
            Self::NotLoopback { .. } => "status_not_loopback",
            Self::Serve(_) => "status_server_stopped",
        }
    }

    /// The next step.
    #[must_use]
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::Listen { .. } => {
                "another program has the port: choose another in `[status] listen`, or write \"off\""
            }
            Self::NotLoopback { .. } => "use 127.0.0.1 in `[status] listen`",
            Self::Serve(_) => "restart the agent; sales go on being recorded and sent",
        }
    }
}

/// A server that has its address but does not answer yet.
#[derive(Debug)]
pub struct StatusServer {
    listener: TcpListener,
    address: SocketAddr,
}

impl StatusServer {
    /// Takes the address; port 0 takes any free one.
    ///
    /// # Errors
    /// The address is not loopback or is taken.
    pub async fn bind(address: SocketAddr) -> Result<Self, ServerError> {
        if !address.ip().is_loopback() {
            return Err(ServerError::NotLoopback { address });
        }
        let refused = |source| ServerError::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(refused)?;
        let address = listener.local_addr().map_err(refused)?;
        Ok(Self { listener, address })
    }

    /// The address that was taken.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers until `stop`, then waits a moment for open connections.
    ///
    /// # Errors
    /// [`ServerError::Serve`]
    pub async fn serve(self, source: SnapshotSource, stop: CancellationToken) -> Result<(), ServerError> {
        let listener = Limited { listener: self.listener, places: Arc::new(Semaphore::new(CONNECTIONS_MAX)) };
        let stopped = stop.clone();
        let serving = axum::serve(listener, router(source, self.address.ip()))
            .with_graceful_shutdown(async move { stopped.cancelled().await });
        let late = async {
            stop.cancelled().await;
            tokio::time::sleep(STOP_TIMEOUT).await;
        };
        tokio::select! {
            result = serving => result.map_err(ServerError::Serve),
            () = late => Ok(()),
        }
    }
}

#[derive(Clone)]
struct Shared {
    source: SnapshotSource,
    ip: IpAddr,
}

fn router(source: SnapshotSource, ip: IpAddr) -> Router {
    let shared = Shared { source, ip };
    Router::new()
        .route("/", get(root))
        .route("/healthz", get(healthz))
        .route("/api/status", get(api_status))
        .route("/metrics", get(metrics_text))
        .layer(middleware::from_fn_with_state(shared.clone(), guard))
        .with_state(shared)
}

/// Only requests that name this machine; the same careful headers on every answer.
async fn guard(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    let mut response = if host_is_ours(request.headers(), shared.ip) {
        next.run(request).await
    } else {
        (StatusCode::FORBIDDEN, "this address is not served here: use 127.0.0.1 or localhost\n").into_response()
    };
    for (name, value) in [
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'",
        ),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

fn host_is_ours(headers: &HeaderMap, ip: IpAddr) -> bool {
    let mut hosts = headers.get_all(header::HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else {
        return false;
    };
    let Ok(host) = host.to_str() else {
        return false;
    };
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split_once(']').map_or("", |(name, _)| name),
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    name.eq_ignore_ascii_case("localhost")
        || name.parse::<IpAddr>().is_ok_and(|named| named == ip || named.is_loopback())
}

async fn snapshot(source: SnapshotSource) -> Result<StatusSnapshot, Response> {
    // The facts may come from the database: never on a thread that also sends and receives.
    tokio::task::spawn_blocking(move || source()).await.map_err(|_| {
        (StatusCode::INTERNAL_SERVER_ERROR, "the status could not be gathered, see the log\n").into_response()
    })
}

async fn root(State(shared): State<Shared>) -> Result<Response, Response> {
    let status = snapshot(shared.source).await?;
    Ok(axum::response::Html(page::html(&status)).into_response())
}

async fn healthz(State(shared): State<Shared>) -> Result<Response, Response> {
    let status = snapshot(shared.source).await?;
    if status.ready {
        return Ok((StatusCode::OK, "ok\n").into_response());
    }
    let reason = status.waiting_for.unwrap_or_else(|| "starting".to_owned());
    Ok((StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {reason}\n")).into_response())
}

async fn api_status(State(shared): State<Shared>) -> Result<Response, Response> {
    let status = snapshot(shared.source).await?;
    let text = serde_json::to_string(&status).map_err(|error| {
        tracing::error!(%error, "Status cannot be written as JSON");
        (StatusCode::INTERNAL_SERVER_ERROR, "the status could not be written, see the log\n").into_response()
    })?;
    Ok(([(header::CONTENT_TYPE, "application/json")], text).into_response())
}

async fn metrics_text(State(shared): State<Shared>) -> Result<Response, Response> {
    let status = snapshot(shared.source).await?;
    Ok(([(header::CONTENT_TYPE, metrics::CONTENT_TYPE)], metrics::text(&status)).into_response())
}

/// A listener that takes a connection only while there is a place for it.
struct Limited {
    listener: TcpListener,
    places: Arc<Semaphore>,
}

impl Listener for Limited {
    type Io = Placed;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        let place = Arc::clone(&self.places).acquire_owned().await.ok();
        let (stream, address) = Listener::accept(&mut self.listener).await;
        (Placed { stream, _place: place }, address)
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.listener.local_addr()
    }
}

/// A connection that gives its place back when it ends.
struct Placed {
    stream: TcpStream,
    _place: Option<OwnedSemaphorePermit>,
}

mod placed_io {
    //! Passes reads and writes through.

    use std::io;
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

    use super::Placed;

    impl AsyncRead for Placed {
        fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
            Pin::new(&mut self.stream).poll_read(cx, buf)
        }
    }

    impl AsyncWrite for Placed {
        fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
            Pin::new(&mut self.stream).poll_write(cx, buf)
        }

        fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            Pin::new(&mut self.stream).poll_flush(cx)
        }

        fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            Pin::new(&mut self.stream).poll_shutdown(cx)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::super::tests::snapshot as good;
    use super::*;

    async fn ask(address: SocketAddr, request: &str) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        String::from_utf8(answer).unwrap()
    }

    async fn get(address: SocketAddr, path: &str, host: &str) -> String {
        ask(address, &format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")).await
    }

    async fn started(ready: Arc<AtomicBool>) -> (SocketAddr, CancellationToken, tokio::task::JoinHandle<()>) {
        let server = StatusServer::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let (address, stop) = (server.address(), CancellationToken::new());
        let source: SnapshotSource = Arc::new(move || {
            let mut status = good();
            status.ready = ready.load(Ordering::SeqCst);
            status.waiting_for = Some("the first read of source tills".to_owned());
            status
        });
        let serving = tokio::spawn({
            let stop = stop.clone();
            async move { server.serve(source, stop).await.unwrap() }
        });
        (address, stop, serving)
    }

    #[tokio::test]
    async fn every_path_answers_and_healthz_waits_for_readiness() {
        let ready = Arc::new(AtomicBool::new(false));
        let (address, stop, serving) = started(Arc::clone(&ready)).await;
        let host = address.to_string();
        let health = get(address, "/healthz", &host).await;
        assert!(health.starts_with("HTTP/1.1 503") && health.contains("the first read of source tills"), "{health}");
        ready.store(true, Ordering::SeqCst);
        assert!(get(address, "/healthz", &host).await.starts_with("HTTP/1.1 200"));
        assert!(get(address, "/api/status", "localhost").await.contains("\"store\":\"store-12\""));
        assert!(get(address, "/metrics", &host).await.contains("tillsync_ready 1"));
        let page = get(address, "/", "[::1]:80").await;
        assert!(page.contains("All is well") && page.contains("content-security-policy"), "{page}");
        assert!(get(address, "/nothing", &host).await.starts_with("HTTP/1.1 404"));
        stop.cancel();
        serving.await.unwrap();
    }

    #[tokio::test]
    async fn other_hosts_and_writes_are_refused() {
        let (address, stop, serving) = started(Arc::new(AtomicBool::new(true))).await;
        for host in ["evil.example.com", "127.0.0.1.example.com:80", "", "localhost@example.com"] {
            let answer = get(address, "/api/status", host).await;
            assert!(answer.starts_with("HTTP/1.1 403") && !answer.contains("store-12"), "{host}: {answer}");
        }
        let post = "POST /api/status HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        assert!(ask(address, post).await.starts_with("HTTP/1.1 405"));
        stop.cancel();
        serving.await.unwrap();
    }

    #[tokio::test]
    async fn an_idle_connection_does_not_keep_it_from_stopping() {
        let (address, stop, serving) = started(Arc::new(AtomicBool::new(true))).await;
        let _idle = TcpStream::connect(address).await.unwrap();
        stop.cancel();
        serving.await.unwrap();
    }

    #[tokio::test]
    async fn it_never_listens_beyond_this_machine() {
        let error = StatusServer::bind("0.0.0.0:0".parse().unwrap()).await.unwrap_err();
        assert_eq!(error.code(), "status_not_loopback");
    }
}
