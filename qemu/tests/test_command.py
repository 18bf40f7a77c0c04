"""QEMU's command line for each machine, accelerator and disk."""

import itertools
import os
import unittest
from typing import get_args
from unittest import mock

import command
from command import Accelerator, Command, MachineName
from disks import Disk

MACHINES: tuple[MachineName, ...] = get_args(MachineName)
ACCELERATORS: tuple[Accelerator, ...] = get_args(Accelerator)
PORTS = {"control": 11, "stdin": 12, "stdout": 13, "stderr": 14}


def words(**changes: object) -> list[str]:
    """Returns the words of a command that has everything, but for `changes`."""
    values: dict[str, object] = {
        "machine": "q35",
        "accelerator": "tcg",
        "kernel": "/boot/vmlinuz",
        "append": "console=ttyS0 a=b",
        "memory_mib": 512,
        "cpus": 2,
        "initrd": 7,
        "disks": [Disk(8, True, "image"), Disk(9, False)],
        "console": 10,
        "ports": PORTS,
    }
    with mock.patch.object(command, "tool", lambda name: f"/usr/bin/{name}"):
        return Command(**{**values, **changes}).words()  # type: ignore[arg-type]


def after(option: str, line: list[str]) -> list[str]:
    """Returns the values of an option, in order."""
    return [value for name, value in itertools.pairwise(line) if name == option]


class CommandLine(unittest.TestCase):
    def test_all_of_it_once(self) -> None:
        self.assertEqual(
            words(),
            [
                *["/usr/bin/qemu-system-x86_64", "-nodefaults", "-no-user-config"],
                *["-display", "none", "-no-reboot", "-sandbox"],
                "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny",
                *["-machine", "q35", "-accel", "tcg,thread=single", "-cpu", "max"],
                *["-smp", "2", "-m", "512M", "-kernel", "/boot/vmlinuz"],
                *["-append", "console=ttyS0 a=b", "-initrd", "/proc/self/fd/7"],
                *["-chardev", "socket,id=console,fd=10", "-serial", "chardev:console"],
                *["-drive", "if=none,id=disk0,format=raw,file=/proc/self/fd/8,readonly=on"],
                *["-device", "virtio-blk-pci,drive=disk0,serial=image"],
                *["-drive", "if=none,id=disk1,format=raw,file=/proc/self/fd/9,readonly=off"],
                *["-device", "virtio-blk-pci,drive=disk1"],
                *["-device", "virtio-serial-pci,id=ports"],
                *["-chardev", "socket,id=control,fd=11", "-device"],
                "virtserialport,bus=ports.0,nr=1,chardev=control,name=org.ocinit.control",
                *["-chardev", "socket,id=stdin,fd=12", "-device"],
                "virtserialport,bus=ports.0,nr=2,chardev=stdin,name=org.ocinit.stdin",
                *["-chardev", "socket,id=stdout,fd=13", "-device"],
                "virtserialport,bus=ports.0,nr=3,chardev=stdout,name=org.ocinit.stdout",
                *["-chardev", "socket,id=stderr,fd=14", "-device"],
                "virtserialport,bus=ports.0,nr=4,chardev=stderr,name=org.ocinit.stderr",
            ],
        )

    def test_microvm_has_its_bus_and_the_others_pci(self) -> None:
        for machine in MACHINES:
            line = words(machine=machine)
            bus = "device" if machine == "microvm" else "pci"
            kinds = [device.split(",")[0] for device in after("-device", line)]
            expected = [f"virtio-blk-{bus}"] * 2 + [f"virtio-serial-{bus}"] + ["virtserialport"] * 4
            self.assertEqual(kinds, expected, machine)
            self.assertEqual(after("-machine", line), [machine])

    def test_kvm_takes_the_hosts_processor_and_emulation_one_thread(self) -> None:
        said = {
            (accelerator, cpus): after("-accel", line) + after("-cpu", line) + after("-smp", line)
            for accelerator in ACCELERATORS
            for cpus in (1, 2)
            if (line := words(accelerator=accelerator, cpus=cpus))
        }
        self.assertEqual(
            said,
            {
                ("kvm", 1): ["kvm", "host", "1"],
                ("kvm", 2): ["kvm", "host", "2"],
                ("tcg", 1): ["tcg", "max", "1"],
                ("tcg", 2): ["tcg,thread=single", "max", "2"],
            },
        )

    def test_what_is_left_out_leaves_no_word(self) -> None:
        line = words(initrd=None, disks=(), console=None, ports={})
        for option in ("-initrd", "-chardev", "-serial", "-drive", "-device"):
            self.assertNotIn(option, line)

    def test_fd_0_is_one_like_others(self) -> None:
        line = words(initrd=0, console=0)
        self.assertEqual(after("-initrd", line), ["/proc/self/fd/0"])
        self.assertIn("socket,id=console,fd=0", line)

    def test_qemu_inherits_every_fd_and_no_other(self) -> None:
        made = Command("pc", "tcg", "k", "", 1, 1, 7, [Disk(8, True)], 10, PORTS)
        self.assertEqual(sorted(made.fds()), [7, 8, 10, 11, 12, 13, 14])
        self.assertEqual(Command("pc", "tcg", "k", "", 1, 1).fds(), [])


class Process(unittest.TestCase):
    def test_it_has_a_session_of_its_own_and_the_fds_that_it_was_given(self) -> None:
        reader, writer = os.pipe()
        try:
            shell = f"echo $(cut -d' ' -f6 /proc/self/stat); echo said >&{writer}; echo e >&2"
            with command.start(["/bin/sh", "-c", shell], [writer]) as process:
                assert process.stdout
                printed = process.stdout.read().decode().split()
            self.assertNotEqual(int(printed[0]), os.getsid(0))
            self.assertEqual(printed[1], "e")  # stderr is in the same pipe
            self.assertEqual(os.read(reader, 10), b"said\n")
        finally:
            os.close(reader)
            os.close(writer)


if __name__ == "__main__":
    unittest.main()
