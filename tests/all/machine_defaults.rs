//! Defaults of PID 1's container: docker's, and the keys that change them.

use std::path::PathBuf;

use crate::support;
use crate::support::images::{Layer, busybox_layout, compiled};
use crate::support::tar::Header;
use crate::support::{Boot, Tar, busybox, disk, scratch};

/// Name, type and number of nodes in a layer, all of mode 0666: the machine's disks and more.
const NODES: [(&str, u8, (u32, u32)); 9] = [
    ("n/vda", b'4', (254, 0)),
    ("n/vdb", b'4', (254, 16)),
    ("n/kmsg", b'3', (1, 11)),
    ("n/ttyS0", b'3', (4, 64)),
    ("n/mem", b'3', (1, 1)),
    ("n/port", b'3', (1, 4)),
    ("n/console", b'3', (5, 1)),
    ("n/hpet", b'3', (10, 228)),
    ("n/null", b'3', (1, 3)),
];

/// busybox with `/attack`, which is set-user-id in `/suid`, and the nodes.
fn layout(name: &str) -> PathBuf {
    let mut tar = Tar::new()
        .file("attack", 0o755, compiled("attack"))
        .file("suid", 0o4755, compiled("attack"))
        .directory("n/", 0o755);
    for (name, kind, device) in NODES {
        tar = tar.entry(&Header { mode: 0o666, device, ..Header::new(name, kind) }, b"");
    }
    let directory = scratch(&format!("machine-defaults-{name}")).join("layout");
    busybox().layer(Layer::plain(tar)).write(&directory);
    directory
}

fn with_second_disk(name: &str) -> Boot {
    let image = layout(name);
    let file = image.with_file_name("second.img");
    disk::blank(&file, 8);
    Boot::new(image).option("--disk", file)
}

/// Returns the lines of the container's answers: `PATH=RESULT`.
#[track_caller]
fn all_but_null_are(outcome: &support::Outcome, expected: &str) {
    let text = outcome.text();
    let answers: Vec<&str> = text.lines().filter(|line| line.starts_with("/n/")).collect();
    assert!(answers.len() >= NODES.len(), "{outcome}");
    for answer in answers {
        let expected = if answer.starts_with("/n/null") { "opened" } else { expected };
        assert!(answer.ends_with(&format!("={expected}")), "{answer}\n{outcome}");
    }
}

/// Nodes of a layer, and nodes that the container's root makes, exist, but the kernel opens none.
#[test]
fn devices_of_the_machine_cannot_be_opened() {
    let script = "ls -l /n | wc -l; for n in /n/*; do /attack open $n; done
        mkdir /m; mknod /m/vda b 254 0 && /attack open /m/vda; \
        mknod /m/tty c 5 0 && mknod /dev/mem c 1 1 && /attack open /dev/mem";
    let outcome = with_second_disk("root").script(script).run();
    outcome.expect_status(0).expect_value("/m/vda", "Operation not permitted");
    outcome.expect_value("/dev/mem", "Operation not permitted");
    all_but_null_are(&outcome, "Operation not permitted");

    let outcome = with_second_disk("nobody")
        .append("ocinit.user=1000")
        .script("for n in /n/*; do /attack open $n; done");
    let outcome = outcome.run();
    outcome.expect_status(0);
    all_but_null_are(&outcome, "Operation not permitted");
}

/// su, sudo and ping work as under docker.
#[test]
fn a_set_user_id_program_works_and_system_calls_are_filtered() {
    let script = "/suid ids; sed -n 's/^Seccomp:\\t/mode=/p;s/^NoNewPrivs:\\t/nnp=/p' /proc/self/status
        unshare -U true 2>/dev/null; echo unshare=$?
        echo limits=$(ulimit -n)/$(ulimit -Hn)/$(ulimit -u)
        echo ports=$(cat /proc/sys/net/ipv4/ip_unprivileged_port_start) groups=$(cat /proc/sys/net/ipv4/ping_group_range)
        df / | tail -1; echo df=$(df / | tail -1 | cut -d' ' -f1)";
    let outcome = Boot::new(layout("setuid")).append("ocinit.user=1000").script(script).run();
    outcome.expect_status(0).expect_value("ids", "1000/0 no_new_privs=0");
    outcome.expect_value("mode", "2").expect_value("nnp", "0").expect_value("unshare", "1");
    outcome.expect_value("limits", "1024/524288/unlimited");
    outcome.expect_value("ports", "0 groups=0 2147483647").expect_value("df", "tmpfs");
}

#[test]
fn the_keys_change_them() {
    let script = "/suid ids; sed -n 's/^Seccomp:\\t/mode=/p' /proc/self/status; \
        echo limits=$(ulimit -n)/$(ulimit -Hn)/$(ulimit -c)";
    let keys = "ocinit.user=1000 ocinit.seccomp=off ocinit.no-new-privileges=on ocinit.ulimit=nofile=100:200,core=0";
    let outcome = Boot::new(layout("keys")).append(keys).script(script).run();
    outcome.expect_status(0).expect_value("ids", "1000/1000 no_new_privs=1");
    outcome.expect_value("mode", "0").expect_value("limits", "100/200/0");
}

/// The same keys if PID 1 itself becomes the process, which by default has no filter.
#[test]
fn the_keys_hold_for_a_process_that_is_pid_1() {
    let script = "sed -n 's/^Seccomp:\\t/mode=/p;s/^NoNewPrivs:\\t/nnp=/p' /proc/self/status; \
        echo limits=$(ulimit -n)/$(ulimit -Hn); poweroff -f";
    for (keys, mode, nnp, limits) in [
        ("", "0", "0", "1024/524288"),
        (
            "ocinit.seccomp=default ocinit.no-new-privileges=on ocinit.ulimit=nofile=50:60",
            "2",
            "1",
            "50/60",
        ),
    ] {
        let boot = Boot::new(busybox_layout()).append("ocinit.mode=exec").append(keys);
        let outcome = boot.script(script).run();
        let text = outcome.text().replace('\r', "");
        for line in [format!("mode={mode}"), format!("nnp={nnp}"), format!("limits={limits}")] {
            assert!(text.lines().any(|one| one == line), "{line}\n{outcome}");
        }
    }
}

#[test]
fn privileged_is_everything_but_the_namespaces() {
    let script = "for n in /n/vda /n/kmsg /dev/vdb /dev/ttyS0; do /attack open $n; done
        sed -n 's/^Seccomp:\\t/mode=/p;s/^CapEff:\\t/caps=/p' /proc/self/status; echo pid=$$
        echo 1 >/proc/sys/kernel/sysrq && echo sysrq=written; mkdir /t && mount -t tmpfs none /t && echo mount=done
        ls /sys/firmware | wc -l";
    let outcome =
        with_second_disk("privileged").append("ocinit.privileged=on").script(script).run();
    outcome.expect_status(0).expect_value("mode", "0").expect_value("pid", "1");
    for name in ["/n/vda", "/n/kmsg", "/dev/vdb", "/dev/ttyS0"] {
        outcome.expect_value(name, "opened");
    }
    outcome.expect_value("sysrq", "written").expect_value("mount", "done");
    let capabilities = u64::from_str_radix(&outcome.value("caps"), 16).expect("a number");
    assert!(capabilities.count_ones() > 35, "{outcome}");
}

/// An OOM kill is reported, with the limit.
#[test]
fn what_ran_out_is_said() {
    let image = layout("out-of");
    let boot = |keys: &str| Boot::new(&image).append(keys);
    let outcome = boot("ocinit.memory=32M").arguments(["/attack", "touch", "200"]).run();
    outcome.expect_status(137);
    outcome.expect_line(&["ocinit: out of memory: the container was killed (limit 32 MiB)"]);
    let outcome = boot("ocinit.init=on").arguments(["/attack", "touch", "100000"]).run();
    outcome
        .expect_status(137)
        .expect_line(&["ocinit: out of memory: the container was killed (the machine has"]);
    let outcome = boot("ocinit.pids=5")
        .script("for n in 1 2 3 4 5 6 7; do sleep 3 & done 2>/dev/null; exit 4")
        .run();
    outcome.expect_line(&["ocinit: out of processes: ", "could not be made (limit 5)"]);
    let outcome = boot("").script("exit 6").run();
    outcome.expect_status(6);
    assert!(!outcome.stderr.contains("out of"), "{outcome}");
}

/// A writer gets ENOSPC in a machine of any size, even with a full /dev/shm.
#[test]
fn a_full_root_is_an_error_of_the_writer_and_no_kill() {
    let image = layout("full");
    for mebibytes in ["256", "512"] {
        let script = "dd if=/dev/zero of=/dev/shm/x bs=1M 2>&1 | grep -c 'No space left'
            dd if=/dev/zero of=/x bs=1M 2>&1 | grep -c 'No space left'; exit 7";
        let outcome = Boot::new(&image).option("--mem", mebibytes).script(script).run();
        outcome
            .expect_status(7)
            .expect_stdout("1\n1\n")
            .expect_line(&["ocinit: the root file system is full"]);
        assert!(!outcome.stderr.contains("out of memory"), "{outcome}");
        // Empty directories take memory, too.
        let outcome =
            Boot::new(&image).option("--mem", mebibytes).arguments(["/attack", "fill"]).run();
        outcome.expect_status(0).expect_value("made", "many error=No space left on device");
        assert!(!outcome.stderr.contains("out of memory"), "{outcome}");
    }
}
