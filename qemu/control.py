"""The guest's messages. A container can take over the machine, so each is checked before it is believed.

src/init/control.rs documents the lines of the control protocol and their order; both sides change together.
"""

import re

from common import shown

VERSION = b"1"
LINE_MAX = 4096  # bytes of one line, of the control port or of a log
PHASES_MAX = 16  # PHASES_MAX in src/limits.rs
COUNT_MAX = 1 << 63  # bytes, or microseconds
JOB = re.compile(rb"[A-Za-z0-9._-]{1,32} (started|(out|err) ([0-9a-f]{2})+|failed .*|exit [0-9]{1,3})", re.DOTALL)
NUMBER = re.compile(rb"[0-9]{1,19}")


class Lie(Exception):
    """A message that no ocinit sends, as one line for the user."""


class Report:
    """The checked lines of the control port."""

    def __init__(self):
        self.greeted = False
        self.started = False  # the container's process was executed
        self.error = None  # the guest's one line, as bytes
        self.phases = []  # (name, start, end) in microseconds of the guest's clock
        self.status = None  # the container's exit status, the last message
        self.wanted = []  # bytes of each output stream, known with the status
        self.rest = b""

    def feed(self, data):
        """Takes bytes as they come. Yields the verb of each completed line; raises Lie."""
        if data and self.status is not None:
            raise Lie("the guest went on after its exit status")
        self.rest += data
        while True:
            line, end, rest = self.rest.partition(b"\n")
            if len(line) > LINE_MAX:
                raise Lie(f"the guest said a line of more than {LINE_MAX} bytes on the control port")
            if not end:
                return
            self.rest = rest
            yield self._take(line)
            if self.status is not None and rest:
                raise Lie("the guest went on after its exit status")

    def _take(self, line):
        verb, space, rest = line.partition(b" ")
        known = {b"hello": self._hello, b"started": self._started, b"error": self._error}
        known |= {b"phase": self._phase, b"job": self._job, b"exit": self._exit}
        if verb not in known or (verb != b"hello" and not self.greeted) or not known[verb](rest if rest else space):
            raise Lie(f"the guest said `{shown(line[:100])}`: no line of the control protocol, or not at this place")
        return verb.decode()

    # Each returns false if the message is wrong, or comes at the wrong time.

    def _hello(self, rest):
        if self.greeted:
            return False
        if rest != VERSION:
            raise Lie(f"the guest speaks version `{shown(rest[:20])}` of the control protocol, not {VERSION.decode()}")
        self.greeted = True
        return True

    def _started(self, rest):
        # It has no arguments, and does not come after an error.
        if self.started or self.error is not None or rest:
            return False
        self.started = True
        return True

    def _error(self, rest):
        if self.error is not None or not rest.strip(b" "):
            return False
        self.error = rest
        return True

    def _phase(self, rest):
        words = rest.split(b" ")
        if len(words) != 3 or not words[0] or len(self.phases) >= PHASES_MAX:
            return False
        start, end = map(count, words[1:])
        if start is None or end is None or start > end:
            return False
        self.phases.append((words[0], start, end))
        return True

    def _job(self, rest):
        # Of another container: `start` on the control port asks for one.
        return self.started and JOB.fullmatch(rest) is not None

    def _exit(self, rest):
        numbers = [count(word) for word in rest.split(b" ")]
        if len(numbers) != 3 or None in numbers or numbers[0] > 255:
            return False
        self.status, *self.wanted = numbers
        return True


def count(word):
    """A number of ASCII digits, or None."""
    number = int(word) if NUMBER.fullmatch(word) else COUNT_MAX + 1
    return number if number <= COUNT_MAX else None


class Lines:
    """Splits a stream into lines, in linear time, and cuts them at LINE_MAX bytes."""

    def __init__(self):
        self.line = bytearray()
        self.cut = 0  # bytes of this line that were dropped

    def feed(self, data):
        """Returns the lines that end in `data`."""
        *ended, rest = data.split(b"\n")
        lines = []
        for piece in ended:
            self._add(piece)
            lines.append(self._take())
        self._add(rest)
        return lines

    def end(self):
        """Returns the last line if it has no end."""
        return [self._take()] if self.line else []

    def _add(self, piece):
        room = LINE_MAX - len(self.line)
        self.line += piece[:room]
        self.cut += max(0, len(piece) - room)

    def _take(self):
        line = bytes(self.line).rstrip(b"\r")
        if self.cut:
            line += f" [{self.cut} more bytes]".encode()
        self.line.clear()
        self.cut = 0
        return line
