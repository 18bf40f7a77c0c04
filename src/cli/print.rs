use crate::io::output::Output;
use crate::sys::fd::{FdRef, STDOUT};
use crate::sys::fs;
use crate::{Context, Result};
use core::fmt::{self, Write};

/// Prints to standard output.
pub fn print(text: fmt::Arguments<'_>) -> Result<()> {
    struct Unbuffered(FdRef<'static>, crate::sys::Result<()>);
    impl Write for Unbuffered {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            self.1 = self.1.and_then(|()| fs::write_all(self.0, text.as_bytes()));
            self.1.map_err(|_| fmt::Error)
        }
    }
    let mut output = Unbuffered(STDOUT, Ok(()));
    let _ = output.write_fmt(text);
    output.1.doing("write standard output")
}

/// Calls `write` with a buffered standard output, and flushes the buffer.
pub fn to_stdout(write: impl FnOnce(&mut Output<'_>) -> Result<()>) -> Result<()> {
    let mut output = Output::new(STDOUT);
    write(&mut output)?;
    output.finish().doing("write standard output")
}
