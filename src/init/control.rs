//! The host's end of the machine: a line protocol over the port `org.ocinit.control`.
//!
//! ```text
//! guest -> host   hello 1                       first
//!                 phase NAME START_US END_US    microseconds since the kernel's boot
//!                 started                       the container's process was executed
//!                 error TEXT                    the one line
//!                 job NAME started              another container was executed
//!                 job NAME out|err HEX          bytes of its output, two digits each
//!                 job NAME failed TEXT          it could not start; the others go on
//!                 job NAME exit STATUS          its last line
//!                 exit STATUS STDOUT STDERR     last: status, and the bytes of both streams
//! host -> guest   size ROWS COLUMNS             of the terminal
//!                 signal NUMBER                 for the container
//!                 stop                          the container: its StopSignal, and SIGKILL later
//!                 eof BYTES                     standard input ends after so many
//!                 start NAME -- ARG...          another container beside the main one; in an ARG
//!                                               %XX is a byte
//!                 done                          everything is delivered: power off
//! ```

use crate::io::text::decimal;
use crate::limits::{CONTROL_LINE_BYTES, CONTROL_OUT_BYTES, JOB_NAME_BYTES, JOBS_MAX};
use crate::sys::fd::{Fd, FdRef, StaticFd};
use crate::sys::signal::{SIGNAL_MAX, SignalSet};
use crate::sys::{Errno, event, fs, time};
use core::fmt::{self, Write};

/// Milliseconds to wait for a host that has disconnected: then it will read no more.
const GONE_MS: u64 = 2000;
/// Milliseconds until a write without room is tried again. The kernel may lose a wake-up of a port
/// that is polled and written ("virtio: console: fix lost wakeup", 2025).
pub const RETRY_MS: u64 = 100;

/// The port, for a panic, which has no other reference to it.
static PORT: StaticFd = StaticFd::empty();

/// A command from the host.
#[derive(PartialEq, Eq, Debug)]
enum Command {
    Size(u16, u16),
    Signal(i32),
    Stop,
    Eof(u64),
    Done,
}

/// Parses one line from the host. Returns `None` for an unknown one.
fn parse(line: &[u8]) -> Option<Command> {
    let mut words = line.split(|&byte| byte == b' ');
    let verb = words.next()?;
    let mut number = || decimal(words.next()?);
    let command = match verb {
        b"size" => Command::Size(number()?.try_into().ok()?, number()?.try_into().ok()?),
        b"signal" => {
            Command::Signal(number()?.try_into().ok().filter(|n| (1..=SIGNAL_MAX).contains(n))?)
        }
        b"stop" => Command::Stop,
        b"eof" => Command::Eof(number()?),
        b"done" => Command::Done,
        _ => return None,
    };
    words.next().is_none().then_some(command)
}

/// For the fuzzer: returns verb and numbers of one line from the host.
#[cfg(fuzzing)]
pub fn host_says(line: &[u8]) -> Option<(&'static str, [Option<u64>; 2])> {
    parse(line).map(|command| match command {
        Command::Size(rows, columns) => ("size", [Some(rows.into()), Some(columns.into())]),
        Command::Signal(number) => ("signal", [Some(number as u64), None]),
        Command::Eof(bytes) => ("eof", [Some(bytes), None]),
        Command::Stop => ("stop", [None, None]),
        Command::Done => ("done", [None, None]),
    })
}

/// A job that the host starts.
pub struct Start {
    /// The job's name.
    pub name: heapless::String<JOB_NAME_BYTES>,
    /// Its program and arguments, each ended by a NUL.
    pub args: heapless::Vec<u8, CONTROL_LINE_BYTES>,
}

/// Parses `NAME -- ARG...`. Returns None for anything else.
fn parse_start(line: &[u8]) -> Option<Start> {
    let mut words = line.split(|&byte| byte == b' ');
    let name = core::str::from_utf8(words.next()?).ok()?;
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if name.is_empty() || !name.bytes().all(is_plain) || words.next()? != b"--" {
        return None;
    }
    let mut args = heapless::Vec::new();
    for mut word in words {
        while let [first, rest @ ..] = word {
            let (byte, rest) = match (first, rest) {
                (b'%', [high, low, rest @ ..]) => {
                    let digit = |byte: &u8| char::from(*byte).to_digit(16);
                    ((digit(high)? << 4 | digit(low)?) as u8, rest)
                }
                (b'%', _) => return None,
                (byte, rest) => (*byte, rest),
            };
            args.push(byte).ok().filter(|()| byte != 0)?;
            word = rest;
        }
        args.push(0).ok()?;
    }
    (!args.is_empty()).then_some(Start { name: heapless::String::try_from(name).ok()?, args })
}

/// The control port, its pending lines, and the host's commands so far.
pub struct Control {
    port: FdRef<'static>,
    memory: &'static mut ControlMemory,
    out_start: usize,
    out_end: usize,
    line_length: usize,
    line_too_long: bool,
    /// The terminal's new size, until it is taken.
    pub size: Option<(u16, u16)>,
    /// Signals for the container, until they are taken.
    pub signals: SignalSet,
    /// The container is to stop. The handler clears it.
    pub stop: bool,
    /// Length of standard input, in bytes, once the host has sent it.
    pub eof: Option<u64>,
    /// The host has received everything.
    pub done: bool,
}

/// Bytes and commands under way from and to the host. They are static: the compiler touches all
/// pages of a large stack frame.
pub struct ControlMemory {
    out: [u8; CONTROL_OUT_BYTES],
    line: [u8; CONTROL_LINE_BYTES],
    /// Jobs to start, until they are taken.
    starts: heapless::Vec<Start, JOBS_MAX>,
}

impl ControlMemory {
    /// All zeros.
    pub const EMPTY: ControlMemory = ControlMemory {
        out: [0; CONTROL_OUT_BYTES],
        line: [0; CONTROL_LINE_BYTES],
        starts: heapless::Vec::new(),
    };
}

impl Control {
    /// Sends the greeting over a port that was just opened, non-blocking.
    pub fn new(port: Fd, memory: &'static mut ControlMemory) -> Control {
        let port = port.leak();
        PORT.replace(port);
        let mut control = Control {
            port,
            memory,
            out_start: 0,
            out_end: 0,
            line_length: 0,
            line_too_long: false,
            size: None,
            signals: SignalSet::NONE,
            stop: false,
            eof: None,
            done: false,
        };
        control.send(format_args!("hello 1"));
        control
    }

    /// Returns the port.
    pub fn port(&self) -> FdRef<'_> {
        self.port
    }

    /// Sends one line. Bytes that the host does not take at once wait.
    pub fn send(&mut self, line: fmt::Arguments<'_>) {
        for _ in 0..GONE_MS / RETRY_MS {
            let before = self.out_end;
            let mut out = Out { control: self };
            if out.write_fmt(line).is_ok() && out.write_str("\n").is_ok() {
                self.flush();
                return;
            }
            self.out_end = before;
            if !self.flush() {
                let _ = event::wait_ms(RETRY_MS as i32);
            }
        }
        crate::warning!("the host does not read, dropped: {line}");
    }

    /// Writes pending bytes. Returns true if none are left.
    pub fn flush(&mut self) -> bool {
        while self.out_start < self.out_end {
            match fs::write(self.port, &self.memory.out[self.out_start..self.out_end]) {
                Ok(n) if n > 0 => self.out_start += n,
                Ok(_) | Err(Errno::EAGAIN) => {
                    self.memory.out.copy_within(self.out_start..self.out_end, 0);
                    (self.out_start, self.out_end) = (0, self.out_end - self.out_start);
                    return false;
                }
                // The port was unplugged.
                Err(_) => break,
            }
        }
        (self.out_start, self.out_end) = (0, 0);
        true
    }

    /// Takes the next job to start.
    pub fn take_start(&mut self) -> Option<Start> {
        let starts = &mut self.memory.starts;
        (!starts.is_empty()).then(|| starts.remove(0))
    }

    /// Reads the host's commands. A read of 0 bytes means that no host is connected.
    pub fn hear(&mut self) {
        let mut buffer = [0; 256];
        while let Ok(n @ 1..) = fs::read(self.port, &mut buffer) {
            for &byte in &buffer[..n] {
                self.hear_byte(byte);
            }
        }
    }

    fn hear_byte(&mut self, byte: u8) {
        if byte != b'\n' {
            match self.memory.line.get_mut(self.line_length) {
                Some(place) => (*place, self.line_length) = (byte, self.line_length + 1),
                None => self.line_too_long = true,
            }
            return;
        }
        let line = &self.memory.line[..self.line_length];
        if let Some(start) =
            line.strip_prefix(b"start ").filter(|_| !self.line_too_long).and_then(parse_start)
        {
            if let Err(start) = self.memory.starts.push(start) {
                crate::warning!("job {}: more than {JOBS_MAX} at once (JOBS_MAX)", start.name);
            }
            self.line_length = 0;
            return;
        }
        match parse(line).filter(|_| !self.line_too_long) {
            Some(Command::Size(rows, columns)) => self.size = Some((rows, columns)),
            Some(Command::Signal(number)) => self.signals = self.signals.with(number),
            Some(Command::Stop) => self.stop = true,
            Some(Command::Eof(bytes)) => self.eof = Some(bytes),
            Some(Command::Done) => self.done = true,
            None => {
                crate::warning!("unknown line from the host: {}", crate::io::lossy::Lossy(line))
            }
        }
        (self.line_length, self.line_too_long) = (0, false);
    }

    /// Returns whether a process has the host's end open.
    pub fn is_connected(&self) -> bool {
        event::poll_one(self.port, libc::POLLIN, 0).is_ok_and(|events| events & libc::POLLHUP == 0)
    }

    /// Waits until `enough` is true of the host's commands, up to a deadline.
    pub fn hear_until(&mut self, enough: fn(&Control) -> bool, milliseconds: u64) {
        let deadline = time::monotonic_us() + milliseconds * 1000;
        self.hear();
        while !enough(self) && time::monotonic_us() < deadline {
            self.wait(RETRY_MS as i32);
            self.hear();
        }
    }

    /// Waits until the host has everything and says `done`. A connected host may take any time,
    /// because its reader may be slow.
    pub fn wait_for_done(&mut self) {
        let mut gone_since = None;
        loop {
            self.flush();
            self.hear();
            if self.done {
                return;
            }
            let now = time::monotonic_us();
            match (self.is_connected(), gone_since) {
                (true, _) => gone_since = None,
                (false, None) => gone_since = Some(now),
                (false, Some(since)) if now - since > GONE_MS * 1000 => return,
                _ => {}
            }
            self.wait(RETRY_MS as i32);
        }
    }

    /// Waits for the port. Without a host poll(2) always reports it ready, so then it sleeps
    /// instead.
    fn wait(&self, milliseconds: i32) {
        let _ = match self.is_connected() {
            true => event::poll_one(self.port, libc::POLLIN, milliseconds).map(drop),
            false => event::wait_ms(milliseconds),
        };
    }
}

struct Out<'a> {
    control: &'a mut Control,
}

impl Write for Out<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.control.out_end + text.len();
        let place = self.control.memory.out.get_mut(self.control.out_end..end).ok_or(fmt::Error)?;
        place.copy_from_slice(text.as_bytes());
        self.control.out_end = end;
        Ok(())
    }
}

/// Sends the reason of a panic, without the pending lines.
pub fn report_panic(text: fmt::Arguments<'_>, status: u8) {
    let Some(port) = PORT.get() else { return };
    let mut line: heapless::Vec<u8, 512> = heapless::Vec::new();
    // Text beyond one line is cut.
    let _ = write!(line, "error {text}");
    // A panic's text has two lines, but the protocol has one.
    for byte in line.iter_mut().filter(|byte| **byte == b'\n') {
        *byte = b' ';
    }
    let _ = fs::write_all(port, &line);
    line.clear();
    let _ = write!(line, "\nexit {} 0 0\n", u32::from(status));
    let _ = fs::write_all(port, &line);
    let _ = event::wait_ms(GONE_MS as i32);
}

#[cfg(test)]
mod tests;
