//! Transactions that others post to the agent.

pub mod settings;

pub use settings::PushedSettings;
