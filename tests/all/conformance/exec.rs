//! runc's exec, ps and list.

use super::case::{Case, case};
use super::runtime::{SLEEPS, begin};
use crate::support::json::Json;
use crate::support::lab::Lab;

pub fn cases() -> Vec<Case> {
    [exec(), processes()].into_iter().flatten().collect()
}

/// Starts what sleeps, and says what these words of exec give.
fn executed(words: &'static [&'static str]) -> impl Fn(&mut Lab) -> String {
    move |lab| {
        begin(lab);
        let mut all = vec!["exec"];
        all.extend(words);
        lab.call(&all).show()
    }
}

fn exec() -> Vec<Case> {
    let row = |name, rule, words, wanted| {
        case(name, rule).with(SLEEPS).act(executed(words)).gives(wanted)
    };
    let mut cases = vec![
        row(
            "exec.status",
            "its status is exec's",
            &["@ID@", "/bin/sh", "-c", "exit 42"] as &[_],
            "[42]",
        ),
        row(
            "exec.killed",
            "a signal's is 128 and the signal",
            &["@ID@", "/bin/sh", "-c", "kill -9 $$"],
            "[137]",
        ),
        row(
            "exec.path",
            "it is looked up in the container's PATH",
            &["@ID@", "echo", "hello"],
            "hello\n",
        ),
        row(
            "exec.place",
            "it is in the container's namespaces",
            &["@ID@", "/bin/sh", "-c", "hostname; cat /proc/1/comm; ls -d /bin"],
            "box\nsleep\n/bin\n",
        ),
        row(
            "exec.env",
            "-e adds to the container's environment",
            &["-e", "NEW=x y", "-e", "TERM=dumb", "@ID@", "/bin/sh", "-c", "echo $NEW $TERM $PATH"],
            "x y dumb /usr/sbin:/usr/bin:/sbin:/bin\n",
        ),
        row("exec.cwd", "--cwd is its directory", &["--cwd", "/tmp", "@ID@", "pwd"], "/tmp\n"),
        row(
            "exec.user",
            "-u is its user and group",
            &["-u", "1000:2000", "@ID@", "/bin/sh", "-c", "id -u; id -g"],
            "1000\n2000\n",
        ),
        row(
            "exec.user.alone",
            "-u of a user alone leaves the group",
            &["-u", "1000", "@ID@", "/bin/sh", "-c", "id -u; id -g"],
            "1000\n0\n",
        ),
        row(
            "exec.groups",
            "--additional-gids are its supplementary groups",
            &[
                "-g",
                "5",
                "-g",
                "7",
                "@ID@",
                "sed",
                "-n",
                "s/^Groups:[[:space:]]*//p",
                "/proc/self/status",
            ],
            "5 7 \n",
        ),
        row(
            "exec.capabilities",
            "it has the container's capabilities",
            &["@ID@", "sed", "-n", "s/^CapBnd:[[:space:]]*//p", "/proc/self/status"],
            "0000000020000420\n",
        ),
        row(
            "exec.cap",
            "--cap adds one",
            &[
                "--cap",
                "CAP_CHOWN",
                "@ID@",
                "sed",
                "-n",
                "s/^CapEff:[[:space:]]*//p",
                "/proc/self/status",
            ],
            "0000000020000421\n",
        ),
        row(
            "exec.cap-unknown",
            "a capability that there is not is left out",
            &[
                "--cap",
                "CAP_NONE",
                "@ID@",
                "sed",
                "-n",
                "s/^CapEff:[[:space:]]*//p",
                "/proc/self/status",
            ],
            "0000000020000420\n",
        ),
        row(
            "exec.inheritable",
            "nothing is inheritable (CVE-2022-29162)",
            &["@ID@", "sed", "-n", "s/^CapInh:[[:space:]]*//p", "/proc/self/status"],
            "0000000000000000\n",
        ),
        row(
            "exec.noNewPrivileges",
            "the container's flag is its own",
            &["@ID@", "sed", "-n", "s/^NoNewPrivs:[[:space:]]*//p", "/proc/self/status"],
            "1\n",
        ),
        row(
            "exec.cgroup",
            "it is in the container's cgroup",
            &[
                "@ID@",
                "/bin/sh",
                "-c",
                "test \"$(cat /proc/self/cgroup)\" = \"$(cat /proc/1/cgroup)\" && echo same",
            ],
            "same\n",
        ),
        row(
            "exec.descriptors",
            "0, 1 and 2 are its descriptors",
            &[
                "@ID@",
                "/bin/sh",
                "-c",
                "for n in 0 1 2 3 4 5 6 7 8 9; do test -e /proc/self/fd/$n && printf \"$n \"; done; true",
            ],
            "0 1 2 ",
        ),
        row(
            "exec.options-after",
            "what stands behind the id is the command's own",
            &["@ID@", "echo", "-n", "--cwd"],
            "--cwd",
        ),
        row("exec.dashes", "-- ends the options", &["--", "@ID@", "echo", "x"], "x\n"),
    ];
    cases.extend([
        case("exec.stdin", "standard input is exec's")
            .with(SLEEPS)
            .act(|lab| {
                begin(lab);
                lab.input = "typed\n".into();
                lab.call(&["exec", "@ID@", "cat"]).show()
            })
            .gives("typed\n"),
        case("exec.process", "--process FILE is the whole process")
            .with(SLEEPS)
            .act(|lab| {
                begin(lab);
                let process = r#"{"terminal": false, "user": {"uid": 1000, "gid": 7}, "args": ["/bin/sh", "-c", "id -u; id -g; pwd; echo $A"], "env": ["A=b", "PATH=/bin"], "cwd": "/tmp"}"#;
                std::fs::write(lab.dir.join("p.json"), process).unwrap();
                lab.call(&["exec", "--process", "@DIR@/p.json", "@ID@"]).show()
            })
            .gives("1000\n7\n/tmp\nb\n"),
        case("exec.detach", "--detach does not wait; --pid-file has the pid")
            .with(SLEEPS)
            .act(|lab| {
                begin(lab);
                let said = lab.call(&["exec", "--detach", "--pid-file", "@DIR@/pid", "@ID@", "sleep", "999"]);
                let pid = lab.file("pid");
                let line = std::fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
                // It may not have become sleep yet.
                let is_there = !pid.is_empty() && std::path::Path::new(&format!("/proc/{pid}")).exists();
                format!("{}{is_there} {}", said.show(), line.is_empty() || !line.contains('\n'))
            })
            .gives("true true"),
        case("exec.not-found", "a command that is not there is said so, in the words that docker looks for")
            .with(SLEEPS)
            .act(|lab| {
                begin(lab);
                let said = lab.call(&["exec", "@ID@", "nosuch"]);
                format!("{} {}", said.verdict(), said.err.contains("executable file not found in $PATH"))
            })
            .gives("refused true"),
        case("exec.created", "what is created can be entered, as in runc")
            .act(|lab| {
                lab.create();
                lab.call(&["exec", "@ID@", "echo", "x"]).show()
            })
            .gives("x\n"),
        case("exec.paused", "what is paused cannot be entered")
            .with(SLEEPS)
            .act(|lab| {
                begin(lab);
                lab.call(&["pause", "@ID@"]);
                let seen = lab.call(&["exec", "@ID@", "/bin/true"]).verdict().to_string();
                lab.call(&["resume", "@ID@"]);
                seen
            })
            .gives("refused"),
        case("exec.empty", "exec needs a command")
            .with(SLEEPS)
            .act(|lab| {
                begin(lab);
                lab.call(&["exec", "@ID@"]).verdict().into()
            })
            .gives("refused"),
        case("exec.user-namespace", "it is in the container's user namespace, as its root")
            .with(r#"{"linux": {"namespaces+": [{"type": "user"}], "uidMappings": [{"containerID": 0, "hostID": 100000, "size": 65536}], "gidMappings": [{"containerID": 0, "hostID": 100000, "size": 65536}]}}"#)
            .with(SLEEPS)
            .act(|lab| {
                std::fs::set_permissions(&lab.dir, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
                let own = std::process::Command::new("chown").args(["-h", "-R", "100000:100000"]).arg(&lab.rootfs).status();
                assert!(own.unwrap().success());
                begin(lab);
                lab.call(&["exec", "@ID@", "/bin/sh", "-c", "id -u; tr -s ' ' </proc/self/uid_map"]).show()
            })
            .gives("0\n 0 100000 65536\n"),
    ]);
    cases
}

fn processes() -> Vec<Case> {
    vec![
        case("ps.json", "ps --format json is a list of pids")
            .with(SLEEPS)
            .act(|lab| {
                begin(lab);
                let said = lab.call(&["ps", "--format", "json", "@ID@"]);
                let Ok(list) = Json::try_parse(&said.out) else {
                    return format!("{}{}", said.show(), said.err);
                };
                let pid = lab.state().at("pid").show();
                format!("{} {}", list.items().len(), list.at("0").show() == pid)
            })
            .gives("1 true"),
        case("ps.table", "ps is what ps(1) says of them")
            .with(SLEEPS)
            .act(|lab| {
                begin(lab);
                let said = lab.call(&["ps", "@ID@"]);
                let head = said.out.lines().next().unwrap_or_default().contains("PID");
                format!("{head} {} {}", said.out.lines().count(), said.out.contains("sleep 1000"))
            })
            .gives("true 2 true"),
        case("list.quiet", "list --quiet has the ids, a line each")
            .with(SLEEPS)
            .act(|lab| {
                begin(lab);
                lab.call(&["list", "--quiet"]).show().replace(&lab.id, "ID")
            })
            .gives("ID\n"),
        case("list.json", "list --format json has each state")
            .with(SLEEPS)
            .act(|lab| {
                begin(lab);
                let said = lab.call(&["list", "--format", "json"]);
                let Ok(list) = Json::try_parse(&said.out) else { return said.show() };
                let first = list.at("0");
                format!(
                    "{} {} {}",
                    first.at("id").show() == lab.id,
                    first.at("status").show(),
                    first.at("pid") == lab.state().at("pid")
                )
            })
            .gives("true running true"),
        case("list.none", "list of nothing is a heading")
            .act(|lab| {
                let said = lab.call(&["list"]);
                format!("{} {}", said.out.starts_with("ID"), said.out.lines().count())
            })
            .gives("true 1"),
        case(
            "list.json.none",
            "list --format json of nothing is null in runc, an empty list in crun",
        )
        .act(|lab| {
            let said = lab.call(&["list", "--format", "json"]);
            Json::try_parse(&said.out).map_or(said.out, |value| value.to_string())
        })
        .gives("null"),
    ]
}
