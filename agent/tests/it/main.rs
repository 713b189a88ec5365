//! The agent against its surroundings, one module per subject.

mod lanes;
mod online;
mod platforms;
mod real_shops;
