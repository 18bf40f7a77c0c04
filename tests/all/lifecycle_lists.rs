//! `state`, `list` and `ps` on states that a test wrote: fields, columns, owners, and the steps of
//! a long list.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use crate::lifecycle_states::{Process, Root, Said};
use crate::support::{read, scratch, write};

#[test]
fn a_state_is_what_the_specification_and_runc_have() {
    let (root, process) = (Root::new("states-state"), Process::new());
    root.add("one", process.who(), "/b");
    root.add("two", (0, 0), "/b");
    let text = |id: &str, pid: u32, status: &str| {
        format!(
            "{{\n  \"ociVersion\": \"1.0.2\",\n  \"id\": \"{id}\",\n  \"pid\": {pid},\n  \"status\": \"{status}\",\n  \
             \"bundle\": \"/b\",\n  \"rootfs\": \"/b/rootfs\",\n  \"created\": \"2026-11-24T15:00:00.02420548Z\",\n  \
             \"annotations\": {{\n    \"org.example\": \"A \\\"b\\\"\"\n  }},\n  \"owner\": \"\"\n}}\n"
        )
    };
    root.run(&["state", "one"]).says(&text("one", process.0.id(), "running"));
    root.run(&["state", "two"]).says(&text("two", 0, "stopped"));
    // A configuration that was lost takes only the annotations along.
    std::fs::remove_file(root.directory("two").join("config.json")).unwrap();
    let said = root.run(&["state", "two"]);
    assert!(said.status == Some(0) && !said.stdout.contains("annotations"), "{}", said.stdout);
}

#[test]
fn a_list_is_laid_out_as_go_does_it() {
    let (root, process) = (Root::new("states-list"), Process::new());
    // As in the newest runc, only the default root may be missing.
    let missing = format!("open the state's root {}: no such file or directory", root.0.display());
    root.run(&["list"]).fails(&missing);
    root.run(&["delete", "-f", "one"]).says("");
    std::fs::create_dir(&root.0).unwrap();
    root.run(&["list"]).says("ID          PID         STATUS      BUNDLE      CREATED     OWNER\n");
    root.run(&["list", "-f", "json"]).says("null\n");
    root.run(&["list", "-q"]).says("");
    root.add("b-longer-name", process.who(), "/some/where/else");
    root.add("a", (0, 0), "/b");
    let pid = format!("{:<12}", process.0.id());
    root.run(&["list"]).says(&format!(
        "ID              PID         STATUS      BUNDLE             CREATED                         OWNER\n\
         a               0           stopped     /b                 2026-11-24T15:00:00.02420548Z   root\n\
         b-longer-name   {pid}running     /some/where/else   2026-11-24T15:00:00.02420548Z   root\n"
    ));
    root.run(&["list", "--quiet"]).says("a\nb-longer-name\n");
    let one = |id: &str, pid: u32, status: &str, bundle: &str| {
        format!(
            r#"{{"ociVersion":"1.0.2","id":"{id}","pid":{pid},"status":"{status}","bundle":"{bundle}","rootfs":"{bundle}/rootfs","created":"2026-11-24T15:00:00.02420548Z","annotations":{{"org.example":"A \"b\""}},"owner":"root"}}"#
        )
    };
    let both = format!(
        "[{},{}]\n",
        one("a", 0, "stopped", "/b"),
        one("b-longer-name", process.0.id(), "running", "/some/where/else")
    );
    root.run(&["list", "--format=json"]).says(&both);
    root.run(&["list", "--format=xml"]).fails("--format xml: neither table nor json");
    // An unreadable state is reported, and the others are listed. Other files are not containers.
    write(&root.directory("a").join("state.json"), "{");
    std::fs::create_dir(root.directory("empty")).unwrap();
    write(&root.directory("file"), "");
    std::os::unix::fs::symlink("a", root.directory("link")).unwrap();
    let said = root.run(&["list", "-f", "json"]);
    assert_eq!(
        said.stdout,
        format!("[{}]\n", one("b-longer-name", process.0.id(), "running", "/some/where/else"))
    );
    assert_eq!(
        said.stderr,
        "ocinit: container a: state.json: invalid JSON at byte 1: the document ends early\n"
    );
}

#[test]
fn processes_are_shown_by_number_and_by_ps() {
    let (root, process) = (Root::new("states-ps"), Process::new());
    root.add("one", process.who(), "/b");
    let pid = process.0.id();
    root.run(&["ps", "-f", "json", "one"]).says(&format!("[{pid}]\n"));
    let said = root.run(&["ps", "one"]);
    let lines: Vec<_> = said.stdout.lines().collect();
    assert!(
        lines.len() == 2 && lines[0].starts_with("UID ") && lines[1].ends_with(" sleep 1000"),
        "{}",
        said.stdout
    );
    // Options behind the name are those of ps.
    let said = root.run(&["ps", "one", "-o", "pid=X,args", "-e"]);
    said.fails("couldn't find PID field in ps output");
    let said = root.run(&["ps", "one", "-e", "-o", "pid,args"]);
    assert_eq!(
        said.stdout.split_whitespace().collect::<Vec<_>>(),
        ["PID", "COMMAND", &pid.to_string(), "sleep", "1000"]
    );
    let said = root.run(&["ps", "one", "--frobnicate"]);
    assert!(
        said.status == Some(1) && said.stderr.ends_with("ocinit: ps failed\n"),
        "{}",
        said.stderr
    );
    drop(process);
    root.run(&["ps", "-f", "json", "one"]).says("null\n");
    assert_eq!(root.run(&["ps", "one"]).stdout.lines().count(), 1);
    let none = Command::new(env!("CARGO_BIN_EXE_ocinit"))
        .args(["--root", root.0.to_str().unwrap(), "ps", "one"])
        .env("PATH", "/proc/nowhere")
        .output();
    Said::of(none.unwrap()).fails("ps: executable file not found in $PATH");
}

#[test]
fn an_ordinary_user_has_states_of_his_own() {
    let place = scratch("states-user");
    std::fs::set_permissions(&place, PermissionsExt::from_mode(0o777)).unwrap();
    let root = Root(place.join("ocinit"));
    root.add("one", (0, 0), "/b");
    let list = |runtime_directory: Option<&Path>, uid: &str| {
        let mut command = Command::new("setpriv");
        command.args([&format!("--reuid={uid}"), "--regid=65534", "--clear-groups", "--"]);
        command.args([env!("CARGO_BIN_EXE_ocinit"), "list", "-q"]).env_remove("XDG_RUNTIME_DIR");
        command.envs(runtime_directory.map(|path| ("XDG_RUNTIME_DIR", path)));
        Said::of(command.output().unwrap()).stdout
    };
    assert_eq!(list(Some(&place), "65534"), "one\n");
    assert!(
        !list(None, "65534").contains("one") && !list(Some(&place), "0").contains("one"),
        "root has its own"
    );
}

/// A root with many containers is read once, and each container is looked up once.
#[test]
fn a_list_of_many_takes_as_many_steps_as_there_are() {
    let root = Root::new("states-many");
    let count = 400;
    for n in 0..count {
        root.add(&format!("container-with-a-name-{n:03}"), (0, 0), "/b");
    }
    for format in ["table", "json"] {
        let log = root.0.parent().unwrap().join("trace");
        let mut command = Command::new("strace");
        command
            .args(["-e", "trace=getdents64,openat,open", "-o"])
            .arg(&log)
            .arg(env!("CARGO_BIN_EXE_ocinit"));
        let said = Said::of(
            command.arg("--root").arg(&root.0).args(["list", "-f", format]).output().unwrap(),
        );
        assert_eq!(said.status, Some(0), "{}", said.stderr);
        assert!(said.stdout.matches("container-with-a-name").count() == count, "{}", said.stdout);
        let trace = String::from_utf8(read(&log)).unwrap();
        // 24 bytes and a name each, in buffers of 4096.
        assert!(
            trace.matches("getdents64").count() < count / 10,
            "{format}: the names are read again and again"
        );
        assert!(trace.matches("/etc/passwd").count() <= 1, "{format}");
        assert!(trace.matches("state.json").count() == count, "{format}: each is read once");
    }
}
