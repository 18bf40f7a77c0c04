//! Names of images as docker and podman write them: a short and a full name may be the same.

use crate::codec::digest::Digest;
use crate::io::text::{last_of, split_once};
use crate::{Error, Result};

/// A name with the defaults filled in.
#[derive(PartialEq, Eq)]
struct Full<'a> {
    registry: &'a str,
    path: &'a str,
    tag: &'a str,
}

/// Returns the position of the tag's colon: the last one, if no slash follows it.
fn colon(name: &str) -> Option<usize> {
    let at = last_of(name, b':')?;
    last_of(name, b'/').is_none_or(|slash| slash < at).then_some(at)
}

/// Returns the tag of a name, if it has one.
pub fn tag(name: &str) -> Option<&str> {
    colon(name).and_then(|at| name.get(at + 1..))
}

/// Most characters of a name without its tag.
const NAME_MAX: usize = 255;
const TAG_MAX: usize = 128;

/// Returns an error unless docker and podman take this as the name of an image:
/// `[HOST[:PORT]/]PATH[:TAG]`.
pub fn check_name(name: &str) -> Result<()> {
    let fault = |why: &str| Err(Error::new(format_args!("the name \"{name}\": {why}")));
    let tag = tag(name).unwrap_or("latest");
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let is_tag = tag.bytes().next().is_some_and(is_word)
        && tag.len() <= TAG_MAX
        && tag.bytes().all(|byte| is_word(byte) || matches!(byte, b'.' | b'-'));
    if !is_tag {
        return fault(
            "its tag must be up to 128 of A-Z a-z 0-9 _ . -, and begin with a letter, a digit or _",
        );
    }
    let path = colon(name).and_then(|at| name.get(..at)).unwrap_or(name);
    let (host, path) = match split_once(path, b'/') {
        Some((first, rest)) if is_host(first) => (Some(first), rest),
        _ => (None, path),
    };
    if !host.is_none_or(is_host_name) {
        return fault("its first part is not a host, with or without a port");
    }
    if path.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return fault("must be in lower case");
    }
    if !path.split('/').all(is_component) {
        return fault("not of a-z 0-9, with . _ __ or - between them and / between its parts");
    }
    // The length includes the default host and path, as in podman.
    let before = host.map_or(
        if path.contains('/') { "docker.io/" } else { "docker.io/library/" }.len(),
        |host| host.len() + 1,
    );
    if before + path.len() > NAME_MAX {
        return fault("longer than 255 characters, with its host");
    }
    match host.is_none() && path.len() == 64 && path.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        true => fault("64 hexadecimal digits are an ID"),
        false => Ok(()),
    }
}

/// Returns whether the first part of a name is a host: it has a dot or a port.
fn is_host(first: &str) -> bool {
    first == "localhost" || first.bytes().any(|byte| matches!(byte, b'.' | b':'))
}

/// Returns whether it matches `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`.
fn is_component(part: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = part.as_bytes();
    let ends_plain =
        [bytes.first(), bytes.last()].iter().all(|end| end.is_some_and(|&byte| is_plain(byte)));
    ends_plain
        && bytes.split(|&byte| is_plain(byte)).all(|between| match between {
            b"" | b"." | b"_" | b"__" => true,
            dashes => dashes.iter().all(|&byte| byte == b'-'),
        })
}

/// Returns whether it is a host name: dotted names of letters, digits and inner dashes, and perhaps
/// a port. podman refuses IPv6 addresses, too.
fn is_host_name(host: &str) -> bool {
    let (name, port) =
        split_once(host, b':').map_or((host, None), |(name, port)| (name, Some(port)));
    let is_label = |label: &str| {
        let is_inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(is_inner)
    };
    name.split('.').all(is_label)
        && port
            .is_none_or(|port| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()))
}

/// The name of an image in a registry, with docker's defaults filled in.
#[derive(Debug, PartialEq, Eq)]
pub struct RegistryName<'a> {
    /// The registry: a host, perhaps with a port.
    pub host: &'a str,
    /// The repository there.
    pub repository: heapless::String<NAME_MAX>,
    /// The tag. Without a digest, `latest` if the name has none.
    pub tag: Option<&'a str>,
    /// The digest, which counts more than a tag.
    pub digest: Option<Digest>,
}

/// Reads `[HOST[:PORT]/]PATH[:TAG][@DIGEST]`.
pub fn registry_name(text: &str) -> Result<RegistryName<'_>> {
    let (name, digest) = match split_once(text, b'@') {
        Some((name, digest)) => (name, Some(Digest::parse(digest)?)),
        None => (text, None),
    };
    check_name(name)?;
    let Full { registry: host, path, tag: full_tag } = full(name);
    let mut repository = heapless::String::new();
    let is_short = host == "docker.io" && last_of(path, b'/').is_none();
    let _ = repository.push_str(if is_short { "library/" } else { "" });
    // `check_name` counts the default host and path.
    let _ = repository.push_str(path);
    let tag = if digest.is_some() { tag(name) } else { Some(full_tag) };
    Ok(RegistryName { host, repository, tag, digest })
}

fn full(name: &str) -> Full<'_> {
    let tag = tag(name).unwrap_or("latest");
    let path = colon(name).and_then(|at| name.get(..at)).unwrap_or(name);
    let (registry, path) = match split_once(path, b'/') {
        Some((first, rest)) if is_host(first) => (first, rest),
        _ => ("docker.io", path),
    };
    let registry = if registry == "index.docker.io" { "docker.io" } else { registry };
    let path = match path.strip_prefix("library/") {
        Some(name) if registry == "docker.io" => name,
        _ => path,
    };
    Full { registry, path, tag }
}

/// Returns whether two names are equal: `busybox` is `docker.io/library/busybox:latest`.
pub fn same_reference(one: &str, other: &str) -> bool {
    one == other || full(one) == full(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_registries_are_as_docker_spells_them() {
        let hex = "a".repeat(64);
        for (text, host, repository, tag, has_digest) in [
            ("busybox", "docker.io", "library/busybox", Some("latest"), false),
            ("me/app:v1", "docker.io", "me/app", Some("v1"), false),
            ("index.docker.io/library/a", "docker.io", "library/a", Some("latest"), false),
            ("localhost/app", "localhost", "app", Some("latest"), false),
            ("localhost:5000/library/a:b", "localhost:5000", "library/a", Some("b"), false),
            (&format!("ghcr.io/a/b@sha256:{hex}"), "ghcr.io", "a/b", None, true),
            (&format!("a:b@sha256:{hex}"), "docker.io", "library/a", Some("b"), true),
        ] {
            let name = registry_name(text).unwrap();
            let found = (name.host, &*name.repository, name.tag, name.digest.is_some());
            assert_eq!(found, (host, repository, tag, has_digest), "{text}");
        }
        for text in ["", "A", "a@", "a@sha256:1", "a:b:c", "//a", "h:1", "user@host/a", "a/", "a:"]
        {
            assert!(text == "h:1" || registry_name(text).is_err(), "{text}");
        }
    }

    #[test]
    fn short_names_are_full_names() {
        for (one, other, same) in [
            ("busybox", "docker.io/library/busybox:latest", true),
            ("busybox:1", "docker.io/library/busybox:1", true),
            ("library/busybox", "index.docker.io/library/busybox", true),
            ("busybox:1", "busybox", false),
            ("me/app:v1", "docker.io/me/app:v1", true),
            ("app", "me/app", false),
            ("localhost/app", "localhost/app:latest", true),
            ("localhost:5000/app", "localhost:5000/app:latest", true),
            ("localhost/app", "docker.io/localhost/app", false),
            ("reg.example/library/app", "reg.example/app", false),
            ("Odd//name", "Odd//name", true),
        ] {
            assert_eq!(same_reference(one, other), same, "{one} {other}");
            assert_eq!(same_reference(other, one), same, "{other} {one}");
        }
        for name in [
            "a",
            "a:v1",
            "me/app:V1.0-x_",
            "localhost/app",
            "localhost:5000/a/b:c",
            "Host.example/a",
            "1.2/x:1",
            "a.b/c",
            "a__b/c--d/e.f",
            "0/1",
            "_x:y",
        ] {
            assert_eq!(check_name(name).is_ok(), name != "_x:y", "{name}");
        }
        for name in [
            "App",
            "App:v1",
            "App/x",
            "me/App",
            "",
            ":v1",
            "a:",
            "a:-x",
            "a:x/y",
            "a//b",
            "/a",
            "a/",
            "a b",
            "a..b",
            "a___b",
            "a-",
            "é",
            "a:b:c",
            "a:\u{e9}",
            "-h.x/a",
            "h.x:/a",
            "h.x:port/a",
            "[::1]:5000/a",
            "a\nb",
            &"f".repeat(64),
            &"a".repeat(238),
            &format!("a:{}", "t".repeat(129)),
        ] {
            assert!(check_name(name).is_err(), "{name}");
        }
        for (name, its) in
            [("a:5000/b", None), ("a:5000/b:c", Some("c")), ("b:", Some("")), ("", None)]
        {
            assert_eq!(tag(name), its);
        }
    }
}
