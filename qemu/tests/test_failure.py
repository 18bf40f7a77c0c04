"""Errors and untrusted text are one line that no terminal or CI system obeys."""

import unittest

from failure import Failure, one_line, shown


class Shown(unittest.TestCase):
    def test_each(self) -> None:
        cases: list[tuple[str | bytes, str]] = [
            ("plain \t text", "plain \t text"),
            ("\x1b[2J\x9b\x07\r\n\0\x7f", "\\x1b[2J\\x9b\\x07\\x0d\\x0a\\x00\\x7f"),
            ("\u202ea\u2066\u2028\u2029\ufeff", "\\u202ea\\u2066\\u2028\\u2029\\ufeff"),
            (b"\xff\xfe\x1b", "\\xff\\xfe\\x1b"),
            ("\udcff", "\\udcff"),
            ("::set-output x", "\\x3a:set-output x"),
            ("  ::error::x", "  \\x3a:error::x"),
            ("a::b", "a::b"),
            ("x ##[group]y", "x \\x23#[group]y"),
            ("##vso[task.x]", "\\x23#vso[task.x]"),
            ("##teamcity[x]", "\\x23#teamcity[x]"),
            ("# a ## b", "# a ## b"),
            ("caf\u00e9 \u4e2d", "caf\u00e9 \u4e2d"),
        ]
        for text, expected in cases:
            self.assertEqual(shown(text), expected, text)

    def test_what_is_shown_is_shown_as_it_is(self) -> None:
        for text in ["::x", "##[y]", "\x1b\u202e", "  ::a"]:
            self.assertEqual(shown(shown(text)), shown(text))


class OneLine(unittest.TestCase):
    def test_each(self) -> None:
        for error, expected in [
            (Failure("what\nwhy"), "what\\x0awhy"),
            (FileNotFoundError(2, "No such file", "/a\x1b"), "/a\\x1b: No such file"),
            (FileNotFoundError(2, "No such file", b"/b"), "/b: No such file"),
            (OSError(5, "Input/output error", 3), "Input/output error"),
            (OSError("odd"), "odd"),
        ]:
            self.assertEqual(one_line(error), expected)

    def test_an_unexpected_one_names_its_line(self) -> None:
        try:
            raise ValueError("a\nb")
        except ValueError as error:
            line = one_line(error)
        expected = r"^internal error: ValueError: a\\x0ab \(test_failure\.py:\d+\)$"
        self.assertRegex(line, expected)


if __name__ == "__main__":
    unittest.main()
