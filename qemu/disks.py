"""The guest's disks: the image as one, and the user's own.

QEMU gets every file as one of our fds, /proc/self/fd/N. So a name may hold commas and colons, and a
file made for one boot has no name: it is gone however we end.
"""

import contextlib
import os
import stat
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import archive
import layout
from failure import Failure
from files import room_named, temporary_place
from tools import HERE, PYTHON, StrPath

SECTOR = 512  # bytes; a disk has no smaller unit

FileSystem: TypeAlias = Literal["raw", "ext4", "squashfs", "erofs", "iso", "vfat"]


@dataclass(frozen=True)
class Disk:
    """One disk of the guest: an open fd, and how it is attached."""

    fd: int
    read_only: bool
    serial: str | None = None


def split_reference(text: str) -> tuple[str, str]:
    """Returns IMAGE and REF of IMAGE[:REF]; REF is empty if all of `text` exists as a file.

    Otherwise the last colon counts that leaves the name of an existing file.
    """
    end = len(text)
    while end > 0:
        if os.path.exists(text[:end]):
            reference = text[end + 1 :]
            if end < len(text) and not reference:
                raise Failure(f"{text}: nothing after the colon, where a reference belongs")
            return text[:end], reference
        end = text.rfind(":", 0, end)
    raise Failure(f"{text}: no such image (neither a file nor a directory)")


def image_disk(path: str, file_system: FileSystem, below: Sequence[str] = ()) -> tuple[Disk, int]:
    """Returns the disk with the image at `path`, and the image's size in bytes.

    `below` are the folders from `path` to a layout, unless `path` itself is one.
    """
    status = os.stat(path)
    is_file = stat.S_ISREG(status.st_mode)
    if stat.S_ISDIR(status.st_mode):
        is_layout = layout.MARKS & set(os.listdir(path))
        with contextlib.closing(layout.open_source(path, () if is_layout else below)) as source:
            if file_system == "raw":
                fd = layout.temporary_archive(source)
            else:
                # By its fd: a folder on the way to it may have become a link.
                top = f"/proc/self/fd/{source.top}"
                fd = made_disk(top, source.path, file_system, source.below, [source.top])
            return Disk(fd, True, "image"), source.size
    if file_system != "raw":
        if not is_file or not archive.is_archive(path):
            raise Failure(
                f"{path}: --fs {file_system} makes a disk of a layout or an oci-archive; "
                "this is neither"
            )
        return Disk(made_disk(path, path, file_system), True, "image"), status.st_size
    if not is_file and not stat.S_ISBLK(status.st_mode):
        raise Failure(f"{path}: neither a directory, a file nor a block device, so no image")
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    status = os.fstat(fd)
    size = os.lseek(fd, 0, os.SEEK_END)  # of a block device too
    if size == 0:
        os.close(fd)
        raise Failure(f"{path}: an empty file, so no image")
    if stat.S_ISREG(status.st_mode):
        size = min(size, status.st_blocks * 512)  # holes take no room
    return Disk(fd, True, "image"), size


def made_disk(
    source: StrPath,
    shown: StrPath,
    file_system: FileSystem,
    below: Sequence[str] = (),
    fds: Sequence[int] = (),
) -> int:
    """Returns the fd of a nameless disk with a file system, made of a layout or an oci-archive."""
    place = temporary_place()
    with (
        room_named(place, f"the disk of {shown}"),
        tempfile.TemporaryDirectory(prefix="ocinit-", dir=place) as folder,
    ):
        disk = os.path.join(folder, "disk")
        words = ["--fs", file_system, "--path", "/" + "/".join(below), "--", source, disk]
        made = subprocess.run(
            [PYTHON, HERE / "mkdisk", *words],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            env={**os.environ, "TMPDIR": folder},  # so its files go with ours even if it is killed
            pass_fds=fds,
        )
        if made.returncode != 0:
            said = made.stderr.strip().splitlines() or ["mkdisk failed and said nothing"]
            reason = said[-1].removeprefix("mkdisk: ")
            raise Failure(reason.replace(folder, place).replace(str(source), str(shown)))
        return os.open(disk, os.O_RDONLY | os.O_CLOEXEC)


def further_disk(text: str) -> Disk:
    """Returns the disk of a --disk FILE[,ro]."""
    path, comma, mode = text.rpartition(",")
    if not comma or mode != "ro" or os.path.exists(text):
        path, mode = text, "rw"
    status = os.stat(path)
    if not stat.S_ISREG(status.st_mode) and not stat.S_ISBLK(status.st_mode):
        raise Failure(f"{path}: neither a file nor a block device, so no disk")
    read_only = mode == "ro"
    uneven = status.st_size == 0 or status.st_size % SECTOR != 0
    if stat.S_ISREG(status.st_mode) and not read_only and uneven:
        raise Failure(
            f"{path}: {status.st_size} bytes are no writable disk (it takes a multiple of {SECTOR})"
        )
    fd = os.open(path, (os.O_RDONLY if read_only else os.O_RDWR) | os.O_CLOEXEC)
    return Disk(fd, read_only)
