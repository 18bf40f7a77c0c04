"""The guest's messages, whole and byte by byte: what is believed, and what is a lie."""

import random
import socket
import unittest

from control import COUNT_MAX, LINE_MAX, PHASES_MAX, UNSENT_MAX, Lie, Phase, Port, Report

WHOLE = b"hello 1\nphase disk 1 20\nphase run 20 300\nstarted\nerror a b\nexit 7 10 0\n"
VERBS = ["hello", "phase", "phase", "started", "error", "exit"]

LIES = [
    b"exit 0 0 0\n",
    b"started\n",
    b"error x\n",
    b"phase x 1 2\n",
    b"\n",
    b"hello\n",
    b"hello 2\n",
    b"hello 1 \n",
    b"HELLO 1\n",
    b"hello 1\nhello 1\n",
    b"hello 1\n\n",
    b"hello 1\n \n",
    b"hello 1\nreboot\n",
    b"hello 1\r\n",
    b"hello 1\n\xff\xfe\x00\n",
    b"hello 1\nstarted\nstarted\n",
    b"hello 1\nstarted now\n",
    b"hello 1\nstarted \n",
    b"hello 1\nerror x\nstarted\n",
    b"hello 1\nerror x\nerror y\n",
    b"hello 1\nerror\n",
    b"hello 1\nerror   \n",
    b"hello 1\n" + b"phase x 1 2\n" * (PHASES_MAX + 1),
    b"hello 1\nphase x\n",
    b"hello 1\nphase  1 2\n",
    b"hello 1\nphase x 2 1\n",
    b"hello 1\nphase x 1 2 3\n",
    b"hello 1\nphase x -1 2\n",
    b"hello 1\nphase x 1 %d\n" % (COUNT_MAX + 1),
    b"hello 1\nphase x 1 99999999999999999999999\n",
    "hello 1\nphase x 1 \u0662\n".encode(),
    b"hello 1\njob a started\n",  # before the container's own start
    b"hello 1\nstarted\njob a b started\n",
    b"hello 1\nstarted\njob a out 0\n",
    b"hello 1\nstarted\njob a exit 1000\n",
    b"hello 1\nexit 256 0 0\n",
    b"hello 1\nexit -1 0 0\n",
    b"hello 1\nexit +1 0 0\n",
    b"hello 1\nexit 1_0 0 0\n",
    b"hello 1\nexit 0 0\n",
    b"hello 1\nexit 0 0 0 0\n",
    b"hello 1\nexit  0 0 0\n",
    b"hello 1\nexit 0 %d 0\n" % (COUNT_MAX + 1),
    b"hello 1\nexit " + b"9" * 4000 + b" 0 0\n",
    "hello 1\nexit \u0663 0 0\n".encode(),
    b"hello 1\nexit 0 0 0\nexit 1 0 0\n",
    b"hello 1\nexit 0 0 0\nx",
    b"hello 1\nerror " + b"x" * (LINE_MAX - 5) + b"\n",
    b"x" * (LINE_MAX + 1),
]


def state(report: Report) -> tuple[object, ...]:
    return (
        *(report.greeted, report.started, report.error),
        *(report.phases, report.status, report.wanted),
    )


def read(text: bytes, size: int) -> tuple[list[str], Report, str | None]:
    """Returns the verbs, the report, and the lie that ended it, for pieces of `size` bytes."""
    report, verbs = Report(), []
    try:
        for start in range(0, len(text), size):
            for verb in report.feed(text[start : start + size]):
                verbs.append(verb)  # those before a lie count
    except Lie as lie:
        return verbs, report, str(lie)
    return verbs, report, None


class Believed(unittest.TestCase):
    def test_a_whole_conversation(self) -> None:
        verbs, report, lie = read(WHOLE, len(WHOLE))
        self.assertIsNone(lie)
        self.assertEqual(verbs, VERBS)
        phases = [Phase(b"disk", 1, 20), Phase(b"run", 20, 300)]
        self.assertEqual(state(report), (True, True, b"a b", phases, 7, [10, 0]))

    def test_pieces_of_any_size_give_the_same(self) -> None:
        _, whole, _ = read(WHOLE, len(WHOLE))
        for size in range(1, len(WHOLE)):
            verbs, report, lie = read(WHOLE, size)
            self.assertEqual((verbs, state(report), lie), (VERBS, state(whole), None), size)

    def test_a_prefix_is_no_lie_and_has_no_status(self) -> None:
        for length in range(len(WHOLE)):
            _, report, lie = read(WHOLE[:length], 1)
            self.assertEqual((lie, report.status), (None, None), length)

    def test_the_largest_of_everything(self) -> None:
        error = b"e" * (LINE_MAX - len(b"error "))
        text = b"hello 1\n" + b"phase x 0 %d\n" % COUNT_MAX * PHASES_MAX + b"started\n"
        text += b"error " + error + b"\nexit 255 %d 0\n" % COUNT_MAX
        for size in (1, 4096, len(text)):
            _, report, lie = read(text, size)
            self.assertIsNone(lie)
            self.assertEqual(report.status, 255)
            self.assertEqual(report.wanted, [COUNT_MAX, 0])
            self.assertEqual(report.error, error)
            self.assertEqual(len(report.phases), PHASES_MAX)

    def test_the_lines_of_another_container(self) -> None:
        jobs = [b"a started", b"a out 00ff", b"a err 0a", b"a failed no: x", b"a exit 0"]
        text = b"hello 1\nstarted\n" + b"".join(b"job %s\n" % job for job in jobs)
        verbs, report, lie = read(text, 1)
        self.assertEqual((verbs[2:], report.status, lie), (["job"] * len(jobs), None, None))

    def test_the_end_of_file_adds_nothing(self) -> None:
        _, report, _ = read(WHOLE + b"", 5)
        before = state(report)
        self.assertEqual(list(report.feed(b"")), [])
        self.assertEqual(state(report), before)


class Lies(unittest.TestCase):
    def test_each_is_one_harmless_line(self) -> None:
        for text in LIES:
            _, _, lie = read(text, len(text))
            self.assertIsNotNone(lie, text[:60])
            assert lie
            self.assertTrue(lie.isprintable() and len(lie) < 600, lie)

    def test_each_is_one_byte_by_byte_too(self) -> None:
        for text in LIES:
            _, report, lie = read(text, 1)
            self.assertIsNotNone(lie, text[:60])
            if report.status is not None:  # it went on after it
                self.assertIn("went on", lie or "")

    def test_nothing_is_believed_after_the_status(self) -> None:
        report = Report()
        list(report.feed(b"hello 1\nexit 3 0 0\n"))
        for byte in (b"\n", b"x", b"exit 0 0 0\n"):
            with self.assertRaisesRegex(Lie, "went on after its exit status"):
                list(report.feed(byte))
        self.assertEqual(report.status, 3)

    def test_verbs_before_a_lie_are_yielded_first(self) -> None:
        verbs, report, lie = read(b"hello 1\nstarted\nnonsense\nexit 0 0 0\n", 1 << 16)
        self.assertEqual(verbs, ["hello", "started"])
        self.assertIn("`nonsense`", lie or "")
        self.assertIsNone(report.status)

    def test_a_line_without_end_takes_no_memory(self) -> None:
        report = Report()
        with self.assertRaisesRegex(Lie, "more than 4096 bytes"):
            for count in range(1 << 20):
                list(report.feed(b"x"))
                self.assertLessEqual(count, LINE_MAX)

    def test_random_bytes_never_raise_anything_else(self) -> None:
        chance = random.Random(22)
        for _ in range(2000):
            text = bytearray(WHOLE)
            for _ in range(chance.randrange(1, 4)):
                text[chance.randrange(len(text))] = chance.choice(b"0123456789 \n\r-+_\xff\x00xe")
            whole, bytewise = read(bytes(text), len(text)), read(bytes(text), 1)
            self.assertEqual(whole[0], bytewise[0], text)
            self.assertEqual(state(whole[1]), state(bytewise[1]), text)
            self.assertEqual(whole[2] is None, bytewise[2] is None, text)


class PortTest(unittest.TestCase):
    def setUp(self) -> None:
        ours, self.guest = socket.socketpair()
        self.port = Port(ours)
        self.addCleanup(ours.close)
        self.addCleanup(self.guest.close)

    def test_nothing_yet_is_not_the_end(self) -> None:
        self.assertIsNone(self.port.receive())
        self.guest.send(b"hello 1\n")
        self.assertEqual(self.port.receive(), b"hello 1\n")
        self.guest.close()
        self.assertEqual(self.port.receive(), b"")

    def test_a_guest_that_does_not_read_takes_bounded_memory_and_no_time(self) -> None:
        for _ in range(200_000):
            self.port.say("signal 2")
        self.assertLessEqual(len(self.port.unsent), UNSENT_MAX + len("signal 2\n"))

    def test_lines_that_waited_arrive_whole_and_in_order(self) -> None:
        self.port.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        sent = [f"signal {number}" for number in range(5000)]
        for line in sent:
            self.port.say(line)
        self.assertTrue(self.port.unsent)
        said = b""
        while self.port.unsent:
            said += self.guest.recv(1 << 16)
            self.port.send()
        self.guest.setblocking(False)
        while not said.endswith(b"4999\n"):
            said += self.guest.recv(1 << 16)
        self.assertEqual(said.decode().splitlines(), sent)

    def test_a_guest_that_is_gone_is_no_error(self) -> None:
        self.guest.close()
        self.port.say("done")
        self.assertFalse(self.port.unsent)


if __name__ == "__main__":
    unittest.main()
