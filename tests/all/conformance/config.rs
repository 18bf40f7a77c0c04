//! config.md: the version, the root, the names, annotations, and documents that are wrong.

use std::os::unix::fs::symlink;

use super::case::{Case, case};

pub fn cases() -> Vec<Case> {
    [version(), root(), names(), annotations(), documents()].into_iter().flatten().collect()
}

fn version() -> Vec<Case> {
    let mut cases = vec![
        case("ociVersion.missing", "is REQUIRED")
            .with(r#"{"ociVersion": null}"#)
            .refused_naming(&["ociVersion"]),
        case("ociVersion.word", "MUST be a SemVer version")
            .with(r#"{"ociVersion": "latest"}"#)
            .refused_naming(&["ociVersion"]),
        case("ociVersion.next-major", "2.0.0 is not a version that 1.x promises to be read as")
            .with(r#"{"ociVersion": "2.0.0"}"#)
            .refused_naming(&["ociVersion"]),
    ];
    let known = [
        ("ociVersion.1.0.0", r#"{"ociVersion": "1.0.0"}"#),
        ("ociVersion.1.0.2-dev", r#"{"ociVersion": "1.0.2-dev"}"#),
        ("ociVersion.1.2.1", r#"{"ociVersion": "1.2.1"}"#),
        ("ociVersion.1.3.0", r#"{"ociVersion": "1.3.0"}"#),
    ];
    cases
        .extend(known.map(|(name, patch)| {
            case(name, "is read").with(patch).sh("echo runs").gives("runs\n")
        }));
    cases
}

fn root() -> Vec<Case> {
    vec![
        case("root.path.absolute", "may be absolute")
            .with(r#"{"root": {"path": "@ROOTFS@"}}"#)
            .sh("ls -d /bin")
            .gives("/bin\n"),
        case("root.path.elsewhere", "may lead out of the bundle")
            .with(r#"{"root": {"path": "../elsewhere"}}"#)
            .setup(|lab| std::fs::rename(&lab.rootfs, lab.dir.join("elsewhere")).unwrap())
            .sh("ls -d /bin")
            .gives("/bin\n"),
        case("root.path.missing", "is REQUIRED")
            .with(r#"{"root": {"path": null}}"#)
            .refused_naming(&["root.path"]),
        case("root.missing", "is REQUIRED on Linux")
            .with(r#"{"root": null}"#)
            .refused_naming(&["root"]),
        case("root.path.absent", "a directory MUST exist there")
            .with(r#"{"root": {"path": "nowhere"}}"#)
            .refused_naming(&["nowhere"]),
        case("root.path.file", "a file is no root")
            .with(r#"{"root": {"path": "config.json"}}"#)
            .refused_naming(&["config.json"]),
        case("root.readonly", "true makes it read-only")
            .with(r#"{"root": {"path": "rootfs", "readonly": true}}"#)
            .sh("touch /tmp/x 2>/dev/null || echo no; touch /dev/shm/x && echo yes")
            .gives("no\nyes\n"),
        case("root.readonly.absent", "it is writable where readonly is not said")
            .sh("touch /tmp/x && echo yes")
            .gives("yes\n"),
        case("root.propagation.host", "no mount of the container's reaches the caller")
            .with(r#"{"mounts+": [{"destination": "/mnt", "type": "tmpfs", "source": "t"}]}"#)
            .act(|lab| {
                lab.run();
                lab.leftovers()
            })
            .gives(""),
        case("root.above", "`..` at the root is the root")
            .sh("cd /../../..; ls -d bin; ls -i -d / /.. | awk '{print $1}' | sort -u | wc -l")
            .gives("bin\n1\n"),
        case("root.mounts", "nothing of the caller's mounts is left to see")
            .sh("grep -c -v -E ' (/|/proc|/dev|/dev/.*) ' /proc/mounts; true")
            .gives("0\n"),
    ]
}

fn names() -> Vec<Case> {
    vec![
        case("hostname", "is set").with(r#"{"hostname": "some-name"}"#).sh("hostname").gives("some-name\n"),
        case("hostname.absent", "without it the name is the caller's")
            .with(r#"{"hostname": null}"#)
            .sh("hostname")
            .act(|lab| {
                let own = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
                if lab.run().out == own { "the caller's".into() } else { "another".into() }
            })
            .gives("the caller's"),
        case("hostname.no-namespace", "without a uts namespace the host's name would change")
            .with(r#"{"linux": {"namespaces": [{"type": "mount"}, {"type": "pid"}]}}"#)
            .refused_naming(&["hostname", "uts"]),
        case("hostname.long", "65 bytes are more than the kernel takes")
            .with(r#"{"hostname": "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}"#)
            .refused_naming(&["hostname"]),
        case("domainname", "is set (1.1.0)").with(r#"{"domainname": "some.domain"}"#).sh("cat /proc/sys/kernel/domainname").gives("some.domain\n"),
        case("domainname.no-namespace", "without a uts namespace the host's would change")
            .with(r#"{"hostname": null, "domainname": "d", "linux": {"namespaces": [{"type": "mount"}, {"type": "pid"}]}}"#)
            .refused_naming(&["domainname", "uts"]),
    ]
}

fn annotations() -> Vec<Case> {
    vec![
        case("annotations", "keys that nobody knows are no error, and the state has all of them")
            .with(r#"{"annotations": {"org.example.key": "a value", "": "x", "org.example.empty": ""}}"#)
            .with(r#"{"annotations": {"": null}}"#)
            .act(|lab| {
                lab.create();
                let state = lab.state();
                let crate::support::json::Json::Object(members) = state.at("annotations").clone() else {
                    return "none".into();
                };
                let mut lines: Vec<_> = members.iter().map(|(key, value)| format!("{key}={};", value.show())).collect();
                lines.sort();
                lines.concat()
            })
            .gives("org.example.empty=;org.example.key=a value;"),
        case("annotations.empty-key", "a key MUST NOT be empty")
            .with(r#"{"annotations": {"": "x"}}"#)
            .refused_naming(&["annotations"]),
        case("annotations.type", "a value MUST be a string")
            .with(r#"{"annotations": {"org.example.key": 1}}"#)
            .refused_naming(&["annotations"]),
        case("annotations.none", "null is none").with(r#"{"annotations=": null}"#).sh("echo runs").gives("runs\n"),
    ]
}

/// Documents that are not what the schema says: the message names the file or the field, and
/// nothing is left.
fn documents() -> Vec<Case> {
    let mut cases = vec![
        case("config.absent", "a bundle without config.json is an error")
            .setup(|lab| std::fs::remove_file(lab.bundle.join("config.json")).unwrap())
            .refused_naming(&["config.json", "no such file or directory"]),
        case("config.empty", "an empty file is no document")
            .setup(|lab| std::fs::write(lab.bundle.join("config.json"), "").unwrap())
            .refused_naming(&["config.json"]),
        case("config.torn", "a document that ends too early is none")
            .setup(|lab| {
                let text = lab.config.to_string();
                std::fs::write(lab.bundle.join("config.json"), &text[..text.len() - 7]).unwrap();
            })
            .refused_naming(&["config.json"]),
        case("config.more", "text after the document is an error")
            .setup(|lab| std::fs::write(lab.bundle.join("config.json"), format!("{}x", lab.config)).unwrap())
            .refused_naming(&["config.json"]),
        case("config.list", "the document MUST be an object")
            .setup(|lab| std::fs::write(lab.bundle.join("config.json"), "[]").unwrap())
            .refused_naming(&["config.json"]),
        case("config.large", "a document of 64 MiB is refused in a moment, and not read into memory")
            .setup(|lab| {
                let file = std::fs::File::create(lab.bundle.join("config.json")).unwrap();
                file.set_len(64 << 20).unwrap();
            })
            .refused_naming(&["config.json"]),
        case("config.directory", "a directory is no document")
            .setup(|lab| {
                std::fs::remove_file(lab.bundle.join("config.json")).unwrap();
                std::fs::create_dir(lab.bundle.join("config.json")).unwrap();
            })
            .refused_naming(&["config.json"]),
        case("config.link", "config.json may be a link")
            .setup(|lab| {
                std::fs::rename(lab.bundle.join("config.json"), lab.dir.join("c.json")).unwrap();
                symlink("../c.json", lab.bundle.join("config.json")).unwrap();
            })
            .sh("echo runs")
            .gives("runs\n"),
        case("config.unknown", "a property that nobody knows MUST be ignored, wherever it is")
            .with(r#"{"x-new": {"a": [1]}, "process": {"x": null}, "root": {"x": 1}, "linux": {"x": {}, "resources": {"x": 1}}, "mounts+": [{"destination": "/mnt", "type": "tmpfs", "source": "t", "x": 0}]}"#)
            .sh("echo runs")
            .gives("runs\n"),
        case("config.null", "null is as if it were not there")
            .with(r#"{"hooks=": null, "process": {"rlimits=": null, "oomScoreAdj=": null}, "linux": {"resources=": null, "seccomp=": null, "maskedPaths=": null, "devices=": null, "sysctl=": null}}"#)
            .sh("echo runs")
            .gives("runs\n"),
        case("config.case", "a member's name is written as it is: `Process` is not `process`")
            .with(r#"{"Hostname": "wrong", "HOSTNAME": "wrong"}"#)
            .sh("hostname")
            .gives("box\n"),
        case("config.escape", "a name may be written with escapes")
            .setup(|lab| {
                let text = lab.config.to_string().replace("\"hostname\"", "\"host\\u006eame\"");
                std::fs::write(lab.bundle.join("config.json"), text).unwrap();
            })
            .sh("hostname")
            .gives("box\n"),
        case("config.duplicate", "two members of one name are not I-JSON")
            .setup(|lab| {
                let text = lab.config.to_string().replacen('{', "{\"hostname\":\"other\",", 1);
                std::fs::write(lab.bundle.join("config.json"), text).unwrap();
            })
            .refused_naming(&["hostname"]),
    ];
    // A wrong type at a field of each kind.
    let types = [
        ("config.type.process", r#"{"process": []}"#, &["process"] as &[_]),
        ("config.type.args", r#"{"process": {"args": "/bin/true"}}"#, &["process.args"]),
        ("config.type.arg", r#"{"process": {"args": ["/bin/true", 1]}}"#, &["process.args[1]"]),
        ("config.type.terminal", r#"{"process": {"terminal": "no"}}"#, &["process.terminal"]),
        ("config.type.uid", r#"{"process": {"user": {"uid": "0"}}}"#, &["process.user.uid"]),
        (
            "config.type.gids",
            r#"{"process": {"user": {"additionalGids": 5}}}"#,
            &["process.user.additionalGids"],
        ),
        (
            "config.type.rlimit",
            r#"{"process": {"rlimits": [{"type": "RLIMIT_NOFILE", "soft": "1", "hard": 1}]}}"#,
            &["process.rlimits[0].soft"],
        ),
        ("config.type.readonly", r#"{"root": {"readonly": 1}}"#, &["root.readonly"]),
        ("config.type.hostname", r#"{"hostname": 7}"#, &["hostname"]),
        ("config.type.mounts", r#"{"mounts=": {}}"#, &["mounts"]),
        (
            "config.type.options",
            r#"{"mounts+": [{"destination": "/mnt", "type": "tmpfs", "options": "ro"}]}"#,
            &["mounts[5].options"],
        ),
        ("config.type.hooks", r#"{"hooks": []}"#, &["hooks"]),
        (
            "config.type.hook",
            r#"{"hooks": {"poststop": [{"path": 5}]}}"#,
            &["hooks.poststop[0].path"],
        ),
        ("config.type.linux", r#"{"linux=": 5}"#, &["linux"]),
        (
            "config.type.namespaces",
            r#"{"linux": {"namespaces": [{"type": 5}]}}"#,
            &["linux.namespaces[0].type"],
        ),
        (
            "config.type.devices",
            r#"{"linux": {"devices": [{"path": "/dev/x", "type": "c", "major": "1", "minor": 3}]}}"#,
            &["linux.devices[0].major"],
        ),
        ("config.type.sysctl", r#"{"linux": {"sysctl": {"kernel.msgmax": 1}}}"#, &["linux.sysctl"]),
        (
            "config.type.seccomp",
            r#"{"linux": {"seccomp": {"defaultAction": 1}}}"#,
            &["linux.seccomp.defaultAction"],
        ),
        (
            "config.type.memory",
            r#"{"linux": {"resources": {"memory": {"limit": "1M"}}}}"#,
            &["linux.resources.memory.limit"],
        ),
        ("config.type.fraction", r#"{"process": {"oomScoreAdj": 1.5}}"#, &["process.oomScoreAdj"]),
        ("config.type.masked", r#"{"linux": {"maskedPaths": [1]}}"#, &["linux.maskedPaths[0]"]),
    ];
    cases.extend(types.map(|(name, patch, named)| {
        case(name, "a wrong type is an error that names the field")
            .with(patch)
            .refused_naming(named)
    }));
    cases
}
