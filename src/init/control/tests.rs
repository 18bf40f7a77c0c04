use super::*;
use crate::sys::fd;

#[test]
fn lines_of_the_host() {
    for (line, expected) in [
        ("size 24 80", Some(Command::Size(24, 80))),
        ("signal 15", Some(Command::Signal(15))),
        ("eof 0", Some(Command::Eof(0))),
        ("eof 18446744073709551615", Some(Command::Eof(u64::MAX))),
        ("done", Some(Command::Done)),
        ("stop", Some(Command::Stop)),
        ("stop 15", None),
        ("done ", None),
        ("size 24", None),
        ("size 24 80 1", None),
        ("size 24 65536", None),
        ("signal 0", None),
        ("signal 65", None),
        ("eof -1", None),
        ("eof", None),
        ("eof ", None),
        ("", None),
    ] {
        assert_eq!(parse(line.as_bytes()), expected, "{line}");
    }
    assert_eq!(parse(b"done\xff"), None);
}

#[test]
fn starts_of_the_host() {
    for (line, expected) in [
        ("a -- sh", Some("a:sh|")),
        ("b.1 -- sh -c echo%20x%25%0A%41 ", Some("b.1:sh|-c|echo x%\nA||")),
        ("a --", None),
        ("a -- ", Some("a:|")),
        ("a sh", None),
        ("-- sh", None),
        ("a/b -- sh", None),
        ("a -- sh%0", None),
        ("a -- sh%zz", None),
        ("a -- sh%00", None),
        ("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa -- sh", None),
    ] {
        let shown = parse_start(line.as_bytes()).map(|start| {
            let args = String::from_utf8(start.args.to_vec()).unwrap().replace('\0', "|");
            format!("{}:{args}", start.name)
        });
        assert_eq!(shown.as_deref(), expected, "{line}");
    }
}

#[test]
fn words_are_exchanged_in_pieces() {
    let (ours, theirs) = fd::socketpair(libc::SOCK_STREAM).unwrap();
    fd::set_nonblocking(ours.by_ref(), true).unwrap();
    let mut control = Control::new(ours, Box::leak(Box::new(ControlMemory::EMPTY)));
    control.send(format_args!("exit {} {} {}", 3, 4, 5));
    let mut buffer = [0; 64];
    let n = fs::read(theirs.by_ref(), &mut buffer).unwrap();
    assert_eq!(&buffer[..n], b"hello 1\nexit 3 4 5\n");
    for piece in
        ["si", "ze 1 2\nsignal", " 15\nsignal 2\n", "nonsense\n", &"x".repeat(3000), "\neof 7\n"]
    {
        fs::write_all(theirs.by_ref(), piece.as_bytes()).unwrap();
        control.hear();
    }
    assert_eq!((control.size, control.eof, control.done), (Some((1, 2)), Some(7), false));
    assert_eq!(control.signals, SignalSet::NONE.with(15).with(2));
}

#[test]
fn what_the_host_does_not_take_waits() {
    let (ours, theirs) = fd::socketpair(libc::SOCK_STREAM).unwrap();
    fd::set_nonblocking(ours.by_ref(), true).unwrap();
    while fs::write(ours.by_ref(), &[b'.'; 4096]).is_ok() {}
    let mut control = Control::new(ours, Box::leak(Box::new(ControlMemory::EMPTY)));
    assert!(!control.flush());
    fd::set_nonblocking(theirs.by_ref(), true).unwrap();
    let mut buffer = [0; 65536];
    while fs::read(theirs.by_ref(), &mut buffer).is_ok() {}
    assert!(control.flush());
    let n = fs::read(theirs.by_ref(), &mut buffer).unwrap();
    assert_eq!(&buffer[..n], b"hello 1\n");
}
