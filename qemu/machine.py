"""A machine while it runs: its streams, its control port, what signals ask of it, and its end.

    with Machine(prepare(Options("image", arguments=("echo", "hi"))), Streams(0, 1, 2)) as machine:
        end = machine.wait()

`Machine` starts QEMU; `wait` carries the streams and returns the End with the exit status. Several
machines may run at once: each is started and waited for in a thread of its own, because the kernel
kills QEMU with the thread that started it. `send_signal` may be called from any thread;
`catch_signals` makes the process's signals those of one machine.
"""

import collections
import contextlib
import os
import select
import signal
import socket
import time
from collections.abc import Sequence
from types import TracebackType

import verdict
from control import Lie, Port, Report
from deadlines import Deadlines
from failure import FAILED
from plan import Plan
from signals import FORWARDED, STOPPING, Requests, Unanswered
from starting import start
from streams import Console, HasFd, Input, Log, LogFile, LogTail, Output, Streams, Waker
from terminal import Terminal
from verdict import End, Ended

LOG_TAIL = 40  # lines of log shown on failure
LAST_WORDS = 1  # seconds for a killed machine's output to be read


class Machine:
    """A started QEMU, its streams, and what the guest has reported."""

    def __init__(self, plan: Plan, streams: Streams | None = None) -> None:
        self.plan = plan
        self.streams = streams or Streams()
        self.report = Report()  # stays empty without report ports
        self.log_tail: LogTail = collections.deque(maxlen=LOG_TAIL)
        self.terminal = Terminal(plan.guest.tty, self.streams)
        self.requests = Requests(self._request)
        self._pending: collections.deque[int] = collections.deque()  # signals not yet acted on
        self._catches_signals = False
        self._resized = False
        self._eof_told = False
        self._is_off = False
        self._poll = select.poll()
        with contextlib.ExitStack() as fds:
            self._waker = Waker()
            fds.callback(self._waker.close)
            self._log_file = LogFile(plan.log) if plan.log else None
            if self._log_file:
                fds.callback(self._log_file.close)
            self.qemu, ours = start(plan, fds)
            self._fds = fds.pop_all()
        self.started = time.monotonic()
        self._sockets = list(ours.values())
        self._deadlines = Deadlines(plan.timeout, self.report, self.requests)

        stdout = self.qemu.stdout
        assert stdout
        self.port: Port | None = None
        self.logs = [self._log(stdout)]
        if plan.console:
            target = self.streams.stdout
            tail = self.log_tail
            self.outputs: Sequence[Output] = [
                Console("console", ours["console"], target, self._waker, tail)
            ]
            self.input = Input(self.streams.stdin, ours["console"], self._waker)
        else:
            self.port = Port(ours["control"])
            self.logs.append(self._log(ours["console"]))
            self.outputs = [
                Output("stdout", ours["stdout"], self.streams.stdout, self._waker),
                Output("stderr", ours["stderr"], self.streams.stderr, self._waker),
            ]
            self.input = Input(self.streams.stdin, ours["stdin"], self._waker)
        self._deadlines.outputs = self.outputs
        self._fds.callback(self.input.close)

    def _log(self, source: HasFd) -> Log:
        return Log(source, self.log_tail, self.plan.guest.verbose, self._log_file, self._waker)

    def send_signal(self, number: int) -> None:
        """Asks for what `boot` does at this signal. May be called from any thread."""
        self._pending.append(number)
        self._waker.wake()

    def catch_signals(self) -> None:
        """Makes the process's signals those of this machine; the main thread alone may do that."""
        self._catches_signals = True
        signal.set_wakeup_fd(self._waker.writer, warn_on_full_buffer=False)
        for number in (*FORWARDED, *STOPPING):
            is_ignored = signal.getsignal(number) == signal.SIG_IGN
            if number != signal.SIGHUP or not is_ignored:  # nohup means it
                signal.signal(number, lambda number, _: self._pending.append(number))
        if self.plan.guest.tty:
            signal.signal(signal.SIGWINCH, lambda *_: self._window_changed())
            signal.signal(signal.SIGCONT, lambda *_: self._continued())

    def _window_changed(self) -> None:
        self._resized = True

    def _continued(self) -> None:
        if self.report.started:
            self.terminal.make_raw()

    # -- the loop

    def wait(self) -> End:
        """Carries the streams until the machine is off and all it wrote is delivered."""
        try:
            return self._serve()
        except Ended as ended:
            return ended.end
        except Unanswered as unanswered:
            return End(128 + unanswered.number, str(unanswered))
        except Lie as lie:
            return End(FAILED, str(lie))

    def _serve(self) -> End:
        for thread in [*self.logs, *self.outputs]:
            thread.start()
        self._begin_input()
        off = os.pidfd_open(self.qemu.pid)
        try:
            self._poll.register(self._waker.reader, select.POLLIN)
            self._poll.register(off, select.POLLIN)
            if self.port:
                self._poll.register(self.port, select.POLLIN)
            self._poll.register(self.streams.stdout, 0)  # only whether its reader left
            while True:
                now = time.monotonic()
                self._deadlines.check(now)
                if self._deadlines.must_be_off(now) and not self._is_off:
                    self.qemu.kill()  # a machine that cannot power off changes no status
                for fd, events in self._poll.poll(self._deadlines.poll_timeout(now, self._is_off)):
                    self._take_event(fd, events, off, now)
                self._act_on_signals()
                self._look_after_streams()
                self._say_done()
                if self._is_off and all(output.ended for output in self.outputs):
                    while self._read_port():
                        pass  # its last lines
                    return self._verdict()
        finally:
            os.close(off)

    def _take_event(self, fd: int, events: int, off: int, now: float) -> None:
        if fd == self._waker.reader:
            self._waker.clear()
        elif fd == off:
            self._is_off = True
            self._poll.unregister(off)
            # Another process may hold the other ends, but QEMU has ended.
            for end in self._sockets:
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RD)
        elif fd == self.streams.stdout:
            self._poll.unregister(fd)
            self._deadlines.reader_left(now)
        elif self.port:
            if events & select.POLLOUT:
                self._send()
            if events & ~select.POLLOUT and not self._read_port():
                self._poll.unregister(self.port)

    def _begin_input(self) -> None:
        if self.terminal.is_background:
            self.input.complete = True  # counts as empty
        elif not self.terminal.is_ours or self.plan.console:
            self.terminal.make_raw()
            self.input.start()
        # Otherwise when the container runs: until then ^C is ours and the terminal as it was.

    def _look_after_streams(self) -> None:
        if end := verdict.broken([*self.logs, *self.outputs, self.input]):
            raise Ended(end)
        if self.input.complete and not self._eof_told:
            self._eof_told = True
            self._say(f"eof {self.input.sent}")
        if self._resized:
            self._resized = False
            self._say_size()

    def _say_done(self) -> None:
        """Lets the guest power off once all it wrote is delivered: no error can follow."""
        is_complete = all(output.complete() for output in self.outputs)
        if self.report.status is not None and not self._deadlines.is_done and is_complete:
            self._say("done")
            self._deadlines.done()

    # -- the control port

    def _read_port(self) -> bool:
        """Acts on what the guest says. Returns false when no more can come."""
        if not self.port:
            return False
        data = self.port.receive()
        if data is None:
            return True
        for verb in self.report.feed(data):
            self._act_on(verb)
        return bool(data)

    def _act_on(self, verb: str) -> None:
        if verb == "hello" and self.plan.guest.tty:
            self._say_size()
        elif verb == "started":
            self.requests.container_runs()
            if self.terminal.is_ours:
                self.terminal.make_raw()
                self.input.start()
        elif verb == "exit":
            now = time.monotonic()
            for output, count in zip(self.outputs, self.report.wanted, strict=True):
                output.expect(count, now)
            self.input.stop()

    def _say(self, line: str) -> None:
        """Sends a line to the guest, if it has a control port."""
        if self.port:
            self.port.say(line)
            self._poll_port()

    def _send(self) -> None:
        if self.port:
            self.port.send()
            self._poll_port()

    def _poll_port(self) -> None:
        """Polls the port for room as long as a line waits."""
        if self.port:
            events = select.POLLIN | (select.POLLOUT if self.port.unsent else 0)
            with contextlib.suppress(OSError):  # it was unregistered
                self._poll.modify(self.port, events)

    def _say_size(self) -> None:
        if size := self.terminal.size():
            self._say(f"size {size[0]} {size[1]}")

    # -- signals

    def _act_on_signals(self) -> None:
        while self._pending:
            number = self._pending.popleft()
            if not self.port:
                raise Unanswered(number, "there is no control port")
            self.requests.take(number, time.monotonic(), self.report.started)

    def _request(self, line: str) -> None:
        """Passes a signal to the guest; a stop gets a deadline."""
        self._say(line)
        if line == "stop":
            self._deadlines.stop()

    # -- the end

    def _verdict(self) -> End:
        """Returns the End of a machine that is off."""
        status = self.qemu.wait()
        for log in self.logs:
            # QEMU is gone, so its end of file is near; a busy host may take seconds to reach it.
            log.join(timeout=10)
        self._look_after_streams()
        if self.port:
            end = verdict.reported(self.report, self.outputs, self.log_tail, status)
        else:
            end = verdict.printed(self.plan.guest, self.log_tail, status)
        return self._with_log(end)

    def _with_log(self, end: End) -> End:
        """Returns `end`; its status is FAILED if the --log could not be written."""
        is_failed = self._log_file is not None and self._log_file.failed
        return End(FAILED, end.message, end.show_log) if is_failed else end

    def close(self) -> None:
        """Ends the machine, restores the terminal, and lets signals end the process again."""
        self.qemu.kill()
        self.qemu.wait()
        for output in self.outputs:
            if output.ident:
                output.join(timeout=LAST_WORDS)
        self.terminal.restore()
        if self._catches_signals:
            for number in (*FORWARDED, *STOPPING):
                if signal.getsignal(number) != signal.SIG_IGN:
                    signal.signal(number, signal.SIG_DFL)

    def _release(self) -> None:
        """Closes our fds, unless a thread still waits for a reader of our streams."""
        self.input.stop()
        for end in self._sockets:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        threads = [thread for thread in [*self.logs, *self.outputs, self.input] if thread.ident]
        for thread in threads:
            thread.join(timeout=LAST_WORDS)
        if self._catches_signals:
            signal.set_wakeup_fd(-1)
        if not any(thread.is_alive() for thread in threads):
            self._fds.close()
            if self.qemu.stdout:
                self.qemu.stdout.close()

    def __enter__(self) -> "Machine":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
        self._release()
