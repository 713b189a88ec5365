//! A relay in front of a shop that can lose one reply: the request arrives, its answer never does.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// Relays until the runtime ends.
pub(super) struct Relay {
    pub(super) base: String,
    armed: Arc<AtomicBool>,
}

impl Relay {
    /// In front of `http://host:port`. `mark` is in the bytes of the request whose reply can be lost.
    pub(super) async fn before(shop: &str, mark: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let (shop, armed) = (shop.trim_start_matches("http://").to_owned(), Arc::new(AtomicBool::new(false)));
        let lose = Arc::clone(&armed);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(&shop).await.unwrap();
                tokio::spawn(relay(client, server, mark, Arc::clone(&lose)));
            }
        });
        Self { base, armed }
    }

    /// The next reply to a marked request is lost.
    pub(super) fn lose_a_reply(&self) {
        self.armed.store(true, Ordering::SeqCst);
    }

    /// It is.
    pub(super) fn has_lost_it(&self) -> bool {
        !self.armed.load(Ordering::SeqCst)
    }
}

async fn relay(mut client: TcpStream, mut server: TcpStream, mark: &str, lose: Arc<AtomicBool>) {
    let (mut asked, mut told) = (vec![0; 65536], vec![0; 65536]);
    let mut request: Vec<u8> = Vec::new();
    loop {
        tokio::select! {
            read = client.read(&mut asked) => {
                let Ok(count @ 1..) = read else { return };
                request.extend_from_slice(&asked[..count]);
                if server.write_all(&asked[..count]).await.is_err() {
                    return;
                }
            }
            read = server.read(&mut told) => {
                let Ok(count @ 1..) = read else { return };
                let is_marked = request.windows(mark.len()).any(|window| window == mark.as_bytes());
                if is_marked && lose.swap(false, Ordering::SeqCst) {
                    return;
                }
                request.clear();
                if client.write_all(&told[..count]).await.is_err() {
                    return;
                }
            }
        }
    }
}
