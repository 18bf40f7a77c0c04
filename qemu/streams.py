"""The machine's streams. Each has a thread with blocking reads and writes: so a slow reader delays
no other stream, and no fd that we share with other processes needs O_NONBLOCK. The main thread
waits for everything else in one poll, and never writes to an fd that could block.
"""

import collections
import contextlib
import os
import select
import socket
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from failure import one_line, shown

CHUNK = 65536  # bytes read at once
LINE_MAX = 4096  # bytes kept of one line of a log
LOG_FILE_MAX = 64 << 20  # bytes of a --log: a guest must not fill the disk

LogTail = collections.deque[bytes]


class HasFd(Protocol):
    """A socket or a file."""

    def fileno(self) -> int: ...


@dataclass(frozen=True)
class Streams:
    """Our fds for the container's standard streams. They stay open when the machine ends."""

    stdin: int = 0
    stdout: int = 1
    stderr: int = 2


class Waker:
    """A pipe that ends the main thread's poll; threads and Python's signal handler write to it."""

    def __init__(self) -> None:
        self.reader, self.writer = os.pipe()
        os.set_blocking(self.writer, False)
        os.set_blocking(self.reader, False)

    def wake(self) -> None:
        with contextlib.suppress(BlockingIOError):  # full: it wakes anyway
            os.write(self.writer, b"\0")

    def clear(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while os.read(self.reader, CHUNK):
                pass

    def close(self) -> None:
        os.close(self.reader)
        os.close(self.writer)


def write_all(fd: int, data: bytes) -> None:
    """Writes all of `data`, even to an fd that another process made non-blocking."""
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(fd, view) :]
        except BlockingIOError:
            select.select([], [fd], [])


def write_for(fd: int, data: bytes, patience: float) -> bool:
    """Writes `data`. Returns false if the reader took nothing for `patience` seconds."""
    view = memoryview(data)
    while view:
        if not select.select([], [fd], [], patience)[1]:
            return False
        try:
            view = view[os.write(fd, view[: select.PIPE_BUF]) :]  # a writable pipe takes so much
        except BlockingIOError:
            time.sleep(0.01)
    return True


def receive(source: HasFd) -> bytes:
    """Returns bytes of a socket or a pipe; none when the other end is closed."""
    try:
        return os.read(source.fileno(), CHUNK)
    except ConnectionResetError:
        return b""


class Lines:
    """Splits a stream into lines, in linear time, and cuts them at LINE_MAX bytes."""

    def __init__(self) -> None:
        self._line = bytearray()
        self._cut = 0  # bytes of this line that were dropped

    def feed(self, data: bytes) -> list[bytes]:
        """Returns the lines that end in `data`."""
        *ended, rest = data.split(b"\n")
        lines = []
        for piece in ended:
            self._add(piece)
            lines.append(self._take())
        self._add(rest)
        return lines

    def end(self) -> list[bytes]:
        """Returns the last line if it has no end."""
        return [self._take()] if self._line else []

    def _add(self, piece: bytes) -> None:
        room = LINE_MAX - len(self._line)
        self._line += piece[:room]
        self._cut += max(0, len(piece) - room)

    def _take(self) -> bytes:
        line = bytes(self._line).rstrip(b"\r")
        if self._cut:
            line += f" [{self._cut} more bytes]".encode()
        self._line.clear()
        self._cut = 0
        return line


class Carrier(threading.Thread):
    """A thread that carries a stream. It keeps its exception, and wakes the main thread."""

    def __init__(self, name: str, waker: Waker) -> None:
        super().__init__(name=name, daemon=True)
        self.waker = waker
        self.ended = False
        self.broken: str | None = None  # an unexpected exception, as one line

    def carry(self) -> None:
        raise NotImplementedError

    def run(self) -> None:
        try:
            self.carry()
        except Exception as error:
            self.broken = f"{self.name}: {one_line(error)}"
        self.ended = True
        self.waker.wake()


class Output(Carrier):
    """Carries one of the container's streams to one of our fds, and counts what was delivered."""

    def __init__(self, name: str, source: HasFd, target: int, waker: Waker) -> None:
        super().__init__(name, waker)
        self.source, self.target = source, target
        self.delivered = 0
        self.wanted: int | None = None  # bytes in all, once the guest has reported them
        self.more = False  # more came than that
        self.error: OSError | None = None  # why we cannot deliver
        # When the wait for the guest began; None while we wait for our reader.
        self.waits_since: float | None = time.monotonic()
        self.reader_waits = 0.0  # seconds of finished waits for our reader
        self.delivers_since: float | None = None  # when the unfinished one began

    def carry(self) -> None:
        while data := receive(self.source):
            first = self.delivered == 0
            if self.wanted is not None and self.delivered + len(data) > self.wanted:
                self.more = True
                data = data[: max(0, self.wanted - self.delivered)]
            self.waits_since = None
            began = self.delivers_since = time.monotonic()
            try:
                self.deliver(data)
            except OSError as error:
                self.error = error
                return
            ended = self.waits_since = time.monotonic()
            self.delivers_since = None
            self.reader_waits += ended - began
            self.delivered += len(data)
            if self.more:
                return
            if first or self.wanted is not None:
                self.waker.wake()

    def deliver(self, data: bytes) -> None:
        write_all(self.target, data)

    def expect(self, count: int, now: float) -> None:
        """Takes the guest's count of bytes; a wait for the guest begins anew."""
        if self.waits_since is not None:
            self.waits_since = now
        self.wanted = count

    def reader_time(self) -> float:
        """Returns the seconds that our reader was waited for until now."""
        since = self.delivers_since
        return self.reader_waits + (time.monotonic() - since if since else 0)

    def missing(self) -> int:
        """Returns how many of the reported bytes are not delivered; 0 before the report."""
        return 0 if self.wanted is None else self.wanted - self.delivered

    def complete(self) -> bool:
        return self.wanted is not None and self.delivered >= self.wanted

    def has_more(self) -> bool:
        """Returns true if there is something that this thread had no time to read."""
        return bool(select.select([self.source], [], [], 0)[0]) and not self.ended

    def exceeded(self) -> bool:
        """Returns true if more came than the guest reported."""
        return self.more or (self.wanted is not None and self.delivered > self.wanted)


class Console(Output):
    """The guest's serial console as our stdin and stdout; its last line says the exit status."""

    def __init__(self, name: str, source: HasFd, target: int, waker: Waker, tail: LogTail) -> None:
        super().__init__(name, source, target, waker)
        self.tail = tail
        self.lines = Lines()

    def deliver(self, data: bytes) -> None:
        write_all(self.target, data)
        self.tail.extend(self.lines.feed(data))

    def carry(self) -> None:
        super().carry()
        self.tail.extend(self.lines.end())


class Input(Carrier):
    """Carries our stdin to the container's, until end of file, a stop, or the machine's end."""

    def __init__(self, source: int, target: socket.socket, waker: Waker) -> None:
        super().__init__("stdin", waker)
        self.source, self.target = source, target
        self.sent = 0
        self.complete = False  # all of stdin was sent: `sent` is final
        self.stop_reader, self.stop_writer = os.pipe()
        os.set_blocking(self.stop_writer, False)

    def carry(self) -> None:
        poll = select.poll()
        poll.register(self.source, select.POLLIN)
        poll.register(self.stop_reader, select.POLLIN)
        while True:
            if any(fd == self.stop_reader for fd, _ in poll.poll()):
                return
            try:
                data = os.read(self.source, CHUNK)
            except BlockingIOError:
                continue
            except OSError:
                data = b""  # a terminal that hung up, or an fd that is not open for reading
            if not data:
                break
            try:
                self.target.sendall(data)
            except OSError:
                return  # the machine is gone
            self.sent += len(data)
        self.complete = True

    def stop(self) -> None:
        """Stops reading: later input is for the next program at the terminal."""
        with contextlib.suppress(BlockingIOError):  # full: it was stopped before
            os.write(self.stop_writer, b"\0")

    def close(self) -> None:
        os.close(self.stop_reader)
        os.close(self.stop_writer)


class LogFile:
    """The file of --log. If it cannot be written, that is reported once, and the guest goes on."""

    def __init__(self, path: str) -> None:
        # O_NONBLOCK: a FIFO without a reader is an error instead of a wait.
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NONBLOCK
        self.path, self.fd = path, os.open(path, flags, 0o666)
        os.set_blocking(self.fd, True)
        self.left = LOG_FILE_MAX
        self.failed = False
        self.lock = threading.Lock()

    def write(self, data: bytes) -> None:
        with self.lock:
            if self.failed or self.left == 0:
                return
            data = data[: self.left]
            try:
                write_all(self.fd, data)
            except OSError as error:
                self.failed = True
                tell(f"boot: {self.path}: {error.strerror}: the log is written no further")
                return
            self.left -= len(data)
            if self.left == 0:
                most = LOG_FILE_MAX >> 20
                tell(f"boot: {self.path}: the log is written no further than {most} MiB")

    def close(self) -> None:
        os.close(self.fd)


def tell(*lines: str | bytes) -> None:
    """Writes lines to our stderr, from a thread that may wait for its reader."""
    with contextlib.suppress(OSError):
        write_all(2, "".join(f"{shown(line)}\n" for line in lines).encode())


class Log(Carrier):
    """Keeps the machine's log: its end in memory, all of it in a file, or on stderr as it comes."""

    def __init__(
        self, source: HasFd, tail: LogTail, show: bool, file: LogFile | None, waker: Waker
    ) -> None:
        super().__init__("log", waker)
        self.source, self.tail, self.show, self.file = source, tail, show, file

    def carry(self) -> None:
        lines = Lines()
        while data := receive(self.source):
            self.keep(lines.feed(data))
            if self.file:
                self.file.write(data)
        self.keep(lines.end())

    def keep(self, lines: Iterable[bytes]) -> None:
        self.tail.extend(lines)
        if self.show:
            tell(*lines)
