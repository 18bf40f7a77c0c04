//! runc's command line, its log and exit codes; features.md.

use super::case::{Case, case};
use crate::support::json::Json;

pub fn cases() -> Vec<Case> {
    [line(), log(), spec(), features()].into_iter().flatten().collect()
}

fn line() -> Vec<Case> {
    vec![
        case("cli.version", "--version begins with the name and the word \"version\", and says the specification's")
            .act(|lab| {
                let said = lab.call(&["--version"]);
                let first = said.out.lines().next().unwrap_or_default();
                format!(
                    "{} {}",
                    first.starts_with(&format!("{} version ", lab.runtime.name())),
                    said.out.contains("\nspec: 1.")
                )
            })
            .gives("true true"),
        case("cli.help", "--help is on standard output, with status 0")
            .act(|lab| {
                let said = lab.call(&["--help"]);
                format!("{} {} {}", said.status, said.out.contains("create"), said.err.is_empty())
            })
            .gives("0 true true"),
        case("cli.command.help", "so is each command's")
            .act(|lab| {
                let commands = [
                    "run", "create", "start", "state", "kill", "delete", "exec", "list", "ps", "pause", "resume",
                    "update", "events", "spec", "features",
                ];
                let bad = commands.into_iter().filter(|command| {
                    let said = lab.call(&[command, "--help"]);
                    said.status != 0 || said.out.is_empty()
                });
                bad.collect::<Vec<_>>().join(" ")
            })
            .gives(""),
        case(
            "cli.checkpoint.help",
            "podman asks by `checkpoint --help` whether there are checkpoints: an answer of 0 is yes",
        )
        .act(|lab| if lab.call(&["checkpoint", "--help"]).status == 0 { "yes".into() } else { "no".into() })
        .gives("no"),
        case("cli.command.unknown", "an unknown command is an error")
            .act(|lab| lab.call(&["nonsense"]).verdict().into())
            .gives("refused"),
        case("cli.option.unknown", "an unknown option is an error")
            .act(|lab| lab.call(&["run", "--nonsense", "@ID@"]).verdict().into())
            .gives("refused"),
        case("cli.id.missing", "an id is needed").act(|lab| lab.call(&["state"]).verdict().into()).gives("refused"),
        case("cli.more", "one word too many is an error")
            .act(|lab| {
                lab.create();
                lab.call(&["start", "@ID@", "more"]).verdict().into()
            })
            .gives("refused"),
        case("cli.options-after", "options behind the id are read")
            .act(|lab| {
                let said = lab.call(&["create", "@ID@", "--bundle", "@BUNDLE@"]);
                format!("{}{}", said.verdict(), lab.status())
            })
            .gives("okcreated"),
        case("cli.equals", "--bundle=DIR is --bundle DIR")
            .act(|lab| {
                let said = lab.call(&["create", "--bundle=@BUNDLE@", "@ID@"]);
                format!("{}{}", said.verdict(), lab.status())
            })
            .gives("okcreated"),
        case("cli.short", "-b DIR is --bundle DIR")
            .act(|lab| {
                let said = lab.call(&["create", "-b", "@BUNDLE@", "@ID@"]);
                format!("{}{}", said.verdict(), lab.status())
            })
            .gives("okcreated"),
        case("cli.root.made", "the state root is made where it is not there")
            .act(|lab| {
                lab.state = lab.dir.join("new/root");
                lab.run().verdict().into()
            })
            .gives("ok"),
        case("cli.systemd", "--systemd-cgroup without systemd is an error")
            .act(|lab| {
                lab.global.push("--systemd-cgroup".into());
                super::case::refusal(lab, &["run", "--bundle", "@BUNDLE@", "@ID@"])
            })
            .gives("refused"),
        case("cli.failure.status", "the runtime's own failure is status 1")
            .act(|lab| lab.call(&["state", "@ID@"]).status.to_string())
            .gives("1"),
        case("cli.closed", "it runs with standard streams that are closed")
            .sh("echo ran >/tmp/ran")
            .act(|lab| {
                let run = lab.command(&["run", "--bundle", "@BUNDLE@", "@ID@"]);
                let mut command = std::process::Command::new("/bin/sh");
                command.args(["-c", "exec \"$@\" <&- >&- 2>&-", "sh"]).arg(run.get_program()).args(run.get_args());
                let said = lab.finish(&mut command);
                format!("{} {}", said.status, lab.file("b/rootfs/tmp/ran"))
            })
            .gives("0 ran\n"),
    ]
}

fn log() -> Vec<Case> {
    vec![
        case("log.json", "--log-format json writes an object a line with level, msg and time")
            .act(|lab| {
                lab.global.extend(
                    ["--log", "@DIR@/log", "--log-format", "json"].map(|word| lab.fill(word)),
                );
                lab.call(&["state", "nobody"]);
                let text = lab.file("log");
                let Ok(last) = Json::try_parse(text.lines().last().unwrap_or_default()) else {
                    return text;
                };
                let has_time = last.at("time").show().contains('T');
                format!(
                    "{} {} {has_time}",
                    last.at("level").show(),
                    last.at("msg").show().contains("does not exist")
                )
            })
            .gives("error true true"),
        case("log.text", "--log alone writes text")
            .act(|lab| {
                lab.global.extend(["--log", "@DIR@/log"].map(|word| lab.fill(word)));
                lab.call(&["state", "nobody"]);
                lab.file("log").contains("does not exist").to_string()
            })
            .gives("true"),
        case("log.stderr", "with --log the message is on standard error too")
            .act(|lab| {
                lab.global.extend(["--log", "@DIR@/log"].map(|word| lab.fill(word)));
                lab.call(&["state", "nobody"]).err.contains("does not exist").to_string()
            })
            .gives("true"),
        case("log.quiet", "what succeeds writes no error to it")
            .act(|lab| {
                lab.global.extend(
                    ["--log", "@DIR@/log", "--log-format", "json"].map(|word| lab.fill(word)),
                );
                lab.run();
                lab.file("log").contains("\"error\"").to_string()
            })
            .gives("false"),
    ]
}

fn spec() -> Vec<Case> {
    vec![
        case("spec", "spec writes a config.json that runs")
            .act(|lab| {
                std::fs::remove_file(lab.bundle.join("config.json")).unwrap();
                let said = lab.call(&["spec", "--bundle", "@BUNDLE@"]);
                let Ok(mut config) = Json::try_parse(&lab.file("b/config.json")) else { return said.err };
                config.merge(&Json::parse(
                    r#"{"process": {"terminal": false, "args": ["/bin/echo", "runs"]}, "linux": {"resources": null}}"#,
                ));
                std::fs::write(lab.bundle.join("config.json"), config.to_string()).unwrap();
                let run = lab.run();
                format!("{}{}", run.show(), run.err)
            })
            .gives("runs\n"),
        case("spec.members", "its process is a shell at a terminal, as runc's")
            .act(|lab| {
                std::fs::remove_file(lab.bundle.join("config.json")).unwrap();
                lab.call(&["spec", "--bundle", "@BUNDLE@"]);
                let config = Json::try_parse(&lab.file("b/config.json")).unwrap_or(Json::Null);
                let fields =
                    ["process.args", "process.terminal", "process.cwd", "root.path", "process.noNewPrivileges"];
                fields.map(|field| config.at(field).to_string()).join(" ")
            })
            .gives(r#"["sh"] true "/" "rootfs" true"#),
        case("spec.there", "a config.json that is there is not overwritten")
            .act(|lab| {
                let before = lab.file("b/config.json");
                let verdict = lab.call(&["spec", "--bundle", "@BUNDLE@"]).verdict();
                format!("{verdict} {}", lab.file("b/config.json") == before)
            })
            .gives("refused true"),
        case("spec.rootless", "--rootless has a user namespace and no resources")
            .act(|lab| {
                std::fs::remove_file(lab.bundle.join("config.json")).unwrap();
                lab.call(&["spec", "--rootless", "--bundle", "@BUNDLE@"]);
                let config = Json::try_parse(&lab.file("b/config.json")).unwrap_or(Json::Null);
                let namespaces = config.at("linux.namespaces").items();
                let has_user = namespaces.iter().any(|namespace| namespace.at("type").show() == "user");
                format!("{has_user} {} {}", config.at("linux.resources"), config.at("linux.uidMappings").items().len())
            })
            .gives("true null 1"),
    ]
}

fn features() -> Vec<Case> {
    let field = |name: &'static str,
                 rule: &'static str,
                 path: &'static str,
                 wanted: &'static [&'static str]| {
        case(name, rule)
            .act(move |lab| {
                let said = lab.call(&["features"]);
                let Ok(features) = Json::try_parse(&said.out) else {
                    return format!("no JSON: {}", said.err);
                };
                let there: Vec<_> = features.at(path).items().iter().map(Json::show).collect();
                let missing =
                    wanted.iter().filter(|word| !there.iter().any(|other| other == *word));
                missing.copied().collect::<Vec<_>>().join(" ")
            })
            .gives("")
    };
    vec![
        case("features.versions", "ociVersionMin and ociVersionMax are versions (1.1.0)")
            .act(|lab| {
                let features = Json::try_parse(&lab.call(&["features"]).out).unwrap_or(Json::Null);
                let is_version = |path: &str| features.at(path).show().starts_with("1.");
                format!("{} {}", is_version("ociVersionMin"), is_version("ociVersionMax"))
            })
            .gives("true true"),
        field(
            "features.hooks",
            "all six kinds",
            "hooks",
            &[
                "prestart",
                "createRuntime",
                "createContainer",
                "startContainer",
                "poststart",
                "poststop",
            ],
        ),
        field(
            "features.mountOptions",
            "what mounts may say",
            "mountOptions",
            &[
                "ro",
                "rw",
                "bind",
                "rbind",
                "nosuid",
                "noexec",
                "nodev",
                "rprivate",
                "rshared",
                "rslave",
                "tmpcopyup",
                "rro",
                "nosymfollow",
            ],
        ),
        field(
            "features.namespaces",
            "all kinds that the kernel has",
            "linux.namespaces",
            &["cgroup", "ipc", "mount", "network", "pid", "user", "uts"],
        ),
        field("features.namespaces.time", "the time namespace too", "linux.namespaces", &["time"]),
        field(
            "features.capabilities",
            "names",
            "linux.capabilities",
            &["CAP_CHOWN", "CAP_SYS_ADMIN", "CAP_CHECKPOINT_RESTORE"],
        ),
        field(
            "features.seccomp.actions",
            "actions",
            "linux.seccomp.actions",
            &[
                "SCMP_ACT_ALLOW",
                "SCMP_ACT_ERRNO",
                "SCMP_ACT_KILL",
                "SCMP_ACT_KILL_PROCESS",
                "SCMP_ACT_KILL_THREAD",
                "SCMP_ACT_LOG",
                "SCMP_ACT_NOTIFY",
                "SCMP_ACT_TRACE",
                "SCMP_ACT_TRAP",
            ],
        ),
        field(
            "features.seccomp.operators",
            "operators",
            "linux.seccomp.operators",
            &[
                "SCMP_CMP_EQ",
                "SCMP_CMP_GE",
                "SCMP_CMP_GT",
                "SCMP_CMP_LE",
                "SCMP_CMP_LT",
                "SCMP_CMP_MASKED_EQ",
                "SCMP_CMP_NE",
            ],
        ),
        field(
            "features.seccomp.archs",
            "architectures",
            "linux.seccomp.archs",
            &["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"],
        ),
        case(
            "features.enabled",
            "seccomp and cgroup v2 are there; systemd's groups and labels as they are",
        )
        .act(|lab| {
            let features = Json::try_parse(&lab.call(&["features"]).out).unwrap_or(Json::Null);
            format!("{} {}", features.at("linux.seccomp.enabled"), features.at("linux.cgroup.v2"))
        })
        .gives("true true"),
    ]
}
