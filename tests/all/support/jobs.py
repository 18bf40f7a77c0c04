"""jobs.py FILE BOOT [WORD]...: runs BOOT, says the lines of FILE when its container runs.

What the guest says of its jobs goes to FILE.said: a line for each, output as Python shows bytes.
"""

import pathlib
import runpy
import sys

requests = pathlib.Path(sys.argv[1])
boot = sys.argv[2]
sys.path.insert(0, str(pathlib.Path(boot).parent))
try:
    import control as messages
    import machine
except ImportError:
    import guest as messages
    import running as machine

said = pathlib.Path(f"{requests}.said").open("w", buffering=1)  # noqa: SIM115


class Report(messages.Report):
    def _job(self, rest):
        name, kind, *words = rest.decode().split(" ")
        text = bytes.fromhex(words[0]) if kind in ("out", "err") else " ".join(words)
        print(name, kind, text, file=said)
        return super()._job(rest)

    def _started(self, rest):
        for line in requests.read_text().splitlines():
            port = getattr(the_machine[0], "port", the_machine[0])
            port.say(line)
        return super()._started(rest)

    def _exit(self, rest):
        print("exit", file=said)
        return super()._exit(rest)


the_machine = []


class Machine(machine.Machine):
    def __init__(self, *arguments):
        the_machine.append(self)
        super().__init__(*arguments)


machine.Report, machine.Machine = Report, Machine
sys.argv = sys.argv[2:]
runpy.run_path(boot, run_name="__main__")
