"""Modes, owners, times and extended attributes, to the letter."""

from image import gives, refuses
from tarball import Text, base256, device, fifo, file, folder, pax, symlink, tar


def xattrs(*pairs: tuple[str, Text], entry: bytes | None = None) -> bytes:
    return tar(
        pax(*[(f"SCHILY.xattr.{key}", value) for key, value in pairs]), entry or file("a", "x")
    )


gives(
    "mode-every-bit",
    tar(
        file("a", "x", mode=0o7777),
        file("b", mode=0o6711),
        folder("d", mode=0o3777),
        file("z", "x", mode=0),
        folder("n", mode=0),
    ),
    "a mode=7777",
    "b mode=6711",
    "d/ mode=3777",
    "n/ mode=0000",
    "z mode=0000",
)
gives(
    "mode-setuid-of-another",
    tar(file("a", "x", mode=0o6755, uid=1000, gid=1000), file("b", mode=0o4755, uid=7)),
    "a mode=6755 uid=1000 gid=1000",
    "b mode=4755 uid=7",
)
gives(
    "mode-read-only-folder",
    tar(
        folder("d", mode=0o555, uid=3, mtime=77),
        file("d/a", "x", uid=3),
        folder("d/e", mode=0o500),
        file("d/e/b", "y"),
    ),
    "d/ mode=0555 uid=3 mtime=77.000000000",
    "d/a",
    "d/e/ mode=0500",
    "d/e/b",
)
gives(
    "mode-setgid-folder-inherits-nothing",
    tar(folder("d", mode=0o2755, gid=5), file("d/a", "x", gid=0), folder("d/e", mode=0o755, gid=0)),
    "d/ mode=2755 gid=5",
    "d/a gid=0 mode=0644",
    "d/e/ gid=0 mode=0755",
)
gives(
    "mtime-folder-after-children",
    tar(
        folder("d", mtime=5), folder("d/e", mtime=6), file("d/e/a", "x", mtime=7), file("d/b", "x")
    ),
    "d/ mtime=5.000000000",
    "d/b",
    "d/e/ mtime=6.000000000",
    "d/e/a mtime=7.000000000",
)
gives(
    "mtime-folder-last",
    tar(folder("d"), file("d/a", "x"), folder("d", mtime=5)),
    "d/ mtime=5.000000000",
    "d/a",
)
gives(
    "mtime-folder-of-lower-layer",
    [tar(folder("d", mtime=5), file("d/a", "x")), tar(file("d/b", "y"), file("d/.wh.a"))],
    "d/ mtime=5.000000000",
    "d/b",
)
gives(
    "mtime-many-folders",
    tar(
        *[part for n in range(20) for part in (folder(f"d{n}", mtime=n + 1),)],
        *[file(f"d{n % 20}/f{n}", "x") for n in range(100)],
    ),
    *[f"d{n}/ mtime={n + 1}.000000000" for n in range(20)],
    *[f"d{n % 20}/f{n}" for n in range(100)],
)
gives(
    "mtime-nanoseconds",
    tar(
        pax(mtime="1350244992.023960108"),
        file("a"),
        pax(mtime="-1.5"),
        file("b", "x"),
        pax(mtime="4500000000.999999999"),
        symlink("c", "t"),
        pax(mtime="1.0000000009999"),
        folder("d"),
        pax(mtime="-0.000000001"),
        fifo("e"),
        pax(mtime="7."),
        file("f"),
    ),
    "a mtime=1350244992.023960108",
    "b mtime=-2.500000000",
    "c mtime=4500000000.999999999",
    "d/ mtime=1.000000000",
    "e mtime=-1.999999999",
    "f mtime=7.000000000",
)
gives(
    "mtime-before-1970",
    tar(file("a", mtime=base256(-86400, 12)), file("b", mtime=base256(-(1 << 31), 12))),
    "a mtime=-86400.000000000",
    "b mtime=-2147483648.000000000",
)
gives(
    "mtime-after-2038",
    tar(file("a", mtime=base256(1 << 33, 12)), file("b", mtime=b"77777777777\0")),
    "a mtime=8589934592.000000000",
    "b mtime=8589934591.000000000",
)
gives(
    "mtime-no-time-at-all",
    tar(file("a", mtime=base256((1 << 63) - 1, 12)), file("b", mtime=base256(-(1 << 63), 12))),
    "a",
    "b",
)
refuses("mtime-2-63", tar(file("a", mtime=base256(1 << 63, 12))), "mtime is not a number")
gives(
    "root-attributes",
    tar(folder("./", mode=0o1700, uid=5, gid=6, mtime=8), file("a")),
    ". mode=1700 uid=5 gid=6 mtime=8.000000000",
    "a",
)
refuses(
    "root-attributes-undone",
    tar(folder("./", mode=0o1700, uid=5, gid=6, mtime=8), file("a"), file("../b")),
    "a name that leaves the root",
    premade="yes",
)

gives(
    "xattr-user",
    xattrs(("user.a", "1"), ("user.b", b"\0\n=\xff")),
    "a xattr.user.a=31 xattr.user.b=000a3dff",
)
gives("xattr-empty", xattrs(("user.a", "")), "a xattr.user.a=")
gives("xattr-last-wins", xattrs(("user.a", "1"), ("user.a", "2")), "a xattr.user.a=32")
gives("xattr-folder", xattrs(("user.a", "1"), entry=folder("d")), "d/ xattr.user.a=31")
gives("xattr-empty-file", xattrs(("user.a", "1"), entry=file("a")), "a xattr.user.a=31")
gives(
    "xattr-read-only-file",
    xattrs(("user.a", "1"), entry=file("a", "x", mode=0, uid=5)),
    "a xattr.user.a=31 mode=0000",
)
gives("xattr-trusted", xattrs(("trusted.a", "1"), entry=symlink("s", "t")), "s xattr.trusted.a=31")
gives(
    "xattr-user-on-symlink",
    xattrs(("user.a", "1"), entry=symlink("s", "t")),
    "s xattr.user.a=-",
    says="1 extended attributes were skipped",
)
gives(
    "xattr-user-on-device",
    xattrs(("user.a", "1"), entry=device("n", b"3", 1, 3)),
    "n xattr.user.a=-",
    says="1 extended attributes were skipped",
)
gives(
    "xattr-user-on-fifo",
    xattrs(("user.a", "1"), ("user.b", "1"), entry=fifo("p")),
    "p",
    says="2 extended attributes were skipped",
)
gives(
    "xattr-foreign",
    xattrs(("security.selinux", "system_u:object_r:etc_t:s0"), ("trusted.overlay.opaque", "y")),
    "a xattr.trusted.overlay.opaque=-",
    says="2 extended attributes were skipped",
)
gives(
    "xattr-of-lower-folder-goes",
    [xattrs(("user.a", "1"), entry=folder("d")), xattrs(("user.b", "2"), entry=folder("d"))],
    "d/ xattr.user.a=- xattr.user.b=32",
)
gives(
    "xattr-of-lower-file-goes",
    [xattrs(("user.a", "1")), tar(file("a", "y"))],
    "a content=y xattr.user.a=-",
)
# chown and chmod clear a capability: it comes last.
capability = bytes.fromhex("0100000202040000000000000000000000000000")
gives(
    "xattr-capability",
    xattrs(
        ("security.capability", capability), entry=file("a", "x", uid=1000, gid=1000, mode=0o4755)
    ),
    f"a mode=4755 uid=1000 xattr.security.capability={capability.hex()}",
)
gives(
    "xattr-capability-empty-file",
    xattrs(("security.capability", capability), entry=file("a", uid=9)),
    f"a uid=9 xattr.security.capability={capability.hex()}",
)
refuses(
    "xattr-capability-wrong",
    xattrs(("security.capability", b"nonsense")),
    "set extended attribute security.capability: invalid argument",
)
gives(
    "xattr-acl",
    xattrs(
        (
            "system.posix_acl_access",
            bytes.fromhex(
                "0200000001000600ffffffff02000400e803000004000400ffffffff10000600ffffffff20000400ffffffff"
            ),
        ),
        entry=file("a", "x", mode=0o640),
    ),
    "a mode=0664",
)
gives(
    "xattr-default-acl-is-not-inherited",
    tar(
        pax(
            (
                "SCHILY.xattr.system.posix_acl_default",
                bytes.fromhex(
                    "0200000001000700ffffffff02000700e803000004000500ffffffff10000700ffffffff20000500ffffffff"
                ),
            )
        ),
        folder("d"),
        file("d/a", "x", mode=0o600),
        folder("d/e", mode=0o700),
    ),
    "d/",
    "d/a mode=0600 xattr.system.posix_acl_access=-",
    "d/e/ mode=0700 xattr.system.posix_acl_default=-",
)
refuses("xattr-name-too-long", xattrs(("user." + "n" * 251, "1")), "name too long")
gives("xattr-name-longest", xattrs(("user." + "n" * 250, "1")), f"a xattr.user.{'n' * 250}=31")
gives(
    "xattr-name-none", xattrs(("", "1")), "a content=x", says="1 extended attributes were skipped"
)
# What macOS writes into every tar.
gives(
    "xattr-name-of-no-class",
    xattrs(("com.apple.provenance", "1"), ("user", "2"), ("users.a", "3")),
    "a content=x",
    says="3 extended attributes were skipped",
)
refuses(
    "xattr-name-of-unknown-kind",
    xattrs(("system.unknown", "1")),
    "set extended attribute system.unknown: operation not supported",
)
refuses("xattr-value-too-long", xattrs(("user.a", "v" * 65537)), "set extended attribute user.a: ")
gives(
    "xattr-libarchive",
    tar(
        pax(("LIBARCHIVE.xattr.user.a%3Db", "AQID/w"), ("LIBARCHIVE.xattr.user.c", "")),
        file("a", "x"),
    ),
    "a xattr.user.a=b=010203ff xattr.user.c=",
)
gives(
    "xattr-both-forms",
    tar(
        pax(("SCHILY.xattr.user.a", "plain"), ("LIBARCHIVE.xattr.user.a", "AQID/w")), file("a", "x")
    ),
    "a xattr.user.a=706c61696e",
)
refuses(
    "xattr-libarchive-no-base64",
    tar(pax(("LIBARCHIVE.xattr.user.a", "?!")), file("a", "x")),
    "extended attribute user.a: not base64",
)
refuses(
    "xattr-libarchive-nul",
    tar(pax(("LIBARCHIVE.xattr.user.a%00b", "AQID")), file("a", "x")),
    "extended attribute user.a%00b: a name with a NUL byte",
)
refuses(
    "xattr-libarchive-long",
    tar(pax(("LIBARCHIVE.xattr.user.a", "A" * 8000)), file("a", "x")),
    "longer than XATTR_DECODED_BYTES",
)
refuses(
    "xattr-too-much-on-symlink",
    xattrs(("trusted.a", "v" * 65537), entry=symlink("s", "t")),
    "set extended attribute trusted.a: ",
)
