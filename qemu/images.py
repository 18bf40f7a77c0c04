"""OCI images made from Debian's packages, for the demonstration, the benchmark and the tests: layered with umoci."""

import hashlib
import io
import pathlib
import subprocess
import tarfile

from common import cache, debian_package, made_once, run

TAG = "latest"


class Layer:
    """A tar in memory, of things that root owns."""

    def __init__(self):
        self.bytes = io.BytesIO()
        self.tar = tarfile.open(fileobj=self.bytes, mode="w")

    def add(self, name, kind=tarfile.REGTYPE, data=b"", mode=0o644, link=""):
        entry = tarfile.TarInfo(name)
        entry.type, entry.mode, entry.linkname, entry.size = kind, mode, link, len(data)
        self.tar.addfile(entry, io.BytesIO(data))
        return self

    def directory(self, name, mode=0o755):
        return self.add(name, tarfile.DIRTYPE, mode=mode)

    def symlink(self, name, target):
        return self.add(name, tarfile.SYMTYPE, mode=0o777, link=target)

    def file(self, name, text, mode=0o644):
        return self.add(name, data=text if isinstance(text, bytes) else text.encode(), mode=mode)

    def write(self, path):
        self.tar.close()
        pathlib.Path(path).write_bytes(self.bytes.getvalue())


def busybox():
    """Debian's static busybox, and the names it answers to."""
    package = debian_package("busybox-static")
    program = next(path for path in (package / "bin/busybox", package / "usr/bin/busybox") if path.exists())
    listed = subprocess.run([program, "--list"], check=True, stdout=subprocess.PIPE, text=True)
    return program, listed.stdout.split()


def busybox_layer():
    """A root file system of busybox alone."""
    program, applets = busybox()
    layer = Layer()
    for name in ["bin", "dev", "etc", "proc", "root", "sys", "usr", "usr/bin", "var"]:
        layer.directory(name)
    layer.directory("tmp", 0o1777)
    layer.file("bin/busybox", program.read_bytes(), 0o755)
    for applet in sorted(set(applets) - {"busybox"}):
        layer.symlink(f"bin/{applet}", "busybox")
    layer.file("etc/passwd", "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n")
    layer.file("etc/group", "root:x:0:\nnogroup:x:65534:\n")
    return layer


def assemble(layout, layers, *configuration):
    """An OCI layout of tar files, by umoci."""
    image = f"{layout}:{TAG}"
    run("umoci", "init", "--layout", layout)
    run("umoci", "new", "--image", image)
    for layer in layers:
        run("umoci", "raw", "add-layer", "--image", image, layer)
    run("umoci", "config", "--image", image, *configuration)


def made(name, recipe, *sources):
    """The layout `name` in the cache; made by `recipe(folder)` once for each version of the files it depends on."""
    key = hashlib.sha256(b"".join(pathlib.Path(source).read_bytes() for source in [__file__, *sources])).hexdigest()[:12]
    place = cache("images") / f"{name}-{key}"
    with made_once(place) as folder:
        if folder:
            recipe(folder)
    return place / name
