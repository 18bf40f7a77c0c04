"""The control port: the guest's messages, each checked before it is believed, and the lines for it.

A container can take over the machine. src/init/control.rs documents the lines of the protocol and
their order; both sides change together.
"""

import re
import socket
from collections.abc import Callable, Iterator
from typing import NamedTuple

from failure import shown

VERSION = b"1"
LINE_MAX = 4096  # bytes of one line
PHASES_MAX = 16  # PHASES_MAX in src/limits.rs
COUNT_MAX = 1 << 63  # bytes, or microseconds
UNSENT_MAX = 65536  # bytes kept for a guest that does not read its control port
RECEIVED_MAX = 65536  # bytes read at once
JOB = re.compile(
    rb"[A-Za-z0-9._-]{1,32} (started|(out|err) ([0-9a-f]{2})+|failed .*|exit [0-9]{1,3})",
    re.DOTALL,
)
NUMBER = re.compile(rb"[0-9]{1,19}")


class Lie(Exception):
    """A message that no ocinit sends, as one line for the user."""


class Phase(NamedTuple):
    """A part of the start, in microseconds of the guest's clock."""

    name: bytes
    start: int
    end: int


class Report:
    """What the guest reported: the checked lines of the control port."""

    def __init__(self) -> None:
        self.greeted = False
        self.started = False  # the container's process was executed
        self.error: bytes | None = None  # the guest's one line
        self.phases: list[Phase] = []
        self.status: int | None = None  # the container's exit status, the last message
        self.wanted: list[int] = []  # bytes of each output stream, known with the status
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[str]:
        """Takes bytes as they come. Yields the verb of each complete line; raises Lie."""
        if data and self.status is not None:
            raise Lie("the guest went on after its exit status")
        self._rest += data
        while True:
            line, end, rest = self._rest.partition(b"\n")
            if len(line) > LINE_MAX:
                raise Lie(
                    f"the guest said a line of more than {LINE_MAX} bytes on the control port"
                )
            if not end:
                return
            self._rest = rest
            yield self._take(line)
            if self.status is not None and rest:
                raise Lie("the guest went on after its exit status")

    def _take(self, line: bytes) -> str:
        verb, space, rest = line.partition(b" ")
        known: dict[bytes, Callable[[bytes], bool]] = {
            b"hello": self._hello,
            b"started": self._started,
            b"error": self._error,
            b"phase": self._phase,
            b"job": self._job,
            b"exit": self._exit,
        }
        is_early = verb != b"hello" and not self.greeted
        if verb not in known or is_early or not known[verb](rest or space):
            said = shown(line[:100])
            raise Lie(
                f"the guest said `{said}`: no line of the control protocol, or not at this place"
            )
        return verb.decode()

    # Each returns false if the message is wrong, or comes at the wrong time.

    def _hello(self, rest: bytes) -> bool:
        if self.greeted:
            return False
        if rest != VERSION:
            raise Lie(
                f"the guest speaks version `{shown(rest[:20])}` of the control protocol, "
                f"not {VERSION.decode()}"
            )
        self.greeted = True
        return True

    def _started(self, rest: bytes) -> bool:
        # It has no arguments, and does not come after an error.
        if self.started or self.error is not None or rest:
            return False
        self.started = True
        return True

    def _error(self, rest: bytes) -> bool:
        if self.error is not None or not rest.strip(b" "):
            return False
        self.error = rest
        return True

    def _phase(self, rest: bytes) -> bool:
        words = rest.split(b" ")
        if len(words) != 3 or not words[0] or len(self.phases) >= PHASES_MAX:
            return False
        start, end = number(words[1]), number(words[2])
        if start is None or end is None or start > end:
            return False
        self.phases.append(Phase(words[0], start, end))
        return True

    def _job(self, rest: bytes) -> bool:
        # Of another container: `start` on the control port asks for one.
        return self.started and JOB.fullmatch(rest) is not None

    def _exit(self, rest: bytes) -> bool:
        words = rest.split(b" ")
        if len(words) != 3:
            return False
        status, stdout, stderr = map(number, words)
        if status is None or stdout is None or stderr is None or status > 255:
            return False
        self.status, self.wanted = status, [stdout, stderr]
        return True


def number(word: bytes) -> int | None:
    """Returns a number of ASCII digits up to COUNT_MAX, or None."""
    if not NUMBER.fullmatch(word):
        return None
    value = int(word)
    return value if value <= COUNT_MAX else None


class Port:
    """Our end of the control port. It never blocks: lines that do not fit yet wait in `unsent`."""

    def __init__(self, end: socket.socket) -> None:
        end.setblocking(False)
        self.socket = end
        self.unsent = bytearray()

    def fileno(self) -> int:
        return self.socket.fileno()

    def receive(self) -> bytes | None:
        """Returns what has come: None if nothing has yet, no bytes if no more can come."""
        try:
            return self.socket.recv(RECEIVED_MAX)
        except BlockingIOError:
            return None
        except ConnectionResetError:
            return b""

    def say(self, line: str) -> None:
        """Sends a line. It is dropped if the guest does not read and the buffer is full."""
        if len(self.unsent) < UNSENT_MAX:
            self.unsent += line.encode() + b"\n"
            self.send()

    def send(self) -> None:
        """Sends what the port takes at once."""
        try:
            del self.unsent[: self.socket.send(self.unsent)]
        except BlockingIOError:
            pass
        except OSError:
            self.unsent.clear()  # the machine is gone
