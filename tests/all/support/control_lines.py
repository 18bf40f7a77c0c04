"""control_lines.py FOLDER ROUNDS: random conversations, read by FOLDER/control.py and once more.

The second reading looks at the whole text at once, by an expression for each line. The two must
agree.
"""

import random
import re
import sys

sys.path.insert(0, sys.argv[1])
from control import Lie, Report

SEED = 20211
COUNT = 1 << 63
PIECES = [
    b"hello 1",
    b"hello 2",
    b"hello",
    b"started",
    b"started ",
    b"error",
    b"error x y",
    b"error \x1b\xff",
    b"phase a 1 2",
    b"phase a 2 1",
    b"phase a 1",
    b"phase  1 2",
    b"exit 0 0 0",
    b"exit 255 1 2",
    b"exit 256 0 0",
    b"exit -1 0 0",
    b"exit 0 9223372036854775808 0",
    b"exit 0 9223372036854775809 0",
    b"exit 0 0",
    b"",
    b" ",
    b"\0",
    b"x" * 4096,
    b"error " + b"y" * 4090,
    b"error " + b"y" * 4091,
    "exit \u0663 0 0".encode(),
    b"exit 0 0 0\r",
    b"EXIT 0 0 0",
]


def second_reading(text):
    """The state that `text` leads to, or None if it is no conversation."""
    state = {
        "greeted": False,
        "started": False,
        "error": None,
        "phases": 0,
        "status": None,
        "wanted": [],
    }
    *lines, rest = text.split(b"\n")
    for line in lines:
        if state["status"] is not None or len(line) > 4096:
            return None
        if not state["greeted"]:
            if line != b"hello 1":
                return None
            state["greeted"] = True
        elif line == b"started" and not state["started"] and state["error"] is None:
            state["started"] = True
        elif found := re.fullmatch(rb"error ( *[^ ].*)", line, re.S):
            if state["error"] is not None:
                return None
            state["error"] = found[1]
        elif found := re.fullmatch(rb"phase [^ ]+ ([0-9]{1,19}) ([0-9]{1,19})", line):
            start, end = map(int, found.groups())
            state["phases"] += 1
            if not start <= end <= COUNT or state["phases"] > 16:
                return None
        elif found := re.fullmatch(rb"exit ([0-9]{1,19}) ([0-9]{1,19}) ([0-9]{1,19})", line):
            status, *wanted = map(int, found.groups())
            if status > 255 or max(wanted) > COUNT:
                return None
            state["status"], state["wanted"] = status, wanted
        else:
            return None
    if len(rest) > 4096 or (rest and state["status"] is not None):
        return None
    return state


def first_reading(text, chance):
    report = Report()
    try:
        while text:
            size = chance.choice([1, 3, 17, 500, 65536])
            for verb in report.feed(text[:size]):
                assert verb in ("hello", "started", "error", "phase", "exit"), verb
            text = text[size:]
        for _ in report.feed(b""):
            raise AssertionError("a line of nothing")
    except Lie as lie:
        assert "\n" not in str(lie) and str(lie).isprintable(), lie
        return None
    return {
        "greeted": report.greeted,
        "started": report.started,
        "error": report.error,
        "phases": len(report.phases),
        "status": report.status,
        "wanted": report.wanted,
    }


def conversation(chance):
    if chance.random() < 0.5:  # mostly right, so that the later lines are reached
        lines = [
            b"hello 1",
            *[b"phase p 1 2"] * chance.choice([0, 1, 15, 16, 17]),
            b"started",
            b"exit 3 4 5",
        ]
        if chance.random() < 0.5:
            lines.insert(chance.randrange(len(lines) + 1), chance.choice(PIECES))
    else:
        lines = [chance.choice(PIECES) for _ in range(chance.randrange(6))]
    text = bytearray(b"\n".join(lines) + chance.choice([b"\n", b"\n", b"\n", b"", b"\nx", b"\n\n"]))
    for _ in range(chance.choice([0, 0, 0, 1, 2])):
        if text:
            text[chance.randrange(len(text))] = chance.choice(b"0123456789 \n\r-+_\xff\x00xe")
    return bytes(text)


def main():
    chance = random.Random(SEED)
    believed = 0
    for number in range(int(sys.argv[2])):
        text = conversation(chance)
        expected, found = second_reading(text), first_reading(text, chance)
        if expected != found:
            sys.exit(f"round {number}: {text!r}\n{expected}\n{found}")
        believed += found is not None and found["status"] is not None
    assert believed * 25 > int(sys.argv[2]), f"only {believed} conversations came to their end"


main()
