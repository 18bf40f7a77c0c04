"""Reads an untrusted archive of a layout: a tar, compressed or not, with any entries in it.

Only a layout's names are taken (layout.py). Anything else is an error that names it.
"""

import contextlib
import lzma
import os
import shutil
import tarfile
import zlib
from collections.abc import Generator, Iterator
from typing import Any

from failure import Failure
from files import require_room
from layout import BLOCK, FILES_MAX, is_layout_folder, is_layout_name
from tools import StrPath

REGULAR = (tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.CONTTYPE)
HEADER_MAX = 1 << 20  # bytes of a pax header or a long name, which tarfile reads whole


class Damaged(Failure):
    """No archive, or one that ends early."""


@contextlib.contextmanager
def named_damage(path: StrPath) -> Iterator[None]:
    """Turns the errors of tarfile and the decompressors into Damaged."""
    try:
        yield
    except (tarfile.TarError, EOFError, zlib.error, lzma.LZMAError) as error:
        raise Damaged(f"{path}: a damaged archive: {error}") from None


class Member(tarfile.TarInfo):
    """An entry of an untrusted tar. tarfile reads its headers whole, so they have a bound."""

    EXTENSIONS = frozenset(
        {
            tarfile.XHDTYPE,
            tarfile.XGLTYPE,
            tarfile.SOLARIS_XHDTYPE,
            tarfile.GNUTYPE_LONGNAME,
            tarfile.GNUTYPE_LONGLINK,
        }
    )

    # tarfile calls these two for each entry and has no types for them.

    def _proc_member(self, archive: tarfile.TarFile) -> Any:
        if self.type in self.EXTENSIONS and self.size > HEADER_MAX:
            raise Failure(
                f"{path_of(archive)}: a header of {self.size} bytes, more than {HEADER_MAX}"
            )
        if self.type == tarfile.GNUTYPE_SPARSE:
            raise self.has_holes(archive)
        return super()._proc_member(archive)  # type: ignore[misc]

    def _proc_gnusparse_10(self, *arguments: Any) -> None:
        raise self.has_holes(arguments[-1])

    def has_holes(self, archive: tarfile.TarFile) -> Failure:
        return Failure(
            f"{path_of(archive)}: entry {self.name} is neither a file nor a folder: it has holes"
        )


def path_of(archive: tarfile.TarFile) -> str:
    return os.fsdecode(archive.name or "")


def members(path: StrPath) -> Generator[tuple[tarfile.TarFile, tarfile.TarInfo], None, None]:
    """Yields the opened archive at `path` with each of its entries."""
    with named_damage(path), tarfile.open(path, tarinfo=Member) as archive:
        for _ in range(FILES_MAX):
            member = archive.next()
            if member is None:
                return
            archive.members.clear()  # type: ignore[attr-defined]  # there may be millions
            yield archive, member
    raise Failure(f"{path}: more than {FILES_MAX} entries, which is no layout")


def is_archive(path: StrPath) -> bool:
    """Returns true if the regular file at `path` is a tar, compressed or not."""
    try:
        with contextlib.closing(members(path)) as entries:
            next(entries, None)
    except Damaged:
        return False
    return True


def unpack(archive_path: StrPath, target: str) -> None:
    """Unpacks an oci-archive into the folder `target`, which only this user can write."""
    with named_damage(archive_path), contextlib.closing(members(archive_path)) as entries:
        for archive, member in entries:
            words = [word for word in member.name.split("/") if word not in ("", ".")]
            name = f"{archive_path}: entry {member.name}"
            if member.name.startswith("/") or ".." in words:
                raise Failure(f"{name} leads out of the archive")
            place = os.path.join(target, *words)
            if member.type in REGULAR and not member.issparse():
                if is_layout_name(words):
                    os.makedirs(os.path.dirname(place), exist_ok=True)
                    require_room(target, member.size)
                    content = archive.extractfile(member)
                    assert content  # of a regular file
                    with content, open(place, "wb") as file:
                        shutil.copyfileobj(content, file, BLOCK)
                elif not words or not words[-1].startswith("."):
                    raise Failure(f"{name}: no file of an OCI layout has this name")
            elif not member.isdir():
                raise Failure(f"{name} is neither a file nor a folder")
            elif words and is_layout_folder(words):
                os.makedirs(place, exist_ok=True)
            elif words:
                raise Failure(f"{name}: no folder of an OCI layout has this name")
