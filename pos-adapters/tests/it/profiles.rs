//! The ready-made profiles on schemas written from the documented table and column names, with made-up data that shows
//! each POS's traps.

mod grants;
