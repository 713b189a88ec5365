//! Online orders and lists of values on a real writer: what goes to which shop, and that it is counted once.

#![expect(clippy::unwrap_used, clippy::unwrap_in_result, reason = "a helper that cannot do its work fails the test")]

mod bench;
mod orders;
mod values;
