"""The image's configuration: diff_ids that do not fit, and every field with the wrong type."""

from image import Change, Image, digest, gives, refuses
from tarball import file, tar

TAR = tar(file("a", "x"))


def config(name: str, line: str, change: Change) -> None:
    refuses(f"config-{name}", Image(TAR, config=change), line)


def of_process(field: str, value: object) -> Change:
    """Changes a field of the member `config`."""
    return lambda config: config["config"].update({field: value})


config(
    "no-diff-ids",
    "rootfs.diff_ids: 0 of them, the manifest has 1 layers",
    lambda c: c["rootfs"].update(diff_ids=[]),
)
config(
    "diff-ids-missing", "rootfs.diff_ids: 0 of them", lambda c: c["rootfs"].pop("diff_ids") and c
)
config(
    "diff-ids-too-many",
    "rootfs.diff_ids: 2 of them, the manifest has 1 layers",
    lambda c: c["rootfs"]["diff_ids"].append(digest(b"")),
)
config(
    "diff-ids-5000",
    "rootfs.diff_ids: 5000 of them",
    lambda c: c["rootfs"].update(diff_ids=[digest(b"")] * 5000),
)
config("diff-ids-text", "rootfs.diff_ids: ", lambda c: c["rootfs"].update(diff_ids=digest(TAR)))
config("diff-id-number", "rootfs.diff_ids[0]: ", lambda c: c["rootfs"].update(diff_ids=[1]))
config("diff-id-null", "rootfs.diff_ids[0]: ", lambda c: c["rootfs"].update(diff_ids=[None]))
config(
    "diff-ids-swapped",
    "diff_id: digest mismatch",
    lambda c: c["rootfs"].update(diff_ids=[digest(b"other")]),
)
config("rootfs-missing", "rootfs: missing", lambda c: c.pop("rootfs") and c)
config("rootfs-list", "rootfs: ", lambda c: c.update(rootfs=[]))
config("rootfs-type", "rootfs.type: not layers", lambda c: c["rootfs"].update(type="base"))
config("rootfs-type-missing", "rootfs.type: missing", lambda c: c["rootfs"].pop("type") and c)
config("is-a-list", "config sha256:", lambda c: [c])
config("is-text", "config sha256:", lambda c: "linux")
config("os-missing", "os: missing", lambda c: c.pop("os") and c)
config("architecture-missing", "architecture: missing", lambda c: c.pop("architecture") and c)
config("os-number", "os: ", lambda c: c.update(os=1))
config(
    "os-windows",
    "wrong architecture: the image is for windows/amd64",
    lambda c: c.update(os="windows"),
)
config(
    "architecture-upper",
    "wrong architecture: the image is for linux/AMD64",
    lambda c: c.update(architecture="AMD64"),
)
config(
    "architecture-escape",
    "the image is for linux/\\x1b[2J",
    lambda c: c.update(architecture="\x1b[2J"),
)
for field, wrong in [
    ("User", 1),
    ("WorkingDir", []),
    ("StopSignal", 9),
    ("Hostname", {}),
    ("Env", "PATH=/bin"),
    ("Env", [1]),
    ("Env", [None]),
    ("Entrypoint", "sh"),
    ("Entrypoint", [[]]),
    ("Cmd", {"0": "sh"}),
    ("Cmd", [True]),
    ("Labels", ["a"]),
    ("Labels", {"a": 1}),
    ("Volumes", ["/v"]),
    ("ExposedPorts", [80]),
]:
    name = type(wrong).__name__
    if wrong and isinstance(wrong, (list, dict)):
        first = next(iter(wrong.values() if isinstance(wrong, dict) else wrong))
        name += f"-of-{type(first).__name__}"
    config(f"{field}-{name}", f"config.{field}", of_process(field, wrong))
config("config-list", "config: ", lambda c: c.update(config=[]))
config("created-number", "created: ", lambda c: c.update(created=1))
config("author-list", "author: ", lambda c: c.update(author=[]))
config("features-text", "os.features: ", lambda c: c.update({"os.features": "x"}))
gives(
    "config-nulls",
    Image(
        TAR,
        config=lambda c: c.update(
            config=dict.fromkeys(("User", "Env", "Cmd", "Labels", "Volumes", "ExposedPorts")),
            created=None,
            history=None,
        ),
    ),
    "a content=x",
)
gives("config-null", Image(TAR, config=lambda c: c.update(config=None)), "a content=x")
gives("config-absent", Image(TAR, config=lambda c: c.pop("config") and c), "a content=x")
gives(
    "config-history-lies",
    Image(TAR, config=lambda c: c.update(history=[{"empty_layer": True}] * 9)),
    "a content=x",
)
gives(
    "config-unknown-members",
    Image(TAR, config=lambda c: c.update(x={"y": [1, "z"]}, Os="windows", OS="windows")),
    "a content=x",
)
refuses(
    "config-duplicate-rootfs",
    Image(TAR, config_text=lambda t: t.replace(b'"rootfs":', b'"rootfs":{},"rootfs":')),
    "rootfs: ",
)
refuses(
    "config-changed",
    Image(TAR, manifest=lambda m: m["config"].update(digest=digest(b"other"))),
    "missing",
)
