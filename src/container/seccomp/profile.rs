//! Reads `linux.seccomp` where it stands, each part once: what becomes of each system call.

use super::Filter;
use super::program::{Condition, Program, RULES_FOLLOW, Rule, UNKNOWN};
use crate::codec::json::{Items, Value};
use crate::io::text::words;
use crate::spec::seccomp::{self as seccomp_default, NONE};
use crate::sys::seccomp::{self, RETURN_ERRNO, RETURN_NOTIFY, RETURN_TRACE};
use crate::{Error, Result};

/// The actions there are, without `SCMP_ACT_`.
pub const ACTIONS: &str = "ALLOW ERRNO KILL KILL_PROCESS KILL_THREAD LOG NOTIFY TRACE TRAP";
/// What a filter returns for each of them.
const RETURNS: [u32; 9] = [
    seccomp::RETURN_ALLOW,
    RETURN_ERRNO,
    seccomp::RETURN_KILL_THREAD,
    seccomp::RETURN_KILL_PROCESS,
    seccomp::RETURN_KILL_THREAD,
    seccomp::RETURN_LOG,
    RETURN_NOTIFY,
    RETURN_TRACE,
    seccomp::RETURN_TRAP,
];

/// The comparisons there are, without `SCMP_CMP_`.
pub const OPERATORS: &str = "EQ GE GT LE LT MASKED_EQ NE";
/// The architectures that a profile may name, without `SCMP_ARCH_`. A filter is for the first
/// three.
pub const ARCHITECTURES: &str = "X86_64 X86 X32 AARCH64 ARM LOONGARCH64 M68K MIPS MIPS64 MIPS64N32 MIPSEL MIPSEL64 \
    MIPSEL64N32 PARISC PARISC64 PPC PPC64 PPC64LE RISCV64 S390 S390X SH SHEB";

/// The flags there are, without `SECCOMP_FILTER_FLAG_`.
pub const FLAGS: &str = "TSYNC LOG SPEC_ALLOW WAIT_KILLABLE_RECV";
/// A process that has one thread needs no TSYNC.
const FLAG_BITS: [u32; 4] =
    [0, seccomp::FLAG_LOG, seccomp::FLAG_SPEC_ALLOW, seccomp::FLAG_WAIT_KILLABLE_RECV];

const EPERM: u32 = libc::EPERM as u32;
const ACTION: u32 = 0xffff_0000;

/// i386's numbers for what is also made through socketcall(2), by that call's number from 1 up
/// (`linux/net.h`), and behind these for ipc(2): numbers 1 to 4, 11 to 14, 21 to 24
/// (`linux/ipc.h`).
const MULTIPLEXED: [u16; 32] = [
    359, 361, 362, 363, 500, 367, 368, 360, 501, 502, 369, 371, 373, 366, 365, 370, 372, 364, 337,
    345, //
    503, 393, 394, 504, 400, 401, 399, 402, 397, 398, 395, 396,
];
const SOCKETCALLS: usize = 20;
const SOCKETCALL: u16 = 102;
const IPC: u16 = 117;
/// The lowest number among them, and the first that is none.
const FIRST_MULTIPLEXED: u16 = 337;
const NO_NUMBER: u16 = 500;

/// Compiles a profile. Whatever is wrong with it is an error that names the place.
pub fn compile<'p>(profile: Value<'_>, program: &'p mut Program) -> Result<Filter<'p>> {
    let keys =
        "defaultAction defaultErrnoRet architectures flags listenerPath listenerMetadata syscalls";
    let mut members = Members::of(profile, keys);
    members.read()?;
    let default = members.verdict()?;
    if default == RETURN_NOTIFY {
        return Err(members.error(0, "this cannot be the default"));
    }
    let has_path = members.found[4].is_some();
    if !has_path && members.found[5].is_some() {
        return Err(members.error(5, "there is no listenerPath"));
    }
    program.clear(default);
    for architecture in members.items(2)? {
        match word(&architecture, "SCMP_ARCH_", ARCHITECTURES)? {
            1 => program.policy.x86 = true,
            2 => program.policy.x32 = true,
            _ => {}
        }
    }
    // What runc does without a word: the process has no secrets from itself.
    let mut bits = if members.found[3].is_none() { seccomp::FLAG_SPEC_ALLOW } else { 0 };
    for flag in members.items(3)? {
        bits |= FLAG_BITS[word(&flag, "SECCOMP_FILTER_FLAG_", FLAGS)? % FLAG_BITS.len()];
    }
    let mut notifies = false;
    for rule in members.items(6)? {
        notifies |= add(rule, program)? == RETURN_NOTIFY;
    }
    if !notifies {
        // The kernel wants it for listeners only.
        bits &= !seccomp::FLAG_WAIT_KILLABLE_RECV;
    } else if has_path {
        bits |= seccomp::FLAG_NEW_LISTENER;
    } else {
        return Err(members.error(4, "missing, and there is SCMP_ACT_NOTIFY"));
    }
    Ok(Filter { program: program.assemble()?, flags: bits })
}

/// Compiles docker's default profile for a process with this bounding set.
pub fn compile_default(bounding: u64, program: &mut Program) -> Result<Filter<'_>> {
    program.clear(RETURN_ERRNO | EPERM);
    (program.policy.x86, program.policy.x32) = (true, true);
    seccomp_default::each_rule(bounding, &mut |rule| {
        let first = program.conditions.len();
        if let Some(seccomp_default::Condition { operator, value }) = rule.condition {
            let operator = place(OPERATORS, operator.as_bytes()).unwrap_or(0) as u8;
            program.is_full |= program
                .conditions
                .push(Condition { argument: 0, operator, value, masked: 0 })
                .is_err();
        }
        let verdict =
            rule.errno.map_or(seccomp::RETURN_ALLOW, |errno| RETURN_ERRNO | u32::from(errno));
        let wanted = Wanted { verdict, first, end: program.conditions.len(), separate: false };
        rule.each_name(&mut |name| wanted.put_name(program, name));
    });
    Ok(Filter { program: program.assemble()?, flags: seccomp::FLAG_SPEC_ALLOW })
}

/// One rule of the profile; what its system calls get.
fn add(rule: Value<'_>, program: &mut Program) -> Result<u32> {
    let mut members = Members::of(rule, "action errnoRet args names");
    members.read()?;
    let verdict = members.verdict()?;
    let (rules, first) = (program.rules.len(), program.conditions.len());
    let (mut arguments, mut separate) = (0u8, false);
    for arg in members.items(2)? {
        let condition = condition(arg)?;
        separate |= arguments >> condition.argument & 1 != 0;
        arguments |= 1 << condition.argument;
        program.is_full |= program.conditions.push(condition).is_err();
    }
    let wanted = Wanted { verdict, first, end: program.conditions.len(), separate };
    let mut empty = true;
    for name in members.items(3)? {
        empty = false;
        // No system call has a character that is escaped.
        let text = name.as_text()?.as_escaped().as_bytes();
        if text.is_empty() {
            return Err(name.error("empty"));
        }
        // What the process calls itself to hand over its listener, and whoever listens cannot
        // answer before. (runc writes.)
        if verdict == RETURN_NOTIFY && (text == b"write" || text == b"sendmsg") {
            return Err(name.error("not with SCMP_ACT_NOTIFY"));
        }
        wanted.put_name(program, text);
    }
    if empty {
        return Err(members.error(3, "empty"));
    }
    if program.rules.len() == rules {
        program.conditions.truncate(first);
    }
    Ok(verdict)
}

/// What one rule wants for each of its system calls.
struct Wanted {
    verdict: u32,
    first: usize,
    end: usize,
    /// Each condition is a rule.
    separate: bool,
}

impl Wanted {
    /// Adds a system call by its name; an unknown name is ignored.
    fn put_name(&self, program: &mut Program, name: &[u8]) {
        if let Some(seccomp_default::Name { native, compat, .. }) = seccomp_default::find(name) {
            if native != NONE {
                self.put(program, 0, native, 0);
            }
            if compat != NONE && program.policy.x86 {
                self.put_compat(program, compat);
            }
        }
    }

    /// A number of i386; it may stand for a call of socketcall(2) or ipc(2).
    fn put_compat(&self, program: &mut Program, number: u16) {
        if number >= FIRST_MULTIPLEXED
            && let Some(at) = MULTIPLEXED.iter().position(|one| *one == number)
        {
            let (call, at) =
                if at < SOCKETCALLS { (SOCKETCALL, at) } else { (IPC, ipc_call(at - SOCKETCALLS)) };
            self.put(program, 1, call, at as u8 + 1);
        }
        if number < NO_NUMBER {
            self.put(program, 1, number, 0);
        }
    }

    fn put(&self, program: &mut Program, table: usize, number: u16, multiplexed: u8) {
        let verdict = &mut program.verdicts[table][usize::from(number)];
        let Wanted { first, end, .. } = *self;
        let default = program.policy.default;
        let is_free = *verdict == UNKNOWN || *verdict == default;
        if self.verdict == default {
            if is_free {
                *verdict = default;
            }
            return;
        }
        if !is_free && *verdict & ACTION != RULES_FOLLOW {
            // There is a rule without conditions.
            return;
        }
        if first == end && multiplexed == 0 {
            *verdict = self.verdict;
            return;
        }
        let step = if self.separate { 1 } else { (end - first).max(1) };
        let mut at = first;
        loop {
            let conditions = (at as u16, (at + step).min(end) as u16);
            let rule = Rule { verdict: self.verdict, conditions, multiplexed, before: *verdict };
            *verdict = RULES_FOLLOW | program.rules.len() as u32;
            program.is_full |= program.rules.push(rule).is_err();
            at += step;
            if at >= end {
                return;
            }
        }
    }
}

/// The number of an ipc(2) call, less 1, by its place.
const fn ipc_call(place: usize) -> usize {
    place / 4 * 10 + place % 4
}

fn condition(arg: Value<'_>) -> Result<Condition> {
    let mut members = Members::of(arg, "index op value valueTwo");
    members.read()?;
    let argument = match members.number(0)? {
        argument @ 0..=5 => argument as u8,
        _ => return Err(members.error(0, "above 5")),
    };
    let operator = word(&members.need(1)?, "SCMP_CMP_", OPERATORS)? as u8;
    let masked = if members.found[3].is_some() { members.number(3)? } else { 0 };
    Ok(Condition { argument, operator, value: members.number(2)?, masked })
}

/// An object's members by their keys' places in a list; what is null is not there.
struct Members<'m> {
    object: Value<'m>,
    keys: &'static str,
    found: [Option<Value<'m>>; 7],
}

impl<'m> Members<'m> {
    #[inline(never)]
    fn of(object: Value<'m>, keys: &'static str) -> Members<'m> {
        Members { object, keys, found: [None; 7] }
    }

    #[inline(never)]
    fn read(&mut self) -> Result<()> {
        for (key, value) in self.object.entries()? {
            if let Some(at) = place(self.keys, key.as_escaped().as_bytes())
                && let Some(place) = self.found.get_mut(at)
                && !value.is_null()
                && place.replace(value).is_some()
            {
                return Err(value.error("given twice"));
            }
        }
        Ok(())
    }

    #[cold]
    #[inline(never)]
    fn error(&self, at: usize, why: &str) -> Error {
        let key = words(self.keys).nth(at).and_then(|key| core::str::from_utf8(key).ok());
        self.object.error_in(key.unwrap_or(""), why)
    }

    #[inline(never)]
    fn need(&self, at: usize) -> Result<Value<'m>> {
        self.found[at].ok_or_else(|| self.error(at, "missing"))
    }

    #[inline(never)]
    fn number(&self, at: usize) -> Result<u64> {
        self.need(at)?.as_u64()
    }

    #[inline(never)]
    fn items(&self, at: usize) -> Result<Items<'m>> {
        self.found[at].map_or(Ok(Items::default()), |list| list.items())
    }

    /// What a filter returns for the action that is the first member, with the errno that is the
    /// second.
    #[inline(never)]
    fn verdict(&self) -> Result<u32> {
        let verdict = RETURNS[word(&self.need(0)?, "SCMP_ACT_", ACTIONS)? % RETURNS.len()];
        let takes_errno = matches!(verdict, RETURN_ERRNO | RETURN_TRACE);
        if self.found[1].is_none() {
            return Ok(if takes_errno { verdict | EPERM } else { verdict });
        }
        if !takes_errno {
            return Err(self.error(1, "the action takes none"));
        }
        match self.number(1)? {
            number @ 0..=0xffff => Ok(verdict | number as u32),
            _ => Err(self.error(1, "above 65535")),
        }
    }
}

/// Which word of a list this text is, behind its prefix.
fn word(value: &Value<'_>, prefix: &str, list: &'static str) -> Result<usize> {
    let text = value.as_text()?.as_escaped().as_bytes().strip_prefix(prefix.as_bytes());
    let at = text.and_then(|text| place(list, text));
    at.ok_or_else(|| value.error("unknown"))
}

fn place(list: &'static str, text: &[u8]) -> Option<usize> {
    words(list).position(|word| word == text)
}
