//! Tokens, passwords, redirects: who is shown what.

use crate::certificates::directory;
use crate::driver::{Helper, Outcome, Said, Start};
use crate::server::{Seen, Server, Stream, manifest, raw, reply};
use ocinit_registry::transport::{Class, Setting};
use std::path::Path;
use std::sync::Arc;

/// A registry that wants this value of `Authorization`, and gives tokens at /token.
fn registry(
    wanted: &'static str,
    token: impl Fn(&Seen, &mut dyn Stream) -> bool + Send + Sync + 'static,
) -> Server {
    Server::http(move |seen, stream| {
        if seen.path.starts_with("/token") {
            return token(seen, stream);
        }
        if seen.header("authorization") == Some(wanted) {
            return manifest(stream);
        }
        let host = seen.header("host").unwrap();
        let challenge =
            format!("WWW-Authenticate: Bearer realm=\"http://{host}/token\",service=\"svc x\"");
        reply(stream, 401, &["www-authenticate: Negotiate", &challenge], b"{}")
    })
}

/// A helper with this auth.json for a host.
fn helper(server: &Server, auth: &str) -> Helper {
    let start = Start::new();
    let file =
        start.home.write("auth.json", format!(r#"{{"auths":{{"{}":{auth}}}}}"#, server.host()));
    let mut helper = start.go();
    helper.start(
        &server.host(),
        "team/x",
        &[(Setting::Insecure, Path::new("")), (Setting::AuthFile, &file)],
    );
    helper
}

/// me:secret
const PASSWORD: &str = r#"{"auth":"bWU6c2VjcmV0"}"#;
const BASIC: &str = "Basic bWU6c2VjcmV0";

#[track_caller]
fn expect(outcome: &Outcome, class: Class, words: &[&str]) {
    let (of, text) = outcome.failed();
    assert_eq!(of, class, "{text}");
    for word in words {
        assert!(text.contains(word), "{word:?} is not in {text:?}");
    }
}

fn token(stream: &mut dyn Stream, body: &str) -> bool {
    reply(stream, 200, &["Content-Type: application/json"], body.as_bytes())
}

#[test]
fn an_anonymous_token_is_fetched_once_for_one_scope() {
    let server =
        registry("Bearer T1", |_, stream| token(stream, r#"{"access_token":"T1","expires_in":1}"#));
    let mut helper = Helper::plain(&server.host());
    helper.manifest("1").done();
    helper.manifest("2").done();
    let seen = server.seen();
    let tokens: Vec<&Seen> = seen.iter().filter(|seen| seen.path.starts_with("/token")).collect();
    assert_eq!(tokens.len(), 1);
    assert_eq!(tokens[0].path, "/token?service=svc%20x&scope=repository%3Ateam%2Fx%3Apull");
    assert_eq!(tokens[0].header("authorization"), None);
}

#[test]
fn a_password_goes_to_the_realm_and_never_to_the_registry() {
    let server = registry("Bearer T1", |seen, stream| match seen.header("authorization") {
        Some(BASIC) => token(stream, r#"{"token":"T1"}"#),
        _ => reply(stream, 401, &[], b""),
    });
    helper(&server, PASSWORD).manifest("1").done();
    let seen = server.seen();
    for seen in seen.iter().filter(|seen| seen.header("authorization") == Some(BASIC)) {
        assert!(
            seen.path.starts_with("/token?service=svc%20x&scope=")
                && seen.path.ends_with("&account=me"),
            "{}",
            seen.path
        );
    }
    let outcome = helper(&server, r#"{"auth":"bWU6d3Jvbmc="}"#).manifest("1");
    expect(&outcome, Class::NotAllowed, &["user or password is wrong"]);
    let outcome = Helper::plain(&server.host()).manifest("1");
    expect(&outcome, Class::NotAllowed, &["not given without credentials", "--authfile"]);
}

#[test]
fn an_identity_token_is_posted_and_a_registry_token_is_shown() {
    let server = registry("Bearer T1", |seen, stream| {
        let form = String::from_utf8(seen.body.clone()).unwrap();
        let wanted = "grant_type=refresh_token&client_id=ocinit&refresh_token=I%2B1&service=svc%20x&scope=repository%3Ateam%2Fx%3Apull";
        if seen.method != "POST" || form != wanted {
            return reply(stream, 400, &[], form.as_bytes());
        }
        token(stream, r#"{"access_token":"T1"}"#)
    });
    helper(&server, r#"{"identitytoken":"I+1"}"#).manifest("1").done();
    let outcome = helper(&server, r#"{"identitytoken":"old"}"#).manifest("1");
    expect(&outcome, Class::NotAllowed, &["identity token is not taken", "log in again"]);
    let before = server.seen().len();
    helper(&server, r#"{"registrytoken":"T1"}"#).manifest("1").done();
    assert!(server.seen()[before..].iter().all(|seen| !seen.path.starts_with("/token")));
}

#[test]
fn an_expired_token_is_renewed_once_and_refusals_end() {
    // Each token is good for one request.
    let count = Arc::new(std::sync::Mutex::new((0, 0)));
    let server = Server::http(move |seen, stream| {
        let mut count = count.lock().unwrap();
        if seen.path.starts_with("/token") {
            count.0 += 1;
            return token(stream, &format!(r#"{{"token":"T{}"}}"#, count.0));
        }
        if count.0 > count.1
            && seen.header("authorization") == Some(&format!("Bearer T{}", count.0))
        {
            count.1 = count.0;
            return manifest(stream);
        }
        let host = seen.header("host").unwrap();
        reply(stream, 401, &[&format!("WWW-Authenticate: bearer REALM=http://{host}/token")], b"{}")
    });
    let mut helper = Helper::plain(&server.host());
    for _ in 0..3 {
        helper.manifest("1").done();
    }
    assert_eq!(server.seen().iter().filter(|seen| seen.path.starts_with("/token")).count(), 3);
    let never = registry("nothing", |_, stream| token(stream, r#"{"token":"T"}"#));
    let outcome = Helper::plain(&never.host()).manifest("1");
    expect(&outcome, Class::NotAllowed, &["not there, or not allowed without credentials"]);
    assert!(never.seen().len() <= 5, "{}", never.seen().len());
}

#[test]
fn basic_after_a_token_that_was_not_enough() {
    let server = Server::http(|seen, stream| match seen.header("authorization") {
        _ if seen.path.starts_with("/token") => token(stream, r#"{"token":"small"}"#),
        Some(BASIC) => manifest(stream),
        Some(_) => reply(stream, 401, &["WWW-Authenticate: Basic realm=\"harbor\""], b""),
        None => {
            let host = seen.header("host").unwrap();
            reply(
                stream,
                401,
                &[&format!("WWW-Authenticate: Bearer realm=\"http://{host}/token\"")],
                b"",
            )
        }
    });
    helper(&server, PASSWORD).manifest("1").done();
}

#[test]
fn basic_needs_a_password() {
    let server = Server::http(|seen, stream| match seen.header("authorization") {
        Some(BASIC) => manifest(stream),
        _ => reply(stream, 401, &["WWW-Authenticate: Basic realm=x"], b"authentication required"),
    });
    helper(&server, PASSWORD).manifest("1").done();
    for auth in [r#"{}"#, r#"{"auth":"bWU6d3Jvbmc="}"#] {
        let outcome = helper(&server, auth).manifest("1");
        expect(&outcome, Class::NotAllowed, &["not allowed", "authentication required"]);
    }
    let start = Start::new();
    let file = start.home.write("line", "me:secret\n");
    let mut helper = start.go();
    helper.start(
        &server.host(),
        "team/x",
        &[(Setting::Insecure, Path::new("")), (Setting::CredsFile, &file)],
    );
    helper.manifest("1").done();
    let outcome = {
        let other = Server::http(|_, stream| reply(stream, 401, &["WWW-Authenticate: NTLM"], b""));
        Helper::plain(&other.host()).manifest("1")
    };
    expect(&outcome, Class::NotAllowed, &["wants to be shown ntlm"]);
}

#[test]
fn a_realm_that_is_wrong_or_lies_is_an_error() {
    for (realm, words) in [
        ("/token", "a URL without http"),
        ("ftp://x/", "neither http nor https"),
        ("http://me:pw@x/", "a user in it"),
    ] {
        let challenge = format!("WWW-Authenticate: Bearer realm=\"{realm}\"");
        let server = Server::http(move |_, stream| reply(stream, 401, &[&challenge], b""));
        expect(&Helper::plain(&server.host()).manifest("1"), Class::Protocol, &[words]);
    }
    let server = registry("x", |seen, stream| match seen.number {
        _ if seen.path.len() > 1_000 => false,
        _ => reply(stream, 200, &["Content-Type: text/html"], b"<html>"),
    });
    expect(&Helper::plain(&server.host()).manifest("1"), Class::Protocol, &["a web page"]);
    for (body, words) in
        [("{}", "no token in it"), ("no", "not JSON"), (r#"{"token":"a\r\nb"}"#, "not one word")]
    {
        let server = registry("x", move |_, stream| token(stream, body));
        expect(&Helper::plain(&server.host()).manifest("1"), Class::Protocol, &[words]);
    }
    let server = registry("x", |_, stream| {
        raw(stream, "HTTP/1.1 200 OK\r\n\r\n");
        while stream.write_all(&[b' '; 4096]).is_ok() {}
        false
    });
    expect(&Helper::plain(&server.host()).manifest("1"), Class::Length, &["1048576"]);
}

#[test]
fn a_realm_without_tls_is_refused_if_the_registry_has_tls() {
    let realm = Server::http(|_, stream| token(stream, r#"{"token":"T"}"#));
    let challenge = format!("WWW-Authenticate: Bearer realm=\"http://{}/token\"", realm.host());
    let server = Server::https(directory(), "server", None, move |_, stream| {
        reply(stream, 401, &[&challenge], b"")
    });
    let mut helper = Helper::to(&server.host(), &[(Setting::CertDir, &directory().join("cas"))]);
    expect(&helper.manifest("1"), Class::Protocol, &["has no TLS, which is refused"]);
    assert!(realm.seen().is_empty());
}

#[test]
fn a_redirect_elsewhere_gets_no_credentials() {
    let cdn = Server::http(|_, stream| manifest(stream));
    let target = cdn.host();
    let server = Server::http(move |seen, stream| match seen.header("authorization") {
        Some(BASIC) => reply(stream, 307, &[&format!("Location: http://{target}/signed?x=1")], b""),
        _ => reply(stream, 401, &["WWW-Authenticate: Basic realm=x"], b""),
    });
    helper(&server, PASSWORD).manifest("1").done();
    let seen = cdn.seen();
    assert_eq!((seen.len(), seen[0].path.as_str()), (1, "/signed?x=1"));
    assert_eq!(seen[0].header("authorization"), None);
    // A challenge from there is none for us: its realm would get the password.
    let thief = Server::http(|seen, stream| {
        let realm = format!("http://{}/token", seen.header("host").unwrap());
        reply(stream, 401, &[&format!("WWW-Authenticate: Bearer realm=\"{realm}\"")], b"")
    });
    let target = format!("Location: http://{}/", thief.host());
    let server = Server::http(move |_, stream| reply(stream, 302, &[&target], b""));
    let outcome = helper(&server, PASSWORD).manifest("1");
    assert!(matches!(outcome.last(), Said::Failed { status: 401, .. }), "{:?}", outcome.answers);
    assert_eq!(thief.seen().len(), 1);
}

#[test]
fn a_redirect_to_the_same_place_keeps_them() {
    let server = Server::http(|seen, stream| match seen.header("authorization") {
        Some(BASIC) if seen.path == "/moved" => manifest(stream),
        Some(BASIC) => reply(stream, 308, &["Location: /moved"], b""),
        _ => reply(stream, 401, &["WWW-Authenticate: Basic realm=x"], b""),
    });
    helper(&server, PASSWORD).manifest("1").done();
}

#[test]
fn redirects_end_and_never_lose_tls() {
    let server = Server::http(|_, stream| reply(stream, 301, &["Location: /again"], b""));
    expect(
        &Helper::plain(&server.host()).manifest("1"),
        Class::Protocol,
        &["more than 5 redirects"],
    );
    assert_eq!(server.seen().len(), 6);
    let server = Server::http(|_, stream| reply(stream, 301, &[], b""));
    expect(
        &Helper::plain(&server.host()).manifest("1"),
        Class::Protocol,
        &["redirects to nowhere"],
    );
    let plain = Server::http(|_, stream| manifest(stream));
    let location = format!("Location: http://{}/", plain.host());
    let server = Server::https(directory(), "server", None, move |_, stream| {
        reply(stream, 307, &[&location], b"")
    });
    for settings in
        [[(Setting::CertDir, directory().join("cas"))], [(Setting::Insecure, "".into())]]
    {
        let mut helper = Helper::to(
            &server.host(),
            &settings.each_ref().map(|(what, path)| (*what, path.as_path())),
        );
        expect(&helper.manifest("1"), Class::Protocol, &["from https to http, which is refused"]);
    }
    assert!(plain.seen().is_empty());
}

/// A helper whose docker config.json names a credential helper with this script.
fn with_helper(server: &Server, script: &str) -> Outcome {
    let start = Start::new();
    let program = start.home.write("bin/docker-credential-test", format!("#!/bin/sh\n{script}\n"));
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    start.home.write(
        ".docker/config.json",
        format!(r#"{{"credHelpers":{{"{}":"test"}}}}"#, server.host()),
    );
    let mut helper = start.variable("LD_LIBRARY_PATH", "/x").go();
    helper.start(&server.host(), "team/x", &[(Setting::Insecure, Path::new(""))]);
    helper.manifest("1")
}

#[test]
fn a_credential_helper_is_asked_before_the_start() {
    let server = Server::http(|seen, stream| match seen.header("authorization") {
        Some(BASIC) => manifest(stream),
        _ => reply(stream, 401, &["WWW-Authenticate: Basic realm=x"], b""),
    });
    let right = r#"read server; test "$1" = get -a "$server" = HOST -a -z "$LD_LIBRARY_PATH" && echo '{"Username":"me","Secret":"secret"}'"#;
    with_helper(&server, &right.replace("HOST", &server.host())).done();
    for (script, class, words) in [
        (
            "echo 'credentials not found in native keychain'; exit 1",
            Class::NotAllowed,
            "without credentials",
        ),
        (
            "echo 'keychain is locked'; exit 1",
            Class::Settings,
            "docker-credential-test failed: keychain is locked",
        ),
        ("echo '<html>'", Class::Settings, "answered no credentials"),
        ("echo '{\"Username\":\"me\"}'", Class::Settings, "Username or Secret is missing"),
        ("sleep 20", Class::Settings, "within 10 s"),
    ] {
        expect(&with_helper(&server, script), class, &[words]);
    }
    // A registry that wants no credentials does not mind.
    let open = Server::http(|_, stream| manifest(stream));
    with_helper(&open, "exit 3").done();
    let start = Start::new();
    start.home.write(".docker/config.json", r#"{"credsStore":"missing"}"#);
    let mut helper = start.go();
    helper.start(&server.host(), "team/x", &[(Setting::Insecure, Path::new(""))]);
    expect(&helper.manifest("1"), Class::Settings, &["docker-credential-missing is not on PATH"]);
}
