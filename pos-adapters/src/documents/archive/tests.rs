//! Archives within and beyond the limits.

use std::io::{Seek, Write};

use zip::write::SimpleFileOptions;

use super::*;

fn packed(entries: &[(&str, &[u8])]) -> File {
    let mut file = tempfile::tempfile().unwrap();
    let mut zip = zip::ZipWriter::new(&mut file);
    for (name, content) in entries {
        zip.start_file(*name, SimpleFileOptions::default()).unwrap();
        zip.write_all(content).unwrap();
    }
    zip.finish().unwrap();
    file.rewind().unwrap();
    file
}

fn reason(file: File) -> String {
    match Archive::open(file) {
        Err(ArchiveFault::Refused(reason)) => reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn entries_are_read_in_pieces() {
    let mut archive = Archive::open(packed(&[("a.xml", b"<a/>"), ("folder/b.xml", b"0123456789")])).unwrap();
    assert_eq!(archive.names().map(|(_, name)| name).collect::<Vec<_>>(), ["a.xml", "folder/b.xml"]);
    let mut buffer = Vec::new();
    archive.read(1, 4, 3, &mut buffer).unwrap();
    assert_eq!(buffer, b"456");
    archive.read(1, 10, 3, &mut buffer).unwrap();
    assert_eq!(buffer, b"");
}

#[test]
fn an_archive_that_unfolds_without_end_is_refused_before_it_is_unpacked() {
    let zeros = vec![0; 16 * 1024 * 1024];
    assert!(reason(packed(&[("bomb.xml", &zeros)])).contains("unfolds more than 250 times"));
}

#[test]
fn too_many_entries_are_refused_by_the_directory_alone() {
    let mut file = packed(&[("a.xml", b"<a/>")]);
    let size = file.metadata().unwrap().len();
    file.seek(SeekFrom::Start(size - 22 + 10)).unwrap();
    file.write_all(&60_000_u16.to_le_bytes()).unwrap();
    assert!(reason(file).contains("more than 2000 entries"));
}

#[test]
fn what_is_no_archive_or_half_of_one_is_refused() {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(b"PK\x03\x04 and nothing more").unwrap();
    assert!(reason(file).contains("has no end"));
}
