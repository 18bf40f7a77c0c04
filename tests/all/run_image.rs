//! `run --image` and `create --image`: their words, exit status, and messages for ordinary users.

use std::os::unix::process::CommandExt;
use std::path::PathBuf;

use crate::support;
use crate::support::copy_program;
use crate::support::json::Json;
use crate::support::lab::{self, Lab, Runtime, Said, done};

/// A lab with a place for bundles, and a layout of busybox.
fn lab_and_image() -> (Lab, String) {
    let lab = Lab::new(Runtime::Ocinit);
    std::fs::create_dir(lab.dir.join("tmp")).unwrap();
    (lab, support::images::busybox_layout().to_str().unwrap().to_string())
}

fn call(lab: &Lab, words: &[&str]) -> Said {
    lab.finish(lab.command(words).env("TMPDIR", lab.dir.join("tmp")))
}

/// Command lines, with the result that docker and podman have.
const COMMANDS: [(&[&str], &str, i32); 10] = [
    (&["ls", "-d", "/bin"], "/bin\n", 0),
    (&["grep", "-q", "root", "/etc/passwd"], "", 0),
    (&["grep", "-q", "nobody-has-this-name", "/etc/passwd"], "", 1),
    (&["echo", "--help"], "--help\n", 0),
    (&["echo", "--image", "x", "--tty", "-b", "--root=/"], "--image x --tty -b --root=/\n", 0),
    (&["sh", "-c", "exit 3"], "", 3),
    (&["sh", "-c", "echo \"$@\"", "-", "-d", "--", "-h"], "-d -- -h\n", 0),
    (&["echo", "--", "-v"], "-- -v\n", 0),
    (&["true", "--detach"], "", 0),
    (&["absent", "--keep"], "", 127),
];

#[test]
fn nothing_after_the_id_is_ours() {
    lab::enter();
    let (lab, image) = lab_and_image();
    let before: [&[&str]; 3] = [
        &["--image", &image, "@ID@"],
        &["--image", &image, "@ID@", "--"],
        &["--image", &image, "--", "@ID@"],
    ];
    for (words, out, status) in COMMANDS {
        for before in before {
            let said = call(&lab, &[&["run"], before, words].concat());
            assert_eq!(
                (said.out.as_str(), said.status),
                (out, status),
                "{before:?} {words:?}: {said:?}"
            );
        }
    }
    for before in before {
        done(&call(
            &lab,
            &[&["create"], before, &["sh", "-c", "exec sleep 1000", "-d", "--tty"]].concat(),
        ));
        done(&call(&lab, &["start", "@ID@"]));
        let said = call(&lab, &["ps", "@ID@", "-o", "pid,args"]);
        assert!(said.out.contains("sleep 1000"), "{before:?}: {said:?}");
        done(&call(&lab, &["delete", "-f", "@ID@"]));
    }
    for command in ["run", "create"] {
        let said = call(&lab, &[command, "@ID@", "--image", &image]);
        assert!(
            said.err.contains("--image stands before the ID") && said.status == 125,
            "{said:?}"
        );
    }
    // Without an image options may follow the ID, as ever.
    done(&call(&lab, &["create", "@ID@", "--bundle", "@BUNDLE@"]));
}

/// 125, as 1 may be the job's own status. runc's own command line ends with 1 and 255 as ever.
#[test]
fn a_failure_of_ours_is_125_and_a_commands_126_or_127() {
    lab::enter();
    let (lab, image) = lab_and_image();
    let rows: [(&[&str], i32); 9] = [
        (&["--image", "@DIR@/absent", "@ID@"], 125),
        (&["--image", &image, "--frob", "@ID@"], 125),
        (&["--frob", "--image", &image, "@ID@"], 125),
        (&["--image", &image], 125),
        (&["--image", &image, "--bundle", "@BUNDLE@", "@ID@"], 125),
        (&["--image", &image, "a/b"], 125),
        (&["--image", &image, "--pid-file", "/absent/pid", "@ID@", "true"], 125),
        (&["--image", &image, "@ID@", "absent"], 127),
        (&["--image", &image, "@ID@", "/etc"], 126),
    ];
    for command in ["run", "create"] {
        for (words, status) in rows {
            let said = call(&lab, &[&[command], words].concat());
            assert_eq!(
                (said.status, said.err.lines().count()),
                (status, 1),
                "{command} {words:?}: {said:?}"
            );
        }
        for words in [&["-b", "@DIR@/absent", "@ID@"][..], &["--frob", "@ID@"], &[]] {
            assert_eq!(call(&lab, &[&[command], words].concat()).status, 1, "{command} {words:?}");
        }
    }
    assert_eq!(call(&lab, &["run", "--image", &image, "@ID@", "sh", "-c", "exit 1"]).status, 1);
    assert_eq!(call(&lab, &["exec", "@ID@", "true"]).status, 255);
    assert_eq!(std::fs::read_dir(lab.dir.join("tmp")).unwrap().count(), 0);
}

/// A failed `create` removes the state's root that it has made; an older one stays.
#[test]
fn a_failed_create_takes_back_the_root_that_it_made() {
    lab::enter();
    let (lab, image) = lab_and_image();
    std::fs::create_dir(lab.dir.join("there")).unwrap();
    for (root, left) in
        [("new", ""), ("new/deep//er/", ""), ("there/new", "there"), ("there", "there")]
    {
        for command in ["create", "run"] {
            for words in [
                &["-b", "@DIR@/absent"][..],
                &["-b", "@BUNDLE@", "--pid-file", "/absent/pid"],
                &["--image", &image],
            ] {
                // The command enters the bundle meanwhile: a relative root still means the same
                // directory.
                let program = lab.runtime.program();
                let mut called = std::process::Command::new(program);
                called
                    .args(["--root", root, command])
                    .args(words.iter().map(|word| lab.fill(word)));
                called.args([lab.id.as_str(), "absent"].iter().take(if words[0] == "--image" {
                    2
                } else {
                    1
                }));
                let said =
                    lab.finish(called.current_dir(&lab.dir).env("TMPDIR", lab.dir.join("tmp")));
                assert_ne!(said.status, 0, "{words:?}");
                assert!(
                    !lab.dir.join("new").exists() && !lab.dir.join("there/new").exists(),
                    "{root} {command} {words:?}"
                );
                assert_eq!(
                    lab.dir.join("there").exists(),
                    !left.is_empty() || lab.dir.join("there").exists()
                );
            }
        }
    }
    // Other commands make containers in it meanwhile, which stay.
    let root = lab.dir.join("shared");
    for _ in 0..30 {
        let command = |bundle: PathBuf, id: &str| {
            let mut command = std::process::Command::new(lab.runtime.program());
            command
                .arg("--root")
                .arg(&root)
                .args(["create", "--bundle"])
                .arg(bundle)
                .arg(id)
                .current_dir(&lab.dir);
            command.stdin(std::process::Stdio::null()).stdout(std::process::Stdio::null());
            command.stderr(std::process::Stdio::null()).spawn().unwrap()
        };
        let absent = lab.bundle.join("rootfs");
        let mut bad = [command(absent.clone(), "x"), command(absent.clone(), "y")];
        let mut good = command(lab.bundle.clone(), &lab.id);
        bad.iter_mut().for_each(|one| assert!(!one.wait().unwrap().success()));
        assert!(good.wait().unwrap().success());
        let mut delete = std::process::Command::new(lab.runtime.program());
        done(&lab.finish(delete.arg("--root").arg(&root).args(["delete", "-f", &lab.id])));
        let _ = std::fs::remove_dir(&root);
    }
}

#[test]
fn an_ordinary_user_is_told_what_he_needs_and_nothing_else() {
    lab::enter();
    let (lab, _) = lab_and_image();
    // Owners without an id in this user's map.
    let tar = support::Tar::new().file("text", 0o644, "x");
    let tar = tar.entry(
        &support::tar::Header {
            owner: (5, 6),
            size: 1,
            ..support::tar::Header::new("owned", b'0')
        },
        b"x",
    );
    let (layout, _) =
        support::busybox().layer(support::images::Layer::plain(tar)).write(&lab.dir.join("image"));
    let program = lab.dir.join("ocinit");
    copy_program(lab.runtime.program(), &program);
    for place in [&lab.state, &lab.dir, &lab.dir.join("tmp")] {
        std::os::unix::fs::chown(place, Some(1234), Some(1234)).unwrap();
    }
    let call = |global: &[&str], words: &[&str]| {
        let mut command = std::process::Command::new(&program);
        command.args(global.iter().chain(words).map(|word| lab.fill(word)));
        command.env("TMPDIR", lab.dir.join("tmp")).env_remove("XDG_RUNTIME_DIR").env("USER", "x");
        lab.finish(command.current_dir(&lab.dir).uid(1234).gid(1234))
    };
    let image = layout.directory.to_str().unwrap();
    let run = ["run", "--image", image, "@ID@", "cat", "/text"];
    let said = call(&["--root", "@STATE@"], &run);
    assert_eq!(
        (said.show().as_str(), said.err.as_str()),
        ("x", ""),
        "a job says nothing of what every rootless job lacks"
    );
    let said = call(&["--root", "@STATE@", "--debug"], &run);
    let lost: Vec<_> =
        said.err.lines().filter(|line| line.contains("not possible without root")).collect();
    assert!(lost.len() == 1 && lost[0].contains("level=debug"), "{said:?}");
    // Root of the user namespace that makes the container is the user.
    done(&call(&["--root", "@STATE@"], &["create", "--image", image, "@ID@", "sleep", "1000"]));
    let said = call(&["--root", "@STATE@"], &["list", "-f", "json"]);
    assert_eq!(Json::parse(&said.out).items()[0].at("owner").show(), "#1234");
    done(&call(&["--root", "@STATE@"], &["delete", "-f", "@ID@"]));
    // The default root belongs to the host's root.
    let said = call(&[], &run);
    assert!(
        said.err.contains("/run/ocinit")
            && said.err.contains("set XDG_RUNTIME_DIR")
            && said.err.contains("--root"),
        "{said:?}"
    );
}
