"""An initramfs for ocinit, made in memory: the binary, the kernel modules a boot may need, and its configuration.

The format is "newc" cpio, which the kernel unpacks; several archives may follow one another.
"""

import gzip
import lzma
import pathlib
import re
import stat

from common import Failure

# What every boot loads: the buses, disks and the console ports of a QEMU machine. Dependencies come by themselves.
PCI = ["virtio_pci", "virtio_blk", "virtio_console", "nvme"]
MMIO = ["virtio_mmio", "virtio_blk", "virtio_console"]  # microvm has no PCI
ALWAYS = ["virtio_pci", "virtio_mmio", "virtio_blk", "virtio_console", "nvme"]  # for an unknown machine

# What a file system needs before it can be mounted, loaded only then. The kernel would ask modprobe for the tables
# of vfat's code pages and for the checksum, but an initramfs has no modprobe.
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

    def __init__(self):
        self.parts = []
        self.size = 0
        self.inode = 0

    def file(self, name, data, mode=0o644):
        self._entry(name, stat.S_IFREG | mode, data)

    def symlink(self, name, target):
        self._entry(name, stat.S_IFLNK | 0o777, target.encode())

    def directory(self, name):
        self._entry(name, stat.S_IFDIR | 0o755)

    def character_device(self, name, major, minor, mode=0o600):
        self._entry(name, stat.S_IFCHR | mode, device=(major, minor))

    def finish(self):
        """The archive's bytes, padded to 512 as every cpio program does."""
        self._entry("TRAILER!!!", 0)
        self._append(b"\0" * (-self.size % 512))
        return b"".join(self.parts)

    def _entry(self, name, mode, data=b"", device=(0, 0)):
        self.inode += 1
        name = name.encode() + b"\0"
        # inode mode uid gid links mtime size, device of the file, device it is, length of the name, checksum (unused)
        fields = [self.inode, mode, 0, 0, 1, 0, len(data), 0, 0, *device, len(name), 0]
        self._append(b"070701" + b"".join(b"%08x" % field for field in fields) + name)
        self._append(b"\0" * (-self.size % 4))
        self._append(data)
        self._append(b"\0" * (-self.size % 4))

    def _append(self, data):
        self.parts.append(data)
        self.size += len(data)


def canonical(name):
    """The kernel writes both virtio-rng.ko and virtio_rng for the same module."""
    return name.replace("-", "_")


class Modules:
    """The modules of one kernel, as Debian packages them: without modules.dep, so dependencies are read from each."""

    def __init__(self, folder):
        folder = pathlib.Path(folder)
        if not (folder / "kernel").is_dir():
            raise Failure(f"{folder}: not a folder of kernel modules (it has no kernel/)")
        self.paths = {canonical(path.name.split(".ko")[0]): path for path in (folder / "kernel").rglob("*.ko*")}
        builtin = folder / "modules.builtin"
        lines = builtin.read_text().split() if builtin.exists() else []
        self.builtin = {canonical(pathlib.Path(line).name.removesuffix(".ko")) for line in lines}
        self.contents = {}

    def read(self, name):
        """A module's bytes as the guest loads them: not compressed."""
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

    def depends(self, name):
        """The modules that must be loaded before `name`, from the `depends=` string of its .modinfo section."""
        found = re.search(rb"\0depends=([^\0]*)\0", self.read(name))
        if not found:
            raise Failure(f"{self.paths[name]}: not a kernel module (no depends= in it)")
        return [canonical(word) for word in found[1].decode().split(",") if word]

    def has(self, name):
        """True if the module is there, or built in."""
        return name in self.paths or name in self.builtin

    def in_order(self, wanted):
        """`wanted` and all it needs, each after what it needs; leaves out what is built in or not there at all."""
        order = []
        waiting = [(name, False) for name in reversed(wanted)]
        while waiting:
            name, needs_done = waiting.pop()
            if name in order or name not in self.paths:
                continue
            if needs_done:
                order.append(name)
            else:
                waiting.append((name, True))
                waiting.extend((need, False) for need in self.depends(name))
        return order


def build(init, modules=None, always=ALWAYS):
    """The initramfs: /init, a console, and the modules of folder `modules` (None: a kernel with all built in)."""
    cpio = Cpio()
    cpio.directory("dev")
    # Without this node the kernel starts /init with descriptors 0 to 2 closed.
    cpio.character_device("dev/console", 5, 1)
    cpio.file("init", pathlib.Path(init).read_bytes(), 0o755)
    if modules is not None:
        _add_modules(cpio, Modules(modules), always)
    return cpio.finish()


def _add_modules(cpio, modules, wanted_always):
    """The modules in one flat folder and `list`: a line for each, in order, with its file system if only that needs it."""
    always = modules.in_order(wanted_always)
    lines = [f"{name}.ko" for name in always]
    names = set(always)
    for file_system, wanted in FILE_SYSTEMS.items():
        lazy = [name for name in modules.in_order(wanted) if name not in always]
        if wanted[-1] not in lazy:
            continue  # built in: it needs nothing of ours
        lines += [f"{name}.ko {file_system}" for name in lazy]
        names.update(lazy)
    cpio.directory("lib")
    cpio.directory("lib/modules")
    for name in sorted(names):
        cpio.file(f"lib/modules/{name}.ko", modules.read(name))
    cpio.file("lib/modules/list", "".join(f"{line}\n" for line in lines).encode())


def configuration(records):
    """A second archive with /ocinit.conf: NUL after each record, so a record may hold anything else."""
    cpio = Cpio()
    cpio.file("ocinit.conf", b"".join(record + b"\0" for record in records), 0o600)
    return cpio.finish()
