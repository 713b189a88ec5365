//! The least HTTP client, for tests of the stand-ins: one request a connection, and what became of it.

use std::net::SocketAddr;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// What came back, as far as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Got {
    /// 0 if the connection broke before a status line.
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
    /// All bytes of the body that the head promised.
    pub(crate) whole: bool,
}

impl Got {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

pub(crate) async fn post(base: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Got {
    request("POST", base, path, headers, body).await
}

pub(crate) async fn request(method: &str, base: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Got {
    let addr: SocketAddr = base.trim_start_matches("http://").parse().unwrap();
    let mut text =
        format!("{method} {path} HTTP/1.1\r\nhost: {addr}\r\nconnection: close\r\ncontent-length: {}\r\n", body.len());
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.push_str("\r\n");
    text.push_str(body);
    let mut got = Vec::new();
    if let Ok(mut stream) = TcpStream::connect(addr).await {
        let _written = stream.write_all(text.as_bytes()).await;
        let _broken = stream.read_to_end(&mut got).await;
    }
    let split = got.windows(4).position(|window| window == b"\r\n\r\n");
    let head = String::from_utf8_lossy(&got[..split.unwrap_or(got.len())]).into_owned();
    let body = split.map(|at| got[at + 4..].to_vec()).unwrap_or_default();
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0);
    let promised = head
        .to_lowercase()
        .split("content-length: ")
        .nth(1)
        .and_then(|rest| rest.split("\r\n").next()?.parse::<usize>().ok());
    Got { status, whole: promised == Some(body.len()), head, body }
}
