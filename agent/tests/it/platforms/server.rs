//! A server of canned replies: each connection's requests are answered in order, and kept for the test to read.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, Once};
use std::time::Duration;

use sync_core::model::Timestamp;
use tillsync::platform::transport::{HttpClient, ProxyChoice, TransportSettings, WallClock, client};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// 2026-11-23T10:00:00Z
pub(super) const NOW: Timestamp = Timestamp(1_795_428_000_000_000);

/// What happens to one request.
pub(super) enum Canned {
    /// Status, headers as lines, body.
    Reply(u16, &'static str, String),
    /// The connection is cut without a reply.
    Cut,
    /// The head of a good reply, half of its body, then a cut.
    HalfReply,
}

impl Canned {
    pub(super) fn ok(body: impl Into<String>) -> Self {
        Self::Reply(200, "", body.into())
    }
}

/// A request as it came in.
#[derive(Debug, Clone)]
pub(super) struct Received {
    pub(super) head: String,
    pub(super) body: Vec<u8>,
}

impl Received {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }

    pub(super) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(super) fn path(&self) -> &str {
        self.head.split(' ').nth(1).unwrap()
    }
}

pub(super) struct Server {
    pub(super) url: url::Url,
    received: Arc<Mutex<Vec<Received>>>,
}

impl Server {
    /// Answers by rule.
    pub(super) async fn start(answer: impl FnMut(&Received) -> Canned + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        let received = Arc::new(Mutex::new(Vec::new()));
        let answer = Arc::new(Mutex::new(answer));
        let kept = Arc::clone(&received);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&kept), Arc::clone(&answer)));
            }
        });
        Self { url, received }
    }

    /// Answers in this order; nothing may come after.
    pub(super) async fn with(replies: impl IntoIterator<Item = Canned>) -> Self {
        let mut replies: VecDeque<Canned> = replies.into_iter().collect();
        Self::start(move |request| replies.pop_front().unwrap_or_else(|| panic!("not expected: {request:?}"))).await
    }

    pub(super) fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }
}

async fn serve<F: FnMut(&Received) -> Canned>(
    mut stream: TcpStream,
    kept: Arc<Mutex<Vec<Received>>>,
    answer: Arc<Mutex<F>>,
) {
    while let Some(request) = next(&mut stream).await {
        kept.lock().unwrap().push(request.clone());
        let canned = (answer.lock().unwrap())(&request);
        let written = match canned {
            Canned::Cut => return,
            Canned::HalfReply => {
                stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n{\"data\":").await.unwrap();
                return;
            }
            Canned::Reply(status, headers, body) => {
                let head = format!("HTTP/1.1 {status} X\r\n{headers}content-length: {}\r\n\r\n", body.len());
                stream.write_all(&[head.as_bytes(), body.as_bytes()].concat()).await
            }
        };
        if written.is_err() {
            return;
        }
    }
}

async fn next(stream: &mut TcpStream) -> Option<Received> {
    let mut bytes = Vec::new();
    let head_end = loop {
        if let Some(at) = bytes.windows(4).position(|w| w == b"\r\n\r\n") {
            break at + 4;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(bytes[..head_end].to_vec()).unwrap();
    let mut request = Received { head, body: bytes[head_end..].to_vec() };
    let length: usize = request.header("content-length").map_or(0, |text| text.parse().unwrap());
    while request.body.len() < length {
        if stream.read_buf(&mut request.body).await.ok()? == 0 {
            return None;
        }
    }
    Some(request)
}

/// A client that reaches nothing but loopback.
pub(super) fn http() -> HttpClient {
    static PROVIDER: Once = Once::new();
    PROVIDER.call_once(|| rustls::crypto::ring::default_provider().install_default().unwrap());
    client(&TransportSettings { proxy: ProxyChoice::Direct, ..TransportSettings::default() }).unwrap()
}

pub(super) fn clock() -> WallClock {
    Arc::new(|| NOW)
}

/// A clock that the test sets.
pub(super) fn set_clock(offset: &Arc<Mutex<Duration>>) -> WallClock {
    let offset = Arc::clone(offset);
    Arc::new(move || NOW.plus(*offset.lock().unwrap()))
}
