//! Mounts in real containers.

mod hostile;

use super::*;
use crate::container::protect;
use crate::container::tests::fixture::{Fixture, run, spec};
use crate::io::strings::PackedStrings;
use crate::spec::{Device, IdMapping, Root, defaults};
use crate::sys::clone::CLONE_NEWUSER;
use crate::sys::clone::{self, CLONE_NEWCGROUP};
use crate::sys::fd::CWD;
use crate::sys::mount::{MS_REC, MS_SHARED, MS_SLAVE};
use crate::sys::process::{self, Whom};
use std::ffi::{CStr, CString};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};

type Said = std::result::Result<String, String>;

/// A directory beside a root, which stands for the host.
struct Outside(PathBuf);

impl Outside {
    fn of(root: &Fixture) -> Outside {
        let path = root.path.with_extension("outside");
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(path.join("sub")).unwrap();
        std::fs::write(path.join("file"), "host").unwrap();
        Outside(path)
    }

    fn names(&self) -> usize {
        std::fs::read_dir(&self.0).unwrap().count()
    }
}

impl Drop for Outside {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn leak(path: &Path) -> &'static CStr {
    Box::leak(CString::new(path.to_str().unwrap()).unwrap().into_boxed_c_str())
}

fn at(
    destination: &'static CStr,
    kind: &'static CStr,
    source: &'static CStr,
    options: &'static [u8],
) -> Mount<'static> {
    Mount {
        destination,
        kind,
        source,
        options: PackedStrings::new(options),
        optional: false,
        uid_mappings: &[],
        gid_mappings: &[],
    }
}

fn tmpfs(destination: &'static CStr, options: &'static [u8]) -> Mount<'static> {
    at(destination, c"tmpfs", c"tmpfs", options)
}

fn bind(
    source: &'static CStr,
    destination: &'static CStr,
    options: &'static [u8],
) -> Mount<'static> {
    at(destination, c"none", source, options)
}

/// The container's default mounts, and these.
fn with(more: &[Mount<'static>]) -> &'static [Mount<'static>] {
    [defaults::MOUNTS, more].concat().leak()
}

/// Starts one that lists its mounts: `place type options`. Returns that or the error.
fn start(
    root: &Fixture,
    mounts: &[Mount<'static>],
    change: impl FnOnce(&mut Spec<'static>),
) -> Said {
    let mut spec = spec(b"PATH=/bin\0PROBE=mounts\0");
    spec.mounts = with(mounts);
    change(&mut spec);
    run(&spec, root).map(|(status, said)| {
        assert_eq!(status, 0, "{said}");
        said
    })
}

#[track_caller]
fn expect_line(said: &Said, line: &str) {
    assert!(
        said.as_ref().is_ok_and(|said| said.lines().any(|one| one == line)),
        "{line} in {said:?}"
    );
}

#[test]
fn binds_have_the_attributes_that_were_asked_for() {
    let Some(root) = Fixture::new("binds") else { return };
    let outside = Outside::of(&root);
    let (directory, file) = (leak(&outside.0), leak(&outside.0.join("file")));
    let said = start(
        &root,
        &[
            bind(directory, c"/a", b"bind\0"),
            bind(directory, c"b/deep", b"rbind\0ro\0nosuid\0nodev\0noexec\0noatime\0"),
            bind(file, c"/etc/file", b"bind\0rro\0rnosymfollow\0defaults\0"),
            bind(directory, c"/c", b"rbind\0ro\0"),
            bind(c"none", c"/c", b"bind\0remount\0nosuid\0rw\0"),
            at(c"/c/sub", c"tmpfs", c"t", b"size=1m\0strictatime\0nodiratime\0"),
            tmpfs(c"/c/sub", b"remount\0ro\0size=2m\0"),
        ],
        |_| (),
    );
    for line in [
        "/a ext4 rw,relatime",
        "/b/deep ext4 ro,nosuid,nodev,noexec,noatime",
        "/etc/file ext4 ro,relatime,nosymfollow",
        "/c ext4 rw,nosuid,relatime",
        "/c/sub tmpfs ro,nodiratime",
    ] {
        // The type of file system that holds the host's temporary files.
        let kind = said
            .as_ref()
            .ok()
            .and_then(|said| said.lines().find(|one| one.starts_with("/a ")).map(str::to_owned));
        let kind = kind.as_deref().and_then(|line| line.split(' ').nth(1)).unwrap_or("ext4");
        expect_line(&said, &line.replace("ext4", kind));
    }
    let mode = root.path.join("etc/file").metadata().unwrap().permissions().mode();
    assert_eq!(mode, 0o100755, "the place of a file is a file");
    let missing =
        start(&root, &[bind(c"/proc/nosuch/source", c"/a", b"bind\0")], |_| ()).unwrap_err();
    assert_eq!(
        missing,
        "125 mount none at /a: open /proc/nosuch/source: no such file or directory"
    );
    let unknown = start(&root, &[tmpfs(c"/a", b"size=1m\0nosuch=1\0")], |_| ()).unwrap_err();
    assert_eq!(unknown, "125 mount tmpfs at /a: option nosuch=1: invalid argument");
}

/// Runs this in a child with its own mounts.
fn alone(run: impl FnOnce() -> std::result::Result<(), String>) {
    match clone::fork(clone::CLONE_NEWNS, None).unwrap() {
        clone::Side::Child => {
            let private = mount::set_propagation(c"/", MS_REC | mount::MS_PRIVATE);
            let said = private.map_err(|errno| errno.to_string()).and_then(|()| run());
            if let Err(error) = &said {
                let _ = fs::write(crate::sys::fd::STDERR, error.as_bytes());
            }
            process::exit(said.is_err().into())
        }
        clone::Side::Parent(_, pidfd) => {
            let (_, ended) = process::wait(Whom::Pidfd(pidfd.by_ref()), true).unwrap().unwrap();
            assert_eq!(ended.status(), 0);
        }
    }
}

#[test]
fn a_device_that_is_there_must_be_that_one() {
    let Some(root) = Fixture::new("devices") else { return };
    let device = |path, mode, numbers: (u32, u32)| {
        let (major, minor) = numbers;
        Device { path, mode, major, minor, uid: 7, gid: 8 }
    };
    std::fs::create_dir_all(root.path.join("opt")).unwrap();
    std::fs::write(root.path.join("opt/file"), "").unwrap();
    let wanted: &[Device<'static>] = Box::leak(Box::new([
        device(c"/opt/a/b/zero", fs::S_IFCHR | 0o604, (1, 5)),
        device(c"/opt/fifo", fs::S_IFIFO | 0o640, (0, 0)),
        device(c"/opt/loop", fs::S_IFBLK | 0o600, (7, 0)),
    ]));
    // Twice: the second time the directories exist.
    for _ in 0..2 {
        start(&root, &[], |spec| spec.devices = [defaults::DEVICES, wanted].concat().leak())
            .unwrap();
    }
    let of = |name: &str| {
        let stat = root.path.join("opt").join(name).symlink_metadata().unwrap();
        (stat.mode(), stat.rdev(), stat.uid(), stat.gid())
    };
    assert_eq!(of("a/b/zero"), (fs::S_IFCHR | 0o604, 0x105, 7, 8));
    assert_eq!(of("fifo"), (fs::S_IFIFO | 0o640, 0, 7, 8));
    assert_eq!(of("loop"), (fs::S_IFBLK | 0o600, 0x700, 7, 8));
    for wrong in [
        device(c"/opt/file", fs::S_IFCHR | 0o666, (1, 5)),
        device(c"/opt/a/b/zero", fs::S_IFCHR | 0o666, (1, 3)),
        device(c"/opt/a/b/zero", fs::S_IFBLK | 0o666, (1, 5)),
        device(c"/opt/a", fs::S_IFIFO | 0o666, (0, 0)),
    ] {
        let all: &[_] = [defaults::DEVICES, &[wrong]].concat().leak();
        let error = start(&root, &[], |spec| spec.devices = all).unwrap_err();
        assert!(
            error.starts_with("125 make device /opt/") && error.ends_with("file exists"),
            "{error}"
        );
    }
}

const IDS: &[IdMapping] = &[IdMapping { container: 0, host: 100_000, size: 65536 }];

#[test]
fn a_user_namespace_gets_devices_and_what_its_root_could_not_open() {
    let Some(root) = Fixture::new("users") else { return };
    for name in ["", "bin"] {
        chown(root.path.join(name), Some(100_000), Some(100_000)).unwrap();
    }
    let outside = Outside::of(&root);
    std::fs::set_permissions(&outside.0, PermissionsExt::from_mode(0o700)).unwrap();
    let sub = leak(&outside.0.join("sub"));
    let said = start(
        &root,
        &[bind(sub, c"/closed", b"rbind\0ro\0"), bind(sub, c"/mapped", b"rbind\0idmap\0")],
        |spec| {
            spec.namespaces |= CLONE_NEWUSER;
            (spec.uid_mappings, spec.gid_mappings) = (IDS, IDS);
        },
    );
    let said = said.unwrap();
    for part in
        ["\n/closed ", "\n/mapped ", ",idmapped\n", "\n/dev/null devtmpfs ", "\n/dev/tty devtmpfs "]
    {
        assert!(said.contains(part), "{part:?} in {said}");
    }
    // Without its own network namespace it has no sysfs of its own.
    let said = start(&root, &[], |spec| {
        spec.namespaces =
            (spec.namespaces | CLONE_NEWUSER) & !(clone::CLONE_NEWNET | CLONE_NEWCGROUP);
        (spec.uid_mappings, spec.gid_mappings) = (IDS, IDS);
    });
    let said = said.unwrap();
    let beneath: Vec<_> = said.lines().filter(|line| line.starts_with("/sys")).collect();
    // CVE-2023-25809: it cannot write to other cgroups.
    assert!(
        beneath.len() > 1
            && beneath.iter().all(|line| line.split(' ').nth(2).unwrap().starts_with("ro")),
        "{said}"
    );
}

#[test]
fn owners_are_mapped_as_the_mount_says() {
    let Some(root) = Fixture::new("idmap") else { return };
    let outside = Outside::of(&root);
    chown(outside.0.join("file"), Some(1000), Some(1000)).unwrap();
    let source = leak(&outside.0);
    const MAP: &[IdMapping] = &[IdMapping { container: 1000, host: 0, size: 1 }];
    type Maps = [&'static [IdMapping]; 2];
    let mapped = |[users, groups]: Maps, options: &'static [u8], kind: &'static CStr| {
        let one = at(c"/data", kind, source, options);
        start(&root, &[Mount { uid_mappings: users, gid_mappings: groups, ..one }], |_| ())
    };
    let both = [MAP, MAP];
    for options in [&b"bind\0idmap\0"[..], b"rbind\0ridmap\0", b"bind\0"] {
        assert!(mapped(both, options, c"none").unwrap().contains(",idmapped\n"));
    }
    assert!(mapped(both, b"size=1m\0", c"tmpfs").unwrap_err().ends_with("only binds map owners"));
    let half = [MAP, &[]];
    assert!(
        mapped(half, b"bind\0", c"none")
            .unwrap_err()
            .ends_with("uidMappings and gidMappings come together")
    );
    let none = mapped([&[], &[]], b"bind\0idmap\0", c"none").unwrap_err();
    assert!(
        none.ends_with("idmap needs uidMappings and gidMappings, or a user namespace"),
        "{none}"
    );
    // And the effect of the mapping.
    let one = bind(source, c"/data", b"bind\0idmap\0");
    let one = Mount { uid_mappings: MAP, gid_mappings: MAP, ..one };
    let mut spec = spec(b"");
    spec.mounts = vec![one].leak();
    let prepared = prepare(&spec, None, true).unwrap();
    let tree = prepared.of(0).unwrap();
    assert_eq!(fs::stat(tree, c"file").unwrap().uid, 0);
    assert_eq!(fs::stat(tree, c"sub").unwrap().uid, 65534);
}

#[test]
fn a_tmpfs_begins_as_what_it_hides() {
    let Some(root) = Fixture::new("copyup") else { return };
    let volume = root.path.join("vol");
    let mut deep = volume.join("dir");
    for _ in 0..40 {
        deep = deep.join("d");
    }
    std::fs::create_dir_all(&deep).unwrap();
    std::fs::write(deep.join("leaf"), "end").unwrap();
    // More names than one getdents64(2) returns.
    for number in 0..300 {
        std::fs::write(volume.join(format!("dir/{number}")), number.to_string()).unwrap();
    }
    std::fs::write(volume.join("big"), vec![7; 3 << 20]).unwrap();
    std::fs::set_permissions(volume.join("big"), PermissionsExt::from_mode(0o4711)).unwrap();
    chown(volume.join("dir"), Some(5), Some(6)).unwrap();
    chown(&volume, Some(3), Some(4)).unwrap();
    std::fs::set_permissions(&volume, PermissionsExt::from_mode(0o1750)).unwrap();
    symlink("/gone", volume.join("link")).unwrap();
    let make =
        |name: &str, mode, number| fs::mknod(CWD, leak(&volume.join(name)), mode, number).unwrap();
    make("fifo", fs::S_IFIFO | 0o604, 0);
    make("null", fs::S_IFCHR | 0o606, 0x103);
    make("sock", fs::S_IFSOCK | 0o600, 0);
    let file = fs::open(CWD, leak(&volume.join("big")), fs::O_RDONLY, 0).unwrap();
    crate::sys::xattr::set_fd(file.by_ref(), c"trusted.x", b"value").unwrap();
    let time = fs::Time { seconds: 981_158_400, nanoseconds: 5 };
    fs::set_times(CWD, leak(&volume.join("dir")), time).unwrap();
    alone(|| {
        let target = root.path.join("target");
        std::fs::create_dir(&target).unwrap();
        mount::mount(c"tmpfs", leak(&target), c"tmpfs", 0, c"").unwrap();
        let open = |path| fs::open(CWD, leak(path), fs::O_PATH, 0).unwrap();
        copy::directory(open(&volume).by_ref(), open(&target).by_ref())
            .map_err(|error| error.to_string())?;
        let list = |path: &Path| {
            let listed = std::process::Command::new("find")
                .args([".", "-mindepth", "1", "-printf", "%p %y %m %U %G %l %T@ %s\n"])
                .current_dir(path)
                .output()
                .unwrap();
            let text = String::from_utf8(listed.stdout).unwrap();
            // A directory's size depends on the file system.
            let mut lines: Vec<_> = text
                .lines()
                .map(|line| {
                    if line.contains(" d ") { line.rsplit_once(' ').unwrap().0 } else { line }
                        .to_string()
                })
                .collect();
            lines.sort();
            lines
        };
        let (copied, wanted) = (list(&target), list(&volume));
        let mut value = [0; 16];
        let big = fs::open(CWD, leak(&target.join("big")), fs::O_RDONLY, 0).unwrap();
        let attribute = crate::sys::xattr::get_fd(big.by_ref(), c"trusted.x", &mut value).unwrap();
        let same = copied == wanted && wanted.len() == 347 && attribute == b"value";
        let content = std::fs::read(target.join("big")).unwrap() == vec![7; 3 << 20];
        if same && content { Ok(()) } else { Err(format!("{copied:?}\n{wanted:?}\n")) }
    });
    std::fs::remove_dir(root.path.join("target")).unwrap();
    // The container's view: read-only, with owner and mode of the hidden directory.
    let said = start(
        &root,
        &[tmpfs(c"/vol", b"tmpcopyup\0ro\0nosuid\0"), tmpfs(c"/vol/dir/0d", b"size=1m\0")],
        |_| (),
    );
    expect_line(&said, "/vol tmpfs ro,nosuid,relatime");
    assert!(!volume.join("dir/0d").exists());
    let mut deeper = deep;
    for _ in 0..crate::limits::COPY_DEPTH {
        deeper = deeper.join("d");
    }
    std::fs::create_dir_all(&deeper).unwrap();
    let error = start(&root, &[tmpfs(c"/vol", b"tmpcopyup\0")], |_| ()).unwrap_err();
    assert!(error.ends_with("directories nested more than 128 deep"), "{error}");
}

#[test]
fn mounts_travel_as_the_config_says() {
    let Some(root) = Fixture::new("propagation") else { return };
    let outside = Outside::of(&root);
    let path = leak(&outside.0);
    mount::bind(path, path, mount::Reach::Mount).unwrap();
    mount::set_propagation(path, mount::MS_SHARED).unwrap();
    let sources =
        [(bind(path, c"/data", b"rbind\0")), bind(path, c"/own", b"rbind\0rslave\0rshared\0")];
    let with = |propagation| {
        let mut spec = spec(b"PATH=/bin\0PROBE=propagation\0");
        spec.mounts = [&sources[..], defaults::MOUNTS].concat().leak();
        spec.root = Root { propagation: Some(propagation), ..spec.root };
        let (status, said) = run(&spec, &root).unwrap();
        assert_eq!(status, 0, "{said}");
        let of = |place: &str| {
            let line = said.lines().find(|line| line.split(' ').next() == Some(place)).unwrap();
            line.split_once(' ').map_or("", |(_, rest)| rest).to_string()
        };
        [of("/"), of("/data"), of("/own"), of("/dev")]
    };
    let result = std::panic::catch_unwind(|| {
        assert_eq!(with(0), ["", "master", "shared master", ""]);
        assert_eq!(with(mount::MS_PRIVATE | MS_REC), ["", "", "shared", ""]);
        assert_eq!(with(MS_SLAVE), ["", "master", "shared master", ""]);
        // The host's mount itself, so that a mount of the container on it appears on the host.
        assert_eq!(with(MS_SHARED), ["shared", "shared", "shared master", ""]);
        assert_eq!(
            with(mount::MS_UNBINDABLE | MS_REC),
            ["unbindable", "unbindable", "unbindable", "unbindable"]
        );
    });
    mount::unmount(path, mount::MNT_DETACH).unwrap();
    // Whatever was shared, a container's end does not reach the host.
    assert!(Path::new("/proc/self/status").exists() && outside.0.join("file").exists());
    result.unwrap();
}

#[test]
fn a_destination_with_the_hosts_path_of_the_root_is_the_same_place() {
    for (destination, rootfs, seen) in [
        (c"/b/rootfs/mnt/x", c"/b/rootfs", c"/mnt/x"),
        (c"/b/rootfs", c"/b/rootfs", c"/b/rootfs"),
        (c"/b/rootfs2/x", c"/b/rootfs", c"/b/rootfs2/x"),
        (c"/mnt", c"/b/rootfs", c"/mnt"),
        (c"/mnt", c"/", c"/mnt"),
    ] {
        assert_eq!(in_root(destination, rootfs), seen);
    }
}
