"""From options to a plan: image as a disk, kernel, machine, memory. A Machine carries it out."""

import contextlib
import os
import pathlib
import sys
from dataclasses import dataclass

import initramfs
from accelerator import Skipped, Wanted
from command import QEMU, Accelerator, MachineName
from configuration import Guest, Kernel, debian_kernel
from disks import Disk, further_disk, image_disk, split_reference
from failure import Failure
from options import Options
from tools import tool


@dataclass(frozen=True)
class Plan:
    """All that one machine starts with. Its disks' fds belong to the Machine made of it."""

    machine: MachineName
    accelerator: Accelerator
    kernel: Kernel
    guest: Guest
    disks: tuple[Disk, ...]
    memory_mib: int
    cpus: int
    init: str
    initramfs: str | None = None  # a ready one
    console: bool = False  # no report ports: the serial console is the container's
    timeout: float | None = None  # seconds
    log: str | None = None  # a file

    def initrd(self) -> bytes:
        """Returns the initramfs, with the guest's configuration behind it."""
        if self.initramfs:
            base = pathlib.Path(self.initramfs).read_bytes()
        else:
            transport = initramfs.MMIO if self.machine == "microvm" else initramfs.PCI
            base = initramfs.build(self.init, self.kernel.modules, transport)
        return base + initramfs.configuration(self.guest.records())


def prepare(options: Options) -> Plan:
    """Returns the plan of one boot. It reads the image and opens the disks."""
    if fault := options.fault():
        raise Failure(fault)
    tool(QEMU)
    if not options.initramfs and not os.path.isfile(options.init):
        raise Failure(f"{options.init}: no ocinit there (make build, or --init FILE)")
    path, reference = split_reference(options.image)
    guest = options.guest(reference)
    # At its longest: it is refused before anything is made.
    guest.command_line(options.machine or "q35", "tcg", options.cpus)
    with contextlib.ExitStack() as opened:
        disks = []
        for text in options.disk:
            disks.append(further_disk(text))
            opened.callback(os.close, disks[-1].fd)
        image, size = image_disk(path, options.fs, guest.folder_of_layout())
        disks.insert(0, image)
        opened.callback(os.close, image.fd)
        plan = with_disks(options, guest, tuple(disks), size)
        opened.pop_all()  # they are the plan's now
    return plan


def with_disks(options: Options, guest: Guest, disks: tuple[Disk, ...], size: int) -> Plan:
    """Returns the plan for these open disks; `size` is the image's in bytes."""
    kernel = Kernel(options.kernel, options.modules) if options.kernel else debian_kernel()
    wanted = Wanted(options.machine, options.accel, kernel, len(disks), options.initramfs)

    def report(skipped: Skipped) -> None:
        if options.verbose or (options.timings and not skipped.usual):
            print(f"boot: {skipped}", file=sys.stderr)

    machine, accelerator = wanted.choose(report)
    return Plan(
        machine=machine,
        accelerator=accelerator,
        kernel=kernel,
        guest=guest,
        disks=disks,
        memory_mib=options.mem or max(512, 256 + 4 * size // (1 << 20)),
        cpus=options.cpus,
        init=options.init,
        initramfs=options.initramfs,
        # The image's own init does not report, so it has the console.
        console=options.console or guest.runs_own_init(),
        timeout=options.timeout,
        log=options.log,
    )
