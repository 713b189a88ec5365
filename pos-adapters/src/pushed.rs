//! Sales that others post to the agent: a POS that can push, a cloud POS's webhook, or the Tillsync of another till.
//!
//! ```text
//! request (agent's listener) -> Door: key, rate, signature -> parse -> map -> scope -> Delivery
//!   -> Inbox (bounded) -> reader: remembered ids and revisions -> Chunk + StoredSignal -> commit -> answer
//! ```
//! Everything but the inbox and the reader is pure. A request is answered with success only after the commit that
//! holds its sales; whatever happens before, the same request may come again and changes nothing that is stored
//! already (invariant 1). Nothing of a request whose signature is wrong is kept.

mod budget;
mod door;
mod inbox;
pub mod map;
mod memory;
pub mod parse;
mod plan;
mod reader;
pub mod settings;
pub mod signature;
pub(crate) mod trial;

pub use door::{Admitted, Door, DoorCounts, Headers, Refused};
pub use inbox::{Delivery, Full, Inbox, Revised, Told};
pub use plan::{Certificate, Key, Plan};
pub use reader::PushedSource;
pub use settings::PushedSettings;
