//! Real database servers for the tests: installed from Debian's packages, started in private folders below the target
//! folder on free ports of 127.0.0.1, and stopped afterwards.
//!
//! `cargo xtask test` does that by itself. `cargo xtask services start` leaves them running for development and prints
//! the variables to export; tests of a later `cargo xtask test` use them; `cargo xtask services stop` ends them. Nothing
//! of the machine's own servers is used or changed. A server that refuses to run as root runs as its package's user.
//!
//! Each variable is `user:password@host:port`, with `/folder` behind it where databases are files (Firebird). The user
//! may create databases and logins.

use std::fs::{self, File};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use clap::Subcommand;

use crate::say;
use crate::shell;

/// Debian packages: servers, and ODBC with the drivers that the tests use.
const PACKAGES: &[&str] = &[
    "postgresql",
    "mariadb-server",
    "firebird3.0-server",
    "openssl",
    "unixodbc",
    "unixodbc-dev",
    "odbc-postgresql",
    "libsqliteodbc",
    "odbc-mdbtools",
    // The plugin of WooCommerce is tested over MariaDB.
    "php-cli",
    "php-mysql",
];
/// Login of PostgreSQL and MariaDB.
const LOGIN: (&str, &str) = ("tillsync", "tillsync-test");
/// Login of Firebird, whose administrator has a fixed name.
const FIREBIRD_LOGIN: (&str, &str) = ("SYSDBA", "tillsync-test");
/// Longest wait for a server to answer.
const START_WAIT: Duration = Duration::from_secs(90);
/// Longest wait for a server to end.
const STOP_WAIT: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(100);

#[derive(Debug, Clone, Copy, Subcommand)]
pub(crate) enum Action {
    /// Start the servers and print the variables to export
    Start,
    /// Print the variables of running servers
    Env,
    /// Stop the servers
    Stop,
}

/// Servers that run, and how tests reach them.
#[derive(Debug)]
pub(crate) struct Services {
    /// Where their data and our records of them lie.
    folder: PathBuf,
    variables: Vec<(String, String)>,
    /// Ours to stop.
    started: Vec<Server>,
}

#[derive(Debug)]
struct Server {
    name: &'static str,
    child: Child,
}

impl Services {
    /// None yet.
    pub(crate) const fn new(folder: PathBuf) -> Self {
        Self { folder, variables: Vec::new(), started: Vec::new() }
    }

    /// Tells a command where the servers are.
    pub(crate) fn tell(&self, command: &mut Command) {
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
    }

    /// Whether it has this variable.
    pub(crate) fn tells(&self, variable: &str) -> bool {
        self.variables.iter().any(|(name, _)| name == variable)
    }

    /// Adds a variable.
    pub(crate) fn variable(&mut self, name: &str, value: String) {
        self.variables.push((name.to_owned(), value));
    }

    /// Writes down what runs, for later commands.
    ///
    /// # Errors
    /// The files cannot be written.
    pub(crate) fn record(&self) -> anyhow::Result<()> {
        let lines = |pairs: Vec<(String, String)>| {
            pairs.into_iter().map(|(name, value)| format!("{name}={value}\n")).collect::<String>()
        };
        let pids = self.started.iter().map(|server| (server.name.to_owned(), server.child.id().to_string())).collect();
        write(&self.folder.join("pids"), &lines(pids))?;
        write(&self.folder.join("env"), &lines(self.variables.clone()))
    }

    /// Starts a server in its folder; what it says goes to a log there.
    ///
    /// # Errors
    /// It cannot be started.
    pub(crate) fn spawn(&mut self, name: &'static str, mut server: Command, place: &Path) -> anyhow::Result<()> {
        let log = File::create(place.join("log")).with_context(|| format!("cannot log {name}"))?;
        let errors = log.try_clone().with_context(|| format!("cannot log {name}"))?;
        server.stdin(Stdio::null()).stdout(log).stderr(errors).current_dir(place);
        let child = server.spawn().with_context(|| format!("cannot start {name}"))?;
        self.started.push(Server { name, child });
        Ok(())
    }
}

impl Drop for Services {
    fn drop(&mut self) {
        // Those that others need were started first.
        for server in self.started.iter_mut().rev() {
            if let Err(error) = end(server) {
                say::problem(&format!("cannot stop {}: {error:#}", server.name));
            }
        }
        if !self.started.is_empty() {
            forget(&self.folder);
        }
    }
}

pub(crate) fn run(action: Action) -> anyhow::Result<()> {
    match action {
        Action::Start => {
            leave_running(provide()?);
            Ok(())
        }
        Action::Env => {
            show_running(&folder("services"), "no servers run; start them with `cargo xtask services start`")
        }
        Action::Stop => stop(&folder("services")),
    }
}

/// Shows how servers are reached and lets them outlive us; [`stop`] finds them by their recorded ids.
pub(crate) fn leave_running(mut services: Services) {
    services.started.clear();
    show(&services.variables);
}

/// Shows how the servers are reached that an earlier command left running in this folder.
///
/// # Errors
/// `otherwise` if there are none.
pub(crate) fn show_running(folder: &Path, otherwise: &'static str) -> anyhow::Result<()> {
    show(&running(folder).context(otherwise)?.variables);
    Ok(())
}

/// Ends the servers that an earlier command left running in this folder.
///
/// # Errors
/// One does not end.
pub(crate) fn stop(folder: &Path) -> anyhow::Result<()> {
    for (name, pid) in recorded(folder, "pids").into_iter().rev() {
        if alive(&pid) {
            say::step(&format!("Stopping {name}"));
            // As in `end`.
            let signal = if name == "postgres" { "-INT" } else { "-TERM" };
            shell::run(shell::command("kill").args([signal, &pid]))?;
            wait(STOP_WAIT, || !alive(&pid)).with_context(|| format!("{name} does not end"))?;
        }
    }
    forget(folder);
    Ok(())
}

/// Running servers: those of `cargo xtask services start`, else new ones, which end with the value.
///
/// Where packages are missing and may not be installed, the server is left out with a notice, and its tests say so.
///
/// # Errors
/// A server that is installed does not start.
pub(crate) fn provide() -> anyhow::Result<Services> {
    let home = folder("services");
    if let Some(services) = running(&home) {
        return Ok(services);
    }
    let missing = shell::find("mariadbd").is_none() && sbin("mariadbd").is_none()
        || postgres_programs().is_none()
        || sbin("firebird").is_none()
        || shell::find("isql").is_none()
        || shell::find("php").is_none()
        || !has_odbc();
    if missing && shell::may_install() {
        say::step("Installing database servers");
        shell::install(PACKAGES)?;
    }
    say::step("Starting database servers");
    fs::create_dir_all(&home).with_context(|| format!("cannot make {}", home.display()))?;
    let mut services = Services::new(home);
    for start in [start_postgres, start_mariadb, start_firebird] {
        start(&mut services)?;
    }
    services.record()?;
    Ok(services)
}

/// Whether the engine for ODBC can be built: it links the driver manager.
pub(crate) fn has_odbc() -> bool {
    Path::new("/usr/include/sql.h").is_file()
}

fn start_postgres(services: &mut Services) -> anyhow::Result<()> {
    let Some(programs) = postgres_programs() else {
        return left_out("PostgreSQL", "postgresql");
    };
    let place = fresh("postgres")?;
    let (data, port) = (place.join("data"), free_port()?);
    let password = place.join("password");
    write(&password, LOGIN.1)?;
    let certificate = certificate(&place)?;
    own(&place, "postgres")?;
    let mut init = as_user("postgres", programs.join("initdb"))?;
    init.arg("--pgdata").arg(&data).arg("--username").arg(LOGIN.0).arg("--pwfile").arg(&password);
    init.args(["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"]);
    shell::quietly(init.current_dir(&place))?;
    let mut server = as_user("postgres", programs.join("postgres"))?;
    server.arg("-D").arg(&data);
    let port_text = port.to_string();
    let mut settings = vec![
        ("port", port_text.as_str()),
        ("listen_addresses", "127.0.0.1"),
        ("unix_socket_directories", ""),
        // Nothing in it is kept.
        ("fsync", "off"),
    ];
    let (pem, key) = (place.join("server.pem").display().to_string(), place.join("server.key").display().to_string());
    if certificate {
        settings.extend([("ssl", "on"), ("ssl_cert_file", pem.as_str()), ("ssl_key_file", key.as_str())]);
    }
    for (name, value) in settings {
        server.arg("-c").arg(format!("{name}={value}"));
    }
    services.spawn("postgres", server, &place)?;
    let mut ready = shell::command(programs.join("pg_isready"));
    ready.args(["-q", "-h", "127.0.0.1", "-p", &port_text]);
    answer("PostgreSQL", &place, START_WAIT, || shell::succeeds(&mut ready))?;
    services.variables.push(("TILLSYNC_TEST_POSTGRES".to_owned(), format!("{}:{}@127.0.0.1:{port}", LOGIN.0, LOGIN.1)));
    if certificate {
        services.variables.push(("TILLSYNC_TEST_POSTGRES_CA".to_owned(), pem));
    }
    Ok(())
}

fn start_mariadb(services: &mut Services) -> anyhow::Result<()> {
    let (Some(program), Some(install)) = (sbin("mariadbd"), shell::find("mariadb-install-db")) else {
        return left_out("MariaDB", "mariadb-server");
    };
    let place = fresh("mariadb")?;
    let (data, port) = (place.join("data"), free_port()?);
    let (user, password) = LOGIN;
    let grants = format!(
        "CREATE USER IF NOT EXISTS '{user}'@'%' IDENTIFIED BY '{password}';\nGRANT ALL ON *.* TO '{user}'@'%' WITH GRANT OPTION;\n"
    );
    let init_file = place.join("init.sql");
    write(&init_file, &grants)?;
    let certificate = certificate(&place)?;
    own(&place, "mysql")?;
    let mut init = as_user("mysql", install)?;
    init.arg("--no-defaults").arg(format!("--datadir={}", data.display()));
    init.args(["--auth-root-authentication-method=normal", "--skip-test-db"]);
    shell::quietly(init.current_dir(&place))?;
    let mut server = as_user("mysql", program)?;
    server.arg("--no-defaults").arg(format!("--datadir={}", data.display()));
    server.arg(format!("--port={port}")).arg(format!("--init-file={}", init_file.display()));
    // The socket is below the data folder, as full paths of sockets are short.
    server.args(["--bind-address=127.0.0.1", "--socket=server.sock", "--pid-file=server.pid", "--skip-name-resolve"]);
    server.args(["--innodb-flush-log-at-trx-commit=0", "--innodb-buffer-pool-size=64M", "--skip-log-bin"]);
    if certificate {
        server.arg(format!("--ssl-cert={}", place.join("server.pem").display()));
        server.arg(format!("--ssl-key={}", place.join("server.key").display()));
    }
    services.spawn("mariadb", server, &place)?;
    let mut ready = shell::command("mariadb-admin");
    ready.args(["--no-defaults", "--host=127.0.0.1", "--silent"]);
    ready.arg(format!("--port={port}")).arg(format!("--user={user}")).arg(format!("--password={password}")).arg("ping");
    answer("MariaDB", &place, START_WAIT, || shell::succeeds(&mut ready))?;
    services.variables.push(("TILLSYNC_TEST_MARIADB".to_owned(), format!("{user}:{password}@127.0.0.1:{port}")));
    Ok(())
}

/// Firebird takes a root folder of its own; what it needs of the installed one is linked there.
fn start_firebird(services: &mut Services) -> anyhow::Result<()> {
    let (Some(program), Some(isql)) = (sbin("firebird"), shell::find("isql-fb")) else {
        return left_out("Firebird", "firebird3.0-server");
    };
    let place = fresh("firebird")?;
    let port = free_port()?;
    let library = firebird_library().context("Firebird's library folder is not below /usr/lib")?;
    let shared = Path::new("/usr/share/firebird/3.0");
    link(&library.join("plugins"), &place.join("plugins"))?;
    link(&shared.join("firebird.msg"), &place.join("firebird.msg"))?;
    // Character sets are found only in a file that really is in the root folder.
    let sets = "intl/libfbintl.so";
    fs::create_dir_all(place.join("intl")).context("cannot make intl")?;
    fs::copy(library.join(sets), place.join(sets)).with_context(|| format!("cannot copy {sets}"))?;
    let security = place.join("security3.fdb").display().to_string();
    let settings = format!(
        "SecurityDatabase = {security}\nRemoteServicePort = {port}\nRemoteBindAddress = 127.0.0.1\nDatabaseAccess = Full\n\
         AuthServer = Srp\nUserManager = Srp\nWireCrypt = Enabled\nServerMode = Super\n"
    );
    write(&place.join("firebird.conf"), &settings)?;
    write(&place.join("databases.conf"), &format!("security.db = {security}\n"))?;
    fs::copy("/etc/firebird/3.0/plugins.conf", place.join("plugins.conf")).context("cannot copy plugins.conf")?;
    for inner in ["data", "lock"] {
        fs::create_dir_all(place.join(inner)).with_context(|| format!("cannot make {inner}"))?;
    }
    let scripts = [
        ("create.sql", String::new(), format!("CREATE DATABASE '{security}' PAGE_SIZE 8192;\nCOMMIT;\n")),
        ("security.sql", security.clone(), format!("IN {};\nEXIT;\n", shared.join("security.sql").display())),
        (
            "user.sql",
            "security.db".to_owned(),
            format!("CREATE USER {} PASSWORD '{}';\nCOMMIT;\n", FIREBIRD_LOGIN.0, FIREBIRD_LOGIN.1),
        ),
    ];
    for (name, _, script) in &scripts {
        write(&place.join(name), script)?;
    }
    own(&place, "firebird")?;
    let private = |command: &mut Command| {
        command
            .env("FIREBIRD", &place)
            .env("FIREBIRD_LOCK", place.join("lock"))
            .env("FIREBIRD_TMP", place.join("lock"));
        command.current_dir(&place);
    };
    for (name, database, _) in &scripts {
        let mut init = as_user("firebird", &isql)?;
        private(&mut init);
        init.args(["-q", "-user", FIREBIRD_LOGIN.0, "-i", name]);
        if !database.is_empty() {
            init.arg(database);
        }
        shell::quietly(&mut init)?;
    }
    let mut server = as_user("firebird", program)?;
    private(&mut server);
    server.args(["-p", &port.to_string()]);
    services.spawn("firebird", server, &place)?;
    answer("Firebird", &place, START_WAIT, || TcpStream::connect(("127.0.0.1", port)).is_ok())?;
    let (user, password) = FIREBIRD_LOGIN;
    let data = place.join("data").display().to_string();
    services.variables.push(("TILLSYNC_TEST_FIREBIRD".to_owned(), format!("{user}:{password}@127.0.0.1:{port}{data}")));
    Ok(())
}

/// A key and a certificate of its own for 127.0.0.1; `false` without openssl.
fn certificate(place: &Path) -> anyhow::Result<bool> {
    if shell::find("openssl").is_none() {
        return Ok(false);
    }
    let mut make = shell::command("openssl");
    make.args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", "/CN=localhost"]);
    make.args([
        "-addext",
        "subjectAltName=DNS:localhost,IP:127.0.0.1",
        "-addext",
        "basicConstraints=critical,CA:FALSE",
    ]);
    make.arg("-keyout").arg(place.join("server.key")).arg("-out").arg(place.join("server.pem"));
    shell::quietly(&mut make)?;
    shell::run(shell::command("chmod").arg("600").arg(place.join("server.key")))?;
    Ok(true)
}

fn left_out(name: &str, package: &str) -> anyhow::Result<()> {
    if shell::may_install() {
        bail!("{name} is not there although its package `{package}` was to be installed");
    }
    say::problem(&format!("skipped: {name} is not installed (package `{package}`); tests that need it say so"));
    Ok(())
}

/// Where servers of a kind live: below the target folder, or, where their users cannot get there, in the folder for
/// temporary files.
pub(crate) fn folder(kind: &str) -> PathBuf {
    let wanted = shell::target().join(kind);
    if !is_root() || wanted.ancestors().all(open_to_all) {
        return wanted;
    }
    let name = shell::target().display().to_string().replace(['/', ' '], "-");
    std::env::temp_dir().join(format!("tillsync-{kind}{name}"))
}

/// Whether every user may pass through a folder; one that is not there yet will be made so.
#[cfg(unix)]
fn open_to_all(folder: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    fs::metadata(folder).map_or(true, |found| found.permissions().mode() & 0o001 != 0)
}

#[cfg(not(unix))]
fn open_to_all(_: &Path) -> bool {
    true
}

/// An empty folder for one server.
fn fresh(name: &str) -> anyhow::Result<PathBuf> {
    let place = folder("services").join(name);
    if place.exists() {
        fs::remove_dir_all(&place).with_context(|| format!("cannot empty {}", place.display()))?;
    }
    fs::create_dir_all(&place).with_context(|| format!("cannot make {}", place.display()))?;
    Ok(place)
}

pub(crate) fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(unix)]
fn link(target: &Path, name: &Path) -> anyhow::Result<()> {
    std::os::unix::fs::symlink(target, name).with_context(|| format!("cannot link {}", name.display()))
}

#[cfg(not(unix))]
fn link(_: &Path, name: &Path) -> anyhow::Result<()> {
    bail!("cannot link {}: servers run on Debian only", name.display())
}

pub(crate) fn free_port() -> anyhow::Result<u16> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).context("cannot find a free port")?;
    Ok(listener.local_addr().context("cannot find a free port")?.port())
}

/// The folder with `initdb` and `postgres`: the newest that Debian's package installed.
pub(crate) fn postgres_programs() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").ok()?;
    let mut folders: Vec<PathBuf> = versions.flatten().map(|entry| entry.path().join("bin")).collect();
    folders.retain(|folder| folder.join("initdb").is_file() && folder.join("postgres").is_file());
    folders.sort();
    folders.pop()
}

fn firebird_library() -> Option<PathBuf> {
    let architectures = fs::read_dir("/usr/lib").ok()?;
    architectures.flatten().map(|entry| entry.path().join("firebird/3.0")).find(|path| path.join("plugins").is_dir())
}

/// A program of an administrator, which may not be in `PATH`.
fn sbin(program: &str) -> Option<PathBuf> {
    let path = Path::new("/usr/sbin").join(program);
    path.is_file().then_some(path).or_else(|| shell::find(program))
}

fn is_root() -> bool {
    shell::command("id").arg("-u").output().is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

/// Gives the folder to a server's user, if we are root.
pub(crate) fn own(place: &Path, user: &str) -> anyhow::Result<()> {
    if is_root() {
        shell::run(shell::command("chown").args(["-R", &format!("{user}:{user}")]).arg(place))?;
    }
    Ok(())
}

/// A command as a server's user, if we are root; servers refuse to run as root.
pub(crate) fn as_user(user: &str, program: impl AsRef<Path>) -> anyhow::Result<Command> {
    let program = program.as_ref();
    if !is_root() {
        return Ok(shell::command(program));
    }
    let setpriv = shell::find("setpriv").context("`setpriv` is not there; install util-linux")?;
    let mut command = shell::command(setpriv);
    command.arg(format!("--reuid={user}")).arg(format!("--regid={user}")).arg("--clear-groups").arg(program);
    command.env("HOME", folder("services")).env_remove("TMPDIR");
    Ok(command)
}

/// Waits until a server answers.
///
/// # Errors
/// It does not, with what its log says.
pub(crate) fn answer(name: &str, place: &Path, longest: Duration, ready: impl FnMut() -> bool) -> anyhow::Result<()> {
    wait(longest, ready).with_context(|| {
        let log = fs::read_to_string(place.join("log")).unwrap_or_default();
        format!("{name} does not answer; its log says:\n{log}")
    })
}

fn wait(longest: Duration, mut done: impl FnMut() -> bool) -> anyhow::Result<()> {
    let since = Instant::now();
    while !done() {
        if since.elapsed() > longest {
            bail!("waited {longest:?}");
        }
        thread::park_timeout(PAUSE);
    }
    Ok(())
}

fn end(server: &mut Server) -> anyhow::Result<()> {
    let pid = server.child.id().to_string();
    // PostgreSQL waits for its clients after TERM, and ends them after INT.
    let signal = if server.name == "postgres" { "-INT" } else { "-TERM" };
    shell::run(shell::command("kill").args([signal, &pid]))?;
    if wait(STOP_WAIT, || matches!(server.child.try_wait(), Ok(Some(_)) | Err(_))).is_err() {
        server.child.kill().context("cannot kill it")?;
        server.child.wait().context("cannot wait for its end")?;
    }
    Ok(())
}

fn alive(pid: &str) -> bool {
    shell::succeeds(shell::command("kill").args(["-0", pid]))
}

fn recorded(folder: &Path, file: &str) -> Vec<(String, String)> {
    let text = fs::read_to_string(folder.join(file)).unwrap_or_default();
    text.lines()
        .filter_map(|line| line.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

/// Servers that an earlier command left running, if all of them still do.
pub(crate) fn running(folder: &Path) -> Option<Services> {
    let pids = recorded(folder, "pids");
    let all = !pids.is_empty() && pids.iter().all(|(_, pid)| alive(pid));
    all.then(|| {
        let mut services = Services::new(folder.to_path_buf());
        services.variables = recorded(folder, "env");
        services
    })
}

fn forget(folder: &Path) {
    for file in ["pids", "env"] {
        let path = folder.join(file);
        if path.exists()
            && let Err(error) = fs::remove_file(&path)
        {
            say::problem(&format!("cannot remove {}: {error}", path.display()));
        }
    }
}

fn show(variables: &[(String, String)]) {
    for (name, value) in variables {
        say::line(&format!("export {name}='{value}'"));
    }
}
