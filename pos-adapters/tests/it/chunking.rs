//! However a journal grows, it reads the same (invariant 1).

use proptest::prelude::*;

use crate::support::{Bench, PLAIN};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_way_of_appending_gives_the_same_tickets(
        rows in prop::collection::vec((0_u8..6, 0_u8..4, 1_u8..9, any::<bool>()), 1..40),
        cuts in prop::collection::vec(1_usize..30, 1..40),
        restarts in any::<u32>(),
    ) {
        let mut content = String::from("t,sku,qty,note\r\n");
        for (ticket, sku, quantity, broken) in &rows {
            let note = if *broken { "\"two\r\nlines, \"\"é\"\"\"" } else { "é" };
            content.push_str(&format!("T{ticket},S{sku},{quantity},{note}\r\n"));
        }
        let mut whole = Bench::new("s.csv", PLAIN);
        whole.write("s.csv", &content);
        whole.drain();

        let mut pieces = Bench::new("s.csv", PLAIN);
        let mut rest = content.as_bytes();
        for (at, cut) in cuts.iter().chain(std::iter::repeat(&17)).enumerate() {
            let (piece, left) = rest.split_at((*cut).min(rest.len()));
            pieces.append("s.csv", piece);
            pieces.drain();
            if restarts & (1 << (at % 32)) != 0 {
                pieces.restart();
            }
            rest = left;
            if rest.is_empty() {
                break;
            }
        }
        pieces.drain();
        prop_assert_eq!(pieces.summary(), whole.summary());
        prop_assert!(pieces.quarantined.is_empty() && whole.quarantined.is_empty());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn rotation_between_any_two_writes_loses_and_doubles_nothing(
        rows in prop::collection::vec((0_u8..200, 1_u8..9), 2..40),
        rotations in any::<u64>(),
        looks in any::<u64>(),
        by_copy in any::<bool>(),
    ) {
        let mut bench = Bench::new("s*.csv", PLAIN);
        let mut expected = std::collections::BTreeMap::<String, Vec<String>>::new();
        let head = "t,sku,qty\n";
        bench.write("s.csv", head);
        for (at, (sku, quantity)) in rows.iter().enumerate() {
            // Tickets of two lines each, so that some rotations fall into one.
            let ticket = format!("T{}", at / 2);
            bench.append("s.csv", format!("{ticket},S{sku},{quantity}\n"));
            expected.entry(ticket).or_default().push(format!("S{sku} -{quantity}"));
            let rotate = rotations & (1 << (at % 64)) != 0;
            // The reader is at work between two rotations, as it is in a store.
            if rotate || looks & (1 << (at % 64)) != 0 {
                bench.drain();
            }
            if rotate {
                let old = format!("s-{at:03}.csv");
                if by_copy {
                    std::fs::copy(bench.path("s.csv"), bench.path(&old)).unwrap();
                } else {
                    bench.rename("s.csv", &old);
                }
                bench.write("s.csv", head);
                bench.drain();
            }
        }
        bench.drain();
        bench.restart();
        bench.drain();
        let read: std::collections::BTreeMap<_, _> =
            bench.tickets.iter().map(|(key, ticket)| (key.clone(), ticket.lines.clone())).collect();
        prop_assert_eq!(read, expected);
    }
}
