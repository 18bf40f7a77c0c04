"""Layers that are many or large: they take the time that they take, and no memory."""

from image import gives, refuses
from tarball import file, folder, hardlink, header, pax, symlink, tar

gives(
    "many-layers-127",
    [tar(file(f"f{n}", "x"), file(f".wh.f{n - 1}")) for n in range(127)],
    "f126 content=x",
)
gives("many-layers-1024", [tar(file("f", str(n))) for n in range(1024)], "f content=1023")
refuses(
    "many-layers-1025",
    [tar(file("f", str(n))) for n in range(1025)],
    "layers: more than 1024 layers",
)
gives("no-layers", [])
gives("same-layer-twice", [tar(file("a", "x"))] * 2, "a content=x")
gives(
    "many-links",
    tar(file("f", "x"), *[hardlink(f"h{n}", "f") for n in range(2000)]),
    "f nlink=2001",
    *[f"h{n} same=f" for n in range(2000)],
)
gives(
    "many-replacements",
    tar(
        *[part for n in range(500) for part in (file("a", str(n)), folder("a"), symlink("a", "b"))]
    ),
    "a link=b",
)
gives(
    "many-deep-replacements",
    tar(*[part for n in range(20) for part in (pax(path="d/" * 500 + "x"), file("a"), file("d"))]),
    "d type=f",
)
gives(
    "many-folders-in-the-way",
    tar(*[file(f"a/b/c{n}/d/e", "x") for n in range(1000)], file("a", "x")),
    "a content=x",
)
gives(
    "many-whiteouts-of-own",
    [
        tar(file("k")),
        tar(*[part for n in range(500) for part in (file(f"f{n}", "x"), file(f".wh.f{n}"))]),
    ],
    *[f"f{n} content=x" for n in range(500)],
    "k",
)
gives(
    "many-xattrs",
    tar(pax(*[(f"SCHILY.xattr.user.{n}", "v") for n in range(100)]), file("a", "x")),
    "a xattr.user.99=76",
)
gives(
    "many-globals",
    tar(*[pax(comment="c" * 4000, kind=b"g") for _ in range(500)], file("a", "x")),
    "a content=x",
)
gives(
    "many-volumes", tar(*[header("v", b"V") for _ in range(20_000)], file("a", "x")), "a content=x"
)
