//! Asks addresses whether a database or a printer listens there. Only private addresses, a bounded number, no log-in.

use std::fmt;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::Found;
use crate::database::engine::Dialect;

/// Most addresses of a segment (a /22).
const ADDRESSES_MAX: usize = 1_024;
/// Addresses asked at the same time.
const AT_ONCE: usize = 32;
/// How long an address may take to answer.
const ANSWER_WAIT: Duration = Duration::from_millis(400);
/// Ports that are looked at, with what is usually there.
const PORTS: [(u16, Service); 5] = [
    (5432, Service::Database(Dialect::Postgres)),
    (3306, Service::Database(Dialect::Mysql)),
    (1433, Service::Database(Dialect::Mssql)),
    (3050, Service::Database(Dialect::Firebird)),
    (9100, Service::Printer),
];

#[derive(Debug, Clone, Copy)]
enum Service {
    Database(Dialect),
    Printer,
}

/// Addresses to look at: one, or a segment such as `192.168.1.0/24`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segment {
    first: u32,
    count: usize,
}

/// Why a segment is not looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentFault(String);

impl fmt::Display for SegmentFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for SegmentFault {}

impl Segment {
    /// This machine.
    pub const LOOPBACK: Self = Self { first: u32::from_be_bytes([127, 0, 0, 1]), count: 1 };

    /// Reads an address or `ADDRESS/BITS`.
    ///
    /// # Errors
    /// It is none, not private, or larger than a /22.
    pub fn parse(text: &str) -> Result<Self, SegmentFault> {
        let (address, bits) = text.split_once('/').unwrap_or((text, "32"));
        let wrong = || SegmentFault(format!("`{text}` is no segment; write for example `192.168.1.0/24`"));
        let address: Ipv4Addr = address.parse().map_err(|_| wrong())?;
        let bits: u32 = bits.parse().ok().filter(|bits| *bits <= 32).ok_or_else(wrong)?;
        if !(address.is_private() || address.is_loopback() || address.is_link_local()) {
            return Err(SegmentFault(format!("`{text}` is not a private network; only the store's own is looked at")));
        }
        let count = 1_usize.checked_shl(32_u32.saturating_sub(bits)).filter(|count| *count <= ADDRESSES_MAX);
        let count = count.ok_or_else(|| SegmentFault(format!("`{text}` is larger than a /22; name a smaller part")))?;
        let mask = u32::MAX.checked_shl(32_u32.saturating_sub(bits)).unwrap_or(0);
        Ok(Self { first: u32::from(address) & mask, count })
    }

    fn addresses(self) -> impl Iterator<Item = Ipv4Addr> {
        (0..self.count).filter_map(move |at| u32::try_from(at).ok()?.checked_add(self.first)).map(Ipv4Addr::from)
    }
}

/// Databases and printers that answer in the segments, in order of their addresses.
#[must_use]
pub fn scan(segments: &[Segment]) -> Vec<Found> {
    let targets: Vec<(Ipv4Addr, u16, Service)> = segments
        .iter()
        .flat_map(|segment| segment.addresses())
        .flat_map(|host| PORTS.into_iter().map(move |(port, service)| (host, port, service)))
        .collect();
    ask_all(&targets)
}

fn ask_all(targets: &[(Ipv4Addr, u16, Service)]) -> Vec<Found> {
    let (next, found) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE.min(targets.len()) {
            scope.spawn(|| {
                while let Some((host, port, service)) = targets.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if let Some(answer) = ask(*host, *port, *service) {
                        found.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push((*host, *port, answer));
                    }
                }
            });
        }
    });
    let mut found = found.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    found.sort_by_key(|(host, port, _)| (*host, *port));
    found.into_iter().map(|(_, _, answer)| answer).collect()
}

fn ask(host: Ipv4Addr, port: u16, service: Service) -> Option<Found> {
    let mut stream = TcpStream::connect_timeout(&SocketAddr::from((host, port)), ANSWER_WAIT).ok()?;
    match service {
        Service::Printer => Some(Found::Printer { host, port }),
        Service::Database(engine) => speaks(engine, &mut stream).then_some(Found::Server { engine, host, port }),
    }
}

/// Whether the greeting is that of the protocol. The connection is closed right after.
fn speaks(engine: Dialect, stream: &mut TcpStream) -> bool {
    let timed = stream.set_read_timeout(Some(ANSWER_WAIT)).and_then(|()| stream.set_write_timeout(Some(ANSWER_WAIT)));
    if timed.is_err() {
        return false;
    }
    let mut answer = [0_u8; 5];
    match engine {
        // SSLRequest: answered by one letter (PostgreSQL, "Message Flow", SSL Session Encryption).
        Dialect::Postgres => {
            stream.write_all(&[0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f]).is_ok()
                && stream
                    .read(&mut answer)
                    .is_ok_and(|read| read > 0 && matches!(answer.first(), Some(b'S' | b'N' | b'E')))
        }
        // The server greets first: protocol 10 after the four bytes of the packet's head, or an error packet.
        Dialect::Mysql => stream.read_exact(&mut answer).is_ok() && matches!(answer.last(), Some(10 | 0xff)),
        // PRELOGIN with the version only (MS-TDS, section 2.2.6.5); answered by a tabular result, type 4.
        Dialect::Mssql => {
            let prelogin = [0x12, 1, 0, 26, 0, 0, 0, 0, 0, 0, 11, 0, 6, 1, 0, 17, 0, 1, 0xff, 9, 0, 0, 0, 0, 0, 0];
            stream.write_all(&prelogin).is_ok()
                && stream.read(&mut answer).is_ok_and(|read| read > 0 && answer.first() == Some(&4))
        }
        // Firebird waits for a log-in before it says anything: that it listens is all that is known.
        Dialect::Firebird => true,
        Dialect::Sqlite | Dialect::Odbc | Dialect::Access => false,
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn segments_are_bounded_and_private() {
        assert_eq!(Segment::parse("192.168.1.77/24").map(|segment| segment.addresses().count()), Ok(256));
        assert_eq!(
            Segment::parse("10.0.0.5").map(|segment| segment.addresses().next()),
            Ok(Some(Ipv4Addr::new(10, 0, 0, 5)))
        );
        for (text, words) in [
            ("192.168.0.0/16", "larger"),
            ("203.0.113.9", "private"),
            ("shop", "no segment"),
            ("10.0.0.0/33", "no segment"),
        ] {
            assert!(Segment::parse(text).is_err_and(|fault| fault.to_string().contains(words)), "{text}");
        }
    }

    #[test]
    fn only_what_speaks_the_protocol_is_a_database() {
        let greets = |greeting: &'static [u8]| {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let port = listener.local_addr().unwrap().port();
            std::thread::spawn(move || {
                let (mut stream, _) = listener.accept().unwrap();
                let _sent = stream.write_all(greeting);
                let _closed = stream.read(&mut [0; 64]);
            });
            port
        };
        let host = Ipv4Addr::LOCALHOST;
        let port = greets(b"\x4a\0\0\0\x0a8.0.1");
        let mysql = Service::Database(Dialect::Mysql);
        assert_eq!(ask_all(&[(host, port, mysql)]), [Found::Server { engine: Dialect::Mysql, host, port }]);
        let port = greets(b"220 mail.example.com\r\n");
        assert_eq!(ask_all(&[(host, port, mysql)]), []);
        let port = greets(b"N");
        let postgres = Service::Database(Dialect::Postgres);
        assert_eq!(ask_all(&[(host, port, postgres)]), [Found::Server { engine: Dialect::Postgres, host, port }]);
    }
}
