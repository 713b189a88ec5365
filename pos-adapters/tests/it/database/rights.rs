//! What a check says of logins, tables and encryption.

use std::env;

use pos_adapters::{Finding, Weight};

use super::shop::{SALES, Shop, sale, settings, source};
use super::till::{ALL, Kind, SERVERS};

const PASSWORD: &str = "tillsync-test";

fn texts(findings: &[Finding], weight: Weight) -> Vec<&str> {
    findings.iter().filter(|finding| finding.weight == weight).map(|finding| finding.text.as_str()).collect()
}

/// Makes a login that may read the tables, and do what `more` says.
fn login(shop: &Shop, more: &str) -> String {
    let name = format!("reader_{}", shop.database.name);
    let mut till = shop.database.till();
    let to = match shop.database.kind {
        Kind::Postgres | Kind::Odbc => {
            till.run(&format!("CREATE ROLE {name} LOGIN PASSWORD '{PASSWORD}'"));
            name.clone()
        }
        Kind::Mariadb => {
            till.run(&format!("CREATE USER '{name}'@'%' IDENTIFIED BY '{PASSWORD}'"));
            format!("'{name}'@'%'")
        }
        Kind::Sqlite | Kind::Firebird => return name,
    };
    till.run(&format!("GRANT SELECT ON sale TO {to}; GRANT SELECT ON sale_line TO {to}"));
    if !more.is_empty() {
        till.run(&format!("{more} TO {to}"));
    }
    name
}

#[test]
fn a_login_that_may_only_read_is_good() {
    Shop::each(&SERVERS, SALES, "", |shop| {
        let name = login(shop, "");
        let findings = shop.probe(Some((&name, PASSWORD)), "");
        assert!(findings.iter().all(|finding| finding.weight == Weight::Good), "{findings:?}");
        assert!(texts(&findings, Weight::Good).contains(&"the login may do nothing but read"));
    });
}

#[test]
fn a_login_that_may_write_is_named() {
    Shop::each(&SERVERS, SALES, "", |shop| {
        let name = login(shop, "GRANT INSERT ON sale");
        let findings = shop.probe(Some((&name, PASSWORD)), "");
        let warnings = texts(&findings, Weight::Warning);
        assert_eq!(warnings.len(), 1, "{findings:?}");
        assert!(warnings[0].contains(&name), "{warnings:?}");
        assert!(warnings[0].contains("INSERT") || warnings[0].contains("may write 1 tables, `sale`"), "{warnings:?}");
        // The server's owner.
        let findings = shop.probe(None, "");
        let warnings = texts(&findings, Weight::Warning).join("\n");
        assert!(warnings.contains("is a superuser") || warnings.contains("ALL PRIVILEGES"), "{warnings}");
    });
}

#[test]
fn what_is_missing_is_named() {
    Shop::each(&ALL, SALES, "", |shop| {
        shop.database.till().run("DROP TABLE sale_line");
        let findings = shop.probe(None, "");
        let faults = texts(&findings, Weight::Fault);
        assert_eq!(faults.len(), 1, "{findings:?}");
        assert!(faults[0].starts_with("queries.sales: ") && faults[0].contains("sale_line"), "{faults:?}");
    });
    // A query of one's own without a needed column.
    for kind in ALL {
        let Some(shop) = Shop::open(kind, "SELECT id AS ticket, sold_at, id AS sku FROM sale", "") else { continue };
        let settings = settings(&shop.database, "SELECT id AS ticket, sold_at, id AS sku FROM sale", "", None);
        let error = source(&settings, kind).poll(&[], shop.now).unwrap_err();
        assert!(super::shop::chain(&error).contains("no column `quantity`"), "{}", super::shop::chain(&error));
        assert_eq!(error.code(), "source-database-refused");
    }
}

#[test]
fn a_server_that_is_not_there_is_named_without_the_password() {
    Shop::each(&SERVERS, SALES, "", |shop| {
        let mut settings = settings(&shop.database, SALES, "", None);
        settings.port = Some(1);
        let error = source(&settings, shop.database.kind).poll(&[], shop.now).unwrap_err();
        let text = super::shop::chain(&error);
        assert_eq!(error.code(), "source-database-unreachable");
        assert!(text.contains(&format!("127.0.0.1:1/{}", shop.database.name)) && !text.contains(PASSWORD), "{text}");
    });
}

#[test]
fn an_encrypted_connection_reads_the_same() {
    let authority = env::var("TILLSYNC_TEST_POSTGRES_CA").ok();
    Shop::each(&SERVERS, SALES, "", |shop| {
        let Some(authority) = &authority else {
            println!("skipped: TILLSYNC_TEST_POSTGRES_CA is not set");
            return;
        };
        let mut till = shop.database.till();
        let now = shop.at(0);
        till.run(&sale("t", &now, &now, "A", "1"));
        let verify = format!("\"tls\": \"verify\", \"tls_ca\": {authority:?}");
        let mut all = vec![("\"tls\": \"encrypt\"".to_owned(), true)];
        // The two servers have certificates of their own.
        all.push((verify, shop.database.kind == Kind::Postgres));
        for (tls, is_trusted) in all {
            let settings = settings(&shop.database, SALES, &tls, None);
            let mut source = source(&settings, shop.database.kind);
            source.resume(Vec::new());
            let polled = source.poll(&[], shop.now);
            assert_eq!(polled.is_ok(), is_trusted, "{tls}: {polled:?}");
        }
    });
}

#[test]
fn a_login_that_is_refused_is_a_fault_of_the_check() {
    Shop::each(&SERVERS, SALES, "", |shop| {
        let findings = shop.probe(Some(("nobody", "wrong")), "");
        assert_eq!(texts(&findings, Weight::Fault).len(), 1, "{findings:?}");
        assert!(!findings[0].text.contains("wrong"), "{findings:?}");
    });
}
