use super::*;
use crate::cgroup::Cgroup;
use crate::cgroup::tests::{own_hierarchy, resources};
use crate::sys::clone::{Side, fork};
use crate::sys::fd::CWD;
use crate::sys::process::{self, Whom};
use crate::sys::{Errno, fs};

fn rules(text: &str) -> &'static [DeviceRule] {
    resources(&format!(r#"{{"devices":[{text}]}}"#)).unwrap().device_rules
}

const BLOCK: u32 = DeviceKind::Block as u32;
const CHARACTER: u32 = DeviceKind::Character as u32;
const MKNOD: u32 = DeviceRule::MKNOD as u32;

/// Returns the program's result, by an interpreter of the few instructions.
fn answer(program: &Program, kind: u32, wanted: u32, major: u32, minor: u32) -> u64 {
    let context = [kind | wanted << 16, major, minor];
    let (mut registers, mut at) = ([0u64; 11], 0);
    loop {
        let word = program.code[at];
        let (target, source) = ((word >> 8 & 15) as usize, (word >> 12 & 15) as usize);
        let (offset, number) = ((word >> 16) as u16 as usize, (word >> 32) as i32 as i64 as u64);
        match word as u8 {
            LOAD => registers[target] = u64::from(context[offset / 4]),
            MOVE => registers[target] = number,
            MOVE_REGISTER => registers[target] = registers[source],
            SHIFT_RIGHT => registers[target] >>= number,
            AND => registers[target] &= number,
            AND_REGISTER => registers[target] &= registers[source],
            OR => registers[target] |= number,
            XOR => registers[target] ^= number,
            SKIP_IF_EQUAL if registers[target] == number => at += offset,
            SKIP_UNLESS_EQUAL if registers[target] != number => at += offset,
            SKIP_IF_EQUAL | SKIP_UNLESS_EQUAL => {}
            EXIT => return registers[0],
            other => panic!("instruction {other:#x}"),
        }
        at += 1;
    }
}

const R: u32 = 2;
const W: u32 = 4;

/// Type, access, major, minor, and the expected result.
type Asked = (u32, u32, u32, u32, u64);

#[test]
fn the_last_rule_that_matches_counts_for_each_kind_of_access() {
    let deny_all = r#"{"allow":false,"access":"rwm"}"#;
    let cases: &[(&str, &[Asked])] = &[
        // The default devices, and no others.
        (
            "",
            &[
                (CHARACTER, R | W, 1, 3, 1),
                (CHARACTER, R, 136, 77, 1),
                (CHARACTER, R, 1, 1, 0),
                (BLOCK, R, 1, 3, 0),
            ],
        ),
        // Any node may be made, but only these may be opened.
        (
            deny_all,
            &[(BLOCK, MKNOD, 8, 0, 1), (BLOCK, MKNOD | R, 8, 0, 0), (CHARACTER, W, 5, 2, 1)],
        ),
        (
            r#"{"allow":false,"access":"rwm"},{"allow":true,"type":"b","major":8,"access":"r"}"#,
            &[
                (BLOCK, R, 8, 17, 1),
                (BLOCK, R | W, 8, 17, 0),
                (BLOCK, R, 9, 17, 0),
                (CHARACTER, R, 8, 17, 0),
            ],
        ),
        // Read and write from two rules are both allowed.
        (
            r#"{"allow":true,"type":"b","major":8,"minor":1,"access":"r"},{"allow":true,"type":"b","minor":1,"access":"w"}"#,
            &[(BLOCK, R | W, 8, 1, 1), (BLOCK, R | W, 9, 1, 0), (BLOCK, W, 9, 1, 1)],
        ),
        // A later rule denies a part of an earlier one.
        (
            r#"{"allow":true,"access":"rwm"},{"allow":false,"type":"c","major":10,"minor":200,"access":"w"}"#,
            &[
                (CHARACTER, R, 10, 200, 1),
                (CHARACTER, W, 10, 200, 0),
                (CHARACTER, R | W, 10, 201, 1),
                (BLOCK, W, 10, 200, 1),
            ],
        ),
        // Rules cannot deny the defaults.
        (
            r#"{"allow":false,"type":"c","major":1,"minor":3,"access":"rw"}"#,
            &[(CHARACTER, R | W, 1, 3, 1)],
        ),
        // `a` denies every access, and allows none.
        (
            r#"{"allow":true,"access":"rwm"},{"allow":false,"type":"c","major":1,"minor":11,"access":"ra"}"#,
            &[(CHARACTER, R, 1, 11, 0), (CHARACTER, W, 1, 11, 0), (CHARACTER, R, 1, 12, 1)],
        ),
        // A rule for all devices overrides all former ones.
        (
            r#"{"allow":false,"type":"b","major":8,"access":"w"},{"allow":true,"type":"a","access":"rwm"}"#,
            &[(BLOCK, W, 8, 0, 1)],
        ),
        (r#"{"allow":true,"type":"a","access":"r"}"#, &[(BLOCK, R, 8, 0, 1), (BLOCK, W, 8, 0, 0)]),
        (
            r#"{"allow":true,"type":"c","major":2147483647,"minor":1048575,"access":"rwm"}"#,
            &[(CHARACTER, 7, 0x7fff_ffff, 0xf_ffff, 1)],
        ),
    ];
    for (text, asked) in cases {
        let program = Program::compile(rules(text)).unwrap();
        for &(kind, access, major, minor, wanted) in *asked {
            assert_eq!(
                answer(&program, kind, access, major, minor),
                wanted,
                "{text}: {kind} {access} {major}:{minor}"
            );
        }
    }
    let everything = Program::compile(rules(r#"{"allow":true,"access":"rwm"}"#)).unwrap();
    assert!(!everything.refuses && Program::compile(&[]).unwrap().refuses);
}

#[test]
fn the_kernel_asks_the_program() {
    if !own_hierarchy() {
        return;
    }
    let name = std::ffi::CString::new(format!("ocinit-devices-{}", std::process::id())).unwrap();
    let group = Cgroup::create_for_machine(&name, &[]).unwrap();
    // In the cgroup: which of /dev/null, /dev/kmsg and /dev/null again can be opened?
    let opened = || match fork(0, Some(group.directory())).unwrap() {
        Side::Parent(_, pidfd) => {
            let (_, ended) = process::wait(Whom::Pidfd(pidfd.by_ref()), true).unwrap().unwrap();
            ended.status()
        }
        Side::Child => {
            let open = |path, bit: i32| match fs::open(CWD, path, fs::O_RDONLY, 0) {
                Ok(_) => bit,
                Err(Errno::EPERM) => 0,
                Err(_) => 8,
            };
            process::exit(open(c"/dev/null", 1) | open(c"/dev/kmsg", 2))
        }
    };
    assert_eq!(opened(), 3);
    restrict(rules(r#"{"allow":false,"access":"rwm"}"#), group.directory()).unwrap();
    assert_eq!(opened(), 1);
    // The next container's rules replace all former ones.
    let kmsg = r#"{"allow":false,"access":"rwm"},{"allow":true,"type":"c","major":1,"minor":11,"access":"r"}"#;
    restrict(rules(kmsg), group.directory()).unwrap();
    assert_eq!(opened(), 3);
    restrict(&[], group.directory()).unwrap();
    assert_eq!(opened(), 1);
    restrict(rules(r#"{"allow":true,"access":"rwm"}"#), group.directory()).unwrap();
    assert_eq!(opened(), 3);
    // As many rules as fit, and one more.
    let many = |count: usize| {
        let one = r#"{"allow":false,"type":"c","major":10,"minor":1,"access":"rwm"}"#;
        restrict(rules(&vec![one; count].join(",")), group.directory())
    };
    many(DEVICE_RULES_MAX).unwrap();
    assert_eq!(opened(), 1);
    assert_eq!(
        many(DEVICE_RULES_MAX * 2).unwrap_err().to_string(),
        "more than 256 device rules (DEVICE_RULES_MAX)"
    );
    group.remove().unwrap();
}
