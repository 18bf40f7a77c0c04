//! The features of this runtime (features.md of the runtime-spec), regardless of the host.

use crate::codec::json::Writer;
use crate::io::text::words;
use crate::spec::{NAMESPACES, attributes, capability, options, syscalls};

/// Writes the features.
pub fn write_features(json: &mut Writer<'_>) {
    json.object();
    json.string_of("ociVersionMin", b"1.0.0");
    json.string_of("ociVersionMax", b"1.3.0");
    list(
        json,
        "hooks",
        "",
        "prestart createRuntime createContainer startContainer poststart poststop",
    );
    json.array_of("mountOptions");
    for (is_recursive, name) in options::names() {
        json.concat(if is_recursive { "r" } else { "" }, name);
    }
    json.end();
    json.object_of("linux");
    json.array_of("namespaces");
    NAMESPACES.iter().for_each(|(name, _)| json.string(name.as_bytes()));
    json.end();
    list(json, "capabilities", "CAP_", capability::NAMES);
    switches(json, "cgroup", "-v1 v2 -systemd -systemdUser rdma");
    json.end();
    switches(json, "seccomp", "enabled");
    list(json, "actions", "SCMP_ACT_", syscalls::ACTIONS);
    list(json, "operators", "SCMP_CMP_", syscalls::OPERATORS);
    list(json, "archs", "SCMP_ARCH_", syscalls::ARCHITECTURES);
    list(json, "knownFlags", "SECCOMP_FILTER_FLAG_", syscalls::FLAGS);
    list(json, "supportedFlags", "SECCOMP_FILTER_FLAG_", syscalls::FLAGS);
    json.end();
    for name in ["apparmor", "selinux", "netDevices"] {
        switches(json, name, "enabled");
        json.end();
    }
    switches(json, "intelRdt", "enabled schemata monitoring");
    json.end();
    json.object_of("memoryPolicy");
    list(json, "modes", "MPOL_", attributes::MEMORY_MODES);
    list(json, "flags", "MPOL_F_", attributes::MEMORY_FLAGS);
    json.end();
    json.object_of("mountExtensions");
    switches(json, "idmap", "enabled");
    json.end();
    json.end();
    json.end();
    json.object_of("annotations");
    json.string_of("org.ocinit.version", env!("CARGO_PKG_VERSION").as_bytes());
    json.end();
    // Known and empty, because no annotation of a config changes anything.
    list(json, "potentiallyUnsafeConfigAnnotations", "", "");
    json.end();
}

/// Opens an object of booleans; a name with `-` is false.
fn switches(json: &mut Writer<'_>, key: &str, names: &'static str) {
    json.object_of(key);
    for name in words(names) {
        let (name, is_on) = name.strip_prefix(b"-").map_or((name, true), |name| (name, false));
        json.bytes_key(name).boolean(is_on);
    }
}

fn list(json: &mut Writer<'_>, key: &str, prefix: &str, names: &'static str) {
    json.array_of(key);
    words(names).filter(|name| !name.is_empty()).for_each(|name| json.concat(prefix, name));
    json.end();
}
