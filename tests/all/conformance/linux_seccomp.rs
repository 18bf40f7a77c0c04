//! config-linux.md, "Seccomp". What a filter does to every system call is compared with libseccomp
//! elsewhere.

use super::case::{Case, case};

pub fn cases() -> Vec<Case> {
    [actions(), arguments(), notify(), wrong()].into_iter().flatten().collect()
}

/// Signals that a program may send itself by `kill -0` to `kill -N` while a filter looks at the
/// number: index 1 of kill(2).
const COMPARE: &[(&str, &str, &str, &str)] = &[
    ("seccomp.args.eq", "SCMP_CMP_EQ", r#""value": 17"#, "00 17- 18 "),
    ("seccomp.args.ne", "SCMP_CMP_NE", r#""value": 17"#, "00- 17 18- "),
    ("seccomp.args.lt", "SCMP_CMP_LT", r#""value": 17"#, "00- 17 18 "),
    ("seccomp.args.le", "SCMP_CMP_LE", r#""value": 17"#, "00- 17- 18 "),
    ("seccomp.args.gt", "SCMP_CMP_GT", r#""value": 17"#, "00 17 18- "),
    ("seccomp.args.ge", "SCMP_CMP_GE", r#""value": 17"#, "00 17- 18- "),
    ("seccomp.args.masked", "SCMP_CMP_MASKED_EQ", r#""value": 16, "valueTwo": 16"#, "00 17- 18- "),
];

fn actions() -> Vec<Case> {
    let denied = "mkdir /tmp/x 2>&1 | sed 's/.*: //'";
    vec![
        case("seccomp.errno", "SCMP_ACT_ERRNO is EPERM where errnoRet is not said")
            .with(r#"{"linux": {"seccomp": {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO"}]}}}"#)
            .sh(denied)
            .gives("Operation not permitted\n"),
        case("seccomp.errnoRet", "errnoRet is what the call gives")
            .with(r#"{"linux": {"seccomp": {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 28}]}}}"#)
            .sh(denied)
            .gives("No space left on device\n"),
        case("seccomp.defaultErrnoRet", "defaultErrnoRet is the default action's")
            .with(r#"{"linux": {"seccomp": {"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 30, "syscalls": [{"names": ["read", "write", "close", "fstat", "stat", "lstat", "newfstatat", "open", "openat", "mmap", "munmap", "mprotect", "brk", "execve", "exit_group", "exit", "arch_prctl", "set_tid_address", "set_robust_list", "rseq", "prlimit64", "getrandom", "readlink", "readlinkat", "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "getuid", "geteuid", "getgid", "getegid", "getpid", "getppid", "getcwd", "fork", "vfork", "clone", "clone3", "wait4", "pipe", "pipe2", "dup2", "dup3", "dup", "fcntl", "uname", "ioctl", "futex", "prctl", "capset", "capget", "setgroups", "setuid", "setgid", "setresuid", "setresgid", "poll", "ppoll", "lseek", "access", "faccessat", "umask", "chdir", "fchdir", "getdents64", "statx", "epoll_ctl", "epoll_pwait", "nanosleep", "sigaltstack", "gettid", "tgkill", "fstatfs", "statfs", "close_range", "pread64", "madvise", "sched_yield", "sched_getaffinity", "sendto", "sendmsg", "recvmsg", "seccomp", "setsid", "keyctl", "setpgid", "openat2", "writev", "execveat", "socket", "connect", "kill"], "action": "SCMP_ACT_ALLOW"}]}}}"#)
            .sh(denied)
            .gives("Read-only file system\n"),
        case("seccomp.kill-process", "SCMP_ACT_KILL_PROCESS ends the program with SIGSYS")
            .with(r#"{"linux": {"seccomp": {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_KILL_PROCESS"}]}}}"#)
            .sh("mkdir /tmp/x 2>/dev/null; echo $?")
            .gives("159\n"),
        case("seccomp.kill", "SCMP_ACT_KILL ends the thread")
            .with(r#"{"linux": {"seccomp": {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_KILL"}]}}}"#)
            .sh("mkdir /tmp/x 2>/dev/null; echo $?")
            .gives("159\n"),
        case("seccomp.kill-thread", "SCMP_ACT_KILL_THREAD too")
            .with(r#"{"linux": {"seccomp": {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_KILL_THREAD"}]}}}"#)
            .sh("mkdir /tmp/x 2>/dev/null; echo $?")
            .gives("159\n"),
        case("seccomp.trap", "SCMP_ACT_TRAP is a SIGSYS")
            .with(r#"{"linux": {"seccomp": {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_TRAP"}]}}}"#)
            .sh("mkdir /tmp/x 2>/dev/null; echo $?")
            .gives("159\n"),
        case("seccomp.trace", "SCMP_ACT_TRACE without a tracer is ENOSYS")
            .with(r#"{"linux": {"seccomp": {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_TRACE"}]}}}"#)
            .sh(denied)
            .gives("Function not implemented\n"),
        case("seccomp.log", "SCMP_ACT_LOG lets the call through")
            .with(r#"{"linux": {"seccomp": {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_LOG"}]}}}"#)
            .sh("mkdir /tmp/x && echo made")
            .gives("made\n"),
        case("seccomp.unknown-syscall", "a name that the kernel's list has not is left out, as in all runtimes")
            .with(r#"{"linux": {"seccomp": {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["nonsense_call", "mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO"}]}}}"#)
            .sh(denied)
            .gives("Operation not permitted\n"),
        case("seccomp.privileged", "a filter needs no noNewPrivileges, where the runtime has CAP_SYS_ADMIN")
            .with(r#"{"process": {"noNewPrivileges": false}, "linux": {"seccomp": {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO"}]}}}"#)
            .sh("mkdir /tmp/x 2>&1 | sed 's/.*: //'; sed -n 's/^Seccomp:[[:space:]]*//p; s/^NoNewPrivs:[[:space:]]*/nnp /p' /proc/self/status")
            .gives("Operation not permitted\nnnp 0\n2\n"),
        case("seccomp.arch", "with the architecture named, calls of x86_64 are filtered")
            .with(r#"{"linux": {"seccomp": {"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"], "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO"}]}}}"#)
            .sh(denied)
            .gives("Operation not permitted\n"),
        case("seccomp.arch.foreign", "architectures of other machines are no error")
            .with(r#"{"linux": {"seccomp": {"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_AARCH64"], "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO"}]}}}"#)
            .sh(denied)
            .gives("Operation not permitted\n"),
        case("seccomp.flags", "flags that the kernel has are taken")
            .with(r#"{"linux": {"seccomp": {"defaultAction": "SCMP_ACT_ALLOW", "flags": ["SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW"], "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO"}]}}}"#)
            .sh(denied)
            .gives("Operation not permitted\n"),
        case("seccomp.empty", "a profile that allows everything and names nothing is one")
            .with(r#"{"linux": {"seccomp": {"defaultAction": "SCMP_ACT_ALLOW"}}}"#)
            .sh("mkdir /tmp/x && echo made")
            .gives("made\n"),
    ]
}

fn arguments() -> Vec<Case> {
    let compared = COMPARE.iter().map(|(name, operator, value, wanted)| {
        case(name, operator)
            .setup(move |lab| {
                lab.merge(&format!(
                    r#"{{"linux": {{"seccomp": {{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{{"names": ["kill"], "action": "SCMP_ACT_ERRNO", "args": [{{"index": 1, {value}, "op": "{operator}"}}]}}]}}}}}}"#
                ));
            })
            .sh("trap '' 17 18; for s in 00 17 18; do printf $s; kill -$s $$ 2>/dev/null || printf -- -; printf ' '; done")
            .gives(wanted)
    });
    let more = vec![
        case("seccomp.args.and", "several arguments must all match")
            .with(r#"{"linux": {"seccomp": {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["kill"], "action": "SCMP_ACT_ERRNO", "args": [{"index": 0, "value": 1, "op": "SCMP_CMP_EQ"}, {"index": 1, "value": 17, "op": "SCMP_CMP_EQ"}]}]}}}"#)
            .sh("sleep 9 & trap '' 17; kill -17 1 2>/dev/null || echo both; kill -17 $! && kill -0 1 && echo one")
            .gives("both\none\n"),
        case("seccomp.args.or", "several rules for one call: any of them matches")
            .with(r#"{"linux": {"seccomp": {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["kill"], "action": "SCMP_ACT_ERRNO", "args": [{"index": 1, "value": 17, "op": "SCMP_CMP_EQ"}]}, {"names": ["kill"], "action": "SCMP_ACT_ERRNO", "args": [{"index": 1, "value": 18, "op": "SCMP_CMP_EQ"}]}]}}}"#)
            .sh("trap '' 17 18; for s in 0 17 18; do kill -$s 1 2>/dev/null || echo $s; done")
            .gives("17\n18\n"),
        case("seccomp.args.same-index", "two conditions on one argument are two rules, as runc has it")
            .with(r#"{"linux": {"seccomp": {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["kill"], "action": "SCMP_ACT_ERRNO", "args": [{"index": 1, "value": 17, "op": "SCMP_CMP_EQ"}, {"index": 1, "value": 18, "op": "SCMP_CMP_EQ"}]}]}}}"#)
            .sh("trap '' 17 18; for s in 0 17 18; do kill -$s 1 2>/dev/null || echo $s; done")
            .gives("17\n18\n"),
        case("seccomp.args.64", "a value is compared in all its 64 bits")
            .with(r#"{"linux": {"seccomp": {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["kill"], "action": "SCMP_ACT_ERRNO", "args": [{"index": 1, "value": 4294967313, "op": "SCMP_CMP_EQ"}]}]}}}"#)
            .sh("trap '' 17; kill -17 1 && echo sent")
            .gives("sent\n"),
    ];
    compared.chain(more).collect()
}

fn notify() -> Vec<Case> {
    let profile = r#"{"linux": {"seccomp": {"defaultAction": "SCMP_ACT_ALLOW", "listenerPath": "@DIR@/listen", "listenerMetadata": "some data", "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_NOTIFY"}]}}}"#;
    vec![
        case("seccomp.notify", "the listener gets the descriptor and one container process state")
            .with(profile)
            .act(|lab| {
                use std::io::Read;
                let listener = std::os::unix::net::UnixListener::bind(lab.dir.join("listen")).unwrap();
                listener.set_nonblocking(true).unwrap();
                let said = lab.run();
                let Ok((mut stream, _)) = listener.accept() else { return format!("nobody came: {}", said.err) };
                stream.set_nonblocking(false).unwrap();
                let (text, descriptor) = crate::support::lab::receive_text(&stream);
                let mut more = Vec::new();
                let _ = stream.read_to_end(&mut more);
                let Ok(state) = crate::support::json::Json::try_parse(&text) else { return text };
                let fields = ["metadata", "fds.0", "state.id", "state.status"].map(|field| state.at(field).show());
                let is_right = !state.at("ociVersion").show().is_empty() && state.at("pid").show() != "0";
                format!("{} {is_right} {}", fields.join(" "), descriptor.is_some()).replace(&lab.id, "ID")
            })
            .gives("some data seccompFd ID creating true true"),
        case("seccomp.notify.absent", "a listener that cannot be reached MUST be an error").with(profile).refused_naming(&["listen"]),
        case("seccomp.notify.no-listener", "SCMP_ACT_NOTIFY without listenerPath is an error")
            .with(r#"{"linux": {"seccomp": {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_NOTIFY"}]}}}"#)
            .refused_naming(&["listenerPath"]),
        case("seccomp.notify.metadata", "listenerMetadata without listenerPath MUST NOT be")
            .with(r#"{"linux": {"seccomp": {"defaultAction": "SCMP_ACT_ALLOW", "listenerMetadata": "x"}}}"#)
            .refused_naming(&["listenerMetadata"]),
    ]
}

fn wrong() -> Vec<Case> {
    vec![
        case("seccomp.action.unknown", "an unknown action is an error")
            .with(r#"{"linux": {"seccomp": {"defaultAction": "SCMP_ACT_NONSENSE"}}}"#)
            .refused_naming(&["linux.seccomp.defaultAction"]),
        case("seccomp.action.missing", "defaultAction is REQUIRED")
            .with(r#"{"linux": {"seccomp": {"syscalls": [{"names": ["mkdir"], "action": "SCMP_ACT_ERRNO"}]}}}"#)
            .refused_naming(&["defaultAction"]),
        case("seccomp.arch.unknown", "an unknown architecture is an error")
            .with(r#"{"linux": {"seccomp": {"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_NONSENSE"], "syscalls": [{"names": ["mkdir"], "action": "SCMP_ACT_ERRNO"}]}}}"#)
            .refused_naming(&["linux.seccomp.architectures[0]"]),
        case("seccomp.operator.unknown", "an unknown operator is an error")
            .with(r#"{"linux": {"seccomp": {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir"], "action": "SCMP_ACT_ERRNO", "args": [{"index": 0, "value": 1, "op": "SCMP_CMP_NONSENSE"}]}]}}}"#)
            .refused_naming(&["linux.seccomp.syscalls[0].args[0].op"]),
        case("seccomp.flag.unknown", "an unknown flag is an error")
            .with(r#"{"linux": {"seccomp": {"defaultAction": "SCMP_ACT_ALLOW", "flags": ["SECCOMP_FILTER_FLAG_NONSENSE"], "syscalls": [{"names": ["mkdir"], "action": "SCMP_ACT_ERRNO"}]}}}"#)
            .refused_naming(&["linux.seccomp.flags[0]"]),
        case("seccomp.index", "a call has six arguments")
            .with(r#"{"linux": {"seccomp": {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir"], "action": "SCMP_ACT_ERRNO", "args": [{"index": 6, "value": 1, "op": "SCMP_CMP_EQ"}]}]}}}"#)
            .refused_naming(&["index"]),
        case("seccomp.names.empty", "names MUST have at least one entry")
            .with(r#"{"linux": {"seccomp": {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": [], "action": "SCMP_ACT_ERRNO"}]}}}"#)
            .refused_naming(&["names"]),
        case("seccomp.errnoRet.useless", "errnoRet with an action that takes none MUST be an error")
            .with(r#"{"linux": {"seccomp": {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir"], "action": "SCMP_ACT_KILL", "errnoRet": 1}]}}}"#)
            .refused_naming(&["errnoRet"]),
    ]
}
