"""The cache: folders of this user below ${XDG_CACHE_HOME:-~/.cache}/ocinit, each made once."""

import contextlib
import fcntl
import os
import pathlib
import stat
import tempfile
from collections.abc import Callable, Iterator

from failure import Failure
from files import room_named


def cache(*parts: str) -> pathlib.Path:
    """Returns a folder of the cache, made if need be: nothing is fetched or made twice."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    os.makedirs(base, mode=0o700, exist_ok=True)
    path = pathlib.Path(base)
    trust(path, os.stat(path), stat.S_ISDIR)
    for part in ("ocinit", *parts):
        path = path / part
        with contextlib.suppress(FileExistsError):
            path.mkdir(mode=0o700)
        trust(path, os.lstat(path), stat.S_ISDIR)
    return path


def trust(path: pathlib.Path, status: os.stat_result, is_kind: Callable[[int], bool]) -> None:
    """Fails if the file is of another kind, or if another user could replace its content."""
    if not is_kind(status.st_mode):
        raise Failure(
            f"{path}: neither a folder nor a file of ours (remove it, or set XDG_CACHE_HOME)"
        )
    if status.st_uid not in (0, os.geteuid()):
        raise Failure(
            f"{path}: belongs to user {status.st_uid}: it is not used "
            "(remove it, or set XDG_CACHE_HOME)"
        )
    if status.st_mode & stat.S_IWOTH and not status.st_mode & stat.S_ISVTX:
        raise Failure(
            f"{path}: every user can write it: it is not used (chmod o-w, or set XDG_CACHE_HOME)"
        )


@contextlib.contextmanager
def locked(path: pathlib.Path) -> Iterator[None]:
    """Holds the lock file beside `path`: of several processes one goes ahead, the others wait."""
    name = path.parent / f".{path.name}.lock"
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    lock = os.open(name, flags, 0o600)
    try:
        trust(name, os.fstat(lock), stat.S_ISREG)
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


@contextlib.contextmanager
def made_once(path: pathlib.Path) -> Iterator[pathlib.Path | None]:
    """Yields an empty folder that becomes `path` if all goes well, or None if `path` exists.

    A second process waits for the first. A killed maker leaves nothing at `path`.
    """
    with locked(path):
        if path.exists():
            yield None
            return
        with tempfile.TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent) as temporary:
            work = pathlib.Path(temporary, "work")
            work.mkdir()
            with room_named(path.parent, path.name):
                yield work
            work.rename(path)
