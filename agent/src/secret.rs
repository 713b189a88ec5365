//! Secrets: where they are kept, and the only type that may hold one.
//!
//! A configuration names a secret by reference; the value is read when it is needed and again when a platform
//! refuses it, so that a rotated token is picked up without a restart. A value is never printed, logged,
//! stored or compared with anything but another secret (invariant 12).

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::{Mutex, PoisonError};

use thiserror::Error;

/// Largest secret file, bytes; anything larger is some other file.
pub const SECRET_BYTES_MAX: u64 = 64 * 1024;

/// The folder of the service manager's credentials (systemd.exec(5), `LoadCredential=`).
const CREDENTIALS_DIRECTORY: &str = "CREDENTIALS_DIRECTORY";

/// A secret value. `Debug` never shows it and it has no `Display`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Arc<str>);

impl Secret {
    /// Holds the text.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(Arc::from(text))
    }

    /// The value, for the one place that sends or signs with it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}

/// Where a secret is kept. Safe to print.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretRef {
    /// `env:NAME`: an environment variable.
    Env(String),
    /// `file:/path`: the text of a file without white space at its ends.
    File(PathBuf),
    /// `credential:NAME`: a file in the folder that systemd names in `$CREDENTIALS_DIRECTORY`.
    Credential(String),
}

/// Why a secret cannot be had. Never contains the value, nor a reference that may be one.
#[derive(Debug, Error)]
pub enum SecretError {
    /// The text is not a reference. It may be a secret pasted by mistake, so it is not repeated.
    #[error("not a secret reference")]
    NotAReference,
    /// The reference names nothing.
    #[error("`{kind}:` names no secret")]
    Empty {
        /// `env`, `file` or `credential`.
        kind: &'static str,
    },
    /// The environment variable is not set, or is not UTF-8.
    #[error("environment variable `{name}` cannot be read")]
    Env {
        /// The variable.
        name: String,
        /// Unset or not UTF-8; the value is not part of what is shown.
        not_set: bool,
    },
    /// The file cannot be read.
    #[error("cannot read secret file `{}`", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The file is too large to be a secret.
    #[error("secret file `{}` is larger than {SECRET_BYTES_MAX} bytes", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// There is no text.
    #[error("secret `{reference}` is empty")]
    Blank {
        /// The reference.
        reference: SecretRef,
    },
    /// Not started by systemd with credentials.
    #[error("secret `credential:{name}` cannot be read: $CREDENTIALS_DIRECTORY is not set")]
    NoCredentials {
        /// The credential.
        name: String,
    },
}

impl SecretError {
    /// Stable code, listed in `docs/errors.md`.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotAReference => "secret_not_a_reference",
            Self::Empty { .. } => "secret_reference_empty",
            Self::Env { .. } => "secret_env_unreadable",
            Self::File { .. } => "secret_file_unreadable",
            Self::TooLarge { .. } => "secret_file_too_large",
            Self::Blank { .. } => "secret_blank",
            Self::NoCredentials { .. } => "secret_no_credentials",
        }
    }

    /// The next step.
    #[must_use]
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::NotAReference | Self::Empty { .. } => {
                "write env:NAME, file:/path/to/file or credential:NAME; never the secret itself"
            }
            Self::Env { .. } => "set the variable for the service, or use file:/path/to/file",
            Self::File { .. } => "check the path and that the service's user may read it",
            Self::TooLarge { .. } => "point it at a file that holds nothing but the secret",
            Self::Blank { .. } => "write the secret into it",
            Self::NoCredentials { .. } => "add LoadCredential=NAME:/path to the unit, or use file:/path/to/file",
        }
    }
}

impl SecretRef {
    /// Reads `env:NAME`, `file:/path` or `credential:NAME`.
    ///
    /// # Errors
    /// [`SecretError::NotAReference`] or [`SecretError::Empty`].
    pub fn parse(text: &str) -> Result<Self, SecretError> {
        let (kind, rest) = text.split_once(':').ok_or(SecretError::NotAReference)?;
        let named = |kind| {
            if rest.is_empty() { Err(SecretError::Empty { kind }) } else { Ok(rest) }
        };
        match kind {
            "env" => named("env").map(|name| Self::Env(name.to_owned())),
            "file" => named("file").map(|path| Self::File(PathBuf::from(path))),
            // A name with a separator would leave the folder.
            "credential" if rest.contains(['/', '\\']) => Err(SecretError::NotAReference),
            "credential" => named("credential").map(|name| Self::Credential(name.to_owned())),
            _ => Err(SecretError::NotAReference),
        }
    }

    /// Reads the value as it is now.
    ///
    /// # Errors
    /// [`SecretError`] with the reference and the next step.
    pub fn read(&self) -> Result<Secret, SecretError> {
        let text = match self {
            Self::Env(name) => std::env::var(name).map_err(|error| SecretError::Env {
                name: name.clone(),
                not_set: matches!(error, std::env::VarError::NotPresent),
            })?,
            Self::File(path) => read_small(path.clone())?,
            Self::Credential(name) => {
                let folder = std::env::var_os(CREDENTIALS_DIRECTORY)
                    .ok_or_else(|| SecretError::NoCredentials { name: name.clone() })?;
                read_small(PathBuf::from(folder).join(name))?
            }
        };
        match text.trim() {
            "" => Err(SecretError::Blank { reference: self.clone() }),
            value => Ok(Secret::new(value)),
        }
    }
}

fn read_small(path: PathBuf) -> Result<String, SecretError> {
    let checked = std::fs::metadata(&path).and_then(|facts| {
        if facts.len() > SECRET_BYTES_MAX { Ok(None) } else { std::fs::read_to_string(&path).map(Some) }
    });
    match checked {
        Ok(Some(text)) => Ok(text),
        Ok(None) => Err(SecretError::TooLarge { path }),
        Err(source) => Err(SecretError::File { path, source }),
    }
}

impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "env:{name}"),
            Self::File(path) => write!(f, "file:{}", path.display()),
            Self::Credential(name) => write!(f, "credential:{name}"),
        }
    }
}

impl FromStr for SecretRef {
    type Err = SecretError;

    fn from_str(text: &str) -> Result<Self, SecretError> {
        Self::parse(text)
    }
}

/// A secret that is read at its first use, kept, and read again after it was refused.
pub struct HeldSecret {
    source: SecretRef,
    held: Mutex<Option<Secret>>,
}

impl HeldSecret {
    /// Reads nothing yet.
    #[must_use]
    pub fn new(source: SecretRef) -> Self {
        Self { source, held: Mutex::new(None) }
    }

    /// Where it is kept.
    #[must_use]
    pub fn source(&self) -> &SecretRef {
        &self.source
    }

    /// The value as last read.
    ///
    /// # Errors
    /// [`SecretError`] if it has to be read and cannot be.
    pub fn value(&self) -> Result<Secret, SecretError> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        match &*held {
            Some(secret) => Ok(secret.clone()),
            None => Ok(held.insert(self.source.read()?).clone()),
        }
    }

    /// Reads it again because `refused` was not accepted. `None`: it is still the same.
    ///
    /// # Errors
    /// [`SecretError`] if it cannot be read.
    pub fn value_after_refusal(&self, refused: &Secret) -> Result<Option<Secret>, SecretError> {
        let fresh = self.source.read()?;
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let changed = fresh != *refused;
        *held = Some(fresh.clone());
        Ok(changed.then_some(fresh))
    }
}

impl fmt::Debug for HeldSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("HeldSecret").field(&self.source).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_read_and_written_alike() {
        for text in ["env:SHOP_TOKEN", "file:/etc/tillsync/token", "file:C:\\Tillsync\\token", "credential:shop"] {
            assert_eq!(SecretRef::parse(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn a_pasted_secret_is_refused_and_not_repeated() {
        for text in ["shpat_0123456789abcdef", "whsec:abc", "credential:../../etc/shadow"] {
            let error = SecretRef::parse(text).unwrap_err();
            assert!(matches!(error, SecretError::NotAReference), "{text}");
            assert!(!format!("{error} {error:?}").contains(text));
        }
        assert!(matches!(SecretRef::parse("env:").unwrap_err(), SecretError::Empty { kind: "env" }));
    }

    #[test]
    fn a_rotated_file_is_seen_after_a_refusal_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        std::fs::write(&path, "first\n").unwrap();
        let held = HeldSecret::new(SecretRef::File(path.clone()));
        let first = held.value().unwrap();
        assert_eq!(first.expose(), "first");
        assert_eq!(held.value_after_refusal(&first).unwrap(), None);
        std::fs::write(&path, "second\r\n").unwrap();
        assert_eq!(held.value().unwrap().expose(), "first");
        assert_eq!(held.value_after_refusal(&first).unwrap().unwrap().expose(), "second");
        assert_eq!(held.value().unwrap().expose(), "second");
    }

    #[test]
    fn an_absent_or_blank_secret_names_its_reference() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        assert_eq!(SecretRef::File(path.clone()).read().unwrap_err().code(), "secret_file_unreadable");
        std::fs::write(&path, " \n").unwrap();
        let error = SecretRef::File(path.clone()).read().unwrap_err();
        assert!(error.to_string().contains("token"), "{error}");
        let error = SecretRef::Env("TILLSYNC_TEST_NEVER_SET".to_owned()).read().unwrap_err();
        assert!(error.to_string().contains("TILLSYNC_TEST_NEVER_SET"), "{error}");
    }

    #[test]
    fn debug_shows_no_value() {
        let secret = Secret::new("open sesame");
        assert_eq!(format!("{secret:?}"), "Secret(***)");
    }
}
