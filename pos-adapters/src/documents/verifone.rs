//! Verifone Commander transaction sets (`transSet`, one for each closed period).

pub(super) mod map;
pub(super) mod parse;
