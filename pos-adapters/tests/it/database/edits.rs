//! Tickets that change, are voided, or go away; and numbers that come again.

use sync_core::model::TransactionStatus;

use super::shop::{BARE, NO_CHANGED, NO_SEQ, SALES, Shop, line, sale};
use super::till::{EVERY, Kind};

const UNIQUE: &str = "\"rules\": {\"ticket_is_unique\": true}";

/// Each way of finding a ticket again, with its settings.
const WAYS: [(&str, &str); 4] = [(SALES, ""), (NO_CHANGED, ""), (NO_SEQ, UNIQUE), (BARE, UNIQUE)];

#[test]
fn an_edited_ticket_moves_the_difference() {
    for (sales, more) in WAYS {
        Shop::each(&EVERY, sales, more, |shop| {
            let mut till = shop.database.till();
            shop.read();
            let now = shop.at(0);
            till.run(&sale("t", &now, &now, "A", "5"));
            shop.pass(600);
            assert_eq!(shop.moved(), "A -5");
            let now = shop.at(0);
            till.run(&format!(
                "UPDATE sale_line SET qty = 2; UPDATE sale SET changed_at = {now}, line_count = 2; {}",
                line("t", 2, "B", "1.25")
            ));
            shop.pass(40);
            assert_eq!(shop.moved(), "A -2, B -1.25");
            shop.agrees();
        });
    }
}

#[test]
fn a_ticket_that_is_edited_a_week_later_is_found() {
    Shop::each(&EVERY, NO_CHANGED, "", |shop| {
        let mut till = shop.database.till();
        shop.read();
        let now = shop.at(0);
        till.run(&sale("t", &now, &now, "A", "5"));
        for number in 0..700 {
            let now = shop.at(number);
            till.run(&sale(&format!("o{number}"), &now, &now, "O", "1"));
        }
        shop.pass(7 * 86_400);
        shop.pass(120);
        till.run("UPDATE sale_line SET qty = 1 WHERE sku = 'A'");
        shop.pass(60);
        assert_eq!(shop.moved(), "A -5, O -700", "it is far behind");
        shop.pass(25 * 3600);
        shop.pass(120);
        shop.agrees();
    });
}

#[test]
fn a_voided_ticket_is_taken_back_and_a_restored_one_moves_again() {
    for (sales, more) in WAYS {
        Shop::each(&EVERY, sales, more, |shop| {
            let mut till = shop.database.till();
            shop.read();
            let now = shop.at(0);
            till.run(&sale("t", &now, &now, "A", "5"));
            till.run(&sale("u", &now, &now, "A", "1"));
            shop.pass(300);
            let now = shop.at(0);
            till.run(&format!("UPDATE sale SET status = 'cancelled', changed_at = {now} WHERE uid = 't'"));
            shop.pass(40);
            assert_eq!(shop.moved(), "A -1");
            shop.agrees();
            let now = shop.at(0);
            till.run(&format!("UPDATE sale SET status = 'completed', changed_at = {now} WHERE uid = 't'"));
            shop.pass(40);
            assert_eq!(shop.moved(), "A -6");
            shop.agrees();
        });
    }
}

#[test]
fn a_deleted_ticket_is_taken_back() {
    for (sales, more) in WAYS {
        Shop::each(&EVERY, sales, more, |shop| {
            let mut till = shop.database.till();
            shop.read();
            for number in 0..20 {
                let now = shop.at(0);
                till.run(&sale(&format!("t{number}"), &now, &now, "A", "1"));
                shop.wait(1);
            }
            shop.pass(60);
            assert_eq!(shop.moved(), "A -20");
            till.run("DELETE FROM sale_line WHERE sale_id = 7; DELETE FROM sale WHERE id = 7");
            shop.pass(40);
            assert_eq!(shop.moved(), "A -19");
            // The newest one, whose number SQLite gives again.
            till.run("DELETE FROM sale_line WHERE sale_id = 20; DELETE FROM sale WHERE id = 20");
            shop.pass(40);
            assert_eq!(shop.moved(), "A -18");
            shop.agrees();
            let vanished = shop.ledger.values().filter(|(t, _)| t.status == TransactionStatus::Vanished).count();
            assert_eq!(vanished, 2);
        });
    }
}

#[test]
fn a_ticket_that_is_deleted_while_nobody_looks_is_taken_back() {
    for (sales, more) in WAYS {
        Shop::each(&EVERY, sales, more, |shop| {
            let mut till = shop.database.till();
            shop.read();
            for number in 0..20 {
                let now = shop.at(0);
                till.run(&sale(&format!("t{number}"), &now, &now, "A", "1"));
                shop.pass(60);
            }
            till.run("DELETE FROM sale_line WHERE sale_id = 9; DELETE FROM sale WHERE id = 9");
            shop.wait(5 * 3600);
            shop.restart();
            shop.pass(10);
            assert_eq!(shop.moved(), "A -19");
            shop.agrees();
        });
    }
}

#[test]
fn a_ticket_is_not_read_before_its_lines_are_there() {
    Shop::each(&EVERY, SALES, "\"rules\": {\"lines_come_later\": true}", |shop| {
        let mut till = shop.database.till();
        shop.read();
        let now = shop.at(0);
        till.run(&format!(
            "INSERT INTO sale (uid, till, sold_at, changed_at, status, line_count) VALUES ('t', '1', {now}, {now}, 'completed', 2)"
        ));
        shop.pass(60);
        till.run(&line("t", 1, "A", "1"));
        shop.pass(60);
        assert_eq!(shop.moved(), "");
        till.run(&line("t", 2, "B", "1"));
        shop.pass(4);
        assert_eq!(shop.moved(), "", "it may still change");
        shop.pass(12);
        assert_eq!(shop.moved(), "A -1, B -1");
        assert!(shop.ledger.values().all(|(ticket, _)| ticket.version == 1), "it was taken once");
        shop.agrees();
    });
}

#[test]
fn a_ticket_that_never_agrees_is_set_aside_once_and_taken_when_it_does() {
    Shop::each(&EVERY, SALES, "", |shop| {
        let mut till = shop.database.till();
        shop.read();
        let now = shop.at(0);
        till.run(&sale("t", &now, &now, "A", "1"));
        till.run("UPDATE sale SET line_count = 3");
        shop.pass(1200);
        shop.pass(50 * 3600);
        shop.restart();
        shop.pass(60);
        assert_eq!(shop.reasons().len(), 1, "{:?}", shop.reasons());
        assert!(shop.reasons()[0].contains("header says 3 lines, and there are 1"));
        assert_eq!(shop.moved(), "");
        let now = shop.at(0);
        till.run(&format!("UPDATE sale SET line_count = 1, changed_at = {now}"));
        shop.pass(60);
        assert_eq!(shop.moved(), "A -1");
    });
}

#[test]
fn numbers_that_come_again_after_a_restore_are_other_tickets() {
    Shop::each(&EVERY, SALES, "", |shop| {
        let mut till = shop.database.till();
        shop.read();
        for number in 0..30 {
            let now = shop.at(0);
            till.run(&sale(&format!("t{number}"), &now, &now, "A", "1"));
            shop.pass(60);
        }
        // The last two never happened, as far as the database knows, and their numbers are given again.
        till.run("DELETE FROM sale_line WHERE sale_id > 28; DELETE FROM sale WHERE id > 28");
        match shop.database.kind {
            Kind::Postgres | Kind::Odbc => till.run("SELECT setval('sale_id_seq', 28)"),
            Kind::Firebird => till.run("ALTER TABLE sale ALTER COLUMN id RESTART WITH 28"),
            Kind::Mariadb => till.run("ALTER TABLE sale AUTO_INCREMENT = 29"),
            Kind::Sqlite => {}
        }
        for number in 0..3 {
            let now = shop.at(0);
            till.run(&sale(&format!("again{number}"), &now, &now, "B", "1"));
            shop.pass(20);
        }
        shop.pass(60);
        assert_eq!(shop.moved(), "A -28, B -3");
        shop.agrees();
    });
}

#[test]
fn a_database_that_is_put_back_far_reverses_nothing_by_itself() {
    Shop::each(&EVERY, SALES, "", |shop| {
        let mut till = shop.database.till();
        shop.read();
        for number in 0..30 {
            let now = shop.at(0);
            till.run(&sale(&format!("t{number}"), &now, &now, "A", "1"));
            shop.pass(10);
        }
        till.run("DELETE FROM sale_line WHERE sale_id > 10; DELETE FROM sale WHERE id > 10");
        shop.pass(600);
        assert_eq!(shop.moved(), "A -30", "the goods are gone");
        assert!(
            shop.reasons().iter().any(|reason| reason.contains("20 of the latest 30 tickets")),
            "{:?}",
            shop.reasons()
        );
        let now = shop.at(0);
        till.run(&sale("next", &now, &now, "B", "1"));
        shop.pass(4);
        assert_eq!(shop.moved(), "A -30, B -1", "reading goes on");
    });
}

#[test]
fn a_file_that_is_replaced_is_opened_again() {
    Shop::each(&[Kind::Sqlite], SALES, "", |shop| {
        let mut till = shop.database.till();
        shop.read();
        let now = shop.at(0);
        till.run(&sale("t", &now, &now, "A", "1"));
        let copy = shop.folder().join("copy.db");
        till.run(&format!("VACUUM INTO '{}'", copy.display()));
        shop.pass(10);
        drop(till);
        for end in ["-wal", "-shm"] {
            let mut name = shop.database.path.clone().into_os_string();
            name.push(end);
            if std::path::Path::new(&name).exists() {
                std::fs::remove_file(name).unwrap();
            }
        }
        std::fs::rename(&copy, &shop.database.path).unwrap();
        let now = shop.at(0);
        shop.database.till().run(&sale("u", &now, &now, "A", "2"));
        shop.pass(4);
        assert_eq!(shop.moved(), "A -3");
        shop.agrees();
    });
}
