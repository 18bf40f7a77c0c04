//! The surroundings of the image's process: its arguments, environment, user, directory, rights,
//! devices and limits.

use crate::support;
use crate::support::images::{Layer, busybox_layout};
use crate::support::tar::Header;
use crate::support::{Boot, Outcome, Tar, busybox, scratch};

/// A layout of busybox with this `config` object, in a directory of this name.
fn configured(name: &str, members: &str) -> Boot {
    let directory = scratch(&format!("process-{name}"));
    busybox().config(members).write(&directory.join("layout"));
    Boot::new(directory.join("layout"))
}

/// One line of /proc/self/status, as shell text: `$(status CapEff)`.
const STATUS: &str = "status() { sed -n \"s/^$1:[[:space:]]*//p\" /proc/self/status | tr '\\t' ' ' | sed 's/ *$//'; }\n";

/// Capabilities of docker's default set: chown dac_override fowner fsetid kill setgid setuid
/// setpcap net_bind_service net_raw sys_chroot mknod audit_write setfcap.
const DEFAULT_CAPABILITIES: &str = "00000000a80425fb";

/// A volume that the image lacks is made; one that it has is as the image has it.
#[test]
fn volumes_are_directories_and_hide_nothing() {
    let directory = scratch("process-volumes");
    let config = r#""User":"app","Volumes":{"/new/volume":{},"/srv":{},"/sys/fs/cgroup":{}},"Cmd":["sh","-c",
        "ls -d /new/volume; cat /srv/seed; echo more >>/srv/seed && cat /srv/seed; ls /sys/fs/cgroup | grep -c cgroup.procs"]"#;
    let (mut srv, mut seed) = (Header::new("srv/", b'5'), Header::new("srv/seed", b'0'));
    (srv.mode, srv.owner, seed.owner, seed.size) = (0o700, (1000, 1000), (1000, 1000), 5);
    let layer = Layer::plain(Tar::new().entry(&srv, b"").entry(&seed, b"seed\n"));
    busybox().config(config).layer(layer).write(&directory.join("layout"));
    let outcome = Boot::new(directory.join("layout")).run();
    outcome.expect_status(0).expect_stdout("/new/volume\nseed\nseed\nmore\n1\n");
}

/// One VM for all that needs no settings of its own.
#[test]
fn what_a_container_finds_unless_told() {
    let script = r#"
        echo pid=$$; echo parent=$(awk '/^PPid/{print $2}' /proc/1/status); echo user=$(id -u):$(id -g); echo groups=$(status Groups)
        echo effective=$(status CapEff); echo permitted=$(status CapPrm); echo bounding=$(status CapBnd)
        echo inheritable=$(status CapInh); echo ambient=$(status CapAmb); echo no_new_privs=$(status NoNewPrivs)
        echo blocked=$(status SigBlk); echo ignored=$(status SigIgn)
        echo oom=$(cat /proc/self/oom_score_adj); echo umask=$(umask); echo directory=$(pwd)
        echo home=$HOME; echo path=$PATH; echo hostname=$(hostname); echo loopback=$(cat /sys/class/net/lo/operstate)
        echo processes=$(ls /proc | grep -c '^[0-9]'); echo descriptors=$(ls /proc/self/fd | tr '\n' ' ')
        for d in proc sys dev dev/pts dev/shm dev/mqueue; do echo mount.$d=$(awk -v d=/$d '$2==d{print $3}' /proc/mounts); done
        echo nodes=$(ls /dev | sort | tr '\n' ' ')
        for n in null zero full random urandom tty; do echo node.$n=$(stat -c '%t:%T %a' /dev/$n); done
        echo links=$(readlink /dev/fd) $(readlink /dev/stdin) $(readlink /dev/stdout) $(readlink /dev/stderr)
        echo kcore=$(wc -c </proc/kcore); echo keys=$(wc -c </proc/keys); echo timers=$(wc -c </proc/timer_list)
        echo firmware=$(ls /sys/firmware | wc -l)
        ro() { if (echo x >$1) 2>/dev/null; then echo written; else echo refused; fi; }
        echo sysrq=$(ro /proc/sysrq-trigger); echo sysctl=$(ro /proc/sys/kernel/domainname); echo sys=$(ro /sys/kernel/uevent_helper)
        echo mounting=$(mount -t tmpfs none /tmp 2>/dev/null && echo done || echo refused)
        echo shm=$(echo ok >/dev/shm/x && cat /dev/shm/x); echo root=$(touch /new && echo writable)
        echo above=$(ls -a / | grep -c ocinit); echo disks=$(ls /dev | grep -c '^vd')"#;
    let outcome = Boot::new(busybox_layout()).script(&format!("{STATUS}{script}")).run();
    outcome.expect_status(0);
    for (name, value) in [
        ("pid", "1"),
        ("parent", "0"),
        ("user", "0:0"),
        ("effective", DEFAULT_CAPABILITIES),
        ("permitted", DEFAULT_CAPABILITIES),
        ("bounding", DEFAULT_CAPABILITIES),
        ("inheritable", "0000000000000000"),
        ("ambient", "0000000000000000"),
        ("no_new_privs", "0"),
        ("blocked", "0000000000000000"),
        ("ignored", "0000000000000000"),
        ("oom", "0"),
        ("umask", "0022"),
        ("directory", "/"),
        ("home", "/root"),
        ("path", "/bin"),
        ("loopback", "unknown"),
        // The fourth is the directory that `ls` reads.
        ("descriptors", "0 1 2 3"),
        ("mount.proc", "proc"),
        ("mount.sys", "sysfs"),
        ("mount.dev", "tmpfs"),
        ("mount.dev/pts", "devpts"),
        ("mount.dev/shm", "tmpfs"),
        ("mount.dev/mqueue", "mqueue"),
        ("node.null", "1:3 666"),
        ("node.zero", "1:5 666"),
        ("node.full", "1:7 666"),
        ("node.random", "1:8 666"),
        ("node.urandom", "1:9 666"),
        ("node.tty", "5:0 666"),
        ("links", "/proc/self/fd /proc/self/fd/0 /proc/self/fd/1 /proc/self/fd/2"),
        ("kcore", "0"),
        ("keys", "0"),
        ("timers", "0"),
        ("firmware", "0"),
        ("sysrq", "refused"),
        ("sysctl", "refused"),
        ("sys", "refused"),
        ("mounting", "refused"),
        ("shm", "ok"),
        ("root", "writable"),
        ("above", "0"),
        ("disks", "0"),
    ] {
        outcome.expect_value(name, value);
    }
    assert_ne!(outcome.value("hostname"), "(none)", "{outcome}");
    // root of the base image is in wheel.
    assert!(outcome.value("groups").split(' ').any(|group| group == "10"), "{outcome}");
    for node in outcome.value("nodes").split_whitespace() {
        let known = "console core fd full mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero";
        assert!(
            known.split(' ').any(|name| name == node),
            "/dev/{node} is not for containers\n{outcome}"
        );
    }
}

#[test]
fn three_hundred_arguments() {
    let words: Vec<String> =
        (0..300).map(|n| format!("word {n} \"of\" 300 'and' $more\\\n")).collect();
    let boot = Boot::new(busybox_layout()).arguments(["printf", "%s\\0"]).arguments(&words);
    let outcome = boot.run();
    let expected: String = words.iter().map(|word| format!("{word}\0")).collect();
    outcome.expect_status(0).expect_stdout(&expected);
}

#[test]
fn arguments_of_a_hundred_kibibytes() {
    let word: String = (0..100 << 10).map(|n| char::from(b'a' + (n % 26) as u8)).collect();
    let outcome = Boot::new(busybox_layout()).arguments(["printf", "%s", &word, ""]).run();
    outcome.expect_status(0);
    assert!(
        outcome.text() == word,
        "{} bytes of {}\n{}",
        outcome.stdout.len(),
        word.len(),
        outcome.stderr
    );
}

#[test]
fn a_hundred_kibibytes_of_environment() {
    let variables: Vec<String> =
        (0..800).map(|n| format!("VARIABLE_{n:03}={}", "0123456789".repeat(12))).collect();
    let quoted: Vec<String> = variables.iter().map(|variable| format!("\"{variable}\"")).collect();
    let members = format!(r#""Env":["PATH=/bin",{}],"Cmd":["env"]"#, quoted.join(","));
    assert!(members.len() > 100 << 10);
    let outcome = configured("environment", &members).run();
    outcome.expect_status(0);
    let text = outcome.text();
    let found: Vec<&str> = text.lines().filter(|line| line.starts_with("VARIABLE_")).collect();
    assert_eq!(found, variables, "{outcome}");
}

#[test]
fn environment_working_directory_hostname_and_entrypoint() {
    let members = r#""Entrypoint":["/bin/sh","-c","echo $0-$1; echo a=$A; echo b=$B; echo utf8=$U; echo in=$(pwd); echo host=$(hostname)"],
        "Cmd":["from","image"],"Env":["PATH=/bin","A=of the image","B=of the image","U=gr\u00fc\u00dfe \"quoted\" \ud83d\ude00"],
        "WorkingDir":"/made/for/it""#;
    let boot = configured("config", members).append("ocinit.hostname=told ocinit.env=B=ours");
    let outcome = boot.clone().run();
    outcome.expect_status(0);
    assert!(outcome.text().starts_with("from-image\n"), "{outcome}");
    outcome
        .expect_value("a", "of the image")
        .expect_value("b", "ours")
        .expect_value("in", "/made/for/it");
    outcome
        .expect_value("utf8", "gr\u{fc}\u{df}e \"quoted\" \u{1f600}")
        .expect_value("host", "told");
    // Arguments replace Cmd and keep Entrypoint, as docker's do.
    let outcome = boot.append("ocinit.workdir=/tmp").arguments(["by", "hand"]).run();
    outcome.expect_value("in", "/tmp");
    assert!(outcome.text().starts_with("by-hand\n"), "{outcome}");
    // The user of the command line instead of the image's, and a variable of the configuration
    // file.
    let boot = Boot::new(busybox_layout())
        .append("ocinit.user=app:extra")
        .option("--env", "SECRET=of the file");
    let outcome = boot.script("echo $(id -u):$(id -g) $SECRET; cat /proc/cmdline").run();
    assert!(outcome.expect_status(0).text().starts_with("1000:2000 of the file\n"), "{outcome}");
    assert!(!outcome.text().contains("SECRET"), "it is on the kernel's command line\n{outcome}");
}

/// User, group and supplementary groups as this form of User gives them.
#[track_caller]
fn as_user(form: &str) -> Outcome {
    let members = format!(r#""Env":["PATH=/bin"],"User":"{form}""#);
    let script = "echo user=$(id -u):$(id -g); echo groups=$(status Groups); echo effective=$(status CapEff); echo home=$HOME";
    let boot = configured(&format!("user-{}", form.replace(':', "-")), &members);
    let outcome = boot.script(&format!("{STATUS}{script}")).run();
    outcome.expect_status(0);
    outcome
}

#[test]
fn a_user_by_name_brings_his_groups() {
    let outcome = as_user("app");
    outcome.expect_value("user", "1000:1000").expect_value("effective", "0000000000000000");
    outcome.expect_value("home", "/home/app");
    let groups = outcome.value("groups");
    for wanted in ["10", "2000"] {
        assert!(groups.split(' ').any(|group| group == wanted), "no group {wanted}\n{outcome}");
    }
    assert!(!groups.contains("3000"), "{outcome}");
}

#[test]
fn a_user_by_name_and_a_group_by_name() {
    let outcome = as_user("app:extra");
    outcome.expect_value("user", "1000:2000");
    assert!(!outcome.value("groups").split(' ').any(|group| group == "10"), "{outcome}");
}

#[test]
fn a_user_and_a_group_by_number_that_nobody_has() {
    let outcome = as_user("4242:4343");
    outcome.expect_value("user", "4242:4343").expect_value("effective", "0000000000000000");
    assert!(outcome.value("groups").split_whitespace().all(|group| group == "4343"), "{outcome}");
}

#[test]
fn a_user_by_number_alone_that_nobody_has() {
    let outcome = as_user("4242");
    outcome.expect_value("user", "4242:0");
}

#[test]
fn a_user_that_is_not_in_the_image_is_an_error() {
    let outcome =
        configured("user-ghost", r#""Cmd":["echo","EXECUTED"],"Env":["PATH=/bin"],"User":"ghost""#)
            .run();
    outcome.expect_status(125).expect_stdout("").expect_line(&["ocinit: ", "ghost", "/etc/passwd"]);
}

/// The numbers in the cgroup's files, and what the kernel does when they are reached.
#[test]
fn memory_cpus_and_pids_are_limited() {
    let script = r#"
        cd /sys/fs/cgroup; echo memory=$(cat memory.max); echo cpus=$(cat cpu.max); echo pids=$(cat pids.max)
        tail /dev/zero; echo killed=$?
        n=0; while [ $n -lt 40 ]; do sleep 1000 & n=$((n+1)); done 2>/dev/null; echo never=reached"#;
    let append = "ocinit.memory=64M ocinit.cpus=0.5 ocinit.pids=20";
    let outcome = Boot::new(busybox_layout()).append(append).script(script).run();
    outcome
        .expect_value("memory", "67108864")
        .expect_value("cpus", "50000 100000")
        .expect_value("pids", "20");
    outcome.expect_value("killed", "137");
    // ash gives up when it cannot fork.
    assert!(!outcome.text().contains("never=reached"), "{outcome}");
    outcome.expect_status(2);
}

#[test]
fn net_none_leaves_the_loopback_alone() {
    let script = "ls /sys/class/net; ping -c 1 -W 5 127.0.0.1 >/dev/null && echo answers";
    let boot = Boot::new(busybox_layout()).append("ocinit.net=none").script(script);
    boot.run().expect_status(0).expect_stdout("lo\nanswers\n");
}

/// `StopSignal` is what the container gets for the SIGTERM that `boot` got: see signals.rs.
/// Here: PID 1 itself becomes the image's process, with the machine's own rights, and no report is
/// made.
#[test]
fn mode_exec_hands_over_pid_1() {
    let script = format!(
        "{STATUS}echo exec: pid $$ caps $(status CapEff) nnp $(status NoNewPrivs); \
         echo exec: devices $(ls /dev | grep -c -e '^vda$' -e '^console$'); poweroff -f"
    );
    let outcome = Boot::new(busybox_layout()).append("ocinit.mode=exec").script(&script).run();
    let text = outcome.text();
    for line in ["exec: pid 1 caps 000001ffffffffff nnp 0", "exec: devices 2"] {
        assert!(text.contains(line), "no {line:?} on the console\n{outcome}");
    }
}

/// A set-id bit works as in docker, but not under no_new_privs. (busybox drops such rights itself.)
#[test]
fn a_setuid_program_works_unless_told() {
    // exit_group(geteuid()): mov eax, 107; syscall; mov edi, eax; mov eax, 231; syscall.
    let code = [0xb8, 107, 0, 0, 0, 0x0f, 0x05, 0x89, 0xc7, 0xb8, 231, 0, 0, 0, 0x0f, 0x05];
    let layer = Layer::plain(Tar::new().file("it", 0o4755, support::elf::program(&code)));
    let directory = scratch("process-setuid");
    let image = busybox().config(r#""Env":["PATH=/bin"],"User":"1000:1000""#).layer(layer);
    image.write(&directory.join("layout"));
    let boot = Boot::new(directory.join("layout"));
    boot.clone()
        .append("ocinit.no-new-privileges=on")
        .arguments(["/it"])
        .run()
        .expect_status(1000 & 255);
    let script = "stat -c '%a %u' /it; id -u; exec /it";
    boot.script(script).run().expect_status(0).expect_stdout("4755 0\n1000\n");
}
