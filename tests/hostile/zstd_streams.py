"""zstd streams: frames of raw blocks, and lies about what is inside."""

import struct

from image import Layer, LAYER, digest, gives, refuses
from tarball import *

TAR = tar(file("a", "x" * 5000), file("b", "y"))
TREE = ["a size=5000", "b content=y"]
MAGIC = bytes.fromhex("28b52ffd")


def block(data, last=True, kind=0):
    return struct.pack("<I", len(data) << 3 | kind << 1 | last)[:3] + data


def frame(data, size=None, blocks=None):
    """A single segment with its size."""
    size = len(data) if size is None else size
    return MAGIC + b"\xe0" + struct.pack("<Q", size) + (block(data) if blocks is None else blocks)


def windowed(window, data, descriptor=0, more=b""):
    return MAGIC + bytes([descriptor, window]) + more + block(data)


def skippable(data, size=None):
    return b"\x5a\x2a\x4d\x18" + struct.pack("<I", len(data) if size is None else size) + data


def stream(*frames):
    return Layer(b"".join(frames), diff_id=digest(TAR), media=LAYER + "+zstd")


WHOLE = frame(TAR)
gives("zstd", stream(WHOLE), *TREE)
gives("zstd-windowed", stream(windowed(0x20, TAR)), *TREE)
gives("zstd-frames", stream(*[frame(TAR[n:n + 999]) for n in range(0, len(TAR), 999)]), *TREE)
gives("zstd-empty-frames", stream(frame(b""), frame(b""), WHOLE, frame(b"")), *TREE)
gives("zstd-skip", stream(skippable(b""), skippable(TAR), WHOLE, skippable(b"note")), *TREE)
gives("zstd-large-window-of-little", stream(windowed(0xa8, TAR, 0xc0, struct.pack("<Q", len(TAR)))), *TREE)
refuses("zstd-huge-window-of-little", stream(windowed(0xff, TAR, 0xc0, struct.pack("<Q", len(TAR)))), "zstd: a window of ")
refuses("zstd-huge-window", stream(windowed(0xff, TAR)), "zstd: a window of 4123168604160 bytes, more than ")
refuses("zstd-huge-segment", stream(frame(TAR, size=1 << 40)), "zstd: a window of 1099511627776 bytes, more than ")
refuses("zstd-largest-segment", stream(frame(TAR, size=(1 << 64) - 1)), "zstd: a window of 18446744073709551615 bytes, ")
refuses("zstd-size-too-small", stream(frame(TAR, size=len(TAR) - 1)), "zstd: invalid data")
refuses("zstd-size-too-large", stream(frame(TAR, size=len(TAR) + 1)), "zstd: invalid data")
refuses("zstd-reserved-block", stream(frame(TAR, blocks=block(TAR, kind=3))), "zstd: invalid data")
refuses("zstd-noise-for-blocks", stream(frame(TAR, blocks=block(b"noise" * 200, kind=2))), "zstd: invalid data")
refuses("zstd-reserved-bit", stream(windowed(0x20, TAR, 0x08)), "zstd: a reserved bit is set")
refuses("zstd-dictionary", stream(windowed(0x20, TAR, 0x03, b"\1\2\3\4")), "zstd: dictionary 67305985 is needed")
refuses("zstd-no-checksum", stream(windowed(0x20, TAR, 0x04)), "zstd: truncated")
refuses("zstd-wrong-checksum", stream(windowed(0x20, TAR, 0x04) + bytes(4)), "zstd: wrong checksum")
refuses("zstd-garbage-after", stream(WHOLE, b"garbage"), "zstd: garbage after the end")
refuses("zstd-zeros-after", stream(WHOLE, bytes(512)), "zstd: garbage after the end")
refuses("zstd-gzip-after", stream(WHOLE, b"\x1f\x8b\x08"), "zstd: garbage after the end")
refuses("zstd-skip-too-long", stream(WHOLE, skippable(b"note", size=(1 << 32) - 1)), "zstd: truncated")
refuses("zstd-skip-alone", stream(skippable(TAR)), "diff_id: digest mismatch")
for cut in (1, 3, len(TAR), len(WHOLE) - 13, len(WHOLE) - 4):
    refuses(f"zstd-cut-{cut}", stream(WHOLE[:-cut]), "zstd: truncated")
