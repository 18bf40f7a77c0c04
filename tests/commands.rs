//! What all commands have in common: options, help, messages, a progress line on a terminal, and what Ctrl-C leaves.

mod support;

use std::process::{Command, Output};

use support::endless::endless;
use support::images::Layer;
use support::{Image, Tar, scratch, tool};

fn ocinit(words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ocinit")).args(words).output().unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn help_names_every_command_and_each_its_options() {
    let all = String::from_utf8(ocinit(&["--help"]).stdout).unwrap();
    let commands: Vec<_> = all.lines().filter(|line| line.starts_with("  ") && !line.starts_with("   ")).collect();
    assert!(!commands.is_empty(), "{all}");
    for line in commands {
        let name = line.split_whitespace().next().unwrap();
        let output = ocinit(&[name, "--help"]);
        let text = String::from_utf8(output.stdout.clone()).unwrap();
        assert_eq!(output.status.code(), Some(0), "{name}: {}", stderr(&output));
        assert!(text.starts_with(&format!("usage: ocinit {name}")) && text.contains("--log-format"), "{text}");
    }
}

#[test]
fn a_wrong_word_gets_one_line_with_the_right_one() {
    for (words, line) in [
        (&["unpak", "a", "b"][..], "unknown command unpak; did you mean unpack?"),
        (&["unpack", "--quite", "a", "b"], "unpack: no option --quite; did you mean --quiet?"),
        (&["unpack", "a"], "usage: ocinit unpack "),
        (&["--log-format", "xml", "unpack", "a", "b"], "--log-format xml: neither text nor json"),
    ] {
        let output = ocinit(words);
        let text = stderr(&output);
        assert!(text.starts_with(&format!("ocinit: {line}")) && text.lines().count() == 1, "{words:?}: {text}");
        assert_eq!(output.status.code(), Some(125));
    }
}

#[test]
fn messages_as_json_are_json() {
    let output = ocinit(&["--log-format", "json", "unpack", "no \"such\" image", "x"]);
    let script =
        "import json, sys; one = json.loads(sys.stdin.read()); print(one['level'], one['msg'], len(one['time']))";
    let directory = scratch("commands-json");
    support::write(&directory.join("line"), &output.stderr);
    let line = std::fs::File::open(directory.join("line")).unwrap();
    let text = String::from_utf8(tool(Command::new("python3").args(["-c", script]).stdin(line))).unwrap();
    assert!(text.starts_with("error ") && text.contains("no \"such\" image") && text.ends_with(" 20\n"), "{text}");
}

/// Starts the command on a terminal, waits for `wanted`, types Ctrl-C, and prints what came and how it ended.
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
    let left: Vec<_> = std::fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["image"], "a part of the root is left");
}

#[test]
fn until_it_is_whole_a_root_has_another_name() {
    let directory = scratch("commands-killed");
    let image = endless(&directory);
    let mut command = Command::new(env!("CARGO_BIN_EXE_ocinit"));
    let mut child = command.arg("unpack").arg(image).arg(directory.join("rootfs")).spawn().unwrap();
    let partial = directory.join(format!("rootfs.partial-{}", child.id()));
    while !partial.join("zeros").exists() {
        assert!(child.try_wait().unwrap().is_none(), "it ended early");
        std::thread::yield_now();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(partial.exists() && !directory.join("rootfs").exists());
    std::fs::remove_dir_all(partial).unwrap();
}

#[test]
fn a_pipe_shows_no_progress() {
    let directory = scratch("commands-pipe");
    let layer = Tar::new().file("big", 0o644, vec![7; 64 << 20]);
    let (layout, _) = Image::empty().layer(Layer::plain(layer)).write(&directory.join("image"));
    let output = ocinit(&["unpack", layout.directory.to_str().unwrap(), directory.join("root").to_str().unwrap()]);
    assert_eq!((output.status.code(), stderr(&output).as_str(), output.stdout.len()), (Some(0), "", 0));
}
