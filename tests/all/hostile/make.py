#!/usr/bin/env python3
"""Writes every case of hostile input into a directory: an image, and the result of `ocinit unpack`.

    make.py DIRECTORY

DIRECTORY/list has a line for each case: name, `refuses` or `gives`, the line on standard error,
options. DIRECTORY/NAME/image is the image, and DIRECTORY/NAME/tree has a line for each entry of the
unpacked root.
"""

import importlib
import os
import sys

# Each has its cases as rows, added when it is imported.
SUBJECTS = (
    "attributes",
    "config",
    "documents",
    "gzip_streams",
    "headers",
    "indexes",
    "layouts",
    "limits",
    "links",
    "names",
    "pax_records",
    "sparse",
    "whiteouts",
    "zstd_streams",
)


def main(top: str) -> None:
    os.environ["OCINIT_CANARY"] = os.path.join(top, "canary")
    image = importlib.import_module("image")
    for subject in SUBJECTS:
        importlib.import_module(subject)
    seen = set()
    with open(os.path.join(top, "list"), "w") as out:
        for name, what, verdict, line, tree, options in image.CASES:
            assert name not in seen, name
            seen.add(name)
            place = os.path.join(top, name)
            os.makedirs(place)
            if isinstance(what, (bytes, image.Layer)):
                what = image.Image(what)
            elif isinstance(what, list):
                what = image.Image(*what)
            what.write(os.path.join(place, "image"))
            with open(os.path.join(place, "tree"), "w") as entries:
                entries.writelines(f"{entry}\n" for entry in tree)
            words = [name, verdict, line, *(f"{key}={value}" for key, value in options.items())]
            out.write("\t".join(words) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
