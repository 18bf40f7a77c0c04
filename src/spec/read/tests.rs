use super::*;
use crate::codec::json;
use crate::limits::{DEVICES_MAX, GROUPS_MAX, ID_MAPPINGS_MAX, MOUNTS_MAX, STRINGS_BYTES};
use crate::spec::IdMapping;
use crate::sys::arena::Word;
use crate::sys::clone::{CLONE_NEWNET, CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWTIME};
use crate::sys::fs;
use crate::sys::mount::{MS_REC, MS_SLAVE};
use std::vec::Vec;

const FULL: &str = include_str!("../../../tests/configs/full.json");
const RUNC: &str = include_str!("../../../tests/configs/runc.json");
const CLIENTS: [(&str, &str); 5] = [
    ("runc", RUNC),
    ("runc --rootless", include_str!("../../../tests/configs/runc-rootless.json")),
    ("crun", include_str!("../../../tests/configs/crun.json")),
    ("buildah", include_str!("../../../tests/configs/buildah.json")),
    ("docker", include_str!("../../../tests/configs/docker.json")),
];

/// Reads `text`. Returns the result of `see`.
fn read<T>(text: &str, see: impl FnOnce(&Spec<'_>) -> T) -> core::result::Result<T, String> {
    let mut document = text.as_bytes().to_vec();
    json::check(&mut document.clone()).unwrap_or_else(|error| panic!("{error}: {text}"));
    let (mut memory, mut lists) = (vec![0; STRINGS_BYTES], lists());
    let mut memory = SpecMemory::new(&mut memory, &mut lists);
    super::read(&mut document, &mut memory)
        .map(|spec| see(&spec))
        .map_err(|error| error.to_string())
}

fn lists() -> Vec<Word> {
    vec![Word::uninit(); SpecMemory::LISTS]
}

fn error(text: &str) -> String {
    read(text, |_| ()).err().unwrap_or_else(|| panic!("accepted: {text}"))
}

/// Returns `runc spec`'s config with one text replaced.
fn changed(from: &str, to: &str) -> String {
    assert!(RUNC.contains(from), "{from}");
    RUNC.replacen(from, to, 1)
}

fn list(words: PackedStrings<'_>) -> Vec<String> {
    words.iter().map(|word| word.to_str().unwrap().to_string()).collect()
}

#[test]
fn configs_of_real_clients_load() {
    for (name, text) in CLIENTS {
        let root = read(text, |spec| {
            (spec.root.path.to_owned(), spec.mounts.len(), spec.namespaces & CLONE_NEWNS)
        });
        let (root, mounts, own) = root.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(!root.is_empty() && mounts >= 7 && own != 0, "{name}");
    }
}

#[test]
fn all_of_a_config_is_read() {
    read(FULL, |spec| {
        let process = &spec.process;
        assert!(process.terminal && process.no_new_privileges && spec.root.readonly && !spec.init);
        assert_eq!(list(process.args), ["sh"]);
        assert_eq!(list(process.env)[1..], ["HOSTNAME=4f6bd1f0a0b8", "TERM=xterm", "EMPTY="]);
        let user = &process.user;
        assert_eq!(
            (user.uid, user.gid, user.umask, &user.additional_gids[..]),
            (1000, u32::MAX - 1, Some(18), &[0, 10][..])
        );
        assert_eq!((process.oom_score_adj, process.cwd), (Some(-1000), c"/"));
        assert_eq!((process.capabilities.ambient, process.capabilities.inheritable), (1 << 5, 0));
        assert_ne!(process.capabilities.bounding, 0);
        let limit = process.rlimits[0];
        assert_eq!((limit.resource, limit.soft, limit.hard), (7, 1024, u64::MAX));
        assert_eq!((spec.hostname, spec.domainname), (Some(c"4f6bd1f0a0b8"), Some(c"example.org")));
        assert_eq!(spec.root.propagation, Some(MS_SLAVE | MS_REC));
        let [.., odd, bare] = spec.mounts else { panic!() };
        assert_eq!(
            (odd.destination, list(odd.options)),
            (c"/relative/path", vec!["bind".into(), "idmap".into()])
        );
        assert_eq!(odd.uid_mappings.len(), 1);
        assert_eq!(
            (bare.destination, bare.kind, bare.source, bare.options.first()),
            (c"/bare", c"none", c"none", None)
        );
        assert_eq!(
            spec.namespaces & (CLONE_NEWUSER | CLONE_NEWTIME | CLONE_NEWNET),
            CLONE_NEWUSER | CLONE_NEWTIME
        );
        assert_eq!(
            (spec.joined[0].kind, spec.joined[0].path),
            (CLONE_NEWNET, c"/var/run/docker/netns/4f6bd1f0a0b8")
        );
        assert_eq!(spec.uid_mappings, [IdMapping { container: 0, host: 0, size: u32::MAX }]);
        assert_eq!(spec.gid_mappings.len(), 2);
        let at = |path: &CStr| *spec.devices.iter().find(|device| device.path == path).unwrap();
        let (fuse, sda, fifo, null) =
            (at(c"/dev/fuse"), at(c"/dev/sda"), at(c"/run/fifo"), at(c"/dev/null"));
        assert_eq!((fuse.mode, fuse.major, fuse.minor), (fs::S_IFCHR | 0o666, 10, 229));
        assert_eq!((sda.mode, sda.major, sda.minor), (fs::S_IFBLK | 0o666, 0xfff, 0xf_ffff));
        assert_eq!((fifo.mode, fifo.major), (fs::S_IFIFO | 0o600, 0));
        assert_eq!((null.mode, null.uid, null.gid), (fs::S_IFCHR | 0o644, 5, 6));
        assert_eq!(spec.devices.len(), 4 + 5, "the six that all have, less the one that is given");
        assert_eq!(list(spec.annotations)[..2], ["org.opencontainers.image.stopSignal", "SIGQUIT"]);
        assert_eq!(spec.stop_signal, 3);
        assert_eq!(list(spec.masked_paths).len(), 10);
        assert_eq!(spec.personality, Some(8));
    })
    .unwrap();
    let (mut memory, mut lists, mut unknown) = (vec![0; STRINGS_BYTES], lists(), Vec::new());
    let mut memory = SpecMemory::new(&mut memory, &mut lists);
    let mut document = FULL.as_bytes().to_vec();
    read_new(&mut document, &mut memory, None, &mut |note| unknown.push(note.to_string())).unwrap();
    let why = "process.capabilities.ambient[1]: unknown capability: left out";
    assert_eq!(unknown, [why]);
}

#[test]
fn a_container_without_a_process_has_no_word() {
    let text = "{\"ociVersion\":\"1.2.0\",\"root\":{\"path\":\"/r\"}}";
    read(text, |spec| {
        assert!(spec.process.args.first().is_none() && spec.process.scheduler.is_none());
        assert_eq!((spec.devices.len(), spec.namespaces, spec.root.propagation), (6, 0, None));
        assert!(spec.hostname.is_none() && spec.stop_signal == signal::SIGTERM);
    })
    .unwrap();
}

#[test]
fn each_bad_value_is_one_line_that_names_it() {
    for (from, to, said) in [
        ("1.0.2-dev", "2.0.0", "ociVersion: 2.0.0: not a version 1.x.y"),
        ("\"sh\"", "", "process.args: must not be empty"),
        ("\"args\":[\"sh\"],", "", "process.args: must not be empty"),
        ("\"sh\"", "\"a\\u0000b\"", "process.args[0]: a\\x00b: a NUL character"),
        ("TERM=xterm", "TERM", "process.env[1]: not NAME=VALUE"),
        ("TERM=xterm", "=xterm", "process.env[1]: not NAME=VALUE"),
        ("TERM=xterm", "", "process.env[1]: not NAME=VALUE"),
        ("\"cwd\":\"/\"", "\"cwd\":\"\"", "process.cwd: must be an absolute path"),
        ("\"gid\":0", "\"gid\":0,\"umask\":512", "process.user.umask: not within 0 and 511"),
        ("RLIMIT_NOFILE", "RLIMIT_NOFILES", "process.rlimits[0].type: RLIMIT_NOFILES: unknown"),
        ("RLIMIT_NOFILE", "NOFILE", "process.rlimits[0].type: NOFILE: unknown"),
        ("\"hard\":1024", "\"hard\":1023", "process.rlimits[0].soft: exceeds hard"),
        (
            "\"rlimits\":[",
            "\"rlimits\":[{\"type\":\"RLIMIT_NOFILE\",\"soft\":1,\"hard\":1},",
            "process.rlimits[1].type: given twice",
        ),
        (
            "\"cwd\"",
            "\"oomScoreAdj\":1001,\"cwd\"",
            "process.oomScoreAdj: not within -1000 and 1000",
        ),
        ("\"rootfs\"", "\"\"", "root.path: must not be empty"),
        ("{\"type\":\"uts\"},", "", "hostname: needs a uts namespace"),
        ("\"hostname\":\"runc\"", "\"domainname\":\"a\"", ""),
        (
            "\"hostname\":\"runc\"",
            &format!("\"hostname\":\"{}\"", "h".repeat(65)),
            "hostname: longer than 64 bytes",
        ),
        ("{\"type\":\"pid\"}", "{\"type\":\"foo\"}", "linux.namespaces[0].type: foo: unknown"),
        (
            "{\"type\":\"ipc\"}",
            "{\"type\":\"pid\",\"path\":\"/proc/1/ns/pid\"}",
            "linux.namespaces[2].type: given twice",
        ),
        (
            "{\"type\":\"pid\"}",
            "{\"type\":\"pid\",\"path\":\"1\"}",
            "linux.namespaces[0].path: must be an absolute path",
        ),
        ("{\"type\":\"pid\"}", "{\"type\":\"user\"}", "linux.uidMappings: missing"),
        (
            "\"linux\":{",
            "\"linux\":{\"timeOffsets\":{},",
            "linux.timeOffsets: needs a time namespace",
        ),
        (
            "\"linux\":{",
            "\"linux\":{\"rootfsPropagation\":\"x\",",
            "linux.rootfsPropagation: x: unknown",
        ),
        ("\"linux\":{", "\"linux\":{\"rootfsPropagation\":\"rprivate\",", ""),
        (
            "\"linux\":{",
            "\"linux\":{\"uidMappings\":[{\"containerID\":0,\"hostID\":0,\"size\":1}],",
            "linux.uidMappings: needs a user namespace",
        ),
        (
            "\"linux\":{",
            "\"linux\":{\"devices\":[{\"type\":\"x\",\"path\":\"/a\"}],",
            "linux.devices[0].type: x: none of c, u, b and p",
        ),
        (
            "\"linux\":{",
            "\"linux\":{\"devices\":[{\"type\":\"c\",\"path\":\"/a\"}],",
            "linux.devices[0].major: missing",
        ),
        (
            "\"linux\":{",
            "\"linux\":{\"devices\":[{\"type\":\"c\",\"path\":\"/a\",\"major\":4096,\"minor\":0}],",
            "linux.devices[0].major: too large",
        ),
        (
            "\"linux\":{",
            "\"linux\":{\"devices\":[{\"type\":\"b\",\"path\":\"/a\",\"major\":0,\"minor\":-1}],",
            "linux.devices[0].minor: negative",
        ),
        ("/proc/acpi", "proc/acpi", "linux.maskedPaths[0]: must be an absolute path"),
    ] {
        let text = changed(from, to);
        match said {
            "" => read(&text, |_| ()).unwrap_or_else(|error| panic!("{to}: {error}")),
            said => assert_eq!(error(&text), said, "{to}"),
        }
    }
}

#[test]
fn maps_of_ids_are_whole_and_do_not_overlap() {
    let map = |ids: &str| {
        let one = "{\"containerID\":0,\"hostID\":1000,\"size\":10}";
        format!(
            "{{\"ociVersion\":\"1.0.0\",\"root\":{{\"path\":\"r\"}},\"linux\":{{\"namespaces\":[{{\"type\":\"user\"}}],\
             \"uidMappings\":[{one}],\"gidMappings\":[{ids}]}}}}"
        )
    };
    let gid = |container: u32, host: u32, size: u32| {
        format!("{{\"containerID\":{container},\"hostID\":{host},\"size\":{size}}}")
    };
    let two = |a: String, b: String| map(&format!("{a},{b}"));
    assert_eq!(error(&map("")), "linux.gidMappings: missing");
    assert_eq!(error(&map(&gid(0, 0, 0))), "linux.gidMappings[0]: no size");
    assert_eq!(error(&two(gid(0, 0, 10), gid(9, 50, 1))), "linux.gidMappings[1]: overlaps another");
    assert_eq!(error(&two(gid(0, 5, 10), gid(20, 0, 6))), "linux.gidMappings[1]: overlaps another");
    assert_eq!(
        error(&two(gid(0, 0, u32::MAX), gid(u32::MAX - 1, 0, 1))),
        "linux.gidMappings[1]: overlaps another"
    );
    assert_eq!(
        read(&two(gid(0, 0, 10), gid(10, 10, u32::MAX - 10)), |spec| spec.gid_mappings.len()),
        Ok(2)
    );
    let many: Vec<String> = (0..=ID_MAPPINGS_MAX as u32).map(|n| gid(n, n, 1)).collect();
    assert_eq!(
        error(&map(&many.join(","))),
        format!("linux.gidMappings[{ID_MAPPINGS_MAX}]: more than {ID_MAPPINGS_MAX}")
    );
}

#[test]
fn a_full_list_is_an_error_that_names_the_limit() {
    let mount = "{\"destination\":\"/a\"},".repeat(MOUNTS_MAX);
    let text = changed("\"mounts\":[", &format!("\"mounts\":[{mount}"));
    assert_eq!(error(&text), format!("mounts[{MOUNTS_MAX}]: more than {MOUNTS_MAX}"));
    let groups = "7,".repeat(GROUPS_MAX);
    let text = changed("\"gid\":0", &format!("\"gid\":0,\"additionalGids\":[{groups}8]"));
    assert_eq!(
        error(&text),
        format!("process.user.additionalGids[{GROUPS_MAX}]: more than {GROUPS_MAX} groups")
    );
    let device = "{\"type\":\"p\",\"path\":\"/a\"},".repeat(DEVICES_MAX);
    let text = changed(
        "\"linux\":{",
        &format!("\"linux\":{{\"devices\":[{}],", device.trim_end_matches(',')),
    );
    assert!(error(&text).ends_with(&format!("more than {DEVICES_MAX}")));
}

#[test]
fn a_process_of_its_own_is_checked_alike() {
    let read = |text: &str| {
        let mut document = text.as_bytes().to_vec();
        let (mut memory, mut lists) = (vec![0; 4096], lists());
        read_process(&mut document, &mut SpecMemory::new(&mut memory, &mut lists))
            .map(|process| list(process.args))
            .map_err(|error| error.to_string())
    };
    assert_eq!(
        read("{\"args\":[\"a\",\"\"],\"cwd\":\"/\",\"user\":null}"),
        Ok(vec!["a".into(), "".into()])
    );
    assert_eq!(read("{\"args\":[],\"cwd\":\"/\"}"), Err("args: must not be empty".into()));
    assert_eq!(read("{\"args\":[\"a\"]}"), Err("cwd: missing".into()));
    assert_eq!(read("{\"args\":[7],\"cwd\":\"/\"}"), Err("args[0]: not a string".into()));
    assert_eq!(
        read("{\"args\":[\"a\"],\"cwd\":\"/\",\"env\":[\"A\"]}"),
        Err("env[0]: not NAME=VALUE".into())
    );
    let long = format!("{{\"args\":[\"{}\"],\"cwd\":\"/\"}}", "a".repeat(5000));
    assert!(read(&long).unwrap_err().contains("exceed"));
}

#[test]
fn versions_are_semver_and_of_the_first() {
    for good in ["1.0.0", "1.3.0", "1.0.2-dev", "1.20.300", "1.0.0+build.7", "1.0.0-rc.1+x"] {
        assert!(is_version(good.as_bytes()), "{good}");
    }
    for bad in [
        "", "1", "1.0", "1.0.", "1.0.0.0", "1.0.0-", "v1.0.0", "2.0.0", "0.5.0", "10.0.0",
        "1.0.0 ", "1.00.0", "1.01.0", "01.0.0", "1..0", "1.0.0-ä", "1.0-dev",
    ] {
        assert!(!is_version(bad.as_bytes()), "{bad}");
    }
}

#[test]
fn what_kind_of_namespace_is_told_apart() {
    let kinds = read(RUNC, |spec| spec.namespaces).unwrap();
    assert_eq!(kinds & CLONE_NEWPID, CLONE_NEWPID);
    assert_eq!(kinds & CLONE_NEWUSER, 0);
}
