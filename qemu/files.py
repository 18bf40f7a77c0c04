"""Files that the scripts write: whole or not at all, and errors that name a full disk."""

import contextlib
import errno
import os
import stat
import tempfile
from collections.abc import Iterator

from failure import Failure
from tools import StrPath


def temporary_place() -> str:
    """Returns the folder for temporary files: $TMPDIR if set, even if it cannot be written."""
    return os.environ.get("TMPDIR") or "/tmp"


@contextlib.contextmanager
def replacing(output: StrPath) -> Iterator[str]:
    """Yields a path for a new file that becomes `output` if all goes well.

    The path is in a private folder beside it, where no other user can put a link. A failure
    leaves no partial file.
    """
    with contextlib.suppress(FileNotFoundError):
        mode = os.lstat(output).st_mode
        if not stat.S_ISREG(mode) and not stat.S_ISLNK(mode):
            raise Failure(f"{output}: is there and no regular file: it is not replaced")
    beside = os.path.dirname(os.path.abspath(output))
    with tempfile.TemporaryDirectory(prefix=".ocinit-", dir=beside) as folder:
        made = os.path.join(folder, "made")
        with room_named(beside, os.path.basename(output)):
            yield made
        os.replace(made, output)


def require_room(folder: StrPath, size: int) -> None:
    """Fails with ENOSPC if `folder` has no room for `size` bytes, before a copy takes hours."""
    status = os.statvfs(folder)
    room = status.f_bavail * status.f_frsize
    if size > room:
        reason = os.strerror(errno.ENOSPC)
        raise OSError(errno.ENOSPC, f"{reason} ({size} bytes are needed, {room} are free)")


@contextlib.contextmanager
def room_named(place: StrPath, what: str) -> Iterator[None]:
    """Makes the error for a full disk or quota name the place and the file."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise
        hint = " (TMPDIR can name another place)" if str(place) == temporary_place() else ""
        raise Failure(f"{place}: {error.strerror}, writing {what}{hint}") from None
