//! The front door: where the program starts, the panic handler, and the choice between PID 1 and a
//! command.
#![cfg_attr(not(test), no_std, no_main)]
#![cfg(not(test))]

use core::ffi::{CStr, c_char, c_int};

/// Where the kernel starts the program (linker/build.rs names it), instead of musl's start code:
/// that is 1.3 KiB, for thread-local storage and standard I/O, which nothing here has. It sets
/// `environ` and calls `start`.
///
/// # Safety
/// Called by the kernel alone, on the stack that execve(2) leaves: argc, argv, a null pointer, the
/// environment.
#[unsafe(naked)]
#[unsafe(no_mangle)]
unsafe extern "C" fn entry() -> ! {
    core::arch::naked_asm!(
        "xor ebp, ebp",
        "mov rdi, [rsp]",
        "lea rsi, [rsp + 8]",
        "lea rdx, [rsi + 8 * rdi + 8]",
        "mov [rip + environ], rdx",
        "and rsp, -16",
        "call {start}",
        "ud2",
        start = sym start,
    )
}

/// Runs the program to its end.
///
/// # Safety
/// Called once by `entry`, with the process's own argument vector.
unsafe extern "C" fn start(argc: c_int, argv: *const *const c_char) -> ! {
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
    if ocinit::sys::process::getpid() == 1 && (named_init || !ocinit::cli::is_command(args)) {
        ocinit::init::main()
    }
    // First of all, so that each stream gets its own number. No message: there may be no standard
    // error. (The kernel's init has no /dev yet; it opens its console as soon as it has one.)
    if ocinit::sys::fd::fill_standard_streams().is_err() {
        return ocinit::error::STATUS_NO_STREAMS.into();
    }
    ocinit::cli::main(args)
}

#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    if cfg!(debug_assertions) {
        ocinit::init::power::on_panic(format_args!("{info}"))
    }
    // As long as anything looks at `info`, the file keeps the place and the text of every possible
    // panic: 12 KiB.
    ocinit::init::power::on_panic(format_args!("{}", ocinit::sys::trace::Trace::here()))
}
