//! One file for each transaction.

use crate::support::Bench;

const TICKETS: &str = r#""pattern": "per-transaction", "format": "json",
    "columns": {"transaction": "id", "items": "lines", "sku": "sku", "quantity": "n", "line": "no"}"#;

#[test]
fn every_new_file_is_read_once() {
    let mut bench = Bench::new("out", TICKETS);
    std::fs::create_dir(bench.path("out")).unwrap();
    for n in 0..50 {
        bench.write(&format!("out/{n}.json"), format!("{{\n \"id\": {n},\n \"lines\": [{{\"no\":2,\"sku\":\"B\",\"n\":1}},{{\"no\":1,\"sku\":\"A\",\"n\":2}}]\n}}\n"));
    }
    bench.write("out/next.json.tmp", "{\"id\": 99, \"lines\": [");
    bench.settle();
    assert_eq!((bench.tickets.len(), bench.cursors.len()), (50, 50));
    assert_eq!(bench.tickets["7"].lines, ["A -2", "B -1"]);
    bench.restart();
    bench.settle();
    assert_eq!(bench.lines_read, 0);
}

#[test]
fn a_file_delivered_again_with_other_content_replaces_its_ticket() {
    let mut bench = Bench::new("out/*.json", TICKETS);
    std::fs::create_dir(bench.path("out")).unwrap();
    bench.write("out/1.json", "{\"id\":1,\"lines\":[{\"sku\":\"A\",\"n\":2}]}");
    bench.settle();
    bench.write("out/1.json", "{\"id\":1,\"lines\":[{\"sku\":\"A\",\"n\":12}]}");
    bench.settle();
    assert_eq!(bench.summary(), "1: A -12");
}

#[test]
fn a_half_delivered_file_waits_or_is_held() {
    let mut bench = Bench::new("out", TICKETS);
    std::fs::create_dir(bench.path("out")).unwrap();
    bench.write("out/1.json", "{\"id\":1,\"lines\":[{\"sk");
    bench.drain();
    bench.wait(1);
    bench.write("out/1.json", "{\"id\":1,\"lines\":[{\"sku\":\"A\",\"n\":2}]}");
    bench.settle();
    assert_eq!((bench.summary().as_str(), bench.quarantined.len()), ("1: A -2", 0));
}

#[test]
fn new_files_all_the_time_do_not_keep_settled_ones_waiting() {
    let mut bench = Bench::new("out", TICKETS);
    std::fs::create_dir(bench.path("out")).unwrap();
    for n in 0..10 {
        let name = format!("out/{n}.json");
        bench.write(&name, format!("{{\"id\":{n},\"lines\":[{{\"sku\":\"A\",\"n\":1}}]}}"));
        // An event names the new file only.
        bench.try_drain(&[bench.path(&name)]).unwrap();
        bench.wait(1);
    }
    assert!(bench.tickets.len() >= 7, "{}", bench.summary());
}
