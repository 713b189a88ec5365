//! What every HTTP platform shares: building the client, sending once, reading a bounded reply.
//!
//! A platform client holds an [`HttpClient`]. Behind it is a network connection or, for the simulation, a server in
//! the same process ([`Exchange`]); the platform client cannot tell which.
//!
//! Never retries, follows no redirect and decides nothing beyond "was anything sent": that is what tells
//! [`Unreached`] from a reply.

pub(crate) mod header_token;
mod pinned;
pub mod retry_after;
pub mod status;

use std::error::Error as _;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::HeaderMap;
use reqwest::{Method, RequestBuilder};
use sync_core::model::Timestamp;
use thiserror::Error;

use super::Call;

/// Most bytes of a reply that are kept; the rest is not read.
pub const REPLY_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Longest text of somebody else's that goes into a reason, in characters.
pub const EXCERPT_CHARS_MAX: usize = 200;

const USER_AGENT: &str = concat!("tillsync/", env!("CARGO_PKG_VERSION"));

/// Tells the wall clock; only the agent's clock module reads one.
pub type WallClock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// Through what requests go.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum ProxyChoice {
    /// The system's settings and the usual environment variables. A Windows service sees only its own user's.
    #[default]
    System,
    /// None.
    Direct,
    /// This one.
    Url(url::Url),
}

/// How HTTP connections are made.
#[derive(Debug, Clone)]
pub struct TransportSettings {
    /// Until TCP and TLS stand.
    pub connect_timeout: Duration,
    /// Longest silence while a reply comes in.
    pub read_timeout: Duration,
    /// Whole request, reply included.
    pub request_timeout: Duration,
    /// Through what requests go.
    pub proxy: ProxyChoice,
    /// PEM bundle of further certificate authorities to trust.
    pub extra_ca_pem: Option<Vec<u8>>,
    /// SHA-256 of the only certificate to trust, whoever vouches for it. Such a receiver is on the own network: no proxy.
    pub pinned: Option<[u8; 32]>,
}

impl Default for TransportSettings {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(10),
            read_timeout: Duration::from_secs(30),
            request_timeout: Duration::from_secs(60),
            proxy: ProxyChoice::System,
            extra_ca_pem: None,
            pinned: None,
        }
    }
}

/// Why no HTTP client could be built.
#[derive(Debug, Error)]
pub enum TransportError {
    /// The bundle is not PEM.
    #[error("cannot read the extra certificate authorities")]
    Ca {
        /// Why.
        #[source]
        source: reqwest::Error,
    },
    /// The bundle holds no certificate.
    #[error("the file of extra certificate authorities holds no certificate")]
    NoCa,
    /// The proxy URL is not usable.
    #[error("cannot use the proxy URL")]
    Proxy {
        /// Why.
        #[source]
        source: reqwest::Error,
    },
    /// The TLS library refuses its set-up.
    #[error("cannot set up TLS for a pinned certificate")]
    Pinned {
        /// Why.
        #[source]
        source: rustls::Error,
    },
    /// Mostly: the system has no certificate authorities installed.
    #[error("cannot set up the HTTP client; is the system's certificate package installed")]
    Build {
        /// Why.
        #[source]
        source: reqwest::Error,
    },
}

/// Builds the client of one trust domain. The process must have installed a rustls provider before.
///
/// # Errors
/// [`TransportError`] if the extra authorities, the proxy or the system's trust store cannot be used.
pub fn client(settings: &TransportSettings) -> Result<HttpClient, TransportError> {
    let mut builder = reqwest::Client::builder()
        .user_agent(USER_AGENT)
        .connect_timeout(settings.connect_timeout)
        .read_timeout(settings.read_timeout)
        .timeout(settings.request_timeout)
        // A redirected POST arrives as a GET; a moved platform is for a person to see.
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never());
    if let Some(pem) = &settings.extra_ca_pem {
        let certificates =
            reqwest::Certificate::from_pem_bundle(pem).map_err(|source| TransportError::Ca { source })?;
        if certificates.is_empty() {
            return Err(TransportError::NoCa);
        }
        builder = builder.tls_certs_merge(certificates);
    }
    if let Some(digest) = settings.pinned {
        let config = pinned::config(digest).map_err(|source| TransportError::Pinned { source })?;
        builder = builder.tls_backend_preconfigured(config).no_proxy();
    }
    builder = match &settings.proxy {
        ProxyChoice::System => builder,
        ProxyChoice::Direct => builder.no_proxy(),
        ProxyChoice::Url(url) => {
            builder.proxy(reqwest::Proxy::all(url.as_str()).map_err(|source| TransportError::Proxy { source })?)
        }
    };
    let client = builder.build().map_err(|source| TransportError::Build { source })?;
    Ok(HttpClient { client, server: None })
}

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// As sent.
    pub headers: HeaderMap,
    /// At most [`REPLY_BYTES_MAX`] bytes.
    pub body: Vec<u8>,
    /// Whether `body` is all there was.
    pub end: BodyEnd,
}

/// How a reply's body ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BodyEnd {
    /// As announced.
    Complete,
    /// The connection broke or a time limit passed.
    Cut(String),
    /// Longer than the limit.
    TooLong,
}

/// No reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unreached {
    /// The connection never stood: refused, no route, DNS, TLS handshake. Nothing was sent.
    NotSent(String),
    /// Some or all of the request may have arrived.
    MaybeSent(String),
}

/// One request as a server in the same process sees it.
#[derive(Debug, Clone)]
pub struct Request {
    /// HTTP method.
    pub method: Method,
    /// With path and query.
    pub url: url::Url,
    /// As the platform client set them; those that HTTP itself adds are not there.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Vec<u8>,
}

/// A server in the same process, in place of a connection.
pub trait Exchange: Send + Sync {
    /// Answers one request, or says why no reply came. A reply longer than `body_bytes_max` is cut by the caller.
    fn exchange(&self, request: Request) -> Call<'_, Result<Reply, Unreached>>;
}

/// How a platform client reaches its server. Cheap to clone.
#[derive(Clone)]
pub struct HttpClient {
    client: reqwest::Client,
    server: Option<Arc<dyn Exchange>>,
}

impl HttpClient {
    /// The same client with its requests answered by `server`: nothing goes over a network.
    #[must_use]
    pub fn answered_by(&self, server: Arc<dyn Exchange>) -> Self {
        Self { client: self.client.clone(), server: Some(server) }
    }

    /// Begins a GET.
    pub fn get(&self, url: impl reqwest::IntoUrl) -> RequestBuilder {
        self.client.get(url)
    }

    /// Begins a POST.
    pub fn post(&self, url: impl reqwest::IntoUrl) -> RequestBuilder {
        self.client.post(url)
    }

    /// Begins a PUT.
    pub fn put(&self, url: impl reqwest::IntoUrl) -> RequestBuilder {
        self.client.put(url)
    }

    /// Begins a request of any method.
    pub fn request(&self, method: Method, url: impl reqwest::IntoUrl) -> RequestBuilder {
        self.client.request(method, url)
    }

    /// Sends one request and reads up to `body_bytes_max` of its reply.
    ///
    /// # Errors
    /// [`Unreached`] if no status line came back.
    pub async fn exchange(&self, request: RequestBuilder, body_bytes_max: usize) -> Result<Reply, Unreached> {
        match &self.server {
            None => over_network(request, body_bytes_max).await,
            Some(server) => in_process(&**server, request, body_bytes_max).await,
        }
    }
}

async fn in_process(server: &dyn Exchange, request: RequestBuilder, body_bytes_max: usize) -> Result<Reply, Unreached> {
    let mut request = request.build().map_err(|error| Unreached::NotSent(chain(error)))?;
    let body = request.body().and_then(reqwest::Body::as_bytes).map(<[u8]>::to_vec).unwrap_or_default();
    let request = Request {
        method: request.method().clone(),
        headers: std::mem::take(request.headers_mut()),
        url: request.url().clone(),
        body,
    };
    let mut reply = server.exchange(request).await?;
    if reply.body.len() > body_bytes_max {
        reply.body.truncate(body_bytes_max);
        reply.end = BodyEnd::TooLong;
    }
    Ok(reply)
}

async fn over_network(request: RequestBuilder, body_bytes_max: usize) -> Result<Reply, Unreached> {
    let mut response = match request.send().await {
        Ok(response) => response,
        Err(error) if error.is_connect() || error.is_builder() => {
            return Err(Unreached::NotSent(chain(error)));
        }
        Err(error) => return Err(Unreached::MaybeSent(chain(error))),
    };
    let status = response.status().as_u16();
    let headers = std::mem::take(response.headers_mut());
    let mut body = Vec::new();
    let end = loop {
        match response.chunk().await {
            Ok(None) => break BodyEnd::Complete,
            Ok(Some(chunk)) => {
                let room = body_bytes_max.saturating_sub(body.len());
                body.extend(chunk.iter().take(room));
                if chunk.len() > room {
                    break BodyEnd::TooLong;
                }
            }
            Err(error) => break BodyEnd::Cut(chain(error)),
        }
    };
    Ok(Reply { status, headers, body, end })
}

/// The error and its causes in one line. The URL is left out: it may carry a key.
fn chain(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text
}

/// The start of somebody else's text, on one line, for a reason or a dead letter.
#[must_use]
pub fn excerpt(bytes: &[u8]) -> String {
    let bytes = bytes.get(..EXCERPT_CHARS_MAX.saturating_mul(4)).unwrap_or(bytes);
    let text = String::from_utf8_lossy(bytes);
    let one_line: String = text
        .split_whitespace()
        .flat_map(|word| [" ", word])
        .flat_map(str::chars)
        .filter(|c| !c.is_control())
        .skip(1)
        .take(EXCERPT_CHARS_MAX)
        .collect();
    one_line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_excerpt_is_one_short_line() {
        assert_eq!(excerpt(b"  <html>\r\n\t<body>\x07bad\xff "), "<html> <body>bad\u{fffd}");
        assert_eq!(excerpt(&[b'a'; 5000]).chars().count(), EXCERPT_CHARS_MAX);
    }
}
