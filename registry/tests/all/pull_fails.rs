//! Servers and helpers that lie, and signals in the middle: one line, and nothing stays.

use crate::driver::{Temporary, program};
use crate::ocinit::{command, end, fails, names, ocinit, tar};
use crate::real::{image_of, sha256};
use crate::server::{MANIFEST_TYPE, Server, Stream, raw, reply};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::process::Command;
use std::time::{Duration, Instant};

/// Answers the request of the layer in its own way. None: as it is.
type Layer = fn(&mut dyn Stream, &[u8]) -> bool;

/// A server of http with one image, whose layer is answered by `layer`.
fn server(layer: Layer) -> Server {
    let [config, blob, manifest] = image_of(tar());
    Server::http(move |seen, stream| {
        let path = &*seen.path;
        if path.contains("/manifests/") {
            return reply(stream, 200, &[MANIFEST_TYPE], &manifest);
        }
        if path.ends_with(&sha256(&config)) {
            return reply(stream, 200, &[], &config);
        }
        if path.ends_with(&sha256(&blob)) {
            layer(stream, &blob)
        } else {
            reply(stream, 404, &[], b"")
        }
    })
}

/// Returns the words for unpacking the server's image to `root`.
fn unpack(server: &Server) -> [String; 4] {
    let name = format!("docker://{}/x", server.host());
    ["unpack".into(), "--tls-verify=false".into(), name, "root".into()]
}

fn line_of(layer: Layer) -> String {
    let (server, files) = (server(layer), Temporary::new());
    let words = unpack(&server);
    let line = fails(&files, &words.each_ref().map(|word| &**word));
    assert_eq!(names(&files.0), [""; 0], "{line}");
    // A copy leaves no layout either.
    let name = &words[2];
    let second = fails(&files, &["copy", "--tls-verify=false", name, "oci:layout:v1"]);
    assert_eq!(names(&files.0), [""; 0], "{second}");
    line
}

#[test]
fn a_layer_of_another_digest() {
    let line = line_of(|stream, blob| {
        let mut blob = blob.to_vec();
        let middle = blob.len() / 2;
        blob[middle] ^= 1;
        reply(stream, 200, &[], &blob)
    });
    assert!(line.contains("digest mismatch"), "{line}");
}

#[test]
fn a_layer_that_is_too_long_or_too_short() {
    let line = line_of(|stream, blob| reply(stream, 200, &[], &[blob, b"x"].concat()));
    assert!(line.contains("bytes"), "{line}");
    let line = line_of(|stream, blob| reply(stream, 200, &[], &blob[..blob.len() - 1]));
    assert!(line.contains("bytes"), "{line}");
}

#[test]
fn a_layer_that_is_cut_again_and_again() {
    let line = line_of(|stream, blob| {
        let head = format!("HTTP/1.1 200 X\r\nContent-Length: {}\r\n\r\n", blob.len());
        raw(stream, [head.as_bytes(), &blob[..1000]].concat())
    });
    assert!(line.contains("was cut"), "{line}");
}

#[test]
fn a_layer_that_is_not_there() {
    let line = line_of(|stream, _| reply(stream, 404, &[], b""));
    assert!(line.contains("not there"), "{line}");
}

#[test]
fn a_manifest_that_is_none() {
    for (body, wanted) in [
        (&b"<html>log in</html>"[..], "web page"),
        (b"{}", "manifest"),
        (b"{\"schemaVersion\":2,\"manifests\":[],\"layers\":[]}", "manifest"),
        (b"", "web page"),
    ] {
        let server = Server::http(move |_, stream| {
            reply(stream, 200, &["Content-Type: text/html; charset=utf-8"], body)
        });
        let files = Temporary::new();
        let words = unpack(&server);
        let line = fails(&files, &words.each_ref().map(|word| &**word));
        assert!(line.contains(wanted), "{line}");
        assert_eq!(names(&files.0), [""; 0]);
    }
    // Longer than a document may be.
    let server = Server::http(|_, stream| reply(stream, 200, &[MANIFEST_TYPE], &[b' '; 5 << 20]));
    let files = Temporary::new();
    let words = unpack(&server);
    let line = fails(&files, &words.each_ref().map(|word| &**word));
    assert!(line.contains("more than 4 MiB"), "{line}");
    // Another manifest than the digest names.
    let server = server_of_another();
    let name = format!("docker://{}/x@sha256:{}", server.host(), "a".repeat(64));
    let line = fails(&files, &["verify", "--tls-verify=false", &name]);
    assert!(line.contains("mismatch"), "{line}");
}

fn server_of_another() -> Server {
    let [_, _, manifest] = image_of(tar());
    Server::http(move |_, stream| reply(stream, 200, &[MANIFEST_TYPE], &manifest))
}

/// A blob that stands still in its middle, and SIGTERM: it ends at once by that signal, and takes
/// its helper and all that it made along.
#[test]
fn a_signal_in_the_middle_leaves_nothing() {
    let server = server(|stream, blob| {
        let head = format!("HTTP/1.1 200 X\r\nContent-Length: {}\r\n\r\n", blob.len());
        let _ = stream.write_all(&[head.as_bytes(), &blob[..100_000]].concat());
        std::thread::sleep(Duration::from_secs(20));
        false
    });
    let files = Temporary::new();
    let words = unpack(&server);
    let child = command(&files, &words.each_ref().map(|word| &**word)).spawn().unwrap();
    let pid = child.id() as i32;
    let begin = Instant::now();
    while !server.seen().iter().any(|seen| seen.path.contains("/blobs/") && seen.number >= 2) {
        assert!(begin.elapsed() < Duration::from_secs(20), "it does not ask for the layer");
        std::thread::sleep(Duration::from_millis(10));
    }
    std::thread::sleep(Duration::from_millis(300));
    let helper = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
    assert!(!helper.trim().is_empty(), "it has a helper");
    let sent = Instant::now();
    // SAFETY: no memory is passed; the child is not yet collected.
    unsafe { libc::kill(pid, libc::SIGTERM) };
    let output = end(child);
    assert!(sent.elapsed() < Duration::from_secs(5), "{:?}", sent.elapsed());
    assert_eq!(output.status.signal(), Some(libc::SIGTERM), "{output:?}");
    assert_eq!(names(&files.0), [""; 0]);
    assert!(!std::path::Path::new(&format!("/proc/{}", helper.trim())).exists());
}

/// A program in the helper's place: ends, says nothing, says garbage.
#[test]
fn a_helper_that_is_none() {
    let server = server_of_another();
    for (script, wanted) in [
        ("exit 3", "has ended too early"),
        (
            "python3 -c 'import socket; socket.socket(fileno=3).send(b\"garbage\")'; sleep 5",
            "protocol",
        ),
        (
            "python3 -c 'import socket; socket.socket(fileno=3).send(b\"x\" * 5000)'; sleep 5",
            "protocol",
        ),
    ] {
        let files = Temporary::new();
        let bin = files.0.join("bin");
        std::fs::create_dir(&bin).unwrap();
        std::fs::copy(ocinit(), bin.join("ocinit")).unwrap();
        let helper = files.write("bin/ocinit-registry", format!("#!/bin/sh\n{script}\n"));
        std::fs::set_permissions(&helper, std::fs::Permissions::from_mode(0o755)).unwrap();
        let name = format!("docker://{}/x", server.host());
        let output = Command::new(bin.join("ocinit"))
            .args(["unpack", &name, "root"])
            .current_dir(&files.0)
            .output()
            .unwrap();
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(125), "{error}");
        assert!(error.contains(wanted) && error.lines().count() == 1, "{error}");
        assert_eq!(names(&files.0), ["bin"]);
        std::fs::remove_file(&helper).unwrap();
        let output = Command::new(bin.join("ocinit"))
            .args(["unpack", &name, "root"])
            .current_dir(&files.0)
            .env("PATH", "/nowhere:relative")
            .output()
            .unwrap();
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(error.contains("neither beside ocinit nor on PATH"), "{error}");
    }
    // On PATH.
    let files = Temporary::new();
    let bin = files.0.join("bin");
    std::fs::create_dir(&bin).unwrap();
    std::fs::copy(ocinit(), bin.join("ocinit")).unwrap();
    let output = Command::new(bin.join("ocinit"))
        .args(["inspect", "--tls-verify=false", &format!("docker://{}/x", server.host())])
        .env("PATH", program().parent().unwrap())
        .output()
        .unwrap();
    // The server answers each request with the manifest, so the configuration is none.
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(error.contains("config"), "{error}");
}
