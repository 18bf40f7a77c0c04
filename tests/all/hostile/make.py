#!/usr/bin/env python3
"""Writes every case of hostile input into a directory: an image, and what `ocinit unpack` must make of it.

    make.py DIRECTORY

DIRECTORY/list has a line for each case: name, `refuses` or `gives`, what is said on standard error, options;
DIRECTORY/NAME/image is the image and DIRECTORY/NAME/tree what must come out, a line for each entry.
"""

import os
import sys

top = sys.argv[1]
os.environ["OCINIT_CANARY"] = os.path.join(top, "canary")

import image
import attributes, config, documents, gzip_streams, headers, layouts, limits, links, names, pax_records, sparse, whiteouts, zstd_streams

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
        out.write("\t".join([name, verdict, line, *(f"{key}={value}" for key, value in options.items())]) + "\n")
