//! PID 1 (being written).
pub mod power;

/// PID 1's whole life.
pub fn main() -> ! {
    crate::sys::process::exit(125)
}
