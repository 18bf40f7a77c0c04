"""QEMU's command line, which is built here and nowhere else, and its process."""

import ctypes
import os
import signal
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from disks import Disk
from failure import FAILED
from tools import StrPath, tool

QEMU = "qemu-system-x86_64"
PR_SET_PDEATHSIG = 1

MachineName: TypeAlias = Literal["pc", "q35", "microvm"]
Accelerator: TypeAlias = Literal["kvm", "tcg"]


@dataclass(frozen=True)
class Command:
    """One QEMU. `initrd`, the disks, `console` and the `ports` by name are fds that it inherits."""

    machine: MachineName
    accelerator: Accelerator
    kernel: StrPath
    append: str  # the kernel's command line
    memory_mib: int
    cpus: int
    initrd: int | None = None
    disks: Sequence[Disk] = ()
    console: int | None = None
    ports: Mapping[str, int] = field(default_factory=dict)

    def words(self) -> list[str]:
        """Returns QEMU's argument vector."""
        # microvm has virtio-mmio slots instead of a PCI bus.
        bus = "device" if self.machine == "microvm" else "pci"
        words = [tool(QEMU), "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"]
        # A guest that breaks out of QEMU finds a process that cannot start a program or gain a
        # right.
        words += [
            "-sandbox",
            "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny",
        ]
        words += ["-machine", self.machine, "-accel", self.accelerator_word()]
        words += ["-cpu", "host" if self.accelerator == "kvm" else "max"]
        words += ["-smp", str(self.cpus), "-m", f"{self.memory_mib}M"]
        words += ["-kernel", os.fspath(self.kernel), "-append", self.append]
        if self.initrd is not None:
            words += ["-initrd", f"/proc/self/fd/{self.initrd}"]
        if self.console is not None:
            words += ["-chardev", f"socket,id=console,fd={self.console}"]
            words += ["-serial", "chardev:console"]
        for number, disk in enumerate(self.disks):
            drive = f"if=none,id=disk{number},format=raw,file=/proc/self/fd/{disk.fd}"
            words += ["-drive", f"{drive},readonly={'on' if disk.read_only else 'off'}"]
            serial = f",serial={disk.serial}" if disk.serial else ""
            words += ["-device", f"virtio-blk-{bus},drive=disk{number}{serial}"]
        if self.ports:
            words += ["-device", f"virtio-serial-{bus},id=ports"]
            for number, (name, fd) in enumerate(self.ports.items(), 1):
                words += ["-chardev", f"socket,id={name},fd={fd}"]
                device = f"virtserialport,bus=ports.0,nr={number},chardev={name}"
                words += ["-device", f"{device},name=org.ocinit.{name}"]
        return words

    def accelerator_word(self) -> str:
        """Returns the value of -accel: one thread for all emulated processors (docs/booting.md).

        With a thread for each, QEMU 7.2 may keep its translation of an instruction that another
        processor changes. A kernel that patches itself then meets a stale breakpoint for ever.
        """
        if self.accelerator == "tcg" and self.cpus > 1:
            return "tcg,thread=single"
        return self.accelerator

    def fds(self) -> list[int]:
        """Returns the fds that QEMU inherits."""
        single = [fd for fd in (self.initrd, self.console) if fd is not None]
        return [*single, *self.ports.values(), *(disk.fd for disk in self.disks)]

    def start(self) -> subprocess.Popen[bytes]:
        """Returns the started QEMU. Its own session keeps a terminal's signals from it."""
        return start(self.words(), self.fds())


def start(words: Sequence[str], fds: Iterable[int]) -> subprocess.Popen[bytes]:
    """Returns a process in its own session that dies with us; its stdout and stderr are a pipe."""
    parent = os.getpid()
    prctl = ctypes.CDLL(None, use_errno=True).prctl

    def in_child() -> None:
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(FAILED)  # we died before it was set

    return subprocess.Popen(
        words,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        pass_fds=tuple(fds),
        start_new_session=True,
        preexec_fn=in_child,
    )
