//! Memo files of dBase III (`.dbt`, 512-byte blocks ended by two 0x1A), dBase IV (`.dbt` with lengths) and FoxPro (`.fpt`).
//! Pure. A memo that is not there yet is nothing: the table is written before its memo.

use std::path::Path;

/// Longest memo that is read; notes of tickets are short.
const MEMO_BYTES_MAX: usize = 16 * 1024;

#[derive(Debug)]
pub(super) struct Memo<'b> {
    bytes: &'b [u8],
    fox: bool,
    block: usize,
}

impl<'b> Memo<'b> {
    pub(super) fn new(path: &Path, bytes: &'b [u8]) -> Self {
        let fox = path.extension().is_some_and(|end| end.eq_ignore_ascii_case("fpt"));
        let written = if fox { number(bytes, 6, 2, true) } else { number(bytes, 20, 2, false) };
        // Block size 0 is 512 in dBase III, and single bytes in FoxPro.
        let block = match written {
            0 if fox => 1,
            0 => 512,
            size => size,
        };
        Self { bytes, fox, block }
    }

    /// The text of the memo at a block; `None` for block 0 and what the file does not hold.
    pub(super) fn text(&self, block: usize) -> Option<&'b [u8]> {
        let at = block.checked_mul(self.block).filter(|at| *at > 0)?;
        let rest = self.bytes.get(at..)?;
        if self.fox {
            let length = number(rest, 4, 4, true).min(MEMO_BYTES_MAX);
            return rest.get(8..8_usize.checked_add(length)?);
        }
        if rest.starts_with(&[0xFF, 0xFF, 0x08, 0x00]) {
            let length = number(rest, 4, 4, false).checked_sub(8)?.min(MEMO_BYTES_MAX);
            return rest.get(8..8_usize.checked_add(length)?);
        }
        let rest = rest.get(..rest.len().min(MEMO_BYTES_MAX))?;
        let end = rest.iter().position(|byte| *byte == 0x1A).unwrap_or(rest.len());
        rest.get(..end)
    }
}

fn number(bytes: &[u8], at: usize, length: usize, big_endian: bool) -> usize {
    let bytes = bytes.get(at..at.saturating_add(length)).unwrap_or_default();
    let fold = |value: usize, byte: &u8| (value << 8) | usize::from(*byte);
    if big_endian { bytes.iter().fold(0, fold) } else { bytes.iter().rev().fold(0, fold) }
}
