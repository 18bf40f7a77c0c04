//! Moves the bytes of one stream of a container. It never blocks and never loses a byte.

use super::end::End;
use crate::limits::PUMP_BYTES;
use crate::sys::fd::{self, FdRef};
use crate::sys::{self, Errno};

/// The meaning of a read of 0 bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// A pipe: it has ended.
    Pipe,
    /// A virtio port: the host's side is closed. The control port announces its end
    /// ([`Pump::set_end`]).
    Port,
    /// A pseudo-terminal's master. It gives EIO while no process has the terminal open: that is the
    /// end once the container has ended.
    Terminal,
}

/// The action on the sink at the end of the source.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AtEnd {
    /// Closes it. The sink of a port stays open until the machine is off.
    Close,
    /// Writes the character that ends a terminal's input.
    WriteEof,
}

/// The state of a pump after a step.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// There may be more to move at once.
    More,
    /// There is nothing to read now.
    Idle,
    /// The sink takes no bytes now.
    Stuck,
    /// All bytes were moved, and no more will come.
    Finished,
}

/// The buffer of one pump.
pub type Buffer = [u8; PUMP_BYTES];

/// Reads and writes of a pump before the others' turn.
const ROUNDS: usize = 8;
/// The character that ends a terminal's input (VEOF, ^D).
const END_OF_TRANSMISSION: u8 = 4;

/// A stream: two non-blocking ends, and the bytes between them.
pub struct Pump<'m> {
    kind: Kind,
    source: Option<End>,
    sink: Option<End>,
    at_end: AtEnd,
    buffer: &'m mut [u8],
    start: usize,
    end: usize,
    /// Bytes read so far.
    pub taken: u64,
    end_at: Option<u64>,
    /// Bytes written so far.
    pub passed: u64,
    /// The last written byte does not end a line.
    pub within_line: bool,
}

impl<'m> Pump<'m> {
    /// Returns a pump for this kind of source. It closes the sink at the end.
    pub fn new(
        kind: Kind,
        source: impl Into<End>,
        sink: impl Into<End>,
        buffer: &'m mut [u8],
    ) -> Pump<'m> {
        let (source, sink) = (Some(source.into()), Some(sink.into()));
        Pump {
            kind,
            source,
            sink,
            at_end: AtEnd::Close,
            buffer,
            start: 0,
            end: 0,
            taken: 0,
            end_at: None,
            passed: 0,
            within_line: false,
        }
    }

    /// Returns the pumps of a terminal: `input` to its master, and its master to `output`. They
    /// use the master through separate non-blocking fds.
    pub fn of_terminal(
        master: FdRef<'_>,
        (kind, input, at_end): (Kind, impl Into<End>, AtEnd),
        output: impl Into<End>,
        [first, second]: [&'m mut [u8]; 2],
    ) -> sys::Result<[Pump<'m>; 2]> {
        fd::set_nonblocking(master, true)?;
        let again = || fd::duplicate(master, 3);
        let typed = Pump { at_end, ..Pump::new(kind, input, again()?, first) };
        Ok([typed, Pump::new(Kind::Terminal, again()?, output, second)])
    }

    /// Returns the fd it reads, until its end.
    pub fn source(&self) -> Option<FdRef<'_>> {
        self.source.as_ref().map(End::by_ref)
    }

    /// Returns the fd it writes, until its reader is gone.
    pub fn sink(&self) -> Option<FdRef<'_>> {
        self.sink.as_ref().map(End::by_ref)
    }

    /// Sets the total length of the source, in bytes.
    pub fn set_end(&mut self, bytes: u64) {
        self.end_at = Some(bytes);
    }

    /// Moves the bytes that can be moved now.
    pub fn step(&mut self, container_ended: bool) -> Step {
        for _ in 0..ROUNDS {
            if self.start == self.end && !self.fill(container_ended) {
                return if self.source.is_none() { Step::Finished } else { Step::Idle };
            }
            if !self.drain() {
                return Step::Stuck;
            }
        }
        Step::More
    }

    /// Reads. Returns whether there are bytes to write.
    fn fill(&mut self, container_ended: bool) -> bool {
        let Some(source) = &self.source else { return false };
        let left = self.end_at.map_or(u64::MAX, |end| end.saturating_sub(self.taken));
        let room = left.min(self.buffer.len() as u64) as usize;
        (self.start, self.end) = (0, 0);
        if room == 0 {
            return self.finish();
        }
        match (source.read(&mut self.buffer[..room]), self.kind) {
            (Ok(n @ 1..), _) => {
                self.end = n;
                self.taken += n as u64;
                true
            }
            (Err(Errno::EAGAIN), _) | (Ok(_), Kind::Port) => false,
            (Err(Errno::EIO), Kind::Terminal) if !container_ended => false,
            (Ok(_), _) | (Err(Errno::EIO), Kind::Terminal) => self.finish(),
            (Err(errno), _) => {
                crate::warning!("a stream of the container ends early: {errno}");
                self.finish()
            }
        }
    }

    /// Handles the source's end. Returns whether there are bytes to write for it.
    fn finish(&mut self) -> bool {
        self.source = None;
        if self.at_end == AtEnd::WriteEof {
            (self.buffer[0], self.end) = (END_OF_TRANSMISSION, 1);
            return true;
        }
        // A port stays open until the machine goes off. A pipe's reader sees that it is closed.
        if self.kind == Kind::Port {
            self.sink = None;
        }
        false
    }

    /// Writes. Returns whether all bytes are written. If the reader is gone, drops the bytes, like
    /// a closed pipe.
    fn drain(&mut self) -> bool {
        while self.start < self.end {
            let Some(sink) = &self.sink else {
                self.start = self.end;
                break;
            };
            match sink.write(&self.buffer[self.start..self.end]) {
                Ok(n @ 1..) => {
                    self.start += n;
                    self.within_line = self.buffer[self.start - 1] != b'\n';
                    self.passed += n as u64;
                }
                Ok(_) | Err(Errno::EAGAIN) => return false,
                Err(errno) => {
                    if !matches!(errno, Errno::EPIPE | Errno::EIO) {
                        crate::warning!("a stream of the container is cut: {errno}");
                    }
                    self.sink = None;
                }
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::fd::{self, Fd};
    use crate::sys::fs;

    /// Returns a pump between two pipes, and the far ends of both.
    fn pump(kind: Kind) -> (Fd, Pump<'static>, Fd) {
        let (source, feed) = fd::pipe().unwrap();
        let (drain, sink) = fd::pipe().unwrap();
        for fd in [&source, &feed, &drain, &sink] {
            fd::set_nonblocking(fd.by_ref(), true).unwrap();
        }
        (feed, Pump::new(kind, source, sink, Box::leak(Box::new([0; PUMP_BYTES]))), drain)
    }

    fn read(fd: &Fd) -> crate::sys::Result<Vec<u8>> {
        let mut buffer = vec![0; 1 << 20];
        let n = fs::read(fd.by_ref(), &mut buffer)?;
        Ok(buffer[..n].to_vec())
    }

    #[test]
    fn bytes_pass_and_the_end_is_seen() {
        let (feed, mut pump, drain) = pump(Kind::Pipe);
        assert_eq!(pump.step(false), Step::Idle);
        fs::write_all(feed.by_ref(), b"hello").unwrap();
        assert_eq!(pump.step(false), Step::Idle);
        assert_eq!(read(&drain).unwrap(), b"hello");
        fs::write_all(feed.by_ref(), b"rest").unwrap();
        drop(feed);
        assert_eq!(pump.step(false), Step::Finished);
        assert_eq!((read(&drain).unwrap(), pump.passed), (b"rest".to_vec(), 9));
    }

    #[test]
    fn a_slow_reader_loses_nothing() {
        let (feed, mut pump, drain) = pump(Kind::Pipe);
        let sent: Vec<u8> = (0..300_000u32).map(|n| (n % 251) as u8).collect();
        let (mut fed, mut received) = (0, vec![]);
        let mut stuck = 0;
        while received.len() < sent.len() {
            if fed < sent.len() {
                fed += fs::write(feed.by_ref(), &sent[fed..]).unwrap_or(0);
            }
            stuck += u32::from(pump.step(false) == Step::Stuck);
            let mut buffer = [0; 1000];
            let n = fs::read(drain.by_ref(), &mut buffer).unwrap_or(0);
            received.extend_from_slice(&buffer[..n]);
        }
        assert!(stuck > 0 && received == sent && pump.passed == sent.len() as u64);
    }

    #[test]
    fn a_port_ends_where_it_is_told() {
        let (feed, mut pump, drain) = pump(Kind::Port);
        fs::write_all(feed.by_ref(), b"abcdef").unwrap();
        assert_eq!(pump.step(false), Step::Idle);
        pump.set_end(6);
        assert_eq!(pump.step(false), Step::Finished);
        assert_eq!(read(&drain).unwrap(), b"abcdef");
        assert_eq!(read(&drain).unwrap(), b"");
    }

    #[test]
    fn what_a_closed_reader_left_is_dropped() {
        let (feed, mut pump, drain) = pump(Kind::Port);
        drop(drain);
        fs::write_all(feed.by_ref(), b"abcdef").unwrap();
        assert_eq!(pump.step(false), Step::Idle);
        assert!(pump.sink().is_none());
        fs::write_all(feed.by_ref(), b"ghi").unwrap();
        pump.set_end(9);
        assert_eq!(pump.step(false), Step::Finished);
        assert_eq!(pump.passed, 0);
    }
}
