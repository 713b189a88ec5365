//! The whole way: a configuration with a profile, the login of its grants script, the poller, and the ledger.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::tz::TimeZone;
use pos_adapters::database::DatabaseSettings;
use pos_adapters::database::engine::Connection;
use pos_adapters::{Poll, PosSource, SecretReader, SourceContext, SourceSettings, Weight};
use sync_core::ledger::{self, Diff, Snapshot};
use sync_core::model::Timestamp;

use super::shop::{Kind, Shop};

/// 2026-11-20 12:00 UTC.
const NOON: i64 = 1_795_176_000_000_000;
const SECOND: i64 = 1_000_000;

struct OnePassword(String);

impl SecretReader for OnePassword {
    fn read(&self, reference: &str) -> Result<String, String> {
        assert_eq!(reference, "env:POS_PASSWORD");
        Ok(self.0.clone())
    }
}

struct Agent {
    source: Box<dyn PosSource>,
    now: i64,
    ledger: BTreeMap<String, (Snapshot, Option<Timestamp>)>,
}

impl Agent {
    /// `None` where the server is not there.
    fn open(kind: Kind, profile: &str, schema: &str, options: &[(&str, &[&str])]) -> Option<(Shop, Self)> {
        let (shop, connection) = Shop::with_login(kind, profile, schema, options)?;
        let settings: DatabaseSettings = serde_json::from_value(written(profile, &connection, options)).unwrap();
        let context = SourceContext {
            store: "0042".to_owned(),
            zone: TimeZone::UTC,
            own_files: std::env::temp_dir(),
            secrets: Arc::new(OnePassword(connection.password.clone().unwrap_or_default())),
        };
        let findings = settings.probe(&context);
        assert!(findings.iter().all(|finding| finding.weight == Weight::Good), "{kind:?}: {findings:#?}");
        let source = settings.open(&context).unwrap();
        Some((shop, Self { source, now: NOON, ledger: BTreeMap::new() }))
    }

    /// Polls for `seconds` and gives what moved, as `SKU quantity kind`.
    fn wait(&mut self, seconds: i64) -> Vec<String> {
        let mut moved = Vec::new();
        let until = self.now + seconds * SECOND;
        while self.now < until {
            match self.source.poll(&[], Timestamp(self.now)).unwrap() {
                Poll::Quiet { .. } => self.now += SECOND,
                Poll::Chunk(chunk) => {
                    assert_eq!(chunk.quarantined, []);
                    for transaction in chunk.transactions {
                        let (key, sold_at) = (transaction.key.to_string(), transaction.sold_at);
                        let known = self.ledger.get(&key).map(|(snapshot, _)| snapshot);
                        if let Diff::Changed { snapshot, movements } = ledger::diff(known, transaction) {
                            moved.extend(movements.iter().map(shown));
                            self.ledger.insert(key, (snapshot, sold_at));
                        }
                    }
                    if let Some(coverage) = chunk.coverage {
                        for (key, (snapshot, sold_at)) in &mut self.ledger {
                            let covered = sold_at.is_some_and(|at| at >= coverage.from && at <= coverage.to);
                            if covered
                                && !coverage.keys.contains(key)
                                && let Diff::Changed { snapshot: gone, movements } = ledger::vanish(snapshot)
                            {
                                moved.extend(movements.iter().map(shown));
                                *snapshot = gone;
                            }
                        }
                    }
                }
            }
        }
        moved
    }
}

fn shown(movement: &ledger::Movement) -> String {
    format!("{} {} {}", movement.sku, movement.delta, movement.kind.as_str())
}

/// The shortest configuration of the profile's page.
fn written(profile: &str, connection: &Connection, options: &[(&str, &[&str])]) -> serde_json::Value {
    let mut settings = serde_json::json!({
        "name": "tills", "kind": "database", "engine": connection.dialect.as_str(), "profile": profile,
        "since": "2026-11-18", "poll": "1s", "vanish_limit": 1.0,
        "options": options.iter().map(|(name, words)| ((*name).to_owned(), serde_json::json!(words))).collect::<serde_json::Map<_, _>>(),
    });
    let keys = settings.as_object_mut().unwrap();
    if connection.path.as_os_str().is_empty() {
        for (key, value) in [("host", &connection.host), ("database", &connection.database), ("user", &connection.user)]
        {
            keys.insert(key.to_owned(), value.clone().into());
        }
        keys.insert("port".to_owned(), connection.port.unwrap().into());
        keys.insert("password".to_owned(), "env:POS_PASSWORD".into());
    } else {
        keys.insert("path".to_owned(), connection.path.to_str().unwrap().into());
    }
    settings
}

#[test]
fn unicenta_from_the_configuration_to_the_ledger() {
    let diary = |id: &str, time: &str, reason: i32, product: &str, units: &str| {
        format!(
            "INSERT INTO stockdiary VALUES ('{id}', '{time}', {reason}, '0', '{product}', NULL, {units}, 1, 'till')"
        )
    };
    for kind in [Kind::Postgres, Kind::Mysql] {
        let Some((mut shop, mut agent)) = Agent::open(kind, "unicenta", super::unicenta::SCHEMA, &[]) else { continue };
        shop.pos(&diary("d0", "2026-11-10 10:00:00", -1, "p-mug", "-9"));
        shop.pos(&diary("d1", "2026-11-19 10:00:00", -1, "p-mug", "-2"));
        assert_eq!(agent.wait(60), ["MUG -2 sale"], "history is not read");
        shop.pos(&diary("d2", "2026-11-20 12:00:30", -1, "p-gift", "-1"));
        shop.pos(&diary("d3", "2026-11-20 12:00:31", 2, "p-mug", "1"));
        assert_eq!(agent.wait(40), ["MUG -1 sale", "TEA -0.1 sale", "MUG 1 return"]);
        // A till whose clock is an hour behind, and a row that is deleted for good.
        shop.pos(&diary("d4", "2026-11-20 11:00:00", -1, "p-tea", "-1"));
        shop.pos("DELETE FROM stockdiary WHERE id = 'd3'");
        let mut moved = agent.wait(90);
        moved.sort();
        assert_eq!(moved, ["MUG -1 void", "TEA -1 sale"]);
    }
}

#[test]
fn odoo_from_the_configuration_to_the_ledger() {
    let Some((mut shop, mut agent)) =
        Agent::open(Kind::Postgres, "odoo-pos", super::odoo::SCHEMA, &[("shops", &["Shop"])])
    else {
        return;
    };
    let order = |id: i32, written: &str, sold: &str| {
        format!("INSERT INTO pos_order VALUES ({id}, 'Order {id}', '{sold}', '{written}', 'paid', 1, NULL)")
    };
    shop.pos(&order(1, "2026-11-20 11:59:00", "2026-11-20 11:58:00"));
    shop.pos("INSERT INTO pos_order_line VALUES (1, 1, 1, 2, NULL, NULL)");
    assert_eq!(agent.wait(60), ["MUG -2 sale"]);
    // Sent again with other lines; then an order of a till that was offline for two days, in a session of its own.
    shop.pos("DELETE FROM pos_order_line; INSERT INTO pos_order_line VALUES (2, 1, 1, 3, NULL, NULL)");
    shop.pos("UPDATE pos_order SET write_date = '2026-11-20 12:01:00' WHERE id = 1");
    shop.pos("INSERT INTO pos_session VALUES (9, 1, '(RESCUE FOR POS/00001)', 'opened', TRUE)");
    shop.pos(&order(3, "2026-11-20 12:01:00", "2026-11-18 09:00:00").replace("'paid', 1", "'paid', 9"));
    shop.pos("INSERT INTO pos_order_line VALUES (3, 3, 2, 1, NULL, NULL)");
    let mut moved = agent.wait(40);
    moved.sort();
    assert_eq!(moved, ["MUG -1 edit", "TEA -1 sale"]);
    // Number 2 was drawn before number 3 and is committed after it.
    shop.pos(&order(2, "2026-11-20 12:01:30", "2026-11-20 12:01:29"));
    shop.pos("INSERT INTO pos_order_line VALUES (4, 2, 1, 1, NULL, NULL)");
    assert_eq!(agent.wait(40), ["MUG -1 sale"]);
}

#[test]
fn erpnext_and_floreant_from_the_configuration_to_the_ledger() {
    let options: &[(&str, &[&str])] = &[("warehouse", &["Shop - T"])];
    if let Some((mut shop, mut agent)) = Agent::open(Kind::Mysql, "erpnext-pos", super::erpnext::SCHEMA, options) {
        shop.pos("INSERT INTO `tabPOS Invoice` VALUES ('P1', '2026-11-20 11:00:00', '2026-11-20 11:00:00.123456', 1, 'C', 1, 0, NULL, NULL, 'x', NULL)");
        shop.pos("INSERT INTO `tabPOS Invoice Item` VALUES ('l1', 'P1', 1, 'MUG', 1, 6, 'Box', 6, 'Shop - T')");
        assert_eq!(agent.wait(60), ["MUG -6 sale"]);
        shop.pos("UPDATE `tabPOS Invoice` SET docstatus = 2, modified = '2026-11-20 12:01:00.5'");
        assert_eq!(agent.wait(40), ["MUG 6 void"]);
    }
    for kind in [Kind::Postgres, Kind::Mysql] {
        let Some((mut shop, mut agent)) = Agent::open(kind, "floreant", super::floreant::SCHEMA, &[]) else { continue };
        // A table that is opened at eleven and pays at noon; another is still open.
        shop.pos("INSERT INTO TICKET VALUES (1, '2026-11-20 11:00:00', NULL, FALSE, FALSE, FALSE, NULL, NULL, FALSE, FALSE, 7, NULL, NULL)");
        shop.pos("INSERT INTO TICKET_ITEM VALUES (1, 1, 1, 2, 0, 'x', FALSE, TRUE)");
        shop.pos("INSERT INTO TICKET VALUES (2, '2026-11-20 11:30:00', '2026-11-20 11:40:00', TRUE, TRUE, FALSE, NULL, NULL, FALSE, FALSE, 7, NULL, NULL)");
        shop.pos("INSERT INTO TICKET_ITEM VALUES (2, 2, 4, 1, 0, 'x', FALSE, TRUE)");
        assert_eq!(agent.wait(60), ["4000000000024 -1 sale"], "{kind:?}");
        shop.pos("UPDATE TICKET SET SETTLED = TRUE, CLOSING_DATE = '2026-11-20 12:01:00' WHERE ID = 1");
        assert_eq!(agent.wait(40), ["4000000000017 -2 sale"], "{kind:?}");
        shop.pos("UPDATE TICKET SET VOIDED = TRUE, CLOSING_DATE = '2026-11-20 12:01:40' WHERE ID = 2");
        assert_eq!(agent.wait(40), ["4000000000024 1 void"], "{kind:?}");
    }
}

#[test]
fn aronium_from_the_configuration_to_the_ledger() {
    let (mut shop, mut agent) = Agent::open(Kind::Sqlite, "aronium", super::aronium::SCHEMA, &[]).unwrap();
    shop.pos("INSERT INTO Document VALUES (1, '26-200-000001', 2, 1, 1, '2026-11-20', '2026-11-20 11:59:00', '2026-11-20 11:59:00',
      '2026-11-20 11:59:00', 0)");
    shop.pos("INSERT INTO DocumentItem VALUES (1, 1, 1, 2, 0, 1)");
    assert_eq!(agent.wait(60), ["MUG -2 sale"]);
    shop.pos("UPDATE DocumentItem SET Quantity = 5");
    shop.pos("UPDATE Document SET DateUpdated = '2026-11-20 12:01:00'");
    assert_eq!(agent.wait(40), ["MUG -3 edit"]);
    shop.pos("DELETE FROM DocumentItem");
    shop.pos("DELETE FROM Document");
    assert_eq!(agent.wait(90), ["MUG 5 void"]);
}
