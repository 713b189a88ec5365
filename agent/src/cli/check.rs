//! `tillsync check`: the faults of the configuration and what can be seen on this machine without asking anybody.
//! Writes nothing and opens no socket. What platforms and sources answer is added by the caller as [`Probe`]s.

use std::io;
use std::path::{Path, PathBuf};

use pos_adapters::articles::{self, ArticleSettings};
use pos_adapters::pushed::Plan;
use serde::Serialize;
use sync_core::model::Sku;

use super::exit;
use super::output::{Form, Output, Tone};
use crate::config::{self, Config, ConfigFault, ConfigFaults, PlatformConfig, Severity, SourceConfig};
use crate::platform::contract::ContractReport;
use crate::receive::certificate;
use crate::secret::SecretRef;

/// What was found out about one thing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Probe {
    /// What was looked at, as `state folder` or `platform shopify`.
    pub subject: String,
    /// How it stands.
    pub result: ProbeResult,
    /// What was seen.
    pub detail: String,
    /// The next step, if there is one.
    pub hint: Option<String>,
}

/// How a probe stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ProbeResult {
    /// Fine.
    Ok,
    /// Works, but deserves a look.
    Warning,
    /// Will not work.
    Fault,
}

impl Probe {
    /// Fine.
    pub fn ok(subject: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { subject: subject.into(), result: ProbeResult::Ok, detail: detail.into(), hint: None }
    }

    /// Works, but deserves a look.
    pub fn warning(subject: impl Into<String>, detail: impl Into<String>, hint: impl Into<String>) -> Self {
        let (subject, detail) = (subject.into(), detail.into());
        Self { subject, result: ProbeResult::Warning, detail, hint: Some(hint.into()) }
    }

    /// Will not work.
    pub fn fault(subject: impl Into<String>, detail: impl Into<String>, hint: impl Into<String>) -> Self {
        let (subject, detail) = (subject.into(), detail.into());
        Self { subject, result: ProbeResult::Fault, detail, hint: Some(hint.into()) }
    }
}

/// The whole answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CheckReport {
    /// The file.
    pub config: PathBuf,
    /// Nothing keeps the agent from working.
    pub ok: bool,
    /// What is wrong with the file; warnings too.
    pub faults: Vec<ConfigFault>,
    /// What was seen on the machine, and beyond it with `--online`.
    pub probes: Vec<Probe>,
    /// What `--probe` found out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contract: Option<ContractReport>,
}

impl CheckReport {
    /// The file is refused.
    #[must_use]
    pub fn refused(faults: &ConfigFaults) -> Self {
        Self {
            config: faults.file.clone(),
            ok: false,
            faults: faults.faults.clone(),
            probes: Vec::new(),
            contract: None,
        }
    }

    /// Adds what was seen.
    pub fn add(&mut self, probe: Probe) {
        self.ok &= probe.result != ProbeResult::Fault;
        self.probes.push(probe);
    }

    /// See [`exit`].
    #[must_use]
    pub const fn exit_code(&self) -> u8 {
        if self.ok { exit::OK } else { exit::FAULTS }
    }
}

/// Everything that can be known without asking anybody; the configuration if it has no fault.
#[must_use]
pub fn offline(path: &Path) -> (CheckReport, Option<Config>) {
    let config = match config::load(path) {
        Ok(config) => config,
        Err(faults) => return (CheckReport::refused(&faults), None),
    };
    let faults = config.warnings.clone();
    let mut report = CheckReport { config: path.to_owned(), ok: true, faults, probes: Vec::new(), contract: None };
    report.add(state_folder(&config.state.path));
    for source in &config.sources {
        report.add(listener(source, &config).unwrap_or_else(|| source_path(source)));
    }
    if let Some(settings) = &config.articles {
        for probe in articles(settings) {
            report.add(probe);
        }
    }
    for platform in &config.platforms {
        for (key, reference) in platform.secrets() {
            report.add(secret(platform, &key, reference));
        }
    }
    if let Some(folder) = config
        .log
        .file
        .as_deref()
        .and_then(Path::parent)
        .filter(|folder| !folder.as_os_str().is_empty() && !folder.is_dir())
    {
        let detail = format!("`{}` is not there yet", folder.display());
        report.add(Probe::warning("log folder", detail, "make it, or let the agent's user make it"));
    }
    (report, Some(config))
}

fn state_folder(path: &Path) -> Probe {
    let subject = "state folder";
    let shown = path.display();
    match std::fs::metadata(path) {
        Ok(found) if !found.is_dir() => {
            Probe::fault(subject, format!("`{shown}` is a file"), "name a folder in `[state] path`")
        }
        Ok(found) if found.permissions().readonly() => {
            Probe::fault(subject, format!("`{shown}` is read-only"), "let the agent's user write to it")
        }
        Ok(_) => Probe::ok(subject, format!("`{shown}`")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Probe::ok(subject, format!("`{shown}` is not there yet and will be made"))
        }
        Err(error) => Probe::warning(
            subject,
            format!("cannot look at `{shown}`: {error}"),
            "check as the user that the agent runs as",
        ),
    }
}

/// Where others post to, and the fingerprint by which they trust it.
fn listener(source: &SourceConfig, config: &Config) -> Option<Probe> {
    let subject = format!("source {}", source.name());
    let context = crate::connect::source_context(source, config);
    let plan = Plan::new(source.pushed()?, &context).ok()?;
    let Some(wanted) = &plan.tls else {
        return Some(Probe::ok(subject, format!("listens on {}, not encrypted: this machine only", plan.listen)));
    };
    Some(match certificate::known_fingerprint(wanted, &plan.own_files) {
        Ok(Some(fingerprint)) => Probe::ok(subject, format!("listens on {}, fingerprint {fingerprint}", plan.listen)),
        Ok(None) => Probe::warning(
            subject,
            format!("listens on {}; its certificate is made at the first start", plan.listen),
            "start the agent, then run this again for the fingerprint",
        ),
        Err(error) => Probe::fault(
            subject,
            crate::ingest::chain(&error),
            "check `certificate` and `private_key` in `[source.tls]`, and the rights of the agent's user",
        ),
    })
}

fn source_path(source: &SourceConfig) -> Probe {
    let subject = format!("source {}", source.name());
    let Some(path) = source.path() else {
        return Probe::ok(subject, format!("kind `{}`; `--online` looks at it", source.kind()));
    };
    if path.contains(['*', '?']) {
        return Probe::ok(subject, format!("`{path}`"));
    }
    match std::fs::metadata(path) {
        Ok(_) => Probe::ok(subject, format!("`{path}`")),
        Err(error) => Probe::warning(
            subject,
            format!("cannot look at `{path}`: {error}"),
            "fine if the POS has not written it yet; otherwise check the path and the rights of the agent's user",
        ),
    }
}

/// The article table, with every code that means several SKUs and every row that is none.
fn articles(settings: &ArticleSettings) -> Vec<Probe> {
    /// More are counted, not listed.
    const LISTED_MAX: usize = 20;
    let subject = "article table";
    let report = match articles::inspect(settings) {
        Ok(report) => report,
        Err(reason) => {
            let hint = "reading waits until the table is there; check the path and the rights of the agent's user";
            return vec![Probe::fault(subject, reason, hint)];
        }
    };
    let (collisions, faults) = (report.collisions.len(), report.faults.len());
    let mut probes = vec![Probe::ok(
        subject,
        format!("{} rows; {collisions} codes of several SKUs, {faults} rows that cannot be read", report.articles),
    )];
    probes.extend(report.collisions.iter().take(LISTED_MAX).map(|collision| {
        let skus: Vec<&str> = collision.skus.iter().map(Sku::as_str).collect();
        let detail = format!("the code `{}` belongs to {}", collision.code, skus.join(" and "));
        Probe::warning(subject, detail, "take it off all but one; until then its tickets are set aside")
    }));
    probes.extend(
        report
            .faults
            .iter()
            .take(LISTED_MAX)
            .map(|fault| Probe::warning(subject, fault.to_string(), "mend the row; it is left out")),
    );
    probes
}

fn secret(platform: &PlatformConfig, key: &str, reference: &SecretRef) -> Probe {
    let subject = format!("platform {}, {key}", platform.name());
    if let Err(error) = reference.read() {
        // The service may have a variable or credential that the person who checks has not.
        return Probe::warning(subject, error.to_string(), error.hint());
    }
    if let SecretRef::File(path) = reference
        && readable_by_all(path)
    {
        return Probe::warning(
            subject,
            format!("every user of this machine can read `{}`", path.display()),
            "chmod 600, owned by the agent's user",
        );
    }
    Probe::ok(subject, format!("{reference} can be read"))
}

#[cfg(unix)]
fn readable_by_all(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).is_ok_and(|found| found.permissions().mode() & 0o004 != 0)
}

#[cfg(not(unix))]
fn readable_by_all(_path: &Path) -> bool {
    false
}

/// Writes the answer.
///
/// # Errors
/// Writing failed.
pub fn print(out: &mut Output, report: &CheckReport) -> io::Result<()> {
    if out.form() == Form::Json {
        return out.json(report);
    }
    if !report.faults.is_empty() {
        out.line(&ConfigFaults::new(&report.config, report.faults.clone()).to_string())?;
    }
    for probe in &report.probes {
        let (tone, word) = match probe.result {
            ProbeResult::Ok => (Tone::Good, "ok     "),
            ProbeResult::Warning => (Tone::Warn, "warning"),
            ProbeResult::Fault => (Tone::Bad, "fault  "),
        };
        out.line(&format!("{} {}: {}", out.paint(tone, word), probe.subject, probe.detail))?;
        if let Some(hint) = &probe.hint {
            out.line(&format!("        {}", out.paint(Tone::Dim, hint)))?;
        }
    }
    let warned = report.faults.iter().any(|fault| fault.severity == Severity::Warning)
        || report.probes.iter().any(|probe| probe.result == ProbeResult::Warning);
    out.line(&match (report.ok, warned) {
        (true, false) => out.paint(Tone::Good, "The configuration is fine."),
        (true, true) => out.paint(Tone::Warn, "The configuration works; see the warnings."),
        (false, _) => out.paint(Tone::Bad, "The configuration will not work as it is."),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(folder: &Path, extra: &str) -> PathBuf {
        let path = folder.join("agent.toml");
        let state = folder.join("state");
        let text = format!(
            "[store]\nid = \"s1\"\n[state]\npath = '{}'\n[[source]]\nname = \"a\"\nkind = \"file\"\npath = '{}'\n\
             format = \"jsonl\"\ncolumns = {{ transaction = \"t\", sku = \"s\", quantity = \"q\" }}\n{extra}",
            state.display(),
            folder.display()
        );
        std::fs::write(&path, text).unwrap();
        path
    }

    #[test]
    fn a_good_configuration_passes() {
        let folder = tempfile::tempdir().unwrap();
        let (report, config) = offline(&written(folder.path(), ""));
        assert!(report.ok && config.is_some(), "{report:#?}");
        assert_eq!(report.exit_code(), exit::OK);
    }

    #[test]
    fn a_state_folder_that_is_a_file_is_a_fault() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("state"), "").unwrap();
        let (report, _) = offline(&written(folder.path(), ""));
        assert_eq!(report.exit_code(), exit::FAULTS, "{report:#?}");
    }

    #[test]
    fn a_secret_that_cannot_be_read_is_named_but_not_fatal() {
        let folder = tempfile::tempdir().unwrap();
        let platform = "[[platform]]\nkind = \"http\"\nurl = \"https://example.com/\"\nsecret = \"file:/not/there\"\n";
        let (report, _) = offline(&written(folder.path(), platform));
        let probe = report.probes.iter().find(|probe| probe.subject == "platform http, secret").unwrap();
        assert_eq!(probe.result, ProbeResult::Warning);
        assert!(report.ok);
    }

    #[test]
    fn a_missing_file_says_how_to_name_one() {
        let (report, config) = offline(Path::new("not-there.toml"));
        assert!(config.is_none());
        assert!(report.faults[0].hint.as_ref().unwrap().contains("--config"));
    }
}
