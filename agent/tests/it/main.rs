//! The agent against its surroundings, one module per subject.

mod counts;
mod lanes;
mod online;
mod platforms;
mod real_shops;
