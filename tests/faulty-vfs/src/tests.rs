//! Real SQLite on the disk in memory: what a full commit acknowledged is there after any power cut, and what was
//! not synced can be seen to go.

use std::path::PathBuf;
use std::time::Instant;

use rusqlite::Connection;

use super::*;

fn path(disk: &Disk) -> PathBuf {
    install().unwrap();
    disk.folder().join("test.db")
}

fn open(disk: &Disk, synchronous: &str) -> rusqlite::Result<Connection> {
    let conn = Connection::open(path(disk))?;
    conn.execute_batch(&format!(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = {synchronous}; PRAGMA wal_autocheckpoint = 0;
         CREATE TABLE IF NOT EXISTS sale (n INTEGER PRIMARY KEY, text TEXT) STRICT;"
    ))?;
    Ok(conn)
}

fn add(conn: &Connection, n: i64) -> rusqlite::Result<()> {
    conn.prepare_cached("INSERT INTO sale VALUES (?1, ?2)")?.execute((n, "x".repeat(300)))?;
    Ok(())
}

fn stored(disk: &Disk) -> Vec<i64> {
    let conn = open(disk, "FULL").unwrap();
    let check: String = conn.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(check, "ok");
    let mut statement = conn.prepare("SELECT n FROM sale ORDER BY n").unwrap();
    statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

/// Writes until the power fails; returns what was acknowledged and the first that was not.
fn write_until_cut(disk: &Disk, synchronous: &str, first: i64) -> i64 {
    let Ok(conn) = open(disk, synchronous) else { return first };
    let mut next = first;
    while add(&conn, next).is_ok() {
        next += 1;
        if next % 7 == 0 {
            let _cut_meanwhile = conn.query_row("PRAGMA wal_checkpoint(RESTART)", [], |_| Ok(()));
        }
        assert!(next < first + 10_000, "the power never failed");
    }
    assert!(disk.is_dead());
    next
}

#[test]
fn what_a_full_commit_acknowledged_outlives_every_power_cut() {
    for seed in 0..60 {
        let disk = Disk::new(seed);
        let mut next = 0;
        for round in 0..8 {
            disk.cut_after(1 + (seed * 31 + round * 17) % 97);
            let acknowledged = write_until_cut(&disk, "FULL", next);
            disk.power_cut();
            let found = stored(&disk);
            let whole: Vec<i64> = (0..i64::try_from(found.len()).unwrap()).collect();
            assert_eq!(found, whole, "seed {seed}: a hole");
            let len = i64::try_from(found.len()).unwrap();
            // The one under way may have made it.
            assert!(len == acknowledged || len == acknowledged + 1, "seed {seed}: {len} of {acknowledged}");
            next = len;
        }
    }
}

#[test]
fn without_fsync_acknowledged_rows_are_seen_to_go() {
    let mut lost = 0;
    for seed in 0..40 {
        let disk = Disk::new(seed);
        drop(open(&disk, "FULL").unwrap());
        disk.cut_after(60);
        let acknowledged = write_until_cut(&disk, "OFF", 0);
        disk.power_cut();
        let found = open(&disk, "FULL")
            .and_then(|conn| conn.query_row("SELECT count(*) FROM sale", [], |row| row.get::<_, i64>(0)));
        lost += i64::from(found.is_ok_and(|found| found < acknowledged));
    }
    assert!(lost > 10, "only {lost} of 40 lost anything");
}

#[test]
fn a_kill_loses_nothing_that_was_committed_without_fsync() {
    let disk = Disk::new(1);
    let conn = open(&disk, "OFF").unwrap();
    (0..100).for_each(|n| add(&conn, n).unwrap());
    disk.kill();
    assert!(add(&conn, 100).is_err(), "the dead process writes no more");
    drop(conn);
    assert_eq!(stored(&disk).len(), 100);
}

#[test]
fn a_second_connection_reads_and_folds_beside_the_writer() {
    let disk = Disk::new(1);
    let writer = open(&disk, "FULL").unwrap();
    let reader = Connection::open(path(&disk)).unwrap();
    for n in 0..50 {
        add(&writer, n).unwrap();
        let seen: i64 = reader.query_row("SELECT count(*) FROM sale", [], |row| row.get(0)).unwrap();
        assert_eq!(seen, n + 1);
    }
    let folded: i64 = reader.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| row.get(2)).unwrap();
    assert!(folded > 0);
}

#[test]
fn a_failed_fsync_says_ok_afterwards_and_the_pages_are_gone() {
    let disk = Disk::new(3);
    let conn = open(&disk, "NORMAL").unwrap();
    (0..20).for_each(|n| add(&conn, n).unwrap());
    disk.set_faults(Faults { sync_error_ppm: 1_000_000, ..Faults::default() });
    conn.execute_batch("PRAGMA synchronous = FULL").unwrap();
    assert!(add(&conn, 20).is_err());
    disk.set_faults(Faults::default());
    add(&conn, 20).unwrap();
    disk.power_cut();
    drop(conn);
    assert!(stored(&disk).len() < 21, "the log has a hole where the failed fsync was");
    assert_eq!(disk.counters().sync_errors, 1);
}

#[test]
fn a_full_disk_and_io_errors_are_told_as_such() {
    let disk = Disk::new(1);
    let conn = open(&disk, "FULL").unwrap();
    disk.set_faults(Faults { full_ppm: 1_000_000, ..Faults::default() });
    let refused = add(&conn, 1).unwrap_err();
    assert_eq!(refused.sqlite_error_code(), Some(rusqlite::ErrorCode::DiskFull));
    disk.set_faults(Faults { write_error_ppm: 1_000_000, ..Faults::default() });
    let refused = add(&conn, 1).unwrap_err();
    assert_eq!(refused.sqlite_error_code(), Some(rusqlite::ErrorCode::SystemIoFailure));
    disk.set_faults(Faults::default());
    add(&conn, 1).unwrap();
}

#[test]
fn an_image_is_a_disk_of_its_own() {
    let disk = Disk::new(1);
    let conn = open(&disk, "FULL").unwrap();
    add(&conn, 1).unwrap();
    let image = disk.image(2);
    add(&conn, 2).unwrap();
    assert_eq!(stored(&image), [1]);
    drop(conn);
    assert_eq!(stored(&disk), [1, 2]);
}

#[test]
fn the_same_seed_loses_the_same() {
    let run = || {
        let disk = Disk::new(9);
        disk.cut_after(50);
        write_until_cut(&disk, "NORMAL", 0);
        disk.power_cut();
        (disk.counters(), stored(&disk))
    };
    assert_eq!(run(), run());
}

#[test]
fn a_commit_takes_microseconds() {
    let disk = Disk::new(1);
    let conn = open(&disk, "FULL").unwrap();
    let start = Instant::now();
    (0..5_000).for_each(|n| add(&conn, n).unwrap());
    let micros = start.elapsed().as_micros() / 5_000;
    println!("{micros} µs a commit");
    assert!(micros < 500, "{micros} µs a commit");
}
