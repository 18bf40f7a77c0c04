"""The machine while it runs: streams, terminal, control port, signals, and its end."""

import array
import collections
import contextlib
import errno
import fcntl
import os
import pathlib
import re
import select
import signal
import socket
import termios
import time
import tty

import initramfs
from common import FAILED, shown
from configuration import command_line, in_memory, records
from control import Lie, Report
from command import QEMU, qemu_command, start_qemu
from streams import CHUNK, Console, Input, Log, LogFile, Output, Waker

TIMED_OUT = 124
READER_LEFT = 128 + signal.SIGPIPE
PORTS = ["control", "stdin", "stdout", "stderr"]  # named org.ocinit.X in the guest
LOG_TAIL = 40  # lines of log shown on failure
POWER_OFF = 10  # seconds from `done` until the machine must be off
LAST_WORDS = 1  # seconds that a killed machine's output gets to be read
SIGNAL_PATIENCE = 10  # seconds that a signal waits for a container to be started that can take it
STOP_PATIENCE = 20  # seconds that the guest has to end its container, which it kills after ten (STOP_MS)
OWED_MAX = 4 << 20  # bytes of a stream that an ended container's pipes and ports can still hold, with room
LOST = 10  # seconds that bytes may still come which the guest said it had written
UNSAID_MAX = 65536  # bytes kept for a guest that does not read its control port
READER_GRACE = 2  # seconds a container whose stdout has no reader may still use to end by itself


class Terminal:
    """The terminal we were started from, raw for as long as the container has it."""

    def __init__(self, wanted):
        # One in the background is another program's for now: to read it or to set it would stop us.
        self.is_background = os.isatty(0) and in_background()
        self.is_ours = wanted and os.isatty(0) and not self.is_background
        self.saved = None

    def make_raw(self):
        if self.is_ours:
            self.saved = self.saved or termios.tcgetattr(0)
            tty.setraw(0, termios.TCSANOW)  # not FLUSH: it drops input typed ahead; not DRAIN: it can wait for ever

    def restore(self):
        if self.saved:
            signal.signal(signal.SIGTTOU, signal.SIG_IGN)  # we may have been put in the background
            with contextlib.suppress(termios.error):
                termios.tcsetattr(0, termios.TCSANOW, self.saved)
            self.saved = None

    def size(self):
        """Rows and columns, of whichever of our descriptors is a terminal."""
        for descriptor in (0, 1, 2):
            if os.isatty(descriptor):
                window = array.array("H", [0, 0, 0, 0])
                fcntl.ioctl(descriptor, termios.TIOCGWINSZ, window)
                if window[0] and window[1]:
                    return window[0], window[1]
        return None


def in_background():
    try:
        return os.tcgetpgrp(0) != os.getpgrp()
    except OSError:
        return False  # a terminal, but not the one that controls us: nobody stops us


class End(Exception):
    """The boot is over: with this status, this message, and the log's tail where that helps."""

    def __init__(self, status, message=None, tail=False):
        super().__init__(message)
        self.status, self.message, self.tail = status, message, tail


class Machine:
    """A started QEMU, its streams, and what the guest has reported."""

    FORWARDED = [signal.SIGINT, signal.SIGQUIT]
    STOPPING = [signal.SIGTERM, signal.SIGHUP]  # as `docker stop`: the image's StopSignal, and KILL after ten seconds

    def __init__(self, options, kernel, modules, accel, memory, disks, reference):
        self.options = options
        self.log_tail = collections.deque(maxlen=LOG_TAIL)  # lines as bytes
        self.report = Report()
        self.told = False  # the guest got `done`
        self.eof_told = False
        self.requests = []  # lines for the guest about signals, until its container runs
        self.patient_until = float("inf")  # while one waits
        self.signals = []  # all that were acted on
        self.stop_by = float("inf")
        self.reader_time_before = 0
        self.pending_signals = []  # caught, not yet acted on
        self.resized = False
        self.unsaid = bytearray()  # text for the control port that does not fit yet
        self.poll = select.poll()
        self.terminal = Terminal(options.tty)
        self.waker = Waker()
        self.log_file = LogFile(options.log) if options.log else None

        names = [] if options.console else PORTS
        pairs = {name: socket.socketpair() for name in ["console", *names]}
        ours = {name: pair[0] for name, pair in pairs.items()}
        theirs = {name: pair[1].fileno() for name, pair in pairs.items()}
        self.sockets = list(ours.values())
        if options.initramfs:
            base = pathlib.Path(options.initramfs).read_bytes()
        else:
            transport = initramfs.MMIO if options.machine == "microvm" else initramfs.PCI
            base = initramfs.build(options.init, modules, transport)
        initrd = in_memory(base + initramfs.configuration(records(options, reference)))
        ports = {name: theirs[name] for name in names}
        command = qemu_command(
            options.machine, accel, kernel, command_line(options, options.machine, accel),
            memory, options.cpus, initrd, disks, theirs["console"], ports
        )
        inherited = [initrd, *theirs.values(), *(disk.descriptor for disk in disks)]
        self.qemu = start_qemu(command, inherited)
        self.started = time.monotonic()
        for _, socket_ in pairs.values():
            socket_.close()
        for descriptor in [initrd, *(disk.descriptor for disk in disks)]:
            os.close(descriptor)

        self.logs = [Log(self.qemu.stdout, self.log_tail, options.verbose, self.log_file, self.waker)]
        if options.console:
            self.control = None
            self.outputs = [Console("console", ours["console"], 1, self.waker, self.log_tail)]
            self.input = Input(ours["console"], self.waker)
        else:
            self.control = ours["control"]
            self.control.setblocking(False)
            self.logs.append(Log(ours["console"], self.log_tail, options.verbose, self.log_file, self.waker))
            self.outputs = [
                Output("stdout", ours["stdout"], 1, self.waker),
                Output("stderr", ours["stderr"], 2, self.waker),
            ]
            self.input = Input(ours["stdin"], self.waker)

    # -- the loop

    def run(self):
        """Until the machine is off and all it wrote is delivered; returns the container's exit status."""
        self.catch_signals()
        for thread in [*self.logs, *self.outputs]:
            thread.start()
        self.begin_input()
        off = os.pidfd_open(self.qemu.pid)
        for descriptor in [self.waker.reader, off]:
            self.poll.register(descriptor, select.POLLIN)
        if self.control:
            self.poll.register(self.control, select.POLLIN)
        self.poll.register(1, 0)  # only whether its reader left
        deadline = self.started + self.options.timeout if self.options.timeout else float("inf")
        power_off = reader_left = float("inf")
        is_off = False
        while True:
            now = time.monotonic()
            if self.told:
                deadline = reader_left = float("inf")  # all was delivered: nothing can go wrong with it any more
            if now >= deadline:
                raise End(TIMED_OUT, f"timed out after {self.options.timeout:g} seconds: the machine was killed", tail=True)
            if now >= self.patient_until:
                self.give_up_on(self.signals[0], f"no container took it in {SIGNAL_PATIENCE} seconds")
            if now >= self.stop_deadline():
                self.give_up_on(self.signals[-1], f"the container did not end in {STOP_PATIENCE} seconds")
            if now >= reader_left:
                raise End(READER_LEFT)
            if now >= self.lost_deadline() and not any(output.has_more() for output in self.outputs):
                raise self.loss()
            if now >= power_off and not is_off:
                self.qemu.kill()  # that it cannot power off changes nothing either
            deadlines = [deadline, reader_left, self.patient_until, self.stop_deadline(), self.lost_deadline()]
            wait = min([*deadlines, float("inf") if is_off else power_off]) - now
            for descriptor, events in self.poll.poll(None if wait == float("inf") else max(0, wait) * 1000 + 1):
                if descriptor == self.waker.reader:
                    self.waker.clear()
                elif descriptor == off:
                    is_off = True
                    self.poll.unregister(off)
                    for socket_ in self.sockets:  # another process may hold the other end, but QEMU has ended
                        with contextlib.suppress(OSError):
                            socket_.shutdown(socket.SHUT_RD)
                elif descriptor == 1:
                    self.poll.unregister(1)
                    reader_left = now + READER_GRACE
                elif not self.converse(events):
                    self.poll.unregister(self.control)
            self.act_on_signals()
            self.look_after_streams()
            if self.report.status is not None and not self.told and all(output.complete() for output in self.outputs):
                self.told = True
                self.say("done")
                power_off = time.monotonic() + POWER_OFF
            if is_off and all(output.ended for output in self.outputs):
                while self.control and self.read_control():
                    pass  # what it said last
                return self.verdict()

    def begin_input(self):
        if self.terminal.is_background:
            self.input.complete = True  # counts as empty
        elif not self.terminal.is_ours or self.options.console:
            self.terminal.make_raw()
            self.input.start()
        # Else when the container runs: until then the terminal is as it was, and ^C is for us.

    def look_after_streams(self):
        for thread in [*self.logs, *self.outputs, self.input]:
            if thread.broken:
                raise End(FAILED, thread.broken)
        for output in self.outputs:
            if output.exceeded():
                raise End(FAILED, f"the guest wrote more to the container's {output.name} than the bytes that it reported")
            if output.error is None:
                continue
            if output.error.errno in (errno.EPIPE, errno.ECONNRESET):
                raise End(READER_LEFT)
            raise End(FAILED, f"cannot write the container's {output.name}: {output.error.strerror}")
        if self.input.complete and not self.eof_told:
            self.eof_told = True
            self.say(f"eof {self.input.sent}")
        if self.resized:
            self.resized = False
            self.say_size()

    def lost_deadline(self):
        """Returns when bytes that the guest reported, and that have not come, count as lost."""
        waits = [output.waits_since for output in self.outputs if output.wanted is not None and not output.complete()]
        return min((since + LOST for since in waits if since is not None), default=float("inf"))

    def stop_deadline(self):
        """Returns when we give up on a container that was to stop; its last output may wait for our reader."""
        if self.report.status is None:
            return self.stop_by
        if self.told:
            return float("inf")
        # More than a port and its pipes hold is a lie, and a flood would count as its reader's time on a busy host.
        if any(output.wanted - output.delivered > OWED_MAX for output in self.outputs):
            return self.stop_by
        return self.stop_by + self.reader_time() - self.reader_time_before

    def reader_time(self):
        return sum(output.reader_time() for output in self.outputs)

    def loss(self):
        for output in self.outputs:
            if not output.complete():
                lost = output.wanted - output.delivered
                return End(FAILED, f"{lost} of {output.wanted} bytes of the container's {output.name} were lost", tail=True)
        return None

    def verdict(self):
        """What a machine that is off leaves us to say."""
        status = self.qemu.wait()
        for log in self.logs:
            # QEMU is gone, so its end of file is near; a busy machine may need seconds to read up to it.
            log.join(timeout=10)
        self.look_after_streams()
        if self.options.console:
            return self.with_log(self.console_verdict(status))
        error = None if self.report.error is None else f"ocinit: {shown(self.report.error)}"
        if self.report.status is None:
            raise End(FAILED, error or self.cause(status), tail=error is None)
        if loss := self.loss():
            raise loss
        if error:
            raise End(self.with_log(self.report.status), error)
        return self.with_log(self.report.status)

    def with_log(self, status):
        """Returns the status, unless the --log could not be written."""
        return FAILED if self.log_file and self.log_file.failed else status

    def console_verdict(self, status):
        """Without a report the console's last line says the exit status; an image's own init only powers off."""
        for line in reversed(self.log_tail):
            if b"Kernel panic" in line:
                break
            said = re.search(rb"ocinit: exit status ([0-9]{1,3})$", line)
            if said and int(said[1]) < 256:
                return int(said[1])
        panicked = any(b"Kernel panic" in line for line in self.log_tail)
        if "ocinit.mode=exec" in self.options.append.split() and status == 0 and not panicked:
            return 0
        raise End(FAILED, self.cause(status))

    def cause(self, status):
        """Why a machine ended that did not report."""
        for line in self.log_tail:
            if b"Kernel panic" in line:
                return f"the guest's kernel panicked: {shown(line.partition(b'not syncing: ')[2])}"
        if status != 0:
            how = f"killed by signal {-status}" if status < 0 else f"exit status {status}"
            return f"{QEMU} failed ({how}) before the guest reported"
        return "the machine went off before the guest reported"

    # -- control

    def converse(self, events):
        """Reads the guest's lines and sends those that wait. Returns false when no more can come."""
        if events & select.POLLOUT:
            self.send()
        return not events & ~select.POLLOUT or self.read_control()

    def read_control(self):
        """Takes what the guest says; false when it will say no more."""
        try:
            data = self.control.recv(CHUNK)
        except BlockingIOError:
            return True
        except ConnectionResetError:
            data = b""
        try:
            for verb in self.report.feed(data):
                self.act_on(verb)
        except Lie as lie:
            raise End(FAILED, str(lie)) from None
        return bool(data)

    def act_on(self, verb):
        if verb == "hello" and self.options.tty:
            self.say_size()
        elif verb == "started":
            if self.requests:
                self.patient_until = float("inf")
            for line in self.requests:
                self.request(line)
            if self.terminal.is_ours:
                self.terminal.make_raw()
                self.input.start()
        elif verb == "exit":
            for output, count in zip(self.outputs, self.report.wanted, strict=True):
                output.waits_since = output.waits_since and time.monotonic()
                output.wanted = count
            self.input.stop()

    def say(self, line):
        """Sends a line to the guest. It is dropped if the guest does not read and the buffer is full."""
        if self.control and len(self.unsaid) < UNSAID_MAX:
            self.unsaid += line.encode() + b"\n"
            self.send()

    def send(self):
        """Sends what the port takes at once, and polls for the rest."""
        try:
            del self.unsaid[: self.control.send(self.unsaid)]
        except BlockingIOError:
            pass
        except OSError:
            self.unsaid.clear()  # the machine is gone
        with contextlib.suppress(OSError):  # do not wait for it
            self.poll.modify(self.control, select.POLLIN | (select.POLLOUT if self.unsaid else 0))

    def say_size(self):
        size = self.terminal.size()
        if size:
            self.say(f"size {size[0]} {size[1]}")

    # -- signals

    def catch_signals(self):
        signal.set_wakeup_fd(self.waker.writer, warn_on_full_buffer=False)
        for number in [*self.FORWARDED, *self.STOPPING]:
            if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:  # nohup means it
                signal.signal(number, lambda number, _: self.pending_signals.append(number))
        if self.options.tty:
            signal.signal(signal.SIGWINCH, lambda *_: setattr(self, "resized", True))
            signal.signal(signal.SIGCONT, lambda *_: self.report.started and self.terminal.make_raw())

    def act_on_signals(self):
        """The first signal goes to the container or stops it. The next ends the machine, unless it stops after a SIGINT."""
        while self.pending_signals:
            number = self.pending_signals.pop(0)
            stops = number in self.STOPPING
            if not self.control:
                self.give_up_on(number, "there is no control port")
            if self.signals and (not stops or self.signals[-1] in self.STOPPING):
                self.give_up_on(number, "the second one")
            self.signals.append(number)
            line = "stop" if stops else f"signal {number}"
            if self.report.started:
                self.request(line)
            else:
                self.requests.append(line)
                self.patient_until = min(self.patient_until, time.monotonic() + SIGNAL_PATIENCE)

    def request(self, line):
        """Passes a signal to the guest; a stop gets a deadline."""
        self.say(line)
        if line == "stop":
            self.stop_by = time.monotonic() + STOP_PATIENCE
            self.reader_time_before = self.reader_time()

    def give_up_on(self, number, why):
        raise End(128 + number, f"{signal.Signals(number).name}: {why}: the machine was killed")

    # -- the end

    def close(self):
        """Ends the machine, restores the terminal, and lets signals end us again."""
        self.qemu.kill()
        self.qemu.wait()
        for output in self.outputs:
            output.join(timeout=LAST_WORDS)
        self.terminal.restore()
        for number in [*self.FORWARDED, *self.STOPPING]:
            if signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, signal.SIG_DFL)


def timings(machine, seconds_before):
    """How long each phase took, in milliseconds; PID 1 starts where its first phase does."""
    phases = machine.report.phases
    rows = [("host: disk, initramfs", seconds_before * 1e3)]
    if phases:
        rows.append(("kernel", phases[0][1] / 1e3))
    rows += [(shown(name), (end - start) / 1e3) for name, start, end in phases]
    rows.append(("in all", seconds_before * 1e3 + (time.monotonic() - machine.started) * 1e3))
    return [f"{name:<24}{milliseconds:>10.1f} ms" for name, milliseconds in rows]
