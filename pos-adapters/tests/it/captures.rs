//! Real captures, which stand beside the project and are not part of it: where they are, and how to read them.

use std::path::PathBuf;

/// The bytes of a capture; `None`, with a message, where there are none.
#[expect(clippy::print_stdout, reason = "a test that proves nothing has to say so")]
pub(crate) fn sample(name: &str) -> Option<Vec<u8>> {
    let beside = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/samples");
    let folder = std::env::var_os("TILLSYNC_SAMPLES").map_or(beside, PathBuf::from);
    let read = std::fs::read(folder.join(name)).ok();
    if read.is_none() {
        println!("skipped: no sample {name} in {} (set TILLSYNC_SAMPLES)", folder.display());
    }
    read
}

/// One read of a serial line.
pub(crate) struct Arrival {
    /// As logged, UTC.
    pub(crate) at: String,
    pub(crate) port: String,
    pub(crate) bytes: Vec<u8>,
}

/// Reads a log of lines `[arrival UTC] [port] [hex] [text]`; others are comments.
pub(crate) fn arrivals(log: &[u8]) -> Vec<Arrival> {
    let log = String::from_utf8_lossy(log);
    let parts = |line: &str| {
        let mut fields = line.strip_prefix('[')?.splitn(4, "] [").map(str::to_owned);
        let (at, port, hex) = (fields.next()?, fields.next()?, fields.next()?);
        let bytes = hex.split(' ').map(|byte| u8::from_str_radix(byte, 16).ok()).collect::<Option<Vec<u8>>>()?;
        Some(Arrival { at, port, bytes })
    };
    log.lines().filter_map(parts).collect()
}

/// Reads a dump of hexadecimal bytes with blanks and line breaks between them.
pub(crate) fn hex_dump(dump: &[u8]) -> Vec<u8> {
    let dump = String::from_utf8_lossy(dump);
    dump.split_whitespace().map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect()
}
