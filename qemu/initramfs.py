"""An initramfs for ocinit, made in memory: the binary, the kernel modules, the configuration.

The format is "newc" cpio, which the kernel unpacks; several archives may follow one another.
"""

import gzip
import lzma
import pathlib
import re
import stat
from collections.abc import Iterable, Sequence

from failure import Failure
from tools import StrPath

# What every boot loads: the buses, disks and console ports of a QEMU machine, and what they need.
PCI = ["virtio_pci", "virtio_blk", "virtio_console", "nvme"]
MMIO = ["virtio_mmio", "virtio_blk", "virtio_console"]  # microvm has no PCI
# For an unknown machine.
ALWAYS = ["virtio_pci", "virtio_mmio", "virtio_blk", "virtio_console", "nvme"]

# What a file system needs before it can be mounted, loaded only then. The kernel would ask modprobe
# for vfat's code pages and for the checksum, but an initramfs has no modprobe.
FILE_SYSTEMS = {
    "ext4": ["crc32c_generic", "ext4"],
    "squashfs": ["squashfs"],
    "erofs": ["crc32c_generic", "erofs"],
    "iso9660": ["isofs"],
    "vfat": ["nls_cp437", "nls_ascii", "nls_iso8859_1", "vfat"],
    "overlay": ["overlay"],
}


class Cpio:
    """A newc archive in memory."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self.size = 0
        self.inode = 0

    def file(self, name: str, data: bytes, mode: int = 0o644) -> None:
        self._entry(name, stat.S_IFREG | mode, data)

    def symlink(self, name: str, target: str) -> None:
        self._entry(name, stat.S_IFLNK | 0o777, target.encode())

    def directory(self, name: str) -> None:
        self._entry(name, stat.S_IFDIR | 0o755)

    def character_device(self, name: str, major: int, minor: int, mode: int = 0o600) -> None:
        self._entry(name, stat.S_IFCHR | mode, device=(major, minor))

    def finish(self) -> bytes:
        """Returns the archive, padded to 512 bytes as by every cpio program."""
        self._entry("TRAILER!!!", 0)
        self._append(b"\0" * (-self.size % 512))
        return b"".join(self.parts)

    def _entry(
        self, name: str, mode: int, data: bytes = b"", device: tuple[int, int] = (0, 0)
    ) -> None:
        self.inode += 1
        path = name.encode() + b"\0"
        # inode, mode, uid, gid, links, mtime, size; major and minor of the device that holds the
        # file; of the device that it is; length of the name; checksum (unused)
        fields = [self.inode, mode, 0, 0, 1, 0, len(data), 0, 0, *device, len(path), 0]
        self._append(b"070701" + b"".join(b"%08x" % field for field in fields) + path)
        self._append(b"\0" * (-self.size % 4))
        self._append(data)
        self._append(b"\0" * (-self.size % 4))

    def _append(self, data: bytes) -> None:
        self.parts.append(data)
        self.size += len(data)


def canonical(name: str) -> str:
    """Returns one spelling: the kernel writes virtio-rng.ko and virtio_rng for one module."""
    return name.replace("-", "_")


class Modules:
    """The modules of one kernel. Debian packages no modules.dep, so each is asked what it needs."""

    def __init__(self, place: StrPath) -> None:
        folder = pathlib.Path(place)
        if not (folder / "kernel").is_dir():
            raise Failure(f"{folder}: not a folder of kernel modules (it has no kernel/)")
        files = (folder / "kernel").rglob("*.ko*")
        self.paths = {canonical(path.name.split(".ko")[0]): path for path in files}
        builtin = folder / "modules.builtin"
        lines = builtin.read_text().split() if builtin.exists() else []
        self.builtin = {canonical(pathlib.Path(line).name.removesuffix(".ko")) for line in lines}
        self.contents: dict[str, bytes] = {}

    def read(self, name: str) -> bytes:
        """Returns a module as the guest loads it: not compressed."""
        if name not in self.contents:
            path = self.paths[name]
            data = path.read_bytes()
            if path.name.endswith(".xz"):
                data = lzma.decompress(data)
            elif path.name.endswith(".gz"):
                data = gzip.decompress(data)
            elif not path.name.endswith(".ko"):
                raise Failure(f"{path}: cannot decompress this (known: .ko, .ko.xz, .ko.gz)")
            self.contents[name] = data
        return self.contents[name]

    def depends(self, name: str) -> list[str]:
        """Returns the modules that `name` needs, by `depends=` of its .modinfo section."""
        found = re.search(rb"\0depends=([^\0]*)\0", self.read(name))
        if not found:
            raise Failure(f"{self.paths[name]}: not a kernel module (no depends= in it)")
        return [canonical(word) for word in found[1].decode().split(",") if word]

    def has(self, name: str) -> bool:
        """Returns true if the module is a file or built in."""
        return name in self.paths or name in self.builtin

    def in_order(self, wanted: Sequence[str]) -> list[str]:
        """Returns `wanted` and all it needs, each after what it needs, if it is a file."""
        order: list[str] = []
        seen: set[str] = set()  # a circle ends at the first one seen again
        waiting = [(name, False) for name in reversed(wanted)]
        while waiting:
            name, needs_done = waiting.pop()
            if needs_done:
                order.append(name)
            elif name in self.paths and name not in seen:
                seen.add(name)
                waiting.append((name, True))
                waiting.extend((need, False) for need in self.depends(name))
        return order


def build(init: StrPath, modules: StrPath | None = None, always: Sequence[str] = ALWAYS) -> bytes:
    """Returns an initramfs: /init, a console, and the modules of the folder `modules`, if any."""
    cpio = Cpio()
    cpio.directory("dev")
    # Without this node the kernel starts /init with fds 0 to 2 closed.
    cpio.character_device("dev/console", 5, 1)
    cpio.file("init", pathlib.Path(init).read_bytes(), 0o755)
    if modules is not None:
        _add_modules(cpio, Modules(modules), always)
    return cpio.finish()


def _add_modules(cpio: Cpio, modules: Modules, wanted_always: Sequence[str]) -> None:
    """Adds the modules in one flat folder, and `list`: a line for each, in order.

    A line also names the file system if only that needs the module.
    """
    always = modules.in_order(wanted_always)
    lines = [f"{name}.ko" for name in always]
    names = set(always)
    for file_system, wanted in FILE_SYSTEMS.items():
        lazy = [name for name in modules.in_order(wanted) if name not in always]
        if wanted[-1] not in lazy:
            continue  # built in: it needs none of our files
        lines += [f"{name}.ko {file_system}" for name in lazy]
        names.update(lazy)
    cpio.directory("lib")
    cpio.directory("lib/modules")
    for name in sorted(names):
        cpio.file(f"lib/modules/{name}.ko", modules.read(name))
    cpio.file("lib/modules/list", "".join(f"{line}\n" for line in lines).encode())


def configuration(records: Iterable[bytes]) -> bytes:
    """Returns a second archive, with /ocinit.conf: a NUL ends each record."""
    cpio = Cpio()
    cpio.file("ocinit.conf", b"".join(record + b"\0" for record in records), 0o600)
    return cpio.finish()
