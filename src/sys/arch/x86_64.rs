//! x86_64: System V's calling convention, the `syscall` instruction.

pub mod crc32;
mod entry;
#[cfg(not(miri))]
mod memcpy;

pub use crate::entry;

use core::arch::asm;
use core::ffi::c_int;

/// The processor, in Go's and the image-spec's words.
pub const GO_NAME: &str = "amd64";
/// The processor, in libseccomp's words.
pub const SECCOMP_NAME: &str = "SCMP_ARCH_X86_64";
/// `AUDIT_ARCH_X86_64` of linux/audit.h: `seccomp_data.arch` of a native system call.
pub const AUDIT_ARCH: u32 = 0xc000_003e;
/// `AUDIT_ARCH_I386` of linux/audit.h, for a 32-bit program.
pub const AUDIT_ARCH_COMPAT: u32 = 0x4000_0003;
/// `__X32_SYSCALL_BIT` of asm/unistd.h.
pub const X32_BIT: u32 = 1 << 30;
/// `SA_RESTORER`: the kernel requires a restorer in every `struct sigaction`.
pub const SA_RESTORER: u64 = 0x0400_0000;

/// `struct epoll_event`, which is packed only on this processor (linux/eventpoll.h).
#[repr(C, packed)]
#[derive(Clone, Copy, Default)]
pub struct EpollEvent {
    /// `EPOLL*`.
    pub events: u32,
    /// The caller's number.
    pub key: u64,
}

/// One function for each number of arguments, because a register that the kernel ignores need not
/// be set.
macro_rules! functions {
    ($($name:ident $count:literal: ($($register:tt $index:literal),*);)*) => { $(
        /// Makes system call `number`.
        ///
        /// # Safety
        /// The arguments must be valid for the system call: addresses for all that the kernel does
        /// with them.
        #[cfg(not(miri))]
        #[inline(always)]
        pub unsafe fn $name(number: libc::c_long, args: [usize; $count]) -> isize {
            let value: isize;
            // SAFETY: the caller guarantees the arguments; the instruction clobbers only rcx, r11
            // and rax.
            unsafe {
                asm!(
                    "syscall",
                    inlateout("rax") number as isize => value,
                    $(in($register) args[$index],)*
                    lateout("rcx") _, lateout("r11") _,
                    options(nostack),
                );
            }
            let _ = args;
            value
        }
    )* };
}

functions! {
    syscall0 0: ();
    syscall1 1: ("rdi" 0);
    syscall2 2: ("rdi" 0, "rsi" 1);
    syscall3 3: ("rdi" 0, "rsi" 1, "rdx" 2);
    syscall4 4: ("rdi" 0, "rsi" 1, "rdx" 2, "r10" 3);
    syscall5 5: ("rdi" 0, "rsi" 1, "rdx" 2, "r10" 3, "r8" 4);
    syscall6 6: ("rdi" 0, "rsi" 1, "rdx" 2, "r10" 3, "r8" 4, "r9" 5);
}

/// clone(2) of a thread, which calls `entry(job)` on the stack that ends at `top`. The kernel sets
/// `running` to 0 when it ends. Returns the kernel's result, only to the calling thread.
///
/// # Safety
/// `flags` must share all memory. `entry(job)` must be sound on that stack; all three must live
/// until `running` is 0.
pub unsafe fn clone_thread(
    flags: c_int,
    top: usize,
    running: *mut u32,
    entry: unsafe extern "C" fn(*mut ()) -> !,
    job: *mut (),
) -> isize {
    let answer: isize;
    // SAFETY: the new thread starts after `syscall` with these registers on its own, 16-byte
    // aligned stack; it calls `entry`, which does not return. This thread continues at the label,
    // as after any system call.
    unsafe {
        asm!(
            "syscall",
            "test rax, rax",
            "jnz 2f",
            "xor ebp, ebp",
            "mov rdi, r13",
            "call r12",
            "ud2",
            "2:",
            inlateout("rax") libc::SYS_clone as isize => answer,
            in("rdi") flags as usize, in("rsi") top & !15, in("rdx") 0usize, in("r10") running,
            in("r8") 0usize,
            in("r12") entry, in("r13") job,
            lateout("rcx") _, lateout("r11") _,
        );
    }
    answer
}

/// Executes a privileged instruction: SIGSEGV, even for PID 1.
pub fn fault() {
    // SAFETY: it touches no memory.
    unsafe { asm!("hlt", options(nomem, nostack)) };
}

/// Returns the stack pointer of the caller.
#[inline(always)]
pub fn stack_pointer() -> *const usize {
    let stack: *const usize;
    // SAFETY: copies a register.
    unsafe { asm!("mov {}, rsp", out(reg) stack, options(nomem, nostack, preserves_flags)) };
    stack
}

/// Writes zeros that the optimizer keeps, even if they are never read.
///
/// # Safety
/// The bytes are mapped and writable, and no code needs their content.
pub unsafe fn zero(bytes: *const u8, count: usize) {
    // SAFETY: the caller guarantees it.
    unsafe {
        asm!("rep stosb", inout("rcx") count => _, inout("rdi") bytes => _, in("al") 0u8, options(nostack));
    }
}

/// A signal handler: exit_group(128 + `signal`), or a fault if a seccomp filter forbids that.
///
/// # Safety
/// No precondition: it touches no memory, and never returns.
#[unsafe(naked)]
pub unsafe extern "C" fn end_by_signal(_signal: c_int) {
    core::arch::naked_asm!(
        "add edi, 128",
        "mov eax, {number}",
        "syscall",
        "hlt",
        number = const libc::SYS_exit_group,
    )
}
