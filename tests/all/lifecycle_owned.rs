//! Commands remove and kill only what ocinit made: neither a user's own bundle, nor a process or
//! directory in another user's state.

use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::support;
use crate::support::endless::endless;
use crate::support::lab::{self, Lab, Runtime, Said, done, refused};
use crate::support::{copy_program, read, write};

const USER: u32 = 1234;

/// A copy of the program that an ordinary user may execute.
fn program(lab: &Lab) -> PathBuf {
    let program = lab.dir.join("ocinit");
    copy_program(lab.runtime.program(), &program);
    program
}

fn call_as(user: u32, program: &Path, lab: &Lab, words: &[&str]) -> Said {
    let mut command = Command::new(program);
    command.arg("--root").arg(&lab.state).args(words.iter().map(|word| lab.fill(word)));
    command.env("TMPDIR", lab.dir.join("tmp")).env("XDG_RUNTIME_DIR", lab.dir.join("tmp"));
    lab.finish(command.current_dir(&lab.dir).uid(user).gid(user))
}

/// Returns a lab whose bundle has a name like ours.
fn lab_of(user: u32) -> Lab {
    let mut lab = Lab::new(Runtime::Ocinit);
    let bundle = lab.dir.join("ocinit-bundle-mine");
    std::fs::rename(&lab.bundle, &bundle).unwrap();
    (lab.rootfs, lab.bundle) = (bundle.join("rootfs"), bundle);
    if user != 0 {
        lab.for_user(user);
    }
    lab.script("exit 0");
    std::fs::create_dir(lab.dir.join("tmp")).unwrap();
    for place in
        [&lab.state, &lab.bundle, &lab.rootfs, &lab.rootfs.join("dev"), &lab.dir.join("tmp")]
    {
        chown(place, Some(user), Some(user)).unwrap();
    }
    chown(&lab.dir, Some(user), Some(user)).unwrap();
    lab
}

#[test]
fn a_bundle_of_the_users_stays_whatever_its_name_is() {
    lab::enter();
    for user in [0, USER] {
        let lab = lab_of(user);
        let program = program(&lab);
        let call = |words: &[&str]| call_as(user, &program, &lab, words);
        let is_there =
            || lab.bundle.join("config.json").exists() && lab.rootfs.join("bin/busybox").exists();
        done(&call(&["run", "-b", "@BUNDLE@", "@ID@"]));
        assert!(is_there(), "run as {user}");
        for delete in [&["delete", "@ID@"][..], &["delete", "-f", "@ID@"]] {
            done(&call(&["create", "-b", "@BUNDLE@", "@ID@"]));
            done(&call(delete));
            assert!(is_there(), "{delete:?} as {user}");
        }
        let said = call(&["run", "-b", "@BUNDLE@", "--pid-file", "/proc/absent/pid", "@ID@"]);
        assert_eq!((said.status, is_there()), (1, true), "{said:?}");
        assert_eq!(std::fs::read_dir(&lab.state).unwrap().count(), 0);
    }
}

/// Returns a process that a state may name, and its start time.
fn victim() -> (Child, String) {
    let child = Command::new("sleep").arg("1000").stdin(Stdio::null()).spawn().unwrap();
    let stat =
        String::from_utf8(read(&Path::new("/proc").join(child.id().to_string()).join("stat")))
            .unwrap();
    let started = stat.rsplit(')').next().unwrap().split_whitespace().nth(19).unwrap().to_string();
    (child, started)
}

/// Returns a directory that a state may name as our bundle, with its device and inode.
fn directory(lab: &Lab) -> (PathBuf, String) {
    let path = lab.dir.join("ocinit-bundle-victim");
    std::fs::create_dir_all(&path).unwrap();
    write(&path.join("letters"), "dear");
    let stat = path.metadata().unwrap();
    let members = format!(r#""bundleDevice":{},"bundleInode":{}"#, stat.dev(), stat.ino());
    (path, members)
}

#[test]
fn what_another_user_may_have_written_is_no_state() {
    lab::enter();
    type Plant = fn(&Path);
    // The owner of each planted state, and whether `delete -f` removes it: only the caller's own.
    let plants: [(&str, Plant, bool); 6] = [
        ("another user's directory", |place| chown(place, Some(USER), None).unwrap(), false),
        (
            "another user's, all of it",
            |place| {
                chown(place.join("state.json"), Some(USER), None).unwrap();
                chown(place, Some(USER), None).unwrap();
            },
            false,
        ),
        (
            "a directory that all may write",
            |place| std::fs::set_permissions(place, PermissionsExt::from_mode(0o777)).unwrap(),
            false,
        ),
        (
            "one that its group may write",
            |place| std::fs::set_permissions(place, PermissionsExt::from_mode(0o771)).unwrap(),
            false,
        ),
        (
            "another user's file",
            |place| chown(place.join("state.json"), Some(USER), None).unwrap(),
            true,
        ),
        (
            "a file that all may write",
            |place| {
                std::fs::set_permissions(place.join("state.json"), PermissionsExt::from_mode(0o666))
                    .unwrap()
            },
            true,
        ),
    ];
    for (what, plant, goes) in plants {
        let lab = Lab::new(Runtime::Ocinit);
        let (bundle, members) = directory(&lab);
        let (mut process, started) = victim();
        let place = lab.state.join(&lab.id);
        std::fs::create_dir(&place).unwrap();
        let state = format!(
            r#"{{"id":"{}","ociVersion":"1.0.2","bundle":"{}","rootfs":"/","cgroup":"","pid":{},"startTime":{started},
                "createdSeconds":1,"createdNanoseconds":0,"owner":0,"rootless":0,"terminal":0,{members}}}"#,
            lab.id,
            bundle.display(),
            process.id(),
        );
        write(&place.join("state.json"), state);
        write(&place.join("config.json"), "{}");
        plant(&place);
        let words: [&[&str]; 8] = [
            &["state", "@ID@"],
            &["kill", "@ID@", "KILL"],
            &["kill", "--all", "@ID@", "KILL"],
            &["ps", "@ID@"],
            &["start", "@ID@"],
            &["delete", "@ID@"],
            &["exec", "@ID@", "true"],
            &["delete", "--force", "@ID@"],
        ];
        for words in words {
            let said = lab.call(words);
            let is_forced = words.contains(&"--force");
            assert!(
                said.err.contains("state is not trusted") || said.err.contains("state.json: "),
                "{what}: {said:?}"
            );
            assert_eq!(said.status == 0, is_forced && goes, "{what}: {words:?}: {said:?}");
            assert!(
                process.try_wait().unwrap().is_none(),
                "{what}: {words:?} killed another's process"
            );
            assert!(
                bundle.join("letters").exists(),
                "{what}: {words:?} removed another's directory"
            );
        }
        assert_eq!(place.exists(), !goes, "{what}");
        let said = lab.call(&["list", "-q"]);
        assert_eq!(said.status, 0, "{what}: the other containers are still listed");
        process.kill().unwrap();
        process.wait().unwrap();
    }
}

/// Renaming in the state's root turns no container into another.
#[test]
fn a_state_under_another_name_is_an_error() {
    lab::enter();
    let lab = lab::running(Runtime::Ocinit);
    std::fs::rename(lab.state.join(&lab.id), lab.state.join("other")).unwrap();
    refused(
        &lab,
        &lab.call(&["kill", "other", "KILL"]),
        "container other: state.json: id: another container's",
    );
    std::fs::rename(lab.state.join("other"), lab.state.join(&lab.id)).unwrap();
    assert_eq!(lab.status(), "running");
}

#[test]
fn a_bundle_that_took_the_place_of_ours_stays() {
    lab::enter();
    let lab = Lab::new(Runtime::Ocinit);
    let place = lab.dir.join("tmp");
    std::fs::create_dir(&place).unwrap();
    let image = support::images::busybox_layout();
    let create = || {
        let words = ["create", "--image", image.to_str().unwrap(), "@ID@"];
        done(&lab.finish(lab.command(&words).env("TMPDIR", &place)));
        std::fs::read_dir(&place).unwrap().next().unwrap().unwrap().path()
    };
    let bundle = create();
    done(&lab.call(&["delete", "@ID@"]));
    assert!(!bundle.exists());
    let bundle = create();
    std::fs::rename(&bundle, lab.dir.join("moved")).unwrap();
    std::fs::create_dir(&bundle).unwrap();
    write(&bundle.join("letters"), "dear");
    let said = lab.call(&["delete", "@ID@"]);
    assert!(
        said.status == 0 && said.err.contains("not the bundle that was made: it stays"),
        "{said:?}"
    );
    assert!(bundle.join("letters").exists() && lab.leftovers().is_empty());
}

/// From its first instruction to its last.
#[test]
fn a_run_of_an_image_that_was_killed_leaves_nothing_that_delete_does_not_remove() {
    lab::enter();
    for user in [0, USER] {
        let lab = lab_of(user);
        let (program, place) = (program(&lab), lab.dir.join("tmp"));
        let image = endless(&lab.dir.join("endless"));
        for round in 0..24_u64 {
            let mut command = Command::new(&program);
            command.arg("--root").arg(&lab.state).args(["run", "--image"]).arg(&image).arg(&lab.id);
            command.env("TMPDIR", &place).current_dir(&lab.dir).uid(user).gid(user);
            let mut child = command
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .expect("run");
            if round == 23 {
                // It certainly unpacks by now.
                let deadline = Instant::now() + Duration::from_secs(20);
                let has_begun = || {
                    let bundle = std::fs::read_dir(&place).unwrap().flatten().next();
                    bundle.is_some_and(|bundle| bundle.path().join("rootfs/zeros").exists())
                };
                while !has_begun() {
                    assert!(
                        Instant::now() < deadline && child.try_wait().unwrap().is_none(),
                        "it unpacks nothing"
                    );
                    std::thread::sleep(Duration::from_millis(1));
                }
            }
            std::thread::sleep(Duration::from_micros(round * 300));
            child.kill().unwrap();
            child.wait().unwrap();
            let call = |words: &[&str]| call_as(user, &program, &lab, words);
            let said = call(&["state", "@ID@"]);
            if round == 23 {
                assert!(said.out.contains("\"status\": \"stopped\""), "{said:?}");
            }
            done(&call(&["list"]));
            done(&call(&["delete", "--force", "@ID@"]));
            for place in [&place, &lab.state] {
                let left: Vec<_> =
                    std::fs::read_dir(place).unwrap().flatten().map(|entry| entry.path()).collect();
                assert_eq!(left, Vec::<PathBuf>::new(), "round {round} as {user}");
            }
        }
    }
}
