//! Transactions that others post to the agent.
