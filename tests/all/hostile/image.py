"""Images around layers, sound or damaged on purpose, and the list of cases."""

import gzip
import hashlib
import json
import os
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

LAYER = "application/vnd.oci.image.layer.v1.tar"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"

# A path outside the root that must not change, for names in layers. Set by make.py.
CANARY = os.environ["OCINIT_CANARY"]

# Changes a document in place, or returns another one.
Change = Callable[[Any], object]
ChangeText = Callable[[bytes], bytes]
After = Callable[[str], object]


def digest(data: bytes, algorithm: str = "sha256") -> str:
    return f"{algorithm}:{hashlib.new(algorithm, data).hexdigest()}"


class Layer:
    """Stored bytes, and the image's claims about them."""

    def __init__(
        self,
        stored: bytes,
        diff_id: str | None = None,
        media: str = LAYER,
        algorithm: str = "sha256",
        **claims: object,
    ) -> None:
        self.stored, self.media, self.claims = stored, media, claims
        self.diff_id = diff_id or digest(stored)
        self.digest = digest(stored, algorithm)

    def descriptor(self) -> dict[str, object]:
        return {
            "mediaType": self.media,
            "digest": self.digest,
            "size": len(self.stored),
            **self.claims,
        }


def gzipped(tar: bytes, stored: bytes | None = None, **claims: Any) -> Layer:
    stored = gzip.compress(tar, 6, mtime=0) if stored is None else stored
    return Layer(stored, **{"diff_id": digest(tar), "media": LAYER + "+gzip", **claims})


def store(place: str, data: bytes, name: str | None = None) -> str:
    name = name or digest(data)
    path = os.path.join(place, "blobs", *name.split(":", 1))
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as out:
        out.write(data)
    return path


def encode(document: object) -> bytes:
    return (
        document
        if isinstance(document, bytes)
        else json.dumps(document, separators=(",", ":")).encode()
    )


class Image:
    """A layout. A hook changes a document, as data or (`_text`) as bytes; `after` gets the path."""

    def __init__(
        self,
        *layers: Layer | bytes,
        config: Change | None = None,
        config_text: ChangeText | None = None,
        manifest: Change | None = None,
        manifest_text: ChangeText | None = None,
        index: Change | None = None,
        index_text: ChangeText | None = None,
        after: After | None = None,
    ) -> None:
        self.layers = [Layer(layer) if isinstance(layer, bytes) else layer for layer in layers]
        self.hooks: dict[str, tuple[Change | None, ChangeText | None]] = {
            "config": (config, config_text),
            "manifest": (manifest, manifest_text),
            "index": (index, index_text),
        }
        self.after = after

    def document(self, name: str, data: object) -> bytes:
        change, change_text = self.hooks[name]
        text = encode((change(data) if change else None) or data)
        return change_text(text) if change_text else text

    def write(self, place: str) -> None:
        os.makedirs(os.path.join(place, "blobs", "sha256"))
        with open(os.path.join(place, "oci-layout"), "w") as out:
            out.write('{"imageLayoutVersion":"1.0.0"}')
        for layer in self.layers:
            store(place, layer.stored, layer.digest)
        config = self.document(
            "config",
            {
                "architecture": "amd64",
                "os": "linux",
                "config": {"Cmd": ["sh"]},
                "rootfs": {"type": "layers", "diff_ids": [layer.diff_id for layer in self.layers]},
            },
        )
        store(place, config)
        manifest = self.document(
            "manifest",
            {
                "schemaVersion": 2,
                "mediaType": MANIFEST,
                "config": {"mediaType": CONFIG, "digest": digest(config), "size": len(config)},
                "layers": [layer.descriptor() for layer in self.layers],
            },
        )
        store(place, manifest)
        index = self.document(
            "index",
            {
                "schemaVersion": 2,
                "manifests": [
                    {"mediaType": MANIFEST, "digest": digest(manifest), "size": len(manifest)}
                ],
            },
        )
        with open(os.path.join(place, "index.json"), "wb") as out:
            out.write(index)
        if self.after:
            self.after(place)


# An image, its one layer, or its layers.
What = Image | Layer | bytes | Sequence[Layer | bytes]


class Case(NamedTuple):
    """A row of the list: an image, and the result of `ocinit unpack`."""

    name: str
    what: What
    verdict: str
    line: str
    tree: Sequence[str]
    options: dict[str, object]


CASES: list[Case] = []


def refuses(name: str, what: What, line: str, **options: object) -> None:
    """Adds an image whose `ocinit unpack` ends with 125 and one line that contains `line`."""
    CASES.append(Case(name, what, "refuses", line, [], options))


def gives(name: str, what: What, *tree: str, says: str = "", **options: object) -> None:
    """Adds an image whose `ocinit unpack` ends with 0 and makes exactly these entries.

    An entry is `PATH key=value …`; a directory has a slash after its path.
    """
    CASES.append(Case(name, what, "gives", says, tree, options))
