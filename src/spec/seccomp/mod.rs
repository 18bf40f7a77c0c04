//! docker's default seccomp profile, for the capabilities that a container has.
//!
//! The profile is the text `default.txt`. The compiler turns it into one bit for each system call
//! of
//! `syscalls.txt` that is always allowed, and one word for each that needs a capability. It is used
//! twice: in a config.json ([`write_default`]), and for a filter (`container/seccomp/profile.rs`).

mod names;
pub(super) mod resolve;

pub use names::{COUNT, NONE, Name, each_name, find};

use super::capability;
use crate::codec::json::Writer;
use names::TEXT;

const DEFAULT: &[u8] = include_bytes!("default.txt");
/// The oldest kernel of a config.json: conditions on older kernels are true.
const OLDEST_KERNEL: (u32, u32) = (5, 12);

/// socket(2): the families below this one are allowed.
const FAMILIES_BELOW: u64 = 12;
/// socket(2): these families are allowed as well. Left out: families that the kernel has dropped,
/// AF_ALG (38), and AF_VSOCK (40), which has no namespace.
const FAMILIES: [u8; 25] = [
    13, 14, 15, 16, 17, 18, 21, 22, 24, 26, 27, 28, 29, 30, 31, 32, 33, 35, 36, 39, 41, 42, 43, 44,
    45,
];
/// personality(2): Linux, Linux32, both with UNAME26, and the query.
const PERSONALITIES: [u64; 5] = [0, 8, 0x2_0000, 0x2_0008, 0xffff_ffff];
/// clone(2): no flag that makes a namespace.
const CLONE_NAMESPACES: u64 = 0x7e02_0000;

const SOCKET: Name = names::known(b"socket");
const PERSONALITY: Name = names::known(b"personality");
const CLONE: Name = names::known(b"clone");
const CLONE3: Name = names::known(b"clone3");

/// The compiled table.
struct Table {
    always: [u8; COUNT.div_ceil(8)],
    /// A capability's number above ten bits of a system call's index.
    with: [u16; 64],
    count: usize,
}

static TABLE: Table = read();

/// The system calls of a rule.
#[derive(Clone, Copy)]
enum Which {
    Always,
    /// Those that this capability allows.
    With(u32),
    One(Name),
}

/// A rule of the profile. Only its condition on an argument is left to check.
#[derive(Clone, Copy)]
pub struct Rule {
    which: Which,
    /// The system call fails with this errno; if None, it is allowed.
    pub errno: Option<u16>,
    /// A condition on the first argument.
    pub condition: Option<Condition>,
}

/// A condition on the first argument.
#[derive(Clone, Copy)]
pub struct Condition {
    /// Without `SCMP_CMP_`.
    pub operator: &'static str,
    /// The value to compare with. For `MASKED_EQ` the mask: the masked argument must be 0.
    pub value: u64,
}

/// Calls `see` with each rule for a process with this bounding set.
pub fn each_rule(bounding: u64, see: &mut dyn FnMut(Rule)) {
    let rule = |which| Rule { which, errno: None, condition: None };
    let given = |call, operator, value| Rule {
        condition: Some(Condition { operator, value }),
        ..rule(Which::One(call))
    };
    see(rule(Which::Always));
    see(given(SOCKET, "LT", FAMILIES_BELOW));
    for family in FAMILIES {
        see(given(SOCKET, "EQ", family.into()));
    }
    for personality in PERSONALITIES {
        see(given(PERSONALITY, "EQ", personality));
    }
    for number in 0..capability::COUNT {
        if bounding >> number & 1 != 0 && TABLE.allowed_with(number).next().is_some() {
            see(rule(Which::With(number)));
        }
    }
    if bounding & capability::set("SYS_ADMIN") == 0 {
        see(given(CLONE, "MASKED_EQ", CLONE_NAMESPACES));
        // A filter cannot see clone3's flags. With ENOSYS programs fall back to clone(2).
        see(Rule { errno: Some(libc::ENOSYS as u16), ..rule(Which::One(CLONE3)) });
    }
}

impl Rule {
    /// Calls `see` with each of its system calls.
    pub fn each_call(&self, see: &mut dyn FnMut(&Name)) {
        match self.which {
            Which::One(call) => see(&call),
            Which::Always => each_name(&mut |at, name| {
                if TABLE.always[at / 8] >> (at % 8) & 1 != 0 {
                    see(name);
                }
            }),
            Which::With(number) => each_name(&mut |at, name| {
                if TABLE.allowed_with(number).any(|one| one == at) {
                    see(name);
                }
            }),
        }
    }
}

impl Table {
    /// Returns the indexes of the system calls that a capability allows.
    fn allowed_with(&self, number: u32) -> impl Iterator<Item = usize> {
        let words = self.with.iter().take(self.count);
        words
            .filter(move |word| u32::from(**word >> 10) == number)
            .map(|word| usize::from(word & 0x3ff))
    }
}

/// Writes the profile as `linux.seccomp` of a config, for x86_64, x86 and x32, and for every kernel
/// from [`OLDEST_KERNEL`].
pub fn write_default(bounding: u64, json: &mut Writer<'_>) {
    json.object();
    json.string_of("defaultAction", b"SCMP_ACT_ERRNO");
    json.key("defaultErrnoRet").number(libc::EPERM as u64);
    json.array_of("architectures");
    for architecture in ["X86_64", "X86", "X32"] {
        json.concat("SCMP_ARCH_", architecture.as_bytes());
    }
    json.end();
    json.array_of("syscalls");
    each_rule(bounding, &mut |rule| {
        json.object();
        json.array_of("names");
        rule.each_call(&mut |call| json.string(call.text));
        json.end();
        json.string_of(
            "action",
            if rule.errno.is_some() { b"SCMP_ACT_ERRNO" } else { b"SCMP_ACT_ALLOW" },
        );
        if let Some(errno) = rule.errno {
            json.key("errnoRet").number(errno.into());
        }
        if let Some(Condition { operator, value }) = rule.condition {
            json.array_of("args");
            json.object();
            json.key("index").number(0);
            json.key("value").number(value);
            json.key("op").concat("SCMP_CMP_", operator.as_bytes());
            json.end();
            json.end();
        }
        json.end();
    });
    json.end();
    json.end();
}

/// Reads the table, word by word.
const fn read() -> Table {
    let mut table = Table { always: [0; COUNT.div_ceil(8)], with: [0; 64], count: 0 };
    let (mut start, mut number) = (0, None);
    // The next line of `syscalls.txt` to compare: its number and its start.
    let (mut place, mut line) = (0, 0);
    while start < DEFAULT.len() {
        let mut end = start;
        match DEFAULT[start] {
            b' ' | b'\n' => {}
            b'#' => {
                while DEFAULT[end] != b'\n' {
                    end += 1;
                }
            }
            first => {
                while DEFAULT[end] != b' ' && DEFAULT[end] != b'\n' {
                    end += 1;
                }
                if first.is_ascii_uppercase() {
                    number = condition(start, end);
                    (place, line) = (0, 0);
                } else {
                    // An unknown or unordered name ends the compilation here.
                    while !capability::same(
                        DEFAULT,
                        start,
                        end,
                        TEXT,
                        line,
                        end_of_word(TEXT, line),
                    ) {
                        line = end_of_line(TEXT, line) + 1;
                        place += 1;
                    }
                    match number {
                        None => table.always[place / 8] |= 1 << (place % 8),
                        Some(number) => {
                            table.with[table.count] = number << 10 | place as u16;
                            table.count += 1;
                        }
                    }
                }
            }
        }
        start = end + 1;
    }
    table
}

/// Returns the capability of a word in capitals; None if the names after it are always allowed.
const fn condition(start: usize, end: usize) -> Option<u16> {
    if capability::same(DEFAULT, start, end, b"ALWAYS", 0, 6) {
        return None;
    }
    if capability::same(DEFAULT, start, start + 7, b"KERNEL_", 0, 7) {
        let (major, minor) = (DEFAULT[start + 7] - b'0', DEFAULT[start + 9] - b'0');
        assert!(
            (major as u32) < OLDEST_KERNEL.0
                || major as u32 == OLDEST_KERNEL.0 && minor as u32 <= OLDEST_KERNEL.1
        );
        return None;
    }
    let (known, mut at, mut number) = (capability::NAMES.as_bytes(), 0, 0);
    while !capability::same(DEFAULT, start, end, known, at, capability::end_of_word(known, at)) {
        at = capability::end_of_word(known, at) + 1;
        number += 1;
    }
    Some(number)
}

const fn end_of_word(text: &[u8], at: usize) -> usize {
    capability::end_of_word(text, at)
}

const fn end_of_line(text: &[u8], mut at: usize) -> usize {
    while text[at] != b'\n' {
        at += 1;
    }
    at
}
