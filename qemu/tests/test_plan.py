"""From options to a plan, without a VM: a layout, a kernel that is a file, and QEMU a script."""

import contextlib
import io
import os
import unittest
from dataclasses import replace
from unittest import mock

from support import InFolder

from accelerator import Skipped, Wanted
from failure import Failure
from options import Options
from plan import Plan, prepare


class Prepared(InFolder):
    def setUp(self) -> None:
        super().setUp()
        self.fake_qemu("")
        self.init = self.folder / "ocinit"
        self.init.write_bytes(b"program")
        self.options = Options(
            str(self.layout()),
            init=str(self.init),
            kernel="/vmlinuz",
            machine="pc",
            accel="tcg",
        )

    def prepare(self, **changes: object) -> Plan:
        made = prepare(replace(self.options, **changes))
        for disk in made.disks:
            self.addCleanup(os.close, disk.fd)
        return made

    def refused(self, part: str, **changes: object) -> None:
        before = sorted(os.listdir("/proc/self/fd"))
        with self.assertRaisesRegex(Failure, part):
            prepare(replace(self.options, **changes))
        self.assertEqual(sorted(os.listdir("/proc/self/fd")), before, "an fd stays open")
        self.assertEqual(os.listdir(self.temporary), [])

    def test_the_image_is_the_first_disk(self) -> None:
        second = self.folder / "second"
        second.write_bytes(b"x" * 512)
        made = self.prepare(image=f"{self.options.image}:tag", disk=(f"{second},ro", str(second)))
        attached = [(disk.serial, disk.read_only) for disk in made.disks]
        self.assertEqual(attached, [("image", True), (None, True), (None, False)])
        self.assertEqual(made.guest.reference, "tag")
        self.assertEqual((made.machine, made.accelerator), ("pc", "tcg"))
        self.assertEqual(made.kernel, ("/vmlinuz", None))

    def test_memory_by_the_images_size(self) -> None:
        self.assertEqual(self.prepare().memory_mib, 512)
        self.assertEqual(self.prepare(mem=77).memory_mib, 77)
        large = self.folder / "large"
        with open(large, "wb") as file:
            for _ in range(100):
                file.write(b"x" * (1 << 20))
        self.assertEqual(self.prepare(image=str(large)).memory_mib, 656)

    def test_the_images_own_init_has_the_console(self) -> None:
        self.assertFalse(self.prepare().console)
        self.assertTrue(self.prepare(console=True).console)
        self.assertTrue(self.prepare(append=("ocinit.mode=exec",)).console)

    def test_the_initramfs(self) -> None:
        made = self.prepare(arguments=("echo",))
        self.assertIn(b"program", made.initrd())
        self.assertIn(b"arg=echo\0", made.initrd())
        ready = self.folder / "ready.cpio"
        ready.write_bytes(b"ready")
        made = self.prepare(initramfs=str(ready), init="/nothing")
        self.assertTrue(made.initrd().startswith(b"ready"))
        self.assertIn(b"ocinit.disk=SERIAL=image\0", made.initrd())

    def test_what_is_refused_leaves_nothing(self) -> None:
        odd = self.folder / "odd"
        odd.write_bytes(b"x")
        self.refused("no ocinit there", init="/nothing")
        self.refused("no such image", image="/nothing")
        self.refused("command line has", append=("x" * 3000,))
        self.refused("no writable disk", disk=(str(odd),))
        self.refused("NAME=VALUE", env=("x",))
        self.refused("belongs to a --kernel", kernel=None, modules="x")
        second = self.folder / "second"
        second.write_bytes(b"x" * 512)
        self.refused("no writable disk", disk=(str(second), str(odd)))
        empty = self.folder / "empty"
        empty.touch()
        self.refused("an empty file", image=str(empty), disk=(str(second),))

    def test_why_a_machine_is_skipped_is_said_to_whom_it_concerns(self) -> None:
        def choose(wanted: Wanted, report: object) -> tuple[str, str]:
            report(Skipped("odd"))  # type: ignore[operator]
            report(Skipped("usual", usual=True))  # type: ignore[operator]
            return "q35", "tcg"

        line = "boot: machine q35 instead of microvm: "
        cases: list[tuple[dict[str, object], str]] = [
            ({}, ""),
            ({"timings": True}, f"{line}odd\n"),
            ({"verbose": True}, f"{line}odd\n{line}usual\n"),
        ]
        for changes, expected in cases:
            stderr = io.StringIO()
            with (
                mock.patch.object(Wanted, "choose", choose),
                contextlib.redirect_stderr(stderr),
            ):
                self.prepare(**changes)
            self.assertEqual(stderr.getvalue(), expected)


if __name__ == "__main__":
    unittest.main()
