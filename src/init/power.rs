//! The end of PID 1.

/// What a panic leads to.
pub fn on_panic(info: &core::panic::PanicInfo<'_>) -> ! {
    crate::error!("internal error: {info}");
    crate::sys::process::exit(125)
}
