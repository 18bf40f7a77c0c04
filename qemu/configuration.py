"""The configuration of the guest: records for /ocinit.conf, the kernel's command line, kernel and modules."""

import os
import pathlib
import re
import subprocess
import sys

from common import HERE, Failure

PYTHON = sys.executable or "python3"  # Python does not know its own path where there is no PATH
INIT_WORDS = 32  # MAX_INIT_ARGS of the kernel
COMMAND_LINE_LIMIT = 2048  # bytes; some loaders cut a longer line in silence, QEMU's guests hang without a word


def records(options, reference):
    """/ocinit.conf: long, private or odd words travel in it and not on the command line."""
    settings = {}
    if reference:
        settings["ref"] = reference
    if options.tty:
        settings["tty"] = "on"
    if options.verbose:
        settings["log"] = "debug"
    settings["disk"] = "SERIAL=image"
    for key, value in settings.items():
        # Given by hand too, it would be given twice: these two are only our defaults, the others are contradictions.
        if key not in ("disk", "log") or f"ocinit.{key}=" not in options.append:
            yield os.fsencode(f"ocinit.{key}={value}")
    for variable in options.env:
        yield os.fsencode(f"env={variable}")
    for argument in options.arguments:
        yield os.fsencode(f"arg={argument}")


def command_line(options, machine, accel):
    """The kernel's command line."""
    words = ["console=ttyS0", "panic=-1"]  # a panic resets at once, which -no-reboot turns into the end
    words.append("cryptomgr.notests")  # the kernel's self-tests of its ciphers: a tenth of a boot under emulation
    if machine == "microvm" and accel == "tcg":
        # It has but a PIT to calibrate the TSC by. On a busy host that fails and the kernel stops for good, so it is
        # told (emulated, the TSC is the host's), and not to keep time by what may be a processor's speed of the moment.
        words += [f"tsc_early_khz={processor_khz()}", "tsc=unstable"]
    elif machine != "microvm":
        # It saves 260 M instructions on pc, and 100 M on q35: docs/booting.md. But then the kernel finds only one
        # processor.
        words += ["acpi=noirq"] if str(options.cpus) == "1" and "acpi=" not in options.append else []
    words.append("rcupdate.rcu_expedited=1")  # mounting waits for grace periods, which this shortens
    # A UART traps on every byte, so the kernel's chatter costs time even where nobody looks.
    words += ["loglevel=7"] if options.verbose else ["quiet"]
    if options.append:
        words.append(options.append)
        check_init_words(options.append)
    line = " ".join(words)
    if len(os.fsencode(line)) >= COMMAND_LINE_LIMIT:
        raise Failure(f"the kernel command line has {len(os.fsencode(line))} bytes: the limit is {COMMAND_LINE_LIMIT - 1}")
    return line


def check_init_words(text):
    """The kernel gives its init the words after ` -- `; it panics at one more than INIT_WORDS."""
    words = re.findall(r'(?:[^\s"]|"[^"]*"?)+', text)
    count = len(words) - words.index("--") - 1 if "--" in words else 0
    if count > INIT_WORDS:
        raise Failure(
            f"--append has {count} words after ` -- `, and the kernel takes {INIT_WORDS}: "
            "give them as IMAGE -- ARG..., which puts them into /ocinit.conf"
        )


def processor_khz():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("cpu MHz"):
            return int(float(line.partition(":")[2]) * 1000)
    return 1_000_000  # not an x86 host


def kernel_and_modules(options):
    """The kernel to boot and the folder of its modules, fetched on the first use."""
    if options.kernel:
        return options.kernel, options.modules
    fetched = subprocess.run([PYTHON, HERE / "kernel"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    if fetched.returncode != 0:
        raise Failure("no kernel to boot (see above)")
    return fetched.stdout.splitlines()


def in_memory(data):
    """Bytes as a file that only has a descriptor."""
    descriptor = os.memfd_create("ocinit")
    with open(descriptor, "wb", closefd=False) as file:
        file.write(data)
    return descriptor
