"""pax records: malformed, too long, contradicting the header, and several of one key."""

from image import gives, refuses
from tarball import base256, extended, file, header, long_name, pad, pax, record, symlink, tar

A = file("a", "x")


def malformed(name: str, data: bytes, why: str) -> None:
    refuses(f"pax-{name}", tar(extended(data), A), f"extended header: {why}")


malformed("no-newline", b"10 path=b", "a record longer than the header")
malformed("length-too-small", b"9 path=b\n\n", "a record without a length")
malformed("length-too-large", b"11 path=b\n", "a record longer than the header")
malformed("length-into-next", b"19 path=b\n9 mtime=1\n", "a record that does not end in a newline")
malformed("length-zero", b"0 path=b\n", "a record that does not end in a newline")
malformed("length-negative", b"-9 path=b\n", "a record without a length")
malformed("length-plus", b"+9 path=b\n", "a record without a length")
malformed("length-hex", b"0x9 path=b\n", "a record without a length")
malformed("length-missing", b" path=b\n", "a record without a length")
malformed("length-2-64", b"18446744073709551625 path=b\n", "a record without a length")
malformed("length-alone", b"9", "a record without a length")
malformed(
    "length-30-digits", b"000000000000000000000000000009 path=b\n", "a record without a length"
)
malformed("length-cuts-key", b"4 path=b\n", "a record that does not end in a newline")
malformed("length-cuts-itself", b"1 path=b\n", "a record that does not end in a newline")
malformed("no-equals", b"8 pathb\n", "a record without a =")
malformed("no-key", b"6 =bb\n", "a record without a key")
malformed("nul-instead-of-space", b"9\0path=b\n", "a record without a length")
malformed("after-nul", b"9 path=b\n\0\0x", "a record without a length")
malformed("nul-in-path", record("path", "a\0b"), "a name with a NUL byte")
malformed("nul-in-linkpath", record("linkpath", "a\0b"), "a name with a NUL byte")
malformed("nul-in-sparse-name", record("GNU.sparse.name", "a\0b"), "a name with a NUL byte")
malformed("nul-in-key", record("pa\0th", "b"), "a key with a NUL byte")
malformed("nul-in-xattr-key", record("SCHILY.xattr.user.a\0b", "1"), "a key with a NUL byte")
malformed("text", b"this is no record at all\n", "a record without a length")
malformed("second-record", record("path", "b") + b"99 mtime=1\n", "a record longer than the header")
refuses(
    "pax-global-malformed",
    tar(extended(b"11 path=b\n", b"g"), A),
    "global extended header: a record longer than the header",
)

gives("pax-empty", tar(extended(b""), A), "a content=x")
gives("pax-zeros", tar(extended(bytes(600)), A), "a content=x")
gives("pax-nuls-after", tar(extended(record("path", "b") + bytes(90)), A), "b content=x")
gives("pax-newline-in-value", tar(pax(path="b\nc"), A), "b\\x0ac content=x")
gives("pax-equals-in-value", tar(pax(path="b=c=d"), A), "b=c=d content=x")
gives(
    "pax-unknown-keys",
    tar(
        pax(
            ("VENDOR.key", "v"),
            ("comment", "c"),
            ("hdrcharset", "BINARY"),
            ("Path", "no"),
            ("PATH", "no"),
            ("path ", "no"),
        ),
        A,
    ),
    "a content=x",
)
gives("pax-last-wins", tar(pax(("path", "b"), ("path", "c")), A), "c")
gives("pax-two-headers", tar(pax(path="b", mtime="5"), pax(path="c"), A), "c mtime=0.000000000")
gives(
    "pax-empty-deletes",
    tar(pax(("path", "b"), ("path", ""), ("mtime", "5"), ("mtime", "")), A),
    "a mtime=0.000000000",
)
gives("pax-only-next", tar(pax(path="b"), A, file("c", "y")), "b content=x", "c content=y")
gives("pax-over-gnu", tar(long_name("gnu"), pax(path="pax"), A), "pax content=x")
gives("pax-before-gnu", tar(pax(path="pax"), long_name("gnu"), A), "pax content=x")
gives("pax-before-global", tar(pax(path="b"), pax(mtime="5", kind=b"g"), A), "b mtime=5.000000000")
gives("pax-upper-X", tar(extended(record("path", "b"), b"X"), A), "b content=x")
gives(
    "pax-header-in-the-way",
    tar(header("../../evil", b"x", size=len(record("path", "b"))) + pad(record("path", "b")), A),
    "b content=x",
)
gives(
    "global-mtime",
    tar(pax(mtime="7", kind=b"g"), A, pax(mtime="8"), file("b"), file("c")),
    "a mtime=7.000000000",
    "b mtime=8.000000000",
    "c mtime=7.000000000",
)
gives(
    "global-deleted",
    tar(pax(mtime="7", kind=b"g"), A, pax(mtime="", kind=b"g"), file("b")),
    "a mtime=7.000000000",
    "b mtime=0.000000000",
)
gives("global-git", tar(pax(comment="c0ffee" * 7, kind=b"g"), A), "a content=x")
gives("global-last", tar(A, pax(comment="the end", kind=b"g")), "a content=x")
refuses(
    "global-path", tar(pax(path="../b", kind=b"g"), A), "entry ../b: a name that leaves the root"
)
refuses("global-uid", tar(pax(uid="4294967296", kind=b"g"), A), "uid 4294967296 is more than")
refuses(
    "global-9-KB",
    tar(pax(path="b" * 9000, kind=b"g"), A),
    "global extended header of 9011 bytes exceeds 8192 bytes",
)
refuses(
    "global-many",
    tar(*[pax((f"SCHILY.xattr.user.{n}", "v" * 500), kind=b"g") for n in range(20)], A),
    "global extended header of ",
)
refuses("pax-last", tar(A, pax(path="b")), "an extended header without an entry")
refuses("pax-last-no-end", tar(A, pax(path="b"), end=b""), "an extended header without an entry")
refuses("long-name-last", tar(A, long_name("b")), "an extended header without an entry")
refuses(
    "pax-1-GiB",
    tar(header("pax", b"x", size=1 << 30), A),
    "extended header of 1073741824 bytes exceeds ",
)
refuses(
    "pax-largest",
    tar(header("pax", b"x", size=base256((1 << 63) - 1, 12)), A),
    "extended header of 9223372036854775807 bytes exceeds ",
)
refuses("pax-negative", tar(header("pax", b"x", size=base256(-1, 12)), A), "negative size")
gives("pax-many-headers", tar(*[pax(comment="c" * 60_000) for _ in range(30)], A), "a content=x")
refuses(
    "long-name-1-GiB",
    tar(header("L", b"L", size=1 << 30), A),
    "long name of 1073741824 bytes exceeds 4096 bytes",
)
refuses(
    "long-link-1-GiB",
    tar(header("K", b"K", size=1 << 30), A),
    "long link name of 1073741824 bytes exceeds 4096 bytes",
)

# CVE-2025-62518: a size record, not the header's size, locates the next header.
inner = tar(file("smuggled", "evil"), end=b"")
gives(
    "size-record-larger",
    tar(pax(size=str(len(inner))), header("a", size=0), inner, file("b", "y")),
    f"a size={len(inner)}",
    "b content=y",
)
gives(
    "size-record-smaller",
    tar(pax(size="1"), header("a", size=len(inner)), pad(b"x"), file("b", "y")),
    "a content=x",
    "b content=y",
)
gives(
    "size-record-of-link",
    tar(pax(size="5000"), symlink("s", "t"), file("b", "y")),
    "b content=y",
    "s",
)
gives(
    "size-record-global",
    tar(pax(size="1", kind=b"g"), header("a", size=512), pad(b"x"), header("b", size=0), pad(b"y")),
    "a content=x",
    "b content=y",
)
gives(
    "size-record-before-long-name",
    tar(pax(size="1"), long_name("n"), header("a", size=0), pad(b"x"), file("b", "y")),
    "b content=y",
    "n content=x",
)
gives(
    "size-record-two-headers",
    tar(pax(size="3"), pax(size="1"), header("a", size=0), pad(b"x"), file("b", "y")),
    "a content=x",
    "b content=y",
)
refuses("size-record-negative", tar(pax(size="-1"), A), "size is not a number")
refuses("size-record-2-63", tar(pax(size=str(1 << 63)), A), "size is not a number")
refuses("size-record-text", tar(pax(size="1k"), A), "size is not a number")
refuses("size-record-larger-than-all", tar(pax(size="999999"), A), "truncated inside an entry")
for value in [
    "",
    "x",
    ".",
    ".5",
    "1.x",
    "--1",
    "+1",
    "1e9",
    "0x1",
    "1.5.5",
    " 1",
    "9223372036854775808",
    "1\n",
]:
    if value:
        refuses(
            f"mtime-record-{value.encode().hex()}",
            tar(pax(mtime=value), A),
            "mtime is not a number",
        )
