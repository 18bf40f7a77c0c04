"""What several tests need: a folder of their own, a layout, a fake QEMU on PATH."""

import os
import pathlib
import tempfile
import unittest
from unittest import mock

HEX = "ab" * 32

# Finds its end of each port by name among the fds that QEMU inherits.
PROLOGUE = """#!/usr/bin/env python3
import os, re, signal, socket, sys, time
found = re.findall(r"socket,id=(\\w+),fd=(\\d+)", " ".join(sys.argv))
ports = {name: socket.socket(fileno=int(fd)) for name, fd in found}
def say(name, data):
    ports[name].sendall(data)
def wait_for(line):
    said = b""
    while line not in said:
        said += ports["control"].recv(100) or sys.exit(1)
    return said
"""


class InFolder(unittest.TestCase):
    """A test with a folder of its own, which is $TMPDIR and holds the cache too."""

    def setUp(self) -> None:
        made = tempfile.TemporaryDirectory()
        self.addCleanup(made.cleanup)
        self.folder = pathlib.Path(made.name).resolve()
        self.temporary = self.folder / "tmp"
        self.temporary.mkdir()
        environment = {
            "TMPDIR": str(self.temporary),
            "XDG_CACHE_HOME": str(self.folder / "cache"),
        }
        patch = mock.patch.dict(os.environ, environment)
        patch.start()
        self.addCleanup(patch.stop)

    def layout(self, name: str = "layout") -> pathlib.Path:
        """Returns an OCI layout of a few bytes."""
        layout = self.folder / name
        blobs = layout / "blobs/sha256"
        blobs.mkdir(parents=True)
        (layout / "oci-layout").write_text("{}")
        (layout / "index.json").write_text("[]")
        (blobs / HEX).write_bytes(b"blob")
        return layout

    def fake_qemu(self, script: str) -> None:
        """Puts a QEMU first on PATH that runs this Python text."""
        programs = self.folder / "bin"
        programs.mkdir(exist_ok=True)
        program = programs / "qemu-system-x86_64"
        program.write_text(PROLOGUE + script)
        program.chmod(0o755)
        patch = mock.patch.dict(os.environ, {"PATH": f"{programs}:{os.environ['PATH']}"})
        patch.start()
        self.addCleanup(patch.stop)


def open_fds() -> set[str]:
    """Returns what each open fd of this process is, by number."""
    folder = pathlib.Path("/proc/self/fd")
    found = set()
    for fd in os.listdir(folder):
        try:
            found.add(f"{fd}: {os.readlink(folder / fd)}")
        except FileNotFoundError:
            continue  # the listing's own
    return found
