//! Lines in memory: taps, pass-through, wires, unplugging.

use std::sync::atomic::AtomicU64;
use std::time::Instant;

use super::super::line::{Recorder, recorder};
use super::super::port::{MemoryOpener, MemoryPort};
use super::super::store::{Limits, Reader};
use super::*;
use crate::Waker;

const SOON: Duration = Duration::from_secs(5);

#[test]
fn bytes_pass_both_ways_and_are_stored_with_the_answers() {
    let mut bench = Bench::start(Flow::None);
    bench.pos.say(b"\x10\x04\x01").unwrap();
    assert_eq!(hear(&mut bench.printer, 3), b"\x10\x04\x01");
    bench.printer.say(b"\x16").unwrap();
    assert_eq!(hear(&mut bench.pos, 1), b"\x16");
    bench.pos.say(b"Coffee 2.50\n\x1dV\x00").unwrap();
    assert_eq!(hear(&mut bench.printer, 15), b"Coffee 2.50\n\x1dV\x00");
    let stored = bench.stored();
    assert_eq!(data_of(&stored), b"\x10\x04\x01Coffee 2.50\n\x1dV\x00");
    assert!(stored.contains(&Event::Answer(b"\x16".to_vec())));
}

#[test]
fn a_printer_that_sends_xoff_gets_no_more_until_xon_and_the_till_sees_both() {
    let mut bench = Bench::start(Flow::XonXoff);
    bench.printer.say(&[XOFF]).unwrap();
    assert_eq!(hear(&mut bench.pos, 1), [XOFF]);
    bench.pos.say(&[b'x'; 3000]).unwrap();
    assert_eq!(hear_for(&mut bench.printer, Duration::from_millis(80)), b"");
    bench.printer.say(&[XON]).unwrap();
    assert_eq!(hear(&mut bench.pos, 1), [XON]);
    assert_eq!(hear(&mut bench.printer, 3000).len(), 3000);
    assert_eq!(data_of(&bench.stored()).len(), 3000);
}

#[test]
fn a_printer_that_lowers_its_wire_holds_the_till_through_us() {
    let mut bench = Bench::start(Flow::DtrDsr);
    bench.printer.raise(Signals { clear: true, ready: true }).unwrap();
    wait_for(|| bench.pos.signals().unwrap() == Some(Signals { clear: true, ready: true }));
    bench.printer.raise(Signals { clear: true, ready: false }).unwrap();
    wait_for(|| bench.pos.signals().unwrap() == Some(Signals { clear: true, ready: false }));
    bench.pos.say(b"more").unwrap();
    assert_eq!(hear_for(&mut bench.printer, Duration::from_millis(80)), b"");
    bench.printer.raise(Signals { clear: true, ready: true }).unwrap();
    assert_eq!(hear(&mut bench.printer, 4), b"more");
    bench.pos.raise(Signals { clear: true, ready: false }).unwrap();
    wait_for(|| bench.printer.signals().unwrap() == Some(Signals { clear: true, ready: false }));
}

#[test]
fn a_wire_that_is_not_connected_holds_nothing() {
    let mut bench = Bench::start(Flow::DtrDsr);
    bench.pos.say(b"three wires only").unwrap();
    assert_eq!(hear(&mut bench.printer, 16), b"three wires only");
}

#[test]
fn bytes_towards_the_printer_that_look_like_xoff_are_data() {
    let mut bench = Bench::start(Flow::XonXoff);
    bench.pos.say(&[XOFF, b'a', XON, XOFF, b'b']).unwrap();
    assert_eq!(hear(&mut bench.printer, 5), [XOFF, b'a', XON, XOFF, b'b']);
}

#[test]
fn an_unplugged_printer_closes_the_tills_port_and_both_come_back() {
    let mut bench = Bench::start(Flow::None);
    bench.pos.say(b"one").unwrap();
    hear(&mut bench.printer, 3);
    bench.printer.unplug();
    wait_for(|| bench.shared.health.condition().device.is_some());
    assert_eq!(bench.shared.health.condition().unplugged, 1);
    bench.plug_in();
    wait_for(|| bench.shared.health.condition().device.is_none());
    bench.pos.say(b"two").unwrap();
    assert_eq!(hear(&mut bench.printer, 3), b"two");
    let stored = bench.stored();
    assert_eq!(data_of(&stored), b"onetwo");
    assert!(stored.contains(&Event::Away));
}

#[test]
fn damaged_bytes_go_on_to_the_printer_and_leave_a_mark() {
    let mut bench = Bench::start(Flow::None);
    bench.pos.say_damaged(b"?!");
    assert_eq!(hear(&mut bench.printer, 2), b"?!");
    let stored = bench.stored();
    let marks: Vec<_> = stored.iter().filter(|event| matches!(event, Event::Damage(_))).collect();
    assert_eq!(marks, [&Event::Damage("2 bytes came with a framing or parity error".to_owned())]);
}

#[test]
fn a_store_that_cannot_be_written_never_holds_the_line() {
    let folder = tempfile::tempdir().unwrap();
    let blocked = folder.path().join("not-a-folder");
    std::fs::write(&blocked, b"").unwrap();
    let mut bench = Bench::on(&blocked, folder, Flow::None, Limits::default());
    for _ in 0..200 {
        bench.pos.say(&[b'x'; 1000]).unwrap();
        assert_eq!(hear(&mut bench.printer, 1000).len(), 1000);
    }
    wait_for(|| bench.shared.health.condition().lost_bytes == 200_000);
    assert!(bench.shared.health.condition().store.is_some());
}

#[test]
fn a_full_store_loses_bytes_of_the_capture_and_says_so_when_it_has_room_again() {
    let limits = Limits { total_bytes: 2 * 65_536, reserve_bytes: 65_536, segment_bytes: 65_536, ..Limits::default() };
    let folder = tempfile::tempdir().unwrap();
    let mut bench = Bench::on(&folder.path().join("line"), folder, Flow::None, limits);
    for _ in 0..200 {
        bench.pos.say(&[b'x'; 1000]).unwrap();
        assert_eq!(hear(&mut bench.printer, 1000).len(), 1000);
    }
    // Everything must be stored or lost before there is room again: what came later could take the place of the mark.
    let lost = || bench.shared.health.condition().lost_bytes;
    wait_for(|| u64::try_from(data_of(&read(&bench.line)).len()).unwrap() + lost() == 200_000);
    assert!(lost() > 50_000);
    bench.parsed.store(u64::MAX, Ordering::Release);
    bench.pos.say(b"after").unwrap();
    hear(&mut bench.printer, 5);
    let stored = bench.stored();
    assert!(data_of(&stored).ends_with(b"after"));
    // What was lost in several stretches is told for each of them.
    let lost = stored.iter().filter_map(|event| match event {
        Event::Damage(text) => text.split(' ').next().and_then(|count| count.parse::<u64>().ok()),
        Event::Data(_) | Event::Answer(_) | Event::End | Event::Away => None,
    });
    assert_eq!(lost.sum::<u64>(), bench.shared.health.condition().lost_bytes);
}

#[test]
fn a_tap_hears_everything_across_a_replug() {
    let folder = tempfile::tempdir().unwrap();
    let opener = MemoryOpener::default();
    let (shared, recorder, _) = parts(&folder.path().join("line"), Limits::default());
    let (mut pos, ours) = MemoryPort::pair();
    opener.plug_in(ours);
    let health = Arc::clone(&shared.health);
    let stop = Arc::clone(&shared.stop);
    let recording = std::thread::spawn(move || recorder.run(&Waker::new(|| {})));
    let listening = std::thread::spawn({
        let opener = opener.clone();
        move || listen(&opener, &mut Deaf, &shared)
    });
    pos.say(b"first").unwrap();
    wait_for(|| pos.waiting() == 0);
    pos.unplug();
    wait_for(|| health.condition().unplugged == 1);
    let (mut pos, ours) = MemoryPort::pair();
    opener.plug_in(ours);
    pos.say(b"second").unwrap();
    wait_for(|| pos.waiting() == 0);
    stop.stop();
    listening.join().unwrap();
    recording.join().unwrap();
    assert_eq!(data_of(&read(&folder.path().join("line"))), b"firstsecond");
}

struct Deaf;

impl Ear for Deaf {
    fn opened(&mut self, _: &mut dyn Port) {}
    fn heard(&mut self, _: &[u8], _: Heard, _: &mut dyn Port, _: &Health) {}
}

/// A till, a printer, and us between them.
struct Bench {
    pos: MemoryPort,
    printer: MemoryPort,
    pos_side: MemoryOpener,
    printer_side: MemoryOpener,
    shared: Shared,
    parsed: Arc<AtomicU64>,
    threads: Vec<std::thread::JoinHandle<()>>,
    line: std::path::PathBuf,
    _folder: tempfile::TempDir,
}

impl Bench {
    fn start(flow: Flow) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self::on(&folder.path().join("line"), folder, flow, Limits::default())
    }

    fn on(line: &std::path::Path, folder: tempfile::TempDir, flow: Flow, limits: Limits) -> Self {
        let (shared, recorder, parsed) = parts(line, limits);
        let (pos_side, printer_side) = (MemoryOpener::default(), MemoryOpener::default());
        let (pos, printer) = (MemoryPort::pair().0, MemoryPort::pair().0);
        let mut bench = Self {
            pos,
            printer,
            pos_side: pos_side.clone(),
            printer_side: printer_side.clone(),
            shared: shared.clone(),
            parsed,
            threads: Vec::new(),
            line: line.to_path_buf(),
            _folder: folder,
        };
        bench.plug_in();
        bench.threads.push(std::thread::spawn(move || pass_through(&pos_side, &printer_side, flow, &shared)));
        bench.threads.push(std::thread::spawn(move || recorder.run(&Waker::new(|| {}))));
        bench
    }

    fn plug_in(&mut self) {
        let (pos, ours) = MemoryPort::pair();
        self.pos_side.plug_in(ours);
        self.pos = pos;
        let (printer, ours) = MemoryPort::pair();
        self.printer_side.plug_in(ours);
        self.printer = printer;
    }

    /// Ends the line and gives what is in the store.
    fn stored(&mut self) -> Vec<Event> {
        self.shared.stop.stop();
        self.threads.remove(0).join().unwrap();
        // The last tap is ours.
        let (tap, _) = recorder(&self.line, Limits::default(), Arc::default(), Arc::default());
        self.shared.tap = tap;
        self.threads.remove(0).join().unwrap();
        read(&self.line)
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.shared.stop.stop();
    }
}

fn parts(line: &std::path::Path, limits: Limits) -> (Shared, Recorder, Arc<AtomicU64>) {
    let (health, parsed) = (Arc::new(Health::default()), Arc::new(AtomicU64::new(0)));
    let (tap, recorder) = recorder(line, limits, Arc::clone(&parsed), Arc::clone(&health));
    (Shared { tap, health, stop: Arc::new(Stop::default()) }, recorder, parsed)
}

fn read(line: &std::path::Path) -> Vec<Event> {
    let mut reader = Reader::open(line, None).unwrap();
    let mut events = Vec::new();
    while let Some(arrival) = reader.next_event().unwrap() {
        events.push(arrival.event);
    }
    events
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

fn hear(port: &mut MemoryPort, count: usize) -> Vec<u8> {
    let (mut bytes, until) = (Vec::new(), Instant::now() + SOON);
    while bytes.len() < count && Instant::now() < until {
        port.hear(&mut bytes, Duration::from_millis(20)).unwrap();
    }
    assert_eq!(bytes.len(), count);
    bytes
}

fn hear_for(port: &mut MemoryPort, long: Duration) -> Vec<u8> {
    let mut bytes = Vec::new();
    port.hear(&mut bytes, long).unwrap();
    bytes
}

fn wait_for(mut true_soon: impl FnMut() -> bool) {
    let until = Instant::now() + SOON;
    while !true_soon() {
        assert!(Instant::now() < until, "it did not happen");
        std::thread::park_timeout(Duration::from_millis(2));
    }
}
