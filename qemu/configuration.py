"""The guest's configuration: records of /ocinit.conf, the kernel's command line, the kernel."""

import os
import pathlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from command import Accelerator, MachineName
from failure import Failure
from tools import lines_of_script

INIT_WORDS = 32  # MAX_INIT_ARGS of the kernel
COMMAND_LINE_LIMIT = 2048  # bytes; loaders cut a longer line in silence, QEMU's guests hang


@dataclass(frozen=True)
class Guest:
    """What one guest is told."""

    append: str = ""  # words for the kernel's command line
    arguments: tuple[str, ...] = ()
    environment: tuple[str, ...] = ()  # each NAME=VALUE
    reference: str = ""  # of one of several images
    tty: bool = False
    verbose: bool = False

    def words(self) -> list[str]:
        return self.append.split()

    def runs_own_init(self) -> bool:
        """Returns true if the image's own init becomes PID 1; it reports nothing."""
        return "ocinit.mode=exec" in self.words()

    def folder_of_layout(self) -> list[str]:
        """Returns the folders that lead to the layout on its disk: ocinit.path=."""
        told = [word.partition("=")[2] for word in self.words() if word.startswith("ocinit.path=")]
        return [name for name in (told[-1] if told else "").split("/") if name not in ("", ".")]

    def records(self) -> Iterator[bytes]:
        """Yields the records of /ocinit.conf: words that are long, private or odd."""
        settings = {}
        if self.reference:
            settings["ref"] = self.reference
        if self.tty:
            settings["tty"] = "on"
        if self.verbose:
            settings["log"] = "debug"
        settings["disk"] = "SERIAL=image"
        for key, value in settings.items():
            # `disk` and `log` are our defaults, so the user's word replaces them. The others
            # contradict the user's word: they stay, and ocinit says that they are given twice.
            if key not in ("disk", "log") or f"ocinit.{key}=" not in self.append:
                yield os.fsencode(f"ocinit.{key}={value}")
        for variable in self.environment:
            yield os.fsencode(f"env={variable}")
        for argument in self.arguments:
            yield os.fsencode(f"arg={argument}")

    def command_line(self, machine: MachineName, accelerator: Accelerator, cpus: int) -> str:
        """Returns the kernel's command line."""
        # panic=-1: a panic resets at once, which -no-reboot turns into the end.
        # cryptomgr.notests: the ciphers' self-tests are a tenth of a boot under emulation.
        words = ["console=ttyS0", "panic=-1", "cryptomgr.notests"]
        if machine == "microvm" and accelerator == "tcg":
            # It has only a PIT to calibrate the TSC by. On a busy host that fails and the kernel
            # stops, so it is told the host's. `unstable`: it keeps no time by the TSC, because
            # that is the processor's speed of the moment.
            words += [f"tsc_early_khz={processor_khz()}", "tsc=unstable"]
        elif machine != "microvm" and cpus == 1 and "acpi=" not in self.append:
            # It saves 260 M instructions on pc and 100 M on q35 (docs/booting.md). With it the
            # kernel finds only one processor.
            words.append("acpi=noirq")
        words.append("rcupdate.rcu_expedited=1")  # mounts wait for grace periods: shortens them
        # A UART traps on every byte, so the kernel's chatter costs time even without a reader.
        words.append("loglevel=7" if self.verbose else "quiet")
        if self.append:
            words.append(self.append)
            check_init_words(self.append)
        line = " ".join(words)
        length = len(os.fsencode(line))
        if length >= COMMAND_LINE_LIMIT:
            raise Failure(
                f"the kernel command line has {length} bytes: the limit is {COMMAND_LINE_LIMIT - 1}"
            )
        return line


def check_init_words(text: str) -> None:
    """Fails if more than INIT_WORDS words follow ` -- `: the kernel would panic."""
    words = re.findall(r'(?:[^\s"]|"[^"]*"?)+', text)
    count = len(words) - words.index("--") - 1 if "--" in words else 0
    if count > INIT_WORDS:
        raise Failure(
            f"--append has {count} words after ` -- `, and the kernel takes {INIT_WORDS}: "
            "give them as IMAGE -- ARG..., which puts them into /ocinit.conf"
        )


def processor_khz() -> int:
    """Returns the processor's speed of the moment."""
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("cpu MHz"):
            return int(float(line.partition(":")[2]) * 1000)
    return 1_000_000  # not an x86 host


class Kernel(NamedTuple):
    """A kernel and the folder of its modules; None: all it needs is built in."""

    image: str
    modules: str | None


def debian_kernel() -> Kernel:
    """Returns Debian's kernel, fetched on the first use."""
    image, modules = lines_of_script("kernel", "no kernel to boot (see above)")
    return Kernel(image, modules)
