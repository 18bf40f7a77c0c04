"""Tars, byte by byte: what a good writer writes, and what none would."""

BLOCK = 512


def to_bytes(text):
    return text if isinstance(text, bytes) else text.encode()


def pad(data):
    return data + bytes(-len(data) % BLOCK)


def header(name, kind=b"0", *, mode=0o644, uid=0, gid=0, size=0, mtime=0, link=b"", device=(0, 0), prefix=b"",
           magic=b"ustar\x0000", raw=(), seal=True):
    """One header block. A number may be given as the bytes of its field; `raw` is (offset, bytes) over all of it."""
    block = bytearray(BLOCK)

    def put(at, width, value):
        text = value if isinstance(value, bytes) else b"%0*o" % (width - 1, value)
        assert len(text) <= width, (name, at, text)
        block[at:at + len(text)] = text

    for at, width, value in [(0, 100, to_bytes(name)), (100, 8, mode), (108, 8, uid), (116, 8, gid), (124, 12, size),
                             (136, 12, mtime), (156, 1, kind), (157, 100, to_bytes(link)), (257, 8, magic),
                             (329, 8, device[0]), (337, 8, device[1]), (345, 155, to_bytes(prefix))]:
        put(at, width, value)
    for at, text in raw:
        block[at:at + len(text)] = text
    if seal:
        block[148:156] = b"        "
        block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def base256(number, width):
    """A number as GNU writes those that octal cannot hold."""
    value = bytearray((number & ((1 << 8 * width) - 1)).to_bytes(width, "big"))
    value[0] |= 0x80
    return bytes(value)


def file(name, data=b"", **fields):
    data = to_bytes(data)
    fields.setdefault("size", len(data))
    return header(name, **fields) + pad(data)


def folder(name, **fields):
    return header(name, b"5", **{"mode": 0o755, **fields})


def symlink(name, target, **fields):
    return header(name, b"2", link=target, mode=0o777, **fields)


def hardlink(name, target, **fields):
    return header(name, b"1", link=target, **fields)


def device(name, kind, major, minor, **fields):
    return header(name, kind, device=(major, minor), **fields)


def fifo(name, **fields):
    return header(name, b"6", **fields)


def record(key, value):
    """One pax record with its right length."""
    rest = b" " + to_bytes(key) + b"=" + to_bytes(value) + b"\n"
    length = len(rest) + 1
    while len(b"%d" % length) + len(rest) != length:
        length += 1
    return b"%d" % length + rest


def extended(data, kind=b"x"):
    """An extended header of these very bytes."""
    return header("pax", kind, size=len(data)) + pad(data)


def pax(*pairs, kind=b"x", **records):
    """A pax header: `pax(path="long")`, `pax(("SCHILY.xattr.user.a", "1"))`."""
    return extended(b"".join(record(key, value) for key, value in [*pairs, *records.items()]), kind)


def long_name(name, kind=b"L"):
    """GNU's long name (`K`: long target) of the entry that follows."""
    return header("././@LongLink", kind, size=len(to_bytes(name)) + 1) + pad(to_bytes(name) + b"\0")


def old_sparse(name, segments, real, data, *, more=(), **fields):
    """GNU's old sparse file: up to four segments in the header, the rest in blocks that follow it."""
    def put(pairs):
        return b"".join(b"%011o\0%011o\0" % pair if isinstance(pair, tuple) else pair for pair in pairs)

    raw = [(386, put(segments)), (482, b"\1" if more else b"\0"), (483, real if isinstance(real, bytes) else b"%011o\0" % real)]
    blocks = b""
    for at, pairs in enumerate(more):
        block = put(pairs).ljust(504, b"\0") + (b"\1" if at + 1 < len(more) else b"\0")
        blocks += block.ljust(BLOCK, b"\0")
    return header(name, b"S", size=len(data), magic=b"ustar  \0", raw=raw, **fields) + blocks + pad(data)


def tar(*parts, end=bytes(1024)):
    return b"".join(parts) + end
