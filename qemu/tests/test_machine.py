"""A machine as a value: its End, streams, signals, and that nothing is left. QEMU is a script."""

import os
import signal
import socket
import tempfile
import threading
import time
import unittest
from dataclasses import replace

from support import InFolder, open_fds

from configuration import Guest, Kernel
from disks import further_disk
from machine import Machine
from plan import Plan
from streams import Streams
from verdict import End

GREET = 'say("control", b"hello 1\\nstarted\\n")\n'
FAREWELL = 'say("control", b"exit 3 5 0\\n"); wait_for(b"done\\n")'


class Ran:
    """What a machine printed and how it ended."""

    def __init__(self, stdout: bytes, stderr: bytes, end: End, machine: Machine) -> None:
        self.stdout, self.stderr, self.end, self.machine = stdout, stderr, end, machine


class MachineTest(InFolder):
    def setUp(self) -> None:
        super().setUp()
        init = self.folder / "ocinit"
        init.write_bytes(b"program")
        self.plan = Plan(
            machine="pc",
            accelerator="tcg",
            kernel=Kernel("/vmlinuz", None),
            guest=Guest(),
            disks=(),
            memory_mib=64,
            cpus=1,
            init=str(init),
            timeout=60,
        )

    def run_machine(self, plan: Plan | None = None, stdin: bytes = b"") -> Ran:
        with (
            tempfile.TemporaryFile() as given,
            tempfile.TemporaryFile() as stdout,
            tempfile.TemporaryFile() as stderr,
        ):
            given.write(stdin)
            given.seek(0)
            streams = Streams(given.fileno(), stdout.fileno(), stderr.fileno())
            with Machine(plan or self.plan, streams) as machine:
                end = machine.wait()
            stdout.seek(0)
            stderr.seek(0)
            return Ran(stdout.read(), stderr.read(), end, machine)

    def test_status_streams_and_phases(self) -> None:
        self.fake_qemu(
            'say("control", b"hello 1\\nphase disk 0 1500\\nstarted\\n")\n'
            'said = wait_for(b"eof 7\\n")\n'
            'data = ports["stdin"].recv(100)\n'
            'say("stdout", data); say("stderr", b"err")\n'
            'say("control", b"exit 3 7 3\\n"); wait_for(b"done\\n")'
        )
        ran = self.run_machine(stdin=b"an odd\xff")
        self.assertEqual((ran.stdout, ran.stderr, ran.end), (b"an odd\xff", b"err", End(3)))
        self.assertEqual(ran.machine.report.phases, [(b"disk", 0, 1500)])

    def test_several_at_once_in_threads(self) -> None:
        self.fake_qemu(GREET + 'say("stdout", b"12345"); time.sleep(0.3)\n' + FAREWELL)
        ran: list[Ran] = []
        threads = [
            threading.Thread(target=lambda: ran.append(self.run_machine())) for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        self.assertEqual([one.end for one in ran], [End(3)] * 4)
        self.assertEqual([one.stdout for one in ran], [b"12345"] * 4)

    def test_nothing_is_left_of_it(self) -> None:
        self.fake_qemu(GREET + 'say("stdout", b"12345")\n' + FAREWELL)
        plan = replace(self.plan, log=str(self.folder / "log"))
        before, threads = open_fds(), threading.active_count()
        ran = self.run_machine(plan)
        self.assertEqual(ran.end, End(3))
        self.assertEqual(open_fds(), before)
        self.assertEqual(threading.active_count(), threads)
        with self.assertRaises(ProcessLookupError):
            os.kill(ran.machine.qemu.pid, 0)

    def test_one_that_cannot_be_started_leaves_no_fd(self) -> None:
        self.fake_qemu("")
        before = open_fds()
        with self.assertRaises(FileNotFoundError):
            Machine(replace(self.plan, init="/nothing"))
        self.assertEqual(open_fds(), before)

    def test_an_exception_in_the_block_ends_it(self) -> None:
        self.fake_qemu("time.sleep(1000)")
        before = open_fds()
        with self.assertRaises(ValueError), Machine(self.plan) as machine:
            raise ValueError
        with self.assertRaises(ProcessLookupError):
            os.kill(machine.qemu.pid, 0)
        self.assertEqual(open_fds(), before)

    def test_a_signal_from_another_thread_stops_the_container(self) -> None:
        stop = 'wait_for(b"stop\\n"); say("stdout", b"ended"); ' + FAREWELL
        self.fake_qemu(GREET + stop)
        with open(os.devnull, "r+b") as nothing:
            fd = nothing.fileno()
            with Machine(self.plan, Streams(fd, fd, fd)) as machine:
                timer = threading.Timer(0.3, machine.send_signal, [signal.SIGTERM])
                timer.start()
                self.assertEqual(machine.wait(), End(3))
                timer.join()

    def test_a_second_signal_ends_it(self) -> None:
        self.fake_qemu(GREET + "time.sleep(1000)")
        with open(os.devnull, "r+b") as nothing:
            fd = nothing.fileno()
            with Machine(self.plan, Streams(fd, fd, fd)) as machine:
                machine.send_signal(signal.SIGTERM)
                machine.send_signal(signal.SIGTERM)
                end = machine.wait()
        message = "SIGTERM: the second one: the machine was killed"
        self.assertEqual(end, End(143, message))

    def test_without_report_ports_a_signal_ends_it(self) -> None:
        self.fake_qemu("time.sleep(1000)")
        with open(os.devnull, "r+b") as nothing:
            fd = nothing.fileno()
            plan = replace(self.plan, console=True)
            with Machine(plan, Streams(fd, fd, fd)) as machine:
                machine.send_signal(signal.SIGINT)
                end = machine.wait()
        expected = "SIGINT: there is no control port: the machine was killed"
        self.assertEqual(end, End(130, expected))

    def test_the_time_limit(self) -> None:
        self.fake_qemu(GREET + "time.sleep(1000)")
        began = time.monotonic()
        ran = self.run_machine(replace(self.plan, timeout=0.5))
        message = "timed out after 0.5 seconds: the machine was killed"
        self.assertEqual(ran.end, End(124, message, show_log=True))
        self.assertLess(time.monotonic() - began, 20)

    def test_a_lie_is_125(self) -> None:
        self.fake_qemu('say("control", b"exit 0 0 0\\n"); time.sleep(1000)')
        ran = self.run_machine()
        self.assertEqual(ran.end.status, 125)
        self.assertIn("no line of the control protocol", ran.end.message or "")

    def test_a_reader_that_goes_away_is_141(self) -> None:
        self.fake_qemu(GREET + 'while True: say("stdout", b"x" * 65536)')
        ours, theirs = socket.socketpair()

        def read_a_little() -> None:
            theirs.recv(10)
            theirs.close()

        reader = threading.Thread(target=read_a_little)
        with ours, open(os.devnull, "r+b") as nothing:
            fd = nothing.fileno()
            with Machine(self.plan, Streams(fd, ours.fileno(), fd)) as machine:
                reader.start()
                end = machine.wait()
                reader.join()
        self.assertEqual(end, End(141))

    def test_the_console_says_the_status(self) -> None:
        self.fake_qemu('say("console", b"hi\\r\\nocinit: exit status 9\\r\\n")')
        ran = self.run_machine(replace(self.plan, console=True))
        self.assertEqual((ran.end, ran.stdout), (End(9), b"hi\r\nocinit: exit status 9\r\n"))

    def test_the_logs_tail_is_kept(self) -> None:
        lines = 'for n in range(100): say("console", b"line %d\\n" % n)\n'
        self.fake_qemu(lines + "print('from qemu', flush=True); sys.exit(4)")
        ran = self.run_machine()
        expected = "qemu-system-x86_64 failed (exit status 4) before the guest reported"
        self.assertEqual(ran.end, End(125, expected, show_log=True))
        self.assertEqual(len(ran.machine.log_tail), 40)
        self.assertIn(b"line 99", ran.machine.log_tail)

    def test_qemu_gets_the_disks_and_we_keep_none(self) -> None:
        path = self.folder / "disk"
        path.write_bytes(b"content")
        self.fake_qemu(
            'file = re.search(r"file=(/proc/self/fd/\\d+)", " ".join(sys.argv))[1]\n'
            + GREET
            + 'say("stdout", open(file, "rb").read()); say("control", b"exit 0 7 0\\n")\n'
            + 'wait_for(b"done\\n")'
        )
        before = open_fds()
        ran = self.run_machine(replace(self.plan, disks=(further_disk(f"{path},ro"),)))
        self.assertEqual((ran.end, ran.stdout), (End(0), b"content"))
        self.assertEqual(open_fds(), before)


if __name__ == "__main__":
    unittest.main()
