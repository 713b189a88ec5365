//! What the snapshot says of online orders and of lists of values: read from the database, put into words here.

use std::path::Path;

use rusqlite::Connection;
use serde::{Deserialize, Serialize};
use sync_core::model::Timestamp;

use super::{StatusSnapshot, ago};
use crate::config::Config;
use crate::db::{self, DbError, step};

/// Online orders that were not read for so long are mentioned.
const QUIET_ORDERS: std::time::Duration = std::time::Duration::from_secs(5 * 60);

/// The online orders of one platform.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct OnlineStatus {
    /// The platform.
    pub platform: String,
    /// Where goods handed over enter the ledger from: `platform`, `pos`, `none`.
    pub picks: String,
    /// Orders that wait in this store.
    pub open_orders: u64,
    /// Units promised in them: they lie on the shelf and are not for sale.
    pub promised_units: i64,
    /// Units handed over of articles that the store does not know.
    pub unknown_units: i64,
    /// When the orders were last read, to the minute.
    #[serde(with = "super::rfc3339::option")]
    pub polled_at: Option<Timestamp>,
    /// Why they cannot be read, while they cannot.
    pub error: Option<String>,
}

/// One list of values.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ListStatus {
    /// As configured.
    pub name: String,
    /// `price`, `incoming`.
    pub kind: String,
    /// Articles on it.
    pub articles: i64,
    /// When it was last read, to the minute.
    #[serde(with = "super::rfc3339::option")]
    pub read_at: Option<Timestamp>,
    /// Values that wait for a person.
    pub held: u64,
    /// Why it cannot be used, while it cannot.
    pub error: Option<String>,
}

/// Adds what the database knows of orders and lists. A database that cannot be read now is told of elsewhere.
pub fn fill(snapshot: &mut StatusSnapshot, database: &Path, config: &Config) {
    let read = db::open_reader(database).and_then(|conn| Ok((online(&conn, config)?, lists(&conn, config)?)));
    match read {
        Ok((online, lists)) => {
            snapshot.healthy &= lists.iter().all(|list| list.held == 0 && list.error.is_none());
            snapshot.online = online;
            snapshot.lists = lists;
        }
        Err(error) => tracing::debug!(%error, "Online orders and lists are left out of the status"),
    }
}

fn online(conn: &Connection, config: &Config) -> Result<Vec<OnlineStatus>, DbError> {
    let lanes: Vec<(i64, String)> = conn
        .prepare("SELECT l.id, l.name FROM lane l JOIN online_poll p ON p.lane = l.id ORDER BY l.id")
        .and_then(|mut statement| statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect())
        .map_err(step("read lanes with online orders"))?;
    let configured = |name: &str| config.platforms.iter().any(|platform| platform.name().as_str() == name);
    lanes
        .into_iter()
        .filter(|(_, name)| configured(name))
        .map(|(lane, platform)| {
            let state = db::orders::poll_state(conn, lane)?;
            let (open_orders, promised_units, unknown_units) = db::orders::totals(conn, lane)?;
            Ok(OnlineStatus {
                picks: config.online_orders.picks_of(&platform).as_str().to_owned(),
                platform,
                open_orders,
                promised_units,
                unknown_units,
                polled_at: state.polled_at,
                error: state.failed,
            })
        })
        .collect()
}

fn lists(conn: &Connection, config: &Config) -> Result<Vec<ListStatus>, DbError> {
    config
        .feeds
        .iter()
        .map(|feed| {
            let state = db::values::feed(conn, &feed.name)?;
            let held = db::values::open_hold(conn, Some(&feed.name), None)?.map_or(0, |hold| hold.changes.len());
            Ok(ListStatus {
                name: feed.name.clone(),
                kind: feed.kind.as_str().to_owned(),
                articles: state.articles.unwrap_or(0),
                read_at: state.read_at,
                held: u64::try_from(held).unwrap_or(u64::MAX),
                error: state.failed,
            })
        })
        .collect()
}

/// One line for each thing that matters.
pub(super) fn lines(status: &StatusSnapshot, lines: &mut Vec<String>) {
    for online in &status.online {
        let name = &online.platform;
        let read = online.polled_at.map_or_else(|| "never".to_owned(), |at| ago(status.now, at));
        if let Some(error) = &online.error {
            lines.push(format!("The online orders of {name} cannot be read: {error}. They were last read {read}."));
        } else if online.polled_at.is_none_or(|at| status.now.since(at) > QUIET_ORDERS) {
            lines.push(format!("The online orders of {name} were last read {read}."));
        }
        if online.open_orders > 0 {
            lines.push(format!(
                "{} of {name} wait in this store: {} set aside for them (`tillsync orders`).",
                counted(online.open_orders, "online order"),
                counted(online.promised_units.unsigned_abs(), "unit"),
            ));
        }
        if online.open_orders > 0 && online.picks == "none" {
            lines.push(format!(
                "Goods handed over for them are not taken off the stock: say in [online_orders] whether {name} or the POS reports them."
            ));
        }
        if online.unknown_units > 0 && online.picks == "platform" {
            lines.push(format!(
                "{} handed over for online orders of {name} are of articles that this store does not know.",
                counted(online.unknown_units.unsigned_abs(), "unit")
            ));
        }
    }
    for list in &status.lists {
        if let Some(error) = &list.error {
            lines.push(format!("The list {} cannot be used: {error}. The shop keeps what it has.", list.name));
        }
        if list.held > 0 {
            lines.push(format!(
                "Somebody has to look at {} of the list {}: see `tillsync prices held`.",
                counted(list.held, "value"),
                list.name
            ));
        }
    }
}

fn counted(number: u64, word: &str) -> String {
    format!("{number} {word}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::super::summary;
    use super::super::tests::snapshot;
    use super::*;

    #[test]
    fn a_manager_is_told_of_orders_that_wait_and_of_prices_that_look_wrong() {
        let mut status = snapshot();
        let read = Some(Timestamp(status.now.0 - 10_000_000));
        status.online = vec![OnlineStatus {
            platform: "shopify".to_owned(),
            picks: "none".to_owned(),
            open_orders: 2,
            promised_units: 3,
            polled_at: read,
            ..OnlineStatus::default()
        }];
        status.lists = vec![ListStatus { name: "prices".to_owned(), held: 1, read_at: read, ..ListStatus::default() }];
        let text = summary(&status);
        assert!(text.contains("2 online orders of shopify wait in this store: 3 units"), "{text}");
        assert!(text.contains("say in [online_orders]"), "{text}");
        assert!(text.contains("1 value of the list prices"), "{text}");
    }
}
