//! Builds a filter from its last instruction to its first. Jumps only go forward, so every target
//! is known.
//!
//! ```text
//!  load architecture; is it x86_64?, i386?; kill
//!  load number; a binary tree over ranges of numbers    x86_64, and x32, whose numbers have bit 30
//!  conditions of some system calls, verdicts
//!  the same again                                       i386
//! ```

use crate::limits::SECCOMP_INSTRUCTIONS_MAX;
use crate::spec::syscalls::Condition;
use crate::sys::arch::{AUDIT_ARCH, AUDIT_ARCH_COMPAT, X32_BIT};
use crate::sys::seccomp::{self, RETURN_ALLOW, RETURN_ERRNO, RETURN_LOG, RETURN_TRACE};
use crate::{Error, Result};

/// System call numbers of one architecture; the highest is x32's 547.
pub(super) const NUMBERS: usize = 576;
/// Rules with conditions: each takes at least two instructions, and so does a condition.
const RULES: usize = SECCOMP_INSTRUCTIONS_MAX / 2;

/// The memory in which a filter is built and stays.
pub struct Program {
    /// The first entry stays free. If it is used, there were too many.
    instructions: [u64; SECCOMP_INSTRUCTIONS_MAX + 1],
    /// The first instruction. The entries before it are free.
    pub(super) start: usize,
    /// The verdict of each system call, of x86_64 and of i386: the filter's return value, or
    /// [`RULES_FOLLOW`] and a rule.
    pub(super) verdicts: [[u32; NUMBERS]; 2],
    pub(super) rules: heapless::Vec<Rule, RULES>,
    pub(super) conditions: heapless::Vec<Condition, RULES>,
    ranges: heapless::Vec<Range, { 2 * NUMBERS + 8 }>,
    pub(super) policy: Policy,
    /// Addresses of two return instructions.
    ends: [usize; 2],
    /// There are more rules or conditions than a filter can have.
    pub(super) is_full: bool,
}

/// A verdict that depends on arguments; the lower half is the last rule's index. The kernel has no
/// such action.
pub(super) const RULES_FOLLOW: u32 = 1 << 16;
/// No rule of the profile names it.
pub(super) const UNKNOWN: u32 = 2 << 16;

/// The verdict for a system call with certain arguments.
pub(super) struct Rule {
    /// The filter's return value.
    pub verdict: u32,
    /// The range of its conditions, all of which must hold.
    pub conditions: (u16, u16),
    /// If it is not 0, the first argument must equal it; conditions on the first argument do not
    /// apply.
    pub multiplexed: u8,
    /// The system call's verdict without this rule: another rule that precedes it, or none.
    pub before: u32,
}

pub(super) const EQUAL: u16 = 0x15;
const GREATER: u16 = 0x25;
const GREATER_EQUAL: u16 = 0x35;
/// The comparison of each operator, and whether the condition holds if the comparison is false.
const COMPARISONS: [(u16, bool); 7] = [
    (EQUAL, false),
    (GREATER_EQUAL, false),
    (GREATER, false),
    (GREATER, true),
    (GREATER_EQUAL, true),
    (EQUAL, false),
    (EQUAL, true),
];
const MASKED_EQUAL: u8 = 5;
pub(super) const JUMP: u16 = 0x05;
pub(super) const LOAD: u16 = 0x20;
const AND: u16 = 0x54;
pub(super) const RETURN: u16 = 0x06;

/// Offsets in `struct seccomp_data`.
pub(super) const NUMBER: u32 = 0;
pub(super) const ARCHITECTURE: u32 = 4;
pub(super) const ARGUMENTS: u32 = 16;

/// The longest conditional jump.
const REACH: usize = 255;

/// x86_64's numbers that x32 lacks: the first of these calls have their own x32 numbers, from 512
/// up.
const NOT_X32: [u16; 50] = [
    13, 15, 16, 19, 20, 45, 46, 47, 59, 101, 127, 128, 129, 131, 222, 244, 246, 247, 273, 274, 278,
    279, 295, 296, 297, 299, 307, 310, 311, 54, 55, 206, 209, 322, 327, 328, //
    134, 156, 174, 177, 178, 180, 205, 211, 214, 215, 236, 335, 336, 453,
];
const X32_OWN: usize = 512;
const X32_END: usize = 548;

/// Numbers from `low` to the next range's.
#[derive(Clone, Copy)]
struct Range {
    low: u32,
    /// Their verdict; once it is placed, its address.
    target: u32,
}

/// The settings of the whole profile.
pub(super) struct Policy {
    pub default: u32,
    pub x86: bool,
    pub x32: bool,
}

impl Program {
    /// Zeros, so that it lies in `.bss`.
    pub const EMPTY: Program = Program {
        instructions: [0; SECCOMP_INSTRUCTIONS_MAX + 1],
        start: 0,
        verdicts: [[0; NUMBERS]; 2],
        rules: heapless::Vec::new(),
        conditions: heapless::Vec::new(),
        ranges: heapless::Vec::new(),
        policy: Policy { default: 0, x86: false, x32: false },
        ends: [0; 2],
        is_full: false,
    };

    /// Starts anew.
    pub(super) fn clear(&mut self, default: u32) {
        self.policy = Policy { default, x86: false, x32: false };
        self.start = self.instructions.len();
        self.is_full = false;
        self.ends = [0; 2];
        self.verdicts.as_flattened_mut().fill(UNKNOWN);
        self.rules.clear();
        self.conditions.clear();
    }

    /// Returns the instructions of the whole filter.
    pub(super) fn assemble(&mut self) -> Result<&[u64]> {
        if !self.is_full {
            self.put_all();
        }
        if self.start == 0 || self.is_full {
            return Err(Error::new(format_args!(
                "linux.seccomp: a filter of more than {SECCOMP_INSTRUCTIONS_MAX} instructions (SECCOMP_INSTRUCTIONS_MAX)"
            )));
        }
        Ok(&self.instructions[self.start..])
    }

    fn put_all(&mut self) {
        let mut i386 = 0;
        if self.policy.x86 {
            self.ranges.clear();
            self.add_ranges(0, 1);
            i386 = self.section(false);
        }
        self.ranges.clear();
        self.add_ranges(0, 0);
        if self.policy.x32 {
            self.become_x32();
            self.add_ranges(X32_BIT, 1);
        } else {
            self.add_range(X32_BIT, seccomp::RETURN_KILL_THREAD);
            // A tracer uses this number to skip a system call.
            self.add_range(u32::MAX, self.policy.default);
        }
        let x86_64 = self.section(true);
        let kill = self.end(seccomp::RETURN_KILL_THREAD);
        let other =
            if self.policy.x86 { self.jump(EQUAL, AUDIT_ARCH_COMPAT, i386, kill) } else { kill };
        self.jump(EQUAL, AUDIT_ARCH, x86_64, other);
        self.put(LOAD, 0, 0, ARCHITECTURE);
    }

    /// Turns the verdicts of i386 into those of x32: x86_64's, at other numbers.
    fn become_x32(&mut self) {
        self.verdicts[1] = self.verdicts[0];
        for (own, number) in (X32_OWN..).zip(&NOT_X32) {
            let verdict = core::mem::replace(&mut self.verdicts[1][usize::from(*number)], UNKNOWN);
            if own < X32_END {
                self.verdicts[1][own] = verdict;
            }
        }
    }

    /// Adds the ranges of one table of verdicts, up to the highest possible number.
    fn add_ranges(&mut self, base: u32, table: usize) {
        let default = self.policy.default;
        // A permissive default also applies to system calls newer than the profile.
        let permissive = matches!(default & 0xffff_0000, RETURN_ALLOW | RETURN_LOG | RETURN_TRACE);
        let highest = self.verdicts[table].iter().rposition(|verdict| *verdict != UNKNOWN);
        let highest = highest.filter(|_| !permissive).unwrap_or(NUMBERS);
        for number in 0..NUMBERS {
            let verdict = match self.verdicts[table][number] {
                UNKNOWN if number > highest => RETURN_ERRNO | libc::ENOSYS as u32,
                UNKNOWN => default,
                verdict => verdict,
            };
            self.add_range(base + number as u32, verdict);
        }
    }

    fn add_range(&mut self, low: u32, target: u32) {
        if self.ranges.last().is_none_or(|range| range.target != target) {
            // One of each number fits.
            let _ = self.ranges.push(Range { low, target });
        }
    }

    /// Adds all instructions of one architecture. Returns the address of the first.
    fn section(&mut self, wide: bool) -> usize {
        for n in 0..self.ranges.len() {
            let verdict = self.ranges[n].target;
            self.ranges[n].target = match verdict & 0xffff_0000 {
                // x32's numbers have their bit, and its arguments 32 bits.
                RULES_FOLLOW => self.decide(verdict, wide && self.ranges[n].low < X32_BIT),
                _ => self.end(verdict),
            } as u32;
        }
        // Join two neighbours into one that begins with the comparison between them, until one is
        // left.
        let mut count = self.ranges.len();
        while count > 1 {
            for n in 0..count / 2 {
                let [left, right] = [self.ranges[2 * n], self.ranges[2 * n + 1]];
                let target = self.jump(
                    GREATER_EQUAL,
                    right.low,
                    right.target as usize,
                    left.target as usize,
                ) as u32;
                self.ranges[n] = Range { low: left.low, target };
            }
            if !count.is_multiple_of(2) {
                self.ranges[count / 2] = self.ranges[count - 1];
            }
            count = count.div_ceil(2);
        }
        let first = self.ranges.first().map_or(0, |range| range.target as usize);
        if first != self.start {
            self.put(JUMP, 0, 0, (first - self.start) as u32);
        }
        self.put(LOAD, 0, 0, NUMBER)
    }

    /// Adds a system call's rules, from the last to the first. Returns the address of the first
    /// instruction.
    fn decide(&mut self, mut verdict: u32, wide: bool) -> usize {
        let mut fail = self.end(self.policy.default);
        while verdict & 0xffff_0000 == RULES_FOLLOW {
            let Rule { verdict: then, conditions: (first, end), multiplexed, before } =
                self.rules[verdict as usize & 0xffff];
            let mut pass = self.end(then);
            for n in (first..end).rev() {
                let condition = self.conditions[usize::from(n)];
                if multiplexed == 0 || condition.argument != 0 {
                    pass = self.compare(&condition, wide, pass, fail);
                }
            }
            if multiplexed != 0 {
                let condition =
                    Condition { argument: 0, operator: 0, value: multiplexed.into(), masked: 0 };
                pass = self.compare(&condition, wide, pass, fail);
            }
            (fail, verdict) = (pass, before);
        }
        fail
    }

    /// Compares an argument, in two halves if it is wide.
    fn compare(&mut self, condition: &Condition, wide: bool, pass: usize, fail: usize) -> usize {
        let (jump, negated) = COMPARISONS[usize::from(condition.operator) % COMPARISONS.len()];
        let masks = condition.operator == MASKED_EQUAL;
        let (yes, no) = if negated { (fail, pass) } else { (pass, fail) };
        let wanted = if masks { condition.masked & condition.value } else { condition.value };
        let place = ARGUMENTS + 8 * u32::from(condition.argument);
        self.jump(jump, wanted as u32, yes, no);
        self.load(place, masks.then_some(condition.value as u32));
        if wide {
            let lower = self.start;
            let wanted = (wanted >> 32) as u32;
            if jump == EQUAL {
                self.jump(EQUAL, wanted, lower, no);
            } else {
                let equal = self.jump(EQUAL, wanted, lower, no);
                self.jump(GREATER, wanted, yes, equal);
            }
            self.load(place + 4, masks.then_some((condition.value >> 32) as u32));
        }
        self.start
    }

    fn load(&mut self, place: u32, mask: Option<u32>) {
        if let Some(mask) = mask {
            self.put(AND, 0, 0, mask);
        }
        self.put(LOAD, 0, 0, place);
    }

    /// Returns an address that ends the filter with this verdict, perhaps an existing one within
    /// reach.
    fn end(&mut self, verdict: u32) -> usize {
        let wanted = instruction(RETURN, 0, 0, verdict);
        // Most often it is one of the two last ones: the default, or the profile's action.
        let last = verdict as usize >> 17 & 1;
        let place = self.ends[last];
        // Two less, because a jump there may need another instruction for its other target.
        let reach = REACH - 1;
        if place >= self.start && place - self.start < reach && self.instructions[place] == wanted {
            return place;
        }
        let near =
            self.instructions[self.start..].iter().take(reach).position(|one| *one == wanted);
        self.ends[last] = match near {
            Some(distance) => self.start + distance,
            None => self.put(RETURN, 0, 0, verdict),
        };
        self.ends[last]
    }

    /// Returns an address within reach that leads to `target`, with room for `room` more
    /// instructions.
    fn near(&mut self, target: usize, room: usize) -> usize {
        if target - self.start + room <= REACH {
            return target;
        }
        let there = self.instructions[target];
        match there as u16 {
            RETURN => self.end((there >> 32) as u32),
            _ => self.put(JUMP, 0, 0, (target - self.start) as u32),
        }
    }

    fn jump(&mut self, comparison: u16, value: u32, yes: usize, no: usize) -> usize {
        let yes = self.near(yes, 1);
        let no = self.near(no, 0);
        self.put(comparison, (yes - self.start) as u8, (no - self.start) as u8, value)
    }

    /// Puts an instruction before all others.
    fn put(&mut self, code: u16, yes: u8, no: u8, value: u32) -> usize {
        self.start = self.start.saturating_sub(1);
        self.instructions[self.start] = instruction(code, yes, no, value);
        self.start
    }
}

/// Returns a `struct sock_filter`.
pub(super) fn instruction(code: u16, yes: u8, no: u8, value: u32) -> u64 {
    u64::from(code) | u64::from(yes) << 16 | u64::from(no) << 24 | u64::from(value) << 32
}
