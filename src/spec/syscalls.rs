//! `linux.seccomp` of a config: what becomes of each system call.

use crate::io::strings::PackedStrings;
use crate::sys::seccomp::{self, RETURN_ERRNO, RETURN_NOTIFY, RETURN_TRACE};
use core::ffi::CStr;

/// The actions there are, without `SCMP_ACT_`.
pub const ACTIONS: &str = "ALLOW ERRNO KILL KILL_PROCESS KILL_THREAD LOG NOTIFY TRACE TRAP";
/// What a filter returns for each of them.
pub(super) const RETURNS: [u32; 9] = [
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
/// Bits of [`Seccomp::architectures`].
pub const X86: u32 = 1 << 1;
/// See there.
pub const X32: u32 = 1 << 2;

/// The flags there are, without `SECCOMP_FILTER_FLAG_`.
pub const FLAGS: &str = "TSYNC LOG SPEC_ALLOW WAIT_KILLABLE_RECV";
/// A process that has one thread needs no TSYNC.
const FLAG_BITS: [u32; 4] =
    [0, seccomp::FLAG_LOG, seccomp::FLAG_SPEC_ALLOW, seccomp::FLAG_WAIT_KILLABLE_RECV];

const ACTION: u32 = 0xffff_0000;
const DATA: u32 = 0xffff;

/// A profile in the runtime-spec's form.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Seccomp<'m> {
    /// What the filter returns where no rule holds.
    pub default: u32,
    /// A bit for each of [`ARCHITECTURES`].
    pub architectures: u32,
    /// A bit for each of [`FLAGS`], if there is the member.
    pub flags: Option<u32>,
    /// The socket that gets the filter's listener.
    pub listener_path: Option<&'m CStr>,
    /// What it is told with it.
    pub listener_metadata: Option<&'m CStr>,
    /// The rules, in their order.
    pub rules: &'m [SyscallRule<'m>],
    /// The conditions of all rules.
    pub conditions: &'m [Condition],
}

impl Seccomp<'_> {
    /// Returns the flags for seccomp(2), without that for a listener.
    pub fn flag_bits(&self) -> u32 {
        // What runc does without a word: the process has no secrets from itself.
        let Some(flags) = self.flags else { return seccomp::FLAG_SPEC_ALLOW };
        let given = FLAG_BITS.iter().enumerate().filter(|(place, _)| flags >> place & 1 != 0);
        given.fold(0, |bits, (_, bit)| bits | bit)
    }

    /// Returns whether a rule gives its system calls to a listener.
    pub fn notifies(&self) -> bool {
        self.rules.iter().any(|rule| rule.verdict == RETURN_NOTIFY)
    }
}

/// What becomes of some system calls.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct SyscallRule<'m> {
    /// Their names. Unknown ones count for nothing.
    pub names: PackedStrings<'m>,
    /// What the filter returns.
    pub verdict: u32,
    /// Its first condition in [`Seccomp::conditions`], and the first that is another's.
    pub conditions: (u16, u16),
}

/// What an argument must be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Condition {
    /// 0 to 5.
    pub argument: u8,
    /// How they are compared: a place in [`OPERATORS`].
    pub operator: u8,
    /// With what; the mask, where there is one.
    pub value: u64,
    /// What is to be left behind the mask.
    pub masked: u64,
}

/// Returns the action of what a filter returns, a place in [`ACTIONS`], and its errno if it takes
/// one.
pub fn action_of(verdict: u32) -> (usize, Option<u32>) {
    let action = verdict & ACTION;
    // KILL is another word for KILL_THREAD, which says more.
    let place = RETURNS.iter().rposition(|known| *known == action).unwrap_or(0);
    (place, matches!(action, RETURN_ERRNO | RETURN_TRACE).then_some(verdict & DATA))
}
