"""Untrusted layouts and archives: only a layout's own files are read, and no link is followed."""

import contextlib
import io
import os
import pathlib
import tarfile
import unittest
from collections.abc import Callable
from unittest import mock

from support import HEX, InFolder

import archive
import layout
from failure import Failure
from layout import Source, is_layout_folder, is_layout_name, open_source


class Names(unittest.TestCase):
    def test_files(self) -> None:
        for words, expected in [
            ("oci-layout", True),
            ("index.json", True),
            ("manifest.json", True),
            ("repositories", True),
            ("refs/v1.0:a", True),
            ("refs/.hidden", False),
            ("refs/a/b", False),
            (f"blobs/sha256/{HEX}", True),
            ("blobs/sha256/a.b", False),
            ("blobs/SHA/a", False),
            ("blobs/a+b_c.d-e/x", True),
            ("blobs/a++b/x", False),
            ("blobs/sha256/\u0663", False),
            ("secret", False),
            ("", False),
        ]:
            self.assertEqual(is_layout_name(words.split("/")), expected, words)
        self.assertFalse(is_layout_name([]))

    def test_folders(self) -> None:
        for words, expected in [
            ("refs", True),
            ("blobs", True),
            ("blobs/sha256", True),
            ("blobs/sha256/x", False),
            ("refs/x", False),
            ("x", False),
        ]:
            self.assertEqual(is_layout_folder(words.split("/")), expected, words)


class Directory(InFolder):
    def refused(self, path: pathlib.Path, below: tuple[str, ...], part: str) -> None:
        with self.assertRaises((Failure, OSError)) as raised:
            open_source(path, below).close()
        self.assertIn(part, str(raised.exception))

    def test_small_files_come_first_and_hidden_ones_not_at_all(self) -> None:
        there = self.layout()
        (there / ".gitignore").touch()
        source = open_source(there)
        self.addCleanup(source.close)
        names = ["/".join(words) for words in source.files]
        self.assertEqual(names, ["index.json", "oci-layout", f"blobs/sha256/{HEX}"])
        self.assertEqual(source.size, 8)

    def test_what_is_no_layouts_is_an_error_that_names_it(self) -> None:
        def link(path: pathlib.Path) -> None:
            path.unlink(missing_ok=True)
            path.symlink_to("/etc/passwd")

        def fifo(path: pathlib.Path) -> None:
            path.unlink(missing_ok=True)
            os.mkfifo(path)

        cases: list[tuple[str, Callable[[pathlib.Path], None], str]] = [
            ("index.json", link, "a symbolic link"),
            (f"blobs/sha256/{HEX}", fifo, "a FIFO"),
            ("refs", link, "a symbolic link"),
            ("secret", pathlib.Path.touch, "no file of an OCI layout has this name"),
            ("folder", pathlib.Path.mkdir, "a directory"),
            (".hidden", link, "a symbolic link"),
        ]
        for number, (name, spoil, part) in enumerate(cases):
            there = self.layout(f"spoilt-{number}")
            spoil(there / name)
            with self.assertRaisesRegex(Failure, part) as raised:
                open_source(there)
            self.assertIn(str(there / name), str(raised.exception))

    def test_the_way_to_it_has_no_links_and_does_not_lead_back(self) -> None:
        there = self.layout("outer/inner")
        (self.folder / "link").symlink_to("outer")
        open_source(self.folder, ("outer", "inner")).close()
        open_source(self.folder / "link", ("inner",)).close()  # the user's own path may be one
        self.refused(self.folder, ("link", "inner"), "not a directory")
        self.refused(there, ("..", "inner"), "`..` leads elsewhere")
        self.refused(self.folder, ("nothing",), "nothing")
        self.refused(self.temporary, (), "not an OCI layout")

    def test_a_copy_and_an_archive_have_the_same_files(self) -> None:
        source = open_source(self.layout())
        self.addCleanup(source.close)
        copy = self.folder / "copy"
        copy.mkdir()
        source.copy(str(copy))
        again = open_source(copy)
        self.addCleanup(again.close)
        self.assertEqual((again.files, again.folders), (source.files, source.folders))
        made = io.BytesIO()
        source.archive(made, ["a", "b"])
        made.seek(0)
        with tarfile.open(fileobj=made) as tar:
            entries = {entry.name: entry for entry in tar}
        files = [f"a/b/{'/'.join(words)}" for words in source.files]
        folders = [f"a/b/{'/'.join(words)}" for words in source.folders]
        self.assertEqual(list(entries), ["a", "a/b", *folders, *files])
        for entry in entries.values():
            self.assertEqual((entry.uid, entry.gid, entry.mtime), (0, 0, 0))

    def test_a_file_that_changes_while_it_is_read_is_an_error(self) -> None:
        there = self.layout()
        source = open_source(there)
        self.addCleanup(source.close)
        blob = there / f"blobs/sha256/{HEX}"
        words = ["blobs", "sha256", HEX]
        for change in (b"longer than before", b"x"):
            with self.changed(), source.open(words) as file:
                blob.write_bytes(change)
                while file.read(2):
                    pass
        with self.changed(), source.open(words) as file:
            pass  # not read to its end
        with self.changed(), source.open(words) as file:
            while file.read(2):
                pass
            blob.write_bytes(b"y")  # of the same size, after it was read

    def changed(self) -> contextlib.AbstractContextManager[object]:
        return self.assertRaisesRegex(Failure, "changed while it was read")

    def test_too_many_files(self) -> None:
        there = self.layout()
        with mock.patch.object(layout, "FILES_MAX", 2):
            self.refused(there, (), "more than 2 files")

    def test_no_fd_stays_open_after_an_error(self) -> None:
        (self.layout() / "secret").touch()
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(3):
            with self.assertRaises(Failure):
                Source(self.folder, ["layout"])
        self.assertEqual(len(os.listdir("/proc/self/fd")), before)

    def test_the_temporary_archive_has_no_name(self) -> None:
        source = open_source(self.layout())
        self.addCleanup(source.close)
        fd = layout.temporary_archive(source)
        self.addCleanup(os.close, fd)
        self.assertEqual(os.listdir(self.temporary), [])
        self.assertTrue(archive.is_archive(f"/proc/self/fd/{fd}"))


class Archive(InFolder):
    def tar(self, *entries: tuple[str, bytes, bytes]) -> pathlib.Path:
        """Returns an archive of (name, type, content)."""
        path = self.folder / "archive.tar"
        with tarfile.open(path, "w") as tar:
            for name, kind, content in entries:
                entry = tarfile.TarInfo(name)
                entry.type, entry.size, entry.linkname = kind, len(content), "/etc/passwd"
                tar.addfile(entry, io.BytesIO(content))
        return path

    def unpack(self, path: pathlib.Path) -> list[str]:
        target = self.folder / "target"
        target.mkdir()
        self.addCleanup(os.rename, target, self.folder / "done")
        archive.unpack(path, str(target))
        found = [str(entry.relative_to(target)) for entry in target.rglob("*")]
        return sorted(found)

    def test_a_layouts_names(self) -> None:
        path = self.tar(
            ("./", tarfile.DIRTYPE, b""),
            ("./oci-layout", tarfile.REGTYPE, b"{}"),
            ("blobs/sha256/ab", tarfile.REGTYPE, b"blob"),
            (".hidden", tarfile.REGTYPE, b"x"),
        )
        expected = ["blobs", "blobs/sha256", "blobs/sha256/ab", "oci-layout"]
        self.assertEqual(self.unpack(path), expected)

    def test_everything_else_is_an_error(self) -> None:
        regular, folder = tarfile.REGTYPE, tarfile.DIRTYPE
        for name, kind, part in [
            ("../oci-layout", regular, "leads out of the archive"),
            ("/oci-layout", regular, "leads out of the archive"),
            ("refs/../../x", regular, "leads out of the archive"),
            ("secret", regular, "no file of an OCI layout has this name"),
            ("folder", folder, "no folder of an OCI layout has this name"),
            ("index.json", tarfile.SYMTYPE, "neither a file nor a folder"),
            ("index.json", tarfile.LNKTYPE, "neither a file nor a folder"),
            ("index.json", tarfile.CHRTYPE, "neither a file nor a folder"),
        ]:
            target = self.folder / f"target-{name.replace('/', '_')}-{kind!r}"
            target.mkdir()
            with self.assertRaisesRegex(Failure, part):
                archive.unpack(self.tar((name, kind, b"")), str(target))
            self.assertEqual(list(target.iterdir()), [])
        self.assertFalse((self.folder / "oci-layout").exists())

    def test_a_header_of_gigabytes_is_not_read(self) -> None:
        for kind in (b"x", b"g", b"X", b"L", b"K"):
            entry = tarfile.TarInfo("x")
            entry.type, entry.size = kind, 7 << 30
            path = self.folder / "archive.tar"
            path.write_bytes(entry.tobuf(tarfile.USTAR_FORMAT))
            os.truncate(path, 8 << 30)
            with self.assertRaisesRegex(Failure, "a header of 7516192768 bytes, more than"):
                archive.unpack(path, str(self.temporary))

    def test_a_damaged_one_is_told_from_none(self) -> None:
        path = self.tar(("blobs/sha256/ab", tarfile.REGTYPE, b"x" * 5000))
        self.assertTrue(archive.is_archive(path))
        path.write_bytes(path.read_bytes()[:3000])
        with self.assertRaisesRegex(archive.Damaged, "damaged archive"):
            archive.unpack(path, str(self.temporary))
        path.write_bytes(b"no archive" * 100)
        self.assertFalse(archive.is_archive(path))
        path.write_bytes(b"\x1f\x8b\x08\0" + b"x" * 100)
        self.assertFalse(archive.is_archive(path))

    def test_too_many_entries(self) -> None:
        path = self.tar(*[("refs/x", tarfile.REGTYPE, b"")] * 4)
        with (
            mock.patch.object(archive, "FILES_MAX", 3),
            self.assertRaisesRegex(Failure, "more than 3 entries"),
        ):
            archive.unpack(path, str(self.temporary))


if __name__ == "__main__":
    unittest.main()
