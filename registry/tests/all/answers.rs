//! Answers that a registry gives in other ways than expected.

use crate::driver::{Helper, Outcome, Said};
use crate::server::{MANIFEST_TYPE, Seen, Server, Stream, manifest, raw, reply};
use ocinit_registry::transport::Class;

/// Asks such a server for a manifest. Returns what came, and the requests by http.
fn ask(
    handler: impl Fn(&Seen, &mut dyn Stream) -> bool + Send + Sync + 'static,
) -> (Outcome, Vec<Seen>) {
    let server = Server::http(handler);
    let mut helper = Helper::plain(&server.host());
    let outcome = helper.manifest("1");
    (outcome, server.seen())
}

#[track_caller]
fn expect(outcome: &Outcome, class: Class, words: &[&str]) {
    let (of, text) = outcome.failed();
    assert_eq!(of, class, "{text}");
    for word in words {
        assert!(text.contains(word), "{word:?} is not in {text:?}");
    }
    assert!(outcome.body.is_empty());
}

#[test]
fn a_manifest_comes_with_its_type_and_digest() {
    let (outcome, seen) = ask(|_, stream| manifest(stream));
    assert_eq!(outcome.done(), b"{}");
    let Said::Begun { length, media_type, digest } = &outcome.answers[0] else { panic!() };
    assert_eq!((*length, digest.as_str()), (Some(2), "sha256:1"));
    assert_eq!(media_type, "application/vnd.oci.image.manifest.v1+json");
    assert_eq!(seen[0].path, "/v2/team/x/manifests/1");
    // One line with commas.
    assert_eq!(seen[0].headers.iter().filter(|(name, _)| name == "accept").count(), 1);
    assert!(seen[0].header("user-agent").unwrap().starts_with("ocinit/"));
}

#[test]
fn what_is_not_there_is_told_from_what_is_not_allowed() {
    let not_there = r#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}"#;
    let (outcome, seen) = ask(move |_, stream| reply(stream, 404, &[], not_there.as_bytes()));
    let words =
        ["manifest 1 of 127.0.0.1:", "/team/x: not there", "MANIFEST_UNKNOWN: manifest unknown"];
    expect(&outcome, Class::NotThere, &words);
    assert_eq!(seen.len(), 1);
    let denied = r#"{"errors":[{"code":"DENIED","message":"access denied"}]}"#;
    let (outcome, _) = ask(move |_, stream| reply(stream, 403, &[], denied.as_bytes()));
    expect(&outcome, Class::NotAllowed, &["without credentials", "DENIED", "--authfile"]);
    let accept = r#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"OCI manifest found, but accept header does not support OCI manifests"}]}"#;
    let (outcome, _) = ask(move |_, stream| reply(stream, 404, &[], accept.as_bytes()));
    expect(&outcome, Class::Protocol, &["in another form"]);
    let (outcome, _) = ask(|_, stream| reply(stream, 404, &["Content-Type: text/html"], b"<html>"));
    expect(&outcome, Class::NotThere, &["is it a registry?", "a web page"]);
}

#[test]
fn a_page_in_place_of_a_manifest_is_named() {
    let (outcome, _) =
        ask(|_, stream| reply(stream, 200, &["Content-Type: TEXT/html; charset=x"], b"<html>"));
    expect(&outcome, Class::Protocol, &["a web page", "captive portal"]);
}

#[test]
fn words_of_a_server_become_one_clean_line() {
    let text = format!("bad\r\n\x1b[2J\u{202e}{}", "y".repeat(100_000));
    let (outcome, _) = ask(move |_, stream| reply(stream, 400, &[], text.as_bytes()));
    expect(&outcome, Class::Protocol, &["answers 400 (bad [2J", "y…)"]);
    assert!(outcome.failed().1.len() < 400);
    // Without end: only its beginning is read.
    let (outcome, _) = ask(|_, stream| {
        raw(stream, "HTTP/1.1 400 X\r\n\r\n");
        while stream.write_all(&[b'z'; 4096]).is_ok() {}
        false
    });
    expect(&outcome, Class::Protocol, &["answers 400"]);
}

#[test]
fn limits_hold_for_headers_and_manifests() {
    let (outcome, _) = ask(|_, stream| {
        raw(stream, "HTTP/1.1 200 OK\r\n");
        while stream.write_all(&[b'h'; 4096]).is_ok() {}
        false
    });
    expect(&outcome, Class::Protocol, &["headers"]);
    let (outcome, _) = ask(|_, stream| {
        raw(stream, "HTTP/1.1 200 OK\r\n");
        while stream.write_all(b"a: b\r\n").is_ok() {}
        false
    });
    expect(&outcome, Class::Protocol, &[]);
    let (outcome, _) =
        ask(|_, stream| raw(stream, "HTTP/1.1 200 OK\r\nContent-Length: 4194305\r\n\r\n"));
    expect(&outcome, Class::Length, &["4194305"]);
    let (outcome, _) = ask(|_, stream| {
        raw(stream, format!("HTTP/1.1 200 OK\r\n{MANIFEST_TYPE}\r\n\r\n"));
        while stream.write_all(&[b' '; 4096]).is_ok() {}
        false
    });
    expect(&outcome, Class::Length, &["4194304"]);
}

#[test]
fn what_is_no_http_is_an_error() {
    for text in [
        "SSH-2.0-x\r\n",
        "HTTP/9.9 abc\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
        "HTTP/1.1 200 OK\r\n\x00: x\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ] {
        let (outcome, seen) = ask(move |_, stream| raw(stream, text));
        let (class, line) = outcome.failed();
        assert!(
            matches!(class, Class::Protocol | Class::Cut | Class::Certificate),
            "{class:?} {line}"
        );
        assert!(seen.len() <= 3, "{text}: {}", seen.len());
    }
}

#[test]
fn a_manifest_that_is_cut_is_asked_for_again() {
    let (outcome, seen) = ask(|seen, stream| match seen.number {
        0 => raw(stream, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{"),
        1 => false,
        _ => manifest(stream),
    });
    assert_eq!(outcome.done(), b"{}");
    assert_eq!((seen.len(), outcome.notes().len()), (3, 2), "{:?}", outcome.answers);
}

#[test]
fn a_server_in_trouble_is_asked_again_and_then_given_up() {
    let (outcome, _) = ask(|seen, stream| match seen.number {
        0 => reply(stream, 503, &[], b"later"),
        1 => reply(stream, 429, &["Retry-After: 1"], b""),
        _ => manifest(stream),
    });
    assert_eq!(outcome.done(), b"{}");
    let notes = outcome.notes();
    assert!(notes[0].contains("answers 503 (later); trying again in 0."), "{notes:?}");
    assert!(notes[1].contains("too many requests") && notes[1].contains("in 1 s"), "{notes:?}");
    let (outcome, seen) = ask(|_, stream| reply(stream, 502, &[], b""));
    expect(&outcome, Class::Server, &["answers 502"]);
    assert_eq!(seen.len(), 3);
    let (outcome, seen) = ask(|_, stream| reply(stream, 501, &[], b""));
    expect(&outcome, Class::Server, &["answers 501"]);
    assert_eq!(seen.len(), 1);
}

#[test]
fn a_long_wait_is_told_and_not_waited() {
    let headers = [
        "Retry-After: 3600",
        "ratelimit-limit: 100;w=21600",
        "RateLimit-Remaining: 0;w=21600",
        "docker-ratelimit-source: 192.0.2.1",
    ];
    let (outcome, seen) = ask(move |_, stream| {
        reply(
            stream,
            429,
            &headers,
            br#"{"errors":[{"code":"TOOMANYREQUESTS","message":"pull rate limit"}]}"#,
        )
    });
    let words =
        ["ratelimit-remaining 0;w=21600", "192.0.2.1", "try again in 3600 s", "TOOMANYREQUESTS"];
    expect(&outcome, Class::TooMany, &words);
    assert_eq!(seen.len(), 1);
}

#[test]
fn tags_come_page_by_page() {
    let server = Server::http(|seen, stream| match seen.path.as_str() {
        "/v2/team/x/tags/list" => {
            let link = "Link: </v2/team/x/tags/list?last=b&n=2>; rel=\"next\"";
            reply(stream, 200, &[link], br#"{"name":"x","tags":["a","b"]}"#)
        }
        "/v2/team/x/tags/list?last=b&n=2" => reply(stream, 200, &[], br#"{"tags":["c-1.0_x"]}"#),
        "/v2/none/tags/list" => reply(stream, 200, &[], br#"{"tags":null}"#),
        "/v2/bad/tags/list" => reply(stream, 200, &[], b"{\"tags\":[\"a\\nb\"]}"),
        "/v2/away/tags/list" => {
            reply(stream, 200, &["Link: <http://192.0.2.1/>; rel=next"], br#"{"tags":[]}"#)
        }
        _ => reply(stream, 200, &["Link: <?>; rel=\"next\""], br#"{"tags":["a"]}"#),
    });
    let mut helper = Helper::plain(&server.host());
    let mut tags = |repository: &'static str| {
        use ocinit_registry::transport::Request;
        let (id, pipe) =
            helper.open(|id| Request::Tags { id, host: 0, repository: repository.as_bytes() });
        helper.outcome(id, pipe)
    };
    assert_eq!(tags("team/x").done(), b"a\nb\nc-1.0_x\n");
    assert_eq!(tags("none").done(), b"");
    expect(&tags("bad"), Class::Protocol, &["characters"]);
    expect(&tags("away"), Class::Protocol, &["another host"]);
    expect(&tags("endless"), Class::Length, &["pages"]);
}
