//! ARTS/OMG POSLog 2.x and 6, with the vendor elements of NCR ACS.

pub(super) mod map;
pub(super) mod parse;
