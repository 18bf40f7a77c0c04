//! The common part of all commands: options, help, messages, a progress line on a terminal, and the
//! state after Ctrl-C.

use std::process::{Command, Output};

use crate::support;
use crate::support::endless::endless;
use crate::support::images::Layer;
use crate::support::{Image, Tar, scratch, tool};

fn ocinit(words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ocinit")).args(words).output().unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn help_names_every_command_and_each_its_options() {
    let all = String::from_utf8(ocinit(&["--help"]).stdout).unwrap();
    let commands: Vec<_> =
        all.lines().filter(|line| line.starts_with("  ") && !line.starts_with("   ")).collect();
    assert!(!commands.is_empty(), "{all}");
    for line in commands {
        let name = line.split_whitespace().next().unwrap();
        let output = ocinit(&[name, "--help"]);
        let text = String::from_utf8(output.stdout.clone()).unwrap();
        assert_eq!(output.status.code(), Some(0), "{name}: {}", stderr(&output));
        assert!(
            text.starts_with(&format!("usage: ocinit {name}")) && text.contains("--log-format"),
            "{text}"
        );
    }
}

#[test]
fn a_wrong_word_gets_one_line_with_the_right_one() {
    for (words, line) in [
        (&["unpak", "a", "b"][..], "unknown command unpak; did you mean unpack?"),
        (&["unpack", "--quite", "a", "b"], "unpack: no option --quite; did you mean --quiet?"),
        (&["unpack", "a"], "unpack: no ROOTFS: usage: ocinit unpack "),
        (&["list", "a"], "list: a: one word too many: usage: ocinit list "),
        (&["--log-format", "xml", "unpack", "a", "b"], "--log-format xml: neither text nor json"),
    ] {
        let output = ocinit(words);
        let text = stderr(&output);
        assert!(
            text.starts_with(&format!("ocinit: {line}")) && text.lines().count() == 1,
            "{words:?}: {text}"
        );
        assert_eq!(output.status.code(), Some(if words[0] == "list" { 1 } else { 125 }));
    }
}

#[test]
fn a_word_of_docker_or_podman_is_answered_with_what_there_is() {
    for (word, instead) in [
        ("rm", "ocinit delete"),
        ("stop", "ocinit kill"),
        ("images", "ocinit inspect IMAGE"),
        ("logs", "ocinit keeps no logs"),
        ("pull", "skopeo copy docker://NAME oci:DIR"),
        ("unpause", "ocinit resume"),
        ("build", "buildah"),
    ] {
        let output = ocinit(&[word, "x"]);
        let text = stderr(&output);
        assert!(
            text.starts_with(&format!("ocinit: unknown command {word}: "))
                && text.contains(instead),
            "{text}"
        );
        assert!(text.lines().count() == 1 && output.status.code() == Some(125));
    }
}

#[test]
fn help_and_version_are_commands_and_no_word_at_all_lists_them() {
    let out = |words: &[&str]| {
        let output = ocinit(words);
        assert_eq!((output.status.code(), stderr(&output).as_str()), (Some(0), ""), "{words:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let all = out(&["--help"]);
    assert!(all.starts_with("usage: ocinit COMMAND") && all.contains("\n  list"));
    for words in [&[][..], &["help"], &["-h"], &["--quiet", "help"]] {
        assert_eq!(out(words), all, "{words:?}");
    }
    for words in [&["help", "run"][..], &["run", "-h"], &["run", "--help"], &["run", "x", "-h"]] {
        assert_eq!(out(words), out(&["help", "run"]), "{words:?}");
    }
    assert!(out(&["help", "run"]).starts_with("usage: ocinit run "));
    for words in [&["version"][..], &["-v"], &["--version"], &["-v", "run"]] {
        assert_eq!(out(words), out(&["version"]), "{words:?}");
    }
    assert!(out(&["version"]).starts_with("ocinit version "));
    assert!(stderr(&ocinit(&["help", "unpak"])).contains("did you mean unpack?"));
    // After a command's name `-v` is no option, but the volume of an image's container.
    for (command, status) in [("start", 1), ("state", 1), ("list", 1), ("unpack", 125)] {
        let output = ocinit(&[command, "-v", "x"]);
        assert_eq!(stderr(&output), format!("ocinit: {command}: no option -v: see --help\n"));
        assert_eq!((output.status.code(), output.stdout.len()), (Some(status), 0));
    }
    assert_eq!(stderr(&ocinit(&["--frob"])), "ocinit: no option --frob: see --help\n");
}

/// A command's own option hides a global one of the same name.
#[test]
fn help_names_each_option_once() {
    for line in
        out_of("--help").lines().filter(|line| line.starts_with("  ") && !line.starts_with("   "))
    {
        let name = line.split_whitespace().next().unwrap();
        let text = out_of(&format!("{name} --help"));
        let options = text.lines().filter(|line| line.trim_start().starts_with('-'));
        let mut names: Vec<_> = options
            .flat_map(|line| line.split_whitespace().take_while(|word| word.starts_with('-')))
            .map(|word| word.trim_end_matches(',').split(['=', '[']).next().unwrap())
            .collect();
        let count = names.len();
        names.sort();
        names.dedup();
        assert!(
            count > 3 && count == names.len() && !names.contains(&"--version"),
            "{name}: {text}"
        );
    }
}

fn out_of(words: &str) -> String {
    String::from_utf8(ocinit(&words.split(' ').collect::<Vec<_>>()).stdout).unwrap()
}

#[test]
fn an_image_that_is_elsewhere_is_answered_with_the_command_that_gets_it() {
    let place = scratch("commands-elsewhere");
    for (image, command) in [
        ("alpine", "is docker://alpine"),
        ("alpine:3.19", "is docker://alpine:3.19"),
        ("quay.io/a/b:v1", "is docker://quay.io/a/b:v1"),
        ("dir:/a/b", "skopeo copy dir:/a/b oci:b:latest"),
        ("docker-daemon:a:b", "skopeo copy docker-daemon:a:b oci:a:latest"),
        ("https://a/b", "is docker://a/b"),
    ] {
        let root = place.join("states");
        for words in [
            &["--root", root.to_str().unwrap(), "run", "--image", image, "x"][..],
            &["inspect", image],
        ] {
            let mut ocinit = Command::new(env!("CARGO_BIN_EXE_ocinit"));
            let output =
                ocinit.args(words).current_dir(&place).env("TMPDIR", &place).output().unwrap();
            let text = stderr(&output);
            assert!(text.contains(command), "{image}: {text}");
            assert_eq!((output.status.code(), text.lines().count()), (Some(125), 1), "{text}");
        }
    }
    // A path is a path.
    for path in ["./alpine", "/absent/alpine", "alpine.tar"] {
        assert_eq!(
            stderr(&ocinit(&["inspect", path])),
            format!("ocinit: open {path}: no such file or directory\n")
        );
    }
    assert_eq!(std::fs::read_dir(&place).unwrap().count(), 0, "a run that fails leaves nothing");
}

/// Shells, CI systems and editors set these if they show no escape sequences.
#[test]
fn a_terminal_without_escapes_gets_none() {
    for (name, value) in [("TERM", "dumb"), ("NO_COLOR", "1")] {
        let directory = scratch("commands-escapes");
        let image = endless(&directory);
        let mut command = Command::new("timeout");
        command.args(["3", "python3", "-c", "import pty, sys; pty.spawn(sys.argv[1:])"]);
        command
            .args([env!("CARGO_BIN_EXE_ocinit"), "unpack"])
            .arg(image)
            .arg(directory.join("rootfs"));
        let output = command.env(name, value).stdin(std::process::Stdio::null()).output().unwrap();
        assert!(
            !output.stdout.contains(&0x1b),
            "{name}: {}",
            String::from_utf8_lossy(&output.stdout)
        );
    }
}

/// No command waits for a reader of its log.
#[test]
fn a_log_that_is_a_fifo_stops_no_command() {
    let place = scratch("commands-fifo");
    let log = place.join("log");
    tool(Command::new("mkfifo").arg(&log));
    let run = |words: &[&str]| {
        let mut command = Command::new("timeout");
        command
            .args(["10", env!("CARGO_BIN_EXE_ocinit"), "--log"])
            .arg(&log)
            .args(words)
            .output()
            .unwrap()
    };
    let output = run(&["list", "--quiet"]);
    let text = stderr(&output);
    assert!(
        output.status.code() == Some(1) && text.contains("no process reads it"),
        "{:?} {text}",
        output.status
    );
    // With a slow reader, lines that do not fit are lost.
    let reader = std::fs::OpenOptions::new().read(true).write(true).open(&log).unwrap();
    for _ in 0..200 {
        let output = run(&["inspect", &format!("/absent/{}", "x".repeat(900))]);
        assert_eq!(output.status.code(), Some(125), "{}", stderr(&output));
    }
    drop(reader);
}

#[test]
fn messages_as_json_are_json() {
    let output = ocinit(&["--log-format", "json", "unpack", "no \"such\" image", "x"]);
    let script = "import json, sys; one = json.loads(sys.stdin.read()); print(one['level'], one['msg'], len(one['time']))";
    let directory = scratch("commands-json");
    support::write(&directory.join("line"), &output.stderr);
    let line = std::fs::File::open(directory.join("line")).unwrap();
    let text =
        String::from_utf8(tool(Command::new("python3").args(["-c", script]).stdin(line))).unwrap();
    assert!(
        text.starts_with("error ") && text.contains("no \"such\" image") && text.ends_with(" 20\n"),
        "{text}"
    );
}

/// Starts the command on a terminal, waits for `wanted`, types Ctrl-C, and prints what came and how
/// it ended.
const TYPE_CONTROL_C: &str = r#"
import os, pty, sys
wanted, command = sys.argv[1].encode(), sys.argv[2:]
pid, terminal = pty.fork()
if pid == 0:
    os.execv(command[0], command)
seen = b''
typed = False
while True:
    try:
        piece = os.read(terminal, 4096)
    except OSError:
        break
    seen += piece
    if wanted in seen and not typed:
        os.write(terminal, b'\x03')
        typed = True
print(os.WTERMSIG(status) if os.WIFSIGNALED(status := os.waitpid(pid, 0)[1]) else -1)
print(seen.decode())
"#;

#[test]
fn a_terminal_shows_progress_and_control_c_leaves_nothing() {
    let directory = scratch("commands-interrupt");
    let image = endless(&directory);
    let root = directory.join("rootfs");
    let mut command = Command::new("python3");
    command.args(["-c", TYPE_CONTROL_C, "of 8589 MB", env!("CARGO_BIN_EXE_ocinit"), "unpack"]);
    let text = String::from_utf8(tool(command.arg(image).arg(&root))).unwrap();
    assert!(text.starts_with("2\n"), "it dies by SIGINT, so that a shell's loop ends: {text}");
    assert!(text.contains("layer 1 of 1 [") && text.contains(" MB/s"), "{text}");
    assert!(text.contains("interrupted by SIGINT"), "{text}");
    let left: Vec<_> =
        std::fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["image"], "a part of the root is left");
}

#[test]
fn until_it_is_whole_a_root_has_another_name() {
    let directory = scratch("commands-killed");
    let image = endless(&directory);
    let mut command = Command::new(env!("CARGO_BIN_EXE_ocinit"));
    let mut child = command.arg("unpack").arg(image).arg(directory.join("rootfs")).spawn().unwrap();
    let partial = || {
        let entries = std::fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap());
        let mut partial = entries
            .filter(|entry| entry.file_name().to_string_lossy().starts_with("rootfs.partial-"));
        partial.next().map(|entry| entry.path())
    };
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while !partial().is_some_and(|path| path.join("zeros").exists()) {
        assert!(
            std::time::Instant::now() < deadline && child.try_wait().unwrap().is_none(),
            "it ended early"
        );
        std::thread::yield_now();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(partial().is_some() && !directory.join("rootfs").exists());
    std::fs::remove_dir_all(partial().unwrap()).unwrap();
}

#[test]
fn a_pipe_shows_no_progress() {
    let directory = scratch("commands-pipe");
    let layer = Tar::new().file("big", 0o644, vec![7; 64 << 20]);
    let (layout, _) = Image::empty().layer(Layer::plain(layer)).write(&directory.join("image"));
    let output = ocinit(&[
        "unpack",
        layout.directory.to_str().unwrap(),
        directory.join("root").to_str().unwrap(),
    ]);
    assert_eq!(
        (output.status.code(), stderr(&output).as_str(), output.stdout.len()),
        (Some(0), "", 0)
    );
}

/// podman puts the runtime's name before lines that conmon reads. A variable reveals conmon.
#[test]
fn conmon_gets_a_line_without_our_name() {
    let said = |words: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ocinit"));
        stderr(&command.args(words).env("_OCI_SYNCPIPE", "3").output().unwrap())
    };
    assert_eq!(said(&["state", "none"]), "container does not exist: none\n");
    let line = said(&["--log-format", "json", "state", "none"]);
    assert!(line.starts_with(r#"{"level":"error","msg":"container does not exist"#), "{line}");
    assert_eq!(stderr(&ocinit(&["state", "none"])), "ocinit: container does not exist: none\n");
}
