"""System calls that Python 3.11 has no names for: namespaces and mounts."""

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
_MS_REC = 0x4000
_MS_PRIVATE = 0x40000
_MNT_DETACH = 2
_SIOCGIFFLAGS = 0x8913
_SIOCSIFFLAGS = 0x8914
_IFF_UP = 1
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


def mount(kind: str, target: str, options: str = "") -> None:
    """Mount a new file system of a kind, ``tmpfs`` or ``proc``. Raises OSError."""
    _mount(kind, target, kind, 0, options=options)


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


def bring_loopback_up() -> None:
    """Bring the loopback interface of this network namespace up. Raises OSError."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        request = fcntl.ioctl(control, _SIOCGIFFLAGS, _IFREQ.pack(b"lo", 0))
        _, flags = _IFREQ.unpack(request)
        fcntl.ioctl(control, _SIOCSIFFLAGS, _IFREQ.pack(b"lo", flags | _IFF_UP))
