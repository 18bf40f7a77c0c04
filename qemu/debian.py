"""Debian packages, downloaded and unpacked into the cache without being installed."""

import os
import pathlib
from collections.abc import Callable

from cache import cache, made_once
from failure import Failure
from tools import run


def debian_package(name: str) -> pathlib.Path:
    """Returns the folder with a package's contents, downloaded on first use. Needs no root."""
    place = cache("packages") / name
    with made_once(place) as folder:
        if folder:
            # As root apt drops to a user that cannot write here, and warns.
            download = ["download", "-q", "-o", "APT::Sandbox::User=root", name]
            with_package_lists(lambda: run("apt-get", *download, cwd=folder))
            (archive,) = folder.glob("*.deb")
            run("dpkg", "-x", archive, folder)
            archive.unlink()
    return place


def with_package_lists(ask: Callable[[], str]) -> str:
    """Returns what `ask` returns. If it fails, root fetches apt's package lists and asks again.

    A fresh container has no package lists, and old ones name packages that are gone.
    """
    try:
        return ask()
    except Failure as failure:
        if os.geteuid() != 0:
            raise Failure(f"{failure} (perhaps `sudo apt-get update` helps)") from None
        run("apt-get", "update")
        return ask()
