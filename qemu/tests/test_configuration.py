"""What the guest is told: /ocinit.conf, and the kernel's command line for each machine."""

import unittest
from typing import get_args
from unittest import mock

import configuration
from command import Accelerator, MachineName
from configuration import COMMAND_LINE_LIMIT, INIT_WORDS, Guest, processor_khz
from failure import Failure

MACHINES: tuple[MachineName, ...] = get_args(MachineName)
FIRST = ["console=ttyS0", "panic=-1", "cryptomgr.notests"]
LAST = ["rcupdate.rcu_expedited=1", "quiet"]


def line(guest: Guest, machine: MachineName = "q35", cpus: int = 2) -> list[str]:
    return guest.command_line(machine, "tcg", cpus).split()


class Records(unittest.TestCase):
    def test_by_default_only_the_disk(self) -> None:
        self.assertEqual(list(Guest().records()), [b"ocinit.disk=SERIAL=image"])

    def test_all_of_them_in_order(self) -> None:
        guest = Guest(
            arguments=("sh", "-c", "a\nb\udcff"),
            environment=("A=1", "B=x y"),
            reference="a/b:c",
            tty=True,
            verbose=True,
        )
        self.assertEqual(
            list(guest.records()),
            [
                *[b"ocinit.ref=a/b:c", b"ocinit.tty=on", b"ocinit.log=debug"],
                *[b"ocinit.disk=SERIAL=image", b"env=A=1", b"env=B=x y"],
                *[b"arg=sh", b"arg=-c", b"arg=a\nb\xff"],
            ],
        )

    def test_the_users_word_replaces_a_default_and_contradicts_the_rest(self) -> None:
        guest = Guest(append="ocinit.disk=auto ocinit.log=info", verbose=True)
        self.assertEqual(list(guest.records()), [])
        guest = Guest(append="ocinit.ref=x ocinit.tty=off", reference="y", tty=True)
        records = list(guest.records())
        self.assertIn(b"ocinit.ref=y", records)
        self.assertIn(b"ocinit.tty=on", records)


class CommandLine(unittest.TestCase):
    def test_each_machine(self) -> None:
        with mock.patch.object(configuration, "processor_khz", lambda: 2_400_000):
            cases: list[tuple[MachineName, Accelerator, int, list[str]]] = [
                ("pc", "tcg", 2, []),
                ("pc", "kvm", 2, []),
                ("pc", "tcg", 1, ["acpi=noirq"]),
                ("q35", "kvm", 1, ["acpi=noirq"]),
                ("q35", "tcg", 2, []),
                ("microvm", "kvm", 1, []),
                ("microvm", "kvm", 2, []),
                ("microvm", "tcg", 2, ["tsc_early_khz=2400000", "tsc=unstable"]),
                ("microvm", "tcg", 1, ["tsc_early_khz=2400000", "tsc=unstable"]),
            ]
            for machine, accelerator, cpus, own in cases:
                said = Guest().command_line(machine, accelerator, cpus)
                self.assertEqual(said.split(), FIRST + own + LAST, (machine, accelerator, cpus))

    def test_the_users_words_are_last_and_their_acpi_is_kept(self) -> None:
        guest = Guest(append='acpi=off "a  b"')
        said = guest.command_line("pc", "tcg", 1)
        self.assertTrue(said.endswith(' quiet acpi=off "a  b"'), said)
        self.assertNotIn("acpi=noirq", said)

    def test_verbose_is_the_kernels_too(self) -> None:
        self.assertEqual(line(Guest(verbose=True)), [*FIRST, LAST[0], "loglevel=7"])

    def test_its_length_is_held_on_each_machine(self) -> None:
        for machine in MACHINES:
            before = len(" ".join([*line(Guest(), machine), ""]))
            longest = "x" * (COMMAND_LINE_LIMIT - 1 - before)
            said = Guest(append=longest).command_line(machine, "tcg", 2)
            self.assertEqual(len(said), 2047)
            with self.assertRaisesRegex(Failure, "has 2048 bytes: the limit is 2047"):
                Guest(append=longest + "x").command_line(machine, "tcg", 2)
            # Counted in bytes.
            with self.assertRaisesRegex(Failure, "has 2048 bytes"):
                Guest(append=longest[1:] + "\u00e9").command_line(machine, "tcg", 2)

    def test_the_kernel_panics_at_one_more_word_for_its_init(self) -> None:
        for most in ("-- " + "w " * INIT_WORDS, 'a -- "b  c" ' + "w " * (INIT_WORDS - 1)):
            line(Guest(append=most))
            with self.assertRaisesRegex(Failure, "33 words .* the kernel takes 32"):
                line(Guest(append=most + "w"))
        line(Guest(append="w " * 100 + "--x " + "w " * 100))


class Words(unittest.TestCase):
    def test_only_the_whole_word_means_the_images_own_init(self) -> None:
        for append, expected in [
            ("", False),
            ("quiet ocinit.mode=exec", True),
            ("ocinit.mode=execute", False),
            ("x.ocinit.mode=exec", False),
        ]:
            self.assertEqual(Guest(append=append).runs_own_init(), expected, append)

    def test_the_last_path_leads_to_the_layout(self) -> None:
        for append, expected in [
            ("", []),
            ("ocinit.path=/a/b", ["a", "b"]),
            ("ocinit.path=/a ocinit.path=//b/./c/", ["b", "c"]),
            ("ocinit.path=/", []),
            ("ocinit.path=a/../b", ["a", "..", "b"]),  # refused where it is opened
        ]:
            self.assertEqual(Guest(append=append).folder_of_layout(), expected, append)


class Processor(unittest.TestCase):
    def test_its_speed_in_khz(self) -> None:
        for text, expected in [
            ("model name\t: x\ncpu MHz\t\t: 2399.998\ncpu MHz\t\t: 1.0\n", 2_399_998),
            ("nothing of it\n", 1_000_000),
        ]:
            with mock.patch("pathlib.Path.read_text", lambda path, text=text: text):
                self.assertEqual(processor_khz(), expected)


if __name__ == "__main__":
    unittest.main()
