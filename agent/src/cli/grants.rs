//! `tillsync grants`: the script that makes a login for a POS's database with exactly the rights of a profile.

use std::io;

use clap::Args;
use pos_adapters::database::engine::Dialect;
use pos_adapters::database::profiles;

use super::exit;
use super::output::{Align, Output, Table};

/// `grants`
#[derive(Debug, Clone, Args)]
pub struct GrantsArgs {
    /// The profile of the database source; without it, all that there are.
    #[arg(value_name = "PROFILE")]
    pub profile: Option<String>,
    /// The database, where the POS comes with several: postgres, mysql, mssql, firebird or sqlite.
    #[arg(long, value_name = "ENGINE")]
    pub engine: Option<String>,
}

/// Prints one script, or the list of scripts.
///
/// # Errors
/// Writing failed.
pub fn grants(args: &GrantsArgs, out: &mut Output) -> io::Result<u8> {
    let Some(name) = &args.profile else {
        return list(out);
    };
    let Some(profile) = profiles::by_name(name) else {
        let known: Vec<&str> = profiles::PROFILES.iter().map(|profile| profile.name).collect();
        return refuse(out, &format!("there is no profile `{name}`; known are: {}", known.join(", ")));
    };
    let engines: Vec<&str> = profile.dialects.iter().map(|dialect| dialect.as_str()).collect();
    let dialect: Option<Dialect> = match (&args.engine, profile.dialects) {
        (None, [only]) => Some(*only),
        (None, _) => None,
        (Some(word), known) => known.iter().copied().find(|dialect| dialect.as_str() == word),
    };
    match dialect.and_then(|dialect| profiles::grants(name, dialect).map(|script| (dialect, script))) {
        Some((dialect, script)) => {
            let answer = serde_json::json!({ "profile": name, "engine": dialect.as_str(), "script": script });
            out.answer(&answer, |out| out.bytes(script.as_bytes()))?;
            Ok(exit::OK)
        }
        None => refuse(out, &format!("name the database of `{name}` with --engine: {}", engines.join(", "))),
    }
}

fn list(out: &mut Output) -> io::Result<u8> {
    let answer: Vec<serde_json::Value> = profiles::PROFILES
        .iter()
        .map(|profile| {
            let engines: Vec<&str> = profile.dialects.iter().map(|dialect| dialect.as_str()).collect();
            serde_json::json!({ "profile": profile.name, "engines": engines, "pos": profile.pos })
        })
        .collect();
    out.answer(&answer, |out| {
        let mut table = Table::new(&[("profile", Align::Left), ("engines", Align::Left), ("POS", Align::Left)]);
        for profile in profiles::PROFILES {
            let engines: Vec<&str> = profile.dialects.iter().map(|dialect| dialect.as_str()).collect();
            table.row([profile.name.to_owned(), engines.join(", "), profile.pos.to_owned()]);
        }
        out.table(&table)
    })?;
    Ok(exit::OK)
}

fn refuse(out: &mut Output, message: &str) -> io::Result<u8> {
    let answer = serde_json::json!({ "error": { "code": "grants_unknown", "message": message } });
    out.answer(&answer, |out| out.line(message))?;
    Ok(exit::USAGE)
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::cli::output::Form;

    #[test]
    fn a_script_is_printed_where_its_database_is_known() {
        check(Some("odoo-pos"), None, exit::OK, "GRANT SELECT (id, pos_reference");
        check(Some("unicenta"), Some("mysql"), exit::OK, "CREATE USER 'tillsync'");
        check(None, None, exit::OK, "ncr-counterpoint");
    }

    #[test]
    fn what_is_missing_is_named() {
        check(Some("unicenta"), None, exit::USAGE, "--engine: mysql, postgres");
        check(Some("unicenta"), Some("mssql"), exit::USAGE, "--engine: mysql, postgres");
        check(Some("unicorn"), None, exit::USAGE, "known are: unicenta");
    }

    fn check(profile: Option<&str>, engine: Option<&str>, code: u8, text: &str) {
        let written = Arc::new(Mutex::new(Vec::new()));
        let mut out = Output::to(Box::new(Shared(Arc::clone(&written))), Form::Human);
        let args = GrantsArgs { profile: profile.map(str::to_owned), engine: engine.map(str::to_owned) };
        assert_eq!(grants(&args, &mut out).unwrap(), code);
        drop(out);
        let shown = String::from_utf8(written.lock().unwrap().clone()).unwrap();
        assert!(shown.contains(text), "{shown}");
    }

    struct Shared(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let mut written = self.0.lock().map_err(|_| io::Error::other("a writer panicked"))?;
            written.extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
}
