//! Certificates on this machine: roots, those of one host, and a pair for the host.

use crate::credentials::read;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Files in which systems keep their roots. The first that exists is taken.
const SYSTEM_FILES: [&str; 6] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/tls/cacert.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/cert.pem",
];
/// Parents of directories with a host's name, after the one of the user.
const HOST_DIRECTORIES: [&str; 2] = ["/etc/containers/certs.d", "/etc/docker/certs.d"];
/// Files of one directory that are read. A system's has some 300 links.
const FILES_MAX: usize = 4096;

/// A certificate to show, with its key.
pub struct Pair {
    /// The file of the certificate.
    pub path: PathBuf,
    /// The certificate, and those that signed it.
    pub chain: Vec<CertificateDer<'static>>,
    /// Its key.
    pub key: PrivateKeyDer<'static>,
}

/// Certificates for the connections to one host.
#[derive(Default)]
pub struct Trust {
    /// Roots, or certificates that are trusted as they are. Empty: those in this program.
    pub roots: Vec<CertificateDer<'static>>,
    /// Shown if the host asks.
    pub pair: Option<Pair>,
}

/// Returns the roots of this machine, as `SSL_CERT_FILE` and `SSL_CERT_DIR` have them.
pub fn system(
    variable: impl Fn(&str) -> Option<String>,
) -> Result<Vec<CertificateDer<'static>>, String> {
    let of = |name: &str| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let mut roots = Vec::new();
    match of("SSL_CERT_FILE") {
        Some(file) => roots.extend(certificates(&file)?),
        None => {
            let found = SYSTEM_FILES.iter().map(Path::new).find(|path| path.exists());
            if let Some(file) = found {
                roots.extend(certificates(file)?);
            }
        }
    }
    let directories = variable("SSL_CERT_DIR").unwrap_or_default();
    for directory in directories.split(':').filter(|directory| !directory.is_empty()) {
        for file in listed(Path::new(directory))? {
            // Such a directory has keys and notes, too.
            roots.extend(certificates(&file).unwrap_or_default());
        }
    }
    // It has each certificate under its name and under its hash, and all in one file.
    roots.sort_by(|one, other| one.as_ref().cmp(other.as_ref()));
    roots.dedup();
    Ok(roots)
}

/// Returns the directory of a host, or `None`. `config`: the user's `$XDG_CONFIG_HOME`.
pub fn directory_of(host: &str, config: Option<&Path>) -> Option<PathBuf> {
    let user = config.map(|config| config.join("containers/certs.d"));
    let all = user.into_iter().chain(HOST_DIRECTORIES.map(PathBuf::from));
    all.map(|directory| directory.join(host)).find(|directory| directory.is_dir())
}

/// Adds what a host's directory has: `*.crt` are roots, `X.cert` and `X.key` a pair.
pub fn add_directory(trust: &mut Trust, directory: &Path) -> Result<(), String> {
    for file in listed(directory)? {
        let other = |extension: &str| file.with_extension(extension);
        match file.extension().and_then(|extension| extension.to_str()) {
            Some("crt") => trust.roots.extend(certificates(&file)?),
            Some("cert") => {
                let key = other("key");
                if !key.exists() {
                    let file = file.display();
                    return Err(format!("{file}: its key {} is missing", key.display()));
                }
                // Of several pairs the first by name.
                if trust.pair.is_none() {
                    trust.pair = Some(pair(file, &key)?);
                }
            }
            Some("key") if !other("cert").exists() => {
                let cert = other("cert");
                let file = file.display();
                return Err(format!(
                    "{file}: its client certificate {} is missing",
                    cert.display()
                ));
            }
            _ => {}
        }
    }
    Ok(())
}

fn pair(path: PathBuf, key: &Path) -> Result<Pair, String> {
    let chain = certificates(&path)?;
    let bytes = read(key).map_err(|error| format!("{}: {error}", key.display()))?;
    let key = PrivateKeyDer::from_pem_slice(&bytes)
        .map_err(|_| format!("{}: no private key in PEM without a password", key.display()))?;
    Ok(Pair { path, chain, key })
}

/// The files of a directory, by name.
fn listed(directory: &Path) -> Result<Vec<PathBuf>, String> {
    let wrong = |error: std::io::Error| format!("{}: {error}", directory.display());
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(wrong)? {
        files.push(entry.map_err(wrong)?.path());
        if files.len() > FILES_MAX {
            return Err(format!("{}: more than {FILES_MAX} files", directory.display()));
        }
    }
    files.sort();
    Ok(files)
}

/// The certificates of a file in PEM, of which it must have one.
fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let bytes = read(path).map_err(|error| match error.kind() {
        ErrorKind::PermissionDenied => format!("{}: not readable for this user", path.display()),
        _ => format!("{}: {error}", path.display()),
    })?;
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    match all {
        Ok(all) if !all.is_empty() => Ok(all),
        _ => Err(format!("{}: no certificate in PEM", path.display())),
    }
}
