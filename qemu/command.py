"""QEMU: its command line, which is built here and nowhere else, and the choice of machine and accelerator."""

import contextlib
import ctypes
import hashlib
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time

import initramfs
from common import FAILED, Failure, cache, locked, tool
from streams import CHUNK

QEMU = "qemu-system-x86_64"
MICROVM_SLOTS = 8  # devices of virtio-mmio; the report ports take one
KVM_TRIAL = 5  # seconds; a guest under a working KVM is through in one


def qemu_command(machine, accel, kernel, append, memory, cpus, initrd=None, disks=(), console=None, ports=None):
    """The command line. `initrd`, the disks, `console` and the `ports` by name are descriptors that QEMU inherits."""
    bus = "device" if machine == "microvm" else "pci"  # microvm has virtio-mmio slots instead of a PCI bus
    command = [tool(QEMU), "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"]
    # A guest that breaks out of QEMU finds a process that can start no program and gain no right.
    command += ["-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"]
    command += ["-machine", machine, "-accel", threads(accel, cpus), "-cpu", "host" if accel == "kvm" else "max"]
    command += ["-smp", str(cpus), "-m", f"{memory}M"]
    command += ["-kernel", str(kernel), "-append", append]
    if initrd is not None:
        command += ["-initrd", f"/proc/self/fd/{initrd}"]
    if console is not None:
        command += ["-chardev", f"socket,id=console,fd={console}", "-serial", "chardev:console"]
    for number, disk in enumerate(disks):
        options = f"if=none,id=disk{number},format=raw,file=/proc/self/fd/{disk.descriptor}"
        command += ["-drive", f"{options},readonly={'on' if disk.read_only else 'off'}"]
        serial = f",serial={disk.serial}" if disk.serial else ""
        command += ["-device", f"virtio-blk-{bus},drive=disk{number}{serial}"]
    if ports:
        command += ["-device", f"virtio-serial-{bus},id=ports"]
        for number, (name, descriptor) in enumerate(ports.items(), 1):
            command += ["-chardev", f"socket,id={name},fd={descriptor}"]
            command += ["-device", f"virtserialport,bus=ports.0,nr={number},chardev={name},name=org.ocinit.{name}"]
    return command


def threads(accel, cpus):
    """The accelerator, with one thread for all emulated processors: docs/booting.md.

    With a thread for each, QEMU 7.2 may keep its translation of an instruction that another processor changes.
    A kernel that patches itself then meets a breakpoint that is not there any more, for ever.
    """
    return "tcg,thread=single" if accel == "tcg" and int(cpus) > 1 else accel


def start_qemu(command, descriptors):
    """QEMU in a session of its own, so that a terminal's signals reach only us; and it dies with us."""
    parent = os.getpid()
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    set_death_signal = 1  # PR_SET_PDEATHSIG

    def in_child():
        prctl(set_death_signal, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(FAILED)  # we died before it was set

    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        pass_fds=descriptors,
        start_new_session=True,
        preexec_fn=in_child,
    )


# ---- The choice of machine and accelerator --------------------------------------------------------------------------


def no_microvm(options, modules):
    """Returns why microvm is not taken, or None."""
    if len(options.disk) + 2 > MICROVM_SLOTS:
        return f"{len(options.disk) + 1} disks: microvm has room for {MICROVM_SLOTS - 1}"
    if options.initramfs:
        return f"{options.initramfs} may hold no virtio_mmio"
    if modules is None:
        return f"{options.kernel} may have no virtio_mmio"
    if not initramfs.Modules(modules).has("virtio_mmio"):
        return f"{modules} has no virtio_mmio"
    known = remembered("machines", "", lambda: " ".join(line.split()[0] for line in machines_of_qemu() if line.split()))
    if "microvm" not in known.split():
        return f"{QEMU} does not know it"
    return None


def machines_of_qemu():
    command = [tool(QEMU), "-machine", "help"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    return done.stdout.splitlines()


def machine_and_accelerator(options, kernel, modules):
    """Returns the machine, and kvm or tcg: the options', else the fastest that works. Reports why one is skipped."""
    machines = [options.machine] if options.machine else ["microvm", "q35"]
    if not options.machine and (why := no_microvm(options, modules)):
        machines.remove("microvm")
        if options.verbose or options.timings:
            print(f"boot: machine q35 instead of microvm: {why}", file=sys.stderr)
    # The last machine first: if KVM hangs every guest, only one trial is lost.
    if options.accel == "tcg" or options.accel == "auto" and not has_kvm(kernel, machines[-1]):
        if machines == ["microvm", "q35"]:
            machines.remove("microvm")
            if options.verbose:
                print("boot: machine q35 instead of microvm: an emulated one has no clock but a PIT", file=sys.stderr)
        return machines[0], "tcg"
    if options.accel != "auto":
        return machines[0], options.accel
    return next(machine for machine in machines if has_kvm(kernel, machine)), "kvm"


def has_kvm(kernel, machine):
    """Returns whether KVM works: /dev/kvm may exist and hang every guest, so only a trial guest shows that."""
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return False
    boot = pathlib.Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    ask = lambda: "kvm" if survives_kvm(kernel, machine) else "tcg"
    return remembered("accel", f"{boot} {machine}", ask) == "kvm"


def remembered(topic, circumstances, ask):
    """Returns the result of `ask`, which is called once for this QEMU and these circumstances."""
    qemu = os.stat(tool(QEMU))
    key = hashlib.sha256(f"{circumstances} {qemu.st_size} {qemu.st_mtime_ns}".encode()).hexdigest()[:16]
    try:
        answer = cache(topic) / key
    except (OSError, Failure):
        return ask()  # no cache
    with locked(answer):
        with contextlib.suppress(FileNotFoundError):
            if known := answer.read_text():
                return known
        found = ask()
        answer.write_text(found)
        return found


def survives_kvm(kernel, machine):
    """Whether a kernel with nothing to run comes under KVM to the panic that it must come to."""
    ours, theirs = socket.socketpair()
    command = qemu_command(machine, "kvm", kernel, "console=ttyS0 quiet panic=-1", 256, 1, console=theirs.fileno())
    qemu = start_qemu(command, [theirs.fileno()])
    theirs.close()
    deadline = time.monotonic() + KVM_TRIAL
    said = b""
    try:
        while (left := deadline - time.monotonic()) > 0:
            ours.settimeout(left)
            data = ours.recv(CHUNK)
            said += data
            if b"Kernel panic - not syncing: VFS" in said:
                return True
            if not data:
                return False
    except TimeoutError:
        pass
    finally:
        qemu.kill()
        qemu.communicate()
        ours.close()
    return False
