//! The front door: where the program starts, the panic handler, and the choice between PID 1 and a
//! command.
#![cfg_attr(not(test), no_std, no_main)]
#![cfg(not(test))]

use core::ffi::{CStr, c_char, c_int};

/// The kernel starts the program here (linker/build.rs names it) instead of at musl's start code,
/// which is 1.3 KiB for thread-local storage and standard I/O: nothing here has those.
///
/// It does what a dynamic linker does for others, before any Rust runs: it adds the program's
/// address to every word of `.relr.dyn` (DT_RELR of the ELF specification: an even word is an
/// address, an odd one a bitmap of the 63 words behind), takes the stack protector's secret from
/// AT_RANDOM, and makes PT_GNU_RELRO read-only. Then it sets `environ` and calls `start`.
///
/// # Safety
/// Called by the kernel alone, on the stack that execve(2) leaves: argc, argv, a null pointer, the
/// environment, a null pointer, the auxiliary vector.
#[unsafe(naked)]
#[unsafe(no_mangle)]
unsafe extern "C" fn entry() -> ! {
    core::arch::naked_asm!(
        "xor ebp, ebp",
        "lea rax, [rip + __ehdr_start]",
        // rcx: the next word of .relr.dyn; rdi: the word behind the last address.
        "lea rcx, [rip + __relr_start]",
        "lea rdx, [rip + __relr_end]",
        "20: cmp rcx, rdx",
        "jae 30f",
        "mov rsi, [rcx]",
        "add rcx, 8",
        "test sil, 1",
        "jnz 21f",
        "lea rdi, [rax + rsi + 8]",
        "add [rdi - 8], rax",
        "jmp 20b",
        "21: shr rsi, 1",
        "22: bsf r8, rsi",
        "jz 23f",
        "add [rdi + 8 * r8], rax",
        "btr rsi, r8",
        "jmp 22b",
        "23: add rdi, 8 * 63",
        "jmp 20b",
        // rdx: the environment, and the auxiliary vector behind its null pointer.
        "30: mov rdi, [rsp]",
        "lea rdx, [rsp + 8 * rdi + 16]",
        "mov [rip + environ], rdx",
        "31: add rdx, 8",
        "cmp qword ptr [rdx - 8], 0",
        "jne 31b",
        "32: mov rcx, [rdx]",
        "jrcxz 40f",
        "add rdx, 16",
        "cmp ecx, {at_random}",
        "jne 32b",
        "mov rcx, [rdx - 8]",
        "mov rcx, [rcx]",
        // One byte is 0, so that no string that runs over brings the secret along.
        "xor ch, ch",
        "mov [rip + __stack_chk_guard], rcx",
        // The program headers stand behind the ELF header.
        "40: movzx ecx, word ptr [rax + {phnum}]",
        "lea rsi, [rax + {ehdr_bytes} - {phdr_bytes}]",
        "41: add rsi, {phdr_bytes}",
        "cmp dword ptr [rsi], {relro}",
        "loopne 41b",
        "mov edx, 0",
        "jne 50f",
        "mov rdi, [rsi + {vaddr}]",
        "add rdi, rax",
        "mov rsi, [rsi + {memsz}]",
        "add rsi, rdi",
        "and rdi, -4096",
        "and rsi, -4096",
        "sub rsi, rdi",
        "mov edx, {read}",
        "mov eax, {mprotect}",
        "syscall",
        "mov edx, eax",
        "50: mov rdi, [rsp]",
        "lea rsi, [rsp + 8]",
        "and rsp, -16",
        "call {start}",
        "ud2",
        at_random = const libc::AT_RANDOM,
        phnum = const core::mem::offset_of!(libc::Elf64_Ehdr, e_phnum),
        ehdr_bytes = const size_of::<libc::Elf64_Ehdr>(),
        phdr_bytes = const size_of::<libc::Elf64_Phdr>(),
        vaddr = const core::mem::offset_of!(libc::Elf64_Phdr, p_vaddr),
        memsz = const core::mem::offset_of!(libc::Elf64_Phdr, p_memsz),
        relro = const libc::PT_GNU_RELRO,
        read = const libc::PROT_READ,
        mprotect = const ocinit::sys::vm::MPROTECT,
        start = sym start,
    )
}

/// The stack protector's secret (`-mstack-protector-guard=global`, .cargo/config.toml). `entry` sets
/// it before this page becomes read-only.
#[cfg(feature = "zstd")]
#[unsafe(no_mangle)]
#[unsafe(link_section = ".data.rel.ro")]
static mut __stack_chk_guard: usize = 0;

/// C code has written past a buffer on its stack.
#[cfg(feature = "zstd")]
#[unsafe(no_mangle)]
extern "C" fn __stack_chk_fail() -> ! {
    on_panic(format_args!("a buffer on the stack overflowed"))
}

/// Runs the program to its end. `protected` is the answer of `entry`'s mprotect(2).
///
/// # Safety
/// Called once by `entry`, with the process's own argument vector.
unsafe extern "C" fn start(argc: c_int, argv: *const *const c_char, protected: c_int) -> ! {
    if protected != 0 {
        let errno = ocinit::sys::Errno::new(-protected);
        on_panic(format_args!("make constants read-only: {errno}"))
    }
    // SAFETY: the caller vouches for both.
    let status = unsafe { run(argc, argv) };
    ocinit::sys::process::exit(status)
}

/// The kernel's `/init` is PID 1, everybody else types a command. The exit status.
///
/// # Safety
/// As `start`.
unsafe fn run(argc: c_int, argv: *const *const c_char) -> c_int {
    // SAFETY: the kernel has put there `argc` pointers to NUL-terminated strings that live as long
    // as the process.
    let args: &'static [&'static CStr] =
        match unsafe { ocinit::sys::process::adopt_argv(argc, argv) } {
            Ok(args) => args,
            Err(errno) => {
                ocinit::error!("more than {} words: {errno}", ocinit::limits::COMMAND_WORDS_MAX);
                return ocinit::error::STATUS_FAILED.into();
            }
        };
    // The kernel's init may have words of its own (those after ` -- `); PID 1 of a container may be
    // a command.
    let named_init = args
        .first()
        .is_some_and(|name| name.to_bytes().rsplit(|&byte| byte == b'/').next() == Some(b"init"));
    let is_init = || named_init || !HAS_COMMANDS || !ocinit::cli::is_command(args);
    if cfg!(feature = "init") && ocinit::sys::process::getpid() == 1 && is_init() {
        ocinit::init::main()
    }
    // First of all, so that each stream gets its own number. No message: there may be no standard
    // error. (The kernel's init has no /dev yet; it opens its console as soon as it has one.)
    if ocinit::sys::fd::fill_standard_streams().is_err() {
        return ocinit::error::STATUS_NO_STREAMS.into();
    }
    if HAS_COMMANDS {
        return ocinit::cli::main(args);
    }
    let word = args.get(1).copied().unwrap_or_default();
    ocinit::error!(
        "{}: this ocinit is an init alone, built without commands (features runtime, tools)",
        ocinit::io::lossy::LossyC(word)
    );
    ocinit::error::STATUS_FAILED.into()
}

/// Whether any of the commands is built in.
const HAS_COMMANDS: bool = cfg!(any(feature = "runtime", feature = "tools"));

#[cfg(not(any(feature = "init", feature = "runtime", feature = "tools")))]
compile_error!("a program of nothing: choose features among init, runtime and tools");

#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    if cfg!(debug_assertions) {
        on_panic(format_args!("{info}"))
    }
    // As long as anything looks at `info`, the file keeps the place and the text of every possible
    // panic: 12 KiB.
    on_panic(format_args!("{}", ocinit::sys::trace::Trace::here()))
}

/// Reports `what` and ends the process; PID 1 turns the machine off.
fn on_panic(what: core::fmt::Arguments<'_>) -> ! {
    if cfg!(feature = "init") {
        ocinit::init::power::on_panic(what)
    }
    ocinit::error!("internal error: {what}");
    ocinit::sys::process::exit(ocinit::error::STATUS_FAILED.into())
}
