//! From a profile to the action for each system call.

use super::Filter;
use super::program::{Program, RULES_FOLLOW, Rule, UNKNOWN};
use crate::Result;
use crate::io::text::words;
use crate::spec::seccomp::{self as seccomp_default, NONE};
use crate::spec::syscalls::{self, Condition, OPERATORS, Seccomp, SyscallRule};
use crate::sys::seccomp::{self, RETURN_ERRNO};

const EPERM: u32 = libc::EPERM as u32;
const ACTION: u32 = 0xffff_0000;

/// i386's numbers of system calls that socketcall(2) can also make, by its number from 1 up
/// (`linux/net.h`). After these the ones for ipc(2): numbers 1 to 4, 11 to 14, 21 to 24
/// (`linux/ipc.h`).
const MULTIPLEXED: [u16; 32] = [
    359, 361, 362, 363, 500, 367, 368, 360, 501, 502, 369, 371, 373, 366, 365, 370, 372, 364, 337,
    345, //
    503, 393, 394, 504, 400, 401, 399, 402, 397, 398, 395, 396,
];
const SOCKETCALLS: usize = 20;
const SOCKETCALL: u16 = 102;
const IPC: u16 = 117;
/// The lowest of these numbers, and the end of their range.
const FIRST_MULTIPLEXED: u16 = 337;
const NO_NUMBER: u16 = 500;

/// Compiles a profile.
pub fn compile<'p>(profile: &Seccomp<'_>, program: &'p mut Program) -> Result<Filter<'p>> {
    program.clear(profile.default);
    program.policy.x86 = profile.architectures & syscalls::X86 != 0;
    program.policy.x32 = profile.architectures & syscalls::X32 != 0;
    let mut bits = profile.flag_bits();
    for rule in profile.rules {
        add(profile, rule, program);
    }
    match profile.notifies() {
        true => bits |= seccomp::FLAG_NEW_LISTENER,
        // The kernel accepts it only with a listener.
        false => bits &= !seccomp::FLAG_WAIT_KILLABLE_RECV,
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
        rule.each_call(&mut |call| wanted.put_call(program, call));
    });
    Ok(Filter { program: program.assemble()?, flags: seccomp::FLAG_SPEC_ALLOW })
}

/// Adds one rule of the profile.
fn add(profile: &Seccomp<'_>, rule: &SyscallRule<'_>, program: &mut Program) {
    let (rules, first) = (program.rules.len(), program.conditions.len());
    let (mut arguments, mut separate) = (0u8, false);
    let (start, end) = rule.conditions;
    for condition in profile.conditions.get(start.into()..end.into()).unwrap_or(&[]) {
        separate |= arguments >> condition.argument & 1 != 0;
        arguments |= 1 << condition.argument;
        program.is_full |= program.conditions.push(*condition).is_err();
    }
    let wanted = Wanted { verdict: rule.verdict, first, end: program.conditions.len(), separate };
    for name in rule.names.iter() {
        wanted.put_name(program, name.to_bytes());
    }
    if program.rules.len() == rules {
        program.conditions.truncate(first);
    }
}

/// A rule's wish for each of its system calls.
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
        if let Some(call) = seccomp_default::find(name) {
            self.put_call(program, &call);
        }
    }

    fn put_call(&self, program: &mut Program, call: &seccomp_default::Name) {
        if call.native != NONE {
            self.put(program, 0, call.native, 0);
        }
        if call.compat != NONE && program.policy.x86 {
            self.put_compat(program, call.compat);
        }
    }

    /// Adds a number of i386, and its way through socketcall(2) or ipc(2).
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

/// Returns the number of an ipc(2) call, less 1, by its index.
const fn ipc_call(place: usize) -> usize {
    place / 4 * 10 + place % 4
}

fn place(list: &'static str, text: &[u8]) -> Option<usize> {
    words(list).position(|word| word == text)
}
