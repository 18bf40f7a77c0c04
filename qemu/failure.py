"""Errors as one line: the scripts' own error, and untrusted text made harmless."""

import os
import re
import traceback

FAILED = 125  # the exit status of our own failures, as docker's: a container's is told apart


class Failure(Exception):
    """One line for the user: what could not be done, with what, and why."""


def one_line(error: BaseException) -> str:
    """Returns any exception as one line for the user."""
    if isinstance(error, Failure):
        return shown(str(error))
    if isinstance(error, OSError):
        named = isinstance(error.filename, (str, bytes, os.PathLike))
        where = f"{os.fsdecode(error.filename)}: " if named else ""
        return shown(f"{where}{error.strerror or error}")
    frames = traceback.extract_tb(error.__traceback__)
    where = f" ({os.path.basename(frames[-1].filename)}:{frames[-1].lineno})" if frames else ""
    return shown(f"internal error: {type(error).__name__}: {error}{where}")


# Characters of untrusted text that must not reach a terminal or log viewer: control characters,
# line ends, marks of writing direction. CI_COMMAND has the commands of CI systems.
HIDDEN = {
    *range(0x20),
    *range(0x7F, 0xA0),
    *range(0x202A, 0x202F),
    *range(0x2066, 0x206A),
    0x2028,
    0x2029,
    0xFEFF,
} - {0x09}
ESCAPES = {code: f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" for code in HIDDEN}
CI_COMMAND = re.compile(r"^(\s*):(?=:)|#(?=#[\w.]*\[)")


def shown(text: str | bytes) -> str:
    """Returns untrusted text as one line that no terminal or CI system obeys."""
    if isinstance(text, bytes):
        text = text.decode(errors="backslashreplace")
    text = text.translate(ESCAPES).encode(errors="backslashreplace").decode()
    return CI_COMMAND.sub(
        lambda found: f"{found[1]}\\x3a" if found[0].endswith(":") else "\\x23", text
    )
