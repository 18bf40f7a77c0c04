//! Pushes, against servers of the test's own.

use crate::driver::{BLOB, Helper, Said, bytes};
use crate::server::{Seen, Server, Stream, reply};
use ocinit_registry::transport::{Class, Request};

fn upload(helper: &mut Helper, body: &[u8], length: u64, from: &'static str) -> Said {
    let (host, repository, digest) = (0, &b"team/x"[..], BLOB.as_bytes());
    let mount_from = from.as_bytes();
    helper.write(body, |id| Request::Upload { id, host, repository, digest, length, mount_from })
}

#[test]
fn an_upload_goes_where_the_location_says() {
    let server = Server::http(|seen, stream| match seen.method.as_str() {
        "POST" => reply(stream, 202, &["Location: /up/1?_state=a%20b"], b""),
        "PUT" => reply(stream, 201, &[], b""),
        _ => reply(stream, 404, &[], b""),
    });
    let mut helper = Helper::plain(&server.host());
    let body = bytes(200_000);
    assert_eq!(upload(&mut helper, &body, 200_000, ""), Said::Done(200_000));
    let seen = server.seen();
    assert_eq!(seen[0].path, "/v2/team/x/blobs/uploads/");
    let digest = BLOB.replace(':', "%3A");
    assert_eq!(seen[1].path, format!("/up/1?_state=a%20b&digest={digest}"));
    assert_eq!(seen[1].header("content-length"), Some("200000"));
    assert_eq!(seen[1].body, body);
}

#[test]
fn a_mount_needs_no_body_and_a_refused_one_becomes_an_upload() {
    let server = Server::http(|seen, stream| match (seen.method.as_str(), &seen.path[..]) {
        ("POST", path) if path.ends_with("from=there") => reply(stream, 201, &[], b""),
        ("POST", path) if path.ends_with("from=secret") => reply(stream, 403, &[], b""),
        ("POST", _) => reply(stream, 202, &["Location: /up"], b""),
        _ => reply(stream, 201, &[], b""),
    });
    let mut helper = Helper::plain(&server.host());
    assert_eq!(upload(&mut helper, b"abc", 3, "there"), Said::Mounted);
    assert_eq!(upload(&mut helper, b"abc", 3, "secret"), Said::Done(3));
    assert_eq!(upload(&mut helper, b"abc", 3, "elsewhere"), Said::Done(3));
    let paths: Vec<String> = server.seen().iter().map(|seen| seen.path.clone()).collect();
    assert_eq!(paths[0], format!("/v2/team/x/blobs/uploads/?mount={BLOB}&from=there"));
    assert_eq!(paths.len(), 6, "{paths:?}");
}

#[test]
fn a_body_that_ends_early_is_never_finished() {
    let server = Server::http(|seen, stream| match seen.method.as_str() {
        "POST" => reply(stream, 202, &["Location: /up"], b""),
        _ => reply(stream, 201, &[], b""),
    });
    let mut helper = Helper::plain(&server.host());
    let said = upload(&mut helper, b"abc", 4, "");
    assert!(matches!(said, Said::Failed { class: Class::Cancelled, .. }), "{said:?}");
    let is_put = |seen: &Seen| seen.method == "PUT";
    assert!(!server.seen().iter().any(is_put));
}

fn refuse(seen: &Seen, stream: &mut dyn Stream) -> bool {
    match seen.method.as_str() {
        "POST" => reply(stream, 202, &["Location: http://192.0.2.1:1/"], b""),
        "HEAD" => reply(stream, 405, &[], b""),
        _ => {
            let body = br#"{"errors":[{"code":"MANIFEST_INVALID","message":"manifest invalid"}]}"#;
            reply(stream, 400, &[], body)
        }
    }
}

#[test]
fn refusals_are_told() {
    let server = Server::http(refuse);
    let mut helper = Helper::plain(&server.host());
    let (host, repository, digest) = (0, &b"team/x"[..], BLOB.as_bytes());
    let id = helper.id();
    helper.send(&Request::Has { id, host, repository, digest }, None);
    let said = helper.answer(id);
    assert!(matches!(said, Said::Failed { class: Class::NotThere, status: 405, .. }), "{said:?}");
    let (reference, media_type) = (&b"1"[..], &b"application/vnd.oci.image.manifest.v1+json"[..]);
    let said = helper.write(b"{}", |id| Request::Put {
        id,
        host,
        repository,
        reference,
        length: 2,
        media_type,
    });
    let Said::Failed { class: Class::Protocol, status: 400, text, .. } = said else {
        panic!("{said:?}")
    };
    assert!(text.contains("MANIFEST_INVALID"), "{text}");
    let put = server.seen().pop().unwrap();
    assert_eq!(put.header("content-type"), Some("application/vnd.oci.image.manifest.v1+json"));
    assert_eq!(put.body, b"{}");
}
