//! Documents cut into pieces, broken, hostile and very large.

use proptest::prelude::*;

use super::*;

/// Writes down what it is given.
#[derive(Default)]
struct Log {
    seen: Vec<String>,
    remembered: usize,
}

impl Sink for Log {
    fn root(&mut self, name: &str) -> Result<(), String> {
        if name == "Log" { Ok(()) } else { Err(format!("is no log but `{name}`")) }
    }
    fn is_record(&self, name: &str) -> bool {
        name == "T"
    }
    fn open(&mut self, name: &str, attributes: &str) {
        self.seen.push(format!("<{name} {}", attributes.trim()));
    }
    fn close(&mut self, name: &str, text: &str) {
        self.seen.push(format!("{text}>{name}"));
    }
    fn remember(&mut self) {
        self.remembered += 1;
    }
    fn record(&mut self, record: &[u8], _: u64) {
        self.seen.push(String::from_utf8_lossy(record).into_owned());
    }
    fn broken(&mut self, raw: &[u8], _: u64, reason: &str) {
        let shown = raw.len().min(20);
        self.seen.push(format!("! {reason}: {}", String::from_utf8_lossy(&raw[..shown])));
    }
}

fn read(document: &[u8], piece: usize) -> (Vec<String>, Result<End, Fault>) {
    let (mut log, mut splitter) = (Log::default(), Splitter::new());
    let mut end = Ok(());
    for piece in document.chunks(piece) {
        end = splitter.push(piece, &mut log);
    }
    let end = end.and_then(|()| splitter.finish(&mut log));
    (log.seen, end)
}

fn check(document: &str, expected: &[&str], end: End) {
    for piece in [1, 2, 3, 7, 1000] {
        let (seen, ended) = read(document.as_bytes(), piece);
        assert_eq!((seen.as_slice(), ended), (expected.map_owned().as_slice(), Ok(end)), "pieces of {piece}");
    }
}

trait MapOwned {
    fn map_owned(&self) -> Vec<String>;
}

impl MapOwned for [&str] {
    fn map_owned(&self) -> Vec<String> {
        self.iter().map(|text| (*text).to_owned()).collect()
    }
}

#[test]
fn transactions_are_handed_on_whole_and_what_stands_around_them_in_order() {
    check(
        "<?xml version='1.0'?><!-- <T/> --><a:Log x='>'><S> 7 </S><a:T n=\"</T>\"><b/><![CDATA[</a:T>]]><!--</a:T>--></a:T><T/></a:Log>\n",
        &["<Log x='>'", "<S ", "7>S", "<a:T n=\"</T>\"><b/><![CDATA[</a:T>]]><!--</a:T>--></a:T>", "<T/>", ">Log"],
        End::Closed,
    );
}

#[test]
fn a_transaction_cut_off_by_the_next_one_costs_itself_only() {
    check(
        "<Log><T>1</T><T><x>2<T>3</T></x></Log>",
        &[
            "<Log ",
            "<T>1</T>",
            "! the transaction does not end before the next one begins: <T><x>2",
            "<T>3</T>",
            ">Log",
        ],
        End::Closed,
    );
    check(
        "<Log><T>1</T><T><x a=<T>3</T></Log>",
        &["<Log ", "<T>1</T>", "! the transaction ends in the middle of a tag: <T><x a=", "<T>3</T>", ">Log"],
        End::Closed,
    );
}

#[test]
fn an_unfinished_document_keeps_what_is_whole() {
    check("<Log><T>1</T><T><x>2", &["<Log ", "<T>1</T>"], End::Within);
    check("<Log><T>1</T>\n", &["<Log ", "<T>1</T>"], End::Open);
    check("<Log><T>1</T>\0\0\0\0", &["<Log ", "<T>1</T>"], End::Open);
    check(" \n", &[], End::Empty);
    check("<Log></Log><?xml version='1.0'?><Log><T/></Log>", &["<Log ", ">Log", "<Log ", "<T/>", ">Log"], End::Closed);
}

#[test]
fn what_is_no_document_of_the_kind_is_refused() {
    for (document, reason) in [
        ("<html><T/></html>", "is no log but `html`"),
        ("a,b\n1,2\n", "is no XML"),
        ("<Log></Lag>", "closes `Log` by another name"),
        ("<!DOCTYPE Log SYSTEM \"file:///etc/passwd\"><Log><T/></Log>", "document type declaration"),
        ("<!DOCTYPE l [<!ENTITY a \"b\"><!ENTITY c \"&a;&a;\">]><Log>&c;</Log>", "document type declaration"),
        ("<Log><T/><!ENTITY a 'b'></Log>", "document type declaration"),
        ("<?xml version='1.0' encoding='klingon'?><Log/>", "encoding `klingon`"),
        ("<Log>< ></Log>", "tag without name"),
    ] {
        for piece in [1, 1000] {
            let fault = read(document.as_bytes(), piece).1.unwrap_err();
            assert!(fault.reason.contains(reason), "{document}: {}", fault.reason);
        }
    }
}

#[test]
fn encodings_are_told_by_mark_and_declaration() {
    let text = "<Log><S>Grünkohl €</S><T>ß</T></Log>";
    let utf16 = |units: fn(u16) -> [u8; 2], mark: bool| {
        let mark = mark.then_some(0xfeff);
        mark.into_iter().chain(text.encode_utf16()).flat_map(units).collect::<Vec<u8>>()
    };
    let marked = [b"\xef\xbb\xbf".as_slice(), text.as_bytes()].concat();
    let declared = format!("<?xml version='1.0' encoding=\"windows-1252\"?>{text}");
    let declared = encoding_rs::WINDOWS_1252.encode(&declared).0.into_owned();
    let wrong = format!("<?xml version='1.0' encoding=\"utf-16\"?>{text}").into_bytes();
    let expected = ["<Log ", "<S ", "Grünkohl €>S", "<T>ß</T>", ">Log"].map_owned();
    for document in [
        text.as_bytes().to_vec(),
        marked,
        utf16(u16::to_le_bytes, true),
        utf16(u16::to_be_bytes, true),
        utf16(u16::to_le_bytes, false),
        utf16(u16::to_be_bytes, false),
        declared,
        wrong,
    ] {
        for piece in [1, 3, 1000] {
            assert_eq!(read(&document, piece), (expected.clone(), Ok(End::Closed)), "{:?}", &document[..8]);
        }
    }
}

#[test]
fn reading_goes_on_behind_the_last_transaction() {
    let start = "\u{feff}<Log><S>7</S><T>1</T>";
    let mut log = Log::default();
    let mut splitter = Splitter::new();
    splitter.push(format!("{start}<U></Log>").replace("<U>", "").as_bytes(), &mut log).unwrap();
    let mark = splitter.mark().unwrap();
    assert_eq!(mark, Mark { offset: to_u64(start.len()), stack: vec!["Log".to_owned()] });
    assert_eq!(log.remembered, 1);
    let mut log = Log::default();
    let mut splitter = Splitter::resume(mark);
    splitter.push(b"<T>2</T></Log>", &mut log).unwrap();
    assert_eq!(splitter.finish(&mut log), Ok(End::Closed));
    assert_eq!(log.seen, ["<T>2</T>", ">Log"]);
}

/// 100 MB of one thing, on one line.
fn flood(start: &str, filling: &str) -> (Vec<String>, Option<Fault>, usize) {
    let (mut log, mut splitter) = (Log::default(), Splitter::new());
    let piece = filling.repeat(64 * 1024 / filling.len());
    let mut fault = splitter.push(start.as_bytes(), &mut log).err();
    let mut held = 0;
    for _ in 0..(100 * 1024 * 1024 / piece.len()) {
        if fault.is_some() {
            break;
        }
        fault = splitter.push(piece.as_bytes(), &mut log).err();
        held = held.max(splitter.held());
    }
    (log.seen, fault, held)
}

#[test]
fn a_hundred_megabytes_on_one_line_stay_within_bounded_memory() {
    let large = 3 * RECORD_BYTES_MAX;
    for start in ["<Log>", "<Log><T>", "<Log><!--", "<Log><![CDATA[", "<Log><T><!--"] {
        let (seen, fault, held) = flood(start, "x");
        assert!(held < large && fault.is_none(), "{start} held {held}");
        assert_eq!(seen.iter().any(|text| text.contains("larger than")), start.contains("<T>"), "{start}: {seen:?}");
    }
    for (start, filling) in [("<Log><T x='", "y"), ("<Log ", "y"), ("<Log><", "y"), ("<Log>", "<a>")] {
        let (_, fault, held) = flood(start, filling);
        assert!(held < 4 * TAG_BYTES_MAX && fault.is_some(), "{start} held {held}");
    }
}

proptest! {
    #[test]
    fn the_size_of_the_pieces_does_not_matter(
        parts in prop::collection::vec(prop::sample::select(vec![
            "<Log>", "</Log>", "<T>", "</T>", "<T/>", "<a b='>'>", "</a>", "<!--", "-->", "<![CDATA[", "]]>", "x", "&amp;", "<",
            ">", "'", "é", "<?p", "?>", " ", "<S>", "</S>",
        ]), 0..30),
        piece in 1_usize..6,
    ) {
        let document = format!("<Log>{}", parts.concat());
        prop_assert_eq!(read(document.as_bytes(), piece), read(document.as_bytes(), 10_000));
    }
}
