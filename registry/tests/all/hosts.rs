//! Hosts that do not answer, proxies, mirrors, and messages that are none.

use crate::certificates::directory;
use crate::driver::{Helper, Said, Start};
use crate::server::{Server, manifest, raw, reply};
use ocinit_registry::transport::{Class, Request, Setting};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// A port at which nothing listens.
fn closed() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

#[test]
fn a_name_without_an_address_is_told_from_a_host_that_refuses() {
    // A name that resolves nowhere, also without a network.
    let outcome = Helper::to("registry.invalid", &[]).manifest("1");
    let (class, text) = outcome.failed();
    assert!(class == Class::NoHost && text.contains("registry.invalid"), "{class:?} {text}");
    let host = closed();
    let outcome = Helper::to(&host, &[]).manifest("1");
    let (class, text) = outcome.failed();
    assert!(
        class == Class::NoAnswer && text.contains(&format!("nothing answers at {host}")),
        "{text}"
    );
}

#[test]
fn a_host_that_only_accepts_is_given_up_after_the_time() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let host = listener.local_addr().unwrap().to_string();
    let begin = Instant::now();
    let mut helper = Start::new().option("--connect", 700).go();
    helper.start(&host, "team/x", &[]);
    let outcome = helper.manifest("1");
    let (class, text) = outcome.failed();
    assert!(class == Class::NoAnswer && text.contains(&host), "{class:?} {text}");
    assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
}

/// A proxy that tunnels every name to one server. Returns its port and what it was asked.
fn proxy(target: u16, answer: &'static str) -> (u16, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let all = asked.clone();
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let mut client = client.unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                client.read_exact(&mut byte).unwrap();
                head.push(byte[0]);
            }
            all.lock().unwrap().push(String::from_utf8(head).unwrap());
            client.write_all(answer.as_bytes()).unwrap();
            if !answer.contains("200") {
                continue;
            }
            let server = TcpStream::connect(("127.0.0.1", target)).unwrap();
            for (mut from, mut to) in
                [(client.try_clone().unwrap(), server.try_clone().unwrap()), (server, client)]
            {
                std::thread::spawn(move || {
                    let _ = std::io::copy(&mut from, &mut to);
                    let _ = to.shutdown(Shutdown::Write);
                });
            }
        }
    });
    (port, asked)
}

#[test]
fn a_proxy_of_the_environment_is_asked_for_a_tunnel() {
    let server = Server::https(directory(), "server", None, |_, stream| manifest(stream));
    let (port, asked) = proxy(server.port, "HTTP/1.1 200 OK\r\n\r\n");
    let cas = directory().join("cas");
    let mut helper =
        Start::new().variable("https_proxy", format!("http://me:pw@127.0.0.1:{port}")).go();
    helper.start("registry.test", "team/x", &[(Setting::CertDir, &cas)]);
    helper.manifest("1").done();
    let asked = asked.lock().unwrap();
    assert!(asked[0].starts_with("CONNECT registry.test:443 HTTP/1.1\r\n"), "{}", asked[0]);
    assert!(asked[0].contains("Proxy-Authorization: Basic bWU6cHc=\r\n"), "{}", asked[0]);
    // NO_PROXY: the name has no address here.
    let start = Start::new().variable("HTTPS_PROXY", format!("http://127.0.0.1:{port}"));
    let mut helper = start.variable("no_proxy", "registry.invalid").go();
    helper.start("registry.invalid", "team/x", &[]);
    assert_eq!(helper.manifest("1").failed().0, Class::NoHost);
}

#[test]
fn a_proxy_that_refuses_or_has_no_answer_is_named() {
    let (port, _) = proxy(1, "HTTP/1.1 407 Proxy Authentication Required\r\n\r\n");
    let mut helper = Start::new().variable("HTTPS_PROXY", format!("http://127.0.0.1:{port}")).go();
    helper.start("registry.test", "team/x", &[]);
    let outcome = helper.manifest("1");
    let (class, text) = outcome.failed();
    assert!(
        class == Class::NoAnswer && text.contains("the proxy") && text.contains("407"),
        "{text}"
    );
    let mut helper = Start::new().variable("HTTPS_PROXY", format!("http://{}", closed())).go();
    helper.start("registry.test", "team/x", &[]);
    let outcome = helper.manifest("1");
    let (class, text) = outcome.failed();
    assert!(class == Class::NoAnswer && text.contains("proxy"), "{text}");
    let mut helper = Start::new().variable("ALL_PROXY", "socks5://127.0.0.1:1").go();
    helper.start("registry.test", "team/x", &[]);
    let outcome = helper.manifest("1");
    let (class, text) = outcome.failed();
    assert!(class == Class::Settings && text.contains("socks5"), "{text}");
}

#[test]
fn mirrors_are_asked_first_and_passed_over() {
    let origin = Server::http(|_, stream| manifest(stream));
    let empty = Server::http(|_, stream| reply(stream, 404, &[], b""));
    let cuts =
        Server::http(|_, stream| raw(stream, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n{"));
    let down = format!("http://{}", closed());
    let mirrors = [down, format!("http://{}", empty.host()), format!("http://{}", cuts.host())];
    let start = Start::new();
    let auth = format!(r#"{{"auths":{{"{}":{{"auth":"bWU6c2VjcmV0"}}}}}}"#, origin.host());
    let file = start.home.write("auth.json", auth);
    let mut helper = start.go();
    let mirrors: Vec<&str> = mirrors.iter().map(String::as_str).collect();
    let settings = [(Setting::Insecure, Path::new("")), (Setting::AuthFile, &file)];
    let said = helper.try_start(&origin.host(), "team/x", &mirrors, &settings);
    assert!(matches!(said, Said::Ready { .. }), "{said:?}");
    let outcome = helper.manifest("1");
    outcome.done();
    let notes = outcome.notes().join("\n");
    assert!(notes.contains("nothing answers") && notes.contains("was cut"), "{notes}");
    let again = helper.manifest("1");
    again.done();
    let notes = again.notes().join("\n");
    assert!(!notes.contains("nothing answers"), "asked again: {notes}");
    assert_eq!((origin.seen().len(), empty.seen().len()), (2, 2));
    // A mirror that has it is the only one that is asked.
    let has = Server::http(|_, stream| manifest(stream));
    let mut helper = Start::new().go();
    let said =
        helper.try_start("registry.invalid", "team/x", &[&format!("http://{}", has.host())], &[]);
    assert!(matches!(said, Said::Ready { .. }), "{said:?}");
    helper.manifest("1").done();
}

#[test]
fn a_mirror_gets_neither_the_hosts_password_nor_its_pair() {
    let mirror = Server::http(|_, stream| reply(stream, 401, &["WWW-Authenticate: Basic"], b""));
    let strict = Server::https(directory(), "server", Some("ca"), |_, stream| manifest(stream));
    let origin = Server::https(directory(), "server", None, |seen, stream| {
        match seen.header("authorization") {
            Some(_) => manifest(stream),
            None => reply(stream, 401, &["WWW-Authenticate: Basic"], b""),
        }
    });
    let start = Start::new();
    let file = start.home.write("line", "me:secret\n");
    let mut helper = start.go();
    let mirrors = [format!("http://{}", mirror.host()), strict.host()];
    let pairs = directory().join("pairs");
    let settings = [(Setting::CertDir, pairs.as_path()), (Setting::CredsFile, &file)];
    let mirrors: Vec<&str> = mirrors.iter().map(String::as_str).collect();
    helper.try_start(&origin.host(), "team/x", &mirrors, &settings);
    helper.manifest("1").done();
    assert!(mirror.seen().iter().all(|seen| seen.header("authorization").is_none()));
    assert_eq!((mirror.seen().len(), strict.seen().len()), (1, 0));
}

#[test]
fn a_message_that_is_none_ends_the_helper_with_a_reason() {
    let mut helper = Start::new().go();
    helper.send(&Request::Start { version: 99 }, None);
    let Said::Failed { class: Class::Protocol, text, .. } = helper.answer(0) else { panic!() };
    assert!(text.contains("versions differ (99 and 1)"), "{text}");
    assert_eq!(helper.answer(0), Said::End);
    assert_eq!(helper.child.wait().unwrap().code(), Some(1));
    for wrong in [
        Request::Host { host: 1, name: b"x", repository: b"" },
        Request::Host { host: 0, name: b"x/y", repository: b"" },
        Request::Mirror { host: 0, name: b"x" },
        Request::Has { id: 1, host: 0, repository: b"x", digest: b"y" },
    ] {
        let mut helper = Start::new().go();
        helper.send(&wrong, None);
        assert!(
            matches!(helper.answer(0), Said::Failed { class: Class::Protocol, .. }),
            "{wrong:?}"
        );
    }
    let mut helper = Helper::to("localhost:1", &[]);
    for (host, repository) in [(1, &b"x"[..]), (0, b"x y"), (0, b"../x"), (0, b"x\r\n")] {
        let (id, pipe) = helper.open(|id| Request::Tags { id, host, repository });
        assert_eq!(helper.outcome(id, pipe).failed().0, Class::Protocol);
    }
    // A body without a pipe.
    let server = Server::http(|_, stream| manifest(stream));
    let mut helper = Helper::plain(&server.host());
    let (reference, accept) = (b"1", b"");
    helper.send(&Request::Manifest { id: 9, host: 0, repository: b"x", reference, accept }, None);
    assert!(matches!(helper.answer(9), Said::Begun { .. }));
    assert!(matches!(helper.answer(9), Said::Failed { class: Class::Protocol, .. }));
}
