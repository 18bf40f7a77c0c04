"""Reads an untrusted OCI layout: it may hold links, FIFOs and endless files, and it may change.

Only the image-spec's files are taken: oci-layout, index.json, refs/NAME and blobs/ALGORITHM/HEX. So
are manifest.json and repositories, which `docker save` writes as well. Each name is opened beneath
its folder, and no link is followed. Hidden regular files (.gitignore, the rests of a killed copy)
are left out. Anything else is an error that names it.
"""

import contextlib
import errno
import os
import re
import shutil
import stat
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import IO, cast

from failure import Failure
from files import require_room, room_named, temporary_place
from tools import StrPath

DOCUMENTS = {"oci-layout", "index.json", "manifest.json", "repositories"}
MARKS = {"oci-layout", "index.json", "refs"}  # a directory with one of these is a layout
ALGORITHM = re.compile(r"[a-z0-9]+([+._-][a-z0-9]+)*", re.ASCII)
HEX = re.compile(r"[A-Za-z0-9=_-]+", re.ASCII)
REFERENCE = re.compile(r"[A-Za-z0-9][^/]*")
BLOCK = 1 << 20  # bytes copied at once
FILES_MAX = 100_000  # in one layout or archive: an index refers to fewer by far
OPEN_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
OPEN_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def is_layout_name(words: Sequence[str]) -> bool:
    """Returns true if the path `words` is one that a layout's file may have."""
    match words:
        case [name]:
            return name in DOCUMENTS
        case ["refs", name]:
            return REFERENCE.fullmatch(name) is not None
        case ["blobs", algorithm, name]:
            is_algorithm = ALGORITHM.fullmatch(algorithm) is not None
            return is_algorithm and HEX.fullmatch(name) is not None
    return False


def is_layout_folder(words: Sequence[str]) -> bool:
    """Returns true if the path `words` is one that a layout's folder may have."""
    match words:
        case ["refs"] | ["blobs"]:
            return True
        case ["blobs", algorithm]:
            return ALGORITHM.fullmatch(algorithm) is not None
    return False


class Source:
    """A layout directory, opened once. `below` leads to it from `path`, by folders and no links."""

    def __init__(self, path: StrPath, below: Sequence[str] = ()) -> None:
        self.path = os.path.join(path, *below)
        self.below = list(below)
        # The user's own path may be a link.
        self.top = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self.folders: list[list[str]] = []  # paths in the layout
        self.files: list[list[str]] = []
        self.size = 0  # bytes of all files when they were listed
        try:
            for depth, name in enumerate(below, 1):
                if name == "..":
                    raise Failure(f"{self.path}: `..` leads elsewhere")
                outer = self.top
                self.top = open_folder(outer, name, os.path.join(path, *below[:depth]))
                os.close(outer)
            self._list([], self.top)
        except BaseException:
            self.close()
            raise
        # Small files first: a reader of a tar then finds the index without reading past the blobs.
        self.files.sort(key=lambda words: (words[0] == "blobs", words))

    def close(self) -> None:
        os.close(self.top)

    def _list(self, words: list[str], folder: int) -> None:
        """Checks and lists the files in the open `folder`."""
        for name in sorted(os.listdir(folder)):
            inner = [*words, name]
            shown = self.shown(inner)
            status = os.stat(name, dir_fd=folder, follow_symlinks=False)
            if stat.S_ISDIR(status.st_mode) and is_layout_folder(inner):
                fd = open_folder(folder, name, shown)
                self.folders.append(inner)
                try:
                    self._list(inner, fd)
                finally:
                    os.close(fd)
            elif stat.S_ISREG(status.st_mode) and is_layout_name(inner):
                self.files.append(inner)
                self.size += status.st_size
                if len(self.files) > FILES_MAX:
                    raise Failure(f"{self.path}: more than {FILES_MAX} files, which is no layout")
            elif not stat.S_ISREG(status.st_mode):
                raise misplaced(shown, status.st_mode)
            elif not name.startswith("."):
                raise Failure(f"{shown}: no file of an OCI layout has this name: it is not read")

    def shown(self, words: Sequence[str]) -> str:
        return os.path.join(self.path, *words)

    @contextlib.contextmanager
    def open(self, words: Sequence[str]) -> Iterator["Unchanging"]:
        """Yields one of `files`, as an Unchanging."""
        folder = os.dup(self.top)
        try:
            for depth, name in enumerate(words[:-1], 1):
                outer = folder
                folder = open_folder(outer, name, self.shown(words[:depth]))
                os.close(outer)
            fd = open_regular(folder, words[-1], self.shown(words))
        finally:
            os.close(folder)
        with Unchanging(fd, self.shown(words)) as file:
            yield file
            file.check()

    def copy(self, target: str) -> None:
        """Copies the layout into the folder `target`, which only this user can write."""
        for words in self.folders:
            os.mkdir(os.path.join(target, *words))
        for words in self.files:
            with self.open(words) as file, open(os.path.join(target, *words), "xb") as copy:
                shutil.copyfileobj(file, copy, BLOCK)

    def archive(self, file: IO[bytes], below: Sequence[str] = ()) -> None:
        """Writes an oci-archive with the layout in its folder `below`.

        `skopeo copy … oci-archive:/dev/vdb` fills a disk in this way.
        """
        below = [*below, *self.below]
        with tarfile.TarFile(
            fileobj=file, mode="w", format=tarfile.GNU_FORMAT, copybufsize=BLOCK
        ) as archive:
            for depth in range(1, len(below) + 1):
                archive.addfile(entry(below[:depth], tarfile.DIRTYPE, 0o755))
            for words in self.folders:
                archive.addfile(entry([*below, *words], tarfile.DIRTYPE, 0o755))
            for words in self.files:
                with self.open(words) as content:
                    made = entry([*below, *words], tarfile.REGTYPE, 0o644, content.size)
                    archive.addfile(made, cast(IO[bytes], content))  # it only reads


class Unchanging:
    """A regular file, read from its start to its end; `check` fails if it changed meanwhile."""

    def __init__(self, fd: int, shown: str) -> None:
        self.fd, self.shown = fd, shown
        self.status = os.fstat(fd)
        self.size = self.left = self.status.st_size

    def __enter__(self) -> "Unchanging":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        os.close(self.fd)

    def read(self, count: int = BLOCK, /) -> bytes:
        """Returns at most `count` bytes; none at the end, as it was when the file was opened."""
        parts = []
        wanted = min(count, self.left)
        while wanted:
            data = os.read(self.fd, wanted)
            if not data:
                raise self.changed()
            parts.append(data)
            wanted -= len(data)
            self.left -= len(data)
        return b"".join(parts)

    def check(self) -> None:
        """Fails unless all of it was read and no more came."""
        now, before = os.fstat(self.fd), self.status
        same = (now.st_size, now.st_mtime_ns, now.st_ctime_ns) == (
            before.st_size,
            before.st_mtime_ns,
            before.st_ctime_ns,
        )
        if self.left or not same or os.read(self.fd, 1):
            raise self.changed()

    def changed(self) -> Failure:
        return Failure(f"{self.shown}: changed while it was read")


def entry(words: Sequence[str], type_: bytes, mode: int, size: int = 0) -> tarfile.TarInfo:
    """Returns a tar entry without the file's owner and time."""
    made = tarfile.TarInfo("/".join(words))
    made.type, made.mode, made.size = type_, mode, size
    return made


def open_folder(folder: int, name: str, shown: str) -> int:
    """Returns the fd of a folder in the open `folder`."""
    try:
        return os.open(name, OPEN_DIRECTORY, dir_fd=folder)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENOTDIR):
            raise Failure(
                f"{shown}: not a directory, where an OCI layout has one: it is not read"
            ) from None
        raise OSError(error.errno, error.strerror, shown) from None


def open_regular(folder: int, name: str, shown: str) -> int:
    """Returns the fd of a regular file in the open `folder`."""
    try:
        fd = os.open(name, OPEN_FILE, dir_fd=folder)
    except OSError as error:
        raise OSError(error.errno, error.strerror, shown) from None
    status = os.fstat(fd)
    if not stat.S_ISREG(status.st_mode):
        os.close(fd)
        raise misplaced(shown, status.st_mode)
    return fd


def misplaced(shown: str, mode: int) -> Failure:
    return Failure(f"{shown}: {kind(mode)}, and an OCI layout has none there: it is not read")


def kind(mode: int) -> str:
    """Returns a file's type in words."""
    names = {
        stat.S_IFLNK: "a symbolic link",
        stat.S_IFIFO: "a FIFO",
        stat.S_IFSOCK: "a socket",
        stat.S_IFCHR: "a device",
        stat.S_IFBLK: "a device",
        stat.S_IFDIR: "a directory",
    }
    return names.get(stat.S_IFMT(mode), "no regular file")


def open_source(path: StrPath, below: Sequence[str] = ()) -> Source:
    """Returns the layout at `path`, or in the folder `below` of it; fails if there is none."""
    source = Source(path, below)
    if not MARKS & {words[0] for words in [*source.files, *source.folders]}:
        source.close()
        raise Failure(
            f"{source.path}: not an OCI layout (it has no oci-layout, index.json or refs)"
        )
    return source


def temporary_archive(source: Source) -> int:
    """Returns the fd of a nameless file with the layout as an oci-archive."""
    place = temporary_place()
    with room_named(place, f"the disk of {source.path}"):
        require_room(place, source.size)
        with tempfile.TemporaryFile(prefix="ocinit-", dir=place) as file:
            source.archive(file)
            file.flush()
            return os.dup(file.fileno())
