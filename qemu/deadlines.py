"""The times at which a machine is given up: the whole boot, a stop, lost bytes, the power-off."""

import math
import time
from collections.abc import Sequence

import verdict
from control import Report
from signals import STOP_PATIENCE, Requests, Unanswered
from streams import Output
from verdict import READER_LEFT, TIMED_OUT, End, Ended

POWER_OFF = 10  # seconds from `done` until the machine must be off
OWED_MAX = 4 << 20  # bytes that an ended container's pipes and ports can still hold, with room
LOST = 10  # seconds for bytes to come that the guest said it had written
READER_GRACE = 2  # seconds for a container to end by itself after its stdout's reader went away


class Deadlines:
    """The deadlines of one machine. They depend on its report and on the missing output."""

    def __init__(self, timeout: float | None, report: Report, requests: Requests) -> None:
        self.outputs: Sequence[Output] = ()  # set when the machine has been started
        self.is_done = False  # the guest got `done`
        self._report = report
        self._requests = requests
        self._timeout = timeout
        self._boot = time.monotonic() + timeout if timeout else math.inf
        self._stop = math.inf
        self._reader_time_before = 0.0  # a stop
        self._power_off = math.inf
        self._reader_left = math.inf

    def stop(self) -> None:
        """Begins the time of a stop."""
        self._stop = time.monotonic() + STOP_PATIENCE
        self._reader_time_before = self._reader_time()

    def reader_left(self, now: float) -> None:
        """Begins the time that a container has after the reader of its output has left."""
        if not self.is_done:
            self._reader_left = now + READER_GRACE

    def done(self) -> None:
        """Begins the time of the power-off, because all output is delivered."""
        self.is_done = True
        self._power_off = time.monotonic() + POWER_OFF
        self._boot = self._reader_left = math.inf

    def check(self, now: float) -> None:
        """Raises Ended or Unanswered if the machine is given up."""
        if now >= self._boot:
            took = f"timed out after {self._timeout or 0:g} seconds"
            raise Ended(End(TIMED_OUT, f"{took}: the machine was killed", show_log=True))
        self._requests.check(now)
        if now >= self._stop_deadline():
            why = f"the container did not end in {STOP_PATIENCE} seconds"
            raise Unanswered(self._requests.taken[-1], why)
        if now >= self._reader_left:
            raise Ended(End(READER_LEFT))
        is_late = now >= self._lost_deadline()
        is_lost = is_late and not any(output.has_more() for output in self.outputs)
        if is_lost and (end := verdict.loss(self.outputs)):
            raise Ended(end)

    def must_be_off(self, now: float) -> bool:
        """Returns whether the time of the power-off is over."""
        return now >= self._power_off

    def poll_timeout(self, now: float, is_off: bool) -> float | None:
        """Returns the milliseconds until the next deadline, or None."""
        wait = min(
            self._boot,
            self._reader_left,
            self._requests.patient_until,
            self._stop_deadline(),
            self._lost_deadline(),
            math.inf if is_off else self._power_off,
        )
        return None if wait == math.inf else max(0, wait - now) * 1000 + 1

    def _lost_deadline(self) -> float:
        """Returns when bytes that the guest reported, and that have not come, count as lost."""
        waits = [output.waits_since for output in self.outputs if output.missing() > 0]
        return min((since + LOST for since in waits if since is not None), default=math.inf)

    def _stop_deadline(self) -> float:
        """Returns when we give up on a stop. Time that our reader took does not count."""
        if self._report.status is None:
            return self._stop
        if self.is_done:
            return math.inf
        # More than ports and pipes hold is a lie: a flood must not count as our reader's time.
        if any(output.missing() > OWED_MAX for output in self.outputs):
            return self._stop
        return self._stop + self._reader_time() - self._reader_time_before

    def _reader_time(self) -> float:
        return sum(output.reader_time() for output in self.outputs)
