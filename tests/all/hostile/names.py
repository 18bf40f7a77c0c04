"""Names of entries: out of the root, into nothing, too long, not text."""

from image import CANARY, gives, refuses
from tarball import device, file, folder, hardlink, long_name, pax, symlink, tar

# Names that leave the root, however they are written.
refuses(
    "name-dotdot", tar(file("../outside", "x")), "entry ../outside: a name that leaves the root"
)
refuses("name-only-dotdot", tar(folder("..")), "entry ..: a name that leaves the root")
refuses("name-dotdot-slash", tar(folder("../")), "a name that leaves the root")
refuses(
    "name-absolute-dotdot",
    tar(file("/../outside", "x")),
    "entry /../outside: a name that leaves the root",
)
refuses("name-inner-dotdot", tar(file("a/../../outside", "x")), "a name that leaves the root")
refuses("name-dot-dotdot", tar(file("./../outside", "x")), "a name that leaves the root")
refuses("name-slashes-dotdot", tar(file("a//..//..//outside", "x")), "a name that leaves the root")
refuses(
    "name-dotdot-in-prefix",
    tar(file("outside", "x", prefix="..")),
    "entry ../outside: a name that leaves the root",
)
refuses(
    "name-dotdot-by-pax",
    tar(pax(path="a/../../outside"), file("a", "x")),
    "a name that leaves the root",
)
refuses(
    "name-dotdot-by-gnu",
    tar(long_name("../outside"), file("a", "x")),
    "entry ../outside: a name that leaves the root",
)
refuses(
    "name-dotdot-in-second-layer", [tar(file("a", "x")), tar(file("../b", "x"))], "layer 2 of 2"
)
gives(
    "name-dotdot-within",
    tar(folder("a/"), file("a/../b", "x"), file("a/c/../../d", "y")),
    "a/",
    "b content=x",
    "d content=y",
)
gives(
    "name-absolute", tar(file("/a", "x"), file("//b//c", "y")), "a content=x", "b/", "b/c content=y"
)
inside = CANARY.strip("/").split("/")
gives(
    "name-canary-absolute",
    tar(pax(path=f"{CANARY}/secret"), file("a", "x")),
    *["/".join(inside[:n]) + "/" for n in range(1, len(inside) + 1)],
    "/".join(inside) + "/secret content=x",
)
gives(
    "name-dots",
    tar(file("...", "x"), file("....", "y"), file("a..", "z"), file("..a", "w")),
    "...",
    "....",
    "..a",
    "a..",
)
gives(
    "name-backslash",
    tar(file("..\\outside", "x"), file("C:\\..\\x", "y")),
    "..\\x5coutside",
    "C:\\x5c..\\x5cx",
)

# Names of nothing.
refuses("name-empty", tar(file("", "x")), "entry: an empty name")
refuses("name-empty-folder", tar(folder("")), "an empty name")
refuses("name-empty-by-gnu", tar(long_name(""), file("a", "x")), "an empty name")
gives("name-empty-by-pax", tar(pax(path=""), file("a", "x")), "a content=x")
refuses(
    "name-nul-by-pax",
    tar(pax(path="a\0b"), file("c", "x")),
    "extended header: a name with a NUL byte",
)
gives("name-nul-in-field", tar(file(b"a\0/../b", "x")), "a content=x")
gives("name-nul-by-gnu", tar(long_name(b"a\0../b"), file("c", "x")), "a content=x")
refuses("name-root-file", tar(file("./", "x")), "entry ./: the root is a directory")
refuses("name-root-symlink", tar(symlink("/.", CANARY[-90:])), "the root is a directory")
refuses("name-root-hardlink", tar(file("a", "x"), hardlink(".", "a")), "the root is a directory")
refuses("name-root-device", tar(device("a/..", b"3", 1, 3)), "the root is a directory")
# umoci CVE-2021-29136: a symlink in place of the root, and the next layer is written to the host.
refuses(
    "name-root-symlink-then-layer",
    [tar(symlink("/.", CANARY[-90:])), tar(file("x", "x"))],
    "layer 1 of 2",
)
gives("name-root-folder", tar(folder("./", mode=0o711, uid=5, gid=6, mtime=9), file("a")), "a")
gives("name-of-no-entry", tar())

# Long ones.
gives("name-255", tar(pax(path="n" * 255), file("a", "x")), "n" * 255)
refuses("name-256", tar(pax(path="n" * 256), file("a", "x")), "file name too long")
refuses("name-256-folder", tar(pax(path="n" * 256 + "/f"), file("a", "x")), "file name too long")
gives(
    "name-4095",
    tar(pax(path="/".join(["d" * 255] * 16)), file("a", "x")),
    *["/".join(["d" * 255] * n) + "/" * (n < 16) for n in range(1, 17)],
)
refuses(
    "name-4096",
    tar(pax(path=f"{'d' * 255}/" * 15 + "d" * 253 + "/xx"), file("a", "x")),
    "a name longer than PATH_MAX",
)
refuses(
    "name-5000-by-gnu",
    tar(long_name("d/" * 2500), file("a", "x")),
    "long name of 5001 bytes exceeds 4096 bytes",
)
refuses(
    "name-100-KB", tar(pax(path="d/" * 50_000 + "x"), file("a", "x")), "a name longer than PATH_MAX"
)
gives(
    "name-deep",
    tar(pax(path="d/" * 2040 + "x"), file("a", "x")),
    *["d/" * n for n in range(1, 2041)],
    "d/" * 2040 + "x",
)
refuses(
    "name-deeper-than-a-path",
    tar(*[entry for n in range(1, 10_000, 2000) for entry in (pax(path="d/" * n), folder("a"))]),
    "a name longer than PATH_MAX",
)
# Deeper than any path, by links that start again from the middle; and all of it is removed again.
deep = "d/" * 1900
refuses(
    "name-deep-by-links",
    tar(
        pax(path=deep),
        folder("a"),
        pax(linkpath=deep),
        symlink("s1", "x"),
        *[
            part
            for n in range(1, 6)
            for part in (
                pax(path=f"s{n}/{deep}"),
                folder("a"),
                pax(linkpath=f"s{n}/{deep}"),
                symlink(f"s{n + 1}", "x"),
            )
        ],
        file("../x"),
    ),
    "a name that leaves the root",
)

# What no terminal should see, and what is not UTF-8.
refuses(
    "name-newline",
    tar(file("../a\nocinit: all is well\n", "x")),
    "entry ../a\\x0aocinit: all is well\\x0a: a name that",
)
refuses(
    "name-escape",
    tar(file("../\x1b[2J\x1b]0;x\x07", "x")),
    "entry ../\\x1b[2J\\x1b]0;x\\x07: a name that",
)
refuses("name-c1", tar(file("../\u009b2J", "x")), "entry ../\\x9b2J: a name that")
refuses(
    "name-not-utf8",
    tar(file(b"../\xff\xfe", "x")),
    "entry ../\\xff\\xfe: a name that leaves the root",
)
gives(
    "name-odd-bytes",
    tar(file(b"\xff\xfe", "x"), file("a\nb", "y"), file("\x1b", "z"), file(" ", "w"), file("-rf")),
    "\\x1b",
    "\\x20",
    "-rf",
    "a\\x0ab",
    "\\xff\\xfe",
)
refuses(
    "name-long-in-error",
    tar(pax(path="../" + "n" * 3000), file("a", "x")),
    "nnn: a name that leaves the root",
)
refuses(
    "name-long-controls-in-error",
    tar(pax(path="../" + "\x1b" * 3000), file("a", "x")),
    "\\x1b: a name that leaves the root",
)
refuses(
    "name-long-link-in-error",
    tar(pax(path="n/" * 2000, linkpath="../" + "m" * 3000), hardlink("a", "x")),
    "mmm: a name that leaves the root",
)
gives("name-many", tar(*[file(f"f{n}") for n in range(3000)]), *[f"f{n}" for n in range(3000)])
