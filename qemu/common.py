"""What the scripts of this folder share: where things are kept, how a tool is found, how to give up."""

import contextlib
import fcntl
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile

FAILED = 125  # our own failure, as docker's: never taken for what the container said

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent

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
    try:
        return function()
    except Failure as failure:
        line = str(failure)
    except OSError as error:
        where = f"{error.filename}: " if error.filename is not None else ""
        line = f"{where}{error.strerror or error}"
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    with contextlib.suppress(OSError):  # a stderr that is gone must not change the status
        print(f"{os.path.basename(sys.argv[0])}: {line}", file=sys.stderr)
    return FAILED


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
    path = pathlib.Path(base, "ocinit", *parts)
    path.mkdir(parents=True, exist_ok=True)
    return path


@contextlib.contextmanager
def locked(path):
    """Holds the lock file beside `path`: of several processes one goes ahead, the others wait."""
    with open(path.parent / f".{path.name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


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
            yield work
            work.rename(path)
