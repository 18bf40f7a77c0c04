"""Header blocks: checksums, numbers, types, ends, and data that is not what its header says."""

from image import gives, refuses
from tarball import (
    base256,
    device,
    fifo,
    file,
    folder,
    hardlink,
    header,
    long_name,
    pad,
    pax,
    symlink,
    tar,
)

LATER = file("later", "y")

# The block itself.
refuses(
    "header-checksum",
    tar(header("a", raw=[(148, b"0000001\0")], seal=False), LATER),
    "tar: wrong checksum (before byte 512)",
)
refuses(
    "header-checksum-no-number",
    tar(header("a", raw=[(148, b"abcdefgh")], seal=False)),
    "tar: wrong checksum",
)
refuses(
    "header-checksum-second",
    tar(file("a", "x"), header("b", seal=False, raw=[(148, b"0017777\0")])),
    "tar: wrong checksum (before byte 1536)",
)
refuses("header-text", b"this is no tar".ljust(2048, b"."), "tar: wrong checksum")
refuses("header-random", bytes(n * 89 % 251 + 1 for n in range(2048)), "tar: wrong checksum")
refuses("header-ones", b"\xff" * 1024, "tar: wrong checksum")
gives(
    "header-signed-checksum",
    tar(
        header(
            b"\xfc",
            raw=[
                (148, b"%06o\0 " % (sum(header(b"\xfc", raw=[(148, b" " * 8)], seal=False)) - 256))
            ],
            seal=False,
        )
    ),
    "\\xfc",
)
gives(
    "header-v7",
    tar(file("a", "x", magic=b"\0" * 8), header("d/", b"\0", magic=b"\0" * 8)),
    "a content=x",
    "d/",
)
gives("header-unknown-magic", tar(file("a", "x", magic=b"foobar00", prefix="p")), "a content=x")
gives(
    "header-gnu-magic-prefix",
    tar(file("a", "x", magic=b"ustar  \0", prefix="12345670123")),
    "a content=x",
)
gives("header-prefix", tar(file("b", "x", prefix="a")), "a/", "a/b content=x")
gives(
    "header-star",
    tar(file("b", "x", prefix="a", raw=[(508, b"tar\0"), (476, b"12345670123\0")])),
    "a/",
    "a/b content=x",
)
gives(
    "header-full-fields",
    tar(header(b"n" * 100, b"2", link=b"l" * 100)),
    "n" * 100 + " link=" + "l" * 100,
)

# Types.
for kind in b"8:@AMNZ\xff\x01":
    refuses(f"type-{kind:02x}", tar(header("a", bytes([kind])), LATER), "a: entry of unknown type ")
gives("type-7", tar(file("a", "x", kind=b"7")), "a type=f content=x")
gives("type-nul", tar(file("a", "x", kind=b"\0")), "a type=f content=x")
gives("type-nul-slash", tar(header("a/", b"\0", mode=0o700)), "a/ mode=0700")
gives("type-0-slash", tar(file("a/", "x")), "a type=f content=x")
gives("type-5-no-slash", tar(folder("a")), "a/")
gives("type-volume", tar(header("label", b"V"), file("a", "x")), "a content=x")
gives(
    "type-volume-with-data",
    tar(header("label", b"V", size=600), pad(b"y" * 600), file("a", "x")),
    "a content=x",
)
refuses(
    "type-volume-negative",
    tar(header("label", b"V", size=base256(-1, 12)), file("a", "x")),
    "tar: negative size",
)
refuses(
    "type-volume-huge",
    tar(header("label", b"V", size=base256(1 << 62, 12)), file("a", "x")),
    "truncated inside an entry",
)
gives(
    "type-dump-folder",
    tar(header("d", b"D", size=6, mode=0o755) + pad(b"Yd/x\0\0"), LATER),
    "d/",
    "later",
)
refuses("type-newline", tar(header("a", b"\n")), "a: entry of unknown type '\\x0a'")

# Numbers.
refuses(
    "uid-2-32",
    tar(file("a", "x", uid=base256(1 << 32, 8), mode=0o4755)),
    "entry a: uid 4294967296 is more than 4294967294",
)
refuses(
    "uid-minus-1", tar(file("a", "x", uid=base256((1 << 32) - 1, 8))), "uid 4294967295 is more than"
)
refuses("gid-2-32", tar(file("a", "x", gid=base256(1 << 32, 8))), "gid 4294967296 is more than")
refuses(
    "uid-2-32-of-folder", tar(folder("a", uid=base256(1 << 32, 8))), "uid 4294967296 is more than"
)
refuses(
    "uid-2-32-of-symlink",
    tar(symlink("a", "b", uid=base256(1 << 32, 8))),
    "uid 4294967296 is more than",
)
refuses(
    "uid-2-63-by-pax", tar(pax(uid=str(1 << 63)), file("a")), "uid 9223372036854775808 is more than"
)
refuses("uid-2-64-by-pax", tar(pax(uid=str(1 << 64)), file("a")), "uid is not a number")
refuses("uid-negative", tar(file("a", uid=base256(-1, 8))), "negative uid")
refuses("gid-negative-by-pax", tar(pax(gid="-1"), file("a")), "gid is not a number")
refuses("uid-name-by-pax", tar(pax(uid="root"), file("a")), "uid is not a number")
gives("uid-largest", tar(file("a", "x", uid=base256((1 << 32) - 2, 8))), "a uid=4294967294")
gives("uid-empty-field", tar(header("a", uid=b"\0" * 8, gid=b" " * 8)), "a uid=0 gid=0")
refuses("uid-octal-9", tar(header("a", uid=b"0000009\0")), "tar: uid is not a number")
refuses("mode-no-number", tar(header("a", mode=b"rwxr-x--")), "tar: mode is not a number")
gives(
    "mode-with-type",
    tar(header("a", mode=0o140755), header("b", mode=0o7777777)),
    "a type=f mode=0755",
    "b type=f mode=7777",
)
refuses("mtime-no-number", tar(header("a", mtime=b"yesterday")), "tar: mtime is not a number")
refuses("size-negative", tar(header("a", size=base256(-512, 12)), LATER), "tar: negative size")
refuses(
    "size-most-negative",
    tar(header("a", size=base256(-(1 << 63), 12)), LATER),
    "tar: negative size",
)
refuses(
    "size-2-63", tar(header("a", size=base256(1 << 63, 12)), LATER), "tar: size is not a number"
)
refuses(
    "size-95-bits",
    tar(header("a", size=b"\x80" + b"\xff" * 11), LATER),
    "tar: size is not a number",
)
refuses(
    "size-largest",
    tar(header("a", size=base256((1 << 63) - 1, 12)), LATER),
    "truncated inside an entry",
)
refuses(
    "size-octal-largest", tar(header("a", size=b"777777777777"), LATER), "truncated inside an entry"
)
refuses("size-text", tar(header("a", size=b"0x10")), "tar: size is not a number")
refuses("size-sign", tar(header("a", size=b"-0000000001\0")), "tar: size is not a number")
gives(
    "size-base256", tar(header("a", size=base256(1, 12)) + pad(b"x"), LATER), "a content=x", "later"
)
gives(
    "size-spaces", tar(header("a", size=b"          1 ") + pad(b"x"), LATER), "a content=x", "later"
)
gives("size-of-folder", tar(folder("d", size=9999), LATER), "d/", "later")
gives("size-of-symlink", tar(symlink("s", "t", size=9999), LATER), "later", "s")
gives("size-of-device", tar(device("n", b"3", 1, 3, size=9999), LATER), "later", "n")
gives("size-of-fifo", tar(fifo("p", size=9999), LATER), "later", "p")
refuses(
    "size-of-hardlink-with-data",
    tar(file("f", "x"), hardlink("h", "f", size=1) + pad(b"x"), LATER),
    "wrong checksum",
)
refuses("device-4096", tar(device("n", b"3", 4096, 0)), "device number 4096:0 is out of range")
refuses(
    "device-minor-2-20",
    tar(device("n", b"4", 8, 1 << 20)),
    "device number 8:1048576 is out of range",
)
refuses(
    "device-2-32",
    tar(device("n", b"3", base256((1 << 32) + 1, 8), 3)),
    "device number 4294967297:3 is out of range",
)
refuses("device-negative", tar(device("n", b"3", base256(-1, 8), 3)), "negative device")
refuses("device-no-number", tar(device("n", b"3", b"major", 3)), "device is not a number")
refuses(
    "device-by-pax",
    tar(pax(("SCHILY.devmajor", "5000")), device("n", b"3", 1, 3)),
    "device number 5000:3 is out of range",
)
gives("device-largest", tar(device("n", b"4", 4095, (1 << 20) - 1)), "n type=b dev=4095:1048575")
gives(
    "device-numbers-of-file", tar(file("a", "x", device=(b"rubbish!", b"rubbish!"))), "a content=x"
)

# The archive's end.
body = file("a", "x" * 700) + file("b", "y")
gives("end-none", body, "a size=700", "b content=y")
gives("end-one-block", tar(body, end=bytes(512)), "a", "b")
gives("end-no-padding", body[: 512 + 1024 + 512 + 1], "a", "b content=y")
gives("end-many-zeros", tar(body, end=bytes(1 << 20)), "a", "b")
gives("end-garbage-after", tar(body, end=bytes(1024) + b"garbage" * 999), "a", "b")
gives("end-tar-after", tar(body, end=bytes(512) + tar(file("c", "z"))), "a", "b")
gives("end-odd-zeros", tar(body, end=bytes(700)), "a", "b")
refuses("end-half-zeros", tar(body, end=bytes(100)), "truncated inside an entry")
gives("end-at-once", bytes(1024))
gives("end-empty", b"")
gives("end-one-zero-block", bytes(512))
for cut in [
    1,
    511,
    512 + 1,
    512 + 699,
    512 + 700,
    512 + 1024 + 1,
    512 + 1024 + 511,
    512 + 1024 + 512,
]:
    whole = {512 + 700: ["a size=700"]}.get(cut)
    if whole:
        gives(f"truncated-at-{cut}", body[:cut], *whole)
    else:
        refuses(
            f"truncated-at-{cut}", body[:cut], f"tar: truncated inside an entry (after {cut} bytes)"
        )
long = pax(path="p" * 200) + file("a", "x")
for cut in [300, 512 + 100, 512 + 512, 1024 + 300]:
    refuses(
        f"truncated-pax-at-{cut}",
        long[:cut],
        "an extended header without an entry" if cut == 1024 else "tar: truncated inside an entry",
    )
old = long_name("p" * 200) + file("a", "x")
for cut in [512 + 100, 512 + 512]:
    refuses(
        f"truncated-long-name-at-{cut}",
        old[:cut],
        "an extended header without an entry" if cut == 1024 else "tar: truncated inside an entry",
    )
