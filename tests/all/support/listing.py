#!/usr/bin/env python3
"""Lists a tree, a sorted line for each entry.

A line has name, type, mode, owner, size, modification time in nanoseconds, link target, device
number, the first name of a hard link, extended attributes, SHA-256 of the content. Arguments: ROOT.
"""

import hashlib
import os
import stat
import sys

KINDS = {
    stat.S_IFREG: "file",
    stat.S_IFDIR: "dir",
    stat.S_IFLNK: "symlink",
    stat.S_IFCHR: "char",
    stat.S_IFBLK: "block",
    stat.S_IFIFO: "fifo",
}


def text(name):
    return name.decode("utf-8", "backslashreplace").replace("\n", "\\n")


def entry(root, name, first_names):
    path = os.path.join(root, name) if name else root
    there = os.lstat(path)
    kind = KINDS[stat.S_IFMT(there.st_mode)]
    first = first_names.setdefault((there.st_dev, there.st_ino), name)
    xattrs = ",".join(
        f"{key}={os.getxattr(path, key, follow_symlinks=False).hex()}"
        for key in sorted(os.listxattr(path, follow_symlinks=False))
    )
    digest = ""
    if kind == "file":
        with open(path, "rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    return [
        "/" + text(name),
        kind,
        f"{there.st_mode & 0o7777:04o}",
        f"{there.st_uid}:{there.st_gid}",
        str(there.st_size if kind == "file" else 0),
        str(there.st_mtime_ns),
        text(os.readlink(path)) if kind == "symlink" else "",
        f"{os.major(there.st_rdev)}:{os.minor(there.st_rdev)}" if kind in ("char", "block") else "",
        "" if first == name else "/" + text(first),
        xattrs,
        digest,
    ]


def main(root):
    root = os.fsencode(root)
    names, first_names = [b""], {}
    for directory, directories, files in os.walk(root):
        names += [
            os.path.relpath(os.path.join(directory, name), root) for name in directories + files
        ]
    for name in sorted(names):
        print("\t".join(entry(root, name, first_names)))


if __name__ == "__main__":
    main(*sys.argv[1:])
