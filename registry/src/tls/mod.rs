//! TLS: trust, and connections.

pub mod connector;
pub mod files;
mod validity;
mod verifier;

use crate::address::Address;
use crate::failure::{Failure, Result};
use crate::transport::Class;
use files::Trust;
use rustls::crypto::CryptoProvider;
use rustls::{CertificateError, ClientConfig, Error};
use std::sync::Arc;
use verifier::{Anyone, Trusted};

/// The two configurations of a host: for itself, and for others that it sends us to. Those get no
/// certificate of ours.
#[derive(Clone)]
pub struct Configs {
    /// For the host itself.
    pub own: Arc<ClientConfig>,
    /// For every other.
    pub others: Arc<ClientConfig>,
}

/// Returns the configurations for a host with these files. `verify`: only certificates that are
/// trusted.
pub fn configs(trust: &Trust, verify: bool) -> Result<Configs> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let own = config(&provider, trust, verify, true)?;
    let others = config(&provider, trust, verify, false)?;
    Ok(Configs { own, others })
}

fn config(
    provider: &Arc<CryptoProvider>,
    trust: &Trust,
    verify: bool,
    is_own: bool,
) -> Result<Arc<ClientConfig>> {
    let wrong = |error: &dyn std::fmt::Display| Failure::new(Class::Settings, format!("{error}"));
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|error| wrong(&error))?
        .dangerous();
    let builder = if verify {
        let verifier = Trusted::new(trust, provider.clone()).map_err(|error| wrong(&error))?;
        builder.with_custom_certificate_verifier(Arc::new(verifier))
    } else {
        builder.with_custom_certificate_verifier(Arc::new(Anyone::new(provider.clone())))
    };
    let config = match trust.pair.as_ref().filter(|_| is_own) {
        Some(pair) => builder
            .with_client_auth_cert(pair.chain.clone(), pair.key.clone_key())
            .map_err(|error| wrong(&format!("{}: {error}", pair.path.display())))?,
        None => builder.with_no_client_auth(),
    };
    Ok(Arc::new(config))
}

/// Returns why TLS failed, and what to do.
pub fn explain(error: &Error, address: &Address) -> String {
    use CertificateError as Wrong;
    let host = &address.authority;
    let name = address.host();
    match error {
        Error::InvalidCertificate(wrong) => match wrong {
            Wrong::UnknownIssuer => format!(
                "the certificate of {host} is signed by none that this machine trusts: put its CA \
                 into /etc/containers/certs.d/{host}/ca.crt, or name a directory by --cert-dir"
            ),
            Wrong::Expired | Wrong::ExpiredContext { .. } => {
                format!("the certificate of {host} has expired")
            }
            Wrong::NotValidYet | Wrong::NotValidYetContext { .. } => {
                format!("the certificate of {host} is not valid yet: is the clock right?")
            }
            Wrong::NotValidForName | Wrong::NotValidForNameContext { .. } => {
                format!("the certificate of {host} is not for the name {name} (subjectAltName)")
            }
            // webpki's word for one that signed itself.
            Wrong::Other(other) if format!("{other:?}").contains("CaUsedAsEndEntity") => format!(
                "the certificate of {host} is its own CA, which this machine does not trust: put \
                 it into /etc/containers/certs.d/{host}/ca.crt, or name a directory by --cert-dir"
            ),
            other => format!("the certificate of {host} is not valid: {other}"),
        },
        Error::InvalidMessage(_) => format!(
            "{host} does not answer with TLS: if it is a server of http, allow that by \
             --tls-verify=false"
        ),
        Error::AlertReceived(alert) => format!(
            "{host} ends the handshake of TLS ({alert:?}): does it want a client certificate, as \
             X.cert and X.key in the directory of certificates?"
        ),
        other => format!("TLS with {host} failed: {other}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_without_roots_has_those_of_this_program() {
        assert!(configs(&Trust::default(), true).is_ok());
        let mut roots = rustls::RootCertStore::empty();
        roots.roots = webpki_roots::TLS_SERVER_ROOTS.to_vec();
        assert!(roots.len() > 100, "{}", roots.len());
    }
}
