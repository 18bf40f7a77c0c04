//! Every command that reads an image, from docker-registry with TLS and a password.

use crate::certificates::directory;
use crate::driver::Temporary;
use crate::ocinit::{done, fails, layout, names, tar};
use crate::real::{Registry, image_of, registry, run, sha256, skopeo};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::process::Command;

/// A registry with a password, and the words that give ocinit the password and the CA.
fn locked() -> (Registry, Vec<String>) {
    let files = Temporary::new();
    let line = run(Command::new("htpasswd").args(["-nbB", "me", "sec:ret"]));
    let file = files.write("htpasswd", line);
    let auth = format!("auth: {{htpasswd: {{realm: x, path: {}}}}}\n", file.display());
    let registry = registry(files, &auth);
    let entry = STANDARD.encode("me:sec:ret");
    let text = format!(r#"{{"auths":{{"{}":{{"auth":"{entry}"}}}}}}"#, registry.host);
    let file = registry.files.write("auth.json", text);
    let cas = directory().join("cas");
    let words =
        vec![format!("--authfile={}", file.display()), format!("--cert-dir={}", cas.display())];
    (registry, words)
}

/// Pushes a layout's image by skopeo.
fn push(registry: &Registry, layout: &std::path::Path, name: &str, more: &[&str]) {
    let (source, target) =
        (format!("oci:{}:v1", layout.display()), format!("docker://{}/{name}", registry.host));
    let file = registry.files.0.join("auth.json");
    let cas = directory().join("cas");
    let mut words = vec!["copy", "-q", "--dest-authfile", file.to_str().unwrap()];
    words.extend(["--dest-cert-dir", cas.to_str().unwrap()]);
    words.extend(more);
    words.extend([&*source, &*target]);
    skopeo(&words);
}

#[test]
fn every_command_reads_it() {
    let (registry, options) = locked();
    let image = image_of(tar());
    let [config, layer, manifest] = &image;
    let files = Temporary::new();
    let made = layout(&files, "made", "v1", &[config, layer, manifest]);
    push(&registry, &made, "team/x:v1", &[]);
    let name = format!("docker://{}/team/x:v1", registry.host);
    let pinned = format!("docker://{}/team/x@{}", registry.host, sha256(manifest));
    let with = |words: &[&'static str]| -> Vec<String> {
        let (command, rest) = words.split_first().unwrap();
        let words = [*command].into_iter().map(String::from).chain(options.iter().cloned());
        words.chain(rest.iter().map(|word| word.to_string())).collect()
    };
    let say = |words: Vec<String>| {
        let words: Vec<&str> = words.iter().map(|word| &**word).collect();
        done(&files, &words)
    };
    for name in [&name, &pinned] {
        let leaked: &'static str = name.clone().leak();
        let shown = say(with(&["inspect", "--format=json", leaked]));
        assert!(shown.contains(&sha256(manifest)) && shown.contains(&sha256(config)), "{shown}");
        let verified = say(with(&["verify", leaked]));
        assert!(verified.contains("images 1, blobs 3"), "{verified}");
    }
    let name: &'static str = name.leak();
    let listed = say(with(&["list-files", name]));
    assert!(listed.contains("etc/name"), "{listed}");
    // The same tree as from a layout.
    say(with(&["unpack", name, "root"]));
    done(&files, &["unpack", "made:v1", "same"]);
    run(Command::new("diff")
        .args(["-r", "--no-dereference", "root", "same"])
        .current_dir(&files.0));
    // The same blobs as skopeo's.
    say(with(&["copy", name, "oci:copied:v2"]));
    let blobs = files.0.join("copied/blobs/sha256");
    let mut wanted: Vec<String> = image.iter().map(|it| sha256(it)[7..].to_string()).collect();
    wanted.sort();
    assert_eq!(names(&blobs), wanted);
    for content in &image {
        assert_eq!(&std::fs::read(blobs.join(&sha256(content)[7..])).unwrap(), content);
    }
    assert!(done(&files, &["inspect", "copied:v2"]).contains(&sha256(manifest)));
    let seen = run(Command::new("skopeo")
        .args(["inspect", "--format", "{{.Digest}}", "oci:copied:v2"])
        .current_dir(&files.0));
    assert_eq!(seen.trim(), sha256(manifest));
    run(Command::new("umoci")
        .args(["unpack", "--image", "copied:v2", "by-umoci"])
        .current_dir(&files.0));
    let link = files.0.join("by-umoci/rootfs/etc/link");
    assert_eq!(std::fs::read_to_string(link).unwrap(), "door\n");
    // Without a tag the copy has that of the registry, and an archive is one more target.
    say(with(&["copy", name, "oci-archive:one.tar"]));
    assert!(done(&files, &["verify", "one.tar:v1"]).contains("blobs 3"));
    say(with(&["copy", name, "docker-archive:two.tar"]));
    assert!(done(&files, &["verify", "two.tar"]).contains("images 1"));
    say(with(&["bundle", name, "bundle"]));
    assert_eq!(names(&files.0.join("bundle")), ["config.json", "rootfs"]);
    // Where there is no password, it is a fault of rights and not of names.
    let line = fails(&files, &["inspect", &options[1], name]);
    assert!(line.contains("UNAUTHORIZED"), "{line}");
    let other: &'static str = format!("docker://{}/team/none", registry.host).leak();
    let words = with(&["inspect", other]);
    let words: Vec<&str> = words.iter().map(|word| &**word).collect();
    let line = fails(&files, &words);
    assert!(line.contains("not there") && line.contains("team/none"), "{line}");
    let line = fails(&files, &["unpack", name, "never"]);
    assert!(line.contains("certificate"), "{line}");
    assert!(!files.0.join("never").exists());
}

/// A container from the registry to its exit status; needs root.
#[test]
fn a_container_runs_from_it() {
    if run(Command::new("id").arg("-u")).trim() != "0" {
        eprintln!("not root: not tested");
        return;
    }
    let (registry, options) = locked();
    let [config, layer, manifest] = &image_of(tar());
    let files = Temporary::new();
    let made = layout(&files, "made", "v1", &[config, layer, manifest]);
    push(&registry, &made, "team/x:v1", &[]);
    let name = format!("docker://{}/team/x:v1", registry.host);
    let id = format!("door-{}", std::process::id());
    let root = format!("--root={}", files.0.join("state").display());
    let words = ["--cgroup-manager=disabled", &root, "run", &options[0], &options[1], "--image"];
    let mut words = words.to_vec();
    words.extend([&*name, &*id, "/bin/ocinit", "--version"]);
    let said = done(&files, &words);
    assert!(said.starts_with("ocinit version"), "{said}");
}

#[test]
fn of_an_index_the_platform_is_taken_or_all() {
    let (registry, options) = locked();
    let files = Temporary::new();
    let [config, layer, manifest] = image_of(tar());
    let text = String::from_utf8(config.clone()).unwrap();
    let other_config = text.replace("amd64", "s390x").into_bytes();
    let other = String::from_utf8(manifest.clone()).unwrap();
    let other = other.replace(&sha256(&config), &sha256(&other_config)).into_bytes();
    let entry = |manifest: &[u8], architecture: &str| {
        format!(
            r#"{{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"{}","size":{},"platform":{{"os":"linux","architecture":"{architecture}"}}}}"#,
            sha256(manifest),
            manifest.len()
        )
    };
    let index = format!(
        r#"{{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[{},{}]}}"#,
        entry(&other, "s390x"),
        entry(&manifest, "amd64")
    );
    let blobs = [&config[..], &other_config, &layer, &manifest, &other, index.as_bytes()];
    let made = layout(&files, "made", "v1", &blobs);
    push(&registry, &made, "team/many:v1", &["--all"]);
    let name = format!("docker://{}/team/many:v1", registry.host);
    let [auth, ca] = &options[..] else { panic!() };
    done(&files, &["copy", auth, ca, &name, "oci:mine:v1"]);
    assert_eq!(names(&files.0.join("mine/blobs/sha256")).len(), 3);
    done(&files, &["copy", auth, ca, "--platform=linux/s390x", &name, "oci:its:v1"]);
    assert!(files.0.join("its/blobs/sha256").join(&sha256(&other)[7..]).exists());
    done(&files, &["copy", auth, ca, "--all", &name, "oci:all:v1"]);
    assert_eq!(names(&files.0.join("all/blobs/sha256")).len(), 6);
    let verified = done(&files, &["verify", auth, ca, &name]);
    assert!(verified.contains("images 2"), "{verified}");
    let line = fails(&files, &["unpack", auth, ca, "--platform=linux/arm64", &name, "root"]);
    assert!(line.contains("linux/s390x") && line.contains("linux/amd64"), "{line}");
    assert!(!files.0.join("root").exists());
    // The wanted digest is that of a manifest below.
    let pinned = format!("docker://{}/team/many@{}", registry.host, sha256(&manifest));
    done(&files, &["unpack", auth, ca, &pinned, "root"]);
    assert!(files.0.join("root/etc/name").exists());
}
