//! The trust in a server's certificate.

use super::files::Trust;
use super::validity;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{VerifierBuilderError, WebPkiServerVerifier, verify_server_name};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use std::sync::Arc;

/// Certificates that a root signed, and those that are trusted as they are: docker's documentation
/// makes a registry's certificate its own root, which webpki refuses (`CaUsedAsEndEntity`).
#[derive(Debug)]
pub struct Trusted {
    by_roots: Arc<WebPkiServerVerifier>,
    /// Trusted as they are, sorted.
    as_they_are: Vec<CertificateDer<'static>>,
}

impl Trusted {
    /// Trusts these roots, or those in this program if there are none.
    pub fn new(
        trust: &Trust,
        provider: Arc<CryptoProvider>,
    ) -> Result<Trusted, VerifierBuilderError> {
        let mut roots = RootCertStore::empty();
        // One that webpki cannot read may still be trusted as it is.
        roots.add_parsable_certificates(trust.roots.iter().cloned());
        if trust.roots.is_empty() {
            roots.roots = webpki_roots::TLS_SERVER_ROOTS.to_vec();
        }
        let mut as_they_are = trust.roots.clone();
        as_they_are.sort_by(|one, other| one.as_ref().cmp(other.as_ref()));
        let builder = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider);
        Ok(Trusted { by_roots: builder.build()?, as_they_are })
    }

    fn is_trusted_as_it_is(&self, certificate: &CertificateDer<'_>) -> bool {
        let found = self.as_they_are.binary_search_by(|one| one.as_ref().cmp(certificate.as_ref()));
        found.is_ok()
    }
}

/// Checks the name and the time of a certificate that is trusted as it is.
fn check_itself(
    certificate: &CertificateDer<'_>,
    name: &ServerName<'_>,
    now: UnixTime,
) -> Result<(), Error> {
    let (from, until) = validity::of(certificate).ok_or(CertificateError::BadEncoding)?;
    if now.as_secs() < from {
        return Err(CertificateError::NotValidYet.into());
    }
    if now.as_secs() > until {
        return Err(CertificateError::Expired.into());
    }
    verify_server_name(&ParsedCertificate::try_from(certificate)?, name)
}

impl ServerCertVerifier for Trusted {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verified =
            self.by_roots.verify_server_cert(certificate, intermediates, name, ocsp, now);
        if verified.is_err() && self.is_trusted_as_it_is(certificate) {
            check_itself(certificate, name, now)?;
            return Ok(ServerCertVerified::assertion());
        }
        verified
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.by_roots.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.by_roots.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.by_roots.supported_verify_schemes()
    }
}

/// Any certificate, as `--tls-verify=false` asks for. The server must still have its key.
#[derive(Debug)]
pub struct Anyone(Arc<CryptoProvider>);

impl Anyone {
    /// With these algorithms.
    pub fn new(provider: Arc<CryptoProvider>) -> Anyone {
        Anyone(provider)
    }
}

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
