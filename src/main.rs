//! The program's start, the panic handler, and the choice between PID 1 and a command.
#![cfg_attr(not(test), no_std, no_main)]
#![cfg(not(test))]

use core::ffi::{CStr, c_char, c_int};

ocinit::sys::arch::entry!(start);

/// The stack protector's secret (`-mstack-protector-guard=global`, .cargo/config.toml). `entry`
/// sets it before this page becomes read-only.
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
    // SAFETY: the caller guarantees both arguments.
    let status = unsafe { run(argc, argv) };
    ocinit::sys::process::exit(status)
}

/// Runs PID 1 if the process is the kernel's `/init`, or else a command. Returns the exit status.
///
/// # Safety
/// Same as `start`.
unsafe fn run(argc: c_int, argv: *const *const c_char) -> c_int {
    // SAFETY: the kernel stores `argc` pointers to NUL-terminated strings there; they live as long
    // as the process.
    let args: &'static [&'static CStr] =
        match unsafe { ocinit::sys::process::adopt_argv(argc, argv) } {
            Ok(args) => args,
            Err(errno) => {
                ocinit::error!("more than {} words: {errno}", ocinit::limits::COMMAND_WORDS_MAX);
                return ocinit::error::STATUS_FAILED.into();
            }
        };
    // The kernel's init may have arguments (those after ` -- `), and PID 1 of a container may be a
    // command.
    let named_init = args
        .first()
        .is_some_and(|name| name.to_bytes().rsplit(|&byte| byte == b'/').next() == Some(b"init"));
    let is_init = || named_init || !HAS_COMMANDS || !ocinit::cli::is_command(args);
    if cfg!(feature = "init") && ocinit::sys::process::getpid() == 1 && is_init() {
        ocinit::init::main()
    }
    // First of all, so that each stream gets its own number. It gives no message, because stderr
    // may be closed. The kernel's init has no /dev yet; it opens its console later.
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

/// True if any command is compiled in.
const HAS_COMMANDS: bool = cfg!(any(feature = "runtime", feature = "tools"));

#[cfg(not(any(feature = "init", feature = "runtime", feature = "tools")))]
compile_error!("a program of nothing: choose features among init, runtime and tools");

#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    if cfg!(debug_assertions) {
        on_panic(format_args!("{info}"))
    }
    // Any use of `info` keeps the location and text of every possible panic in the file: 12 KiB.
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
