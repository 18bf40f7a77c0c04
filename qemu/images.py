"""OCI images of Debian's packages, layered with umoci: for demonstration, benchmarks and tests."""

import hashlib
import io
import pathlib
import subprocess
import tarfile
from collections.abc import Callable, Iterable

from cache import cache, made_once
from debian import debian_package
from tools import StrPath, run

TAG = "latest"


class Layer:
    """A tar in memory of files that root owns."""

    def __init__(self) -> None:
        self.bytes = io.BytesIO()
        self.tar = tarfile.TarFile(fileobj=self.bytes, mode="w")

    def add(
        self,
        name: str,
        kind: bytes = tarfile.REGTYPE,
        data: bytes = b"",
        mode: int = 0o644,
        link: str = "",
    ) -> "Layer":
        entry = tarfile.TarInfo(name)
        entry.type, entry.mode, entry.linkname, entry.size = kind, mode, link, len(data)
        self.tar.addfile(entry, io.BytesIO(data))
        return self

    def directory(self, name: str, mode: int = 0o755) -> "Layer":
        return self.add(name, tarfile.DIRTYPE, mode=mode)

    def symlink(self, name: str, target: str) -> "Layer":
        return self.add(name, tarfile.SYMTYPE, mode=0o777, link=target)

    def file(self, name: str, text: str | bytes, mode: int = 0o644) -> "Layer":
        data = text if isinstance(text, bytes) else text.encode()
        return self.add(name, data=data, mode=mode)

    def write(self, path: StrPath) -> None:
        self.tar.close()
        pathlib.Path(path).write_bytes(self.bytes.getvalue())


def busybox() -> tuple[pathlib.Path, list[str]]:
    """Returns Debian's static busybox and the names that it answers to."""
    package = debian_package("busybox-static")
    places = (package / "bin/busybox", package / "usr/bin/busybox")
    program = next(path for path in places if path.exists())
    listed = subprocess.run([program, "--list"], check=True, stdout=subprocess.PIPE, text=True)
    return program, listed.stdout.split()


def busybox_layer() -> Layer:
    """Returns a root file system of busybox alone."""
    program, applets = busybox()
    layer = Layer()
    for name in ["bin", "dev", "etc", "proc", "root", "sys", "usr", "usr/bin", "var"]:
        layer.directory(name)
    layer.directory("tmp", 0o1777)
    layer.file("bin/busybox", program.read_bytes(), 0o755)
    for applet in sorted(set(applets) - {"busybox"}):
        layer.symlink(f"bin/{applet}", "busybox")
    root, nobody = "root:x:0:0:root:/root:/bin/sh", "nobody:x:65534:65534:nobody:/:/bin/false"
    layer.file("etc/passwd", f"{root}\n{nobody}\n")
    layer.file("etc/group", "root:x:0:\nnogroup:x:65534:\n")
    return layer


def assemble(layout: StrPath, layers: Iterable[StrPath], *configuration: str) -> None:
    """Makes an OCI layout of tar files, by umoci."""
    image = f"{layout}:{TAG}"
    run("umoci", "init", "--layout", layout)
    run("umoci", "new", "--image", image)
    for layer in layers:
        run("umoci", "raw", "add-layer", "--image", image, layer)
    run("umoci", "config", "--image", image, *configuration)


def made(name: str, recipe: Callable[[pathlib.Path], None], *sources: StrPath) -> pathlib.Path:
    """Returns the layout `name` in the cache. `recipe` makes it once per version of `sources`."""
    content = b"".join(pathlib.Path(source).read_bytes() for source in (__file__, *sources))
    key = hashlib.sha256(content).hexdigest()[:12]
    place = cache("images") / f"{name}-{key}"
    with made_once(place) as folder:
        if folder:
            recipe(folder)
    return place / name
