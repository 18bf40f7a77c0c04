"""The initramfs: its cpio archives, and modules in an order in which they can be loaded."""

import gzip
import lzma
import pathlib
import stat
from typing import NamedTuple

from support import InFolder

import initramfs
from failure import Failure
from initramfs import Cpio, Modules


class Entry(NamedTuple):
    mode: int
    data: bytes
    device: tuple[int, int]


def read(archive: bytes) -> dict[str, Entry]:
    """Returns the entries of one or several newc archives, by a reading of its own."""
    entries: dict[str, Entry] = {}
    at = 0
    while at < len(archive):
        if archive[at] == 0:
            at += 1  # between archives
            continue
        assert at % 4 == 0 and archive[at : at + 6] == b"070701", at
        fields = [int(archive[at + 6 + 8 * n : at + 14 + 8 * n], 16) for n in range(13)]
        name_start = at + 110
        name_end = name_start + fields[11]
        name = archive[name_start : name_end - 1].decode()
        start = (name_end + 3) // 4 * 4
        end = start + fields[6]
        if name != "TRAILER!!!":
            entries[name] = Entry(fields[1], archive[start:end], (fields[9], fields[10]))
        at = (end + 3) // 4 * 4
    return entries


class Archives(InFolder):
    def test_every_kind_of_entry(self) -> None:
        cpio = Cpio()
        cpio.directory("dev")
        cpio.character_device("dev/console", 5, 1)
        cpio.symlink("link", "target")
        for length in range(6):  # each padding
            cpio.file("f" * (length + 1), b"x" * length, 0o755)
        data = cpio.finish()
        self.assertEqual(len(data) % 512, 0)
        entries = read(data)
        self.assertEqual(entries["dev"].mode, stat.S_IFDIR | 0o755)
        self.assertEqual(entries["dev/console"], Entry(stat.S_IFCHR | 0o600, b"", (5, 1)))
        self.assertEqual(entries["link"], Entry(stat.S_IFLNK | 0o777, b"target", (0, 0)))
        for length in range(6):
            entry = entries["f" * (length + 1)]
            self.assertEqual(entry, Entry(stat.S_IFREG | 0o755, b"x" * length, (0, 0)))

    def test_the_configuration_is_private_and_ends_each_record(self) -> None:
        entries = read(initramfs.configuration([b"arg=a\nb", b"arg="]))
        expected = Entry(stat.S_IFREG | 0o600, b"arg=a\nb\0arg=\0", (0, 0))
        self.assertEqual(entries, {"ocinit.conf": expected})

    def test_without_modules_there_is_no_list(self) -> None:
        init = self.folder / "init"
        init.write_bytes(b"program")
        entries = read(initramfs.build(init))
        self.assertEqual(sorted(entries), ["dev", "dev/console", "init"])
        self.assertEqual(entries["init"], Entry(stat.S_IFREG | 0o755, b"program", (0, 0)))


class ModulesTest(InFolder):
    def module(self, name: str, *needs: str) -> None:
        """Writes a module of one kernel; its suffix says how it is compressed."""
        path = self.folder / "kernel/drivers" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        data = b"\x7fELF\0license=GPL\0depends=" + ",".join(needs).encode() + b"\0"
        if path.suffix == ".xz":
            data = lzma.compress(data)
        elif path.suffix == ".gz":
            data = gzip.compress(data)
        path.write_bytes(data)

    def test_each_is_after_what_it_needs(self) -> None:
        self.module("virtio.ko")
        self.module("virtio_ring.ko.xz")
        self.module("virtio-pci.ko.gz", "virtio_ring", "virtio")
        self.module("virtio_blk.ko", "virtio-pci", "builtin")
        modules = Modules(self.folder)
        expected = ["virtio", "virtio_ring", "virtio_pci", "virtio_blk"]
        self.assertEqual(modules.in_order(["virtio_blk", "nvme", "virtio"]), expected)
        self.assertIn(b"depends=virtio_ring,virtio\0", modules.read("virtio_pci"))

    def test_a_circle_ends(self) -> None:
        self.module("a.ko", "b")
        self.module("b.ko", "a")
        self.assertEqual(Modules(self.folder).in_order(["a"]), ["b", "a"])

    def test_what_is_there_or_built_in(self) -> None:
        self.module("virtio-mmio.ko.xz")
        (self.folder / "modules.builtin").write_text("kernel/fs/ext4/ext4.ko\nkernel/x-y.ko\n")
        modules = Modules(self.folder)
        for name, expected in [("virtio_mmio", True), ("ext4", True), ("x_y", True), ("z", False)]:
            self.assertEqual(modules.has(name), expected, name)

    def test_errors(self) -> None:
        with self.assertRaisesRegex(Failure, "not a folder of kernel modules"):
            Modules(self.folder)
        self.module("a.ko.zst")
        with self.assertRaisesRegex(Failure, r"a\.ko\.zst: cannot decompress this"):
            Modules(self.folder).depends("a")
        self.module("b.ko")
        (self.folder / "kernel/drivers/b.ko").write_bytes(b"no module")
        with self.assertRaisesRegex(Failure, "not a kernel module"):
            Modules(self.folder).depends("b")

    def test_the_list_names_the_file_system_that_alone_needs_a_module(self) -> None:
        for name, needs in [
            ("virtio_pci", ()),
            ("virtio_blk", ("virtio_pci",)),
            ("libcrc32c", ()),
            ("crc32c_generic", ()),
            ("erofs", ("libcrc32c",)),
            ("isofs", ("virtio_pci",)),
        ]:
            self.module(f"{name}.ko", *needs)
        init = self.folder / "init"
        init.touch()
        entries = read(initramfs.build(init, self.folder, initramfs.PCI))
        lines = entries["lib/modules/list"].data.decode().splitlines()
        expected = ["virtio_pci.ko", "virtio_blk.ko", "crc32c_generic.ko erofs"]
        expected += ["libcrc32c.ko erofs", "erofs.ko erofs", "isofs.ko iso9660"]
        self.assertEqual(lines, expected)
        files = {pathlib.PurePath(name).name for name in entries if name.endswith(".ko")}
        self.assertEqual(files, {line.split()[0] for line in lines})
