//! The listener on real sockets, with a reader whose commits the test decides.

use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc;
use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use pos_adapters::pushed::{PushedSettings, PushedSource};
use pos_adapters::{Poll, PosSource, SecretReader, SourceContext, SourceSettings, Waker};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::*;
use crate::platform::transport::{ProxyChoice, TransportSettings, client};

const KEY_BYTES: [u8; 32] = [9; 32];
const TICKET: &str = r#"{"transaction":"1","lines":[{"sku":"A","quantity":1}]}"#;

struct Kept;

impl SecretReader for Kept {
    fn read(&self, _reference: &str) -> Result<String, String> {
        Ok(format!("whsec_{}", STANDARD.encode(KEY_BYTES)))
    }
}

/// A source whose chunks are committed unless told otherwise.
struct Store {
    receiver: Arc<Receiver>,
    address: SocketAddr,
    failing: Arc<AtomicBool>,
    stored: Arc<Mutex<Vec<String>>>,
    stop: CancellationToken,
    _folder: tempfile::TempDir,
}

impl Drop for Store {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Store {
    async fn open(tls: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let source = source(tls, folder.path());
        let limits = Limits { head: Duration::from_millis(400), body: Duration::from_millis(400), ..Limits::default() };
        let inbox = source.inbox().unwrap();
        let receiver = Arc::new(Receiver { limits, ..Receiver::new(inbox, Arc::new(Clock::default())) });
        let (failing, stored) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Vec::new())));
        let (fails, keeps) = (Arc::clone(&failing), Arc::clone(&stored));
        std::thread::spawn(move || commit(source, &fails, &keeps));
        let stop = CancellationToken::new();
        tokio::spawn(Arc::clone(&receiver).serve(stop.clone()));
        let deadline = Instant::now() + Duration::from_secs(20);
        let address = loop {
            if let Some(address) = receiver.status().listening {
                break address.parse().unwrap();
            }
            assert!(Instant::now() < deadline, "the listener does not open");
            tokio::time::sleep(Duration::from_millis(5)).await;
        };
        Self { receiver, address, failing, stored, stop, _folder: folder }
    }

    fn stored(&self) -> Vec<String> {
        self.stored.lock().unwrap().clone()
    }

    async fn ask(&self, request: &str) -> String {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        // A refusal may come before all was sent, and then the connection breaks.
        let _broken = stream.read_to_end(&mut answer).await;
        String::from_utf8(answer).unwrap()
    }
}

fn source(tls: &str, folder: &Path) -> PushedSource {
    let text = format!(
        "name = \"in\"\nkind = \"http\"\nlisten = \"127.0.0.1:0\"\nbody_max_kb = 16\n{tls}[[key]]\nname = \"till-1\"\nsecret = \"env:A\"\n"
    );
    let settings: PushedSettings = toml::from_str(&text).unwrap();
    let context = SourceContext {
        store: "s".to_owned(),
        zone: jiff::tz::TimeZone::UTC,
        own_files: folder.join("own"),
        secrets: Arc::new(Kept),
    };
    assert!(settings.open(&context).is_ok());
    PushedSource::new(pos_adapters::pushed::Plan::new(&settings, &context).unwrap())
}

/// What the writer does with chunks, in small: the cursors are the database.
fn commit(mut source: PushedSource, failing: &AtomicBool, stored: &Mutex<Vec<String>>) {
    let (wake, woken) = mpsc::channel();
    let wake = Mutex::new(wake);
    source.wake_with(Waker::new(move || wake.lock().unwrap().send(()).unwrap_or_default()));
    let mut cursors: BTreeMap<String, String> = BTreeMap::new();
    loop {
        match source.poll(&[], Clock::default().now()) {
            Ok(Poll::Chunk(chunk)) if failing.load(Ordering::SeqCst) => {
                drop(chunk);
                source.resume(cursors.clone().into_iter().collect());
            }
            Ok(Poll::Chunk(chunk)) => {
                stored.lock().unwrap().extend(chunk.transactions.iter().map(|read| read.key.to_string()));
                for cursor in chunk.cursors {
                    match cursor.state {
                        Some(state) => cursors.insert(cursor.item, state),
                        None => cursors.remove(&cursor.item),
                    };
                }
                chunk.stored.unwrap().stored();
            }
            Ok(Poll::Quiet { .. }) | Err(_) => {
                if woken.recv_timeout(Duration::from_secs(20)).is_err() {
                    return;
                }
            }
        }
    }
}

fn head(id: &str, body: &str) -> String {
    let seconds = Clock::default().now().0.div_euclid(1_000_000);
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(&KEY_BYTES).unwrap();
    mac.update(format!("{id}.{seconds}.{body}").as_bytes());
    let signature = STANDARD.encode(mac.finalize().into_bytes());
    format!("webhook-id: {id}\r\nwebhook-timestamp: {seconds}\r\nwebhook-signature: v1,{signature}\r\n")
}

fn request(id: &str, body: &str) -> String {
    format!(
        "POST /sales/till-1 HTTP/1.1\r\nhost: store\r\nconnection: close\r\ncontent-length: {}\r\n{}\r\n{body}",
        body.len(),
        head(id, body)
    )
}

fn status(answer: &str) -> u16 {
    answer.split(' ').nth(1).and_then(|word| word.parse().ok()).unwrap_or(0)
}

#[tokio::test]
async fn a_ticket_is_answered_after_its_commit_and_its_repeat_changes_nothing() {
    let store = Store::open("").await;
    let first = store.ask(&request("m-1", TICKET)).await;
    assert_eq!(status(&first), 200, "{first}");
    assert!(first.ends_with(r#"{"stored":1,"repeated":false,"quarantined":0}"#), "{first}");
    let second = store.ask(&request("m-1", TICKET)).await;
    assert!(second.contains(r#""repeated":true"#), "{second}");
    let other = store.ask(&request("m-1", &TICKET.replace("\"1\"", "\"2\""))).await;
    assert_eq!(status(&other), 422, "{other}");
    assert_eq!(store.stored(), ["till-1|||1"]);
}

#[tokio::test]
async fn a_failed_commit_is_503_and_the_same_request_is_stored_once_later() {
    let store = Store::open("").await;
    store.failing.store(true, Ordering::SeqCst);
    for _ in 0..3 {
        let answer = store.ask(&request("m-1", TICKET)).await;
        assert!(status(&answer) == 503 && answer.to_lowercase().contains("retry-after: 2"), "{answer}");
    }
    assert!(store.stored().is_empty());
    store.failing.store(false, Ordering::SeqCst);
    assert_eq!(status(&store.ask(&request("m-1", TICKET)).await), 200);
    assert_eq!(store.stored().len(), 1);
}

#[tokio::test]
async fn tampered_unsigned_and_misdirected_requests_store_nothing() {
    let store = Store::open("").await;
    let good = request("m-1", TICKET);
    for (wanted, request) in [
        (401, good.replace("\"quantity\":1", "\"quantity\":9")),
        (401, good.replace("m-1", "m-2")),
        (401, good.replace("webhook-signature", "other")),
        (401, good.replace("/sales/till-1", "/sales/till-2")),
        (404, good.replace("/sales/till-1", "/")),
        (405, good.replace("POST", "PUT")),
    ] {
        let answer = store.ask(&request).await;
        assert_eq!(status(&answer), wanted, "{request}\n{answer}");
    }
    assert!(store.stored().is_empty());
    assert_eq!(store.receiver.status().unauthorised, 4);
}

#[tokio::test]
async fn what_cannot_be_read_is_taken_for_a_person() {
    let store = Store::open("").await;
    let answer = store.ask(&request("m-1", r#"{"sale":1}"#)).await;
    assert!(status(&answer) == 202 && answer.contains("unknown field"), "{answer}");
}

#[tokio::test]
async fn a_body_longer_than_it_may_be_is_refused_with_and_without_its_length() {
    let store = Store::open("").await;
    let large = " ".repeat(20 * 1024);
    assert_eq!(status(&store.ask(&request("m-1", &large)).await), 413);
    let chunked = format!(
        "POST /sales/till-1 HTTP/1.1\r\nhost: store\r\nconnection: close\r\ntransfer-encoding: chunked\r\n{}\r\n{:x}\r\n{large}\r\n0\r\n\r\n",
        head("m-1", &large),
        large.len()
    );
    assert_eq!(status(&store.ask(&chunked).await), 413);
}

#[tokio::test]
async fn slow_senders_are_bounded_and_end() {
    let store = Store::open("").await;
    let mut slow = Vec::new();
    for _ in 0..CONNECTIONS_PER_ADDRESS_MAX {
        let mut stream = TcpStream::connect(store.address).await.unwrap();
        stream.write_all(b"POST /sales/till-1 HT").await.unwrap();
        slow.push(stream);
    }
    // One more of the same address finds no place, until the slow ones have had their time.
    let mut more = TcpStream::connect(store.address).await.unwrap();
    let mut byte = [0];
    let read = tokio::time::timeout(Duration::from_secs(20), more.read(&mut byte)).await.unwrap();
    assert!(matches!(read, Ok(0) | Err(_)), "{read:?}");
    for mut stream in slow {
        let mut rest = Vec::new();
        let ended = tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut rest)).await;
        assert!(ended.is_ok(), "a slow sender is still there");
    }
    // A body that never comes ends too.
    let answer = store.ask("POST /sales/till-1 HTTP/1.1\r\nhost: store\r\ncontent-length: 100\r\n\r\n{").await;
    assert_eq!(status(&answer), 408);
    assert_eq!(status(&store.ask(&request("m-1", TICKET)).await), 200);
}

#[tokio::test]
async fn a_certificate_is_trusted_by_its_fingerprint_and_no_other() {
    crate::connect::install_tls();
    let store = Store::open("[tls]\n").await;
    // Somebody who never begins to speak TLS is in nobody's way.
    let _silent = TcpStream::connect(store.address).await.unwrap();
    let fingerprint = store.receiver.status().fingerprint.unwrap();
    let mut digest = [0_u8; 32];
    for (byte, at) in digest.iter_mut().zip((7..).step_by(2)) {
        *byte = u8::from_str_radix(fingerprint.get(at..at + 2).unwrap(), 16).unwrap();
    }
    let post = |pinned: Option<[u8; 32]>| {
        let settings = TransportSettings { pinned, proxy: ProxyChoice::Direct, ..TransportSettings::default() };
        let mut request = client(&settings).unwrap().post(format!("https://{}/sales/till-1", store.address));
        for line in head("m-1", TICKET).lines() {
            let (name, value) = line.split_once(": ").unwrap();
            request = request.header(name, value);
        }
        request.body(TICKET).send()
    };
    assert_eq!(post(Some(digest)).await.unwrap().status(), 200);
    digest[0] ^= 1;
    for pinned in [Some(digest), None] {
        assert!(post(pinned).await.unwrap_err().is_connect(), "a stranger's certificate was trusted");
    }
    assert_eq!(store.stored().len(), 1);
}

#[tokio::test]
async fn a_taken_address_is_told_and_tried_again() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let text =
        format!("name = \"in\"\nkind = \"http\"\nlisten = \"{address}\"\n[[key]]\nname = \"a\"\nsecret = \"env:A\"\n");
    let settings: PushedSettings = toml::from_str(&text).unwrap();
    let context = SourceContext {
        store: "s".to_owned(),
        zone: jiff::tz::TimeZone::UTC,
        own_files: folder.path().to_owned(),
        secrets: Arc::new(Kept),
    };
    let mut source = settings.open(&context).unwrap();
    let receiver = Arc::new(Receiver::new(source.inbox().unwrap(), Arc::new(Clock::default())));
    let stop = CancellationToken::new();
    let serving = tokio::spawn(Arc::clone(&receiver).serve(stop.clone()));
    let deadline = Instant::now() + Duration::from_secs(20);
    while source.poll(&[], Clock::default().now()).is_ok() {
        assert!(Instant::now() < deadline, "nobody says that the address is taken");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    stop.cancel();
    serving.await.unwrap();
}
