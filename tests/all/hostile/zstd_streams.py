"""zstd streams: frames put together by hand, from blocks that are stored or one byte repeated."""

import struct
from typing import Any

from image import LAYER, Layer, digest, gives, refuses
from tarball import file, tar

TAR = tar(file("a", "x" * 5000), file("b", "y"))
TREE = ["a size=5000", "b content=y"]
# zstd's memory is mapped for the window that a frame asks for.
ROOM: dict[str, Any] = {"space": str(96 << 20)}


def block(data: bytes, kind: int = 0, *, size: int | None = None, last: bool = False) -> bytes:
    size = len(data) if size is None else size
    return struct.pack("<I", last | kind << 1 | size << 3)[:3] + data


def frame(
    data: bytes, *, descriptor: int = 0, fields: bytes = b"\x50", blocks: bytes | None = None
) -> bytes:
    """Returns a frame with a window of 1 MiB, no checksum, no size."""
    if blocks is None:
        pieces = [data[at : at + 100_000] for at in range(0, len(data), 100_000)] or [b""]
        blocks = b"".join(
            block(piece, last=at + 1 == len(pieces)) for at, piece in enumerate(pieces)
        )
    return bytes.fromhex("28b52ffd") + bytes([descriptor]) + fields + blocks


def skippable(data: bytes, kind: int = 0x50) -> bytes:
    return struct.pack("<II", 0x184D2A00 | kind, len(data)) + data


def stream(*parts: bytes, diff_id: str | None = None) -> Layer:
    return Layer(b"".join(parts), diff_id=diff_id or digest(TAR), media=LAYER + "+zstd")


WHOLE = frame(TAR)
gives("zstd", stream(WHOLE), *TREE, **ROOM)
gives("zstd-frames", stream(frame(TAR[:700]), frame(b""), frame(TAR[700:])), *TREE, **ROOM)
gives(
    "zstd-skippable",
    stream(
        skippable(b"first"),
        frame(TAR[:99]),
        skippable(b"", 0x5F),
        frame(TAR[99:]),
        skippable(b"z" * 70_000),
    ),
    *TREE,
    **ROOM,
)
gives("zstd-of-nothing", stream(frame(b""), diff_id=digest(b"")), **ROOM)
gives("zstd-skippable-alone", stream(skippable(b"nothing"), diff_id=digest(b"")), **ROOM)
gives(
    "zstd-single-segment",
    stream(frame(TAR, descriptor=0x60, fields=struct.pack("<H", len(TAR) - 256))),
    *TREE,
    **ROOM,
)
refuses(
    "zstd-size-wrong",
    stream(frame(TAR, descriptor=0x60, fields=struct.pack("<H", len(TAR) - 257))),
    "zstd: invalid data",
    **ROOM,
)
refuses(
    "zstd-size-2-62",
    stream(frame(TAR, descriptor=0xE0, fields=struct.pack("<Q", 1 << 62))),
    "zstd: a window of 4611686018427387904 bytes, more than ",
    **ROOM,
)
refuses(
    "zstd-window-2-31",
    stream(frame(TAR, fields=b"\xa8")),
    "zstd: a window of 2147483648 bytes, more than ",
    **ROOM,
)
refuses("zstd-window-largest", stream(frame(TAR, fields=b"\xff")), "zstd: a window of ", **ROOM)
refuses(
    "zstd-second-window-large",
    stream(frame(TAR[:512]), frame(TAR[512:], fields=b"\xa8")),
    "zstd: a window of 2147483648 bytes",
    **ROOM,
)
refuses(
    "zstd-reserved-bit", stream(frame(TAR, descriptor=8)), "zstd: a reserved bit is set", **ROOM
)
refuses(
    "zstd-dictionary",
    stream(frame(TAR, descriptor=1, fields=b"\x50\x07")),
    "zstd: dictionary 7 is needed",
    **ROOM,
)
refuses(
    "zstd-block-type-3",
    stream(frame(b"", blocks=block(b"x", 3, last=True))),
    "zstd: invalid data",
    **ROOM,
)
refuses(
    "zstd-block-too-large",
    stream(frame(b"", blocks=block(b"x" * 200_000, last=True))),
    "zstd: invalid data",
    **ROOM,
)
refuses(
    "zstd-compressed-rubbish",
    stream(frame(b"", blocks=block(b"\xff" * 900, 2, last=True))),
    "zstd: invalid data",
    **ROOM,
)
# The diff_id covers the bytes.
gives("zstd-checksum", stream(frame(TAR, descriptor=4), b"\0\0\0\0"), *TREE, **ROOM)
refuses("zstd-garbage-after", stream(WHOLE, b"garbage"), "zstd: garbage after the end", **ROOM)
refuses("zstd-zeros-after", stream(WHOLE, bytes(512)), "zstd: garbage after the end", **ROOM)
gives(
    "zstd-large-window-of-little",
    stream(frame(TAR, descriptor=0xC0, fields=b"\xa8" + struct.pack("<Q", len(TAR)))),
    *TREE,
    **ROOM,
)
refuses("zstd-gzip-after", stream(WHOLE, b"\x1f\x8b\x08"), "zstd: garbage after the end", **ROOM)
refuses("zstd-no-last-block", stream(frame(b"", blocks=block(TAR))), "zstd: truncated", **ROOM)
for cut in (4, 5, 6, 8, 600, len(WHOLE) - 1):
    refuses(f"zstd-cut-at-{cut}", stream(WHOLE[:cut]), "zstd: truncated", **ROOM)
refuses("zstd-skippable-cut", stream(WHOLE, skippable(b"z" * 900)[:-1]), "zstd: truncated", **ROOM)
refuses(
    "zstd-skippable-4-GiB",
    stream(WHOLE, struct.pack("<II", 0x184D2A50, 0xFFFFFFFF)),
    "zstd: truncated",
    **ROOM,
)
refuses(
    "zstd-wrong-diff-id",
    stream(WHOLE, diff_id=digest(b"other")),
    "diff_id: digest mismatch",
    **ROOM,
)
# A gigabyte from 32 KB.
refuses(
    "bomb-of-repeated-bytes",
    stream(
        frame(
            b"",
            blocks=block(b"\0", 1, size=128 << 10) * 8191
            + block(b"\0", 1, size=128 << 10, last=True),
        )
    ),
    "diff_id: digest mismatch",
    **ROOM,
)
refuses(
    "bomb-of-frames",
    stream(frame(b"") * 50_000, diff_id=digest(b"other")),
    "diff_id: digest mismatch",
    **ROOM,
)
