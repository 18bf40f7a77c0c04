"""How a boot ended: judged by what the guest reported, what was delivered, and QEMU's status."""

import errno
import re
import signal
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from command import QEMU
from configuration import Guest
from control import Report
from failure import FAILED, shown
from streams import Carrier, LogTail, Output

TIMED_OUT = 124
READER_LEFT = 128 + signal.SIGPIPE
PANIC = b"Kernel panic"


@dataclass(frozen=True)
class End:
    """The exit status of a boot, a message, and whether the log's tail helps."""

    status: int
    message: str | None = None
    show_log: bool = False


class Ended(Exception):
    """The boot is over."""

    def __init__(self, end: End) -> None:
        super().__init__(end.message)
        self.end = end


def reported(report: Report, outputs: Sequence[Output], tail: LogTail, status: int) -> End:
    """Returns the End of a machine with report ports; `status` is QEMU's."""
    error = None if report.error is None else f"ocinit: {shown(report.error)}"
    if report.status is None:
        return End(FAILED, error or cause(tail, status), show_log=error is None)
    return loss(outputs) or End(report.status, error)


def printed(guest: Guest, tail: LogTail, status: int) -> End:
    """Returns the End of a machine whose console is the container's; `status` is QEMU's.

    The console's last line says the exit status, but an image's own init only powers off.
    """
    for line in reversed(tail):
        if PANIC in line:
            break
        said = re.search(rb"ocinit: exit status ([0-9]{1,3})$", line)
        if said and int(said[1]) < 256:
            return End(int(said[1]))
    panicked = any(PANIC in line for line in tail)
    if guest.runs_own_init() and status == 0 and not panicked:
        return End(0)
    return End(FAILED, cause(tail, status))


def cause(tail: LogTail, status: int) -> str:
    """Returns why a machine ended that did not report; `status` is QEMU's."""
    for line in tail:
        if PANIC in line:
            return f"the guest's kernel panicked: {shown(line.partition(b'not syncing: ')[2])}"
    if status != 0:
        how = f"killed by signal {-status}" if status < 0 else f"exit status {status}"
        return f"{QEMU} failed ({how}) before the guest reported"
    return "the machine went off before the guest reported"


def loss(outputs: Iterable[Output]) -> End | None:
    """Returns the End for bytes that the guest reported and that have not come, or None."""
    for output in outputs:
        if not output.complete():
            lost = f"{output.missing()} of {output.wanted} bytes"
            message = f"{lost} of the container's {output.name} were lost"
            return End(FAILED, message, show_log=True)
    return None


def broken(carriers: Iterable[Carrier]) -> End | None:
    """Returns the End for a stream that cannot go on, or None."""
    for carrier in carriers:
        if carrier.broken:
            return End(FAILED, carrier.broken)
    for output in carriers:
        if isinstance(output, Output) and (end := undelivered(output)):
            return end
    return None


def undelivered(output: Output) -> End | None:
    """Returns the End for more bytes than reported, or for a reader that takes none, or None."""
    if output.exceeded():
        return End(
            FAILED,
            f"the guest wrote more to the container's {output.name} "
            "than the bytes that it reported",
        )
    if output.error is None:
        return None
    if output.error.errno in (errno.EPIPE, errno.ECONNRESET):
        return End(READER_LEFT)
    return End(FAILED, f"cannot write the container's {output.name}: {output.error.strerror}")
