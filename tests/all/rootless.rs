//! `ocinit unpack --rootless` as a non-root user: with one ID and with ranges of ids. Needs root,
//! to become that user and to give it ranges in its own /etc.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::support::images::Layer;
use crate::support::tar::Header;
use crate::support::{Image, Tar, busybox, copy_program, tool, write};

/// A user that the machine does not know.
pub const USER: &str = "12345";

/// One line for each file: name, mode, owner, length or device, time, link, content; then a tab and
/// its attributes.
pub const LIST: &str = r#"
import hashlib, os, stat, sys
def show(path, name):
    s = os.lstat(path)
    link = os.readlink(path) if stat.S_ISLNK(s.st_mode) else ''
    data = hashlib.sha256(open(path, 'rb').read()).hexdigest()[:8] if stat.S_ISREG(s.st_mode) else ''
    size = s.st_size if stat.S_ISREG(s.st_mode) else s.st_rdev
    try: keys = os.listxattr(path, follow_symlinks=False)
    except OSError: keys = []
    keys = ['%s=%s' % (k, os.getxattr(path, k, follow_symlinks=False).hex()) for k in sorted(keys) if k != 'security.selinux']
    print('%s %o %d:%d %d %d %s %s\t%s' % (name, s.st_mode, s.st_uid, s.st_gid, size, s.st_mtime_ns, link, data, ' '.join(keys)))
    if stat.S_ISDIR(s.st_mode):
        for child in sorted(os.listdir(path)): show(path + '/' + child, name + '/' + child)
show(sys.argv[1], '.')
"#;

/// What is known of a file: the line without attributes, and those.
pub type Listing = BTreeMap<String, (String, String)>;

/// Files of all kinds, owners, modes and attributes that an ordinary user has trouble with.
pub fn layer() -> Tar {
    let with =
        |name: &'static str, kind, mode, owner| Header { mode, owner, ..Header::new(name, kind) };
    let capability = "\x01\0\0\x02\0\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
    let one = |name, mode, owner| Header { size: 1, ..with(name, b'0', mode, owner) };
    Tar::new()
        .entry(&with("./", b'5', 0o755, (0, 0)), b"")
        .entry(&with("d/", b'5', 0o1777, (5, 6)), b"")
        .entry(&one("d/f", 0o444, (7, 8)), b"f")
        .entry(&with("d/empty", b'0', 0o644, (7, 0)), b"")
        .hard_link("hard", "d/f")
        .entry(&one("setuid", 0o4755, (0, 33)), b"s")
        .entry(&one("setgid", 0o6755, (1000, 1000)), b"s")
        .entry(&one("roots", 0o644, (0, 0)), b"r")
        .entry(&with("closed/", b'5', 0, (0, 0)), b"")
        .entry(&one("closed/in", 0o600, (0, 0)), b"i")
        .entry(&with("closed/deep/", b'5', 0o500, (9, 9)), b"")
        .entry(&one("closed/deep/none", 0, (0, 0)), b"n")
        .entry(&with("dev/", b'5', 0o755, (0, 0)), b"")
        .entry(&Header { device: (1, 3), ..with("dev/null", b'3', 0o666, (0, 0)) }, b"")
        .entry(&Header { device: (8, 0), ..with("dev/sda", b'4', 0o660, (0, 6)) }, b"")
        .entry(&with("fifo", b'6', 0o600, (3, 4)), b"")
        .entry(&Header { link: "/etc/passwd", ..with("link", b'2', 0o777, (3, 4)) }, b"")
        .entry(&one("far", 0o644, (200_000, 0o7777776)), b"q")
        .pax(&[("SCHILY.xattr.security.capability", capability)])
        .entry(&one("capable", 0o755, (0, 0)), b"c")
        .pax(&[("SCHILY.xattr.user.test", "v"), ("SCHILY.xattr.trusted.test", "v")])
        .entry(&one("xattr", 0o400, (1, 1)), b"x")
        .pax(&[("SCHILY.xattr.user.rootlesscontainers", "v")])
        .entry(&one("forged", 0o644, (0, 0)), b"y")
}

/// A directory that an ordinary user can reach: the binary, an image, and a place for what is made
/// of it.
pub struct Place(pub PathBuf);

impl Place {
    pub fn new(name: &str, layers: Vec<Layer>) -> Place {
        Place::of(
            name,
            Image {
                architecture: "amd64".into(),
                os: "linux".into(),
                config: String::new(),
                layers,
            },
        )
    }

    pub fn of(name: &str, image: Image) -> Place {
        let place =
            std::env::temp_dir().join(format!("ocinit-rootless-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&place);
        std::fs::create_dir_all(place.join("out")).unwrap();
        copy_program(env!("CARGO_BIN_EXE_ocinit"), &place.join("ocinit"));
        image.write(&place.join("image"));
        tool(Command::new("chmod").args(["-R", "a+rX"]).arg(&place));
        std::fs::set_permissions(place.join("out"), PermissionsExt::from_mode(0o777)).unwrap();
        Place(place)
    }

    /// Runs a shell's script here as an ordinary user.
    pub fn run(&self, script: &str) -> Output {
        let mut command = Command::new("setpriv");
        command.args(["--reuid", USER, "--regid", USER, "--clear-groups", "sh", "-c", script]);
        command.current_dir(&self.0).env("HOME", self.0.join("out")).output().unwrap()
    }

    /// The same in a mount namespace where the user has a name, and these ranges of ids.
    pub fn run_with_ranges(&self, ranges: &str, script: &str) -> Output {
        write(
            &self.0.join("passwd"),
            format!("root:x:0:0::/root:/bin/sh\ntester:x:{USER}:{USER}::/:/bin/sh\n"),
        );
        write(&self.0.join("ranges"), ranges);
        write(&self.0.join("script"), script);
        let setup = format!(
            "mount --make-rprivate / && mount -t cgroup2 none /sys/fs/cgroup && mount --bind passwd /etc/passwd && touch /etc/subuid /etc/subgid && \
             mount --bind ranges /etc/subuid && mount --bind ranges /etc/subgid && \
             exec setpriv --reuid {USER} --regid {USER} --clear-groups sh script"
        );
        let mut command = Command::new("unshare");
        command.args(["-m", "sh", "-c", &setup]).current_dir(&self.0).output().unwrap()
    }

    pub fn list(&self, root: &str) -> Listing {
        let text = tool(Command::new("python3").args(["-c", LIST]).arg(self.0.join(root)));
        let lines = String::from_utf8(text).unwrap();
        let part = |line: &str| {
            let (plain, attributes) = line.split_once('\t').unwrap();
            let (name, plain) = plain.split_once(' ').unwrap();
            (name.to_string(), (plain.to_string(), attributes.to_string()))
        };
        lines.lines().map(part).collect()
    }

    pub fn is_empty(&self) -> bool {
        std::fs::read_dir(self.0.join("out")).unwrap().next().is_none()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[track_caller]
pub fn expect(output: &Output, status: i32, lines: &[&str]) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(status), "{said}");
    assert_eq!(said.lines().collect::<Vec<_>>(), lines);
}

#[track_caller]
pub fn owner<'l>(listing: &'l Listing, name: &str) -> &'l str {
    listing[name].0.split(' ').nth(1).unwrap()
}

pub const OWNER: &str = "user.rootlesscontainers";
pub const UNPACK: &str = "./ocinit unpack --rootless image out/root";

/// The owners that an image of [`layer`] has besides root's, where no id but the user's own is
/// mapped.
pub const RECORDED: [(&str, &str); 9] = [
    ("./d", "08051006"),
    ("./d/f", "08071008"),
    ("./hard", "08071008"),
    ("./d/empty", "080710ffffffff0f"),
    ("./setuid", "08ffffffff0f1021"),
    ("./setgid", "08e80710e807"),
    ("./closed/deep", "08091009"),
    ("./dev/sda", "08ffffffff0f1006"),
    ("./far", "08c09a0c10feff7f"),
];

#[test]
fn with_one_id_it_is_what_umoci_makes() {
    let place = Place::new("umoci", vec![Layer::gzip(layer())]);
    let output = place.run(UNPACK);
    let summary = "ocinit: not possible without root: 9 owners (recorded in user.rootlesscontainers), \
                   2 owners of links and pipes (lost), 2 devices (empty files instead)";
    // trusted.test, and the forged record.
    expect(&output, 0, &[summary, "ocinit: 2 extended attributes were skipped"]);
    let ours = place.list("out/root");

    let output = place.run("umoci unpack --rootless --image image:latest out/umoci");
    assert!(output.status.success(), "{output:?}");
    let theirs = place.list("out/umoci/rootfs");
    assert_eq!(ours.keys().collect::<Vec<_>>(), theirs.keys().collect::<Vec<_>>());
    let mut both = 0;
    for (name, (line, attributes)) in &ours {
        assert_eq!(line, &theirs[name].0, "{name}");
        // umoci gives up where a file's own owner may not write it, and on capabilities.
        if !theirs[name].1.is_empty() {
            assert_eq!(attributes, &theirs[name].1, "{name}");
            both += 1;
        }
    }
    assert!(both >= 5, "umoci recorded only {both} owners");
    for (name, value) in RECORDED {
        assert_eq!(ours[name].1, format!("{OWNER}={value}"), "{name}");
    }
    assert_eq!(ours["./xattr"].1, format!("{OWNER}=08011001 user.test=76"));
    // Version 3, for root of the user's namespaces alone.
    assert!(
        ours["./capable"].1.starts_with("security.capability=010000030020"),
        "{:?}",
        ours["./capable"]
    );
    assert_eq!(ours["./forged"].1, "");
}

#[test]
fn with_ranges_owners_are_real() {
    let moved = |owner| {
        Tar::new().entry(&Header { mode: 0o755, owner, ..Header::new("moved/", b'5') }, b"")
    };
    let layers = [layer(), moved((5, 5)), moved((200_000, 5))];
    let place = Place::new("ranges", layers.map(Layer::gzip).to_vec());
    // Two ranges, one by name and one by number, and other users'.
    let ranges = format!("other:1:1000\ntester:100000:500\n\n{USER}:300000:65036\nothers:1:1000\n");
    let output = place.run_with_ranges(&ranges, UNPACK);
    let summary = "ocinit: not possible without root: 2 owners (recorded in user.rootlesscontainers), \
                   2 devices (empty files instead)";
    expect(&output, 0, &[summary, "ocinit: 2 extended attributes were skipped"]);
    let ours = place.list("out/root");
    for (name, expected) in [
        (".", "12345:12345"),
        ("./d", "100004:100005"),
        ("./d/f", "100006:100007"),
        ("./fifo", "100002:100003"),
        ("./link", "100002:100003"),
        ("./setgid", "300499:300499"),
        ("./far", "12345:12345"),
        // Its former owner's no more.
        ("./moved", "12345:12345"),
    ] {
        assert_eq!(owner(&ours, name), expected, "{name}");
    }
    assert!(ours["./setgid"].0.starts_with("106755 ") && ours["./closed"].0.starts_with("40000 "));
    assert_eq!(ours["./d"].1, "");
    assert!(ours["./far"].1.starts_with(OWNER));
    assert_eq!(ours["./moved"].1, format!("{OWNER}=08c09a0c1005"));
}

#[test]
fn a_bad_layer_leaves_nothing_of_foreign_owners() {
    let mut bad = Layer::gzip(layer());
    bad.diff_id = format!("sha256:{}", "0".repeat(64));
    let place = Place::new("bad", vec![bad]);
    let output = place.run_with_ranges("tester:100000:65536\n", UNPACK);
    let line = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(125), "{line}");
    assert!(line.contains("diff_id: digest mismatch") && line.lines().count() == 1, "{line}");
    assert!(place.is_empty());
}

#[test]
fn what_is_read_twice_is_counted_once() {
    let tar = Tar::new()
        .entry(&Header { size: 1, owner: (5, 5), ..Header::new("x", b'0') }, b"x")
        .entry(&Header { device: (1, 3), ..Header::new("null", b'3') }, b"")
        .file(".wh.x", 0o600, "");
    let place = Place::new("twice", vec![Layer::plain(tar)]);
    let output = place.run(UNPACK);
    let summary = "ocinit: not possible without root: 1 owners (recorded in user.rootlesscontainers), \
                   1 devices (empty files instead)";
    expect(&output, 0, &[summary]);
    assert_eq!(place.list("out/root").keys().collect::<Vec<_>>(), [".", "./null", "./x"]);
}

#[test]
fn a_directory_of_a_lower_layer_loses_its_recorded_owner() {
    let directory =
        |owner| Tar::new().entry(&Header { mode: 0o755, owner, ..Header::new("d/", b'5') }, b"");
    let layers = [(5, 5), (0, 0), (6, 0), (7, 7)].map(|owner| Layer::plain(directory(owner)));
    for (count, expected) in [(1, "08051005"), (2, ""), (3, "080610ffffffff0f"), (4, "08071007")] {
        let place = Place::new(&format!("layers-{count}"), layers[..count].to_vec());
        assert_eq!(place.run(UNPACK).status.code(), Some(0));
        let record =
            if expected.is_empty() { String::new() } else { format!("{OWNER}={expected}") };
        assert_eq!(place.list("out/root")["./d"].1, record);
    }
}

#[test]
fn a_bundle_runs_with_the_ids_it_was_made_with() {
    let probe = "id; stat -c '%u:%g' /home/app /data /bin; touch /home/app/x /data/x && echo writable; exit 7";
    let home = Header { mode: 0o700, owner: (1000, 1000), ..Header::new("home/app/", b'5') };
    let data = Header { name: "data/", ..home };
    let image = busybox()
        .config(&format!(r#""Cmd":["sh","-c","{probe}"],"User":"app","Volumes":{{"/data":{{}}}}"#));
    let place = Place::of(
        "bundle",
        image.layer(Layer::gzip(Tar::new().entry(&home, b"").entry(&data, b""))),
    );
    let recorded =
        "ocinit: not possible without root: 2 owners (recorded in user.rootlesscontainers)\n";
    let replaced = "ocinit: the image's user 1000:1000 is not in the user namespace: its root runs the process\n";
    for (name, ranges, whose, warnings) in [
        (
            "ranges",
            "tester:100000:65536\n",
            "uid=1000(app) gid=1000(app)\n1000:1000\n1000:1000\n",
            String::new(),
        ),
        ("single", "", "uid=0(root) gid=0(root)\n0:0\n0:0\n", format!("{replaced}{recorded}")),
    ] {
        let script = format!(
            "./ocinit bundle --rootless image out/{name} && cd out/{name} && \
             for runtime in runc 'crun --cgroup-manager disabled'; do \
             $runtime --root ../state run ocinit-rootless-test; echo status $?; done"
        );
        let output = place.run_with_ranges(ranges, &script);
        let said = String::from_utf8_lossy(&output.stderr);
        let expected = format!("{whose}0:0\nwritable\nstatus 7\n").repeat(2);
        assert_eq!(String::from_utf8_lossy(&output.stdout), expected, "{name}: {said}");
        assert_eq!(said, warnings, "{name}");
    }
}

#[test]
fn who_forgets_it_is_told() {
    let place = Place::new("forgotten", vec![Layer::plain(layer())]);
    let output = place.run("./ocinit unpack image out/root");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        said.contains("operation not permitted: see --rootless") && said.lines().count() == 1,
        "{said}"
    );
    assert!(output.status.code() == Some(125) && place.is_empty());
}

#[test]
fn root_stays_where_it_is() {
    let place = Place::new("root", vec![Layer::gzip(layer())]);
    let mut command = Command::new(Path::new("./ocinit"));
    let output = command
        .args(["unpack", "--rootless", "image", "out/root"])
        .current_dir(&place.0)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let ours = place.list("out/root");
    assert_eq!((owner(&ours, "./d/f"), owner(&ours, "./dev/sda")), ("7:8", "0:6"));
    assert!(
        ours["./dev/null"].0.starts_with("100666 "),
        "an empty file, as for everybody who asks so"
    );
}
