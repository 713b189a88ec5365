//! From what was found to a configuration that passes `tillsync check`. Pure.
//!
//! What can be read as it is becomes a source; what needs a word from the installer (a password, which table, which
//! column) is written as a comment with what is missing. Nothing is proposed twice: a cash register whose sales are in a
//! database and on the printer must be read once.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::{FileKind, Found};
use crate::database::engine::Dialect;
use crate::database::profiles::PROFILES;

/// What is known of the store before anybody was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Store {
    /// IANA name of the machine's time zone.
    pub timezone: String,
    /// Where the agent keeps its files.
    pub state: String,
}

/// The proposed configuration.
#[must_use]
pub fn proposal(found: &[Found], store: &Store) -> String {
    let mut names = Names(BTreeSet::new());
    let sources: Vec<Source> = found.iter().filter_map(|found| source(found, &mut names)).collect();
    let ready = sources.iter().filter(|source| source.ready).count();
    let mut out = String::new();
    line(
        &mut out,
        "# Proposed by `tillsync discover`. Look at each source with `tillsync preview --source NAME`, then keep those that",
    );
    line(
        &mut out,
        "# hold the sales of the tills, each sale once: a till that writes files and prints receipts is read from one of them.",
    );
    line(&mut out, "");
    line(&mut out, "[store]");
    line(&mut out, "id = \"store-1\"");
    line(&mut out, &format!("timezone = {}", quoted(&store.timezone)));
    line(&mut out, "");
    line(&mut out, "[state]");
    line(&mut out, &format!("path = {}", quoted(&store.state)));
    if ready == 0 {
        line(&mut out, "");
        line(
            &mut out,
            "# Nothing was found that can be read as it is. Complete one of the sources below, or see docs/pos.",
        );
    }
    for source in &sources {
        line(&mut out, "");
        line(&mut out, &format!("# {}", source.about));
        for text in source.text.lines() {
            line(&mut out, &if source.ready { text.to_owned() } else { format!("# {text}") });
        }
    }
    line(&mut out, "");
    line(&mut out, "# Where stock changes go.");
    for text in [
        "[[platform]]",
        "kind = \"shopify\"",
        "shop = \"example-store.myshopify.com\"",
        "location = \"1234567890\"",
        "token = \"env:SHOPIFY_TOKEN\"",
    ] {
        line(&mut out, &format!("# {text}"));
    }
    out
}

struct Source {
    /// One line on what it is and what to do.
    about: String,
    text: String,
    ready: bool,
}

/// Names of sources, each once.
struct Names(BTreeSet<String>);

impl Names {
    fn take(&mut self, wanted: &str) -> String {
        let clean: String =
            wanted.to_lowercase().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
        let clean = clean.trim_matches('-').to_owned();
        let base = if clean.is_empty() { "source".to_owned() } else { clean.chars().take(40).collect() };
        let mut name = base.clone();
        let mut number = 2_u32;
        while !self.0.insert(name.clone()) {
            name = format!("{base}-{number}");
            number = number.saturating_add(1);
        }
        name
    }
}

fn source(found: &Found, names: &mut Names) -> Option<Source> {
    Some(match found {
        Found::Server { engine, host, port } => {
            let engine = word(*engine)?;
            let name = names.take(engine);
            let text = head(&name, "database")
                + &format!(
                    "engine = {}\nhost = \"{host}\"\nport = {port}\ndatabase = \"\"\nuser = \"tillsync\"\npassword = \"env:POS_PASSWORD\"\nprofile = \"\"\n",
                    quoted(engine)
                );
            let known: Vec<&str> = profiles_of(engine);
            let about = format!(
                "A {engine} server at {host}:{port}. Fill in database and profile ({}); `tillsync grants` prints the login.",
                known.join(", ")
            );
            Source { about, text, ready: false }
        }
        Found::DatabaseFile { engine, path, profile } => {
            database_file(*engine, &path.to_string_lossy(), *profile, names)
        }
        Found::Files { path, kind, count } => files(path, kind, *count, names),
        Found::Printer { host, port } => {
            let name = names.take("printer");
            let text =
                head(&name, "tcp-printer") + &format!("printer = \"{host}:{port}\"\nlisten = \"127.0.0.1:{port}\"\n");
            Source {
                about: format!("A printer at {host}:{port}: for tills whose sales can be read nowhere else."),
                text,
                ready: false,
            }
        }
        Found::SerialPort { name: port, device } => {
            let name = names.take("printer-line");
            let text = head(&name, "serial") + &format!("port = {}\n", quoted(port));
            let device = if device.is_empty() { String::new() } else { format!(" ({device})") };
            Source {
                about: format!("A serial port{device}; `tillsync ports --listen` says whether anything speaks there."),
                text,
                ready: false,
            }
        }
    })
}

/// A database that is one file.
fn database_file(engine: Dialect, path: &str, profile: Option<&'static str>, names: &mut Names) -> Source {
    let quoted_path = quoted(path);
    let (name, about, keys, ready) = match (engine, profile) {
        (Dialect::Sqlite, Some(profile)) => (
            profile,
            format!("Has the tables of {profile}."),
            format!("engine = \"sqlite\"\npath = {quoted_path}\nprofile = {}\n", quoted(profile)),
            true,
        ),
        (Dialect::Sqlite, None) => (
            "sqlite",
            "An SQLite file of no known POS: it needs a query of your own, or is none.".to_owned(),
            format!("engine = \"sqlite\"\npath = {quoted_path}\n[source.queries]\nsales = \"SELECT ...\"\n"),
            false,
        ),
        (Dialect::Firebird, _) => (
            "firebird",
            "A Firebird file: it is read through its server, never opened itself.".to_owned(),
            format!(
                "engine = \"firebird\"\nhost = \"127.0.0.1\"\ndatabase = {quoted_path}\nuser = \"TILLSYNC\"\npassword = \"env:POS_PASSWORD\"\nprofile = \"\"\n"
            ),
            false,
        ),
        (Dialect::Access | Dialect::Odbc | Dialect::Postgres | Dialect::Mysql | Dialect::Mssql, _) => (
            "access",
            "An Access file: read from a copy, through ODBC.".to_owned(),
            format!("engine = \"access\"\npath = {quoted_path}\n"),
            false,
        ),
    };
    Source { about, text: head(&names.take(name), "database") + &keys, ready }
}

fn files(path: &str, kind: &FileKind, count: usize, names: &mut Names) -> Source {
    let stem = path.rsplit(['/', '\\']).find(|part| !part.is_empty() && !part.starts_with('*')).unwrap_or("files");
    let stem = stem.split('.').next().unwrap_or("files");
    let many = if count == 1 { "1 file".to_owned() } else { format!("{count} files") };
    let name = names.take(stem);
    let start = head(&name, "file") + &format!("path = {}\n", quoted(path));
    match kind {
        FileKind::Document(format) => Source {
            about: format!("{many}: {format}."),
            text: start + &format!("format = {}\n", quoted(format)),
            ready: true,
        },
        FileKind::Records { format, profile: Some(profile), .. } => {
            let text = start + &format!("format = {}\nprofile = {}\n", quoted(format), quoted(profile));
            Source { about: format!("{many}: an export of {profile}."), text, ready: true }
        }
        FileKind::Records { format, profile: None, columns } => {
            let mut text = start + &format!("format = {}\npattern = \"journal\"\n[source.columns]\n", quoted(format));
            for (part, column) in columns {
                // Writing to a string does not fail.
                let _written = writeln!(text, "{part} = {}", quoted(column));
            }
            let about = format!(
                "{many} of sales lines. Check the columns; `pattern = \"export\"` if the POS writes them anew each time."
            );
            Source { about, text, ready: true }
        }
        FileKind::Dbf(columns) => {
            let text = start + "format = \"dbf\"\n[source.columns]\ntransaction = \"\"\nsku = \"\"\nquantity = \"\"\n";
            Source { about: format!("A dBase table with {}.", columns.join(", ")), text, ready: false }
        }
        FileKind::Workbook => {
            let text = start + "format = \"xlsx\"\n[source.columns]\ntransaction = \"\"\nsku = \"\"\nquantity = \"\"\n";
            Source { about: format!("{many}: workbooks; fill in the columns if they hold sales."), text, ready: false }
        }
        FileKind::Receipts => {
            let text = start + "format = \"receipt\"\n";
            let about = format!("{many} of a printer's bytes; `tillsync receipts learn` proposes a template.");
            Source { about, text, ready: false }
        }
    }
}

fn head(name: &str, kind: &str) -> String {
    format!("[[source]]\nname = {}\nkind = {}\n", quoted(name), quoted(kind))
}

fn word(engine: Dialect) -> Option<&'static str> {
    match engine {
        Dialect::Postgres => Some("postgres"),
        Dialect::Mysql => Some("mysql"),
        Dialect::Mssql => Some("mssql"),
        Dialect::Firebird => Some("firebird"),
        Dialect::Sqlite | Dialect::Odbc | Dialect::Access => None,
    }
}

fn profiles_of(engine: &str) -> Vec<&'static str> {
    let fits = |dialect: &&Dialect| word(**dialect) == Some(engine);
    PROFILES
        .iter()
        .filter(|profile| profile.dialects.iter().any(|dialect| fits(&dialect)))
        .map(|profile| profile.name)
        .collect()
}

/// As TOML writes it.
fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

fn line(out: &mut String, text: &str) {
    out.push_str(text.trim_end());
    out.push('\n');
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::path::PathBuf;

    use super::*;

    #[test]
    fn every_kind_of_find_is_proposed_once_and_the_text_is_toml() {
        let records = FileKind::Records {
            format: "csv",
            profile: None,
            columns: vec![
                ("transaction", "Ticket \"No\"".to_owned()),
                ("sku", "SKU".to_owned()),
                ("quantity", "Qty".to_owned()),
            ],
        };
        let host = Ipv4Addr::LOCALHOST;
        let found = [
            Found::Server { engine: Dialect::Postgres, host, port: 5432 },
            Found::DatabaseFile {
                engine: Dialect::Sqlite,
                path: PathBuf::from("/srv/pos.db"),
                profile: Some("aronium"),
            },
            Found::Files { path: "/srv/sales/*.csv".to_owned(), kind: records.clone(), count: 3 },
            Found::Files { path: r"C:\POS\sales\*.csv".to_owned(), kind: records, count: 1 },
            Found::Files { path: "/srv/POSLog.xml".to_owned(), kind: FileKind::Document("poslog"), count: 1 },
            Found::Printer { host, port: 9100 },
            Found::SerialPort { name: "/dev/ttyUSB0".to_owned(), device: "USB 0403:6001".to_owned() },
        ];
        let text =
            proposal(&found, &Store { timezone: "Europe/Berlin".to_owned(), state: "/var/lib/tillsync".to_owned() });
        let table: toml::Table = text.parse().expect("TOML");
        let sources = table["source"].as_array().expect("sources");
        let names: Vec<&str> = sources.iter().map(|source| source["name"].as_str().unwrap()).collect();
        assert_eq!(names, ["aronium", "sales", "sales-2", "poslog"]);
        assert_eq!(sources[1]["columns"]["transaction"].as_str(), Some("Ticket \"No\""));
        for comment in ["# kind = \"tcp-printer\"", "# port = \"/dev/ttyUSB0\"", "# engine = \"postgres\""] {
            assert!(text.contains(comment), "{comment} in\n{text}");
        }
    }

    #[test]
    fn finding_nothing_says_so() {
        let text = proposal(&[], &Store { timezone: "UTC".to_owned(), state: "state".to_owned() });
        assert!(text.contains("Nothing was found"));
    }
}
