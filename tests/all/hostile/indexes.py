"""Indexes in indexes: deep, wide, and one that names itself."""

import os
from typing import Any

from image import INDEX, Image, digest, encode, gives, refuses, store
from tarball import file, tar

TAR = tar(file("a", "x"))


def nested(depth: int) -> Image:
    """Returns an image whose index.json leads through `depth` indexes to the manifest."""
    entries: list[Any] = []

    def change(i: Any) -> object:
        entries.extend(i["manifests"])
        return i

    def after(place: str) -> None:
        nonlocal entries
        for _ in range(depth):
            document = encode({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries})
            store(place, document)
            entries = [{"mediaType": INDEX, "digest": digest(document), "size": len(document)}]
        with open(os.path.join(place, "index.json"), "wb") as out:
            out.write(encode({"schemaVersion": 2, "manifests": entries}))

    return Image(TAR, index=change, after=after)


gives("index-nested", nested(1), "a content=x")
gives("index-nested-4", nested(4), "a content=x")
refuses("index-nested-5", nested(5), "nested deeper than 4 indexes")
refuses("index-nested-500", nested(500), "nested deeper than 4 indexes")
# No index can name itself by its digest, but one can be stored under a digest that is not its own.
itself = encode(
    {
        "schemaVersion": 2,
        "mediaType": INDEX,
        "manifests": [{"mediaType": INDEX, "digest": "sha256:" + "0" * 64, "size": 181}],
    }
)
refuses(
    "index-names-itself",
    Image(
        TAR,
        index=lambda i: i.update(
            manifests=[{"mediaType": INDEX, "digest": "sha256:" + "0" * 64, "size": len(itself)}]
        ),
        after=lambda place: store(place, itself, "sha256:" + "0" * 64),
    ),
    "digest mismatch: expected sha256:0000",
)


def wide(count: int) -> Image:
    """Returns an image with `count` indexes in its index, each with `count` more, three levels."""

    def after(place: str) -> None:
        entries: list[Any] = []
        for depth in range(3):
            document = encode(
                {
                    "schemaVersion": 2,
                    "mediaType": INDEX,
                    "manifests": entries * (count if depth else 0),
                    "annotations": {"depth": str(depth)},
                }
            )
            store(place, document)
            entries = [{"mediaType": INDEX, "digest": digest(document), "size": len(document)}]
        with open(os.path.join(place, "index.json"), "wb") as out:
            out.write(encode({"schemaVersion": 2, "manifests": entries * count}))

    return Image(TAR, after=after)


refuses("index-wide", wide(900), "more than 33554432 bytes of indexes and manifests to search")
refuses("index-wide-30", wide(30), "the layout holds no image")
refuses(
    "index-5000-manifests",
    Image(TAR, index=lambda i: i.update(manifests=i["manifests"] * 5000)),
    "more than ",
)
gives(
    "index-1000-same",
    Image(TAR, index=lambda i: i.update(manifests=i["manifests"] * 1000)),
    "a content=x",
)
gives(
    "index-1000-artifacts",
    Image(
        TAR,
        index=lambda i: i["manifests"].extend(
            [{"mediaType": "text/plain", "digest": digest(b""), "size": 0}] * 1000
        ),
    ),
    "a content=x",
)
