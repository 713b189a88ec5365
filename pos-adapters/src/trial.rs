//! Every pure parser behind one function each, for fuzzing, for hostile-input tests and for measuring.
//!
//! A parser reads `data` cut into pieces of `piece` bytes and tells what it found. Owns no rules: each function calls
//! its family's parser the way that family's reader does.

/// What a parser found in its input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Transactions given.
    pub transactions: u64,
    /// Lines of those.
    pub lines: u64,
    /// Records that could not be read.
    pub quarantined: u64,
}

/// A parser under trial: the whole input, and how many bytes it gets at a time.
pub type Trial = fn(data: &[u8], piece: usize) -> Tally;

/// All parsers by name. Each family adds its own below its own comment.
pub const TRIALS: &[(&str, Trial)] = &[
    // receipts: tokenizers
    // receipts: templates
    // documents
    ("poslog", crate::documents::trial::poslog),
    ("naxml", crate::documents::trial::naxml),
    ("verifone", crate::documents::trial::verifone),
    ("dsfinvk", crate::documents::trial::dsfinvk),
    ("saft", crate::documents::trial::saft),
    // tables
    // database
    // pushed
    // file
];
