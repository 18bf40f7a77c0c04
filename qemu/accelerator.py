"""The choice of QEMU's machine and accelerator: the fastest that works here."""

import contextlib
import hashlib
import os
import pathlib
import socket
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

import initramfs
from cache import cache, locked
from command import QEMU, Accelerator, Command, MachineName
from configuration import Kernel
from failure import Failure
from streams import CHUNK
from tools import tool

MICROVM_SLOTS = 8  # devices of virtio-mmio; the report ports take one
KVM_TRIAL_SECONDS = 5  # a guest under a working KVM is through in one

AcceleratorChoice: TypeAlias = Literal["auto", "kvm", "tcg"]


@dataclass(frozen=True)
class Skipped:
    """Why microvm was not taken; `usual` if nothing about this boot is special."""

    reason: str
    usual: bool = False

    def __str__(self) -> str:
        return f"machine q35 instead of microvm: {self.reason}"


@dataclass(frozen=True)
class Wanted:
    """What the user said, and what bears on the choice."""

    machine: MachineName | None  # None: the fastest
    accelerator: AcceleratorChoice
    kernel: Kernel
    disks: int  # with the image's
    initramfs: str | None

    def choose(self, report: Callable[[Skipped], None]) -> tuple[MachineName, Accelerator]:
        """Returns the machine and the accelerator; `report` gets the reason if one is skipped."""
        machines: list[MachineName] = [self.machine] if self.machine else ["microvm", "q35"]
        if not self.machine and (why := self.no_microvm()):
            machines.remove("microvm")
            report(Skipped(why))
        # The last machine first: if KVM hangs every guest, only one trial is lost.
        kernel = self.kernel.image
        if self.accelerator == "tcg" or (
            self.accelerator == "auto" and not has_kvm(kernel, machines[-1])
        ):
            if machines == ["microvm", "q35"]:
                machines.remove("microvm")
                report(Skipped("an emulated one has no clock but a PIT", usual=True))
            return machines[0], "tcg"
        if self.accelerator == "kvm":
            return machines[0], "kvm"
        return next(machine for machine in machines if has_kvm(kernel, machine)), "kvm"

    def no_microvm(self) -> str | None:
        """Returns why microvm is not taken, or None."""
        if self.disks + 1 > MICROVM_SLOTS:
            return f"{self.disks} disks: microvm has room for {MICROVM_SLOTS - 1}"
        if self.initramfs:
            return f"{self.initramfs} may hold no virtio_mmio"
        if self.kernel.modules is None:
            return f"{self.kernel.image} may have no virtio_mmio"
        if not initramfs.Modules(self.kernel.modules).has("virtio_mmio"):
            return f"{self.kernel.modules} has no virtio_mmio"
        if "microvm" not in remembered("machines", "", machines_of_qemu).split():
            return f"{QEMU} does not know it"
        return None


def machines_of_qemu() -> str:
    """Returns the first word of each line of `-machine help`."""
    done = subprocess.run(
        [tool(QEMU), "-machine", "help"], stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    return " ".join(line.split()[0] for line in done.stdout.splitlines() if line.split())


def has_kvm(kernel: str, machine: MachineName) -> bool:
    """Returns true if a trial guest runs under KVM: /dev/kvm may exist and hang every guest."""
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return False
    boot = pathlib.Path("/proc/sys/kernel/random/boot_id").read_text().strip()

    def ask() -> str:
        return "kvm" if survives_kvm(kernel, machine) else "tcg"

    return remembered("accel", f"{boot} {machine}", ask) == "kvm"


def remembered(topic: str, circumstances: str, ask: Callable[[], str]) -> str:
    """Returns the result of `ask`, which is called once for this QEMU and these circumstances."""
    qemu = os.stat(tool(QEMU))
    version = f"{circumstances} {qemu.st_size} {qemu.st_mtime_ns}"
    key = hashlib.sha256(version.encode()).hexdigest()[:16]
    try:
        answer = cache(topic) / key
    except (OSError, Failure):
        return ask()  # there is no cache
    with locked(answer):
        with contextlib.suppress(FileNotFoundError):
            if known := answer.read_text():
                return known
        found = ask()
        answer.write_text(found)
        return found


def survives_kvm(kernel: str, machine: MachineName) -> bool:
    """Returns true if a kernel without an init reaches, under KVM, the panic that it must reach."""
    ours, theirs = socket.socketpair()
    with ours:
        with theirs:
            qemu = Command(
                machine,
                "kvm",
                kernel,
                "console=ttyS0 quiet panic=-1",
                memory_mib=256,
                cpus=1,
                console=theirs.fileno(),
            ).start()
        deadline = time.monotonic() + KVM_TRIAL_SECONDS
        said = b""
        try:
            while (left := deadline - time.monotonic()) > 0:
                ours.settimeout(left)
                data = ours.recv(CHUNK)
                said += data
                if b"Kernel panic - not syncing: VFS" in said:
                    return True
                if not data:
                    return False
        except TimeoutError:
            pass
        finally:
            qemu.kill()
            qemu.communicate()
    return False
