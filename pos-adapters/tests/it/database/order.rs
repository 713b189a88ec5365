//! What commits late, or out of order, or by a wrong clock.

use super::shop::{BARE, NO_SEQ, SALES, Shop, sale};
use super::till::{EVERY, EVERY_SERVER, Kind};

#[test]
fn a_number_that_commits_after_a_higher_one_is_found() {
    Shop::each(&EVERY_SERVER, SALES, "", |shop| {
        let (mut slow, mut quick) = (shop.database.till(), shop.database.till());
        let now = shop.at(0);
        quick.run(&sale("t0", &now, &now, "A", "1"));
        shop.read();
        slow.run("BEGIN");
        slow.run(&sale("slow", &now, &now, "A", "2"));
        quick.run(&sale("quick", &now, &now, "A", "4"));
        shop.pass(10);
        assert_eq!(shop.moved(), "A -5", "the slow one is not committed");
        slow.run("COMMIT");
        shop.pass(2);
        assert_eq!(shop.moved(), "A -7");
        shop.agrees();
    });
}

#[test]
fn a_commit_that_comes_half_an_hour_and_many_tickets_later_is_found() {
    Shop::each(&EVERY_SERVER, SALES, "", |shop| {
        let (mut slow, mut quick) = (shop.database.till(), shop.database.till());
        shop.read();
        let began = shop.at(0);
        slow.run("BEGIN");
        slow.run(&sale("slow", &began, &began, "B", "1"));
        for number in 0..30 {
            let now = shop.at(0);
            quick.run(&sale(&format!("q{number}"), &now, &now, "A", "1"));
            shop.pass(60);
        }
        assert_eq!(shop.moved(), "A -30");
        slow.run("COMMIT");
        shop.pass(40);
        assert_eq!(shop.moved(), "A -30, B -1", "the overlap look goes back by numbers");
        shop.agrees();
    });
}

#[test]
fn a_sale_that_is_rolled_back_holds_nothing_up() {
    Shop::each(&EVERY_SERVER, SALES, "", |shop| {
        let mut till = shop.database.till();
        shop.read();
        let now = shop.at(0);
        till.run("BEGIN");
        till.run(&sale("gone", &now, &now, "A", "1"));
        till.run("ROLLBACK");
        till.run(&sale("kept", &now, &now, "A", "2"));
        shop.pass(2);
        assert_eq!(shop.moved(), "A -2");
        let settled = |shop: &Shop| {
            let position: serde_json::Value = serde_json::from_str(&shop.cursors["position"]).unwrap();
            position["settled"].as_i64().unwrap()
        };
        assert_eq!(settled(shop), 0, "the missing number may still come");
        shop.pass(700);
        let now = shop.at(0);
        till.run(&sale("next", &now, &now, "A", "3"));
        shop.pass(2);
        assert_eq!(settled(shop), 3, "it will not come any more");
        shop.agrees();
    });
}

#[test]
fn an_uncommitted_sale_moves_nothing_on_a_single_writer_database_either() {
    Shop::each(&[Kind::Sqlite], SALES, "", |shop| {
        let mut till = shop.database.till();
        shop.read();
        let now = shop.at(0);
        till.run("BEGIN IMMEDIATE");
        till.run(&sale("slow", &now, &now, "A", "2"));
        shop.pass(60);
        assert_eq!(shop.moved(), "");
        till.run("COMMIT");
        shop.pass(2);
        shop.agrees();
    });
}

#[test]
fn tills_whose_clocks_are_hours_off_are_read_at_once() {
    Shop::each(&EVERY, SALES, "", |shop| {
        let mut till = shop.database.till();
        shop.read();
        for (number, off) in [-3 * 3600, 0, 3 * 3600, -5].into_iter().enumerate() {
            let clock = shop.at(off);
            till.run(&sale(&format!("t{number}"), &clock, &clock, "A", "1"));
            shop.pass(2);
            assert_eq!(shop.moved(), format!("A -{}", number + 1));
        }
        shop.pass(120);
        shop.agrees();
    });
}

#[test]
fn without_numbers_a_clock_within_the_window_is_found_and_one_beyond_by_the_rescan() {
    for sales in [NO_SEQ, BARE] {
        Shop::each(&EVERY, sales, "\"rules\": {\"ticket_is_unique\": true}", |shop| {
            let mut till = shop.database.till();
            shop.read();
            let ahead = shop.at(3600);
            till.run(&sale("ahead", &ahead, &ahead, "A", "1"));
            shop.pass(2);
            let behind = shop.at(-3600);
            till.run(&sale("behind", &behind, &behind, "A", "2"));
            shop.pass(40);
            assert_eq!(shop.moved(), "A -3");
            let lost = shop.at(-30 * 3600);
            till.run(&sale("lost", &lost, &lost, "A", "4"));
            shop.pass(120);
            assert_eq!(shop.moved(), "A -3");
            shop.pass(25 * 3600);
            shop.pass(120);
            shop.agrees();
        });
    }
}

#[test]
fn an_offline_till_that_uploads_days_later_is_read_when_it_uploads() {
    Shop::each(&EVERY, SALES, "", |shop| {
        let mut till = shop.database.till();
        shop.read();
        for number in 0..5 {
            let sold = shop.at(-3 * 86_400 + number * 60);
            till.run(&sale(&format!("off{number}"), &sold, &sold, "A", "1"));
        }
        shop.pass(2);
        assert_eq!(shop.moved(), "A -5");
        shop.agrees();
    });
    // Its tickets have no numbers, but the server stamps them when they arrive.
    Shop::each(&EVERY, NO_SEQ, "\"rules\": {\"ticket_is_unique\": true}", |shop| {
        let mut till = shop.database.till();
        shop.read();
        till.run(&sale("off", &shop.at(-3 * 86_400), &shop.at(0), "A", "1"));
        shop.pass(2);
        shop.agrees();
    });
}

#[test]
fn what_was_sold_before_the_start_is_not_taken_and_what_was_sold_since_is() {
    Shop::each(&EVERY, SALES, "\"since\": \"2026-03-01\"", |shop| {
        let mut till = shop.database.till();
        for (number, days) in [40, 3, 1, 0].into_iter().enumerate() {
            let at = shop.at(-days * 86_400);
            till.run(&sale(&format!("t{number}"), &at, &at, "A", &format!("{}", 1 << number)));
        }
        shop.read();
        assert_eq!(shop.moved(), "A -12");
        till.run(&sale("late", &shop.at(-5 * 86_400), &shop.at(0), "A", "100"));
        shop.pass(60);
        assert_eq!(shop.moved(), "A -12");
    });
}
