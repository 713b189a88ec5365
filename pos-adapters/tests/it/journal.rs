//! Append-only files: growth, rotation, replacement, damage.

use crate::support::{Bench, PLAIN};

const HEAD: &str = "t,sku,qty\n";

#[test]
fn appended_lines_are_read_once_and_across_restarts() {
    let mut bench = Bench::plain("sales.csv");
    bench.write("sales.csv", format!("{HEAD}T1,A,2\nT1,B,1\n"));
    bench.drain();
    bench.append("sales.csv", "T1,A,2\nT2,A,1\n");
    bench.restart();
    bench.drain();
    assert_eq!(bench.summary(), "T1: A -2, B -1, A -2; T2: A -1");
    assert_eq!(bench.lines_read, 2);
    bench.restart();
    bench.drain();
    assert_eq!(bench.lines_read, 0);
}

#[test]
fn a_half_written_last_line_waits() {
    let mut bench = Bench::plain("sales.csv");
    bench.write("sales.csv", format!("{HEAD}T1,A,2\nT2,A,1"));
    bench.settle();
    assert_eq!(bench.summary(), "T1: A -2");
    bench.append("sales.csv", "2\r\n");
    bench.settle();
    assert_eq!(bench.summary(), "T1: A -2; T2: A -12");
}

#[test]
fn a_named_file_is_read_without_listing_the_folder() {
    let mut bench = Bench::plain("sales.csv");
    bench.write("sales.csv", format!("{HEAD}T1,A,2\n"));
    bench.drain();
    bench.append("sales.csv", "T2,A,1\n");
    let path = bench.path("sales.csv");
    bench.try_drain(&[path]).unwrap();
    assert_eq!(bench.summary(), "T1: A -2; T2: A -1");
}

#[test]
fn a_truncated_and_rewritten_file_is_another_generation() {
    let mut bench = Bench::plain("sales.csv");
    bench.write("sales.csv", format!("{HEAD}T1,A,2\nT2,B,1\n"));
    bench.drain();
    bench.write("sales.csv", format!("{HEAD}T1,A,2\n"));
    bench.drain();
    assert_eq!(bench.summary(), "T1: A -2; T2: B -1");
    assert!(bench.tickets["T1"].segment.ends_with("#1"));
}

#[test]
fn a_rewritten_file_of_more_bytes_is_noticed_by_its_content() {
    let mut bench = Bench::plain("sales.csv");
    bench.write("sales.csv", format!("{HEAD}T1,A,2\n"));
    bench.drain();
    bench.write("sales.csv", format!("{HEAD}T7,C,3\nT8,C,4\nT9,C,5\n"));
    bench.drain();
    assert_eq!(bench.summary(), "T1: A -2; T7: C -3; T8: C -4; T9: C -5");
}

#[test]
fn a_renamed_journal_is_finished_and_its_late_lines_are_read() {
    let mut bench = Bench::plain("sales.csv");
    bench.write("sales.csv", format!("{HEAD}T1,A,2\n"));
    bench.drain();
    bench.append("sales.csv", "T2,B,1\n");
    bench.rename("sales.csv", "sales.csv.1");
    bench.write("sales.csv", format!("{HEAD}T3,A,1\n"));
    bench.drain();
    assert_eq!(bench.lines_read, 2);
    bench.append("sales.csv.1", "T4,B,9\n");
    bench.wait(6);
    bench.drain();
    assert_eq!(bench.summary(), "T1: A -2; T2: B -1; T3: A -1; T4: B -9");
}

#[test]
fn a_copied_and_truncated_journal_is_not_read_again() {
    let mut bench = Bench::plain("sales*.csv");
    bench.write("sales.csv", format!("{HEAD}T1,A,2\nT2,B,1\n"));
    bench.drain();
    bench.append("sales.csv", "T2,C,1\n");
    std::fs::copy(bench.path("sales.csv"), bench.path("sales-old.csv")).unwrap();
    bench.write("sales.csv", "");
    bench.drain();
    assert_eq!((bench.summary().as_str(), bench.lines_read), ("T1: A -2; T2: B -1, C -1", 1));
    bench.append("sales.csv", format!("{HEAD}T3,A,1\n"));
    bench.drain();
    assert_eq!(bench.summary(), "T1: A -2; T2: B -1, C -1; T3: A -1");
}

#[test]
fn a_copy_under_way_waits_until_it_is_done() {
    let mut bench = Bench::plain("sales*.csv");
    let content = format!("{HEAD}T1,A,2\nT2,B,1\n");
    bench.write("sales.csv", &content);
    bench.drain();
    let content = format!("{content}T3,C,1\n");
    bench.write("sales.csv", &content);
    bench.drain();
    bench.write("sales-old.csv", content.strip_suffix("T3,C,1\n").unwrap());
    bench.drain();
    bench.write("sales-old.csv", &content);
    bench.settle();
    assert_eq!(bench.lines_read, 0);
}

#[test]
fn a_ticket_split_by_rotation_stays_one_ticket() {
    let mut bench = Bench::plain("day-*.csv");
    bench.write("day-1.csv", format!("{HEAD}T1,A,2\nT2,B,1\n"));
    bench.drain();
    bench.write("day-2.csv", format!("{HEAD}T2,C,1\nT3,A,1\n"));
    bench.drain();
    bench.restart();
    bench.append("day-2.csv", "T3,B,1\n");
    bench.drain();
    assert_eq!(bench.summary(), "T1: A -2; T2: B -1, C -1; T3: A -1, B -1");
}

#[test]
fn a_recycled_inode_is_another_file() {
    let mut bench = Bench::plain("*.csv");
    bench.write("a.csv", format!("{HEAD}T1,A,2\n"));
    bench.drain();
    // The worst case: the same inode under another name with other content.
    bench.rename("a.csv", "b.csv");
    bench.write("b.csv", format!("{HEAD}T5,B,1\nT6,B,2\n"));
    bench.restart();
    bench.drain();
    assert_eq!(bench.summary(), "T1: A -2; T5: B -1; T6: B -2");
}

#[test]
fn two_files_with_the_same_first_lines_are_two_files() {
    let mut bench = Bench::plain("*.csv");
    bench.write("r1.csv", format!("{HEAD}T1,A,1\nR1-2,A,2\n"));
    bench.write("r2.csv", format!("{HEAD}T1,A,1\nR2-2,B,3\n"));
    bench.drain();
    assert_eq!(bench.summary(), "R1-2: A -2; R2-2: B -3; T1: A -1");
}

#[test]
fn files_that_have_only_a_header_are_not_taken_for_copies() {
    let mut bench = Bench::plain("*.csv");
    bench.write("r1.csv", HEAD);
    bench.drain();
    bench.write("r2.csv", format!("{HEAD}T1,A,1\n"));
    bench.append("r1.csv", "T2,A,1\n");
    bench.drain();
    assert_eq!(bench.summary(), "T1: A -1; T2: A -1");
}

#[test]
fn a_deleted_and_recreated_file_is_read_from_its_start() {
    let mut bench = Bench::plain("sales.csv");
    bench.write("sales.csv", format!("{HEAD}T1,A,2\n"));
    bench.drain();
    std::fs::remove_file(bench.path("sales.csv")).unwrap();
    bench.drain();
    bench.write("sales.csv", format!("{HEAD}T2,A,2\n"));
    bench.drain();
    assert_eq!(bench.summary(), "T1: A -2; T2: A -2");
}

#[test]
fn a_store_closed_for_a_month_reads_nothing_again() {
    let mut bench = Bench::plain("*.csv");
    bench.write("a.csv", format!("{HEAD}T1,A,2\n"));
    bench.drain();
    bench.wait(40 * 86_400);
    bench.restart();
    bench.drain();
    assert_eq!(bench.lines_read, 0);
}

#[test]
fn a_file_gone_for_more_than_400_days_is_forgotten() {
    let mut bench = Bench::plain("*.csv");
    bench.write("a.csv", format!("{HEAD}T1,A,2\n"));
    bench.drain();
    std::fs::remove_file(bench.path("a.csv")).unwrap();
    bench.wait(401 * 86_400);
    bench.restart();
    bench.drain();
    assert!(bench.cursors.is_empty());
}

#[test]
fn a_quoted_field_with_line_breaks_waits_for_its_end() {
    let mut bench = Bench::new("s.csv", r#""columns": {"transaction": "t", "sku": "sku", "quantity": "qty"}"#);
    bench.write("s.csv", "t,sku,qty,note\nT1,A,2,\"first\nsecond");
    bench.settle();
    assert_eq!(bench.summary(), "");
    bench.append("s.csv", "\nthird\"\nT2,A,1,x\n");
    bench.drain();
    assert_eq!(bench.summary(), "T1: A -2; T2: A -1");
    assert!(bench.quarantined.is_empty());
}

#[test]
fn a_stray_quote_costs_its_own_line_only() {
    let mut bench = Bench::plain("s.csv");
    bench.write("s.csv", "t,sku,qty,note\nT1,A,2,\"oops\nT2,A,1,x\nT3,A,1,y\n");
    bench.settle();
    assert_eq!(bench.summary(), "T2: A -1; T3: A -1");
    assert_eq!(bench.quarantined.len(), 1);
    bench.append("s.csv", "T4,B,1,\"a\nT5,B,1,\"b\"\nT6,B,1,c\n");
    bench.settle();
    assert_eq!(bench.summary(), "T2: A -1; T3: A -1; T5: B -1; T6: B -1");
}

#[test]
fn zero_bytes_at_the_end_are_not_yet_written() {
    let mut bench = Bench::plain("s.csv");
    let good = format!("{HEAD}T1,A,2\n");
    bench.write("s.csv", [good.as_bytes(), &[0; 700]].concat());
    bench.settle();
    assert_eq!(bench.summary(), "T1: A -2");
    bench.write("s.csv", format!("{good}T2,A,1\n"));
    bench.drain();
    assert_eq!(bench.summary(), "T1: A -2; T2: A -1");
    assert!(bench.quarantined.is_empty());
}

#[test]
fn a_hole_of_zero_bytes_with_lines_after_it_is_set_aside() {
    let mut bench = Bench::plain("s.csv");
    bench.write("s.csv", [HEAD.as_bytes(), b"T1,A,2\nT2,A", &[0; 300], b"\nT3,A,1\n"].concat());
    bench.settle();
    assert_eq!(bench.summary(), "T1: A -2; T3: A -1");
    assert!(bench.reasons()[0].contains("zero bytes"));
}

#[test]
fn json_lines_are_read_with_numbers_as_written() {
    let mut bench = Bench::new("s.jsonl", &format!(r#""format": "jsonl", {PLAIN}"#));
    bench.write(
        "s.jsonl",
        concat!(
            "{\"t\":9007199254740993,\"sku\":\"A\\u0042\",\"qty\":\"1.250\"}\n",
            "{\"t\":\"T2\",\"sku\":10,\"qty\":0.300000,\"x\":{\"qty\":5}}\n",
            "{\"t\":\"T3\",\"sku\":\"A\",\"qty\":1,\"qty\":2}\n",
            "{\"t\":\"T4\",\"sku\":\"A\",\"qty\":1}\n{\"t\":\"T5\",\"sk"
        ),
    );
    bench.settle();
    assert_eq!(bench.summary(), "9007199254740993: AB -1.25; T2: 10 -0.3; T4: A -1");
    assert!(bench.reasons()[0].contains("twice"));
}

#[test]
fn a_json_line_with_its_lines_is_a_whole_ticket() {
    let columns = r#""columns": {"transaction": "id", "items": "lines", "sku": "article.sku", "quantity": "n", "status": "state"}"#;
    let mut bench =
        Bench::new("s.jsonl", &format!(r#""format": "jsonl", "status": {{"cancelled": ["void"]}}, {columns}"#));
    bench.write(
        "s.jsonl",
        "{\"id\":1,\"lines\":[{\"article\":{\"sku\":\"A\"},\"n\":2},{\"article\":{\"sku\":\"B\"},\"n\":1}]}\n",
    );
    bench.drain();
    assert_eq!(bench.summary(), "1: A -2, B -1");
    bench.append("s.jsonl", "{\"id\":1,\"state\":\"VOID\",\"lines\":[]}\n");
    bench.drain();
    assert_eq!(bench.tickets["1"].status, sync_core::model::TransactionStatus::Cancelled);
}

#[test]
fn a_missing_folder_is_an_error_that_says_so() {
    let mut bench = Bench::plain("gone/sales.csv");
    let error = bench.try_drain(&[]).unwrap_err();
    assert_eq!(error.code(), "source-folder-unreachable");
    std::fs::create_dir(bench.path("gone")).unwrap();
    bench.try_drain(&[]).unwrap();
}

#[test]
fn a_ticket_is_split_only_at_the_end_of_the_file() {
    let mut bench = Bench::plain("s.csv");
    let rows: String = (0..20_000).map(|n| format!("T{},A{},1\n", n / 5, n % 5)).collect();
    bench.write("s.csv", format!("{HEAD}{rows}"));
    bench.drain();
    assert_eq!((bench.tickets.len(), bench.lines_read), (4000, 20_000));
    assert!(bench.tickets.values().all(|ticket| ticket.lines.len() == 5));
}

#[test]
fn a_restart_after_an_unstored_chunk_reads_it_again() {
    use pos_adapters::{Poll, PosSource};
    let mut bench = Bench::plain("s.csv");
    bench.write("s.csv", format!("{HEAD}T1,A,1\n"));
    assert!(matches!(bench.source.poll(&[], bench.now), Ok(Poll::Chunk(_))));
    bench.source.resume(Vec::new());
    bench.drain();
    assert_eq!(bench.summary(), "T1: A -1");
}

#[test]
fn a_journal_rewritten_with_the_same_number_of_bytes_is_noticed() {
    let mut bench = Bench::plain("sales.csv");
    bench.write("sales.csv", format!("{HEAD}T1,A,2\n"));
    bench.drain();
    bench.write("sales.csv", format!("{HEAD}T1,A,3\n"));
    // The file system's clock may be too coarse to tell two quick writes apart.
    let later = std::time::SystemTime::now() + std::time::Duration::from_secs(5);
    std::fs::File::options().write(true).open(bench.path("sales.csv")).unwrap().set_modified(later).unwrap();
    bench.drain();
    assert_eq!(bench.summary(), "T1: A -3");
}

#[test]
fn a_folder_with_a_fitting_name_is_passed_over() {
    let mut bench = Bench::plain("*.csv");
    bench.write("good.csv", format!("{HEAD}T1,A,2\n"));
    std::fs::create_dir(bench.path("folder.csv")).unwrap();
    bench.drain();
    assert_eq!(bench.summary(), "T1: A -2");
}
