//! The address of a request: scheme, host with port, path with query.

use std::fmt;

/// The longest URL that is followed, in bytes. Signed ones have some 1,500.
const URL_BYTES: usize = 8 << 10;

/// An absolute URL of http or https, without user and fragment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// https.
    pub tls: bool,
    /// `localhost:5000`, `[::1]:5000`: in lower case.
    pub authority: String,
    /// Begins with a slash.
    pub path: String,
}

impl Address {
    /// This path of a host.
    pub fn new(tls: bool, authority: &str, path: impl Into<String>) -> Address {
        Address { tls, authority: authority.to_ascii_lowercase(), path: path.into() }
    }

    /// Returns the address that a header names, which may be relative to this one.
    pub fn join(&self, target: &str) -> Result<Address, &'static str> {
        let target = target.split('#').next().unwrap_or_default();
        if target.len() > URL_BYTES {
            return Err("a URL of more than 8 KiB");
        }
        if target.bytes().any(|byte| !(0x21..0x7f).contains(&byte)) {
            return Err("a URL with a blank or control character");
        }
        if let Some(rest) = target.strip_prefix("//") {
            return Address::of(self.tls, rest);
        }
        if target.starts_with('/') {
            return Ok(Address { path: target.to_string(), ..self.clone() });
        }
        if let Some((scheme, rest)) = target.split_once("://") {
            return Address::parse_scheme(scheme, rest);
        }
        let path = self.path.split('?').next().unwrap_or_default();
        if target.starts_with('?') {
            return Ok(Address { path: format!("{path}{target}"), ..self.clone() });
        }
        let directory = &path[..path.rfind('/').map_or(0, |slash| slash + 1)];
        Ok(Address { path: format!("{directory}{target}"), ..self.clone() })
    }

    /// Returns an absolute URL.
    pub fn parse(url: &str) -> Result<Address, &'static str> {
        let (scheme, rest) = url.split_once("://").ok_or("a URL without http:// or https://")?;
        if url.bytes().any(|byte| !(0x21..0x7f).contains(&byte)) || url.len() > URL_BYTES {
            return Err("a URL that is too long, or has a blank or control character");
        }
        Address::parse_scheme(scheme, rest)
    }

    fn parse_scheme(scheme: &str, rest: &str) -> Result<Address, &'static str> {
        match scheme.to_ascii_lowercase().as_str() {
            "https" => Address::of(true, rest),
            "http" => Address::of(false, rest),
            _ => Err("a URL that is neither http nor https"),
        }
    }

    fn of(tls: bool, rest: &str) -> Result<Address, &'static str> {
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        if authority.contains('@') {
            return Err("a URL with a user in it");
        }
        if !is_authority(authority) {
            return Err("a URL without a valid host");
        }
        let slash = if path.starts_with('/') { "" } else { "/" };
        Ok(Address::new(tls, authority, format!("{slash}{path}")))
    }

    /// The host without port and brackets.
    pub fn host(&self) -> &str {
        split_port(&self.authority).0.trim_start_matches('[').trim_end_matches(']')
    }

    /// The port, or the scheme's.
    pub fn port(&self) -> u16 {
        split_port(&self.authority).1.unwrap_or(if self.tls { 443 } else { 80 })
    }

    /// Whether credentials for one are for the other: scheme, host and port are the same.
    pub fn is_same_place(&self, other: &Address) -> bool {
        (self.tls, self.host(), self.port()) == (other.tls, other.host(), other.port())
    }

    /// Adds a parameter to the query.
    pub fn with_parameter(mut self, name: &str, value: &str) -> Address {
        self.path.push(if self.path.contains('?') { '&' } else { '?' });
        self.path.push_str(&format!("{name}={}", encode(value)));
        self
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "https" } else { "http" };
        write!(f, "{scheme}://{}{}", self.authority, self.path)
    }
}

/// Splits `HOST:PORT`; an IPv6 address stands in brackets.
pub fn split_port(authority: &str) -> (&str, Option<u16>) {
    match authority.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') || host.ends_with(']') => {
            port.parse().map_or((authority, None), |port| (host, Some(port)))
        }
        _ => (authority, None),
    }
}

/// A name or address, with a port or without.
pub fn is_authority(authority: &str) -> bool {
    let (host, _) = split_port(authority);
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    match bare {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => {
            !host.is_empty()
                && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
        }
    }
}

/// Percent-encodes a value of a query or form.
pub fn encode(value: &str) -> String {
    let mut text = String::new();
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            text.push(byte as char);
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_is_absolute_or_relative() {
        let base = Address::parse("https://Reg.example:5000/v2/a/blobs/uploads/?x=1").unwrap();
        for (target, wanted) in [
            ("/v2/b?_state=1", "https://reg.example:5000/v2/b?_state=1"),
            ("http://other/p#f", "http://other/p"),
            ("//cdn.example/p", "https://cdn.example/p"),
            ("7?y", "https://reg.example:5000/v2/a/blobs/uploads/7?y"),
            ("?y=2", "https://reg.example:5000/v2/a/blobs/uploads/?y=2"),
            ("HTTPS://[::1]:4?q", "https://[::1]:4/?q"),
        ] {
            assert_eq!(base.join(target).unwrap().to_string(), wanted, "{target}");
        }
        for wrong in
            ["ftp://x/", "https://u:p@x/", "https:///x", "https://a b/", "/a\rb", "file://x"]
        {
            assert!(base.join(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_place_is_scheme_host_and_port() {
        let at = |url| Address::parse(url).unwrap();
        assert!(at("https://a/x").is_same_place(&at("https://A:443/y")));
        assert!(at("http://[::1]/").is_same_place(&at("http://[::1]:80/")));
        for other in ["http://a/x", "https://a:444/x", "https://b/x", "https://a.b/x"] {
            assert!(!at("https://a/x").is_same_place(&at(other)), "{other}");
        }
    }

    #[test]
    fn a_query_grows() {
        let upload = Address::parse("http://a/u?state=1").unwrap();
        let url = upload.with_parameter("digest", "sha256:a+b").to_string();
        assert_eq!(url, "http://a/u?state=1&digest=sha256%3Aa%2Bb");
    }

    #[test]
    fn ports_are_split_off_addresses() {
        assert_eq!(split_port("a:5"), ("a", Some(5)));
        assert_eq!(split_port("[::1]:5"), ("[::1]", Some(5)));
        assert_eq!(split_port("[::1]"), ("[::1]", None));
        assert_eq!(split_port("a:99999"), ("a:99999", None));
        assert!(!is_authority("a:99999") && !is_authority("::1") && !is_authority(""));
    }
}
