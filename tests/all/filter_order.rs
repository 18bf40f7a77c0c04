//! System calls of ocinit under a container's filter: exactly those in docs/system-calls.md.

use std::fs::File;
use std::os::unix::net::UnixListener;
use std::process::Command;
use std::sync::OnceLock;

use crate::support;
use crate::support::lab::{self, Lab, Runtime, Said, done};

/// A program that exits at once, or with an argument waits; and its system calls.
const PROGRAM: &str = "__attribute__((naked)) void _start(void) { __asm__ volatile(\
    \"mov (%rsp), %rax; cmp $1, %rax; jne 1f; mov $60, %eax; xor %edi, %edi; syscall; 1: mov $34, %eax; syscall; jmp 1b\"); }\n";
const PROGRAMS_CALLS: &str = "exit pause";

/// A way to start a process.
#[derive(Clone, Copy, Debug)]
struct Kind {
    command: &'static str,
    no_new_privs: bool,
    hooks: bool,
    listener: bool,
    /// A process whose pid namespace is joined, or 0.
    pod: u64,
}

/// A container whose pid namespace others join, and its process.
fn pod() -> (Lab, u64) {
    let mut lab = Lab::new(Runtime::Ocinit);
    lab.script("exec sleep 1000");
    done(&lab.call(&["run", "-d", "--bundle", "@BUNDLE@", "@ID@"]));
    let pid = lab.state().at("pid").show().parse().expect("a pid");
    (lab, pid)
}

impl Kind {
    fn all(pod: u64) -> Vec<Kind> {
        let mut all = Vec::new();
        for command in ["run", "create", "exec"] {
            for bits in 0..16 {
                let [no_new_privs, hooks, listener, joins] =
                    [1, 2, 4, 8].map(|bit| bits & bit != 0);
                // exec runs no hooks, and joins the container's own pid namespace.
                if command == "exec" && (hooks || joins) {
                    continue;
                }
                all.push(Kind {
                    command,
                    no_new_privs,
                    hooks,
                    listener,
                    pod: if joins { pod } else { 0 },
                });
            }
        }
        all
    }

    /// Returns whether its filter is loaded before its gate and its hooks.
    fn is_early(self) -> bool {
        let Kind { command, no_new_privs, hooks, listener, pod } = self;
        match command {
            "create" => !no_new_privs || listener || pod != 0,
            "run" => hooks && (listener || pod != 0),
            _ => false,
        }
    }

    /// Returns its calls from the table.
    fn calls(self) -> String {
        let Kind { no_new_privs, hooks, pod, .. } = self;
        let mut calls = row("`run`, `exec`");
        if self.is_early() {
            calls += &row("`create` and `start` with a");
            if !no_new_privs && pod == 0 {
                calls += &row("`create` and `start` without");
            }
            if hooks {
                calls += &row("startContainer hooks");
            }
        }
        calls
    }
}

/// Returns the calls of a row of the table.
fn row(begins: &str) -> String {
    static TABLE: OnceLock<String> = OnceLock::new();
    let table = TABLE.get_or_init(|| {
        std::fs::read_to_string(support::project().join("docs/system-calls.md"))
            .expect("docs/system-calls.md")
    });
    let line = table.lines().find(|line| line.starts_with(&format!("| {begins}"))).expect("a row");
    format!(" {}", line.trim_end_matches(" |").rsplit(" | ").next().unwrap())
}

fn quoted(names: &str) -> String {
    let mut names: Vec<_> = names.split_whitespace().collect();
    names.sort_unstable();
    names.dedup();
    names.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ")
}

/// Returns a lab of this kind under a profile with this default action and these rules.
fn lab_of(kind: Kind, default: &str, rules: &str) -> (Lab, UnixListener) {
    let mut lab = Lab::new(Runtime::Ocinit);
    let program = std::path::Path::new(lab::PLACE).join("nop");
    if !program.exists() {
        std::fs::write(lab.dir.join("nop.c"), PROGRAM).unwrap();
        let mut gcc = Command::new("gcc");
        gcc.args(["-nostdlib", "-static", "-o"]).arg(&program).arg(lab.dir.join("nop.c"));
        assert!(gcc.status().expect("gcc").success());
    }
    std::fs::hard_link(program, lab.rootfs.join("nop")).unwrap();
    let listener = UnixListener::bind(lab.dir.join("listen")).unwrap();
    let notify = r#", {"names": ["mkdir"], "action": "SCMP_ACT_NOTIFY"}"#;
    let (notify, path) =
        if kind.listener { (notify, r#""listenerPath": "@DIR@/listen", "#) } else { ("", "") };
    let args = if kind.command == "exec" { r#"["/nop", "stay"]"# } else { r#"["/nop"]"# };
    lab.merge(&format!(
        r#"{{"process": {{"args": {args}, "noNewPrivileges": {}}},
            "linux": {{"seccomp": {{"defaultAction": "{default}", {path}"syscalls": [{rules}{notify}]}}}}}}"#,
        kind.no_new_privs
    ));
    if kind.hooks {
        lab.merge(r#"{"hooks": {"startContainer": [{"path": "/nop"}, {"path": "/nop"}]}}"#);
    }
    if kind.pod != 0 {
        let pid = format!(r#"{{"type": "pid", "path": "/proc/{}/ns/pid"}}"#, kind.pod);
        let others = r#"{"type": "ipc"}, {"type": "uts"}, {"type": "mount"}"#;
        lab.merge(&format!(r#"{{"linux": {{"namespaces": [{pid}, {others}]}}}}"#));
    }
    (lab, listener)
}

/// Starts it. Returns the output of the first command that fails, or of the last one.
fn start(lab: &Lab, kind: Kind) -> Said {
    match kind.command {
        "run" => lab.run(),
        "exec" => {
            let said = lab.call(&["run", "-d", "--bundle", "@BUNDLE@", "@ID@"]);
            if said.status == 0 { lab.call(&["exec", "@ID@", "/nop"]) } else { said }
        }
        _ => {
            let said = lab.create();
            if said.status == 0 { lab.start() } else { said }
        }
    }
}

#[test]
fn nothing_is_called_but_what_the_table_says() {
    lab::enter();
    let (_pod, pid) = pod();
    for kind in Kind::all(pid) {
        let calls = quoted(&format!("{PROGRAMS_CALLS} {}", kind.calls()));
        for default in ["SCMP_ACT_ERRNO", "SCMP_ACT_KILL_PROCESS"] {
            let rules = format!(r#"{{"names": [{calls}], "action": "SCMP_ACT_ALLOW"}}"#);
            let (lab, _listener) = lab_of(kind, default, &rules);
            let said = start(&lab, kind);
            assert_eq!((said.status, said.err.as_str()), (0, ""), "{kind:?} {default} {calls}");
        }
    }
}

/// One call of the table is forbidden: the start fails with the reason where it can be told, and
/// never hangs.
#[test]
fn a_call_of_the_table_that_is_forbidden_is_told() {
    lab::enter();
    let (_pod, pid) = pod();
    for kind in Kind::all(pid) {
        let calls = kind.calls();
        for call in quoted(&calls).split(", ") {
            for action in ["SCMP_ACT_ERRNO", "SCMP_ACT_KILL_PROCESS"] {
                let rules = format!(r#"{{"names": [{call}], "action": "{action}"}}"#);
                let (lab, _listener) = lab_of(kind, "SCMP_ACT_ALLOW", &rules);
                let said = start(&lab, kind);
                assert!(said.status != -1, "{kind:?} {call} {action}: it hangs");
                // clone(2) replaces a missing clone3(2), and fds that cannot be closed are
                // close-on-exec.
                if call == "\"close\"" {
                    continue;
                }
                let is_execve = call == "\"execve\"";
                if action == "SCMP_ACT_ERRNO" && is_execve {
                    assert!(
                        said.err.contains("exec /nop: operation not permitted"),
                        "{kind:?} {call}: {said:?}"
                    );
                }
                // Killed at its execve(2), the process seems to have started.
                if !(action == "SCMP_ACT_KILL_PROCESS" && is_execve && kind.command == "create") {
                    assert!(said.status != 0, "{kind:?} {call} {action}: it started");
                }
                if action == "SCMP_ACT_ERRNO" {
                    assert!(!said.err.trim().is_empty(), "{kind:?} {call}: no reason: {said:?}");
                }
            }
        }
    }
}

/// Calls that docker's profile got since 2019, and between 2016 and 2019.
const SINCE_2019: &str = "clone3 close_range epoll_pwait2 faccessat2 fchmodat2 futex_requeue futex_wait futex_waitv futex_wake \
    landlock_add_rule landlock_create_ruleset landlock_restrict_self map_shadow_stack memfd_secret openat2 pidfd_getfd pidfd_open \
    pidfd_send_signal process_mrelease rseq cachestat clock_gettime64 mount_setattr move_mount";
const SINCE_2016: &str =
    "copy_file_range preadv2 pwritev2 statx pkey_alloc pkey_free pkey_mprotect";
/// Recorded calls of busybox; and those of every runtime without no_new_privs (runc: capset and
/// more).
const RECORDED: &str = "arch_prctl brk capset clone close dup2 execve exit_group fcntl fork getcwd getegid geteuid getgid getpgrp \
    getpid getppid getuid ioctl mmap mprotect munmap newfstatat open openat poll prctl prlimit64 read readlink rseq rt_sigaction \
    rt_sigprocmask rt_sigreturn set_robust_list set_tid_address setgid setuid stat uname vfork wait4 write writev nanosleep \
    clock_nanosleep getrandom lseek sigaltstack";

fn without(profile: &mut support::json::Json, names: &str) {
    use crate::support::json::Json;
    let Json::Object(members) = profile else { return };
    let Some((_, Json::List(rules))) = members.iter_mut().find(|(key, _)| key == "syscalls") else {
        return;
    };
    for rule in rules.iter_mut() {
        let Json::Object(members) = rule else { continue };
        let Some((_, Json::List(all))) = members.iter_mut().find(|(key, _)| key == "names") else {
            continue;
        };
        all.retain(|name| !names.split_whitespace().any(|other| *name == Json::Text(other.into())));
    }
    rules.retain(|rule| matches!(rule.at("names"), Json::List(names) if !names.is_empty()));
}

/// Common profiles: docker's of 2016, 2019 and today, and one of a program's recorded calls.
#[test]
fn old_profiles_and_recorded_lists_start_everything() {
    use crate::support::json::Json;
    lab::enter();
    let docker =
        std::fs::read_to_string(support::project().join("tests/all/support/seccomp-docker.json"))
            .unwrap();
    let [today, mut in_2019, mut in_2016] = [(); 3].map(|()| Json::parse(&docker));
    without(&mut in_2019, SINCE_2019);
    without(&mut in_2016, &format!("{SINCE_2019} {SINCE_2016}"));
    let recorded = format!(
        r#"{{"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{{"names": [{}], "action": "SCMP_ACT_ALLOW"}}]}}"#,
        quoted(RECORDED)
    );
    let profiles = [
        ("today", today),
        ("2019", in_2019),
        ("2016", in_2016),
        ("recorded", Json::parse(&recorded)),
    ];
    let (_pod, pid) = pod();
    for (name, profile) in profiles {
        for kind in Kind::all(pid) {
            // The recording has no calls of hooks.
            if name == "recorded" && kind.hooks && kind.is_early() {
                continue;
            }
            let (mut lab, _listener) = lab_of(
                kind,
                "SCMP_ACT_ALLOW",
                r#"{"names": ["swapoff"], "action": "SCMP_ACT_ERRNO"}"#,
            );
            let mut filter = profile.clone();
            if kind.listener {
                filter.merge(&Json::parse(&lab.fill(
                    r#"{"listenerPath": "@DIR@/listen", "syscalls+": [{"names": ["swapon"], "action": "SCMP_ACT_NOTIFY"}]}"#,
                )));
            }
            lab.merge(&format!(r#"{{"linux": {{"seccomp=": {filter}}}}}"#));
            lab.script("[ -z \"$STAY\" ] || exec sleep 1000; echo it runs");
            if kind.command == "exec" {
                lab.merge(r#"{"process": {"env": ["PATH=/bin", "STAY=1"]}}"#);
            }
            if kind.hooks {
                lab.merge(r#"{"hooks=": {"startContainer": [{"path": "/bin/true"}]}}"#);
            }
            let said = match kind.command {
                "exec" => {
                    done(&lab.call(&["run", "-d", "--bundle", "@BUNDLE@", "@ID@"]));
                    lab.call(&["exec", "@ID@", "/bin/sh", "-c", "echo it runs"])
                }
                _ => start(&lab, kind),
            };
            assert_eq!((said.status, said.err.as_str()), (0, ""), "{name} {kind:?}");
            assert!(
                kind.command == "create" || said.out == "it runs\n",
                "{name} {kind:?}: {said:?}"
            );
        }
    }
}

/// The listener arrives during `create`, in the state "creating", and works.
#[test]
fn a_listener_arrives_while_the_container_is_created() {
    lab::enter();
    for no_new_privs in [true, false] {
        let kind = Kind { command: "create", no_new_privs, hooks: true, listener: true, pod: 0 };
        let (lab, listener) =
            lab_of(kind, "SCMP_ACT_ALLOW", r#"{"names": ["swapon"], "action": "SCMP_ACT_ERRNO"}"#);
        done(&lab.create());
        listener.set_nonblocking(true).unwrap();
        let (stream, _) = listener.accept().expect("a connection before the start");
        let (text, descriptor) = lab::receive_text(&stream);
        assert!(text.contains("\"status\": \"creating\""), "{text}");
        let descriptor = descriptor.expect("a listener");
        let link = std::fs::read_link(format!("/proc/self/fd/{descriptor}")).unwrap();
        assert_eq!(link.to_str(), Some("anon_inode:seccomp notify"));
        // SAFETY: the fd is ours and has no other owner.
        drop(unsafe { <File as std::os::fd::FromRawFd>::from_raw_fd(descriptor) });
        done(&lab.start());
    }
}

/// Returns what `look` finds, within ten seconds.
fn until<T>(mut look: impl FnMut() -> Option<T>) -> T {
    let begin = std::time::Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begin.elapsed().as_secs() < 10, "it does not come");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}

/// The listener's receiver keeps ocinit waiting, and ocinit is killed. Its process may make no
/// system call under its filter, and ends.
#[test]
fn a_process_that_offers_its_listener_ends_with_its_parent() {
    use std::os::fd::AsRawFd;
    lab::enter();
    for command in ["create", "run"] {
        let kind = Kind { command, no_new_privs: true, hooks: false, listener: true, pod: 0 };
        let (lab, listener) =
            lab_of(kind, "SCMP_ACT_ALLOW", r#"{"names": ["swapon"], "action": "SCMP_ACT_ERRNO"}"#);
        // SAFETY: listen(2) touches no memory. Only one connection is waiting then, which is ours.
        assert_eq!(unsafe { libc::listen(listener.as_raw_fd(), 0) }, 0);
        let _first = std::os::unix::net::UnixStream::connect(lab.dir.join("listen")).unwrap();
        let mut ocinit = lab.command(&[command, "--bundle", "@BUNDLE@", "@ID@"]).spawn().unwrap();
        let children = format!("/proc/{0}/task/{0}/children", ocinit.id());
        let child = until(|| {
            let pid =
                std::fs::read_to_string(&children).ok()?.split_whitespace().next()?.to_string();
            let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
            status.contains("\nSeccomp:\t2").then_some(pid)
        });
        ocinit.kill().unwrap();
        ocinit.wait().unwrap();
        until(|| {
            let stat = std::fs::read_to_string(format!("/proc/{child}/stat")).unwrap_or_default();
            (stat.is_empty() || stat.contains(") Z ")).then_some(())
        });
        drop(listener);
        done(&lab.call(&["delete", "-f", "@ID@"]));
    }
}

/// Errors of execve(2) have the same text with and without a filter, from each command.
#[test]
fn the_true_reason_arrives() {
    lab::enter();
    let (_pod, pid) = pod();
    for filter in [false, true] {
        for kind in Kind::all(pid).into_iter().filter(|kind| !kind.hooks && !kind.listener) {
            let (mut lab, _listener) = lab_of(
                kind,
                "SCMP_ACT_ALLOW",
                r#"{"names": ["swapon"], "action": "SCMP_ACT_ERRNO"}"#,
            );
            if !filter {
                lab.merge(r#"{"linux": {"seccomp": null}}"#);
            }
            let odd = [
                ("lost", "#!/no/such -x\n"),
                ("text", "neither a program nor a script\n"),
                ("loop", "#!/loop\n"),
            ];
            for (name, text) in odd {
                std::fs::write(lab.rootfs.join(name), text).unwrap();
                let mode =
                    <std::fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o755);
                std::fs::set_permissions(lab.rootfs.join(name), mode).unwrap();
            }
            for (path, text) in [
                ("/lost", "exec /lost: its interpreter /no/such: no such file or directory"),
                ("/text", "exec /text: exec format error"),
                ("/loop", "exec /loop: too many levels of symbolic links"),
            ] {
                let said = match kind.command {
                    "exec" => {
                        if lab.status() == "absent" {
                            done(&lab.call(&["run", "-d", "--bundle", "@BUNDLE@", "@ID@"]));
                        }
                        lab.call(&["exec", "@ID@", path])
                    }
                    _ => {
                        lab.merge(&format!(r#"{{"process": {{"args": ["{path}"]}}}}"#));
                        start(&lab, kind)
                    }
                };
                assert!(
                    said.status != 0 && said.err.contains(text),
                    "{kind:?} {filter} {path}: {said:?}"
                );
                if kind.command != "exec" {
                    lab.call(&["delete", "-f", "@ID@"]);
                }
            }
        }
    }
}
