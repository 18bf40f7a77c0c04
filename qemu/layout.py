"""Reads an untrusted OCI layout: it may hold links, FIFOs and endless files, and may change meanwhile.

Only the image-spec's files are taken: oci-layout, index.json, refs/NAME and blobs/ALGORITHM/HEX. So are manifest.json
and repositories, which `docker save` writes as well. Each name is opened beneath its folder, and no link is followed.
Anything else is an error that names it. Hidden regular files (.gitignore, the rests of a killed copy) are left out.
"""

import contextlib
import errno
import lzma
import os
import re
import shutil
import stat
import tarfile
import tempfile
import zlib

from common import Failure, require_room, room_named, temporary_place

DOCUMENTS = {"oci-layout", "index.json", "manifest.json", "repositories"}
MARKS = {"oci-layout", "index.json", "refs"}  # a directory with one of these is a layout
ALGORITHM = re.compile(r"[a-z0-9]+([+._-][a-z0-9]+)*", re.ASCII)
HEX = re.compile(r"[A-Za-z0-9=_-]+", re.ASCII)
REFERENCE = re.compile(r"[A-Za-z0-9][^/]*")
BLOCK = 1 << 20  # bytes copied at once
FILES_MAX = 100_000  # in one layout or archive: an index refers to fewer by far
HEADER_MAX = 1 << 20  # bytes of a pax header or a long name in an archive, which tarfile reads whole
OPEN_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
OPEN_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def is_layout_name(words):
    """True if the path `words` is one that a layout's file may have."""
    match words:
        case [name]:
            return name in DOCUMENTS
        case ["refs", name]:
            return REFERENCE.fullmatch(name) is not None
        case ["blobs", algorithm, name]:
            return ALGORITHM.fullmatch(algorithm) is not None and HEX.fullmatch(name) is not None
    return False


def is_layout_folder(words):
    """True if the path `words` is one that a layout's folder may have."""
    match words:
        case ["refs"] | ["blobs"]:
            return True
        case ["blobs", algorithm]:
            return ALGORITHM.fullmatch(algorithm) is not None
    return False


class Source:
    """A layout directory, opened once. `below` leads to it from `path`, through folders and no links."""

    def __init__(self, path, below=()):
        self.path = os.path.join(path, *below)
        self.below = list(below)
        self.top = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)  # the user's own path may be a link
        for depth, name in enumerate(below, 1):
            if name == "..":
                raise Failure(f"{self.path}: `..` leads elsewhere")
            outer = self.top
            self.top = open_folder(outer, name, os.path.join(path, *below[:depth]))
            os.close(outer)
        self.folders = []  # paths in the layout
        self.files = []
        self.size = 0  # bytes of all files, as they are when they are listed
        self._list([], self.top)
        # Small files first: a reader of a tar then finds the index without reading past the blobs.
        self.files.sort(key=lambda words: (words[0] == "blobs", words))

    def _list(self, words, folder):
        """Checks and lists the files in the open `folder`."""
        for name in sorted(os.listdir(folder)):
            inner = [*words, name]
            shown = self.shown(inner)
            status = os.stat(name, dir_fd=folder, follow_symlinks=False)
            if stat.S_ISDIR(status.st_mode) and is_layout_folder(inner):
                descriptor = open_folder(folder, name, shown)
                self.folders.append(inner)
                try:
                    self._list(inner, descriptor)
                finally:
                    os.close(descriptor)
            elif stat.S_ISREG(status.st_mode) and is_layout_name(inner):
                self.files.append(inner)
                self.size += status.st_size
                if len(self.files) > FILES_MAX:
                    raise Failure(f"{self.path}: more than {FILES_MAX} files, which is no layout")
            elif not stat.S_ISREG(status.st_mode):
                raise Failure(f"{shown}: {kind(status.st_mode)}, and an OCI layout has none there: it is not read")
            elif not name.startswith("."):
                raise Failure(f"{shown}: no file of an OCI layout has this name: it is not read")

    def shown(self, words):
        return os.path.join(self.path, *words)

    @contextlib.contextmanager
    def open(self, words):
        """Yields one of `files`, as an Unchanging."""
        folder = os.dup(self.top)
        try:
            for depth, name in enumerate(words[:-1], 1):
                outer = folder
                folder = open_folder(outer, name, self.shown(words[:depth]))
                os.close(outer)
            descriptor = open_regular(folder, words[-1], self.shown(words))
        finally:
            os.close(folder)
        with Unchanging(descriptor, self.shown(words)) as file:
            yield file
            file.check()

    def copy(self, target):
        """Copies the layout into the folder `target`, which only this user can write."""
        for words in self.folders:
            os.mkdir(os.path.join(target, *words))
        for words in self.files:
            with self.open(words) as file, open(os.path.join(target, *words), "xb") as copy:
                shutil.copyfileobj(file, copy, BLOCK)

    def archive(self, file, below=()):
        """Writes an oci-archive, in the folder `below` of it: as `skopeo copy … oci-archive:/dev/vdb` fills a disk."""
        below = [*below, *self.below]
        with tarfile.open(fileobj=file, mode="w", format=tarfile.GNU_FORMAT, copybufsize=BLOCK) as archive:
            for depth in range(1, len(below) + 1):
                archive.addfile(entry(below[:depth], tarfile.DIRTYPE, 0o755))
            for words in self.folders:
                archive.addfile(entry([*below, *words], tarfile.DIRTYPE, 0o755))
            for words in self.files:
                with self.open(words) as content:
                    archive.addfile(entry([*below, *words], tarfile.REGTYPE, 0o644, content.size), content)


class Unchanging:
    """A regular file read from its start to its end: `check` is an error if it changed meanwhile."""

    def __init__(self, descriptor, shown):
        self.descriptor, self.shown = descriptor, shown
        self.status = os.fstat(descriptor)
        self.size = self.left = self.status.st_size

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.close(self.descriptor)

    def read(self, count):
        """Returns at most `count` bytes; none at the end, which is the file's size when it was opened."""
        parts = []
        wanted = min(count, self.left)
        while wanted:
            data = os.read(self.descriptor, wanted)
            if not data:
                raise self.changed()
            parts.append(data)
            wanted -= len(data)
            self.left -= len(data)
        return b"".join(parts)

    def check(self):
        """Fails unless all of it was read, and no more came."""
        now = os.fstat(self.descriptor)
        same = all(getattr(now, name) == getattr(self.status, name) for name in ("st_size", "st_mtime_ns", "st_ctime_ns"))
        if self.left or not same or os.read(self.descriptor, 1):
            raise self.changed()

    def changed(self):
        return Failure(f"{self.shown}: changed while it was read")


def entry(words, type_, mode, size=0):
    """Returns a tar entry without the file's owner and time."""
    made = tarfile.TarInfo("/".join(words))
    made.type, made.mode, made.size = type_, mode, size
    return made


def open_folder(folder, name, shown):
    try:
        return os.open(name, OPEN_DIRECTORY, dir_fd=folder)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENOTDIR):
            raise Failure(f"{shown}: not a directory, where an OCI layout has one: it is not read") from None
        raise OSError(error.errno, error.strerror, shown) from None


def open_regular(folder, name, shown):
    try:
        descriptor = os.open(name, OPEN_FILE, dir_fd=folder)
    except OSError as error:
        raise OSError(error.errno, error.strerror, shown) from None
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        raise Failure(f"{shown}: {kind(status.st_mode)}, and an OCI layout has none there: it is not read")
    return descriptor


def kind(mode):
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


def open_source(path, below=()):
    """Opens the layout at `path`, or in the folder `below` of it; fails if there is none."""
    source = Source(path, below)
    if not MARKS & {words[0] for words in [*source.files, *source.folders]}:
        raise Failure(f"{source.path}: not an OCI layout (it has no oci-layout, index.json or refs)")
    return source


class Damaged(Failure):
    """An archive that is none, or ends early."""


@contextlib.contextmanager
def named_damage(path):
    """Turns errors of tarfile and the decompressors about a damaged archive into one line."""
    try:
        yield
    except (tarfile.TarError, EOFError, zlib.error, lzma.LZMAError) as error:
        raise Damaged(f"{path}: a damaged archive: {error}") from None


class Member(tarfile.TarInfo):
    """An entry of a tar of somebody else: tarfile reads what stands before its content whole, so that is bounded."""

    EXTENSIONS = {
        tarfile.XHDTYPE,
        tarfile.XGLTYPE,
        tarfile.SOLARIS_XHDTYPE,
        tarfile.GNUTYPE_LONGNAME,
        tarfile.GNUTYPE_LONGLINK,
    }

    def _proc_member(self, archive):
        if self.type in self.EXTENSIONS and self.size > HEADER_MAX:
            raise Failure(f"{archive.name}: a header of {self.size} bytes, more than {HEADER_MAX}")
        if self.type == tarfile.GNUTYPE_SPARSE:
            raise self.has_holes(archive)
        return super()._proc_member(archive)

    def _proc_gnusparse_10(self, *arguments):
        raise self.has_holes(arguments[-1])

    def has_holes(self, archive):
        return Failure(f"{archive.name}: entry {self.name} is neither a file nor a folder: it has holes")


def members(path):
    """Yields the archive at `path`, opened, with each of its entries. They are not kept: there may be millions."""
    with named_damage(path), tarfile.open(path, tarinfo=Member) as archive:
        for _ in range(FILES_MAX):
            member = archive.next()
            if member is None:
                return
            archive.members.clear()
            yield archive, member
    raise Failure(f"{path}: more than {FILES_MAX} entries, which is no layout")


def is_archive(path):
    """True if the regular file at `path` is a tar, compressed or not."""
    try:
        with contextlib.closing(members(path)) as entries:
            next(entries, None)
    except Damaged:
        return False
    return True


def unpack(archive_path, target):
    """Unpacks an oci-archive into the folder `target`, which only this user can write; takes only a layout's names."""
    with named_damage(archive_path), contextlib.closing(members(archive_path)) as entries:
        for archive, member in entries:
            words = [word for word in member.name.split("/") if word not in ("", ".")]
            name = f"{archive_path}: entry {member.name}"
            if member.name.startswith("/") or ".." in words:
                raise Failure(f"{name} leads out of the archive")
            place = os.path.join(target, *words)
            if member.type in (tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.CONTTYPE) and not member.issparse():
                if is_layout_name(words):
                    os.makedirs(os.path.dirname(place), exist_ok=True)
                    require_room(target, member.size)
                    with archive.extractfile(member) as content, open(place, "wb") as file:
                        shutil.copyfileobj(content, file, BLOCK)
                elif not words or not words[-1].startswith("."):
                    raise Failure(f"{name}: no file of an OCI layout has this name")
            elif not member.isdir():
                raise Failure(f"{name} is neither a file nor a folder")
            elif words and is_layout_folder(words):
                os.makedirs(place, exist_ok=True)
            elif words:
                raise Failure(f"{name}: no folder of an OCI layout has this name")


def temporary_archive(source):
    """Returns the fd of a nameless file with the layout as an oci-archive."""
    place = temporary_place()
    with room_named(place, f"the disk of {source.path}"):
        require_room(place, source.size)
        file = tempfile.TemporaryFile(prefix="ocinit-", dir=place)
        source.archive(file)
        file.flush()
    return os.dup(file.fileno())
