//! Reads `linux.seccomp` where it stands, each part once: what becomes of each system call.

use super::Filter;
use super::names::Numbers;
use super::program::{
    Condition, EQUAL, GREATER, GREATER_EQUAL, Operator, Policy, Program, RULES_FOLLOW, Rule, UNKNOWN, too_large,
};
use crate::Result;
use crate::codec::json::{Items, Value};
use crate::io::text::words;
use crate::sys::seccomp::{self, RETURN_ALLOW, RETURN_ERRNO, RETURN_LOG, RETURN_NOTIFY, RETURN_TRACE};

/// The actions there are, without `SCMP_ACT_`.
pub const ACTIONS: &str = "ALLOW ERRNO KILL KILL_PROCESS KILL_THREAD LOG NOTIFY TRACE TRAP";
/// What a filter returns for each of them.
const RETURNS: [u32; 9] = [
    RETURN_ALLOW,
    RETURN_ERRNO,
    seccomp::RETURN_KILL_THREAD,
    seccomp::RETURN_KILL_PROCESS,
    seccomp::RETURN_KILL_THREAD,
    RETURN_LOG,
    RETURN_NOTIFY,
    RETURN_TRACE,
    seccomp::RETURN_TRAP,
];

/// The comparisons there are, without `SCMP_CMP_`.
pub const OPERATORS: &str = "EQ GE GT LE LT MASKED_EQ NE";
const COMPARISONS: [Operator; 7] = [
    Operator { jump: EQUAL, negated: false, masks: false },
    Operator { jump: GREATER_EQUAL, negated: false, masks: false },
    Operator { jump: GREATER, negated: false, masks: false },
    Operator { jump: GREATER, negated: true, masks: false },
    Operator { jump: GREATER_EQUAL, negated: true, masks: false },
    Operator { jump: EQUAL, negated: false, masks: true },
    Operator { jump: EQUAL, negated: true, masks: false },
];

/// The architectures that a profile may name, without `SCMP_ARCH_`. A filter is for the first three.
pub const ARCHITECTURES: &str = "X86_64 X86 X32 AARCH64 ARM LOONGARCH64 M68K MIPS MIPS64 MIPS64N32 MIPSEL MIPSEL64 \
    MIPSEL64N32 PARISC PARISC64 PPC PPC64 PPC64LE RISCV64 S390 S390X SH SHEB";

/// The flags there are, without `SECCOMP_FILTER_FLAG_`.
pub const FLAGS: &str = "TSYNC LOG SPEC_ALLOW WAIT_KILLABLE_RECV";
/// A process that has one thread needs no TSYNC.
const FLAG_BITS: [u32; 4] = [0, seccomp::FLAG_LOG, seccomp::FLAG_SPEC_ALLOW, seccomp::FLAG_WAIT_KILLABLE_RECV];

const EPERM: u32 = libc::EPERM as u32;
const ENOSYS: u32 = libc::ENOSYS as u32;
const ACTION: u32 = 0xffff_0000;

/// What the process calls itself to hand over its listener, and whoever listens cannot answer before. (runc writes.)
const NOT_NOTIFIED: &str = "write sendmsg";

/// i386's numbers for what is also made through socketcall(2), by that call's number from 1 up (`linux/net.h`), and behind
/// these for ipc(2): numbers 1 to 4, 11 to 14, 21 to 24 (`linux/ipc.h`).
const MULTIPLEXED: [u16; 32] = [
    359, 361, 362, 363, 500, 367, 368, 360, 501, 502, 369, 371, 373, 366, 365, 370, 372, 364, 337, 345, //
    503, 393, 394, 504, 400, 401, 399, 402, 397, 398, 395, 396,
];
const SOCKETCALLS: usize = 20;
const SOCKETCALL: usize = 102;
const IPC: usize = 117;
/// The lowest number among them, and the first that is none.
const FIRST_MULTIPLEXED: usize = 337;
const NO_NUMBER: usize = 500;

/// Compiles a profile. Whatever is wrong with it is an error that names the place.
pub fn compile<'p>(profile: Value<'_>, program: &'p mut Program) -> Result<Filter<'p>> {
    let keys = "defaultAction defaultErrnoRet architectures flags listenerPath listenerMetadata syscalls";
    let [action, errno, architectures, flags, path, metadata, syscalls] = members(&profile, keys)?;
    let action = action.ok_or_else(|| profile.fault_of("defaultAction", "missing"))?;
    let default = verdict(&action, errno)?;
    if default == RETURN_NOTIFY {
        return Err(action.fault("this cannot be the default"));
    }
    if let (Some(metadata), None) = (metadata, path) {
        return Err(metadata.fault("there is no listenerPath"));
    }
    // A permissive default is for new calls, too.
    let permissive = matches!(default & ACTION, RETURN_ALLOW | RETURN_LOG | RETURN_TRACE);
    let newer = if permissive { default } else { RETURN_ERRNO | ENOSYS };
    let mut policy = Policy { default, newer, x86: false, x32: false };
    for architecture in items(architectures)? {
        let number = word(&architecture, "SCMP_ARCH_", ARCHITECTURES)?;
        policy.x86 |= number == 1;
        policy.x32 |= number == 2;
    }
    // What runc does without a word: the process has no secrets from itself.
    let mut bits = if flags.is_none() { seccomp::FLAG_SPEC_ALLOW } else { 0 };
    for flag in items(flags)? {
        bits |= FLAG_BITS[word(&flag, "SECCOMP_FILTER_FLAG_", FLAGS)?];
    }

    program.clear();
    let mut notifies = false;
    for rule in items(syscalls)? {
        notifies |= add(&rule, program, &policy)? == RETURN_NOTIFY;
    }
    if notifies {
        bits |= seccomp::FLAG_NEW_LISTENER;
        if path.is_none() {
            return Err(profile.fault_of("listenerPath", "missing, and there is SCMP_ACT_NOTIFY"));
        }
    } else {
        // The kernel wants it for listeners only.
        bits &= !seccomp::FLAG_WAIT_KILLABLE_RECV;
    }
    Ok(Filter { program: program.assemble(&policy)?, flags: bits })
}

/// One rule of the profile; what its system calls get.
fn add(rule: &Value<'_>, program: &mut Program, policy: &Policy) -> Result<u32> {
    let [names, action, errno, args, ..] = members(rule, "names action errnoRet args")?;
    let action = action.ok_or_else(|| rule.fault_of("action", "missing"))?;
    let verdict = verdict(&action, errno)?;
    let (rules, first) = (program.rules.len(), program.conditions.len());
    let (mut arguments, mut separate) = (0u8, false);
    for arg in items(args)? {
        let condition = condition(&arg)?;
        separate |= arguments >> condition.argument & 1 != 0;
        arguments |= 1 << condition.argument;
        program.conditions.push(condition).map_err(|_| too_large())?;
    }
    let conditions = (first as u16, program.conditions.len() as u16);
    let wanted = Wanted { verdict, default: policy.default, conditions, separate };
    let mut empty = true;
    for name in items(names)? {
        empty = false;
        let text = name.as_text()?;
        if text.is_empty() {
            return Err(name.fault("empty"));
        }
        // No system call has a character that is escaped.
        let text = text.as_escaped().as_bytes();
        if verdict == RETURN_NOTIFY && words(NOT_NOTIFIED).any(|word| word == text) {
            return Err(name.fault("not with SCMP_ACT_NOTIFY"));
        }
        if let Some(Numbers { native, compat }) = program.names.find(text) {
            if let Some(native) = native {
                wanted.put(program, 0, native.into(), 0)?;
            }
            if let (Some(compat), true) = (compat, policy.x86) {
                wanted.put_compat(program, compat.into())?;
            }
        }
    }
    if empty {
        return Err(rule.fault_of("names", "empty"));
    }
    if program.rules.len() == rules {
        program.conditions.truncate(first);
    }
    Ok(verdict)
}

/// What one rule wants for each of its system calls.
struct Wanted {
    verdict: u32,
    default: u32,
    conditions: (u16, u16),
    /// Each condition is a rule.
    separate: bool,
}

impl Wanted {
    /// A number of i386; it may stand for a call of socketcall(2) or ipc(2).
    fn put_compat(&self, program: &mut Program, number: usize) -> Result<()> {
        if number >= FIRST_MULTIPLEXED
            && let Some(at) = MULTIPLEXED.iter().position(|one| usize::from(*one) == number)
        {
            let (call, at) = if at < SOCKETCALLS { (SOCKETCALL, at) } else { (IPC, ipc_call(at - SOCKETCALLS)) };
            self.put(program, 1, call, at as u8 + 1)?;
        }
        if number < NO_NUMBER { self.put(program, 1, number, 0) } else { Ok(()) }
    }

    fn put(&self, program: &mut Program, table: usize, number: usize, multiplexed: u8) -> Result<()> {
        let verdict = &mut program.verdicts[table][number];
        let (first, end) = self.conditions;
        let is_free = *verdict == UNKNOWN || *verdict == self.default;
        if self.verdict == self.default {
            if is_free {
                *verdict = self.default;
            }
            return Ok(());
        }
        if !is_free && *verdict & ACTION != RULES_FOLLOW {
            // There is a rule without conditions.
            return Ok(());
        }
        if first == end && multiplexed == 0 {
            *verdict = self.verdict;
            return Ok(());
        }
        let step = if self.separate { 1 } else { (end - first).max(1) };
        let mut at = first;
        loop {
            let conditions = (at, (at + step).min(end));
            let rule = Rule { verdict: self.verdict, conditions, multiplexed, before: *verdict };
            *verdict = RULES_FOLLOW | program.rules.len() as u32;
            program.rules.push(rule).map_err(|_| too_large())?;
            at += step;
            if at >= end {
                return Ok(());
            }
        }
    }
}

/// The number of an ipc(2) call, less 1, by its place.
const fn ipc_call(place: usize) -> usize {
    place / 4 * 10 + place % 4
}

fn condition(arg: &Value<'_>) -> Result<Condition> {
    let [index, value, second, op, ..] = members(arg, "index value valueTwo op")?;
    let missing = |key| move || arg.fault_of(key, "missing");
    let index = index.ok_or_else(missing("index"))?;
    let argument = match index.as_u64()? {
        argument @ 0..=5 => argument as u8,
        _ => return Err(index.fault("above 5")),
    };
    let operator = word(&op.ok_or_else(missing("op"))?, "SCMP_CMP_", OPERATORS)?;
    let value = value.ok_or_else(missing("value"))?.as_u64()?;
    let masked = second.map_or(Ok(0), |second| second.as_u64())?;
    Ok(Condition { argument, operator: COMPARISONS[operator], value, masked })
}

/// What a filter returns for an action.
fn verdict(action: &Value<'_>, errno: Option<Value<'_>>) -> Result<u32> {
    let verdict = RETURNS[word(action, "SCMP_ACT_", ACTIONS)?];
    let takes_errno = matches!(verdict, RETURN_ERRNO | RETURN_TRACE);
    match errno {
        None if takes_errno => Ok(verdict | EPERM),
        None => Ok(verdict),
        Some(errno) if takes_errno => match errno.as_u64()? {
            number @ 0..=0xffff => Ok(verdict | number as u32),
            _ => Err(errno.fault("above 65535")),
        },
        Some(errno) => Err(errno.fault("the action takes none")),
    }
}

/// The values of these keys in an object; what is null is not there.
fn members<'m>(object: &Value<'m>, keys: &'static str) -> Result<[Option<Value<'m>>; 7]> {
    let mut found = [None; 7];
    for (key, value) in object.entries()? {
        if let Some(at) = words(keys).position(|word| word == key.as_escaped().as_bytes())
            && found[at].replace(value).is_some()
        {
            return Err(value.fault("given twice"));
        }
    }
    Ok(found.map(|value| value.filter(|value| !value.is_null())))
}

fn items(list: Option<Value<'_>>) -> Result<Items<'_>> {
    list.map_or(Ok(Items::default()), |list| list.items())
}

/// Which word of a list this text is, behind its prefix.
fn word(value: &Value<'_>, prefix: &str, list: &'static str) -> Result<usize> {
    let text = value.as_text()?.as_escaped().as_bytes().strip_prefix(prefix.as_bytes());
    let at = text.and_then(|text| words(list).position(|word| word == text));
    at.ok_or_else(|| value.fault("unknown"))
}
