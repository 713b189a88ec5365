//! What can be said of the queries without a server: their form in each dialect.

use std::collections::BTreeSet;

use pos_adapters::database::engine::Dialect;
use pos_adapters::database::profile::{OnHandLag, Profile, Sql};
use pos_adapters::database::profiles::PROFILES;
use pos_adapters::database::query::{self, Order};

fn queries(profile: &Profile) -> Vec<(&'static str, Sql)> {
    let mut queries = vec![("sales", profile.sales)];
    queries.extend(profile.on_hand.map(|sql| ("on_hand", sql)));
    queries.extend(profile.unapplied.map(|sql| ("unapplied", sql)));
    queries.extend(profile.products.map(|sql| ("products", sql)));
    queries
}

#[test]
fn queries_are_one_select_that_can_stand_in_brackets() {
    for profile in PROFILES {
        for (what, sql) in queries(profile) {
            for dialect in profile.dialects {
                let text = sql.text(*dialect).to_uppercase();
                assert!(text.starts_with("SELECT "), "{} {what}", profile.name);
                for word in [";", "$1", "NOLOCK", " LIMIT 1000", "FOR UPDATE", "WITH ("] {
                    assert!(!text.contains(word), "{} {what}: {word}", profile.name);
                }
            }
        }
    }
}

#[test]
fn every_option_of_a_query_is_known_and_every_option_is_used() {
    for profile in PROFILES {
        let mut used = BTreeSet::new();
        for (what, sql) in queries(profile) {
            for piece in sql.common.split('{').skip(1) {
                let name = piece.split('}').next().unwrap();
                if name.contains('\'') {
                    continue;
                }
                assert!(profile.options.iter().any(|option| option.name == name), "{} {what}: {name}", profile.name);
                used.insert(name);
            }
        }
        for option in profile.options {
            let unused_sibling = profile.name == "unicenta-tickets" && option.name == "location";
            assert!(used.contains(option.name) || unused_sibling, "{}: {}", profile.name, option.name);
        }
    }
}

#[test]
fn every_table_of_a_profile_is_read_and_every_table_read_is_named() {
    for profile in PROFILES {
        let text: String = queries(profile).iter().map(|(_, sql)| format!("{}\n", sql.common)).collect();
        let mut read = BTreeSet::new();
        for word in ["FROM ", "JOIN "] {
            for piece in text.split(word).skip(1) {
                // A name in quotes may hold blanks.
                let name = match piece.strip_prefix('`') {
                    Some(quoted) => format!("`{}`", quoted.split('`').next().unwrap()),
                    None => piece.split([' ', '\n', ')']).next().unwrap().to_owned(),
                };
                read.insert(name);
            }
        }
        read.remove("(SELECT");
        let named: BTreeSet<String> = profile.tables.iter().map(|table| table.name.to_owned()).collect();
        assert_eq!(read, named, "{}", profile.name);
    }
}

#[test]
fn what_the_stock_on_hand_does_not_know_is_given_where_it_lags() {
    for profile in PROFILES {
        let at_sale = profile.lag == OnHandLag::AtSale;
        assert_eq!(at_sale, profile.unapplied.is_none(), "{}", profile.name);
        assert!(!profile.blind_spots.is_empty() && profile.on_hand.is_some() && profile.products.is_some());
    }
}

#[test]
fn sql_server_gets_its_own_form() {
    for profile in PROFILES.iter().filter(|profile| profile.dialects.contains(&Dialect::Mssql)) {
        for (what, sql) in queries(profile) {
            let text = sql.text(Dialect::Mssql);
            // Texts are put together with `+`, truth is 1 and 0, and names in other quotes are unknown.
            for word in ["||", "TRUE", "FALSE", "`", "::", "CONCAT(", "NULLS "] {
                assert!(!text.contains(word), "{} {what}: {word}", profile.name);
            }
        }
        let (page, parameters) =
            query::page(Dialect::Mssql, profile.sales.text(Dialect::Mssql), Order::Sold, None, None, 500);
        assert!(page.starts_with("SELECT TOP (500) t.* FROM (SELECT "), "{page}");
        assert!(page.ends_with(" ORDER BY t.sold_at"), "{page}");
        assert!(parameters.is_empty());
    }
}

#[test]
fn only_the_sign_between_texts_differs_on_sql_server() {
    for name in ["ncr-counterpoint", "sambapos"] {
        let profile = PROFILES.iter().find(|profile| profile.name == name).unwrap();
        for (what, sql) in queries(profile) {
            assert_eq!(
                sql.text(Dialect::Mssql).replace(" + ", " || "),
                sql.common.replace(" + ", " || "),
                "{name} {what}"
            );
        }
    }
    let rms = PROFILES.iter().find(|profile| profile.name == "dynamics-rms").unwrap();
    let postgres = rms.sales.text(Dialect::Postgres).replace("\"Transaction\"", "[Transaction]");
    assert_eq!(rms.sales.text(Dialect::Mssql), postgres);
}
