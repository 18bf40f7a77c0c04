#!/usr/bin/env python3
"""Lists a config.json, a sorted line for each fact, so that two of them can be compared.

Members have their path, mounts their destination; options and capabilities are sets.
Arguments: FILE.
"""

import json
import sys


def facts(value, path):
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from facts(inner, f"{path}.{key}" if path else key)
    elif path == "mounts":
        for mount in value:
            options = ",".join(sorted(mount.pop("options", [])))
            source = mount.pop("source", "-")
            place = f"{mount.pop('destination')} {mount.pop('type')}"
            yield f"mount {place} {source} {options}".rstrip()
            assert not mount, mount
    elif path == "linux.namespaces":
        yield path + " " + " ".join(sorted(namespace["type"] for namespace in value))
    elif path == "linux.seccomp.syscalls":
        yield f"{path} {len(value)} rules, {sum(len(rule['names']) for rule in value)} names"
    elif path == "process.env" or path.endswith("Paths"):
        for word in value:
            yield f"{path} {word}"
    elif path.startswith("process.capabilities"):
        yield path + " " + " ".join(sorted(name.removeprefix("CAP_").lower() for name in value))
    else:
        yield f"{path} {json.dumps(value, ensure_ascii=False)}"


def no_duplicates(pairs):
    assert len(dict(pairs)) == len(pairs), pairs
    return dict(pairs)


with open(sys.argv[1], encoding="utf-8") as file:
    config = json.load(file, object_pairs_hook=no_duplicates)
print("\n".join(sorted(facts(config, ""))))
