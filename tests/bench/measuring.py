"""What the benchmarks share: peak memory of a command's processes, medians, the machine's line."""

import contextlib
import ctypes
import datetime
import os
import pathlib
import platform
import re
import signal
import statistics
from collections.abc import Mapping, Sequence
from typing import NamedTuple

TRACEME, CONTINUE, SETOPTIONS = 0, 7, 0x4200  # ptrace(2)
FOLLOW = 0x2 | 0x4 | 0x8  # fork, vfork, clone
AT_EXIT, EVENT_EXIT = 0x40, 6
WALL = 0x40000000  # threads too


class Peak(NamedTuple):
    """The peak memory of one process in KiB, by two counters.

    VmHWM has what came after execve; ru_maxrss also what was before, in the process that forked.
    """

    vm_hwm: int
    ru_maxrss: int


def peaks(words: list[str], folder: pathlib.Path | None = None) -> list[Peak]:
    """Runs a command in `folder` and returns the peak of each process, the command's own first."""
    libc = ctypes.CDLL(None, use_errno=True)
    first = os.fork()
    if first == 0:
        with contextlib.suppress(BaseException):
            if folder:
                os.chdir(folder)
            libc.ptrace(TRACEME, 0, None, None)
            os.execv(words[0], words)
        os._exit(127)
    os.waitpid(first, 0)
    libc.ptrace(SETOPTIONS, first, None, ctypes.c_void_p(FOLLOW | AT_EXIT))
    libc.ptrace(CONTINUE, first, None, None)
    at_exit: dict[int, int] = {}
    found: dict[int, Peak] = {}
    while True:
        try:
            task, status, usage = os.wait4(-1, WALL)
        except ChildProcessError:
            return [found.pop(first), *found.values()]
        if not os.WIFSTOPPED(status):
            if task in at_exit:
                found[task] = Peak(at_exit[task], usage.ru_maxrss)
            continue
        number = os.WSTOPSIG(status)
        if status >> 16 == EVENT_EXIT:
            said = pathlib.Path(f"/proc/{task}/status").read_text()
            peak = re.search(r"VmHWM:\s*(\d+)", said)
            if peak and f"\nTgid:\t{task}\n" in said:
                at_exit[task] = int(peak[1])
        passed_on = 0 if number in (signal.SIGTRAP, signal.SIGSTOP) else number
        libc.ptrace(CONTINUE, task, None, ctypes.c_void_p(passed_on))


def medians(times: Mapping[str, Sequence[Sequence[float]]]) -> dict[str, list[float]]:
    """Returns for each name the median of each column of its rows."""
    return {
        name: [statistics.median(column) for column in zip(*rows, strict=True)]
        for name, rows in times.items()
    }


def machine_line(*places: str) -> str:
    """Returns processor, kernel, places, load and day."""
    model = re.search(r"model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text())
    processor = model[1] if model else "unknown processor"
    parts = [f"{processor}, {os.cpu_count()} processors", f"Linux {platform.release()}", *places]
    return "; ".join([*parts, f"load {os.getloadavg()[0]:.1f}", str(datetime.date.today())])
