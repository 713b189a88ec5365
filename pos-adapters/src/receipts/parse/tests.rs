//! Receipts from made-up streams, as the makers' manuals and real captures have them.

use proptest::prelude::*;

use super::*;
use crate::receipts::receipt::PrintedCode;

#[test]
fn what_is_placed_by_position_stays_apart() {
    let placed = "\x1b@Muffin\x1b$\x5c\x01\x1b\\\x0c\x002\x1b$\u{1}\x02\x1b\\\x30\x00172.80\n";
    let stream: Vec<u8> = placed.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect();
    let receipt = only(Dialect::Escpos, &stream);
    assert_eq!(words(&receipt), [vec!["Muffin", "2", "172.80"]]);
    assert_eq!(receipt.unknown_commands, 0);
}

#[test]
fn bold_letters_of_star_printers_are_not_eaten() {
    let receipt = only(Dialect::Star, b"\x1b@\x1bETOTAL\x1bF \x1bi\x00\x01 9.50\x1bi\x00\x00\n\x1bd\x02");
    assert_eq!(texts(&receipt), ["TOTAL  9.50"]);
    assert!(receipt.rows[0].bold && receipt.rows[0].large);
    let misread = only(Dialect::Escpos, b"\x1b@\x1bETOTAL\x1bF\n");
    assert_eq!(texts(&misread), ["OTAL"]);
    assert_eq!(misread.unknown_commands, 1);
}

#[test]
fn a_cut_ends_a_receipt_and_the_drawer_is_heard() {
    let stream = b"A\n\x1bp\x00\x19\xfa\x1dV\x42\x00B\n\x10\x14\x01\x00\x02\x1bm\x1bp\x01\x19\xfaC\n";
    let receipts = parse(&escpos(), &[stream]);
    let told: Vec<_> = receipts.iter().map(|r| (texts(r).join("/"), r.drawer_pulses, r.ending)).collect();
    let expected = [("A", Ending::Cut), ("B", Ending::Cut), ("C", Ending::Silence)];
    assert_eq!(told, expected.map(|(text, ending)| (text.to_owned(), 1, ending)));
    assert_eq!(receipts[0].bytes, (0, 11));
    assert_eq!(receipts[1].bytes.0, 11);
    assert_eq!(receipts.last().unwrap().bytes.1, u64::try_from(stream.len()).unwrap());
}

#[test]
fn codes_are_kept_with_the_row_above_them() {
    let stream = b"A\n\x1dk\x04T0042\x00\x1dkI\x09{BNo{C\x01\x02\x03\n\
        \x1d(k\x04\x001A2\x00\x1d(k\x08\x001P0r;9.5\x1d(k\x03\x001Q0B\n\x1dV0";
    let receipt = only(Dialect::Escpos, stream);
    let expected = [("code39", "T0042", 1), ("code128", "No010203", 1), ("qr", "r;9.5", 2)];
    let codes = expected.map(|(kind, payload, after_row)| PrintedCode { kind, payload: payload.to_owned(), after_row });
    assert_eq!(receipt.codes, codes);
    let star = only(Dialect::Star, b"A\n\x1bb41400003\x1e\x1b\x1dyD1\x00\x03\x00abc\x1b\x1dyP\x1bd0");
    assert_eq!(
        star.codes.iter().map(|c| (c.kind, c.payload.as_str())).collect::<Vec<_>>(),
        [("code39", "0003"), ("qr", "abc")]
    );
}

#[test]
fn pictures_alone_are_unreadable() {
    let receipt = only(Dialect::Escpos, b"\x1b@\x1b*!\x01\x00abc\n\x1b*!\x01\x00abc\n\x1dV0");
    assert!(receipt.is_unreadable() && receipt.pictures == 1 && receipt.rows.is_empty());
    let star = only(Dialect::Star, b"\x1b*rAb\x03\x00abcb\x03\x00abc\x1b*rB\x1bd0");
    assert!(star.is_unreadable());
    assert!(!only(Dialect::Escpos, b"\x1dv0\x00\x01\x00\x01\x00xA\n\x1dV0").is_unreadable());
}

#[test]
fn upside_down_print_is_turned_round() {
    let receipt = only(Dialect::Escpos, b"\x1b{\x01TOTAL 3.00\nB 2.00\nA 1.00\nSHOP\n\x1dV0");
    assert_eq!(texts(&receipt), ["SHOP", "A 1.00", "B 2.00", "TOTAL 3.00"]);
    let star = only(Dialect::Star, b"top\n\x0f2\n1\n\x12end\n\x1bd0");
    assert_eq!(texts(&star), ["top", "1", "2", "end"]);
}

#[test]
fn page_mode_is_read_from_top_to_bottom() {
    let stream = b"head\n\x1bL\x1dW\x00\x02\x1d$\x60\x00TOTAL\x1b$\x80\x019.50\x1d$\x1e\x00\x1b$\x00\x00Tea\x1b$\x80\x019.50\x0cfoot\n\x1dV0";
    let receipt = only(Dialect::Escpos, stream);
    assert_eq!(words(&receipt), [vec!["head"], vec!["Tea", "9.50"], vec!["TOTAL", "9.50"], vec!["foot"]]);
}

#[test]
fn tabs_go_to_their_stops() {
    assert_eq!(
        texts(&only(Dialect::Escpos, b"A\tB\n\x1bD\x14\x1e\x00A\tB\tC\n")),
        ["A       B", "A                   B         C"]
    );
}

#[test]
fn countries_and_pages_are_as_on_the_printer() {
    let stream = b"\x1bt\x13\xd5 5\n\x1bR\x02Br|tchen~\n\x1bR\x00\x1bt\x01\x96\x1bt\x00\x82\n";
    assert_eq!(texts(&only(Dialect::Escpos, stream)), ["€ 5", "Brötchenß", "│é"]);
    let gbk = Line { code_page: Some("gbk".to_owned()), ..escpos() };
    assert_eq!(texts(&parse(&gbk, &[b"\xc4\xe3", b"\xba\xc3 5\n"])[0]), ["你好 5"]);
    let kanji = only(Dialect::Escpos, b"\x1cC1\x1c&\x93\xfa\x96{\x1c. 5\n\x1cC0\x1c&F|K\\\x1c.\n");
    assert_eq!(texts(&kanji), ["日本 5", "日本"]);
}

#[test]
fn line_ends_of_all_kinds_end_one_line() {
    assert_eq!(texts(&only(Dialect::Escpos, b"A\r\nB\n\rC\rD\r\n\r\nE\n")), ["A", "B", "C", "D", "", "E"]);
    assert_eq!(texts(&only(Dialect::Plain, b"A\r\n\r\nB")), ["A", "B"]);
}

#[test]
fn what_was_not_printed_is_not_read() {
    assert_eq!(texts(&only(Dialect::Escpos, b"A\nin the buffer")), ["A"]);
    assert_eq!(texts(&only(Dialect::Escpos, b"A\nin the buffer\x1b@B\n")), ["A", "B"]);
}

#[test]
fn glued_journal_lines_come_apart() {
    let stream = b"\x1bc0\x01\x1b!\x0001/02/26 10:00:00 102 ST#1     DR#1 TRAN#7\x1bc0\x01\x1b!\x0001/02/26 10:00:00 102 CSH: ANY\x0a\
        \x1bc0\x01\x1b!\x0001/02/26 10:00:09 102 L   GUM   1   0.99 \x0a";
    let rows = only(Dialect::Journal, stream);
    let ends: Vec<&str> = rows.rows.iter().filter_map(|row| row.text.get(22..)).collect();
    assert_eq!(ends, ["ST#1     DR#1 TRAN#7", "CSH: ANY", "L   GUM   1   0.99"]);
    assert_eq!(rows.rows[1].at, 56);
}

#[test]
fn marks_of_a_journal_part_lines_and_tickets() {
    let marks = JournalMarks { delimiter: b"|".to_vec(), start: b"<<".to_vec(), end: b">>".to_vec() };
    let line = Line { dialect: Dialect::Journal, marks, ..Line::default() };
    let receipts = parse(&line, &[b"lost|<<No 1|Tea 2.00|TOTAL 2.00>>noise|<<No 2|Milk 1.00|<<No 3|"]);
    let told: Vec<_> = receipts.iter().map(|r| (texts(r).join("/"), r.ending)).collect();
    let expected = [
        ("lost", Ending::Mark),
        ("<<No 1/Tea 2.00/TOTAL 2.00>>", Ending::Mark),
        ("noise", Ending::Mark),
        ("<<No 2/Milk 1.00", Ending::Mark),
        ("<<No 3", Ending::Silence),
    ];
    assert_eq!(told, expected.map(|(text, ending)| (text.to_owned(), ending)));
}

#[test]
fn an_open_journal_is_drained_row_by_row() {
    let mut parser = Parser::new(&Line { dialect: Dialect::Journal, ..Line::default() }, 100).unwrap();
    let mut done = Vec::new();
    parser.push(b"one\ntw", &mut done);
    let first = parser.drain().unwrap();
    assert_eq!((texts(&first), first.ending, first.bytes), (vec!["one".to_owned()], Ending::Open, (100, 104)));
    assert_eq!(parser.drain(), None);
    parser.push(b"o\n", &mut done);
    let second = parser.drain().unwrap();
    assert_eq!((texts(&second), second.bytes), (vec!["two".to_owned()], (104, 108)));
    assert!(done.is_empty());
}

#[test]
fn damage_stays_with_its_ticket() {
    let mut parser = Parser::new(&escpos(), 0).unwrap();
    let mut done = Vec::new();
    parser.push(b"A\n\x1dV0B\n", &mut done);
    parser.damaged("2 bytes with framing errors");
    parser.push(b"\x1dV0C\n\x1dv0\x00\xff\xff\xff\xffx\x1b@D\n\x1dV0E\n\x1b", &mut done);
    parser.silence(&mut done);
    let told: Vec<_> = done.iter().map(|r| (texts(r).join("/"), r.damage.is_some())).collect();
    let expected = [("A", false), ("B", true), ("C/D", true), ("E", true)];
    assert_eq!(told, expected.map(|(text, damaged)| (text.to_owned(), damaged)));
}

#[test]
fn silence_gives_the_complete_rows() {
    let mut parser = Parser::new(&escpos(), 0).unwrap();
    let mut done = Vec::new();
    parser.push(b"A\nB", &mut done);
    parser.silence(&mut done);
    parser.push(b"C\n", &mut done);
    parser.finish(&mut done);
    let told: Vec<_> = done.iter().map(|r| (texts(r).join("/"), r.ending, r.bytes)).collect();
    assert_eq!(told, [("A".to_owned(), Ending::Silence, (0, 2)), ("BC".to_owned(), Ending::Silence, (2, 5))]);
}

#[test]
fn a_roll_without_cuts_is_given_in_parts() {
    let receipts = parse(&escpos(), &[b"line\n".repeat(4500).as_slice()]);
    let told: Vec<_> = receipts.iter().map(|r| (r.rows.len(), r.ending)).collect();
    assert_eq!(told, [(2000, Ending::Limit), (2000, Ending::Limit), (500, Ending::Silence)]);
}

#[test]
fn long_lines_wrap_only_where_the_paper_is_known() {
    let known = Line { columns: Some(10), ..escpos() };
    assert_eq!(texts(&parse(&known, &[b"0123456789", b"abcdefghijXY\n"])[0]), ["0123456789", "abcdefghij", "XY"]);
    assert_eq!(texts(&only(Dialect::Escpos, &[b"x".repeat(99), b"\n".to_vec()].concat())), ["x".repeat(99)]);
}

#[test]
fn settings_that_cannot_be_are_refused() {
    assert!(Parser::new(&Line { code_page: Some("cp9".to_owned()), ..escpos() }, 0).is_err());
    let marks = JournalMarks { end: vec![b'x'; MARK_BYTES_MAX + 1], ..JournalMarks::default() };
    assert!(Parser::new(&Line { marks, ..escpos() }, 0).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn no_cut_of_a_capture_changes_its_receipts(
        stream in stream(),
        cuts in proptest::collection::vec(1_usize..7, 1..30),
        columns in proptest::option::of(5_u16..12),
    ) {
        let marks = JournalMarks { delimiter: b"|".to_vec(), start: b"\x1b@".to_vec(), end: b"aa".to_vec() };
        let marked = Line { dialect: Dialect::Journal, marks, ..Line::default() };
        let plain = [Dialect::Escpos, Dialect::Star, Dialect::Journal, Dialect::Plain];
        for line in plain.map(|dialect| Line { dialect, columns, ..Line::default() }).iter().chain([&marked]) {
            let whole = parse(line, &[&stream]);
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
            prop_assert_eq!(&parse(line, &pieces), &whole);
        }
    }
}

fn stream() -> impl Strategy<Value = Vec<u8>> {
    let command = |bytes: &'static [u8]| Just(bytes.to_vec());
    let part = prop_oneof![
        "[a-c| ]{0,12}".prop_map(String::into_bytes),
        prop_oneof![
            command(b"\n"),
            command(b"\r\n"),
            command(b"\r"),
            command(b"\t"),
            command(b"\x0c"),
            command(b"\x1b@"),
            command(b"\x1b$\x30\x00"),
            command(b"\x1b\\\xe8\xff"),
            command(b"\x1dV0"),
            command(b"\x1bd\x03"),
            command(b"\x1bL"),
            command(b"\x1bS"),
            command(b"\x1d$\x10\x00"),
            command(b"\x1b{\x01"),
            command(b"\x1b{\x00"),
            command(b"\x1d!\x11"),
            command(b"\x1c&"),
            command(b"\x1c."),
            command(b"\x1dk\x04AB\x00"),
            command(b"\x1bc0\x01"),
            command(b"\x1b\x1dA\x30\x00"),
            command(b"\x1bi\x01\x01"),
            command(b"\x1d8L\xff\xff\xff\xff"),
            command(b"\x1ba\x01"),
        ],
        proptest::collection::vec(any::<u8>(), 0..5),
    ];
    proptest::collection::vec(part, 0..16).prop_map(|parts| parts.concat())
}

fn escpos() -> Line {
    Line::default()
}

fn parse(line: &Line, pieces: &[&[u8]]) -> Vec<Receipt> {
    let mut parser = Parser::new(line, 0).unwrap();
    let mut done = Vec::new();
    for piece in pieces {
        parser.push(piece, &mut done);
    }
    parser.finish(&mut done);
    done
}

fn only(dialect: Dialect, stream: &[u8]) -> Receipt {
    let mut receipts = parse(&Line { dialect, ..Line::default() }, &[stream]);
    assert_eq!(receipts.len(), 1, "{receipts:?}");
    receipts.remove(0)
}

fn texts(receipt: &Receipt) -> Vec<String> {
    receipt.rows.iter().map(|row| row.text.clone()).collect()
}

fn words(receipt: &Receipt) -> Vec<Vec<&str>> {
    receipt.rows.iter().map(|row| row.text.split_whitespace().collect()).collect()
}
