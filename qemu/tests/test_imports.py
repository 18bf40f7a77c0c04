"""Each module can be imported without an effect, and the scripts as modules too."""

import pathlib
import subprocess
import sys
import unittest

FOLDER = pathlib.Path(__file__).resolve().parent.parent

# What an import could change: signals, threads, fds, the environment, what is printed.
PROGRAM = """
import os, signal, sys, threading
sys.path.insert(0, sys.argv[1])
def state():
    handlers = [signal.getsignal(number) for number in range(1, 32)]
    return handlers, threading.active_count(), len(os.listdir("/proc/self/fd")), dict(os.environ)
before = state()
opened = []
sys.addaudithook(lambda name, arguments: opened.append(arguments) if name == "open" else None)
for module in sys.argv[2:]:
    __import__(module)
assert state() == before
written = [words for words in opened if (words[2] or 0) & (os.O_WRONLY | os.O_RDWR)]
assert not written, written
"""


class Imports(unittest.TestCase):
    def test_no_module_has_an_effect(self) -> None:
        modules = sorted(path.stem for path in FOLDER.glob("*.py"))
        self.assertGreater(len(modules), 15)
        command = [sys.executable, "-B", "-c", PROGRAM, str(FOLDER), *modules]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))


class Scripts(unittest.TestCase):
    def test_each_has_help_and_one_line_for_a_wrong_option(self) -> None:
        scripts = [
            path
            for path in sorted(FOLDER.iterdir())
            if path.is_file() and path.read_bytes().startswith(b"#!/usr/bin/env python3")
        ]
        self.assertEqual(len(scripts), 7)
        for script in scripts:
            for word, status in [("--help", 0), ("--no-such-option", 125)]:
                done = subprocess.run(
                    [sys.executable, "-B", script, word],
                    stdin=subprocess.DEVNULL,
                    capture_output=True,
                    text=True,
                )
                self.assertEqual(done.returncode, status, done.stderr)
                if status:
                    (line,) = done.stderr.splitlines()
                    self.assertRegex(line, rf"^{script.name}: .*\(try --help\)$")
                    self.assertEqual(done.stdout, "")
                else:
                    self.assertIn(script.name, done.stdout)
                    self.assertEqual(done.stderr, "")


if __name__ == "__main__":
    unittest.main()
