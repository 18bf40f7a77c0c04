//! config.md, "Process" and "POSIX process", "Linux Process": what the program finds itself to be.

use super::case::{Case, case};

pub fn cases() -> Vec<Case> {
    [words(), place(), user(), capabilities(), limits(), scheduling(), ends()]
        .into_iter()
        .flatten()
        .collect()
}

fn words() -> Vec<Case> {
    vec![
        case("process.args", "each argument arrives as it was written, an empty one too")
            .with(r#"{"process": {"args": ["/bin/sh", "-c", "for a; do echo \"<$a>\"; done", "x", "a b", "", "\u00fc\"\\'", "*"]}}"#)
            .gives("<a b>\n<>\n<ü\"\\'>\n<*>\n"),
        case("process.args.path", "a name without a slash is looked up in the container's PATH")
            .with(r#"{"process": {"args": ["hello"], "env": ["PATH=/nowhere:/opt/bin"]}}"#)
            .setup(|lab| {
                std::fs::create_dir_all(lab.rootfs.join("opt/bin")).unwrap();
                std::fs::write(lab.rootfs.join("opt/bin/hello"), "#!/bin/sh\necho hello $0\n").unwrap();
                executable(&lab.rootfs.join("opt/bin/hello"));
            })
            .gives("hello /opt/bin/hello\n"),
        case("process.args.empty", "args MUST have at least one entry")
            .with(r#"{"process": {"args": []}}"#)
            .refused_naming(&["args"]),
        case("process.args.missing", "args is REQUIRED").with(r#"{"process": {"args": null}}"#).refused_naming(&["args"]),
        case("process.missing", "without a process there is nothing to run").with(r#"{"process": null}"#).refused_naming(&["process"]),
        case("process.env", "the environment is what env says; HOME is added where env has none")
            .with(r#"{"process": {"args": ["/bin/sh", "-c", "tr '\\0' '\\n' </proc/$$/environ | sort"], "env": ["B=x=y", "EMPTY=", "A=two words", "PATH=/bin"]}}"#)
            .gives("A=two words\nB=x=y\nEMPTY=\nHOME=/root\nPATH=/bin\n"),
        case("process.env.home", "a HOME in env stays")
            .with(r#"{"process": {"args": ["/bin/sh", "-c", "echo $HOME"], "env": ["PATH=/bin", "HOME=/elsewhere"]}}"#)
            .gives("/elsewhere\n"),
        case("process.env.home.user", "the HOME that is added is the user's in the container's /etc/passwd")
            .with(r#"{"process": {"user": {"uid": 1000, "gid": 1000}}}"#)
            .sh("echo $HOME")
            .gives("/home/app\n"),
        case("process.env.host", "nothing of the runtime's own environment reaches the program")
            .sh("echo $LEAKED-")
            .act(|lab| lab.finish(lab.command(&["run", "--bundle", "@BUNDLE@", "@ID@"]).env("LEAKED", "yes")).show())
            .gives("-\n"),
        case("process.stdin", "standard input is the runtime's")
            .sh("cat; echo end")
            .setup(|lab| lab.input = "one\ntwo".into())
            .gives("one\ntwoend\n"),
        case("process.stderr", "standard error is the runtime's, and the runtime adds nothing to it")
            .sh("echo out; echo err >&2")
            .act(|lab| {
                let said = lab.run();
                format!("{}|{}", said.out, said.err)
            })
            .gives("out\n|err\n"),
    ]
}

fn place() -> Vec<Case> {
    vec![
        case("process.cwd", "the working directory is cwd").with(r#"{"process": {"cwd": "/tmp"}}"#).sh("pwd").gives("/tmp\n"),
        case("process.cwd.relative", "cwd MUST be absolute").with(r#"{"process": {"cwd": "tmp"}}"#).refused_naming(&["cwd"]),
        case("process.cwd.missing", "cwd is REQUIRED").with(r#"{"process": {"cwd": null}}"#).refused_naming(&["cwd"]),
        case("process.cwd.made", "a cwd that does not exist is made")
            .with(r#"{"process": {"cwd": "/srv/new/place"}}"#)
            .sh("pwd; stat -c '%a %u' .")
            .gives("/srv/new/place\n755 0\n"),
        case("process.cwd.file", "a cwd that is a file is an error")
            .with(r#"{"process": {"cwd": "/etc/passwd"}}"#)
            .refused_naming(&["/etc/passwd"]),
        case("process.cwd.link", "links in cwd lead to places in the container")
            .with(r#"{"process": {"cwd": "/way"}}"#)
            .setup(|lab| std::os::unix::fs::symlink("/../../tmp", lab.rootfs.join("way")).unwrap())
            .sh("pwd -P; ls -d /bin/busybox")
            .gives("/tmp\n/bin/busybox\n"),
        case("process.cwd.last", "cwd may be on a mount")
            .with(r#"{"process": {"cwd": "/mnt/in"}, "mounts+": [{"destination": "/mnt", "type": "tmpfs", "source": "t"}]}"#)
            .sh("pwd; grep -c ' /mnt ' /proc/mounts")
            .gives("/mnt/in\n1\n"),
    ]
}

fn user() -> Vec<Case> {
    vec![
        case("process.user", "uid and gid are the process's, all four of each")
            .with(r#"{"process": {"user": {"uid": 1234, "gid": 4321}}}"#)
            .sh("grep -E '^(Uid|Gid)' /proc/self/status | tr '\\t' ' '")
            .gives("Uid: 1234 1234 1234 1234\nGid: 4321 4321 4321 4321\n"),
        case(
            "process.user.additionalGids",
            "additional groups are the process's supplementary groups",
        )
        .with(
            r#"{"process": {"user": {"uid": 1000, "gid": 1000, "additionalGids": [5, 2000, 7]}}}"#,
        )
        .sh("sed -n 's/^Groups:[[:space:]]*//p' /proc/self/status")
        .gives("5 7 2000 \n"),
        case(
            "process.user.additionalGids.none",
            "no group of the caller stays where none is asked for",
        )
        .sh("sed -n 's/^Groups:[[:space:]]*/-/p' /proc/self/status")
        .act(|lab| {
            let run = lab.command(&["run", "--bundle", "@BUNDLE@", "@ID@"]);
            let mut command = std::process::Command::new("setpriv");
            command.args(["--groups", "4,20,2000"]).arg(run.get_program()).args(run.get_args());
            lab.finish(&mut command).show().replace(' ', "")
        })
        .gives("-\n"),
        case("process.user.largest", "4294967294 is a user")
            .with(r#"{"process": {"user": {"uid": 4294967294, "gid": 4294967294}}}"#)
            .sh("id -u; id -g")
            .gives("4294967294\n4294967294\n"),
        case(
            "process.user.minus-one",
            "4294967295 means \"leave it\" to the kernel, and is no user",
        )
        .with(r#"{"process": {"user": {"uid": 4294967295}}}"#)
        .refused_naming(&["uid"]),
        case("process.user.wrap", "a uid beyond 32 bits is not cut to one of root's")
            .with(r#"{"process": {"user": {"uid": 4294967296}}}"#)
            .refused_naming(&["process.user.uid"]),
        case("process.user.negative", "a uid is not negative")
            .with(r#"{"process": {"user": {"uid": -1}}}"#)
            .refused_naming(&["process.user.uid"]),
        case("process.user.umask", "umask is the process's")
            .with(r#"{"process": {"user": {"umask": 23}}}"#)
            .sh("umask")
            .gives("0027\n"),
        case("process.user.umask.absent", "without umask it is what the runtime's caller has")
            .sh("umask")
            .act(|lab| {
                let run = lab.command(&["run", "--bundle", "@BUNDLE@", "@ID@"]);
                let mut command = std::process::Command::new("/bin/sh");
                command
                    .args(["-c", "umask 0031; exec \"$@\"", "sh"])
                    .arg(run.get_program())
                    .args(run.get_args());
                lab.finish(&mut command).show()
            })
            .gives("0031\n"),
    ]
}

fn executable(path: &std::path::Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

/// The five sets as the program sees them, in the order that /proc has.
const SETS: &str = "for s in Inh Prm Eff Bnd Amb; do sed -n \"s/^Cap$s:[[:space:]]*0*/$s /p\" /proc/self/status; done | tr '\\n' ' ' | tr -s ' '";

fn capabilities() -> Vec<Case> {
    vec![
        case("process.capabilities", "each set is what it is said to be; what is not said is empty")
            .with(r#"{"process": {"capabilities": {"bounding": ["CAP_CHOWN", "CAP_KILL", "CAP_SETUID"], "permitted": ["CAP_CHOWN", "CAP_KILL"], "effective": ["CAP_KILL"]}}}"#)
            // Of an ordinary user: a program of root's gets its bounding set back.
            .with(r#"{"process": {"user": {"uid": 1000}}}"#)
            .sh(SETS)
            .gives("Inh Prm Eff Bnd a1 Amb "),
        case("process.capabilities.ambient", "ambient capabilities reach a program of an ordinary user")
            .with(r#"{"process": {"user": {"uid": 1000}, "capabilities": {"bounding": ["CAP_CHOWN", "CAP_KILL"], "permitted": ["CAP_CHOWN", "CAP_KILL"], "effective": ["CAP_KILL"], "inheritable": ["CAP_KILL"], "ambient": ["CAP_KILL"]}}}"#)
            .sh(SETS)
            .gives("Inh 20 Prm 20 Eff 20 Bnd 21 Amb 20 "),
        case("process.capabilities.inheritable", "nothing is inheritable that is not said to be (CVE-2022-29162)")
            .sh("sed -n 's/^CapInh:[[:space:]]*//p' /proc/self/status")
            .gives("0000000000000000\n"),
        case("process.capabilities.root", "root's program gets the bounding set and no more")
            .with(r#"{"process": {"capabilities": {"bounding": ["CAP_CHOWN"], "effective": ["CAP_CHOWN"], "permitted": ["CAP_CHOWN"]}}}"#)
            .sh("for s in Prm Eff Bnd; do sed -n \"s/^Cap$s:[[:space:]]*//p\" /proc/self/status; done | sort -u")
            .gives("0000000000000001\n"),
        case("process.capabilities.empty", "an empty list of each set leaves none")
            .with(r#"{"process": {"capabilities": {"bounding": [], "effective": [], "permitted": [], "inheritable": [], "ambient": []}}}"#)
            .sh(SETS)
            .gives("Inh Prm Eff Bnd Amb "),
        case("process.capabilities.unknown", "a name that the kernel does not know is warned of, and no error (1.1.0)")
            .with(r#"{"process": {"capabilities": {"bounding": ["CAP_CHOWN", "CAP_NONSENSE"], "effective": [], "permitted": []}}}"#)
            .sh("sed -n 's/^CapBnd:[[:space:]]*//p' /proc/self/status")
            .gives("0000000000000001\n"),
        case("process.capabilities.ungrantable", "a capability that the runtime itself has not is warned of, and no error (1.1.0)")
            .with(r#"{"process": {"capabilities": {"bounding": ["CAP_CHOWN", "CAP_AUDIT_READ"], "effective": ["CAP_CHOWN", "CAP_AUDIT_READ"], "permitted": ["CAP_CHOWN", "CAP_AUDIT_READ"]}}}"#)
            .sh("sed -n 's/^CapBnd:[[:space:]]*//p' /proc/self/status")
            .act(|lab| {
                let run = lab.command(&["run", "--bundle", "@BUNDLE@", "@ID@"]);
                let mut command = std::process::Command::new("setpriv");
                command.args(["--bounding-set", "-audit_read"]).arg(run.get_program()).args(run.get_args());
                lab.finish(&mut command).show()
            })
            .gives("0000000000000001\n"),
        case("process.noNewPrivileges", "true sets the flag").sh("sed -n 's/^NoNewPrivs:[[:space:]]*//p' /proc/self/status").gives("1\n"),
        case("process.noNewPrivileges.false", "false does not")
            .with(r#"{"process": {"noNewPrivileges": false}}"#)
            .sh("sed -n 's/^NoNewPrivs:[[:space:]]*//p' /proc/self/status")
            .gives("0\n"),
        case("process.apparmorProfile", "a profile that the kernel cannot have is an error, and not left out")
            .with(r#"{"process": {"apparmorProfile": "docker-default"}}"#)
            .refused_naming(&["apparmor"]),
        case("process.selinuxLabel", "a label that the kernel cannot have is an error, and not left out")
            .with(r#"{"process": {"selinuxLabel": "system_u:system_r:container_t:s0"}}"#)
            .refused_naming(&["selinux"]),
    ]
}

fn limits() -> Vec<Case> {
    vec![
        case("process.rlimits", "soft and hard are set")
            .with(r#"{"process": {"rlimits": [{"type": "RLIMIT_NOFILE", "soft": 100, "hard": 200}, {"type": "RLIMIT_CORE", "soft": 0, "hard": 0}]}}"#)
            .sh("ulimit -Sn; ulimit -Hn; ulimit -Hc")
            .gives("100\n200\n0\n"),
        case("process.rlimits.infinity", "18446744073709551615 is \"unlimited\"")
            .with(r#"{"process": {"rlimits": [{"type": "RLIMIT_CPU", "soft": 18446744073709551615, "hard": 18446744073709551615}]}}"#)
            .sh("ulimit -St; ulimit -Ht")
            .gives("unlimited\nunlimited\n"),
        case("process.rlimits.unknown", "a type that maps to nothing MUST be an error")
            .with(r#"{"process": {"rlimits": [{"type": "RLIMIT_NONSENSE", "soft": 1, "hard": 1}]}}"#)
            .refused_naming(&["process.rlimits[0].type"]),
        case("process.rlimits.duplicate", "two of one type MUST be an error")
            .with(r#"{"process": {"rlimits": [{"type": "RLIMIT_NOFILE", "soft": 100, "hard": 200}, {"type": "RLIMIT_NOFILE", "soft": 100, "hard": 200}]}}"#)
            .refused_naming(&["process.rlimits[1].type"]),
        case("process.rlimits.soft-above-hard", "soft above hard is what the kernel refuses")
            .with(r#"{"process": {"rlimits": [{"type": "RLIMIT_NOFILE", "soft": 300, "hard": 200}]}}"#)
            .refused_naming(&["process.rlimits[0].soft"]),
        case("process.oomScoreAdj", "is set")
            .with(r#"{"process": {"oomScoreAdj": 500}}"#)
            .sh("cat /proc/self/oom_score_adj")
            .gives("500\n"),
        case("process.oomScoreAdj.absent", "is not touched where it is not said")
            .sh("cat /proc/self/oom_score_adj")
            .act(|lab| {
                let run = lab.command(&["run", "--bundle", "@BUNDLE@", "@ID@"]);
                let mut command = std::process::Command::new("/bin/sh");
                command.args(["-c", "echo 321 >/proc/self/oom_score_adj; exec \"$@\"", "sh"]);
                lab.finish(command.arg(run.get_program()).args(run.get_args())).show()
            })
            .gives("321\n"),
        case("process.oomScoreAdj.range", "1001 is no score")
            .with(r#"{"process": {"oomScoreAdj": 1001}}"#)
            .refused_naming(&["oomScoreAdj"]),
    ]
}

fn scheduling() -> Vec<Case> {
    vec![
        case("process.ioPriority", "class and priority are set (1.1.0)")
            .with(r#"{"process": {"ioPriority": {"class": "IOPRIO_CLASS_BE", "priority": 6}}}"#)
            .sh("ionice -p $$")
            .gives("best-effort: prio 6\n"),
        case("process.ioPriority.class", "an unknown class MUST be an error")
            .with(r#"{"process": {"ioPriority": {"class": "IOPRIO_CLASS_NONSENSE", "priority": 6}}}"#)
            .refused_naming(&["process.ioPriority.class"]),
        case("process.scheduler", "policy and nice are set (1.1.0)")
            .with(r#"{"process": {"scheduler": {"policy": "SCHED_BATCH", "nice": 5}}}"#)
            // Fields of proc(5): 19 is nice, 41 the policy.
            .sh("awk '{print $19, $41}' /proc/$$/stat")
            .gives("5 3\n"),
        case("process.scheduler.policy", "an unknown policy MUST be an error")
            .with(r#"{"process": {"scheduler": {"policy": "SCHED_NONSENSE"}}}"#)
            .refused_naming(&["process.scheduler.policy"]),
        case("process.execCPUAffinity", "is for processes of exec, and not for this one (1.2.1)")
            .with(r#"{"process": {"execCPUAffinity": {"initial": "0", "final": "0"}}}"#)
            .sh("grep -c . /proc/self/status >/dev/null; sed -n 's/^Cpus_allowed_list:[[:space:]]*//p' /proc/self/status")
            .act(|lab| {
                let own = std::fs::read_to_string("/proc/self/status").unwrap();
                let own = own.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).unwrap().trim().to_string();
                if lab.run().out.trim() == own { "the caller's".into() } else { "others".into() }
            })
            .gives("the caller's"),
        case("linux.personality", "LINUX32 is what uname says then")
            .with(r#"{"linux": {"personality": {"domain": "LINUX32"}}}"#)
            .sh("uname -m")
            .gives("i686\n"),
        case("linux.personality.unknown", "an unknown domain MUST be an error")
            .with(r#"{"linux": {"personality": {"domain": "LINUX64"}}}"#)
            .refused_naming(&["linux.personality.domain"]),
    ]
}

fn ends() -> Vec<Case> {
    vec![
        case("process.exit", "run gives the program's own status").sh("exit 42").gives("[42]"),
        case("process.killed", "a program that a signal ended is 128 and the signal")
            // The first process of a pid namespace is not killed by its own signals: its child is,
            // and the shell says so.
            .with(r#"{"linux": {"namespaces": [{"type": "mount"}]}, "hostname": null}"#)
            .sh("kill -9 $$")
            .gives("[137]"),
        case(
            "process.not-found",
            "a program that does not exist is said so, in the words that docker looks for",
        )
        .with(r#"{"process": {"args": ["/no/such"]}}"#)
        .act(|lab| {
            let said = lab.run();
            format!("{} {}", said.verdict(), said.err.contains("no such file or directory"))
        })
        .gives("refused true"),
        case(
            "process.not-in-path",
            "a program that is nowhere in PATH is said so, in the words that docker looks for",
        )
        .with(r#"{"process": {"args": ["nosuch"]}}"#)
        .act(|lab| {
            let said = lab.run();
            format!(
                "{} {}",
                said.verdict(),
                said.err.contains("executable file not found in $PATH")
            )
        })
        .gives("refused true"),
        case(
            "process.not-executable",
            "a file that is no program is said so, in the words that docker looks for",
        )
        .with(r#"{"process": {"args": ["/etc/passwd"]}}"#)
        .act(|lab| {
            let said = lab.run();
            format!("{} {}", said.verdict(), said.err.contains("permission denied"))
        })
        .gives("refused true"),
        case("process.orphans", "what the program left running ends with it")
            .sh("sleep 1000 & echo started")
            .act(|lab| {
                let said = lab.run();
                format!("{}{}", said.show(), lab.leftovers())
            })
            .gives("started\n"),
        case("process.zombies", "the program is process 1 of its namespace")
            .sh("echo $$")
            .gives("1\n"),
        case("process.descriptors", "of the runtime's descriptors 0, 1 and 2 are the program's")
            .sh("ls /proc/self/fd | tr '\\n' ' '")
            // 3 is the directory that `ls` reads.
            .gives("0 1 2 3 "),
    ]
}
