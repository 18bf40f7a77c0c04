"""Tars, byte by byte, well-formed or malformed."""

from collections.abc import Sequence
from typing import Any

BLOCK = 512

Text = str | bytes
Field = int | bytes  # a number, or the bytes of its field
Pair = tuple[int, int]  # offset and length of a segment


def to_bytes(text: Text) -> bytes:
    return text if isinstance(text, bytes) else text.encode()


def pad(data: bytes) -> bytes:
    return data + bytes(-len(data) % BLOCK)


def header(
    name: Text,
    kind: bytes = b"0",
    *,
    mode: Field = 0o644,
    uid: Field = 0,
    gid: Field = 0,
    size: Field = 0,
    mtime: Field = 0,
    link: Text = b"",
    device: tuple[Field, Field] = (0, 0),
    prefix: Text = b"",
    magic: bytes = b"ustar\x0000",
    raw: Sequence[tuple[int, bytes]] = (),
    seal: bool = True,
) -> bytes:
    """Returns one header block. `raw` is (offset, bytes), written last over the other fields."""
    block = bytearray(BLOCK)

    def put(at: int, width: int, value: Field) -> None:
        text = value if isinstance(value, bytes) else b"%0*o" % (width - 1, value)
        assert len(text) <= width, (name, at, text)
        block[at : at + len(text)] = text

    fields: list[tuple[int, int, Field]] = [
        (0, 100, to_bytes(name)),
        (100, 8, mode),
        (108, 8, uid),
        (116, 8, gid),
        (124, 12, size),
        (136, 12, mtime),
        (156, 1, kind),
        (157, 100, to_bytes(link)),
        (257, 8, magic),
        (329, 8, device[0]),
        (337, 8, device[1]),
        (345, 155, to_bytes(prefix)),
    ]
    for at, width, value in fields:
        put(at, width, value)
    for at, text in raw:
        block[at : at + len(text)] = text
    if seal:
        block[148:156] = b"        "
        block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def base256(number: int, width: int) -> bytes:
    """Returns a number in GNU's form for numbers that octal cannot hold."""
    value = bytearray((number & ((1 << 8 * width) - 1)).to_bytes(width, "big"))
    value[0] |= 0x80
    return bytes(value)


def file(name: Text, data: Text = b"", **fields: Any) -> bytes:
    data = to_bytes(data)
    fields.setdefault("size", len(data))
    return header(name, **fields) + pad(data)


def folder(name: Text, **fields: Any) -> bytes:
    fields.setdefault("mode", 0o755)
    return header(name, b"5", **fields)


def symlink(name: Text, target: Text, **fields: Any) -> bytes:
    return header(name, b"2", link=target, mode=0o777, **fields)


def hardlink(name: Text, target: Text, **fields: Any) -> bytes:
    return header(name, b"1", link=target, **fields)


def device(name: Text, kind: bytes, major: Field, minor: Field, **fields: Any) -> bytes:
    return header(name, kind, device=(major, minor), **fields)


def fifo(name: Text, **fields: Any) -> bytes:
    return header(name, b"6", **fields)


def record(key: Text, value: Text) -> bytes:
    """Returns one pax record with its right length."""
    rest = b" " + to_bytes(key) + b"=" + to_bytes(value) + b"\n"
    length = len(rest) + 1
    while len(b"%d" % length) + len(rest) != length:
        length += 1
    return b"%d" % length + rest


def extended(data: bytes, kind: bytes = b"x") -> bytes:
    """Returns an extended header of these bytes."""
    return header("pax", kind, size=len(data)) + pad(data)


def pax(*pairs: tuple[Text, Text], kind: bytes = b"x", **records: Text) -> bytes:
    """Returns a pax header: `pax(path="long")`, `pax(("SCHILY.xattr.user.a", "1"))`."""
    return extended(b"".join(record(key, value) for key, value in [*pairs, *records.items()]), kind)


def long_name(name: Text, kind: bytes = b"L") -> bytes:
    """Returns GNU's long name (`K`: long target) of the next entry."""
    return header("././@LongLink", kind, size=len(to_bytes(name)) + 1) + pad(to_bytes(name) + b"\0")


def old_sparse(
    name: Text,
    segments: Sequence[Pair | bytes],
    real: Field,
    data: bytes,
    *,
    more: Sequence[Sequence[Pair | bytes]] = (),
    **fields: Any,
) -> bytes:
    """Returns GNU's old sparse file: four segments in the header, the rest in further blocks."""

    def put(pairs: Sequence[Pair | bytes]) -> bytes:
        return b"".join(
            b"%011o\0%011o\0" % pair if isinstance(pair, tuple) else pair for pair in pairs
        )

    raw = [
        (386, put(segments)),
        (482, b"\1" if more else b"\0"),
        (483, real if isinstance(real, bytes) else b"%011o\0" % real),
    ]
    blocks = b""
    for at, pairs in enumerate(more):
        block = put(pairs).ljust(504, b"\0") + (b"\1" if at + 1 < len(more) else b"\0")
        blocks += block.ljust(BLOCK, b"\0")
    return (
        header(name, b"S", size=len(data), magic=b"ustar  \0", raw=raw, **fields)
        + blocks
        + pad(data)
    )


def tar(*parts: bytes, end: bytes = bytes(1024)) -> bytes:
    return b"".join(parts) + end
