"""gzip streams: header fields, members, ends, and lies about what is inside."""

import hashlib
import struct
import zlib

from image import LAYER, Layer, digest, gives, gzipped, refuses
from tarball import file, header, tar

TAR = tar(file("a", "x" * 5000), file("b", "y"))
TREE = ["a size=5000", "b content=y"]


def member(
    data: bytes,
    *,
    flags: int = 0,
    fields: bytes = b"",
    crc: int | None = None,
    size: int | None = None,
    method: int = 8,
    magic: bytes = b"\x1f\x8b",
    trailer: bytes | None = None,
    level: int = 6,
    body: bytes | None = None,
) -> bytes:
    packer = zlib.compressobj(level, zlib.DEFLATED, -15)
    body = packer.compress(data) + packer.flush() if body is None else body
    head = magic + bytes([method, flags]) + bytes(6) + fields
    if flags & 2:
        head += struct.pack("<H", zlib.crc32(head) & 0xFFFF)
    crc, size = (
        zlib.crc32(data) if crc is None else crc,
        len(data) & 0xFFFFFFFF if size is None else size,
    )
    return head + body + (struct.pack("<II", crc, size) if trailer is None else trailer)


def stream(*members: bytes) -> Layer:
    return gzipped(TAR, b"".join(members))


WHOLE = member(TAR)
# What does not get shorter.
RANDOM = b"".join(hashlib.sha256(bytes([n])).digest() for n in range(99))
gives("gzip", stream(WHOLE), *TREE)
gives("gzip-stored", stream(member(TAR, level=0)), *TREE)
gives("gzip-extra", stream(member(TAR, flags=4, fields=struct.pack("<H", 300) + b"e" * 300)), *TREE)
gives("gzip-name-comment", stream(member(TAR, flags=24, fields=b"../../evil\0comment\0")), *TREE)
gives("gzip-text-flag", stream(member(TAR, flags=1)), *TREE)
gives("gzip-header-crc", stream(member(TAR, flags=2)), *TREE)
gives(
    "gzip-every-field",
    stream(member(TAR, flags=31, fields=b"\x03\0abc" + b"name\0" + b"comment\0")),
    *TREE,
)
gives("gzip-members", stream(*[member(TAR[n : n + 999]) for n in range(0, len(TAR), 999)]), *TREE)
gives("gzip-empty-members", stream(member(b""), member(b""), WHOLE, member(b"")), *TREE)
gives("gzip-of-nothing", gzipped(b"", member(b"")))
gives("gzip-zeros-after", stream(WHOLE, bytes(70_000)), *TREE)
gives("gzip-one-zero-after", stream(WHOLE, b"\0"), *TREE)
refuses("gzip-garbage-after", stream(WHOLE, b"garbage"), "gzip: garbage after the end")
refuses(
    "gzip-garbage-after-zeros", stream(WHOLE, bytes(99), b"garbage"), "gzip: garbage after the end"
)
refuses(
    "gzip-member-after-zeros", stream(WHOLE, bytes(99), member(b"")), "gzip: garbage after the end"
)
refuses("gzip-half-magic-after", stream(WHOLE, b"\x1f"), "gzip: ")
refuses(
    "gzip-wrong-header-crc",
    stream(WHOLE[:3] + b"\x02" + WHOLE[4:10] + b"\0\0" + WHOLE[10:]),
    "gzip: ",
)
# The diff_id covers the bytes.
gives("gzip-wrong-crc", stream(member(TAR, crc=zlib.crc32(TAR) ^ 1)), *TREE)
refuses("gzip-wrong-size", stream(member(TAR, size=len(TAR) + 1)), "gzip: wrong length")
gives("gzip-wrong-crc-of-empty-member", stream(WHOLE, member(b"", crc=1)), *TREE)
for bit in (0x20, 0x40, 0x80):
    refuses(f"gzip-reserved-flag-{bit:02x}", stream(member(TAR, flags=bit)), "gzip: reserved flag")
refuses("gzip-method", stream(member(TAR, method=7)), "gzip: ")
# A layer's first bytes decide its compression, because builders mislabel layers.
refuses("gzip-magic", stream(member(RANDOM, magic=b"\x1f\x8c")), "tar: wrong checksum")
refuses("gzip-compress-magic", stream(member(RANDOM, magic=b"\x1f\x9d")), "tar: wrong checksum")
refuses(
    "gzip-is-zstd", stream(bytes.fromhex("28b52ffd") + bytes(99)), "zstd: ", space=str(96 << 20)
)
gives("gzip-is-plain", Layer(TAR, media=LAYER + "+gzip"), *TREE)
gives("plain-is-called-gzip", Layer(WHOLE, diff_id=digest(TAR)), *TREE)
refuses("plain-is-gzip", Layer(member(RANDOM)), "tar: wrong checksum")
gives("gzip-called-plain", Layer(WHOLE, diff_id=digest(TAR), media=LAYER), *TREE)
gives("gzip-called-zstd", Layer(WHOLE, diff_id=digest(TAR), media=LAYER + "+zstd"), *TREE)
gives("plain-called-zstd", Layer(TAR, media=LAYER + "+zstd"), *TREE)
refuses(
    "gzip-empty-blob",
    gzipped(b"", b""),
    "0 bytes cannot be application/vnd.oci.image.layer.v1.tar+gzip",
)
refuses("gzip-cut-at-1", stream(WHOLE[:1]), "tar: truncated")
for cut in (3, 9, 10, 20, len(WHOLE) - 9, len(WHOLE) - 8, len(WHOLE) - 4, len(WHOLE) - 1):
    refuses(f"gzip-cut-at-{cut}", stream(WHOLE[:cut]), "gzip: truncated")
refuses("gzip-cut-in-second-member", stream(WHOLE, WHOLE[:40]), "gzip: truncated")
refuses("gzip-cut-in-name", stream(member(TAR, flags=8, fields=b"no end")[:16]), "gzip: truncated")
refuses(
    "gzip-endless-name",
    stream(member(TAR, flags=8, fields=b"n" * 200_000)[:150_000]),
    "gzip: truncated",
)
refuses("gzip-bad-block", stream(member(TAR, body=b"\x07" * 50)), "gzip: ")
refuses("gzip-bad-stored-length", stream(member(TAR, body=b"\x01\x05\0\x05\0hello")), "gzip: ")
refuses(
    "gzip-far-match",
    stream(member(TAR, body=bytes.fromhex("4b04000000ffff") + b"\x03\xff" * 9)),
    "gzip: ",
)
refuses("gzip-of-gzip", gzipped(TAR, member(member(RANDOM))), "tar: wrong checksum")
refuses(
    "gzip-wrong-diff-id",
    gzipped(TAR, WHOLE, diff_id=digest(b"other")),
    "diff_id: digest mismatch: expected sha256:d9298a10",
)
refuses(
    "gzip-diff-id-of-the-blob",
    gzipped(TAR, WHOLE, diff_id=digest(WHOLE)),
    "diff_id: digest mismatch",
)
refuses("plain-wrong-diff-id", Layer(TAR, diff_id=digest(b"other")), "diff_id: digest mismatch")
gives("gzip-sha512", gzipped(TAR, WHOLE, algorithm="sha512", diff_id=digest(TAR, "sha512")), *TREE)
gives("gzip-mixed-algorithms", gzipped(TAR, WHOLE, algorithm="sha512"), *TREE)
refuses(
    "gzip-sha512-wrong",
    gzipped(TAR, WHOLE, diff_id=digest(b"other", "sha512")),
    "diff_id: digest mismatch: expected sha512:",
)

# Bombs: a gigabyte from a megabyte, as zeros after the end of a tar, and as a file.
zeros = member(bytes(16 << 20))
refuses("bomb-of-zeros", gzipped(b"", zeros * 64), "diff_id: digest mismatch")
refuses("bomb-after-the-end", gzipped(b"", WHOLE + zeros * 16), "diff_id: digest mismatch")
refuses(
    "bomb-of-a-file",
    gzipped(b"", member(header("f", size=1 << 30)) + zeros * 64),
    "entry f: write: no space left on device",
    disk="64m",
)
refuses(
    "bomb-of-a-pax-header",
    gzipped(b"", member(header("x", b"x", size=1 << 30)) + zeros * 64),
    "extended header of 1073741824 bytes exceeds ",
)
gives("bomb-of-members", gzipped(b"", member(b"") * 200_000))
