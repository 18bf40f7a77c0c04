//! Device rules, `linux.resources.devices` of the runtime-spec: a BPF program that the kernel calls
//! before a device is opened or made.
//!
//! The rules are in order, and the last match counts, separately for "read", "write" and "mknod".
//! So the program collects the allowed accesses in three bits, and compares them with the wanted
//! ones at its end:
//!
//! ```text
//! r2 type   r3 wanted   r4 major   r5 minor   r6 allowed so far
//! each rule:  if r2 != type  skip     if r4 != major  skip     if r5 != minor  skip
//!             r6 |= access, or r6 &= ~access
//! ```

use crate::limits::DEVICE_RULES_MAX;
use crate::spec::{DeviceKind, DeviceRule};
use crate::sys::bpf;
use crate::sys::fd::FdRef;
use crate::{Context, Error, Result};

const ANY: i32 = DeviceRule::ANY;

/// Devices that every container may use, whatever its config says, as in runc. Making any node is
/// allowed, but it cannot be opened.
const DEFAULTS: [DeviceRule; 10] = [
    allow(DeviceKind::Character, ANY, ANY, DeviceRule::MKNOD),
    allow(DeviceKind::Block, ANY, ANY, DeviceRule::MKNOD),
    allow(DeviceKind::Character, 1, 3, DeviceRule::ALL),
    allow(DeviceKind::Character, 1, 8, DeviceRule::ALL),
    allow(DeviceKind::Character, 1, 7, DeviceRule::ALL),
    allow(DeviceKind::Character, 5, 0, DeviceRule::ALL),
    allow(DeviceKind::Character, 1, 5, DeviceRule::ALL),
    allow(DeviceKind::Character, 1, 9, DeviceRule::ALL),
    // /dev/pts/*, /dev/ptmx.
    allow(DeviceKind::Character, 136, ANY, DeviceRule::ALL),
    allow(DeviceKind::Character, 5, 2, DeviceRule::ALL),
];

const fn allow(kind: DeviceKind, major: i32, minor: i32, access: u8) -> DeviceRule {
    DeviceRule { allow: true, kind, major, minor, access }
}

/// Instructions of one rule.
const RULE: usize = 4;
const FRAME: usize = 16;
const INSTRUCTIONS_MAX: usize = (DEVICE_RULES_MAX + DEFAULTS.len()) * RULE + FRAME;

/// Returns one instruction: opcode, registers, number to skip, a constant (linux/bpf.h, `struct
/// bpf_insn`).
const fn instruction(code: u8, target: u8, source: u8, offset: i16, number: i32) -> u64 {
    code as u64
        | (target as u64) << 8
        | (source as u64) << 12
        | (offset as u16 as u64) << 16
        | (number as u32 as u64) << 32
}

const LOAD: u8 = 0x61;
const MOVE: u8 = 0xb7;
const MOVE_REGISTER: u8 = 0xbf;
const SHIFT_RIGHT: u8 = 0x77;
const AND: u8 = 0x57;
const AND_REGISTER: u8 = 0x5f;
const OR: u8 = 0x47;
const XOR: u8 = 0xa7;
const SKIP_IF_EQUAL: u8 = 0x15;
const SKIP_UNLESS_EQUAL: u8 = 0x55;
const EXIT: u8 = 0x95;

const START: [u64; 6] = [
    instruction(LOAD, 2, 1, 0, 0),
    instruction(MOVE_REGISTER, 3, 2, 0, 0),
    instruction(SHIFT_RIGHT, 3, 0, 0, 16),
    instruction(AND, 2, 0, 0, 0xffff),
    instruction(LOAD, 4, 1, 4, 0),
    instruction(LOAD, 5, 1, 8, 0),
];

const END: [u64; 6] = [
    instruction(XOR, 6, 0, 0, -1),
    instruction(AND_REGISTER, 6, 3, 0, 0),
    instruction(MOVE, 0, 0, 0, 1),
    instruction(SKIP_IF_EQUAL, 6, 0, 1, 0),
    instruction(MOVE, 0, 0, 0, 0),
    instruction(EXIT, 0, 0, 0, 0),
];

const _: () = assert!(START.len() + 1 + END.len() <= FRAME);

/// The program of a list of rules.
struct Program {
    code: heapless::Vec<u64, INSTRUCTIONS_MAX>,
    /// It denies some access.
    refuses: bool,
}

impl Program {
    fn new() -> Program {
        let mut program = Program { code: heapless::Vec::new(), refuses: true };
        program.begin(false);
        program
    }

    /// Adds a rule for all devices, which overrides all former ones.
    fn begin(&mut self, allow: bool) {
        self.code.clear();
        self.refuses = !allow;
        let _ = self.code.extend_from_slice(&START);
        let _ = self.code.push(instruction(
            MOVE,
            6,
            0,
            0,
            if allow { DeviceRule::ALL.into() } else { 0 },
        ));
    }

    /// Appends a rule.
    fn rule(&mut self, rule: &DeviceRule) -> Result<()> {
        let DeviceRule { allow, kind, major, minor, access } = *rule;
        let of_kind = (2, kind as i32, kind != DeviceKind::Any);
        let conditions = [of_kind, (4, major, major != ANY), (5, minor, minor != ANY)];
        let mut left = conditions.iter().filter(|(.., counts)| *counts).count() as i16;
        if left == 0 && access == DeviceRule::ALL {
            self.begin(allow);
            return Ok(());
        }
        self.refuses |= !allow;
        let full = |_| {
            Error::new(format_args!("more than {DEVICE_RULES_MAX} device rules (DEVICE_RULES_MAX)"))
        };
        for (register, number, counts) in conditions {
            if counts {
                self.code
                    .push(instruction(SKIP_UNLESS_EQUAL, register, 0, left, number))
                    .map_err(full)?;
                left -= 1;
            }
        }
        let (code, number) = if allow { (OR, access.into()) } else { (AND, !i32::from(access)) };
        self.code.push(instruction(code, 6, 0, 0, number)).map_err(full)
    }

    /// Compiles the rules of a config, and the defaults after them.
    fn compile(rules: &[DeviceRule]) -> Result<Program> {
        let mut program = Program::new();
        rules.iter().chain(&DEFAULTS).try_for_each(|rule| program.rule(rule))?;
        program
            .code
            .extend_from_slice(&END)
            .map_err(|_| Error::new(format_args!("too many device rules")))?;
        Ok(program)
    }
}

/// Returns the program of a config's rules, for the fuzzer.
#[cfg(fuzzing)]
pub fn device_program(rules: &[DeviceRule]) -> Result<heapless::Vec<u64, INSTRUCTIONS_MAX>> {
    Program::compile(rules).map(|program| program.code)
}

/// Returns an error if the rules cannot be compiled. Makes no system call.
pub fn check(rules: &[DeviceRule]) -> Result<()> {
    Program::compile(rules).map(drop)
}

/// Makes the kernel check these rules for the processes of `group`.
pub(super) fn restrict(rules: &[DeviceRule], group: FdRef<'_>) -> Result<()> {
    let program = Program::compile(rules)?;
    // Programs of an earlier container in the same cgroup, or of the rules that these replace.
    let former = bpf::device_programs(group);
    if program.refuses {
        let program = bpf::load_device_program(&program.code).doing("device rules")?;
        bpf::attach_device_program(group, &program).doing("device rules")?;
    }
    // Last, so that the cgroup is never without rules.
    if let Ok(former) = former {
        let _ = bpf::detach_device_programs(group, &former);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
