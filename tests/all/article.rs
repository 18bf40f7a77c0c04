//! The steps of docs/article.md: a layout becomes a bundle, the bundle runs, `list` and `state`
//! show it. ocinit's output is compared with runc's on the same bundle, field by field.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use crate::support;
use crate::support::json::Json;
use crate::support::lab::{self, PLACE, Runtime};
use crate::support::{busybox, project};

/// What one runtime showed.
struct Shown {
    /// Lines that the shell in the container wrote.
    shell: Vec<String>,
    list: String,
    state: String,
    /// What `run` ended with.
    status: Option<i32>,
    /// `list` when it was over.
    after: String,
    pid: i32,
}

/// `run busybox` in the bundle, and `list` and `state` meanwhile.
fn steps(runtime: Runtime, bundle: &Path) -> Shown {
    let root = Path::new(PLACE).join(runtime.name());
    let command = |words: &[&str]| {
        let mut command = Command::new(runtime.program());
        command.arg("--root").arg(&root).args(words).current_dir(bundle);
        command
    };
    let said =
        |words: &[&str]| String::from_utf8(support::tool(&mut command(words))).expect("UTF-8");
    let mut run = command(&["run", "busybox"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("run");
    let mut typed = run.stdin.take().expect("stdin");
    let mut lines = BufReader::new(run.stdout.take().expect("stdout")).lines();
    writeln!(typed, "echo hello from process $$; ls -d /bin /proc; id -u").expect("typed");
    let shell = lines.by_ref().take(4).map(|line| line.expect("a line")).collect();
    let (list, state) = (said(&["list"]), said(&["state", "busybox"]));
    let pid = Json::parse(&state).at("pid").show().parse().expect("a pid");
    writeln!(typed, "exit 3").expect("typed");
    drop(typed);
    let status = run.wait().expect("run").code();
    Shown { shell, list, state, status, after: said(&["list"]), pid }
}

/// The columns of a table by its heading, a row.
fn fields(table: &str) -> Vec<(String, String)> {
    let mut lines = table.lines();
    let heading = lines.next().unwrap_or_default();
    let row = lines.next().unwrap_or_default();
    let names: Vec<_> = heading.split_whitespace().collect();
    let starts: Vec<_> =
        names.iter().map(|name| heading.find(name).expect("in the heading")).collect();
    let end = |at: usize| starts.get(at + 1).copied().unwrap_or(row.len()).min(row.len());
    let field = |at: usize| row.get(starts[at]..end(at)).unwrap_or_default().trim().to_string();
    names.iter().enumerate().map(|(at, name)| (name.to_string(), field(at))).collect()
}

/// A time as both write it: RFC 3339, of this century, in UTC.
fn is_time(text: &str) -> bool {
    text.starts_with("20") && text.contains('T') && text.ends_with('Z') && text.len() >= 20
}

#[test]
fn layout_bundle_run_list_state() {
    lab::enter();
    let place = Path::new(PLACE).join("article");
    std::fs::create_dir(&place).expect("place");
    busybox().write(&place.join("layout"));
    let bundle = place.join("bundle");
    let mut unpack = Command::new(Runtime::Ocinit.program());
    support::tool(unpack.arg("bundle").arg(place.join("layout")).arg(&bundle));

    let (ours, theirs) = (steps(Runtime::Ocinit, &bundle), steps(Runtime::Runc, &bundle));
    assert_eq!(ours.shell, ["hello from process 1", "/bin", "/proc", "0"]);
    assert_eq!(ours.shell, theirs.shell);
    assert_eq!((ours.status, theirs.status), (Some(3), Some(3)));

    // list: the same columns in the same order, and what is in them.
    let (our_fields, their_fields) = (fields(&ours.list), fields(&theirs.list));
    let names = |fields: &[(String, String)]| {
        fields.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>()
    };
    assert_eq!(names(&our_fields), ["ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"]);
    assert_eq!(names(&our_fields), names(&their_fields));
    for (shown, fields) in [(&ours, &our_fields), (&theirs, &their_fields)] {
        assert_eq!(fields[0].1, "busybox");
        assert_eq!(fields[1].1, shown.pid.to_string());
        assert_eq!(fields[2].1, "running");
        assert_eq!(fields[3].1, bundle.to_str().unwrap());
        assert!(is_time(&fields[4].1), "{}", fields[4].1);
        assert_eq!(fields[5].1, "root");
    }
    assert_eq!(ours.after, theirs.after, "a list of nothing is the heading");

    // state: the same members, of the same kind and, but for pid and time, of the same value.
    let (our_state, their_state) = (Json::parse(&ours.state), Json::parse(&theirs.state));
    assert_eq!(our_state.keys(), their_state.keys(), "{}\n{}", ours.state, theirs.state);
    for key in their_state.keys() {
        let (our_value, their_value) = (our_state.at(key), their_state.at(key));
        match key {
            "pid" => assert!(matches!(our_value, Json::Number(_)), "{our_value}"),
            "created" => {
                assert!(is_time(&our_value.show()) && is_time(&their_value.show()), "{our_value}")
            }
            // The specification that each keeps to.
            "ociVersion" => assert!(our_value.show().starts_with("1."), "{our_value}"),
            // An object: its members have no order.
            "annotations" => {
                let sorted = |value: &Json| {
                    let mut keys: Vec<_> =
                        value.keys().iter().map(|key| format!("{key}={}", value.at(key))).collect();
                    keys.sort();
                    keys
                };
                assert_eq!(sorted(our_value), sorted(their_value));
            }
            _ => assert_eq!(our_value, their_value, "{key}"),
        }
    }
    show(&ours, &theirs);
}

/// `OCINIT_WRITE=1` writes the page with what was printed; else its steps must be those of this
/// test.
fn show(ours: &Shown, theirs: &Shown) {
    let page = project().join("docs/article.md");
    if std::env::var_os("OCINIT_WRITE").is_some() {
        let text =
            PAGE.replace("@LIST@", ours.list.trim_end()).replace("@STATE@", ours.state.trim_end());
        let text = text
            .replace("@RUNC_LIST@", theirs.list.trim_end())
            .replace("@RUNC_STATE@", theirs.state.trim_end());
        std::fs::write(&page, text).expect("docs/article.md");
    }
    let there = std::fs::read_to_string(&page).expect("docs/article.md");
    for command in
        ["ocinit bundle layout bundle", "ocinit run busybox", "ocinit list", "ocinit state busybox"]
    {
        assert!(there.contains(command), "docs/article.md lacks {command}");
    }
    let members = Json::parse(&ours.state);
    for key in members.keys() {
        assert!(there.contains(&format!("\"{key}\"")), "docs/article.md lacks {key}");
    }
}

const PAGE: &str = r#"# From an image to a container, by hand

The steps that people take with umoci and runc, taken with `ocinit` alone. `tests/all/article.rs` takes them, and compares what is
printed with what runc prints of the same bundle, field by field; what is below was printed by it.

An image's layout becomes a bundle: a root file system and a `config.json`. (`skopeo copy docker://busybox oci:layout:latest`
fetches one.)

```
# ocinit bundle layout bundle
# cd bundle
# ls
config.json  rootfs
```

The bundle runs; `busybox` is the container's name. Its shell is process 1 of a place of its own.

```
# ocinit run busybox
echo hello from process $$; ls -d /bin /proc; id -u
hello from process 1
/bin
/proc
0
```

Meanwhile, in another terminal:

```
# ocinit list
@LIST@
# ocinit state busybox
@STATE@
```

Of the same bundle runc says:

```
# runc list
@RUNC_LIST@
# runc state busybox
@RUNC_STATE@
```

The members and columns are the same, in the same order. `ociVersion` is the specification's version that each keeps to.

`exit 3` in the shell ends `ocinit run` with status 3, and the container is gone from the list.
"#;
