"""Layouts: files that are missing, something else, or lead out; digests that are none."""

import os
import shutil

from image import (
    CANARY,
    After,
    Change,
    Image,
    digest,
    gives,
    refuses,
)
from tarball import file, tar

TAR = tar(file("a", "x"))


def damaged(name: str, line: str, after: After, **options: object) -> None:
    refuses(f"layout-{name}", Image(TAR, after=after), line, **options)


def put(name: str, data: bytes) -> After:
    def after(place: str) -> None:
        path = os.path.join(place, name)
        if os.path.lexists(path):
            os.unlink(path)
        with open(path, "wb") as out:
            out.write(data)

    return after


def layer_path(place: str) -> str:
    return os.path.join(place, "blobs", "sha256", digest(TAR)[7:])


def instead(make: After) -> After:
    """Replaces the layer's blob."""

    def after(place: str) -> None:
        os.unlink(layer_path(place))
        make(layer_path(place))

    return after


def written(data: bytes) -> After:
    """Replaces the layer's blob by a file with these bytes."""

    def make(path: str) -> None:
        with open(path, "wb") as out:
            out.write(data)

    return instead(make)


def index_instead(make: After) -> After:
    """Replaces index.json."""

    def after(place: str) -> None:
        path = os.path.join(place, "index.json")
        os.unlink(path)
        make(path)

    return after


def add_other_files(place: str) -> None:
    put("manifest.json", b"rubbish")(place)
    os.mkdir(os.path.join(place, "refs"))
    os.mkfifo(os.path.join(place, "refs", "x"))


def of_layer(**members: object) -> Change:
    """Changes members of the layer's descriptor."""
    return lambda manifest: manifest["layers"][0].update(members)


def of_config(**members: object) -> Change:
    """Changes members of the configuration's descriptor."""
    return lambda manifest: manifest["config"].update(members)


def of_manifest(**members: object) -> Change:
    """Changes members of the manifest's descriptor."""
    return lambda index: index["manifests"][0].update(members)


def move_and_link(place: str) -> None:
    path = layer_path(place)
    shutil.move(path, os.path.join(place, "..", "elsewhere"))
    os.symlink("../../../elsewhere", path)


def blobs_out(place: str) -> None:
    shutil.move(os.path.join(place, "blobs"), os.path.join(place, "..", "blobs"))
    os.symlink("../blobs", os.path.join(place, "blobs"))


def link_inside(place: str) -> None:
    os.rename(layer_path(place), os.path.join(place, "layer.tar"))
    os.symlink("../../layer.tar", layer_path(place))


damaged(
    "missing",
    "oci-layout: missing: not an OCI image layout",
    lambda place: os.unlink(os.path.join(place, "oci-layout")),
)
damaged("empty", "oci-layout: invalid JSON at byte 0", put("oci-layout", b""))
damaged("not-json", "oci-layout: invalid JSON", put("oci-layout", b"1.0.0"))
damaged("list", "oci-layout: ", put("oci-layout", b"[]"))
damaged("no-version", "oci-layout: imageLayoutVersion: missing", put("oci-layout", b"{}"))
damaged(
    "version-number",
    "oci-layout: imageLayoutVersion: ",
    put("oci-layout", b'{"imageLayoutVersion":1}'),
)
damaged(
    "version-2",
    "oci-layout: version 2.0.0 is not supported",
    put("oci-layout", b'{"imageLayoutVersion":"2.0.0"}'),
)
damaged(
    "version-key-case",
    "oci-layout: imageLayoutVersion: missing",
    put("oci-layout", b'{"imagelayoutversion":"1.0.0"}'),
)
damaged(
    "version-twice",
    "oci-layout: ",
    put("oci-layout", b'{"imageLayoutVersion":"1.0.0","imageLayoutVersion":"2.0.0"}'),
)
damaged("5-KB", "oci-layout: 5000 bytes, more than the 4096", put("oci-layout", b" " * 5000))
gives(
    "layout-unknown-members",
    Image(TAR, after=put("oci-layout", b'{"imageLayoutVersion":"1.0.0","x":[1,{"y":null}]}')),
    "a content=x",
)
damaged(
    "no-index",
    "neither index.json nor refs",
    lambda place: os.unlink(os.path.join(place, "index.json")),
)
damaged(
    "index-folder",
    "index.json: not a regular file",
    index_instead(os.mkdir),
)
damaged(
    "index-fifo",
    "index.json: not a regular file",
    index_instead(os.mkfifo),
)
damaged(
    "index-link-out",
    "index.json: leads out of the layout",
    index_instead(lambda path: os.symlink("/etc/passwd", path)),
)
damaged(
    "index-100-MB",
    "index.json: 104857600 bytes, more than the 4194304",
    lambda place: os.truncate(os.path.join(place, "index.json"), 100 << 20),
)
damaged("no-blobs", "missing", lambda place: shutil.rmtree(os.path.join(place, "blobs")))
damaged("blobs-link-out", "leads out of the layout", blobs_out)

damaged("blob-missing", "missing", lambda place: os.unlink(layer_path(place)))
damaged("blob-link-out", "leads out of the layout", move_and_link)
damaged(
    "blob-link-absolute",
    "leads out of the layout",
    instead(lambda path: os.symlink(f"{CANARY}/secret", path)),
)
damaged(
    "blob-link-loop",
    "too many levels of symbolic links",
    instead(lambda path: os.symlink(os.path.basename(path), path)),
)
damaged("blob-magic-link", ": ", instead(lambda path: os.symlink("/proc/self/exe", path)))
damaged("blob-fifo", "not a regular file", instead(os.mkfifo))
damaged("blob-folder", "not a regular file", instead(os.mkdir))
damaged(
    "blob-device",
    "not a regular file",
    instead(lambda path: os.mknod(path, 0o020666, os.makedev(1, 5))),
)
damaged(
    "blob-longer",
    "size mismatch: expected ",
    lambda place: os.truncate(layer_path(place), len(TAR) + 1),
)
damaged(
    "blob-shorter",
    "size mismatch: expected ",
    lambda place: os.truncate(layer_path(place), len(TAR) - 1),
)
damaged("blob-empty", "size mismatch: expected ", lambda place: os.truncate(layer_path(place), 0))
damaged(
    "blob-changed",
    "digest mismatch: expected sha256:",
    written(tar(file("a", "y"))),
)
damaged(
    "blob-changed-no-tar",
    "digest mismatch: expected sha256:",
    written(b"z" * len(TAR)),
)
damaged(
    "blob-unreadable-tail",
    "digest mismatch: expected sha256:",
    written(TAR[:-1] + b"!"),
)
gives("layout-blob-link-inside", Image(TAR, after=link_inside), "a content=x")
gives(
    "layout-other-files",
    Image(
        TAR,
        after=add_other_files,
    ),
    "a content=x",
)

# Digests: what they may be, before anything is opened by them.
for name, text, why in [
    ("dotdot", "sha256:../../../../canary/secret", "not as long as its algorithm says"),
    ("dotdot-64", "sha256:" + ("../" * 22)[:64], "not lower-case hex"),
    ("upper", digest(TAR).upper().replace("SHA", "sha"), "not lower-case hex"),
    ("short", digest(TAR)[:-1], "not as long as its algorithm says"),
    ("long", digest(TAR) + "0", "not as long as its algorithm says"),
    ("empty", "", "not algorithm:hex"),
    ("no-colon", digest(TAR).replace(":", "-"), "not algorithm:hex"),
    ("algorithm-dotdot", "../../x:" + "0" * 64, "only sha256 and sha512 can be verified"),
    ("md5", "md5:" + "0" * 32, "only sha256 and sha512 can be verified"),
    ("blake3", "blake3:" + "0" * 64, "only sha256 and sha512 can be verified"),
    ("sha256-upper", digest(TAR).replace("sha", "SHA"), "only sha256 and sha512 can be verified"),
    (
        "multihash",
        "multihash+base58:QmRZxt2b1FVZPNqd8hsiykDL3TdBDeTSPX9Kv46HmX4Gx8",
        "only sha256 and sha512 can be verified",
    ),
    ("sha512-of-64", "sha512:" + "0" * 64, "not as long as its algorithm says"),
    ("space", digest(TAR) + " ", "not as long as its algorithm says"),
    ("nul", digest(TAR)[:-1] + "\0", '\\x00": has characters that no digest has'),
    ("newline", "sha256:" + "\n" * 64, "has characters that no digest has"),
]:
    refuses(
        f"digest-{name}",
        Image(TAR, manifest=of_layer(digest=text)),
        why,
    )
for name, wrong, why in [
    ("null", None, "digest: "),
    ("number", 1, "digest: "),
    ("list", [digest(TAR)], "digest: "),
]:
    refuses(
        f"digest-{name}",
        Image(TAR, manifest=of_layer(digest=wrong)),
        why,
    )
gives(
    "digest-escaped",
    Image(TAR, manifest_text=lambda text: text.replace(b"sha256:", b"\\u0073ha256:")),
    "a content=x",
)
refuses(
    "diff-id-dotdot",
    Image(TAR, config=lambda c: c["rootfs"].update(diff_ids=["sha256:" + ("../" * 22)[:64]])),
    "not lower-case hex",
)
refuses(
    "config-digest-md5",
    Image(TAR, manifest=lambda m: m["config"].update(digest="md5:" + "0" * 32)),
    "only sha256 and sha512",
)

# Sizes.
for name, value, why in [
    ("negative", -1, "size: negative"),
    ("smaller", 1, "size mismatch"),
    ("larger", 1 << 40, "size mismatch"),
    ("largest", (1 << 63) - 1, "size mismatch"),
    ("2-64", 1 << 64, "size: "),
    ("fraction", 1.5, "size: "),
    ("text", "512", "size: "),
    ("null", None, "size: "),
    ("zero", 0, "size mismatch"),
]:
    refuses(
        f"size-{name}-of-layer",
        Image(TAR, manifest=of_layer(size=value)),
        why,
    )
    refuses(
        f"size-{name}-of-config",
        Image(TAR, manifest=of_config(size=value)),
        why,
    )
    refuses(
        f"size-{name}-of-manifest",
        Image(TAR, index=of_manifest(size=value)),
        why,
    )
refuses(
    "size-exponent",
    Image(TAR, manifest_text=lambda text: text.replace(b'"size":2048', b'"size":2048e0')),
    "size: ",
)
