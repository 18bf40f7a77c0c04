"""The options of `boot`: each alone, the defaults, and what is refused."""

import contextlib
import io
import os
import unittest
from dataclasses import fields
from unittest import mock

from options import Options, parse
from tools import release_binary


def refused(*words: str) -> str:
    """Returns the one line of an error; its status is 125."""
    stderr = io.StringIO()
    with contextlib.redirect_stderr(stderr):
        try:
            parse(words)
        except SystemExit as end:
            assert end.code == 125, end.code
            (line,) = stderr.getvalue().splitlines()
            return line
    raise AssertionError(f"{words} were taken")


class Taken(unittest.TestCase):
    def test_the_defaults_are_those_of_the_type(self) -> None:
        self.assertEqual(parse(["image"]), Options("image"))

    def test_each_option_sets_its_own_value_alone(self) -> None:
        cases: list[tuple[list[str], str, object]] = [
            (["--machine", "microvm"], "machine", "microvm"),
            (["--accel", "kvm"], "accel", "kvm"),
            (["--kernel", "k"], "kernel", "k"),
            (["--init", "i"], "init", "i"),
            (["--initramfs", "r"], "initramfs", "r"),
            (["--mem", "77"], "mem", 77),
            (["--cpus", "3"], "cpus", 3),
            (["--fs", "erofs"], "fs", "erofs"),
            (["--append", "a b", "--append", "c"], "append", ("a b", "c")),
            (["--env", "A=1", "--env", "B="], "env", ("A=1", "B=")),
            (["--disk", "d,ro", "--disk", "e"], "disk", ("d,ro", "e")),
            (["-t"], "tty", True),
            (["--tty"], "tty", True),
            (["--console"], "console", True),
            (["--timeout", "2.5"], "timeout", 2.5),
            (["--timings"], "timings", True),
            (["--log", "l"], "log", "l"),
            (["--verbose"], "verbose", True),
        ]
        plain = Options("image")
        for words, name, value in cases:
            options = parse([*words, "image"])
            self.assertEqual(getattr(options, name), value, words)
            others = [field.name for field in fields(Options) if field.name != name]
            for other in others:
                self.assertEqual(getattr(options, other), getattr(plain, other), (words, other))
        with_modules = parse(["--kernel", "k", "--modules", "m", "image"])
        self.assertEqual((with_modules.kernel, with_modules.modules), ("k", "m"))
        tried = {name for _, name, _ in cases} | {"image", "modules", "arguments"}
        self.assertEqual(tried, {field.name for field in fields(Options)})

    def test_the_containers_arguments_are_all_after_the_first_dashes(self) -> None:
        options = parse(["--verbose", "image:tag", "--", "sh", "--mem", "--", "-t"])
        self.assertEqual(options.image, "image:tag")
        self.assertEqual(options.arguments, ("sh", "--mem", "--", "-t"))
        self.assertFalse(options.tty)
        self.assertEqual(parse(["image", "--"]).arguments, ())

    def test_the_binary_is_ocinit_of_the_environment_or_the_release_build(self) -> None:
        with mock.patch.dict(os.environ, {"OCINIT": "/x/ocinit"}):
            self.assertEqual(parse(["image"]).init, "/x/ocinit")
        with mock.patch.dict(os.environ, {"CARGO_TARGET_DIR": "/t"}):
            os.environ.pop("OCINIT", None)
            self.assertEqual(parse(["image"]).init, str(release_binary()))
            self.assertTrue(parse(["image"]).init.startswith("/t/x86_64-"))

    def test_the_guest_is_told_what_is_for_it(self) -> None:
        options = parse(
            ["-t", "--append", "a", "--append", "b", "--env", "N=v", "image", "--", "echo"]
        )
        guest = options.guest("ref")
        self.assertEqual(guest.append, "a b")
        self.assertEqual(guest.arguments, ("echo",))
        self.assertEqual(guest.environment, ("N=v",))
        self.assertEqual((guest.reference, guest.tty, guest.verbose), ("ref", True, False))


class Refused(unittest.TestCase):
    def test_each_with_one_line(self) -> None:
        cases: list[tuple[list[str], str]] = [
            ([], "IMAGE[:REF]"),
            (["image", "another"], "another"),
            (["--verb", "image"], "--verb"),  # no abbreviation
            (["--machine", "isapc", "image"], "isapc"),
            (["--accel", "xen", "image"], "xen"),
            (["--fs", "btrfs", "image"], "btrfs"),
            (["--mem", "0", "image"], "'0' is not a positive number"),
            (["--mem", "-5", "image"], "--mem"),
            (["--mem", "1g", "image"], "'1g' is not a positive number"),
            (["--cpus", "two", "image"], "'two' is not a positive number"),
            (["--timeout", "0", "image"], "'0' is not a number of seconds"),
            (["--timeout", "inf", "image"], "'inf' is not a number of seconds"),
            (["--timeout", "nan", "image"], "'nan' is not a number of seconds"),
            (["--timeout", "x", "image"], "'x' is not a number of seconds"),
            (["--env", "A", "image"], "--env A: not NAME=VALUE"),
            (["--env", "=A", "image"], "--env =A: not NAME=VALUE"),
            (["--modules", "m", "image"], "--modules belongs to a --kernel"),
        ]
        for words, part in cases:
            line = refused(*words)
            self.assertTrue(line.startswith("boot: ") and line.endswith("(try --help)"), line)
            self.assertIn(part, line)


if __name__ == "__main__":
    unittest.main()
