"""Sparse files: maps that lie, maps without end, terabytes of holes."""

from collections.abc import Callable, Sequence
from typing import Any

from image import gives, refuses
from tarball import Pair, Text, base256, file, folder, old_sparse, pad, pax, tar


def listed(
    pairs: str | Sequence[Pair], data: Text, *, real: int = 100, name: str = "s", **fields: Any
) -> bytes:
    """Returns a file of form 0.1: one record."""
    text = pairs if isinstance(pairs, str) else ",".join(f"{a},{b}" for a, b in pairs)
    return pax(
        ("GNU.sparse.size", str(real)),
        ("GNU.sparse.numblocks", "1"),
        ("GNU.sparse.map", text),
        ("GNU.sparse.name", name),
    ) + file("x", data, **fields)


def parted(numbers: Sequence[object], data: Text, *, real: int = 100) -> bytes:
    """Returns a file of form 0.0: a record for each number."""
    return pax(
        ("GNU.sparse.size", str(real)),
        *[
            (f"GNU.sparse.{'numbytes' if n % 2 else 'offset'}", str(number))
            for n, number in enumerate(numbers)
        ],
    ) + file("s", data)


def texted(lines: bytes, data: bytes, *, real: int = 100, name: str = "s") -> bytes:
    """Returns a file of form 1.0: lines before the data."""
    return pax(
        ("GNU.sparse.major", "1"),
        ("GNU.sparse.minor", "0"),
        ("GNU.sparse.name", name),
        ("GNU.sparse.realsize", str(real)),
    ) + file("x", pad(lines) + data)


gives(
    "sparse-listed",
    tar(listed([(10, 2), (50, 1)], "abc"), file("b", "y")),
    "b",
    "s size=100 sha256=7e83464f",
)
gives(
    "sparse-parted",
    tar(parted([10, 2, 50, 1], "abc"), file("b", "y")),
    "b",
    "s size=100 sha256=7e83464f",
)
gives(
    "sparse-texted",
    tar(texted(b"2\n10\n2\n50\n1\n", b"abc"), file("b", "y")),
    "b",
    "s size=100 sha256=7e83464f",
)
gives(
    "sparse-old",
    tar(old_sparse("s", [(10, 2), (50, 1)], 100, b"abc"), file("b", "y")),
    "b",
    "s size=100 sha256=7e83464f",
)
gives(
    "sparse-old-goes-on",
    tar(old_sparse("s", [(10, 2)], 100, b"abc", more=[[(50, 1)]]), file("b", "y")),
    "b",
    "s size=100 sha256=7e83464f",
)
gives(
    "sparse-hole-alone",
    tar(listed("", "", real=1 << 20), listed([(1 << 20, 0)], "", real=1 << 20, name="t")),
    "s size=1048576 blocks=0",
    "t size=1048576 blocks=0",
)
gives(
    "sparse-terabyte",
    tar(listed([(1 << 40, 3)], "abc", real=(1 << 40) + 3)),
    f"s size={(1 << 40) + 3}",
)
gives(
    "sparse-touching", tar(listed([(0, 1), (1, 1), (2, 0), (2, 1)], "abc", real=3)), "s content=abc"
)
FORMS: list[tuple[str, Callable[[Sequence[Pair], bytes], bytes]]] = [
    ("listed", lambda p, d: listed(p, d)),
    ("parted", lambda p, d: parted([n for pair in p for n in pair], d)),
    (
        "texted",
        lambda p, d: texted(b"%d\n" % len(p) + b"".join(b"%d\n%d\n" % pair for pair in p), d),
    ),
    ("old", lambda p, d: old_sparse("s", p, 100, d)),
]
for form, make in FORMS:
    refuses(
        f"sparse-{form}-overlaps",
        tar(make([(0, 2), (1, 1)], b"abc")),
        "sparse map that contradicts itself or the sizes",
    )
    refuses(
        f"sparse-{form}-backwards",
        tar(make([(50, 2), (10, 1)], b"abc")),
        "sparse map that contradicts itself",
    )
    refuses(
        f"sparse-{form}-past-the-end",
        tar(make([(99, 3)], b"abc")),
        "sparse map that contradicts itself",
    )
    refuses(
        f"sparse-{form}-too-little-data",
        tar(make([(0, 2)], b"abc")),
        "sparse map that contradicts itself",
    )
    refuses(
        f"sparse-{form}-too-much-data",
        tar(make([(0, 9)], b"abc")),
        "sparse map that contradicts itself",
    )
refuses(
    "sparse-listed-overflow",
    tar(listed([(0, 3), ((1 << 64) - 1, 1)], "abc")),
    "sparse map that contradicts itself",
)
refuses("sparse-listed-2-64", tar(listed(f"0,3,{1 << 64},0", "abc")), "malformed sparse map")
refuses("sparse-listed-odd", tar(listed("0,3,9", "abc")), "sparse map that contradicts itself")
refuses("sparse-listed-text", tar(listed("0,x", "abc")), "malformed sparse map")
refuses("sparse-listed-negative", tar(listed("-1,3", "abc")), "malformed sparse map")
refuses("sparse-listed-commas", tar(listed(",,", "abc")), "malformed sparse map")
refuses(
    "sparse-no-size", tar(pax(("GNU.sparse.map", "0,3")), file("s", "abc")), "size is not a number"
)
refuses("sparse-size-negative", tar(listed([(0, 3)], "abc", real=-1)), "size is not a number")
refuses("sparse-size-2-63", tar(listed([(0, 3)], "abc", real=1 << 63)), "size is not a number")
refuses(
    "sparse-name-dotdot", tar(listed([(0, 3)], "abc", name="../s")), "a name that leaves the root"
)
refuses("sparse-parted-odd", tar(parted([0, 3, 9], "abc")), "sparse map that contradicts itself")
refuses("sparse-parted-text", tar(parted([0, "x"], "abc")), "malformed sparse map")
refuses(
    "sparse-listed-5000",
    tar(listed([(n, 0) for n in range(5000)], "", real=9999)),
    "sparse map of more than 4096 segments",
)
refuses(
    "sparse-parted-5000", tar(parted([0, 0] * 4200, "")), "sparse map of more than 4096 segments"
)
refuses(
    "sparse-texted-5000",
    tar(texted(b"5000\n" + b"0\n0\n" * 5000, b"")),
    "sparse map of more than 4096 segments",
)
refuses(
    "sparse-old-5000",
    tar(old_sparse("s", [(0, 0)] * 4, 100, b"", more=[[(0, 0)] * 21] * 240)),
    "sparse map of more than 4096 segments",
)
# Go CVE-2025-58183: a map without end.
refuses(
    "sparse-texted-count",
    tar(texted(b"999999999999999999\n" + b"0\n0\n" * 99, b"")),
    "malformed sparse map",
)
refuses("sparse-texted-2-64", tar(texted(b"18446744073709551616\n", b"")), "malformed sparse map")
refuses(
    "sparse-texted-text",
    tar(texted(b"#!gnu-sparse-format\n1\n0\n3\n", b"abc")),
    "malformed sparse map",
)
refuses("sparse-texted-blank", tar(texted(b"\n\n", b"abc")), "malformed sparse map")
refuses(
    "sparse-texted-short",
    tar(
        pax(("GNU.sparse.major", "1"), ("GNU.sparse.realsize", "9"), ("GNU.sparse.name", "s")),
        file("s", "1\n0\n1\n"),
    ),
    "malformed sparse map",
)
refuses(
    "sparse-texted-cut",
    tar(texted(b"1\n0\n1\n", b"a"), end=b"")[:1600],
    "truncated inside an entry",
)
refuses(
    "sparse-old-cut",
    old_sparse("s", [(0, 0)], 100, b"abc", more=[[(0, 3)]])[:700],
    "truncated inside an entry",
)
refuses(
    "sparse-old-endless",
    tar(
        old_sparse("s", [(0, 0)], 100, b"", more=[[]])[:512]
        + (b"\0" * 504 + b"\1" + b"\0" * 7) * 4000,
        end=b"",
    ),
    "truncated inside an entry",
)
refuses(
    "sparse-old-text",
    tar(old_sparse("s", [b"rubbish\0\0\0\0\0rubbish\0\0\0\0\0"], 100, b"")),
    "malformed sparse map",
)
refuses(
    "sparse-old-negative",
    tar(old_sparse("s", [base256(-1, 12) + base256(3, 12)], 100, b"abc")),
    "malformed sparse map",
)
refuses(
    "sparse-old-size-negative",
    tar(old_sparse("s", [(0, 3)], base256(-1, 12), b"abc")),
    "negative size",
)
gives(
    "sparse-of-folder",
    tar(pax(("GNU.sparse.map", "x"), ("GNU.sparse.size", "x")), folder("d/"), file("b", "y")),
    "b content=y",
    "d/",
)
