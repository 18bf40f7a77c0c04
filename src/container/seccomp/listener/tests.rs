//! Receivers that read, and receivers that do not.

use super::super::tests::with;
use super::*;
use crate::codec::json;
use crate::container::state::{Id, Process, State, Status};
use crate::spec;
use crate::sys::fd::CWD;
use crate::sys::process;
use crate::sys::signal::SignalSet;
use std::os::fd::AsRawFd;

/// Runs it to its end.
fn send(profile: &Seccomp<'_>, listener: Fd, container: &HookContext<'_>) -> crate::Result<()> {
    let mut events = Loop::new(SignalSet::NONE)?;
    let mut sending = Sending::begin(profile, listener, 8, container, &mut events)?;
    while let Some(this) = &mut sending {
        let happened = events.next_event()?;
        if let Some(done) = this.step(&happened, &mut events) {
            return done;
        }
    }
    Ok(())
}

/// A peer that does not read, or with a full backlog, does not block the caller's loop.
#[test]
fn a_listener_that_does_not_read_blocks_nobody() {
    let path = std::env::temp_dir().join(format!("ocinit-deaf-{}", std::process::id()));
    let _ = std::fs::remove_file(&path);
    let server = std::os::unix::net::UnixListener::bind(&path).unwrap();
    // SAFETY: `server` stays open to the end of this test; no memory is passed.
    assert_eq!(unsafe { libc::listen(server.as_raw_fd(), 0) }, 0);
    let first = std::os::unix::net::UnixStream::connect(&path).unwrap();
    let long = "m".repeat(1 << 20);
    let profile = format!(
        r#"{{"seccomp":{{"defaultAction":"SCMP_ACT_LOG","listenerPath":"{}"}}}}"#,
        path.display()
    );
    let spec =
        spec::leaked_linux(&profile, &format!(r#","annotations":{{"a":"{long}"}}"#)).unwrap();
    let id = Id::check(c"c").unwrap();
    let container =
        HookContext { spec: &spec, id, state: State::UNKNOWN, status: Status::Creating };
    let mut events = Loop::new(SignalSet::NONE).unwrap();
    let null = fs::open(CWD, c"/dev/null", fs::O_RDONLY, 0).unwrap();
    let profile = spec.seccomp.unwrap();
    let sending = Sending::begin(&profile, null, 8, &container, &mut events).unwrap();
    let mut sending = sending.expect("the backlog is full");
    let turn = |events: &mut Loop, sending: &mut Sending<'_>| {
        events.wait(Some(50)).unwrap();
        let mut done = None;
        while let Some(happened) = events.take().unwrap() {
            done = done.or(sending.step(&happened, events));
        }
        done
    };
    for _ in 0..5 {
        assert!(turn(&mut events, &mut sending).is_none());
    }
    drop((server.accept().unwrap(), first));
    // Now it is connected, and the socket is full.
    for _ in 0..5 {
        assert!(turn(&mut events, &mut sending).is_none());
    }
    let (mut stream, _) = server.accept().unwrap();
    stream.set_nonblocking(true).unwrap();
    let (mut text, mut buffer) = (Vec::new(), vec![0; 1 << 16]);
    let done = loop {
        while let Ok(count @ 1..) = std::io::Read::read(&mut stream, &mut buffer) {
            text.extend_from_slice(&buffer[..count]);
        }
        if let Some(done) = turn(&mut events, &mut sending) {
            break done;
        }
    };
    done.unwrap();
    drop(sending);
    stream.set_nonblocking(false).unwrap();
    std::io::Read::read_to_end(&mut stream, &mut text).unwrap();
    assert!(text.len() > long.len(), "{} bytes", text.len());
    json::check(&mut text).unwrap();
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn who_listens_gets_the_listener_and_one_state() {
    let path = std::env::temp_dir().join(format!("ocinit-listener-{}", std::process::id()));
    let _ = std::fs::remove_file(&path);
    let server = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let long = "m".repeat(10_000);
    let profile = format!(
        r#"{{"defaultAction":"SCMP_ACT_ALLOW","listenerPath":"{}","listenerMetadata":"{long}","syscalls":[{{"names":["mkdir"],"action":"SCMP_ACT_NOTIFY"}}]}}"#,
        path.display()
    );
    let client = std::thread::spawn(move || {
        process::no_new_privileges().unwrap();
        let linux = format!(r#"{{"seccomp":{profile}}}"#);
        let spec = spec::leaked_linux(&linux, r#","annotations":{"a":"b"}"#).unwrap();
        let listener =
            with(&profile, |filter| filter.unwrap().load()).unwrap().expect("a listener");
        let state = State {
            version: c"1.2.0",
            process: Process { pid: 7, started: 1 },
            bundle: c"/b",
            ..State::UNKNOWN
        };
        let id = Id::check(c"c").unwrap();
        let container = HookContext { spec: &spec, id, state, status: Status::Creating };
        send(&spec.seccomp.unwrap(), listener, &container)
    });
    let (stream, _) = server.accept().unwrap();
    // SAFETY: `stream` stays open to the end of this test.
    let accepted = unsafe { crate::sys::fd::FdRef::from_raw(stream.as_raw_fd()) };
    let (mut text, mut buffer, mut descriptors) = (Vec::new(), [0; 3000], Vec::new());
    while let (count @ 1.., fd) = socket::receive(accepted, &mut buffer).unwrap() {
        descriptors.extend(fd.map(|fd| (text.len(), fd)));
        text.extend_from_slice(&buffer[..count]);
    }
    client.join().unwrap().unwrap();
    let [(0, listener)] = &descriptors[..] else { panic!("{} descriptors", descriptors.len()) };
    let link = std::fs::read_link(format!("/proc/self/fd/{}", listener.raw())).unwrap();
    assert!(link.to_str().unwrap().contains("seccomp"), "{link:?}");
    let state = json::check(&mut text).unwrap();
    let wanted = format!(
        r#"{{"ociVersion":"1.2.0","fds":["seccompFd"],"pid":8,"metadata":"{long}","state":{{"ociVersion":"1.2.0","id":"c","pid":7,"status":"creating","bundle":"/b","annotations":{{"a":"b"}}}}}}"#
    );
    assert_eq!(state.as_json(), wanted);
    // Without a receiver it is an error.
    drop(server);
    std::fs::remove_file(&path).unwrap();
    let nowhere = r#"{"seccomp":{"defaultAction":"SCMP_ACT_LOG","listenerPath":"/proc/nowhere"}}"#;
    let spec = spec::leaked_linux(nowhere, "").unwrap();
    let id = Id::check(c"c").unwrap();
    let nobody = HookContext { spec: &spec, id, state: State::UNKNOWN, status: Status::Creating };
    let profile = spec.seccomp.unwrap();
    let null = fs::open(CWD, c"/dev/null", fs::O_RDONLY, 0).unwrap();
    let error = send(&profile, null, &nobody).unwrap_err();
    assert_eq!(error.to_string(), "connect to /proc/nowhere: no such file or directory");
}
