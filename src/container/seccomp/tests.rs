//! Profiles, tested by their filters in an interpreter and on a thread. `tests/all/seccomp.rs`
//! compares with libseccomp.

#[path = "../../../tests/all/support/bpf.rs"]
mod bpf;

use super::*;
use crate::codec::json;
use crate::limits::SPEC_LISTS_BYTES;
use crate::spec;
use crate::sys::arena::Word;
use crate::sys::process;
use bpf::{I386, X32, X86_64};

const ALLOW: u32 = 0x7fff_0000;
const EPERM: u32 = 0x0005_0001;
const ENOSYS: u32 = 0x0005_0000 | 38;
const KILL: u32 = 0;

pub(super) fn with<T>(profile: &str, see: impl FnOnce(crate::Result<Filter<'_>>) -> T) -> T {
    let mut document = profile.as_bytes().to_vec();
    let value = json::check(&mut document).expect("JSON");
    let text = vec![0; 4 * profile.len() + 64].leak();
    let lists = vec![Word::uninit(); SPEC_LISTS_BYTES / 8].leak();
    let read = spec::read_seccomp(value, &mut spec::SpecMemory::new(text, lists));
    let mut program = Box::new(Program::EMPTY);
    see(read.and_then(|profile| compile(&profile, &mut program)))
}

fn program(profile: &str) -> Vec<u64> {
    let program =
        with(profile, |filter| filter.map(|filter| filter.program().to_vec())).expect(profile);
    bpf::verify(&program);
    program
}

fn flags(profile: &str) -> u32 {
    with(profile, |filter| filter.map(|filter| filter.flags())).expect(profile)
}

fn error(profile: &str) -> String {
    with(profile, |filter| filter.map(|filter| filter.flags()).expect_err(profile).to_string())
}

/// A profile that denies by default, with these rules.
fn rules(rules: &str) -> String {
    let architectures = r#"["SCMP_ARCH_X86_64","SCMP_ARCH_X86","SCMP_ARCH_X32","SCMP_ARCH_ARM"]"#;
    format!(
        r#"{{"defaultAction":"SCMP_ACT_ERRNO","architectures":{architectures},"syscalls":[{rules}]}}"#
    )
}

#[test]
fn numbers_of_three_architectures() {
    let names =
        r#"{"names":["read","ioctl","stat64","_sysctl","no_such_call"],"action":"SCMP_ACT_ALLOW"}"#;
    let all = program(&rules(names));
    let check = |program: &[u64], arch, wanted: &[(u32, u32)]| {
        for (number, verdict) in wanted {
            assert_eq!(bpf::run(program, arch, *number, [0; 6]).0, *verdict, "{arch:#x} {number}");
        }
    };
    check(
        &all,
        X86_64,
        &[(0, ALLOW), (1, EPERM), (16, ALLOW), (156, ALLOW), (157, ENOSYS), (X32 - 1, ENOSYS)],
    );
    check(
        &all,
        X86_64,
        &[(X32, ALLOW), (X32 + 16, EPERM), (X32 + 514, ALLOW), (X32 + 515, ENOSYS)],
    );
    check(
        &all,
        I386,
        &[(3, ALLOW), (54, ALLOW), (195, ALLOW), (149, ALLOW), (0, EPERM), (196, ENOSYS)],
    );
    check(&all, 0x4000_0028, &[(3, KILL)]);
    let alone = format!(r#"{{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{names}]}}"#);
    check(&program(&alone), X86_64, &[(0, ALLOW), (157, ENOSYS), (X32, KILL), (u32::MAX, EPERM)]);
    check(&program(&alone), I386, &[(3, KILL)]);
    // A default that allows also allows unknown system calls.
    let permissive = r#"{"defaultAction":"SCMP_ACT_LOG","syscalls":[{"names":["read"],"action":"SCMP_ACT_ERRNO"}]}"#;
    check(&program(permissive), X86_64, &[(0, EPERM), (1, 0x7ffc_0000), (400, 0x7ffc_0000)]);
}

#[test]
fn rules_with_and_without_conditions() {
    let one = |index, op, value: u64, rest| {
        format!(r#"{{"index":{index},"op":"SCMP_CMP_{op}","value":{value}{rest}}}"#)
    };
    let rule = |action, args: &[String]| {
        format!(r#"{{"names":["dup"],"action":{action},"args":[{}]}}"#, args.join(","))
    };
    let allow = r#""SCMP_ACT_ALLOW""#;
    let run =
        |list: &[String], args| bpf::run(&program(&rules(&list.join(","))), X86_64, 32, args).0;
    let a = |first, second| [first, second, 0, 0, 0, 0];
    // Both conditions must hold.
    let both = [rule(allow, &[one(0, "EQ", 1, ""), one(1, "GT", 1 << 32, "")])];
    assert_eq!(
        [run(&both, a(1, 1 << 33)), run(&both, a(1, 1 << 32)), run(&both, a(2, u64::MAX))],
        [ALLOW, EPERM, EPERM]
    );
    // Two conditions on one argument are two rules; then the third is one, too.
    let apart =
        [rule(allow, &[one(0, "LT", 3, ""), one(0, "GE", 1 << 40, ""), one(1, "EQ", 7, "")])];
    let verdicts =
        [a(2, 0), a(3, 0), a((1 << 40) - 1, 7), a(1 << 40, 0)].map(|args| run(&apart, args));
    assert_eq!(verdicts, [ALLOW, EPERM, ALLOW, ALLOW]);
    // The first match wins; a rule without conditions precedes all others, in any order.
    let first =
        [rule(allow, &[one(0, "LE", 5, "")]), rule(r#""SCMP_ACT_TRAP""#, &[one(0, "NE", 9, "")])];
    assert_eq!(
        [run(&first, a(5, 0)), run(&first, a(6, 0)), run(&first, a(9, 0))],
        [ALLOW, 0x3_0000, EPERM]
    );
    let last = [&first[..], &[rule(r#""SCMP_ACT_LOG""#, &[]), rule(allow, &[])]].concat();
    assert_eq!(run(&last, a(5, 0)), 0x7ffc_0000);
    // A rule with the default action is ignored.
    let default =
        [rule(r#""SCMP_ACT_ERRNO","errnoRet":1"#, &[]), rule(allow, &[one(0, "EQ", 1, "")])];
    assert_eq!([run(&default, a(1, 0)), run(&default, a(2, 0))], [ALLOW, EPERM]);
    let masked = [rule(allow, &[one(0, "MASKED_EQ", 0xff00_0000_00f0, r#","valueTwo":80"#)])];
    assert_eq!(
        [run(&masked, a(0x5f, 0)), run(&masked, a(0x4f, 0)), run(&masked, a(1 << 40 | 0x50, 0))],
        [ALLOW, EPERM, EPERM]
    );
}

#[test]
fn calls_that_i386_makes_in_two_ways() {
    let arg =
        r#"{"index":0,"op":"SCMP_CMP_NE","value":40},{"index":1,"op":"SCMP_CMP_EQ","value":1}"#;
    let listed = rules(&format!(
        r#"{{"names":["socket","semop"],"action":"SCMP_ACT_ALLOW","args":[{arg}]}},{{"names":["shmctl"],"action":"SCMP_ACT_LOG"}}"#
    ));
    let program = program(&listed);
    let run =
        |number, first, second| bpf::run(&program, I386, number, [first, second, 0, 0, 0, 0]).0;
    assert_eq!([run(359, 2, 1), run(359, 40, 1), run(359, 2, 2)], [ALLOW, EPERM, EPERM]);
    assert_eq!([run(102, 1, 1), run(102, 1, 2), run(102, 2, 1)], [ALLOW, EPERM, EPERM]);
    assert_eq!(
        [run(117, 1, 1), run(117, 24, 0), run(117, 23, 0), run(396, 0, 0)],
        [ALLOW, 0x7ffc_0000, EPERM, 0x7ffc_0000]
    );
}

#[test]
fn flags_and_listeners() {
    let with = |rest: &str| format!(r#"{{"defaultAction":"SCMP_ACT_ALLOW"{rest}}}"#);
    assert_eq!((flags(&with("")), flags(&with(r#","flags":[]"#))), (seccomp::FLAG_SPEC_ALLOW, 0));
    let four = r#","flags":["SECCOMP_FILTER_FLAG_TSYNC","SECCOMP_FILTER_FLAG_LOG","SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"]"#;
    assert_eq!(flags(&with(four)), seccomp::FLAG_LOG);
    let notify =
        r#","listenerPath":"/a","syscalls":[{"names":["mkdir"],"action":"SCMP_ACT_NOTIFY"}]"#;
    assert_eq!(flags(&with(&format!("{four}{notify}"))), 1 << 1 | 1 << 3 | 1 << 5);
}

#[test]
fn errors_name_the_place() {
    let rule =
        |rule: &str| rules(&format!(r#"{{"names":["read"],"action":"SCMP_ACT_ALLOW"}},{rule}"#));
    let arg = |arg: &str| {
        rule(&format!(r#"{{"names":["read"],"action":"SCMP_ACT_ALLOW","args":[{{{arg}}}]}}"#))
    };
    let notify = |rest: &str, names: &str| {
        format!(
            r#"{{"defaultAction":"SCMP_ACT_ALLOW"{rest},"syscalls":[{{"names":[{names}],"action":"SCMP_ACT_NOTIFY"}}]}}"#
        )
    };
    let path = r#","listenerPath":"/run/a""#;
    for (profile, wanted) in [
        ("{}".into(), "defaultAction: missing"),
        (r#"{"defaultAction":"ALLOW"}"#.into(), "defaultAction: unknown"),
        (
            r#"{"defaultAction":"SCMP_ACT_NOTIFY","listenerPath":"/a"}"#.into(),
            "defaultAction: this cannot be the default",
        ),
        (
            r#"{"defaultAction":"SCMP_ACT_ALLOW","defaultErrnoRet":1}"#.into(),
            "defaultErrnoRet: the action takes none",
        ),
        (
            r#"{"defaultAction":"SCMP_ACT_ERRNO","defaultErrnoRet":65536}"#.into(),
            "defaultErrnoRet: above 65535",
        ),
        (
            r#"{"defaultAction":"SCMP_ACT_ALLOW","architectures":["x86"]}"#.into(),
            "architectures[0]: unknown",
        ),
        (
            r#"{"defaultAction":"SCMP_ACT_ALLOW","flags":["SECCOMP_FILTER_FLAG_X"]}"#.into(),
            "flags[0]: unknown",
        ),
        (
            r#"{"defaultAction":"SCMP_ACT_ALLOW","listenerMetadata":"a"}"#.into(),
            "listenerMetadata: there is no listenerPath",
        ),
        (
            rule(r#"{"names":["read"],"action":"SCMP_ACT_KILL","errnoRet":1}"#),
            "syscalls[1].errnoRet: the action takes none",
        ),
        (rule(r#"{"names":["read"]}"#), "syscalls[1].action: missing"),
        (rule(r#"{"names":[],"action":"SCMP_ACT_ALLOW"}"#), "syscalls[1].names: empty"),
        (
            rule(r#"{"names":["a",""],"action":"SCMP_ACT_ALLOW"}"#),
            "syscalls[1].names[1]: must not be empty",
        ),
        (arg(r#""index":6,"value":0,"op":"SCMP_CMP_EQ""#), "syscalls[1].args[0].index: above 5"),
        (arg(r#""index":0,"value":0,"op":"EQ""#), "syscalls[1].args[0].op: unknown"),
        (arg(r#""index":0,"op":"SCMP_CMP_EQ""#), "syscalls[1].args[0].value: missing"),
        (notify("", r#""mkdir""#), "listenerPath: missing, and there is SCMP_ACT_NOTIFY"),
        (notify(path, r#""mkdir","write""#), "syscalls[0].names[1]: not with SCMP_ACT_NOTIFY"),
    ] {
        assert_eq!(error(&profile), wanted, "{profile}");
    }
}

#[test]
fn as_many_instructions_as_there_may_be() {
    let rule = |n: usize| {
        format!(
            r#"{{"names":["read"],"action":"SCMP_ACT_TRACE","errnoRet":{n},"args":[{{"index":0,"value":{n},"op":"SCMP_CMP_EQ"}}]}}"#
        )
    };
    let profile = |count| rules(&(0..count).map(rule).collect::<Vec<_>>().join(","));
    let last =
        (300..400).rev().find(|count| with(&profile(*count), |filter| filter.is_ok())).unwrap();
    let most = program(&profile(last));
    assert!(most.len() > 4096 - 12, "{} instructions", most.len());
    for (arch, number) in [(X86_64, 0), (X86_64, X32), (I386, 3)] {
        for n in [0, 100, last as u64 - 1] {
            assert_eq!(bpf::run(&most, arch, number, [n, 0, 0, 0, 0, 0]).0, 0x7ff0_0000 | n as u32);
        }
        assert_eq!(bpf::run(&most, arch, number, [last as u64, 0, 0, 0, 0, 0]).0, EPERM);
    }
    let wanted =
        "linux.seccomp: a filter of more than 4096 instructions (SECCOMP_INSTRUCTIONS_MAX)";
    assert_eq!([error(&profile(400)), error(&profile(2000))], [wanted; 2]);
}

#[test]
fn a_thread_under_a_filter() {
    let profile = r#"{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mkdir"],"action":"SCMP_ACT_ERRNO","errnoRet":99},
        {"names":["socket"],"action":"SCMP_ACT_ERRNO","errnoRet":98,"args":[{"index":0,"value":2,"op":"SCMP_CMP_EQ"}]}]}"#;
    let errnos = std::thread::spawn(move || {
        process::no_new_privileges().unwrap();
        assert!(with(profile, |filter| filter.unwrap().load()).unwrap().is_none());
        let mkdir = std::fs::create_dir("/proc/nowhere/at/all").unwrap_err().raw_os_error();
        let inet = std::net::UdpSocket::bind("127.0.0.1:0").unwrap_err().raw_os_error();
        (mkdir, inet, std::os::unix::net::UnixDatagram::unbound().is_ok())
    });
    assert_eq!(errnos.join().unwrap(), (Some(99), Some(98), true));
    assert_eq!(std::fs::create_dir("/proc/nowhere/at/all").unwrap_err().raw_os_error(), Some(2));
}
