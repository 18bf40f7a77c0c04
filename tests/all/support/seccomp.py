"""What runc makes of seccomp profiles, with libseccomp: the other side of tests/all/seccomp.rs.

seccomp.py names            each name on stdin that libseccomp knows, with its three numbers
seccomp.py profiles FILE    a profile a line -> a line each, or "error" and its number

A line is the filter in hexadecimal, and for x86_64, x32 and x86 the highest number that is not
"newer than the profile" (-1: none is).
"""

import ctypes
import json
import os
import signal
import sys

lib = ctypes.CDLL("libseccomp.so.2")
lib.seccomp_init.restype = ctypes.c_void_p
lib.seccomp_syscall_resolve_name_arch.argtypes = [ctypes.c_uint32, ctypes.c_char_p]
TOKENS = {"X86_64": 0xC000003E, "X86": 0x40000003, "X32": 0x4000003E}
ACTIONS = {
    "KILL": 0,
    "KILL_THREAD": 0,
    "KILL_PROCESS": 0x80000000,
    "TRAP": 0x30000,
    "ERRNO": 0x50000,
    "TRACE": 0x7FF00000,
    "ALLOW": 0x7FFF0000,
    "LOG": 0x7FFC0000,
    "NOTIFY": 0x7FC00000,
}
OPERATORS = ["NE", "LT", "LE", "EQ", "GE", "GT", "MASKED_EQ"]


class Compare(ctypes.Structure):
    _fields_ = [
        ("arg", ctypes.c_uint),
        ("op", ctypes.c_int),
        ("a", ctypes.c_uint64),
        ("b", ctypes.c_uint64),
    ]


def number(arch, name):
    return lib.seccomp_syscall_resolve_name_arch(TOKENS[arch], name.encode())


def action(name, errno):
    value = ACTIONS[name.removeprefix("SCMP_ACT_")]
    return value | (1 if errno is None else errno) if value in (0x50000, 0x7FF00000) else value


def compile(profile):
    default = action(profile["defaultAction"], profile.get("defaultErrnoRet"))
    ctx = ctypes.c_void_p(lib.seccomp_init(ctypes.c_uint32(default)))
    archs = ["X86_64"]
    for arch in profile.get("architectures", []):
        arch = arch.removeprefix("SCMP_ARCH_")
        if arch in TOKENS and arch not in archs:
            archs.append(arch)
            assert lib.seccomp_arch_add(ctx, ctypes.c_uint32(TOKENS[arch])) == 0
    highest = dict.fromkeys(TOKENS, -1)
    for rule in profile.get("syscalls", []):
        wanted = action(rule["action"], rule.get("errnoRet"))
        args = rule.get("args") or []
        compares = [
            Compare(
                arg["index"],
                OPERATORS.index(arg["op"].removeprefix("SCMP_CMP_")) + 1,
                arg["value"],
                arg.get("valueTwo", 0),
            )
            for arg in args
        ]
        apart = len({arg["index"] for arg in args}) < len(args)
        for name in rule["names"]:
            for arch in archs:
                n = number(arch, name)
                if n >= 0:
                    highest[arch] = max(highest[arch], n)
            n = number("X86_64", name)
            if wanted == default or n == -1:
                continue
            for group in [[one] for one in compares] if apart else [compares]:
                code = lib.seccomp_rule_add_array(
                    ctx,
                    ctypes.c_uint32(wanted),
                    ctypes.c_int(n),
                    len(group),
                    (Compare * max(1, len(group)))(*group),
                )
                if code != 0:
                    lib.seccomp_release(ctx)
                    return f"error {code}"
    # A permissive default is for new calls, too.
    if default & 0xFFFF0000 in (0x7FFF0000, 0x7FFC0000, 0x7FF00000):
        highest = dict.fromkeys(TOKENS, -1)
    fd = os.memfd_create("filter")
    assert lib.seccomp_export_bpf(ctx, fd) == 0
    lib.seccomp_release(ctx)
    program = os.pread(fd, 1 << 20, 0)
    os.close(fd)
    return " ".join([program.hex()] + [str(highest[arch]) for arch in ("X86_64", "X32", "X86")])


if sys.argv[1] == "names":
    for name in sys.stdin.read().split():
        numbers = [number(arch, name) for arch in ("X86_64", "X32", "X86")]
        if numbers != [-1, -1, -1]:
            print(name, *numbers)
else:
    with open(sys.argv[2]) as file:
        profiles = file.readlines()
    for line in profiles:
        # libseccomp's time grows with the square of the rules, and more.
        child = os.fork()
        if child == 0:
            signal.alarm(30)
            print(compile(json.loads(line)), flush=True)
            os._exit(0)
        if os.waitpid(child, 0)[1] != 0:
            print("error", "killed", flush=True)
