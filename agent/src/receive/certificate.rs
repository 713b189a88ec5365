//! The certificate that the listener shows: from files, or one of our own, made once and kept.
//!
//! One of our own is not vouched for by anybody: the others trust it by its fingerprint, the SHA-256 of the
//! certificate, as `tillsync check` shows it. It is made anew only if its files are deleted.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pos_adapters::pushed::Certificate;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use sha2::{Digest, Sha256};
use thiserror::Error;

const CERTIFICATE_FILE: &str = "tls-certificate.pem";
const PRIVATE_KEY_FILE: &str = "tls-private-key.pem";
/// In the certificate of our own. Nobody checks it: the fingerprint is what is trusted.
const OWN_NAME: &str = "tillsync.local";

/// Why there is no certificate.
#[derive(Debug, Error)]
pub enum CertificateError {
    /// A file cannot be read or is no PEM of this kind.
    #[error("cannot read `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: rustls::pki_types::pem::Error,
    },
    /// The file of certificates holds none.
    #[error("`{}` holds no certificate", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// Certificate and key do not fit, or are of a kind that TLS cannot use.
    #[error("cannot use the certificate and its private key")]
    Unusable(#[source] rustls::Error),
    /// Ours cannot be made.
    #[error("cannot make a certificate")]
    Make(#[source] rcgen::Error),
    /// Ours cannot be kept.
    #[error("cannot keep the certificate in `{}`", path.display())]
    Keep {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// A certificate, ready for use.
#[derive(Debug, Clone)]
pub struct Identity {
    /// For the listener.
    pub config: Arc<rustls::ServerConfig>,
    /// `sha256:` and 64 hexadecimal digits.
    pub fingerprint: String,
}

/// `sha256:` and the digest of a certificate.
#[must_use]
pub fn fingerprint(certificate: &CertificateDer<'_>) -> String {
    use std::fmt::Write as _;
    Sha256::digest(certificate.as_ref()).iter().fold("sha256:".to_owned(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _infallible = write!(text, "{byte:02x}");
        text
    })
}

/// Where certificate and key are.
fn files(wanted: &Certificate, own_files: &Path) -> (PathBuf, PathBuf) {
    match wanted {
        Certificate::Own => (own_files.join(CERTIFICATE_FILE), own_files.join(PRIVATE_KEY_FILE)),
        Certificate::Files { certificate, private_key } => (certificate.clone(), private_key.clone()),
    }
}

/// The fingerprint as far as the files are there; makes none.
///
/// # Errors
/// The file is there and cannot be read.
pub fn known_fingerprint(wanted: &Certificate, own_files: &Path) -> Result<Option<String>, CertificateError> {
    let (certificate, _) = files(wanted, own_files);
    if *wanted == Certificate::Own && !certificate.exists() {
        return Ok(None);
    }
    Ok(chain_of(&certificate)?.first().map(fingerprint))
}

/// Reads the certificate; makes and keeps one of our own where it is wanted and not there yet.
///
/// # Errors
/// [`CertificateError`]
pub fn load(wanted: &Certificate, own_files: &Path) -> Result<Identity, CertificateError> {
    let (certificate, private_key) = files(wanted, own_files);
    if *wanted == Certificate::Own && !(certificate.exists() && private_key.exists()) {
        make(&certificate, &private_key)?;
    }
    let chain = chain_of(&certificate)?;
    let fingerprint = chain.first().map(fingerprint).unwrap_or_default();
    let key = PrivateKeyDer::from_pem_file(&private_key)
        .map_err(|source| CertificateError::Read { path: private_key.clone(), source })?;
    let config = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(CertificateError::Unusable)?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(CertificateError::Unusable)?;
    Ok(Identity { config: Arc::new(config), fingerprint })
}

fn chain_of(path: &Path) -> Result<Vec<CertificateDer<'static>>, CertificateError> {
    let read = |source| CertificateError::Read { path: path.to_owned(), source };
    let chain: Vec<_> = CertificateDer::pem_file_iter(path).map_err(read)?.collect::<Result<_, _>>().map_err(read)?;
    if chain.is_empty() {
        return Err(CertificateError::Empty { path: path.to_owned() });
    }
    Ok(chain)
}

fn make(certificate: &Path, private_key: &Path) -> Result<(), CertificateError> {
    let made = rcgen::generate_simple_self_signed([OWN_NAME.to_owned()]).map_err(CertificateError::Make)?;
    if let Some(folder) = certificate.parent() {
        std::fs::create_dir_all(folder).map_err(|source| CertificateError::Keep { path: folder.to_owned(), source })?;
    }
    // The key first: a certificate without its key would be of no use.
    keep(private_key, &made.signing_key.serialize_pem())?;
    keep(certificate, &made.cert.pem())
}

/// Readable by its owner only, whole or not at all.
fn keep(path: &Path, text: &str) -> Result<(), CertificateError> {
    let kept = |source| CertificateError::Keep { path: path.to_owned(), source };
    let unfinished = path.with_extension("unfinished");
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&unfinished).map_err(kept)?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(kept)?;
    std::fs::rename(&unfinished, path).map_err(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_of_our_own_is_made_once_and_kept_from_others() {
        let folder = tempfile::tempdir().unwrap();
        let own = folder.path().join("sources/in");
        assert_eq!(known_fingerprint(&Certificate::Own, &own).unwrap(), None);
        let first = load(&Certificate::Own, &own).unwrap();
        let second = load(&Certificate::Own, &own).unwrap();
        assert!(first.fingerprint == second.fingerprint && first.fingerprint.len() == "sha256:".len() + 64);
        assert_eq!(known_fingerprint(&Certificate::Own, &own).unwrap(), Some(first.fingerprint));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = std::fs::metadata(own.join(PRIVATE_KEY_FILE)).unwrap().permissions().mode();
            assert_eq!(mode & 0o077, 0, "{mode:o}");
        }
    }

    #[test]
    fn files_that_do_not_fit_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.pem");
        OpenOptions::new().create_new(true).write(true).open(&path).unwrap();
        let wanted = Certificate::Files { certificate: path.clone(), private_key: path };
        assert!(matches!(load(&wanted, folder.path()), Err(CertificateError::Empty { .. })));
    }
}
