"""terminal.py STEP WORD ... -- COMMAND...: runs COMMAND at a terminal, 30 rows by 90 columns.

The steps are carried out in order: `expect TEXT` (all before it is used up), `type TEXT`,
`resize "ROWS COLUMNS"`. The screen goes to stdout, a step that fails to stderr, and the command's
status is ours.
"""

import fcntl
import os
import pty
import select
import signal
import struct
import sys
import termios
import time

STEP_SECONDS = 150


def main():
    split = sys.argv.index("--")
    steps = list(zip(sys.argv[1:split:2], sys.argv[2:split:2], strict=True))
    command = sys.argv[split + 1 :]
    pid, master = pty.fork()
    if pid == 0:
        resize(0, 30, 90)
        os.execvp(command[0], command)
    seen = bytearray()
    for kind, word in steps:
        if kind == "expect":
            if not expect(master, seen, word.encode()):
                sys.stderr.write(f"terminal.py: {word!r} never came; last seen: {bytes(seen)!r}\n")
                os.kill(pid, signal.SIGTERM)
                time.sleep(2)
                os.kill(pid, signal.SIGTERM)  # the second ends the machine
                break
        elif kind == "type":
            time.sleep(0.2)
            os.write(master, word.encode())
        elif kind == "resize":
            resize(master, *map(int, word.split()))
        else:
            sys.exit(f"terminal.py: no step {kind}")
    while read(master, seen, STEP_SECONDS):
        pass
    _, status = os.waitpid(pid, 0)
    sys.exit(
        os.waitstatus_to_exitcode(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status)
    )


def resize(terminal, rows, columns):
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


def expect(master, seen, text):
    deadline = time.monotonic() + STEP_SECONDS
    while text not in seen:
        if not read(master, seen, max(0, deadline - time.monotonic())):
            return False
    del seen[: seen.index(text) + len(text)]
    return True


def read(master, seen, seconds):
    """Takes what comes within the time; False at the end or when nothing came."""
    if not select.select([master], [], [], seconds)[0]:
        return False
    try:
        data = os.read(master, 4096)
    except OSError:  # the other side is closed
        return False
    seen += data
    sys.stdout.buffer.write(data)
    sys.stdout.flush()
    return bool(data)


main()
