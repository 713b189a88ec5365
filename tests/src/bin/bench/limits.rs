//! The limits of the machine: what a sale would cost if nothing but the unavoidable were done.

use std::fs::{self, File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use rusqlite::Connection;

use crate::load::{self, rest};
use crate::table::percentile;

/// Does one sale's unavoidable steps again and again, and keeps their times in microseconds.
///
/// Done between the sales of a run: a disk and a processor that had time to go to sleep, or have others to serve,
/// are slower, and what is compared has to meet them in the same mood.
#[derive(Debug)]
pub(crate) struct Probe {
    path: PathBuf,
    file: File,
    line: TcpStream,
    /// 128 bytes appended and `fdatasync`.
    pub(crate) sync: Vec<u64>,
    /// A small POST on an open connection, and its answer.
    pub(crate) post: Vec<u64>,
}

impl Probe {
    pub(crate) fn new(work: &Path, sink: SocketAddr) -> anyhow::Result<Self> {
        let path = work.join("limit.sync");
        let file = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
        let line = TcpStream::connect(sink).context("cannot connect to the sink")?;
        line.set_nodelay(true).context("cannot set up the connection")?;
        Ok(Self { path, file, line, sync: Vec::new(), post: Vec::new() })
    }

    /// Both steps, once.
    pub(crate) fn once(&mut self) -> anyhow::Result<()> {
        let start = Instant::now();
        self.file
            .write_all(&[b'x'; 128])
            .and_then(|()| self.file.sync_data())
            .context("cannot write the limit's file")?;
        self.sync.push(micros(start.elapsed()));
        let start = Instant::now();
        post(&mut self.line).context("cannot post to the sink")?;
        self.post.push(micros(start.elapsed()));
        Ok(())
    }

    /// One of each, in the middle of a hundred.
    pub(crate) fn p50(&mut self) -> u64 {
        percentile(&mut self.sync, 50) + percentile(&mut self.post, 50)
    }

    /// One of each, 99th of a hundred.
    pub(crate) fn p99(&mut self) -> u64 {
        percentile(&mut self.sync, 99) + percentile(&mut self.post, 99)
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        // What is left there disturbs nobody.
        drop(fs::remove_file(&self.path));
    }
}

fn post(line: &mut TcpStream) -> std::io::Result<()> {
    let body = "{\"limits\":[{\"id\":\"0\",\"count\":\"1\"}],\"padding\":\"0123456789012345678901234567890123456789012345678901234567890123456789\"}";
    write!(
        line,
        "POST /sales HTTP/1.1\r\nhost: sink\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )?;
    // The sink's answer is shorter than any packet.
    line.read(&mut [0; 1024]).map(drop)
}

/// One row a commit, durable (WAL, FULL), back to back: times in microseconds.
pub(crate) fn commits(work: &Path, times: u32) -> anyhow::Result<Vec<u64>> {
    let db = open(work)?;
    let mut insert = db.prepare("INSERT INTO sale (id, body) VALUES (?1, ?2)").context("cannot prepare")?;
    let mut took = Vec::new();
    for sale in 0..times {
        let start = Instant::now();
        insert.execute((format!("SALE-{sale:010}"), [b'z'; 100])).context("cannot insert")?;
        took.push(micros(start.elapsed()));
    }
    Ok(took)
}

/// The same lines as the drain, put into a bare table in one durable commit.
pub(crate) fn insert(work: &Path, lines: u64) -> anyhow::Result<Duration> {
    let db = open(work)?;
    let start = Instant::now();
    db.execute_batch("BEGIN").context("cannot begin")?;
    {
        let mut insert = db.prepare("INSERT INTO sale (id, body) VALUES (?1, ?2)").context("cannot prepare")?;
        for sale in 1..=lines {
            insert.execute((format!("SALE-{sale:010}"), load::line(sale).as_bytes())).context("cannot insert")?;
        }
    }
    db.execute_batch("COMMIT").context("cannot commit")?;
    Ok(start.elapsed())
}

fn open(work: &Path) -> anyhow::Result<Connection> {
    let path = work.join("limit.db");
    for ending in ["", "-wal", "-shm"] {
        // Of an earlier run, if any.
        drop(fs::remove_file(work.join(format!("limit.db{ending}"))));
    }
    let db = Connection::open(&path).with_context(|| format!("cannot open {}", path.display()))?;
    db.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE sale (seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, body BLOB NOT NULL);")
        .context("cannot set up the limit's database")?;
    Ok(db)
}

/// From a line being written to a reader of the file's events being awake, in microseconds.
#[cfg(target_os = "linux")]
pub(crate) fn wakes(work: &Path, times: u32) -> anyhow::Result<Vec<u64>> {
    use rustix::fs::inotify;
    use system_tests::moment::Moment;
    let path = work.join("limit.wake");
    let mut file = OpenOptions::new()
        .create(true)
        .append(true)
        .open(&path)
        .with_context(|| format!("cannot write {}", path.display()))?;
    let watch = inotify::init(inotify::CreateFlags::CLOEXEC).context("cannot watch files")?;
    inotify::add_watch(&watch, &path, inotify::WatchFlags::MODIFY).context("cannot watch the limit's file")?;
    let writer = std::thread::spawn(move || {
        let mut sent = Vec::new();
        for _ in 0..times {
            rest(Duration::from_millis(4));
            sent.push(Moment::now().mono_ns);
            file.write_all(b"a sale\n").context("cannot write the limit's file")?;
        }
        anyhow::Ok(sent)
    });
    let mut woken = Vec::new();
    let mut events = [0; 4096];
    for _ in 0..times {
        let read = rustix::io::read(&watch, &mut events).context("cannot read file events")?;
        ensure!(read > 0, "no file event");
        woken.push(Moment::now().mono_ns);
    }
    let sent = writer.join().map_err(|_| anyhow::anyhow!("the writer panicked"))??;
    let took = sent.iter().zip(&woken).map(|(sent, woken)| u64::try_from((woken - sent) / 1000).unwrap_or(0));
    Ok(took.collect())
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn wakes(_work: &Path, _times: u32) -> anyhow::Result<Vec<u64>> {
    Ok(Vec::new())
}

pub(crate) fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
