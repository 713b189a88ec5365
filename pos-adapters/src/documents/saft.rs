//! SAF-T Cash Register, the Norwegian tax authority's export.

pub(super) mod map;
pub(super) mod parse;
