"""System calls that Python 3.11 has no names for: namespaces, mounts, modules, processes."""

from __future__ import annotations

import ctypes
import fcntl
import os
import socket
import struct

NEW_NAMESPACES = (
    0x00020000  # CLONE_NEWNS: mounts
    | 0x04000000  # CLONE_NEWUTS: host name
    | 0x08000000  # CLONE_NEWIPC
    | 0x20000000  # CLONE_NEWPID: of the children
    | 0x40000000  # CLONE_NEWNET
)
_MS_BIND = 0x1000
_MS_MOVE = 0x2000
_MS_REC = 0x4000
_MS_PRIVATE = 0x40000
_MNT_DETACH = 2
_SIOCGIFFLAGS = 0x8913
_SIOCSIFFLAGS = 0x8914
_SIOCSIFADDR = 0x8916
_SIOCSIFNETMASK = 0x891C
_IFF_UP = 1
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_FINIT_MODULE = 313  # on x86-64, which guests are
_RB_POWER_OFF = 0x4321FEDC
_IFADDR = struct.Struct("16sH2x4s16x")
_IFREQ = struct.Struct("16sh22x")

_libc = ctypes.CDLL(None, use_errno=True)


def _call(function: str, what: str, *arguments: object) -> None:
    if getattr(_libc, function)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{function}: {os.strerror(number)}", what)


def unshare() -> None:
    """Move this process to namespaces of its own; mounts made here stay here. Raises OSError.

    The next child is the first process of the process namespace.
    """
    _call("unshare", "namespaces", ctypes.c_int(NEW_NAMESPACES))
    _mount("none", "/", None, _MS_REC | _MS_PRIVATE)


def bind(source: str, target: str) -> None:
    """Show ``source`` and all that is mounted below it at ``target`` as well. Raises OSError."""
    _mount(source, target, None, _MS_BIND | _MS_REC, what=source)


def mount(kind: str, target: str, options: str = "", *, source: str | None = None) -> None:
    """Mount a file system of a kind; ``tmpfs`` or ``proc`` need no source. Raises OSError."""
    _mount(source or kind, target, kind, 0, options=options)


def move(source: str, target: str) -> None:
    """Mount what is mounted at ``source`` at ``target`` instead. Raises OSError."""
    _mount(source, target, None, _MS_MOVE)


def unmount(target: str) -> None:
    """Take away a mount and all below it, whoever uses them. Raises OSError."""
    _call("umount2", target, os.fsencode(target), ctypes.c_int(_MNT_DETACH))


def _mount(
    source: str, target: str, kind: str | None, flags: int, *, options: str = "", what: str = ""
) -> None:
    _call(
        "mount",
        what or target,
        os.fsencode(source),
        os.fsencode(target),
        None if kind is None else kind.encode(),
        ctypes.c_ulong(flags),
        options.encode(),
    )


def bring_up(interface: str) -> None:
    """Bring a network interface of this network namespace up. Raises OSError."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        request = fcntl.ioctl(control, _SIOCGIFFLAGS, _IFREQ.pack(interface.encode(), 0))
        name, flags = _IFREQ.unpack(request)
        fcntl.ioctl(control, _SIOCSIFFLAGS, _IFREQ.pack(name, flags | _IFF_UP))


def set_address(interface: str, address: str, netmask: str) -> None:
    """Give a network interface an IPv4 address. Raises OSError."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        for request, value in ((_SIOCSIFADDR, address), (_SIOCSIFNETMASK, netmask)):
            packed = _IFADDR.pack(interface.encode(), socket.AF_INET, socket.inet_aton(value))
            fcntl.ioctl(control, request, packed)


def load_module(file: str) -> None:
    """Load a kernel module, whose own needs are loaded. Raises OSError."""
    descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
    try:
        _call("syscall", file, ctypes.c_long(_FINIT_MODULE), descriptor, b"", 0)
    finally:
        os.close(descriptor)


def power_off() -> None:
    """Switch this machine off at once; nothing is written to disks. Raises OSError."""
    _call("reboot", "power", ctypes.c_int(_RB_POWER_OFF))


def die_with_parent(number: int) -> None:
    """Let this process get a signal when its parent ends. Raises OSError."""
    _call("prctl", "parent", ctypes.c_int(_PR_SET_PDEATHSIG), ctypes.c_ulong(number))


def adopt_orphans() -> None:
    """Become the parent of descendants whose parents end. Raises OSError."""
    _call("prctl", "children", ctypes.c_int(_PR_SET_CHILD_SUBREAPER), ctypes.c_ulong(1))
