//! Tables built byte by byte, and the real ones where the samples are at hand.

use std::path::Path;

use proptest::prelude::*;

use super::*;

#[test]
fn types_are_read_exactly() {
    let fields = [
        (b'C', 6, 0),
        (b'N', 8, 3),
        (b'D', 8, 0),
        (b'L', 1, 0),
        (b'I', 4, 0),
        (b'Y', 8, 0),
        (b'T', 8, 0),
        (b'B', 8, 2),
    ];
    let mut record = b" AB\xe9   ".to_vec();
    record.extend(b"  -1.250");
    record.extend(b"20261124T");
    record.extend((-7_i32).to_le_bytes());
    record.extend(12_345_i64.to_le_bytes());
    record.extend(2_461_369_i32.to_le_bytes());
    record.extend((50_767_001_i32).to_le_bytes());
    record.extend(0.1_f64.to_le_bytes());
    let rows = rows(&table(0x30, 0x03, &fields, &[record], 1), &DbfTable::default(), &[]);
    assert_eq!(
        rows,
        [["ABé", "-1.250", "2026-11-24", "T", "-7", "1.2345", "2026-11-24T14:06:07", "0.1", ""].join("|")]
    );
}

#[test]
fn only_counted_and_whole_records_are_read() {
    let record = |sku: &str| format!(" {sku:<4}").into_bytes();
    let bytes = table(0x03, 0, &[(b'C', 4, 0)], &[record("A"), record("B"), record("C")], 2);
    assert_eq!(rows(&bytes, &DbfTable::default(), &[]), ["A|", "B|"]);
    let mut torn = table(0x03, 0, &[(b'C', 4, 0)], &[record("A"), record("B")], 2);
    torn.truncate(torn.len() - 2);
    assert_eq!(rows(&torn, &DbfTable::default(), &[]), ["A|"]);
}

#[test]
fn deleted_records_are_marked() {
    let bytes = table(0x03, 0, &[(b'C', 4, 0)], &[b" A   ".to_vec(), b"*B   ".to_vec()], 2);
    assert_eq!(rows(&bytes, &DbfTable::default(), &[]), ["A|", "B|*"]);
}

#[test]
fn header_columns_go_with_lines_and_a_deleted_header_deletes_them() {
    let lines =
        table(0x03, 0, &[(b'C', 2, 0), (b'C', 2, 0)], &[b" 1 A ".to_vec(), b" 2 B ".to_vec(), b" 3 C ".to_vec()], 3);
    let head = table(0x03, 0, &[(b'C', 2, 0), (b'D', 8, 0)], &[b" 1 20261124".to_vec(), b"*2 20261124".to_vec()], 2);
    let settings = DbfTable { header: Some("HEAD.DBF".to_owned()), key: vec!["F0".to_owned()] };
    let found = rows(&lines, &settings, &[(PathBuf::from("HEAD.DBF"), head)]);
    assert_eq!(found, ["1|A|1|2026-11-24|", "2|B|2|2026-11-24|*"], "the third is still being written");
}

#[test]
fn code_pages_and_memos_are_read() {
    let bytes = table(0x03, 0xC9, &[(b'C', 3, 0)], &[b" \xc0\xe1\xe2".to_vec()], 1);
    assert_eq!(rows(&bytes, &DbfTable::default(), &[]), ["Абв|"]);
    let mut memo = vec![0; 512];
    memo.extend(b"a note\x1a\x1a");
    let bytes = table(0x83, 0x03, &[(b'M', 10, 0)], &[b"          1".to_vec()], 1);
    assert_eq!(rows(&bytes, &DbfTable::default(), &[(PathBuf::from("x.dbt"), memo)]), ["a note|"]);
    let mut fpt = vec![0; 64];
    fpt[7] = 64;
    fpt.extend([0, 0, 0, 1, 0, 0, 0, 4]);
    fpt.extend(b"text");
    let bytes = table(0x30, 0x03, &[(b'M', 4, 0)], &[b" \x01\0\0\0".to_vec()], 1);
    assert_eq!(rows(&bytes, &DbfTable::default(), &[(PathBuf::from("x.fpt"), fpt)]), ["text|"]);
}

#[test]
fn real_tables_are_read() {
    let folder = std::env::var_os("TILLSYNC_SAMPLES")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/samples"), PathBuf::from)
        .join("dbf");
    for (name, records) in
        [("cp1251.dbf", 4), ("dbase_03.dbf", 14), ("dbase_30.dbf", 34), ("calls.dbf", 16), ("types.dbf", 2)]
    {
        let Ok(bytes) = std::fs::read(folder.join(name)) else {
            println!("skipped: {name} is not in {}", folder.display());
            continue;
        };
        let memo = std::fs::read(folder.join(name).with_extension("fpt")).ok();
        let others: Vec<(PathBuf, Vec<u8>)> = memo.into_iter().map(|memo| (PathBuf::from("x.fpt"), memo)).collect();
        assert_eq!(rows(&bytes, &DbfTable::default(), &others).len(), records, "{name}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_a_fault(mut bytes in proptest::collection::vec(any::<u8>(), 0..600), good in any::<bool>()) {
        if good {
            let whole = table(0x30, 3, &[(b'C', 4, 0), (b'T', 8, 0), (b'V', 9, 0)], &[vec![32; 22]], 1);
            bytes.splice(0..0, whole.iter().copied().take(whole.len() - 5));
        }
        if let Ok(text) = csv(&DbfTable::default(), None, &bytes, &[]) {
            prop_assert!(String::from_utf8(text).is_ok());
        }
    }
}

fn table(version: u8, driver: u8, fields: &[(u8, u8, u8)], records: &[Vec<u8>], count: u32) -> Vec<u8> {
    let header = u16::try_from(33 + 32 * fields.len()).unwrap();
    let length: u16 = fields.iter().map(|(_, length, _)| u16::from(*length)).sum::<u16>() + 1;
    let mut bytes = vec![version, 126, 11, 24];
    bytes.extend(count.to_le_bytes());
    bytes.extend(header.to_le_bytes());
    bytes.extend(length.to_le_bytes());
    bytes.resize(32, 0);
    bytes[29] = driver;
    for (at, (kind, length, decimals)) in fields.iter().enumerate() {
        let mut descriptor = format!("F{at}").into_bytes();
        descriptor.resize(32, 0);
        descriptor[11] = *kind;
        descriptor[16] = *length;
        descriptor[17] = *decimals;
        bytes.extend(descriptor);
    }
    bytes.push(0x0D);
    for record in records {
        assert_eq!(record.len(), usize::from(length));
        bytes.extend(record);
    }
    bytes
}

/// Records of the CSV text, fields joined by `|`.
fn rows(bytes: &[u8], settings: &DbfTable, others: &[(PathBuf, Vec<u8>)]) -> Vec<String> {
    let text = String::from_utf8(csv(settings, None, bytes, others).unwrap()).unwrap();
    text.lines().skip(1).map(|line| line.get(1..line.len() - 1).unwrap().replace("\",\"", "|")).collect()
}
