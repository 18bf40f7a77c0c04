"""The terminal that `boot` was started from."""

import array
import contextlib
import fcntl
import os
import signal
import termios
import tty
from typing import Any

from streams import Streams


class Terminal:
    """Our terminal, raw while the container has it."""

    def __init__(self, wanted: bool, streams: Streams) -> None:
        self.streams = streams
        is_terminal = os.isatty(streams.stdin)
        # Another program has the terminal of a background job: reading or setting it would stop us.
        self.is_background = is_terminal and in_background(streams.stdin)
        self.is_ours = wanted and is_terminal and not self.is_background
        self.saved: list[Any] | None = None

    def make_raw(self) -> None:
        if self.is_ours:
            self.saved = self.saved or termios.tcgetattr(self.streams.stdin)
            # Not TCSAFLUSH, which drops input typed ahead; not TCSADRAIN, which can wait for ever.
            tty.setraw(self.streams.stdin, termios.TCSANOW)

    def restore(self) -> None:
        if self.saved:
            signal.signal(signal.SIGTTOU, signal.SIG_IGN)  # we may be in the background now
            with contextlib.suppress(termios.error):
                termios.tcsetattr(self.streams.stdin, termios.TCSANOW, self.saved)
            self.saved = None

    def size(self) -> tuple[int, int] | None:
        """Returns rows and columns of the first stream that is a terminal with a size, or None."""
        for fd in (self.streams.stdin, self.streams.stdout, self.streams.stderr):
            if os.isatty(fd):
                window = array.array("H", [0, 0, 0, 0])
                fcntl.ioctl(fd, termios.TIOCGWINSZ, window)
                if window[0] and window[1]:
                    return window[0], window[1]
        return None


def in_background(fd: int) -> bool:
    """Returns true if another process group has the terminal."""
    try:
        return os.tcgetpgrp(fd) != os.getpgrp()
    except OSError:
        return False  # not our controlling terminal, so it cannot stop us
