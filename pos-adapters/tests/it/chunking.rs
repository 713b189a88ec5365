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
