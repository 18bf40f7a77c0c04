"""What the scripts of this folder share: where things are kept, how a tool is found, how to give up."""

import contextlib
import errno
import fcntl
import os
import pathlib
import re
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import traceback

FAILED = 125  # our own failure, as docker's: never taken for what the container said

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
# cargo's target directory; a relative name starts at the source tree, as for `make`.
INIT = ROOT / (os.environ.get("CARGO_TARGET_DIR") or "target") / "x86_64-unknown-linux-musl/release/ocinit"

# Which Debian package brings a tool, so that a missing one is one clear line.
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


class Failure(Exception):
    """One line for the user: what could not be done, with what, and why."""


def main(function):
    """Runs a script's `function`; a failure becomes one line and exit status 125."""
    signal.signal(signal.SIGTERM, exit_by_signal)
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # nohup means it
        signal.signal(signal.SIGHUP, exit_by_signal)
    try:
        return function()
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except Exception as error:
        line = one_line(error)
    with contextlib.suppress(OSError, ValueError):  # a stderr that is gone must not change the status
        text = f"{os.path.basename(sys.argv[0])}: {line}\n"
        sys.stderr.write(text.encode(errors="backslashreplace").decode())
        sys.stderr.flush()
    return FAILED


def one_line(error):
    """Any exception as one line for the user."""
    if isinstance(error, Failure):
        return shown(str(error))
    if isinstance(error, OSError):
        where = f"{os.fsdecode(error.filename)}: " if isinstance(error.filename, (str, bytes, os.PathLike)) else ""
        return shown(f"{where}{error.strerror or error}")
    frames = traceback.extract_tb(error.__traceback__)
    where = f" ({os.path.basename(frames[-1].filename)}:{frames[-1].lineno})" if frames else ""
    return shown(f"internal error: {type(error).__name__}: {error}{where}")


# Characters of untrusted text that must not reach a terminal or log viewer: control characters, line ends, marks of
# writing direction. Besides, the commands of CI systems.
HIDDEN = {*range(0x20), *range(0x7F, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x2028, 0x2029, 0xFEFF} - {0x09}
ESCAPES = {code: f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" for code in HIDDEN}
CI_COMMAND = re.compile(r"^(\s*):(?=:)|#(?=#[\w.]*\[)")


def shown(text):
    """Returns untrusted text (bytes or str) as one line that no terminal or CI system obeys."""
    if isinstance(text, bytes):
        text = text.decode(errors="backslashreplace")
    text = text.translate(ESCAPES).encode(errors="backslashreplace").decode()
    return CI_COMMAND.sub(lambda found: f"{found[1]}\\x3a" if found[0].endswith(":") else "\\x23", text)


def exit_by_signal(number, _):
    """Ends by unwinding, so that temporary folders go."""
    sys.exit(128 + number)


def option_error(parser):
    """Makes argparse say one line, and with our exit status: its own 2 could be a container's."""

    def error(message):
        print(f"{parser.prog}: {message} (try --help)", file=sys.stderr)
        sys.exit(FAILED)

    parser.error = error
    return parser


def tool(name):
    """The path of a program; users' PATH in Debian lacks /sbin, where mke2fs lives."""
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])
    found = shutil.which(name, path=path)
    if found is None:
        raise Failure(f"{name} is missing: apt-get install {PACKAGES[name]}")
    return found


def run(name, *arguments, **options):
    """Runs a tool to its end and returns what it printed; of a failure its last line is told."""
    command = [tool(name), *map(str, arguments)]
    options = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
    done = subprocess.run(command, **options)
    if done.returncode != 0:
        said = (done.stderr or done.stdout or b"").decode(errors="replace").strip().splitlines()
        raise Failure(f"{name} failed with status {done.returncode}: {said[-1] if said else 'it said nothing'}")
    return (done.stdout or b"").decode(errors="replace")


def debian_package(name):
    """The contents of a Debian package, downloaded and unpacked into the cache, not installed. Needs no root."""
    place = cache("packages") / name
    with made_once(place) as folder:
        if folder:
            # As root apt drops to a user that cannot write here, and warns.
            download = ["apt-get", "download", "-q", "-o", "APT::Sandbox::User=root", name]
            with_package_lists(lambda: run(*download, cwd=folder))
            (archive,) = folder.glob("*.deb")
            run("dpkg", "-x", archive, folder)
            archive.unlink()
    return place


def with_package_lists(ask):
    """What `ask` wants of apt; a fresh container has no package lists yet, or they are too old to download from."""
    try:
        return ask()
    except Failure as failure:
        if os.geteuid() != 0:
            raise Failure(f"{failure} (perhaps `sudo apt-get update` helps)") from None
        run("apt-get", "update")
        return ask()


def cache(*parts):
    """A folder under ${XDG_CACHE_HOME:-~/.cache}/ocinit, made if need be: nothing is fetched or made twice."""
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


def trust(path, status, is_kind):
    """Fails if the file or folder is of another kind, or if another user could replace its content."""
    if not is_kind(status.st_mode):
        raise Failure(f"{path}: neither a folder nor a file of ours (remove it, or set XDG_CACHE_HOME)")
    if status.st_uid not in (0, os.geteuid()):
        raise Failure(f"{path}: belongs to user {status.st_uid}: it is not used (remove it, or set XDG_CACHE_HOME)")
    if status.st_mode & stat.S_IWOTH and not status.st_mode & stat.S_ISVTX:
        raise Failure(f"{path}: every user can write it: it is not used (chmod o-w, or set XDG_CACHE_HOME)")


@contextlib.contextmanager
def locked(path):
    """Holds the lock file beside `path`: of several processes one goes ahead, the others wait."""
    name = path.parent / f".{path.name}.lock"
    lock = os.open(name, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o600)
    try:
        trust(name, os.fstat(lock), stat.S_ISREG)
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


@contextlib.contextmanager
def replacing(output):
    """Yields a path for a new file that becomes `output` if all goes well.

    The path is in a private folder beside it, where no other user can put a link. A failure leaves no partial file.
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


def temporary_place():
    """Returns the folder for temporary files: $TMPDIR if it is set, even if it cannot be written."""
    return os.environ.get("TMPDIR") or "/tmp"


def require_room(folder, size):
    """Fails with ENOSPC if `folder` has no room for `size` bytes: a hole of a terabyte is not copied for hours."""
    status = os.statvfs(folder)
    room = status.f_bavail * status.f_frsize
    if size > room:
        raise OSError(errno.ENOSPC, f"{os.strerror(errno.ENOSPC)} ({size} bytes are needed, {room} are free)")


@contextlib.contextmanager
def room_named(place, what):
    """Names the place and the file if the disk or the user's quota is full."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise
        hint = " (TMPDIR can name another place)" if str(place) == temporary_place() else ""
        raise Failure(f"{place}: {error.strerror}, writing {what}{hint}") from None


@contextlib.contextmanager
def made_once(path):
    """Yields an empty folder that becomes `path` if all goes well, or None where `path` is there already.

    Whoever comes second waits, and a maker that died leaves nothing that looks finished.
    """
    path = pathlib.Path(path)
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
