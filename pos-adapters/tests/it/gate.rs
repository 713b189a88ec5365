//! A door between an engine and its server: a cable that can be cut, and a network that swallows answers.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

const OPEN: u8 = 0;
const CUT: u8 = 1;
const SILENT: u8 = 2;

pub(crate) struct Gate {
    address: SocketAddr,
    state: Arc<AtomicU8>,
    open: Arc<Mutex<Vec<TcpStream>>>,
}

impl Gate {
    /// Lets everything through to `server`.
    pub(crate) fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let gate = Self {
            address: listener.local_addr().unwrap(),
            state: Arc::new(AtomicU8::new(OPEN)),
            open: Arc::new(Mutex::new(Vec::new())),
        };
        let (state, open) = (Arc::clone(&gate.state), Arc::clone(&gate.open));
        thread::spawn(move || {
            for client in listener.incoming() {
                let client = client.unwrap();
                if state.load(Ordering::SeqCst) == CUT {
                    continue;
                }
                let Ok(upstream) = TcpStream::connect(server) else { continue };
                let mut kept = open.lock().unwrap();
                kept.push(client.try_clone().unwrap());
                kept.push(upstream.try_clone().unwrap());
                let (a, b) = (client.try_clone().unwrap(), upstream.try_clone().unwrap());
                thread::spawn(move || copy(client, upstream, None));
                let state = Arc::clone(&state);
                thread::spawn(move || copy(b, a, Some(state)));
            }
        });
        gate
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// Ends every connection and refuses new ones, as a server that is stopped.
    pub(crate) fn cut(&self) {
        self.state.store(CUT, Ordering::SeqCst);
        for stream in self.open.lock().unwrap().drain(..) {
            drop(stream.shutdown(Shutdown::Both));
        }
    }

    /// Swallows what the server answers, as a network that lost the way back.
    #[cfg(feature = "firebird")]
    pub(crate) fn silence(&self) {
        self.state.store(SILENT, Ordering::SeqCst);
    }

    pub(crate) fn open(&self) {
        self.state.store(OPEN, Ordering::SeqCst);
    }
}

fn copy(mut from: TcpStream, mut to: TcpStream, state: Option<Arc<AtomicU8>>) {
    let mut bytes = [0; 8192];
    while let Ok(count) = from.read(&mut bytes) {
        let silent = state.as_ref().is_some_and(|state| state.load(Ordering::SeqCst) == SILENT);
        if count == 0 || (!silent && to.write_all(&bytes[..count]).is_err()) {
            break;
        }
    }
    drop(to.shutdown(Shutdown::Both));
}
