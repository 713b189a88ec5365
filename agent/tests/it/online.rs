//! Online orders and lists of values on a real writer: what goes to which shop, and that it is counted once.

mod bench;
mod orders;
mod values;
