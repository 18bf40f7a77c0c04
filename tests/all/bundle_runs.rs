//! Bundles of `ocinit bundle` under real runc and crun.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Command, Output};

use crate::support::bundle::bundle;
use crate::support::images::Layer;
use crate::support::tar::Header;
use crate::support::{Tar, busybox, scratch};

/// Runs a bundle to its end. The machine's control groups are left alone: the runtime sees a mount
/// namespace of its own, with version 2 mounted.
fn run(runtime: &[&str], bundle: &Path, name: &str) -> Output {
    let script = "mount -t cgroup2 none /sys/fs/cgroup && cd \"$0\" && exec \"$@\"";
    let mut command = Command::new("unshare");
    command.args(["-m", "sh", "-c", script]).arg(bundle).args(runtime);
    command
        .arg("--root")
        .arg(bundle.with_extension(name))
        .args(["run", &format!("ocinit-test-{name}")]);
    command.output().expect("unshare starts")
}

const RUNTIMES: [(&str, &[&str]); 2] =
    [("runc", &["runc"]), ("crun", &["crun", "--cgroup-manager", "disabled"])];

#[track_caller]
fn expect_output(output: &Output, expected: &str) {
    let (said, why) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!((said.as_ref(), output.status.code()), (expected, Some(7)), "{why}");
}

const PROBE: &str = r#"id; pwd; hostname; cat /data/seed; stat -c '%a %u %g' /data /data/seed; echo new >/data/new; cat /data/new
    echo "$A $HOME $PATH"; ulimit -n; grep -E '^(Cap(Eff|Bnd)|NoNewPrivs)' /proc/self/status | tr '\t\n' '  '; echo
    grep -E '^[^ ]+ (/proc|/sys|/dev|/dev/pts|/dev/shm|/data|/proc/sys) ' /proc/mounts | awk '{print $2, $3}'
    ls /sys/class/net; touch /sys/kernel/x 2>/dev/null && echo writable; wc -c </proc/keys; test -t 0 || echo no terminal; exit 7"#;

#[test]
fn runc_and_crun_run_a_bundle_as_it_is() {
    let directory = scratch("bundle-run");
    let data = Header { mode: 0o700, owner: (1000, 1000), ..Header::new("data/", b'5') };
    let seed =
        Header { mode: 0o400, owner: (1000, 1000), size: 7, ..Header::new("data/seed", b'0') };
    let image = busybox()
        .config(&format!(
            r#""Entrypoint":["sh","-c"],"Cmd":[{}],"User":"app","WorkingDir":"/not/there","Env":["A=a b","PATH=/bin"],
                "Volumes":{{"/data":{{}}}},"StopSignal":"SIGRTMIN+3","ExposedPorts":{{"80":{{}}}}"#,
            quoted(PROBE)
        ))
        .layer(Layer::plain(Tar::new().entry(&data, b"").entry(&seed, b"seeded\n")));
    image.write(&directory.join("image"));
    for (name, runtime) in RUNTIMES {
        let place = directory.join(name);
        assert_eq!(bundle(&[], &directory.join("image"), &place), "");
        expect_output(&run(runtime, &place, name), RUN);
        assert!(!place.join("rootfs/data/new").exists(), "a volume's data is not in the root");
        assert_eq!(place.join("rootfs/data").metadata().unwrap().mode() & 0o7777, 0o700);
    }
}

const RUN: &str = "uid=1000(app) gid=1000(app) groups=10(wheel),1000(app),2000(extra)
/not/there
ocinit
seeded
700 1000 1000
400 1000 1000
new
a b /home/app /bin
1024
CapEff: 0000000000000000 CapBnd: 00000000a80425fb NoNewPrivs: 0 
/proc proc
/dev tmpfs
/dev/pts devpts
/sys sysfs
/dev/shm tmpfs
/data tmpfs
/proc/sys proc
lo
0
no terminal
";

fn quoted(text: &str) -> String {
    format!(
        "\"{}\"",
        text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n").replace('\t', "\\t")
    )
}

#[test]
fn they_run_a_rootless_bundle_too() {
    let directory = scratch("bundle-run-rootless");
    let probe = "id -u; cat /proc/self/uid_map | tr -s ' '; readlink /proc/self/ns/net; touch /sys/kernel/x 2>/dev/null && echo writable; exit 7";
    let image = busybox().config(&format!(r#""Cmd":["sh","-c",{}],"User":"app""#, quoted(probe)));
    image.write(&directory.join("image"));
    let network = std::fs::read_link("/proc/self/ns/net").unwrap();
    for (name, runtime) in RUNTIMES {
        let place = directory.join(name);
        let said = bundle(&["--rootless"], &directory.join("image"), &place);
        let warning =
            "the image's user 1000:1000 is not in the user namespace: its root runs the process";
        assert_eq!(said, format!("ocinit: {warning}\n"));
        expect_output(
            &run(runtime, &place, &format!("{name}-rootless")),
            &format!("0\n 0 0 1\n{}\n", network.display()),
        );
    }
}
