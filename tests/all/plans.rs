//! The output of `--dry-run` for the configs of real clients, without root; it makes nothing.
//! `OCINIT_WRITE=1` writes the files in plans/ anew.

use crate::support::images::busybox_layout;
use crate::support::{Boot, ocinit, scratch};
use std::path::Path;
use std::process::{Command, Output};

const CONFIGS: [&str; 5] = ["buildah", "crun", "docker", "runc", "runc-rootless"];

/// A config whose root is the bundle's own `rootfs`.
fn with_own_root(config: &str) -> String {
    let root = config.find("\"root\"").expect("a root");
    let path = root + config[root..].find("\"path\"").expect("a path") + "\"path\"".len();
    let start = path + config[path..].find('"').expect("a text") + 1;
    let end = start + config[start..].find('"').expect("its end");
    format!("{}rootfs{}", &config[..start], &config[end..])
}

fn bundle(name: &str, config: &str) -> std::path::PathBuf {
    let bundle = scratch(&format!("plan-{name}"));
    let root = bundle.join("rootfs");
    std::fs::create_dir(&root).unwrap();
    // docker's namespace is not here: any other file is not the caller's namespace.
    let config = config.replace("/var/run/docker/netns/4f6bd1f0a0b8", root.to_str().unwrap());
    std::fs::write(bundle.join("config.json"), config).unwrap();
    bundle
}

fn plan(bundle: &Path, command: &str, more: &[&str]) -> Output {
    Command::new(ocinit())
        .arg("--root")
        .arg(bundle.join("state"))
        .args(["--cgroup-manager", "disabled", command, "--dry-run", "--bundle"])
        .arg(bundle)
        .args(more)
        .arg("one")
        .output()
        .unwrap()
}

fn text(bundle: &Path, command: &str, more: &[&str]) -> String {
    let out = plan(bundle, command, more);
    let said = String::from_utf8(out.stderr).unwrap();
    assert!(out.status.success(), "{said}");
    let text = String::from_utf8(out.stdout).unwrap();
    text.replace(bundle.to_str().unwrap(), "BUNDLE")
}

fn compare(name: &str, said: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/all/plans/{name}.txt"));
    if std::env::var_os("OCINIT_WRITE").is_some() {
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, said).unwrap();
    }
    let kept = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(kept == said, "{}: OCINIT_WRITE=1 writes it anew:\n{said}", file.display());
}

fn config_of(name: &str) -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/configs/{name}.json"));
    with_own_root(&std::fs::read_to_string(file).unwrap())
}

#[test]
fn the_configs_of_real_clients_have_these_plans() {
    for name in CONFIGS {
        let bundle = bundle(name, &config_of(name));
        compare(name, &text(&bundle, "run", &[]));
    }
}

#[test]
fn the_bundle_of_the_article_has_this_plan() {
    let bundle = bundle("article", "");
    std::fs::remove_file(bundle.join("config.json")).unwrap();
    let made = Command::new(ocinit()).arg("spec").arg("--bundle").arg(&bundle).status().unwrap();
    assert!(made.success());
    compare("article", &text(&bundle, "create", &[]));
    compare("article-json", &text(&bundle, "create", &["--format", "json"]));
}

#[test]
fn a_dry_run_makes_nothing_and_finds_what_is_wrong() {
    let bundle = bundle("nothing", &config_of("runc"));
    let before = names(&bundle);
    text(&bundle, "run", &[]);
    assert_eq!(names(&bundle), before, "no state, no file");
    std::fs::remove_dir(bundle.join("rootfs")).unwrap();
    let out = plan(&bundle, "run", &[]);
    let said = String::from_utf8(out.stderr).unwrap();
    assert!(!out.status.success() && said.contains("root.path"), "{said}");
    assert!(out.stdout.is_empty());
}

#[test]
fn a_plan_without_a_cgroup_says_so() {
    let bundle = bundle("no-cgroup", &config_of("runc"));
    let said = text(&bundle, "run", &[]);
    let line = "cgroup the caller's, without limits and device rules";
    assert_eq!(said.lines().filter(|one| *one == line).count(), 1, "{said}");
    let json = text(&bundle, "create", &["--format", "json"]);
    assert!(json.contains("\n  \"cgroup\": null,\n"), "{json}");
}

#[test]
fn a_format_without_a_dry_run_starts_nothing() {
    let bundle = bundle("format", &config_of("runc"));
    for command in ["run", "create"] {
        let out = Command::new(ocinit())
            .arg("--root")
            .arg(bundle.join("state"))
            .args([command, "--format", "json", "--bundle"])
            .arg(&bundle)
            .arg("one")
            .output()
            .unwrap();
        let said = String::from_utf8(out.stderr).unwrap();
        assert_eq!(
            (out.status.code(), said.trim_end()),
            (Some(1), "ocinit: --format is for --dry-run")
        );
        assert!(!bundle.join("state/one").exists());
    }
}

/// The plan without what depends on the busybox that is installed, and on the caller's limits.
fn without_sizes(text: &str) -> String {
    let line = |line: &str| match line.split(' ').next() {
        Some("image") => "image sha256:DIGEST, 1 layers, N bytes: unpacked to the root".to_string(),
        Some("rlimits") => "rlimits as far as the caller may".to_string(),
        _ => line.to_string(),
    };
    text.lines().map(|text| line(text) + "\n").collect()
}

#[test]
fn an_image_that_stays_packed_has_this_plan() {
    let place = scratch("plan-image");
    let out = Command::new(ocinit())
        .env("TMPDIR", &place)
        .arg("--root")
        .arg(place.join("state"))
        .args(["--cgroup-manager", "disabled", "run", "--dry-run", "--image"])
        .arg(busybox_layout())
        .args(["one", "echo", "hello"])
        .output()
        .unwrap();
    let said = String::from_utf8(out.stderr).unwrap();
    assert!(out.status.success(), "{said}");
    let text = String::from_utf8(out.stdout).unwrap().replace(place.to_str().unwrap(), "PLACE");
    compare("image", &without_sizes(&text));
    assert!(names(&place).is_empty(), "no state, no bundle");
}

fn names(directory: &Path) -> Vec<std::ffi::OsString> {
    let entries = std::fs::read_dir(directory).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    names
}

#[test]
fn pid_1_prints_its_plan_and_goes_off() {
    let boot = || Boot::new(busybox_layout()).arguments(["echo", "EXECUTED"]);
    let outcome = boot().append("ocinit.dry-run=on").run();
    compare("machine", &without_sizes(&outcome.expect_status(0).text()));
    let outcome = boot().append("ocinit.dry-run=json ocinit.memory=64M").run();
    let json = outcome.expect_status(0).text();
    assert!(json.starts_with('{') && json.ends_with("}\n"), "{json}");
    assert!(json.contains("\"planVersion\": 1") && json.contains("\"memory.max\""), "{json}");
}
