//! Values of the command line and of `/ocinit.conf`: accepted and refused ones.

use super::options::{DiskSelector, Options, documented};
use super::sources::OptionSources;
use crate::io::units::Share;
use crate::pages::{hold, hold_table, roff};
use crate::spec::limit::Amount;
use crate::spec::settings::Filter;

fn options<'a>(line: &'a str, file: &'a str) -> Result<Options<'a>, String> {
    OptionSources { line: line.as_bytes(), file: file.as_bytes() }
        .options()
        .map_err(|error| error.to_string())
}

#[test]
fn every_key_goes_to_its_place() {
    let line = "console=ttyS0 ocinit.disk=LABEL=\"my image\" ocinit.wait=3 ocinit.path=/a ocinit.ref=x:1 \
        ocinit.digest=sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855 \
        ocinit.rootfs-size=50% ocinit.net=none ocinit.memory=64M ocinit.cpus=0.5 ocinit.pids=9 quiet";
    let file = "# comment\n\nocinit.init=on\nocinit.hostname=h\nocinit.tty=on\nocinit.user=1:2\nocinit.workdir=/w\n\
        ocinit.log=debug\n";
    let o = options(line, file).unwrap();
    assert_eq!(o.disk, DiskSelector::Label("\"my image\""));
    assert_eq!((o.wait, o.path, o.reference, o.draft.own_network), (3, "/a", Some("x:1"), true));
    let limits = o.draft.limits.iter().map(|limit| limit.amount);
    let limits: Vec<_> = limits.collect();
    assert_eq!(
        (o.rootfs_size, limits),
        (
            Share::Percent(50),
            [64 << 20, 128 << 20, 50_000, 100_000, 9].map(Amount::Number).to_vec()
        )
    );
    assert_eq!(
        (o.draft.init, o.draft.hostname, o.draft.terminal, o.draft.user, o.draft.workdir),
        (true, Some("h"), true, Some("1:2"), Some("/w"))
    );
    assert!(o.log == crate::log::Level::Debug && o.digest.is_some() && !o.exec);
    assert_eq!(
        options("\"ocinit.disk=LABEL=my image\"", "").unwrap().disk,
        DiskSelector::Label("my image")
    );
    assert_eq!(options("", "").unwrap(), Options::DEFAULT);
    let o = options(
        "ocinit.seccomp=off ocinit.no-new-privileges=on ocinit.ulimit=nofile=5:6,core=0",
        "",
    )
    .unwrap();
    assert_eq!(
        (o.draft.filter, o.draft.no_new_privileges, o.draft.privileged),
        (Some(Filter::Unconfined), true, false)
    );
    let rlimits: Vec<_> =
        o.draft.rlimits.iter().map(|limit| (limit.name(), limit.soft, limit.hard)).collect();
    assert_eq!(rlimits, [("NOFILE", 5, 6), ("CORE", 0, 0)]);
    let o = options("ocinit.privileged=on", "ocinit.seccomp=default").unwrap();
    assert_eq!((o.draft.filter, o.draft.privileged), (Some(Filter::Default), true));
    for (text, seconds) in [("3", 3), ("10s", 10), ("1m30s", 90), ("1500ms", 2), ("1d", 86_400)] {
        assert_eq!(options(&format!("ocinit.wait={text}"), "").unwrap().wait, seconds, "{text}");
    }
    let o = options("ocinit.mode=exec ocinit.rootfs=SERIAL=7 ocinit.disk=UUID=u", "").unwrap();
    assert_eq!(
        (o.exec, o.rootfs, o.disk),
        (true, Some(DiskSelector::Serial("7")), DiskSelector::Uuid("u"))
    );
}

#[test]
fn what_is_wrong_is_named() {
    for (line, file, expected) in [
        ("ocinit.disc=auto", "", "command line: ocinit.disc: unknown key"),
        ("ocinit.=1", "", "command line: ocinit.: unknown key"),
        ("ocinit.net=maybe", "", "command line: ocinit.net: 'maybe': host or none expected"),
        ("ocinit.net", "", "command line: ocinit.net: has no value, host or none expected"),
        (
            "ocinit.pids=4194305",
            "",
            "command line: ocinit.pids: '4194305': a number from 1 to 4194304 expected",
        ),
        ("ocinit.seccomp=on", "", "command line: ocinit.seccomp: 'on': default or off expected"),
        ("ocinit.privileged=yes", "", "command line: ocinit.privileged: 'yes': on or off expected"),
        (
            "ocinit.no-new-privileges",
            "",
            "command line: ocinit.no-new-privileges: has no value, on or off expected",
        ),
        (
            "ocinit.ulimit=nofile=1,files=2",
            "",
            "command line: ocinit.ulimit: 'nofile=1,files=2': NAME=SOFT[:HARD], more of them after commas, expected",
        ),
        ("ocinit.wait=1 ocinit.wait=1", "", "command line: ocinit.wait: given twice"),
        ("ocinit.wait=1", "ocinit.wait=1", "/ocinit.conf: ocinit.wait: given twice"),
        ("", "x=1", "/ocinit.conf: record 1 (x): not ocinit.KEY=VALUE, arg=TEXT or env=NAME=VALUE"),
        (
            "",
            "arg=\narg",
            "/ocinit.conf: record 2 (arg): not ocinit.KEY=VALUE, arg=TEXT or env=NAME=VALUE",
        ),
        ("", "env==secret", "/ocinit.conf: ocinit.env: NAME=VALUE expected"),
        (
            "-- a",
            "arg=b",
            "command line: arguments are given both after -- and as arg= in /ocinit.conf",
        ),
        (
            "ocinit.rootfs=auto",
            "",
            "command line: ocinit.rootfs: 'auto': /dev/NAME, LABEL=, UUID= or SERIAL= expected",
        ),
        (
            "ocinit.disk=/dev/",
            "",
            "command line: ocinit.disk: '/dev/': auto, /dev/NAME, LABEL=, UUID= or SERIAL= expected",
        ),
        (
            "ocinit.mode=exec ocinit.tty=on",
            "",
            "ocinit.mode=exec has no container for ocinit.tty=on",
        ),
        (
            "ocinit.rootfs=/dev/vdb ocinit.disk=/dev/vdb",
            "",
            "ocinit.rootfs= and ocinit.disk= name the same disk",
        ),
    ] {
        assert_eq!(options(line, file).unwrap_err(), expected);
    }
}

#[test]
fn a_line_of_the_full_length_is_refused() {
    let full = "x".repeat(2047);
    assert!(options(&full, "").unwrap_err().starts_with("command line: 2047 bytes or more"));
    assert!(options(&(full[1..].to_string() + "\n"), "").is_ok());
}

#[test]
fn arguments_and_environment_are_read_in_order() {
    let args = |line: &'static str, file: &'static str| -> Vec<String> {
        let told = OptionSources { line: line.as_bytes(), file: file.as_bytes() };
        told.options().unwrap();
        let mut space = [0; 2048];
        told.args(&mut space).map(|word| String::from_utf8_lossy(word).into_owned()).collect()
    };
    assert_eq!(
        args("a ocinit.wait=1 -- sh -c \"echo  x\" k=\"v w\"", ""),
        ["sh", "-c", "echo  x", "k=v w"]
    );
    assert_eq!(args("-- ocinit.nonsense=1 --", ""), ["ocinit.nonsense=1", "--"]);
    assert_eq!(args("-- \"\" a=\"\" \"b c\"", ""), ["", "a=", "b c"]);
    assert_eq!(args("", "arg=a b\narg=\n"), ["a b", ""]);
    assert_eq!(args("", "arg=a\nb\0arg=#\0"), ["a\nb", "#"]);
    assert!(args("a b --", "").is_empty());

    let told = OptionSources {
        line: b"ocinit.env=A=1 -- ocinit.env=B=2",
        file: b"env=A=\xff=\0ocinit.env=C=3\0",
    };
    told.options().unwrap();
    let env: Vec<&[u8]> = told.env().collect();
    assert_eq!(env, [&b"A=1"[..], b"A=\xff=", b"C=3"]);
}

#[test]
fn readme_has_every_key() {
    let rows: Vec<String> = documented()
        .iter()
        .map(|(key, value, default)| {
            let space = if default.is_empty() { "" } else { " " };
            format!("| `ocinit.{key}` | {value} | {default}{space}|")
        })
        .collect();
    hold_table("| key | value | default |", &rows);
}

#[test]
fn the_manual_has_every_key() {
    let mut page = String::from(
        ".TH OCINIT.CONF 5 \"\" \"ocinit\" \"File Formats\"\n.SH NAME\n\
         ocinit.conf \\- what PID 1 boots, and how\n.SH DESCRIPTION\n\
         The kernel's command line has \\fBocinit.\\fIKEY\\fB=\\fIVALUE\\fR words, and the image's\n\
         arguments after \\fB\\-\\-\\fR. The file \\fB/ocinit.conf\\fR of the initramfs may have the same,\n\
         a line each: \\fBocinit.\\fIKEY\\fB=\\fIVALUE\\fR, \\fBarg=\\fIARGUMENT\\fR, \\fBenv=\\fINAME=VALUE\\fR;\n\
         or each ended by NUL, for values that hold newlines.\n.SH KEYS\n",
    );
    for (key, value, default) in documented() {
        page += &format!(".TP\n\\fBocinit.{}\\fR\n{}.\n", roff(key), roff(value));
        if !default.is_empty() {
            page += &format!("Without it: {}.\n", roff(default));
        }
    }
    page += ".SH \"SEE ALSO\"\n.BR ocinit (1)\n";
    hold("docs/man/ocinit.conf.5", &page);
}
