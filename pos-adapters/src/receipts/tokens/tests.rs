//! Tokenizers: lengths, recovery, and that no cut of a stream changes its tokens.

use proptest::prelude::*;

use super::*;

const STAR: Grammar = Grammar::Star { raster: false };

/// A token that can be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Kept {
    Text(String),
    Control(u8),
    Command(Vec<u8>),
    Unknown(Vec<u8>),
    Lost(Loss),
}

#[test]
fn parameters_are_never_text() {
    check(Grammar::Escpos, b"\x1b@A\x1b!\x30B\x1d!\x11C\x1b$\x41\x42D\x1c-0E\x1cC1F\x1bp\x30\x3c\x78G", "ABCDEFG");
    check(Grammar::Escpos, b"\x1bc0\x01\x1b!\x00A\x10\x04\x01B\x10\x04\x07\x01C\x10\x14\x01\x00\x01D", "ABCD");
    check(
        Grammar::Escpos,
        b"\x1b*!\x02\x00abcdefA\x1bD\x08\x10\x00B\x1dV\x41\x03C\x1dV0D\x1b(A\x02\x000\x00E",
        "ABCDE",
    );
    check(Grammar::Escpos, b"\x1b&\x03AB\x02abcdef\x01ghiA\x1cq\x01\x01\x00\x01\x0012345678B\x1dC;1;2;3;4;5;C", "ABC");
    check(Grammar::Escpos, b"\x1dv0\x00\x02\x00\x02\x00abcdA\x1d8L\x03\x00\x00\x000p0B\x1d*\x01\x0112345678C", "ABC");
    check(Grammar::Escpos, b"\x1dk\x04CODE\x00A\x1dkE\x040003B\x1d(k\x03\x001Q0C\x1cg1\0\0\0\0\0\x02\0xyD", "ABCD");
    check(
        STAR,
        b"\x1b@\x1bETOTAL\x1bF\x1bi\x01\x01A\x1b\x1dA\x41\x41B\x1b\x1dt\x01C\x1bd3D\x1b\x1ea0E\x1b-1F",
        "TOTALABCDEF",
    );
    check(
        STAR,
        b"\x1bk\x01\x00abcdefghijklmnopqrstuvwxA\x1bb41400003\x1eB\x1b\x1dyD1\x00\x03\x00abcC\x1bC\x00\x05D",
        "ABCD",
    );
}

#[test]
fn star_raster_rows_are_no_text() {
    check(STAR, b"\x1b*rA\x1b*rP0\x00b\x03\x00abck\x02\x00xy\x1b*rBtext b and k", "text b and k");
}

#[test]
fn the_other_dialect_shows_as_unknown_commands() {
    let star = b"\x1b\x1ea\x00\x1bF\x1b5\x1bi\x00\x00\x1b\x1dA\x00\x00\x1bl\x00";
    assert_eq!(unknown(&tokens(STAR, &[star])), 0);
    assert!(unknown(&tokens(Grammar::Escpos, &[star])) >= 4);
}

#[test]
fn what_begins_in_an_unknown_command_is_read() {
    check(
        Grammar::Escpos,
        b"\x1b\x1b@A\x1b\nB\x1dk\x04AB\nC\x1b\x01\x1dV0D",
        "A\nBAB\nCD".replace("AB\n", "\n").as_str(),
    );
}

#[test]
fn an_impossible_length_is_passed_over_up_to_the_next_reset() {
    let mut stream = b"A\x1d8L\xff\xff\xff\x7f".to_vec();
    stream.extend([b'x'; 500]);
    stream.extend(b"\x1b\x1b@B");
    let found = tokens(Grammar::Escpos, &[&stream]);
    assert_eq!(text(&found), "AB");
    assert!(found.contains(&Kept::Lost(Loss::Length)));
}

#[test]
fn a_stream_without_resets_is_read_again_after_a_while() {
    let mut stream = b"\x1b(A\xff\xff".to_vec();
    stream.extend(vec![b'x'; 65_535]);
    stream.extend(b"A\x1d8L\xff\xff\xff\x7f");
    stream.extend(vec![b'x'; usize::try_from(LOST_BYTES_MAX).unwrap()]);
    stream.extend(b"B");
    assert_eq!(text(&tokens(Grammar::Escpos, &[&stream])), "AB");
}

#[test]
fn silence_in_a_command_gives_it_up() {
    let mut tokenizer = Tokenizer::new(Grammar::Escpos, 0);
    let mut found = Vec::new();
    tokenizer.push(b"A\x1dv0\x00\x10\x00\x10\x00abc", &mut |token, _| found.push(keep(token)));
    tokenizer.silence(&mut |token, _| found.push(keep(token)));
    tokenizer.push(b"B", &mut |token, _| found.push(keep(token)));
    assert_eq!(found, [Kept::Text("A".into()), Kept::Lost(Loss::Silence), Kept::Text("B".into())]);
}

#[test]
fn a_picture_is_not_held_in_memory() {
    let mut tokenizer = Tokenizer::new(Grammar::Escpos, 0);
    tokenizer.push(b"\x1dv0\x00\x48\x00\x00\x20", &mut |_, _| {});
    for _ in 0..72 {
        tokenizer.push(&[0x55; 8192], &mut |_, _| {});
        assert!(tokenizer.held.capacity() <= 2 * HELD_BYTES_MAX);
    }
    let mut after = Vec::new();
    tokenizer.push(b"A", &mut |token, span| after.push((keep(token), span)));
    assert_eq!(after, [(Kept::Text("A".into()), (8 + 72 * 8192, 9 + 72 * 8192))]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_cut_of_a_stream_changes_its_tokens(stream in stream(), cuts in proptest::collection::vec(1_usize..9, 1..40)) {
        for grammar in [Grammar::Escpos, STAR] {
            let whole = tokens(grammar, &[&stream]);
            let mut pieces = Vec::new();
            let mut rest = stream.as_slice();
            for cut in cuts.iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                let (piece, later) = rest.split_at((*cut).min(rest.len()));
                pieces.push(piece);
                rest = later;
            }
            prop_assert_eq!(&tokens(grammar, &pieces), &whole);
        }
    }

    #[test]
    fn places_follow_each_other_without_a_gap(stream in stream()) {
        let mut tokenizer = Tokenizer::new(Grammar::Escpos, 7);
        let mut end = 7;
        let mut lost = false;
        tokenizer.push(&stream, &mut |token, (from, to)| {
            let after_loss = std::mem::replace(&mut lost, matches!(token, Token::Lost(_)));
            assert!(after_loss || from == end, "{token:?} at {from}, not {end}");
            assert!(to > from);
            end = to;
        });
        prop_assert_eq!(tokenizer.position(), 7 + u64::try_from(stream.len()).unwrap());
    }
}

/// Bytes as a till might send them: commands, text and noise.
fn stream() -> impl Strategy<Value = Vec<u8>> {
    let part = prop_oneof![
        "[ -~]{0,12}".prop_map(String::into_bytes),
        (prop_oneof![Just(ESC), Just(GS), Just(FS), Just(DLE)], proptest::collection::vec(any::<u8>(), 1..8))
            .prop_map(|(prefix, rest)| std::iter::once(prefix).chain(rest).collect()),
        prop_oneof![
            Just(b"\x1dk\x04CODE\x00".to_vec()),
            Just(b"\x1dv0\x00\x02\x00\x02\x00abcd".to_vec()),
            Just(b"\x1b&\x03AB\x02abcdef\x01ghi".to_vec()),
            Just(b"\x1cq\x01\x01\x00\x01\x0012345678".to_vec()),
            Just(b"\x1d(k\x05\x001P0Hi".to_vec()),
            Just(b"\x1d8L\xff\xff\xff\x7f".to_vec()),
            Just(b"\x1b*rAb\x02\x00xy\x1b*rB".to_vec()),
            Just(b"\x1b@".to_vec()),
            Just(b"\r\n".to_vec()),
        ],
        proptest::collection::vec(any::<u8>(), 0..6),
    ];
    proptest::collection::vec(part, 0..12).prop_map(|parts| parts.concat())
}

fn check(grammar: Grammar, stream: &[u8], expected: &str) {
    let found = tokens(grammar, &[stream]);
    assert_eq!(text(&found), expected, "{found:?}");
    let pieces: Vec<&[u8]> = stream.chunks(1).collect();
    assert_eq!(tokens(grammar, &pieces), found);
}

fn tokens(grammar: Grammar, pieces: &[&[u8]]) -> Vec<Kept> {
    let mut tokenizer = Tokenizer::new(grammar, 0);
    let mut found: Vec<Kept> = Vec::new();
    for piece in pieces {
        tokenizer.push(piece, &mut |token, _| match (found.last_mut(), keep(token)) {
            (Some(Kept::Text(run)), Kept::Text(more)) => run.push_str(&more),
            (_, kept) => found.push(kept),
        });
    }
    found
}

fn keep(token: Token<'_>) -> Kept {
    match token {
        Token::Text(bytes) => Kept::Text(bytes.iter().map(|byte| char::from(*byte)).collect()),
        Token::Control(byte) => Kept::Control(byte),
        Token::Command(bytes) => Kept::Command(bytes.to_vec()),
        Token::Unknown(bytes) => Kept::Unknown(bytes.to_vec()),
        Token::Lost(loss) => Kept::Lost(loss),
    }
}

fn text(found: &[Kept]) -> String {
    let of = |kept: &Kept| match kept {
        Kept::Text(text) => text.clone(),
        Kept::Control(LF) => "\n".to_owned(),
        Kept::Control(_) | Kept::Command(_) | Kept::Unknown(_) | Kept::Lost(_) => String::new(),
    };
    found.iter().map(of).collect()
}

fn unknown(found: &[Kept]) -> usize {
    found.iter().filter(|kept| matches!(kept, Kept::Unknown(_))).count()
}
