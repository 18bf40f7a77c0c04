//! Blobs: lengths, cuts, resumption, limits in time, cancelling.

use crate::driver::{BLOB, Helper, Said, Start, bytes};
use crate::server::{Seen, Server, Stream, raw, reply};
use ocinit_registry::transport::{Class, REQUESTS_MAX, Setting};
use std::io::Read;
use std::path::Path;
use std::time::{Duration, Instant};

const LENGTH: usize = 300_000;

/// The offset that a request asks for.
fn from(seen: &Seen) -> usize {
    let range = seen.header("range").unwrap_or("bytes=0-");
    range.trim_start_matches("bytes=").trim_end_matches('-').parse().unwrap()
}

/// The rest of the blob from there on, as a 206 or 200, cut after so many bytes.
fn part(seen: &Seen, stream: &mut dyn Stream, cut: usize) -> bool {
    let (at, all) = (from(seen), bytes(LENGTH));
    let mut head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", LENGTH - at);
    if at > 0 {
        head = format!(
            "HTTP/1.1 206 Partial\r\nContent-Length: {}\r\nContent-Range: bytes {at}-{}/{LENGTH}\r\n\r\n",
            LENGTH - at,
            LENGTH - 1
        );
    }
    raw(stream, head);
    let end = (at + cut).min(LENGTH);
    raw(stream, &all[at..end]);
    end == LENGTH
}

#[test]
fn a_blob_comes_whole_and_from_an_offset() {
    let server = Server::http(|seen, stream| part(seen, stream, LENGTH));
    let mut helper = Helper::plain(&server.host());
    let outcome = helper.blob(0, LENGTH as u64);
    assert_eq!(outcome.done(), bytes(LENGTH));
    let Said::Begun { length, digest, .. } = &outcome.answers[0] else { panic!("no Begun") };
    assert_eq!((*length, digest.as_str()), (Some(LENGTH as u64), BLOB));
    assert_eq!(outcome.last(), &Said::Done(LENGTH as u64));
    let rest = helper.blob(1000, LENGTH as u64);
    assert_eq!(rest.done(), &bytes(LENGTH)[1000..]);
    assert!(helper.blob(LENGTH as u64, LENGTH as u64).done().is_empty());
    let seen = server.seen();
    let last = seen.last().unwrap();
    assert_eq!(last.path, format!("/v2/team/x/blobs/{BLOB}"));
    assert_eq!(last.header("range"), Some("bytes=1000-"));
    assert_eq!(last.header("accept-encoding"), None);
}

#[test]
fn a_cut_is_resumed_where_it_was_and_the_body_is_whole() {
    let server = Server::http(|seen, stream| part(seen, stream, 70_000));
    let mut helper = Helper::plain(&server.host());
    let outcome = helper.blob(0, LENGTH as u64);
    assert_eq!(outcome.done(), bytes(LENGTH));
    assert_eq!(outcome.notes().len(), 4, "{:?}", outcome.answers);
    let ranges: Vec<usize> = server.seen().iter().map(from).collect();
    assert_eq!(ranges[ranges.len() - 1], 280_000);
}

#[test]
fn a_server_that_cannot_resume_sends_all_again_and_nothing_comes_twice() {
    let server = Server::http(|seen, stream| {
        let whole = Seen { headers: vec![], ..seen.clone() };
        part(&whole, stream, if from(seen) == 0 { 70_000 } else { LENGTH })
    });
    let mut helper = Helper::plain(&server.host());
    let outcome = helper.blob(0, LENGTH as u64);
    assert_eq!(outcome.done(), bytes(LENGTH));
    let restarted = |said: &&Said| matches!(said, Said::Restarted(70_000));
    assert_eq!(outcome.answers.iter().filter(restarted).count(), 1, "{:?}", outcome.answers);
}

#[test]
fn a_server_that_is_away_for_a_moment_is_asked_again() {
    // It answers once, ends, and begins to listen again at the same port.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let host = listener.local_addr().unwrap();
    let server = std::thread::spawn(move || {
        let all = bytes(LENGTH);
        let answer = |listener: &std::net::TcpListener, head: String, body: &[u8]| {
            let mut stream = listener.accept().unwrap().0;
            let mut first = [0; 1];
            stream.read_exact(&mut first).unwrap();
            let _ = stream.set_read_timeout(Some(Duration::from_millis(200)));
            let _ = stream.read(&mut [0; 4096]);
            raw(&mut stream, head);
            raw(&mut stream, body);
        };
        answer(&listener, "HTTP/1.1 400 X\r\nContent-Length: 0\r\n\r\n".to_string(), b"");
        let length = format!("HTTP/1.1 200 OK\r\nContent-Length: {LENGTH}\r\n\r\n");
        answer(&listener, length, &all[..1000]);
        drop(listener);
        std::thread::sleep(Duration::from_millis(300));
        let listener = std::net::TcpListener::bind(host).unwrap();
        let (rest, end) = (LENGTH - 1000, LENGTH - 1);
        let head = format!(
            "HTTP/1.1 206 X\r\nContent-Length: {rest}\r\nContent-Range: bytes 1000-{end}/*\r\n\r\n"
        );
        answer(&listener, head, &all[1000..]);
    });
    let mut helper = Start::new().option("--pause", 400).go();
    helper.start(&host.to_string(), "team/x", &[(Setting::Insecure, Path::new(""))]);
    assert_eq!(helper.blob(0, LENGTH as u64).done(), bytes(LENGTH));
    server.join().unwrap();
}

#[test]
fn cuts_without_progress_end() {
    let server =
        Server::http(|seen, stream| part(seen, stream, if from(seen) == 0 { 9 } else { 0 }));
    let mut helper = Helper::plain(&server.host());
    let outcome = helper.blob(0, LENGTH as u64);
    assert_eq!(outcome.failed().0, Class::Cut);
    assert_eq!(outcome.body, &bytes(LENGTH)[..9]);
    // The first, and two that resume.
    assert_eq!(server.seen().len(), 3);
}

#[test]
fn a_part_that_begins_elsewhere_is_refused() {
    for range in
        ["bytes 5-299999/300000", "bytes 70000-299998/300000", "bytes 70000-299999/300001", "x"]
    {
        let server = Server::http(move |seen, stream| match from(seen) {
            0 => part(seen, stream, 70_000),
            _ => reply(stream, 206, &[&format!("Content-Range: {range}")], &[0; 230_000]),
        });
        let mut helper = Helper::plain(&server.host());
        let outcome = helper.blob(0, LENGTH as u64);
        assert_eq!(outcome.failed().0, Class::Protocol, "{range}");
        assert_eq!(outcome.body, &bytes(LENGTH)[..70_000]);
    }
}

#[test]
fn too_many_and_too_few_bytes_are_told_by_their_numbers() {
    let server = Server::http(|_, stream| reply(stream, 200, &[], &[7; 1000]));
    let mut helper = Helper::plain(&server.host());
    for wanted in [999, 1001] {
        let outcome = helper.blob(0, wanted);
        let (class, text) = outcome.failed();
        assert_eq!(class, Class::Length);
        assert!(text.contains("1000 bytes in place of"), "{text}");
        assert!(outcome.body.is_empty());
    }
}

/// Chunks until so many bytes were sent; without an end the connection is cut.
fn chunked(stream: &mut dyn Stream, count: usize, has_end: bool) -> bool {
    raw(stream, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    for _ in 0..count / 1000 {
        raw(stream, [&b"3e8\r\n"[..], &[7; 1000], b"\r\n"].concat());
    }
    raw(stream, if has_end { "0\r\n\r\n" } else { "" })
}

#[test]
fn without_a_length_the_bytes_are_counted() {
    let server = Server::http(|_, stream| chunked(stream, 50_000, true));
    let mut helper = Helper::plain(&server.host());
    assert_eq!(helper.blob(0, 50_000).done(), vec![7; 50_000]);
    let outcome = helper.blob(0, 49_000);
    let (class, text) = outcome.failed();
    assert!(class == Class::Length && text.contains("more than 49000"), "{text}");
    let outcome = helper.blob(0, 51_000);
    assert_eq!(outcome.failed().0, Class::Cut);
}

#[test]
fn a_body_without_end_stops_at_its_length() {
    let server = Server::http(|_, stream| {
        raw(stream, "HTTP/1.1 200 OK\r\n\r\n");
        while stream.write_all(&[7; 4096]).is_ok() {}
        false
    });
    let mut helper = Helper::plain(&server.host());
    assert_eq!(helper.blob(0, 100_000).failed().0, Class::Length);
}

#[test]
fn a_server_that_stalls_is_given_up_after_the_time() {
    let server = Server::http(|seen, stream| {
        let is_first = seen.number < 1;
        part(seen, stream, if is_first { 70_000 } else { 0 });
        std::thread::sleep(Duration::from_secs(20));
        false
    });
    let mut helper = Helper::plain(&server.host());
    let begin = Instant::now();
    let outcome = helper.blob(0, LENGTH as u64);
    let (class, text) = outcome.failed();
    assert!(class == Class::TimedOut && text.contains(&server.host()), "{class:?} {text}");
    let took = begin.elapsed();
    assert!((Duration::from_secs(3)..Duration::from_secs(10)).contains(&took), "{took:?}");
}

#[test]
fn a_slow_reader_is_no_time_out() {
    let server = Server::http(|_, stream| reply(stream, 200, &[], &vec![7; 4 << 20]));
    let mut helper = Helper::plain(&server.host());
    let (id, mut pipe) = helper.open_blob(0, 4 << 20);
    let mut first = [0; 4096];
    pipe.read_exact(&mut first).unwrap();
    // Longer than the time without a byte that is allowed.
    std::thread::sleep(Duration::from_millis(2500));
    assert_eq!(helper.outcome(id, pipe).last(), &Said::Done(4 << 20));
}

#[test]
fn closing_the_pipe_cancels_a_body_and_a_pause() {
    let server = Server::http(|seen, stream| match seen.number {
        0 => {
            raw(stream, "HTTP/1.1 200 OK\r\n\r\n");
            while stream.write_all(&[7; 4096]).is_ok() {}
            false
        }
        _ => reply(stream, 503, &["Retry-After: 30"], b""),
    });
    let mut helper = Helper::plain(&server.host());
    for _ in 0..2 {
        let (id, mut pipe) = helper.open_blob(0, 1 << 30);
        let first = helper.answer(id);
        assert!(matches!(first, Said::Begun { .. } | Said::Note(_)), "{first:?}");
        if matches!(first, Said::Begun { .. }) {
            pipe.read_exact(&mut [0; 100]).unwrap();
        }
        let begin = Instant::now();
        drop(pipe);
        let last = helper.answer(id);
        assert!(matches!(last, Said::Failed { .. }), "{last:?}");
        assert!(begin.elapsed() < Duration::from_secs(5));
    }
}

#[test]
fn many_bodies_come_at_the_same_time_and_one_too_many_is_busy() {
    let server = Server::http(|_, stream| reply(stream, 200, &[], &bytes(1 << 20)));
    let mut helper = Start::new().option("--idle", 20_000).go();
    helper.start(&server.host(), "team/x", &[(Setting::Insecure, Path::new(""))]);
    let open: Vec<_> = (0..REQUESTS_MAX).map(|_| helper.open_blob(0, 1 << 20)).collect();
    // Each pipe is full before the last is asked for.
    for (id, _) in &open {
        assert!(matches!(helper.answer(*id), Said::Begun { .. }));
    }
    let (id, pipe) = helper.open_blob(0, 1 << 20);
    assert_eq!(helper.outcome(id, pipe).failed().0, Class::Busy);
    for (id, pipe) in open.into_iter().rev() {
        assert_eq!(helper.outcome(id, pipe).done(), bytes(1 << 20));
    }
    assert_eq!(helper.blob(0, 1 << 20).done(), bytes(1 << 20));
}
