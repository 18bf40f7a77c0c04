//! docker's options of `run --image`: what a container sees of each, and what is refused.

use crate::support;
use crate::support::lab::{self, Lab, Runtime, Said};

fn lab_and_image() -> (Lab, String) {
    let lab = Lab::new(Runtime::Ocinit);
    std::fs::create_dir(lab.dir.join("tmp")).unwrap();
    std::fs::create_dir_all(lab.dir.join("shared/inner")).unwrap();
    std::fs::write(lab.dir.join("shared/file"), "of the host\n").unwrap();
    std::fs::write(
        lab.dir.join("env"),
        "# a comment\n\n  A=1\nB=\"2\"\nFROM_CALLER\nMISSING\nC=3\r\n",
    )
    .unwrap();
    (lab, support::images::busybox_layout().to_str().unwrap().to_string())
}

fn call(lab: &Lab, words: &[&str]) -> Said {
    let mut command = lab.command(words);
    command.env("TMPDIR", lab.dir.join("tmp")).env("FROM_CALLER", "x y");
    lab.finish(&mut command)
}

/// Options, a command, and what it prints.
const SEEN: &[(&[&str], &[&str], &str)] = &[
    (&["-e", "A=b c"], &["sh", "-c", "echo $A"], "b c\n"),
    (&["-e", "A=1", "--env=A=2"], &["sh", "-c", "env | grep ^A="], "A=2\n"),
    (
        &["-e", "FROM_CALLER", "-e", "MISSING"],
        &["sh", "-c", "echo $FROM_CALLER ${MISSING-none}"],
        "x y none\n",
    ),
    (
        &["--env-file", "@DIR@/env", "-e", "C=4"],
        &["sh", "-c", "echo $A $B $C $FROM_CALLER"],
        "1 \"2\" 4 x y\n",
    ),
    (&["-u", "1000:1001"], &["id"], "uid=1000(app) gid=1001 groups=1001\n"),
    (&["--user=5"], &["id", "-u"], "5\n"),
    (&["-w", "/srv/made/here"], &["pwd"], "/srv/made/here\n"),
    (&["--hostname", "door"], &["hostname"], "door\n"),
    (&["--entrypoint", "echo"], &["a", "b"], "a b\n"),
    (&["--entrypoint", ""], &["echo", "c"], "c\n"),
    (
        &["-v", "@DIR@/shared:/mnt"],
        &["sh", "-c", "echo new > /mnt/new; cat /mnt/file"],
        "of the host\n",
    ),
    (
        &["-v", "@DIR@/shared:/mnt:ro,Z"],
        &["sh", "-c", "touch /mnt/x 2>/dev/null || echo refused; cat /mnt/file"],
        "refused\nof the host\n",
    ),
    (&["-v", "@DIR@/shared/file:/etc/one"], &["cat", "/etc/one"], "of the host\n"),
    // A mount below another one, in any order.
    (
        &["-v", "@DIR@/shared:/mnt/inner", "--tmpfs", "/mnt"],
        &["cat", "/mnt/inner/file"],
        "of the host\n",
    ),
    (&["-v", "/data"], &["sh", "-c", "touch /data/x && stat -f -c %T /data"], "tmpfs\n"),
    (
        &["--tmpfs", "/run:size=64k,mode=700"],
        &["sh", "-c", "stat -c %a /run; df -k /run | tail -1 | tr -s ' ' | cut -d' ' -f2"],
        "700\n64\n",
    ),
    (
        &["--tmpfs", "/run"],
        &["sh", "-c", "grep -o 'noexec' /proc/mounts | head -1; stat -c %a /run"],
        "noexec\n1777\n",
    ),
    (
        &["--shm-size", "1m"],
        &["sh", "-c", "df -k /dev/shm | tail -1 | tr -s ' ' | cut -d' ' -f2"],
        "1024\n",
    ),
    (
        &["--read-only"],
        &["sh", "-c", "touch /x 2>/dev/null || echo refused; touch /dev/shm/x && echo ok"],
        "refused\nok\n",
    ),
    (
        &["--cap-drop", "all", "--cap-add", "chown"],
        &["sh", "-c", "grep CapBnd /proc/self/status"],
        "CapBnd:\t0000000000000001\n",
    ),
    (
        &["--cap-drop=CAP_KILL", "--cap-drop=mknod"],
        &["sh", "-c", "grep CapBnd /proc/self/status"],
        "CapBnd:\t00000000a00425db\n",
    ),
    (
        &["--cap-add", "NET_ADMIN"],
        &["sh", "-c", "grep CapBnd /proc/self/status"],
        "CapBnd:\t00000000a80435fb\n",
    ),
    (&["--sysctl", "net.ipv4.ip_forward=1"], &["cat", "/proc/sys/net/ipv4/ip_forward"], "1\n"),
    (&["--network", "none"], &["sh", "-c", "ls /sys/class/net"], "lo\n"),
    (&["--rm", "-i", "--pull=always", "-l", "a=b"], &["true"], ""),
    (&["--ulimit", "nofile=77"], &["sh", "-c", "ulimit -n"], "77\n"),
];

#[test]
fn a_container_sees_what_was_asked_for() {
    lab::enter();
    let (lab, image) = lab_and_image();
    let mut wrong = Vec::new();
    for (options, command, out) in SEEN {
        let words = [&["run", "--image", &image], *options, &["@ID@"], *command].concat();
        let said = call(&lab, &words);
        if (said.out.as_str(), said.status) != (*out, 0) {
            wrong.push(format!("{options:?}: {said:?}, not {out:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(lab.dir.join("shared/new").exists());
    assert_eq!(std::fs::read_dir(lab.dir.join("tmp")).unwrap().count(), 0, "bundles are removed");
}

/// Options, and a part of the one line of their refusal.
const REFUSED: &[(&[&str], &str)] = &[
    (&["-v", "@DIR@/absent:/mnt"], "nothing is made there"),
    (&["-v", "data:/mnt"], "a named volume"),
    (&["-v", "/a:/"], "root"),
    (&["-v", "/a:/b:frob"], "its options are"),
    (&["-e", "=x"], "no name"),
    (&["--env-file", "@DIR@/absent"], "no such file"),
    (&["-u", ""], "USER"),
    (&["-w", "relative"], "an absolute path"),
    (&["--hostname", "a b"], "letters"),
    (&["--tmpfs", "/"], "root"),
    (&["--tmpfs", "/x", "-v", "/etc:/x"], "two mounts"),
    (&["--cap-add", "FROB"], "no such capability"),
    (&["--memory", "1m"], "less than 6m"),
    (&["--memory-swap", "1g"], "needs --memory"),
    (&["--cpus", "x"], "decimal"),
    (&["--cpuset-cpus", "a"], "not a list"),
    (&["--pids-limit", "x"], "not a number"),
    (&["--shm-size", "0"], "not a size"),
    (&["--sysctl", "x"], "not NAME=VALUE"),
    (&["--sysctl", "kernel.hung_task_panic=1"], "not in any namespace"),
    (&["--network", "bridge"], "needs a daemon"),
    (&["-p", "80:80"], "--network=host"),
];

#[test]
fn what_cannot_be_is_one_line() {
    lab::enter();
    let (lab, image) = lab_and_image();
    for (options, part) in REFUSED {
        let words = [&["run", "--image", &image], *options, &["@ID@", "true"]].concat();
        let said = call(&lab, &words);
        assert!(said.err.contains(part) && said.err.lines().count() == 1, "{options:?}: {said:?}");
        assert_ne!(said.status, 0, "{options:?}");
        // A bundle has its own.
        if options.len() == 2 && !options[0].contains("sysctl") {
            let words = [&["run", "-b", "@BUNDLE@"], &options[..], &["@ID@"]].concat();
            let said = call(&lab, &words);
            assert!(said.err.contains("is for --image"), "{options:?}: {said:?}");
        }
    }
    assert_eq!(std::fs::read_dir(lab.dir.join("tmp")).unwrap().count(), 0, "bundles are removed");
}

/// The limits are in the config, so every runtime takes them.
#[test]
fn limits_are_written() {
    lab::enter();
    let (lab, image) = lab_and_image();
    let bundle = lab.dir.join("made");
    let words = [
        "bundle",
        "--memory=512m",
        "--memory-swap=600m",
        "--cpus=1.5",
        "--cpuset-cpus=0",
        "--pids-limit=10",
        "--annotation=x=y",
        "--network=host",
        &image,
        bundle.to_str().unwrap(),
    ];
    lab::done(&call(&lab, &words));
    let config = std::fs::read_to_string(bundle.join("config.json")).unwrap();
    let config: String = config.split_whitespace().collect();
    for part in [
        r#""limit":536870912,"swap":629145600"#,
        r#""quota":150000,"period":100000"#,
        r#""cpus":"0""#,
        r#""pids":{"limit":10}"#,
        r#""x":"y""#,
    ] {
        assert!(config.contains(part), "{part}: {config}");
    }
    assert!(!config.contains(r#"{"type":"network"}"#), "{config}");
}
