//! The store of a line on a real disk: torn ends, full disks, restarts.

use std::fs;
use std::path::Path;
use std::time::Duration;

use proptest::prelude::*;
use sync_core::model::Timestamp;

use super::*;

const SMALL: Limits = Limits {
    total_bytes: 6 * SEGMENT_BYTES_MIN,
    reserve_bytes: 2 * SEGMENT_BYTES_MIN,
    keep: Duration::from_secs(31 * 86_400),
    segment_bytes: SEGMENT_BYTES_MIN,
};
const DAY: i64 = 86_400_000_000;

#[test]
fn what_was_written_is_read_in_order_with_its_times_and_marks() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = Writer::open(folder.path(), SMALL, Timestamp(5)).unwrap();
    let events = [
        arrival(10, data(b"Coffee")),
        arrival(11, Event::Answer(vec![0x16])),
        arrival(12, Event::Damage("2 framing errors".to_owned())),
        arrival(13, data(b" 1 2.50\n")),
        arrival(14, Event::End),
    ];
    writer.append(&events, Timestamp(14)).unwrap();
    assert_eq!(writer.end(), 14);
    let (read, stream) = read_all(folder.path(), None);
    assert_eq!(read, events);
    assert_eq!(stream, 14);
}

#[test]
fn reading_goes_on_in_the_middle_of_a_record() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = Writer::open(folder.path(), SMALL, Timestamp(5)).unwrap();
    writer.append(&[arrival(1, data(b"0123456789")), arrival(2, data(b"abc"))], Timestamp(2)).unwrap();
    let mut reader = Reader::open(folder.path(), Some((5, 4))).unwrap();
    assert_eq!(reader.stream(), 4);
    assert_eq!(reader.next_event().unwrap(), Some(arrival(1, data(b"456789"))));
    assert_eq!(reader.next_event().unwrap(), Some(arrival(2, data(b"abc"))));
    assert_eq!(reader.next_event().unwrap(), None);
    writer.append(&[arrival(3, data(b"d"))], Timestamp(3)).unwrap();
    assert_eq!(reader.next_event().unwrap(), Some(arrival(3, data(b"d"))), "the reader follows the writer");
    assert_eq!(reader.stream(), 14);
}

#[test]
fn a_restart_goes_on_in_the_same_segment_and_a_torn_tail_ends_it() {
    let folder = tempfile::tempdir().unwrap();
    for (at, text) in [b"one", b"two"].into_iter().enumerate() {
        let mut writer = Writer::open(folder.path(), SMALL, Timestamp(5)).unwrap();
        writer.append(&[arrival(i64::try_from(at).unwrap(), data(text))], Timestamp(6)).unwrap();
    }
    assert_eq!(list(folder.path()).unwrap().len(), 1);
    let path = segment_path(folder.path(), 1);
    let mut bytes = fs::read(&path).unwrap();
    let end = HEADER_BYTES + 2 * (RECORD_BYTES + 3);
    // Half of a third record reached the disk, and a later page of it did too.
    bytes[end..end + 9].copy_from_slice(b"\x03\0\0\0\x01\0\0\0\x09");
    bytes[end + 40] = 7;
    fs::write(&path, bytes).unwrap();
    let mut writer = Writer::open(folder.path(), SMALL, Timestamp(9)).unwrap();
    assert_eq!(writer.end(), 6);
    writer.append(&[arrival(9, data(b"three"))], Timestamp(9)).unwrap();
    assert_eq!(list(folder.path()).unwrap().len(), 2);
    assert_eq!(text_of(folder.path()), "onetwothree");
}

#[test]
fn parsed_segments_make_room_and_unread_ones_never_do() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = Writer::open(folder.path(), SMALL, Timestamp(5)).unwrap();
    assert_eq!(writer.taken_bytes(), SMALL.reserve_bytes, "the reserve is taken on the disk beforehand");
    let page = data(&[b'x'; 8_000]);
    let mut stored = 0_u64;
    let refused = loop {
        let before = writer.end();
        match writer.append(&[arrival(1, page.clone())], Timestamp(6)) {
            Ok(()) => stored += 8_000,
            Err(error) => break (before, error),
        }
    };
    assert_eq!(refused.0, stored);
    assert_eq!(refused.1.kind(), io::ErrorKind::StorageFull);
    assert!(stored > 5 * SEGMENT_BYTES_MIN && writer.taken_bytes() <= SMALL.total_bytes);
    assert_eq!(text_of(folder.path()).len(), usize::try_from(stored).unwrap(), "nothing unread was overwritten");

    writer.parsed_to(stored / 2);
    writer.append(&[arrival(2, page)], Timestamp(7)).unwrap();
    assert!(writer.taken_bytes() <= SMALL.total_bytes);
    let mut reader = Reader::open(folder.path(), Some((5, 0))).unwrap();
    assert!(reader.take_missing() > 0 && reader.stream() <= stored / 2, "only parsed bytes went");
}

#[test]
fn a_full_disk_uses_the_reserve_and_then_what_was_parsed() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = Writer::open(folder.path(), SMALL, Timestamp(5)).unwrap();
    let files = || fs::read_dir(folder.path()).unwrap().count();
    let page = data(&[b'x'; 8_000]);
    for _ in 0..200 {
        writer.append(&[arrival(1, page.clone())], Timestamp(6)).unwrap();
        writer.parsed_to(writer.end());
        assert!(files() <= 6);
    }
    assert_eq!(writer.end(), 200 * 8_000, "25 segments' worth went through the space of 6");
}

#[test]
fn parsed_bytes_older_than_they_must_be_kept_are_deleted() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = Writer::open(folder.path(), SMALL, Timestamp(5)).unwrap();
    let page = data(&[b'x'; 8_000]);
    for day in 0..3 {
        for _ in 0..8 {
            writer.append(&[arrival(day * DAY, page.clone())], Timestamp(day * DAY)).unwrap();
        }
    }
    writer.parsed_to(writer.end());
    let before = list(folder.path()).unwrap().len();
    for _ in 0..8 {
        writer.append(&[arrival(40 * DAY, page.clone())], Timestamp(40 * DAY)).unwrap();
    }
    let sequences: Vec<u64> = list(folder.path()).unwrap().iter().map(|listed| listed.sequence).collect();
    assert!(before >= 3 && sequences.first().is_some_and(|first| *first > 1), "{before} {sequences:?}");
}

#[test]
fn a_quiet_line_keeps_nothing_for_much_longer_than_it_should() {
    let folder = tempfile::tempdir().unwrap();
    let limits = Limits { total_bytes: 16 * SEGMENT_BYTES_MIN, reserve_bytes: SEGMENT_BYTES_MIN, ..SMALL };
    let mut writer = Writer::open(folder.path(), limits, Timestamp(5)).unwrap();
    for day in 0..80 {
        writer.append(&[arrival(day * DAY, data(b"one ticket a day"))], Timestamp(day * DAY)).unwrap();
        writer.parsed_to(writer.end());
    }
    let oldest = read_all(folder.path(), None).0.first().map(|arrival| arrival.at.0 / DAY);
    assert!(oldest.is_some_and(|day| (30..50).contains(&(79 - day))), "{oldest:?}");
}

#[test]
fn a_segment_that_was_only_taken_is_no_segment_and_a_damaged_one_is_kept_aside() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = Writer::open(folder.path(), SMALL, Timestamp(5)).unwrap();
    writer.append(&[arrival(1, data(b"kept"))], Timestamp(6)).unwrap();
    fs::write(segment_path(folder.path(), 2), vec![0; 65_536]).unwrap();
    fs::copy(segment_path(folder.path(), 1), segment_path(folder.path(), 3)).unwrap();
    fs::write(segment_path(folder.path(), 4), b"not a header, and not nothing either").unwrap();
    let writer = Writer::open(folder.path(), SMALL, Timestamp(7)).unwrap();
    assert_eq!(writer.end(), 4);
    assert_eq!(list(folder.path()).unwrap().len(), 1);
    assert!(folder.path().join("damaged-0000000004.raw").exists());
}

#[test]
fn a_cursor_of_another_life_of_the_folder_starts_from_the_beginning() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = Writer::open(folder.path(), SMALL, Timestamp(5)).unwrap();
    writer.append(&[arrival(1, data(b"after a new disk"))], Timestamp(6)).unwrap();
    assert_eq!(Reader::open(folder.path(), Some((4, 9_000))).unwrap().stream(), 0);
}

#[cfg(unix)]
#[test]
fn only_the_owner_may_look_at_captures() {
    use std::os::unix::fs::PermissionsExt as _;
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("sources").join("till");
    let mut writer = Writer::open(&folder, SMALL, Timestamp(5)).unwrap();
    writer.append(&[arrival(1, data(b"x"))], Timestamp(6)).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&folder), mode(&segment_path(&folder, 1))), (0o700, 0o600));
}

#[test]
fn the_checksum_is_the_usual_one() {
    assert_eq!(crc32(&[b"1234", b"56789"]), 0xCBF4_3926);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn whatever_the_pieces_and_restarts_the_stream_reads_the_same(
        pieces in prop::collection::vec((1_usize..20_000, any::<bool>()), 1..25),
        from in 0_u64..100_000,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let limits = Limits { total_bytes: 64 * SEGMENT_BYTES_MIN, reserve_bytes: SEGMENT_BYTES_MIN, ..SMALL };
        let mut writer = Writer::open(folder.path(), limits, Timestamp(5)).unwrap();
        let mut expected = Vec::new();
        for (at, (length, restart)) in pieces.iter().enumerate() {
            let piece: Vec<u8> = (0..*length).map(|byte| u8::try_from((byte * 7 + at) % 251).unwrap()).collect();
            writer.append(&[arrival(1, data(&piece))], Timestamp(6)).unwrap();
            expected.extend(piece);
            if *restart {
                drop(writer);
                writer = Writer::open(folder.path(), limits, Timestamp(7)).unwrap();
            }
        }
        let from = from.min(u64::try_from(expected.len()).unwrap());
        let mut reader = Reader::open(folder.path(), Some((5, from))).unwrap();
        let mut read = Vec::new();
        while let Some(arrival) = reader.next_event().unwrap() {
            if let Event::Data(bytes) = arrival.event {
                read.extend(bytes);
            }
        }
        prop_assert!(read == expected[usize::try_from(from).unwrap()..]);
    }
}

fn arrival(at: i64, event: Event) -> Arrival {
    Arrival { at: Timestamp(at), event }
}

fn data(bytes: &[u8]) -> Event {
    Event::Data(bytes.to_vec())
}

fn read_all(folder: &Path, from: Option<(u64, u64)>) -> (Vec<Arrival>, u64) {
    let mut reader = Reader::open(folder, from).unwrap();
    let mut read = Vec::new();
    while let Some(arrival) = reader.next_event().unwrap() {
        read.push(arrival);
    }
    (read, reader.stream())
}

fn text_of(folder: &Path) -> String {
    let mut text = Vec::new();
    for arrival in read_all(folder, None).0 {
        if let Event::Data(bytes) = arrival.event {
            text.extend(bytes);
        }
    }
    String::from_utf8(text).unwrap()
}
