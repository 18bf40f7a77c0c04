//! A filter that lets ocinit's own system calls pass by their mark (`sys/marked.rs`), and is the
//! container's for all others.
//!
//! A process that joins others in a pid namespace is under its filter from its first moment. The
//! others may have CAP_SYS_PTRACE, and could otherwise make it use the CAP_SYS_ADMIN that loading a
//! filter takes. So the intermediate process loads the filter and clones. A few system calls follow
//! that a profile need not allow. A process that reads the mark from memory can only make these
//! few, in that process.
//!
//! ```text
//!  is it x86_64, and one of those numbers? is the sixth argument the mark? allow
//!  the container's filter
//! ```
//!
//! The other numbers are decided without a look at arguments, so the kernel can cache the
//! container's decision.

use super::Filter;
use super::program::{ARCHITECTURE, ARGUMENTS, EQUAL, JUMP, LOAD, NUMBER, RETURN, instruction};
use crate::limits::SECCOMP_INSTRUCTIONS_MAX;
use crate::sys::arch::AUDIT_ARCH;
use crate::sys::fd::Fd;
use crate::sys::marked::{self, Mark};
use crate::sys::seccomp::{self, RETURN_ALLOW};
use crate::{Context, Error, Result};

/// Instructions before the container's filter, at most.
const PREFIX_MAX: usize = 24;
/// The sixth argument.
const MARK: u32 = ARGUMENTS + 8 * 5;

type Instructions = heapless::Vec<u64, SECCOMP_INSTRUCTIONS_MAX>;

impl Filter<'_> {
    /// Loads the filter like [`Filter::load`], with an exception for system calls that carry the
    /// mark: every process's and these `others`.
    #[inline(never)]
    pub fn load_marked(&self, mark: Mark, others: &[u32]) -> Result<Option<Fd>> {
        let too_many = |_| {
            let most = SECCOMP_INSTRUCTIONS_MAX - PREFIX_MAX;
            Error::new(format_args!(
                "linux.seccomp: a filter of more than {most} instructions, in a pid namespace of others"
            ))
        };
        let mut program = prefix(mark, others);
        program.extend_from_slice(self.program).map_err(too_many)?;
        seccomp::set_filter(self.flags, &program).doing("load the seccomp filter")
    }
}

/// Returns the instructions before the filter.
fn prefix(mark: Mark, others: &[u32]) -> Instructions {
    let calls = || marked::CALLS.iter().chain(others);
    let (clone, flags) = marked::CLONE;
    let mut all = Instructions::new();
    let mut put = |code, yes: usize, no: usize, value| {
        // All of them fit.
        let _ = all.push(instruction(code, yes as u8, no as u8, value));
    };
    // After the numbers: the check of clone(2), the check of the mark, and the verdict.
    let (of_clone, of_mark) = (4, 5);
    let end = of_clone + of_mark;
    let count = calls().count();
    put(LOAD, 0, 0, ARCHITECTURE);
    put(EQUAL, 0, count + 3 + end, AUDIT_ARCH);
    put(LOAD, 0, 0, NUMBER);
    for (n, call) in calls().enumerate() {
        put(EQUAL, count - n + 1 + of_clone, 0, *call);
    }
    put(EQUAL, 1, 0, clone);
    put(JUMP, 0, 0, end as u32);
    for (place, value, left) in [(ARGUMENTS, flags, end), (ARGUMENTS + 4, 0, end - 2)] {
        put(LOAD, 0, 0, place);
        put(EQUAL, 0, left - 2, value);
    }
    for (place, value, left) in [
        (MARK, mark.number() as u32, of_mark),
        (MARK + 4, (mark.number() >> 32) as u32, of_mark - 2),
    ] {
        put(LOAD, 0, 0, place);
        put(EQUAL, 0, left - 2, value);
    }
    put(RETURN, 0, 0, RETURN_ALLOW);
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the address at which the prefix ends for a system call. The container's filter
    /// follows it.
    fn run(program: &[u64], data: &[u32; 16]) -> usize {
        let (mut at, mut value) = (0, 0);
        while at < program.len() {
            let [code, yes, no, number] = [
                program[at] & 0xffff,
                program[at] >> 16 & 0xff,
                program[at] >> 24 & 0xff,
                program[at] >> 32,
            ];
            at += 1;
            match code as u16 {
                LOAD => value = data[number as usize / 4],
                EQUAL => at += if u64::from(value) == number { yes } else { no } as usize,
                JUMP => at += number as usize,
                _ => return at - 1,
            }
        }
        at
    }

    #[test]
    fn only_the_few_calls_pass_and_only_with_the_mark() {
        let mark = Mark::new().unwrap();
        let (low, high) = (mark.number() as u32, (mark.number() >> 32) as u32);
        let (clone, flags) = marked::CLONE;
        for others in
            [&[][..], &[marked::CALL_OF_LIMITS, marked::CALL_OF_TERMINALS, marked::CALL_OF_HOOKS]]
        {
            let program = prefix(mark, others);
            assert!(program.len() <= PREFIX_MAX);
            let (allowed, passed_on) = (program.len() - 1, program.len());
            let mut data = [0; 16];
            for number in 0..600 {
                let is_one = marked::CALLS.contains(&number) || others.contains(&number);
                for (arch, first, marks, is_marked) in [
                    (AUDIT_ARCH, flags, [low, high], true),
                    (AUDIT_ARCH, 0, [low, high], true),
                    (AUDIT_ARCH, flags, [low, !high], false),
                    (AUDIT_ARCH, flags, [!low, high], false),
                    (0x4000_0003, flags, [low, high], false),
                ] {
                    (data[0], data[1], data[4]) = (number, arch, first);
                    [data[14], data[15]] = marks;
                    let is_allowed = is_marked && (is_one || number == clone && first == flags);
                    assert_eq!(
                        run(&program, &data),
                        if is_allowed { allowed } else { passed_on },
                        "{number}"
                    );
                }
            }
            // The flags have 64 bits.
            (data[0], data[1], data[4], data[5]) = (clone, AUDIT_ARCH, flags, 1);
            [data[14], data[15]] = [low, high];
            assert_eq!(run(&program, &data), passed_on);
        }
    }
}
