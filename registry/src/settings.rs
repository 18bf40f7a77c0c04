//! Settings that ocinit sends before the start, and the hosts that they become.

use crate::address::is_authority;
use crate::credentials::{self, Credentials, Surroundings};
use crate::exchange::{Exchange, Times};
use crate::failure::{Failure, Result};
use crate::proxy::Proxies;
use crate::registry::{Registry, Scheme};
use crate::tls::files::{self, Trust};
use crate::tls::{self};
use crate::transport::{Class, HOSTS_MAX, MIRRORS_MAX, Request, Setting};
use std::ops::Deref;
use std::path::{Path, PathBuf};

/// The host of Docker Hub's programming interface.
const HUB_AUTHORITY: &str = "registry-1.docker.io";

/// A host with its mirrors, which come first.
pub struct Sources(Vec<Registry>);

impl Sources {
    /// The host itself.
    pub fn origin(&self) -> &Registry {
        self.0.last().expect("a host has itself as its source")
    }
}

impl Deref for Sources {
    type Target = [Registry];

    fn deref(&self) -> &[Registry] {
        &self.0
    }
}

#[derive(Default)]
struct Host {
    name: String,
    repository: String,
    mirrors: Vec<String>,
    is_insecure: bool,
    auth_file: Option<PathBuf>,
    creds_file: Option<PathBuf>,
    cert_dir: Option<PathBuf>,
}

/// All that was said.
#[derive(Default)]
pub struct Settings {
    hosts: Vec<Host>,
}

impl Settings {
    /// Takes a message. An error is ocinit's.
    pub fn add(&mut self, request: &Request<'_>) -> std::result::Result<(), &'static str> {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).map_err(|_| "not UTF-8");
        match *request {
            Request::Host { host, name, repository } => {
                if usize::from(host) != self.hosts.len() || self.hosts.len() >= HOSTS_MAX {
                    return Err("hosts are not numbered from 0");
                }
                let (name, repository) = (text(name)?, text(repository)?);
                if !is_authority(&name) {
                    return Err("a host that is no name with a port");
                }
                self.hosts.push(Host { name, repository, ..Host::default() });
            }
            Request::Mirror { host, name } => {
                let host = self.host(host)?;
                if host.mirrors.len() >= MIRRORS_MAX {
                    return Err("too many mirrors");
                }
                let name = text(name)?;
                if !is_authority(without_scheme(&name).0) {
                    return Err("a mirror that is no name with a port");
                }
                host.mirrors.push(name);
            }
            Request::Setting { host, what, value } => {
                let host = self.host(host)?;
                let value = || text(value).map(|path| Some(PathBuf::from(path)));
                match what {
                    Setting::Insecure => host.is_insecure = true,
                    Setting::AuthFile => host.auth_file = value()?,
                    Setting::CredsFile => host.creds_file = value()?,
                    Setting::CertDir => host.cert_dir = value()?,
                }
            }
            _ => return Err("a request before the start"),
        }
        Ok(())
    }

    fn host(&mut self, number: u8) -> std::result::Result<&mut Host, &'static str> {
        self.hosts.get_mut(usize::from(number)).ok_or("a setting of an unknown host")
    }

    /// Reads all files and variables that the settings name, and asks credential helpers.
    pub fn build(self, times: Times) -> Result<Vec<Sources>> {
        let around = Machine::read()?;
        self.hosts.iter().map(|host| host.build(&around, times)).collect()
    }
}

/// `http://` before a mirror's name.
fn without_scheme(name: &str) -> (&str, bool) {
    match name.strip_prefix("http://") {
        Some(name) => (name, true),
        None => (name.strip_prefix("https://").unwrap_or(name), false),
    }
}

/// Files and variables that are the same for all hosts.
struct Machine {
    roots: Vec<rustls::pki_types::CertificateDer<'static>>,
    proxies: Proxies,
    config: Option<PathBuf>,
    user: u32,
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn wrong(text: String) -> Failure {
    Failure::new(Class::Settings, text)
}

impl Machine {
    fn read() -> Result<Machine> {
        let config = variable("XDG_CONFIG_HOME").filter(|value| !value.is_empty());
        let home = || variable("HOME").map(|home| Path::new(&home).join(".config"));
        Ok(Machine {
            roots: files::system(variable).map_err(wrong)?,
            proxies: Proxies::read(variable),
            config: config.map(PathBuf::from).or_else(home),
            user: crate::sys::user(),
        })
    }
}

impl Host {
    fn build(&self, around: &Machine, times: Times) -> Result<Sources> {
        let mut all = Vec::new();
        for mirror in &self.mirrors {
            let (name, is_plain) = without_scheme(mirror);
            all.push(self.source(name, is_plain, true, around, times)?);
        }
        all.push(self.source(&self.name, false, false, around, times)?);
        Ok(Sources(all))
    }

    fn source(
        &self,
        name: &str,
        is_plain: bool,
        is_mirror: bool,
        around: &Machine,
        times: Times,
    ) -> Result<Registry> {
        let scheme = match (is_plain, self.is_insecure) {
            (true, _) => Scheme::Plain,
            (_, true) => Scheme::Insecure,
            _ => Scheme::Tls,
        };
        let mut trust = Trust { roots: around.roots.clone(), pair: None };
        if let Some(directory) = &self.cert_dir {
            files::add_directory(&mut trust, directory).map_err(wrong)?;
            // The pair is for the host that the user named.
            trust.pair = trust.pair.filter(|_| !is_mirror);
        } else if let Some(directory) = files::directory_of(name, around.config.as_deref()) {
            files::add_directory(&mut trust, &directory).map_err(wrong)?;
        }
        let configs = tls::configs(&trust, scheme == Scheme::Tls)?;
        let is_hub = credentials::is_hub(name);
        let authority = if is_hub { HUB_AUTHORITY } else { name };
        let exchange = Exchange::new(authority, configs, around.proxies.clone(), times);
        let credentials = match &self.creds_file {
            Some(file) if !is_mirror => Ok(credentials::from_line(file).map_err(wrong)?),
            _ => self.look_up(name, around)?,
        };
        Ok(Registry::new(name, authority, scheme, exchange, credentials, times.pause))
    }

    /// An error in a file that the user named is one at once, in others if credentials are wanted.
    fn look_up(
        &self,
        name: &str,
        around: &Machine,
    ) -> Result<std::result::Result<Credentials, String>> {
        let surroundings = Surroundings { variable: &variable, user: around.user };
        let file = self.auth_file.as_deref();
        let found = credentials::find(&surroundings, file, name, &self.repository);
        match found {
            Err(text) if file.is_some() => Err(wrong(text)),
            other => Ok(other),
        }
    }
}
