//! Proxies of the environment: HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY, in either case.

use crate::address::{Address, split_port};
use crate::failure::{Failure, Result};
use crate::transport::Class;
use std::net::IpAddr;

/// The proxies of the environment.
#[derive(Clone, Debug, Default)]
pub struct Proxies {
    https: Option<String>,
    http: Option<String>,
    /// Hosts that are asked directly.
    none: Vec<String>,
}

impl Proxies {
    /// Reads it by a function that returns a variable.
    pub fn read(variable: impl Fn(&str) -> Option<String>) -> Proxies {
        let of = |upper: &str| {
            let found = variable(upper).or_else(|| variable(&upper.to_ascii_lowercase()));
            found.filter(|value| !value.is_empty())
        };
        let all = || of("ALL_PROXY");
        let none = of("NO_PROXY").unwrap_or_default();
        Proxies {
            https: of("HTTPS_PROXY").or_else(all),
            http: of("HTTP_PROXY").or_else(all),
            none: none
                .split([',', ' '])
                .filter(|one| !one.is_empty())
                .map(str::to_string)
                .collect(),
        }
    }

    /// Returns the proxy's URL for this address, or `None`: it is asked directly.
    pub fn of(&self, address: &Address) -> Result<Option<String>> {
        let variable = if address.tls { &self.https } else { &self.http };
        let Some(proxy) = variable else { return Ok(None) };
        if is_this_machine(address.host())
            || self.none.iter().any(|pattern| matches(pattern, address))
        {
            return Ok(None);
        }
        let scheme = proxy.split_once("://").map_or("http", |(scheme, _)| scheme);
        if !["http", "https"].contains(&scheme.to_ascii_lowercase().as_str()) {
            let text = format!(
                "the environment names a proxy of kind {scheme}, which is not built in: set \
                 HTTPS_PROXY to one of http://, or NO_PROXY to {}",
                address.host()
            );
            return Err(Failure::new(Class::Settings, text));
        }
        Ok(Some(proxy.clone()))
    }
}

/// The loopback is always asked directly, as docker and skopeo do.
fn is_this_machine(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Whether an entry of NO_PROXY is about this address: `*`, a name with its subdomains (`.x` and
/// `*.x`: these alone), an address, a network, each perhaps with a port.
fn matches(pattern: &str, address: &Address) -> bool {
    if pattern == "*" {
        return true;
    }
    let host = address.host();
    if let Some((network, bits)) = pattern.split_once('/') {
        let parsed = (network.parse(), bits.parse(), host.parse());
        return matches!(parsed, (Ok(network), Ok(bits), Ok(host)) if contains(network, bits, host));
    }
    let is_address = pattern.parse::<IpAddr>().is_ok();
    let (name, port) = if is_address { (pattern, None) } else { split_port(pattern) };
    if port.is_some_and(|port| port != address.port()) {
        return false;
    }
    let name = name.trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
    let subdomains = name.trim_start_matches('*').strip_prefix('.');
    let suffix = subdomains.unwrap_or(&name);
    let is_below = host.strip_suffix(suffix).is_some_and(|rest| rest.ends_with('.'));
    is_below || (subdomains.is_none() && host == name)
}

fn contains(network: IpAddr, bits: u32, host: IpAddr) -> bool {
    let (network, host, width) = match (network, host) {
        (IpAddr::V4(network), IpAddr::V4(host)) => {
            (u128::from(u32::from(network)), u128::from(u32::from(host)), 32)
        }
        (IpAddr::V6(network), IpAddr::V6(host)) => (network.into(), host.into(), 128),
        _ => return false,
    };
    bits <= width && (bits == 0 || network >> (width - bits) == host >> (width - bits))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_proxy_has_names_networks_and_ports() {
        for (pattern, url, wanted) in [
            ("*", "https://a/", true),
            ("example.com", "https://example.com/", true),
            ("example.com", "https://x.example.com/", true),
            ("example.com", "https://xexample.com/", false),
            (".example.com", "https://example.com/", false),
            (".example.com", "https://x.example.com/", true),
            ("*.example.com", "https://x.example.com/", true),
            ("EXAMPLE.com:5000", "https://example.com:5000/", true),
            ("example.com:5000", "https://example.com/", false),
            ("example.com:443", "https://example.com/", true),
            ("10.0.0.0/8", "https://10.1.2.3/", true),
            ("10.0.0.0/8", "https://11.1.2.3/", false),
            ("10.0.0.0/8", "https://x.10/", false),
            ("fd00::/8", "https://[fd12::1]:5/", true),
            ("0.0.0.0/0", "https://9.9.9.9/", true),
            ("::1", "https://[::1]:5000/", true),
            ("[::1]:5000", "https://[::1]:5000/", true),
            ("10.0.0.0/99", "https://10.0.0.0/", false),
        ] {
            assert_eq!(matches(pattern, &Address::parse(url).unwrap()), wanted, "{pattern} {url}");
        }
    }

    #[test]
    fn each_scheme_has_its_variable() {
        let proxies = Proxies::read(|name| match name {
            "https_proxy" => Some("http://secure:3128".to_string()),
            "ALL_PROXY" => Some("http://all:1".to_string()),
            "NO_PROXY" => Some("b, .internal".to_string()),
            _ => None,
        });
        let of = |url| proxies.of(&Address::parse(url).unwrap()).unwrap();
        assert_eq!(of("https://a/").as_deref(), Some("http://secure:3128"));
        assert_eq!(of("http://a/").as_deref(), Some("http://all:1"));
        assert_eq!((of("https://b:5/"), of("https://x.internal/")), (None, None));
        assert_eq!((of("https://localhost:5/"), of("https://[::1]:5/")), (None, None));
        let socks = Proxies::read(|name| (name == "ALL_PROXY").then(|| "socks5://x".to_string()));
        let error = socks.of(&Address::parse("https://a/").unwrap()).unwrap_err();
        assert!(error.text.contains("socks5") && error.class == Class::Settings);
    }
}
