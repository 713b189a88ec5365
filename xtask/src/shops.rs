//! Real shops for the tests: Medusa and Vendure, installed from their npm packages and started on free ports of
//! 127.0.0.1, each with an empty catalogue.
//!
//! `cargo xtask test` starts Vendure by itself, with `--real-shops` Medusa too. `cargo xtask shops start` leaves them running
//! for development and prints the variables to export; tests of a later `cargo xtask test` use them; `cargo xtask shops stop`
//! ends them. What is ours of a shop (its packages, exact versions, and its configuration) lies in `tests/shops`; what is
//! installed and stored lies below the target folder and is kept: packages until their list changes, Medusa's empty
//! database until its packages change. Every start begins with that empty database.
//!
//! Each variable is `user:password@host:port` of an administrator.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};

use std::time::Duration;

use anyhow::{Context, bail};
use clap::{Subcommand, ValueEnum};

use crate::say;
use crate::services::{self, Services};
use crate::shell;

/// Administrator of either shop.
const USER: &str = "admin@example.com";
const PASSWORD: &str = "tillsync-test";
/// Longest wait for a shop to answer; it builds its tables meanwhile.
const START_WAIT: Duration = Duration::from_secs(180);
/// Longest wait for one answer.
const ANSWER_WAIT: Duration = Duration::from_secs(10);
/// Most bytes of an answer that are read.
const ANSWER_BYTES_MAX: u64 = 4096;
/// Medusa's database: the empty one that is kept, and the one in use.
const EMPTY: &str = "medusa_empty";
const USED: &str = "medusa";
/// PostgreSQL's superuser and the user that it runs as.
const POSTGRES: &str = "postgres";

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Shop {
    Medusa,
    Vendure,
}

/// What follows if a shop cannot be installed: no registry, no npm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// It was asked for: an error.
    Required,
    /// It is left out with a notice, and its tests say so.
    Welcome,
}

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum Action {
    /// Install and start shops, all if none is named, and print the variables to export
    Start {
        /// Which
        shops: Vec<Shop>,
    },
    /// Print the variables of running shops
    Env,
    /// Stop the shops
    Stop,
}

impl Shop {
    pub(crate) const ALL: [Self; 2] = [Self::Medusa, Self::Vendure];

    const fn name(self) -> &'static str {
        match self {
            Self::Medusa => "medusa",
            Self::Vendure => "vendure",
        }
    }

    const fn variable(self) -> &'static str {
        match self {
            Self::Medusa => "TILLSYNC_TEST_MEDUSA",
            Self::Vendure => "TILLSYNC_TEST_VENDURE",
        }
    }
}

pub(crate) fn run(action: &Action) -> anyhow::Result<()> {
    match action {
        Action::Start { shops } => {
            services::leave_running(provide(if shops.is_empty() { &Shop::ALL } else { shops }, Need::Required)?);
            Ok(())
        }
        Action::Env => services::show_running(&folder(), "no shops run; start them with `cargo xtask shops start`"),
        Action::Stop => services::stop(&folder()),
    }
}

/// Running shops: those of `cargo xtask shops start` if they are the wanted ones, else new ones, which end with the value.
///
/// # Errors
/// A shop does not start, or is required and cannot be installed.
pub(crate) fn provide(shops: &[Shop], need: Need) -> anyhow::Result<Services> {
    if let Some(running) = services::running(&folder()) {
        if shops.iter().all(|shop| running.tells(shop.variable())) {
            return Ok(running);
        }
        bail!("other shops are running; stop them with `cargo xtask shops stop`");
    }
    let mut services = Services::new(folder());
    for shop in shops {
        match (install(*shop), need) {
            (Ok(()), _) => {}
            (Err(error), Need::Required) => return Err(error),
            (Err(error), Need::Welcome) => {
                let name = shop.name();
                say::problem(&format!("skipped: {name} cannot be installed ({error:#}); tests that need it say so"));
                continue;
            }
        }
        say::step(&format!("Starting {}", shop.name()));
        match shop {
            Shop::Medusa => start_medusa(&mut services)?,
            Shop::Vendure => start_vendure(&mut services)?,
        }
    }
    services.record()?;
    Ok(services)
}

/// The shop's packages, in exactly the versions of its `package.json`; nothing is done if they are there.
fn install(shop: Shop) -> anyhow::Result<()> {
    let place = place(shop);
    fs::create_dir_all(&place).with_context(|| format!("cannot make {}", place.display()))?;
    for entry in fs::read_dir(ours(shop)).with_context(|| format!("cannot list {}", ours(shop).display()))? {
        let from = entry.with_context(|| format!("cannot list {}", ours(shop).display()))?.path();
        let name = from.file_name().context("a file has a name")?;
        fs::copy(&from, place.join(name)).with_context(|| format!("cannot copy {}", from.display()))?;
    }
    let (wanted, stamp) = (packages(shop)?, place.join("installed.json"));
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    if let Some(program) = ["node", "npm"].into_iter().find(|program| shell::find(program).is_none()) {
        bail!("{program} is not installed");
    }
    say::step(&format!("Installing {} from npm; this takes a minute or two, once", shop.name()));
    let mut npm = shell::command("npm");
    // Peers that no part of the server needs (admin pages) are left alone; `package.json` names the others.
    npm.args(["install", "--no-audit", "--no-fund", "--no-package-lock", "--legacy-peer-deps"]);
    shell::quietly(npm.current_dir(&place).env("MEDUSA_DISABLE_TELEMETRY", "1").env("DO_NOT_TRACK", "1"))?;
    services::write(&stamp, &wanted)
}

fn packages(shop: Shop) -> anyhow::Result<String> {
    let path = ours(shop).join("package.json");
    fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
}

fn start_vendure(services: &mut Services) -> anyhow::Result<()> {
    let place = place(Shop::Vendure);
    let (data, port) = (place.join("data"), services::free_port()?);
    empty(&data)?;
    let mut server = shell::command("node");
    server.arg("server.js").envs([("SHOP_USER", USER), ("SHOP_PASSWORD", PASSWORD)]);
    server.env("SHOP_PORT", port.to_string()).env("SHOP_DATA", &data).env("VENDURE_DISABLE_TELEMETRY", "true");
    services.spawn("vendure", server, &place)?;
    answer(services, Shop::Vendure, port)
}

fn start_medusa(services: &mut Services) -> anyhow::Result<()> {
    let place = place(Shop::Medusa);
    let Some(database) = start_postgres(services)? else { return Ok(()) };
    let port = services::free_port()?;
    let medusa = |database_name: &str| {
        let mut command = shell::command("node");
        command.arg("node_modules/@medusajs/cli/cli.js").current_dir(&place);
        command.env("SHOP_DATABASE", database.url(database_name)).env("SHOP_PORT", port.to_string());
        command.envs([("MEDUSA_DISABLE_TELEMETRY", "1"), ("DO_NOT_TRACK", "1"), ("NODE_ENV", "production")]);
        command
    };
    let (wanted, stamp) = (packages(Shop::Medusa)?, database.folder.join("migrated.json"));
    if !fs::read_to_string(&stamp).is_ok_and(|migrated| migrated == wanted) {
        say::step("Making Medusa's tables; this takes a minute, once");
        for statement in [format!("DROP DATABASE IF EXISTS {EMPTY}"), format!("CREATE DATABASE {EMPTY}")] {
            database.execute(&statement)?;
        }
        shell::quietly(medusa(EMPTY).args(["db:migrate", "--execute-safe-links"]))?;
        shell::quietly(medusa(EMPTY).args(["user", "-e", USER, "-p", PASSWORD]))?;
        services::write(&stamp, &wanted)?;
    }
    let fresh = [format!("DROP DATABASE IF EXISTS {USED}"), format!("CREATE DATABASE {USED} TEMPLATE {EMPTY}")];
    for statement in fresh {
        database.execute(&statement)?;
    }
    let mut server = medusa(USED);
    server.args(["start", "-H", "127.0.0.1", "-p", &port.to_string()]);
    services.spawn("medusa", server, &place)?;
    answer(services, Shop::Medusa, port)
}

/// A PostgreSQL cluster of Medusa's own, which is kept.
struct Database {
    folder: PathBuf,
    programs: PathBuf,
    port: u16,
}

impl Database {
    fn url(&self, database: &str) -> String {
        format!("postgres://{POSTGRES}@127.0.0.1:{}/{database}", self.port)
    }

    fn execute(&self, statement: &str) -> anyhow::Result<()> {
        let mut psql = shell::command(self.programs.join("psql"));
        psql.args(["--no-psqlrc", "--quiet", "--set", "ON_ERROR_STOP=1", "--dbname", &self.url("postgres")]);
        shell::quietly(psql.args(["--command", statement]))
    }
}

/// `None`, with a notice, where PostgreSQL is not installed and may not be.
fn start_postgres(services: &mut Services) -> anyhow::Result<Option<Database>> {
    if services::postgres_programs().is_none() && shell::may_install() {
        say::step("Installing PostgreSQL");
        shell::install(&["postgresql"])?;
    }
    let Some(programs) = services::postgres_programs() else {
        say::problem("skipped: Medusa needs PostgreSQL (package `postgresql`); tests that need it say so");
        return Ok(None);
    };
    let place = folder().join("postgres");
    let (data, port) = (place.join("data"), services::free_port()?);
    if !data.join("PG_VERSION").is_file() {
        empty(&place)?;
        services::own(&place, POSTGRES)?;
        let mut init = services::as_user(POSTGRES, programs.join("initdb"))?;
        init.arg("--pgdata").arg(&data).args(["--username", POSTGRES, "--auth=trust"]);
        init.args(["--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"]);
        shell::quietly(init.current_dir(&place))?;
    }
    let mut server = services::as_user(POSTGRES, programs.join("postgres"))?;
    server.arg("-D").arg(&data).arg("-c").arg(format!("port={port}"));
    for setting in ["listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=off", "max_connections=200"] {
        server.arg("-c").arg(setting);
    }
    services.spawn("postgres", server, &place)?;
    let mut ready = shell::command(programs.join("pg_isready"));
    ready.args(["-q", "-h", "127.0.0.1", "-p", &port.to_string()]);
    services::answer("PostgreSQL", &place, START_WAIT, || shell::succeeds(&mut ready))?;
    Ok(Some(Database { folder: place, programs, port }))
}

fn answer(services: &mut Services, shop: Shop, port: u16) -> anyhow::Result<()> {
    services::answer(shop.name(), &place(shop), START_WAIT, || is_healthy(port))?;
    services.variable(shop.variable(), format!("{USER}:{PASSWORD}@127.0.0.1:{port}"));
    Ok(())
}

/// Whether `GET /health` answers 200: both shops have that page.
fn is_healthy(port: u16) -> bool {
    let ask = || -> std::io::Result<bool> {
        let mut stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(ANSWER_WAIT))?;
        stream.write_all(b"GET /health HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n")?;
        let mut reply = Vec::new();
        stream.take(ANSWER_BYTES_MAX).read_to_end(&mut reply)?;
        Ok(reply.starts_with(b"HTTP/1.1 200"))
    };
    ask().unwrap_or(false)
}

/// Where shops are installed and keep their data.
fn folder() -> PathBuf {
    services::folder("shops")
}

fn place(shop: Shop) -> PathBuf {
    folder().join(shop.name())
}

/// What of a shop is part of the project.
fn ours(shop: Shop) -> PathBuf {
    shell::root().join("tests").join("shops").join(shop.name())
}

fn empty(place: &Path) -> anyhow::Result<()> {
    if place.exists() {
        fs::remove_dir_all(place).with_context(|| format!("cannot empty {}", place.display()))?;
    }
    fs::create_dir_all(place).with_context(|| format!("cannot make {}", place.display()))
}
