//! The proxy between stand-ins of a till and a printer.

use std::sync::Arc;
use std::thread::JoinHandle;

use super::super::line::{Health, Stop, recorder};
use super::super::store::{Limits, Reader};
use super::*;
use crate::Waker;

#[test]
fn a_job_and_its_status_answers_pass_and_are_stored() {
    let bench = Bench::start(Printer::answering());
    let mut pos = bench.connect();
    pos.write_all(b"\x10\x04\x01").unwrap();
    let mut answer = [0; 1];
    pos.read_exact(&mut answer).unwrap();
    assert_eq!(answer, [0x16]);
    pos.write_all(b"Tea 1.80\n\x1dV\x00").unwrap();
    pos.shutdown(Shutdown::Write).unwrap();
    let mut rest = Vec::new();
    pos.read_to_end(&mut rest).unwrap();
    assert_eq!(rest, b"printed", "what the printer says after the job still reaches the till");
    let (events, printed) = bench.end();
    assert_eq!(printed, [b"\x10\x04\x01Tea 1.80\n\x1dV\x00".to_vec()]);
    let data: Vec<u8> = data_of(&events);
    assert_eq!(data, b"\x10\x04\x01Tea 1.80\n\x1dV\x00");
    assert!(events.contains(&Event::Answer(vec![0x16])) && events.last() == Some(&Event::End));
}

#[test]
fn jobs_come_one_after_the_other_and_never_mixed() {
    let bench = Bench::start(Printer::answering());
    let tills: Vec<_> = (0..4_u8)
        .map(|till| {
            let mut pos = bench.connect();
            std::thread::spawn(move || {
                pos.write_all(&[b'a' + till; 30_000]).unwrap();
                pos.shutdown(Shutdown::Write).unwrap();
                pos.read_to_end(&mut Vec::new()).unwrap();
            })
        })
        .collect();
    for till in tills {
        till.join().unwrap();
    }
    let (events, printed) = bench.end();
    assert_eq!(printed.len(), 4);
    for job in &printed {
        assert!(job.len() == 30_000 && job.iter().all(|byte| *byte == job[0]));
    }
    assert_eq!(data_of(&events), printed.concat());
}

#[test]
fn a_printer_that_is_away_refuses_the_till_and_takes_it_when_it_is_back() {
    let printer = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = printer.local_addr().unwrap();
    drop(printer);
    let bench = Bench::between(address, None);
    wait_for(|| bench.health.condition().device.is_some());
    assert!(TcpStream::connect(bench.address).is_err(), "nothing listens where no printer is");
    let printer = Printer::on(TcpListener::bind(address).unwrap());
    wait_for(|| bench.health.condition().device.is_none());
    let mut pos = bench.connect();
    pos.write_all(b"back").unwrap();
    pos.shutdown(Shutdown::Write).unwrap();
    pos.read_to_end(&mut Vec::new()).unwrap();
    assert_eq!(printer.end(), [b"back".to_vec()]);
    bench.end();
}

#[test]
fn a_printer_that_does_not_read_makes_the_till_wait_instead_of_us_growing() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let bench = Bench::between(address, None);
    let (probe, _) = listener.accept().unwrap();
    drop(probe);
    let mut pos = bench.connect();
    let (_held, _) = listener.accept().unwrap();
    pos.set_write_timeout(Some(Duration::from_millis(300))).unwrap();
    let mut taken = 0_usize;
    let piece = [b'x'; 64 * 1024];
    while let Ok(sent) = pos.write(&piece) {
        taken += sent;
        assert!(taken < 64 * 1024 * 1024, "the till could send without end");
    }
    bench.end();
}

struct Bench {
    address: SocketAddr,
    health: Arc<Health>,
    stop: Arc<Stop>,
    threads: Vec<JoinHandle<()>>,
    printer: Option<Printer>,
    folder: tempfile::TempDir,
}

impl Bench {
    fn start(printer: Printer) -> Self {
        Self::between(printer.address, Some(printer))
    }

    fn between(printer_address: SocketAddr, printer: Option<Printer>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let (health, stop) = (Arc::new(Health::default()), Arc::new(Stop::default()));
        let (tap, recorder) =
            recorder(&folder.path().join("line"), Limits::default(), Arc::default(), Arc::clone(&health));
        let shared = Shared { tap, health: Arc::clone(&health), stop: Arc::clone(&stop) };
        let proxy = Proxy { listen: address.to_string(), printer: printer_address.to_string() };
        let threads = vec![
            std::thread::spawn(move || proxy.run(&shared)),
            std::thread::spawn(move || recorder.run(&Waker::new(|| {}))),
        ];
        Self { address, health, stop, threads, printer, folder }
    }

    fn connect(&self) -> TcpStream {
        let mut pos = None;
        wait_for(|| {
            pos = TcpStream::connect(self.address).ok();
            pos.is_some()
        });
        pos.unwrap()
    }

    fn end(self) -> (Vec<Event>, Vec<Vec<u8>>) {
        self.stop.stop();
        for thread in self.threads {
            thread.join().unwrap();
        }
        let mut reader = Reader::open(&self.folder.path().join("line"), None).unwrap();
        let mut events = Vec::new();
        while let Some(arrival) = reader.next_event().unwrap() {
            events.push(arrival.event);
        }
        (events, self.printer.map(Printer::end).unwrap_or_default())
    }
}

/// A printer that answers each DLE EOT at once, and says `printed` when a job ended.
struct Printer {
    address: SocketAddr,
    stop: Arc<Stop>,
    thread: JoinHandle<Vec<Vec<u8>>>,
}

impl Printer {
    fn answering() -> Self {
        Self::on(TcpListener::bind("127.0.0.1:0").unwrap())
    }

    fn on(listener: TcpListener) -> Self {
        let address = listener.local_addr().unwrap();
        let stop = Arc::new(Stop::default());
        listener.set_nonblocking(true).unwrap();
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let mut jobs = Vec::new();
            while !stopped.wait(Duration::from_millis(2)) {
                if let Ok((stream, _)) = listener.accept() {
                    let job = print(stream);
                    // The proxy's first look is a connection without a job.
                    if !job.is_empty() {
                        jobs.push(job);
                    }
                }
            }
            jobs
        });
        Self { address, stop, thread }
    }

    fn end(self) -> Vec<Vec<u8>> {
        self.stop.stop();
        self.thread.join().unwrap()
    }
}

fn print(mut stream: TcpStream) -> Vec<u8> {
    stream.set_nonblocking(false).unwrap();
    let (mut job, mut buffer, mut answered) = (Vec::new(), [0; 4096], 0);
    while let Ok(read) = stream.read(&mut buffer) {
        if read == 0 {
            break;
        }
        job.extend_from_slice(&buffer[..read]);
        let asked = job.windows(2).filter(|pair| *pair == b"\x10\x04").count();
        for _ in answered..asked {
            stream.write_all(&[0x16]).unwrap();
        }
        answered = asked;
    }
    let _already_gone = stream.write_all(b"printed");
    job
}

fn data_of(events: &[Event]) -> Vec<u8> {
    let mut data = Vec::new();
    for event in events {
        if let Event::Data(bytes) = event {
            data.extend(bytes);
        }
    }
    data
}

fn wait_for(mut true_soon: impl FnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(8);
    while !true_soon() {
        assert!(Instant::now() < until, "it did not happen");
        std::thread::park_timeout(Duration::from_millis(2));
    }
}
