"""Images around layers, whole or damaged on purpose, and the list of cases."""

import gzip
import hashlib
import json
import os

LAYER = "application/vnd.oci.image.layer.v1.tar"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"

# Where the runner keeps what must not change, as names in layers reach it. Set by make.py.
CANARY = os.environ["OCINIT_CANARY"]
CASES = []


def digest(data, algorithm="sha256"):
    return f"{algorithm}:{hashlib.new(algorithm, data).hexdigest()}"


class Layer:
    """Stored bytes, and what the image claims of them."""

    def __init__(self, stored, diff_id=None, media=LAYER, algorithm="sha256", **claims):
        self.stored, self.media, self.claims = stored, media, claims
        self.diff_id = diff_id or digest(stored)
        self.digest = digest(stored, algorithm)

    def descriptor(self):
        return {"mediaType": self.media, "digest": self.digest, "size": len(self.stored), **self.claims}


def gzipped(tar, stored=None, **claims):
    stored = gzip.compress(tar, 6, mtime=0) if stored is None else stored
    return Layer(stored, **{"diff_id": digest(tar), "media": LAYER + "+gzip", **claims})


def store(place, data, name=None):
    name = name or digest(data)
    path = os.path.join(place, "blobs", *name.split(":", 1))
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as out:
        out.write(data)
    return path


def encode(document):
    return document if isinstance(document, bytes) else json.dumps(document, separators=(",", ":")).encode()


class Image:
    """A layout. Each hook gets a document, as data or (`_text`) as bytes, and gives another; `after` gets the place."""

    def __init__(self, *layers, config=None, config_text=None, manifest=None, manifest_text=None, index=None,
                 index_text=None, after=None):
        self.layers = [Layer(layer) if isinstance(layer, bytes) else layer for layer in layers]
        self.hooks = {"config": (config, config_text), "manifest": (manifest, manifest_text), "index": (index, index_text)}
        self.after = after

    def document(self, name, data):
        change, change_text = self.hooks[name]
        data = encode((change(data) if change else None) or data)
        return change_text(data) if change_text else data

    def write(self, place):
        os.makedirs(os.path.join(place, "blobs", "sha256"))
        with open(os.path.join(place, "oci-layout"), "w") as out:
            out.write('{"imageLayoutVersion":"1.0.0"}')
        for layer in self.layers:
            store(place, layer.stored, layer.digest)
        config = self.document("config", {
            "architecture": "amd64", "os": "linux", "config": {"Cmd": ["sh"]},
            "rootfs": {"type": "layers", "diff_ids": [layer.diff_id for layer in self.layers]}})
        store(place, config)
        manifest = self.document("manifest", {
            "schemaVersion": 2, "mediaType": MANIFEST,
            "config": {"mediaType": CONFIG, "digest": digest(config), "size": len(config)},
            "layers": [layer.descriptor() for layer in self.layers]})
        store(place, manifest)
        index = self.document("index", {"schemaVersion": 2, "manifests": [
            {"mediaType": MANIFEST, "digest": digest(manifest), "size": len(manifest)}]})
        with open(os.path.join(place, "index.json"), "wb") as out:
            out.write(index)
        if self.after:
            self.after(place)


def refuses(name, what, line, **options):
    """`ocinit unpack` of this image (or tar, or list of layers) ends with 125 and one line that holds `line`."""
    CASES.append((name, what, "refuses", line, [], options))


def gives(name, what, *tree, says="", **options):
    """It ends with 0, and the root holds exactly these entries: `PATH key=value …`, a directory with a slash."""
    CASES.append((name, what, "gives", says, tree, options))
