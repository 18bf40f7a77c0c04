//! `linux.seccomp` of a config: the action for each system call.

use crate::io::strings::PackedStrings;
use crate::sys::seccomp::{self, RETURN_ERRNO, RETURN_NOTIFY, RETURN_TRACE};
use core::ffi::CStr;

/// The actions without `SCMP_ACT_`.
pub const ACTIONS: &str = "ALLOW ERRNO KILL KILL_PROCESS KILL_THREAD LOG NOTIFY TRACE TRAP";
/// A filter's return value for each of them.
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

/// The comparisons without `SCMP_CMP_`.
pub const OPERATORS: &str = "EQ GE GT LE LT MASKED_EQ NE";
/// The architectures of a profile without `SCMP_ARCH_`. A filter is for the first three.
pub const ARCHITECTURES: &str = "X86_64 X86 X32 AARCH64 ARM LOONGARCH64 M68K MIPS MIPS64 MIPS64N32 MIPSEL MIPSEL64 \
    MIPSEL64N32 PARISC PARISC64 PPC PPC64 PPC64LE RISCV64 S390 S390X SH SHEB";
/// The bit of x86 in [`Seccomp::architectures`].
pub const X86: u32 = 1 << 1;
/// The bit of x32 in [`Seccomp::architectures`].
pub const X32: u32 = 1 << 2;

/// The flags without `SECCOMP_FILTER_FLAG_`.
pub const FLAGS: &str = "TSYNC LOG SPEC_ALLOW WAIT_KILLABLE_RECV";
/// TSYNC has no bit, because the process has one thread.
const FLAG_BITS: [u32; 4] =
    [0, seccomp::FLAG_LOG, seccomp::FLAG_SPEC_ALLOW, seccomp::FLAG_WAIT_KILLABLE_RECV];

const ACTION: u32 = 0xffff_0000;
const DATA: u32 = 0xffff;

/// A profile in the runtime-spec's form.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Seccomp<'m> {
    /// The filter's return value if no rule matches.
    pub default: u32,
    /// A bit for each of [`ARCHITECTURES`].
    pub architectures: u32,
    /// A bit for each of [`FLAGS`], or None without the member.
    pub flags: Option<u32>,
    /// The socket that gets the filter's listener.
    pub listener_path: Option<&'m CStr>,
    /// Metadata that the socket gets, too.
    pub listener_metadata: Option<&'m CStr>,
    /// The rules, in order.
    pub rules: &'m [SyscallRule<'m>],
    /// The conditions of all rules.
    pub conditions: &'m [Condition],
}

impl Seccomp<'_> {
    /// Returns the flags for seccomp(2), without the listener's.
    pub fn flag_bits(&self) -> u32 {
        // runc's default: the process has no secrets from itself.
        let Some(flags) = self.flags else { return seccomp::FLAG_SPEC_ALLOW };
        let given = FLAG_BITS.iter().enumerate().filter(|(place, _)| flags >> place & 1 != 0);
        given.fold(0, |bits, (_, bit)| bits | bit)
    }

    /// Returns whether a rule passes its system calls to a listener.
    pub fn notifies(&self) -> bool {
        self.rules.iter().any(|rule| rule.verdict == RETURN_NOTIFY)
    }
}

/// The action for some system calls.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct SyscallRule<'m> {
    /// Their names. Unknown ones are ignored.
    pub names: PackedStrings<'m>,
    /// The filter's return value.
    pub verdict: u32,
    /// The range of its conditions in [`Seccomp::conditions`].
    pub conditions: (u16, u16),
}

/// A condition on an argument.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Condition {
    /// Index of the argument, 0 to 5.
    pub argument: u8,
    /// The comparison, an index in [`OPERATORS`].
    pub operator: u8,
    /// The value to compare with, or the mask.
    pub value: u64,
    /// The wanted result of the mask.
    pub masked: u64,
}

/// Returns the action of a filter's return value, as an index in [`ACTIONS`], and its errno if it
/// takes one.
pub fn action_of(verdict: u32) -> (usize, Option<u32>) {
    let action = verdict & ACTION;
    // KILL is another word for KILL_THREAD, which is clearer.
    let place = RETURNS.iter().rposition(|known| *known == action).unwrap_or(0);
    (place, matches!(action, RETURN_ERRNO | RETURN_TRACE).then_some(verdict & DATA))
}
