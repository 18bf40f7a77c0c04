"""What a signal does: the first goes to the container or stops it, the next ends the machine."""

import math
import signal
from collections.abc import Callable

FORWARDED = (signal.SIGINT, signal.SIGQUIT)
STOPPING = (signal.SIGTERM, signal.SIGHUP)  # as `docker stop`: StopSignal, after ten seconds KILL
SIGNAL_PATIENCE = 10  # seconds that a signal waits for a container to be started
STOP_PATIENCE = 20  # seconds for the guest to end its container, which it kills after 10 (STOP_MS)


class Unanswered(Exception):
    """Signal `number` ends the machine, because of `why`."""

    def __init__(self, number: int, why: str) -> None:
        super().__init__(f"{signal.Signals(number).name}: {why}: the machine was killed")
        self.number = number


class Requests:
    """The signals of one machine, as lines for the guest; they wait until its container runs."""

    def __init__(self, send: Callable[[str], None]) -> None:
        self.send = send
        self.taken: list[int] = []
        self.waiting: list[str] = []
        self.patient_until = math.inf  # while a line waits

    def take(self, number: int, now: float, is_running: bool) -> None:
        """Acts on a signal. A stop may follow a forwarded signal; every other second one ends."""
        stops = number in STOPPING
        if self.taken and (not stops or self.taken[-1] in STOPPING):
            raise Unanswered(number, "the second one")
        self.taken.append(number)
        line = "stop" if stops else f"signal {number}"
        if is_running:
            self.send(line)
        else:
            self.waiting.append(line)
            self.patient_until = min(self.patient_until, now + SIGNAL_PATIENCE)

    def container_runs(self) -> None:
        """Sends the lines that waited."""
        self.patient_until = math.inf
        for line in self.waiting:
            self.send(line)
        self.waiting.clear()

    def check(self, now: float) -> None:
        """Raises Unanswered if a signal has waited too long for a container."""
        if now >= self.patient_until:
            raise Unanswered(self.taken[0], f"no container took it in {SIGNAL_PATIENCE} seconds")
