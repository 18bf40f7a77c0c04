"""The streams: lines fed in any pieces, floods, readers that are gone, and the log's limits."""

import os
import pathlib
import random
import socket
import tempfile
import time
import unittest
from collections import deque
from unittest import mock

import streams
from streams import LINE_MAX, Console, Input, Lines, Log, LogFile, LogTail, Output, Waker

SECONDS = 20  # until a thread must have ended


class Pipe:
    """A pipe whose ends may be closed early."""

    def __init__(self) -> None:
        self.ends = [open(fd, mode + "b", 0) for fd, mode in zip(os.pipe(), "rw", strict=True)]  # noqa: SIM115
        self.reader, self.writer = (end.fileno() for end in self.ends)

    def close_reader(self) -> None:
        self.ends[0].close()

    def close_writer(self) -> None:
        self.ends[1].close()

    def __enter__(self) -> "Pipe":
        return self

    def __exit__(self, *_: object) -> None:
        self.close_reader()
        self.close_writer()


class LinesTest(unittest.TestCase):
    def test_pieces_of_any_size_give_the_same(self) -> None:
        text = b"one\r\n\n\xff\xfetwo\n" + b"x" * (LINE_MAX + 3) + b"\r\nlast"
        whole = Lines()
        expected = whole.feed(text) + whole.end()
        cut = b"x" * LINE_MAX + b" [4 more bytes]"  # the carriage return is one of them
        self.assertEqual(expected, [b"one", b"", b"\xff\xfetwo", cut, b"last"])
        for size in (1, 2, 7, 4096, 4097):
            lines = Lines()
            found = []
            for start in range(0, len(text), size):
                found += lines.feed(text[start : start + size])
            self.assertEqual(found + lines.end(), expected, size)

    def test_a_flood_without_end_takes_linear_time_and_little_memory(self) -> None:
        lines, began = Lines(), time.monotonic()
        for _ in range(1000):
            self.assertEqual(lines.feed(b"x" * 65536), [])
        self.assertLess(time.monotonic() - began, 10)
        self.assertEqual(len(lines._line), LINE_MAX)
        (line,) = lines.feed(b"\n")
        self.assertTrue(line.endswith(b" [%d more bytes]" % (65536000 - LINE_MAX)))
        self.assertEqual(lines.feed(b"short\n"), [b"short"])

    def test_no_end_no_line(self) -> None:
        self.assertEqual(Lines().end(), [])


class OutputTest(unittest.TestCase):
    def setUp(self) -> None:
        self.ours, self.guest = socket.socketpair()
        self.waker = Waker()
        self.addCleanup(self.ours.close)
        self.addCleanup(self.guest.close)
        self.addCleanup(self.waker.close)

    def run_to_end(self, output: Output) -> None:
        output.start()
        output.join(SECONDS)
        self.assertTrue(output.ended)
        self.assertIsNone(output.broken)

    def test_bytes_arrive_and_are_counted(self) -> None:
        data = random.Random(1).randbytes(300_000)
        with tempfile.TemporaryFile() as target:
            output = Output("stdout", self.ours, target.fileno(), self.waker)
            output.start()
            self.guest.sendall(data)
            self.guest.close()
            output.join(SECONDS)
            target.seek(0)
            self.assertEqual(target.read(), data)
        self.assertEqual(output.delivered, len(data))
        self.assertFalse(output.complete())
        self.assertEqual(output.missing(), 0)  # nothing is known to be
        output.expect(len(data) + 1, time.monotonic())
        self.assertEqual((output.complete(), output.missing()), (False, 1))
        output.expect(len(data), time.monotonic())
        self.assertEqual((output.complete(), output.missing()), (True, 0))
        self.assertFalse(output.exceeded())

    def test_a_flood_after_the_count_is_not_delivered(self) -> None:
        with tempfile.TemporaryFile() as target:
            output = Output("stdout", self.ours, target.fileno(), self.waker)
            output.expect(5, time.monotonic())
            self.guest.sendall(b"x" * 10_000)
            self.run_to_end(output)  # without the end of the stream
            self.assertEqual(target.tell(), 5)
        self.assertTrue(output.exceeded())

    def test_a_count_below_what_came_is_exceeded(self) -> None:
        with tempfile.TemporaryFile() as target:
            output = Output("stdout", self.ours, target.fileno(), self.waker)
            self.guest.sendall(b"12345")
            self.guest.close()
            self.run_to_end(output)
        output.expect(4, time.monotonic())
        self.assertTrue(output.exceeded())

    def test_a_reader_that_is_gone_is_kept_as_the_error(self) -> None:
        with Pipe() as pipe:
            pipe.close_reader()
            output = Output("stdout", self.ours, pipe.writer, self.waker)
            self.guest.sendall(b"x")
            self.run_to_end(output)
        self.assertIsInstance(output.error, BrokenPipeError)
        self.assertEqual(output.delivered, 0)

    def test_the_readers_time_is_not_the_guests(self) -> None:
        with Pipe() as pipe:
            output = Output("stdout", self.ours, pipe.writer, self.waker)
            output.start()
            self.guest.sendall(b"x" * 200_000)  # more than the pipe holds
            deadline = time.monotonic() + SECONDS
            while output.delivers_since is None and time.monotonic() < deadline:
                time.sleep(0.01)
            time.sleep(0.2)
            self.assertIsNone(output.waits_since)
            self.assertGreater(output.reader_time(), 0.1)
            left = 200_000
            while left:
                left -= len(os.read(pipe.reader, left))
            self.guest.close()
            output.join(SECONDS)
            self.assertGreater(output.reader_waits, 0.1)
            self.assertIsNone(output.delivers_since)

    def test_a_nonblocking_target_gets_all(self) -> None:
        with Pipe() as pipe:
            os.set_blocking(pipe.writer, False)
            output = Output("stdout", self.ours, pipe.writer, self.waker)
            output.start()
            self.guest.sendall(b"x" * 200_000)
            self.guest.close()
            left = 200_000
            while left:
                left -= len(os.read(pipe.reader, left))
            output.join(SECONDS)
            self.assertIsNone(output.error)

    def test_the_console_keeps_its_last_lines(self) -> None:
        tail: LogTail = deque(maxlen=2)
        with tempfile.TemporaryFile() as target:
            console = Console("console", self.ours, target.fileno(), self.waker, tail)
            self.guest.sendall(b"one\r\ntwo\r\nthree")
            self.guest.close()
            self.run_to_end(console)
            self.assertEqual(target.tell(), 15)
        self.assertEqual(list(tail), [b"two", b"three"])

    def test_an_unexpected_exception_is_one_line(self) -> None:
        output = Output("stdout", self.ours, 1, self.waker)
        with mock.patch.object(output, "carry", side_effect=ValueError("x\ny")):
            output.start()
            output.join(SECONDS)
        self.assertTrue(output.ended)
        self.assertIn("stdout: internal error: ValueError: x\\x0ay", output.broken or "")


class InputTest(unittest.TestCase):
    def setUp(self) -> None:
        self.ours, self.guest = socket.socketpair()
        self.waker = Waker()
        self.addCleanup(self.ours.close)
        self.addCleanup(self.guest.close)
        self.addCleanup(self.waker.close)

    def run_with(self, reader: int) -> Input:
        carrier = Input(reader, self.ours, self.waker)
        self.addCleanup(carrier.close)
        carrier.start()
        return carrier

    def test_it_counts_to_the_end_of_file(self) -> None:
        with Pipe() as pipe:
            os.write(pipe.writer, b"12345")
            pipe.close_writer()
            carrier = self.run_with(pipe.reader)
            carrier.join(SECONDS)
        self.assertEqual((carrier.complete, carrier.sent), (True, 5))
        self.assertEqual(self.guest.recv(10), b"12345")

    def test_a_stop_leaves_later_input_alone(self) -> None:
        with Pipe() as pipe:
            carrier = self.run_with(pipe.reader)
            carrier.stop()
            carrier.stop()
            carrier.join(SECONDS)
            self.assertFalse(carrier.is_alive())
            os.write(pipe.writer, b"later")
            self.assertEqual(os.read(pipe.reader, 10), b"later")
        self.assertFalse(carrier.complete)

    def test_a_machine_that_is_gone_is_no_error(self) -> None:
        self.guest.close()
        with Pipe() as pipe:
            os.write(pipe.writer, b"x")
            carrier = self.run_with(pipe.reader)
            carrier.join(SECONDS)
        self.assertEqual((carrier.complete, carrier.broken), (False, None))

    def test_an_fd_that_cannot_be_read_is_empty(self) -> None:
        with open(os.devnull, "wb") as nothing:
            carrier = self.run_with(nothing.fileno())
            carrier.join(SECONDS)
        self.assertEqual((carrier.complete, carrier.sent), (True, 0))


class LogTest(unittest.TestCase):
    def test_the_file_has_an_end_and_says_so_once(self) -> None:
        said: list[str] = []
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "log")
            limit = mock.patch.object(streams, "LOG_FILE_MAX", 3 << 20)
            tell = mock.patch.object(streams, "tell", lambda *lines: said.extend(lines))
            with limit, tell:
                log = LogFile(path)
                for _ in range(5):
                    log.write(b"x" * 1_000_000)
            log.close()
            self.assertEqual(os.path.getsize(path), 3 << 20)
        self.assertEqual(said, [f"boot: {path}: the log is written no further than 3 MiB"])
        self.assertFalse(log.failed)

    def test_a_full_device_is_said_once_and_remembered(self) -> None:
        said: list[str] = []
        with mock.patch.object(streams, "tell", lambda *lines: said.extend(lines)):
            log = LogFile("/dev/full")
            log.write(b"x")
            log.write(b"x")
        log.close()
        self.assertTrue(log.failed)
        self.assertEqual(
            said, ["boot: /dev/full: No space left on device: the log is written no further"]
        )

    def test_a_fifo_without_a_reader_is_an_error_at_once(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "fifo")
            os.mkfifo(path)
            with self.assertRaises(OSError):
                LogFile(path)

    def test_lines_go_to_the_tail_and_bytes_to_the_file(self) -> None:
        tail: LogTail = deque(maxlen=40)
        waker = Waker()
        self.addCleanup(waker.close)
        with tempfile.TemporaryDirectory() as folder, Pipe() as pipe:
            file = LogFile(os.path.join(folder, "log"))
            os.write(pipe.writer, b"one\r\ntwo")
            pipe.close_writer()
            with open(pipe.reader, "rb", closefd=False) as source:
                log = Log(source, tail, False, file, waker)
                log.start()
                log.join(SECONDS)
            file.close()
            written = pathlib.Path(file.path).read_bytes()
        self.assertEqual(list(tail), [b"one", b"two"])
        self.assertEqual(written, b"one\r\ntwo")

    def test_what_is_shown_is_harmless(self) -> None:
        tail: LogTail = deque(maxlen=40)
        waker = Waker()
        self.addCleanup(waker.close)
        written: list[bytes] = []
        log = Log(mock.Mock(), tail, True, None, waker)
        with mock.patch.object(streams, "write_all", lambda fd, data: written.append(data)):
            log.keep([b"\x1b[2J", b"::error::x", b"##[group]y"])
            log.keep([])
        self.assertEqual(b"".join(written), b"\\x1b[2J\n\\x3a:error::x\n\\x23#[group]y\n")


class WriteFor(unittest.TestCase):
    def test_a_reader_that_takes_nothing_is_given_up(self) -> None:
        with Pipe() as pipe:
            os.set_blocking(pipe.writer, False)
            began = time.monotonic()
            self.assertFalse(streams.write_for(pipe.writer, b"x" * (1 << 20), 0.2))
            self.assertLess(time.monotonic() - began, 10)

    def test_a_reader_gets_all(self) -> None:
        with Pipe() as pipe:
            self.assertTrue(streams.write_for(pipe.writer, b"x" * 5000, 5))
            self.assertEqual(os.read(pipe.reader, 10_000), b"x" * 5000)


if __name__ == "__main__":
    unittest.main()
