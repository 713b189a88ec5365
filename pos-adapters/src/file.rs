//! Sales that a POS writes to files: CSV, JSON lines and JSON, appended to, exported whole, or one file a ticket.
//!
//! ```text
//! scan -> journals (which file is which) -> journal (next block) -+
//!      -> wholes   (what has settled)    -> run    (whole file)  -+-> frame -> decode -> csv | json -> interpret -> tickets
//! ```
//! Everything right of the readers is pure. No file is written, locked or kept open between two polls
//! (invariant 10); all of it works from scans alone, file events only make it faster.

mod block;
mod cells;
pub(crate) mod csv;
mod cursor;
pub(crate) mod decode;
mod frame;
pub(crate) mod glob;
mod interpret;
mod journal;
mod journals;
mod json;
pub(crate) mod plan;
mod presets;
mod reader;
mod run;
pub(crate) mod scan;
pub(crate) mod scrub;
pub mod settings;
pub(crate) mod trial;
pub(crate) mod value;
mod whole;

pub use reader::FileSource;
pub use settings::{FileSettings, SettingFault};
