"""How a boot ended, by report, delivery, console and QEMU's status."""

import errno
import os
import unittest
from collections import deque

import verdict
from configuration import Guest
from control import Report
from streams import Input, Output, Waker
from verdict import End


def report(text: bytes) -> Report:
    made = Report()
    list(made.feed(b"hello 1\n" + text))
    return made


class Base(unittest.TestCase):
    def setUp(self) -> None:
        self.waker = Waker()
        self.addCleanup(self.waker.close)

    def output(self, name: str, delivered: int, wanted: int | None) -> Output:
        made = Output(name, _Nothing(), 1, self.waker)
        made.delivered, made.wanted = delivered, wanted
        return made


class _Nothing:
    def fileno(self) -> int:
        return -1


class Reported(Base):
    def judge(self, text: bytes, status: int = 0, lines: tuple[bytes, ...] = ()) -> End:
        both = [self.output("stdout", 5, 5), self.output("stderr", 0, 0)]
        return verdict.reported(report(text), both, deque(lines), status)

    def test_the_containers_status(self) -> None:
        self.assertEqual(self.judge(b"started\nexit 7 5 0\n"), End(7))
        self.assertEqual(self.judge(b"started\nexit 0 5 0\n", status=1), End(0))
        oom = self.judge(b"started\nerror out of memory\nexit 137 5 0\n")
        self.assertEqual(oom, End(137, "ocinit: out of memory"))

    def test_without_one_it_is_125_and_says_why(self) -> None:
        for text, status, lines, expected in [
            (b"error no disk\x1b\n", 0, (), End(125, "ocinit: no disk\\x1b")),
            (b"", 0, (), End(125, "the machine went off before the guest reported", True)),
            (
                b"",
                1,
                (),
                End(
                    125,
                    "qemu-system-x86_64 failed (exit status 1) before the guest reported",
                    True,
                ),
            ),
            (
                b"started\n",
                -9,
                (),
                End(
                    125,
                    "qemu-system-x86_64 failed (killed by signal 9) before the guest reported",
                    True,
                ),
            ),
            (
                b"",
                1,
                (b"a", b"Kernel panic - not syncing: VFS \x07", b"b"),
                End(125, "the guest's kernel panicked: VFS \\x07", True),
            ),
        ]:
            self.assertEqual(self.judge(text, status, lines), expected)

    def test_bytes_that_have_not_come_are_lost(self) -> None:
        both = [self.output("stdout", 5, 5), self.output("stderr", 3, 10)]
        end = verdict.reported(report(b"exit 0 5 10\n"), both, deque(), 0)
        expected = "7 of 10 bytes of the container's stderr were lost"
        self.assertEqual(end, End(125, expected, True))


class Printed(unittest.TestCase):
    def test_the_last_line_counts(self) -> None:
        went_off = "the machine went off before the guest reported"
        cases: list[tuple[list[bytes], End]] = [
            ([b"ocinit: exit status 7"], End(7)),
            ([b"x", b"[ 1.2] ocinit: exit status 255", b"after it"], End(255)),
            ([b"ocinit: exit status 1", b"ocinit: exit status 2"], End(2)),
            ([b"ocinit: exit status 256"], End(125, went_off)),
            ([b"ocinit: exit status -1"], End(125, went_off)),
            ([b"ocinit: exit status 7 "], End(125, went_off)),
            (["ocinit: exit status \u0663".encode()], End(125, went_off)),
            ([], End(125, went_off)),
            (
                [b"ocinit: exit status 0", b"Kernel panic - not syncing: x"],
                End(125, "the guest's kernel panicked: x"),
            ),
        ]
        for lines, expected in cases:
            self.assertEqual(verdict.printed(Guest(), deque(lines), 0), expected, lines)

    def test_an_images_own_init_only_powers_off(self) -> None:
        own = Guest(append="ocinit.mode=exec")
        self.assertEqual(verdict.printed(own, deque([b"bye"]), 0), End(0))
        self.assertEqual(verdict.printed(own, deque([b"bye"]), 1).status, 125)
        panic = deque([b"Kernel panic - not syncing: x"])
        self.assertEqual(verdict.printed(own, panic, 0).status, 125)


class Broken(Base):
    def test_each(self) -> None:
        fine = self.output("stdout", 5, 5)
        self.assertIsNone(verdict.broken([fine, self.output("stderr", 0, None)]))
        more = self.output("stderr", 6, 5)
        self.assertEqual(
            verdict.broken([fine, more]),
            End(
                125,
                "the guest wrote more to the container's stderr than the bytes that it reported",
            ),
        )
        for number, expected in [
            (errno.EPIPE, End(141)),
            (errno.ECONNRESET, End(141)),
            (
                errno.ENOSPC,
                End(125, "cannot write the container's stdout: No space left on device"),
            ),
        ]:
            full = self.output("stdout", 0, None)
            full.error = OSError(number, os.strerror(number))
            self.assertEqual(verdict.broken([full, fine]), expected)

    def test_an_exception_of_a_thread_is_first(self) -> None:
        gone = self.output("stdout", 0, None)
        gone.error = OSError(errno.EPIPE, "x")
        reader, writer = os.pipe()
        self.addCleanup(os.close, reader)
        self.addCleanup(os.close, writer)
        stdin = Input(reader, None, self.waker)  # type: ignore[arg-type]
        self.addCleanup(stdin.close)
        stdin.broken = "stdin: internal error"
        self.assertEqual(verdict.broken([gone, stdin]), End(125, "stdin: internal error"))


if __name__ == "__main__":
    unittest.main()
