//! The ready-made profiles, by name.

use super::profile::Profile;

/// All of them.
pub const PROFILES: &[&Profile] = &[];

/// The profile of this name.
#[must_use]
pub fn by_name(name: &str) -> Option<&'static Profile> {
    PROFILES.iter().copied().find(|profile| profile.name == name)
}
