"""A script's frame: its option parser, its exit status, its one line of error."""

import argparse
import contextlib
import os
import signal
import sys
from collections.abc import Callable
from types import FrameType
from typing import NoReturn

from failure import FAILED, one_line


class OptionParser(argparse.ArgumentParser):
    """argparse with one line of error and exit status 125: its own 2 could be a container's."""

    def __init__(
        self,
        description: str | None,
        prog: str | None = None,
        usage: str | None = None,
        allow_abbrev: bool = True,
    ) -> None:
        super().__init__(
            prog=prog,
            usage=usage,
            description=description,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=allow_abbrev,
        )

    def error(self, message: str) -> NoReturn:
        print(f"{self.prog}: {message} (try --help)", file=sys.stderr)
        sys.exit(FAILED)


def main(program: Callable[[], int]) -> int:
    """Runs `program` and returns its exit status; a failure is one line and status 125."""
    signal.signal(signal.SIGTERM, exit_by_signal)
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # nohup means it
        signal.signal(signal.SIGHUP, exit_by_signal)
    try:
        return program()
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except Exception as error:
        line = one_line(error)
    with contextlib.suppress(OSError, ValueError):  # a closed stderr must not change the status
        text = f"{os.path.basename(sys.argv[0])}: {line}\n"
        sys.stderr.write(text.encode(errors="backslashreplace").decode())
        sys.stderr.flush()
    return FAILED


def exit_by_signal(number: int, _: FrameType | None) -> NoReturn:
    """Ends by unwinding, so that temporary folders are removed."""
    sys.exit(128 + number)
