"""index.json and manifests: forms, confusion, foreign layers, size, and JSON itself."""

import os

from image import (
    INDEX,
    LAYER,
    MANIFEST,
    Change,
    ChangeText,
    Image,
    Layer,
    digest,
    gives,
    refuses,
    store,
)
from tarball import file, tar

TAR = tar(file("a", "x"))
DOCKER = "application/vnd.docker.distribution.manifest.v2+json"


def manifest(name: str, line: str, change: Change, **options: object) -> None:
    refuses(f"manifest-{name}", Image(TAR, manifest=change), line, **options)


def manifest_text(name: str, line: str, change: ChangeText) -> None:
    refuses(f"manifest-{name}", Image(TAR, manifest_text=change), line)


def index(name: str, line: str, change: Change, **options: object) -> None:
    refuses(f"index-{name}", Image(TAR, index=change), line, **options)


# Forms.
manifest("schema-1", "schemaVersion: not 2", lambda m: m.update(schemaVersion=1))
manifest("schema-missing", "schemaVersion: missing", lambda m: m.pop("schemaVersion") and m)
manifest("schema-text", "schemaVersion: ", lambda m: m.update(schemaVersion="2"))
index("schema-1", "schemaVersion: not 2", lambda i: i.update(schemaVersion=1))
manifest("is-a-list", "manifest sha256:", lambda m: [m])
manifest("is-null", "manifest sha256:", lambda m: b"null")
manifest("is-empty", "invalid JSON", lambda m: b" ")
manifest("no-config", "config: missing", lambda m: m.pop("config") and m)
manifest("config-null", "config: ", lambda m: m.update(config=None))
manifest("layers-object", "layers: ", lambda m: m.update(layers={}))
manifest("layer-null", "layers[0]: ", lambda m: m.update(layers=[None]))
manifest(
    "layer-no-type", "layers[0].mediaType: missing", lambda m: m["layers"][0].pop("mediaType") and m
)
manifest(
    "layer-no-digest", "layers[0].digest: missing", lambda m: m["layers"][0].pop("digest") and m
)
manifest("layer-no-size", "layers[0].size: missing", lambda m: m["layers"][0].pop("size") and m)
manifest(
    "layer-unknown-type",
    "media type application/x-tar: not a layer of an image",
    lambda m: m["layers"][0].update(mediaType="application/x-tar"),
)
manifest(
    "layer-unknown-compression",
    "unknown compression",
    lambda m: m["layers"][0].update(mediaType=LAYER + "+xz"),
)
manifest(
    "layer-encrypted",
    "the layer is encrypted",
    lambda m: m["layers"][0].update(mediaType=LAYER + "+gzip+encrypted"),
)
manifest(
    "artifact",
    "an artifact and not an image",
    lambda m: m["config"].update(mediaType="application/vnd.oci.empty.v1+json"),
)
manifest(
    "artifact-of-helm",
    "an artifact and not an image",
    lambda m: m["config"].update(mediaType="application/vnd.cncf.helm.config.v1+json"),
)
# CVE-2021-41190: one document that is two.
manifest(
    "with-manifests",
    "manifests: does not belong into a document of this kind",
    lambda m: m.update(manifests=[]),
)
manifest("calls-itself-index", "mediaType: " + INDEX, lambda m: m.update(mediaType=INDEX))
manifest(
    "calls-itself-docker",
    f"mediaType: {DOCKER}, where {MANIFEST} is expected",
    lambda m: m.update(mediaType=DOCKER),
)
index(
    "with-layers",
    "index.json: layers: does not belong into a document of this kind",
    lambda i: i.update(layers=[]),
)
index("with-config", "index.json: config: does not belong", lambda i: i.update(config={}))
index("calls-itself-manifest", "mediaType: " + MANIFEST, lambda i: i.update(mediaType=MANIFEST))
index(
    "descriptor-says-index",
    "mediaType: " + MANIFEST,
    lambda i: i["manifests"][0].update(mediaType=INDEX),
)
index("empty", "the layout holds no image", lambda i: i.update(manifests=[]))
index("manifests-null", "the layout holds no image", lambda i: i.update(manifests=None))
index("manifests-missing", "the layout holds no image", lambda i: i.pop("manifests") and i)
index("manifests-object", "index.json: manifests: ", lambda i: i.update(manifests={}))
index(
    "unknown-type",
    "no image, only text/plain",
    lambda i: i["manifests"][0].update(mediaType="text/plain"),
)
index(
    "type-with-newline",
    "no image, only a\\x0aocinit: all is well",
    lambda i: i["manifests"][0].update(mediaType="a\nocinit: all is well"),
)
index("platform-text", "platform: ", lambda i: i["manifests"][0].update(platform="linux/amd64"))
index("annotations-list", "annotations: ", lambda i: i["manifests"][0].update(annotations=[]))
index(
    "annotation-number",
    "org.opencontainers.image.ref.name: ",
    lambda i: i["manifests"][0].update(annotations={"org.opencontainers.image.ref.name": 1}),
)
index(
    "other-platform",
    "wrong architecture: the image is for linux/s390x",
    lambda i: i["manifests"][0].update(platform={"os": "linux", "architecture": "s390x"}),
)
index(
    "two-images",
    "several images, and no tag to choose by: a, b",
    lambda i: i["manifests"].extend(
        [
            {**i["manifests"][0], "annotations": {"org.opencontainers.image.ref.name": "a"}},
            {
                **i["manifests"][0],
                "digest": digest(b"x"),
                "annotations": {"org.opencontainers.image.ref.name": "b"},
            },
        ]
    ),
)
gives(
    "index-unknown-types-skipped",
    Image(
        TAR,
        index=lambda i: i["manifests"].insert(
            0, {"mediaType": "text/plain", "digest": "md5:1", "size": -1}
        ),
    ),
    "a content=x",
)
gives(
    "index-attestation-skipped",
    Image(
        TAR,
        index=lambda i: i["manifests"].insert(
            0,
            {
                **i["manifests"][0],
                "digest": digest(b"x"),
                "platform": {"os": "unknown", "architecture": "unknown"},
                "annotations": {"vnd.docker.reference.type": "attestation-manifest"},
            },
        ),
    ),
    "a content=x",
)
gives(
    "manifest-docker",
    Image(
        Layer(TAR, media="application/vnd.docker.image.rootfs.diff.tar"),
        manifest=lambda m: m.update(mediaType=DOCKER),
        index=lambda i: i["manifests"][0].update(mediaType=DOCKER),
    ),
    "a content=x",
)
gives(
    "manifest-null-members",
    Image(TAR, manifest=lambda m: m.update(annotations=None, subject=None, artifactType=None)),
    "a content=x",
)

# Foreign layers: unpacked where they are there, never fetched where not (CVE-2020-15157).
FOREIGN = "application/vnd.oci.image.layer.nondistributable.v1.tar"
gives("foreign-there", Layer(TAR, media=FOREIGN, urls=["http://127.0.0.1:1/x"]), "a content=x")
refuses(
    "foreign-missing",
    Image(
        Layer(TAR, media=FOREIGN, urls=["http://127.0.0.1:1/x"]),
        after=lambda place: os.unlink(os.path.join(place, "blobs", "sha256", digest(TAR)[7:])),
    ),
    "a foreign layer, which is not part of the image: blob sha256:",
)
refuses(
    "foreign-docker-missing",
    Image(
        Layer(TAR, media="application/vnd.docker.image.rootfs.foreign.diff.tar"),
        after=lambda place: os.unlink(os.path.join(place, "blobs", "sha256", digest(TAR)[7:])),
    ),
    "a foreign layer, which is not part of the image: blob sha256:",
)
gives(
    "descriptor-data-ignored",
    Image(TAR, manifest=lambda m: m["config"].update(data="bm90IHRoZSBjb25maWc=")),
    "a content=x",
)


# Size: a document of 100 MB is refused before a byte of it is read.
refuses(
    "manifest-100-MB",
    Image(
        TAR,
        index=lambda i: i["manifests"][0].update(digest="sha256:" + "1" * 64, size=100 << 20),
        after=lambda place: os.truncate(store(place, b"", "sha256:" + "1" * 64), 100 << 20),
    ),
    "104857600 bytes, more than the 4194304",
)
refuses(
    "config-100-MB",
    Image(
        TAR,
        manifest=lambda m: m["config"].update(digest="sha256:" + "1" * 64, size=100 << 20),
        after=lambda place: os.truncate(store(place, b"", "sha256:" + "1" * 64), 100 << 20),
    ),
    "104857600 bytes, more than the 4194304",
)
refuses(
    "config-4-MiB-and-1",
    Image(TAR, config_text=lambda text: text + b" " * ((4 << 20) + 1 - len(text))),
    "4194305 bytes, more than the 4194304",
)
gives(
    "config-4-MiB",
    Image(TAR, config_text=lambda text: text + b" " * ((4 << 20) - len(text))),
    "a content=x",
)

# JSON.
manifest_text(
    "duplicate-layers", "layers: ", lambda t: t.replace(b'"layers":', b'"layers":[],"layers":')
)
manifest_text(
    "duplicate-by-escape",
    "layers: ",
    lambda t: t.replace(b'"layers":', b'"la\\u0079ers":[],"layers":'),
)
manifest_text(
    "duplicate-config", "config: ", lambda t: t.replace(b'"config":', b'"config":{},"config":')
)
manifest_text(
    "duplicate-digest", "digest: ", lambda t: t.replace(b'"digest":', b'"digest":"","digest":')
)
gives(
    "manifest-folded-keys",
    Image(
        TAR,
        manifest_text=lambda t: t.replace(
            b'"schemaVersion"', b'"Layers":[],"LAYERS":[],"Config":null,"schemaVersion"'
        ),
    ),
    "a content=x",
)
refuses(
    "manifest-only-folded-keys",
    Image(TAR, manifest_text=lambda t: t.replace(b'"layers"', b'"Layers"')),
    "rootfs.diff_ids: 1 of them, the manifest has 0 layers",
)
gives(
    "manifest-kelvin-key",
    Image(
        TAR,
        manifest_text=lambda t: t.replace(
            b'"schemaVersion"', '"layer\u017f":[],"schemaVersion"'.encode()
        ),
    ),
    "a content=x",
)
gives(
    "manifest-escaped-keys",
    Image(
        TAR,
        manifest_text=lambda t: (
            t.replace(b'"layers"', b'"la\\u0079ers"')
            .replace(b'"mediaType"', b'"media\\u0054ype"')
            .replace(b"application/", b"application\\/")
        ),
    ),
    "a content=x",
)
manifest_text("bom", "invalid JSON at byte 0: a byte order mark", lambda t: b"\xef\xbb\xbf" + t)
manifest_text("utf16", "invalid JSON", lambda t: t.decode().encode("utf-16"))
manifest_text(
    "not-utf8", "not UTF-8", lambda t: t.replace(b'"schemaVersion"', b'"x":"\xff","schemaVersion"')
)
manifest_text(
    "lone-surrogate",
    "invalid JSON",
    lambda t: t.replace(b'"schemaVersion"', b'"\\ud800":1,"schemaVersion"'),
)
manifest_text(
    "low-surrogate-first",
    "invalid JSON",
    lambda t: t.replace(b'"schemaVersion"', b'"\\udc00\\ud800":1,"schemaVersion"'),
)
gives(
    "manifest-surrogate-pair",
    Image(
        TAR,
        manifest_text=lambda t: t.replace(
            b'"schemaVersion"', b'"\\ud83d\\ude00":1,"schemaVersion"'
        ),
    ),
    "a content=x",
)
gives(
    "manifest-nul-in-text",
    Image(
        TAR,
        manifest_text=lambda t: t.replace(
            b'"schemaVersion"', b'"x\\u0000":"\\u0000","schemaVersion"'
        ),
    ),
    "a content=x",
)
manifest_text(
    "control-in-text",
    "invalid JSON",
    lambda t: t.replace(b'"schemaVersion"', b'"x":"\n","schemaVersion"'),
)
manifest_text(
    "bad-escape",
    "invalid JSON",
    lambda t: t.replace(b'"schemaVersion"', b'"x":"\\x41","schemaVersion"'),
)
manifest_text("trailing-comma", "invalid JSON", lambda t: t[:-1] + b",}")
manifest_text("comment", "invalid JSON", lambda t: b"/* */" + t)
manifest_text("single-quotes", "invalid JSON", lambda t: t.replace(b'"', b"'"))
manifest_text(
    "nan", "invalid JSON", lambda t: t.replace(b'"schemaVersion"', b'"x":NaN,"schemaVersion"')
)
manifest_text(
    "leading-zero", "invalid JSON", lambda t: t.replace(b'"schemaVersion":2', b'"schemaVersion":02')
)
manifest_text("two-documents", "invalid JSON", lambda t: t + t)
manifest_text("cut", "the document ends early", lambda t: t[:-1])
manifest_text("nul-after", "invalid JSON", lambda t: t + b"\0")
manifest_text(
    "depth-100",
    "nested deeper than 64 levels",
    lambda t: t.replace(
        b'"schemaVersion"', b'"x":' + b"[" * 100 + b"]" * 100 + b',"schemaVersion"'
    ),
)
manifest_text(
    "depth-500000",
    "nested deeper than 64 levels",
    lambda t: t.replace(
        b'"schemaVersion"', b'"x":' + b"[" * 500_000 + b"]" * 500_000 + b',"schemaVersion"'
    ),
)
gives(
    "manifest-depth-60",
    Image(
        TAR,
        manifest_text=lambda t: t.replace(
            b'"schemaVersion"', b'"x":' + b'{"y":[' * 30 + b"]}" * 30 + b',"schemaVersion"'
        ),
    ),
    "a content=x",
)
gives(
    "manifest-many-members",
    Image(
        TAR,
        manifest_text=lambda t: t.replace(
            b'"schemaVersion"',
            b"".join(b'"k%d":0,' % n for n in range(60_000)) + b'"schemaVersion"',
        ),
    ),
    "a content=x",
)
gives(
    "manifest-long-number",
    Image(
        TAR,
        manifest_text=lambda t: t.replace(
            b'"schemaVersion"', b'"x":' + b"9" * 500_000 + b',"schemaVersion"'
        ),
    ),
    "a content=x",
)
refuses(
    "index-bom",
    Image(TAR, index_text=lambda t: b"\xef\xbb\xbf" + t),
    "index.json: invalid JSON at byte 0: a byte order mark",
)
refuses(
    "index-duplicate-manifests",
    Image(TAR, index_text=lambda t: t.replace(b'"manifests":', b'"manifests":[],"manifests":')),
    "index.json: manifests: ",
)
