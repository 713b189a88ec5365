//! NAXML POSJournal 3.x, the journal of convenience stores (Gilbarco Passport and others).

pub(super) mod map;
pub(super) mod parse;
