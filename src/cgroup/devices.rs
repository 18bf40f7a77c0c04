//! Device rules, `linux.resources.devices` of the runtime-spec: a BPF program that the kernel asks
//! before a device is opened or made.
//!
//! The rules are in order, and the last one that matches counts, for each of "read", "write" and
//! "mknod" by itself. So the program goes along them with three bits of what is allowed, and
//! compares them with what is wanted at its end:
//!
//! ```text
//! r2 type   r3 wanted   r4 major   r5 minor   r6 allowed so far
//! each rule:  if r2 != type  skip     if r4 != major  skip     if r5 != minor  skip     r6 |= access, or r6 &= ~access
//! ```

use crate::codec::json::Value;
use crate::limits::DEVICE_RULES_MAX;
use crate::sys::bpf;
use crate::sys::fd::FdRef;
use crate::{Context, Error, Result};

/// `BPF_DEVCG_*` of linux/bpf.h.
const BLOCK: u32 = 1;
const CHARACTER: u32 = 2;
const MKNOD: u32 = 1;
const ALL: u32 = 7;
const ANY: i64 = -1;

/// What every container may use, whatever its config says, as in runc: type, major, minor, access.
/// Any node may be made; it cannot be opened.
const DEFAULTS: [(u32, i64, i64, u32); 10] = [
    (CHARACTER, ANY, ANY, MKNOD),
    (BLOCK, ANY, ANY, MKNOD),
    (CHARACTER, 1, 3, ALL),
    (CHARACTER, 1, 8, ALL),
    (CHARACTER, 1, 7, ALL),
    (CHARACTER, 5, 0, ALL),
    (CHARACTER, 1, 5, ALL),
    (CHARACTER, 1, 9, ALL),
    // /dev/pts/*, /dev/ptmx.
    (CHARACTER, 136, ANY, ALL),
    (CHARACTER, 5, 2, ALL),
];

/// Instructions of one rule, and those before and after all.
const RULE: usize = 4;
const FRAME: usize = 16;
const INSTRUCTIONS_MAX: usize = (DEVICE_RULES_MAX + DEFAULTS.len()) * RULE + FRAME;

/// One instruction: opcode, registers, how many to skip, a number (linux/bpf.h, `struct bpf_insn`).
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
    /// It refuses something.
    refuses: bool,
}

impl Program {
    fn new() -> Program {
        let mut program = Program { code: heapless::Vec::new(), refuses: true };
        program.begin(false);
        program
    }

    /// A rule for all devices: what stood before it is forgotten.
    fn begin(&mut self, allow: bool) {
        self.code.clear();
        self.refuses = !allow;
        let _ = self.code.extend_from_slice(&START);
        let _ = self.code.push(instruction(MOVE, 6, 0, 0, if allow { ALL as i32 } else { 0 }));
    }

    /// Appends a rule. `kind` 0, and `major` and `minor` [`ANY`], match all.
    fn rule(&mut self, allow: bool, kind: u32, major: i64, minor: i64, access: u32) -> Result<()> {
        let conditions =
            [(2, kind as i64, kind != 0), (4, major, major != ANY), (5, minor, minor != ANY)];
        let mut left = conditions.iter().filter(|(.., counts)| *counts).count() as i16;
        if left == 0 && access == ALL {
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
                    .push(instruction(SKIP_UNLESS_EQUAL, register, 0, left, number as i32))
                    .map_err(full)?;
                left -= 1;
            }
        }
        let (code, number) = if allow { (OR, access as i32) } else { (AND, !access as i32) };
        self.code.push(instruction(code, 6, 0, 0, number)).map_err(full)
    }

    /// The rules of a config, and the defaults after them.
    fn compile(resources: Option<&Value<'_>>) -> Result<Program> {
        let mut program = Program::new();
        for rule in
            resources.map_or(Ok(Default::default()), |resources| resources.list("devices"))?
        {
            let kind = match rule.text("type")?.and_then(|kind| kind.as_plain()) {
                None | Some("" | "a") => 0,
                Some("b") => BLOCK,
                Some("c") => CHARACTER,
                Some(_) => return Err(rule.error_in("type", "not a, b or c")),
            };
            let allow = rule.get("allow")?.map_or(Ok(false), |allow| allow.as_bool())?;
            let mut access = 0;
            for letter in rule.text("access")?.unwrap_or_default().chars() {
                access |= match letter {
                    'm' => MKNOD,
                    'r' => 2,
                    'w' => 4,
                    // As a type, `a` is all. runc ignores it as an access: it must not allow
                    // anything here.
                    'a' if !allow => ALL,
                    _ => return Err(rule.error_in("access", "not of r, w and m")),
                };
            }
            if access == 0 {
                return Err(rule.error_in("access", "missing"));
            }
            let number = |key| match rule.get(key)?.map_or(Ok(ANY), |value| value.as_i64())? {
                number @ ANY..=0x7fff_ffff => Ok(number),
                _ => Err(rule.error_in(key, "not a device number")),
            };
            program.rule(allow, kind, number("major")?, number("minor")?, access)?;
        }
        for (kind, major, minor, access) in DEFAULTS {
            program.rule(true, kind, major, minor, access)?;
        }
        program
            .code
            .extend_from_slice(&END)
            .map_err(|_| Error::new(format_args!("too many device rules")))?;
        Ok(program)
    }
}

/// The program of a config's rules, for the fuzzer.
#[cfg(fuzzing)]
pub fn device_program(resources: &Value<'_>) -> Result<heapless::Vec<u64, INSTRUCTIONS_MAX>> {
    Program::compile(Some(resources)).map(|program| program.code)
}

/// Returns an error if the rules in `devices` of `linux.resources` cannot be compiled. Makes no
/// system call.
pub fn check(resources: &Value<'_>) -> Result<()> {
    Program::compile(Some(resources)).map(drop)
}

/// Has the kernel ask the rules for what the processes of `group` open and make.
pub(super) fn restrict(resources: Option<&Value<'_>>, group: FdRef<'_>) -> Result<()> {
    let program = Program::compile(resources)?;
    // Programs of an earlier container in the same cgroup, or of the rules that these replace.
    let former = bpf::device_programs(group);
    if program.refuses {
        let program = bpf::load_device_program(&program.code).doing("device rules")?;
        bpf::attach_device_program(group, &program).doing("device rules")?;
    }
    // Last, so that there is no moment without rules.
    if let Ok(former) = former {
        let _ = bpf::detach_device_programs(group, &former);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
