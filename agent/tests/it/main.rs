//! The agent against its surroundings, one module per subject.

mod lanes;
mod platforms;
mod real_shops;
