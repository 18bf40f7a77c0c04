"""Whiteouts: of existing and missing files, through links, in every order, with bad names."""

from image import CANARY, gives, refuses
from tarball import device, file, folder, hardlink, pax, symlink, tar

inside = CANARY.strip("/")
chain = [f"{'/'.join(inside.split('/')[:n])}/" for n in range(1, 1 + inside.count("/") + 1)]
to_canary = pax(linkpath=CANARY) + symlink("s", "x")
lower = tar(folder("d/", mtime=5), file("d/a", "a"), file("d/b", "b"), file("e", "e"))

refuses(
    "whiteout-nothing", tar(file(".wh.")), "entry .wh.: a whiteout of nothing that can have a name"
)
refuses("whiteout-nothing-inside", tar(file("d/.wh.")), "a whiteout of nothing")
refuses("whiteout-dot", tar(file(".wh..")), "entry .wh..: a whiteout of nothing")
refuses("whiteout-dotdot", [lower, tar(file("d/.wh..."))], "entry d/.wh...: a whiteout of nothing")
refuses("whiteout-dotdot-folder", [lower, tar(folder("d/.wh.../"))], "a whiteout of nothing")
refuses("whiteout-inside", tar(file(".wh.a/b")), "entry .wh.a/b: a name inside a whiteout")
refuses("whiteout-dotdot-inside", tar(file(".wh.../canary")), "a name inside a whiteout")
refuses("whiteout-dot-inside", tar(file("d/.wh../x")), "a name inside a whiteout")
refuses("whiteout-leaves", tar(file("../.wh.canary")), "a name that leaves the root")
gives("whiteout-leaves-and-returns", [lower, tar(file(".wh.x/../.wh.e"))], "d/", "d/a", "d/b")
gives(
    "whiteout-missing",
    [lower, tar(file(".wh.x"), file("n/.wh.x"), file("e/.wh.x"))],
    "d/",
    "d/a",
    "d/b",
    "e type=f",
)
gives("whiteout-file", [lower, tar(file("d/.wh.a"))], "d/ mtime=5.000000000", "d/b", "e")
gives("whiteout-folder", [lower, tar(file(".wh.d"))], "e")
gives(
    "whiteout-of-dots",
    [tar(file("..x"), file(".x"), file("k")), tar(file(".wh...x"), file(".wh..x"))],
    "k",
)
gives("whiteout-as-folder", [lower, tar(folder(".wh.d/"))], "e")
gives(
    "whiteout-with-content",
    [lower, tar(file(".wh.e", "some text"), file("n", "y"))],
    "d/",
    "d/a",
    "d/b",
    "n content=y",
)
gives("whiteout-as-hardlink", [lower, tar(hardlink(".wh.e", "d/a"))], "d/", "d/a nlink=1", "d/b")
gives("whiteout-as-symlink", [lower, tar(pax(linkpath=CANARY), symlink(".wh.d", "x"))], "e")
gives("whiteout-as-device", [lower, tar(device(".wh.d", b"3", 0, 0))], "e")
gives("whiteout-device-zero", tar(device("d", b"3", 0, 0)), "d type=c dev=0:0")
gives("whiteout-whiteout", [lower, tar(file(".wh..wh.d"))], "d/", "d/a", "d/b", "e")
gives(
    "whiteout-aufs",
    [lower, tar(file(".wh..wh.aufs"), folder(".wh..wh.plnk/"), file(".wh..wh.plnk/1.2", "x"))],
    "d/",
    "d/a",
    "d/b",
    "e",
)
# A whiteout hides what lower layers have, never what its own layer adds, wherever it stands.
gives(
    "whiteout-own-after",
    [lower, tar(file("e", "new"), file(".wh.e"))],
    "d/",
    "d/a",
    "d/b",
    "e content=new",
)
gives(
    "whiteout-own-before",
    [lower, tar(file(".wh.e"), file("e", "new"))],
    "d/",
    "d/a",
    "d/b",
    "e content=new",
)
gives("whiteout-own-only", tar(file("e", "new"), file(".wh.e")), "e content=new")
gives(
    "whiteout-own-beneath",
    [lower, tar(file("d/c", "new"), file(".wh.d"))],
    "d/",
    "d/c content=new",
    "e",
)
gives(
    "whiteout-twice",
    [lower, tar(file(".wh.e"), file(".wh.e"), file("e", "new"), file(".wh.e"))],
    "d/",
    "d/a",
    "d/b",
    "e content=new",
)
gives(
    "opaque-before",
    [lower, tar(file("d/.wh..wh..opq"), file("d/c", "c"))],
    "d/",
    "d/c content=c",
    "e",
)
gives(
    "opaque-after",
    [lower, tar(file("d/c", "c"), file("d/.wh..wh..opq"))],
    "d/",
    "d/c content=c",
    "e",
)
gives(
    "opaque-between",
    [lower, tar(file("d/b", "new"), file("d/.wh..wh..opq"), file("d/c", "c"))],
    "d/",
    "d/b content=new",
    "d/c",
    "e",
)
gives("opaque-root", [lower, tar(file("n", "n"), file(".wh..wh..opq"))], "n content=n")
gives("opaque-missing", [lower, tar(file("x/.wh..wh..opq"))], "d/", "d/a", "d/b", "e", "x/")
gives("opaque-file", [lower, tar(file("e/.wh..wh..opq"))], "d/", "d/a", "d/b", "e/")
gives(
    "opaque-deep",
    [lower, tar(file("d/x/y", "y"), file("d/.wh..wh..opq"))],
    "d/",
    "d/x/",
    "d/x/y content=y",
    "e",
)
refuses("opaque-inside-whiteout", tar(file(".wh.d/.wh..wh..opq")), "a name inside a whiteout")
# Through links: inside the root, and nowhere else.
gives("whiteout-through-symlink", [tar(to_canary), tar(file("s/.wh.secret"))], "s type=l")
gives("whiteout-through-symlink-same-layer", tar(to_canary, file("s/.wh.secret")), "s type=l")
gives(
    "whiteout-through-relative-symlink",
    [tar(symlink("s", "../../../canary")), tar(file("s/.wh.secret"))],
    "s type=l",
)
gives(
    "whiteout-through-symlink-inside",
    [tar(folder("d/"), file("d/a", "a"), symlink("s", "/d")), tar(file("s/.wh.a"))],
    "d/",
    "s type=l",
)
gives("whiteout-of-symlink", [tar(to_canary), tar(file(".wh.s"), file("k"))], "k")
gives(
    "whiteout-of-hardlink",
    [tar(file("a", "x"), hardlink("b", "a")), tar(file(".wh.a"))],
    "b content=x nlink=1",
)
gives("opaque-through-symlink", [tar(to_canary), tar(file("s/.wh..wh..opq"))], *chain, "s type=l")
gives(
    "opaque-through-symlink-same-layer", tar(to_canary, file("s/.wh..wh..opq")), *chain, "s type=l"
)
gives(
    "opaque-through-relative-symlink",
    [tar(symlink("s", "../../../canary")), tar(file("s/.wh..wh..opq"))],
    "canary/",
    "s type=l",
)
gives(
    "opaque-through-symlink-inside",
    [
        tar(folder("d/"), file("d/a", "a"), symlink("s", "/d")),
        tar(file("s/.wh..wh..opq"), file("d/b", "b")),
    ],
    "d/",
    "d/b content=b",
    "s type=l",
)
gives(
    "opaque-folder-of-links",
    [
        tar(
            folder("d/"),
            pax(linkpath=CANARY),
            symlink("d/s", "x"),
            pax(linkpath=f"{CANARY}/dir"),
            symlink("d/t", "x"),
        ),
        tar(file("d/.wh..wh..opq")),
    ],
    "d/",
)
gives(
    "whiteout-many",
    [
        tar(*[file(f"d{n}/f") for n in range(500)]),
        tar(*[file(f".wh.d{n}") for n in range(500)], file("k")),
    ],
    "k",
)
