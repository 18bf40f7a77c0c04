"""Starts a machine's QEMU with its sockets, disks and initramfs."""

import contextlib
import os
import socket
import subprocess

from command import Command
from plan import Plan

PORTS = ("control", "stdin", "stdout", "stderr")  # named org.ocinit.X in the guest


def start(
    plan: Plan, fds: contextlib.ExitStack
) -> tuple[subprocess.Popen[bytes], dict[str, socket.socket]]:
    """Starts QEMU. Returns it, and our ends of its sockets, which `fds` will close."""
    ports = () if plan.console else PORTS
    with contextlib.ExitStack() as inherited:
        for disk in plan.disks:
            inherited.callback(os.close, disk.fd)
        ours, theirs = {}, {}
        for name in ("console", *ports):
            end, other = socket.socketpair()
            ours[name] = fds.enter_context(end)
            theirs[name] = inherited.enter_context(other).fileno()
        initrd = in_memory(plan.initrd())
        inherited.callback(os.close, initrd)
        qemu = Command(
            machine=plan.machine,
            accelerator=plan.accelerator,
            kernel=plan.kernel.image,
            append=plan.guest.command_line(plan.machine, plan.accelerator, plan.cpus),
            memory_mib=plan.memory_mib,
            cpus=plan.cpus,
            initrd=initrd,
            disks=plan.disks,
            console=theirs["console"],
            ports={name: theirs[name] for name in ports},
        ).start()
    return qemu, ours


def in_memory(data: bytes) -> int:
    """Returns the fd of a memfd with these bytes."""
    fd = os.memfd_create("ocinit")
    with open(fd, "wb", closefd=False) as file:
        file.write(data)
    return fd
