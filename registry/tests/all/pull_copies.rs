//! Copies from a registry: what is fetched, how many at once, and what a kill or a full disk leaves.

use crate::driver::{Temporary, bytes};
use crate::ocinit::{command, done, end, fails, names, ocinit, tar};
use crate::real::{image_of, run, sha256};
use crate::server::{MANIFEST_TYPE, Server, reply};
use std::collections::HashMap;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

const LAYERS: usize = 4;

/// An image of several layers: the last is the manifest, and before it the configuration.
fn image() -> Vec<Vec<u8>> {
    let mut blobs: Vec<Vec<u8>> =
        (0..LAYERS).map(|n| [vec![n as u8], bytes(3 << 20)].concat()).collect();
    let list: Vec<String> = blobs
        .iter()
        .map(|blob| {
            let (digest, size) = (sha256(blob), blob.len());
            format!(
                r#"{{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":"{digest}","size":{size}}}"#
            )
        })
        .collect();
    let ids: Vec<String> = blobs.iter().map(|blob| format!("\"{}\"", sha256(blob))).collect();
    let config = format!(
        r#"{{"architecture":"amd64","os":"linux","config":{{}},"rootfs":{{"type":"layers","diff_ids":[{}]}}}}"#,
        ids.join(",")
    );
    let manifest = format!(
        r#"{{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"{}","size":{}}},"layers":[{}]}}"#,
        sha256(config.as_bytes()),
        config.len(),
        list.join(",")
    );
    blobs.extend([config.into_bytes(), manifest.into_bytes()]);
    blobs
}

/// Serves these blobs. Calls `before` with the number of each layer that is asked for.
fn serve(blobs: &[Vec<u8>], before: impl Fn(usize) + Send + Sync + 'static) -> Server {
    let all: HashMap<String, (usize, Vec<u8>)> =
        blobs.iter().enumerate().map(|(n, blob)| (sha256(blob), (n, blob.clone()))).collect();
    let manifest = blobs.last().unwrap().clone();
    Server::http(move |seen, stream| {
        if seen.path.contains("/manifests/") {
            return reply(stream, 200, &[MANIFEST_TYPE], &manifest);
        }
        match all.get(seen.path.rsplit('/').next().unwrap()) {
            Some((n, blob)) => {
                if *n < LAYERS {
                    before(*n);
                }
                reply(stream, 200, &[], blob)
            }
            None => reply(stream, 404, &[], b""),
        }
    })
}

fn copy(server: &Server) -> [String; 4] {
    let name = format!("docker://{}/x:v1", server.host());
    ["copy".into(), "--tls-verify=false".into(), name, "oci:layout:v1".into()]
}

/// Returns the digests of the blobs that were asked for.
fn fetched(server: &Server) -> Vec<String> {
    let blobs = server.seen().into_iter().filter(|seen| seen.path.contains("/blobs/"));
    blobs.map(|seen| seen.path.rsplit('/').next().unwrap().to_string()).collect()
}

#[test]
fn what_the_layout_has_is_not_fetched() {
    let (blobs, files) = (image(), Temporary::new());
    let server = serve(&blobs, |_| ());
    let words = copy(&server);
    let words = words.each_ref().map(|word| &**word);
    // One is there, one is damaged.
    let path = |n: usize| format!("layout/blobs/sha256/{}", &sha256(&blobs[n])[7..]);
    files.write("layout/oci-layout", r#"{"imageLayoutVersion":"1.0.0"}"#);
    files.write("layout/index.json", r#"{"schemaVersion":2,"manifests":[]}"#);
    files.write(&path(1), &blobs[1]);
    files.write(&path(2), vec![0; blobs[2].len()]);
    done(&files, &words);
    let mut found = fetched(&server);
    found.sort();
    let mut wanted: Vec<String> = [0, 2, 3, 4].map(|n| sha256(&blobs[n])).into();
    wanted.sort();
    assert_eq!(found, wanted, "each once, but what is there");
    assert_eq!(std::fs::read(files.0.join(path(2))).unwrap(), blobs[2]);
    // All is there: the configuration and manifest alone say so.
    let before = fetched(&server).len();
    done(&files, &words);
    assert_eq!(fetched(&server)[before..], [sha256(&blobs[LAYERS])]);
}

/// No layer is answered before all of them are asked for.
#[test]
fn several_blobs_come_at_once() {
    let (blobs, files) = (image(), Temporary::new());
    let state = Arc::new((Mutex::new(0), Condvar::new()));
    let server = serve(&blobs, {
        let state = state.clone();
        move |_| {
            let (count, all) = &*state;
            let mut count = count.lock().unwrap();
            *count += 1;
            all.notify_all();
            let wait = Duration::from_secs(10);
            drop(all.wait_timeout_while(count, wait, |count| *count < LAYERS).unwrap());
        }
    });
    let begin = Instant::now();
    done(&files, &copy(&server).each_ref().map(|word| &**word));
    assert!(begin.elapsed() < Duration::from_secs(10), "{:?}", begin.elapsed());
    assert_eq!(*state.0.lock().unwrap(), LAYERS);
    assert_eq!(names(&files.0.join("layout/blobs/sha256")).len(), LAYERS + 2);
}

/// The layout then has what was whole, and its former images; the next copy goes on.
#[test]
fn a_copy_that_is_killed_leaves_a_valid_layout() {
    let (blobs, files) = (image(), Temporary::new());
    let [config, layer, manifest] = &image_of(tar());
    crate::ocinit::layout(&files, "layout", "old", &[config, layer, manifest]);
    let (stall, asked) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicUsize::new(0)));
    let server = serve(&blobs, {
        let (stall, asked) = (stall.clone(), asked.clone());
        move |n| {
            asked.fetch_add(1, Ordering::SeqCst);
            let begin = Instant::now();
            while n == 2 && stall.load(Ordering::SeqCst) && begin.elapsed().as_secs() < 20 {
                std::thread::sleep(Duration::from_millis(10));
            }
        }
    });
    let words = copy(&server);
    let words = words.each_ref().map(|word| &**word);
    let mut child = command(&files, &words).spawn().unwrap();
    let helper = format!("/proc/{0}/task/{0}/children", child.id());
    let second = files.0.join(format!("layout/blobs/sha256/{}", &sha256(&blobs[1])[7..]));
    let begin = Instant::now();
    while !second.exists() {
        assert!(begin.elapsed() < Duration::from_secs(20), "no second layer");
        std::thread::sleep(Duration::from_millis(10));
    }
    let helper = std::fs::read_to_string(helper).unwrap();
    child.kill().unwrap();
    end(child);
    let begin = Instant::now();
    while std::path::Path::new(&format!("/proc/{}", helper.trim())).exists() {
        assert!(begin.elapsed() < Duration::from_secs(5), "the helper outlives it");
        std::thread::sleep(Duration::from_millis(10));
    }
    let verified = done(&files, &["verify", "layout:old"]);
    assert!(verified.contains("images 1"), "{verified}");
    assert!(!fails(&files, &["inspect", "layout:v1"]).is_empty());
    stall.store(false, Ordering::SeqCst);
    let before = fetched(&server).len();
    done(&files, &words);
    let mut again = fetched(&server)[before..].to_vec();
    again.sort();
    let mut wanted: Vec<String> = [2, 3, 4].map(|n| sha256(&blobs[n])).into();
    wanted.sort();
    assert_eq!(again, wanted, "the two that were whole are not fetched again");
    let directory = names(&files.0.join("layout"));
    assert_eq!(directory, ["blobs", "index.json", "oci-layout"], "no partial file");
}

/// A file system of 4 MiB in a namespace of the test's own; needs user namespaces.
#[test]
fn a_full_disk_leaves_nothing() {
    let files = Temporary::new();
    let [config, layer, manifest] = &image_of([tar(), bytes(1 << 20)].concat());
    let all = [config.clone(), layer.clone(), manifest.clone()];
    let server = Server::http(move |seen, stream| {
        if seen.path.contains("/manifests/") {
            return reply(stream, 200, &[MANIFEST_TYPE], &all[2]);
        }
        let blob = all.iter().find(|blob| seen.path.ends_with(&sha256(blob)));
        blob.is_some_and(|blob| reply(stream, 200, &[], blob))
    });
    std::fs::create_dir(files.0.join("disk")).unwrap();
    for (command, target) in [("copy", "oci:disk/layout:v1"), ("unpack", "disk/root")] {
        let script = format!(
            "mount -t tmpfs -o size=4m none disk && {} {command} --tls-verify=false docker://{}/x {target}; \
             echo $?; ls -A disk",
            ocinit().display(),
            server.host()
        );
        let output = Command::new("unshare")
            .args(["--user", "--map-root-user", "--mount", "sh", "-c", &script])
            .current_dir(&files.0)
            .env("HOME", &files.0)
            .output()
            .unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(error.contains("no space left") && error.lines().count() == 1, "{error}");
        assert_eq!(String::from_utf8(output.stdout).unwrap(), "125\n", "{command}: {error}");
    }
}

/// The article that this project began with, without skopeo and umoci; needs root.
#[test]
fn the_article_in_three_commands() {
    if run(Command::new("id").arg("-u")).trim() != "0" {
        eprintln!("not root: not tested");
        return;
    }
    let files = Temporary::new();
    let registry = crate::real::registry(Temporary::new(), "");
    let [config, layer, manifest] = &image_of(tar());
    let made = crate::ocinit::layout(&files, "made", "latest", &[config, layer, manifest]);
    let host = &registry.host;
    crate::real::skopeo(&[
        "copy",
        "-q",
        "--dest-tls-verify=false",
        &format!("oci:{}:latest", made.display()),
        &format!("docker://{host}/library/busybox:latest"),
    ]);
    let name = format!("docker://{host}/library/busybox");
    done(&files, &["copy", "--tls-verify=false", &name, "oci:busybox-oci:latest"]);
    let more = ["bundle", "busybox-oci:latest", "busybox-bundle"];
    done(&files, &more);
    // What the container executes is the image's own; a terminal is not there.
    let config = files.0.join("busybox-bundle/config.json");
    let text = std::fs::read_to_string(&config).unwrap();
    let begin = text.find("\"args\"").unwrap();
    let close = begin + text[begin..].find(']').unwrap();
    let text =
        format!("{}\"args\":[\"/bin/ocinit\",\"--version\"{}", &text[..begin], &text[close..]);
    std::fs::write(&config, text).unwrap();
    let id = format!("article-{}", std::process::id());
    let root = format!("--root={}", files.0.join("state").display());
    let words = ["--cgroup-manager=disabled", &root, "run", "--bundle=busybox-bundle", &id];
    let said = done(&files, &words);
    assert!(said.starts_with("ocinit version"), "{said}");
}
