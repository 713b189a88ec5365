//! The support bundle: what somebody who helps needs to know, without secrets and persons.
//!
//! Owns what goes in and that everything goes through two nets: the values of all secrets that the configuration
//! refers to (or wrongly contains) are taken out wherever they stand, then [`mask::scrub`] takes out what looks like
//! one. Reads no database: facts about it are handed in. Holds no sales.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use sync_core::model::Timestamp;
use thiserror::Error;

use crate::config::{self, mask, reference};
use crate::secret::SecretRef;
use crate::status::{StatusSnapshot, rfc3339, summary};
use crate::telemetry;

/// Most of the log that goes in, bytes.
pub const LOG_BYTES_MAX: usize = 1024 * 1024;

/// Longest single fact that goes in, bytes.
pub const FACT_BYTES_MAX: usize = 256 * 1024;

/// Shortest secret value that is searched for: shorter ones would blot out half of the text.
const SECRET_LEN_MIN: usize = 4;

/// Folder in the archive.
const FOLDER: &str = "tillsync-diag";

/// Why there is no bundle.
#[derive(Debug, Error)]
pub enum DiagError {
    /// It cannot be written.
    #[error("cannot write the support bundle `{}`", path.display())]
    Write {
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It cannot be packed.
    #[error("cannot pack the support bundle")]
    Pack(#[source] io::Error),
}

impl DiagError {
    /// Stable code, listed in `docs/errors.md`.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Write { .. } => "diag_not_written",
            Self::Pack(_) => "diag_not_packed",
        }
    }

    /// The next step.
    #[must_use]
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::Write { .. } => "name a place that you may write to, with --output FILE",
            Self::Pack(_) => "try again; there may be too little memory",
        }
    }
}

/// What goes in.
#[derive(Debug, Default)]
pub struct DiagInput {
    /// The configuration file; a missing or faulty one is no obstacle.
    pub config: PathBuf,
    /// How it stands, if the agent answered.
    pub status: Option<StatusSnapshot>,
    /// The current log file, if there is one.
    pub log: Option<PathBuf>,
    /// Facts as (name, text): the database's, the audit's, the probes'.
    pub facts: Vec<(String, String)>,
    /// When it is made.
    pub made_at: Timestamp,
}

/// The name of the bundle if none is given: `tillsync-diag-20260301T120000Z.tar.gz`.
#[must_use]
pub fn file_name(made_at: Timestamp) -> PathBuf {
    let stamp: String = rfc3339::text(made_at).chars().take(19).filter(|c| c.is_ascii_alphanumeric()).collect();
    PathBuf::from(format!("tillsync-diag-{stamp}Z.tar.gz"))
}

/// The bundle as (name, text), everything masked. What is packed is what this answers.
#[must_use]
pub fn files(input: &DiagInput) -> Vec<(String, String)> {
    let config_text = config::text_of(&input.config);
    let mut files = vec![("system.txt".to_owned(), system_facts(input.made_at))];
    match (&config_text, config::masked(&input.config)) {
        (Ok(_), Ok(masked)) => files.push(("config.toml".to_owned(), masked)),
        (_, Err(faults)) => files.push(("config-faults.txt".to_owned(), faults.to_string())),
        (Err(faults), Ok(_)) => files.push(("config-faults.txt".to_owned(), faults.to_string())),
    }
    if let Err(faults) = config::load(&input.config) {
        files.push(("config-check.txt".to_owned(), faults.to_string()));
    }
    if let Some(status) = &input.status {
        files.push(("summary.txt".to_owned(), summary(status)));
        let json = serde_json::to_string_pretty(status).unwrap_or_else(|error| error.to_string());
        files.push(("status.json".to_owned(), json));
    }
    for (name, text) in &input.facts {
        let cut = text.char_indices().map(|(at, _)| at).take_while(|at| *at <= FACT_BYTES_MAX).last().unwrap_or(0);
        let kept = if text.len() > FACT_BYTES_MAX { text.get(..cut).unwrap_or_default() } else { text };
        files.push((format!("{}.txt", plain_name(name)), kept.to_owned()));
    }
    if let Some(log) = &input.log {
        files.push(("log.txt".to_owned(), telemetry::log_tail(log, LOG_BYTES_MAX)));
    }
    let secrets = config_text.map(|text| secrets_of(&text)).unwrap_or_default();
    for (_, text) in &mut files {
        *text = mask::scrub(&without(text, &secrets));
    }
    files
}

/// The bundle as `.tar.gz`.
///
/// # Errors
/// Packing failed.
pub fn pack(files: &[(String, String)], made_at: Timestamp) -> Result<Vec<u8>, DiagError> {
    let mut archive = GzEncoder::new(Vec::new(), Compression::default());
    let seconds = u64::try_from(made_at.0 / 1_000_000).unwrap_or(0);
    for (name, text) in files {
        append(&mut archive, name, text.as_bytes(), seconds).map_err(DiagError::Pack)?;
    }
    // Two empty blocks end an archive.
    archive.write_all(&[0; 2 * BLOCK]).map_err(DiagError::Pack)?;
    archive.finish().map_err(DiagError::Pack)
}

/// Makes the bundle and writes it, readable by its owner only.
///
/// # Errors
/// Packing or writing failed.
pub fn write(path: &Path, input: &DiagInput) -> Result<(), DiagError> {
    let bytes = pack(&files(input), input.made_at)?;
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written = options.open(path).and_then(|mut file| file.write_all(&bytes).and_then(|()| file.sync_all()));
    written.map_err(|source| DiagError::Write { path: path.to_owned(), source })
}

fn plain_name(name: &str) -> String {
    let plain: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '-' }).take(60).collect();
    if plain.is_empty() { "fact".to_owned() } else { plain }
}

/// The values of all secrets that the text refers to, and those that stand in it by mistake; the longest first.
fn secrets_of(config_text: &str) -> Vec<String> {
    let mut found = Vec::new();
    match config_text.parse::<toml::Table>() {
        Ok(table) => collect(&toml::Value::Table(table), "", true, &reference::key_names(), &mut found),
        // Not TOML: any text in quotes on a line that hides something may be a secret.
        Err(_) => {
            for line in config_text.lines().filter(|line| mask::mask_line(line, "") != **line) {
                found.extend(line.split(['"', '\'']).skip(1).step_by(2).map(str::to_owned));
            }
        }
    }
    let bare: Vec<String> =
        found.iter().filter_map(|secret| secret.strip_prefix("whsec_").map(str::to_owned)).collect();
    found.extend(bare);
    found.retain(|secret| secret.len() >= SECRET_LEN_MIN);
    found.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    found.dedup();
    found
}

fn collect(
    value: &toml::Value,
    path: &str,
    known_key: bool,
    known: &std::collections::BTreeSet<String>,
    found: &mut Vec<String>,
) {
    match value {
        toml::Value::Table(table) => {
            for (key, value) in table {
                collect(value, &format!("{path}.{key}"), known.contains(key), known, found);
            }
        }
        toml::Value::Array(items) => items.iter().for_each(|item| collect(item, path, known_key, known, found)),
        toml::Value::String(text) => match SecretRef::parse(text) {
            Ok(reference) => found.extend(reference.read().ok().map(|secret| secret.expose().to_owned())),
            Err(_) if mask::is_secret_path(path) || !(known_key || path.starts_with(".source.")) => {
                found.push(text.clone())
            }
            Err(_) => {
                // The password in an address.
                let user_info = text.split_once("://").and_then(|(_, rest)| rest.split('/').next()?.rsplit_once('@'));
                found.extend(
                    user_info.and_then(|(user, _)| user.split_once(':')).map(|(_, password)| password.to_owned()),
                );
            }
        },
        toml::Value::Integer(_) | toml::Value::Float(_) | toml::Value::Boolean(_) | toml::Value::Datetime(_) => {}
    }
}

fn without(text: &str, secrets: &[String]) -> String {
    secrets.iter().fold(text.to_owned(), |text, secret| text.replace(secret, mask::MASK))
}

fn system_facts(made_at: Timestamp) -> String {
    let first_line = |path: &str| {
        std::fs::read_to_string(path).ok().and_then(|text| text.lines().next().map(str::to_owned)).unwrap_or_default()
    };
    let os = std::fs::read_to_string("/etc/os-release")
        .ok()
        .and_then(|text| text.lines().find_map(|line| line.strip_prefix("PRETTY_NAME=").map(str::to_owned)))
        .unwrap_or_default();
    let processors = std::thread::available_parallelism().map_or(0, std::num::NonZeroUsize::get);
    let facts = [
        ("made at", rfc3339::text(made_at)),
        ("tillsync", env!("CARGO_PKG_VERSION").to_owned()),
        ("system", format!("{} {}", std::env::consts::OS, std::env::consts::ARCH)),
        ("release", os.trim_matches('"').to_owned()),
        ("kernel", first_line("/proc/sys/kernel/osrelease")),
        ("machine", first_line("/proc/device-tree/model").trim_end_matches('\0').to_owned()),
        ("memory", first_line("/proc/meminfo")),
        ("load", first_line("/proc/loadavg")),
        ("uptime s", first_line("/proc/uptime")),
        ("processors", processors.to_string()),
    ];
    facts.iter().filter(|(_, value)| !value.is_empty()).map(|(name, value)| format!("{name}: {value}\n")).collect()
}

const BLOCK: usize = 512;

/// One file in the ustar format (POSIX.1-1988, IEEE Std 1003.1, `pax`).
fn append(out: &mut impl Write, name: &str, content: &[u8], seconds: u64) -> io::Result<()> {
    let mut header = [0_u8; BLOCK];
    let mut put = |at: usize, text: &str| {
        for (place, byte) in header.iter_mut().skip(at).zip(text.bytes()) {
            *place = byte;
        }
    };
    put(0, &format!("{FOLDER}/{name}"));
    put(100, "0000600\0");
    put(108, "0000000\0");
    put(116, "0000000\0");
    put(124, &format!("{:011o}\0", content.len()));
    put(136, &format!("{seconds:011o}\0"));
    put(148, "        ");
    put(156, "0");
    put(257, "ustar\x0000");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    for (place, byte) in header.iter_mut().skip(148).zip(format!("{sum:06o}\0 ").bytes()) {
        *place = byte;
    }
    out.write_all(&header)?;
    out.write_all(content)?;
    let padding = content.len().next_multiple_of(BLOCK).saturating_sub(content.len());
    out.write_all(&vec![0; padding])
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    const REFERRED: &str = "referred-secret-0815";
    const SIGNING: &str = "c2lnbmluZy1rZXktNDcxMQ==";
    const LITERAL: &str = "literal-secret-0816";
    const MISSPELT: &str = "misspelt-secret-0817";
    const PASSWORD: &str = "address-secret-0818";
    const PLANTED: [&str; 9] = [
        REFERRED,
        SIGNING,
        LITERAL,
        MISSPELT,
        PASSWORD,
        "shpat_0123456789abcdef",
        "jane.doe@example.com",
        "4111 1111 1111 1111",
        "/home/jane",
    ];

    fn planted(folder: &Path, broken: &str) -> DiagInput {
        let write = |name: &str, text: &str| {
            let path = folder.join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let referred = write("referred", REFERRED);
        let signing = write("signing", &format!("whsec_{SIGNING}"));
        let config = write(
            "agent.toml",
            &format!(
                "# jane.doe@example.com knows\n[store]\nid = \"s1\"\n[[platform]]\nkind = \"shopify\"\ntoken = \"file:{}\"\n\
                 tokn = \"{MISSPELT}\"\nclient_secret = \"{LITERAL}\"\n[[platform]]\nkind = \"http\"\nsecret = \"file:{}\"\n\
                 url = \"https://jane:{PASSWORD}@example.com/\"\n[log]\nfile = \"/home/jane/t.log\"\n{broken}",
                referred.display(),
                signing.display()
            ),
        );
        let everything = PLANTED.join(" | ");
        let log = write("t.log", &format!("INFO sent with {everything}\nplain line\n{{\"token\":\"{REFERRED}\"}}\n"));
        let mut status = crate::status::tests::snapshot();
        status.lanes[0].reason = Some(everything.clone());
        DiagInput {
            config,
            status: Some(status),
            log: Some(log),
            facts: vec![("db facts".to_owned(), format!("rows 5 {everything}"))],
            made_at: Timestamp(1_772_366_400_000_000),
        }
    }

    #[test]
    fn no_planted_secret_is_in_the_bundle() {
        for broken in ["", "[broken\n"] {
            let folder = tempfile::tempdir().unwrap();
            let input = planted(folder.path(), broken);
            let path = folder.path().join("out.tar.gz");
            write(&path, &input).unwrap();
            let mut tar = Vec::new();
            flate2::read::GzDecoder::new(std::fs::File::open(&path).unwrap()).read_to_end(&mut tar).unwrap();
            let text = String::from_utf8_lossy(&tar);
            assert!(text.contains("plain line") && text.contains("rows 5"));
            let hidden = if broken.is_empty() { &PLANTED[..] } else { &PLANTED[2..] };
            for secret in hidden {
                // What stands unquoted in a file that is not TOML cannot be told from anything else.
                if !broken.is_empty() && [MISSPELT, PASSWORD].contains(secret) {
                    continue;
                }
                assert!(!text.contains(secret), "{secret} with `{broken}`:\n{text}");
            }
        }
    }

    #[test]
    fn the_archive_is_made_of_whole_blocks_with_right_sums() {
        let bytes = pack(&[("a.txt".to_owned(), "x".repeat(513))], Timestamp(0)).unwrap();
        let mut tar = Vec::new();
        flate2::read::GzDecoder::new(&bytes[..]).read_to_end(&mut tar).unwrap();
        assert_eq!(tar.len(), BLOCK + 2 * BLOCK + 2 * BLOCK);
        let told = u32::from_str_radix(std::str::from_utf8(&tar[148..154]).unwrap(), 8).unwrap();
        let sum: u32 = tar[..BLOCK]
            .iter()
            .enumerate()
            .map(|(at, b)| if (148..156).contains(&at) { 32 } else { u32::from(*b) })
            .sum();
        assert_eq!(told, sum);
        assert_eq!(&tar[124..135], b"00000001001");
        assert!(tar.starts_with(b"tillsync-diag/a.txt\0"));
    }

    #[test]
    fn a_missing_configuration_is_no_obstacle() {
        let files = files(&DiagInput { config: PathBuf::from("not-there.toml"), ..DiagInput::default() });
        assert!(files.iter().any(|(name, _)| name == "config-faults.txt"));
        assert!(files.iter().any(|(name, text)| name == "system.txt" && text.contains("tillsync: ")));
    }

    #[test]
    fn the_name_carries_the_time() {
        assert_eq!(file_name(Timestamp(1_772_366_400_000_000)), PathBuf::from("tillsync-diag-20260301T120000Z.tar.gz"));
    }
}
