//! ocinit itself, with the helper beside it.

use crate::driver::{Temporary, program};
use crate::real::run;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// A start of ocinit takes no longer, whatever the server does.
const DEADLINE: Duration = Duration::from_secs(60);

/// The program: `OCINIT`, or the one that cargo built beside the helper.
pub fn ocinit() -> PathBuf {
    let beside = || program().with_file_name("ocinit");
    let path = std::env::var_os("OCINIT").map_or_else(beside, PathBuf::from);
    assert!(path.exists(), "{}: cargo build makes it", path.display());
    path
}

/// A command of ocinit, in this directory.
pub fn command(files: &Temporary, words: &[&str]) -> Command {
    let mut command = Command::new(ocinit());
    command.args(words).current_dir(&files.0).env("HOME", &files.0);
    command.env_remove("XDG_RUNTIME_DIR").env_remove("REGISTRY_AUTH_FILE");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Waits for its end, which must come.
pub fn end(mut child: Child) -> Output {
    let begin = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if begin.elapsed() > DEADLINE {
            let _ = child.kill();
            panic!("it does not end");
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    child.wait_with_output().unwrap()
}

/// Runs a command that succeeds. Returns its standard output.
pub fn done(files: &Temporary, words: &[&str]) -> String {
    let output = end(command(files, words).spawn().unwrap());
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{words:?}: {error}");
    String::from_utf8(output.stdout).unwrap()
}

/// Runs a command that fails with status 125. Returns its one line, which notes of further tries
/// may precede.
pub fn fails(files: &Temporary, words: &[&str]) -> String {
    let output = end(command(files, words).spawn().unwrap());
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(125), "{words:?}: {error}");
    let is_note = |line: &&str| line.contains("; trying again in ");
    let lines = error.split_inclusive('\n').filter(|line| !is_note(line)).collect::<String>();
    let line = lines.strip_prefix("ocinit: ").and_then(|line| line.strip_suffix('\n'));
    let line = line.unwrap_or_else(|| panic!("{words:?}: {error}"));
    assert!(!line.contains('\n'), "{words:?}: {error}");
    line.to_string()
}

/// Returns the names in a directory, sorted.
pub fn names(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// The tar of a directory with `/bin/ocinit`, which is static, and some files.
pub fn tar() -> Vec<u8> {
    let files = Temporary::new();
    let root = files.0.join("root");
    files.write("root/etc/name", "door\n");
    files.write("root/usr/share/large", crate::driver::bytes(5 << 20));
    std::fs::create_dir(root.join("bin")).unwrap();
    std::fs::copy(ocinit(), root.join("bin/ocinit")).unwrap();
    std::os::unix::fs::symlink("name", root.join("etc/link")).unwrap();
    run(Command::new("tar")
        .args(["--sort=name", "--mtime=@0", "--owner=0", "--group=0", "--numeric-owner"])
        .args(["-cf", "layer.tar", "-C", "root", "."])
        .current_dir(&files.0));
    std::fs::read(files.0.join("layer.tar")).unwrap()
}

/// Makes a layout of these blobs, whose last is the manifest or index with this tag.
pub fn layout(files: &Temporary, name: &str, tag: &str, blobs: &[&[u8]]) -> PathBuf {
    for blob in blobs {
        files.write(&format!("{name}/blobs/sha256/{}", &crate::real::sha256(blob)[7..]), blob);
    }
    files.write(&format!("{name}/oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#);
    let top = blobs.last().unwrap();
    let kind = if top.windows(11).any(|at| at == b"\"manifests\"") { "index" } else { "manifest" };
    let index = format!(
        r#"{{"schemaVersion":2,"manifests":[{{"mediaType":"application/vnd.oci.image.{kind}.v1+json","digest":"{}","size":{},"annotations":{{"org.opencontainers.image.ref.name":"{tag}"}}}}]}}"#,
        crate::real::sha256(top),
        top.len()
    );
    files.write(&format!("{name}/index.json"), index);
    files.0.join(name)
}
