//! The ready-made profiles, by name, and the rights that each needs.
//!
//! Each profile says what it cannot see. Its tables and columns are the ones of the vendor's documentation and of public
//! code that works on them; `check --online` compares them with the database in front of it.

use super::engine::Dialect;
use super::profile::Profile;

mod aronium;
mod counterpoint;
mod erpnext;
mod floreant;
mod odoo;
mod rms;
mod sambapos;
mod unicenta;

/// All of them.
pub const PROFILES: &[&Profile] = &[
    &unicenta::UNICENTA,
    &unicenta::UNICENTA_TICKETS,
    &unicenta::CHROMIS,
    &unicenta::OPENBRAVO,
    &floreant::FLOREANT,
    &odoo::ODOO,
    &odoo::ODOO_KITS,
    &erpnext::ERPNEXT,
    &rms::DYNAMICS_RMS,
    &counterpoint::COUNTERPOINT,
    &aronium::ARONIUM,
    &sambapos::SAMBAPOS,
];

/// Scripts that make a login with exactly the rights of a profile, for each database that the POS comes with.
const GRANTS: &[(&str, Dialect, &str)] = &[
    ("unicenta", Dialect::Mysql, include_str!("profiles/grants/unicenta.mysql.sql")),
    ("unicenta", Dialect::Postgres, include_str!("profiles/grants/unicenta.postgres.sql")),
    ("unicenta-tickets", Dialect::Mysql, include_str!("profiles/grants/unicenta-tickets.mysql.sql")),
    ("unicenta-tickets", Dialect::Postgres, include_str!("profiles/grants/unicenta-tickets.postgres.sql")),
    ("chromis", Dialect::Mysql, include_str!("profiles/grants/chromis.mysql.sql")),
    ("chromis", Dialect::Postgres, include_str!("profiles/grants/chromis.postgres.sql")),
    ("openbravo", Dialect::Mysql, include_str!("profiles/grants/openbravo.mysql.sql")),
    ("openbravo", Dialect::Postgres, include_str!("profiles/grants/openbravo.postgres.sql")),
    ("openbravo", Dialect::Firebird, include_str!("profiles/grants/openbravo.firebird.sql")),
    ("floreant", Dialect::Mysql, include_str!("profiles/grants/floreant.mysql.sql")),
    ("floreant", Dialect::Postgres, include_str!("profiles/grants/floreant.postgres.sql")),
    ("odoo-pos", Dialect::Postgres, include_str!("profiles/grants/odoo-pos.postgres.sql")),
    ("odoo-pos-kits", Dialect::Postgres, include_str!("profiles/grants/odoo-pos-kits.postgres.sql")),
    ("erpnext-pos", Dialect::Mysql, include_str!("profiles/grants/erpnext-pos.mysql.sql")),
    ("dynamics-rms", Dialect::Mssql, include_str!("profiles/grants/dynamics-rms.mssql.sql")),
    ("ncr-counterpoint", Dialect::Mssql, include_str!("profiles/grants/ncr-counterpoint.mssql.sql")),
    ("aronium", Dialect::Sqlite, include_str!("profiles/grants/aronium.sqlite.sql")),
    ("sambapos", Dialect::Mssql, include_str!("profiles/grants/sambapos.mssql.sql")),
];

/// The profile of this name.
#[must_use]
pub fn by_name(name: &str) -> Option<&'static Profile> {
    PROFILES.iter().copied().find(|profile| profile.name == name)
}

/// The script that makes a login which can read what the profile reads and nothing else, for an administrator of the
/// POS's database. `None` where the profile is unknown or its POS does not come with that database.
#[must_use]
pub fn grants(profile: &str, dialect: Dialect) -> Option<&'static str> {
    GRANTS.iter().find(|(name, known, _)| *name == profile && *known == dialect).map(|(_, _, script)| *script)
}
