"""The guest's disks: which file is meant, its size, and how it is attached."""

import os
import pathlib
import tarfile
import unittest

from support import HEX, InFolder

from disks import Disk, further_disk, image_disk, made_disk, split_reference
from failure import Failure


class Reference(InFolder):
    def test_the_longest_name_that_exists_is_the_image(self) -> None:
        for name in ("image", "with:colon", "with"):
            (self.folder / name).touch()
        at = str(self.folder) + "/"
        for text, expected in [
            ("image", ("image", "")),
            ("image:latest", ("image", "latest")),
            ("image:a/b:c", ("image", "a/b:c")),
            ("with:colon", ("with:colon", "")),
            ("with:colon:x", ("with:colon", "x")),
            ("with:else", ("with", "else")),
        ]:
            self.assertEqual(split_reference(at + text), (at + expected[0], expected[1]))

    def test_nothing_after_the_colon_is_refused(self) -> None:
        (self.folder / "image").touch()
        with self.assertRaisesRegex(Failure, "nothing after the colon"):
            split_reference(f"{self.folder}/image:")

    def test_no_image(self) -> None:
        for text in ("", "nothing", ":tag", "nothing:tag"):
            with self.assertRaisesRegex(Failure, "no such image"):
                split_reference(text and f"{self.folder}/{text}".replace("/:", "-:"))


class Further(InFolder):
    def disk(self, name: str, size: int) -> pathlib.Path:
        path = self.folder / name
        path.touch()
        os.truncate(path, size)
        return path

    def attached(self, text: str) -> tuple[bool, bool, str | None]:
        """Returns whether it is read-only, whether its fd can be written, and its serial."""
        disk = further_disk(text)
        self.addCleanup(os.close, disk.fd)
        flags = int(pathlib.Path(f"/proc/self/fdinfo/{disk.fd}").read_text().split()[3], 8)
        return disk.read_only, flags & os.O_ACCMODE == os.O_RDWR, disk.serial

    def test_writable_unless_it_ends_with_ro(self) -> None:
        path = self.disk("disk", 1024)
        self.assertEqual(self.attached(str(path)), (False, True, None))
        self.assertEqual(self.attached(f"{path},ro"), (True, False, None))

    def test_a_file_whose_name_ends_so_is_meant_itself(self) -> None:
        path = self.disk("disk,ro", 1024)
        self.assertEqual(self.attached(str(path)), (False, True, None))
        self.assertEqual(self.attached(f"{path},ro"), (True, False, None))
        odd = self.disk("a,b:c", 512)
        self.assertEqual(self.attached(str(odd)), (False, True, None))

    def test_a_writable_one_has_whole_sectors(self) -> None:
        for size in (0, 1, 511, 513):
            path = self.disk(f"disk-{size}", size)
            with self.assertRaisesRegex(Failure, f"{size} bytes are no writable disk"):
                further_disk(str(path))
            self.assertEqual(self.attached(f"{path},ro")[0], True)

    def test_only_files_and_block_devices(self) -> None:
        for path in (self.folder, "/dev/null"):
            with self.assertRaisesRegex(Failure, "neither a file nor a block device"):
                further_disk(str(path))
        with self.assertRaises(FileNotFoundError):
            further_disk(f"{self.folder}/nothing")


class Image(InFolder):
    def made(self, path: pathlib.Path, *below: str) -> tuple[Disk, int]:
        disk, size = image_disk(str(path), "raw", below)
        self.addCleanup(os.close, disk.fd)
        return disk, size

    def test_a_layout_becomes_an_archive_without_a_name(self) -> None:
        disk, size = self.made(self.layout())
        self.assertEqual((disk.read_only, disk.serial, size), (True, "image", 8))
        with tarfile.open(f"/proc/self/fd/{disk.fd}") as tar:
            self.assertIn(f"blobs/sha256/{HEX}", tar.getnames())
        self.assertEqual(os.listdir(self.temporary), [])

    def test_a_path_leads_to_the_layout_unless_it_is_one(self) -> None:
        there = self.layout("outer/inner")
        for path, below, name in [
            (there.parent, ("inner",), "inner/index.json"),
            (there, ("inner",), "index.json"),  # as ocinit.path= says where on the disk
        ]:
            disk, _ = self.made(path, *below)
            with tarfile.open(f"/proc/self/fd/{disk.fd}") as tar:
                self.assertIn(name, tar.getnames())

    def test_a_file_is_the_disk_itself(self) -> None:
        path = self.folder / "disk"
        path.write_bytes(b"x" * 5000)
        disk, size = self.made(path)
        self.assertEqual((disk.read_only, disk.serial, size), (True, "image", 5000))
        self.assertTrue(os.path.samestat(os.fstat(disk.fd), path.stat()))

    def test_holes_take_no_memory(self) -> None:
        path = self.folder / "disk"
        path.write_bytes(b"x" * 4096)
        os.truncate(path, 1 << 40)
        _, size = self.made(path)
        self.assertLess(size, 1 << 20)

    def test_what_is_no_image(self) -> None:
        empty = self.folder / "empty"
        empty.touch()
        fifo = self.folder / "fifo"
        os.mkfifo(fifo)
        for path, part in [
            (empty, "an empty file"),
            (fifo, "neither a directory, a file nor a block device"),
            (pathlib.Path("/dev/null"), "neither a directory, a file nor a block device"),
            (self.temporary, "not an OCI layout"),
        ]:
            with self.assertRaisesRegex(Failure, part):
                image_disk(str(path), "raw")
        with self.assertRaisesRegex(Failure, "--fs ext4 makes a disk of a layout"):
            image_disk(str(fifo), "ext4")

    def test_mkdisks_error_has_no_fd_in_it(self) -> None:
        empty = self.folder / "empty"
        empty.mkdir()
        fd = os.open(empty, os.O_RDONLY)
        self.addCleanup(os.close, fd)
        with self.assertRaisesRegex(Failure, "^/shown: not an OCI layout"):
            made_disk(f"/proc/self/fd/{fd}", "/shown", "vfat", (), [fd])

    def test_mkdisks_error_names_the_image(self) -> None:
        (self.layout() / "secret").touch()
        with self.assertRaisesRegex(Failure, f"^{self.folder}/layout/secret: no file of"):
            image_disk(str(self.folder / "layout"), "vfat")
        damaged = self.folder / "archive.tar"
        with tarfile.open(damaged, "w") as tar:
            tar.addfile(tarfile.TarInfo("secret"))
        with self.assertRaisesRegex(Failure, f"^{damaged}: entry secret: no file of"):
            image_disk(str(damaged), "vfat")
        self.assertEqual(os.listdir(self.temporary), [])


if __name__ == "__main__":
    unittest.main()
