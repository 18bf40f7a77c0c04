"""Links: out of the root, through each other, to nothing, to themselves."""

from image import CANARY, gives, refuses
from tarball import device, fifo, file, folder, hardlink, header, pax, symlink, tar

inside = CANARY.strip("/")
# Where names that go through a link to the canary end up: inside the root, under the same path.
chain = [f"{'/'.join(inside.split('/')[:n])}/" for n in range(1, 1 + inside.count("/") + 1)]
to_canary = pax(linkpath=CANARY) + symlink("s", "x")

# Symbolic links as parents: followed, with the root as `/`.
for form, target in [
    ("absolute", CANARY),
    ("relative", "../../../canary"),
    ("up", "../" * 30 + CANARY.lstrip("/")),
]:
    link = pax(linkpath=target) + symlink("s", "x")
    path = "canary" if form == "relative" else inside
    where = [f"{'/'.join(path.split('/')[:n])}/" for n in range(1, path.count("/") + 2)]
    gives(
        f"symlink-{form}-parent",
        tar(link, file("s/escaped", "x")),
        *where,
        f"{path}/escaped content=x",
        f"s type=l link={target}",
    )
    gives(
        f"symlink-{form}-parent-folder",
        tar(link, folder("s/escaped/", mode=0o700)),
        *where,
        f"{path}/escaped/ mode=0700",
        "s",
    )
    gives(
        f"symlink-{form}-lower-layer",
        [tar(link), tar(file("s/escaped", "x"))],
        *where,
        f"{path}/escaped content=x",
        "s",
    )
    gives(
        f"symlink-{form}-overwrites",
        tar(link, file("s/secret", "mine")),
        *where,
        f"{path}/secret content=mine",
        "s",
    )
    gives(
        f"symlink-{form}-hardlink-into",
        tar(link, file("f", "x"), hardlink("s/secret", "f")),
        "f",
        *where,
        f"{path}/secret same=f",
        "s",
    )
    refuses(
        f"symlink-{form}-hardlink-from",
        tar(link, hardlink("h", "s/secret")),
        "entry h: hard link to s/secret: no such file",
    )
    gives(
        f"symlink-{form}-device",
        tar(link, device("s/null", b"3", 1, 3)),
        *where,
        f"{path}/null type=c dev=1:3",
        "s",
    )
    gives(
        f"symlink-{form}-symlink",
        tar(link, symlink("s/t", "/etc")),
        *where,
        f"{path}/t type=l link=/etc",
        "s",
    )

gives(
    "symlink-proc-root",
    tar(symlink("s", "/proc/self/root"), file("s/escaped", "x")),
    "proc/",
    "proc/self/",
    "proc/self/root/",
    "proc/self/root/escaped content=x",
    "s",
)
gives(
    "symlink-proc-fd",
    tar(symlink("s", "/proc/self/fd/3"), file("s/escaped", "x")),
    "proc/",
    "proc/self/",
    "proc/self/fd/",
    "proc/self/fd/3/",
    "proc/self/fd/3/escaped",
    "s",
)
gives(
    "symlink-proc-cwd",
    tar(symlink("s", "/proc/self/cwd/.."), file("s/escaped", "x")),
    "proc/",
    "proc/self/",
    "proc/self/cwd/",
    "proc/self/escaped",
    "s",
)
gives("symlink-dot", tar(symlink("s", "."), file("s/s/s/a", "x")), "a content=x", "s type=l")
gives("symlink-root", tar(symlink("s", "/"), file("s/a", "x")), "a content=x", "s type=l")
gives("symlink-dotdot", tar(symlink("s", ".."), file("s/a", "x")), "a content=x", "s type=l")
gives(
    "symlink-chain",
    tar(symlink("a", "b"), symlink("b", "/c"), folder("c/"), file("a/x", "x")),
    "a",
    "b",
    "c/",
    "c/x content=x",
)
refuses(
    "symlink-loop",
    tar(symlink("a", "b"), symlink("b", "a"), file("a/x", "x")),
    "too many levels of symbolic links",
)
refuses(
    "symlink-self", tar(symlink("a", "a"), file("a/x", "x")), "too many levels of symbolic links"
)
refuses(
    "symlink-grows",
    tar(symlink("a", "a/a/a/a"), file("a/x", "x")),
    "too many levels of symbolic links",
)
refuses(
    "symlink-41",
    tar(*[symlink(f"s{n}", f"s{n + 1}") for n in range(60)], folder("s60/"), file("s0/x", "x")),
    "too many levels of symbolic links",
)
refuses("symlink-empty", tar(symlink("s", "")), "entry s: create: no such file or directory")
refuses(
    "symlink-5000",
    tar(pax(linkpath="t/" * 2500), symlink("s", "x")),
    "a target longer than PATH_MAX",
)
gives("symlink-4095", tar(pax(linkpath="t" * 4095), symlink("s", "x")), "s type=l size=4095")
refuses("symlink-nul", tar(pax(linkpath="a\0b"), symlink("s", "x")), "a name with a NUL byte")
gives("symlink-odd-target", tar(symlink("s", b"\xff\n\x1b")), "s link=\\xff\\x0a\\x1b")
gives(
    "symlink-target-kept",
    tar(symlink("a", "/../../x/./y//"), symlink("b", "/proc/self/exe")),
    "a link=/../../x/./y//",
    "b link=/proc/self/exe",
)
gives(
    "symlink-attributes",
    tar(symlink("s", CANARY[-99:], uid=9, gid=8, mtime=1_000)),
    "s type=l uid=9 gid=8 mtime=1000.000000000",
)
gives("symlink-mode", tar(header("s", b"2", link=CANARY[-99:], mode=0o4777)), "s type=l mode=0777")
# tar-rs CVE-2018-20990 and CVE-2021-38511: a later entry must not go through a link of its name.
gives(
    "symlink-then-file", tar(to_canary, file("s", "x", mode=0o600)), "s type=f content=x mode=0600"
)
gives(
    "symlink-then-folder",
    tar(to_canary, folder("s/", mode=0o700), file("s/secret", "x")),
    "s/ mode=0700",
    "s/secret content=x",
)
gives("symlink-then-device", tar(to_canary, device("s", b"3", 1, 3)), "s type=c")
gives("symlink-then-fifo", tar(to_canary, fifo("s")), "s type=p")
gives("symlink-then-symlink", tar(to_canary, symlink("s", "t")), "s link=t")
gives(
    "symlink-then-folder-in-layers",
    [tar(to_canary), tar(folder("s/", mode=0o700, uid=3))],
    "s/ mode=0700 uid=3",
)
gives(
    "symlink-then-xattr",
    tar(to_canary, pax(("SCHILY.xattr.user.a", "1")), file("s", "x")),
    "s type=f xattr.user.a=31",
)
gives("folder-then-symlink", [tar(folder("s/"), file("s/x", "x")), tar(to_canary)], "s type=l")
gives(
    "folder-then-symlink-then-into-it",
    [tar(folder("s/"), file("s/x", "x")), tar(to_canary, file("s/y", "y"))],
    *chain,
    f"{inside}/y",
    "s",
)
# A cached parent must not outlive the link that took its place.
gives(
    "parent-becomes-symlink",
    tar(folder("d/"), file("d/a", "x"), pax(linkpath=CANARY), symlink("d", "x"), file("d/b", "y")),
    "d type=l",
    *chain,
    f"{inside}/b content=y",
)
gives(
    "parent-becomes-file",
    tar(folder("d/"), file("d/a", "x"), file("d", "f"), file("d/b", "y")),
    "d/",
    "d/b content=y",
)
gives(
    "file-over-folder",
    [tar(folder("d/"), file("d/a/b", "x")), tar(file("d", "f"))],
    "d type=f content=f",
)
gives("folder-over-file", [tar(file("d", "f")), tar(folder("d/", mode=0o710))], "d/ mode=0710")
gives(
    "folder-over-folder",
    [tar(folder("d/", mode=0o700, uid=1), file("d/a", "x")), tar(folder("d/", mode=0o751, gid=4))],
    "d/ mode=0751 uid=0 gid=4",
    "d/a",
)
gives("file-over-fifo", [tar(fifo("p")), tar(file("p", "x"))], "p type=f content=x")
gives(
    "file-over-device", [tar(device("n", b"4", 7, 200)), tar(file("n", "x"))], "n type=f content=x"
)
gives("file-beneath-file", [tar(file("d", "f")), tar(file("d/x", "y"))], "d/", "d/x content=y")
gives("file-beneath-fifo", [tar(fifo("d")), tar(file("d/x", "y"))], "d/", "d/x content=y")

# Hard links.
refuses(
    "hardlink-dotdot",
    tar(hardlink("h", "../../../canary/secret")),
    "hard link to ../../../canary/secret: a name that leaves the root",
)
refuses(
    "hardlink-absolute",
    tar(pax(linkpath=f"{CANARY}/secret"), hardlink("h", "x")),
    "/secret: no such file or directory",
)
refuses(
    "hardlink-missing",
    tar(hardlink("h", "missing")),
    "entry h: hard link to missing: no such file or directory",
)
refuses(
    "hardlink-later",
    tar(hardlink("h", "f"), file("f", "x")),
    "entry h: hard link to f: no such file or directory",
)
refuses("hardlink-empty", tar(hardlink("h", "")), "hard link to : an empty name")
refuses(
    "hardlink-to-folder",
    tar(folder("d/"), hardlink("h", "d")),
    "entry h: hard link to d: operation not permitted",
)
refuses("hardlink-to-root", tar(hardlink("h", "/")), "entry h: hard link to /: ")
refuses(
    "hardlink-to-parent",
    tar(folder("d/"), hardlink("d/h", "d")),
    "hard link to d: operation not permitted",
)
gives("hardlink-to-itself", tar(file("f", "x"), hardlink("f", "f")), "f content=x nlink=1")
gives(
    "hardlink-to-itself-lower",
    [tar(file("f", "x")), tar(hardlink("./f", "/f"))],
    "f content=x nlink=1",
)
refuses("hardlink-to-itself-missing", tar(hardlink("f", "f")), "hard link to f: no such file")
gives(
    "hardlink-forms",
    tar(file("f", "x"), hardlink("a", "/f"), hardlink("b", "./f"), hardlink("d/c", "d/../f")),
    "a same=f",
    "b same=f",
    "d/",
    "d/c same=f",
    "f nlink=4",
)
gives(
    "hardlink-across-layers",
    [tar(file("f", "x")), tar(hardlink("g", "f"))],
    "f nlink=2",
    "g same=f",
)
gives(
    "hardlink-over-file",
    [tar(file("f", "x"), file("g", "y")), tar(hardlink("g", "f"))],
    "f content=x",
    "g same=f",
)
gives(
    "hardlink-over-folder",
    [tar(file("f", "x"), file("g/y", "y")), tar(hardlink("g", "f"))],
    "f content=x",
    "g same=f",
)
refuses(
    "hardlink-over-its-source",
    tar(folder("d/"), file("d/x", "x"), hardlink("d", "d/x")),
    "hard link to d/x: no such file",
)
gives(
    "hardlink-to-symlink",
    tar(to_canary, hardlink("h", "s")),
    f"h type=l link={CANARY} same=s",
    "s type=l",
)
gives(
    "hardlink-to-symlink-then-write",
    tar(
        pax(linkpath=f"{CANARY}/secret"),
        symlink("s", "x"),
        hardlink("h", "s"),
        file("h", "x", mode=0o666),
    ),
    "h type=f content=x",
    "s type=l nlink=1",
)
# containerd CVE-2021-32760: neither mode nor owner is set through a link.
gives(
    "hardlink-attributes",
    tar(file("f", "x", mode=0o600, uid=1), hardlink("h", "f", mode=0o4777, uid=0)),
    "f mode=0600 uid=1",
    "h same=f",
)
gives(
    "hardlink-xattr",
    tar(file("f", "x"), pax(("SCHILY.xattr.user.a", "1")), hardlink("h", "f")),
    "f xattr.user.a=-",
    "h same=f",
)
gives(
    "hardlink-with-size",
    tar(file("f", "x"), header("h", b"1", link="f", size=5000), file("g", "y")),
    "f",
    "g content=y",
    "h same=f",
)
gives(
    "hardlink-lower-not-overwritten",
    [tar(file("f", "x"), hardlink("g", "f")), tar(file("g", "new"))],
    "f content=x nlink=1",
    "g content=new",
)
gives(
    "hardlink-to-device",
    tar(device("n", b"3", 1, 3), hardlink("h", "n")),
    "h type=c same=n",
    "n type=c",
)
gives("hardlink-to-fifo", tar(fifo("p"), hardlink("h", "p")), "h type=p same=p", "p")
gives(
    "hardlink-to-whited-out",
    [tar(file("f", "x"), file("k")), tar(hardlink("h", "f"), file(".wh.f"))],
    "h content=x",
    "k",
)
