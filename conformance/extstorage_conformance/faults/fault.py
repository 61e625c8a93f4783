"""What is done to one call of a script, at one of its boundaries or all the time."""

from __future__ import annotations

import errno
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from extstorage_conformance.faults.tracer import plan

if TYPE_CHECKING:
    from extstorage_conformance.faults.boundary import Boundary

_ERRORS = {
    "make": errno.ENOSPC,
    "write": errno.ENOSPC,
    "size": errno.ENOSPC,
    "lock": errno.ENOLCK,
    "network": errno.ECONNREFUSED,
}
"""How a call of a class fails in practice; all others with an input/output error."""
_KINDS = ("fail", "hang", "kill", "term")
LINGER_S = 5.0
"""How long a script that hangs may take to end when SIGTERM has reached it."""
_PATIENCE_S = 0.2
_SIGNALS = {signal.SIGKILL: "kill", signal.SIGTERM: "term"}


@dataclass(frozen=True)
class Fault:
    """One fault: its name, where it happens (None: all the time), what the tracer is told."""

    name: str
    boundary: Boundary | None
    orders: tuple[tuple[str, Any], ...]

    @property
    def kind(self) -> str:
        """One of fail, hang, kill, term, whole (the whole call long)."""
        if self.boundary is None:
            return "whole"
        return next(kind for kind in _KINDS if self.name.startswith(kind))

    @property
    def missing_tool(self) -> str:
        """The tool that is not installed, or ``""``."""
        return str(dict(self.orders).get("tool", ""))

    @property
    def is_full(self) -> bool:
        """Whether there is no space in any file system."""
        return ("do", plan.FULL) in self.orders

    @property
    def is_signal(self) -> bool:
        """Whether the script is ended from outside."""
        return any(name == "signal" for name, _ in self.orders)


def _at(boundary: Boundary, name: str, **orders: object) -> Fault:
    where = {"key": boundary.key, "number": boundary.number}
    return Fault(f"{name} {boundary.name}", boundary, tuple({**where, **orders}.items()))


def failing(boundary: Boundary) -> Fault:
    """Let the command exit 1 with a message, or the system call fail, without doing its work."""
    if boundary.is_command:
        message = f"{boundary.tool}: error: Input/output error\n"
        return _at(boundary, "fail", do=plan.FAIL, status=1, message=message)
    error = _ERRORS.get(boundary.kind, errno.EIO)
    if boundary.kind == "write" and "(/dev/" in boundary.text:
        error = errno.EIO
    return _at(boundary, f"fail({errno.errorcode[error]})", do=plan.ERROR, error=error)


def hanging(boundary: Boundary) -> Fault:
    """Let the command, or the system call, never end by itself; SIGTERM reaches the script soon."""
    orders = {"patience": _PATIENCE_S, "linger": LINGER_S, "signal": int(signal.SIGTERM)}
    return _at(boundary, "hang", do=plan.HANG, **orders)


def signalled(boundary: Boundary, number: signal.Signals) -> Fault:
    """Send the whole script a signal as soon as the boundary is behind it."""
    return _at(boundary, f"{_SIGNALS[number]} after", do=plan.AFTER, signal=int(number))


def signalled_inside(boundary: Boundary, number: signal.Signals) -> Fault:
    """Send the whole script a signal half-way through what the command changes."""
    half = boundary.inside // 2
    return _at(
        boundary, f"{_SIGNALS[number]} during", do=plan.DURING, signal=int(number), inside=half
    )


def missing(tool: str) -> Fault:
    """Let a tool not be installed."""
    return Fault(f"without {tool}", None, (("do", plan.MISSING), ("tool", tool)))


def full(room: int = 0) -> Fault:
    """Let every file system be full: what takes space gets ENOSPC, in tools too.

    The first ``room`` calls that take space still find some.
    """
    after = f" after {room} writes" if room else ""
    return Fault(f"every file system full{after}", None, (("do", plan.FULL), ("room", room)))


def read_only() -> Fault:
    """Let every file system be read-only, in tools too."""
    return Fault("every file system read-only", None, (("do", plan.READ_ONLY),))


def log_full() -> Fault:
    """Let nothing be written to standard output and error: their file system is full."""
    return Fault("log full", None, (("do", plan.LOG_FULL),))


def clock(shift_s: int, after: int = 0) -> Fault:
    """Let the time of day be ``shift_s`` seconds off once it has been read ``after`` times."""
    where = " after its first reading" if after else ""
    orders = (("clock", shift_s), ("after", after))
    return Fault(f"the clock jumps by {shift_s} s{where}", None, orders)
