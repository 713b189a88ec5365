//! How servers of POS systems are encrypted to: by a given authority, or whoever answers.

#[cfg(feature = "postgres")]
use std::sync::Arc;

#[cfg(feature = "postgres")]
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
#[cfg(feature = "postgres")]
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
#[cfg(feature = "postgres")]
use rustls::pki_types::pem::PemObject;
#[cfg(feature = "postgres")]
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
#[cfg(feature = "postgres")]
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

use crate::database::engine::{Connection, Tls};
use crate::error::Cause;

/// The file of the authority, for [`Tls::Verify`].
pub(super) fn authority(connection: &Connection) -> Result<&std::path::Path, Cause> {
    connection.tls_ca.as_deref().ok_or_else(|| "`tls = \"verify\"` needs `tls_ca`".into())
}

/// The client's side; `None` for [`Tls::Off`].
#[cfg(feature = "postgres")]
pub(super) fn config(connection: &Connection) -> Result<Option<ClientConfig>, Cause> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions()?;
    Ok(match connection.tls {
        Tls::Off => None,
        Tls::Encrypt => {
            Some(builder.dangerous().with_custom_certificate_verifier(Arc::new(Anyone(provider))).with_no_client_auth())
        }
        Tls::Verify => {
            let path = authority(connection)?;
            let mut roots = RootCertStore::empty();
            let unreadable = |error: &dyn std::fmt::Display| format!("cannot read `{}`: {error}", path.display());
            for certificate in CertificateDer::pem_file_iter(path).map_err(|error| unreadable(&error))? {
                roots.add(certificate.map_err(|error| unreadable(&error))?)?;
            }
            Some(builder.with_root_certificates(roots).with_no_client_auth())
        }
    })
}

/// Takes any certificate: what is read is encrypted on the way, and the store's own network is trusted to lead to its
/// own server, as it is without encryption. Signatures are still checked.
#[cfg(feature = "postgres")]
#[derive(Debug)]
struct Anyone(Arc<CryptoProvider>);

#[cfg(feature = "postgres")]
impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
