//! The front door: C's `main`, the panic handler, and the choice between PID 1 and a command.
#![cfg_attr(not(test), no_std, no_main)]
#![cfg(not(test))]

use core::ffi::{CStr, c_char, c_int};

/// C's `main`: the kernel's `/init` is PID 1, everybody else types a command.
///
/// # Safety
/// Called once by musl's start code, with the process's own argument and environment vectors.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn main(argc: c_int, argv: *const *const c_char, _envp: *const *const c_char) -> c_int {
    // SAFETY: the start code passes `argc` pointers to NUL-terminated strings that live as long as the process.
    let args: &'static [&'static CStr] = match unsafe { ocinit::sys::process::adopt_argv(argc, argv) } {
        Ok(args) => args,
        Err(errno) => {
            ocinit::error!("more than {} words: {errno}", ocinit::limits::COMMAND_WORDS_MAX);
            return ocinit::error::STATUS_FAILED.into();
        }
    };
    // The kernel's init may have words of its own (those after ` -- `); PID 1 of a container may be a command.
    let named_init =
        args.first().is_some_and(|name| name.to_bytes().rsplit(|&byte| byte == b'/').next() == Some(b"init"));
    if ocinit::sys::process::getpid() == 1 && (named_init || !ocinit::cli::is_command(args)) {
        ocinit::init::main()
    }
    ocinit::cli::main(args)
}

#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    if cfg!(debug_assertions) {
        ocinit::init::power::on_panic(format_args!("{info}"))
    }
    // As long as anything looks at `info`, the file keeps the place and the text of every possible panic: 12 KiB.
    ocinit::init::power::on_panic(format_args!("{}", ocinit::sys::trace::Trace::here()))
}
