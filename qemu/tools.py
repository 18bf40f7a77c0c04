"""Programs that the scripts run: where one is found, what it printed, how it failed."""

import os
import pathlib
import shutil
import subprocess
import sys
from typing import TypeAlias

from failure import Failure

StrPath: TypeAlias = str | os.PathLike[str]

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
TARGET = "x86_64-unknown-linux-musl"
PYTHON = sys.executable or "python3"  # without a PATH Python does not know its own path

# The Debian package of each program: the error for a missing one names it.
PACKAGES = {
    "qemu-system-x86_64": "qemu-system-x86",
    "mke2fs": "e2fsprogs",
    "mksquashfs": "squashfs-tools",
    "mkfs.erofs": "erofs-utils",
    "xorriso": "xorriso",
    "mkfs.vfat": "dosfstools",
    "mcopy": "mtools",
    "umoci": "umoci",
    "mmdebstrap": "mmdebstrap",
    "apt-get": "apt",
    "apt-cache": "apt",
    "dpkg": "dpkg",
    "cp": "coreutils",
}


def release_binary() -> pathlib.Path:
    """Returns the path of ocinit in cargo's target directory; a relative one starts at ROOT."""
    target = os.environ.get("CARGO_TARGET_DIR") or "target"
    return ROOT / target / TARGET / "release/ocinit"


def tool(name: str) -> str:
    """Returns the path of a program. A user's PATH in Debian lacks /sbin, which has mke2fs."""
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])
    found = shutil.which(name, path=path)
    if found is None:
        raise Failure(f"{name} is missing: apt-get install {PACKAGES.get(name, name)}")
    return found


def run(name: str, *arguments: object, cwd: StrPath | None = None) -> str:
    """Runs a program to its end and returns what it printed; a failure has its last line."""
    command = [tool(name), *map(str, arguments)]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, cwd=cwd)
    if done.returncode != 0:
        said = (done.stderr or done.stdout).decode(errors="replace").strip().splitlines()
        reason = said[-1] if said else "it said nothing"
        raise Failure(f"{name} failed with status {done.returncode}: {reason}")
    return done.stdout.decode(errors="replace")


def lines_of_script(name: str, failed: str) -> list[str]:
    """Returns the lines that a script of this folder printed; its stderr is ours."""
    command = [PYTHON, str(HERE / name)]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        raise Failure(failed)
    return done.stdout.splitlines()
