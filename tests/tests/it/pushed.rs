//! A POS that posts its sales: the answer comes after the commit, and the same request may come again whatever happens.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use system_tests::decimal::Decimal;
use system_tests::door::DoorSettings;
use system_tests::moment::Moment;
use system_tests::world::{Receiver, Setup, until};

use crate::support::{LONG, agent};

const KEY_BYTES: &[u8] = b"a made-up key of thirty-two byte";
const SECRET_NAME: &str = "POS_SECRET";

struct Pos {
    setup: Setup,
    receiver: Receiver,
    port: u16,
    sold: u32,
}

impl Pos {
    async fn new(folder: &Path) -> Self {
        let receiver = Receiver::door(DoorSettings::default()).await.unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let setup = Setup::new(agent(), folder).env(SECRET_NAME, &format!("whsec_{}", STANDARD.encode(KEY_BYTES)));
        let source = format!(
            "[[source]]\nname = \"pos\"\nkind = \"http\"\nlisten = \"127.0.0.1:{port}\"\n[[source.key]]\nname = \"pos\"\nsecret = \"env:{SECRET_NAME}\"\n"
        );
        setup.configure(&source, &receiver.platform_table()).unwrap();
        Self { setup, receiver, port, sold: 0 }
    }

    /// Posts one ticket; the status, or nothing if there was no answer.
    fn post(&self, number: u32) -> Option<u16> {
        let body = format!(r#"{{"transaction":"{number}","register":"1","lines":[{{"sku":"A","quantity":1}}]}}"#);
        let (id, seconds) = (format!("ticket-{number}"), Moment::now().wall_us / 1_000_000);
        let mut mac = Hmac::<Sha256>::new_from_slice(KEY_BYTES).unwrap();
        mac.update(format!("{id}.{seconds}.{body}").as_bytes());
        let signature = STANDARD.encode(mac.finalize().into_bytes());
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).ok()?;
        stream.set_read_timeout(Some(LONG)).ok()?;
        let request = format!(
            "POST /sales/pos HTTP/1.1\r\nhost: store\r\nconnection: close\r\nwebhook-id: {id}\r\nwebhook-timestamp: {seconds}\r\n\
             webhook-signature: v1,{signature}\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        answer.split(' ').nth(1)?.parse().ok()
    }

    async fn must_arrive_once(&self, agent: system_tests::world::Agent) {
        let wanted = BTreeMap::from([("A".to_owned(), Decimal::units(-i64::from(self.sold)))]);
        let door = self.receiver.as_door().unwrap();
        let arrived =
            until("all sales arrive", LONG, || Ok(door.sums() == wanted && self.setup.audit()?.is_settled())).await;
        assert!(arrived.is_ok(), "{:?} in place of {wanted:?}\n{}", door.sums(), self.setup.log_text());
        agent.terminate().await.unwrap();
        let audit = self.setup.audit().unwrap();
        assert!(audit.conserved && audit.transactions == u64::from(self.sold), "{audit:?}");
        assert_eq!(door.stats().repeated_changes, 0);
    }
}

/// Posts until the armed point is hit, then the same request again until it is answered.
async fn survives(action: &str, points: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let mut pos = Pos::new(folder.path()).await;
    let mut running = pos.setup.start().unwrap();
    until("it listens", LONG, || Ok(pos.post(1).is_some())).await.unwrap();
    pos.sold = 1;
    for point in points {
        for occurrence in 2..=5 {
            running.terminate().await.unwrap();
            running = pos.setup.start_armed(point, action, occurrence).unwrap();
            for _ in 0..occurrence {
                pos.sold += 1;
                let (number, deadline) = (pos.sold, std::time::Instant::now() + LONG);
                while pos.post(number) != Some(200) {
                    assert!(std::time::Instant::now() < deadline, "ticket {number} is never answered");
                    if running.ended().unwrap().is_some() {
                        running = pos.setup.start().unwrap();
                    }
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            }
            if running.ended().unwrap().is_some() {
                running = pos.setup.start().unwrap();
            }
        }
    }
    assert!(pos.setup.point_was_hit(), "no point was hit");
    // All of it once more, as a POS does that has lost its own memory.
    for number in 1..=pos.sold {
        until("a repeat is answered", LONG, || Ok(pos.post(number) == Some(200))).await.unwrap();
    }
    pos.must_arrive_once(running).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_between_commit_and_answer_counts_no_sale_twice() {
    survives("kill", &["after_commit", "before_commit", "chunk_received"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_commit_is_not_acknowledged_and_its_repeat_counts_once() {
    survives("enospc", &["before_commit", "after_commit", "cursor_saved"]).await;
}
