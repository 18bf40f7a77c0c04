"""The options of `boot`, as the user types them and as a value."""

import argparse
import os
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import get_args

from accelerator import AcceleratorChoice
from command import MachineName
from configuration import Guest
from disks import FileSystem
from script import OptionParser
from tools import release_binary


def default_init() -> str:
    """Returns the path of ocinit: $OCINIT, else the release build."""
    return os.environ.get("OCINIT", str(release_binary()))


@dataclass(frozen=True)
class Options:
    """One boot. `prepare` (plan.py) makes a machine's plan of it."""

    image: str  # IMAGE[:REF]
    arguments: tuple[str, ...] = ()  # of the container
    machine: MachineName | None = None  # None: the fastest that works
    accel: AcceleratorChoice = "auto"
    kernel: str | None = None  # None: Debian's
    modules: str | None = None
    init: str = field(default_factory=default_init)
    initramfs: str | None = None
    mem: int | None = None  # MiB; None: by the image's size
    cpus: int = 2
    fs: FileSystem = "raw"
    append: tuple[str, ...] = ()
    env: tuple[str, ...] = ()  # each NAME=VALUE
    disk: tuple[str, ...] = ()  # each FILE[,ro]
    tty: bool = False
    console: bool = False
    timeout: float | None = None  # seconds
    timings: bool = False
    log: str | None = None
    verbose: bool = False

    def fault(self) -> str | None:
        """Returns why these options cannot be carried out, or None."""
        if self.modules and not self.kernel:
            return "--modules belongs to a --kernel"
        for variable in self.env:
            name, equals, _ = variable.partition("=")
            if not name or not equals:
                return f"--env {variable}: not NAME=VALUE"
        return None

    def guest(self, reference: str = "") -> Guest:
        """Returns what the guest is told."""
        return Guest(
            append=" ".join(self.append),
            arguments=self.arguments,
            environment=self.env,
            reference=reference,
            tty=self.tty,
            verbose=self.verbose,
        )


def parse(words: Sequence[str], about: str | None = None) -> Options:
    """Returns the options; the container's arguments are all words after the first `--`.

    A wrong word ends the process with one line and status 125.
    """
    arguments: Sequence[str] = ()
    if "--" in words:
        split = words.index("--")
        words, arguments = words[:split], words[split + 1 :]
    parser = option_parser(about)
    said = vars(parser.parse_args(words))
    # A repeated option is a list, and a value never changes.
    values = {name: tuple(v) if isinstance(v, list) else v for name, v in said.items()}
    assert {*values, "arguments"} == {field.name for field in fields(Options)}
    options = Options(**values, arguments=tuple(arguments))
    if fault := options.fault():
        parser.error(fault)
    return options


def option_parser(about: str | None) -> OptionParser:
    """Returns the parser; the name of each value is that of a field of Options."""
    parser = OptionParser(
        about,
        prog="boot",
        usage="qemu/boot [OPTION]... IMAGE[:REF] [-- ARG...]",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add(
        "image",
        metavar="IMAGE[:REF]",
        help="OCI layout, oci-archive or disk; REF names one of several images",
    )
    add(
        "--machine",
        choices=get_args(MachineName),
        help="QEMU machine (default: microvm, the fastest, if KVM works there; else q35)",
    )
    add(
        "--accel",
        choices=get_args(AcceleratorChoice),
        default="auto",
        help="auto: KVM if a trial guest survives it",
    )
    add(
        "--kernel",
        metavar="VMLINUZ",
        help="kernel to boot (default: Debian's cloud kernel, see qemu/kernel)",
    )
    add("--modules", metavar="DIR", help="modules of --kernel (none: all it needs is built in)")
    add(
        "--init",
        metavar="FILE",
        default=default_init(),
        help="ocinit (default: $OCINIT, the release build)",
    )
    add(
        "--initramfs",
        metavar="FILE",
        help="initramfs to boot instead of one made of --init and the modules",
    )
    add(
        "--mem",
        metavar="MIB",
        type=positive,
        help="memory (default: four times the image and 256, at least 512)",
    )
    add(
        "--cpus",
        metavar="N",
        type=positive,
        default=2,
        help="processors (default: 2, one of them hashes)",
    )
    add(
        "--fs",
        choices=get_args(FileSystem),
        default="raw",
        help="file system made for the image (default: raw, which is none)",
    )
    add(
        "--append",
        metavar="WORDS",
        action="append",
        default=[],
        help="more words for the kernel command line",
    )
    add(
        "--env",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="environment of the container, over the image's",
    )
    add(
        "--disk",
        metavar="FILE[,ro]",
        action="append",
        default=[],
        help="a further disk, writable unless `,ro`",
    )
    add(
        "-t",
        "--tty",
        action="store_true",
        help="give the container a terminal: ours, raw for the while",
    )
    add(
        "--console",
        action="store_true",
        help="no report ports: stdin and stdout are the guest's serial console",
    )
    add(
        "--timeout",
        metavar="SECONDS",
        type=seconds,
        help="kill the machine after this long, and exit 124",
    )
    add("--timings", action="store_true", help="print at the end how long each phase took")
    add("--log", metavar="FILE", help="write the whole log of the machine to FILE")
    add(
        "--verbose",
        action="store_true",
        help="show the log of the kernel and of ocinit on stderr",
    )
    return parser


def positive(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive number")
    return int(text)


def seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds")
    return value
