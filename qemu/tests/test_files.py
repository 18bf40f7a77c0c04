"""Files and cache: whole or not at all, private, and made once by several processes."""

import errno
import os
import pathlib
import stat
import threading
import time
import unittest
from unittest import mock

from support import InFolder

import files
from cache import cache, locked, made_once, trust
from failure import Failure
from files import replacing, require_room, room_named, temporary_place


class Replacing(InFolder):
    def left(self) -> list[str]:
        names = sorted(path.name for path in self.folder.iterdir())
        return [name for name in names if name not in ("tmp", "cache")]

    def test_it_becomes_the_file(self) -> None:
        output = self.folder / "out"
        output.write_text("old")
        with replacing(output) as made:
            pathlib.Path(made).write_text("new")
            self.assertEqual(output.read_text(), "old")
        self.assertEqual((output.read_text(), self.left()), ("new", ["out"]))

    def test_a_failure_leaves_the_old_one_alone(self) -> None:
        output = self.folder / "out"
        output.write_text("old")
        with self.assertRaises(ValueError), replacing(output) as made:
            pathlib.Path(made).write_text("half")
            raise ValueError
        self.assertEqual((output.read_text(), self.left()), ("old", ["out"]))

    def test_a_link_is_replaced_and_not_followed(self) -> None:
        victim, output = self.folder / "victim", self.folder / "out"
        victim.write_text("untouched")
        output.symlink_to(victim)
        with replacing(output) as made:
            pathlib.Path(made).write_text("new")
        self.assertEqual((victim.read_text(), output.is_symlink()), ("untouched", False))

    def test_a_fifo_stays(self) -> None:
        output = self.folder / "out"
        os.mkfifo(output)
        with self.assertRaisesRegex(Failure, "no regular file"), replacing(output):
            self.fail("it was replaced")
        self.assertTrue(stat.S_ISFIFO(os.lstat(output).st_mode))


class Room(InFolder):
    def test_more_than_there_is_fails_at_once(self) -> None:
        require_room(self.folder, 1)
        with self.assertRaises(OSError) as raised:
            require_room(self.folder, 1 << 60)
        self.assertEqual(raised.exception.errno, errno.ENOSPC)

    def test_a_full_disk_is_named(self) -> None:
        for number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            named = self.assertRaisesRegex(Failure, "^/there: .*, writing it$")
            with named, room_named("/there", "it"):
                raise OSError(number, os.strerror(number))
        hint = r", writing it \(TMPDIR can name another place\)$"
        with self.assertRaisesRegex(Failure, hint), room_named(self.temporary, "it"):
            raise OSError(errno.ENOSPC, "x")
        with self.assertRaises(PermissionError), room_named("/there", "it"):
            raise PermissionError(errno.EACCES, "x")

    def test_the_place_is_tmpdir_or_tmp(self) -> None:
        self.assertEqual(temporary_place(), str(self.temporary))
        with mock.patch.dict(os.environ, {"TMPDIR": ""}):
            self.assertEqual(files.temporary_place(), "/tmp")


class Cache(InFolder):
    def test_its_folders_belong_to_the_user_alone(self) -> None:
        path = cache("a", "b")
        self.assertEqual(path, self.folder / "cache/ocinit/a/b")
        for folder in (path, path.parent, path.parent.parent):
            self.assertEqual(stat.S_IMODE(folder.stat().st_mode), 0o700)
        self.assertEqual(cache("a", "b"), path)

    def test_what_others_could_replace_is_refused(self) -> None:
        path = cache("a")
        path.chmod(0o777)
        with self.assertRaisesRegex(Failure, "every user can write it"):
            cache("a")
        path.chmod(0o1777)  # sticky: nobody else's
        cache("a")
        path.rmdir()
        path.symlink_to(self.folder)
        with self.assertRaisesRegex(Failure, "neither a folder nor a file of ours"):
            cache("a")
        status = mock.Mock(st_mode=stat.S_IFDIR | 0o700, st_uid=4242)
        with self.assertRaisesRegex(Failure, "belongs to user 4242"):
            trust(path, status, stat.S_ISDIR)

    def test_a_lock_follows_no_link(self) -> None:
        path = cache("a") / "thing"
        victim = self.folder / "victim"
        (path.parent / ".thing.lock").symlink_to(victim)
        with self.assertRaises(OSError), locked(path):
            self.fail("it was locked")
        self.assertFalse(victim.exists())


class MadeOnce(InFolder):
    def test_of_many_one_makes_it(self) -> None:
        path = cache("a") / "thing"
        makers = []

        def make() -> None:
            with made_once(path) as work:
                if work:
                    makers.append(work)
                    time.sleep(0.1)
                    (work / "file").touch()
            assert (path / "file").exists()

        threads = [threading.Thread(target=make) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        self.assertEqual(len(makers), 1)

    def test_a_failure_leaves_nothing_and_the_next_one_makes_it(self) -> None:
        path = cache("a") / "thing"
        with self.assertRaises(ValueError), made_once(path) as work:
            assert work
            (work / "half").touch()
            raise ValueError
        self.assertFalse(path.exists())
        self.assertEqual([entry.name for entry in path.parent.iterdir()], [".thing.lock"])
        with made_once(path) as work:
            self.assertIsNotNone(work)
        with made_once(path) as work:
            self.assertIsNone(work)


if __name__ == "__main__":
    unittest.main()
