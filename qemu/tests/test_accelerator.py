"""Which machine and accelerator are chosen, with and without KVM."""

import os
import pathlib
import tempfile
import unittest
from unittest import mock

import accelerator
from accelerator import AcceleratorChoice, Skipped, Wanted
from command import MachineName
from configuration import Kernel

PIT = "an emulated one has no clock but a PIT"


class Choice(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.modules = pathlib.Path(folder.name)
        (self.modules / "kernel").mkdir()
        (self.modules / "modules.builtin").write_text("kernel/drivers/virtio/virtio_mmio.ko\n")
        self.kernel = Kernel("vmlinuz", str(self.modules))
        self.machines = "none microvm pc q35"
        self.with_kvm: list[MachineName] = []
        self.trials: list[MachineName] = []

    def choose(
        self,
        machine: MachineName | None = None,
        wanted: AcceleratorChoice = "auto",
        kernel: Kernel | None = None,
        disks: int = 1,
        initramfs: str | None = None,
    ) -> tuple[str, str, list[Skipped]]:
        skipped: list[Skipped] = []

        def has_kvm(_: str, machine: MachineName) -> bool:
            self.trials.append(machine)
            return machine in self.with_kvm

        def remembered(topic: str, circumstances: str, ask: object) -> str:
            return self.machines

        choice = Wanted(machine, wanted, kernel or self.kernel, disks, initramfs)
        with (
            mock.patch.object(accelerator, "has_kvm", has_kvm),
            mock.patch.object(accelerator, "remembered", remembered),
        ):
            found = choice.choose(skipped.append)
        return (*found, skipped)

    def test_with_kvm_on_both_it_is_microvm(self) -> None:
        self.with_kvm = ["microvm", "q35"]
        self.assertEqual(self.choose(), ("microvm", "kvm", []))
        self.assertEqual(self.trials[0], "q35")  # a KVM that hangs every guest costs one trial

    def test_with_kvm_on_q35_alone_it_is_q35(self) -> None:
        self.with_kvm = ["q35"]
        self.assertEqual(self.choose(), ("q35", "kvm", []))

    def test_without_kvm_it_is_q35_emulated(self) -> None:
        self.assertEqual(self.choose(), ("q35", "tcg", [Skipped(PIT, usual=True)]))
        self.assertEqual(self.trials, ["q35"])
        self.trials.clear()
        chosen = self.choose(wanted="tcg")
        self.assertEqual(chosen, ("q35", "tcg", [Skipped(PIT, usual=True)]))
        self.assertEqual(self.trials, [])

    def test_the_users_machine_is_kept(self) -> None:
        for machine in ("pc", "q35", "microvm"):
            self.with_kvm = []
            self.assertEqual(self.choose(machine), (machine, "tcg", []))  # type: ignore[arg-type]
            self.with_kvm = [machine]  # type: ignore[list-item]
            self.assertEqual(self.choose(machine), (machine, "kvm", []))  # type: ignore[arg-type]

    def test_the_users_accelerator_is_not_tried(self) -> None:
        self.assertEqual(self.choose(wanted="kvm"), ("microvm", "kvm", []))
        self.assertEqual(self.choose("pc", "tcg"), ("pc", "tcg", []))
        self.assertEqual(self.trials, [])

    def test_microvm_needs_room_and_its_bus(self) -> None:
        self.with_kvm = ["microvm", "q35"]
        self.assertEqual(self.choose(disks=7)[0], "microvm")
        without = Kernel("mine", None)
        for found, reason in [
            (self.choose(disks=8), "8 disks: microvm has room for 7"),
            (self.choose(initramfs="/i.cpio"), "/i.cpio may hold no virtio_mmio"),
            (self.choose(kernel=without), "mine may have no virtio_mmio"),
        ]:
            self.assertEqual(found, ("q35", "kvm", [Skipped(reason)]))
        self.machines = "none pc q35"
        reason = "qemu-system-x86_64 does not know it"
        self.assertEqual(self.choose(), ("q35", "kvm", [Skipped(reason)]))
        self.machines = "microvm"
        (self.modules / "modules.builtin").write_text("")
        reason = f"{self.modules} has no virtio_mmio"
        self.assertEqual(self.choose(), ("q35", "kvm", [Skipped(reason)]))
        (self.modules / "kernel/virtio-mmio.ko.xz").touch()
        self.assertEqual(self.choose(), ("microvm", "kvm", []))

    def test_the_reason_as_a_line(self) -> None:
        self.assertEqual(str(Skipped("x")), "machine q35 instead of microvm: x")


class Remembered(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.qemu = pathlib.Path(folder.name, "qemu")
        self.qemu.write_text("1")
        self.asked = 0
        environment = {"XDG_CACHE_HOME": os.path.join(folder.name, "cache")}
        self.enterContext(mock.patch.dict(os.environ, environment))
        self.enterContext(mock.patch.object(accelerator, "tool", lambda _: str(self.qemu)))

    def ask(self) -> str:
        self.asked += 1
        return f"answer {self.asked}"

    def test_it_is_asked_once_for_each_qemu_and_circumstance(self) -> None:
        for circumstances, expected in [("a", 1), ("a", 1), ("b", 2), ("b", 2)]:
            answer = accelerator.remembered("topic", circumstances, self.ask)
            self.assertEqual((answer, self.asked), (f"answer {expected}", expected))
        self.qemu.write_text("22")
        self.assertEqual(accelerator.remembered("topic", "a", self.ask), "answer 3")

    def test_without_a_cache_it_is_asked_each_time(self) -> None:
        pathlib.Path(os.environ["XDG_CACHE_HOME"]).write_text("a file")
        for expected in (1, 2):
            answer = accelerator.remembered("topic", "a", self.ask)
            self.assertEqual(answer, f"answer {expected}")


if __name__ == "__main__":
    unittest.main()
