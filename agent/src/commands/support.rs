//! `status` asks the running agent; `diag` gathers what support needs, without secrets.

use std::path::Path;

use anyhow::Context as _;

use super::{exit, reader};
use crate::cli::output::Output;
use crate::cli::show;
use crate::clock::Clock;
use crate::config::{self, Config};
use crate::diag::{self, DiagInput};
use crate::status::StatusSnapshot;
use crate::{connect, telemetry};

const ANSWER_WAIT: std::time::Duration = std::time::Duration::from_secs(3);

pub(super) fn status(config: &Config, out: &mut Output) -> anyhow::Result<u8> {
    match fetch(config) {
        Ok(snapshot) => {
            show::status(out, &snapshot)?;
            Ok(if snapshot.healthy { exit::OK } else { exit::FAULTS })
        }
        Err(error) => {
            let answer = serde_json::json!({ "running": false, "error": format!("{error:#}") });
            out.answer(&answer, |out| {
                out.line(&format!(
                    "The agent does not answer ({error:#}). Start it with `tillsync run`, or look at its log."
                ))
            })?;
            Ok(exit::UNREACHABLE)
        }
    }
}

fn fetch(config: &Config) -> anyhow::Result<StatusSnapshot> {
    let listen = config.status.context("[status] is switched off in the configuration")?.listen;
    connect::install_tls();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let text = runtime.block_on(async {
        let client = reqwest::Client::builder().no_proxy().timeout(ANSWER_WAIT).build()?;
        client.get(format!("http://{listen}/api/status")).send().await?.error_for_status()?.text().await
    })?;
    serde_json::from_str(&text).context("the answer cannot be read")
}

pub(super) fn diag(path: &Path, output: Option<&Path>, out: &mut Output) -> anyhow::Result<u8> {
    let config = config::load(path).ok();
    let status = config.as_ref().and_then(|config| fetch(config).ok());
    let made_at = Clock::default().now();
    let log = config.as_ref().and_then(|config| {
        let in_state = config.state.path.join("logs").join(telemetry::FILE_NAME);
        config.log.file.clone().or_else(|| in_state.exists().then_some(in_state))
    });
    let facts = config.as_ref().map(facts).unwrap_or_default();
    let input = DiagInput { config: path.to_owned(), status, log, facts, made_at };
    let written = output.map_or_else(|| diag::file_name(made_at), Path::to_path_buf);
    diag::write(&written, &input)?;
    out.answer(&serde_json::json!({ "bundle": written }), |out| {
        out.line(&format!("Support bundle written: {} (no secrets, no customer data)", written.display()))
    })?;
    Ok(exit::OK)
}

/// What the database holds, in numbers.
fn facts(config: &Config) -> Vec<(String, String)> {
    let Ok(conn) = reader(config) else { return vec![("database".to_owned(), "none, or not readable".to_owned())] };
    let one = |sql: &str| {
        conn.query_row(sql, [], |row| row.get::<_, i64>(0)).map_or_else(|e| e.to_string(), |n| n.to_string())
    };
    let mut facts: Vec<(String, String)> = [
        "txn",
        "txn_past",
        "movement",
        "sku",
        "pending",
        "batch",
        "sent",
        "dead_letter",
        "quarantine",
        "target",
        "overwrite",
    ]
    .iter()
    .map(|table| (format!("rows of {table}"), one(&format!("SELECT count(*) FROM {table}"))))
    .collect();
    facts.push(("schema version".to_owned(), one("PRAGMA user_version")));
    facts.push(("pages".to_owned(), one("PRAGMA page_count")));
    facts
}
