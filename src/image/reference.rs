//! Names of images as docker and podman write them: a short one and a full one may be the same.

use crate::io::text::{last_of, split_once};

/// A name with what it leaves out filled in.
#[derive(PartialEq, Eq)]
struct Full<'a> {
    registry: &'a str,
    path: &'a str,
    tag: &'a str,
}

/// Where the tag begins: behind the last colon, if no slash follows it.
fn colon(name: &str) -> Option<usize> {
    let at = last_of(name, b':')?;
    last_of(name, b'/').is_none_or(|slash| slash < at).then_some(at)
}

/// The tag of a name, if it has one.
pub fn tag(name: &str) -> Option<&str> {
    colon(name).and_then(|at| name.get(at + 1..))
}

fn full(name: &str) -> Full<'_> {
    let tag = tag(name).unwrap_or("latest");
    let path = colon(name).and_then(|at| name.get(..at)).unwrap_or(name);
    // A first component that could be a host is one: it has a dot or a port.
    let is_host = |first: &str| first == "localhost" || first.bytes().any(|byte| matches!(byte, b'.' | b':'));
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

/// Whether two names are one: `busybox` is `docker.io/library/busybox:latest`.
pub fn same_reference(one: &str, other: &str) -> bool {
    one == other || full(one) == full(other)
}

#[cfg(test)]
mod tests {
    use super::*;

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
        for (name, its) in [("a:5000/b", None), ("a:5000/b:c", Some("c")), ("b:", Some("")), ("", None)] {
            assert_eq!(tag(name), its);
        }
    }
}
