//! Images as the tools of this field write them: umoci, buildah, skopeo.

use std::path::Path;
use std::process::Command;

use crate::support::images::busybox_layout;
use crate::support::{Boot, scratch, tool, write};

/// A copy of the busybox layout that a tool may change.
fn copy(directory: &Path) -> String {
    let layout = directory.join("layout");
    tool(Command::new("cp").arg("-r").arg(busybox_layout()).arg(&layout));
    layout.to_str().expect("UTF-8").to_string()
}

/// Layers, a whiteout and an opaque directory by `umoci insert`, the configuration by `umoci
/// config`.
#[test]
fn umoci() {
    let directory = scratch("tools-umoci");
    let image = format!("{}:latest", copy(&directory));
    let content = directory.join("content");
    std::fs::create_dir_all(content.join("inner")).expect("content");
    write(&content.join("inner/one"), "one\n");
    write(&content.join("two"), "two\n");
    let insert = |words: &[&str]| {
        tool(Command::new("umoci").args(["insert", "--image", &image]).args(words))
    };
    let content = content.to_str().expect("UTF-8");
    insert(&[content, "/srv"]);
    insert(&["--whiteout", "/srv/inner/one"]);
    insert(&["--opaque", content, "/tmp"]);
    let mut config = Command::new("umoci");
    config.args([
        "config",
        "--image",
        &image,
        "--config.entrypoint",
        "/bin/sh",
        "--config.entrypoint",
        "-c",
    ]);
    config.args([
        "--config.cmd",
        "find /srv /tmp | sort; cat /srv/two; pwd; id -u; echo $X",
        "--config.workingdir",
        "/srv",
    ]);
    tool(config.args(["--config.user", "1000:1000", "--config.env", "X=y z", "--tag", "changed"]));

    let outcome = Boot::new(image.replace(":latest", ":changed")).run();
    let found = "/srv\n/srv/inner\n/srv/two\n/tmp\n/tmp/inner\n/tmp/inner/one\n/tmp/two\n";
    outcome.expect_status(0).expect_stdout(&format!("{found}two\n/srv\n1000\ny z\n"));
}

/// A container committed on top of ours, by containers/storage.
#[test]
fn buildah() {
    let directory = scratch("tools-buildah");
    let layout = copy(&directory);
    let policy = directory.join("policy.json");
    write(&policy, r#"{"default":[{"type":"insecureAcceptAnything"}]}"#);
    let policy = ["--signature-policy", policy.to_str().expect("UTF-8")];
    write(&directory.join("file"), "from buildah\n");
    let run = |words: &[&str]| {
        let mut command = Command::new("buildah");
        command
            .arg("--root")
            .arg(directory.join("store"))
            .arg("--runroot")
            .arg(directory.join("run"));
        let said = tool(command.args(["--storage-driver", "vfs"]).args(words));
        String::from_utf8(said).expect("text").trim_end().to_string()
    };
    let container = run(&["from", "-q", policy[0], policy[1], &format!("oci:{layout}:latest")]);
    run(&[
        "copy",
        "-q",
        "--chown",
        "1000:2000",
        &container,
        directory.join("file").to_str().expect("UTF-8"),
        "/made/here/",
    ]);
    run(&[
        "config",
        "--cmd",
        r#"["sh","-c","cat file; stat -c %u:%g file; hostname"]"#,
        &container,
    ]);
    run(&[
        "config",
        "--workingdir",
        "/made/here",
        "--label",
        "a=b",
        "--env",
        "PATH=/bin",
        &container,
    ]);
    let made = directory.join("made");
    run(&[
        "commit",
        "-q",
        "--format",
        "oci",
        policy[0],
        policy[1],
        &container,
        &format!("oci:{}:it", made.display()),
    ]);

    let outcome = Boot::new(&made).append("ocinit.hostname=vm").run();
    outcome.expect_status(0).expect_stdout("from buildah\n1000:2000\nvm\n");
}

/// Copied by skopeo from an archive to a layout: repacked, retagged, put beside another.
#[test]
fn skopeo() {
    let directory = scratch("tools-skopeo");
    let policy = directory.join("policy.json");
    write(&policy, r#"{"default":[{"type":"insecureAcceptAnything"}]}"#);
    let copy = |from: &str, to: &str| {
        tool(Command::new("skopeo").arg("--policy").arg(&policy).args([
            "copy",
            "-q",
            "--dest-compress",
            from,
            to,
        ]));
    };
    let (archive, layout) = (directory.join("it.tar"), directory.join("layout"));
    copy(
        &format!("oci:{}:latest", busybox_layout().display()),
        &format!("oci-archive:{}:a/b:c", archive.display()),
    );
    for tag in ["first", "second"] {
        copy(
            &format!("oci-archive:{}:a/b:c", archive.display()),
            &format!("oci:{}:{tag}", layout.display()),
        );
    }
    let mut image = layout.into_os_string();
    image.push(":second");
    Boot::new(image).arguments(["echo", "copied"]).run().expect_status(0).expect_stdout("copied\n");
    // An archive's tag may hold colons and slashes.
    let mut image = archive.into_os_string();
    image.push(":a/b:c");
    Boot::new(image)
        .arguments(["echo", "archived"])
        .run()
        .expect_status(0)
        .expect_stdout("archived\n");
}
