"""The machine's streams. Each has a thread with blocking reads and writes, so that a slow reader delays no other
stream, and no fd that we share with other processes needs O_NONBLOCK. The main thread waits for everything else in one
poll, and never writes to an fd that could block.
"""

import contextlib
import os
import select
import threading
import time

from common import one_line, shown
from control import Lines

CHUNK = 65536  # bytes read at once
LOG_FILE_MAX = 64 << 20  # bytes of a --log: a guest must not fill the disk


class Waker:
    """A pipe that ends the main thread's poll; written to by threads and by Python's signal handler."""

    def __init__(self):
        self.reader, self.writer = os.pipe()
        os.set_blocking(self.writer, False)
        os.set_blocking(self.reader, False)

    def wake(self):
        with contextlib.suppress(BlockingIOError):  # full: it wakes anyway
            os.write(self.writer, b"\0")

    def clear(self):
        with contextlib.suppress(BlockingIOError):
            while os.read(self.reader, CHUNK):
                pass


def write_all(descriptor, data):
    """Writes all of `data`, even to an fd that another process made non-blocking."""
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(descriptor, view) :]
        except BlockingIOError:
            select.select([], [descriptor], [])


def write_for(descriptor, data, patience):
    """Writes `data`; gives up if the reader takes nothing for `patience` seconds. Returns true if all was written."""
    view = memoryview(data)
    while view:
        if not select.select([], [descriptor], [], patience)[1]:
            return False
        try:
            view = view[os.write(descriptor, view[: select.PIPE_BUF]) :]  # a writable pipe takes so much
        except BlockingIOError:
            time.sleep(0.01)
    return True


def receive(source):
    """Returns bytes of a socket or a pipe; none when the other end is closed."""
    try:
        return os.read(source.fileno(), CHUNK)
    except ConnectionResetError:
        return b""


class Carrier(threading.Thread):
    """A thread that carries a stream. It keeps its exception for the main thread, and wakes that at its end."""

    def __init__(self, name, waker):
        super().__init__(name=name, daemon=True)
        self.waker = waker
        self.ended = False
        self.broken = None  # an unexpected exception, as one line

    def run(self):
        try:
            self.carry()
        except Exception as error:
            self.broken = f"{self.name}: {one_line(error)}"
        self.ended = True
        self.waker.wake()


class Output(Carrier):
    """Carries one of the container's streams to one of our descriptors, and counts what was delivered."""

    def __init__(self, name, source, target, waker):
        super().__init__(name, waker)
        self.source, self.target = source, target
        self.delivered = 0
        self.wanted = None  # bytes in all, once the guest has reported them
        self.more = False  # more came than that
        self.error = None  # why we cannot deliver
        self.waits_since = time.monotonic()  # for the guest; None while our reader is waited for
        self.reader_waits = 0  # seconds that our reader was waited for, without the wait since `delivers_since`
        self.delivers_since = None

    def carry(self):
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
            self.waits_since = time.monotonic()
            self.delivers_since = None
            self.reader_waits += self.waits_since - began
            self.delivered += len(data)
            if self.more:
                return
            if first or self.wanted is not None:
                self.waker.wake()

    def deliver(self, data):
        write_all(self.target, data)

    def reader_time(self):
        """Returns the seconds that our reader was waited for until now."""
        since = self.delivers_since
        return self.reader_waits + (time.monotonic() - since if since else 0)

    def complete(self):
        return self.wanted is not None and self.delivered >= self.wanted

    def has_more(self):
        """True if there is something that this thread had no time to read."""
        return bool(select.select([self.source], [], [], 0)[0]) and not self.ended

    def exceeded(self):
        """True if more came than the guest reported."""
        return self.more or (self.wanted is not None and self.delivered > self.wanted)


class Console(Output):
    """The guest's serial console as our stdin and stdout; its end is kept, for the line that says the exit status."""

    def __init__(self, name, source, target, waker, tail):
        super().__init__(name, source, target, waker)
        self.tail = tail
        self.lines = Lines()

    def deliver(self, data):
        write_all(self.target, data)
        self.tail.extend(self.lines.feed(data))

    def carry(self):
        super().carry()
        self.tail.extend(self.lines.end())


class Input(Carrier):
    """Carries our stdin to the container's, until end of file, a stop, or the machine's end."""

    def __init__(self, target, waker):
        super().__init__("stdin", waker)
        self.target = target
        self.sent = 0
        self.complete = False  # all of stdin was sent: `sent` is final
        self.stop_reader, self.stop_writer = os.pipe()
        os.set_blocking(self.stop_writer, False)

    def carry(self):
        poll = select.poll()
        poll.register(0, select.POLLIN)
        poll.register(self.stop_reader, select.POLLIN)
        while True:
            if any(descriptor == self.stop_reader for descriptor, _ in poll.poll()):
                return
            try:
                data = os.read(0, CHUNK)
            except BlockingIOError:
                continue
            except OSError:
                data = b""  # a terminal that hung up, or a descriptor not open for reading: nothing more comes
            if not data:
                break
            try:
                self.target.sendall(data)
            except OSError:
                return  # the machine is gone
            self.sent += len(data)
        self.complete = True

    def stop(self):
        """Stops reading: later input is for the next program at the terminal."""
        with contextlib.suppress(BlockingIOError):  # full: it was stopped before
            os.write(self.stop_writer, b"\0")


class LogFile:
    """The file of --log. If it cannot be written, that is reported once, and the machine's log is still read."""

    def __init__(self, path):
        # O_NONBLOCK: a FIFO without a reader is an error instead of a wait.
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NONBLOCK
        self.path, self.descriptor = path, os.open(path, flags, 0o666)
        os.set_blocking(self.descriptor, True)
        self.left = LOG_FILE_MAX
        self.failed = False
        self.lock = threading.Lock()

    def write(self, data):
        with self.lock:
            if self.failed or self.left == 0:
                return
            data = data[: self.left]
            try:
                write_all(self.descriptor, data)
            except OSError as error:
                self.failed = True
                tell(f"boot: {self.path}: {error.strerror}: the log is written no further")
                return
            self.left -= len(data)
            if self.left == 0:
                tell(f"boot: {self.path}: the log is written no further than {LOG_FILE_MAX >> 20} MiB")


def tell(line):
    """One line on stderr, from a thread that may wait for it."""
    with contextlib.suppress(OSError):
        write_all(2, f"{shown(line)}\n".encode())


class Log(Carrier):
    """Keeps the machine's log: its end in memory, all of it in a file, or on stderr as it comes."""

    def __init__(self, source, tail, show, file, waker):
        super().__init__("log", waker)
        self.source, self.tail, self.show, self.file = source, tail, show, file

    def carry(self):
        lines = Lines()
        while data := receive(self.source):
            self.keep(lines.feed(data))
            if self.file:
                self.file.write(data)
        self.keep(lines.end())

    def keep(self, lines):
        self.tail.extend(lines)
        if self.show and lines:
            with contextlib.suppress(OSError):
                write_all(2, "".join(f"{shown(line)}\n" for line in lines).encode())
