//! The other end: takes batches of the open door, honours their keys and remembers when each sale came.
//!
//! As little work as can be told from the agent's: the bodies are read by their quotes, not as JSON.

use std::collections::{HashMap, HashSet};
use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use anyhow::Context;
use system_tests::moment::Moment;

const REPLY: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}";
/// One read of the socket.
const READ_BYTES: usize = 256 * 1024;

/// What has come.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    /// By the sale's number: when it was first applied (`CLOCK_MONOTONIC`), and how often.
    pub(crate) sales: Vec<(i64, u32)>,
    /// Distinct sales.
    pub(crate) unique: u64,
    /// Pieces, by SKU.
    pub(crate) by_sku: HashMap<Vec<u8>, i64>,
    /// Pieces in all, as the sum of the changes.
    pub(crate) pieces: i64,
    /// Requests with a change.
    pub(crate) requests: u64,
    /// Requests whose key was known.
    pub(crate) repeats: u64,
    /// When the last change was applied.
    pub(crate) last_ns: i64,
    keys: HashSet<Vec<u8>>,
}

/// A listening sink; its threads end with the process.
#[derive(Debug, Clone)]
pub(crate) struct Sink {
    addr: SocketAddr,
    taken: Arc<Mutex<Taken>>,
}

impl Sink {
    pub(crate) fn open() -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("cannot listen on loopback")?;
        let sink =
            Self { addr: listener.local_addr().context("a listening socket has no address")?, taken: Arc::default() };
        let taken = Arc::clone(&sink.taken);
        thread::spawn(move || {
            for line in listener.incoming().flatten() {
                let taken = Arc::clone(&taken);
                // A connection that breaks is the client's to notice.
                thread::spawn(move || drop(serve(line, &taken)));
            }
        });
        Ok(sink)
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/sales", self.addr)
    }

    pub(crate) fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn serve(mut line: TcpStream, taken: &Mutex<Taken>) -> io::Result<()> {
    line.set_nodelay(true)?;
    let (mut bytes, mut piece) = (Vec::new(), vec![0; READ_BYTES]);
    loop {
        let Some((head, length)) = request(&bytes) else {
            let read = line.read(&mut piece)?;
            if read == 0 {
                return Ok(());
            }
            bytes.extend_from_slice(piece.get(..read).unwrap_or_default());
            continue;
        };
        let at = Moment::now().mono_ns;
        let (before, body) = bytes.split_at(head);
        let body = body.get(..length).unwrap_or_default();
        apply(&mut taken.lock().unwrap_or_else(PoisonError::into_inner), header(before, b"idempotency-key"), body, at);
        line.write_all(REPLY)?;
        bytes.drain(..head + length);
    }
}

/// Bytes of the head and of the body, once all of it is there.
fn request(bytes: &[u8]) -> Option<(usize, usize)> {
    let head = bytes.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let length = header(bytes.get(..head)?, b"content-length")
        .and_then(|text| std::str::from_utf8(text).ok()?.parse().ok())
        .unwrap_or(0);
    (bytes.len() >= head + length).then_some((head, length))
}

fn header<'a>(head: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    head.split(|byte| *byte == b'\n').find_map(|line| {
        let colon = line.iter().position(|byte| *byte == b':')?;
        let (key, value) = line.split_at(colon);
        key.eq_ignore_ascii_case(name).then(|| value.get(1..).unwrap_or_default().trim_ascii())
    })
}

fn apply(taken: &mut Taken, key: Option<&[u8]>, body: &[u8], at: i64) {
    if let Some(key) = key
        && !taken.keys.insert(key.to_vec())
    {
        taken.repeats += 1;
        return;
    }
    let (mut words, mut sku, mut changed) = (body.split(|byte| *byte == b'"'), &b""[..], false);
    while let Some(word) = words.next() {
        let mut value = || words.nth(1).unwrap_or_default();
        match word {
            b"sku" => sku = value(),
            b"delta" => {
                let pieces = number(value());
                *known(&mut taken.by_sku, sku) += pieces;
                taken.pieces += pieces;
                changed = true;
            }
            // Followed by `null`, not by a quote, where several sales became one change.
            b"transaction" if words.next() == Some(b":") => {
                note(taken, words.next().unwrap_or_default(), at);
            }
            _ => {}
        }
    }
    if changed {
        taken.requests += 1;
        taken.last_ns = at;
    }
}

fn known<'a>(by_sku: &'a mut HashMap<Vec<u8>, i64>, sku: &[u8]) -> &'a mut i64 {
    if !by_sku.contains_key(sku) {
        by_sku.insert(sku.to_vec(), 0);
    }
    by_sku.get_mut(sku).expect("it was put there if it was missing")
}

fn note(taken: &mut Taken, transaction: &[u8], at: i64) {
    let digits = transaction.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    let Ok(sale) = usize::try_from(number(transaction.get(transaction.len() - digits..).unwrap_or_default())) else {
        return;
    };
    if taken.sales.len() <= sale {
        taken.sales.resize((sale + 1).next_power_of_two(), (0, 0));
    }
    if let Some(entry) = taken.sales.get_mut(sale) {
        if entry.1 == 0 {
            entry.0 = at;
            taken.unique += 1;
        }
        entry.1 += 1;
    }
}

fn number(text: &[u8]) -> i64 {
    std::str::from_utf8(text).ok().and_then(|text| text.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_counted_once_for_each_key() {
        let mut taken = Taken::default();
        let body = br#"{"batch":"k","store":"s","changes":[{"id":"1","sku":"A","delta":"-2","on_hand":null,"transaction":"SALE-0000000007","sold_at":null,"kind":"sale"},{"id":"2","sku":"B","delta":"-1","on_hand":null,"transaction":null,"sold_at":null,"kind":"sale"}]}"#;
        for _ in 0..2 {
            apply(&mut taken, Some(b"k"), body, 5);
        }
        assert_eq!((taken.pieces, taken.unique, taken.requests, taken.repeats), (-3, 1, 1, 1));
        assert_eq!(taken.sales.get(7), Some(&(5, 1)));
        assert_eq!(taken.by_sku.get(&b"A"[..]), Some(&-2));
    }

    #[test]
    fn a_request_waits_for_its_whole_body() {
        let whole = b"POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}";
        assert_eq!(request(&whole[..whole.len() - 1]), None);
        assert_eq!(request(whole), Some((whole.len() - 2, 2)));
    }
}
